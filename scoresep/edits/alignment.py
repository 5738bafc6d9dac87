"""Edits of the alignment by hand beyond placing one point (`edits.place_bar`): free a point, move many at once.

Pure functions from the present project to a `Change`, as in `edits`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scoresep.edits.project import move_along, position_text
from scoresep.errors import UsageError
from scoresep.model.alignment import Alignment
from scoresep.model.project import Change, Project, change_to
from scoresep.model.score import UnfoldedScore
from scoresep.model.time_warping import present_frame, room_for_block, shift_alignment, shift_alignment_block
from scoresep.model.timebase import SAME_QUARTER
from scoresep.model.timemap import SyncPoint, TimeMap


def quarter_of(unfolded: UnfoldedScore, point: SyncPoint) -> float:
    """Return where on the path a point lies.

    Raises
    ------
    UsageError
        If its bar is not played.
    """
    quarter = unfolded.beat_to_quarter(point.measure_index, point.occurrence, point.beat)
    if quarter is None:
        raise UsageError("This bar is not played on the chosen path.")
    return quarter


def free_point(project: Project, point: SyncPoint) -> Change:
    """Take back that a point was placed by hand: it stays where it is, and the next alignment may move it.

    Raises
    ------
    UsageError
        If no point was placed there by hand.
    """
    unfolded, alignment = _aligned(project)
    quarter = quarter_of(unfolded, point)
    kept = tuple(p for p in project.hand_points if abs(quarter_of(unfolded, p) - quarter) > SAME_QUARTER)
    if len(kept) == len(project.hand_points):
        raise UsageError("There is no point placed by hand; choose one that is shown filled.")
    present = alignment.time_map
    by_hand = present.is_by_hand & (np.abs(present.quarter - quarter) > SAME_QUARTER)
    freed = replace(alignment, time_map=TimeMap(present.quarter, present.frame, by_hand))
    text = f"Free {position_text(unfolded, point)}"
    return change_to(project, text, alignment=freed, pending_alignment=None, hand_points=kept)


def shift_after(project: Project, point: SyncPoint) -> Change:
    """Put a position on a frame by hand, and move all that comes after by as much, points by hand included.

    Raises
    ------
    UsageError
        If there is no alignment yet, the position would come before a point by hand, or one of those after it would
        leave the recording.
    """
    unfolded, alignment = _aligned(project)
    assert project.recording is not None
    quarter, frames = quarter_of(unfolded, point), project.recording.frames
    shift = point.frame - present_frame(alignment.time_map, quarter)
    points = [replace(point, is_by_hand=True)]
    for other in project.hand_points:
        other_quarter = quarter_of(unfolded, other)
        if abs(other_quarter - quarter) <= SAME_QUARTER:
            continue
        is_after = other_quarter > quarter
        if not is_after and other.frame >= point.frame:
            raise UsageError("A point cannot be placed beyond its neighbour; move or remove that one first.")
        points.append(replace(other, frame=other.frame + shift) if is_after else other)
    if not all(0 <= p.frame <= frames for p in points):
        raise UsageError("A point would leave the recording; move it by less, or remove the last points first.")
    moved = shift_alignment(alignment, unfolded, quarter, point.frame)
    return change_to(
        project,
        f"Shift all from {position_text(unfolded, point)}",
        alignment=moved,
        pending_alignment=None,
        hand_points=tuple(sorted(points, key=lambda p: p.frame)),
        activities=move_along(project, moved),
    )


def shift_block(project: Project, first: SyncPoint, last: SyncPoint, shift_frames: int) -> Change:
    """Move all from one position to another by as much: what was selected.

    Both become points by hand, those inside go along, those outside never move, and what lies between bends.

    Parameters
    ----------
    project : Project
    first, last : SyncPoint
        Where the block begins and ends; their frames are not looked at.
    shift_frames : int

    Raises
    ------
    UsageError
        If there is no alignment yet, or the block would pass a point by hand or leave the recording.
    """
    unfolded, alignment = _aligned(project)
    assert project.recording is not None
    time_map = alignment.time_map
    ends = quarter_of(unfolded, first), quarter_of(unfolded, last)
    low, high = room_for_block(time_map, *ends, project.recording.frames)
    if not low <= shift_frames <= high:
        raise UsageError("What is selected cannot be moved beyond a point by hand or the recording; move it by less.")
    moved = shift_alignment_block(alignment, unfolded, *ends, shift_frames)
    points = []
    for point in project.hand_points:
        quarter = quarter_of(unfolded, point)
        if min(abs(quarter - end) for end in ends) <= SAME_QUARTER:
            continue  # an end of the block takes its place
        is_inside = ends[0] < quarter < ends[1]
        points.append(replace(point, frame=point.frame + shift_frames) if is_inside else point)
    places = dict(zip(ends, (first, last), strict=True))
    points += [
        replace(point, frame=time_map.quarter_to_frame(quarter) + shift_frames, is_by_hand=True)
        for quarter, point in places.items()
    ]
    return change_to(
        project,
        f"Shift {position_text(unfolded, first)}" + (f" to {position_text(unfolded, last)}" if len(places) > 1 else ""),
        alignment=moved,
        pending_alignment=None,
        hand_points=tuple(sorted(points, key=lambda p: p.frame)),
        activities=move_along(project, moved),
    )


def _aligned(project: Project) -> tuple[UnfoldedScore, Alignment]:
    if project.unfolded is None or project.alignment is None or project.recording is None:
        raise UsageError("Align the recording and its score first.")
    return project.unfolded, project.alignment
