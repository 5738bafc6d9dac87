"""The dictionary of one recording: which rows there are, when they may sound, and what was learned of them.

Rows, in this order: for every pitch of every stem one row for each of its shifts; one broadband row for every stem's
attacks; one for what else of it has no pitch (breath, bow, drums); the residual's bands.
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
from scoresep.engines.separation.nmf.envelopes import Envelopes
from scoresep.engines.separation.nmf.settings import NmfSettings
from scoresep.engines.separation.nmf.templates import Atoms, band_bumps, make_atoms, neighbour_weights
from scoresep.model.alignment import SoundingNotes

TINY = 1e-9
PITCHES_AT_ONCE = 256  # so that tables of many parts stay small


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
        of_stem, of_residual = np.arange(stems), np.full(settings.residual_bands, stems)
        self.stem = np.concatenate([np.repeat(self.pitches.stem, self.shifts), of_stem, of_stem, of_residual])
        tolerances, stem_of_note = settings.tolerances, notes.stem_index.astype(np.int64)
        self._of_pitches = note_intervals(notes, pitch_of_note, grid, tolerances)
        self._of_attacks = attack_intervals(notes, grid, tolerances)
        self._of_breath = note_intervals(notes, stem_of_note, grid, tolerances)

    def __len__(self) -> int:
        return len(self.stem)

    def nearness(self, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return which rows may sound in the windows [first, last), and how near they are to their notes.

        Returns
        -------
        rows : ndarray [shape=(active,)], int64
            Ascending.
        nearness : ndarray [shape=(last - first, active)], float32
        """
        pitches, of_pitches = paint(self._of_pitches, first, last)
        attacks, of_attacks = paint(self._of_attacks, first, last)
        breaths, of_breath = paint(self._of_breath, first, last)
        residual = np.arange(self.residual.start, self.residual.stop)
        pitched = (pitches[:, None] * self.shifts + np.arange(self.shifts)).reshape(-1)
        rows = np.concatenate(
            [pitched, self.broad.start + attacks, self.broad.start + self.stem_count + breaths, residual]
        )
        always = np.ones((last - first, len(residual)), np.float32)
        near = np.concatenate([np.repeat(of_pitches, self.shifts, axis=1), of_attacks, of_breath, always], axis=1)
        return rows.astype(np.int64), near


@dataclass
class Seen:
    """What was seen of the dictionary.

    Attributes
    ----------
    heard : Tensor [shape=(rows, axis)], float32
        Sum over channels and windows of gain times loudness times recording / model.
    loudness : Tensor [shape=(rows,)], float32
        Sum over windows.
    gains_heard : Tensor [shape=(stems, channels, bands)], float32
    windows : int
    """

    heard: Tensor
    loudness: Tensor
    gains_heard: Tensor
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
        # parts share the partials of the pitches that they share: tables as large as the score's range, not its parts
        midi, tone = np.unique(rows.pitches.midi, return_inverse=True)
        shift = np.asarray(settings.shifts_cents) / 100.0
        self._tone = torch.from_numpy(
            (tone[:, None] * rows.shifts + np.arange(rows.shifts)).reshape(-1).astype(np.int64)
        ).to(device)
        self._atoms = make_atoms((midi[:, None] + shift).reshape(-1), grid, device)
        self._axis_atoms = self._atoms.on(self.axis)
        self._neighbours = neighbour_weights(rows.pitches, device)
        self._bumps = band_bumps(grid.bins, grid.bin_hz, settings.attack_bands, device)
        self._gain_bumps = band_bumps(grid.bins, grid.bin_hz, settings.gain_bands, device)
        self._residual = unit_sum(band_bumps(grid.bins, grid.bin_hz, settings.residual_bands, device))
        self._axis_bumps = self.axis.reduce(self._bumps)
        self._axis_gain_bumps = self.axis.reduce(self._gain_bumps) / self.axis.widths
        self._axis_residual = self.axis.reduce(self._residual)
        self.partials = self._first_partials()
        self._envelopes = Envelopes(rows.pitches, rows.stem_count, self.partials.shape[1])
        self.bands = torch.ones(2 * rows.stem_count, settings.attack_bands, device=device)
        self.bands /= (self.bands @ self._bumps).sum(1, keepdim=True)
        self.gains = torch.ones(rows.stem_count, channels, settings.gain_bands, device=device)

    def _first_partials(self) -> Tensor:
        """Return partials that fall with their number, as those of most instruments do."""
        exists = self._atoms.values.sum(-1)[self._tone]
        exists = exists.reshape(-1, self.rows.shifts, exists.shape[1]).amin(1) > 0
        number = torch.arange(1, exists.shape[1] + 1, device=self.device)
        return unit_sum(exists / number)

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

    def reduced_spectra(self) -> Tensor:
        """Return the spectra of all rows on the axis of the fit, shape (rows, axis)."""
        parts, step = [], PITCHES_AT_ONCE * self.rows.shifts
        for start in range(0, len(self.rows), step):
            some = torch.arange(start, min(start + step, len(self.rows)), device=self.device)
            parts.append(self._spectra(some, self._axis_atoms, self._axis_bumps, self._axis_residual))
        return torch.cat(parts)

    def _spectra(self, rows: Tensor, atoms: Atoms, bumps: Tensor, residual: Tensor) -> Tensor:
        pitched, broad, others = self._by_kind(rows)
        loudness = self.partials[pitched // self.rows.shifts]
        tones = atoms.of(self._tone[pitched])
        return torch.cat([tones.spectra(loudness, bumps.shape[1]), self.bands[broad] @ bumps, residual[others]])

    def _by_kind(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the pitched, broadband and residual ones of some rows, each counted from the first of its kind."""
        kinds = self.rows
        is_pitched, is_residual = rows < kinds.pitched.stop, rows >= kinds.residual.start
        broad = rows[~is_pitched & ~is_residual] - kinds.broad.start
        return rows[is_pitched], broad, rows[is_residual] - kinds.residual.start

    def stem_gains(self) -> Tensor:
        """Return the gains of all stems, and 1 for the residual, shape (stems + 1, channels, bins)."""
        return self._with_residual(self.gains @ self._gain_bumps)

    def reduced_gains(self) -> Tensor:
        """Return the gains on the axis of the fit, shape (stems + 1, channels, axis)."""
        return self._with_residual(self.gains @ self._axis_gain_bumps)

    @staticmethod
    def _with_residual(gains: Tensor) -> Tensor:
        return torch.cat([gains, gains.new_ones(1, *gains.shape[1:])])

    def nothing_seen(self) -> Seen:
        """Return what is known before anything was seen."""
        rows, device = len(self.rows), self.device
        heard = torch.zeros(rows, self.axis.size, device=device)
        return Seen(heard, torch.zeros(rows, device=device), torch.zeros_like(self.gains))

    def learn(self, seen: Seen, sharing: float) -> None:
        """Take one step towards what was seen: a multiplicative update of all parameters.

        Parameters
        ----------
        seen : Seen
        sharing : float
            How many windows of mean loudness the opinion of the stem's other pitches counts for.
        """
        gains = self.reduced_gains().sum(1)
        count, shifts = len(self.rows.pitches), self.rows.shifts
        heard, exposure = torch.zeros_like(self.partials), torch.zeros_like(self.partials)
        for start in range(0, count, PITCHES_AT_ONCE):
            pitches = slice(start, min(start + PITCHES_AT_ONCE, count))
            rows = slice(start * shifts, pitches.stop * shifts)
            tones = self._axis_atoms.of(self._tone[rows])
            exposed = gains[self.stem[rows]] * seen.loudness[rows, None]
            for values, into in (seen.heard[rows], heard), (exposed, exposure):
                projected = tones.project(values)
                into[pitches] = projected.reshape(-1, shifts, projected.shape[1]).sum(1)
        heard = self.partials * heard
        by_number = (self._neighbours @ heard) / (self._neighbours @ exposure + TINY)
        by_frequency = self._envelopes.shared(heard, exposure)
        shared = by_number + self.settings.envelope_share * (by_frequency - by_number)
        trust = sharing * self.channels * seen.loudness.sum() / max(seen.windows, 1)
        self.partials = unit_sum((heard + trust * shared) / (exposure + trust + TINY))
        broad = self.rows.broad
        above = seen.heard[broad] @ self._axis_bumps.T
        below = (gains[self.stem[broad]] * seen.loudness[broad, None]) @ self._axis_bumps.T
        bands = self.bands * (above + TINY) / (below + TINY)
        self.bands = bands / ((bands @ self._bumps).sum(1, keepdim=True) + TINY)
        if self.channels > 1:
            in_channels = seen.gains_heard + TINY
            self.gains = in_channels / in_channels.mean(1, keepdim=True)

    def observe(self, seen: Seen, rows: Tensor, spectra: Tensor, loudness: Tensor, ratio: Tensor) -> None:
        """Add what a block of windows says.

        Parameters
        ----------
        seen : Seen
        rows : Tensor [shape=(active,)], int64
        spectra : Tensor [shape=(channels, active, axis)], float32
            Of these rows, as the channels have them.
        loudness : Tensor [shape=(windows, active)], float32
        ratio : Tensor [shape=(channels, active, axis)], float32
            Sum over windows of loudness times recording / model.
        """
        seen.loudness[rows] += loudness.sum(0)
        seen.windows += loudness.shape[0]
        if self.channels == 1:
            seen.heard[rows] += ratio[0]
            return
        gains = self.reduced_gains()[self.stem[rows]]
        seen.heard[rows] += (ratio * gains.transpose(0, 1)).sum(0)
        of_stem = (self.stem[rows] == torch.arange(self.rows.stem_count, device=self.device)[:, None]).float()
        for channel in range(self.channels):
            in_channel = (of_stem @ (ratio[channel] * spectra[channel])) @ self._axis_gain_bumps.T
            seen.gains_heard[:, channel] += in_channel


def unit_sum(values: Tensor) -> Tensor:
    """Scale rows to a sum of 1; rows of nothing stay so."""
    return values / (values.sum(-1, keepdim=True) + TINY)
