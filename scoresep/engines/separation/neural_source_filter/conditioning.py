"""A recording, its notes and their pitches on the grid of the masks, and the stretches of it that are looked at.

Also here: what the network is told of a stretch of the recording, and what follows from its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.neural_source_filter import NeuralSourceFilterSettings
from scoresep.engines.separation.neural_source_filter.network import CellInputs, SourceNetwork
from scoresep.engines.separation.source_filter import SourceFilterSettings
from scoresep.engines.separation.source_filter.fitting import TINY, Fit, PartTimbres, band_bumps, broad_nearness
from scoresep.engines.separation.source_filter.partials import (
    NoteFrameGrid,
    NoteFrames,
    Tracks,
    blocks_of,
    keys_of,
    limits_of,
    note_frames_of,
)
from scoresep.engines.separation.source_filter.pitch import track_pitch
from scoresep.engines.separation.source_filter.separator import magnitude_of
from scoresep.engines.separation.spectral import ComputeContext
from scoresep.engines.separation.stft import FrameGrid, make_grid, read_spectra
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

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
        """Return the features for a grid.

        Parameters
        ----------
        grid : FrameGrid
        bands : int
            How many, even on the mel scale.
        level : float
            Mean of the magnitudes.
        device : torch.device
        """
        bumps = band_bumps(grid, bands, device)
        return cls((bumps / (bumps.sum(1, keepdim=True) + TINY)).T.contiguous(), level)

    def log(self, values: Tensor) -> Tensor:
        """Return values in units of the mean level as logarithms, about from -3 to 3."""
        return torch.log(values / (self.level + TINY) + QUIET) / 2.0

    def band_levels(self, magnitude: Tensor) -> Tensor:
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

    def told(
        self, cents: NDArray[np.float32], features: BandFeatures, settings: NeuralSourceFilterSettings
    ) -> CellInputs:
        """Return what the decoder is told; pitch has been set to `cents` above the score.

        Parameters
        ----------
        cents : ndarray [shape=(cells,)], float32
            Above what the score says.
        features : BandFeatures
        settings : NeuralSourceFilterSettings
        """
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
            features.log(amount[:, :count]),
            alone[:, :count],
            torch.log((amount * alone.sqrt()).sum(1) + QUIET * features.level + TINY),
            hz,
            exists,
        )

    def rendered(self, network: SourceNetwork, code: Tensor, told: CellInputs) -> Tensor:
        """Return the network's mixture, shape (windows, bins), for training.

        Parameters
        ----------
        network : SourceNetwork
        code : Tensor [shape=(windows, code)], float32
            What the encoder says of each window.
        told : CellInputs
            What the decoder is told.
        """
        loudness, sound = network.decode(code, told)
        shapes = self.lines.values[0] * (loudness * self.nearness)[:, None, None] * sound[..., None]
        gains, bands = network.noise(code, self.near, self.level)
        broad = gains @ _normalised(bands, self.sounds.bumps) @ self.sounds.bumps
        left = network.leftover(code, self.level) @ self._residual_spectra
        return self.lines.spectrum(shapes) + broad + left + self.floor

    def take(self, network: SourceNetwork, code: Tensor, told: CellInputs) -> None:
        """Take the network's answer for the model of the mixture, to be settled and divided by.

        Parameters
        ----------
        network : SourceNetwork
        code : Tensor [shape=(windows, code)], float32
            What the encoder says of each window.
        told : CellInputs
            What the decoder is told.
        """
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


TRACK_FLOOR = 0.1
CHUNK_WINDOWS = 64  # that the encoder describes together, always the same ones, wherever a stretch begins
CHUNK_MARGIN = 24  # windows that it also hears on either side


def track_pitches(
    source: SampleSource,
    notes: SoundingNotes,
    settings: SourceFilterSettings,
    place: ComputeContext,
    progress: Progress,
) -> Tracks:
    """Follow the pitch of all notes through the mixture.

    Parameters
    ----------
    source : SampleSource
    notes : SoundingNotes
    settings : SourceFilterSettings
    place : ComputeContext
        Where the work is done.
    progress : Progress
    """
    grid = make_grid(source.frames, source.sample_rate, settings.track_window_s)
    view = NoteFrameGrid(notes, grid, replace(settings, magnitude_exponent=1.0, floor=TRACK_FLOOR))
    low, high = limits_of(view)
    start = np.concatenate([[0], np.cumsum(high - low)])
    found = np.zeros(int(start[-1]), np.float32)
    sounds = PartTimbres(notes, settings.track_partials, grid, place.device)
    for first, last in blocks_of(view, 0, grid.windows, place.block_windows):
        progress.update(first / grid.windows, "Following the pitch of every note")
        cells = note_frames_of(view, first, last)
        if len(cells):
            spectra = read_spectra(source, grid, first, last, place.device)
            fit = Fit(magnitude_of(spectra), cells, first, view, sounds)
            found[start[cells.note] + cells.window - low[cells.note]] = track_pitch(fit, progress.check)
            fit.finish()
    return Tracks(keys_of(notes), low, start, found)


@dataclass(frozen=True)
class ScoreConditioning:
    """What there is to hear.

    Attributes
    ----------
    source : SampleSource
    notes : SoundingNotes
    tracks : Tracks
    rows : ndarray [shape=(notes,)], int64
        Which track is of which note.
    settings : NeuralSourceFilterSettings
    shape : SourceFilterSettings
        As they are for this recording.
    grid, track_grid : FrameGrid
        Of the masks; on which pitch was followed.
    device : torch.device
    """

    source: SampleSource
    notes: SoundingNotes
    tracks: Tracks
    rows: NDArray[np.int64]
    settings: NeuralSourceFilterSettings
    shape: SourceFilterSettings
    grid: FrameGrid
    track_grid: FrameGrid
    device: torch.device

    @classmethod
    def of(
        cls,
        source: SampleSource,
        notes: SoundingNotes,
        tracks: Tracks,
        shape: SourceFilterSettings,
        settings: NeuralSourceFilterSettings,
        device: torch.device,
    ) -> ScoreConditioning:
        """Return the conditioning by the notes of a recording.

        Parameters
        ----------
        source : SampleSource
        notes : SoundingNotes
        tracks : Tracks
            The pitch of every note.
        shape : SourceFilterSettings
            Of the model of the mixture.
        settings : NeuralSourceFilterSettings
        device : torch.device
        """
        grid = make_grid(source.frames, source.sample_rate, shape.window_s)
        track_grid = make_grid(source.frames, source.sample_rate, shape.track_window_s)
        return cls(source, notes, tracks, tracks.nearest_rows(notes), settings, shape, grid, track_grid, device)

    def blocks(self, first: int, last: int, most_windows: int, most_cells: int) -> list[tuple[int, int]]:
        """Divide the windows [first, last) into blocks that can be worked on together.

        Parameters
        ----------
        first, last : int
            Windows [first, last) of the grid.
        most_windows, most_cells : int
            Limits of a block.
        """
        view = NoteFrameGrid(self.notes, self.grid, replace(self.shape, block_cells=most_cells))
        return blocks_of(view, first, last, most_windows)

    def spectra(self, first: int, last: int) -> Tensor:
        """Return the spectra of the windows [first, last), shape (channels, windows, bins)."""
        return read_spectra(self.source, self.grid, first, last, self.device)

    def magnitude(self, first: int, last: int) -> Tensor:
        """Return what is fitted: the magnitudes over all channels, raised to the exponent, shape (windows, bins)."""
        return magnitude_of(self.spectra(first, last)) ** self.shape.magnitude_exponent

    def sounds(self) -> PartTimbres:
        """Return sounds for scenes; the network fills them."""
        return PartTimbres(self.notes, self.shape.partials, self.grid, self.device)

    def scene(
        self, spectra: Tensor, first: int, sounds: PartTimbres, features: BandFeatures, shifts_cents: Sequence[float]
    ) -> tuple[ModelFit, CellInputs]:
        """Return the stretch that begins with the window `first`, and what the decoder is told of it.

        Parameters
        ----------
        spectra : Tensor [shape=(channels, windows, bins)], complex64
        first : int
            Its first window.
        sounds : PartTimbres
            What the parts sound like.
        features : BandFeatures
        shifts_cents : sequence of float
            Pitches beside its own at which a note may sound.
        """
        last = first + spectra.shape[1]
        view = NoteFrameGrid(self.notes, self.grid, self.shape)
        # a window more on either side, so that glides are the same wherever the stretch begins
        wide = note_frames_of(view, max(first - 1, 0), min(last + 1, self.grid.windows))
        cents = self.tracks.cents_at(self.notes, self.rows, wide, self.track_grid, self.grid)
        cells, keep = wide.within(first, last)
        scene = ModelFit(magnitude_of(spectra), cells, first, view, sounds)
        scene.set_pitch(cents[keep], wide.glides(cents)[keep], self.shape.partials, tuple(shifts_cents))
        return scene, scene.told(cents[keep], features, self.settings)


class Encoder:
    """Describes windows of a recording chunk by chunk, so that the answer does not depend on who asks for what.

    Parameters
    ----------
    network : SourceNetwork
    conditioning : ScoreConditioning
    features : BandFeatures
    """

    def __init__(self, network: SourceNetwork, conditioning: ScoreConditioning, features: BandFeatures) -> None:
        self._network, self._conditioning, self._features = network, conditioning, features
        self._number, self._code = -1, torch.zeros(0)

    def code(self, first: int, last: int, check: Callable[[], None]) -> Tensor:
        """Return the descriptions of the windows [first, last), shape (windows, code).

        Parameters
        ----------
        first, last : int
            Windows [first, last) of the grid.
        check : callable
            Called now and then; raises when the work is to stop.
        """
        edges = [*range(first - first % CHUNK_WINDOWS, last, CHUNK_WINDOWS), last]
        pieces = []
        for start, _ in pairwise(edges):
            check()
            chunk = self._chunk(start // CHUNK_WINDOWS)
            pieces.append(chunk[max(first - start, 0) : last - start])
        return torch.cat(pieces)

    def _chunk(self, number: int) -> Tensor:
        if number != self._number:
            start = number * CHUNK_WINDOWS
            stop = min(start + CHUNK_WINDOWS, self._conditioning.grid.windows)
            low, high = max(start - CHUNK_MARGIN, 0), min(stop + CHUNK_MARGIN, self._conditioning.grid.windows)
            observed = self._features.band_levels(self._conditioning.magnitude(low, high))
            self._code = self._network.encode(observed)[start - low : stop - low]
            self._number = number
        return self._code
