"""What a project of another program holds, whatever its format: tracks of sound, notes, tempi, metres and markers.

Time is told twice: in seconds of the recording, in which the stems lie, and in beats (quarter notes) from the start of
the recording, in which notes and the tempo map lie. Tempo stays the same from one point to the next, as in the MIDI
files of `files.midi.alignment`, whose layout this is: before the first bar there are beats of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoresep.files.midi.alignment import UNPITCHED_KEY, lay_out_bars
from scoresep.model.alignment import Alignment
from scoresep.model.score import UnfoldedScore

STEADY_BPM = 120.0
VELOCITY = 80


@dataclass(frozen=True)
class DawTrack:
    """A track with one stem from the first frame on.

    Attributes
    ----------
    name : str
    color : str
        ``#rrggbb``.
    channels : int
    gain : float
        Factor.
    pan : float
        From -1 (left) to 1 (right).
    is_muted, is_soloed : bool
    """

    name: str
    color: str
    channels: int
    gain: float = 1.0
    pan: float = 0.0
    is_muted: bool = False
    is_soloed: bool = False


@dataclass(frozen=True)
class TempoPoint:
    """From here on the tempo is this, in quarter notes a minute."""

    beat: float
    time_s: float
    quarters_per_minute: float


@dataclass(frozen=True)
class MetrePoint:
    """From here on bars have this metre."""

    beat: float
    time_s: float
    numerator: int
    denominator: int


@dataclass(frozen=True)
class DawMarker:
    """A named place."""

    beat: float
    time_s: float
    name: str


@dataclass(frozen=True)
class DawNote:
    """A note of the score where it sounds."""

    beat: float
    duration_beats: float
    time_s: float
    duration_s: float
    key: int


@dataclass(frozen=True)
class NoteTrack:
    """The notes of one part."""

    name: str
    color: str
    notes: tuple[DawNote, ...]


@dataclass(frozen=True)
class Arrangement:
    """A whole project.

    Attributes
    ----------
    title : str
    sample_rate, frames : int
        Of the recording, and so of every stem.
    tracks : tuple of DawTrack
    master_gain : float
        Factor.
    tempi : tuple of TempoPoint
        The first at beat 0; one alone is a fixed tempo.
    metres : tuple of MetrePoint
        The first at beat 0.
    markers : tuple of DawMarker
    note_tracks : tuple of NoteTrack
    """

    title: str
    sample_rate: int
    frames: int
    tracks: tuple[DawTrack, ...]
    master_gain: float = 1.0
    tempi: tuple[TempoPoint, ...] = (TempoPoint(0.0, 0.0, STEADY_BPM),)
    metres: tuple[MetrePoint, ...] = (MetrePoint(0.0, 0.0, 4, 4),)
    markers: tuple[DawMarker, ...] = ()
    note_tracks: tuple[NoteTrack, ...] = ()

    @property
    def duration_s(self) -> float:
        """Length of the recording."""
        return self.frames / self.sample_rate


@dataclass(frozen=True)
class TempoMap:
    """Tempi, metres and markers of a recording, and its notes part by part."""

    tempi: tuple[TempoPoint, ...]
    metres: tuple[MetrePoint, ...]
    markers: tuple[DawMarker, ...]
    notes: tuple[tuple[DawNote, ...], ...]


def tempo_map_of(
    unfolded: UnfoldedScore, alignment: Alignment, sample_rate: int, parts: int, is_fixed: bool = False
) -> TempoMap:
    """Lay the score out over the recording as other programs have it.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment
        Of the same notes; those that are not present are left out.
    sample_rate : int
        Of the recording.
    parts : int
        How many the score has.
    is_fixed : bool
        One tempo for all, for programs that move sound when the tempo changes: bars then lie where the markers say, and
        not on the grid.
    """
    clock, bars = lay_out_bars(unfolded, alignment, sample_rate)

    def beats_at(seconds: np.ndarray) -> np.ndarray:
        if is_fixed:
            return seconds * STEADY_BPM / 60.0
        return clock.ticks_at(seconds * 1e6) / clock.division

    bar_ticks = np.array([bar.tick for bar in bars], np.int64)
    bar_s = clock.us_at(bar_ticks) / 1e6
    bar_beats = bar_s * STEADY_BPM / 60.0 if is_fixed else bar_ticks / clock.division
    tempi = [TempoPoint(0.0, 0.0, STEADY_BPM)]
    metres = [MetrePoint(0.0, 0.0, 4, 4)]
    if not is_fixed:
        starts = zip(clock.ticks.tolist(), clock.us.tolist(), clock.tempi_us, strict=False)
        tempi = [TempoPoint(tick / clock.division, us / 1e6, 60e6 / tempo) for tick, us, tempo in starts]
        tempi = [t for i, t in enumerate(tempi) if not i or t.quarters_per_minute != tempi[i - 1].quarters_per_minute]
        metres = [
            MetrePoint(float(beat), float(second), bar.numerator, bar.denominator)
            for bar, beat, second in zip(bars, bar_beats, bar_s, strict=True)
        ]
        metres = [
            m
            for i, m in enumerate(metres)
            if not i or (m.numerator, m.denominator) != (metres[i - 1].numerator, metres[i - 1].denominator)
        ]
    markers = [
        DawMarker(float(beat), float(second), bar.label)
        for bar, beat, second in zip(bars, bar_beats, bar_s, strict=True)
        if bar.label
    ]
    notes, times = unfolded.notes, alignment.note_times
    found: list[tuple[DawNote, ...]] = []
    for part in range(parts):
        rows = np.flatnonzero((notes.part_index == part) & times.is_present & (times.onset_frame >= 0))
        start_s, end_s = times.onset_frame[rows] / sample_rate, times.offset_frame[rows] / sample_rate
        start, end = beats_at(start_s), beats_at(end_s)
        pitches = notes.pitch_midi[rows]
        keys = np.where(np.isnan(pitches), UNPITCHED_KEY, np.clip(np.rint(np.nan_to_num(pitches)), 0, 127)).astype(int)
        least = 1.0 / clock.division
        found.append(
            tuple(
                DawNote(float(b), max(float(e - b), least), float(s), max(float(t - s), 1e-3), int(key))
                for b, e, s, t, key in zip(start, end, start_s, end_s, keys, strict=True)
            )
        )
    return TempoMap(tuple(tempi), tuple(metres), tuple(markers), tuple(found))
