"""Partials of notes as lines on the frequency grid, as wide as their glide within a window makes them.

Also here: which notes may sound in which windows: one cell for every note and window, in order of notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.source_filter import SourceFilterSettings
from scoresep.engines.separation.stft import OVERLAP, FrameGrid
from scoresep.model.alignment import SoundingNotes


@dataclass(frozen=True)
class NoteFrameGrid:
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
class NoteFrames:
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

    def within(self, first: int, last: int) -> tuple[NoteFrames, NDArray[np.bool_]]:
        """Return the cells in the windows [first, last), and which these are; their runs are not those of notes."""
        keep = (self.window >= first) & (self.window < last)
        nothing = np.zeros(int(keep.sum()), np.int64)
        return NoteFrames(self.note[keep], self.window[keep], self.nearness[keep], nothing, nothing), keep


def limits_of(view: NoteFrameGrid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the windows [first, last) in which notes may sound at most; none for unpitched notes."""
    notes, grid, settings = view.notes, view.grid, view.settings
    per_s = grid.sample_rate / grid.hop_frames
    first = np.ceil(grid.window_at(notes.onset_frame) - settings.early_s * per_s - 1.0)
    last = np.floor(grid.window_at(notes.offset_frame) + settings.ring_s * per_s + 1.0) + 1
    low = np.clip(first, 0, grid.windows).astype(np.int64)
    high = np.clip(last, 0, grid.windows).astype(np.int64)
    return low, np.where(np.isnan(notes.pitch_midi), low, np.maximum(high, low))


def note_frames_of(view: NoteFrameGrid, first: int, last: int) -> NoteFrames:
    """Return the cells in the windows [first, last).

    Parameters
    ----------
    view : NoteFrameGrid
        The notes on the grid.
    first, last : int
        Windows [first, last) of the grid.
    """
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
    return NoteFrames(note, window, nearness, run_start, run_stop)


def blocks_of(view: NoteFrameGrid, first: int, last: int, most_windows: int) -> list[tuple[int, int]]:
    """Divide the windows [first, last) into blocks of at most so many windows and, if possible, cells.

    Parameters
    ----------
    view : NoteFrameGrid
        The notes on the grid.
    first, last : int
        Windows [first, last) of the grid.
    most_windows : int
        A block has at most so many.
    """
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


KEY_CENTS = 100.0  # pitches nearer than this in one part are the same note at another time


@dataclass(frozen=True)
class Tracks:
    """The pitch of every note in the windows in which it may sound.

    Attributes
    ----------
    note_keys : ndarray [shape=(notes, 4)], float64
        Stem, pitch, onset and offset of the notes that were followed; pitch -1 for unpitched ones.
    first_window : ndarray [shape=(notes,)], int64
        On the grid on which pitch was followed.
    start : ndarray [shape=(notes + 1,)], int64
        Where the values of every note begin.
    cents : ndarray [shape=(values,)], float32
        Above the score's pitch.
    """

    note_keys: NDArray[np.float64]
    first_window: NDArray[np.int64]
    start: NDArray[np.int64]
    cents: NDArray[np.float32]

    def rows_for(self, notes: SoundingNotes) -> NDArray[np.int64]:
        """Return for every note the row that was followed for it; -1 where there is none."""
        known = {tuple(key): row for row, key in enumerate(self.note_keys.tolist())}
        return np.array([known.get(tuple(key), -1) for key in keys_of(notes).tolist()], np.int64)

    def nearest_rows(self, notes: SoundingNotes) -> NDArray[np.int64]:
        """Return for every note the row of itself or, where it is new, of the most like it: -1 where none is.

        That is the one of the part that lies nearest in pitch, and then in time.
        """
        rows = self.rows_for(notes)
        keys = keys_of(notes)
        for note in np.flatnonzero(rows < 0):
            stem, midi, onset, _ = keys[note]
            same = np.flatnonzero((self.note_keys[:, 0] == stem) & (self.note_keys[:, 1] >= 0))
            if midi >= 0 and len(same):
                apart = np.abs(self.note_keys[same, 1] - midi)
                late = np.abs(self.note_keys[same, 2] - onset)
                rows[note] = same[np.lexsort((late, np.round(apart)))[0]]
        return rows

    def cents_at(
        self, notes: SoundingNotes, rows: NDArray[np.int64], cells: NoteFrames, own: FrameGrid, grid: FrameGrid
    ) -> NDArray[np.float32]:
        """Return the pitch of cells on another grid, in cents above the score.

        Parameters
        ----------
        notes : SoundingNotes
        rows : ndarray [shape=(notes,)], int64
            As `nearest_rows` gives them.
        cells : NoteFrames
            Of `notes`, on `grid`.
        own : FrameGrid
            On which pitch was followed.
        grid : FrameGrid

        Returns
        -------
        cents : ndarray [shape=(cells,)], float32
        """
        frame = grid.centre_frame(0) + cells.window * grid.hop_frames
        at = (frame - own.centre_frame(0)) / own.hop_frames
        result = np.zeros(len(cells), np.float32)
        keys = keys_of(notes)
        for start in np.unique(cells.run_start).tolist():
            note, stop = int(cells.note[start]), int(cells.run_stop[start])
            row = int(rows[note])
            values = self.cents[self.start[row] : self.start[row + 1]] if row >= 0 else self.cents[:0]
            if not len(values):
                continue
            if np.array_equal(self.note_keys[row], keys[note]) or self._overlaps(row, keys[note]):
                where = self.first_window[row] + np.arange(len(values))
                result[start:stop] = np.interp(at[start:stop], where, values)
            else:
                result[start:stop] = np.median(values)
        return result

    def _overlaps(self, row: int, key: NDArray[np.float64]) -> bool:
        stem, midi, onset, offset = self.note_keys[row]
        return bool(stem == key[0] and abs(midi - key[1]) * 100 < KEY_CENTS and onset < key[3] and key[2] < offset)


def keys_of(notes: SoundingNotes) -> NDArray[np.float64]:
    """Return what tells notes apart, shape (notes, 4): stem, pitch (-1 where there is none), onset, offset."""
    pitch = np.round(np.nan_to_num(notes.pitch_midi, nan=-1.0), 4)
    return np.stack([notes.stem_index, pitch, notes.onset_frame, notes.offset_frame], 1).astype(np.float64)


def speed_cents_per_s(tracks: Tracks, per_s: float) -> float:
    """Return how fast pitches move within notes, as a median over all windows; 0 where nothing was followed."""
    inside = np.ones(max(len(tracks.cents) - 1, 0), bool)
    border = tracks.start[1:-1] - 1
    inside[border[(border >= 0) & (border < len(inside))]] = False
    moves = np.abs(np.diff(tracks.cents))[inside]
    return float(np.median(moves) * per_s) if len(moves) else 0.0


LINE_BINS = 15  # bins that a partial reaches
FINE = 32  # steps of the table in one bin
GLIDE_STEP_BINS = 0.5
MOST_GLIDE_BINS = 6.0
LEAST_SHARE = 0.3  # of a line that must lie on the grid, and near to its middle, for the partial to exist
TINY = 1e-9


@cache
def line_table() -> NDArray[np.float32]:
    """Return the magnitude of a Hann window's spectrum for tones that glide, shape (glides, offsets).

    A row is for a glide of so many times `GLIDE_STEP_BINS` over the window, a column for an offset from the middle of
    so many times 1 / `FINE` bins. The spectrum of a tone that glides evenly is that of the window times a chirp.
    """
    size = 512
    time = np.arange(size) / size - 0.5
    window = 0.5 + 0.5 * np.cos(2 * np.pi * time)
    offsets = np.arange((LINE_BINS // 2 + 2) * FINE + 1)
    rows = []
    for glide in np.arange(0.0, MOST_GLIDE_BINS + 0.01, GLIDE_STEP_BINS):
        spectrum = np.abs(np.fft.fft(window * np.exp(1j * np.pi * glide * time**2), size * FINE))
        rows.append((spectrum[offsets] + spectrum[-offsets]) / (2 * window.sum()))
    return np.array(rows, np.float32)


@dataclass(frozen=True)
class PartialLobes:
    """Partials of cells on a stretch of the grid, each at a few pitches side by side.

    Attributes
    ----------
    index : Tensor [shape=(cells, partials, LINE_BINS)], int64
        Where they lie in the flattened stretch of shape (windows, bins).
    values : tuple of Tensor [shape=(cells, partials, LINE_BINS)], float32
        One for every shift of pitch. Adds up to 1 for every partial; 0 for partials that do not exist.
    exists : Tensor [shape=(cells, partials, shifts)], float32
        1 for partials that do.
    windows, bins : int
    """

    index: Tensor
    values: tuple[Tensor, ...]
    exists: Tensor
    windows: int
    bins: int

    def shapes(self, loudness: Tensor, sound: Tensor) -> Tensor:
        """Return the lines of all partials, shape (cells, partials, LINE_BINS).

        Parameters
        ----------
        loudness : Tensor [shape=(cells, shifts)], float32
        sound : Tensor [shape=(cells, partials)], float32
        """
        result = self.values[0] * loudness[:, 0, None, None]
        for k, value in enumerate(self.values[1:], 1):
            result.addcmul_(value, loudness[:, k, None, None])
        return result.mul_(sound[..., None])

    def spectrum(self, shapes: Tensor, cells: Tensor | None = None) -> Tensor:
        """Return the sum of the lines of all cells, or of some, shape (windows, bins)."""
        index = self.index if cells is None else self.index[cells]
        shapes = shapes if cells is None else shapes[cells]
        result = shapes.new_zeros(self.windows * self.bins)
        result.index_add_(0, index.reshape(-1), shapes.reshape(-1))
        return result.view(self.windows, self.bins)

    def project(self, spectrum: Tensor) -> Tensor:
        """Return the inner product of a spectrum, shape (windows, bins), with lines: (cells, partials, shifts)."""
        picked = spectrum.reshape(-1)[self.index]
        return torch.stack([(picked * value).sum(-1) for value in self.values], -1)


@dataclass(frozen=True)
class Shape:
    """The size of a stretch of the grid.

    Attributes
    ----------
    grid : FrameGrid
    windows : int
    """

    grid: FrameGrid
    windows: int


@dataclass(frozen=True)
class PartialTones:
    """Fundamentals of cells.

    Attributes
    ----------
    window : Tensor [shape=(cells,)], int64
        Counted from the first of the stretch.
    midi, glide_semitones : Tensor [shape=(cells,)], float32
        Pitch in the middle of the window, and by how much it changes from its start to its end.
    """

    window: Tensor
    midi: Tensor
    glide_semitones: Tensor


def make_partial_lobes(
    tones: PartialTones, partials: int, top_hz: float, shifts_cents: Sequence[float], view: Shape
) -> PartialLobes:
    """Return the partials of cells.

    Parameters
    ----------
    tones : PartialTones
    partials : int
    top_hz : float
    shifts_cents : sequence of float
        The first is 0.
    view : Shape
        Of the stretch.
    """
    device, grid = tones.midi.device, view.grid
    table = torch.from_numpy(line_table()).to(device)
    whole = float(2 * line_table()[0, ::FINE].sum() - line_table()[0, 0])
    number = torch.arange(1, partials + 1, device=device)
    centre = (440.0 / grid.bin_hz) * torch.exp2((tones.midi - 69.0) / 12.0)[:, None] * number
    glide = centre * tones.glide_semitones[:, None].abs() * (np.log(2.0) / 12.0)
    row = (glide / GLIDE_STEP_BINS).round().long().clamp(max=table.shape[0] - 1)[..., None]
    bins = centre.round().long()[..., None] + (torch.arange(LINE_BINS, device=device) - LINE_BINS // 2)
    inside = (bins >= 0) & (bins < grid.bins) & (centre * grid.bin_hz < min(top_hz, grid.sample_rate / 2))[..., None]
    values = []
    for cents in shifts_cents:
        shifted = centre * 2.0 ** (cents / 1200.0)
        column = ((bins - shifted[..., None]).abs() * FINE).round().long().clamp(max=table.shape[1] - 1)
        value = table[row, column] * inside
        total = value.sum(-1, keepdim=True)
        values.append(torch.where(total > LEAST_SHARE * whole, value / total.clamp(min=TINY), torch.zeros_like(value)))
    exists = torch.stack([(value.sum(-1) > 0.5).float() for value in values], -1)
    index = tones.window[:, None, None] * grid.bins + bins.clamp(0, grid.bins - 1)
    return PartialLobes(index, tuple(values), exists, view.windows, grid.bins)
