"""When every row of the dictionary may sound, from the notes' times and what is not known about them.

An alignment is off by some tens of milliseconds, and a note rings after its end. So a row may sound from a while before
its note to a while after it; but the farther from the note, the more it costs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.separation.stft import FrameGrid
from scoresep.model.alignment import SoundingNotes


@dataclass(frozen=True)
class Tolerances:
    """How far from its note a row may sound, in seconds.

    Attributes
    ----------
    early_s : float
        Before the onset.
    ring_s : float
        After the offset.
    attack_s : float
        Length of an attack.
    """

    early_s: float = 0.08
    ring_s: float = 0.35
    attack_s: float = 0.12


@dataclass(frozen=True)
class Pitches:
    """The pitches of all stems, each once.

    Attributes
    ----------
    stem : ndarray [shape=(pitches,)], int64
    midi : ndarray [shape=(pitches,)], float64
    """

    stem: NDArray[np.int64]
    midi: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.stem)


@dataclass(frozen=True)
class Intervals:
    """Stretches in which rows may sound, in windows of the grid (fractions allowed).

    Attributes
    ----------
    row : ndarray [shape=(intervals,)], int64
    first, last : ndarray [shape=(intervals,)], float64
        Where the note itself lies.
    early, late : ndarray [shape=(intervals,)], float64
        Where the row may sound at most.
    """

    row: NDArray[np.int64]
    first: NDArray[np.float64]
    last: NDArray[np.float64]
    early: NDArray[np.float64]
    late: NDArray[np.float64]

    def within(self, first: int, last: int) -> Intervals:
        """Return those that touch the windows [first, last)."""
        keep = (self.early < last) & (self.late > first - 1)
        return Intervals(self.row[keep], self.first[keep], self.last[keep], self.early[keep], self.late[keep])


def pitches_of(notes: SoundingNotes) -> tuple[Pitches, NDArray[np.int64]]:
    """Return the pitches of all stems and, for every note, which of them it is; -1 for unpitched notes."""
    pitched = ~np.isnan(notes.pitch_midi)
    keys = np.stack([notes.stem_index[pitched].astype(np.float64), np.round(notes.pitch_midi[pitched], 2)], 1)
    unique, inverse = np.unique(keys, axis=0, return_inverse=True)
    of_note = np.full(len(notes), -1, np.int64)
    of_note[pitched] = inverse.reshape(-1)
    return Pitches(unique[:, 0].astype(np.int64), unique[:, 1]), of_note


def note_intervals(notes: SoundingNotes, rows: NDArray[np.int64], grid: FrameGrid, tol: Tolerances) -> Intervals:
    """Return the stretches in which the rows of notes may sound.

    Parameters
    ----------
    notes : SoundingNotes
    rows : ndarray [shape=(notes,)], int64
        For every note its row; notes with -1 are left out.
    grid : FrameGrid
    tol : Tolerances
    """
    keep = rows >= 0
    per_s = grid.sample_rate / grid.hop_frames
    first, last = grid.window_at(notes.onset_frame[keep]), grid.window_at(notes.offset_frame[keep])
    return Intervals(rows[keep], first, last, first - tol.early_s * per_s - 1.0, last + tol.ring_s * per_s + 1.0)


def attack_intervals(notes: SoundingNotes, grid: FrameGrid, tol: Tolerances) -> Intervals:
    """Return the stretches in which the attacks of stems may sound; the row is the stem.

    Parameters
    ----------
    notes : SoundingNotes
    grid : FrameGrid
    tol : Tolerances
    """
    per_s = grid.sample_rate / grid.hop_frames
    onset = grid.window_at(notes.onset_frame)
    rows = notes.stem_index.astype(np.int64)
    last = onset + tol.attack_s * per_s
    return Intervals(rows, onset, last, onset - tol.early_s * per_s - 1.0, last + tol.early_s * per_s + 1.0)


def paint(intervals: Intervals, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return which rows may sound in the windows [first, last), and how near they are to their notes.

    Parameters
    ----------
    intervals : Intervals
        When rows may sound.
    first, last : int
        Windows [first, last) of the grid.

    Returns
    -------
    rows : ndarray [shape=(active,)], int64
        Ascending.
    nearness : ndarray [shape=(last - first, active)], float32
        1 within a note, falling to just above 0 at the limit of its tolerance; 0 where the row must be silent.
    """
    part = intervals.within(first, last)
    rows, column = np.unique(part.row, return_inverse=True)
    nearness = np.zeros((last - first, len(rows)), np.float32)
    for k, a, b, early, late in zip(column, part.first, part.last, part.early, part.late, strict=True):
        low, high = max(int(np.ceil(early)), first), min(int(np.floor(late)) + 1, last)
        if high <= low:
            continue
        at = np.arange(low, high)
        before, after = (a - at) / max(a - early, 1e-9), (at - b) / max(late - b, 1e-9)
        near = 1.0 - np.clip(np.maximum(before, after), 0.0, 0.99)
        view = nearness[low - first : high - first, k]
        np.maximum(view, near, out=view)
    return rows, nearness
