"""Locks on files (filelock) that the system itself takes back when a process ends, however it ends.

Process numbers do not serve: they are given again, and on Windows asking for one can end it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Self

import filelock


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
