"""The repeat signs and endings of a score brought into pairs: what is repeated, how often, and how it ends each time.

What is badly formed is put right as a player would, with a warning. `Walk` goes through the bars in their order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

from scoresep.model.score import Mark, MarkDetail, Measure

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
        if len(group) == 1:  # "1." alone: the last pass goes past it, though it may be played several times before
            passes = max(passes + 1, self._measures[group[0].last].repeat_passes)
            group = (replace(group[0], passes=tuple(range(1, passes))),)
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


MAX_STEPS = 100_000  # more measures than a day of music has

_DAL_SEGNO = frozenset({Mark.DAL_SEGNO, Mark.DAL_SEGNO_AL_FINE, Mark.DAL_SEGNO_AL_CODA})
_PAST_FINE = frozenset({Mark.DA_CAPO_AL_CODA, Mark.DAL_SEGNO_AL_CODA})
_PAST_CODA = frozenset({Mark.DA_CAPO_AL_FINE, Mark.DAL_SEGNO_AL_FINE})
_FIRST = frozenset({"no. 1"})  # what a sign without a name is among numbered ones


class Choices(Protocol):
    """What of `scoresep.model.path.PathChoices` leads the player."""

    @property
    def skipped_repeats(self) -> frozenset[int]:
        """Repeats that are not taken."""

    @property
    def repeats_after_jump(self) -> bool | None:
        """Whether repeats are taken again after a jump."""

    @property
    def takes_jumps(self) -> bool:
        """Whether jumps are followed."""

    @property
    def skipped_jumps(self) -> frozenset[tuple[int, Mark]]:
        """Jumps that are not."""


class Walk:
    """Where the player is in the score, and in the how manieth pass of every repeat.

    Parameters
    ----------
    measures : sequence of Measure
    repeats : sequence of Repeat
        Inner ones before those around them.
    choices : Choices
    """

    def __init__(self, measures: Sequence[Measure], repeats: Sequence[Repeat], choices: Choices) -> None:
        self.warnings: list[str] = []
        self.passes: list[int] = []  # for every measure of the path
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
        self._goals = Goals(measures)
        self._has_jumps = any(JUMP_MARKS.intersection(m.marks) for m in measures)
        self._movements = _movement_starts(measures)
        self._pass: dict[Repeat, int] = {}
        self._times: dict[int, int] = {}  # how often each measure has been played
        self._taken: set[int] = set()  # measures whose jump has been followed
        self._codas_taken: set[int] = set()  # measures whose "to coda" has been followed
        self._codas_played: set[int] = set()
        self._jump: MarkDetail | None = None  # the last one followed
        self._jumped_from = self._jumped_to = 0
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
            if position in self._movements and position > self._jumped_from:
                self._jump, self._is_in_coda = None, False  # what led back in the movement before is over
            self._path.append(position)
            self._times[position] = self._times.get(position, 0) + 1
            self.passes.append(self._time_through(position))
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
        is_again = repeat.closing in self._played_before_jump and not self._is_taken_again(repeat)
        return repeat.passes if is_again or repeat in self._skipped else self._pass.get(repeat, 1)

    def _is_taken_again(self, repeat: Repeat) -> bool:
        """Whether a repeat is taken after a jump too: as the person says, else as the score does."""
        if self._choices.repeats_after_jump is not None:
            return self._choices.repeats_after_jump
        by_words = self._jump.with_repeats if self._jump is not None else None
        return self._measures[repeat.closing].repeats_after_jump if by_words is None else by_words

    def _time_through(self, index: int) -> int:
        """Which of the times through its repeat a measure is played; outside of repeats, which time at all."""
        for repeat in self._repeats_around.get(index, []):
            if repeat in self._skipped and not repeat.endings:
                return min(self._times[index], repeat.passes)
            if not repeat.is_by_jump:
                return self._pass_of(repeat)
        return self._times[index]

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
        if self._leaves_for_coda(index):
            coda = self._coda_after_jump()
            if coda is not None:
                return coda
        if Mark.FINE in marks and self._counts(index, Mark.FINE, self._is_fine):
            return self._on_after_jump(only_to_jumps=True)
        if Mark.TO_CODA in marks and self._counts(index, Mark.TO_CODA, self._is_to_coda):
            coda = self._to_coda(self._measures[index].detail_of(Mark.TO_CODA), index)
            if coda is not None:
                self._codas_taken.add(index)
                return coda
        if marks:
            target = self._jump_target(index)
            if target is not None:
                return target
        if self._ends_before_trio(index):
            return self._on_after_jump(only_to_jumps=False)
        return self._after_repeat(index)

    def _is_left(self, index: int, mark: Mark) -> bool:
        return not self._choices.takes_jumps or (index, mark) in self._choices.skipped_jumps

    def _counts(self, index: int, mark: Mark, is_due: bool) -> bool:
        """Whether a fine or "to coda" counts now: at the times that the score says, else when it is due."""
        if self._is_left(index, mark):
            return False
        times = self._stated_times(self._measures[index].detail_of(mark))
        if times:
            return self._times[index] in times
        if not is_due or self._goes_back_at(index) is not None:
            return False
        return mark is not Mark.TO_CODA or self._is_meant(index)

    def _stated_times(self, detail: MarkDetail) -> tuple[int, ...]:
        """Return the times at which a mark counts; none where they only say what is usual, repeats left aside.

        A jump counts the first time, a fine or "to coda" the second, unless there is no jump that leads back.
        """
        if detail.mark in JUMP_MARKS:
            return () if detail.times == (1,) else detail.times
        return () if detail.times == (2,) and self._has_jumps else detail.times

    @property
    def _is_fine(self) -> bool:
        return self._jump is not None and (self._is_in_coda or self._jump.mark not in _PAST_FINE)

    @property
    def _is_to_coda(self) -> bool:
        return self._jump is not None and not self._is_in_coda and self._jump.mark not in _PAST_CODA

    def _is_meant(self, index: int) -> bool:
        """Whether the jump that was followed means this of several signs "to coda"."""
        ahead = [i for i in self._goals.places(Mark.TO_CODA) if i >= index and i <= max(self._jumped_from, index)]
        if len(ahead) < 2:
            return True
        wanted = frozenset(self._jump.coda_names if self._jump is not None else ()) or _FIRST
        meant = [i for i in ahead if wanted & _numbers(self._measures[i].detail_of(Mark.TO_CODA))] or ahead
        fresh = [i for i in meant if i not in self._codas_taken] or meant
        return fresh[0] == index

    def _to_coda(self, detail: MarkDetail, index: int) -> int | None:
        """Go from a measure to the coda that is called so; of several of one name, to one that is still to come."""
        coda = self._goals.find(detail, Mark.CODA, index, self._codas_played)
        if coda is None:
            return None
        self._is_in_coda = True
        self._codas_played.add(coda)
        return self._landed(coda)

    def _jump_target(self, index: int) -> int | None:
        """Where the da capo or dal segno at a measure leads now, if there is one."""
        measure = self._measures[index]
        jump = next((m for m in measure.marks if m in JUMP_MARKS), None)
        if jump is None or self._is_left(index, jump):
            return None
        detail = measure.detail_of(jump)
        times = self._stated_times(detail)
        if times:
            if self._times[index] not in times:
                return None
        elif index in self._taken or not self._is_last_time(index):
            return None
        target = self._beginning_for(index)
        if jump in _DAL_SEGNO:
            segno = self._goals.find(detail, Mark.SEGNO, index)
            if segno is None:
                self.warnings.append(
                    f"The dal segno at bar {measure.number} is not followed, because there is no segno."
                )
                return None
            target = segno
        self._taken.add(index)
        self._jump, self._jumped_from, self._jumped_to = detail, index, target
        self._is_in_coda = False
        self._played_before_jump = frozenset(self._path)
        return self._landed(target)

    def _ends_before_trio(self, index: int) -> bool:
        """Whether a da capo that has no fine ends here, since the next measure begins the trio that it came from."""
        after = index + 1
        if self._jump is None or self._jump.mark in _DAL_SEGNO or not after <= self._jumped_from:
            return False
        if Mark.TRIO not in self._measures[after].marks or self._is_left(after, Mark.TRIO):
            return False
        played = self._measures[self._jumped_to : self._jumped_from + 1]
        return not any(Mark.FINE in m.marks for m in played) and self._goes_back_at(index) is None

    def _on_after_jump(self, only_to_jumps: bool) -> int | None:
        """Where to go on when what a jump leads to has been played to its end; None where the piece ends with it.

        What stands behind the jump is played then, if it leads back once more (as a second trio does).
        """
        if self._jump is None or self._is_in_coda:
            return None
        after = self._jumped_from + 1
        if not only_to_jumps and self._jump.mark in _PAST_FINE:  # scherzo da capo e poi la coda
            coda = self._coda_after_jump()
            if coda is not None:
                return coda
        leads_back = any(
            JUMP_MARKS.intersection(m.marks) and m.index not in self._taken for m in self._measures[after:]
        )
        goes_on = leads_back or after in self._movements
        if after >= len(self._measures) or (only_to_jumps and not goes_on):
            return None
        self._jump = None
        return self._landed(after)

    def _leaves_for_coda(self, index: int) -> bool:
        """Whether a da capo al fine (or al segno) e poi la coda leaves here, though no "to coda" says so."""
        if self._jump is None or self._is_in_coda or self._jump.mark not in _PAST_FINE:
            return False
        marks = [m.marks for m in self._measures[self._jumped_to : self._jumped_from + 1]]
        if any(Mark.TO_CODA in m or Mark.TRIO in m for m in marks) or self._goes_back_at(index) is not None:
            return False
        if any(Mark.FINE in m for m in marks):
            return Mark.FINE in self._measures[index].marks and not self._is_left(index, Mark.FINE)
        if self._jump.mark is not Mark.DA_CAPO_AL_CODA or not self._jumped_to <= index < self._jumped_from:
            return False
        return Mark.SEGNO in self._measures[index + 1].marks and not self._goals.has_dal_segno

    def _coda_after_jump(self) -> int | None:
        """Go to the coda that the words of the jump name."""
        names = self._jump.coda_names if self._jump is not None else ()
        return self._to_coda(MarkDetail(Mark.TO_CODA, names), self._jumped_from)

    def _beginning_for(self, index: int) -> int:
        """Return the measure that a da capo leads to: the first, or that of its movement if this has its own fine.

        A movement begins where the bars are counted anew, or behind another jump that has its own fine.
        """
        fines = [i for i in self._goals.places(Mark.FINE) if i <= index]
        jumps = [m.index + 1 for m in self._measures[:index] if JUMP_MARKS.intersection(m.marks)]
        after_jumps = [start for start in jumps if any(i < start for i in fines)]
        starts = [s for s in (*self._movements, *after_jumps) if any(s <= i for i in fines)]
        return max(starts, default=0)

    def _landed(self, target: int) -> int:
        """Forget the passes at a jump; who lands in an ending is in its pass."""
        self._pass = {
            r: max(ending.passes)
            for r in self._repeats_around.get(target, [])
            if (ending := r.ending_at(target)) is not None
        }
        return target

    def _warn_of_idle_marks(self) -> None:
        """Tell of jumps that miss their goal."""
        marks = {mark for m in self._measures for mark in m.marks}
        if not self._choices.takes_jumps or not marks & JUMP_MARKS:
            return
        al_fine = marks & _PAST_CODA
        al_coda = marks & _PAST_FINE
        if al_fine and not marks & {Mark.FINE, Mark.TRIO}:
            self.warnings.append("There is no fine for the jump to end at; it is played on to the end.")
        if (al_coda or Mark.TO_CODA in marks) and Mark.CODA not in marks:
            self.warnings.append("There is no coda to jump to; it is played on without.")


class Goals:
    """The segnos and codas of a score, found by what jumps call them.

    Parameters
    ----------
    measures : sequence of Measure
    """

    def __init__(self, measures: Sequence[Measure]) -> None:
        self._measures = measures
        self._places: dict[Mark, list[int]] = {}
        for m in measures:
            for mark in m.marks:
                self._places.setdefault(mark, []).append(m.index)
        self._called: dict[Mark, set[str]] = {Mark.SEGNO: set(), Mark.CODA: set()}
        for detail in (d for m in measures for d in m.mark_details):
            if detail.mark is Mark.TO_CODA or detail.mark in _DAL_SEGNO:
                goal = Mark.CODA if detail.mark is Mark.TO_CODA else Mark.SEGNO
                self._called[goal].update(detail.names)

    @property
    def has_dal_segno(self) -> bool:
        """Whether a segno is what a jump leads to."""
        return any(self._places.get(mark) for mark in _DAL_SEGNO)

    def places(self, mark: Mark) -> list[int]:
        """Return the measures with a mark, in order."""
        return self._places.get(mark, [])

    def find(self, jump: MarkDetail, goal: Mark, index: int, played: Collection[int] = ()) -> int | None:
        """Return the measure that a jump at measure `index` leads to.

        That is the one of the same name; of several, or where none has the name, the nearest: for a segno backwards,
        for a coda forwards. Those that are `played` already come last.

        Parameters
        ----------
        jump : MarkDetail
        goal : Mark
            ``CODA`` or ``SEGNO``.
        index : int
            Measure of the jump, from 0.
        played : collection of int
            Measures that the walk has jumped to already.
        """
        places = self.places(goal)
        same = self._named(places, goal, jump.names) or self._unnamed(places, goal, jump.names)
        same = [p for p in same if p not in played] or same
        after = [p for p in same if p > index]
        before = [p for p in reversed(same) if p <= index]
        return next(iter([*after, *before] if goal is Mark.CODA else [*before, *after]), None)

    def _unnamed(self, places: list[int], goal: Mark, names: Iterable[str]) -> list[int]:
        """Return the places that a jump can mean whose name no place bears: those that no other jump calls by name."""
        by_number = {int(n[4:]): n for n in self._called[goal] if n.startswith("no. ")}
        in_order = {  # signs without numbers, which jumps number in their order
            k: places[k - 1]
            for k, n in by_number.items()
            if 1 < k <= len(places) and not self._named(places, goal, [n])
        }
        number = next((int(n[4:]) for n in names if n.startswith("no. ")), 1)
        if number in in_order:
            return [in_order[number]]
        details = {p: self._measures[p].detail_of(goal) for p in places}
        free = [p for p in places if not self._called[goal].intersection(details[p].names)]
        free = [p for p in free if p not in in_order.values()]
        numbered = [p for p in free if f"no. {number}" in _numbers(details[p])]
        return numbered or free or places

    def _named(self, places: Sequence[int], goal: Mark, names: Iterable[str]) -> list[int]:
        """Return the places with one of the names; names of the file tell more than numbers in words."""
        wanted = sorted(names, key=lambda n: n.startswith("no. "))
        for name in wanted:
            found = [p for p in places if name in self._measures[p].detail_of(goal).names]
            if found:
                return found
        return []


def _numbers(detail: MarkDetail) -> frozenset[str]:
    """Return the numbers that words give a sign; one without a number is the first."""
    return frozenset(n for n in detail.names if n.startswith("no. ")) or _FIRST


def _movement_starts(measures: Sequence[Measure]) -> frozenset[int]:
    """Return the measures behind the first at which the bars are counted anew, from 1 or an upbeat."""
    starts = set()
    for before, measure in pairwise(measures):
        is_counted = before.number.isdecimal() and before.number.lstrip("0") not in ("", "1")
        if measure.number in ("0", "1") and is_counted:
            starts.add(measure.index)
    return frozenset(starts)
