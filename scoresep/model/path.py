"""From the score as written to the order of playing, and to the notes along it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.model.arrays import frozen
from scoresep.model.repeats import JUMP_MARKS, Repeat, find_repeats
from scoresep.model.score import Mark, Measure, PathNotes, PerformancePath, Score, UnfoldedScore, WrittenNotes
from scoresep.model.timebase import SAME_QUARTER

MAX_STEPS = 100_000  # more measures than a day of music has

# Tied notes whose edges differ by less than this meet (files round tuplets).
_TIE_GAP_QUARTER = 0.05

_DAL_SEGNO = frozenset({Mark.DAL_SEGNO, Mark.DAL_SEGNO_AL_FINE, Mark.DAL_SEGNO_AL_CODA})
_PAST_FINE = frozenset({Mark.DA_CAPO_AL_CODA, Mark.DAL_SEGNO_AL_CODA})
_PAST_CODA = frozenset({Mark.DA_CAPO_AL_FINE, Mark.DAL_SEGNO_AL_FINE})


@dataclass(frozen=True)
class PathChoices:
    """What a person chooses about the order of playing.

    Attributes
    ----------
    skipped_repeats : frozenset of int
        Repeats that are not taken (played once, last ending), by the index of the measure in which the repeat sign
        closes (`RepeatSite.closing_measure`).
    repeats_after_jump : bool
        Whether repeats are taken again after da capo or dal segno.
    takes_jumps : bool
        Whether da capo and dal segno are followed at all.
    keeps_bars_together : bool
        See `PerformancePath`.
    is_by_hand : bool
        Whether a person said so; otherwise the recording may tell better.
    """

    skipped_repeats: frozenset[int] = frozenset()
    repeats_after_jump: bool = False
    takes_jumps: bool = True
    keeps_bars_together: bool = False
    is_by_hand: bool = False


@dataclass(frozen=True)
class RepeatSite:
    """A repeat of the score, which a person may take or leave.

    Attributes
    ----------
    closing_measure : int
        Index of the measure in which the (first) repeat sign closes; what `PathChoices.skipped_repeats` holds.
    first_measure, last_measure : int
        Indices of the first and last measure of the passage, all endings included.
    passes : int
        How often it is played in all when taken.
    label : str
        In words: ``bars 1-8, 2 times``.
    """

    closing_measure: int
    first_measure: int
    last_measure: int
    passes: int
    label: str


def repeat_sites(score: Score) -> tuple[RepeatSite, ...]:
    """List the repeats of a score in its order; those that only a da capo or dal segno makes are not among them."""
    sites = []
    for r in find_repeats(score.measures)[0]:
        first, last = score.measures[r.first].number, score.measures[r.last].number
        bars = f"bar {first}" if first == last else f"bars {first}-{last}"
        if not r.is_by_jump:
            sites.append(RepeatSite(r.closing, r.first, r.last, r.passes, f"{bars}, {r.passes} times"))
    return tuple(sorted(sites, key=lambda s: (s.first_measure, -s.last_measure)))


def performance_path(score: Score, choices: PathChoices = PathChoices()) -> tuple[PerformancePath, tuple[str, ...]]:
    """Find the order in which the measures of a score are played.

    Repeats are taken with their endings; after them da capo and dal segno, once each, to the fine or by way of the
    coda. A da capo inside a repeat counts at its last pass, a fine where a repeat closes likewise.

    Parameters
    ----------
    score : Score
    choices : PathChoices

    Returns
    -------
    path : PerformancePath
    warnings : tuple of str
        What was badly formed and how it is played instead, one sentence each.
    """
    repeats, warnings = find_repeats(score.measures)
    walk = _Walk(score.measures, repeats, choices)
    indices = walk.run()
    if indices is None:
        indices = list(range(len(score.measures)))
        walk.warnings.append("The repeats of this score never end; it is played once from beginning to end.")
    path = PerformancePath(tuple(indices), choices.keeps_bars_together)
    return path, tuple(dict.fromkeys((*warnings, *walk.warnings)))


class _Walk:
    """The player: where it is in the score, and in the how manieth pass of every repeat."""

    def __init__(self, measures: Sequence[Measure], repeats: Sequence[Repeat], choices: PathChoices) -> None:
        self.warnings: list[str] = []
        self._measures = measures
        self._choices = choices
        self._repeats_around: dict[int, list[Repeat]] = {}
        for r in repeats:  # inner ones come first
            for i in range(r.first, r.last + 1):
                self._repeats_around.setdefault(i, []).append(r)
        self._skipped = {
            r
            for r in repeats
            if any(i in choices.skipped_repeats for i in (r.closing, *(e.last for e in r.endings if e.closes)))
        }
        self._pass: dict[Repeat, int] = {}
        self._taken: set[int] = set()  # measures whose jump has been followed
        self._jump: Mark | None = None  # the last one followed
        self._is_in_coda = False
        self._path: list[int] = []
        self._played_before_jump: frozenset[int] = frozenset()

    def run(self) -> list[int] | None:
        """Return the measures in the order played; None if there is no end to it."""
        position: int | None = 0
        while position is not None and position < len(self._measures):
            entered = self._past_other_endings(position)
            if entered != position:
                position = entered
                continue
            self._path.append(position)
            if len(self._path) > MAX_STEPS:
                return None
            position = self._after(position)
        self._warn_of_idle_marks()
        return self._path

    # ----------------------------------------------------------------------------------------------- repeats

    def _pass_of(self, repeat: Repeat) -> int:
        """Which pass of a repeat is being played; the last one where it is not taken."""
        if repeat.is_by_jump:
            return repeat.passes if self._jump else 1
        is_again = not self._choices.repeats_after_jump and repeat.closing in self._played_before_jump
        return repeat.passes if is_again or repeat in self._skipped else self._pass.get(repeat, 1)

    def _past_other_endings(self, index: int) -> int:
        """Where to go on from a measure that belongs to the ending of another pass; otherwise the measure itself."""
        for repeat in reversed(self._repeats_around.get(index, [])):
            ending = repeat.ending_at(index)
            if ending is None or ending.first != index:
                continue
            wanted = repeat.ending_for(self._pass_of(repeat))
            if wanted is None:
                return repeat.last + 1
            if wanted != ending:
                return wanted.first if wanted.first > index else ending.last + 1
        return index

    def _is_last_time(self, index: int) -> bool:
        """Whether the repeats around a measure will not bring it back."""
        for repeat in self._repeats_around.get(index, []):
            ending = repeat.ending_at(index)
            last_pass = max(ending.passes) if ending else repeat.passes
            if not repeat.is_by_jump and self._pass_of(repeat) < last_pass:
                return False
        return True

    def _goes_back_at(self, index: int) -> Repeat | None:
        """Return the repeat that leads back from the end of a measure in the present pass."""
        for repeat in self._repeats_around.get(index, []):  # from the inside out
            ending = repeat.ending_at(index)
            is_end = index == (ending.last if ending else repeat.last)
            if is_end and self._pass_of(repeat) < repeat.passes and (ending is None or ending.closes):
                return repeat
        return None

    def _after_repeat(self, index: int) -> int:
        """Where the repeats around a measure lead from its end."""
        back = self._goes_back_at(index)
        if back is not None:
            self._pass[back] = self._pass_of(back) + 1
            for i in range(back.first, back.last + 1):  # those inside start anew
                for inner in self._repeats_around[i]:
                    if inner is not back and back.first <= inner.first and inner.last <= back.last:
                        self._pass.pop(inner, None)
            return back.first
        for repeat in self._repeats_around.get(index, []):
            ending = repeat.ending_at(index)
            if ending is not None and index == ending.last:
                return repeat.last + 1
        return index + 1

    # ------------------------------------------------------------------------------------------------- jumps

    def _after(self, index: int) -> int | None:
        """Where to go on after a measure was played; None at the end."""
        marks = self._measures[index].marks
        if marks and self._jump is not None and self._goes_back_at(index) is None:
            if Mark.FINE in marks and (self._is_in_coda or self._jump not in _PAST_FINE):
                return None
            if Mark.TO_CODA in marks and not self._is_in_coda and self._jump not in _PAST_CODA:
                coda = self._target(Mark.CODA, index, ahead=True)
                if coda is not None:
                    self._is_in_coda = True
                    return self._landed(coda)
        if marks and self._is_last_time(index):
            target = self._jump_target(index)
            if target is not None:
                return target
        return self._after_repeat(index)

    def _jump_target(self, index: int) -> int | None:
        jump = next((m for m in self._measures[index].marks if m in JUMP_MARKS), None)
        if jump is None or index in self._taken or not self._choices.takes_jumps:
            return None
        target = 0
        if jump in _DAL_SEGNO:
            segno = self._target(Mark.SEGNO, index, ahead=False)
            if segno is None:
                number = self._measures[index].number
                self.warnings.append(f"The dal segno at bar {number} is not followed, because there is no segno.")
                return None
            target = segno
        self._taken.add(index)
        self._jump = jump
        self._is_in_coda = False
        self._played_before_jump = frozenset(self._path)
        return self._landed(target)

    def _landed(self, target: int) -> int:
        """Forget the passes at a jump; who lands in an ending is in its pass."""
        self._pass = {
            r: max(ending.passes)
            for r in self._repeats_around.get(target, [])
            if (ending := r.ending_at(target)) is not None
        }
        return target

    def _target(self, mark: Mark, index: int, ahead: bool) -> int | None:
        """Return the nearest measure with a mark after (or before) `index`, else the nearest on the other side."""
        places = [m.index for m in self._measures if mark in m.marks]
        after = [p for p in places if p > index]
        before = [p for p in reversed(places) if p <= index]
        return next(iter([*after, *before] if ahead else [*before, *after]), None)

    def _warn_of_idle_marks(self) -> None:
        """Tell of jumps that miss their goal."""
        marks = {mark for m in self._measures for mark in m.marks}
        if not self._choices.takes_jumps or not marks & JUMP_MARKS:
            return
        al_fine = marks & _PAST_CODA
        al_coda = marks & _PAST_FINE
        if al_fine and Mark.FINE not in marks:
            self.warnings.append("There is no fine for the jump to end at; it is played on to the end.")
        if (al_coda or Mark.TO_CODA in marks) and Mark.CODA not in marks:
            self.warnings.append("There is no coda to jump to; it is played on without.")


# ------------------------------------------------------------------------------------------------------- the notes


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
    measures = score.measures
    steps = np.array(path.measure_indices, np.int64)
    starts = _step_starts(np.array([m.duration_quarter for m in measures]), steps)
    written = score.notes
    first = np.searchsorted(written.measure_index, np.arange(len(measures) + 1))
    counts = (first[1:] - first[:-1])[steps]
    step_index = np.repeat(np.arange(len(steps)), counts)
    place_in_step = np.arange(len(step_index)) - np.repeat(np.cumsum(counts) - counts, counts)
    note = first[steps][step_index] + place_in_step  # index into the written notes

    onset = starts[step_index] + written.offset_quarter[note]
    if score.own_durations and not path.keeps_bars_together:
        onset += _drift(score, steps, starts)[written.part_index[note], step_index]
    duration, is_kept = _joined_ties(written, note, onset)
    note, step_index, onset, duration = note[is_kept], step_index[is_kept], onset[is_kept], duration[is_kept]

    lead = np.array([m.lead_quarter for m in measures])[steps][step_index]
    beat_quarter = np.array([m.beat_quarter for m in measures])[steps][step_index]
    beat = 1.0 + (lead + written.offset_quarter[note]) / beat_quarter
    part, pitch = written.part_index[note], written.pitch_midi[note]
    order = np.lexsort((pitch, part, np.round(onset / SAME_QUARTER)))
    notes = PathNotes(
        part[order],
        frozen(step_index[order], np.int32),
        frozen(note[order], np.int32),
        beat[order],
        onset[order],
        duration[order],
        pitch[order],
        written.is_grace[note][order],
    )
    if len(notes):
        starts[-1] = max(starts[-1], float((notes.onset_quarter + notes.duration_quarter).max()))
    return UnfoldedScore(score, path, starts, notes)


def _step_starts(durations: NDArray[np.float64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(durations[steps])])


def _drift(score: Score, steps: NDArray[np.int64], starts: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far every part is from the common measures when its own count [shape=(parts, steps)], in quarters."""
    own = [_step_starts(np.array(durations), steps) - starts for durations in score.own_durations]
    return np.array(own)[:, :-1]


def _joined_ties(
    written: WrittenNotes, note: NDArray[np.int64], onset: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Join tied notes along a path.

    Parameters
    ----------
    written : WrittenNotes
    note : ndarray [shape=(rows,)]
        Index into `written` of every note played.
    onset : ndarray [shape=(rows,)]
        Quarters from the start of the path.

    Returns
    -------
    duration : ndarray [shape=(rows,)]
        In quarters; of the first of tied notes that of all of them.
    is_kept : ndarray [shape=(rows,)], bool
        False for notes that go on sounding from another one.
    """
    duration = written.duration_quarter[note].copy()
    is_kept = np.ones(len(note), bool)
    tied_from, tied_to = written.tied_from_previous[note], written.tied_to_next[note]
    rows = np.flatnonzero(tied_from | tied_to)
    rows = rows[np.argsort(onset[rows], kind="stable")]
    sounding: dict[tuple[int, float], list[int]] = {}  # by part and pitch: rows that a tie leads on from
    for row in rows.tolist():
        pitch = float(written.pitch_midi[note[row]])
        key = (int(written.part_index[note[row]]), -1.0 if math.isnan(pitch) else pitch)
        waiting = sounding.setdefault(key, [])
        start = row
        if tied_from[row]:
            gaps = [abs(onset[w] + duration[w] - onset[row]) for w in waiting]
            if gaps and min(gaps) <= _TIE_GAP_QUARTER:
                start = waiting.pop(int(np.argmin(gaps)))
                duration[start] = onset[row] + duration[row] - onset[start]
                is_kept[row] = False
        if tied_to[row]:
            waiting.append(start)
    return duration, is_kept
