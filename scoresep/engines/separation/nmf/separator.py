"""The engine `nmf`: non-negative matrix factorisation that knows the score.

Every pitch of every part has a harmonic template that may sound only around its notes. Templates are learned from the
recording itself, then every moment of it is divided by Wiener masks. It needs no training and no GPU.

Also here: how much the pitches of a recording wander within notes: singers' vibrato and glides want other settings.

A voice that moves by half a semitone five times a second blurs in windows that suit a clarinet, and leaves the bends
that are allowed to it.

What was learned of a recording's sounds, as arrays: kept beside the stems, and taken again for notes that moved.

References
----------
S. Ewert, B. Pardo, M. Müller, M. D. Plumbley, "Score-informed source separation for musical audio recordings", IEEE
Signal Processing Magazine 31(3), 2014, doi:10.1109/MSP.2013.2296076.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scoresep.engines.separation.base import Arrays
from scoresep.engines.separation.devices import free_bytes
from scoresep.engines.separation.nmf import NmfSettings, cents
from scoresep.engines.separation.nmf.dictionary import Components, Dictionary, unit_sum
from scoresep.engines.separation.nmf.fitting import (
    Block,
    ComponentSpectra,
    fit,
    make_block,
    masked,
    stem_powers,
    update_activations,
)
from scoresep.engines.separation.spatial import Covariances, CovarianceSum, filtered
from scoresep.engines.separation.spectral import (
    LEAST_BLOCK_WINDOWS,
    ComputeContext,
    FitTask,
    FittedSpectralSeparator,
    SpectralSeparator,
    covariances_from_array,
    covariances_shape,
    covariances_to_array,
)
from scoresep.engines.separation.stft import FrameGrid, make_grid, read_spectra
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

# Cents from window to window of 186 ms, a quarter of it apart. Measured on 25 s each: four singers 8 to 10, players of
# strings, winds and brass, and sampled voices without vibrato, up to 5.4.
VIBRATO_CENTS = 6.5
WINDOW_S = 0.128
REACH_CENTS = 100


def pitch_deviation_cents(dictionary: Dictionary, observed: list[tuple[int, int, Block]]) -> float:
    """Return by how much pitches change from window to window, weighted by loudness, as a mean over the stems."""
    rows = dictionary.rows
    shift_cents = np.asarray(dictionary.settings.shifts_cents)
    moved, loud = np.zeros(rows.stem_count), np.zeros(rows.stem_count)
    for _, _, block in observed:
        index, loudness = block.rows.cpu().numpy(), block.loudness.cpu().numpy()
        is_pitched = index < rows.pitched.stop
        # all shifts of a pitch are in a block, or none
        each = loudness[:, is_pitched].reshape(len(loudness), -1, rows.shifts)
        stem = rows.pitches.stem[index[is_pitched][:: rows.shifts] // rows.shifts]
        total = each.sum(2)
        centre = (each @ shift_cents) / (total + 1e-12)
        weight = np.minimum(total[1:], total[:-1])
        np.add.at(moved, stem, (np.abs(np.diff(centre, axis=0)) * weight).sum(0))
        np.add.at(loud, stem, weight.sum(0))
    return float((moved[loud > 0] / loud[loud > 0]).mean()) if loud.any() else 0.0


def vibrato_settings(settings: NmfSettings) -> NmfSettings:
    """Return settings for pitches that wander: shorter windows, bends as far as they go, and sounds held together more.

    Bends that may go anywhere leave much to be explained at will; fewer rounds of learning and more sharing between
    pitches keep parts from taking each other's partials. Soft beginnings are heard before the note is said to begin.
    """
    step = round(settings.shifts_cents[1] - settings.shifts_cents[0]) if len(settings.shifts_cents) > 1 else 10
    return replace(
        settings,
        window_s=WINDOW_S,
        shifts_cents=cents(REACH_CENTS // step * step, step),
        full_resolution_hz=1500.0,
        learn_iterations=max(settings.learn_iterations // 2, 8),
        magnitude_exponent=0.65,
        mask_exponent=1.8,
        far_cost=0.5,
        sharing=3.0,
        tolerances=replace(settings.tolerances, early_s=0.15),
    )


_FAR = 1e6  # a pitch of another stem


@dataclass(frozen=True)
class NmfDictionaryState:
    """How the parts of a recording sound and, in stereo, where they stand.

    Attributes
    ----------
    stem : ndarray [shape=(pitches,)], int64
    midi : ndarray [shape=(pitches,)], float64
    partials : ndarray [shape=(pitches, partials)], float32
        Adds up to 1 for every pitch.
    bands : ndarray [shape=(2 * stems, bands)], float32
        Of attacks, then of what has no pitch.
    gains : ndarray [shape=(stems, channels, bands)], float32
    covariances : ndarray [shape=(4, stems + 1, bins)], float32
        Planes of `Covariances`; of size 0 where there are none.
    """

    stem: NDArray[np.int64]
    midi: NDArray[np.float64]
    partials: NDArray[np.float32]
    bands: NDArray[np.float32]
    gains: NDArray[np.float32]
    covariances: NDArray[np.float32]

    @classmethod
    def of(cls, dictionary: Dictionary, where: Covariances | None) -> NmfDictionaryState:
        """Take them from a dictionary that has learned."""
        pitches = dictionary.rows.pitches
        partials, bands, gains = (
            _numpy(tensor) for tensor in (dictionary.partials, dictionary.bands, dictionary.gains)
        )
        return cls(pitches.stem, pitches.midi, partials, bands, gains, covariances_to_array(where))

    def given_to(self, dictionary: Dictionary) -> tuple[Dictionary, Covariances | None]:
        """Give them to the dictionary of notes that may have changed since; a pitch that is new sounds as its nearest.

        Returns
        -------
        dictionary : Dictionary
            The same, changed in place.
        covariances : Covariances or None
        """
        pitches, device = dictionary.rows.pitches, dictionary.device
        if len(pitches) and len(self.midi):
            apart = np.abs(pitches.midi[:, None] - self.midi) + _FAR * (pitches.stem[:, None] != self.stem)
            nearest = apart.argmin(1)
            first = _numpy(dictionary.partials)
            count = min(first.shape[1], self.partials.shape[1])
            values = np.zeros_like(first)
            values[:, :count] = self.partials[nearest, :count]
            is_known = apart[np.arange(len(nearest)), nearest] < _FAR
            # partials above the range stay out, and those of a stem that was never heard stay as they begin
            values = np.where(is_known[:, None], values * (first > 0), first)
            dictionary.partials = unit_sum(torch.from_numpy(values).to(device))
        dictionary.bands = torch.from_numpy(self.bands).to(device)
        dictionary.gains = torch.from_numpy(self.gains).to(device)
        where = covariances_from_array(self.covariances)
        return dictionary, None if where is None else where.to(device)

    def to_arrays(self, grid: FrameGrid, settings: NmfSettings) -> dict[str, NDArray[Any]]:
        """Return all arrays, and for what they hold."""
        return {"holds_for": np.array(_holds_for(grid, settings)), **vars(self)}


def dictionary_state_of(
    checkpoint: Arrays | None, grid: FrameGrid, channels: int, stem_count: int, settings: NmfSettings
) -> NmfDictionaryState | None:
    """Return what was kept, or None where it is of something else or damaged.

    Parameters
    ----------
    checkpoint : dict of ndarray or None
        What was learned before; None to begin anew.
    grid : FrameGrid
    channels : int
        Of the recording.
    stem_count : int
        How many there are, the residual not counted.
    settings : NmfSettings
    """
    if checkpoint is None or str(checkpoint.get("holds_for")) != _holds_for(grid, settings):
        return None
    try:
        sounds = NmfDictionaryState(
            **{name: np.asarray(checkpoint[name]) for name in NmfDictionaryState.__dataclass_fields__}
        )
    except KeyError:
        return None
    expected = {
        "stem": (len(sounds.midi),),
        "bands": (2 * stem_count, settings.attack_bands),
        "gains": (stem_count, channels, settings.gain_bands),
        "covariances": covariances_shape(channels, stem_count, grid.bins),
    }
    fits = all(getattr(sounds, name).shape == shape for name, shape in expected.items())
    return sounds if fits and len(sounds.partials) == len(sounds.midi) else None


def _holds_for(grid: FrameGrid, settings: NmfSettings) -> str:
    return f"{grid} {settings}"


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = tensor.cpu().numpy()
    return values


CPU_BLOCK_WINDOWS = 64
GPU_BLOCK_WINDOWS = 512
CPU_BLOCK_VALUES = 8_000_000  # of all stems: no longer than half a second passes until cancelling is heard
BYTES_OF_A_VALUE = 40  # of one stem and bin: model, mask, spectrum, window and sum
ROW_BYTES_OF_A_WINDOW = 1 << 17


class NmfSeparator(SpectralSeparator[NmfSettings, "FittedNmf"]):
    """Score-informed NMF."""

    name = "nmf"
    settings_type = NmfSettings

    def _block_windows(
        self, source: SampleSource, notes: SoundingNotes, settings: NmfSettings, device: torch.device
    ) -> int:
        return settings.block_windows or suitable_block_windows(source, notes, settings, device)

    def _fit(self, task: FitTask[NmfSettings], progress: Progress) -> FittedNmf:
        """Learn the dictionary, or take one that was learned before."""
        source, notes, settings, place = task.source, task.notes, task.settings, task.place
        for possible in (settings, vibrato_settings(settings)):
            grid = make_grid(source.frames, source.sample_rate, possible.window_s)
            state = dictionary_state_of(task.checkpoint, grid, source.channels, notes.stem_count, possible)
            if state is not None:
                return FittedNmf(self.name, state, grid, possible, place)
        adapts = self._settings is None
        with torch.inference_mode():
            learned = place.run(lambda: _learn(source, notes, settings, adapts, place, progress))
        return FittedNmf(self.name, *learned, place)


def _learn(
    source: SampleSource,
    notes: SoundingNotes,
    settings: NmfSettings,
    adapts: bool,
    place: ComputeContext,
    progress: Progress,
) -> tuple[NmfDictionaryState, FrameGrid, NmfSettings]:
    """Learn the sounds; where pitches wander, and the settings may adapt, once more with what suits them."""
    grid = make_grid(source.frames, source.sample_rate, settings.window_s)
    dictionary = Dictionary(Components(notes, grid, settings), grid, source.channels, settings, place.device)
    observed = fit(source, dictionary, place.block_windows, progress.part(0.0, 0.75))
    if adapts and pitch_deviation_cents(dictionary, observed) > VIBRATO_CENTS:
        return _learn(source, notes, vibrato_settings(settings), False, place, progress.part(0.75, 1.0))
    where = _locate(source, dictionary, observed, progress.part(0.75, 1.0))
    return NmfDictionaryState.of(dictionary, where), grid, settings


def _locate(
    source: SampleSource, dictionary: Dictionary, observed: list[tuple[int, int, Block]], progress: Progress
) -> Covariances | None:
    """Find out where the stems of a stereo recording stand; None for other numbers of channels."""
    if source.channels != 2 or dictionary.rows.stem_count == 0:
        return None
    total = CovarianceSum(dictionary.rows.stem_count, dictionary.grid.bins, dictionary.device)
    for i, (first, last, block) in enumerate(observed):
        progress.update(i / len(observed), "Finding where the parts stand")
        spectra = read_spectra(source, dictionary.grid, first, last, dictionary.device)
        total.add(masked(dictionary, block, spectra, progress.check))
    return total.covariances()


class FittedNmf(FittedSpectralSeparator["_Ready"]):
    """A dictionary that was learned.

    Parameters
    ----------
    engine : str
    state : NmfDictionaryState
    grid : FrameGrid
    settings : NmfSettings
    place : ComputeContext
    """

    def __init__(
        self, engine: str, state: NmfDictionaryState, grid: FrameGrid, settings: NmfSettings, place: ComputeContext
    ) -> None:
        super().__init__(engine, grid, place, state.to_arrays(grid, settings))
        self._state, self._settings = state, settings

    @property
    def wanders(self) -> bool:
        """Whether pitches were found to wander within notes."""
        return self._settings.window_s == WINDOW_S

    def _prepare(self, source: SampleSource, notes: SoundingNotes) -> _Ready:
        components = Components(notes, self._grid, self._settings)
        dictionary = Dictionary(components, self._grid, source.channels, self._settings, self._place.device)
        return _Ready(source, *self._state.given_to(dictionary))

    def _divide(self, prepared: _Ready, first: int, end: int, progress: Progress) -> tuple[int, torch.Tensor]:
        last = min(first + self._place.block_windows, end)
        return last, prepared.block_stems(first, last, progress)


class _Ready:
    """A dictionary that knows what its rows sound like, and when they do."""

    def __init__(self, source: SampleSource, dictionary: Dictionary, covariances: Covariances | None) -> None:
        self._source, self._dictionary, self._covariances = source, dictionary, covariances
        self._table = ComponentSpectra(dictionary)

    def block_stems(self, first: int, last: int, progress: Progress) -> torch.Tensor:
        """Return the spectra of all stems in the windows [first, last), shape (stems, channels, windows, bins)."""
        dictionary = self._dictionary
        spectra = read_spectra(self._source, dictionary.grid, first, last, dictionary.device)
        block = make_block(dictionary, spectra, first)
        update_activations(block, self._table.of(block.rows), dictionary.settings.solve_iterations, progress.check)
        if self._covariances is None:
            return masked(dictionary, block, spectra, progress.check)
        powers = stem_powers(dictionary, block, dictionary.settings.mask_exponent, progress.check)
        return filtered(powers, spectra, self._covariances, progress.check)


def suitable_block_windows(
    source: SampleSource, notes: SoundingNotes, settings: NmfSettings, device: torch.device
) -> int:
    """Return how many windows to work on together: few for the caches of a CPU, many for a GPU, as memory allows.

    Parameters
    ----------
    source : SampleSource
    notes : SoundingNotes
    settings : NmfSettings
    device : torch.device
    """
    grid = make_grid(source.frames, source.sample_rate, settings.window_s)
    values = (notes.stem_count + 1) * source.channels * grid.bins
    allowed = free_bytes(device) // (BYTES_OF_A_VALUE * values + ROW_BYTES_OF_A_WINDOW)
    wanted = min(CPU_BLOCK_WINDOWS, CPU_BLOCK_VALUES // values) if device.type == "cpu" else GPU_BLOCK_WINDOWS
    return int(max(min(allowed, wanted), LEAST_BLOCK_WINDOWS))
