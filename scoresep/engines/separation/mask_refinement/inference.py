"""What a trained network makes of the teacher's stems: where parts share a bin, it divides it anew.

The parts that have a partial in a bin keep together what the teacher gave them; the network says how much of it each
should have. So the silence of resting parts, what lies between partials, and what has no pitch stay as they were.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.base import FittedSeparator
from scoresep.engines.separation.mask_refinement.dataset import NetworkInputs, Remixer, TrainingMixture
from scoresep.engines.separation.mask_refinement.network import TileNetwork, reach_windows, shares_of
from scoresep.engines.separation.mask_refinement.voices import MOST_VOICES
from scoresep.engines.separation.stft import FrameGrid, OverlapAdd, read_spectra
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

MOST_RATIO = 8.0  # that a stem's own sound is raised by; beyond, it gets of what the others leave
TINY = 1e-12


class MaskRefinement:
    """Divides blocks of windows.

    Parameters
    ----------
    network : TileNetwork
    inputs : NetworkInputs
    teacher : FittedSeparator
    source : SampleSource
    """

    def __init__(
        self, network: TileNetwork, inputs: NetworkInputs, teacher: FittedSeparator, source: SampleSource
    ) -> None:
        self._network, self._inputs, self._teacher, self._source = network, inputs, teacher, source
        self._grid, self._settings = inputs.grid, inputs.settings
        self._device = next(network.parameters()).device

    def separate(
        self, start_frame: int, stop_frame: int, blend: float, block_windows: int, progress: Progress
    ) -> NDArray[np.float32]:
        """Return the stems of a stretch, `blend` of the way to the network's, shape (stems, channels, frames).

        Parameters
        ----------
        start_frame, stop_frame : int
            Half-open, of the recording.
        blend : float
            0 for the teacher's stems, 1 for the network's.
        block_windows : int
            Windows that are worked on together.
        progress : Progress
        """
        source, stems = self._source, self._inputs.notes.stem_count
        adder = OverlapAdd(self._grid, stems, source.channels, self._device, start_frame, stop_frame)
        result = np.empty((stems, source.channels, stop_frame - start_frame), np.float32)
        first, written = adder.first, 0
        while first < adder.last:
            last = min(first + block_windows, adder.last)
            whole = adder.last - adder.first
            part = progress.part((first - adder.first) / whole, (last - adder.first) / whole)
            change, own = self._block(first, last, part)
            samples = adder.add(change * blend)
            count = samples.shape[2]
            low, teacher = own
            begin = start_frame + written - low
            result[:, :, written : written + count] = samples + teacher[:, :, begin : begin + count]
            first, written = last, written + count
        return result

    def _block(self, first: int, last: int, progress: Progress) -> tuple[Tensor, tuple[int, NDArray[np.float32]]]:
        """Return what is to be added to the teacher's stems in the windows [first, last), and these stems."""
        grid, reach, bins = self._grid, reach_windows(self._settings), self._inputs.shape.bins
        begin, end = max(first - reach, 0), min(last + reach, grid.windows)
        low = max(grid.start_frame(begin), 0)
        high = min(grid.start_frame(end - 1) + grid.window_frames, grid.frames)
        stems = self._teacher.separate(self._source, self._inputs.notes, low, high, progress.part(0.0, 0.7))
        progress.update(0.7, "Separating")
        mixture = read_spectra(self._source, grid, begin, end, self._device)[..., :bins]
        spectra = []
        for stem in stems:
            progress.check()
            spectra.append(read_spectra(_ExcerptSource(stem, low, grid), grid, begin, end, self._device)[..., :bins])
        own = torch.stack(spectra)
        shares, inside = self._shares(mixture, own, begin, end)
        here = slice(first - begin, last - begin)
        before, claim = own[:, :, here], self._settings.claim
        after = refine_stems(before, shares[:, None, here], inside[:, None, here], mixture[:, here], claim)
        return after - before, (low, stems)

    def _shares(self, mixture: Tensor, own: Tensor, begin: int, end: int) -> tuple[Tensor, Tensor]:
        tracks = self._inputs.tracks(own.abs().square().mean(1).sqrt(), begin, end)
        level = self._inputs.level(mixture.abs().square().mean(0))
        shares, inside = shares_of(self._network, self._inputs.tiles(level, tracks), len(own))
        return _without_chords(shares, inside, tracks.f0_hz > 0, self._inputs.stem(own.device))


def _without_chords(shares: Tensor, inside: Tensor, on: Tensor, stem: Tensor) -> tuple[Tensor, Tensor]:
    """Leave parts out while they play chords of many notes: the network divides these worse than its teacher."""
    stems = torch.arange(len(shares), device=shares.device)
    voices = (stems[:, None] == stem).float() @ on.float()
    inside = inside & (voices <= MOST_VOICES)[..., None]
    shares = shares * inside
    return shares / (shares.sum(0) + TINY), inside


def refine_stems(own: Tensor, shares: Tensor, inside: Tensor, mixture: Tensor, claim: float) -> Tensor:
    """Divide anew what some stems have together, and a share of what the others have and nobody has.

    Parameters
    ----------
    own : Tensor [shape=(stems, channels, windows, bins)], complex64
    shares : Tensor [shape=(stems, 1, windows, bins)], float32
        Of the stems inside; add up to 1.
    inside : Tensor [shape=(stems, 1, windows, bins)], bool
    mixture : Tensor [shape=(channels, windows, bins)], complex64
    claim : float
        That share.

    Returns
    -------
    stems : Tensor [shape=(stems, channels, windows, bins)], complex64
        Without a claim they add up to what they were. Each is its own sound, louder or softer, as far as that goes:
        in stereo the teacher knows better from where it comes.
    """
    theirs = own * inside
    total = theirs.sum(0)
    power = (total.abs() ** 2).sum(0, keepdim=True)
    had = ((theirs * total.conj()).real.sum(1, keepdim=True) / (power + TINY)).clamp(0.0, 1.0)
    ratio = (shares / (had + TINY)).clamp(max=MOST_RATIO)
    changed = theirs * ratio
    changed = changed + shares * (total + claim * (mixture - total) - changed.sum(0))
    return torch.where(inside, changed, own * (1.0 - claim * inside.any(0)))


class _ExcerptSource:
    """Samples of a stretch, read as if the recording were all there."""

    def __init__(self, samples: NDArray[np.float32], start_frame: int, grid: FrameGrid) -> None:
        self._samples, self._start, self._grid = samples, start_frame, grid

    @property
    def frames(self) -> int:
        """Length of the recording."""
        return self._grid.frames

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self._samples.shape[0])

    @property
    def sample_rate(self) -> int:
        """Of the recording."""
        return self._grid.sample_rate

    def read(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return samples, shape (channels, frames)."""
        return self._samples[:, start_frame - self._start : stop_frame - self._start]


SCENES = 3
LEAST_CHANGE = 1e-6  # of what the teacher misses: nothing was changed
FIRST_SEED = 1_000_000  # scenes that the training does not see


def calibrate_blend_weight(
    network: TileNetwork,
    inputs: NetworkInputs,
    teacher: FittedSeparator,
    source: SampleSource,
    remixer: Remixer,
    progress: Progress,
) -> float:
    """Return the share of the network's change that fits fresh scenes best, 0 to 1.

    Parameters
    ----------
    network : TileNetwork
    inputs : NetworkInputs
    teacher : FittedSeparator
    source : SampleSource
        The recording.
    remixer : Remixer
    progress : Progress
    """
    above = below = 0.0
    for i in range(SCENES):
        part = progress.part(i / SCENES, (i + 1) / SCENES)
        scene = remixer.scene(np.random.default_rng(FIRST_SEED + i))
        start, stop = scene.stretch.start_frame, scene.stretch.start_frame + scene.stretch.frames
        overlaid = _Overlaid(source, scene)
        before = teacher.separate(overlaid, inputs.notes, start, stop, part.part(0.0, 0.4)).mean(1)
        divider = MaskRefinement(network, inputs, teacher, overlaid)
        change = divider.separate(start, stop, 1.0, 128, part.part(0.4, 1.0)).mean(1) - before
        missing = scene.stems - before
        weight = 1.0 / ((missing**2).sum(1) + 1e-3 * (scene.stems**2).sum() + 1e-9)
        above += float(((change * missing).sum(1) * weight).sum())
        below += float(((change**2).sum(1) * weight).sum())
    if below < LEAST_CHANGE:
        return 0.0
    return float(np.clip(above / below, 0.0, 1.0))


class _Overlaid:
    """The recording with a scene in the place of one stretch."""

    def __init__(self, source: SampleSource, scene: TrainingMixture) -> None:
        self._source, self._start = source, scene.stretch.start_frame
        self._mixture: NDArray[np.float32] = scene.stems.sum(0) + scene.rest

    @property
    def frames(self) -> int:
        """Length of the recording."""
        return self._source.frames

    @property
    def channels(self) -> int:
        """Of the recording; the scene is the same in all."""
        return self._source.channels

    @property
    def sample_rate(self) -> int:
        """Of the recording."""
        return self._source.sample_rate

    def read(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return samples, shape (channels, frames)."""
        samples = np.array(self._source.read(start_frame, stop_frame))
        low = max(start_frame, self._start)
        high = min(stop_frame, self._start + len(self._mixture))
        if high > low:
            samples[:, low - start_frame : high - start_frame] = self._mixture[low - self._start : high - self._start]
        return samples
