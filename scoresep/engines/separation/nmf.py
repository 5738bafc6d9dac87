"""The engine `nmf`: non-negative matrix factorisation that knows the score.

Every pitch of every part has a harmonic template that may sound only around its notes. Templates are learned from the
recording itself, then every moment of it is divided by Wiener masks. It needs no training and no GPU.

References
----------
S. Ewert, B. Pardo, M. Müller, M. D. Plumbley, "Score-informed source separation for musical audio recordings", IEEE
Signal Processing Magazine 31(3), 2014, doi:10.1109/MSP.2013.2296076.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch

from scoresep.engines.separation.devices import choose_device, free_bytes, is_out_of_memory, release_memory
from scoresep.engines.separation.dictionary import Dictionary, Rows
from scoresep.engines.separation.fitting import Block, Table, fit_loudness, learn, make_block
from scoresep.engines.separation.grid import OverlapAdd, make_grid, read_spectra
from scoresep.engines.separation.masks import masked, stem_powers
from scoresep.engines.separation.protocol import SeparationOptions, SeparationReport, StemSink
from scoresep.engines.separation.settings import NmfSettings, settings_for
from scoresep.engines.separation.spatial import Covariances, CovarianceSum, filtered
from scoresep.errors import OutOfMemoryError
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

log = logging.getLogger(__name__)

LEARNING_SHARE = 0.6  # of the time
LEAST_BLOCK_WINDOWS = 16
CPU_BLOCK_WINDOWS = 64
GPU_BLOCK_WINDOWS = 512
CPU_BLOCK_VALUES = 8_000_000  # of all stems: no longer than half a second passes until cancelling is heard
BYTES_OF_A_VALUE = 40  # of one stem and bin: model, mask, spectrum, window and sum
ROW_BYTES_OF_A_WINDOW = 1 << 17


@dataclass
class _Place:
    """Where the work is done, and how much at a time."""

    device: torch.device
    block_windows: int
    warnings: list[str]

    def retreat(self, error: BaseException) -> None:
        """Make do with less memory, or give up."""
        release_memory(self.device)
        if self.block_windows > LEAST_BLOCK_WINDOWS:
            self.block_windows //= 2
        elif self.device.type != "cpu":
            self.warnings.append(f"The device {self.device.type} ran out of memory; the CPU went on.")
            self.device = torch.device("cpu")
        else:
            raise OutOfMemoryError(
                "There is not enough memory to separate; close other programs and try again."
            ) from error


@dataclass(frozen=True)
class _Learned:
    """What was learned of a recording: how its parts sound and, in stereo, where they stand."""

    dictionary: Dictionary
    covariances: Covariances | None
    table: Table

    def on(self, device: torch.device) -> _Learned:
        """Return the same on another device."""
        if device == self.dictionary.device:
            return self
        dictionary = self.dictionary.on(device)
        return _Learned(dictionary, self.covariances.to(device) if self.covariances else None, Table(dictionary))

    def stems(self, block: Block, spectra: torch.Tensor, progress: Progress) -> torch.Tensor:
        """Divide the spectra of a block among the stems, shape (stems, channels, windows, bins)."""
        if self.covariances is None:
            return masked(self.dictionary, block, spectra, progress.check)
        powers = stem_powers(self.dictionary, block, self.dictionary.settings.mask_exponent, progress.check)
        return filtered(powers, spectra, self.covariances, progress.check)


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

    def separate(
        self,
        source: SampleSource,
        notes: SoundingNotes,
        options: SeparationOptions,
        sink: StemSink,
        progress: Progress,
    ) -> SeparationReport:
        """Separate all of `source`; see `protocol.Separator`."""
        settings = self._settings or settings_for(options.budget)
        device = choose_device(options.device)
        place = _Place(device, settings.block_windows or suitable_block_windows(source, notes, settings, device), [])
        with torch.inference_mode():
            learned = _learn(source, notes, settings, place, progress.part(0.0, LEARNING_SHARE))
            _write(source, learned, place, sink, progress.part(LEARNING_SHARE, 1.0))
        return SeparationReport(self.name, place.device.type, tuple(place.warnings))


def _learn(
    source: SampleSource, notes: SoundingNotes, settings: NmfSettings, place: _Place, progress: Progress
) -> _Learned:
    grid = make_grid(source.frames, source.sample_rate, settings.window_s)
    rows = Rows(notes, grid, settings)
    while True:
        try:
            dictionary = Dictionary(rows, grid, source.channels, settings, place.device)
            heard = learn(source, dictionary, place.block_windows, progress.part(0.0, 0.8))
            where = _locate(source, dictionary, heard, progress.part(0.8, 1.0))
            return _Learned(dictionary, where, Table(dictionary))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            place.retreat(error)


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


def _write(source: SampleSource, learned: _Learned, place: _Place, sink: StemSink, progress: Progress) -> None:
    grid = learned.dictionary.grid
    learned = learned.on(place.device)
    adder = OverlapAdd(grid, learned.dictionary.rows.stem_count, source.channels, place.device)
    first = written = 0
    while first < grid.windows:
        progress.update(first / grid.windows, "Writing the stems")
        last = min(first + place.block_windows, grid.windows)
        try:
            stems = adder.add(_block_stems(source, learned, first, last, progress))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            place.retreat(error)
            learned = learned.on(place.device)
            adder.move_to(place.device)
            continue
        count = stems.shape[2]
        residual = source.read(written, written + count) - stems.sum(0, dtype=np.float32)
        sink.write(np.concatenate([stems, residual[None]]))
        first, written = last, written + count


def _block_stems(source: SampleSource, learned: _Learned, first: int, last: int, progress: Progress) -> torch.Tensor:
    """Return the spectra of all stems in the windows [first, last)."""
    dictionary = learned.dictionary
    spectra = read_spectra(source, dictionary.grid, first, last, dictionary.device)
    block = make_block(dictionary, spectra, first)
    fit_loudness(block, learned.table.of(block.rows), dictionary.settings.solve_iterations, progress.check)
    return learned.stems(block, spectra, progress)


def suitable_block_windows(
    source: SampleSource, notes: SoundingNotes, settings: NmfSettings, device: torch.device
) -> int:
    """Return how many windows to work on together: few for the caches of a CPU, many for a GPU, as memory allows."""
    grid = make_grid(source.frames, source.sample_rate, settings.window_s)
    values = (notes.stem_count + 1) * source.channels * grid.bins
    allowed = free_bytes(device) // (BYTES_OF_A_VALUE * values + ROW_BYTES_OF_A_WINDOW)
    wanted = min(CPU_BLOCK_WINDOWS, CPU_BLOCK_VALUES // values) if device.type == "cpu" else GPU_BLOCK_WINDOWS
    return int(max(min(allowed, wanted), LEAST_BLOCK_WINDOWS))
