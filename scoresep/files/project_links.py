"""The files that a project refers to: how they are named in it, found again after a move, and exchanged.

A link holds the path from the project's folder, so that a folder moved as a whole stays whole, and the absolute path,
for a project that was moved alone. Whether a file is still the same is told by its size and time, and where these
differ by the hash of its content.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TypeVar

import numpy as np

from scoresep.errors import InputError
from scoresep.files.audio_files import open_recording
from scoresep.files.cache import content_key
from scoresep.model.alignment import Alignment
from scoresep.model.audio import Recording
from scoresep.model.project import Project, RecipeRule
from scoresep.model.segments import Activity, Heard
from scoresep.model.timebase import format_time
from scoresep.model.timemap import rising_time_map
from scoresep.progress import Progress

SAME_LENGTH_S = 0.05
T = TypeVar("T", bound=Alignment | None)


@dataclass(frozen=True)
class FileLink:
    """One file or folder that a project refers to.

    Attributes
    ----------
    relative : str or None
        From the project's folder, with forward slashes; None where there is no such path (another drive).
    absolute : str
    size_bytes, modified_ns : int
        As last seen; -1 where it was not there.
    """

    relative: str | None
    absolute: str
    size_bytes: int = -1
    modified_ns: int = -1


@dataclass(frozen=True)
class MissingRecording:
    """A recording that is not where the project expects it; ask the person, then `relink`.

    Attributes
    ----------
    path : str
        Where it was last.
    name : str
        Its file name.
    duration_s : float
    """

    path: str
    name: str
    duration_s: float


@dataclass(frozen=True)
class Relinked:
    """A project with another file for its recording.

    Attributes
    ----------
    project : Project
    is_same : bool
        The file holds the very recording that the project was made with.
    warnings : tuple of str
        What is different about it.
    """

    project: Project
    is_same: bool
    warnings: tuple[str, ...] = ()


def link_to(path: str, project_folder: Path) -> FileLink:
    """Describe a file as seen from a project's folder."""
    relative: str | None
    try:
        relative = Path(os.path.relpath(path, project_folder)).as_posix()
    except ValueError:  # another drive of Windows
        relative = None
    try:
        state = os.stat(path)
    except OSError:
        return FileLink(relative, path)
    return FileLink(relative, path, state.st_size, state.st_mtime_ns)


def candidates(link: FileLink, project_folder: Path) -> tuple[Path, ...]:
    """Return the places where a file that a project refers to exists, the likeliest first."""
    places = []
    if link.relative is not None:
        places.append(Path(os.path.normpath(project_folder / link.relative)))
    places.append(Path(link.absolute))
    places.append(project_folder / file_name(link.absolute))  # beside the project, where people put what belongs to it
    existing = [p for p in places if p.is_absolute() and p.exists()]
    return tuple(dict.fromkeys(existing))


def file_name(path: str) -> str:
    """Return the last piece of a path of any system: projects travel between them."""
    windows = PureWindowsPath(path)
    return windows.name if windows.drive else PurePosixPath(path).name


def find_same(link: FileLink, key: str, places: Iterable[Path], progress: Progress | None = None) -> Path | None:
    """Return the first of `places` that holds the content of hash `key`; None where none does."""
    progress = progress or Progress()
    for place in places:
        try:
            state = place.stat()
            if state.st_size == link.size_bytes and state.st_mtime_ns == link.modified_ns:
                return place
            if link.size_bytes in (-1, state.st_size) and content_key(place, progress) == key:
                return place
        except (OSError, InputError):
            continue
    return None


def relink(project: Project, new_path: str | Path, progress: Progress | None = None) -> Relinked:
    """Give a project another file for its recording.

    Where it has another rate, all places in time are converted, since people do keep the same recording in two rates.

    Raises
    ------
    AudioFileError, OutputError, Cancelled
        As in `open_recording`.
    """
    warnings: list[str] = []
    new = open_recording(new_path, progress, warnings.append)
    old = project.recording
    if old is None or old.content_key == new.content_key:
        return Relinked(replace(project, recording=new), True, tuple(warnings))
    name = Path(new.path).name
    sentence = f"'{name}' is not the file that this project was made with"
    if abs(new.duration_s - old.duration_s) > SAME_LENGTH_S:
        sentence += f": it lasts {format_time(new.duration_s)} instead of {format_time(old.duration_s)}"
    warnings.append(f"{sentence}; check the alignment, and separate again.")
    return Relinked(_in_other_rate(project, old, new), False, tuple(warnings))


def _in_other_rate(project: Project, old: Recording, new: Recording) -> Project:
    if old.sample_rate == new.sample_rate:
        return replace(project, recording=new)
    ratio = new.sample_rate / old.sample_rate
    activities = project.activities
    return replace(
        project,
        recording=new,
        alignment=_scaled_alignment(project.alignment, ratio),
        pending_alignment=_scaled_alignment(project.pending_alignment, ratio),
        hand_points=tuple(replace(p, frame=round(p.frame * ratio)) for p in project.hand_points),
        activities=None if activities is None else tuple(_scaled_activity(a, ratio) for a in activities),
        recipe=replace(project.recipe, rules=tuple(_scaled_rule(rule, ratio) for rule in project.recipe.rules)),
    )


def _scaled_rule(rule: RecipeRule, ratio: float) -> RecipeRule:
    start, end = (None if frame is None else round(frame * ratio) for frame in (rule.start_frame, rule.end_frame))
    return replace(rule, start_frame=start, end_frame=end)


def _scaled_alignment(alignment: T, ratio: float) -> T:
    if alignment is None:
        return alignment
    time_map, times = alignment.time_map, alignment.note_times
    return replace(
        alignment,
        time_map=rising_time_map(time_map.quarter, time_map.frame * ratio, time_map.is_by_hand),
        note_times=replace(
            times,
            onset_frame=np.rint(times.onset_frame * ratio),
            offset_frame=np.rint(times.offset_frame * ratio),
        ),
    )


def _scaled_activity(activity: Activity, ratio: float) -> Activity:
    start = np.rint(activity.start_frame * ratio).astype(np.int64)
    end = np.rint(activity.end_frame * ratio).astype(np.int64)
    start[1:] = np.maximum(start[1:], end[:-1] + 1)
    keep = end > start
    by_hand = activity.is_by_hand
    heard = activity.heard
    if heard is not None:
        from_frame, first = np.unique(np.rint(heard.from_frame * ratio).astype(np.int64), return_index=True)
        heard = Heard(from_frame, heard.probability[first])
    return Activity(activity.part_index, start[keep], end[keep], None if by_hand is None else by_hand[keep], heard)
