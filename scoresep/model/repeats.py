"""The repeat signs and endings of a score brought into pairs: what is repeated, how often, and how it ends each time.

What is badly formed is put right as a player would, with a warning. How a score is walked through is told in `path`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scoresep.model.score import Mark, Measure

JUMP_MARKS = frozenset(
    {
        Mark.DA_CAPO,
        Mark.DA_CAPO_AL_FINE,
        Mark.DA_CAPO_AL_CODA,
        Mark.DAL_SEGNO,
        Mark.DAL_SEGNO_AL_FINE,
        Mark.DAL_SEGNO_AL_CODA,
    }
)


@dataclass(frozen=True)
class Ending:
    """One bracket: measures `first` to `last` are played in `passes`; `closes` tells that a repeat sign ends it."""

    first: int
    last: int
    passes: tuple[int, ...]
    closes: bool


@dataclass(frozen=True)
class Repeat:
    """One passage that is repeated.

    Attributes
    ----------
    first, last : int
        Its measures, all endings included.
    closing : int
        The (first) measure that a repeat sign closes; by this one a repeat is named in `PathChoices.skipped_repeats`.
        Of endings that only a da capo or dal segno tells apart, it is the last measure of the first one.
    passes : int
        How often it is played in all.
    endings : tuple of Ending
        In the order of the score; empty where the passage always ends alike.
    """

    first: int
    last: int
    closing: int
    passes: int
    endings: tuple[Ending, ...] = ()

    @property
    def is_by_jump(self) -> bool:
        """No repeat sign, only a da capo or dal segno, leads to the later endings."""
        return bool(self.endings) and not any(e.closes for e in self.endings)

    def ending_for(self, pass_number: int) -> Ending | None:
        """Return the ending of a pass; None where that pass goes past all endings."""
        return next((e for e in self.endings if pass_number in e.passes), None)

    def ending_at(self, measure_index: int) -> Ending | None:
        """Return the ending that holds a measure."""
        return next((e for e in self.endings if e.first <= measure_index <= e.last), None)


def find_repeats(measures: Sequence[Measure]) -> tuple[tuple[Repeat, ...], tuple[str, ...]]:
    """Find all passages that are repeated, inner ones before those around them.

    Parameters
    ----------
    measures : sequence of Measure

    Returns
    -------
    repeats : tuple of Repeat
    warnings : tuple of str
        What was badly formed, one sentence each.
    """
    finder = _Finder(measures)
    finder.run()
    return tuple(finder.repeats), tuple(finder.warnings)


class _Finder:
    """One pass through the measures with a stack of the repeat signs that are open."""

    def __init__(self, measures: Sequence[Measure]) -> None:
        self.repeats: list[Repeat] = []
        self.warnings: list[str] = []
        self._measures = measures
        self._groups = {g[0].first: g for g in self._ending_groups()}
        self._open: list[int] = []
        self._after_last = 0  # where a repeat without an opening sign starts

    def run(self) -> None:
        """Fill `repeats` and `warnings`."""
        i = 0
        while i < len(self._measures):
            if i in self._groups:
                i = self._run_group(self._groups[i])
                continue
            if self._measures[i].starts_repeat:
                self._open.append(i)
            if self._measures[i].repeat_passes:
                self._close(self._opening(i), i)
            i += 1
        for first in self._open:
            self._warn(first, "The repeat that opens at bar {} is never closed; it is played once")

    def _run_group(self, group: tuple[Ending, ...]) -> int:
        """Read a group of endings with the repeats inside them; return the measure after it."""
        first = group[0].first
        if self._measures[first].starts_repeat:
            self._open.append(first)  # a passage that is nothing but endings
        start = self._opening(first)
        depth = len(self._open)
        for ending in group:
            for i in range(ending.first, ending.last + 1):
                if self._measures[i].starts_repeat and i > first:
                    self._open.append(i)
                if self._measures[i].repeat_passes and len(self._open) > depth:
                    self._close(self._opening(i), i)
        self._close_group(start, group)
        return group[-1].last + 1

    def _opening(self, index: int) -> int:
        """Take the sign that opens the repeat which closes (or whose endings start) at `index`."""
        return self._open.pop() if self._open else min(self._after_last, index)

    def _close(self, first: int, last: int) -> None:
        passes = self._measures[last].repeat_passes
        if passes > 1:
            self.repeats.append(Repeat(first, last, last, passes))
        self._after_last = last + 1

    def _close_group(self, first: int, group: tuple[Ending, ...]) -> None:
        closing = next((e.last for e in group if e.closes), group[0].last)
        passes = max(p for e in group for p in e.passes)
        if len(group) == 1:  # "1." alone: the last pass goes past it
            passes += 1
        self.repeats.append(Repeat(first, group[-1].last, closing, passes, group))
        self._after_last = group[-1].last + 1

    def _warn(self, index: int, text: str) -> None:
        self.warnings.append(text.format(self._measures[index].number) + ".")

    # ----------------------------------------------------------------------------------------------- endings

    def _ending_groups(self) -> list[tuple[Ending, ...]]:
        """Endings that stand side by side, with their numbers put in order; groups that make no sense are left out."""
        groups: list[list[Ending]] = []
        for ending in self._brackets():
            previous = groups[-1] if groups else []
            taken = {p for e in previous for p in e.passes}
            is_ended = any(e.closes for e in previous) and not previous[-1].closes  # that was the last ending
            is_beside = bool(previous) and previous[-1].last + 1 == ending.first
            if is_beside and not is_ended and not taken & set(ending.passes):
                previous.append(ending)
            else:
                groups.append([ending])
        return [g for g in map(self._in_order, groups) if g]

    def _brackets(self) -> list[Ending]:
        brackets: list[Ending] = []
        is_new = True
        opened = 0  # repeats inside this bracket
        for i, measure in enumerate(self._measures):
            if not measure.endings:
                is_new = True
                continue
            if is_new or brackets[-1].passes != measure.endings:
                is_first_of_group = not brackets or brackets[-1].last + 1 < i
                brackets.append(Ending(i, i, measure.endings, False))
                opened = int(measure.starts_repeat and not is_first_of_group)
            else:
                opened += measure.starts_repeat
            closes = measure.repeat_passes > 0 and not opened
            opened -= measure.repeat_passes > 0 and not closes
            brackets[-1] = Ending(brackets[-1].first, i, measure.endings, closes)
            is_new = closes
        return brackets

    def _in_order(self, group: list[Ending]) -> tuple[Ending, ...]:
        """Check the endings of one group; empty where they cannot be followed."""
        if len(group) == 1 and 1 not in group[0].passes:
            return ()  # a bracket that only names the last time: nothing is left out
        leading = group[:-1] or group
        if not all(e.closes for e in leading) and (any(e.closes for e in group) or not self._has_jump(leading)):
            self._warn(group[0].first, "The endings at bar {} do not fit the repeat signs; all of them are played")
            return ()
        wanted = set(range(1, max(p for e in group for p in e.passes) + 1))
        if {p for e in group for p in e.passes} != wanted:
            self._warn(group[0].first, "The numbers of the endings at bar {} leave one out; they are counted anew")
            group = _renumbered(group)
        repeated = self._measures[group[0].last].repeat_passes  # some write how often instead of all the numbers
        if len(group) == 2 and group[0].passes == (1,) and group[1].passes == (2,) and repeated > 2:
            group = [
                Ending(group[0].first, group[0].last, tuple(range(1, repeated)), True),
                Ending(group[1].first, group[1].last, (repeated,), group[1].closes),
            ]
        return tuple(group)

    def _has_jump(self, endings: Sequence[Ending]) -> bool:
        indices = (i for e in endings for i in range(e.first, e.last + 1))
        return any(JUMP_MARKS & set(self._measures[i].marks) for i in indices)


def _renumbered(group: list[Ending]) -> list[Ending]:
    """Number the passes of endings anew, in the order of the score, each with as many as it had."""
    renumbered, next_pass = [], 1
    for e in group:
        passes = tuple(range(next_pass, next_pass + len(e.passes)))
        renumbered.append(Ending(e.first, e.last, passes, e.closes))
        next_pass += len(e.passes)
    return renumbered
