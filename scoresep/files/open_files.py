"""Room for many open files: systems let a program have few at once, and every map of a file into memory counts."""

from __future__ import annotations

import contextlib
import sys
from functools import cache

WANTED_FILES = 65_536


@cache
def allow_many_files() -> None:
    """Raise what this process may have open, as far as the system lets it; Windows counts maps no further."""
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
