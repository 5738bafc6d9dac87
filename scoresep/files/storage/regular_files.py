"""Opening only what is a plain file: a pipe makes its reader wait for ever, and a device may never end."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from functools import cache
from pathlib import Path
from typing import BinaryIO

_NOT_PLAIN = "a device or a pipe, not a file"
# Where a pipe took the place of a file between two looks at it, opening it must not wait either.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def is_regular(path: Path) -> bool:
    """Whether there is a plain file at `path`, or a link to one."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):  # a name that no system can have
        return False


def open_regular(path: Path) -> BinaryIO:
    """Open a plain file for reading; anything else is refused at once.

    Raises
    ------
    OSError
        It is missing, forbidden, a folder, a device or a pipe.
    """
    _refuse_what_is_not_plain(path.stat(), path)
    descriptor = os.open(path, _FLAGS)
    try:
        _refuse_what_is_not_plain(os.fstat(descriptor), path)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_limited(path: Path, limit_bytes: int) -> bytes:
    """Read a plain file that may not be larger than a limit.

    Raises
    ------
    OSError
        As in `open_regular`.
    ValueError
        It is larger.
    """
    with open_regular(path) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes > limit_bytes:
            raise ValueError(f"{path} is larger than {limit_bytes} bytes")
        return file.read(size_bytes)


def _refuse_what_is_not_plain(state: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, _NOT_PLAIN, str(path))


WANTED_FILES = 65_536


@cache
def allow_many_files() -> None:
    """Raise what this process may have open, as far as the system lets it; Windows lets it open thousands."""
    if sys.platform == "win32":
        return
    import resource

    present, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (WANTED_FILES, 10_240):  # macOS refuses more than the second, whatever it says of the most
        if most != resource.RLIM_INFINITY:
            wanted = min(wanted, most)
        if present == resource.RLIM_INFINITY or present >= wanted:
            return
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
            return
