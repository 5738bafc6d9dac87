"""What a recording is, and how the rest of the program reads samples without knowing of files."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scoresep.model.timebase import frame_to_second


@dataclass(frozen=True)
class Recording:
    """The audio as opened. Never altered.

    Attributes
    ----------
    path : str
        Where the file lies (absolute).
    content_key : str
        Hexadecimal hash of the file's bytes.
    frames, channels, sample_rate : int
        Length, number of channels and frames in a second.
    format : str
        Container and encoding in words, such as ``FLAC 16 bit``.
    """

    path: str
    content_key: str
    frames: int
    channels: int
    sample_rate: int
    format: str = ""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return frame_to_second(self.frames, self.sample_rate)


class SampleSource(Protocol):
    """Samples that can be read anywhere, block by block; what engines get instead of a file."""

    @property
    def frames(self) -> int:
        """Length in frames."""

    @property
    def channels(self) -> int:
        """Number of channels."""

    @property
    def sample_rate(self) -> int:
        """Frames in a second."""

    def read(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return the frames of [start_frame, stop_frame), clipped to the source.

        Returns
        -------
        samples : ndarray [shape=(channels, frames)], float32
        """


class ArraySource:
    """A `SampleSource` over an array.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)], float32
    sample_rate : int
    """

    def __init__(self, samples: NDArray[np.float32], sample_rate: int) -> None:
        if samples.ndim != 2:
            raise ValueError(f"samples must have the shape (channels, frames), not {samples.shape}")
        self._samples = np.asarray(samples, np.float32)
        self._sample_rate = sample_rate

    @property
    def frames(self) -> int:
        """Length in frames."""
        return int(self._samples.shape[1])

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self._samples.shape[0])

    @property
    def sample_rate(self) -> int:
        """Frames in a second."""
        return self._sample_rate

    def read(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return the frames of [start_frame, stop_frame), shape (channels, frames)."""
        return self._samples[:, max(start_frame, 0) : max(min(stop_frame, self.frames), 0)]


def blocks(source: SampleSource, block_frames: int) -> Iterator[NDArray[np.float32]]:
    """Read a source from its start to its end in blocks of `block_frames`, shape (channels, frames)."""
    for start in range(0, source.frames, block_frames):
        yield source.read(start, min(start + block_frames, source.frames))


class PatchSamples(Protocol):
    """Samples of which ranges are read when they are asked for."""

    shape: tuple[int, int]

    def __getitem__(self, key: tuple[slice, slice], /) -> NDArray[np.float32]:
        """Return a range of frames, ``[:, start:stop]``."""


@dataclass(frozen=True, eq=False)
class Patch:
    """A stretch of sound that is added.

    Attributes
    ----------
    start_frame : int
    samples : ndarray [shape=(channels, frames)], float32, or what reads such ranges from a file
    factor : float
        What it is multiplied with: -1 takes away what is in the sound below, as often as it is there.
    """

    start_frame: int
    samples: NDArray[np.float32] | PatchSamples
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
