"""What the `source-network` engine has learned of a recording, and the stems that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.block_by_block import stems_block_by_block
from scoresep.engines.separation.protocol import SeparationReport
from scoresep.engines.separation.source_filter.masks import divided, stem_powers
from scoresep.engines.separation.source_network.hearing import Ear
from scoresep.engines.separation.source_network.keeping import Findings, arrays_of
from scoresep.engines.separation.source_network.listening import Encoder, Listener
from scoresep.engines.separation.source_network.network import SourceNetwork
from scoresep.engines.separation.source_network.settings import SourceNetworkSettings
from scoresep.engines.separation.spatial import Covariances
from scoresep.engines.separation.workplace import Workplace
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

STEM_WINDOWS = 128  # at most in a block: bounds memory, and the time until cancelling is heard


class Divider:
    """Divides the recording as the network says.

    Parameters
    ----------
    network : SourceNetwork
    listener : Listener
    ear : Ear
    where : Covariances or None
        Where the stems stand in stereo.

    Attributes
    ----------
    grid : FrameGrid
    """

    def __init__(self, network: SourceNetwork, listener: Listener, ear: Ear, where: Covariances | None) -> None:
        self._network, self._listener, self._ear, self._where = network, listener, ear, where
        self._encoder, self._sounds = Encoder(network, listener, ear), listener.sounds()
        self.grid = listener.grid

    def blocks(self, first: int, last: int, most_windows: int) -> list[tuple[int, int]]:
        """Divide the windows [first, last) into blocks."""
        shape = self._listener.shape
        return self._listener.blocks(first, last, min(most_windows, STEM_WINDOWS), shape.block_cells)

    def spectra(self, first: int, last: int, check: Callable[[], None]) -> Tensor:
        """Return the spectra of all stems in the windows [first, last), shape (stems, channels, windows, bins)."""
        listener = self._listener
        code = self._encoder.code(first, last, check)
        spectra = listener.spectra(first, last)
        scene, told = listener.scene(spectra, first, self._sounds, self._ear, listener.shape.shifts_cents)
        scene.take(self._network, code, told)
        scene.improve(listener.settings.settle_rounds, check)
        return divided(stem_powers(scene, listener.notes.stem_count, check), spectra, self._where, check)


class SourceNetworkLearned:
    """Gives the stems of any stretch; see `protocol.Learned`.

    Parameters
    ----------
    engine : str
    findings : Findings
    form : str
        What the findings hold for.
    settings : SourceNetworkSettings
    place : Workplace
    """

    def __init__(
        self, engine: str, findings: Findings, form: str, settings: SourceNetworkSettings, place: Workplace
    ) -> None:
        self._engine, self._findings, self._settings, self._place = engine, findings, settings, place
        self._arrays = arrays_of(findings, form, settings)
        self._ready: tuple[SoundingNotes, SampleSource, torch.device, Divider] | None = None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return tracks, network and places."""
        return self._arrays

    def report(self) -> SeparationReport:
        """Say what did the work."""
        return SeparationReport(self._engine, self._place.device.type, tuple(self._place.warnings))

    def stems(
        self, source: SampleSource, notes: SoundingNotes, start_frame: int, stop_frame: int, progress: Progress
    ) -> NDArray[np.float32]:
        """Separate a stretch; see `protocol.Learned`."""
        place, grid = self._place, self._divider(source, notes).grid
        shape, stretch = (notes.stem_count, source.channels), (start_frame, stop_frame)

        def divided_block(first: int, end: int) -> tuple[int, Tensor]:
            divider = self._divider(source, notes)
            last = divider.blocks(first, end, place.block_windows)[0][1]
            return last, divider.spectra(first, last, progress.check)

        with torch.inference_mode():
            return stems_block_by_block(grid, place, shape, stretch, divided_block, progress)

    def _divider(self, source: SampleSource, notes: SoundingNotes) -> Divider:
        device, found, settings = self._place.device, self._findings, self._settings
        ready = self._ready
        if ready is None or ready[0] is not notes or ready[1] is not source or ready[2] != device:
            listener = Listener.of(source, notes, found.tracks, found.shape, settings, device)
            ear = Ear.of(listener.grid, settings.bands, found.level, device)
            where = None if found.covariances is None else found.covariances.to(device)
            ready = notes, source, device, Divider(found.state.network.to(device), listener, ear, where)
            self._ready = ready
        return ready[3]
