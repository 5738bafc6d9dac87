"""Where the program starts: chooses the front end, and hands the command line the one thing it lacks, a window."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ScoreSep with the arguments of a command line and return its exit code."""
    from scoresep.cli import run

    multiprocessing.freeze_support()
    return run(sys.argv[1:] if arguments is None else list(arguments), _open_window)


def _open_window(files: Sequence[str]) -> int:
    from scoresep.qt.app import run_window

    return run_window(files)


if __name__ == "__main__":
    sys.exit(main())
