"""From the events that are played to the time map, which jumps over what recording or score do not have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.played_events import Played, Task
from scoresep.model.timebase import second_to_frame, seconds_to_frames
from scoresep.model.timemap import TimeMap, rising_time_map

USUAL_QUARTER_S = 60 / 90
# Where the score goes on after something else was heard, all of that passes within this much of the score.
GAP_QUARTER = 0.05


@dataclass(frozen=True, eq=False)
class RunFrames:
    """A run in frames of the recording.

    Attributes
    ----------
    quarter : ndarray [shape=(events,)], float64
    frame : ndarray [shape=(events,)], int64
    end_quarter, end_frame
        Where its last event is over, by the tempo and before the next run begins.
    quarter_s : float
        Seconds to a quarter.
    """

    quarter: NDArray[np.float64]
    frame: NDArray[np.int64]
    end_quarter: float
    end_frame: int
    quarter_s: float


def run_frames(task: Task, played: Played, rate: int) -> tuple[RunFrames, ...]:
    """Place the runs in frames, and find where each ends."""
    found = []
    for k, run in enumerate(played.runs):
        quarter, frame = task.events.quarter[run.events], seconds_to_frames(run.event_s, rate)
        quarter_s = USUAL_QUARTER_S
        if len(quarter) > 1:
            quarter_s = float(np.median(np.diff(frame) / np.diff(quarter))) / rate
        end_quarter = float(task.events.borders_quarter[run.events.stop])
        end_frame = int(frame[-1]) + max(second_to_frame(quarter_s * (end_quarter - quarter[-1]), rate), 1)
        if k + 1 < len(played.runs):
            end_frame = min(end_frame, second_to_frame(float(played.runs[k + 1].event_s[0]), rate))
        found.append(RunFrames(quarter, frame, end_quarter, end_frame, quarter_s))
    return tuple(found)


def played_time_map(task: Task, runs: tuple[RunFrames, ...], rate: int) -> TimeMap:
    """Join events, the ends of the runs and the points by hand."""
    quarter, frame = list[NDArray[np.float64]](), list[NDArray[np.int64]]()
    for k, run in enumerate(runs):
        end = run.end_quarter
        if k + 1 < len(runs) and runs[k + 1].quarter[0] - end < GAP_QUARTER:
            end -= min(GAP_QUARTER, (end - float(run.quarter[-1])) / 2)
        quarter.append(np.append(run.quarter, end))
        frame.append(np.append(run.frame, run.end_frame))
    hand_quarter = np.array([q for q, _ in task.fixed_s])
    hand_frame = np.array([second_to_frame(s, rate) for _, s in task.fixed_s], np.int64)
    counted = sum(len(q) for q in quarter)
    return rising_time_map(
        np.concatenate([*quarter, hand_quarter]),
        np.concatenate([*frame, hand_frame]),
        np.arange(counted + len(hand_quarter)) >= counted,
    )


def note_ends_s(
    task: Task, runs: tuple[RunFrames, ...], time_map: TimeMap, run_of_note: NDArray[np.int64], rate: int
) -> NDArray[np.float64]:
    """Return where notes end as written, shape (notes,); the last ones of a run go on at its tempo."""
    notes = task.unfolded.notes
    end_quarter = notes.onset_quarter + notes.duration_quarter
    end_s = time_map.quarters_to_frames(end_quarter) / rate
    for k, run in enumerate(runs[:-1]):
        over = (run_of_note == k) & (end_quarter > run.end_quarter - 2 * GAP_QUARTER)
        beyond_s = np.maximum(end_quarter[over] - run.end_quarter, 0) * run.quarter_s
        end_s[over] = np.minimum(run.end_frame / rate + beyond_s, runs[k + 1].frame[0] / rate)
    return np.asarray(end_s)
