"""Locks on files that the system itself takes back when a process ends, however it ends.

Process numbers do not serve: they are given again, and on Windows asking for one can end it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Self


class FileLock:
    """A lock that one process at a time holds; made by `try_lock`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def try_lock(cls, path: Path) -> Self | None:
        """Take the lock of the file `path` (made where missing); None when another holds it.

        Raises
        ------
        OSError
            The file cannot be made.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    def release(self) -> None:
        """Give the lock back and remove its file."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        if sys.platform == "win32":  # an open file cannot be removed there
            os.close(descriptor)
            self._path.unlink(missing_ok=True)
        else:
            self._path.unlink(missing_ok=True)
            os.close(descriptor)
