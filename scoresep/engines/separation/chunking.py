"""In which pieces a recording is separated: about segment by segment, and what a person waits for first.

An engine gives the same samples however the recording is divided, so that this only decides in which order results
arrive, how much memory they take, and how soon cancelling is heard.

Also here: joining stems of several makings in time: who counts for how much at every frame, with short cross-fades.

Used where a part or a stretch has an engine of its own, and where only what an edit has touched is made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scoresep.model.alignment import SoundingNotes

LEAST_S = 4.0  # shorter pieces would spend much of their time on their margins
MOST_S = 15.0
MOST_BYTES = 128 * 2**20  # of the stems of one piece


@dataclass(frozen=True, order=True)
class Stretch:
    """The frames [start_frame, stop_frame)."""

    start_frame: int
    stop_frame: int


def plan_chunks(
    frames: int, sample_rate: int, channels: int, stem_count: int, edges: Iterable[int] = ()
) -> tuple[Stretch, ...]:
    """Divide a recording, at the edges of its segments where these are neither too near nor too far.

    Parameters
    ----------
    frames, sample_rate, channels : int
        Of the recording.
    stem_count : int
    edges : iterable of int
        Frames at which segments meet.

    Returns
    -------
    stretches : tuple of Stretch
        Gapless from 0 to `frames`.
    """
    most = min(int(MOST_S * sample_rate), MOST_BYTES // (4 * channels * (stem_count + 1)))
    most = max(most, sample_rate // 4, 1)
    least = min(int(LEAST_S * sample_rate), most)
    borders = [0]
    for edge in [*sorted(e for e in set(edges) if 0 < e < frames), frames]:
        while edge - borders[-1] > most:
            borders.append(borders[-1] + min(most, max(least, (edge - borders[-1]) // 2)))
        if edge - borders[-1] >= least or (edge == frames and edge > borders[-1]):
            borders.append(edge)
    return tuple(Stretch(a, b) for a, b in pairwise(borders))


def next_chunk(left: Sequence[Stretch], wanted_frame: int) -> Stretch:
    """Return which of the stretches that are left comes first: where a person listens, then what comes after it."""
    return min(left, key=lambda s: (s.stop_frame <= wanted_frame, s.start_frame))


Maker = tuple[str, str]

FADE_S = 0.03
# How far from a note that was moved, added or left out the stems may change: windows, early attacks, notes that ring.
BEFORE_S, AFTER_S = 0.4, 0.8


@dataclass(frozen=True)
class EngineClaim:
    """One maker's claim to one stem (or all) in a stretch of frames; a later claim goes over an earlier one.

    Attributes
    ----------
    maker : (str, str)
        Engine and budget.
    stem : int or None
    start_frame, stop_frame : int or None
        None for the ends of the recording.
    """

    maker: Maker
    stem: int | None = None
    start_frame: int | None = None
    stop_frame: int | None = None


def ramp(
    intervals: Iterable[tuple[int | None, int | None]], start_frame: int, stop_frame: int, fade_frames: int
) -> NDArray[np.float32]:
    """Return 1 inside the intervals, 0 outside, and straight ramps that are centred at their edges.

    Parameters
    ----------
    intervals : iterable of (int or None, int or None)
        Half-open, apart from each other by more than a ramp; None where one has no end.
    start_frame, stop_frame : int
        The frames that are asked for.
    fade_frames : int
        Length of a ramp.

    Returns
    -------
    weight : ndarray [shape=(stop_frame - start_frame,)], float32
    """
    at = np.arange(start_frame, stop_frame)
    half, weight = fade_frames / 2.0, np.zeros(stop_frame - start_frame, np.float32)
    for low, high in intervals:
        rise = np.ones(len(at)) if low is None else np.clip((at + 0.5 - low + half) / fade_frames, 0.0, 1.0)
        fall = np.ones(len(at)) if high is None else np.clip((high + half - at - 0.5) / fade_frames, 0.0, 1.0)
        np.maximum(weight, np.minimum(rise, fall), out=weight, casting="same_kind")
    return weight


def weights_of(
    claims: Sequence[EngineClaim], stem_count: int, frames: int, start_frame: int, stop_frame: int, fade_frames: int
) -> dict[Maker, NDArray[np.float32]]:
    """Return how much every maker counts for in the frames [start_frame, stop_frame); they add up to 1.

    Ramps lie only where makers change: a claim that later ones cover has none.

    Parameters
    ----------
    claims : sequence of EngineClaim
        The first one claims everything.
    stem_count : int
    frames : int
        Of the recording.
    start_frame, stop_frame, fade_frames : int

    Returns
    -------
    weights : dict of maker to ndarray [shape=(stem_count, frames)], float32
        Without the makers that count for nothing.
    """
    weights: dict[Maker, NDArray[np.float32]] = {}
    for stem in range(stem_count):
        for low, high, maker in engines_over_time(claims, stem, frames):
            if low - fade_frames >= stop_frame or high + fade_frames <= start_frame:
                continue
            has_ramp = low > 0 and low + fade_frames > start_frame
            rise = ramp([(low, None)], start_frame, stop_frame, fade_frames) if has_ramp else np.float32(1.0)
            for weight in weights.values():
                weight[stem] *= 1.0 - rise
            mine = weights.setdefault(maker, np.zeros((stem_count, stop_frame - start_frame), np.float32))
            mine[stem] += rise
    return {maker: weight for maker, weight in weights.items() if weight.any()}


def engines_over_time(claims: Sequence[EngineClaim], stem: int, frames: int) -> list[tuple[int, int, Maker]]:
    """Return who makes one stem, stretch by stretch.

    Parameters
    ----------
    claims : sequence of EngineClaim
        Later ones count where several hold.
    stem : int
        Its index.
    frames : int
        Length of the recording.

    Returns
    -------
    stretches : list of (int, int, maker)
        Gapless from 0 to `frames`; neighbours differ.
    """
    mine = [claim for claim in claims if claim.stem is None or claim.stem == stem]
    limits = [
        (min(max(c.start_frame or 0, 0), frames), frames if c.stop_frame is None else min(max(c.stop_frame, 0), frames))
        for c in mine
    ]
    borders = sorted({0, frames, *(limit for each in limits for limit in each)})
    stretches: list[tuple[int, int, Maker]] = []
    for start, stop in pairwise(borders):
        over = [c.maker for c, (low, high) in zip(mine, limits, strict=True) if low <= start and stop <= high]
        if stretches and stretches[-1][2] == over[-1]:
            stretches[-1] = (stretches[-1][0], stop, over[-1])
        else:
            stretches.append((start, stop, over[-1]))
    return stretches


def otherwise_made(
    old: Sequence[EngineClaim], new: Sequence[EngineClaim], stem: int, frames: int, fade_frames: int
) -> list[tuple[int, int]]:
    """Return where one stem has another maker than before, ramps included.

    Parameters
    ----------
    old, new : sequence of EngineClaim
        The claims before and now.
    stem : int
        Its index.
    frames : int
        Length of the recording.
    fade_frames : int
        Length of a cross-fade.

    Returns
    -------
    stretches : list of (int, int)
        Half-open, rising, apart from each other, inside [0, frames].
    """
    differ = [
        (max(a, c), min(b, d))
        for a, b, before in engines_over_time(old, stem, frames)
        for c, d, after in engines_over_time(new, stem, frames)
        if before != after and max(a, c) < min(b, d)
    ]
    return joined_stretches([(max(a - fade_frames, 0), min(b + fade_frames, frames)) for a, b in differ], fade_frames)


def joined_stretches(stretches: Iterable[tuple[int, int]], fade_frames: int) -> list[tuple[int, int]]:
    """Join stretches that overlap, or are too near to each other for two ramps; rising."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(stretches):
        if joined and start <= joined[-1][1] + 2 * fade_frames:
            joined[-1] = joined[-1][0], max(joined[-1][1], stop)
        elif stop > start:
            joined.append((start, stop))
    return joined


def changed_stretches(old: SoundingNotes, new: SoundingNotes, sample_rate: int, frames: int) -> list[tuple[int, int]]:
    """Return where stems may sound otherwise, after notes were moved, added or left out.

    Parameters
    ----------
    old, new : SoundingNotes
        The notes before and now.
    sample_rate : int
        Frames in a second.
    frames : int
        Length of the recording.

    Returns
    -------
    stretches : list of (int, int)
        Half-open, rising, apart from each other, inside [0, frames].
    """
    rows = [
        np.stack([n.stem_index, np.nan_to_num(n.pitch_midi, nan=-1.0), n.onset_frame, n.offset_frame], 1).astype(float)
        for n in (old, new)
    ]
    both, index, count = np.unique(np.concatenate(rows), axis=0, return_inverse=True, return_counts=True)
    in_old = np.bincount(index.reshape(-1)[: len(rows[0])], minlength=len(count))
    differ = both[2 * in_old != count]
    if not len(differ):
        return []
    starts = np.clip(differ[:, 2].astype(np.int64) - round(BEFORE_S * sample_rate), 0, frames)
    stops = np.clip(differ[:, 3].astype(np.int64) + round(AFTER_S * sample_rate), 0, frames)
    return joined_stretches(zip(starts.tolist(), stops.tolist(), strict=True), round(FADE_S * sample_rate))
