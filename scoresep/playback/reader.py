"""One read cursor for everything that is heard: where it stands, where it goes next, and how it changes without clicks.

A head is an immutable value; reading gives samples and the next head. Whatever jumps (a loop's end, a seek, another
mix, a mute) is a fade of a few milliseconds from what was heard to what will be. Fades lengthen nothing: a loop of n
frames repeats every n frames.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from scoresep.model.project import Loop
from scoresep.playback.mixing import OUTPUT_CHANNELS, Levels, Material

FADE_FRAMES = 256


@dataclass(frozen=True)
class Fade:
    """A fade out of what was heard before.

    Attributes
    ----------
    head : Head or None
        Where the old sound goes on while it fades; None for silence.
    done_frames : int
        How much of the fade has been played.
    """

    head: Head | None
    done_frames: int = 0


@dataclass(frozen=True)
class Head:
    """Where reading stands.

    Attributes
    ----------
    material : Material
    frame : int
        The next frame to be read.
    loop : Loop or None
        Taken when reading comes to its end; a head beyond it goes on to the end of the material.
    fade : Fade or None
    """

    material: Material
    frame: int
    loop: Loop | None = None
    fade: Fade | None = None

    def changed(self, material: Material | None = None, frame: int | None = None, loop: Loop | None = None) -> Head:
        """Return the head that goes on with other material or elsewhere, faded over from this one.

        Parameters
        ----------
        material : Material, optional
            This one's when left out.
        frame : int, optional
            On from here when left out.
        loop : Loop or None
            The loop from now on; not kept from this head.
        """
        old = replace(self, loop=None)
        return Head(material or self.material, self.frame if frame is None else frame, loop, Fade(old))


@dataclass(frozen=True, eq=False)
class Block:
    """What was read in one go.

    Attributes
    ----------
    samples : ndarray [shape=(frames, 2)], float32
    runs : tuple of (int, int)
        Pairs of offset in the block and frame of the material that sounds there, one more for every jump.
    levels : Levels
    next_head : Head
    """

    samples: NDArray[np.float32]
    runs: tuple[tuple[int, int], ...]
    levels: Levels
    next_head: Head


def start_from_silence(material: Material, frame: int, loop: Loop | None = None) -> Head:
    """Return a head that starts at a frame, faded in from silence.

    Parameters
    ----------
    material : Material
    frame : int
    loop : Loop, optional
    """
    return Head(material, frame, loop, Fade(None))


def read_block(head: Head, frames: int) -> Block:
    """Read the next frames from a head.

    Parameters
    ----------
    head : Head
    frames : int

    Returns
    -------
    block : Block
    """
    samples = np.zeros((frames, OUTPUT_CHANNELS), np.float32)
    runs: list[tuple[int, int]] = []
    levels: Levels | None = None
    at = 0
    while at < frames:
        if head.loop is not None and head.frame == head.loop.end_frame:
            head = head.changed(frame=head.loop.start_frame, loop=head.loop)
        if not runs or head.frame != runs[-1][1] + at - runs[-1][0]:
            runs.append((at, head.frame))
        count = frames - at
        if head.loop is not None and head.frame < head.loop.end_frame:
            count = min(count, head.loop.end_frame - head.frame)
        piece, piece_levels = head.material.render(head.frame, head.frame + count)
        samples[at : at + count] = piece.T
        levels = piece_levels if levels is None else _louder(levels, piece_levels)
        fade = None
        if head.fade is not None:
            fade = _apply_fade(samples[at : at + count], head.fade)
        head = replace(head, frame=head.frame + count, fade=fade)
        at += count
    if levels is None:
        raise ValueError("a block has at least one frame")
    return Block(samples, tuple(runs), levels, head)


def _apply_fade(samples: NDArray[np.float32], fade: Fade) -> Fade | None:
    """Fade over into `samples` [shape=(frames, 2)] in place, and return what is left of the fade."""
    count = min(FADE_FRAMES - fade.done_frames, len(samples))
    done = fade.done_frames + count
    ramp = np.arange(fade.done_frames, done, dtype=np.float32)[:, None] / np.float32(FADE_FRAMES)
    samples[:count] *= ramp
    if fade.head is None:
        return Fade(None, done) if done < FADE_FRAMES else None
    old = read_block(fade.head, count)
    samples[:count] += old.samples * (1.0 - ramp)
    return Fade(old.next_head, done) if done < FADE_FRAMES else None


def _louder(a: Levels, b: Levels) -> Levels:
    """Join the levels of two pieces of one block."""
    peak, mean_square = np.maximum(a.peak, b.peak), np.maximum(a.mean_square, b.mean_square)
    return Levels(a.keys, peak, mean_square, a.problem or b.problem)


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

    def fill(self, oldest_needed: float) -> None:
        """Read one more block; what stood before `oldest_needed` in the ring will not be asked for again."""
        block = read_block(self._head, BLOCK_FRAMES)
        samples = block.samples
        if self._ring.channels == 1:
            samples = samples.mean(axis=1, keepdims=True)
        with self._lock:
            self._ring.write(self._write_at, samples)
            self._blocks.append(Written(self._write_at, self._head, block))
            self._write_at += BLOCK_FRAMES
            self._head = block.next_head
            while len(self._blocks) > 1 and self._blocks[0].stop < oldest_needed:
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
            written = next((w for w in self._blocks if position < w.stop), None)
            # nothing read yet: where reading goes on, which after a jump is not where the last block ends
            return self._head.frame if written is None else written.frame_at(position)

    def levels_between(self, low: float, high: float) -> Levels | None:
        """Join the levels between two positions, as far as they are of the same tracks as the last of them."""
        with self._lock:
            found = [w.block.levels for w in self._blocks if w.start <= high and w.stop > low]
        same = [levels for levels in found if levels.keys == found[-1].keys]
        if not same:
            return None
        peak = np.max([levels.peak for levels in same], axis=0)
        mean_square = np.max([levels.mean_square for levels in same], axis=0)
        problem = next((levels.problem for levels in same if levels.problem), "")
        return Levels(same[-1].keys, peak, mean_square, problem)
