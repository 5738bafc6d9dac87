"""Run every check of the project: format, lint, types, import contracts, tests.

``python packaging/check.py`` runs all of them in the environment that it is started with and says for each
how long it took. A failed one does not keep the next from running; the exit code is then 1. ``--only STEP``
runs one of them, and whatever else is on the command line goes to pytest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# import-linter has no `python -m` and its script may not be on PATH
LINT_IMPORTS = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"

STEPS: dict[str, list[str]] = {
    "format": ["-m", "ruff", "format", "--check", "--quiet", "."],
    "lint": ["-m", "ruff", "check", "--quiet", "."],
    "types": ["-m", "mypy"],
    "imports": ["-c", LINT_IMPORTS, "--no-cache"],
    # a test that fails is tried once more and named as rerun: which of thousands a busy machine trips differs each time
    "tests": ["-m", "pytest", "-n", "2", "--reruns", "1", "-rRfEs"],
}


def main(arguments: list[str] | None = None) -> int:
    """Run the steps and return the exit code."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description="Run the checks.")
    parser.add_argument("--only", choices=list(STEPS), action="append", help="run this step; may be repeated")
    options, pytest_arguments = parser.parse_known_args(arguments)
    environment = dict(os.environ)
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")

    failed: list[str] = []
    for step in options.only or STEPS:
        is_tests = step == "tests"
        if is_tests and failed:  # said before, so that pytest's closing line stays the last one
            print(f"Failed so far: {', '.join(failed)}.")
        print(f"== {step}", flush=True)
        start_s = time.monotonic()
        command = [sys.executable, *STEPS[step], *(pytest_arguments if is_tests else [])]
        status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        if status:
            failed.append(step)
        if not is_tests:  # pytest says its own time
            print(f"{step} {'failed' if status else 'passed'} in {time.monotonic() - start_s:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
