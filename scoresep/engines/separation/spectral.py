"""The skeleton of the engines: settings by budget, where the work is done, and stems made block after block.

An engine adds how it learns (`SpectralSeparator._fit`), and how the windows of a block are divided
(`FittedSpectralSeparator._prepare` and `_divide`).

Also here: what engines have learned as arrays: what their checkpoints have in common. Where the work is done, and how
much of it at a time: what to do when a device has no memory left.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.base import (
    Arrays,
    EngineSettings,
    FittedSeparator,
    SeparationOptions,
    SeparationReport,
)
from scoresep.engines.separation.devices import choose_device, is_out_of_memory, release_memory
from scoresep.engines.separation.spatial import Covariances
from scoresep.engines.separation.stft import FrameGrid, OverlapAdd
from scoresep.errors import OutOfMemoryError
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress


def with_prefix(prefix: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Return the arrays of another engine under names that do not clash with one's own."""
    return {prefix + name: array for name, array in arrays.items()}


def under_prefix(prefix: str, arrays: Arrays | None) -> dict[str, NDArray[Any]] | None:
    """Return the arrays of another engine under its own names; None where there are none."""
    found = {name.removeprefix(prefix): array for name, array in (arrays or {}).items() if name.startswith(prefix)}
    return found or None


def covariances_to_array(where: Covariances | None) -> NDArray[np.float32]:
    """Return the planes of covariances, shape (4, stems + 1, bins); of size 0 where there are none."""
    if where is None:
        return np.zeros((0, 0, 0), np.float32)
    planes = where.left, where.right, where.cross_real, where.cross_imag
    return np.stack([plane.cpu().numpy() for plane in planes])


def covariances_from_array(planes: NDArray[np.float32]) -> Covariances | None:
    """Return the covariances of such planes."""
    return Covariances(*torch.from_numpy(planes)) if planes.size else None


def covariances_shape(channels: int, stem_count: int, bins: int) -> tuple[int, int, int]:
    """Return the shape of the planes: only stereo recordings have any.

    Parameters
    ----------
    channels : int
        Of the recording.
    stem_count : int
        How many there are, the residual not counted.
    bins : int
        Frequencies of a spectrum.
    """
    return (4, stem_count + 1, bins) if channels == 2 and stem_count else (0, 0, 0)


def moments_to_arrays(network: torch.nn.Module, optimizer: torch.optim.Adam) -> dict[str, NDArray[Any]]:
    """Return the running means by which Adam goes on, as ``first.*`` and ``second.*``."""
    arrays = {}
    for name, parameter in network.named_parameters():
        moments = optimizer.state.get(parameter)
        if moments:
            arrays[f"first.{name}"] = moments["exp_avg"].cpu().numpy().copy()
            arrays[f"second.{name}"] = moments["exp_avg_sq"].cpu().numpy().copy()
    return arrays


def moments_from_arrays(
    network: torch.nn.Module, optimizer: torch.optim.Adam, arrays: Arrays, steps: int, device: torch.device
) -> None:
    """Let Adam go on from the running means that were kept after so many steps.

    Parameters
    ----------
    network : torch.nn.Module
    optimizer : torch.optim.Adam
    arrays : dict of ndarray
        As they were kept.
    steps : int
        Made before.
    device : torch.device
    """
    for name, parameter in network.named_parameters():
        if f"first.{name}" in arrays and f"second.{name}" in arrays:
            first, second = (torch.tensor(arrays[f"{kind}.{name}"], device=device) for kind in ("first", "second"))
            step = torch.tensor(float(steps))
            optimizer.state[parameter] = {"step": step, "exp_avg": first, "exp_avg_sq": second}


LEAST_BLOCK_WINDOWS = 16

Answer = TypeVar("Answer")


@dataclass
class ComputeContext:
    """A device, and the number of windows that it works on together.

    Attributes
    ----------
    device : torch.device
    block_windows : int
    warnings : list of str
        What a person should know of it; one sentence each.
    """

    device: torch.device
    block_windows: int
    warnings: list[str] = field(default_factory=list)

    def run(self, work: Callable[[], Answer]) -> Answer:
        """Do some work, once more with less at a time or elsewhere as long as the memory is not enough.

        Parameters
        ----------
        work : callable
            Asks for `device` and `block_windows` anew each time.

        Raises
        ------
        OutOfMemoryError
            There is nothing less to try.
        """
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self.reduce_batch(error)

    def reduce_batch(self, error: BaseException) -> None:
        """Make do with less memory, or give up.

        Raises
        ------
        OutOfMemoryError
            There is nothing less to try.
        """
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


def render_in_blocks(
    grid: FrameGrid,
    place: ComputeContext,
    shape: tuple[int, int],
    stretch: tuple[int, int],
    make_block: Callable[[int, int], tuple[int, Tensor]],
    progress: Progress,
) -> NDArray[np.float32]:
    """Make the stems of the frames [start, stop).

    Parameters
    ----------
    grid : FrameGrid
    place : ComputeContext
    shape : (int, int)
        Number of stems, and of channels.
    stretch : (int, int)
    make_block : callable
        Takes the first window and the one at which the stretch ends; returns the window at which the block ends, which
        it chooses, and the spectra of all stems in it on the device of `place`, shape (stems, channels, windows, bins).
    progress : Progress

    Returns
    -------
    stems : ndarray [shape=(stems, channels, stop - start)], float32

    Raises
    ------
    OutOfMemoryError, Cancelled
    """
    adder = OverlapAdd(grid, *shape, place.device, *stretch)
    result = np.empty((*shape, stretch[1] - stretch[0]), np.float32)
    first, written = adder.first, 0

    def add() -> tuple[int, NDArray[np.float32]]:
        last, spectra = make_block(first, adder.last)
        adder.move_to(place.device)
        return last, adder.add(spectra)

    while first < adder.last:
        progress.update((first - adder.first) / (adder.last - adder.first), "Separating")
        first, samples = place.run(add)
        result[:, :, written : written + samples.shape[2]] = samples
        written += samples.shape[2]
    return result


STEM_WINDOWS = 128  # at most in a block: bounds memory, and the time until cancelling is heard

Settings = TypeVar("Settings", bound=EngineSettings)
Fitted = TypeVar("Fitted", bound=FittedSeparator)
Prepared = TypeVar("Prepared")


@dataclass(frozen=True)
class FitTask(Generic[Settings]):
    """What is to be learned, with what, and where.

    Attributes
    ----------
    source : SampleSource
    notes : SoundingNotes
    settings : EngineSettings
        Of the engine.
    options : SeparationOptions
    place : ComputeContext
    checkpoint : mapping of str to ndarray or None
        What was learned before.
    keep : callable
        Takes what is known so far.
    """

    source: SampleSource
    notes: SoundingNotes
    settings: Settings
    options: SeparationOptions
    place: ComputeContext
    checkpoint: Arrays | None
    keep: Callable[[Arrays], None]


class SpectralSeparator(ABC, Generic[Settings, Fitted]):
    """An engine that learns a recording on a grid of windows; see `base.Separator`.

    Parameters
    ----------
    settings : EngineSettings, optional
        Instead of those that the budget means.

    Attributes
    ----------
    name : str
    settings_type : type
        Of the settings.
    block_windows : int
        How many windows are worked on together at first.
    """

    name: str
    settings_type: type[Settings]
    block_windows = 2048

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings

    def fit(
        self,
        source: SampleSource,
        notes: SoundingNotes,
        options: SeparationOptions,
        progress: Progress,
        checkpoint: Arrays | None = None,
        on_checkpoint: Callable[[Arrays], None] | None = None,
    ) -> Fitted:
        """Learn what the parts sound like, or go on from a checkpoint; see `base.Separator`."""
        settings = self._settings or self.settings_type.for_budget(options.budget)
        device = choose_device(options.device)
        place = ComputeContext(device, self._block_windows(source, notes, settings, device))
        keep = on_checkpoint or (lambda arrays: None)
        return self._fit(FitTask(source, notes, settings, options, place, checkpoint, keep), progress)

    def _block_windows(
        self, source: SampleSource, notes: SoundingNotes, settings: Settings, device: torch.device
    ) -> int:
        """Return how many windows to work on together at first."""
        return self.block_windows

    @abstractmethod
    def _fit(self, task: FitTask[Settings], progress: Progress) -> Fitted:
        """Learn; `ComputeContext.run` does what needs much memory."""


class FittedSpectralSeparator(ABC, Generic[Prepared]):
    """What such an engine has learned; see `base.FittedSeparator`.

    Parameters
    ----------
    engine : str
    grid : FrameGrid
        Of the masks.
    place : ComputeContext
    arrays : mapping of str to ndarray
        Everything learned.
    """

    def __init__(self, engine: str, grid: FrameGrid, place: ComputeContext, arrays: Arrays) -> None:
        self._engine, self._grid, self._place, self._arrays = engine, grid, place, arrays
        self._ready: tuple[SampleSource, SoundingNotes, torch.device, Prepared] | None = None

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything learned; see `base.FittedSeparator`."""
        return dict(self._arrays)

    @abstractmethod
    def _prepare(self, source: SampleSource, notes: SoundingNotes) -> Prepared:
        """Return what holds for all blocks, on the device of the place."""

    @abstractmethod
    def _divide(self, prepared: Prepared, first: int, end: int, progress: Progress) -> tuple[int, Tensor]:
        """Divide the windows [first, last) among the stems.

        Returns
        -------
        last : int
            At most `end`.
        stems : Tensor [shape=(stems, channels, windows, bins)], complex64
        """

    def report(self) -> SeparationReport:
        """Say what did the work."""
        return SeparationReport(self._engine, self._place.device.type, tuple(self._place.warnings))

    def separate(
        self, source: SampleSource, notes: SoundingNotes, start_frame: int, stop_frame: int, progress: Progress
    ) -> NDArray[np.float32]:
        """Separate a stretch; see `base.FittedSeparator`."""
        shape, stretch = (notes.stem_count, source.channels), (start_frame, stop_frame)

        def divided(first: int, end: int) -> tuple[int, Tensor]:
            return self._divide(self._prepared(source, notes), first, end, progress)

        with torch.inference_mode():
            return render_in_blocks(self._grid, self._place, shape, stretch, divided, progress)

    def _prepared(self, source: SampleSource, notes: SoundingNotes) -> Prepared:
        """Prepare once for a recording and its notes, and again where the work has moved to another device."""
        device, ready = self._place.device, self._ready
        if ready is None or ready[0] is not source or ready[1] is not notes or ready[2] != device:
            ready = self._ready = source, notes, device, self._prepare(source, notes)
        return ready[3]
