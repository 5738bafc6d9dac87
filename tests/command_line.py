"""Running the command line in place, and the laws that hold for whatever goes wrong there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from scoresep.__main__ import main

ERROR, WARNING = "scoresep: ", "Warning: "
NOTE = re.compile(r".*\b(played|followed)\b.*\.")  # what was found out about the repeats


# What the alignment says of a recording that does not hold just the score.
OF_THE_ALIGNMENT = re.compile(
    r"hardly fits|The recording (begins|ends|leaves out)|that the score does not have|once more than the score"
)


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    code : int
        Its exit code.
    out, err : str
        What it printed.
    """

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one sentence of an error, without the program's name."""
        lines = self.err.splitlines()
        errors = [line for line in lines if line.startswith(ERROR)]
        assert len(errors) == 1, f"one sentence, not: {self.err}"
        assert lines[-1] == errors[0], "nothing comes after it"
        assert all(_is_ours(line) for line in lines[:-1]), "nothing but warnings comes before it"
        assert errors[0].endswith("."), "it is a sentence"
        return errors[0].removeprefix(ERROR)

    @property
    def warnings(self) -> list[str]:
        """The warnings, where nothing went wrong."""
        lines = self.err.splitlines()
        assert all(_is_ours(line) for line in lines), "nothing else on the error stream"
        return [line.removeprefix(WARNING) for line in lines if line.startswith(WARNING)]


def _is_ours(line: str) -> bool:
    return line.startswith(WARNING) or NOTE.fullmatch(line) is not None


def end_of(capture: pytest.CaptureFixture[str], *arguments: object) -> Ended:
    """Run the command line without progress and tell how it ended."""
    capture.readouterr()
    try:
        code = main([*(str(a) for a in arguments), "--quiet"])
    except SystemExit as end:  # wrong usage
        assert isinstance(end.code, int)
        code = end.code
    return Ended(code, *capture.readouterr())


def json_lines(text: str) -> list[dict[str, object]]:
    """Parse what a command printed with --json, line by line."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(line, dict) for line in lines)
    return lines


def files_in(folder: Path) -> set[str]:
    """Return what is in a folder and below, hidden files and empty folders included."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
