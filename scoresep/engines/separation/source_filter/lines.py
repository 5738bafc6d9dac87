"""Partials of notes as lines on the frequency grid, as wide as their glide within a window makes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.grid import FrameGrid

LINE_BINS = 15  # bins that a partial reaches
FINE = 32  # steps of the table in one bin
GLIDE_STEP_BINS = 0.5
MOST_GLIDE_BINS = 6.0
FAINTEST = 1e-3  # a partial whose line lies outside the grid


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
class Lines:
    """Partials of cells on a stretch of the grid.

    Attributes
    ----------
    index : Tensor [shape=(cells, partials, LINE_BINS)], int64
        Where they lie in the flattened stretch of shape (windows, bins).
    value : Tensor [shape=(cells, partials, LINE_BINS)], float32
        Adds up to 1 for every partial; 0 for partials that do not exist.
    windows, bins : int
    """

    index: Tensor
    value: Tensor
    windows: int
    bins: int

    @property
    def exists(self) -> Tensor:
        """Return 1 for partials that exist, shape (cells, partials)."""
        return (self.value.sum(-1) > 0.5).float()

    def spectrum(self, loudness: Tensor, cells: Tensor | None = None) -> Tensor:
        """Return the sum of the partials of all cells, or of some, shape (windows, bins).

        Parameters
        ----------
        loudness : Tensor [shape=(cells, partials)], float32
        cells : Tensor [shape=(some,)], int64, optional
        """
        index, value = self.index, self.value
        if cells is not None:
            index, value, loudness = index[cells], value[cells], loudness[cells]
        result = value.new_zeros(self.windows * self.bins)
        result.index_add_(0, index.reshape(-1), (value * loudness[..., None]).reshape(-1))
        return result.view(self.windows, self.bins)

    def project(self, spectrum: Tensor) -> Tensor:
        """Return the inner product of a spectrum, shape (windows, bins), with every partial: (cells, partials)."""
        return (spectrum.reshape(-1)[self.index] * self.value).sum(-1)


@dataclass(frozen=True)
class Tones:
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


def make_lines(tones: Tones, partials: int, top_hz: float, grid: FrameGrid, windows: int) -> Lines:
    """Return the partials of cells.

    Parameters
    ----------
    tones : Tones
    partials : int
    top_hz : float
    grid : FrameGrid
    windows : int
        Of the stretch.
    """
    device = tones.midi.device
    table = torch.from_numpy(line_table()).to(device)
    number = torch.arange(1, partials + 1, device=device)
    centre = (440.0 / grid.bin_hz) * torch.exp2((tones.midi - 69.0) / 12.0)[:, None] * number
    glide = centre * tones.glide_semitones[:, None].abs() * (np.log(2.0) / 12.0)
    row = (glide / GLIDE_STEP_BINS).round().long().clamp(max=table.shape[0] - 1)
    bins = centre.round().long()[..., None] + (torch.arange(LINE_BINS, device=device) - LINE_BINS // 2)
    column = ((bins - centre[..., None]).abs() * FINE).round().long().clamp(max=table.shape[1] - 1)
    inside = (bins >= 0) & (bins < grid.bins) & (centre * grid.bin_hz < min(top_hz, grid.sample_rate / 2))[..., None]
    value = table[row[..., None], column] * inside
    total = value.sum(-1, keepdim=True)
    value = torch.where(total > FAINTEST, value / total.clamp(min=FAINTEST), torch.zeros_like(value))
    index = tones.window[:, None, None] * grid.bins + bins.clamp(0, grid.bins - 1)
    return Lines(index, value, windows, grid.bins)
