"""Tables of times for other programs: label tracks of Audacity, layers of Sonic Visualiser.

References
----------
Audacity manual, "Importing and Exporting Labels": start, end and label of each line, with tabs between.
Sonic Visualiser reference, "Import Annotation Layer": columns of time, value, duration and label.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scoresep.errors import InputError
from scoresep.files.storage.paths import ESCAPED
from scoresep.files.tables.csv_tables import table_bytes
from scoresep.files.tables.notes import MAX_SECONDS
from scoresep.model.alignment import Alignment
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import Segment
from scoresep.model.timebase import SAME_QUARTER
from scoresep.model.timemap import grid_quarters

END_LABEL = "end"
PITCH_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

Stretch = tuple[float, float, str]  # start and end in seconds, label
LabelledInstant = tuple[float, str]
PitchedNote = tuple[float, float, float, str]  # time, pitch and duration in seconds, label


def audacity_bytes(stretches: Iterable[Stretch]) -> bytes:
    """Make a label track of Audacity; instants are stretches without length."""
    lines = [f"{start:.6f}\t{end:.6f}\t{' '.join(label.split())}\n" for start, end, label in stretches]
    return "".join(lines).encode(errors=ESCAPED)


def instants_bytes(instants: Iterable[LabelledInstant]) -> bytes:
    """Make a layer of time instants for Sonic Visualiser: time, label."""
    return table_bytes((), ([f"{time:.6f}", label] for time, label in instants))


def pitched_notes_bytes(notes: Iterable[PitchedNote]) -> bytes:
    """Make a layer of notes for Sonic Visualiser: time, value (MIDI pitch), duration, label."""
    rows = ([f"{time:.6f}", f"{pitch:g}", f"{length:.6f}", label] for time, pitch, length, label in notes)
    return table_bytes((), rows)


def position_label(unfolded: UnfoldedScore, quarter: float, with_beat: bool) -> str:
    """Write a position as labels have it: ``3``, ``3.2``; the second time of a bar is ``3.2 (2)``, the end ``end``.

    Parameters
    ----------
    unfolded : UnfoldedScore
    quarter : float
    with_beat : bool
    """
    if quarter > unfolded.end_quarter - SAME_QUARTER:
        return END_LABEL
    step, beat = unfolded.quarter_to_beat(quarter)
    number = unfolded.score.measures[step.measure_index].number
    text = f"{number}.{beat:.6g}" if with_beat else number
    return text if step.occurrence == 1 else f"{text} ({step.occurrence})"


def instants_of(
    unfolded: UnfoldedScore, alignment: Alignment, sample_rate: int, frames: int, with_beats: bool
) -> list[LabelledInstant]:
    """Return the bar lines (or beats) that lie in the recording, and the end of the score.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment
    sample_rate, frames : int
        Of the recording.
    with_beats : bool
    """
    quarters = grid_quarters(unfolded, 0, len(unfolded.path.steps), with_beats)
    at = alignment.time_map.quarters_to_frames(quarters)
    inside = (at >= 0) & (at <= frames)
    return [
        (frame / sample_rate, position_label(unfolded, quarter, with_beats))
        for quarter, frame in zip(quarters[inside].tolist(), at[inside].tolist(), strict=True)
    ]


def notes_of(unfolded: UnfoldedScore, alignment: Alignment, part_index: int, sample_rate: int) -> list[PitchedNote]:
    """Return the notes of a part that the recording contains, in time; unpitched ones have the pitch 0.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment
    part_index : int
    sample_rate : int
    """
    notes, times = unfolded.notes, alignment.note_times
    rows = np.flatnonzero((notes.part_index == part_index) & times.is_present)
    rows = rows[np.argsort(times.onset_frame[rows], kind="stable")]
    found = []
    for i in rows.tolist():
        onset, offset, pitch = int(times.onset_frame[i]), int(times.offset_frame[i]), float(notes.pitch_midi[i])
        label = "" if np.isnan(pitch) else pitch_name(pitch)
        value = 0.0 if np.isnan(pitch) else pitch
        found.append((onset / sample_rate, value, (offset - onset) / sample_rate, label))
    return found


def segments_of_parts(segments: Sequence[Segment], part_names: Sequence[str], sample_rate: int) -> list[Stretch]:
    """Return who plays when: the names of the parts, or ``silence``.

    Parameters
    ----------
    segments : sequence of Segment
    part_names : sequence of str
        By part index.
    sample_rate : int
    """
    return [
        (
            s.start_frame / sample_rate,
            s.end_frame / sample_rate,
            " + ".join(part_names[i] for i in s.part_indices) or str(s.category),
        )
        for s in segments
    ]


def pitch_name(pitch_midi: float) -> str:
    """Write the nearest pitch of the keyboard: 60 is ``C4``."""
    key = round(pitch_midi)
    return f"{PITCH_CLASSES[key % 12]}{key // 12 - 1}"


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
        cells = _cells(path, line)
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


def _cells(path: str | Path, line: str) -> list[str]:
    for mark in ("\t", ",", ";"):
        if mark in line:
            try:
                return [cell.strip() for cell in next(csv.reader([line], delimiter=mark))]
            except csv.Error as error:  # a label of more than 131,072 characters
                raise InputError(
                    f"'{path}' is no list of times ({error} in “{line[:20]}…”); choose labels of Audacity, a layer of "
                    "Sonic Visualiser, notes.csv or MIDI."
                ) from error
    return line.split(maxsplit=1)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= MAX_SECONDS else None
