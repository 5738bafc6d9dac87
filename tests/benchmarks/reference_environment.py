"""The environment of the benchmark's references, apart from the program's: they want other versions of its packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "references"
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / ".venv-references"


def python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_environment(folder: Path) -> None:
    """Make the environment and install the references, unless they are there."""
    if why_absent(folder) is None:
        return
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    command = [str(python_of(folder)), "-m", "pip", "install", "--quiet", "-r", str(HERE / "requirements.txt")]
    subprocess.run(command, check=True)


def why_absent(folder: Path) -> str | None:
    """Return why the references cannot run, in one sentence; None where they can."""
    if not python_of(folder).exists():
        return f"The references are not installed; --make-references makes their environment in '{folder}'."
    done = subprocess.run(
        [str(python_of(folder)), "-c", "import synctoolbox, librosa"], capture_output=True, check=False
    )
    return (
        f"synctoolbox cannot be loaded from '{folder}'; delete it and run --make-references."
        if done.returncode
        else None
    )


def run_references(folder: Path, cases: list[dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """Let the references align cases (see `align_with_references.py`); returns for each case an answer per program."""
    with tempfile.TemporaryDirectory() as work:
        task, answer = Path(work) / "task.json", Path(work) / "answer.json"
        task.write_text(json.dumps(cases), encoding="utf-8")
        script = str(HERE / "align_with_references.py")
        command = [str(python_of(folder)), script, str(task), str(answer)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # its chatter would end up in the table
        answers: list[dict[str, dict[str, Any]]] = json.loads(answer.read_text(encoding="utf-8"))
        return answers
