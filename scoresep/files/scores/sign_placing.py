"""Signs for the order of playing find their measures, when all parts of a score are read.

Signs that stand at the start of a measure (segno, coda, trio) are often written at the end of the one before; a repeat
sign at the left of a bar closes the one before; of bare coda signs only all together tell which means "to coda". In
older music a final bar line, or a fermata on one, in the middle of a piece is all that tells where a da capo ends.
"""

from __future__ import annotations

import math
from dataclasses import replace

from scoresep.files.scores.bar_splitting import SAME_PLACE_QUARTER, Division, divide_bars
from scoresep.files.scores.raw import RawMeasure, RawPart, RawScore, RawSign, SignKind
from scoresep.model.repeats import JUMP_MARKS
from scoresep.model.score import Mark, MarkDetail

_AT_START = (Mark.SEGNO, Mark.CODA, Mark.TRIO)
_AL_CODA = frozenset({Mark.DA_CAPO_AL_CODA, Mark.DAL_SEGNO_AL_CODA})
_ENDING_KINDS = (SignKind.ENDING_STARTS, SignKind.ENDING_STOPS, SignKind.ENDING_BREAKS_OFF)


def place_signs(raw: RawScore) -> None:
    """Divide the bars that signs divide, and give all signs to their measures.

    Parameters
    ----------
    raw : RawScore
        Is changed; the signs of its parts are used up.
    """
    division = divide_bars(raw)
    end_lines: set[int] = set()
    new_keys: set[int] = set()
    dance_jumps: set[int] = set()
    for part in raw.parts:
        placing = _Placing(part, division)
        placing.run()
        end_lines |= placing.end_lines
        new_keys |= placing.new_keys
        dance_jumps |= placing.dance_jumps
        part.signs = []
    _read_codas_before_jumps(raw.parts)
    _place_missing_fine(raw.parts, end_lines)
    _place_missing_trio(raw.parts, new_keys, dance_jumps)


class _Placing:
    """The signs of one part on their way to its measures."""

    def __init__(self, part: RawPart, division: Division) -> None:
        self._measures = part.measures
        self._signs = part.signs
        self._division = division
        self.end_lines: set[int] = set()  # measures at whose end a line stands that looks like the end of a piece
        self.new_keys: set[int] = set()  # measures at whose start the key changes
        self.dance_jumps: set[int] = set()  # measures with a da capo that says which dance it means
        self._early_fines: list[tuple[int, MarkDetail]] = []  # those at the very start of their measure
        self._coda_signs: list[int] = []  # measures at whose start a coda sign stands that may mean "to coda"

    def run(self) -> None:
        endings = []
        for sign in self._signs:
            if sign.kind in _ENDING_KINDS:
                endings.append(sign)
            elif sign.kind in (SignKind.MARK, SignKind.CODA_SIGN):
                self._place_mark(sign)
            elif sign.kind is SignKind.KEY_CHANGES:
                if sign.position_quarter == 0:
                    self.new_keys.add(self._piece(sign, ends=False))
            else:
                self._place_line(sign)
        _Endings(self._measures).read([(self._place(s, starts=s.kind is SignKind.ENDING_STARTS), s) for s in endings])
        place_coda_signs([m.marks for m in self._measures], self._coda_signs)
        self._move_early_fines()

    def _place(self, sign: RawSign, *, starts: bool) -> int:
        """Return the measure that a sign at a bar line begins (or ends)."""
        bar, position = sign.measure_index, sign.position_quarter
        if starts:
            return self._division.first_piece[bar + 1] if math.isinf(position) else self._piece(sign, ends=False)
        if position == 0:
            return max(self._division.first_piece[bar] - 1, 0)
        return self._piece(sign, ends=True)

    def _piece(self, sign: RawSign, *, ends: bool) -> int:
        return self._division.piece_at(sign.measure_index, sign.position_quarter, ends=ends)

    def _measure(self, index: int) -> RawMeasure | None:
        return self._measures[index] if index < len(self._measures) else None

    def _place_line(self, sign: RawSign) -> None:
        if sign.kind in (SignKind.SECTION_ENDS, SignKind.END_LINE) and not self._is_at_line(sign):
            return
        measure = self._measure(self._place(sign, starts=sign.kind is SignKind.REPEAT_OPENS))
        if measure is None:
            return
        if sign.kind is SignKind.REPEAT_OPENS:
            measure.starts_repeat = True
        elif sign.kind is SignKind.REPEAT_CLOSES:
            measure.repeat_passes = max(measure.repeat_passes, *sign.passes)
            measure.repeats_after_jump |= sign.is_after_jump
        elif sign.kind is SignKind.SECTION_ENDS:
            measure.ends_section = True
        elif sign.kind is SignKind.END_LINE:
            self.end_lines.add(self._place(sign, starts=False))

    def _is_at_line(self, sign: RawSign) -> bool:
        places = self._division.places.get(sign.measure_index, ())
        return math.isinf(sign.position_quarter) or any(
            abs(sign.position_quarter - place) < SAME_PLACE_QUARTER for place in places
        )

    def _place_mark(self, sign: RawSign) -> None:
        detail = sign.mark
        if detail is None:
            return
        if sign.kind is SignKind.CODA_SIGN:
            self._coda_signs.append(self._start_at(sign, is_at_end_only=True))
            return
        place = self._start_at(sign) if detail.mark in _AT_START else self._piece(sign, ends=True)
        measure = self._measure(place)
        if measure is not None:
            measure.marks.append(detail.mark)
            measure.mark_details.append(detail)
            if detail.mark is Mark.FINE and sign.position_quarter == 0 and place == self._piece(sign, ends=False):
                self._early_fines.append((place, detail))
            if sign.names_dance:
                self.dance_jumps.add(place)

    def _move_early_fines(self) -> None:
        """Let a fine at the start of a bar belong to the line before it, if a section ends there and not at its own."""
        for place, detail in self._early_fines:
            before, own = self._measures[max(place - 1, 0)], self._measures[place]
            is_line = [m.ends_section or m.repeat_passes > 0 for m in (before, own)]
            if place > 0 and is_line == [True, False]:
                own.marks.remove(detail.mark)
                own.mark_details.remove(detail)
                before.marks.append(detail.mark)
                before.mark_details.append(detail)

    def _start_at(self, sign: RawSign, is_at_end_only: bool = False) -> int:
        """Return the measure at whose start a sign stands: its own, or the next where it is written late in its own."""
        bar, position = sign.measure_index, sign.position_quarter
        if math.isinf(position):
            return self._division.first_piece[bar + 1]
        piece = self._piece(sign, ends=False)
        content = self._measures[piece].content_quarter
        inside = position - self._division.start_of_piece(bar, piece)
        if is_at_end_only:
            return piece + (inside > 0 and inside >= content)
        return piece + (0 < content < 2 * inside)


def _read_codas_before_jumps(parts: list[RawPart]) -> None:
    """Read "Coda" where it only can mean "to coda": written before a jump al coda, and once more behind it."""
    marks = [m.marks for p in parts for m in p.measures]
    if any(Mark.TO_CODA in m for m in marks):
        return
    for part in parts:
        jumps = [i for i, m in enumerate(part.measures) if _AL_CODA.intersection(m.marks)]
        codas = [i for i, m in enumerate(part.measures) if Mark.CODA in m.marks]
        if len(jumps) != 1 or len(codas) < 2 or not 0 < codas[0] <= jumps[0] < codas[-1]:
            continue
        before, after = part.measures[codas[0] - 1], part.measures[codas[0]]
        after.marks.remove(Mark.CODA)
        before.marks.append(Mark.TO_CODA)
        details = [d for d in after.mark_details if d.mark is Mark.CODA]
        before.mark_details += [replace(d, mark=Mark.TO_CODA) for d in details]
        after.mark_details = [d for d in after.mark_details if d.mark is not Mark.CODA]


def _place_missing_fine(parts: list[RawPart], end_lines: set[int]) -> None:
    """Let a da capo that nothing else ends end at the one final bar line, or fermata on one, inside the piece."""
    marks = {mark for p in parts for m in p.measures for mark in m.marks}
    if marks & {Mark.FINE, Mark.TRIO, Mark.TO_CODA} or not marks & {Mark.DA_CAPO, Mark.DA_CAPO_AL_FINE}:
        return
    last_jump = max(i for p in parts for i, m in enumerate(p.measures) if JUMP_MARKS.intersection(m.marks))
    found = sorted(i for i in end_lines if i < last_jump)
    if len(found) == 1:
        parts[0].measures[found[0]].marks.append(Mark.FINE)


def _place_missing_trio(parts: list[RawPart], new_keys: set[int], dance_jumps: set[int]) -> None:
    """Find where the trio begins that has no heading, if its da capo says which dance is played again.

    That is where a section ends with a new key, else behind the one double bar line, else behind half of the repeats.
    """
    marks = {mark for p in parts for m in p.measures for mark in m.marks}
    if len(dance_jumps) != 1 or marks & {Mark.FINE, Mark.TRIO, Mark.TO_CODA, Mark.CODA, Mark.SEGNO}:
        return
    jump = min(dance_jumps)
    measures = [[p.measures[i] for p in parts if i < len(p.measures)] for i in range(jump + 1)]
    repeats = [i + 1 for i, here in enumerate(measures) if any(m.repeat_passes for m in here)]
    lines = [
        i + 1 for i, here in enumerate(measures[:-1]) if any(m.ends_section for m in here) and i + 1 not in repeats
    ]
    of_key = [i for i in (*repeats, *lines) if i in new_keys and i <= jump]
    is_halved = len(repeats) % 2 == 0 and repeats[-1:] == [jump + 1]
    half = repeats[len(repeats) // 2 - 1 :][:1] if is_halved else []
    found = next((places[0] for places in (of_key, lines, half) if len(places) == 1), None)
    if found is not None:
        parts[0].measures[found].marks.append(Mark.TRIO)


class _Endings:
    """Brackets that start and stop, brought to the measures below them."""

    def __init__(self, measures: list[RawMeasure]) -> None:
        self._measures = measures
        self._open: tuple[int, tuple[int, ...]] | None = None
        self._last_end = -2  # of the bracket before
        self._last_numbers: tuple[int, ...] = ()

    def read(self, signs: list[tuple[int, RawSign]]) -> None:
        """Read the signs of all endings in order, each with its measure."""
        for i, (place, sign) in enumerate(signs):
            if sign.kind is SignKind.ENDING_STARTS:
                self._close(place - 1, stated=False)
                if place < len(self._measures):
                    self._open = (place, sign.passes)
            elif sign.kind is SignKind.ENDING_STOPS:
                self._close(place, stated=True)
            else:
                following = next((p for p, s in signs[i + 1 :] if s.kind is SignKind.ENDING_STARTS), None)
                self._close(self._end_of_open_bracket(place, following), stated=True)
        self._close(len(self._measures) - 1, stated=False)

    def _end_of_open_bracket(self, place: int, following: int | None) -> int:
        """Return where an ending ends whose bracket only breaks off: at a repeat sign before the next one starts."""
        if following is None or following <= place + 1 or self._measures[place].repeat_passes:
            return place
        closing = [i for i in range(place, following) if self._measures[i].repeat_passes]
        return following - 1 if closing and closing[-1] == following - 1 else place

    def _close(self, last: int, *, stated: bool) -> None:
        if self._open is None:
            return
        (first, numbers), self._open = self._open, None
        last = max(last, first)
        if not stated:  # nobody says where it stops: with the repeat sign, or after one measure
            closing = [i for i in range(first, last + 1) if self._measures[i].repeat_passes]
            last = closing[0] if closing else first
        if not numbers:  # one that bears no number is the next
            is_next = self._last_end == first - 1
            closes = any(self._measures[i].repeat_passes for i in range(first, last + 1))
            numbers = (max(self._last_numbers) + 1,) if is_next else (1,) if closes else ()
        if numbers:
            self._last_end, self._last_numbers = last, numbers
        for measure in self._measures[first : last + 1]:
            measure.endings = numbers


def place_coda_signs(marks: list[list[Mark]], coda_signs: list[int]) -> None:
    """Tell coda signs that mean "to coda" from those where the coda starts: of two or more, the last is the coda.

    Parameters
    ----------
    marks : list of list of Mark
        One list for each measure; is added to.
    coda_signs : list of int
        Measures at whose start a bare sign stands; a sign at the very end has the number of measures.
    """
    is_known = any(Mark.TO_CODA in m for m in marks)
    for i, place in enumerate(coda_signs):
        is_last = i == len(coda_signs) - 1
        is_coda_known = any(Mark.CODA in m for m in marks)
        if is_known or (is_last and not is_coda_known):
            if place < len(marks):
                marks[place].append(Mark.CODA)
        elif place > 0:
            marks[place - 1].append(Mark.TO_CODA)
