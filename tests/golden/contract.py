"""What people and their scripts rely on, measured, so that a change of the inside can be held against it.

`python tests/golden/contract.py demo cases surface` writes tests/data/golden anew; only a change of the contract that
is meant, and said in CHANGELOG.md or the commit, is a reason to do so.
"""

from __future__ import annotations

import argparse
import csv
import inspect
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import scoresep
from scoresep.__main__ import main
from scoresep.cli.arguments import make_parser

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "data" / "golden"
CASES = ROOT.parent / "shared" / "data" / "cases"

Summary = dict[str, Any]


def run(*arguments: object) -> None:
    """Run a command that must succeed."""
    code = main([*map(str, arguments), "--quiet"])
    if code != 0:
        raise RuntimeError(f"scoresep {arguments[0]} ended with {code}")


def columns_of(path: Path) -> dict[str, list[str]]:
    """Read a table column by column."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def measure_tables(folder: Path) -> Summary:
    """Tell what notes.csv and segments.csv of a folder hold; times in seconds, rounded to milliseconds."""
    notes, segments = columns_of(folder / "notes.csv"), columns_of(folder / "segments.csv")
    timed = {"onset_s", "offset_s", "confidence", "start_s", "end_s"}
    return {
        "notes": {k: [round(float(x), 3) for x in v] if k in timed else v for k, v in notes.items()},
        "segments": {k: [round(float(x), 3) for x in v] if k in timed else v for k, v in segments.items()},
    }


def measure_stems(folder: Path, recording: Path) -> Summary:
    """Tell what a folder of stems holds: names, sizes, levels second by second, and how far the sum is off."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    stems = [soundfile.read(folder / stem["file"], dtype="float32", always_2d=True) for stem in manifest["stems"]]
    mixture, sample_rate = soundfile.read(recording, dtype="float32", always_2d=True)
    samples = np.stack([stem for stem, _ in stems])
    error = samples.sum(0, dtype=np.float64) - mixture
    whole = samples[:, : mixture.shape[0] // sample_rate * sample_rate]
    power = (whole.astype(np.float64) ** 2).reshape(len(stems), -1, sample_rate * samples.shape[2]).mean(2)
    return {
        "manifest": {k: manifest[k] for k in ("engine", "device", "stems")},
        "frames_channels": list(samples.shape[1:]),
        "sample_rates": [rate for _, rate in stems],
        "level_db": np.round(10 * np.log10(power + 1e-10), 1).tolist(),
        "sum_error_db": round(float(10 * np.log10((error**2).mean() / (mixture.astype(np.float64) ** 2).mean())), 0),
        "files": sorted(path.name for path in folder.iterdir()),
    }


def measure_demo(folder: Path) -> Summary:
    """Tell what came of the whole job on the built-in piece."""
    project = scoresep.open(folder / "demo.scoresep")
    return {
        "files": sorted(path.name for path in folder.iterdir()),
        "parts": [part.name for part in project.parts],
        "path": [project.score.measures[i].number for i in project.path.measure_indices],
        **measure_tables(folder),
        "stems": measure_stems(folder / "demo.scoresep-data" / "stems", ROOT / "resources" / "demo" / "demo.ogg"),
    }


def measure_case(case: Path, folder: Path) -> Summary:
    """Align and segment one real recording from the command line."""
    audio, score = next(case.glob("mix.*")), next(case.glob("score.*"))
    run("align", audio, score, "-o", folder / "notes.csv")
    run("segment", audio, score, "--notes", folder / "notes.csv", "-o", folder / "segments.csv")
    return measure_tables(folder)


def measure_surface() -> Summary:
    """Tell the words of the command line, the names of the Python API and the keys of the window."""
    from scoresep.qt.window.actions import ACTIONS

    parser = make_parser()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices
    options = {
        name: sorted(word for action in command._actions for word in (action.option_strings or [action.dest]))
        for name, command in commands.items()
    }
    functions = {
        name: list(inspect.signature(value).parameters)
        for name in scoresep.__all__
        if inspect.isfunction(value := getattr(scoresep, name))
    }
    return {
        "commands": options,
        "api": sorted(scoresep.__all__),
        "parameters": functions,
        "keys": {key: spec.id for spec in ACTIONS for key in spec.keys},
    }


def measure(what: str) -> Summary:
    """Measure one part of the contract anew: ``demo``, ``cases`` or ``surface``."""
    with tempfile.TemporaryDirectory() as scratch:
        if what == "demo":
            run("demo", "-o", Path(scratch) / "demo", "--no-window")
            return measure_demo(Path(scratch) / "demo")
        if what == "surface":
            return measure_surface()
        found = {}
        for case in sorted(path for path in CASES.iterdir() if path.is_dir()):
            folder = Path(scratch, case.name)
            folder.mkdir()
            found[case.name] = measure_case(case, folder)
        return found


def golden(what: str) -> Summary:
    """Return what was measured when the contract was written down."""
    loaded: Summary = json.loads((GOLDEN / f"{what}.json").read_text(encoding="utf-8"))
    return loaded


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for part in sys.argv[1:] or ("demo", "cases", "surface"):
        text = json.dumps(measure(part), ensure_ascii=False, separators=(",", ":"))
        (GOLDEN / f"{part}.json").write_text(text + "\n", encoding="utf-8")
