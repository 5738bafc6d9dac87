"""How far the network is to be trusted: its teacher and it are held against fresh mixtures whose parts are known.

The change that the network makes to the teacher's stems is taken by as much as brings these nearest to the truth. The
truth of the mixtures is made of the teacher's own stems in the main and flatters the network, so it gets less.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.separation.knowledge.dividing import Divider
from scoresep.engines.separation.knowledge.hearing import Hearing
from scoresep.engines.separation.knowledge.network import TileNetwork
from scoresep.engines.separation.knowledge.remix import Remixer, Scene
from scoresep.engines.separation.protocol import Learned
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

SCENES = 3
LEAST_CHANGE = 1e-6  # of what the teacher misses: nothing was changed
FIRST_SEED = 1_000_000  # scenes that the training does not see


def fitting_blend(
    network: TileNetwork, hearing: Hearing, teacher: Learned, source: SampleSource, remixer: Remixer, progress: Progress
) -> float:
    """Return the share of the network's change that fits fresh scenes best, 0 to 1.

    Parameters
    ----------
    network : TileNetwork
    hearing : Hearing
    teacher : Learned
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
        before = teacher.stems(overlaid, hearing.notes, start, stop, part.part(0.0, 0.4)).mean(1)
        divider = Divider(network, hearing, teacher, overlaid)
        change = divider.stems(start, stop, 1.0, 128, part.part(0.4, 1.0)).mean(1) - before
        missing = scene.stems - before
        weight = 1.0 / ((missing**2).sum(1) + 1e-3 * (scene.stems**2).sum() + 1e-9)
        above += float(((change * missing).sum(1) * weight).sum())
        below += float(((change**2).sum(1) * weight).sum())
    if below < LEAST_CHANGE:
        return 0.0
    return float(np.clip(above / below, 0.0, 1.0))


class _Overlaid:
    """The recording with a scene in the place of one stretch."""

    def __init__(self, source: SampleSource, scene: Scene) -> None:
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
