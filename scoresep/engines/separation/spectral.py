"""The skeleton of the engines: settings by budget, where the work is done, and stems made block after block.

An engine adds how it learns (`SpectralSeparator._fit`), and how the windows of a block are divided
(`FittedSpectralSeparator._prepare` and `_divide`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
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
from scoresep.engines.separation.compute import ComputeContext, render_in_blocks
from scoresep.engines.separation.devices import choose_device
from scoresep.engines.separation.stft import FrameGrid
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

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
