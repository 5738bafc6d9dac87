"""Which of the repeats and jumps of a score a recording really takes.

Every way of unfolding the score is compared with the recording by the value of its best coarse path. The repeats are
tried one by one, from the score as written and from the score without any, so that many repeats cost little more than
few. What the score says is kept unless the recording clearly speaks against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from scoresep.engines.alignment import AlignmentOptions
from scoresep.engines.alignment.coarse_alignment import CoarsePath, path_value
from scoresep.engines.alignment.coarse_grid import Search, usual_vector
from scoresep.engines.alignment.score_events import score_events
from scoresep.model.path import (
    JumpSite,
    PathChoices,
    jump_sites,
    performance_path,
    repeat_sites,
    takes_repeats_again,
    unfold,
)
from scoresep.model.repeats import JUMP_MARKS
from scoresep.model.score import PerformancePath, Score

# How much better than the given choices others must be, in seconds of a certain match: for every choice that differs,
# and once. Leaving out a repeat that was not played gains 2 to 3 at the beginning and end of the score, elsewhere more.
MARGIN_EACH_S = 1.5
MARGIN_S = 0.25
# How much better the path through the score must be with other choices, where bars may have been left out all the same.
CLEARLY_S = 0.5
MOST_COUNTED = 2  # of repeats, where all are left out: who takes none of many has made up one mind
MOST_CELLS = 4_000_000
MOST_ROUNDS = 3
AROUND_S = 0.5  # before and after every run


def has_choices(score: Score) -> bool:
    """Whether there is more than one way to unfold a score."""
    return bool(score.own_durations or score.stated_order or repeat_sites(score) or _has_jumps(score))


def find_choices(
    search: Search, semitones: int, path: CoarsePath, given: PathChoices, options: AlignmentOptions
) -> PathChoices:
    """Find which repeats and jumps are played, and whether the bars of all parts are kept together.

    Parameters
    ----------
    search : Search
        Of the score unfolded by `given`.
    semitones : int
        How far the recording sounds above the score.
    path : CoarsePath
        Through the score unfolded by `given`.
    given : PathChoices
        What is kept unless others are clearly better.
    options : AlignmentOptions

    Returns
    -------
    choices : PathChoices
    """
    score = search.unfolded.score
    comparison = Comparison(search, semitones, path, given, options)
    best = max(_beginnings(score, given), key=comparison.value)
    for _ in range(MOST_ROUNDS):
        before = best
        for other in _others(score, given):
            best = max(best, other(best), key=comparison.value)
        if best == before:
            break
    return best


def within_score(search: Search, path: CoarsePath) -> Search:
    """Return what is heard while the score is played: what is put in between says nothing of repeats."""
    keep = np.zeros(len(search.observed), np.bool_)
    for run in (*path.runs, *path.again):
        first, last = (
            (s + side * AROUND_S) * search.scale.frame_rate_hz for s, side in ((run.time_s[0], -1), (run.time_s[-1], 1))
        )
        keep[max(round(first), 0) : round(last)] = True
    return replace(search, observed=search.observed[keep])


class Comparison:
    """Ways of unfolding one score, measured by one recording; each of them once.

    Parameters
    ----------
    search, semitones, path, given, options
        As for `find_choices`.
    """

    def __init__(
        self, search: Search, semitones: int, path: CoarsePath, given: PathChoices, options: AlignmentOptions
    ) -> None:
        self._search, self._semitones, self._given, self._options = search, semitones, given, options
        self._score = search.unfolded.score
        self._all_repeats = frozenset(site.closing_measure for site in repeat_sites(self._score))
        self._pace = _pace(search, path)
        self._usual = usual_vector(search, semitones)
        heard_s = len(search.observed) / search.scale.frame_rate_hz
        nominal_s = float(search.events.nominal_s[-1] - search.events.nominal_s[0]) / self._pace
        frame_s = max(0.1, np.sqrt(heard_s * nominal_s / MOST_CELLS))
        self._factor = int(np.ceil(frame_s * search.scale.frame_rate_hz))
        self._values: dict[PerformancePath, float] = {}

    def value(self, choices: PathChoices) -> float:
        """Return how well a way of unfolding explains the recording, less what departing from the given one costs."""
        return self.explained_s(choices) - _departure_s(choices, self._given, self._all_repeats)

    def explained_s(self, choices: PathChoices) -> float:
        """Return how well a way of unfolding explains the recording, in seconds of a certain match."""
        path = performance_path(self._score, choices)[0]
        if path not in self._values:
            unfolded = unfold(self._score, path)
            search = replace(self._search, unfolded=unfolded, events=score_events(unfolded, self._options))
            self._values[path] = path_value(search, self._semitones, self._pace, self._usual, self._factor)
        return self._values[path]


def _pace(search: Search, path: CoarsePath) -> float:
    """Return how many nominal seconds of the score commonly pass in a second of the recording."""
    events, window_s = search.events, 3.0
    paces = []
    for run in path.runs:
        nominal_s = np.interp(run.quarter, events.borders_quarter, events.nominal_s)
        step = max(1, round(window_s / float(run.time_s[1] - run.time_s[0]))) if len(run.time_s) > 1 else 1
        paces.append((nominal_s[step:] - nominal_s[:-step]) / (run.time_s[step:] - run.time_s[:-step]))
    every = np.concatenate(paces)
    return float(np.clip(np.median(every), 0.25, 4.0)) if len(every) else 1.0


def _departure_s(choices: PathChoices, given: PathChoices, all_repeats: frozenset[int]) -> float:
    """Return how much better than the given choices others must be."""
    differing = len(choices.skipped_repeats ^ given.skipped_repeats)
    if choices.skipped_repeats >= all_repeats:
        differing = min(differing, MOST_COUNTED)
    differing += len(choices.skipped_jumps ^ given.skipped_jumps)
    for name in ("repeats_after_jump", "takes_jumps", "keeps_bars_together", "follows_stated_order"):
        differing += getattr(choices, name) != getattr(given, name)
    return MARGIN_EACH_S * differing + MARGIN_S if differing else 0.0


def _beginnings(score: Score, given: PathChoices) -> Iterator[PathChoices]:
    """Yield what the search starts from: the given choices, no repeats at all, and the same with other jumps."""
    no_repeats = given.skipped_repeats | {site.closing_measure for site in repeat_sites(score)}
    for skipped in dict.fromkeys((given.skipped_repeats, no_repeats)):
        choices = replace(given, skipped_repeats=skipped)
        yield choices
        if _has_jumps(score):
            yield _with_other_repeats_after_jump(replace(choices, takes_jumps=True), score, given)
            yield replace(choices, takes_jumps=not choices.takes_jumps)
    if score.stated_order:
        yield replace(given, follows_stated_order=not given.follows_stated_order)


def _others(score: Score, given: PathChoices) -> Iterator[Callable[[PathChoices], PathChoices]]:
    """Yield every way of changing one choice."""
    for site in repeat_sites(score):
        yield partial(_with_other_repeat, closing_measure=site.closing_measure)
    if _has_jumps(score):
        yield lambda c: _with_other_repeats_after_jump(c, score, given)
        yield lambda c: replace(c, takes_jumps=not c.takes_jumps)
        jumps = [site for site in jump_sites(score) if site.is_jump]
        if len(jumps) > 1:
            for jump in jumps:
                yield partial(_with_other_jump, jump=jump)
    if score.stated_order:
        yield lambda c: replace(c, follows_stated_order=not c.follows_stated_order)
    if score.own_durations:
        yield lambda c: replace(c, keeps_bars_together=not c.keeps_bars_together)


def _with_other_repeat(choices: PathChoices, closing_measure: int) -> PathChoices:
    return replace(choices, skipped_repeats=choices.skipped_repeats ^ {closing_measure})


def _with_other_repeats_after_jump(choices: PathChoices, score: Score, given: PathChoices) -> PathChoices:
    """Take repeats again after a jump, or not; what was given comes back as it was."""
    if choices.repeats_after_jump != given.repeats_after_jump:
        return replace(choices, repeats_after_jump=given.repeats_after_jump)
    return replace(choices, repeats_after_jump=not takes_repeats_again(score, given))


def _with_other_jump(choices: PathChoices, jump: JumpSite) -> PathChoices:
    return replace(choices, skipped_jumps=choices.skipped_jumps ^ {(jump.measure_index, jump.mark)})


def _has_jumps(score: Score) -> bool:
    return any(JUMP_MARKS.intersection(m.marks) for m in score.measures)
