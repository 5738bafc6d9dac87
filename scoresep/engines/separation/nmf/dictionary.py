"""What the pitches of a part have in common by frequency, as bodies, bores and throats give it to them.

The other way to know a partial from those of other pitches is by its number (`templates.neighbour_weights`): a
clarinet's even partials are weak at every pitch, a singer's vowel is strong at the same frequencies for all pitches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.activity import Pitches, attack_intervals, note_intervals, paint, pitches_of
from scoresep.engines.separation.nmf import NmfSettings
from scoresep.engines.separation.stft import FitAxis, FrameGrid, fit_axis
from scoresep.model.alignment import SoundingNotes

ENVELOPE_TINY = 1e-9
LOWEST_MIDI = 20.0
BINS = 130  # semitones
WIDTH_SEMITONES = 2.0


class Envelopes:
    """One smooth envelope over frequency for each stem, and what it says of every partial.

    It is computed on the CPU: there is little of it, and sums come out the same every time there.

    Parameters
    ----------
    pitches : Pitches
    stem_count, partials : int
    """

    def __init__(self, pitches: Pitches, stem_count: int, partials: int) -> None:
        number = np.arange(1, partials + 1)
        at = np.clip(pitches.midi[:, None] + 12.0 * np.log2(number) - LOWEST_MIDI, 0.0, BINS - 1.001)
        low = np.floor(at).astype(np.int64)
        self._low = torch.from_numpy(low + BINS * pitches.stem[:, None])
        self._part = torch.from_numpy((at - low).astype(np.float32))
        self._size = BINS * stem_count
        # loudness of a partial = loudness per hertz times the distance of partials
        self._spacing = torch.from_numpy(2.0 ** ((pitches.midi[:, None] - 69.0) / 12.0)).float()
        apart = np.arange(BINS)[:, None] - np.arange(BINS)
        smooth = np.exp(-0.5 * (apart / WIDTH_SEMITONES) ** 2)
        self._smooth = torch.from_numpy((smooth / smooth.sum(1, keepdims=True)).astype(np.float32))

    def shared(self, observed: Tensor, exposure: Tensor) -> Tensor:
        """Return what the envelopes say of the partials, shape (pitches, partials).

        Parameters
        ----------
        observed, exposure : Tensor [shape=(pitches, partials)], float32
            How loud every partial was, and how much of its pitch there was; their ratio is its share.
        """
        device, observed, exposure = observed.device, observed.cpu(), exposure.cpu()
        density = self._gathered(observed / self._spacing) / (self._gathered(exposure * (observed > 0)) + ENVELOPE_TINY)
        flat = density.reshape(-1)
        at_partials = (1.0 - self._part) * flat[self._low] + self._part * flat[self._low + 1]
        return (at_partials * self._spacing * (observed > 0)).to(device)

    def _gathered(self, values: Tensor) -> Tensor:
        total = values.new_zeros(self._size)
        total.index_add_(0, self._low.reshape(-1), (values * (1.0 - self._part)).reshape(-1))
        total.index_add_(0, self._low.reshape(-1) + 1, (values * self._part).reshape(-1))
        return total.reshape(-1, BINS) @ self._smooth


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
    """Return the partials of rows with the given pitches.

    Parameters
    ----------
    midi : ndarray [shape=(rows,)], float64
        Pitches.
    grid : FrameGrid
    device : torch.device
    """
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
    """Return overlapping triangles, even on the mel scale, that add up to 1 in every bin; shape (bands, bins).

    Parameters
    ----------
    bins : int
        Frequencies of a spectrum.
    bin_hz : float
        From one bin to the next.
    bands : int
        How many.
    device : torch.device
    """
    mel = np.log1p(np.arange(bins) * bin_hz / 700.0)
    at = np.interp(mel, np.linspace(0.0, mel[-1], bands), np.arange(bands, dtype=np.float64))
    bumps = np.clip(1.0 - np.abs(at - np.arange(bands)[:, None]), 0.0, 1.0)
    return torch.from_numpy(bumps.astype(np.float32)).to(device)


TINY = 1e-9
PITCHES_AT_ONCE = 256  # so that tables of many parts stay small


class Components:
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

    def activation_prior(self, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
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
class SufficientStatistics:
    """What was seen of the dictionary.

    Attributes
    ----------
    observed : Tensor [shape=(rows, axis)], float32
        Sum over channels and windows of gain times loudness times recording / model.
    loudness : Tensor [shape=(rows,)], float32
        Sum over windows.
    gains_heard : Tensor [shape=(stems, channels, bands)], float32
    windows : int
    """

    observed: Tensor
    loudness: Tensor
    gains_heard: Tensor
    windows: int = 0


class Dictionary:
    """Spectra of all rows and gains of all stems in the channels, as functions of few parameters.

    Parameters
    ----------
    rows : Components
    grid : FrameGrid
    channels : int
    settings : NmfSettings
    device : torch.device
    """

    def __init__(
        self, rows: Components, grid: FrameGrid, channels: int, settings: NmfSettings, device: torch.device
    ) -> None:
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

    def nothing_seen(self) -> SufficientStatistics:
        """Return what is known before anything was seen."""
        rows, device = len(self.rows), self.device
        observed = torch.zeros(rows, self.axis.size, device=device)
        return SufficientStatistics(observed, torch.zeros(rows, device=device), torch.zeros_like(self.gains))

    def fit(self, seen: SufficientStatistics, sharing: float) -> None:
        """Take one step towards what was seen: a multiplicative update of all parameters.

        Parameters
        ----------
        seen : SufficientStatistics
        sharing : float
            How many windows of mean loudness the opinion of the stem's other pitches counts for.
        """
        gains = self.reduced_gains().sum(1)
        count, shifts = len(self.rows.pitches), self.rows.shifts
        observed, exposure = torch.zeros_like(self.partials), torch.zeros_like(self.partials)
        for start in range(0, count, PITCHES_AT_ONCE):
            pitches = slice(start, min(start + PITCHES_AT_ONCE, count))
            rows = slice(start * shifts, pitches.stop * shifts)
            tones = self._axis_atoms.of(self._tone[rows])
            exposed = gains[self.stem[rows]] * seen.loudness[rows, None]
            for values, into in (seen.observed[rows], observed), (exposed, exposure):
                projected = tones.project(values)
                into[pitches] = projected.reshape(-1, shifts, projected.shape[1]).sum(1)
        observed = self.partials * observed
        by_number = (self._neighbours @ observed) / (self._neighbours @ exposure + TINY)
        by_frequency = self._envelopes.shared(observed, exposure)
        shared = by_number + self.settings.envelope_share * (by_frequency - by_number)
        trust = sharing * self.channels * seen.loudness.sum() / max(seen.windows, 1)
        self.partials = unit_sum((observed + trust * shared) / (exposure + trust + TINY))
        broad = self.rows.broad
        above = seen.observed[broad] @ self._axis_bumps.T
        below = (gains[self.stem[broad]] * seen.loudness[broad, None]) @ self._axis_bumps.T
        bands = self.bands * (above + TINY) / (below + TINY)
        self.bands = bands / ((bands @ self._bumps).sum(1, keepdim=True) + TINY)
        if self.channels > 1:
            in_channels = seen.gains_heard + TINY
            self.gains = in_channels / in_channels.mean(1, keepdim=True)

    def observe(
        self, seen: SufficientStatistics, rows: Tensor, spectra: Tensor, loudness: Tensor, ratio: Tensor
    ) -> None:
        """Add what a block of windows says.

        Parameters
        ----------
        seen : SufficientStatistics
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
            seen.observed[rows] += ratio[0]
            return
        gains = self.reduced_gains()[self.stem[rows]]
        seen.observed[rows] += (ratio * gains.transpose(0, 1)).sum(0)
        of_stem = (self.stem[rows] == torch.arange(self.rows.stem_count, device=self.device)[:, None]).float()
        for channel in range(self.channels):
            in_channel = (of_stem @ (ratio[channel] * spectra[channel])) @ self._axis_gain_bumps.T
            seen.gains_heard[:, channel] += in_channel


def unit_sum(values: Tensor) -> Tensor:
    """Scale rows to a sum of 1; rows of nothing stay so."""
    return values / (values.sum(-1, keepdim=True) + TINY)
