"""Where the program starts: chooses the front end, and hands the command line the one thing it lacks, a window."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ScoreSep with the arguments of a command line and return its exit code."""
    try:
        from scoresep.cli import run
    except KeyboardInterrupt:  # nothing has begun
        print("scoresep: Cancelled.", file=sys.stderr)
        return 130

    multiprocessing.freeze_support()
    if arguments is not None:
        return run(list(arguments), _open_window)
    return run(sys.argv[1:], _open_window, ends_program=True)


def _open_window(files: Sequence[str]) -> int:
    from scoresep.qt.app import run_window

    return run_window(files)


if __name__ == "__main__":
    sys.exit(main())
