"""Small scores as values, for tests that need one and not a file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.path import unfold
from scoresep.model.score import Measure, Part, PerformancePath, Score, UnfoldedScore, WrittenNotes
from scoresep.model.timemap import TimeMap

Row = tuple[int, int, float, float, float]  # part, measure, offset, duration, pitch


def score_of(
    rows: Sequence[Row], measure_count: int, part_names: Sequence[str] = ("Violin", "Cello"), **measure_values: object
) -> Score:
    """Make a score in 4/4 of rows of notes; `measure_values` maps names of `Measure` fields to {measure: value}."""
    measures = tuple(
        Measure(
            i,
            str(i + 1),
            4.0 * i,
            4.0,
            **{name: values[i] for name, values in measure_values.items() if i in values},  # type: ignore[index, operator]
        )
        for i in range(measure_count)
    )
    ordered = sorted(rows, key=lambda r: (r[1], r[2], r[0], r[4]))
    part, measure, offset, duration, pitch = (
        np.array(column) for column in (zip(*ordered, strict=True) if ordered else ([],) * 5)
    )
    no = np.zeros(len(ordered), bool)
    notes = WrittenNotes(
        part, measure, offset, duration, pitch, np.ones(len(ordered), int), np.ones(len(ordered), int), no, no, no
    )
    return Score("A piece", "", tuple(Part(i, n) for i, n in enumerate(part_names)), measures, notes)


def scale_score(measure_count: int = 4, part_names: Sequence[str] = ("Violin", "Cello"), **values: object) -> Score:
    """Make a score in which every part plays quarters up a scale, each an octave below the one before."""
    steps = (0, 2, 4, 5, 7, 9, 11, 12)
    rows = [
        (part, measure, float(beat), 1.0, 72.0 - 12 * part + steps[(4 * measure + beat) % 8])
        for part in range(len(part_names))
        for measure in range(measure_count)
        for beat in range(4)
    ]
    return score_of(rows, measure_count, part_names, **values)


def straight(score: Score) -> UnfoldedScore:
    """Unfold a score without any repeat."""
    return unfold(score, PerformancePath(tuple(range(len(score.measures)))))


def even_alignment(unfolded: UnfoldedScore, frames_per_quarter: int = 22050, start_frame: int = 10000) -> Alignment:
    """Align at an even tempo."""
    notes = unfolded.notes
    onset = start_frame + np.rint(notes.onset_quarter * frames_per_quarter).astype(np.int64)
    end = start_frame + np.rint((notes.onset_quarter + notes.duration_quarter) * frames_per_quarter).astype(np.int64)
    quarters = unfolded.step_start_quarter
    frames = start_frame + np.rint(quarters * frames_per_quarter).astype(np.int64)
    time_map = TimeMap(quarters, frames, np.zeros(len(quarters), bool))
    sure = np.ones(len(notes), np.float32)
    return Alignment(time_map, NoteTimes(onset, end, sure, sure > 0))
