"""Edits of who plays when, part by part: pure functions from the present project to a `Change`, as in `edits`.

What is touched is marked as made by hand, and survives a new alignment (`edits.merge_hand_made`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from scoresep.errors import UsageError
from scoresep.model.colors import default_part_colors
from scoresep.model.project import Change, ChannelStrip, PartSettings, Project, change_to
from scoresep.model.score import Instrument
from scoresep.model.segments import BRIDGED_GAP_S, Activity
from scoresep.model.time_warping import with_edge, with_range, without_range
from scoresep.model.timebase import second_to_frame


def move_edge(project: Project, part_index: int, stretch: int, is_start: bool, frame: int) -> Change:
    """Move the start or end of one stretch of a part.

    Parameters
    ----------
    project : Project
    part_index : int
    stretch : int
        Which stretch of the part, counted from 0.
    is_start : bool
        Whether its start is moved, not its end.
    frame : int
        Clipped to the recording.

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

    Parameters
    ----------
    project : Project
    part_index : int
    frame : int

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

    Parameters
    ----------
    project : Project
    part_index : int
    frame : int

    Raises
    ------
    UsageError
        If there are no two.
    """

    def merged(activity: Activity) -> Activity:
        before = (activity.start_frame <= frame).nonzero()[0]
        if not len(before) or before[-1] + 1 >= len(activity.start_frame):
            raise UsageError("There is no second activity to join with; choose a place between two.")
        at = int(before[-1])
        return with_range(activity, int(activity.start_frame[at]), int(activity.end_frame[at + 1]))

    return _change(project, part_index, merged, "Join")


def set_sounding(project: Project, part_index: int, start_frame: int, end_frame: int, is_sounding: bool) -> Change:
    """Say that a part sounds, or is silent, through a range.

    Parameters
    ----------
    project : Project
    part_index : int
    start_frame, end_frame : int
        The range [start_frame, end_frame), clipped to the recording.
    is_sounding : bool

    Raises
    ------
    UsageError
        If no recording is open, or nobody has found yet which parts sound when.
    """
    start, end = max(start_frame, 0), min(end_frame, _frames(project))
    if is_sounding:
        return _change(project, part_index, lambda a: with_range(a, start, end), "Let sound:")
    return _change(project, part_index, lambda a: without_range(a, start, end), "Silence")


def set_sets(project: Project, activities: tuple[Activity, ...]) -> Change:
    """Take the sets that were found without a score; each is shown like a part, named by a letter.

    Raises
    ------
    UsageError
        There is a score, which tells who plays.
    """
    if project.score is not None:
        raise UsageError("This project has a score, which tells who plays; segment by it.")
    count = len(activities)
    parts = tuple(
        PartSettings(set_name(k), color, Instrument("Set")) for k, color in enumerate(default_part_colors(count))
    )
    mixer = replace(project.mixer, strips=(ChannelStrip(),) * count)
    return change_to(project, "Segment without score", activities=activities, parts=parts, mixer=mixer)


def set_name(index: int) -> str:
    """Return A, B, ... Z, AA, AB, ... for 0, 1, ..."""
    letter = chr(ord("A") + index % 26)
    return letter if index < 26 else set_name(index // 26 - 1) + letter


def _change(project: Project, part_index: int, make: Callable[[Activity], Activity], text: str) -> Change:
    if project.activities is None:
        raise UsageError("Find first which parts sound when: align, or segment.")
    made = tuple(make(a) if a.part_index == part_index else a for a in project.activities)
    return change_to(project, f"{text} {project.parts[part_index].name}", activities=made)


def _having(activity: Activity, stretch: int) -> Activity:
    if not 0 <= stretch < len(activity.start_frame):
        raise UsageError("There is no such activity any more; choose another one.")
    return activity


def _frames(project: Project) -> int:
    if project.recording is None:
        raise UsageError("Open a recording first.")
    return project.recording.frames
