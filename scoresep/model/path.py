"""From the score as written to the order of playing, and to the notes along it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoresep.model.arrays import frozen
from scoresep.model.repeats import JUMP_MARKS, Walk, find_repeats
from scoresep.model.score import (
    MOST_PASSES,
    Mark,
    MarkDetail,
    PathNotes,
    PerformancePath,
    Score,
    UnfoldedScore,
    WrittenNotes,
    passes_to_bits,
)
from scoresep.model.timebase import SAME_QUARTER

# As many scores along their paths are kept at hand: the present one, and what undo and a comparison lead to.
_KEPT_SCORES = 4
# Tied notes whose edges differ by less than this meet (files round tuplets).
_TIE_GAP_QUARTER = 0.05

_JUMP_WORDS = {
    Mark.DA_CAPO: "Da capo",
    Mark.DA_CAPO_AL_FINE: "Da capo al fine",
    Mark.DA_CAPO_AL_CODA: "Da capo al coda",
    Mark.DAL_SEGNO: "Dal segno",
    Mark.DAL_SEGNO_AL_FINE: "Dal segno al fine",
    Mark.DAL_SEGNO_AL_CODA: "Dal segno al coda",
    Mark.TO_CODA: "To the coda",
    Mark.FINE: "End at the fine",
    Mark.TRIO: "End before the trio",
}


@dataclass(frozen=True)
class PathChoices:
    """What a person chooses about the order of playing.

    Attributes
    ----------
    skipped_repeats : frozenset of int
        Repeats that are not taken (played once, last ending), by the index of the measure in which the repeat sign
        closes (`RepeatSite.closing_measure`).
    repeats_after_jump : bool or None
        Whether repeats are taken again after da capo or dal segno; None leaves it to the score, and where that says
        nothing they are not.
    takes_jumps : bool
        Whether da capo and dal segno are followed at all.
    keeps_bars_together : bool
        See `PerformancePath`.
    follows_stated_order : bool
        Whether the order that the file itself writes out (`Score.stated_order`) counts, where there is one, in place
        of its repeat signs and jumps.
    skipped_jumps : frozenset of (int, Mark)
        Jumps, fines and ways to the coda that are passed by, by the index of their measure (see `JumpSite`).
    is_by_hand : bool
        Whether a person said so; otherwise the recording may tell better.
    """

    skipped_repeats: frozenset[int] = frozenset()
    repeats_after_jump: bool | None = None
    takes_jumps: bool = True
    keeps_bars_together: bool = False
    is_by_hand: bool = False
    follows_stated_order: bool = True
    skipped_jumps: frozenset[tuple[int, Mark]] = frozenset()


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


@dataclass(frozen=True)
class JumpSite:
    """A jump of the score, or what only counts after one, which a person may take or leave.

    Attributes
    ----------
    measure_index : int
    mark : Mark
        With `measure_index` what `PathChoices.skipped_jumps` holds.
    label : str
        In words: ``Da capo al fine, bar 24``.
    """

    measure_index: int
    mark: Mark
    label: str

    @property
    def is_jump(self) -> bool:
        """Whether it leads back; otherwise it only counts after a jump that does."""
        return self.mark in JUMP_MARKS


def jump_sites(score: Score) -> tuple[JumpSite, ...]:
    """List the jumps of a score in its order, with the fines, ways to the coda and trios that count after them."""
    marks = {mark for m in score.measures for mark in m.marks}
    if not marks & JUMP_MARKS and not any(d.times for m in score.measures for d in m.mark_details):
        return ()
    sites = []
    for m in score.measures:
        for mark in m.marks:
            if mark in _JUMP_WORDS and (mark is not Mark.TRIO or Mark.FINE not in marks):
                words = _words_of_jump(m.detail_of(mark))
                sites.append(JumpSite(m.index, mark, f"{words}, bar {m.number}"))
    return tuple(sites)


def takes_repeats_again(score: Score, choices: PathChoices = PathChoices()) -> bool:
    """Whether (any of the) repeats are taken again after da capo or dal segno."""
    if choices.repeats_after_jump is not None:
        return choices.repeats_after_jump
    said = [d.with_repeats for m in score.measures for d in m.mark_details if d.with_repeats is not None]
    return any(said) or (not said and any(m.repeats_after_jump for m in score.measures))


def _words_of_jump(detail: MarkDetail) -> str:
    """Write what is jumped in words, with the number or name of where it leads: ``Dal segno (no. 2)``."""
    names = [n for n in (*detail.names, *detail.coda_names) if n.startswith("no. ") and n != "no. 1"]
    return _JUMP_WORDS[detail.mark] + (f" ({', '.join(dict.fromkeys(names))})" if names else "")


def performance_path(score: Score, choices: PathChoices = PathChoices()) -> tuple[PerformancePath, tuple[str, ...]]:
    """Find the order in which the measures of a score are played.

    Repeats are taken with their endings; after them da capo and dal segno, once each, to the fine or by way of the
    coda. A da capo inside a repeat counts at its last pass, a fine where a repeat closes likewise. A da capo without
    a fine ends where the trio begins. Where the file writes the order out itself, that counts.

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
    if score.stated_order and choices.follows_stated_order:
        return PerformancePath(score.stated_order, choices.keeps_bars_together), ()
    repeats, warnings = find_repeats(score.measures)
    walk = Walk(score.measures, repeats, choices)
    indices = walk.run()
    if indices is None:
        indices = list(range(len(score.measures)))
        walk.warnings.append("The repeats of this score never end; it is played once from beginning to end.")
        walk.passes = []
    path = PerformancePath(tuple(indices), choices.keeps_bars_together)
    walk.warnings += _never_reached(score, indices)
    if score.notes.passes.any():
        path, unheard = _with_passes(score, path, walk.passes)
        walk.warnings += unheard
    return path, tuple(dict.fromkeys((*warnings, *walk.warnings)))


def _never_reached(score: Score, indices: Sequence[int]) -> list[str]:
    """Tell of music behind all that is played, as behind a da capo al fine; a coda or ending left out is no news."""
    first = max(indices, default=-1) + 1
    rows = np.searchsorted(score.notes.measure_index, first)
    if rows == len(score.notes) or not indices or Mark.FINE not in score.measures[indices[-1]].marks:
        return []
    last = int(score.notes.measure_index[-1])
    numbers = dict.fromkeys((score.measures[first].number, score.measures[last].number))
    bars = f"Bar {next(iter(numbers))} is" if len(numbers) == 1 else f"Bars {'-'.join(numbers)} are"
    return [f"{bars} never played, since the fine comes before."]


def _with_passes(score: Score, path: PerformancePath, passes: Sequence[int]) -> tuple[PerformancePath, list[str]]:
    """Say which time through its repeat every measure of a path is, and tell of notes that are never played so.

    Where notes name more times than the repeat has passes, a da capo is meant among them: the occurrences count.
    """
    named: dict[int, int] = {}  # by measure: all times that its notes name
    for row in np.flatnonzero(score.notes.passes).tolist():
        measure = int(score.notes.measure_index[row])
        named[measure] = named.get(measure, 0) | int(score.notes.passes[row])
    most: dict[int, int] = {}
    for step, n in zip(path.steps, passes, strict=False):
        most[step.measure_index] = max(most.get(step.measure_index, 0), n)
    times = [
        step.occurrence if named.get(step.measure_index, 0).bit_length() > most.get(step.measure_index, 0) else n
        for step, n in zip(path.steps, passes or [step.occurrence for step in path.steps], strict=True)
    ]
    if times != [step.occurrence for step in path.steps]:
        path = replace(path, passes=tuple(times))
    heard: dict[int, int] = {}
    for step, n in zip(path.steps, times, strict=True):
        heard[step.measure_index] = heard.get(step.measure_index, 0) | passes_to_bits((n,))
    unheard = [
        f"Some notes of bar {score.measures[measure].number} are for a time through it that is never played."
        for measure, bits in named.items()
        if measure in heard and bits & ~heard[measure]
    ]
    return path, unheard


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
    if written.passes.any():
        is_played = _played_in_pass(written.passes[note], path, step_index)
        note, step_index = note[is_played], step_index[is_played]

    onset = starts[step_index] + written.offset_quarter[note]
    if score.own_durations and not path.keeps_bars_together:
        onset += _drift(score, steps, starts)[written.part_index[note], step_index]
    held = written.duration_quarter[note]
    if not score.own_durations:
        held = _until_left(held, onset, starts, steps, step_index)
    duration, is_kept = _joined_ties(written, note, onset, held)
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


_unfolded: list[UnfoldedScore] = []


def unfolded_score(score: Score, path: PerformancePath) -> UnfoldedScore:
    """Return `unfold` of the very same score and path as one and the same value, so that an edit computes nothing anew.

    Parameters
    ----------
    score : Score
    path : PerformancePath
    """
    known = next((u for u in _unfolded if u.score is score and u.path is path), None)
    unfolded = unfold(score, path) if known is None else known
    _unfolded[:] = [unfolded, *(u for u in _unfolded if u is not unfolded)][:_KEPT_SCORES]
    return unfolded


def _played_in_pass(
    passes: NDArray[np.int32], path: PerformancePath, step_index: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell which notes [shape=(rows,)] are played in the pass of their step, by `WrittenNotes.passes`."""
    times = path.passes if len(path.passes) == len(path.measure_indices) else [s.occurrence for s in path.steps]
    bit = np.minimum(np.array(times, np.int64), MOST_PASSES)[step_index] - 1
    is_played: NDArray[np.bool_] = (passes == 0) | ((passes >> bit) & 1 == 1)
    return is_played


def _step_starts(durations: NDArray[np.float64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(durations[steps])])


def _drift(score: Score, steps: NDArray[np.int64], starts: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far every part is from the common measures when its own count [shape=(parts, steps)], in quarters."""
    own = [_step_starts(np.array(durations), steps) - starts for durations in score.own_durations]
    return np.array(own)[:, :-1]


def _until_left(
    duration: NDArray[np.float64],
    onset: NDArray[np.float64],
    starts: NDArray[np.float64],
    steps: NDArray[np.int64],
    step_index: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Cut notes that are written past the end of their measure where the path leaves the written order there."""
    is_left = np.append(np.diff(steps) != 1, False)[step_index]
    rest = np.maximum(starts[1:][step_index] - onset, 0.0)
    return np.where(is_left, np.minimum(duration, rest), duration)


def _joined_ties(
    written: WrittenNotes, note: NDArray[np.int64], onset: NDArray[np.float64], held: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Join tied notes along a path.

    Parameters
    ----------
    written : WrittenNotes
    note : ndarray [shape=(rows,)]
        Index into `written` of every note played.
    onset : ndarray [shape=(rows,)]
        Quarters from the start of the path.
    held : ndarray [shape=(rows,)]
        How long each is held in quarters, without ties.

    Returns
    -------
    duration : ndarray [shape=(rows,)]
        In quarters; of the first of tied notes that of all of them.
    is_kept : ndarray [shape=(rows,)], bool
        False for notes that go on sounding from another one.
    """
    duration = held.copy()
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
