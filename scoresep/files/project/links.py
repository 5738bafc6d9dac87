r"""The files that a project refers to: how they are named in it, found again after a move, and exchanged.

A link holds the path from the project's folder, so that a folder moved as a whole stays whole, and the absolute path,
for a project that was moved alone. Whether a file is still the same is told by its size and time, and where these
differ by the hash of its content.

Also here: whether a place that a project names lies outside the project's folder, and whether this user knows that
place.

A project that somebody else has made may name any place of this computer, or one on the network, and merely looking
there can be harm enough: a pipe waits for ever, and Windows sends its user's credentials along when it asks for
``\\host\share``. So places are judged by their names alone, link by link, before anything is asked of them. What
was saved here, and what a person has agreed to, is remembered in the state folder by its key, so that nobody is asked
about their own files.
"""

from __future__ import annotations

import contextlib
import ntpath
import os
import posixpath
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import TypeVar

import numpy as np

from scoresep.errors import InputError, OutsideFilesError, ScoreSepError
from scoresep.files.audio.recordings import open_recording
from scoresep.files.storage.atomic import write_whole
from scoresep.files.storage.cache import combined_key, content_key, state_folder
from scoresep.files.storage.paths import is_regular
from scoresep.model.alignment import Alignment
from scoresep.model.audio import Recording
from scoresep.model.project import Project, RecipeRule
from scoresep.model.segments import Activity, ActivityPosterior
from scoresep.model.timebase import format_time
from scoresep.model.timemap import rising_time_map
from scoresep.progress import Progress

MAX_LINKS = 40  # one after the other, as systems count them
MAX_KNOWN = 20_000
_LONG = "\\\\?\\"
_KEY_DIGITS = 40
# Two slashes of either kind: a share, or a device of Windows. Below /net a computer of that name is mounted when asked.
_NETWORK = re.compile(r"[\\/]{2}|/net/|/Network/")


class Reach(StrEnum):
    """Where a place lies, as seen from the folder of a project."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    NETWORK = "network"


@dataclass(frozen=True)
class Place:
    """A place that a project names.

    Attributes
    ----------
    path : Path
        Without ``..``.
    reach : Reach
    real : str
        What it leads to over links in the project's folder; `path` itself where there are none.
    """

    path: Path
    reach: Reach
    real: str


def reach_of(place: PurePath, folder: PurePath) -> Reach:
    """Judge a place by its name alone; `place` and `folder` are absolute paths of one system.

    Without a look at the disk, so that it holds for the paths of Windows on every system.
    """
    plain = without_dots(place)
    if plain.is_relative_to(without_dots(folder)):
        return Reach.INSIDE
    return Reach.NETWORK if _NETWORK.match(str(plain)) else Reach.OUTSIDE


def without_dots(path: PurePath) -> PurePath:
    """Take ``.`` and ``..`` out of a path, by its name alone."""
    normal = ntpath.normpath if isinstance(path, PureWindowsPath) else posixpath.normpath
    return type(path)(normal(str(path)))


def place_of(path: Path, folder: Path) -> Place | None:
    """Judge a place on this computer; a link in the project's folder counts as what it leads to, which is not touched.

    Parameters
    ----------
    path, folder : Path
        The place, and the project's folder; absolute.

    Returns
    -------
    place : Place or None
        None where links lead to each other.
    """
    at = Path(without_dots(path))
    home, real = Path(without_dots(folder)), at
    for _ in range(MAX_LINKS):
        reach = reach_of(real, home)
        after = _behind_first_link(real, home) if reach is Reach.INSIDE else None
        if after is None:
            return Place(at, reach, str(real))
        real = after
    return None


def _behind_first_link(path: Path, home: Path) -> Path | None:
    """Return where the first link between `home` and a place in it leads; None where there is none."""
    pieces = path.relative_to(home).parts
    at = home
    for i, piece in enumerate(pieces):
        at /= piece
        try:
            target = os.readlink(at)
        except (OSError, ValueError):
            continue  # no link, or not there
        if target.startswith(_LONG) and not target.startswith(f"{_LONG}UNC"):
            target = target.removeprefix(_LONG)  # as Windows tells where its junctions lead
        return Path(without_dots(Path(at.parent, target, *pieces[i + 1 :])))
    return None


# ---------------------------------------------------------------------------------------------- what this user knows


def is_known(place: Place) -> bool:
    """Whether this user has saved a project here that names this very place, or has agreed to it."""
    known = _known_keys()
    return _key_of(place.real) in known or (
        place.reach is Reach.OUTSIDE and _key_of(_without_local_links(place.real)) in known
    )


def _without_local_links(path: str) -> str:
    """Follow links as far as they stay on this computer."""
    at = Path(path)
    for _ in range(MAX_LINKS):
        after = _behind_first_link(at, Path(at.anchor))
        if after is None or _NETWORK.match(str(after)):
            break
        at = after
    return str(at)


def remember(paths: Iterable[str]) -> None:
    """Take note of places that are this user's own or agreed to; where the state folder is forbidden, of none."""
    known = _known_keys()
    new = {key: None for path in paths for each in (path, _without_links(path)) if (key := _key_of(each)) not in known}
    if not new:
        return
    with contextlib.suppress(OSError, ScoreSepError):
        if len(known) + len(new) > MAX_KNOWN:
            kept = [*known, *new][-MAX_KNOWN // 2 :]
            write_whole(_list_path(), "".join(f"{key}\n" for key in kept).encode())
            return
        _list_path().parent.mkdir(parents=True, exist_ok=True)
        with open(_list_path(), "ab", buffering=0) as file:  # one write, so that two windows do not mix their lines
            file.write("".join(f"{key}\n" for key in new).encode())


def _known_keys() -> dict[str, None]:
    try:
        lines = _list_path().read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return {}
    return {line: None for line in lines if len(line) == _KEY_DIGITS}


def _key_of(path: str) -> str:
    return combined_key(os.path.normcase(str(without_dots(Path(path)))).encode(errors="surrogatepass"))


def _without_links(path: str) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path


def _list_path() -> Path:
    return state_folder() / "known-files.txt"


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


def file_name(path: str) -> str:
    """Return the last piece of a path of any system: projects travel between them."""
    windows = PureWindowsPath(path)
    return windows.name if windows.drive else PurePosixPath(path).name


def find_same(link: FileLink, key: str, places: Iterable[Path], progress: Progress | None = None) -> Path | None:
    """Return the first of `places` that holds the content of hash `key`; None where none does.

    Parameters
    ----------
    link : FileLink
    key : str
    places : iterable of Path
        Where to look, in this order.
    progress : Progress, optional
    """
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

    Parameters
    ----------
    project : Project
    new_path : str or Path
    progress : Progress, optional

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
        heard = ActivityPosterior(from_frame, heard.probability[first])
    return Activity(activity.part_index, start[keep], end[keep], None if by_hand is None else by_hand[keep], heard)


FOLDERS = frozenset({"stem_set"})  # all other links are to files


class Outside(StrEnum):
    """What becomes of files outside the project's folder that this user does not know."""

    ASK = "ask"
    OPEN = "open"
    LEAVE = "leave"


@dataclass(frozen=True)
class Places:
    """The places of one project that may be looked at.

    Attributes
    ----------
    folder : Path
        Of the project.
    outside : Outside
    found : mapping of tuple of Path
        By the name of the link: where there is a file (or folder, where that is wanted), the likeliest first.
    """

    folder: Path
    outside: Outside
    found: Mapping[str, tuple[Path, ...]]

    def harmless(self, path: str) -> str:
        """Return a path of the project as it is where it may be looked at; else the one beside the project."""
        place = _place(Path(path), self.folder)
        if place is not None and (_may_open(place, self.outside) or _is_missing(place)):
            return path
        return str(self.folder / file_name(path))


def find_places(links: Mapping[str, FileLink], folder: Path, outside: Outside) -> Places:
    """Find the files of a project, as far as they may be looked at.

    Parameters
    ----------
    links : mapping of FileLink
    folder : Path
        Of the project, absolute.
    outside : Outside

    Raises
    ------
    OutsideFilesError
        A file is not in the folder but perhaps outside, and is to be asked for.
    """
    found: dict[str, tuple[Path, ...]] = {}
    asked_for: list[str] = []
    agreed: list[str] = []
    for name, link in links.items():
        is_there = _is_folder if name in FOLDERS else is_regular
        judged = [place for path in paths_of(link, folder) if (place := _place(path, folder)) is not None]
        usable = [place for place in judged if _may_open(place, outside) and is_there(place.path)]
        found[name] = tuple(dict.fromkeys(place.path for place in usable))
        agreed += [place.real for place in usable if place.reach is not Reach.INSIDE]
        if outside is Outside.ASK and not usable:
            asked_for += [place.real for place in judged if not _may_open(place, outside) and _may_be(place, is_there)]
    if asked_for:
        places = tuple(dict.fromkeys(asked_for))
        listed = " and ".join(f"'{place}'" for place in places[:3]) + (" and more" if len(places) > 3 else "")
        raise OutsideFilesError(
            f"The project refers to files outside its folder, which are not opened unasked: {listed}; open it in the "
            "window and agree, or add --trust (from Python: allow_outside=True).",
            places,
        )
    if outside is Outside.OPEN:
        remember(agreed)
    return Places(folder, outside, found)


def paths_of(link: FileLink, folder: Path) -> tuple[Path, ...]:
    """Return where a file may lie, by the names alone."""
    paths = [] if link.relative is None else [folder / link.relative]
    paths.append(Path(link.absolute))
    paths.append(folder / file_name(link.absolute))  # beside the project, where people put what belongs to it
    return tuple(path for path in paths if path.is_absolute() and "\0" not in str(path))


def _place(path: Path, folder: Path) -> Place | None:
    return place_of(path, folder) if path.is_absolute() and "\0" not in str(path) else None


def _may_open(place: Place, outside: Outside) -> bool:
    return place.reach is Reach.INSIDE or outside is Outside.OPEN or is_known(place)


def _may_be(place: Place, is_there: Callable[[Path], bool]) -> bool:
    """Whether something is there to be asked about; a place on the network is not touched to find out."""
    return place.reach is Reach.NETWORK or is_there(place.path)


def _is_missing(place: Place) -> bool:
    return place.reach is not Reach.NETWORK and not os.path.lexists(place.path)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False
