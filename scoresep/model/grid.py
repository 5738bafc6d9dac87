"""The bar lines and beats of a performance path, as positions in quarters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.model.score import UnfoldedScore


def grid_quarters(unfolded: UnfoldedScore, first_step: int, last_step: int, with_beats: bool) -> NDArray[np.float64]:
    """Return the starts of bars [first_step, last_step) of the path, their beats where asked for, and the last end.

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
