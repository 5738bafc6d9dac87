"""Which positions of a performance path labels of instants mean: ``3``, ``bar 3``, ``3.2``, ``3.2 (2)``, ``end``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scoresep.model.grid import grid_quarters
from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import SAME_QUARTER

_LABEL = re.compile(
    r"(?:(?:bar|measure|takt|mesure|m\.)\s*)?"
    r"(?P<bar>[^\s.,:()]+)"
    r"(?:\s*[.:,]\s*(?:beat\s*)?(?P<beat>\d+(?:\.\d+)?)|\s+beat\s+(?P<spoken>\d+(?:\.\d+)?))?"
    r"(?:\s*\((?P<time>\d+)\))?",
    re.IGNORECASE,
)
END = "end"


def labelled_quarters(labels: Sequence[str], unfolded: UnfoldedScore) -> NDArray[np.float64] | None:
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


def counted_quarters(count: int, unfolded: UnfoldedScore) -> NDArray[np.float64] | None:
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
