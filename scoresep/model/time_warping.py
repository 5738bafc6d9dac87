"""What follows when a position of the score is put on another frame: the time map bends, notes and activities go along.

Pure functions of values, for edits and for the preview while a person drags.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.score import PathNotes, UnfoldedScore
from scoresep.model.segments import Activity, join_intervals
from scoresep.model.timebase import SAME_QUARTER
from scoresep.model.timemap import TimeMap, rising_time_map

# A nearby correction fades out over at least this many times its own size, so that the map keeps rising and no tempo
# changes by more than a third.
FADE_PER_SHIFT = 3.0
# The least distance between two points by hand.
APART_FRAMES = 1


class WarpExtent(StrEnum):
    """How far a correction at one place moves what is around it; never beyond a point placed by hand.

    `NEAR`: it fades within a bar, or more where it is large. `ONWARD`: what comes after moves as much, what was before
    as with `NEAR`. `NEIGHBOURS`: it fades out at the points by hand on either side; with none there, all moves as much.
    """

    NEAR = "near"
    ONWARD = "onward"
    NEIGHBOURS = "neighbours"


def warp_alignment(
    alignment: Alignment, unfolded: UnfoldedScore, quarter: float, frame: int, reach: WarpExtent = WarpExtent.NEIGHBOURS
) -> Alignment:
    """Put one position of the score on a frame, as a point by hand; its notes start just there.

    Parameters
    ----------
    alignment : Alignment
    unfolded : UnfoldedScore
    quarter : float
    frame : int
        Between those of the neighbours by hand, see `room_for`.
    reach : WarpExtent
    """
    time_map = alignment.time_map
    shift = frame - time_map.quarter_to_frame(quarter)
    bar_quarter = max(unfolded.measure_of_step(unfolded.step_at(quarter)).duration_quarter, SAME_QUARTER)
    before, after = _quiet_frames(time_map, (quarter, quarter), (bar_quarter, bar_quarter), abs(shift))
    quiet = {WarpExtent.NEIGHBOURS: [], WarpExtent.ONWARD: [before], WarpExtent.NEAR: [before, after]}[reach]
    return _through(alignment, unfolded, _bent_map(time_map, (quarter, quarter), shift, quiet), quarter, frame)


def shift_alignment(alignment: Alignment, unfolded: UnfoldedScore, quarter: float, frame: int) -> Alignment:
    """Put one position on a frame and move all that comes after by as much, points by hand included.

    Parameters
    ----------
    alignment : Alignment
    unfolded : UnfoldedScore
    quarter : float
        Position on the performance path.
    frame : int
        Beyond the point by hand before it.
    """
    time_map = alignment.time_map
    shift = frame - present_frame(time_map, quarter)
    other = np.abs(time_map.quarter - quarter) > SAME_QUARTER
    frames = time_map.frame + np.where(time_map.quarter > quarter, shift, 0)
    moved = rising_time_map(
        np.append(time_map.quarter[other], quarter),
        np.append(frames[other], frame),
        np.append(time_map.is_by_hand[other], True),
    )
    return _through(alignment, unfolded, moved, quarter, frame)


def present_frame(time_map: TimeMap, quarter: float) -> int:
    """Return the frame that a position has now, before the next point by hand even where both round to the same."""
    after = time_map.frame[time_map.is_by_hand & (time_map.quarter > quarter + SAME_QUARTER)]
    at = time_map.quarter_to_frame(quarter)
    return min(at, int(after[0]) - APART_FRAMES) if len(after) else at


def shift_alignment_block(
    alignment: Alignment, unfolded: UnfoldedScore, first_quarter: float, last_quarter: float, shift_frames: int
) -> Alignment:
    """Move everything from one position to another by as much, points by hand among it; what is around bends.

    Both positions become points by hand. Around them the shift fades as with `WarpExtent.NEAR`, and nothing moves from
    the next point by hand on. Notes inside keep their distances to the frame.

    Parameters
    ----------
    alignment : Alignment
    unfolded : UnfoldedScore
    first_quarter, last_quarter : float
        May be the same.
    shift_frames : int
        Within `room_for_block`.
    """
    time_map, notes, times = alignment.time_map, unfolded.notes, alignment.note_times
    bars = [
        max(unfolded.measure_of_step(unfolded.step_at(q)).duration_quarter, SAME_QUARTER)
        for q in (first_quarter, last_quarter)
    ]
    quiet = _quiet_frames(time_map, (first_quarter, last_quarter), (bars[0], bars[1]), abs(shift_frames))
    bent = _bent_map(time_map, (first_quarter, last_quarter), shift_frames, list(quiet))
    moved, ends = move_note_times(alignment, notes, bent), notes.onset_quarter + notes.duration_quarter
    inside = _is_between(notes.onset_quarter, first_quarter, last_quarter)
    ends_inside = _is_between(ends, first_quarter, last_quarter)
    onset = np.where(inside, times.onset_frame + shift_frames, moved.onset_frame)
    offset = np.where(ends_inside, times.offset_frame + shift_frames, moved.offset_frame)
    offset = np.maximum(offset, onset + (~notes.is_grace).astype(np.int64))
    return replace(alignment, time_map=bent, note_times=replace(times, onset_frame=onset, offset_frame=offset))


def room_for_block(time_map: TimeMap, first_quarter: float, last_quarter: float, total_frames: int) -> tuple[int, int]:
    """Return by how many frames a block can be moved, earlier (negative) and later: up to the points by hand around it.

    Where there is no room the last comes before the first.

    Parameters
    ----------
    time_map : TimeMap
    first_quarter, last_quarter : float
        Where the block begins and ends; may be the same.
    total_frames : int
        Length of the recording.
    """
    first, last = (time_map.quarter_to_frame(q) for q in (first_quarter, last_quarter))
    if last_quarter > first_quarter + SAME_QUARTER:
        inside = time_map.is_by_hand & (np.abs(time_map.quarter - first_quarter) > SAME_QUARTER)
        inside &= (time_map.quarter > first_quarter) & (time_map.quarter < last_quarter - SAME_QUARTER)
        if np.any(np.diff([first, *time_map.frame[inside].tolist(), last]) < APART_FRAMES):
            return 0, -1  # so tight that its ends cannot become points by hand
    before = time_map.frame[time_map.is_by_hand & (time_map.quarter < first_quarter - SAME_QUARTER)]
    after = time_map.frame[time_map.is_by_hand & (time_map.quarter > last_quarter + SAME_QUARTER)]
    low = int(before[-1]) + APART_FRAMES if len(before) else 0
    high = int(after[0]) - APART_FRAMES if len(after) else total_frames
    return low - first, high - last


def room_for(time_map: TimeMap, quarter: float, total_frames: int, shifts_rest: bool = False) -> tuple[int, int]:
    """Return the first and last frame that a position can be put on: between its neighbours by hand.

    Where they leave no room the last comes before the first.

    Parameters
    ----------
    time_map : TimeMap
    quarter : float
    total_frames : int
    shifts_rest : bool
        Points by hand that come after go along, and have to stay inside the recording.
    """
    hand = time_map.is_by_hand & (np.abs(time_map.quarter - quarter) > SAME_QUARTER)
    before = time_map.frame[hand & (time_map.quarter < quarter)]
    after = time_map.frame[hand & (time_map.quarter > quarter)]
    low = int(before[-1]) + APART_FRAMES if len(before) else 0
    if not len(after):
        return low, total_frames
    if shifts_rest:
        return low, present_frame(time_map, quarter) + total_frames - int(after[-1])
    return low, int(after[0]) - APART_FRAMES


def _quiet_frames(
    time_map: TimeMap, block: tuple[float, float], bars: tuple[float, float], shift_frames: int
) -> tuple[float, float]:
    """Return the frames before and after a block (in quarters) at which a shift has faded out: a bar away, or more."""
    first, last = (time_map.quarter_to_frame(q) for q in block)
    fade = FADE_PER_SHIFT * shift_frames
    before = min(float(time_map.quarter_to_frame(block[0] - bars[0])), first - fade, first - 1)
    after = max(float(time_map.quarter_to_frame(block[1] + bars[1])), last + fade, last + 1)
    return before, after


def _is_between(quarters: NDArray[np.float64], first: float, last: float) -> NDArray[np.bool_]:
    return (quarters > first - SAME_QUARTER) & (quarters < last + SAME_QUARTER)


def _bent_map(time_map: TimeMap, block: tuple[float, float], shift_frames: int, quiet: list[float]) -> TimeMap:
    """Move a block (first and last quarter), points by hand in it included, and fade out at points by hand and `quiet`.

    The ends of the block become points by hand.
    """
    ends = np.unique(block)
    inside = _is_between(time_map.quarter, *block)
    fixed = time_map.is_by_hand & ~inside
    at = time_map.quarters_to_frames(ends)
    # Anchors of the shift, in frames as they are: nothing at points by hand around, all of it at the block's ends.
    anchors, shifts = time_map.frame[fixed].astype(np.float64), np.zeros(int(fixed.sum()))
    for rest in quiet:  # a point by hand that is nearer takes its place
        is_nearer = (anchors < at[0]) & (anchors >= rest) if rest < at[0] else (anchors > at[-1]) & (anchors <= rest)
        if not is_nearer.any():
            anchors, shifts = np.append(anchors, rest), np.append(shifts, 0.0)
    anchors, shifts = np.append(anchors, at), np.append(shifts, np.full(len(at), shift_frames))
    order = np.argsort(anchors, kind="stable")
    moved = time_map.frame + np.rint(np.interp(time_map.frame, anchors[order], shifts[order])).astype(np.int64)
    moved = np.where(inside, time_map.frame + shift_frames, np.where(fixed, time_map.frame, moved))
    other = np.abs(time_map.quarter[:, None] - ends).min(axis=1) > SAME_QUARTER
    return rising_time_map(
        np.append(time_map.quarter[other], ends),
        np.append(moved[other], at + shift_frames),
        np.append(time_map.is_by_hand[other], np.ones(len(ends), np.bool_)),
    )


def _through(alignment: Alignment, unfolded: UnfoldedScore, time_map: TimeMap, quarter: float, frame: int) -> Alignment:
    times = move_note_times(alignment, unfolded.notes, time_map)
    here = np.abs(unfolded.notes.onset_quarter - quarter) < SAME_QUARTER
    onset = np.where(here, frame, times.onset_frame)
    confidence = np.where(here & times.is_present, np.float32(1), times.confidence)
    offset = np.maximum(times.offset_frame, onset + (~unfolded.notes.is_grace).astype(np.int64))
    times = replace(times, onset_frame=onset, offset_frame=offset, confidence=confidence)
    return replace(alignment, time_map=time_map, note_times=times)


def move_note_times(alignment: Alignment, notes: PathNotes, new: TimeMap) -> NoteTimes:
    """Shift every note by as much as the map moves under it.

    Parameters
    ----------
    alignment : Alignment
    notes : PathNotes
        Those that `alignment` places.
    new : TimeMap
        In the place of the alignment's own.
    """
    times, old = alignment.note_times, alignment.time_map
    ends = notes.onset_quarter + notes.duration_quarter
    onset = (
        times.onset_frame + new.quarters_to_frames(notes.onset_quarter) - old.quarters_to_frames(notes.onset_quarter)
    )
    offset = times.offset_frame + new.quarters_to_frames(ends) - old.quarters_to_frames(ends)
    return replace(times, onset_frame=onset, offset_frame=np.maximum(offset, onset + 1))


def move_activities(
    activities: tuple[Activity, ...], notes: PathNotes, before: NoteTimes, after: NoteTimes, total_frames: int
) -> tuple[Activity, ...]:
    """Let the edges that lie on the start or end of a note go where it goes; those placed in the sound stay.

    Stretches made by hand stay by hand; one that would be left with no length stays as it was.

    Parameters
    ----------
    activities : tuple of Activity
    notes : PathNotes
    before, after : NoteTimes
        Where the notes were, and where they are now.
    total_frames : int
        Length of the recording.
    """
    moved = []
    for activity in activities:
        mine = (notes.part_index == activity.part_index) & before.is_present & after.is_present
        columns = (before.onset_frame, after.onset_frame, before.offset_frame, after.offset_frame)
        old_on, new_on, old_off, new_off = (np.clip(c[mine], 0, total_frames) for c in columns)
        starts = _followed(activity.start_frame, old_on, new_on, is_start=True)
        ends = _followed(activity.end_frame, old_off, new_off, is_start=False)
        hand = activity.is_by_hand
        assert hand is not None
        lost = hand & (ends <= starts)
        starts, ends = np.where(lost, activity.start_frame, starts), np.where(lost, activity.end_frame, ends)
        moved.append(replace(join_stretches(activity.part_index, starts, ends, hand), heard=activity.heard))
    return tuple(moved)


def join_stretches(
    part_index: int, start_frame: NDArray[np.int64], end_frame: NDArray[np.int64], is_by_hand: NDArray[np.bool_]
) -> Activity:
    """Make an activity of stretches that may overlap or be empty; what is joined with one by hand is by hand.

    Parameters
    ----------
    part_index : int
    start_frame, end_frame : ndarray [shape=(stretches,)], int64
        Sorted by start.
    is_by_hand : ndarray [shape=(stretches,)], bool
    """
    starts, ends = join_intervals(start_frame, end_frame)
    hand_starts = start_frame[is_by_hand & (end_frame > start_frame)]
    of_hand = np.searchsorted(starts, hand_starts, side="right") - 1
    by_hand = np.zeros(len(starts), np.bool_)
    by_hand[of_hand] = True
    return Activity(part_index, starts, ends, by_hand)


def _followed(
    edges: NDArray[np.int64], old: NDArray[np.int64], new: NDArray[np.int64], is_start: bool
) -> NDArray[np.int64]:
    if not len(old) or not len(edges):
        return edges
    places, place_of = np.unique(old, return_inverse=True)
    reduce = np.minimum if is_start else np.maximum
    target = np.full(len(places), np.iinfo(np.int64).max if is_start else np.iinfo(np.int64).min)
    reduce.at(target, place_of, new)
    at = np.minimum(np.searchsorted(places, edges), len(places) - 1)
    return np.where(places[at] == edges, target[at], edges)


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
    return replace(join_stretches(activity.part_index, starts, ends, hand), heard=activity.heard)


def without_range(activity: Activity, start_frame: int, end_frame: int) -> Activity:
    """Let the part be silent in a range; what is left of the stretches on either side is by hand.

    Parameters
    ----------
    activity : Activity
    start_frame, end_frame : int
        The range [start_frame, end_frame); nothing changes where it is empty.
    """
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
    """Let the part sound through a range; stretches that touch it become one with it.

    Parameters
    ----------
    activity : Activity
    start_frame, end_frame : int
        The range [start_frame, end_frame); nothing changes where it is empty.
    """
    starts, ends, hand = _columns(activity)
    if start_frame >= end_frame or np.any((starts <= start_frame) & (ends >= end_frame)):
        return activity
    return _sorted(activity, np.append(starts, start_frame), np.append(ends, end_frame), np.append(hand, True))


def find_edge(activity: Activity, frame: float, tolerance_frames: float) -> tuple[int, bool] | None:
    """Return which edge lies nearest to a frame: the stretch, and whether it is its start; None where none is near.

    Parameters
    ----------
    activity : Activity
    frame : float
    tolerance_frames : float
        Edges further away than this are not near.
    """
    edges = np.concatenate([activity.start_frame, activity.end_frame])
    if not len(edges):
        return None
    at = int(np.argmin(np.abs(edges - frame)))
    count = len(activity.start_frame)
    return (at % count, at < count) if abs(float(edges[at]) - frame) <= tolerance_frames else None


def find_note_edge(
    notes: PathNotes, times: NoteTimes, part_index: int, frame: int, tolerance_frames: float
) -> int | None:
    """Return the start or end of a note of a part that lies nearest to a frame; None where none is near.

    Parameters
    ----------
    notes : PathNotes
    times : NoteTimes
        Of the same notes.
    part_index : int
    frame : int
    tolerance_frames : float
        Edges further away than this are not near.
    """
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
    joined = join_stretches(activity.part_index, starts[order], ends[order], by_hand[order])
    return replace(joined, heard=activity.heard)
