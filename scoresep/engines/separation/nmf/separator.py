"""The engine `nmf`: non-negative matrix factorisation that knows the score.

Every pitch of every part has a harmonic template that may sound only around its notes. Templates are learned from the
recording itself, then every moment of it is divided by Wiener masks. It needs no training and no GPU.

References
----------
S. Ewert, B. Pardo, M. Müller, M. D. Plumbley, "Score-informed source separation for musical audio recordings", IEEE
Signal Processing Magazine 31(3), 2014, doi:10.1109/MSP.2013.2296076.
"""

from __future__ import annotations

import torch

from scoresep.engines.separation.compute import LEAST_BLOCK_WINDOWS, ComputeContext
from scoresep.engines.separation.devices import free_bytes
from scoresep.engines.separation.nmf.checkpoint import NmfDictionaryState, dictionary_state_of
from scoresep.engines.separation.nmf.dictionary import Components, Dictionary
from scoresep.engines.separation.nmf.fitting import Block, ComponentSpectra, fit, make_block, update_activations
from scoresep.engines.separation.nmf.masks import masked, stem_powers
from scoresep.engines.separation.nmf.pitch_deviation import VIBRATO_CENTS, pitch_deviation_cents, vibrato_settings
from scoresep.engines.separation.nmf.pitch_deviation import WINDOW_S as WANDERING_WINDOW_S
from scoresep.engines.separation.nmf.settings import NmfSettings
from scoresep.engines.separation.spatial import Covariances, CovarianceSum, filtered
from scoresep.engines.separation.spectral import FitTask, FittedSpectralSeparator, SpectralSeparator
from scoresep.engines.separation.stft import FrameGrid, make_grid, read_spectra
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

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
    heard = fit(source, dictionary, place.block_windows, progress.part(0.0, 0.75))
    if adapts and pitch_deviation_cents(dictionary, heard) > VIBRATO_CENTS:
        return _learn(source, notes, vibrato_settings(settings), False, place, progress.part(0.75, 1.0))
    where = _locate(source, dictionary, heard, progress.part(0.75, 1.0))
    return NmfDictionaryState.of(dictionary, where), grid, settings


def _locate(
    source: SampleSource, dictionary: Dictionary, heard: list[tuple[int, int, Block]], progress: Progress
) -> Covariances | None:
    """Find out where the stems of a stereo recording stand; None for other numbers of channels."""
    if source.channels != 2 or dictionary.rows.stem_count == 0:
        return None
    total = CovarianceSum(dictionary.rows.stem_count, dictionary.grid.bins, dictionary.device)
    for i, (first, last, block) in enumerate(heard):
        progress.update(i / len(heard), "Finding where the parts stand")
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
        return self._settings.window_s == WANDERING_WINDOW_S

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
    """Return how many windows to work on together: few for the caches of a CPU, many for a GPU, as memory allows."""
    grid = make_grid(source.frames, source.sample_rate, settings.window_s)
    values = (notes.stem_count + 1) * source.channels * grid.bins
    allowed = free_bytes(device) // (BYTES_OF_A_VALUE * values + ROW_BYTES_OF_A_WINDOW)
    wanted = min(CPU_BLOCK_WINDOWS, CPU_BLOCK_VALUES // values) if device.type == "cpu" else GPU_BLOCK_WINDOWS
    return int(max(min(allowed, wanted), LEAST_BLOCK_WINDOWS))
