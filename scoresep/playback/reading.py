"""One read cursor for everything that is heard: where it stands, where it goes next, and how it changes without clicks.

A head is an immutable value; reading gives samples and the next head. Whatever jumps (a loop's end, a seek, another
mix, a mute) is a fade of a few milliseconds from what was heard to what will be. Fades lengthen nothing: a loop of n
frames repeats every n frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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


def silence_to(material: Material, frame: int, loop: Loop | None = None) -> Head:
    """Return a head that starts at a frame, faded in from silence."""
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
    return Levels(a.keys, np.maximum(a.peak, b.peak), np.maximum(a.mean_square, b.mean_square))
