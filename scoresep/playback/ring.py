"""What stands between the reader thread, which may wait for a disk, and the audio callback, which may wait for nothing.

The callback (`Ring.pull`) copies from memory allocated before and counts. Positions are counted in frames since the
ring was made and never wrap; one thread writes, one pulls.
"""

from __future__ import annotations

from enum import Enum
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from scoresep.playback.reading import FADE_FRAMES


class Gate(Enum):
    """Whether sound flows."""

    CLOSED = "closed"
    OPEN = "open"
    CLOSING = "closing"


class Ring:
    """A ring of frames.

    Parameters
    ----------
    capacity_frames, channels : int

    Attributes
    ----------
    written, pulled : int
        Frames put in and taken out so far; the first is the writer's, the second the callback's.
    underruns : int
        How often fewer frames were ready than the device wanted.
    largest_pull : int
        The most frames that were wanted at once.
    clock : tuple of (int, float)
        Position at the start of the last pull, and when that was, in seconds of `perf_counter`.
    """

    def __init__(self, capacity_frames: int, channels: int) -> None:
        self._memory = np.zeros((capacity_frames, channels), np.float32)
        self._fade_out = np.linspace(1.0, 0.0, FADE_FRAMES, dtype=np.float32)[:, None]
        self._faded = 0
        self.capacity_frames = capacity_frames
        self.channels = channels
        self.written = 0
        self.pulled = 0
        self.underruns = 0
        self.largest_pull = 0
        self.gate = Gate.CLOSED
        self.clock = (0, perf_counter())

    def write(self, position: int, samples: NDArray[np.float32]) -> None:
        """Put frames at a position; frames that stand there and were not pulled yet are replaced.

        Parameters
        ----------
        position : int
        samples : ndarray [shape=(frames, channels)], float32
        """
        start = position % self.capacity_frames
        first = min(len(samples), self.capacity_frames - start)
        self._memory[start : start + first] = samples[:first]
        self._memory[: len(samples) - first] = samples[first:]
        self.written = max(self.written, position + len(samples))

    def clear(self) -> None:
        """Forget what was written and not pulled. Only while the gate is closed."""
        self.written = self.pulled

    def open(self) -> None:
        """Let sound flow."""
        self._faded = 0
        self.clock = (self.pulled, perf_counter())
        self.gate = Gate.OPEN

    def close(self) -> None:
        """Fade out within a few milliseconds; the next pulls close the gate."""
        if self.gate is Gate.OPEN:
            self.gate = Gate.CLOSING

    def pull(self, out: NDArray[np.float32]) -> None:
        """Fill `out` [shape=(frames, channels)]. Runs in the audio callback: no locks, no waiting."""
        gate = self.gate
        if gate is Gate.CLOSED:
            out.fill(0.0)
            return
        wanted = len(out)
        self.largest_pull = max(self.largest_pull, wanted)
        position = self.pulled
        self.clock = (position, perf_counter())
        if gate is Gate.CLOSING:
            wanted = min(wanted, FADE_FRAMES - self._faded)
        ready = max(min(wanted, self.written - position), 0)
        start = position % self.capacity_frames
        first = min(ready, self.capacity_frames - start)
        out[:first] = self._memory[start : start + first]
        out[first:ready] = self._memory[: ready - first]
        out[ready:] = 0.0
        if gate is Gate.CLOSING:
            out[:ready] *= self._fade_out[self._faded : self._faded + ready]
            self._faded += wanted
            if self._faded >= FADE_FRAMES:
                self.gate = Gate.CLOSED
        elif ready < wanted:
            self.underruns += 1
        self.pulled = position + ready
