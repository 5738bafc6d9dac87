"""What the `source-network` engine has learned of a recording, and the stems that follow from it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from scoresep.engines.separation.base import Arrays
from scoresep.engines.separation.compute import ComputeContext
from scoresep.engines.separation.neural_source_filter.checkpoint import NeuralSourceFilterParameters
from scoresep.engines.separation.neural_source_filter.conditioning import Encoder, ScoreConditioning
from scoresep.engines.separation.neural_source_filter.encoder_features import BandFeatures
from scoresep.engines.separation.neural_source_filter.network import SourceNetwork
from scoresep.engines.separation.neural_source_filter.settings import NeuralSourceFilterSettings
from scoresep.engines.separation.source_filter.model import divided, stem_powers
from scoresep.engines.separation.spatial import Covariances
from scoresep.engines.separation.spectral import STEM_WINDOWS, FittedSpectralSeparator
from scoresep.engines.separation.stft import FrameGrid
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress


class Divider:
    """Divides the recording as the network says.

    Parameters
    ----------
    network : SourceNetwork
    listener : ScoreConditioning
    ear : BandFeatures
    where : Covariances or None
        Where the stems stand in stereo.

    Attributes
    ----------
    grid : FrameGrid
    """

    def __init__(
        self, network: SourceNetwork, listener: ScoreConditioning, ear: BandFeatures, where: Covariances | None
    ) -> None:
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


class FittedNeuralSourceFilter(FittedSpectralSeparator[Divider]):
    """Gives the stems of any stretch.

    Parameters
    ----------
    engine : str
    found : NeuralSourceFilterParameters
    grid : FrameGrid
        Of the masks.
    place : ComputeContext
    arrays : mapping of str to ndarray
        Everything learned.
    settings : NeuralSourceFilterSettings
    """

    def __init__(
        self,
        engine: str,
        found: NeuralSourceFilterParameters,
        grid: FrameGrid,
        place: ComputeContext,
        arrays: Arrays,
        settings: NeuralSourceFilterSettings,
    ) -> None:
        super().__init__(engine, grid, place, arrays)
        self._found, self._settings = found, settings

    def _prepare(self, source: SampleSource, notes: SoundingNotes) -> Divider:
        found, settings, device = self._found, self._settings, self._place.device
        conditioning = ScoreConditioning.of(source, notes, found.tracks, found.shape, settings, device)
        features = BandFeatures.of(conditioning.grid, settings.bands, found.level, device)
        where = None if found.covariances is None else found.covariances.to(device)
        return Divider(found.state.network.to(device), conditioning, features, where)

    def _divide(self, prepared: Divider, first: int, end: int, progress: Progress) -> tuple[int, Tensor]:
        last = prepared.blocks(first, end, self._place.block_windows)[0][1]
        return last, prepared.spectra(first, last, progress.check)
