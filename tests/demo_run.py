"""The whole job on the built-in piece, done once for all tests that look at what comes of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

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

    folder.parent.mkdir(parents=True, exist_ok=True)
    return Demo(folder, run(["demo", "-o", str(folder), "--quiet"], open_window), tuple(opened))


def shared_demo(folder: Path) -> Demo:
    """Return what the demo made below a folder: the first of several processes runs it, the others find it."""
    notes = folder / "demo.json"
    with FileLock(folder / "demo.lock"):
        if notes.exists():
            kept = json.loads(notes.read_text(encoding="utf-8"))
            return Demo(Path(kept["folder"]), kept["code"], tuple(map(tuple, kept["opened"])))
        demo = run_demo(folder / "built-in piece" / "demo")
        notes.write_text(json.dumps(asdict(demo), default=str), encoding="utf-8")
        return demo
