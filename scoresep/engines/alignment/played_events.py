"""Which events of the score are played, and when, run by run: a recording may leave the score and come back elsewhere.

Every run is sought a little beyond both of its ends, because the coarse path is rough there; where two runs claim the
same, the notes that are heard decide where one ends and the next begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.coarse_path import CoarsePath
from scoresep.engines.alignment.event_moments import Situation, event_moments, first_moments
from scoresep.engines.alignment.note_patches import HeardLevels
from scoresep.engines.alignment.note_times import NoteGuess
from scoresep.engines.alignment.score_events import ScoreEvents
from scoresep.model.score import UnfoldedScore
from scoresep.progress import Progress

# How far beyond the ends of a run its events are sought, and how far within they may belong to the neighbour.
EXTEND_S = 4.0
# What single notes count, where runs are weighed against each other: logarithms of likelihood.
LEAST_PRESENCE, MOST_PRESENCE = -3.0, 4.0


@dataclass(frozen=True, eq=False)
class Task:
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
class PlayedRun:
    """Events that follow each other without a leap.

    Attributes
    ----------
    events : slice
    event_s : ndarray [shape=(events of the run,)], float64
        Rising.
    """

    events: slice
    event_s: NDArray[np.float64]

    def cut(self, first: int, last: int) -> PlayedRun:
        """Return the events from `first` to before `last` only."""
        start, stop = max(first, self.events.start), min(last, self.events.stop)
        return PlayedRun(slice(start, stop), self.event_s[start - self.events.start : stop - self.events.start])


@dataclass(frozen=True, eq=False)
class Played:
    """What of the score is played.

    Attributes
    ----------
    runs : tuple of PlayedRun
        At least one; events and times rise from one to the next.
    guess : NoteGuess
        For all notes of the score; what is not covered by a run is NaN.
    """

    runs: tuple[PlayedRun, ...]
    guess: NoteGuess

    def run_of_note(self, event_of_note: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the run that holds each note, -1 for none, shape (notes,)."""
        run = np.full(len(event_of_note), -1)
        for k, r in enumerate(self.runs):
            run[(event_of_note >= r.events.start) & (event_of_note < r.events.stop)] = k
        return run


def find_played(
    task: Task, path: CoarsePath, tonal: NDArray[np.float32], levels: HeardLevels, progress: Progress
) -> Played:
    """Find when the events of every run of the coarse path happen, and when their single notes begin."""
    total = sum(len(r.quarter) for r in path.runs)
    done = 0
    found: list[tuple[PlayedRun, NoteGuess]] = []
    for k, run in enumerate(path.runs):
        part = progress.part(done / total, (done + len(run.quarter)) / total)
        done += len(run.quarter)
        earliest_s = max(path.runs[k - 1].time_s[-1], run.time_s[0] - EXTEND_S) if k else 0.0
        later = path.runs[k + 1 :]
        latest_s = min(later[0].time_s[0], run.time_s[-1] + EXTEND_S) if later else task.duration_s
        covered, event_s = first_moments(task.events, run, float(earliest_s), float(latest_s))
        fixed_s = task.fixed_s if len(path.runs) == 1 else _within(task, covered)
        at = Situation(task.unfolded, task.events, covered, task.semitones, fixed_s, task.duration_s)
        present, event_s, guess = event_moments(at, event_s, tonal, levels, part)
        found.append((PlayedRun(present, event_s[present.start - covered.start : present.stop - covered.start]), guess))
    return _joined(task, found)


def _within(task: Task, covered: slice) -> tuple[tuple[float, float], ...]:
    first, last = task.events.quarter[covered.start], task.events.borders_quarter[covered.stop]
    return tuple((q, s) for q, s in task.fixed_s if first - 1e-3 < q < last + 1e-3)


def _joined(task: Task, found: list[tuple[PlayedRun, NoteGuess]]) -> Played:
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
    return Played(kept, NoteGuess(onset_s, absence))


def _presence(task: Task, run: PlayedRun, guess: NoteGuess) -> NDArray[np.float64]:
    """Return how clearly each event of a run is heard, shape (events of the run,)."""
    event = task.events.event_of_note - run.events.start
    known = np.flatnonzero((event >= 0) & (event < len(run.event_s)) & np.isfinite(guess.absence))
    heard = np.clip(-guess.absence[known], LEAST_PRESENCE, MOST_PRESENCE)
    sums = np.bincount(event[known], weights=heard, minlength=len(run.event_s))
    return np.asarray(sums / np.sqrt(np.maximum(np.bincount(event[known], minlength=len(run.event_s)), 1)))


def _divided(
    before: PlayedRun, after: PlayedRun, presence: NDArray[np.float64], presence_after: NDArray[np.float64]
) -> tuple[PlayedRun, PlayedRun]:
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


def gaps(runs: tuple[PlayedRun, ...]) -> list[tuple[PlayedRun, PlayedRun]]:
    """Return the runs that follow each other, in pairs."""
    return list(pairwise(runs))
