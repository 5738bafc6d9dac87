"""From raw parts, each with its own measures, to one `Score` whose measures are the same for all parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import ScoreFileError
from scoresep.files.scores.instruments import completed_instruments
from scoresep.files.scores.jump_words import merged_details, merged_marks
from scoresep.files.scores.raw import RawMeasure, RawNote, RawPart, RawScore
from scoresep.model.arrays import frozen
from scoresep.model.score import Measure, Part, Score, TempoMark, WrittenNotes

MAX_MEASURE_QUARTERS = 4096.0
_UNKNOWN_METRE = (4, 4)
_EPS = 1e-6
_NAMED_STRETCHES = 5  # so many places are named in a warning; the others are counted
_ROUNDING_QUARTER = 0.03  # less than a 128th: no score means such a difference


def assemble(raw: RawScore, name: str) -> Score:
    """Make a score of raw parts.

    Parameters
    ----------
    raw : RawScore
    name : str
        Of the file, for messages.

    Raises
    ------
    ScoreFileError
        If there are no measures, or one is longer than any music.
    """
    parts = raw.parts
    count = max((len(p.measures) for p in parts), default=0)
    if not count:
        raise ScoreFileError(f"'{name}' holds no measures; choose another score or export it again.")
    warnings = list(raw.warnings)
    if any(p.measures and len(p.measures) != count for p in parts):
        warnings.append("Some parts have fewer bars than others; they are taken to rest at the end.")
    columns = [[p.measures[i] for p in parts if i < len(p.measures)] for i in range(count)]
    for column in columns:
        if max(m.content_quarter for m in column) > MAX_MEASURE_QUARTERS:
            number = column[0].number
            raise ScoreFileError(f"Bar {number} of '{name}' is endlessly long: the file is damaged; export it again.")
    metres = [_metre(column) for column in columns]
    durations = [_common_duration(column, metre) for column, metre in zip(columns, metres, strict=True)]
    if metres[0] is None and count > 1 and any(m.is_implicit for m in columns[0]):
        metres[0] = metres[1] or (max(1, round(durations[1])), 4)  # a pick-up has the metre of what follows
    measures = _measures(columns, metres, durations)
    own_durations = _own_durations(parts, metres, durations, warnings)
    for i, part in enumerate(parts):
        _complete_ties(part, own_durations[i] if own_durations else durations)
    warnings += _passed_over_warnings(parts, measures)
    instruments = completed_instruments([(p.name, p.instrument) for p in parts])
    return Score(
        raw.title,
        raw.composer,
        tuple(
            Part(i, p.name, p.abbreviation, instrument, p.transposition_semitones)
            for i, (p, instrument) in enumerate(zip(parts, instruments, strict=True))
        ),
        tuple(measures),
        _columns_of_notes(parts),
        _tempo_marks(parts, measures),
        tuple(dict.fromkeys(warnings)),
        own_durations,
        tuple(i for i in raw.stated_order if 0 <= i < count),
    )


def _passed_over_warnings(parts: Sequence[RawPart], measures: Sequence[Measure]) -> list[str]:
    """Tell in one sentence for each kind what the readers passed over, and in which bars: ``Bars 12-14, 20: ...``."""
    places: dict[str, set[int]] = {}
    for part in parts:
        for passed in part.passed_over:
            places.setdefault(passed.what, set()).add(min(max(passed.measure_index, 0), len(measures) - 1))
    return [f"{_bars_in_words(sorted(found), measures)}: {what}." for what, found in places.items()]


def _bars_in_words(indices: Sequence[int], measures: Sequence[Measure]) -> str:
    """Name measures by their printed numbers, those that follow each other as one stretch."""
    stretches: list[list[int]] = []
    for i in indices:
        if stretches and stretches[-1][1] == i - 1:
            stretches[-1][1] = i
        else:
            stretches.append([i, i])
    numbers = [(measures[first].number, measures[last].number) for first, last in stretches]
    words = [first if first == last else f"{first}-{last}" for first, last in numbers]
    more = f" and {len(words) - _NAMED_STRETCHES} more places" if len(words) > _NAMED_STRETCHES else ""
    is_one = len(words) == 1 and "-" not in words[0]
    return ("Bar " if is_one else "Bars ") + ", ".join(words[:_NAMED_STRETCHES]) + more


def _metre(column: Sequence[RawMeasure]) -> tuple[int, int] | None:
    return next((m.metre for m in column if m.metre is not None), None)


def _bar_quarters(metre: tuple[int, int]) -> float:
    return metre[0] * 4.0 / metre[1]


def _common_duration(column: Sequence[RawMeasure], metre: tuple[int, int] | None) -> float:
    """Length of a measure for all parts: that of the metre if a part that plays has it, else the longest of them."""
    playing = [m for m in column if m.note_count] or [m for m in column if m.content_quarter] or column
    durations = [_own_duration(m, metre) for m in playing]
    bar = _bar_quarters(metre or _UNKNOWN_METRE)
    return bar if bar in durations else max(durations)


def _own_duration(measure: RawMeasure, metre: tuple[int, int] | None) -> float:
    """Length of a measure in one part; what only rounding makes differ from the metre is the metre's."""
    bar = _bar_quarters(metre or _UNKNOWN_METRE)
    content = measure.content_quarter
    if content == 0 or abs(content - bar) < _ROUNDING_QUARTER:
        return bar
    excess = content - bar
    is_odd = 0 < excess < 0.5 and all(abs(excess * unit - round(excess * unit)) > 1e-3 for unit in (12, 16))
    return bar if is_odd else content  # an excess that is no note value is a fault of the file


def _own_durations(
    parts: Sequence[RawPart], metres: Sequence[tuple[int, int] | None], durations: Sequence[float], warnings: list[str]
) -> tuple[tuple[float, ...], ...]:
    """Lengths of the measures by part where they differ from the common ones; empty where they never do."""
    own = []
    differing: dict[int, str] = {}
    for part in parts:
        lengths = list(durations)
        for i, measure in enumerate(part.measures):
            is_open = not measure.content_quarter or measure.rests_throughout  # as long as the others
            length = durations[i] if is_open else _own_duration(measure, metres[i])
            is_followed = i + 1 < len(durations) or measure.repeat_passes > 0
            if abs(length - durations[i]) > _EPS and is_followed:
                lengths[i] = length
                differing.setdefault(i, f"bar {measure.number} ({part.name})")
        own.append(tuple(round(length, 9) for length in lengths))
    if not differing:
        return ()
    first = differing[min(differing)]
    more = f" and {len(differing) - 1} other bars" if len(differing) > 1 else ""
    warnings.append(f"The parts do not agree how long {first}{more} should be; each part is read with its own bars.")
    return tuple(own)


def _measures(
    columns: Sequence[Sequence[RawMeasure]], metres: Sequence[tuple[int, int] | None], durations: Sequence[float]
) -> list[Measure]:
    leads = _lead_quarters(columns, metres, durations)
    measures = []
    start = 0.0
    for i, column in enumerate(columns):
        beats, beat_type = metres[i] or (max(1, round(durations[i])), 4)
        marks = merged_marks(mark for m in column for mark in m.marks)
        measures.append(
            Measure(
                index=i,
                number=column[0].number,
                start_quarter=round(start, 9),
                duration_quarter=round(durations[i], 9),
                beats=beats,
                beat_type=beat_type,
                lead_quarter=round(leads[i], 9),
                starts_repeat=any(m.starts_repeat for m in column),
                repeat_passes=max(m.repeat_passes for m in column),
                endings=next((m.endings for m in column if m.endings), ()),
                marks=marks,
                mark_details=merged_details((d for m in column for d in m.mark_details), marks),
                repeats_after_jump=any(m.repeats_after_jump for m in column),
            )
        )
        start += durations[i]
    return measures


def _lead_quarters(
    columns: Sequence[Sequence[RawMeasure]], metres: Sequence[tuple[int, int] | None], durations: Sequence[float]
) -> list[float]:
    """Tell what is missing at the front of every short measure.

    A pick-up lacks its front: the first measure of the piece, and one that does not count or opens a section after a
    complete measure. Of measures that make up one bar together, each lacks what those before it hold. All others (the
    end of a section that began with a pick-up) lack their end, that is, no front.
    """
    leads: list[float] = []
    filled = 0.0  # how much of the present bar the measures before this one hold; 0 at a bar line
    before_endings = 0.0
    for i, column in enumerate(columns):
        if any(m.goes_on_in_bar for m in column):  # the beats of a divided bar count on
            leads.append(leads[-1] + durations[i - 1] if i else 0.0)
            continue
        last = _last_piece(columns, i)
        metre, duration = metres[i], sum(durations[i : last + 1])
        bar = _bar_quarters(metre) if metre else duration
        if any(m.endings for m in column):  # every ending goes on from the measure before the first one
            is_new = i == 0 or columns[i - 1][0].endings != column[0].endings
            before_endings = filled if i == 0 or not columns[i - 1][0].endings else before_endings
            filled = before_endings if is_new else filled
        if duration >= bar - _EPS:
            lead, filled = 0.0, 0.0
        elif filled > _EPS and filled + duration <= bar + _EPS:
            lead = filled
            filled = (filled + duration) if filled + duration < bar - _EPS else 0.0
        elif filled <= _EPS and _is_pickup(columns, i, last) and not (i and _is_half(durations, last, duration, bar)):
            lead, filled = bar - duration, 0.0
        else:
            lead, filled = 0.0, duration
        leads.append(lead)
    return leads


def _last_piece(columns: Sequence[Sequence[RawMeasure]], index: int) -> int:
    """Return the index of the last measure that belongs to the written bar that begins with `index`."""
    while index + 1 < len(columns) and any(m.goes_on_in_bar for m in columns[index + 1]):
        index += 1
    return index


def _is_half(durations: Sequence[float], index: int, duration: float, bar: float) -> bool:
    """Whether a measure of some duration that ends with `index` and the one after it make up one bar."""
    return index + 1 < len(durations) and abs(duration + durations[index + 1] - bar) < _EPS


def _is_pickup(columns: Sequence[Sequence[RawMeasure]], index: int, last: int) -> bool:
    """Whether a short bar (measures `index` to `last`) after a complete one is a pick-up, not the end of a section."""
    if index == 0:
        return True
    column, before = columns[index], columns[index - 1]
    if any(m.repeat_passes or m.ends_section for m in columns[last]) or last == len(columns) - 1:
        return False
    opens = any(m.starts_repeat for m in column) or any(m.repeat_passes or m.ends_section for m in before)
    return opens or any(m.is_implicit for m in column)


def _complete_ties(part: RawPart, durations: Sequence[float]) -> None:
    """Tie the note that a tie leads to also where the file only marks the first of the two, as some programs do."""
    marked = [n for n in part.notes if n.tied_to_next and not n.is_grace]
    if not marked:
        return
    starting: dict[tuple[int, float, float], list[RawNote]] = {}
    for note in part.notes:
        if not note.is_grace:
            starting.setdefault((note.measure_index, round(note.offset_quarter, 3), note.pitch_midi), []).append(note)
    for note in marked:
        measure, end = note.measure_index, note.offset_quarter + note.duration_quarter
        while measure < len(durations) and end >= durations[measure] - _EPS:  # past the pieces of a divided bar as well
            measure, end = measure + 1, end - durations[measure]
        following = starting.get((measure, round(end, 3), note.pitch_midi), [])
        if following and not any(n.tied_from_previous for n in following):
            following[0].tied_from_previous = True


def _tempo_marks(parts: Sequence[RawPart], measures: Sequence[Measure]) -> tuple[TempoMark, ...]:
    """All tempo marks in order; where parts differ at one place, the first part counts."""
    found: dict[float, float] = {}
    for part in parts:
        for mark in part.tempi:
            measure = measures[mark.measure_index]
            place = round(measure.start_quarter + min(mark.offset_quarter, measure.duration_quarter), 6)
            found.setdefault(place, mark.quarters_per_minute)
    return tuple(TempoMark(place, tempo) for place, tempo in sorted(found.items()))


def _columns_of_notes(parts: Sequence[RawPart]) -> WrittenNotes:
    """Sort all notes by measure, offset and part; notes of one moment keep the order of the file."""
    notes: list[RawNote] = [n for p in parts for n in p.notes]
    part_index = np.repeat(np.arange(len(parts)), [len(p.notes) for p in parts])
    measure_index = np.array([n.measure_index for n in notes], np.int64)
    offset = np.round(np.array([n.offset_quarter for n in notes], np.float64), 9)
    order = np.lexsort((part_index, offset, measure_index))

    def column(name: str) -> NDArray[Any]:
        return np.array([getattr(n, name) for n in notes], None)[order]

    return WrittenNotes(
        frozen(part_index[order], np.int32),
        frozen(measure_index[order], np.int32),
        frozen(offset[order], np.float64),
        frozen(np.round(column("duration_quarter").astype(np.float64), 9), np.float64),
        column("pitch_midi"),
        column("staff"),
        column("voice"),
        column("is_grace"),
        column("tied_from_previous"),
        column("tied_to_next"),
        column("passes") if any(n.passes for n in notes) else np.zeros(len(notes), np.int32),
    )
