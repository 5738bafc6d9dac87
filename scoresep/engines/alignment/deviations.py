"""What a recording holds that its score does not, and the reverse, in sentences for people."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.coarse_alignment import CoarsePath, CoarseRun
from scoresep.engines.alignment.performed_sections import PerformedSections, RunFrames, SectionProblem
from scoresep.engines.features import TONAL_SCALE
from scoresep.model.score import UnfoldedScore

# What is shorter is not worth a word. The last chord may ring on for a while.
LEAST_SOUND_S = 2.0
LEAST_SILENCE_S = 4.0
RINGING_S = 2.0
LEAST_SKIPPED_QUARTER = 1.5
# What share of a stretch must be a passage of the score, to say so.
MOSTLY = 0.5
# The sound of a hall between two movements is silence.
SILENT = 0.5


@dataclass(frozen=True, eq=False)
class Deviation:
    """What is heard beside the score.

    Attributes
    ----------
    silence : ndarray [shape=(frames,)], float32
        How silent each frame of `TONAL_SCALE` is, from 0 to 1.
    rate : int
        Frames of the recording in a second.
    """

    silence: NDArray[np.float32]
    rate: int

    def sounding_s(self, start_s: float, end_s: float) -> tuple[float, float, float]:
        """Return where something sounds first and last between two times, and for how long in all."""
        first, last = (max(round(s * TONAL_SCALE.frame_rate_hz), 0) for s in (start_s, end_s))
        loud = first + np.flatnonzero(self.silence[first:last] < SILENT)
        if not len(loud):
            return start_s, start_s, 0.0
        first_s, last_s, length_s = (x / TONAL_SCALE.frame_rate_hz for x in (loud[0], loud[-1] + 1, len(loud)))
        return first_s, last_s, length_s


def find_deviations(
    task: SectionProblem, path: CoarsePath, played: PerformedSections, frames: tuple[RunFrames, ...], beside: Deviation
) -> tuple[str, ...]:
    """Say in one sentence each where the recording holds something else, and which bars it leaves out."""
    found = _at_the_start(task, played, frames, beside)
    for (before, after), (run, next_run) in zip(pairwise(frames), pairwise(played.runs), strict=True):
        start_s, end_s = before.end_frame / beside.rate, after.frame[0] / beside.rate
        sound = _in_between(task.unfolded, path.again, (start_s, end_s), beside)
        found += [sound] if sound else []
        skipped = after.quarter[0] - before.end_quarter
        if next_run.events.start > run.events.stop and skipped >= LEAST_SKIPPED_QUARTER:
            bars = _bars(task.unfolded, before.end_quarter, after.quarter[0])
            found.append(f"The recording leaves out {bars} at {clock(end_s)}.")
    return tuple(found + _at_the_end(task, played, frames, beside))


def clock(second: float) -> str:
    """Write a time as minutes and seconds."""
    return f"{int(second + 0.5) // 60}:{int(second + 0.5) % 60:02d}"


def _at_the_start(
    task: SectionProblem, played: PerformedSections, frames: tuple[RunFrames, ...], beside: Deviation
) -> list[str]:
    sentences = []
    start_s, end_s, length_s = beside.sounding_s(0.0, frames[0].frame[0] / beside.rate - 0.3)
    if length_s >= LEAST_SOUND_S:
        sentences.append(_strange(start_s, end_s))
    if played.runs[0].events.start and frames[0].quarter[0] >= LEAST_SKIPPED_QUARTER:
        step = task.unfolded.quarter_to_beat(float(frames[0].quarter[0]))[0]
        sentences.append(f"The recording begins in bar {task.unfolded.score.measures[step.measure_index].number}.")
    return sentences


def _at_the_end(
    task: SectionProblem, played: PerformedSections, frames: tuple[RunFrames, ...], beside: Deviation
) -> list[str]:
    sentences = []
    last_quarter = float(frames[-1].quarter[-1])
    if (
        played.runs[-1].events.stop < len(task.events)
        and task.events.end_quarter - last_quarter > LEAST_SKIPPED_QUARTER
    ):
        step = task.unfolded.quarter_to_beat(last_quarter)[0]
        sentences.append(f"The recording ends in bar {task.unfolded.score.measures[step.measure_index].number}.")
    ended_s = frames[-1].end_frame / beside.rate + RINGING_S
    start_s, end_s, length_s = beside.sounding_s(min(ended_s, task.duration_s), task.duration_s)
    if length_s >= LEAST_SOUND_S:
        sentences.append(_strange(start_s - RINGING_S if start_s < ended_s + 0.1 else start_s, end_s))
    return sentences


def _in_between(
    unfolded: UnfoldedScore, again: tuple[CoarseRun, ...], between_s: tuple[float, float], beside: Deviation
) -> str | None:
    start_s, end_s = between_s
    takes = [t for t in again if t.time_s[0] < end_s - 0.5 and t.time_s[-1] > start_s + 0.5]
    played_s = sum(min(t.time_s[-1], end_s) - max(t.time_s[0], start_s) for t in takes)
    if takes and played_s > MOSTLY * (end_s - start_s) and end_s - start_s >= LEAST_SOUND_S:
        first, last = min(float(t.quarter[0]) for t in takes), max(float(t.quarter[-1]) for t in takes)
        bars = _bars(unfolded, first, last)
        return f"{clock(start_s)} to {clock(end_s)} plays {bars} once more than the score has it."
    if beside.sounding_s(start_s, end_s)[2] >= LEAST_SOUND_S:
        return _strange(start_s, end_s)
    if end_s - start_s >= LEAST_SILENCE_S:
        return f"{clock(start_s)} to {clock(end_s)} is a silence that the score does not have."
    return None


def _strange(start_s: float, end_s: float) -> str:
    return f"{clock(start_s)} to {clock(end_s)} holds sound that the score does not have."


def _bars(unfolded: UnfoldedScore, start_quarter: float, end_quarter: float) -> str:
    """Name the bars from one position to just before another."""
    steps = [unfolded.quarter_to_beat(q)[0] for q in (start_quarter + 1e-3, max(end_quarter - 0.25, start_quarter))]
    first, last = (unfolded.score.measures[s.measure_index].number for s in steps)
    return f"bar {first}" if first == last else f"bars {first} to {last}"
