"""Repeat signs, endings and jumps of one ABC voice, set to its measures.

References
----------
ABC music standard 2.1, December 2011, sections 4.8 to 4.10: where a repeat closes that none opened, playing restarts at
the latest double bar line or end of a repeat, else at the beginning; an ending lasts to a repeat sign or a double bar.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from scoresep.files.scores.jump_words import MAX_PASSES, marks_in_words
from scoresep.files.scores.raw import RawMeasure
from scoresep.files.scores.sign_placing import place_coda_signs
from scoresep.model.path import performance_path
from scoresep.model.repeats import MAX_STEPS
from scoresep.model.score import Mark, Measure, Score, WrittenNotes

_AT_START = (Mark.SEGNO, Mark.CODA)
# Decorations that are jumps; `coda` alone may mean "to coda" or its goal.
_DECORATIONS = {
    "segno": Mark.SEGNO, "fine": Mark.FINE, "dacoda": Mark.TO_CODA, "tocoda": Mark.TO_CODA,
    "dacapo": Mark.DA_CAPO, "dc": Mark.DA_CAPO, "dcalfine": Mark.DA_CAPO_AL_FINE, "dcalcoda": Mark.DA_CAPO_AL_CODA,
    "dacapoalfine": Mark.DA_CAPO_AL_FINE, "dacapoalcoda": Mark.DA_CAPO_AL_CODA,
    "ds": Mark.DAL_SEGNO, "dalsegno": Mark.DAL_SEGNO, "dsalfine": Mark.DAL_SEGNO_AL_FINE,
    "dsalcoda": Mark.DAL_SEGNO_AL_CODA, "dalsegnoalfine": Mark.DAL_SEGNO_AL_FINE,
    "dalsegnoalcoda": Mark.DAL_SEGNO_AL_CODA,
}  # fmt: skip


@dataclass(frozen=True)
class BarLine:
    """One bar line: the colons before and behind it, whether it is double or thick, and the endings behind it."""

    closes: int = 0
    opens: int = 0
    is_section: bool = False
    endings: tuple[int, ...] = ()


@dataclass
class _Bracket:
    first: int
    numbers: tuple[int, ...]


class VoiceSigns:
    """Collects the signs of one voice while its measures are read; `settle` sets what only the whole voice tells.

    Parameters
    ----------
    measures : list of RawMeasure
        Of the voice; grows while it is read.
    """

    def __init__(self, measures: list[RawMeasure]) -> None:
        self._measures = measures
        self._next_opens = 0
        self._opens: dict[int, int] = {}  # colons of the signs that open, by measure
        self._next_ending: tuple[int, ...] = ()
        self._brackets: list[_Bracket] = []
        self._waiting: list[Mark] = []
        self._waits_for_coda = False
        self._coda_signs: list[int] = []
        self._boundaries: set[int] = set()  # measures before which a part of the tune begins

    def read_bar(self, line: BarLine) -> None:
        """Read a bar line behind the last measure."""
        if line.opens:
            self._next_opens = max(self._next_opens, line.opens)
        if not self._measures:
            return
        last = self._measures[-1]
        if line.closes:
            last.repeat_passes = max(last.repeat_passes, min(line.closes + 1, MAX_PASSES))
        last.ends_section |= line.is_section
        last.marks += [mark for mark in self._waiting if mark not in _AT_START]
        self._waiting = [mark for mark in self._waiting if mark in _AT_START]

    def begin_ending(self, numbers: tuple[int, ...]) -> None:
        """Take the numbers of an ending that begins with the measure to come."""
        self._next_ending = numbers

    def begin_part(self) -> None:
        """Take note that a part of the tune begins with the measure to come."""
        self._boundaries.add(len(self._measures))

    def begin_measure(self) -> None:
        """Give a new measure the signs that stand before it."""
        index = len(self._measures) - 1
        if self._next_opens:
            self._measures[index].starts_repeat = True
            self._opens[index] = self._next_opens
        if self._next_ending:
            self._brackets.append(_Bracket(index, self._next_ending))
        self._next_opens, self._next_ending = 0, ()

    def read_decoration(self, name: str) -> None:
        """Read a decoration, which may be a jump; it belongs to the note or bar line that follows."""
        key = re.sub(r"[\s.]", "", name).lower()
        if key == "coda":
            self._waits_for_coda = True
        elif key in _DECORATIONS:
            self._waiting.append(_DECORATIONS[key])
        else:
            self.read_words(name)

    def read_words(self, text: str) -> None:
        """Read an annotation, in which a jump may be written out."""
        self._waiting += marks_in_words(text.lstrip("^_<>@"))

    def place_at_event(self, index: int) -> None:
        """Give the marks that wait to the measure of the note that follows them."""
        if self._waiting:
            self._measures[index].marks += self._waiting
            self._waiting = []
        if self._waits_for_coda:
            self._coda_signs.append(index)
            self._waits_for_coda = False

    def settle(self) -> None:
        """Set endings, repeats without an opening sign, and coda signs."""
        if not self._measures:
            return
        self._measures[-1].marks += [mark for mark in self._waiting if mark not in _AT_START]
        if self._waits_for_coda:
            self._coda_signs.append(len(self._measures))
        self._set_endings()
        self._open_repeats()
        place_coda_signs([m.marks for m in self._measures], self._coda_signs)

    def _set_endings(self) -> None:
        """Find where each ending stops, group by group."""
        brackets = [b for b, after in pairwise([*self._brackets, None]) if b and (not after or b.first < after.first)]
        group: list[_Bracket] = []
        first_length = 1
        for bracket, after in pairwise([*brackets, None]):
            if bracket is None:
                continue
            group = [*group, bracket]
            limit = after.first if after else len(self._measures)
            taken = {n for b in group for n in b.numbers}
            goes_on = after is not None and not taken & set(after.numbers) and self._is_closed(bracket.first, limit)
            end = limit - 1 if goes_on else self._end_of_last(bracket, limit, first_length, len(group) > 1)
            for measure in self._measures[bracket.first : end + 1]:
                measure.endings = bracket.numbers
            first_length = end - bracket.first + 1 if len(group) == 1 else first_length
            group = group if goes_on else []

    def _is_closed(self, first: int, end: int) -> bool:
        """Whether an ending reaches to the one behind it: the repeat sign that closes it is the last thing in it."""
        closing = [i for i in range(first, end) if self._measures[i].repeat_passes]
        return closing[:1] == [end - 1] or (not closing and not any(self._is_stop(i) for i in range(first, end - 1)))

    def _end_of_last(self, bracket: _Bracket, limit: int, first_length: int, is_later: bool) -> int:
        """Find the end of the last ending of a group; where no sign tells, it is as long as the first one."""
        stop = next((i for i in range(bracket.first, limit) if self._is_stop(i)), None)
        as_first = min(bracket.first + first_length, limit) - 1
        if stop is None:
            return as_first if is_later else limit - 1
        return min(stop, as_first) if is_later and self._measures[stop].repeat_passes else stop

    def _is_stop(self, index: int) -> bool:
        after = index + 1
        return (
            self._measures[index].repeat_passes > 0
            or self._measures[index].ends_section
            or after in self._boundaries
            or (after < len(self._measures) and self._measures[after].starts_repeat)
        )

    def _open_repeats(self) -> None:
        """Open the repeats that only close, and play those as often as either of their signs says."""
        opened: int | None = None
        boundary = 0
        for i, measure in enumerate(self._measures):
            if i in self._boundaries and opened is None:
                boundary = i
            if measure.starts_repeat:
                opened = i
            is_over = not measure.endings or i + 1 == len(self._measures) or not self._measures[i + 1].endings
            if measure.repeat_passes:
                if opened is None and boundary:
                    self._measures[boundary].starts_repeat = True
                opened = boundary if opened is None else opened
                if not measure.endings:
                    measure.repeat_passes = max(measure.repeat_passes, self._opens.get(opened, 0) + 1)
                if is_over:
                    opened, boundary = None, i + 1
            elif measure.endings and is_over:
                opened, boundary = None, i + 1
            elif measure.ends_section and opened is None:
                boundary = i + 1


_NO_NOTES = WrittenNotes(*[[]] * 10)  # type: ignore[arg-type]


def stated_order(
    order: Sequence[str], labels: Sequence[tuple[int, str]], columns: Sequence[Sequence[RawMeasure]]
) -> tuple[tuple[int, ...], str]:
    """Lay out the parts of a tune in their order, each with its own repeats; what stands before the first comes first.

    Parameters
    ----------
    order : sequence of str
        Labels in the order of playing.
    labels : sequence of (int, str)
        Index of the measure at which each part begins.
    columns : sequence of sequence of RawMeasure
        One for each measure: what the voices say of it.

    Returns
    -------
    indices : tuple of int
        Of the measures; empty where nothing is stated.
    misfit : str
        A sentence about what cannot be followed; empty where all can.
    """
    if not order or not labels:
        return (), f"The order of parts {''.join(order)} names parts that the tune does not mark." if order else ""
    starts = [start for start, _ in labels]
    ends = [*starts[1:], len(columns)]
    sections: dict[str, tuple[int, int]] = {}
    for (start, label), end in zip(labels, ends, strict=True):
        if start < end:
            sections.setdefault(label.rstrip(".: "), (start, end))
    missing = [label for label in dict.fromkeys(order) if label not in sections]
    if len(missing) == len(set(order)):
        return (), f"The order of parts {''.join(order)} names parts that the tune does not mark."
    played = {stretch: _played(columns, *stretch) for stretch in {(0, starts[0]), *sections.values()}}
    indices = list(played[0, starts[0]])
    for label in order:
        indices += played[sections[label]] if label in sections else ()
        if len(indices) > MAX_STEPS:
            return (), "The order of parts lasts for more than a day; it is not followed."
    misfit = f"The order of parts names {', '.join(missing)}, which the tune does not mark." if missing else ""
    return tuple(indices), misfit


def _played(columns: Sequence[Sequence[RawMeasure]], first: int, end: int) -> tuple[int, ...]:
    """Return the indices of some measures as their repeat signs let them be played."""
    measures = tuple(
        Measure(
            index=i,
            number=column[0].number,
            start_quarter=0.0,
            duration_quarter=0.0,
            starts_repeat=any(m.starts_repeat for m in column),
            repeat_passes=max(m.repeat_passes for m in column),
            endings=next((m.endings for m in column if m.endings), ()),
            marks=tuple(mark for m in column for mark in m.marks),
        )
        for i, column in enumerate(columns[first:end])
    )
    if not measures:
        return ()
    path, _ = performance_path(Score("", "", (), measures, _NO_NOTES))
    return tuple(first + i for i in path.measure_indices)
