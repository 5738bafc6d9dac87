"""Files that appear under their final name only when they are whole, and a plain sentence when they cannot be written.

A result is written beside its place under a hidden name ending in ``.part`` and moved there at the end. Moving within
one file system is atomic, so that a crash, a full disk or a cancelled job never leaves half a file for a whole one.
What a process that was killed has left under such a name is removed by the next one that writes there: the system has
given back the lock that the writer held on it.

Also here: locks on files (filelock) that the system itself takes back when a process ends, however it ends.

Process numbers do not serve: they are given again, and on Windows asking for one can end it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import filelock

from scoresep.errors import OutputError


class FileLock:
    """A lock that one process at a time holds; made by `try_lock`."""

    def __init__(self, path: Path, lock: filelock.BaseFileLock) -> None:
        self._path = path
        self._lock = lock

    @classmethod
    def try_lock(cls, path: Path) -> Self | None:
        """Take the lock of the file `path` (made where missing); None when another holds it, or it is no file.

        Raises
        ------
        OSError
            The file cannot be made.
        """
        if os.path.lexists(path) and not (path.is_file() and not path.is_symlink()):  # it would lock a pipe too
            return None
        if not path.parent.is_dir():  # filelock would make it
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        # no soft locks, which would outlive their process
        lock = filelock.FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire(blocking=False)
        except (filelock.Timeout, NotImplementedError):
            return None
        return cls(path, lock)

    def release(self) -> None:
        """Give the lock back and remove its file, which filelock leaves."""
        if not self._lock.is_locked:
            return
        with contextlib.suppress(PermissionError):  # Windows removes no file that is open
            self._path.unlink(missing_ok=True)
        self._lock.release()
        if os.name == "nt":
            self._path.unlink(missing_ok=True)


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock of a file, or it is not ours to touch; False where there is no such file."""
    if not path.exists():
        return False
    try:
        lock = FileLock.try_lock(path)
    except OSError:
        return True
    if lock is None:
        return True
    lock.release()
    return False


# EDQUOT is missing on Windows.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def output_error(error: OSError, path: Path) -> OutputError:
    """Say in one sentence why `path` cannot be written and what to do."""
    if error.errno in _FULL:
        return OutputError(f"There is no room left to write '{path}'; free some space or choose another folder.")
    if error.errno == errno.EFBIG:
        return OutputError(
            f"'{path}' would be larger than its disk takes (4 GB at most where that is formatted as FAT); choose a "
            "folder on another disk."
        )
    if error.errno in _FORBIDDEN:
        return OutputError(f"ScoreSep is not allowed to write '{path}'; choose another folder.")
    if error.errno in {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}:
        return OutputError(
            f"'{path}' cannot be written, because a file or folder stands in its way; choose another name."
        )
    if error.errno in {errno.ENAMETOOLONG, errno.EINVAL}:
        return OutputError(f"The system does not accept the name '{path}'; choose a shorter or plainer one.")
    reason = error.strerror or str(error)
    return OutputError(f"'{path}' could not be written ({reason}); choose another folder.")


@contextlib.contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors while writing to `path` into `OutputError`."""
    try:
        yield
    except OSError as error:
        raise output_error(error, path) from error


_MAX_PREFIX = 80
_TOKEN = re.compile(r"[0-9a-f]{8,16}")
# Who has just made a file may not have locked it yet; where a disk knows no locks, nobody writes for so long.
_JUST_MADE_S, _ABANDONED_S = 2.0, 24 * 3600.0


def part_path(path: Path) -> Path:
    """Return a new hidden name beside `path` for what is still being written."""
    return path.with_name(f".{path.name[:_MAX_PREFIX]}.{secrets.token_hex(4)}.part")


def is_part_of(part: Path, name: str) -> bool:
    """Whether a path bears a name that `part_path` gives to what will be called `name`."""
    prefix, suffix = f".{name[:_MAX_PREFIX]}.", ".part"
    middle = part.name.removeprefix(prefix).removesuffix(suffix)
    return part.name == f"{prefix}{middle}{suffix}" and _TOKEN.fullmatch(middle) is not None


def remove_dead_parts(path: Path) -> None:
    """Remove what processes that were killed while they wrote the file `path` have left beside it."""
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            part = Path(entry.path)
            if entry.name.startswith(".") and is_part_of(part, path.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_dead(part)


def _remove_dead(part: Path) -> None:
    age_s = time.time() - part.stat(follow_symlinks=False).st_mtime
    if age_s < _JUST_MADE_S:
        return
    if sys.platform == "win32":  # the system does not remove what somebody has open
        part.unlink()
        return
    import fcntl

    descriptor = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) or os.fstat(descriptor).st_uid != os.getuid():
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # it is being written
        except OSError:
            if age_s < _ABANDONED_S:
                return
        part.unlink()
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[None]:
    """Make a file and hold a lock on it, so that others see that it is being written; Windows does that by itself."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with contextlib.suppress(OSError):  # a disk that knows no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def sync_to_disk(path: Path) -> None:
    """Wait until a file (or, where the system can, a folder's list of names) is on the disk itself."""
    try:
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() or os.name == "posix" else os.O_RDWR)
    except OSError:
        return  # Windows cannot open folders; there nothing more can be done
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in _FULL:
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def whole_file(path: Path, *, may_replace: bool = True) -> Iterator[Path]:
    """Give a temporary path to write to; at the end of the block it becomes `path`, or vanishes when the block failed.

    Parameters
    ----------
    path : Path
        The final name; its folder is made where missing.
    may_replace : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    OutputError
        The system refuses, the disk is full, or the file is there and may not be replaced.
    """
    if not may_replace and path.exists():
        raise OutputError(f"'{path}' exists already; choose another name or allow it to be replaced.")
    with output_errors(path):
        path = _place_behind(path)
        created = make_folders(path.parent)
        remove_dead_parts(path)
        temporary = part_path(path)
        try:
            with _locked(temporary):
                yield temporary
                sync_to_disk(temporary)
                os.replace(temporary, path)
            sync_to_disk(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            remove_empty(created)
            raise


def check_written(path: Path, size_bytes: int, final_path: Path | None = None) -> None:
    """Look whether a file that was written is there and whole, before anybody is told that it is.

    Parameters
    ----------
    path : Path
    size_bytes : int
    final_path : Path, optional
        What it will be called, for messages.

    Raises
    ------
    OutputError
    """
    told = final_path or path
    with output_errors(told):
        if path.stat().st_size != size_bytes:
            raise OutputError(
                f"'{told}' was changed by another program while it was written; choose a folder that nobody else uses."
            )


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file so that it is whole or not there; to a device or a pipe it is sent as it is.

    Raises
    ------
    OutputError
    """
    if is_channel(path):
        with output_errors(path), path.open("wb") as channel:
            channel.write(content)
        return
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
    check_written(path, len(content))


def is_channel(path: Path) -> bool:
    """Whether there is something at `path` that takes bytes but is no file, such as ``/dev/null`` or a named pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _place_behind(path: Path) -> Path:
    """Return the file that a link leads to, so that the link stays; what is no file must not be replaced by one."""
    if is_channel(path):
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    return path.resolve() if path.is_symlink() else path


def check_place(path: Path, is_folder: bool = False) -> None:
    """Refuse early a file or folder that cannot be written; that one is not refused is no promise.

    Raises
    ------
    OutputError
    """
    with output_errors(path):
        if path.exists() and path.is_dir() != is_folder:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        if is_channel(path):
            return
        at = path if is_folder else path.parent
        while not at.exists() and at != at.parent:
            at = at.parent
        if not at.is_dir():
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(at))
        if not os.access(at, os.W_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(at))


def make_folders(folder: Path) -> list[Path]:
    """Make a folder and what is missing above it; return what was made, deepest first."""
    missing = []
    at = folder
    while not at.exists() and at != at.parent:
        missing.append(at)
        at = at.parent
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove those of `folders` (deepest first) that are empty."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def move_all(moves: Iterable[tuple[Path, Path]]) -> None:
    """Move files one after the other, replacing nothing; when one fails, move the earlier ones back.

    Raises
    ------
    OSError
        One could not be moved; all are where they were.
    """
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            if target.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
            os.rename(source, target)
            done.append((source, target))
    except BaseException:
        for source, target in reversed(done):
            with contextlib.suppress(OSError):
                os.rename(target, source)
        raise


def remove_folder(folder: Path) -> None:
    """Remove a temporary folder of ours with all that is in it, as far as the system lets us."""
    shutil.rmtree(folder, ignore_errors=True)
