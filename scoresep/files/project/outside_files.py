r"""Whether a place that a project names lies outside the project's folder, and whether this user knows that place.

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
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePath, PureWindowsPath

from scoresep.errors import ScoreSepError
from scoresep.files.storage.atomic import write_whole
from scoresep.files.storage.cache import combined_key, state_folder

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
