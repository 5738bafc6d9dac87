"""What a recording is, and how the rest of the program reads samples without knowing of files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
