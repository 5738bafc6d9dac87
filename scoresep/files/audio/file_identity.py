"""Whether a file is still the one that was read, without reading it again each time.

A hash of all bytes is certain, but reading gigabytes at each opening is not. So the hash is noted together with what
the system knows of the file: its number, its size and its times. While these are the same, so is the content: every
writing sets the time of change (``ctime``), which programs cannot set back; Windows has no such time, there it is the
time of writing. Times have a granularity, within which a file may be written twice: a file that was changed so shortly
before it was hashed is hashed again next time (as Git does with files that are "racily clean").
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from scoresep.errors import OutputError
from scoresep.files.storage.atomic import write_whole
from scoresep.files.storage.cache import cached_path, combined_key, content_key, mark_used
from scoresep.progress import Progress

# Linux sets times to its last tick (at most 10 ms ago); FAT counts in two seconds, others in whole ones.
_FINE_NS, _COARSE_NS = 20_000_000, 2_100_000_000
_COARSE_STEP_NS = 10_000_000


@dataclass(frozen=True)
class FileState:
    """What the system knows of a file; times in nanoseconds."""

    device: int
    number: int
    size_bytes: int
    written_ns: int
    changed_ns: int


_known: dict[str, tuple[FileState, str]] = {}  # of this process, by path


def file_state(path: Path) -> FileState:
    """Ask the system.

    Raises
    ------
    OSError
    """
    state = os.stat(path)
    return FileState(state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def _youngest_ns(state: FileState) -> int:
    """Return from when on a hash of a file in this state tells its content for good."""
    latest_ns = max(state.written_ns, state.changed_ns)
    is_coarse = state.written_ns % _COARSE_STEP_NS == 0
    return latest_ns + (_COARSE_NS if is_coarse else _FINE_NS)


def settled_state(path: Path) -> tuple[FileState, int]:
    """Return the state of a file and the time (since 1970), once a file written this moment is some milliseconds old.

    Raises
    ------
    OSError
    """
    state = file_state(path)
    wait_ns = _youngest_ns(state) - time.time_ns()
    if 0 < wait_ns <= _FINE_NS:
        time.sleep(wait_ns / 1e9)
        state = file_state(path)
    return state, time.time_ns()


def note_content(path: Path, state: FileState, key: str, hashed_ns: int) -> None:
    """Note that `path` had the content `key` when its state was `state`, as it was at `hashed_ns` (since 1970).

    Parameters
    ----------
    path : Path
    state : FileState
    key : str
    hashed_ns : int
        When the bytes were hashed.
    """
    if hashed_ns < _youngest_ns(state):
        return
    _known[str(path)] = (state, key)
    try:
        write_whole(_notes_path(path), json.dumps({"state": asdict(state), "key": key}).encode())
    except (OutputError, OSError):
        return  # then other processes hash it themselves


def current_key(path: Path, progress: Progress | None = None) -> str:
    """Return the hash of the file's bytes, as `cache.content_key`; from the notes where its state is the noted one.

    Raises
    ------
    InputError, OSError, Cancelled
    """
    state = file_state(path)
    known = _known.get(str(path)) or _noted(path)
    if known is not None and known[0] == state:
        _known[str(path)] = known
        return known[1]
    state, hashed_ns = settled_state(path)
    key = content_key(path, progress)
    if file_state(path) == state:
        note_content(path, state, key, hashed_ns)
    return key


def _notes_path(path: Path) -> Path:
    return cached_path("identities", f"{combined_key(os.fsencode(path))}.json")


def _noted(path: Path) -> tuple[FileState, str] | None:
    notes = _notes_path(path)
    try:
        text = json.loads(notes.read_bytes())
        found = FileState(**text["state"]), str(text["key"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    mark_used(notes)
    return found
