"""Sound that is added to other sound at a place: how edits of single notes are laid over a stem."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from scoresep.model.audio import SampleSource


@dataclass(frozen=True, eq=False)
class Patch:
    """A stretch of sound that is added.

    Attributes
    ----------
    start_frame : int
    samples : ndarray [shape=(channels, frames)], float32
        May be mapped from a file.
    factor : float
        What it is multiplied with: -1 takes away what is in the sound below, as often as it is there.
    """

    start_frame: int
    samples: NDArray[np.float32]
    factor: float

    @property
    def stop_frame(self) -> int:
        """Where it ends."""
        return self.start_frame + int(self.samples.shape[1])


class PatchedSource:
    """A `SampleSource` with patches over it.

    Parameters
    ----------
    source : SampleSource
    patches : iterable of Patch
        Of the channels of the source; what lies outside of it is not heard.
    """

    def __init__(self, source: SampleSource, patches: Iterable[Patch]) -> None:
        self._source = source
        self._patches = tuple(sorted(patches, key=lambda p: p.start_frame))
        self._starts = [patch.start_frame for patch in self._patches]
        self._latest_stops = list(accumulate((patch.stop_frame for patch in self._patches), max))

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self._source.frames

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self._source.channels

    @property
    def sample_rate(self) -> int:
        """Frames in a second."""
        return self._source.sample_rate

    def read(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return the frames of [start_frame, stop_frame), clipped to the source, shape (channels, frames)."""
        samples = self._source.read(start_frame, stop_frame)
        start_frame = max(start_frame, 0)
        stop_frame = start_frame + samples.shape[1]
        first = bisect_left(self._latest_stops, start_frame + 1)
        last = bisect_left(self._starts, stop_frame)
        if first >= last:
            return samples
        samples = samples.copy()
        for patch in self._patches[first:last]:
            low, high = max(patch.start_frame, start_frame), min(patch.stop_frame, stop_frame)
            if high > low and patch.factor:
                piece = patch.samples[:, low - patch.start_frame : high - patch.start_frame]
                samples[:, low - start_frame : high - start_frame] += np.float32(patch.factor) * piece
        return samples


class SilentSource:
    """A `SampleSource` of silence, for patches to lie over.

    Parameters
    ----------
    frames, channels, sample_rate : int
    """

    def __init__(self, frames: int, channels: int, sample_rate: int) -> None:
        self.frames, self.channels, self.sample_rate = frames, channels, sample_rate

    def read(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return silence, shape (channels, frames)."""
        count = min(stop_frame, self.frames) - max(start_frame, 0)
        return np.zeros((self.channels, max(count, 0)), np.float32)
