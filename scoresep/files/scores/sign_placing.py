"""Signs for the order of playing find their measures, when all parts of a score are read.

Signs that stand at the start of a measure (segno, coda, trio) are often written at the end of the one before; a repeat
sign at the left of a bar closes the one before; of bare coda signs only all together tell which means "to coda". In
older music a final bar line, or a fermata on one, in the middle of a piece is all that tells where a da capo ends.

Also here: written bars that a sign divides: a repeat sign, an ending or a fine inside a bar, as in music with upbeats.

Such a bar becomes two measures of the same printed number, in all parts at the same place; beats count on in the
second. Notes stay whole: one that sounds across the place belongs to the measure that it begins in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from scoresep.files.scores.raw import (
    PassedOver,
    RawMeasure,
    RawNote,
    RawPart,
    RawScore,
    RawSign,
    SignKind,
    notes_by_measure,
)
from scoresep.model.repeats import JUMP_MARKS
from scoresep.model.score import Mark, MarkDetail

SAME_PLACE_QUARTER = 0.03  # the parts round the places of tuplets differently
_ALWAYS_DIVIDES = frozenset(
    {
        SignKind.REPEAT_OPENS,
        SignKind.REPEAT_CLOSES,
        SignKind.ENDING_STARTS,
        SignKind.ENDING_STOPS,
        SignKind.ENDING_BREAKS_OFF,
    }
)


@dataclass(frozen=True)
class Division:
    """The pieces that the written bars of a score are divided into.

    Attributes
    ----------
    first_piece : tuple of int
        For every written bar the index of its first measure; one more entry counts all measures.
    places : dict of tuple of float
        Where the bars that are divided are, in quarters from their start, by index of the bar.
    """

    first_piece: tuple[int, ...]
    places: dict[int, tuple[float, ...]]

    def piece_at(self, bar_index: int, position_quarter: float, *, ends: bool) -> int:
        """Return the measure at a position; of two that meet there, the one that `ends`, else the one that begins.

        Parameters
        ----------
        bar_index : int
        position_quarter : float
            From the start of the bar.
        ends : bool
        """
        places = self.places.get(bar_index, ())
        slack = SAME_PLACE_QUARTER if ends else -SAME_PLACE_QUARTER
        return self.first_piece[bar_index] + sum(position_quarter > place + slack for place in places)

    def start_of_piece(self, bar_index: int, piece_index: int) -> float:
        """Return where a measure starts in its written bar, in quarters."""
        number = piece_index - self.first_piece[bar_index]
        return self.places[bar_index][number - 1] if number else 0.0


def divide_bars(raw: RawScore) -> Division:
    """Divide the bars of a score where its signs want it.

    Parameters
    ----------
    raw : RawScore
        All parts read, none of the signs placed; is changed where bars are divided.

    Returns
    -------
    division : Division
    """
    count = max((len(p.measures) for p in raw.parts), default=0)
    places = _dividing_places(raw, count)
    first_piece = [0]
    for i in range(count):
        first_piece.append(first_piece[-1] + 1 + len(places.get(i, ())))
    division = Division(tuple(first_piece), places)
    if places:
        for part in raw.parts:
            _divide_part(part, division)
        raw.stated_order = tuple(
            piece for i in raw.stated_order if 0 <= i < count for piece in range(first_piece[i], first_piece[i + 1])
        )
    return division


def _divide_part(part: RawPart, division: Division) -> None:
    for note in part.notes:
        bar = note.measure_index
        note.measure_index = division.piece_at(bar, note.offset_quarter, ends=False)
        note.offset_quarter = max(note.offset_quarter - division.start_of_piece(bar, note.measure_index), 0.0)
    for mark in part.tempi:
        bar = mark.measure_index
        mark.measure_index = division.piece_at(bar, mark.offset_quarter, ends=False)
        mark.offset_quarter = max(mark.offset_quarter - division.start_of_piece(bar, mark.measure_index), 0.0)
    part.passed_over = [
        replace(p, measure_index=division.first_piece[p.measure_index])
        for p in part.passed_over
        if p.measure_index < len(division.first_piece)
    ]
    part.measures = [piece for i, m in enumerate(part.measures) for piece in _pieces(m, division.places.get(i, ()))]
    if division.places:
        _count_notes(part)


def _pieces(measure: RawMeasure, places: Sequence[float]) -> Iterator[RawMeasure]:
    """Yield the measures that one is divided into; the signs are given to them later."""
    if not places:
        yield measure
        return
    starts = (0.0, *places)
    for number, (start, end) in enumerate(zip(starts, (*places, math.inf), strict=True)):
        yield replace(
            measure,
            content_quarter=max(min(measure.content_quarter, end) - start, 0.0),
            goes_on_in_bar=number > 0,
            marks=[],
            mark_details=[],
        )


def _count_notes(part: RawPart) -> None:
    counts = [0] * len(part.measures)
    for note in part.notes:
        counts[note.measure_index] += 1
    for measure, note_count in zip(part.measures, counts, strict=True):
        measure.note_count = note_count


# --------------------------------------------------------------------------------------------- where bars are divided


def _dividing_places(raw: RawScore, count: int) -> dict[int, tuple[float, ...]]:
    contents = [
        max((p.measures[i].content_quarter for p in raw.parts if i < len(p.measures)), default=0.0)
        for i in range(count)
    ]
    by_bar: dict[int, list[RawSign]] = {}
    for sign in (sign for part in raw.parts for sign in part.signs):
        end = contents[sign.measure_index] - SAME_PLACE_QUARTER
        if SAME_PLACE_QUARTER < sign.position_quarter < end:
            by_bar.setdefault(sign.measure_index, []).append(sign)
    if not by_bar:
        return {}
    upbeats = _places_before_upbeats(raw, contents)
    found: dict[int, tuple[float, ...]] = {}
    for bar, signs in by_bar.items():
        places: list[float] = []
        wanted = [s.position_quarter for s in signs if s.kind in _ALWAYS_DIVIDES]
        lines = [s.position_quarter for s in signs if s.kind is SignKind.BAR_LINE]
        for sign in signs:
            if sign.kind in (SignKind.MARK, SignKind.CODA_SIGN):
                wanted += lines or _place_of_mark(raw, bar, sign, upbeats)
        for place in sorted(wanted):
            if not places or place - places[-1] > SAME_PLACE_QUARTER:
                places.append(place)
        if places:
            found[bar] = tuple(places)
    return found


def _places_before_upbeats(raw: RawScore, contents: Sequence[float]) -> list[float]:
    """Return where bars end that an upbeat completes: of the upbeat at the start, and of sections that a jump ends."""
    first = raw.parts[0].measures[0].metre
    places = []
    if first is not None and 0 < contents[0] < first[0] * 4.0 / first[1] - SAME_PLACE_QUARTER:
        places.append(first[0] * 4.0 / first[1] - contents[0])
    for part in raw.parts:
        for sign in part.signs:
            if sign.mark is None or sign.mark.mark not in JUMP_MARKS:
                continue
            metre, content = part.measures[sign.measure_index].metre, contents[sign.measure_index]
            if metre is not None and content < metre[0] * 4.0 / metre[1] - SAME_PLACE_QUARTER:
                places.append(content)
    return places


def _place_of_mark(raw: RawScore, bar: int, sign: RawSign, upbeats: Sequence[float]) -> list[float]:
    """Find where a fine or a jump that is printed inside a bar divides it, if it does.

    Its words stand above the last note as well as behind it. Behind the last note is where an upbeat is left, or where
    a fine is stated to be (``sound``) and no note sounds on.
    """
    if sign.mark is None or sign.mark.mark not in JUMP_MARKS | {Mark.FINE}:
        return []
    position = sign.position_quarter
    notes = [n for p in raw.parts for n in p.notes if n.measure_index == bar and not n.is_grace]
    ends = [
        n.offset_quarter + n.duration_quarter for n in notes if abs(n.offset_quarter - position) < SAME_PLACE_QUARTER
    ]
    for place in upbeats:
        if any(abs(p - place) < SAME_PLACE_QUARTER for p in (position, *ends)):
            return [place]
    is_held = any(
        n.offset_quarter
        < position - SAME_PLACE_QUARTER
        < n.offset_quarter + n.duration_quarter - 2 * SAME_PLACE_QUARTER
        for n in notes
    )
    return [position] if sign.is_exact and sign.mark.mark is Mark.FINE and not is_held else []


NOTHING_TO_REPEAT = "the sign that repeats what stands before finds nothing to repeat and is not played"
_EPS = 1e-6
TOO_MANY = "the signs that repeat bars stand for more notes than any score holds and are not all played"
_MOST_BEATS = 256  # in one measure
_MOST_COPIES = 500_000  # in one part


@dataclass(frozen=True)
class BarRepeat:
    """A stretch of measures under signs that repeat what stands before them.

    Attributes
    ----------
    first, stop : int
        Indices of measures; `stop` is the first one behind the stretch.
    bars : int
        How many measures one sign repeats.
    staff : int
        The staff that bears the signs; 0 stands for all staves of the part.
    is_open : bool
        Nothing says where the stretch ends: it ends with the bars left empty.
    """

    first: int
    stop: int
    bars: int = 1
    staff: int = 0
    is_open: bool = False


@dataclass(frozen=True)
class BeatRepeat:
    """A stretch of one measure in which every beat is played as the one before it; `staff` as in `BarRepeat`."""

    measure_index: int
    start_quarter: float
    stop_quarter: float
    beat_quarter: float
    staff: int = 0


def repeat_bars(part: RawPart, repeats: Iterable[BarRepeat]) -> None:
    """Fill the empty measures under bar-repeat signs with copies of the notes that they repeat.

    Parameters
    ----------
    part : RawPart
        Is filled; what cannot be repeated is noted in its `passed_over`.
    repeats : iterable of BarRepeat
    """
    by_measure: dict[int, list[RawNote]] | None = None
    most = len(part.notes) + _MOST_COPIES
    for repeat in sorted(repeats, key=lambda r: r.first):
        by_measure = notes_by_measure(part) if by_measure is None else by_measure
        _fill(part, by_measure, repeat, most)


def _on_staff(staff: int) -> Callable[[RawNote], bool]:
    return lambda note: staff in (0, note.staff)


def _fill(part: RawPart, by_measure: dict[int, list[RawNote]], repeat: BarRepeat, most: int) -> None:
    is_covered = _on_staff(repeat.staff)
    for target in range(repeat.first, min(repeat.stop, len(part.measures))):
        source = target - repeat.bars
        if any(map(is_covered, by_measure.get(target, ()))):
            if repeat.is_open:  # either the signs end here, or this file writes out what they repeat
                return
            continue
        if source < 0 or part.measures[source].metre != part.measures[target].metre:
            part.passed_over.append(PassedOver(target, NOTHING_TO_REPEAT))
            continue
        copies = [_copied(n, target) for n in by_measure.get(source, ()) if is_covered(n)]
        if not copies:
            continue
        if len(part.notes) + len(copies) > most:
            part.passed_over.append(PassedOver(target, TOO_MANY))
            return
        _loosen_ties(copies, by_measure.get(target - 1, ()))
        by_measure.setdefault(target, []).extend(copies)
        part.notes += copies
        measure, repeated = part.measures[target], part.measures[source]
        measure.note_count += len(copies)
        is_open = measure.rests_throughout or not measure.content_quarter  # as long as what it repeats
        reach = max(n.offset_quarter + n.duration_quarter for n in copies)
        measure.content_quarter = max(repeated.content_quarter if is_open else measure.content_quarter, reach)
        measure.rests_throughout = False


def _copied(note: RawNote, measure_index: int, offset_quarter: float | None = None) -> RawNote:
    offset = note.offset_quarter if offset_quarter is None else offset_quarter
    return replace(note, measure_index=measure_index, offset_quarter=offset, element_id="")


def _loosen_ties(copies: Sequence[RawNote], before: Sequence[RawNote]) -> None:
    """Take ties into the copied bar from notes that nothing leads to: what is repeated is struck anew."""
    tied = {n.pitch_midi for n in before if n.tied_to_next}
    for note in copies:
        if note.tied_from_previous and note.offset_quarter <= _EPS and note.pitch_midi not in tied:
            note.tied_from_previous = False


def repeat_beats(part: RawPart, repeats: Iterable[BeatRepeat]) -> None:
    """Fill the empty beats under beat-repeat signs with copies of the beat before them, as `repeat_bars` does bars."""
    by_measure: dict[int, list[RawNote]] | None = None
    for repeat in sorted(repeats, key=lambda r: (r.measure_index, r.start_quarter)):
        by_measure = notes_by_measure(part) if by_measure is None else by_measure
        here = by_measure.setdefault(repeat.measure_index, [])
        before = by_measure.get(repeat.measure_index - 1, [])
        is_covered = _on_staff(repeat.staff)
        copies: list[RawNote] = []
        for start in _beats_of(repeat):
            sounding = [n for n in (*here, *copies) if is_covered(n) and _overlaps(n, start, repeat.beat_quarter)]
            if sounding:
                continue
            if start > _EPS:
                earlier = [n for n in (*here, *copies) if _starts_within(n, start - repeat.beat_quarter, start)]
                shift = repeat.beat_quarter
            else:
                end = part.measures[repeat.measure_index - 1].content_quarter if repeat.measure_index else 0.0
                earlier = [n for n in before if _starts_within(n, end - repeat.beat_quarter, end)]
                shift = repeat.beat_quarter - end
            repeated = [
                _copied(n, repeat.measure_index, n.offset_quarter + shift)
                for n in earlier
                if is_covered(n) and n.duration_quarter <= repeat.beat_quarter + _EPS
            ]
            if not repeated:
                part.passed_over.append(PassedOver(repeat.measure_index, NOTHING_TO_REPEAT))
                break
            copies += repeated
        here += copies
        part.notes += copies
        part.measures[repeat.measure_index].note_count += len(copies)


def _beats_of(repeat: BeatRepeat) -> list[float]:
    if repeat.beat_quarter <= 0:
        return []
    count = int((repeat.stop_quarter - repeat.start_quarter + _EPS) / repeat.beat_quarter)
    return [repeat.start_quarter + i * repeat.beat_quarter for i in range(min(count, _MOST_BEATS))]


def _overlaps(note: RawNote, start_quarter: float, length_quarter: float) -> bool:
    end = note.offset_quarter + max(note.duration_quarter, 2 * _EPS)
    return note.offset_quarter < start_quarter + length_quarter - _EPS and end > start_quarter + _EPS


def _starts_within(note: RawNote, start_quarter: float, stop_quarter: float) -> bool:
    return start_quarter - _EPS <= note.offset_quarter < stop_quarter - _EPS


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
