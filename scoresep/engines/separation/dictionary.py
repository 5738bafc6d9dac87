"""The dictionary of one recording: which rows there are, when they may sound, and what was learned of them.

Rows, in this order: for every pitch of every stem one row for each of its shifts; one broadband row for every stem's
attacks; one for its unpitched notes; the residual's bands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.activity import attack_intervals, note_intervals, paint, pitches_of
from scoresep.engines.separation.axis import FitAxis, fit_axis
from scoresep.engines.separation.grid import FrameGrid
from scoresep.engines.separation.settings import NmfSettings
from scoresep.engines.separation.templates import Atoms, band_bumps, make_atoms, neighbour_weights
from scoresep.model.alignment import SoundingNotes

TINY = 1e-9


class Rows:
    """Which rows there are, to which stem they belong, and when they may sound.

    Parameters
    ----------
    notes : SoundingNotes
    grid : FrameGrid
    settings : NmfSettings

    Attributes
    ----------
    pitched, broad, residual : slice
        Where the three kinds of rows stand.
    stem : ndarray [shape=(rows,)], int64
        The stem of every row; `stem_count` for the residual.
    """

    def __init__(self, notes: SoundingNotes, grid: FrameGrid, settings: NmfSettings) -> None:
        self.pitches, pitch_of_note = pitches_of(notes)
        self.shifts = len(settings.shifts_cents)
        stems = self.stem_count = notes.stem_count
        pitched, broad = len(self.pitches) * self.shifts, 2 * stems
        self.pitched = slice(0, pitched)
        self.broad = slice(pitched, pitched + broad)
        self.residual = slice(pitched + broad, pitched + broad + settings.residual_bands)
        every_stem = np.arange(stems)
        self.stem = np.concatenate(
            [
                np.repeat(self.pitches.stem, self.shifts),
                every_stem,
                every_stem,
                np.full(settings.residual_bands, stems),
            ]
        )
        tolerances = settings.tolerances
        unpitched = np.where(pitch_of_note < 0, notes.stem_index.astype(np.int64), -1)
        self._of_pitches = note_intervals(notes, pitch_of_note, grid, tolerances)
        self._of_attacks = attack_intervals(notes, grid, tolerances)
        self._of_unpitched = note_intervals(notes, unpitched, grid, tolerances)

    def __len__(self) -> int:
        return len(self.stem)

    def nearness(self, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return which rows may sound in the windows [first, last), and how near they are to their notes.

        Returns
        -------
        rows : ndarray [shape=(active,)], int64
        nearness : ndarray [shape=(last - first, active)], float32
        """
        near = np.concatenate(
            [
                np.repeat(paint(self._of_pitches, len(self.pitches), first, last), self.shifts, axis=1),
                paint(self._of_attacks, self.stem_count, first, last),
                paint(self._of_unpitched, self.stem_count, first, last),
                np.ones((last - first, self.residual.stop - self.residual.start), np.float32),
            ],
            axis=1,
        )
        rows = np.flatnonzero(near.any(0))
        return rows, near[:, rows]


@dataclass
class Statistics:
    """What a pass over the recording says about the dictionary.

    Attributes
    ----------
    ratio : Tensor [shape=(channels, rows, axis)], float32
        Sum over windows of loudness times (recording / model).
    loudness : Tensor [shape=(rows,)], float32
        Sum over windows.
    windows : int
        How many windows were seen.
    """

    ratio: Tensor
    loudness: Tensor
    windows: int = 0


class Dictionary:
    """Spectra of all rows and gains of all stems in the channels, as functions of few parameters.

    Parameters
    ----------
    rows : Rows
    grid : FrameGrid
    channels : int
    settings : NmfSettings
    device : torch.device
    """

    def __init__(self, rows: Rows, grid: FrameGrid, channels: int, settings: NmfSettings, device: torch.device) -> None:
        self.rows, self.grid, self.channels, self.settings, self.device = rows, grid, channels, settings, device
        self.axis: FitAxis = fit_axis(grid.bins, grid.bin_hz, settings.full_resolution_hz, device)
        self.stem = torch.from_numpy(rows.stem).to(device)
        shift = 2.0 ** (np.array(settings.shifts_cents) / 1200.0)
        self._atoms = make_atoms((rows.pitches.f0_hz[:, None] * shift).reshape(-1), grid, device)
        self._axis_atoms = self._atoms.on(self.axis)
        self._neighbours = neighbour_weights(rows.pitches, device)
        self._bumps = band_bumps(grid.bins, grid.bin_hz, settings.attack_bands, device)
        self._gain_bumps = band_bumps(grid.bins, grid.bin_hz, settings.gain_bands, device)
        self._residual = _unit_sum(band_bumps(grid.bins, grid.bin_hz, settings.residual_bands, device))
        self._axis_bumps, self._axis_gain_bumps, self._axis_residual = (
            self.axis.reduce(x) for x in (self._bumps, self._gain_bumps, self._residual)
        )
        self._bins_of_axis = self.axis.reduce(torch.ones(grid.bins, device=device))
        self.partials = self._first_partials()
        self.bands = torch.ones(2 * rows.stem_count, settings.attack_bands, device=device)
        self.bands /= (self.bands @ self._bumps).sum(1, keepdim=True)
        self.gains = torch.ones(rows.stem_count, channels, settings.gain_bands, device=device)

    def _first_partials(self) -> Tensor:
        """Return partials that fall with their number, as those of most instruments do; shape (pitches, partials)."""
        exists = self._atoms.values.sum(-1).reshape(-1, self.rows.shifts, self._atoms.values.shape[1]).amin(1) > 0
        number = torch.arange(1, exists.shape[1] + 1, device=self.device)
        return _unit_sum(exists / number)

    def on(self, device: torch.device) -> Dictionary:
        """Return the same on another device."""
        if device == self.device:
            return self
        other = Dictionary(self.rows, self.grid, self.channels, self.settings, device)
        other.partials, other.bands = self.partials.to(device), self.bands.to(device)
        other.gains = self.gains.to(device)
        return other

    def spectra(self, rows: Tensor) -> Tensor:
        """Return the spectra of some rows (ascending) on the whole grid, each adding up to 1; shape (rows, bins)."""
        return self._spectra(rows, self._atoms, self._bumps, self._residual)

    def reduced_spectra(self, rows: Tensor) -> Tensor:
        """Return the spectra of some rows (ascending) on the axis of the fit, shape (rows, axis)."""
        return self._spectra(rows, self._axis_atoms, self._axis_bumps, self._axis_residual)

    def _spectra(self, rows: Tensor, atoms: Atoms, bumps: Tensor, residual: Tensor) -> Tensor:
        kinds = self.rows
        pitched = rows[rows < kinds.pitched.stop]
        broad = rows[(rows >= kinds.broad.start) & (rows < kinds.broad.stop)] - kinds.broad.start
        others = rows[rows >= kinds.residual.start] - kinds.residual.start
        loudness = self.partials[pitched // kinds.shifts]
        return torch.cat(
            [atoms.of(pitched).spectra(loudness, bumps.shape[1]), self.bands[broad] @ bumps, residual[others]]
        )

    def stem_gains(self) -> Tensor:
        """Return the gains of all stems, and 1 for the residual, shape (stems + 1, channels, bins)."""
        gains = self.gains @ self._gain_bumps
        return torch.cat([gains, torch.ones_like(gains[:1])]) if len(gains) else gains.new_ones(1, *gains.shape[1:])

    def reduced_gains(self) -> Tensor:
        """Return the gains on the axis of the fit, shape (stems + 1, channels, axis)."""
        return self.axis.reduce(self.stem_gains()) / self._bins_of_axis

    def empty_statistics(self) -> Statistics:
        """Return statistics over no windows."""
        rows = len(self.rows)
        return Statistics(
            torch.zeros(self.channels, rows, self.axis.size, device=self.device), torch.zeros(rows, device=self.device)
        )

    def learn(self, seen: Statistics, sharing: float) -> None:
        """Take one step towards what was seen (the maximisation step of Kullback-Leibler NMF)."""
        gains = self.reduced_gains()[self.stem]
        numerator = (seen.ratio.transpose(0, 1) * gains).sum(1)
        denominator = gains.sum(1) * seen.loudness[:, None]
        self._learn_partials(numerator, denominator, seen, sharing)
        self._learn_bands(numerator, denominator)
        if self.channels > 1:
            self._learn_gains(seen)

    def _learn_partials(self, numerator: Tensor, denominator: Tensor, seen: Statistics, sharing: float) -> None:
        pitches, shifts = len(self.rows.pitches), self.rows.shifts
        if pitches == 0:
            return
        where = self.rows.pitched
        above = self._axis_atoms.project(numerator[where]).reshape(pitches, shifts, -1).sum(1)
        below = self._axis_atoms.project(denominator[where]).reshape(pitches, shifts, -1).sum(1)
        heard = self.partials * above
        shared = (self._neighbours @ heard) / (self._neighbours @ below + TINY)
        trust = sharing * self.channels * seen.loudness.sum() / max(seen.windows, 1)
        self.partials = _unit_sum((heard + trust * shared) / (below + trust + TINY))

    def _learn_bands(self, numerator: Tensor, denominator: Tensor) -> None:
        where = self.rows.broad
        above, below = numerator[where] @ self._axis_bumps.T, denominator[where] @ self._axis_bumps.T
        bands = self.bands * (above + TINY) / (below + TINY)
        self.bands = bands / ((bands @ self._bumps).sum(1, keepdim=True) + TINY)

    def _learn_gains(self, seen: Statistics) -> None:
        rows = torch.arange(len(self.rows), device=self.device)
        spectra, gains = self.reduced_spectra(rows), self.reduced_gains()[self.stem]
        heard = (seen.ratio.transpose(0, 1) * gains) * spectra[:, None]
        of_stem = (self.stem == torch.arange(self.rows.stem_count, device=self.device)[:, None]).float()
        bumps = (self._axis_gain_bumps / self._bins_of_axis).T
        gains = torch.einsum("sr,rcf->scf", of_stem, heard) @ bumps + TINY
        self.gains = gains / gains.mean(1, keepdim=True)


def _unit_sum(values: Tensor) -> Tensor:
    """Scale rows to a sum of 1; rows of nothing stay so."""
    return values / (values.sum(-1, keepdim=True) + TINY)
