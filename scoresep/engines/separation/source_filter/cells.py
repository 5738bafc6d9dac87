"""Which notes may sound in which windows: one cell for every note and window, in order of notes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.separation.grid import OVERLAP, FrameGrid
from scoresep.engines.separation.source_filter.settings import SourceFilterSettings
from scoresep.model.alignment import SoundingNotes


@dataclass(frozen=True)
class View:
    """What is looked at, and through which windows.

    Attributes
    ----------
    notes : SoundingNotes
    grid : FrameGrid
    settings : SourceFilterSettings
    """

    notes: SoundingNotes
    grid: FrameGrid
    settings: SourceFilterSettings


@dataclass(frozen=True)
class Cells:
    """Pairs of a pitched note and a window in which it may sound, note by note, window by window.

    Attributes
    ----------
    note, window : ndarray [shape=(cells,)], int64
        Row of the note; window of the grid.
    nearness : ndarray [shape=(cells,)], float32
        1 within the note, falling to just above 0 at the limit of its tolerance.
    run_start, run_stop : ndarray [shape=(cells,)], int64
        The cells [start, stop) of the same note.
    """

    note: NDArray[np.int64]
    window: NDArray[np.int64]
    nearness: NDArray[np.float32]
    run_start: NDArray[np.int64]
    run_stop: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.note)

    def glides(self, cents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return by how many semitones pitch changes within a window, from that of the neighbouring cells."""
        index = np.arange(len(self))
        later, earlier = np.minimum(index + 1, self.run_stop - 1), np.maximum(index - 1, self.run_start)
        slope = (cents[later] - cents[earlier]) / np.maximum(later - earlier, 1)
        change: NDArray[np.float32] = (slope * (OVERLAP / 100.0)).astype(np.float32)
        return change

    def within(self, first: int, last: int) -> tuple[Cells, NDArray[np.bool_]]:
        """Return the cells in the windows [first, last), and which these are; their runs are not those of notes."""
        keep = (self.window >= first) & (self.window < last)
        nothing = np.zeros(int(keep.sum()), np.int64)
        return Cells(self.note[keep], self.window[keep], self.nearness[keep], nothing, nothing), keep


def limits_of(view: View) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the windows [first, last) in which notes may sound at most; none for unpitched notes."""
    notes, grid, settings = view.notes, view.grid, view.settings
    per_s = grid.sample_rate / grid.hop_frames
    first = np.ceil(grid.window_at(notes.onset_frame) - settings.early_s * per_s - 1.0)
    last = np.floor(grid.window_at(notes.offset_frame) + settings.ring_s * per_s + 1.0) + 1
    low = np.clip(first, 0, grid.windows).astype(np.int64)
    high = np.clip(last, 0, grid.windows).astype(np.int64)
    return low, np.where(np.isnan(notes.pitch_midi), low, np.maximum(high, low))


def cells_of(view: View, first: int, last: int) -> Cells:
    """Return the cells in the windows [first, last)."""
    notes, grid, settings = view.notes, view.grid, view.settings
    low, high = limits_of(view)
    low, high = np.clip(low, first, last), np.clip(high, first, last)
    count = high - low
    note = np.repeat(np.arange(len(notes)), count)
    stop = np.cumsum(count)
    run_start, run_stop = np.repeat(stop - count, count), np.repeat(stop, count)
    window = np.arange(len(note)) - run_start + low[note]
    per_s = grid.sample_rate / grid.hop_frames
    onset, offset = grid.window_at(notes.onset_frame)[note], grid.window_at(notes.offset_frame)[note]
    before = (onset - window) / (settings.early_s * per_s + 1.0)
    after = (window - offset) / (settings.ring_s * per_s + 1.0)
    nearness = (1.0 - np.clip(np.maximum(before, after), 0.0, 0.99)).astype(np.float32)
    return Cells(note, window, nearness, run_start, run_stop)


def blocks_of(view: View, first: int, last: int, most_windows: int) -> list[tuple[int, int]]:
    """Divide the windows [first, last) into blocks of at most so many windows and, if possible, cells."""
    low, high = limits_of(view)
    change = np.zeros(view.grid.windows + 1, np.int64)
    np.add.at(change, low, 1)
    np.add.at(change, high, -1)
    total = np.concatenate([[0], np.cumsum(np.cumsum(change))])
    blocks = []
    while first < last:
        stop = int(np.searchsorted(total, total[first] + view.settings.block_cells, side="right")) - 1
        stop = min(max(stop, first + 1), first + most_windows, last)
        blocks.append((first, stop))
        first = stop
    return blocks
