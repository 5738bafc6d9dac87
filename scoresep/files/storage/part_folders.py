"""A hidden folder in which several files grow until all of them are whole and take their places together.

What was there before stays until then. Nobody else's file is ever touched. A folder that a killed process left behind
is known by its name and its lock, which the system has given back. It is taken over by whoever is to write the very
same, which its key tells, and removed by others; what the process had moved when it was killed is put back before.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from scoresep.errors import OutputError
from scoresep.files.storage.atomic import (
    FileLock,
    check_written,
    is_part_of,
    make_folders,
    move_all,
    output_errors,
    part_path,
    remove_empty,
    remove_folder,
    sync_to_disk,
)
from scoresep.files.storage.paths import read_limited

_LOCK_NAME = ".lock"
_REPLACED_NAME = ".replaced"
_KEY_NAME = ".key"
_MOVES_NAME = ".moves"  # what `publish` is about to move, for whoever comes after a process that was killed in it
_MAX_NOTE_BYTES = 2**20
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
    is_alone : bool
        Whether nobody else may be writing into the same target meanwhile, since only one of both could take its place.

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

    def __init__(self, target: Path, needed_bytes: int = 0, key: str = "", is_alone: bool = False) -> None:
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
                if is_alone:
                    self._refuse_company()
                return
            try:
                _check_room(place.parent, needed_bytes)
                self.path = part_path(place)
                self.path.mkdir()
                self._lock = FileLock.try_lock(self.path / _LOCK_NAME)
                if key:
                    (self.path / _KEY_NAME).write_text(key, encoding="ascii")
                if is_alone:
                    self._refuse_company()
            except BaseException:
                remove_empty(self._created)
                raise

    def _refuse_company(self) -> None:
        """Give way to whoever has begun to write into the same target before."""
        mine = _begun(self.path)
        for home in (self.target, self.target.parent):
            for part in _parts_of(home, self.target.name):
                if part != self.path and _begun(part) < mine:
                    if not self.is_taken_over:  # what an earlier process has begun is still of use to the next one
                        self._release()
                        remove_folder(self.path)
                    raise OutputError(
                        f"ScoreSep is at work on '{self.target}' in another window or process; wait until that is "
                        "done, or choose another folder."
                    )

    def _take_over(self, home: Path, key: str) -> None:
        for part in _parts_of(home):
            lock = _lock_of_dead(part) if _key_of(part) == key else None
            if lock is not None:
                self.path, self._lock, self.is_taken_over = part, lock, True
                os.utime(part / _LOCK_NAME)  # who is at work since then has begun before
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
            sizes = {name: (self.path / name).stat().st_size for name in names}
            for name in names:
                sync_to_disk(self.path / name)
            if self._is_inside:
                with self._said_if_taken():
                    self._move_inside(names, replaced)
                self._release()
                remove_folder(self.path)
            else:
                self._release()
                (self.path / _KEY_NAME).unlink(missing_ok=True)
                with self._said_if_taken():
                    _rename_once_free(self.path, self.target)
                sync_to_disk(self.target.parent)
            self._created = []
        for name, size in sizes.items():
            check_written(self.target / name, size)

    def _move_inside(self, names: Sequence[str], replaced: Collection[str]) -> None:
        old = self.path / _REPLACED_NAME
        old.mkdir(exist_ok=True)
        giving_way = [n for n in replaced if (self.target / n).is_file()]
        note = json.dumps({"giving_way": giving_way, "names": list(names)})
        (self.path / _MOVES_NAME).write_text(note, encoding="utf-8")
        sync_to_disk(self.path / _MOVES_NAME)
        away, here = ((self.target / n, old / n) for n in giving_way), ((self.path / n, self.target / n) for n in names)
        move_all([*away, *here])
        sync_to_disk(self.target)

    @contextlib.contextmanager
    def _said_if_taken(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            raise OutputError(
                f"Something else came to stand in '{self.target}' while this was being written, so that all there was "
                "left as it is; choose another folder."
            ) from error

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
            _put_back(part)
            _remove(part, lock)


def settle_interrupted(target: Path) -> None:
    """Put the files of a folder back in which a process was killed while it gave new ones their places."""
    for part in _parts_of(target, target.name):
        lock = _lock_of_dead(part)
        if lock is not None:
            _put_back(part)
            lock.release()
            with contextlib.suppress(OSError):
                (part / _LOCK_NAME).touch()  # it is known as one that a dead process has left


def _put_back(part: Path) -> None:
    """Undo the moves that were cut short; those that were complete stay."""
    target, old = part.parent, part / _REPLACED_NAME
    try:
        note = json.loads(read_limited(part / _MOVES_NAME, _MAX_NOTE_BYTES))
        giving_way, names = (_plain_names(note[key]) for key in ("giving_way", "names"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    is_complete = bool(names) and (target / names[-1]).exists() and not (part / names[-1]).exists()
    moved_in = [] if is_complete else [n for n in names if not (part / n).exists() and (target / n).exists()]
    with contextlib.suppress(OSError):
        move_all((target / n, part / n) for n in moved_in)
        move_all((old / n, target / n) for n in giving_way if not is_complete and (old / n).exists())
        if is_complete:
            remove_folder(old)
        (part / _MOVES_NAME).unlink()


def _plain_names(names: object) -> list[str]:
    if not isinstance(names, list) or any(not isinstance(n, str) or Path(n).name != n for n in names):
        raise ValueError("no names of files")
    return names


def _remove(part: Path, lock: FileLock) -> None:
    """Remove what lies in a hidden folder itself; earlier files of a person that could not be put back stay in it."""
    old = part / _REPLACED_NAME
    remove_empty([old])
    if not old.exists():
        with contextlib.suppress(OSError):
            for entry in list(part.iterdir()):
                if entry.name != _LOCK_NAME and (entry.is_symlink() or not entry.is_dir()):
                    entry.unlink()
    lock.release()
    remove_empty([part])


def _parts_of(home: Path, name: str = "") -> list[Path]:
    """Return the hidden folders in `home`: of what will be called `name`, or all. Links are none of them."""
    with contextlib.suppress(OSError):
        return [
            part
            for part in home.iterdir()
            if (is_part_of(part, name) if name else part.name.startswith(".") and part.suffix == ".part")
            and not part.is_symlink()
            and part.is_dir()
        ]
    return []


def _begun(part: Path) -> tuple[float, str]:
    """Return what orders those that write at the same time by when they have begun; late where nobody is at work."""
    try:
        return (part / _LOCK_NAME).stat(follow_symlinks=False).st_mtime_ns, part.name
    except OSError:
        return float("inf"), part.name


def _key_of(part: Path) -> str:
    try:
        return read_limited(part / _KEY_NAME, _MAX_NOTE_BYTES).decode("ascii")
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
            f"'{folder}' has room for {_size_text(free_bytes)}, but {_size_text(needed_bytes)} are needed; "
            "free some space or choose another folder."
        )


def _size_text(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes >= 10e6 else f"{size_bytes / 1e3:,.0f} kB"
