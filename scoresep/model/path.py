"""From the score as written to the order of playing, and to the notes along it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoresep.model.score import PathNotes, PerformancePath, Score, UnfoldedScore
from scoresep.model.timebase import SAME_QUARTER


@dataclass(frozen=True)
class PathChoices:
    """What a person chooses about the order of playing.

    Attributes
    ----------
    skipped_repeats : frozenset of int
        Repeats that are not taken (played once, last ending), by the index of the measure in which the sign closes.
    repeats_after_jump : bool
        Whether repeats are taken again after da capo or dal segno.
    takes_jumps : bool
        Whether da capo and dal segno are followed at all.
    """

    skipped_repeats: frozenset[int] = frozenset()
    repeats_after_jump: bool = False
    takes_jumps: bool = True


def unfold(score: Score, path: PerformancePath) -> UnfoldedScore:
    """Lay the notes of a score out along a performance path; tied notes become one, also across measures of the path.

    Parameters
    ----------
    score : Score
    path : PerformancePath

    Returns
    -------
    unfolded : UnfoldedScore
    """
    indices = np.array(path.measure_indices, np.int64)
    durations = np.array([m.duration_quarter for m in score.measures])
    starts = np.concatenate([[0.0], np.cumsum(durations[indices])])
    written = score.notes
    first = np.searchsorted(written.measure_index, np.arange(len(score.measures) + 1))
    rows: dict[str, list[float]] = {name: [] for name in ("written", "step", "onset", "duration")}
    open_ties: dict[tuple[int, float], int] = {}
    for step, measure_index in enumerate(path.measure_indices):
        for w in range(first[measure_index], first[measure_index + 1]):
            onset = float(starts[step] + written.offset_quarter[w])
            duration = float(written.duration_quarter[w])
            tie_key = (int(written.part_index[w]), float(written.pitch_midi[w]))
            row: int | None = open_ties.get(tie_key) if written.tied_from_previous[w] else None
            if row is not None and abs(rows["onset"][row] + rows["duration"][row] - onset) <= SAME_QUARTER:
                rows["duration"][row] += duration
            else:
                row = len(rows["onset"])
                for name, value in zip(rows, (w, step, onset, duration), strict=True):
                    rows[name].append(value)
            if written.tied_to_next[w]:
                open_ties[tie_key] = row
            else:
                open_ties.pop(tie_key, None)
    w_index = np.array(rows["written"], np.int32)
    step_index = np.array(rows["step"], np.int32)
    beat = np.array(
        [
            score.measures[path.measure_indices[s]].offset_to_beat(float(written.offset_quarter[w]))
            for s, w in zip(step_index, w_index, strict=True)
        ]
    )
    onsets = np.array(rows["onset"])
    order = np.lexsort((written.pitch_midi[w_index], written.part_index[w_index], np.round(onsets / SAME_QUARTER)))
    notes = PathNotes(
        written.part_index[w_index][order],
        step_index[order],
        w_index[order],
        beat[order],
        onsets[order],
        np.array(rows["duration"])[order],
        written.pitch_midi[w_index][order],
        written.is_grace[w_index][order],
    )
    return UnfoldedScore(score, path, starts, notes)
