"""What a person does to single notes of the separated parts: make them louder, softer or silent, or take them out.

Notes are named by what the score says of them, so that an edit survives another alignment, other repeats, and a
corrected score.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scoresep.model.alignment import SoundingNotes
from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import second_to_frame

# How far around its note the sound of a note may lie: early attacks, rings, and the window that it is cut out with.
BEFORE_S, AFTER_S = 0.2, 0.65
MUTED_DB = -math.inf
_BEAT_DIGITS, _PITCH_DIGITS = 3, 2


@dataclass(frozen=True, order=True)
class NoteKey:
    """One note of the performance path, named by the score; notes in unison within one part have the same name.

    Attributes
    ----------
    part_index : int
    measure_index, occurrence : int
        Measure of the score from 0; the how manieth time it is played, from 1.
    beat : float
        In the metre's unit, from 1; to a thousandth.
    pitch_midi : float
        Sounding pitch as the score has it, to a hundredth; -1 for unpitched notes.
    """

    part_index: int
    measure_index: int
    occurrence: int
    beat: float
    pitch_midi: float


@dataclass(frozen=True)
class NoteEdit:
    """What is done to one note.

    Attributes
    ----------
    key : NoteKey
    gain_db : float
        How much louder it is; minus infinity where it is muted.
    is_removed : bool
        It is taken out of its part: the residual has it, so that the sum stays the recording.
    """

    key: NoteKey
    gain_db: float = 0.0
    is_removed: bool = False

    @property
    def factor(self) -> float:
        """What the note is multiplied with in its part."""
        return 0.0 if self.is_removed or self.gain_db == MUTED_DB else 10.0 ** (self.gain_db / 20.0)

    @property
    def is_muted(self) -> bool:
        """Whether the note is silenced, and nothing else has it."""
        return self.gain_db == MUTED_DB and not self.is_removed

    @property
    def does_nothing(self) -> bool:
        """Whether the note is as it was."""
        return self.gain_db == 0.0 and not self.is_removed


class NoteNames:
    """The notes of a performance path by name.

    Parameters
    ----------
    unfolded : UnfoldedScore

    Attributes
    ----------
    unfolded : UnfoldedScore
    """

    def __init__(self, unfolded: UnfoldedScore) -> None:
        self.unfolded = unfolded

    @cached_property
    def _columns(self) -> tuple[list[int], list[int], list[float], list[float]]:
        notes = self.unfolded.notes
        pitch = np.where(np.isnan(notes.pitch_midi), -1.0, np.round(notes.pitch_midi, _PITCH_DIGITS))
        beat = np.round(notes.beat, _BEAT_DIGITS)
        return notes.part_index.tolist(), notes.step_index.tolist(), beat.tolist(), pitch.tolist()

    def key_of(self, row: int) -> NoteKey:
        """Return the name of a row of `UnfoldedScore.notes`."""
        part, step, beat, pitch = self._columns
        place = self.unfolded.path.steps[step[row]]
        return NoteKey(part[row], place.measure_index, place.occurrence, beat[row], pitch[row])

    @cached_property
    def _rows(self) -> dict[NoteKey, tuple[int, ...]]:
        found: dict[NoteKey, tuple[int, ...]] = {}
        for row in range(len(self.unfolded.notes)):
            key = self.key_of(row)
            found[key] = (*found.get(key, ()), row)
        return found

    def rows_of(self, key: NoteKey) -> tuple[int, ...]:
        """Return the rows of a name; none where the path does not play it."""
        return self._rows.get(key, ())

    def keys_of(self, rows: Iterable[int]) -> tuple[NoteKey, ...]:
        """Return the names of rows, each once, in their order."""
        return tuple(dict.fromkeys(self.key_of(row) for row in rows))


def note_reach(notes: SoundingNotes, index: int, sample_rate: int, frames: int) -> tuple[int, int]:
    """Return the frames [start, stop) in which the sound of a note lies.

    Parameters
    ----------
    notes : SoundingNotes
    index : int
        Row of `notes`.
    sample_rate : int
        Frames in a second.
    frames : int
        Length of the recording.
    """
    start = int(notes.onset_frame[index]) - second_to_frame(BEFORE_S, sample_rate)
    stop = int(notes.offset_frame[index]) + second_to_frame(AFTER_S, sample_rate)
    start = min(max(start, 0), frames)
    return start, min(max(stop, start), frames)


def merge_edits(present: tuple[NoteEdit, ...], edits: Iterable[NoteEdit]) -> tuple[NoteEdit, ...]:
    """Put edits in the place of those of the same notes; what does nothing is left out. Sorted by note."""
    by_key = {edit.key: edit for edit in (*present, *edits)}
    return tuple(by_key[key] for key in sorted(by_key) if not by_key[key].does_nothing)
