"""The engine `nmf`: non-negative matrix factorisation that knows the score.

Every pitch of every part has a harmonic template that may sound only around its notes. Templates are learned from the
recording itself, then every moment of it is divided by Wiener masks. It needs no training and no GPU.

References
----------
S. Ewert, B. Pardo, M. Müller, M. D. Plumbley, "Score-informed source separation for musical audio recordings", IEEE
Signal Processing Magazine 31(3), 2014, doi:10.1109/MSP.2013.2296076.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scoresep.engines.separation.block_by_block import stems_block_by_block
from scoresep.engines.separation.devices import choose_device, free_bytes
from scoresep.engines.separation.grid import FrameGrid, make_grid, read_spectra
from scoresep.engines.separation.nmf.dictionary import Dictionary, Rows
from scoresep.engines.separation.nmf.fitting import Block, Table, fit_loudness, learn, make_block
from scoresep.engines.separation.nmf.keeping import Sounds, sounds_of
from scoresep.engines.separation.nmf.masks import masked, stem_powers
from scoresep.engines.separation.nmf.settings import NmfSettings, settings_for
from scoresep.engines.separation.nmf.wandering import MUCH_CENTS, for_wandering, wandering_cents
from scoresep.engines.separation.nmf.wandering import WINDOW_S as WANDERING_WINDOW_S
from scoresep.engines.separation.protocol import Arrays, SeparationOptions, SeparationReport
from scoresep.engines.separation.spatial import Covariances, CovarianceSum, filtered
from scoresep.engines.separation.workplace import LEAST_BLOCK_WINDOWS, Workplace
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

CPU_BLOCK_WINDOWS = 64
GPU_BLOCK_WINDOWS = 512
CPU_BLOCK_VALUES = 8_000_000  # of all stems: no longer than half a second passes until cancelling is heard
BYTES_OF_A_VALUE = 40  # of one stem and bin: model, mask, spectrum, window and sum
ROW_BYTES_OF_A_WINDOW = 1 << 17


class NmfSeparator:
    """Score-informed NMF.

    Parameters
    ----------
    settings : NmfSettings, optional
        Instead of those that the budget means.
    """

    name = "nmf"

    def __init__(self, settings: NmfSettings | None = None) -> None:
        self._settings = settings

    def learn(
        self,
        source: SampleSource,
        notes: SoundingNotes,
        options: SeparationOptions,
        progress: Progress,
        known: Arrays | None = None,
        keep: Callable[[Arrays], None] | None = None,
    ) -> NmfLearned:
        """Learn the dictionary, or take one that was learned before; see `protocol.Separator`."""
        settings = self._settings or settings_for(options.budget)
        device = choose_device(options.device)
        place = Workplace(device, settings.block_windows or suitable_block_windows(source, notes, settings, device))
        for possible in (settings, for_wandering(settings)):
            grid = make_grid(source.frames, source.sample_rate, possible.window_s)
            sounds = sounds_of(known, grid, source.channels, notes.stem_count, possible)
            if sounds is not None:
                return NmfLearned(self.name, sounds, grid, possible, place)
        with torch.inference_mode():
            adapts = self._settings is None
            learned = place.within_memory(lambda: _learn(source, notes, settings, adapts, place, progress))
        return NmfLearned(self.name, *learned, place)


def _learn(
    source: SampleSource,
    notes: SoundingNotes,
    settings: NmfSettings,
    adapts: bool,
    place: Workplace,
    progress: Progress,
) -> tuple[Sounds, FrameGrid, NmfSettings]:
    """Learn the sounds; where pitches wander, and the settings may adapt, once more with what suits them."""
    grid = make_grid(source.frames, source.sample_rate, settings.window_s)
    dictionary = Dictionary(Rows(notes, grid, settings), grid, source.channels, settings, place.device)
    heard = learn(source, dictionary, place.block_windows, progress.part(0.0, 0.75))
    if adapts and wandering_cents(dictionary, heard) > MUCH_CENTS:
        return _learn(source, notes, for_wandering(settings), False, place, progress.part(0.75, 1.0))
    where = _locate(source, dictionary, heard, progress.part(0.75, 1.0))
    return Sounds.of(dictionary, where), grid, settings


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


class NmfLearned:
    """A dictionary that was learned; see `protocol.Learned`.

    Parameters
    ----------
    engine : str
    sounds : Sounds
    grid : FrameGrid
    settings : NmfSettings
    place : Workplace
    """

    def __init__(self, engine: str, sounds: Sounds, grid: FrameGrid, settings: NmfSettings, place: Workplace) -> None:
        self._engine, self._sounds, self._grid, self._settings, self._place = engine, sounds, grid, settings, place
        self._ready: tuple[SoundingNotes, torch.device, _Ready] | None = None

    @property
    def wanders(self) -> bool:
        """Whether pitches were found to wander within notes."""
        return self._settings.window_s == WANDERING_WINDOW_S

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the dictionary."""
        return self._sounds.arrays(self._grid, self._settings)

    def report(self) -> SeparationReport:
        """Say what did the work."""
        return SeparationReport(self._engine, self._place.device.type, tuple(self._place.warnings))

    def stems(
        self, source: SampleSource, notes: SoundingNotes, start_frame: int, stop_frame: int, progress: Progress
    ) -> NDArray[np.float32]:
        """Separate a stretch; see `protocol.Learned`."""
        place, shape, stretch = self._place, (notes.stem_count, source.channels), (start_frame, stop_frame)

        def divided(first: int, end: int) -> tuple[int, torch.Tensor]:
            last = min(first + place.block_windows, end)
            return last, self._ready_for(source, notes).block_stems(source, first, last, progress)

        with torch.inference_mode():
            return stems_block_by_block(self._grid, place, shape, stretch, divided, progress)

    def _ready_for(self, source: SampleSource, notes: SoundingNotes) -> _Ready:
        device = self._place.device
        if self._ready is None or self._ready[0] is not notes or self._ready[1] != device:
            rows = Rows(notes, self._grid, self._settings)
            dictionary = Dictionary(rows, self._grid, source.channels, self._settings, device)
            self._ready = notes, device, _Ready(*self._sounds.given_to(dictionary))
        return self._ready[2]


class _Ready:
    """A dictionary that knows what its rows sound like, and when they do."""

    def __init__(self, dictionary: Dictionary, covariances: Covariances | None) -> None:
        self._dictionary, self._covariances, self._table = dictionary, covariances, Table(dictionary)

    def block_stems(self, source: SampleSource, first: int, last: int, progress: Progress) -> torch.Tensor:
        """Return the spectra of all stems in the windows [first, last), shape (stems, channels, windows, bins)."""
        dictionary = self._dictionary
        spectra = read_spectra(source, dictionary.grid, first, last, dictionary.device)
        block = make_block(dictionary, spectra, first)
        fit_loudness(block, self._table.of(block.rows), dictionary.settings.solve_iterations, progress.check)
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
