"""A stem that is still being written, heard where it is finished; elsewhere sounds what there was before.

Its file is opened for every read and closed again: on Windows the folder of stems could not take its final name while
anybody held a file in it open.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoresep.files.audio.wav import WavLayout, read_wav_layout
from scoresep.model.audio import SampleSource

FADE_S = 0.01


class GrowingStem:
    """A `SampleSource` over a stem in the hidden folder of a `StemFolderWriter`. Threads may share it.

    All stems and the residual of one folder, made with the same stretches and with sources of before that add up to the
    recording, add up to the recording too.

    Parameters
    ----------
    path : Path
        In the hidden folder.
    final_path : Path
        Where the file will be when all is finished.
    finished : sequence of (int, int)
        Stretches of frames that are written, half-open and rising.
    before : SampleSource or None
        What sounds elsewhere; None for silence.

    Raises
    ------
    AudioFileError
        The file is missing or damaged.
    """

    def __init__(
        self, path: Path, final_path: Path, finished: Sequence[tuple[int, int]], before: SampleSource | None
    ) -> None:
        self._paths = (path, final_path)
        self._layout: WavLayout = read_wav_layout(path if path.exists() else final_path)
        self._finished = _joined(finished)
        self._before = before

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self._layout.frames

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self._layout.channels

    @property
    def sample_rate(self) -> int:
        """Frames in a second."""
        return self._layout.sample_rate

    def read(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return the frames of [start_frame, stop_frame), clipped to the stem, shape (channels, frames)."""
        start, stop = max(start_frame, 0), max(min(stop_frame, self.frames), 0)
        result = np.zeros((self.channels, max(stop - start, 0)), np.float32)
        if self._before is not None and not any(self._is_inside(start, stop, *each) for each in self._finished):
            result[:] = self._before.read(start, stop)
        for low, high in self._finished:
            first, last = max(low, start), min(high, stop)
            if last > first:
                here, weight = result[:, first - start : last - start], self._weight(low, high, first, last)
                here[:] = weight * self._written(first, last) + (1 - weight) * here
        return result

    def _is_inside(self, start: int, stop: int, low: int, high: int) -> bool:
        """Whether a range lies in a finished stretch, out of reach of its ramps."""
        fade = round(FADE_S * self.sample_rate) + 1
        return (low == 0 or low + fade <= start) and (high == self.frames or stop <= high - fade)

    def _weight(self, low: int, high: int, first: int, last: int) -> NDArray[np.float32]:
        """Return 1 inside a finished stretch, with short ramps where it meets what is not finished."""
        fade, at = max(FADE_S * self.sample_rate, 1.0), np.arange(first, last)
        weight = np.ones(last - first)
        if low > 0:
            weight = np.minimum(weight, (at + 0.5 - low) / fade)
        if high < self.frames:
            weight = np.minimum(weight, (high - at - 0.5) / fade)
        return weight.astype(np.float32)

    def _written(self, first: int, last: int) -> NDArray[np.float32]:
        channels = self.channels
        for path in self._paths:
            try:
                offset = self._layout.data_offset + first * channels * 4
                samples = np.fromfile(path, "<f4", (last - first) * channels, offset=offset)
            except OSError:
                continue  # it has moved to its place just now, or was given up
            if samples.size == (last - first) * channels:
                return np.asarray(samples.reshape(-1, channels).T, np.float32)
        return np.zeros((channels, last - first), np.float32)


def _joined(stretches: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for low, high in sorted(stretches):
        if joined and low <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], high)
        else:
            joined.append((low, high))
    return tuple(joined)
