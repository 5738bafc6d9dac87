"""Write lock.txt and lock-dev.txt anew: the exact versions that were tested together.

``python3.11 packaging/lock.py`` resolves pyproject.toml in an empty environment on Linux and writes down
what came out. Run it when a dependency changes, then the tests, then commit both files. Versions that should
not be the newest are named on the command line: ``python3.11 packaging/lock.py torch==2.13.0``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

HEAD = """\
# Written by packaging/lock.py: {what}, as resolved and tested on Linux with Python 3.11.
# packaging/bootstrap.py installs it; pyproject.toml has the ranges.
"""
# Depend on the machine's graphics card: they come with torch, which pins them itself.
OF_TORCH = re.compile(r"^(nvidia-|triton|cuda-|pytorch-triton)")
BUILD = ["hatchling"]  # so that ScoreSep itself installs without the network


def frozen(python: Path) -> dict[str, str]:
    """Return what is installed, as name: version."""
    text = subprocess.run(
        [python, "-m", "pip", "freeze", "--exclude", "scoresep"], check=True, capture_output=True, text=True
    ).stdout
    pins = dict(line.split("==") for line in text.splitlines() if "==" in line)
    # "+cpu" and the like name a build of torch, not its version
    return {name: pin.partition("+")[0] for name, pin in pins.items() if not OF_TORCH.match(name)}


def write(path: Path, what: str, pins: dict[str, str], first: str = "") -> None:
    """Write one lock file."""
    lines = [f"{name}=={pin}\n" for name, pin in sorted(pins.items(), key=lambda item: item[0].lower())]
    path.write_text(HEAD.format(what=what) + first + "".join(lines), encoding="utf-8")


def main(chosen: list[str]) -> int:
    """Resolve, first what people need, then what developers need on top, and write both files.

    Parameters
    ----------
    chosen : list of str
        Requirements that hold beside those of pyproject.toml.
    """
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", *BUILD, *chosen, str(ROOT)], check=True)
        runtime = frozen(python)
        subprocess.run([python, "-m", "pip", "install", *chosen, f"{ROOT}[dev]"], check=True)
        everything = frozen(python)
    moved = [name for name, pin in runtime.items() if everything[name] != pin]
    if moved:
        print(f"The development tools change {', '.join(moved)}; narrow pyproject.toml.", file=sys.stderr)
        return 1
    added = {name: pin for name, pin in everything.items() if name not in runtime}
    write(HERE / "lock.txt", "what ScoreSep needs", runtime)
    write(HERE / "lock-dev.txt", "what its tests and checks need on top", added, "-r lock.txt\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
