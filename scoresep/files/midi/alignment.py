"""Alignments as MIDI: a performance read as notes in seconds, and a file whose tempo map follows the recording.

In the file that is written bars and beats lie on its grid, notes where they sound.

Tick 0 is the first frame of the recording. What comes before the first beat is filled with beats of about the same
tempo, so that bar lines stay bar lines.

References
----------
Standard MIDI Files 1.0 (RP-001), MIDI Manufacturers Association, 1988, rev. 1996.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoresep.files.midi import DEFAULT_TEMPO_US, Performance, read_midi_performance
from scoresep.files.storage.paths import as_utf8
from scoresep.model.alignment import Alignment
from scoresep.model.score import Instrument, Measure, UnfoldedScore
from scoresep.model.timemap import grid_quarters

DRUM_KEY = -1


@dataclass(frozen=True)
class PerformedNotes:
    """Notes in time.

    Attributes
    ----------
    voice : ndarray [shape=(notes,)], int64
        Which track and channel, counted from 0 in the order of the parts that the same file has as a score.
    key : ndarray [shape=(notes,)], int64
        MIDI pitch; -1 for drums.
    onset_s, offset_s : ndarray [shape=(notes,)], float64
    quarter : ndarray [shape=(notes,)], float64
        Where they begin on the beats of the file; NaN where it has none.
    voice_names : tuple of str
        Name of each voice: of its track, or of its channel or instrument.
    warnings : tuple of str
        What could not be read as it stands.
    """

    voice: NDArray[np.int64]
    key: NDArray[np.int64]
    onset_s: NDArray[np.float64]
    offset_s: NDArray[np.float64]
    quarter: NDArray[np.float64]
    voice_names: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def read_performance(path: str | Path, data: bytes) -> PerformedNotes:
    """Read the notes of a MIDI file.

    Raises
    ------
    InputError
        It is damaged, or holds no notes.
    """
    performance = read_midi_performance(data, str(path))
    rows = [
        (i, DRUM_KEY if voice.plays_drums else key, start, end)
        for i, voice in enumerate(performance.voices)
        for start, end, key in voice.notes
    ]
    rows.sort(key=lambda row: (row[2], row[0], row[1]))
    voice, key, start, end = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    faults = sorted(performance.faults)
    places = np.array([tick for tick, _ in faults], np.int64)
    seconds = _seconds(np.concatenate([start, end, places]), performance)
    has_beats = performance.ticks_per_second is None
    quarter = start / performance.ticks_per_quarter if has_beats else np.full(len(start), np.nan)
    names = tuple(v.name for v in performance.voices)
    warnings = (*performance.warnings, *_fault_warnings([w for _, w in faults], seconds[2 * len(start) :], path))
    return PerformedNotes(
        voice, key, seconds[: len(start)], seconds[len(start) : 2 * len(start)], quarter, names, warnings
    )


def _fault_warnings(faults: list[str], at_s: NDArray[np.float64], path: str | Path) -> list[str]:
    """Tell in one sentence for each kind how often it happens, and where first."""
    warnings = []
    for what in dict.fromkeys(faults):
        places = at_s[[fault == what for fault in faults]]
        more = f" and at {len(places) - 1} more places" if len(places) > 1 else ""
        warnings.append(f"At {places[0]:.1f} s of '{path}'{more}: {what}.")
    return warnings


def _seconds(ticks: NDArray[np.int64], performance: Performance) -> NDArray[np.float64]:
    if performance.ticks_per_second is not None:
        return ticks / performance.ticks_per_second
    tempi = {0: DEFAULT_TEMPO_US} | performance.tempi_us
    at = np.array(sorted(tempi), np.int64)
    tempo = np.array([tempi[int(tick)] for tick in at], np.float64)
    us = np.concatenate([[0.0], np.cumsum(np.diff(at) * tempo[:-1])]) / performance.ticks_per_quarter
    place = np.searchsorted(at, ticks, side="right") - 1
    return np.asarray((us[place] + (ticks - at[place]) * tempo[place] / performance.ticks_per_quarter) / 1e6)


# The coarsest division at which a tick lasts no longer than this wherever the tempo is slowest.
TICK_US = 1000.0
DIVISIONS = (960, 1920, 3840, 7680, 15360, 30720)
MOST_TEMPO_US = 0xFFFFFF  # of a quarter, in three bytes
MOST_NUMERATOR, MOST_DENOMINATOR = 255, 64
DRUM_CHANNEL = 9
CHANNELS = (*range(DRUM_CHANNEL), *range(DRUM_CHANNEL + 1, 16))
VELOCITY = 80
# Notes of one key that begin within this time are one unison, not struck again.
UNISON_US = 50_000
UNPITCHED_KEY = 38  # snare drum, in the General MIDI percussion map


@dataclass(frozen=True)
class MidiPart:
    """What a track is called and sounds like."""

    name: str
    instrument: Instrument


@dataclass(frozen=True)
class TickBar:
    """A bar as MIDI and other programs have it: where it begins, its metre, and what its marker says."""

    tick: int
    numerator: int
    denominator: int
    label: str


@dataclass(frozen=True)
class TickClock:
    """Ticks against microseconds: a rising line through points; each stretch has one tempo."""

    ticks: NDArray[np.int64]
    us: NDArray[np.float64]
    tempi_us: tuple[int, ...]
    division: int

    def us_at(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Convert ticks to microseconds."""
        last = np.maximum(ticks - self.ticks[-1], 0) * self.tempi_us[-1] / self.division
        return np.asarray(np.interp(ticks, self.ticks, self.us) + last)

    def ticks_at(self, us: NDArray[np.float64]) -> NDArray[np.int64]:
        """Convert microseconds to the nearest ticks; after the end the last tempo goes on."""
        last = np.maximum(us - self.us[-1], 0.0) * self.division / self.tempi_us[-1]
        inside = np.interp(us, self.us, self.ticks.astype(np.float64))
        return np.asarray(np.rint(inside + last), np.int64)


def midi_bytes(
    unfolded: UnfoldedScore, alignment: Alignment, parts: Sequence[MidiPart], sample_rate: int, title: str = ""
) -> bytes:
    """Make the file: a track with tempi, metres and a marker at every bar, then one for each part.

    A key that is struck again while it is down is let go at that moment, since MIDI knows it once only; unisons within
    a part are struck twice.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment
        Of the same notes; those that are not present are left out.
    parts : sequence of MidiPart
        One for each part of the score.
    sample_rate : int
        Of the recording.
    title : str
    """
    import mido

    clock, bars = lay_out_bars(unfolded, alignment, sample_rate)
    file = mido.MidiFile(type=1, ticks_per_beat=clock.division, charset="utf-8")
    conductor: list[tuple[int, int, Any]] = [(0, 0, mido.MetaMessage("track_name", name=as_utf8(title)))]
    tempo_before = 0
    for tick, tempo in zip(clock.ticks.tolist(), clock.tempi_us, strict=False):
        if tempo != tempo_before:
            conductor.append((tick, 1, mido.MetaMessage("set_tempo", tempo=tempo)))
        tempo_before = tempo
    metre_before = (0, 0)
    for bar in bars:
        metre = bar.numerator, bar.denominator
        if metre != metre_before:
            message = mido.MetaMessage("time_signature", numerator=metre[0], denominator=metre[1])
            conductor.append((bar.tick, 2, message))
        if bar.label:
            conductor.append((bar.tick, 3, mido.MetaMessage("marker", text=as_utf8(bar.label))))
        metre_before = metre
    file.tracks.append(_track(conductor))
    for i, part in enumerate(parts):
        file.tracks.append(_track(_part_events(i, part, unfolded, alignment, clock, sample_rate)))
    data = io.BytesIO()
    file.save(file=data)
    return data.getvalue()


def _track(events: list[tuple[int, int, Any]]) -> Any:
    import mido

    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda e: e[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def _part_events(
    index: int, part: MidiPart, unfolded: UnfoldedScore, alignment: Alignment, clock: TickClock, sample_rate: int
) -> list[tuple[int, int, Any]]:
    """Return tick, rank among what happens at that tick, and message."""
    import mido

    notes, times = unfolded.notes, alignment.note_times
    port, place = divmod(index, len(CHANNELS))
    channel = DRUM_CHANNEL if part.instrument.is_percussion else CHANNELS[place]
    events: list[tuple[int, int, Any]] = [(0, 0, mido.MetaMessage("track_name", name=as_utf8(part.name)))]
    if port:
        events.append((0, 1, mido.MetaMessage("midi_port", port=min(port, 255))))
    if part.instrument.program is not None and not part.instrument.is_percussion:
        events.append((0, 2, mido.Message("program_change", channel=channel, program=part.instrument.program)))
    rows = np.flatnonzero((notes.part_index == index) & times.is_present)
    on_us, off_us = (column[rows] * 1e6 / sample_rate for column in (times.onset_frame, times.offset_frame))
    starts, ends = clock.ticks_at(on_us), clock.ticks_at(off_us)
    pitches = notes.pitch_midi[rows]
    keys = np.where(np.isnan(pitches), UNPITCHED_KEY, np.clip(np.rint(np.nan_to_num(pitches)), 0, 127)).astype(int)
    for key in np.unique(keys):
        struck = np.sort(starts[keys == key])
        for start, end in zip(starts[keys == key].tolist(), ends[keys == key].tolist(), strict=True):
            later = struck[np.searchsorted(clock.us_at(struck), clock.us_at(np.array([start]))[0] + UNISON_US) :]
            end = max(min(end, int(later[0])) if len(later) else end, start + 1)
            events.append((start, 5, mido.Message("note_on", channel=channel, note=int(key), velocity=VELOCITY)))
            events.append((end, 4, mido.Message("note_off", channel=channel, note=int(key), velocity=0)))
    return events


def lay_out_bars(unfolded: UnfoldedScore, alignment: Alignment, sample_rate: int) -> tuple[TickClock, list[TickBar]]:
    """Lay beats on ticks and on the recording's time, which begins at tick 0.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment
        Of the same notes.
    sample_rate : int
        Of the recording.
    """
    steps = len(unfolded.path.steps)
    quarters = np.unique(np.concatenate([grid_quarters(unfolded, 0, steps, True), unfolded.step_start_quarter]))
    us = alignment.time_map.quarters_to_frames(quarters) * 1e6 / sample_rate
    quarters, us = quarters[us >= 0], us[us >= 0]
    rises = np.concatenate([[True], us[1:] > np.maximum.accumulate(us)[:-1]]) if len(us) else np.zeros(0, np.bool_)
    quarters, us = quarters[rises], us[rises]
    if len(us) < 2:  # nothing of the score but its last beat is in the recording: an even second for a beat
        quarters, us = np.array([0.0, 1.0]), np.array([0.0, 1e6])
    first = unfolded.measure_of_step(unfolded.step_at(float(quarters[0])))
    beat_us = float((us[1] - us[0]) / (quarters[1] - quarters[0])) * first.beat_quarter
    lead_beats = max(round(float(us[0]) / beat_us), 1) if us[0] > 0 else 0
    lead_quarter = lead_beats * first.beat_quarter
    lengths = np.diff(us) / np.diff(quarters)  # of a quarter
    slowest = min(max(float(lengths.max()), us[0] / max(lead_quarter, 1e-9) if lead_beats else 0.0), MOST_TEMPO_US)
    division = next((d for d in DIVISIONS if slowest / d <= TICK_US), DIVISIONS[-1])

    ticks = np.rint((lead_quarter + quarters - quarters[0]) * division).astype(np.int64)
    points = [0, *ticks.tolist()] if lead_beats else ticks.tolist()
    times = [0.0, *us.tolist()] if lead_beats else us.tolist()
    bar_ticks = round(first.beats * first.beat_quarter * division)
    clock, added = _clock(points, times, division, bar_ticks)
    shifts = added[1:] if lead_beats else added
    bars = _lead_bars(first, lead_beats, division) + _score_bars(unfolded, quarters, ticks + np.array(shifts), division)
    return clock, bars


def _clock(points: list[int], times: list[float], division: int, bar_ticks: int) -> tuple[TickClock, list[int]]:
    """Choose the tempo of every stretch; returns how many ticks were put in before each point, in whole bars.

    They are needed where a stretch lasts longer than the slowest tempo of MIDI can tell. Rounding does not add up:
    every tempo aims at where its stretch has to end.
    """
    ticks, us, tempi, added = [points[0]], [times[0]], [], [0]
    for i in range(1, len(points)):
        length = max(points[i] - points[i - 1], 1)
        wanted = max(times[i] - us[-1], 1.0)
        more = 0
        if wanted * division / length > MOST_TEMPO_US:
            more = math.ceil((wanted * division / MOST_TEMPO_US - length) / bar_ticks) * bar_ticks
        tempo = min(max(round(wanted * division / (length + more)), 1), MOST_TEMPO_US)
        ticks.append(ticks[-1] + length + more)
        us.append(us[-1] + tempo * (length + more) / division)
        tempi.append(tempo)
        added.append(added[-1] + more)
    return TickClock(np.array(ticks, np.int64), np.array(us), tuple(tempi), division), added


def _lead_bars(first: Measure, lead_beats: int, division: int) -> list[TickBar]:
    """Return the bars before the score begins: an incomplete one, then full ones."""
    bars, tick = [], 0
    beat_ticks = round(first.beat_quarter * division)
    rest, full = lead_beats % first.beats, lead_beats // first.beats
    for beats in [rest] * (rest > 0) + [first.beats] * full:
        bars.append(TickBar(tick, *_metre(beats * first.beat_quarter, first), ""))
        tick += beats * beat_ticks
    return bars


def _score_bars(
    unfolded: UnfoldedScore, quarters: NDArray[np.float64], ticks: NDArray[np.int64], division: int
) -> list[TickBar]:
    bars = []
    starts = unfolded.step_start_quarter
    for i, step in enumerate(unfolded.path.steps):
        start, end = max(float(starts[i]), float(quarters[0])), float(starts[i + 1])
        if end - start < 1e-6:
            continue
        measure = unfolded.measure_of_step(i)
        label = measure.number if step.occurrence == 1 else f"{measure.number} ({step.occurrence})"
        tick = round(float(np.interp(start, quarters, ticks)))
        bars.append(TickBar(tick, *_metre(end - start, measure), label))
    return bars


def _metre(length_quarter: float, measure: Measure) -> tuple[int, int]:
    """Return the metre that fills a bar of this length; that of the score where there is none."""
    denominator = measure.beat_type if measure.beat_type in (1, 2, 4, 8, 16, 32, 64) else 4
    nominal = min(measure.beats, MOST_NUMERATOR), denominator
    while denominator <= MOST_DENOMINATOR:
        numerator = length_quarter * denominator / 4
        if abs(numerator - round(numerator)) < 1e-3 and 1 <= round(numerator) <= MOST_NUMERATOR:
            return round(numerator), denominator
        denominator *= 2
    return nominal
