"""Which events of the score are played, and when, run by run: a recording may leave the score and come back elsewhere.

Every run is sought a little beyond both of its ends, because the coarse path is rough there; where two runs claim the
same, the notes that are heard decide where one ends and the next begins.

Also here: what a recording holds that its score does not, and the reverse, in sentences for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.coarse_alignment import CoarsePath, CoarseRun
from scoresep.engines.alignment.note_times import NoteGuess
from scoresep.engines.alignment.onset_detection import OnsetSpectrogram
from scoresep.engines.alignment.onset_refinement import RefinementProblem, first_moments, refine_onsets
from scoresep.engines.alignment.score_events import ScoreEvents
from scoresep.engines.features import TONAL_SCALE
from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import second_to_frame, seconds_to_frames
from scoresep.model.timemap import TimeMap, rising_time_map
from scoresep.progress import Progress

# How far beyond the ends of a run its events are sought, and how far within they may belong to the neighbour.
EXTEND_S = 4.0
# What single notes count, where runs are weighed against each other: logarithms of likelihood.
LEAST_PRESENCE = -3.0
MOST_PRESENCE = 4.0


@dataclass(frozen=True, eq=False)
class SectionProblem:
    """What is aligned.

    Attributes
    ----------
    unfolded : UnfoldedScore
    events : ScoreEvents
    semitones : int
        How far the recording sounds above the score.
    fixed_s : tuple of (quarter, second)
        Points placed by hand.
    duration_s : float
        Length of the recording.
    """

    unfolded: UnfoldedScore
    events: ScoreEvents
    semitones: int
    fixed_s: tuple[tuple[float, float], ...]
    duration_s: float


@dataclass(frozen=True, eq=False)
class PerformedSection:
    """Events that follow each other without a leap.

    Attributes
    ----------
    events : slice
    event_s : ndarray [shape=(events of the run,)], float64
        Rising.
    """

    events: slice
    event_s: NDArray[np.float64]

    def cut(self, first: int, last: int) -> PerformedSection:
        """Return the events from `first` to before `last` only."""
        start, stop = max(first, self.events.start), min(last, self.events.stop)
        return PerformedSection(slice(start, stop), self.event_s[start - self.events.start : stop - self.events.start])


@dataclass(frozen=True, eq=False)
class PerformedSections:
    """What of the score is played.

    Attributes
    ----------
    runs : tuple of PerformedSection
        At least one; events and times rise from one to the next.
    guess : NoteGuess
        For all notes of the score; what is not covered by a run is NaN.
    """

    runs: tuple[PerformedSection, ...]
    guess: NoteGuess

    def run_of_note(self, event_of_note: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the run that holds each note, -1 for none, shape (notes,)."""
        run = np.full(len(event_of_note), -1)
        for k, r in enumerate(self.runs):
            run[(event_of_note >= r.events.start) & (event_of_note < r.events.stop)] = k
        return run


def find_performed_sections(
    task: SectionProblem, path: CoarsePath, tonal: NDArray[np.float32], levels: OnsetSpectrogram, progress: Progress
) -> PerformedSections:
    """Find when the events of every run of the coarse path happen, and when their single notes begin.

    Parameters
    ----------
    task : SectionProblem
        The score and the recording.
    path : CoarsePath
        Which parts of the score are heard when.
    tonal : ndarray [shape=(frames, bins)], float32
        Spectra on the semitones of the recording's tuning.
    levels : OnsetSpectrogram
        In which the network sees onsets.
    progress : Progress
    """
    total = sum(len(r.quarter) for r in path.runs)
    done = 0
    found: list[tuple[PerformedSection, NoteGuess]] = []
    for k, run in enumerate(path.runs):
        part = progress.part(done / total, (done + len(run.quarter)) / total)
        done += len(run.quarter)
        earliest_s = max(path.runs[k - 1].time_s[-1], run.time_s[0] - EXTEND_S) if k else 0.0
        later = path.runs[k + 1 :]
        latest_s = min(later[0].time_s[0], run.time_s[-1] + EXTEND_S) if later else task.duration_s
        covered, event_s = first_moments(task.events, run, float(earliest_s), float(latest_s))
        fixed_s = task.fixed_s if len(path.runs) == 1 else _within(task, covered)
        at = RefinementProblem(task.unfolded, task.events, covered, task.semitones, fixed_s, task.duration_s)
        present, event_s, guess = refine_onsets(at, event_s, tonal, levels, part)
        found.append(
            (PerformedSection(present, event_s[present.start - covered.start : present.stop - covered.start]), guess)
        )
    return _joined(task, found)


def _within(task: SectionProblem, covered: slice) -> tuple[tuple[float, float], ...]:
    first, last = task.events.quarter[covered.start], task.events.borders_quarter[covered.stop]
    return tuple((q, s) for q, s in task.fixed_s if first - 1e-3 < q < last + 1e-3)


def _joined(task: SectionProblem, found: list[tuple[PerformedSection, NoteGuess]]) -> PerformedSections:
    runs = [run for run, _ in found]
    for k in range(len(runs) - 1):
        presence = [_presence(task, runs[j], found[j][1]) for j in (k, k + 1)]
        runs[k], runs[k + 1] = _divided(runs[k], runs[k + 1], *presence)
    event_of_note = task.events.event_of_note
    onset_s, absence = np.full(len(event_of_note), np.nan), np.full(len(event_of_note), np.nan)
    for run, (_, guess) in zip(runs, found, strict=True):
        mine = (event_of_note >= run.events.start) & (event_of_note < run.events.stop)
        onset_s[mine], absence[mine] = guess.onset_s[mine], guess.absence[mine]
    kept = tuple(run for run in runs if len(run.event_s))
    return PerformedSections(kept, NoteGuess(onset_s, absence))


def _presence(task: SectionProblem, run: PerformedSection, guess: NoteGuess) -> NDArray[np.float64]:
    """Return how clearly each event of a run is heard, shape (events of the run,)."""
    event = task.events.event_of_note - run.events.start
    known = np.flatnonzero((event >= 0) & (event < len(run.event_s)) & np.isfinite(guess.absence))
    observed = np.clip(-guess.absence[known], LEAST_PRESENCE, MOST_PRESENCE)
    sums = np.bincount(event[known], weights=observed, minlength=len(run.event_s))
    return np.asarray(sums / np.sqrt(np.maximum(np.bincount(event[known], minlength=len(run.event_s)), 1)))


def _divided(
    before: PerformedSection,
    after: PerformedSection,
    presence: NDArray[np.float64],
    presence_after: NDArray[np.float64],
) -> tuple[PerformedSection, PerformedSection]:
    """Let a run end and the next begin where most is heard, so that events and times rise from one to the other."""
    if before.events.stop <= after.events.start and before.event_s[-1] < after.event_s[0]:
        return before, after
    kept = np.concatenate([[0.0], np.cumsum(presence)])  # by how many events of `before` are kept
    begun = np.concatenate([np.cumsum(presence_after[::-1])[::-1], [0.0]])  # by the first event of `after` kept
    best, choice = -np.inf, (len(before.event_s), 0)
    for count in range(1, len(before.event_s) + 1):
        first = int(np.searchsorted(after.event_s, before.event_s[count - 1], side="right"))
        first = max(first, before.events.start + count - after.events.start)
        if first >= len(after.event_s):
            break
        start = first + int(np.argmax(begun[first:-1]))
        if kept[count] + begun[start] > best:
            best, choice = kept[count] + begun[start], (count, start)
    count, start = choice
    return (
        before.cut(before.events.start, before.events.start + count),
        after.cut(after.events.start + start, after.events.stop),
    )


def gaps(runs: tuple[PerformedSection, ...]) -> list[tuple[PerformedSection, PerformedSection]]:
    """Return the runs that follow each other, in pairs."""
    return list(pairwise(runs))


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


def run_frames(task: SectionProblem, played: PerformedSections, rate: int) -> tuple[RunFrames, ...]:
    """Place the runs in frames, and find where each ends.

    Parameters
    ----------
    task : SectionProblem
        The score and the recording.
    played : PerformedSections
    rate : int
        Frames in a second.
    """
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


def played_time_map(task: SectionProblem, runs: tuple[RunFrames, ...], rate: int) -> TimeMap:
    """Join events, the ends of the runs and the points by hand.

    Parameters
    ----------
    task : SectionProblem
        The score and the recording.
    runs : tuple of RunFrames
        In order.
    rate : int
        Frames in a second.
    """
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
    task: SectionProblem, runs: tuple[RunFrames, ...], time_map: TimeMap, run_of_note: NDArray[np.int64], rate: int
) -> NDArray[np.float64]:
    """Return where notes end as written, shape (notes,); the last ones of a run go on at its tempo.

    Parameters
    ----------
    task : SectionProblem
        The score and the recording.
    runs : tuple of RunFrames
        In order.
    time_map : TimeMap
    run_of_note : ndarray [shape=(notes,)], int64
        -1 for a note that no run covers.
    rate : int
        Frames in a second.
    """
    notes = task.unfolded.notes
    end_quarter = notes.onset_quarter + notes.duration_quarter
    end_s = time_map.quarters_to_frames(end_quarter) / rate
    for k, run in enumerate(runs[:-1]):
        over = (run_of_note == k) & (end_quarter > run.end_quarter - 2 * GAP_QUARTER)
        beyond_s = np.maximum(end_quarter[over] - run.end_quarter, 0) * run.quarter_s
        end_s[over] = np.minimum(run.end_frame / rate + beyond_s, runs[k + 1].frame[0] / rate)
    return np.asarray(end_s)


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
    """Say in one sentence each where the recording holds something else, and which bars it leaves out.

    Parameters
    ----------
    task : SectionProblem
        The score and the recording.
    path : CoarsePath
        Which parts of the score are heard when.
    played : PerformedSections
    frames : tuple of RunFrames
        The runs in frames of the recording.
    beside : Deviation
        What is heard outside of the runs.
    """
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
