"""Edits of who plays when, part by part: pure functions from the present project to a `Change`, as in `edits`.

What is touched is marked as made by hand, and survives a new alignment (`edits.with_hand_made`).
"""

from __future__ import annotations

from collections.abc import Callable

from scoresep.errors import UsageError
from scoresep.model.activity_edits import with_edge, with_range, without_range
from scoresep.model.project import Change, Project, change_to
from scoresep.model.segments import BRIDGED_GAP_S, Activity
from scoresep.model.timebase import second_to_frame


def move_edge(project: Project, part_index: int, stretch: int, is_start: bool, frame: int) -> Change:
    """Move the start or end of one stretch of a part.

    Raises
    ------
    UsageError
        If there is no such stretch.
    """
    frame = min(max(frame, 0), _frames(project))
    return _change(
        project, part_index, lambda a: with_edge(_having(a, stretch), stretch, is_start, frame), "Move an edge of"
    )


def split(project: Project, part_index: int, frame: int) -> Change:
    """Divide the stretch of a part at a frame by the shortest pause that counts as one.

    Raises
    ------
    UsageError
        If the part does not sound there for long enough.
    """
    assert project.recording is not None
    pause = second_to_frame(BRIDGED_GAP_S, project.recording.sample_rate) + 2
    start, end = frame - pause // 2, frame + (pause + 1) // 2

    def divided(activity: Activity) -> Activity:
        inside = (activity.start_frame < start) & (activity.end_frame > end)
        if not inside.any():
            raise UsageError("The part does not sound here for long enough to be split; choose another place.")
        return without_range(activity, start, end)

    return _change(project, part_index, divided, "Split")


def merge(project: Project, part_index: int, frame: int) -> Change:
    """Join the stretches of a part on either side of a frame; inside a stretch, that one with the next.

    Raises
    ------
    UsageError
        If there are no two.
    """

    def merged(activity: Activity) -> Activity:
        before = (activity.start_frame <= frame).nonzero()[0]
        if not len(before) or before[-1] + 1 >= len(activity.start_frame):
            raise UsageError("There is no second stretch to merge with; choose a place between two.")
        at = int(before[-1])
        return with_range(activity, int(activity.start_frame[at]), int(activity.end_frame[at + 1]))

    return _change(project, part_index, merged, "Merge")


def set_sounding(project: Project, part_index: int, start_frame: int, end_frame: int, is_sounding: bool) -> Change:
    """Say that a part sounds, or is silent, through a range."""
    start, end = max(start_frame, 0), min(end_frame, _frames(project))
    if is_sounding:
        return _change(project, part_index, lambda a: with_range(a, start, end), "Let sound:")
    return _change(project, part_index, lambda a: without_range(a, start, end), "Silence")


def _change(project: Project, part_index: int, make: Callable[[Activity], Activity], text: str) -> Change:
    if project.activities is None:
        raise UsageError("Find first which parts sound when: align, or segment.")
    made = tuple(make(a) if a.part_index == part_index else a for a in project.activities)
    return change_to(project, f"{text} {project.parts[part_index].name}", activities=made)


def _having(activity: Activity, stretch: int) -> Activity:
    if not 0 <= stretch < len(activity.start_frame):
        raise UsageError("There is no such stretch any more; choose another one.")
    return activity


def _frames(project: Project) -> int:
    if project.recording is None:
        raise UsageError("Open a recording first.")
    return project.recording.frames
