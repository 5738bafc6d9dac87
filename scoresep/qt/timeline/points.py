"""The positions of the score that can be grasped and put elsewhere: bar lines, beats, and points placed by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import SAME_QUARTER
from scoresep.model.timemap import SyncPoint, grid_quarters
from scoresep.qt.timeline.score_layout import ScoreLayout
from scoresep.qt.timeline.time_axis import TimeAxis

# Beats and bars nearer to each other than this cannot be told apart by the pointer.
LEAST_BEAT_PX = 14.0
LEAST_BAR_PX = 7.0


@dataclass(frozen=True)
class Handle:
    """A position that can be grasped.

    Attributes
    ----------
    quarter : float
    frame : int
        Where it lies now.
    is_by_hand : bool
    """

    quarter: float
    frame: int
    is_by_hand: bool = False


@dataclass(frozen=True)
class Dragged:
    """What a drag would do, for painting.

    Attributes
    ----------
    quarter : float
    frame : int
        Where the position would lie.
    present : ScoreLayout
        Everything as it is now.
    is_snapped : bool
        Whether it lies on an attack.
    text : str
        The position and how far it is moved.
    last_quarter : float or None
        Where many positions are dragged at once, the last of them; `quarter` is the first.
    """

    quarter: float
    frame: int
    present: ScoreLayout
    is_snapped: bool
    text: str
    last_quarter: float | None = None


@dataclass(frozen=True)
class PointsShown:
    """What the timeline shows of points.

    Attributes
    ----------
    is_correcting : bool
        Whether automatic ones are shown too, and can be grasped anywhere.
    selected_quarter : float or None
    dragged : Dragged or None
    """

    is_correcting: bool = False
    selected_quarter: float | None = None
    dragged: Dragged | None = None


def handles_in(layout: ScoreLayout, axis: TimeAxis, with_automatic: bool) -> list[Handle]:
    """Return what can be grasped in the visible range, as far as this zoom tells it apart."""
    time_map, grid = layout.grid.time_map, layout.grid
    low, high = axis.x_to_frame(-20.0), axis.x_to_frame(axis.width_px + 20.0)
    hand = time_map.is_by_hand & (time_map.frame >= low) & (time_map.frame <= high)
    handles = [
        Handle(q, f, True) for q, f in zip(time_map.quarter[hand].tolist(), time_map.frame[hand].tolist(), strict=True)
    ]
    bar_px = grid.typical_bar_frames / axis.frames_per_px
    if with_automatic and layout.is_aligned and bar_px >= LEAST_BAR_PX:
        with_beats = bar_px / max(grid.typical_beats, 1) >= LEAST_BEAT_PX
        first, last = grid.visible_steps(low, high)
        quarters = grid_quarters(layout.unfolded, first, last, with_beats)
        taken = time_map.quarter[hand]
        if len(taken):
            nearest = np.abs(quarters[:, None] - taken[None]).min(axis=1)
            quarters = quarters[nearest > SAME_QUARTER]
        frames = time_map.quarters_to_frames(quarters)
        handles += [Handle(q, f) for q, f in zip(quarters.tolist(), frames.tolist(), strict=True) if low <= f <= high]
    return handles


def nearest_handle(handles: list[Handle], frame: float, tolerance_frames: float) -> Handle | None:
    """Return the handle nearest to a frame; those by hand win where both are near."""
    near = [h for h in handles if abs(h.frame - frame) <= tolerance_frames]
    return min(near, key=lambda h: (not h.is_by_hand, abs(h.frame - frame)), default=None)


def point_at(unfolded: UnfoldedScore, quarter: float, frame: int) -> SyncPoint:
    """Return a position of the path as a point by hand."""
    step, beat = unfolded.quarter_to_beat(quarter)
    return SyncPoint(step.measure_index, step.occurrence, beat, frame)


def name_of(layout: ScoreLayout, quarter: float) -> str:
    """Write a position: ``bar 5 (2)``, ``bar 5, beat 3``."""
    _, beat = layout.unfolded.quarter_to_beat(quarter)
    bar = f"bar {layout.grid.labels[layout.unfolded.step_at(quarter)]}"
    return bar if abs(beat - 1) < 1e-3 else f"{bar}, beat {beat:.3g}"
