"""Partials of notes as lines on the frequency grid, as wide as their glide within a window makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.stft import FrameGrid

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
