"""``notes.csv``: where every note of the score lies in the recording, for people, scripts and other programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scoresep.errors import InputError
from scoresep.files.tables.csv_tables import TableRow, read_table, table_bytes, write_table
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import second_to_frame

COLUMNS = (
    "part_index",
    "part",
    "measure",
    "occurrence",
    "beat",
    "pitch_midi",
    "onset_quarter",
    "duration_quarter",
    "onset_s",
    "offset_s",
    "confidence",
)
REQUIRED_COLUMNS = ("part_index", "pitch_midi", "onset_quarter", "onset_s", "offset_s")
# Rows whose measure and beat fit no note are given to the nearest note of their pitch within this distance.
QUARTER_TOLERANCE = 0.02
BEAT_TOLERANCE = 0.01
MAX_SECONDS = 1e7  # a hundred days: whatever is later is no time of a recording


def write_notes_csv(
    path: str | Path,
    unfolded: UnfoldedScore,
    alignment: Alignment,
    sample_rate: int,
    part_names: Sequence[str] | None = None,
) -> None:
    """Write the notes that the recording contains, in the order of the path.

    Parameters
    ----------
    path : str or Path
        ``-`` for the standard output.
    unfolded : UnfoldedScore
    alignment : Alignment
        Of the same notes.
    sample_rate : int
        Of the recording.
    part_names : sequence of str, optional
        Those of the score by default.

    Raises
    ------
    OutputError
    """
    write_table(path, COLUMNS, _written_rows(unfolded, alignment, sample_rate, part_names))


def notes_csv_bytes(
    unfolded: UnfoldedScore, alignment: Alignment, sample_rate: int, part_names: Sequence[str] | None = None
) -> bytes:
    """Make the content of the table, as for `write_notes_csv`.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment
    sample_rate : int
    part_names : sequence of str, optional
        Instead of those of the score.
    """
    return table_bytes(COLUMNS, _written_rows(unfolded, alignment, sample_rate, part_names))


def _written_rows(
    unfolded: UnfoldedScore, alignment: Alignment, sample_rate: int, part_names: Sequence[str] | None
) -> list[list[str]]:
    notes, times, steps = unfolded.notes, alignment.note_times, unfolded.path.steps
    if len(notes) != len(times):
        raise ValueError(f"{len(notes)} notes, but times of {len(times)}")
    names = part_names or [part.name for part in unfolded.score.parts]
    rows = []
    for i in np.flatnonzero(times.is_present).tolist():
        step_index, part_index = int(notes.step_index[i]), int(notes.part_index[i])
        row = [
            str(part_index),
            names[part_index],
            unfolded.measure_of_step(step_index).number,
            str(steps[step_index].occurrence),
            f"{notes.beat[i]:.6f}",
            "" if np.isnan(notes.pitch_midi[i]) else f"{notes.pitch_midi[i]:g}",
            f"{notes.onset_quarter[i]:.6f}",
            f"{notes.duration_quarter[i]:.6f}",
            f"{times.onset_frame[i] / sample_rate:.6f}",
            f"{times.offset_frame[i] / sample_rate:.6f}",
            f"{times.confidence[i]:.6f}",
        ]
        rows.append(row)
    return rows


def read_notes_csv(
    path: str | Path, unfolded: UnfoldedScore, sample_rate: int, frames: int | None = None
) -> tuple[NoteTimes, tuple[str, ...]]:
    """Read where the notes of a score lie in the recording.

    A row belongs to the note of the same part and pitch on the same beat of the same measure and occurrence; failing
    that, to the nearest one of the same part and pitch by `onset_quarter`.

    Parameters
    ----------
    path : str or Path
    unfolded : UnfoldedScore
    sample_rate : int
        Of the recording.
    frames : int, optional
        Length of the recording; notes that begin outside of it are left out.

    Returns
    -------
    times : NoteTimes
        Notes without a row are not in the recording; their frames are estimated from their neighbours.
    warnings : tuple of str

    Raises
    ------
    InputError
        The file is not such a table, a number is wrong, or no row fits the score or the recording.
    """
    rows = [_read_row(row, sample_rate) for row in read_table(path, REQUIRED_COLUMNS)]
    note_of_row = _match(rows, unfolded)
    if not note_of_row:
        raise InputError(f"No row of '{path}' fits a note of this score; check that the table belongs to it.")
    unmatched = [row.line for i, row in enumerate(rows) if i not in note_of_row]
    warnings = []
    if unmatched:
        warnings.append(
            f"{len(unmatched)} of {len(rows)} rows of '{path}' fit no note of this score and are left out "
            f"(the first in line {unmatched[0]})."
        )
    if frames is not None:
        outside = [i for i in note_of_row if not 0 <= rows[i].onset_frame < frames]
        if len(outside) == len(note_of_row):
            raise InputError(f"All notes of '{path}' lie outside the recording; check that the table belongs to it.")
        if outside:
            warnings.append(
                f"{len(outside)} of {len(rows)} rows of '{path}' begin outside the recording and are left out "
                f"(the first in line {rows[min(outside)].line})."
            )
        note_of_row = {i: note for i, note in note_of_row.items() if i not in set(outside)}
    return _times_of(rows, note_of_row, unfolded), tuple(warnings)


@dataclass(frozen=True)
class _Row:
    line: int
    part_index: int
    pitch: int | None
    place: tuple[str, str] | None
    beat: float
    onset_quarter: float
    duration_quarter: float
    onset_frame: int
    offset_frame: int
    confidence: float


def _read_row(row: TableRow, sample_rate: int) -> _Row:
    onset_frame, offset_frame = (_frame(row, column, sample_rate) for column in ("onset_s", "offset_s"))
    if offset_frame < onset_frame:
        raise row.error("the note ends before it begins")
    has_place = bool(row.text("measure") and row.text("occurrence") and row.text("beat"))
    return _Row(
        row.line,
        row.integer("part_index"),
        _pitch_key(row.number("pitch_midi")) if row.text("pitch_midi") else None,
        (row.text("measure"), str(row.integer("occurrence"))) if has_place else None,
        row.number("beat") if has_place else 0.0,
        row.number("onset_quarter"),
        row.number("duration_quarter") if row.text("duration_quarter") else 0.0,
        onset_frame,
        offset_frame,
        min(max(row.number("confidence"), 0.0), 1.0) if row.text("confidence") else 1.0,
    )


def _frame(row: TableRow, column: str, sample_rate: int) -> int:
    seconds = row.number(column)
    if abs(seconds) > MAX_SECONDS:
        raise row.error(f"“{row.text(column)}” in column {column} is no time of a recording")
    return second_to_frame(seconds, sample_rate)


def _pitch_key(pitch_midi: float) -> int | None:
    return None if np.isnan(pitch_midi) else round(pitch_midi * 100)


def _match(rows: list[_Row], unfolded: UnfoldedScore) -> dict[int, int]:
    """Return for the rows that fit a note the index of that note; no note is given twice."""
    notes, steps = unfolded.notes, unfolded.path.steps
    onsets, durations, beats = (c.tolist() for c in (notes.onset_quarter, notes.duration_quarter, notes.beat))
    at_place: dict[tuple[object, ...], list[int]] = defaultdict(list)
    of_pitch: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for i, step_index in enumerate(notes.step_index.tolist()):
        sound = (int(notes.part_index[i]), _pitch_key(float(notes.pitch_midi[i])))
        number, occurrence = unfolded.measure_of_step(step_index).number, str(steps[step_index].occurrence)
        at_place[(*sound, number, occurrence)].append(i)
        of_pitch[sound].append(i)

    free = set(range(len(notes)))
    note_of_row: dict[int, int] = {}

    def give(row_index: int, candidates: list[int]) -> None:
        row = rows[row_index]

        def distance(i: int) -> tuple[float, ...]:
            away_quarter = abs(onsets[i] - row.onset_quarter)
            return round(away_quarter / QUARTER_TOLERANCE), abs(durations[i] - row.duration_quarter), away_quarter

        if candidates:
            best = min(candidates, key=distance)
            note_of_row[row_index] = best
            free.remove(best)

    for j, row in enumerate(rows):  # all that fit exactly come first, so that no near one takes their note
        if row.place is not None:
            here = at_place[(row.part_index, row.pitch, *row.place)]
            give(j, [i for i in here if i in free and abs(beats[i] - row.beat) <= BEAT_TOLERANCE])
    for j, row in enumerate(rows):
        if j not in note_of_row:
            here = of_pitch[(row.part_index, row.pitch)]
            near = (i for i in here if abs(onsets[i] - row.onset_quarter) <= QUARTER_TOLERANCE)
            give(j, [i for i in near if i in free])
    return note_of_row


def _times_of(rows: list[_Row], note_of_row: dict[int, int], unfolded: UnfoldedScore) -> NoteTimes:
    quarters = unfolded.notes.onset_quarter
    ends = quarters + unfolded.notes.duration_quarter
    order = sorted(note_of_row, key=lambda j: (quarters[note_of_row[j]], rows[j].onset_frame))
    known_quarters = [quarters[note_of_row[j]] for j in order]
    known_frames = np.maximum.accumulate([rows[j].onset_frame for j in order])
    onset_frame = np.rint(np.interp(quarters, known_quarters, known_frames)).astype(np.int64)
    offset_frame = np.maximum(np.rint(np.interp(ends, known_quarters, known_frames)).astype(np.int64), onset_frame)
    confidence = np.zeros(len(quarters), np.float32)
    is_present = np.zeros(len(quarters), np.bool_)
    for j, i in note_of_row.items():
        onset_frame[i], offset_frame[i] = rows[j].onset_frame, rows[j].offset_frame
        confidence[i], is_present[i] = rows[j].confidence, True
    return NoteTimes(onset_frame, offset_frame, confidence, is_present)
