"""What an alignment is: the time map, and where every single note lies in the recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.model.arrays import ArrayEquality, frozen
from scoresep.model.score import UnfoldedScore
from scoresep.model.timemap import TimeMap


@dataclass(frozen=True, eq=False)
class NoteTimes(ArrayEquality):
    """Where the notes of an unfolded score lie in the recording, row by row as in `UnfoldedScore.notes`.

    Attributes
    ----------
    onset_frame, offset_frame : ndarray [shape=(notes,)], int64
        First sound of the note (not its peak) and its end; offset >= onset.
    confidence : ndarray [shape=(notes,)], float32
        From 0 (a guess) to 1 (sure).
    is_present : ndarray [shape=(notes,)], bool
        False for notes that the recording does not contain.
    """

    onset_frame: NDArray[np.int64]
    offset_frame: NDArray[np.int64]
    confidence: NDArray[np.float32]
    is_present: NDArray[np.bool_]

    def __post_init__(self) -> None:
        object.__setattr__(self, "onset_frame", frozen(self.onset_frame, np.int64))
        object.__setattr__(self, "offset_frame", frozen(self.offset_frame, np.int64))
        object.__setattr__(self, "confidence", frozen(self.confidence, np.float32))
        object.__setattr__(self, "is_present", frozen(self.is_present, np.bool_))

    def __len__(self) -> int:
        return len(self.onset_frame)


@dataclass(frozen=True)
class Alignment:
    """How a recording and a score belong together.

    Attributes
    ----------
    time_map : TimeMap
    note_times : NoteTimes
    tuning_cents : float
        How far the recording lies above A4 = 440 Hz in equal temperament, -50 to 50.
    transposition_semitones : int
        How far the recording sounds above the score.
    confidence : float
        How sure it is that score and recording belong together, 0 to 1.
    warnings : tuple of str
        One sentence each.
    """

    time_map: TimeMap
    note_times: NoteTimes
    tuning_cents: float = 0.0
    transposition_semitones: int = 0
    confidence: float = 1.0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SoundingNotes(ArrayEquality):
    """The notes that separation works with: what sounds in the recording, when, and in which stem.

    Attributes
    ----------
    stem_index : ndarray [shape=(notes,)], int32
        Which stem the note belongs to, counted from 0.
    pitch_midi : ndarray [shape=(notes,)], float64
        Pitch as it sounds in the recording, its tuning and transposition included; NaN for unpitched notes.
    onset_frame, offset_frame : ndarray [shape=(notes,)], int64
    confidence : ndarray [shape=(notes,)], float32
    stem_count : int
        Number of stems, also of those without notes.
    programs : tuple of (int or None)
        General MIDI program of every stem, from 0.
    """

    stem_index: NDArray[np.int32]
    pitch_midi: NDArray[np.float64]
    onset_frame: NDArray[np.int64]
    offset_frame: NDArray[np.int64]
    confidence: NDArray[np.float32]
    stem_count: int
    programs: tuple[int | None, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "stem_index", frozen(self.stem_index, np.int32))
        object.__setattr__(self, "pitch_midi", frozen(self.pitch_midi, np.float64))
        object.__setattr__(self, "onset_frame", frozen(self.onset_frame, np.int64))
        object.__setattr__(self, "offset_frame", frozen(self.offset_frame, np.int64))
        object.__setattr__(self, "confidence", frozen(self.confidence, np.float32))

    def __len__(self) -> int:
        return len(self.stem_index)


def sounding_notes(
    unfolded: UnfoldedScore,
    alignment: Alignment,
    stem_of_part: tuple[int | None, ...],
    programs: tuple[int | None, ...],
) -> SoundingNotes:
    """Gather the notes that the recording contains, stem by stem.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment
    stem_of_part : tuple of (int or None)
        For every part its stem; None for a part that this recording does not have. Parts that double each other
        share one.
    programs : tuple of (int or None)
        General MIDI program of every stem.

    Returns
    -------
    notes : SoundingNotes
        Grace notes are left out: their place in time is not known well enough to hold a template.
    """
    notes, times = unfolded.notes, alignment.note_times
    keep, stems = sounding_rows(unfolded, alignment, stem_of_part)
    shift = alignment.transposition_semitones + alignment.tuning_cents / 100
    return SoundingNotes(
        stems,
        notes.pitch_midi[keep] + shift,
        times.onset_frame[keep],
        times.offset_frame[keep],
        times.confidence[keep],
        len(programs),
        programs,
    )


def sounding_rows(
    unfolded: UnfoldedScore, alignment: Alignment, stem_of_part: tuple[int | None, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return which notes `sounding_notes` gathers, as rows of `UnfoldedScore.notes`, and the stem of each.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment
    stem_of_part : tuple of (int or None)
        As for `sounding_notes`.

    Returns
    -------
    rows : ndarray [shape=(notes,)], int64
        Rising.
    stem_index : ndarray [shape=(notes,)], int32
    """
    notes, times = unfolded.notes, alignment.note_times
    stems = np.array([-1 if s is None else s for s in stem_of_part], np.int32)[notes.part_index]
    keep = times.is_present & (stems >= 0) & ~notes.is_grace & (times.offset_frame > times.onset_frame)
    rows = np.flatnonzero(keep)
    return rows, stems[rows]
