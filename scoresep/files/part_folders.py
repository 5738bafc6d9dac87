"""A hidden folder in which several files grow until all of them are whole and take their places together.

What was there before stays until then. Nobody else's file is ever touched. A folder that a killed process left behind
is known by its lock, which the system has given back. It is taken over by whoever is to write the very same, which its
key tells, and removed by others.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from scoresep.errors import OutputError
from scoresep.files.atomic import (
    make_folders,
    move_all,
    output_errors,
    part_path,
    remove_empty,
    remove_folder,
    sync_to_disk,
)
from scoresep.files.locks import FileLock

_LOCK_NAME = ".lock"
_REPLACED_NAME = ".replaced"
_KEY_NAME = ".key"
_IS_WINDOWS = os.name == "nt"
_TRIES, _TRY_AGAIN_S = 100, 0.02


class PartFolder:
    """Where files are written that will stand in `target` together.

    Parameters
    ----------
    target : Path
        The final folder, there or not.
    needed_bytes : int
        What will be written; refused at once where there is no room for it.
    key : str, optional
        Content key of all that will be written: what a killed process left half written under the same key is taken
        over.

    Attributes
    ----------
    path : Path
        Write here. It lies in `target` where that exists (which may be a file system of its own), else beside it.
    is_taken_over : bool
        Files of an earlier process are in it.

    Raises
    ------
    OutputError
    """

    def __init__(self, target: Path, needed_bytes: int = 0, key: str = "") -> None:
        self.target = target
        self.is_taken_over = False
        self._is_inside = target.is_dir()
        place = target / target.name if self._is_inside else target
        with output_errors(target):
            if target.exists() and not self._is_inside:
                raise FileExistsError(errno.EEXIST, "is a file")
            self._created = make_folders(place.parent)
            self._lock: FileLock | None = None
            if key:
                self._take_over(place.parent, key)
            for home in (target, target.parent):
                remove_abandoned(home, target.name)
            if self.is_taken_over:
                return
            try:
                _check_room(place.parent, needed_bytes)
                self.path = part_path(place)
                self.path.mkdir()
                self._lock = FileLock.try_lock(self.path / _LOCK_NAME)
                if key:
                    (self.path / _KEY_NAME).write_text(key, encoding="ascii")
            except BaseException:
                remove_empty(self._created)
                raise

    def _take_over(self, home: Path, key: str) -> None:
        for part in _parts_of(home):
            lock = _lock_of_dead(part) if _key_of(part) == key else None
            if lock is not None:
                self.path, self._lock, self.is_taken_over = part, lock, True
                return

    def publish(self, names: Sequence[str], replaced: Collection[str] = ()) -> None:
        """Move the files to their final places, all or none, and remove this folder.

        Parameters
        ----------
        names : sequence of str
            The files in this folder. The last is moved last: it is the one that says that the others are whole.
        replaced : collection of str
            Files in the target that give way, whether or not a new one takes their name.

        Raises
        ------
        OutputError
            Another file bears one of the names, or the system refuses. All is as before, and this folder still there.
        """
        with output_errors(self.target):
            for name in names:
                sync_to_disk(self.path / name)
            if self._is_inside:
                old = self.path / _REPLACED_NAME
                old.mkdir(exist_ok=True)
                giving_way = [(self.target / n, old / n) for n in replaced if (self.target / n).is_file()]
                move_all(giving_way + [(self.path / n, self.target / n) for n in names])
                sync_to_disk(self.target)
                self._release()
                remove_folder(self.path)
            else:
                self._release()
                (self.path / _KEY_NAME).unlink(missing_ok=True)
                _rename_once_free(self.path, self.target)
                sync_to_disk(self.target.parent)
            self._created = []

    def abort(self) -> None:
        """Remove this folder with all that is in it, and what was made for it."""
        self._release()
        old = self.path / _REPLACED_NAME
        if old.is_dir() and any(old.iterdir()):
            return  # moving a person's earlier files back has failed: they are worth more than a tidy folder
        remove_folder(self.path)
        remove_empty(self._created)

    def _release(self) -> None:
        if self._lock is not None:
            with contextlib.suppress(OSError):
                self._lock.release()
            self._lock = None


def _rename_once_free(folder: Path, target: Path) -> None:
    """Give a folder its final name; on Windows that has to wait while somebody is reading a file in it."""
    for _ in range(_TRIES - 1):
        try:
            os.rename(folder, target)
            return
        except PermissionError:
            if not _IS_WINDOWS:
                raise
            time.sleep(_TRY_AGAIN_S)
    os.rename(folder, target)


def remove_abandoned(folder: Path, name: str = "", spared_key: str = "") -> None:
    """Remove what processes that were killed have left in a folder.

    Parameters
    ----------
    folder : Path
        Where the half-written folders lie: the one that holds the final folders, or a final folder itself.
    name : str, optional
        Only what was to become the folder of this name.
    spared_key : str, optional
        What has this key stays.
    """
    for part in _parts_of(folder, name):
        if spared_key and _key_of(part) == spared_key:
            continue
        lock = _lock_of_dead(part)
        if lock is not None:
            lock.release()
            remove_folder(part)


def _parts_of(home: Path, name: str = "") -> list[Path]:
    """Return the hidden folders in `home`."""
    if not home.is_dir():
        return []
    return [part for part in home.iterdir() if part.name.startswith(f".{name[:80]}") and part.suffix == ".part"]


def _key_of(part: Path) -> str:
    try:
        return (part / _KEY_NAME).read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def _lock_of_dead(part: Path) -> FileLock | None:
    """Take the lock of a hidden folder; None where its writer is alive, or it is none of ours."""
    with contextlib.suppress(OSError):
        if (part / _LOCK_NAME).exists():
            return FileLock.try_lock(part / _LOCK_NAME)
    return None


def _check_room(folder: Path, needed_bytes: int) -> None:
    try:
        free_bytes = shutil.disk_usage(folder).free
    except OSError:
        return  # some network file systems do not tell
    if free_bytes < needed_bytes:
        raise OutputError(
            f"'{folder}' has room for {free_bytes / 1e6:,.0f} MB, but {needed_bytes / 1e6:,.0f} MB are needed; "
            "free some space or choose another folder."
        )
