"""Lists of times that other programs write: label tracks of Audacity, layers of Sonic Visualiser, plain numbers."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from scoresep.errors import InputError
from scoresep.files.notes_csv import MAX_SECONDS


@dataclass(frozen=True)
class Instant:
    """A time with what stands beside it; `label` may be empty."""

    time_s: float
    label: str


def read_instants(path: str | Path, text: str) -> tuple[Instant, ...]:
    """Read a list of times: the first column in seconds, the label in the last one of those that follow.

    Columns are parted by tabs (Audacity, whose second column is the end of the label), commas or semicolons. Lines that
    do not begin with a number are passed over: heads, and what Audacity says of frequencies.

    Parameters
    ----------
    path : str or Path
        For messages.
    text : str
        The content.

    Returns
    -------
    instants : tuple of Instant
        In time, no two at the same.

    Raises
    ------
    InputError
        There are no times.
    """
    found: dict[float, str] = {}
    for line in text.splitlines():
        cells = _cells(line)
        time_s = _number(cells[0]) if cells else None
        if time_s is None:
            continue
        label = cells[-1] if len(cells) > 1 else ""
        if "\t" in line:  # start, end, label
            label = cells[2] if len(cells) > 2 else "" if len(cells) == 2 and _number(cells[1]) == time_s else label
        found.setdefault(time_s, label)
    if not found:
        raise InputError(
            f"'{path}' holds no times; choose notes.csv, labels of Audacity, a layer of Sonic Visualiser, or MIDI."
        )
    return tuple(Instant(time_s, label) for time_s, label in sorted(found.items()))


def _cells(line: str) -> list[str]:
    for mark in ("\t", ",", ";"):
        if mark in line:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=mark))]
    return line.split(maxsplit=1)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= MAX_SECONDS else None
