"""Changes of one part's activity by hand: an edge moved, a stretch cut out or filled in. What is touched is by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scoresep.model.alignment import NoteTimes
from scoresep.model.bending import joined_activity
from scoresep.model.score import PathNotes
from scoresep.model.segments import Activity


def with_edge(activity: Activity, index: int, is_start: bool, frame: int) -> Activity:
    """Move the start or end of a stretch; it keeps at least a frame, and joins another one that it reaches.

    Parameters
    ----------
    activity : Activity
    index : int
        Which stretch.
    is_start : bool
        Whether its start is moved, not its end.
    frame : int
    """
    starts, ends, hand = _columns(activity)
    if is_start:
        starts[index] = min(max(frame, 0), int(ends[index]) - 1)
    else:
        ends[index] = max(frame, int(starts[index]) + 1)
    hand[index] = True
    return replace(joined_activity(activity.part_index, starts, ends, hand), heard=activity.heard)


def without_range(activity: Activity, start_frame: int, end_frame: int) -> Activity:
    """Let the part be silent in a range; what is left of the stretches on either side is by hand."""
    starts, ends, hand = _columns(activity)
    touched = (starts < end_frame) & (ends > start_frame)
    if start_frame >= end_frame or not touched.any():
        return activity
    left = touched & (starts < start_frame)
    right = touched & (ends > end_frame)
    all_starts = np.concatenate([starts[~touched], starts[left], np.full(int(right.sum()), end_frame)])
    all_ends = np.concatenate([ends[~touched], np.full(int(left.sum()), start_frame), ends[right]])
    by_hand = np.concatenate([hand[~touched], np.ones(int(left.sum() + right.sum()), np.bool_)])
    return _sorted(activity, all_starts, all_ends, by_hand)


def with_range(activity: Activity, start_frame: int, end_frame: int) -> Activity:
    """Let the part sound through a range; stretches that touch it become one with it."""
    starts, ends, hand = _columns(activity)
    if start_frame >= end_frame or np.any((starts <= start_frame) & (ends >= end_frame)):
        return activity
    return _sorted(activity, np.append(starts, start_frame), np.append(ends, end_frame), np.append(hand, True))


def edge_near(activity: Activity, frame: float, tolerance_frames: float) -> tuple[int, bool] | None:
    """Return which edge lies nearest to a frame: the stretch, and whether it is its start; None where none is near."""
    edges = np.concatenate([activity.start_frame, activity.end_frame])
    if not len(edges):
        return None
    at = int(np.argmin(np.abs(edges - frame)))
    count = len(activity.start_frame)
    return (at % count, at < count) if abs(float(edges[at]) - frame) <= tolerance_frames else None


def note_edge_near(
    notes: PathNotes, times: NoteTimes, part_index: int, frame: int, tolerance_frames: float
) -> int | None:
    """Return the start or end of a note of a part that lies nearest to a frame; None where none is near."""
    mine = (notes.part_index == part_index) & times.is_present
    edges = np.concatenate([times.onset_frame[mine], times.offset_frame[mine]])
    if not len(edges):
        return None
    nearest = int(edges[np.argmin(np.abs(edges - frame))])
    return nearest if abs(nearest - frame) <= tolerance_frames else None


def _columns(activity: Activity) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    assert activity.is_by_hand is not None
    return activity.start_frame.copy(), activity.end_frame.copy(), activity.is_by_hand.copy()


def _sorted(
    activity: Activity, starts: NDArray[np.int64], ends: NDArray[np.int64], by_hand: NDArray[np.bool_]
) -> Activity:
    order = np.argsort(starts, kind="stable")
    joined = joined_activity(activity.part_index, starts[order], ends[order], by_hand[order])
    return replace(joined, heard=activity.heard)
