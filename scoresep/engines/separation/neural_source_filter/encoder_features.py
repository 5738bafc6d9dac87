"""What the network is told of a stretch of the recording, and what follows from its answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.neural_source_filter.network import CellInputs, SourceNetwork
from scoresep.engines.separation.neural_source_filter.settings import NeuralSourceFilterSettings
from scoresep.engines.separation.source_filter.fitting import Fit, broad_nearness
from scoresep.engines.separation.source_filter.note_frames import NoteFrameGrid, NoteFrames
from scoresep.engines.separation.source_filter.timbres import TINY, PartTimbres, band_bumps
from scoresep.engines.separation.stft import FrameGrid

QUIET = 1e-3  # of the recording's mean level: what is softer is as good as silence


@dataclass(frozen=True)
class BandFeatures:
    """Hears log spectra in bands.

    Attributes
    ----------
    bumps : Tensor [shape=(bins, bands)], float32
        Adds up to 1 for every band.
    level : float
        Mean of the recording's magnitudes, raised to the exponent of the fit.
    """

    bumps: Tensor
    level: float

    @classmethod
    def of(cls, grid: FrameGrid, bands: int, level: float, device: torch.device) -> BandFeatures:
        """Return the ear for a grid."""
        bumps = band_bumps(grid, bands, device)
        return cls((bumps / (bumps.sum(1, keepdim=True) + TINY)).T.contiguous(), level)

    def log(self, values: Tensor) -> Tensor:
        """Return values in units of the mean level as logarithms, about from -3 to 3."""
        return torch.log(values / (self.level + TINY) + QUIET) / 2.0

    def hear(self, magnitude: Tensor) -> Tensor:
        """Return what the encoder hears of magnitudes (windows, bins), shape (windows, bands)."""
        return self.log(magnitude @ self.bumps)


class ModelFit(Fit):
    """A stretch of the recording, its notes, and the network's answer.

    Parameters
    ----------
    magnitude : Tensor [shape=(windows, bins)], float32
    cells : NoteFrames
    first : int
        First window.
    view : NoteFrameGrid
    sounds : PartTimbres
        Made for these notes; their partials are not used.
    """

    def __init__(
        self, magnitude: Tensor, cells: NoteFrames, first: int, view: NoteFrameGrid, sounds: PartTimbres
    ) -> None:
        super().__init__(magnitude, cells, first, view, sounds)
        near = broad_nearness(view, first, first + len(magnitude))
        self.near = torch.from_numpy(near).to(magnitude.device)
        self.level = self.magnitude.sum(1)
        onset = view.grid.window_at(view.notes.onset_frame)[cells.note]
        since_s = (cells.window - onset) * view.grid.hop_frames / view.grid.sample_rate
        self._since = torch.from_numpy(np.clip(since_s, -0.2, 2.0).astype(np.float32)).to(magnitude.device)
        self._sound: Tensor

    def told(self, cents: NDArray[np.float32], ear: BandFeatures, settings: NeuralSourceFilterSettings) -> CellInputs:
        """Return what the decoder is told; pitch has been set to `cents` above the score."""
        device, count = self.magnitude.device, settings.heard_partials
        lines, value = self.lines, self.lines.values[0]
        exists = lines.exists[..., 0]
        midi = torch.from_numpy((self.midi + cents / 100.0).astype(np.float32)).to(device)
        number = torch.arange(1, exists.shape[1] + 1, device=device)
        hz = 440.0 * torch.exp2((midi - 69.0) / 12.0)[:, None] * number
        own = value.square().sum(-1)
        amount = exists * (self.magnitude.reshape(-1)[lines.index] * value).sum(-1) / (own + TINY)
        everybody = lines.spectrum(value * self.nearness[:, None, None])
        together = (everybody.reshape(-1)[lines.index] * value).sum(-1)
        alone = exists * own * self.nearness[:, None] / (together + TINY)
        plain = torch.stack([(midi - 60.0) / 12.0, self.nearness, self._since, (-4.0 * self._since).exp()], 1)
        return CellInputs(
            self.window,
            self.stem,
            plain,
            ear.log(amount[:, :count]),
            alone[:, :count],
            torch.log((amount * alone.sqrt()).sum(1) + QUIET * ear.level + TINY),
            hz,
            exists,
        )

    def rendered(self, network: SourceNetwork, code: Tensor, told: CellInputs) -> Tensor:
        """Return the network's mixture, shape (windows, bins), for training."""
        loudness, sound = network.decode(code, told)
        shapes = self.lines.values[0] * (loudness * self.nearness)[:, None, None] * sound[..., None]
        gains, bands = network.noise(code, self.near, self.level)
        broad = gains @ _normalised(bands, self.sounds.bumps) @ self.sounds.bumps
        left = network.leftover(code, self.level) @ self._residual_spectra
        return self.lines.spectrum(shapes) + broad + left + self.floor

    def take(self, network: SourceNetwork, code: Tensor, told: CellInputs) -> None:
        """Take the network's answer for the model of the mixture, to be settled and divided by."""
        loudness, self._sound = network.decode(code, told)
        shifts = self.loudness.shape[1]
        self.loudness = (loudness * self.nearness)[:, None].repeat(1, shifts) / shifts
        self.broad, bands = network.noise(code, self.near, self.level)
        self.sounds.bands = _normalised(bands, self.sounds.bumps)
        self._residual = network.leftover(code, self.level)

    def sound(self) -> Tensor:
        """Return the sound of every cell as the network gave it, shape (cells, partials)."""
        return self._sound * self._filter.gain


def _normalised(bands: Tensor, bumps: Tensor) -> Tensor:
    return bands / ((bands @ bumps).sum(1, keepdim=True) + TINY)
