"""What the notes of every part sound like: the dictionary, its parameters, and how they are learned.

A pitched row is a sum of partials at multiples of its pitch, each with the shape of the window's main lobe (Hennequin
et al. 2010); its parameters are the loudnesses of its partials. Rows of one part share what they know: the loudness of
a partial is drawn to that of the same partial in neighbouring pitches, the more so the less the row was heard.
Broadband rows (attacks, unpitched notes, the residual) are sums of overlapping bands.

References
----------
R. Hennequin, R. Badeau, B. David, "Time-dependent parametric and harmonic templates in non-negative matrix
factorization", DAFx 2010. S. Ewert, M. Müller, "Using score-informed constraints for NMF-based source separation",
ICASSP 2012, doi:10.1109/ICASSP.2012.6287834.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.activity import Pitches
from scoresep.engines.separation.axis import FitAxis
from scoresep.engines.separation.grid import FrameGrid

LOBE_BINS = 9  # bins that a partial reaches: the main lobe of the Hann window (4) and the first of its side lobes
MAX_PARTIAL_HZ = 20_000.0
MAX_PARTIALS = 120
NEIGHBOUR_SEMITONES = 3.0
FAR_WEIGHT = 0.1


@dataclass(frozen=True)
class Atoms:
    """Partials of pitched rows on the frequency grid.

    Attributes
    ----------
    bins : Tensor [shape=(rows, partials, LOBE_BINS)], int64
    values : Tensor [shape=(rows, partials, LOBE_BINS)], float32
        Adds up to 1 for every partial; 0 for partials that do not exist.
    """

    bins: Tensor
    values: Tensor

    def of(self, rows: Tensor) -> Atoms:
        """Return those of some rows."""
        return Atoms(self.bins[rows], self.values[rows])

    def on(self, axis: FitAxis) -> Atoms:
        """Return the same partials on the axis of the fit."""
        return Atoms(axis.of_bin[self.bins], self.values)

    def spectra(self, loudness: Tensor, size: int) -> Tensor:
        """Return the spectra of rows with the given loudness of partials, shape (rows, size)."""
        result = loudness.new_zeros(loudness.shape[0], size)
        for lobe in range(
            LOBE_BINS
        ):  # partials lie too far apart to meet in one step, so that sums are repeatable on a GPU
            result.scatter_add_(1, self.bins[..., lobe], self.values[..., lobe] * loudness)
        return result

    def project(self, spectra: Tensor) -> Tensor:
        """Return the inner product of spectra with every partial, shape (rows, partials)."""
        rows = spectra.shape[0]
        picked = spectra.gather(1, self.bins.reshape(rows, -1)).reshape(self.bins.shape)
        return (picked * self.values).sum(-1)


def hann_lobe(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the magnitude of a Hann window's spectrum `offset` bins from its centre, 1 at the centre."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.abs(np.sinc(offset) / (1.0 - offset**2))
    return np.where(np.abs(np.abs(offset) - 1.0) < 1e-6, 0.5, value)


def make_atoms(midi: NDArray[np.float64], grid: FrameGrid, device: torch.device) -> Atoms:
    """Return the partials of rows with the given pitches."""
    f0_hz = 440.0 * 2.0 ** ((midi - 69.0) / 12.0)
    top_hz = min(MAX_PARTIAL_HZ, grid.sample_rate / 2)
    partials = int(np.clip(top_hz // f0_hz.min(), 1, MAX_PARTIALS)) if len(f0_hz) else 1
    centre = f0_hz[:, None] * np.arange(1, partials + 1) / grid.bin_hz
    middle = np.round(centre).astype(np.int64)
    bins = middle[..., None] + np.arange(LOBE_BINS) - LOBE_BINS // 2
    values = hann_lobe(bins - centre[..., None])
    values[(bins < 0) | (bins >= grid.bins)] = 0.0
    values[centre * grid.bin_hz >= top_hz] = 0.0
    total = values.sum(-1, keepdims=True)
    values = np.divide(values, total, out=np.zeros_like(values), where=total > 0.1)
    return Atoms(
        torch.from_numpy(np.clip(bins, 0, grid.bins - 1)).to(device),
        torch.from_numpy(values.astype(np.float32)).to(device),
    )


def neighbour_weights(pitches: Pitches, device: torch.device) -> Tensor:
    """Return how much pitches of one stem know of each other, shape (pitches, pitches)."""
    apart = np.abs(pitches.midi[:, None] - pitches.midi)
    weight = np.exp(-0.5 * (apart / NEIGHBOUR_SEMITONES) ** 2) + FAR_WEIGHT
    weight *= pitches.stem[:, None] == pitches.stem
    return torch.from_numpy(weight.astype(np.float32)).to(device)


def band_bumps(bins: int, bin_hz: float, bands: int, device: torch.device) -> Tensor:
    """Return overlapping triangles, even on the mel scale, that add up to 1 in every bin; shape (bands, bins)."""
    mel = np.log1p(np.arange(bins) * bin_hz / 700.0)
    at = np.interp(mel, np.linspace(0.0, mel[-1], bands), np.arange(bands, dtype=np.float64))
    bumps = np.clip(1.0 - np.abs(at - np.arange(bands)[:, None]), 0.0, 1.0)
    return torch.from_numpy(bumps.astype(np.float32)).to(device)
