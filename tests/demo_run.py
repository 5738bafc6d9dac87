"""The whole job on the built-in piece, done once for all tests that look at what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scoresep.cli import run


@dataclass(frozen=True)
class Demo:
    """How the demo ended.

    Attributes
    ----------
    folder : Path
        Where it lies.
    code : int
        Its exit code.
    opened : tuple of tuple of str
        The files that a window was opened on, time by time.
    """

    folder: Path
    code: int
    opened: tuple[tuple[str, ...], ...]


def run_demo(folder: Path) -> Demo:
    """Run `scoresep demo` with a window that only notes what it is opened on."""
    opened: list[tuple[str, ...]] = []

    def open_window(files: Sequence[str]) -> int:
        opened.append(tuple(files))
        return 0

    return Demo(folder, run(["demo", "-o", str(folder), "--quiet"], open_window), tuple(opened))
