"""Where the program starts: chooses the front end, and hands the command line the one thing it lacks, a window."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Sequence

LIMITED_WORK = "--limited-work"  # how `files.storage.limited_process` starts a frozen program, which has no interpreter


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ScoreSep with the arguments of a command line and return its exit code."""
    if getattr(sys, "frozen", False) and sys.argv[1:] == [LIMITED_WORK]:
        from scoresep.files.storage.limited_child import main as do_limited_work

        do_limited_work()
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
    from scoresep.qt.window.app import run_window

    return run_window(files)


if __name__ == "__main__":
    sys.exit(main())
