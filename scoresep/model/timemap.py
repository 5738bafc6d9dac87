"""The time map: which frame of the recording every position of the performance path falls on.

It is a strictly rising, piecewise linear map through sync points. Those placed by hand are never moved by the program.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scoresep.model.arrays import ArrayEquality, frozen
from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import SAME_QUARTER


@dataclass(frozen=True)
class SyncPoint:
    """One position of the performance path joined to one frame.

    The musical side is kept as measure, occurrence and beat (not as quarters), so that the point survives when
    another repeat is taken or a corrected score replaces the present one.

    Attributes
    ----------
    measure_index, occurrence : int
        Measure of the score from 0; the how manieth time it is played, from 1.
    beat : float
        In the metre's unit, from 1.
    frame : int
    is_by_hand : bool
        Placed by a person, not by the program.
    """

    measure_index: int
    occurrence: int
    beat: float
    frame: int
    is_by_hand: bool = True


@dataclass(frozen=True, eq=False)
class TimeMap(ArrayEquality):
    """A strictly rising map between quarters of the performance path and frames.

    Attributes
    ----------
    quarter : ndarray [shape=(points,)], float64
        Strictly rising by more than `SAME_QUARTER`; at least two points.
    frame : ndarray [shape=(points,)], int64
        Strictly rising.
    is_by_hand : ndarray [shape=(points,)], bool
        Which of the points a person has placed.

    Raises
    ------
    ValueError
        If the points do not rise.
    """

    quarter: NDArray[np.float64]
    frame: NDArray[np.int64]
    is_by_hand: NDArray[np.bool_]

    def __post_init__(self) -> None:
        object.__setattr__(self, "quarter", frozen(self.quarter, np.float64))
        object.__setattr__(self, "frame", frozen(self.frame, np.int64))
        object.__setattr__(self, "is_by_hand", frozen(self.is_by_hand, np.bool_))
        if not len(self.quarter) == len(self.frame) == len(self.is_by_hand) >= 2:
            raise ValueError("a time map needs at least two points, each with quarter, frame and origin")
        if not (np.all(np.diff(self.quarter) > SAME_QUARTER) and np.all(np.diff(self.frame) > 0)):
            raise ValueError("quarters and frames of a time map must rise strictly")

    def quarters_to_frames(self, quarters: ArrayLike) -> NDArray[np.int64]:
        """Convert positions in quarters to the nearest frames; beyond the ends the nearest stretch's tempo goes on.

        Returns
        -------
        frames : ndarray, int64
            Of the shape of `quarters`; may lie outside the recording.
        """
        x = np.asarray(quarters, np.float64)
        return np.rint(_extrapolated(x, self.quarter, self.frame.astype(np.float64))).astype(np.int64)

    def frames_to_quarters(self, frames: ArrayLike) -> NDArray[np.float64]:
        """Convert frames to positions in quarters, of the shape of `frames`."""
        return _extrapolated(np.asarray(frames, np.float64), self.frame.astype(np.float64), self.quarter)

    def quarter_to_frame(self, quarter: float) -> int:
        """Convert one position in quarters to the nearest frame."""
        return int(self.quarters_to_frames(quarter))

    def frame_to_quarter(self, frame: float) -> float:
        """Convert one frame to its position in quarters."""
        return float(self.frames_to_quarters(frame))


def _extrapolated(x: NDArray[np.float64], xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate linearly, with the slope of the first and last stretch beyond the ends."""
    y = np.interp(x, xs, ys)
    y = np.where(x < xs[0], ys[0] + (x - xs[0]) * (ys[1] - ys[0]) / (xs[1] - xs[0]), y)
    return np.where(x > xs[-1], ys[-1] + (x - xs[-1]) * (ys[-1] - ys[-2]) / (xs[-1] - xs[-2]), y)


def rising_time_map(quarter: ArrayLike, frame: ArrayLike, is_by_hand: ArrayLike | None = None) -> TimeMap:
    """Make a time map of points that may be unordered, doubled or contradictory.

    Points by hand are all kept (they must rise among themselves). Of the others, the largest set that rises strictly
    between their neighbours by hand is kept.

    Parameters
    ----------
    quarter, frame : array_like [shape=(points,)]
    is_by_hand : array_like of bool [shape=(points,)], optional
        All False by default.

    Raises
    ------
    ValueError
        If fewer than two points remain or the points by hand do not rise.
    """
    q, f = np.asarray(quarter, np.float64), np.rint(np.asarray(frame, np.float64)).astype(np.int64)
    hand = np.zeros(len(q), np.bool_) if is_by_hand is None else np.asarray(is_by_hand, np.bool_)
    order = np.lexsort((f, ~hand, q))
    kept: list[int] = []
    bounds = [-1, *np.flatnonzero(hand[order]).tolist(), len(order)]
    for left, right in pairwise(bounds):
        if left >= 0:
            kept.append(int(order[left]))
        low = (q[order[left]], f[order[left]]) if left >= 0 else (-np.inf, -np.inf)
        high = (q[order[right]], f[order[right]]) if right < len(order) else (np.inf, np.inf)
        inner = [int(i) for i in order[left + 1 : right]]
        inside = [i for i in inner if low[0] + SAME_QUARTER < q[i] < high[0] - SAME_QUARTER and low[1] < f[i] < high[1]]
        kept.extend(_longest_rising(inside, q, f))
    return TimeMap(q[kept], f[kept], hand[kept])


def _longest_rising(indices: list[int], q: NDArray[np.float64], f: NDArray[np.int64]) -> list[int]:
    """Pick the longest subsequence of `indices` (sorted by quarter) in which quarters and frames rise strictly."""
    # Of points at the same quarter, falling frames let the chain take one at most.
    group = np.cumsum([False, *(np.diff(q[indices]) > SAME_QUARTER)]) if indices else np.zeros(0)
    ordered = [indices[i] for i in np.lexsort((-f[indices], group))] if indices else []
    tails: list[int] = []
    tail_frames: list[int] = []
    previous: dict[int, int | None] = {}
    for i in ordered:
        at = bisect_left(tail_frames, int(f[i]))
        previous[i] = tails[at - 1] if at else None
        if at == len(tails):
            tails.append(i)
            tail_frames.append(int(f[i]))
        else:
            tails[at], tail_frames[at] = i, int(f[i])
    chain: list[int] = []
    at_point: int | None = tails[-1] if tails else None
    while at_point is not None:
        chain.append(at_point)
        at_point = previous[at_point]
    return chain[::-1]


def grid_quarters(unfolded: UnfoldedScore, first_step: int, last_step: int, with_beats: bool) -> NDArray[np.float64]:
    """Return the starts of bars [first_step, last_step) of the path, their beats where asked for, and the last end.

    Parameters
    ----------
    unfolded : UnfoldedScore
    first_step, last_step : int
        Bars of the path, counted in the order played from 0.
    with_beats : bool

    Returns
    -------
    quarters : ndarray [shape=(positions,)], float64
        Rising; empty where there are no bars.
    """
    starts = unfolded.step_start_quarter
    quarters: list[float] = []
    for step in range(first_step, last_step):
        start, end = float(starts[step]), float(starts[step + 1])
        quarters.append(start)
        if with_beats:
            measure = unfolded.measure_of_step(step)
            beat = int(np.floor(measure.offset_to_beat(0.0) + 1e-6)) + 1
            while start + measure.beat_to_offset(beat) < end - 1e-6:
                quarters.append(start + measure.beat_to_offset(beat))
                beat += 1
    if last_step > first_step:
        quarters.append(float(starts[last_step]))
    return np.array(quarters)


_LABEL = re.compile(
    r"(?:(?:bar|measure|takt|mesure|m\.)\s*)?"
    r"(?P<bar>[^\s.,:()]+)"
    r"(?:\s*[.:,]\s*(?:beat\s*)?(?P<beat>\d+(?:\.\d+)?)|\s+beat\s+(?P<spoken>\d+(?:\.\d+)?))?"
    r"(?:\s*\((?P<time>\d+)\))?",
    re.IGNORECASE,
)
END = "end"


def parse_labels(labels: Sequence[str], unfolded: UnfoldedScore) -> NDArray[np.float64] | None:
    """Read labels in the order of time as positions; a bar without the time that it is meant is the next one played.

    Returns
    -------
    quarters : ndarray [shape=(labels,)], float64, or None
        Strictly rising; NaN for empty labels. None where a label is no position of this path, or they do not rise.
    """
    steps_of: dict[str, list[int]] = defaultdict(list)
    for i in range(len(unfolded.path.steps)):
        steps_of[unfolded.measure_of_step(i).number.casefold()].append(i)
    quarters: list[float] = []
    last = -np.inf
    for label in labels:
        quarter = np.nan if not label.strip() else _quarter_of(label.strip(), unfolded, steps_of, last)
        if quarter is None:
            return None
        if not np.isnan(quarter):
            if quarter <= last + SAME_QUARTER:
                return None
            last = quarter
        quarters.append(quarter)
    return np.array(quarters) if np.sum(~np.isnan(quarters)) >= 2 else None


def _quarter_of(label: str, unfolded: UnfoldedScore, steps_of: dict[str, list[int]], last: float) -> float | None:
    if label.casefold() == END:
        return unfolded.end_quarter
    match = _LABEL.fullmatch(label)
    if match is None:
        return None
    beat = match["beat"] or match["spoken"]
    for step in steps_of.get(match["bar"].casefold(), ()):
        start, end = (float(q) for q in unfolded.step_start_quarter[step : step + 2])
        offset = 0.0 if beat is None else unfolded.measure_of_step(step).beat_to_offset(float(beat))
        is_inside = -SAME_QUARTER <= offset < end - start - SAME_QUARTER
        is_meant = match["time"] is None or int(match["time"]) == unfolded.path.steps[step].occurrence
        if is_inside and is_meant and start + offset > last + SAME_QUARTER:
            return start + offset
    return None


def match_count(count: int, unfolded: UnfoldedScore) -> NDArray[np.float64] | None:
    """Return the bars or beats that so many instants can be: one for each, or one more for the end of the score.

    Returns
    -------
    quarters : ndarray [shape=(count,)], float64, or None
        None where neither fits.
    """
    for with_beats in (False, True):
        grid = grid_quarters(unfolded, 0, len(unfolded.path.steps), with_beats)
        if count in (len(grid), len(grid) - 1) and count >= 2:
            return grid[:count]
    return None


def counts(unfolded: UnfoldedScore) -> tuple[int, int]:
    """Return how many bars and beats are played."""
    steps = len(unfolded.path.steps)
    return steps, len(grid_quarters(unfolded, 0, steps, with_beats=True)) - 1
