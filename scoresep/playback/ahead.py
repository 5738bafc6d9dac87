"""What has been read ahead into the ring: where which frame of the recording stands, and replacing it.

One thread reads ahead; another may ask at any time what is heard at a position. No device and no threads of its own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scoresep.playback.mixing import Levels
from scoresep.playback.reading import Block, Head, read_block
from scoresep.playback.ring import Ring

BLOCK_FRAMES = 1024
# What is about to be pulled is not touched any more.
MARGIN_FRAMES = 2048


@dataclass(frozen=True, eq=False)
class Written:
    """A block in the ring.

    Attributes
    ----------
    start : int
        Its position in the ring.
    head : Head
        What it was read from.
    block : Block
    """

    start: int
    head: Head
    block: Block

    @property
    def stop(self) -> int:
        """Position of its end."""
        return self.start + len(self.block.samples)

    def frame_at(self, position: float) -> float:
        """Return the frame of the material that stands at a position of the ring."""
        offset = min(max(position - self.start, 0.0), len(self.block.samples))
        run_offset, frame = next(run for run in reversed(self.block.runs) if run[0] <= offset)
        return frame + offset - run_offset


class ReadAhead:
    """Reads from a head into a ring, block by block.

    Parameters
    ----------
    ring : Ring
    head : Head
        Where reading starts; it will stand at the ring's present position.
    """

    def __init__(self, ring: Ring, head: Head) -> None:
        ring.clear()
        self._ring = ring
        self._head = head
        self._write_at = ring.pulled
        self._blocks: deque[Written] = deque()
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another block."""
        return self._write_at + BLOCK_FRAMES > self._ring.pulled + self._ring.capacity_frames

    def fill(self, keep_from: float) -> None:
        """Read one more block; what stood before `keep_from` in the ring will not be asked for again."""
        block = read_block(self._head, BLOCK_FRAMES)
        samples = block.samples
        if self._ring.channels == 1:
            samples = samples.mean(axis=1, keepdims=True)
        with self._lock:
            self._ring.write(self._write_at, samples)
            self._blocks.append(Written(self._write_at, self._head, block))
            self._write_at += BLOCK_FRAMES
            self._head = block.next_head
            while len(self._blocks) > 1 and self._blocks[0].stop < keep_from:
                self._blocks.popleft()

    def replace(self, change: Callable[[Head], Head]) -> int:
        """Go on from a changed head, from the first position on that is not about to be pulled.

        What was read beyond it is read again; until that is done, the old sound stands there.

        Returns
        -------
        position : int
            Where in the ring the changed sound starts.
        """
        with self._lock:
            soonest = self._ring.pulled + max(MARGIN_FRAMES, 2 * self._ring.largest_pull)
            while self._blocks and self._blocks[-1].start >= soonest:
                written = self._blocks.pop()
                self._write_at, self._head = written.start, written.head
            self._head = change(self._head)
            return self._write_at

    def frame_at(self, position: float) -> float:
        """Return the frame of the material that stands at a position of the ring."""
        with self._lock:
            if not self._blocks:
                return self._head.frame
            written = next((w for w in self._blocks if position < w.stop), self._blocks[-1])
            return written.frame_at(position)

    def levels_between(self, low: float, high: float) -> Levels | None:
        """Join the levels between two positions, as far as they are of the same tracks as the last of them."""
        with self._lock:
            found = [w.block.levels for w in self._blocks if w.start <= high and w.stop > low]
        same = [levels for levels in found if levels.keys == found[-1].keys]
        if not same:
            return None
        peak = np.max([levels.peak for levels in same], axis=0)
        return Levels(same[-1].keys, peak, np.max([levels.mean_square for levels in same], axis=0))
