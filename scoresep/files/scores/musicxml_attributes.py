"""The ``attributes`` of a MusicXML part that change what its notes mean: transposition, clefs, staves, repeat signs.

Divisions and metres, which the cursor needs at once, are read in `musicxml`.

Also here: texts and numbers of MusicXML elements, forgiving where files are not exact.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar
from xml.etree.ElementTree import Element

from scoresep.files.scores.raw import PassedOver, RawNote, RawPart, take_out
from scoresep.files.scores.sign_placing import BarRepeat, BeatRepeat, repeat_bars, repeat_beats

MAX_STAVES = 99
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_TYPE_QUARTERS = {
    "1024th": 1 / 256, "512th": 1 / 128, "256th": 1 / 64, "128th": 1 / 32, "64th": 1 / 16, "32nd": 1 / 8, "16th": 1 / 4,
    "eighth": 1 / 2, "quarter": 1.0, "half": 2.0, "whole": 4.0, "breve": 8.0, "long": 16.0, "maxima": 32.0,
}  # fmt: skip


def text_of(element: Element | None) -> str:
    """Return the text of an element without the space around it; empty where there is none."""
    return (element.text or "").strip() if element is not None else ""


def number_of(text: str | None, default: float) -> float:
    """Read a finite number; `default` where the text is none."""
    try:
        number = float(text) if text else default
    except ValueError:
        return default
    return number if math.isfinite(number) else default


def staff_of(text: str | None, default: int) -> int:
    """Read the number of a staff, 1 to `MAX_STAVES`; `default` (1, or 0 for all staves) where none is given."""
    return min(max(int(number_of(text, default)), default), MAX_STAVES)


def pitch_of(step: str | None, octave: str | None, alter: str | None) -> float | None:
    """Return the MIDI pitch of step, octave and alteration in semitones; None where they make no pitch.

    Parameters
    ----------
    step, octave, alter : str or None
        Texts of the elements.
    """
    semitone = _STEPS.get((step or "").strip().upper())
    number = number_of(octave, math.nan)
    if semitone is None or math.isnan(number):
        return None
    return 12 * (number + 1) + semitone + number_of(alter, 0.0)


def nominal_duration(children: dict[str, Element], element: Element) -> float | None:
    """Length of a note in quarters by type, dots and tuplet; None where the type is not given."""
    quarters = _TYPE_QUARTERS.get(text_of(children.get("type")))
    if quarters is None:
        return None
    quarters *= 2.0 - 0.5 ** len(element.findall("dot"))
    ratio = children.get("time-modification")
    if ratio is not None:
        actual, normal = number_of(ratio.findtext("actual-notes"), 1), number_of(ratio.findtext("normal-notes"), 1)
        if actual > 0 and normal > 0:
            quarters *= normal / actual
    return quarters


def metre_of(time: Element) -> tuple[int, int] | None:
    """Beats and beat type; sums such as 3+2/8 or 3/8 + 2/4 count in their shortest unit. None for senza misura."""
    pairs = list(_beats(time))
    if not pairs:
        return None
    beat_type = max(kind for _, kind in pairs)
    beats = sum(count * beat_type / kind for count, kind in pairs)
    return (int(beats), beat_type) if beats >= 1 and beats == int(beats) else None


def _beats(time: Element) -> Iterator[tuple[int, int]]:
    for beats, kind in zip(time.findall("beats"), time.findall("beat-type"), strict=False):
        terms = [number_of(term, 0.0) for term in text_of(beats).split("+")]
        beat_type = int(number_of(text_of(kind), 0.0))
        if 0 < beat_type <= 1024 and 0 < sum(terms) < 1000:
            yield round(sum(terms)), beat_type


def first_divisions(part: Element) -> float | None:
    """Return the divisions of a quarter that hold at the start of a part, wherever they stand.

    Some programs write them behind the notes that need them. Where notes come first, the one whose type and duration
    are both given tells; else the first divisions of the part do.

    Returns
    -------
    divisions : float or None
        None where the part tells nothing.
    """
    by_note: float | None = None
    for measure in part.iterfind("measure"):
        for child in measure:
            if child.tag == "attributes":
                divisions = number_of(child.findtext("divisions"), 0.0)
                if divisions > 0:
                    return by_note or divisions
            elif child.tag == "note" and by_note is None and child.find("grace") is None:
                nominal = nominal_duration({e.tag: e for e in child}, child)
                duration = number_of(child.findtext("duration"), 0.0)
                if nominal and duration > 0 and child.find("rest") is None:
                    by_note = duration / nominal
    return by_note


SLASHES = "the slash notation says what to play in words or chords only, and no notes are read"
_MOST_BARS = 64  # that one sign repeats


@dataclass(frozen=True)
class _Style:
    """The start or stop of a way to write bars; `is_late` where something stands before it in its measure."""

    tag: str
    is_start: bool
    measure_index: int
    offset_quarter: float
    is_late: bool
    staff: int
    bars: int


class AttributeReader:
    """Collects what the attributes of one part say of its staves, with time and staff.

    Parameters
    ----------
    part : RawPart
    """

    def __init__(self, part: RawPart) -> None:
        self._part = part
        self.transpositions = StaffTimeline(Transposition())
        self.percussion_clefs = StaffTimeline(False)
        self.kinds = StaffTimeline(REGULAR)
        self.tunings: dict[int, dict[int, float]] = {}  # sounding pitches of open strings by staff and string
        self._staff_types: dict[int, str] = {}
        self._tablature: set[int] = set()
        self._styles: list[_Style] = []

    def read(self, measure_index: int, element: Element, offset_quarter: float) -> None:
        """Read one ``attributes`` element.

        Parameters
        ----------
        measure_index : int
        element : Element
        offset_quarter : float
            Where in the measure it stands.
        """
        for child in element:
            if child.tag == "transpose":
                self._read_transpose(measure_index, child, offset_quarter)
            elif child.tag == "clef":
                self._read_clef(measure_index, child, offset_quarter)
            elif child.tag == "staff-details":
                self._read_staff_details(measure_index, child, offset_quarter)
            elif child.tag == "measure-style":
                self._read_style(measure_index, child, offset_quarter)

    def _read_transpose(self, measure_index: int, element: Element, offset: float) -> None:
        semitones = number_of(element.findtext("chromatic"), 0.0)
        semitones += 12 * number_of(element.findtext("octave-change"), 0.0)
        double = element.find("double")
        doubling = 0.0 if double is None else 12.0 if double.get("above") == "yes" else -12.0
        staff = staff_of(element.get("number"), 0)
        self.transpositions.change(measure_index, offset, staff, Transposition(semitones, doubling))
        if measure_index == 0 and staff in (0, 1) and offset == 0:
            self._part.transposition_semitones = round(min(max(semitones, -127), 127))

    def _read_clef(self, measure_index: int, element: Element, offset: float) -> None:
        staff, sign = staff_of(element.get("number"), 1), text_of(element.find("sign")).lower()
        self.percussion_clefs.change(measure_index, offset, staff, sign == "percussion")
        (self._tablature.add if sign == "tab" else self._tablature.discard)(staff)
        self._note_kind(measure_index, offset, staff)

    def _read_staff_details(self, measure_index: int, element: Element, offset: float) -> None:
        staff = staff_of(element.get("number"), 1)
        kind = element.find("staff-type")
        if kind is not None:
            self._staff_types[staff] = text_of(kind).lower()
            self._note_kind(measure_index, offset, staff)
        capo = number_of(element.findtext("capo"), 0.0)
        tunings = element.findall("staff-tuning")
        for tuning in tunings:
            line = int(number_of(tuning.get("line"), 0))
            names = ("tuning-step", "tuning-octave", "tuning-alter")
            pitch = pitch_of(*(tuning.findtext(name) for name in names))
            if pitch is not None and 0 < line <= len(tunings):
                self.tunings.setdefault(staff, {})[len(tunings) - line + 1] = pitch + capo

    def _note_kind(self, measure_index: int, offset: float, staff: int) -> None:
        kind = self._staff_types.get(staff, "")
        if kind not in (ALTERNATE, OSSIA, CUE):
            kind = TABLATURE if staff in self._tablature else REGULAR
        self.kinds.change(measure_index, offset, staff, kind)

    def _read_style(self, measure_index: int, element: Element, offset: float) -> None:
        staff = staff_of(element.get("number"), 0)
        content = self._part.measures[measure_index].content_quarter
        for child in element:
            if child.tag in ("measure-repeat", "beat-repeat", "slash"):
                bars = int(number_of(text_of(child), 0.0)) or int(number_of(child.get("slashes"), 1.0))
                style = _Style(
                    child.tag,
                    child.get("type") != "stop",
                    measure_index,
                    offset,
                    offset > 0 and offset >= content,
                    staff,
                    min(max(bars, 1), _MOST_BARS),
                )
                self._styles.append(style)

    # ------------------------------------------------------------------------------------- signs for bars left empty

    def play_repeat_signs(self) -> None:
        """Fill the bars and beats that the part leaves empty under signs that repeat, and note empty slash bars."""
        if not self._styles:
            return
        repeat_beats(
            self._part, [b for start, stop in self._stretches("beat-repeat") for b in self._beats(start, stop)]
        )
        repeat_bars(self._part, [self._bars(start, stop) for start, stop in self._stretches("measure-repeat")])
        for start, stop in self._stretches("slash"):
            self._note_slashes(start, stop)

    def _stretches(self, tag: str) -> list[tuple[_Style, _Style | None]]:
        """Pair starts and stops of one kind by staff; a start ends the stretch before it."""
        found: list[tuple[_Style, _Style | None]] = []
        is_open: dict[int, _Style] = {}
        idle_stops: dict[tuple[int, float, int], _Style] = {}
        styles = [s for s in self._styles if s.tag == tag]  # of both at one place, the stop belongs to what was before
        for style in sorted(styles, key=lambda s: (s.measure_index, s.offset_quarter, s.is_start)):
            closed = [
                is_open.pop(staff) for staff in list(is_open) if 0 in (staff, style.staff) or staff == style.staff
            ]
            found += [(start, style) for start in closed]
            place = (style.measure_index, style.offset_quarter, style.staff)
            if style.is_start and place in idle_stops:
                found.append((style, idle_stops[place]))
            elif style.is_start:
                is_open[style.staff] = style
            elif not closed:
                idle_stops[place] = style
        return found + [(start, None) for start in is_open.values()]

    def _bars(self, start: _Style, stop: _Style | None) -> BarRepeat:
        first = start.measure_index + start.is_late
        last = len(self._part.measures) if stop is None else stop.measure_index
        if stop is not None and stop.is_late:
            last += 1
        if last <= first:  # start and stop at one place: one sign
            last = first + start.bars
        return BarRepeat(first, last, start.bars, start.staff, stop is None)

    def _beats(self, start: _Style, stop: _Style | None) -> list[BeatRepeat]:
        last = start.measure_index if stop is None else stop.measure_index
        found = []
        for i in range(start.measure_index, last + 1):
            measure = self._part.measures[i]
            beats, beat_type = measure.metre or (4, 4)
            is_compound = beat_type >= 8 and beats > 3 and beats % 3 == 0
            begin = start.offset_quarter if i == start.measure_index else 0.0
            is_last = stop is not None and i == stop.measure_index
            end = stop.offset_quarter if stop is not None and is_last else beats * 4.0 / beat_type
            beat = 4.0 / beat_type * (3 if is_compound else 1)
            found.append(BeatRepeat(i, begin, end, beat, start.staff))
        return found

    def _note_slashes(self, start: _Style, stop: _Style | None) -> None:
        last = len(self._part.measures) if stop is None else stop.measure_index + stop.is_late
        first = start.measure_index + start.is_late
        written = {n.measure_index for n in self._part.notes if start.staff in (0, n.staff)}
        empty = [i for i in range(first, max(last, first + 1)) if i not in written and i < len(self._part.measures)]
        self._part.passed_over += [PassedOver(i, SLASHES) for i in empty]


LOWEST_PITCH, HIGHEST_PITCH = -12.0, 140.0  # the end of hearing; what is beyond is a mistake
UNREADABLE_PITCH = "a note whose pitch cannot be read is left out"
_SAME_QUARTER = 1e-3

T = TypeVar("T")


@dataclass
class StaffTimeline(Generic[T]):
    """One property of the staves of a part, at every moment.

    Attributes
    ----------
    initial : T
        What holds before the first change.
    """

    initial: T
    _changes: list[tuple[tuple[int, float], int, T]] = field(default_factory=list)
    _of_staff: dict[int, tuple[list[tuple[int, float]], list[T]]] = field(default_factory=dict)

    def change(self, measure_index: int, offset_quarter: float, staff: int, value: T) -> None:
        """Note a change on one staff, or on all of them (staff 0).

        Parameters
        ----------
        measure_index : int
        offset_quarter : float
            From the start of the measure.
        staff : int
        value : T
        """
        self._changes.append(((measure_index, offset_quarter - _SAME_QUARTER), staff, value))
        self._of_staff.clear()

    def at(self, measure_index: int, offset_quarter: float, staff: int) -> T:
        """Return what holds on a staff at a moment.

        Parameters
        ----------
        measure_index : int
        offset_quarter : float
            From the start of the measure.
        staff : int
        """
        if staff not in self._of_staff:
            own = sorted((c for c in self._changes if c[1] in (0, staff)), key=lambda c: c[0])
            self._of_staff[staff] = [c[0] for c in own], [c[2] for c in own]
        moments, values = self._of_staff[staff]
        place = bisect_right(moments, (measure_index, offset_quarter)) - 1
        return values[place] if place >= 0 else self.initial

    def values(self) -> Iterable[T]:
        """Return all values that anything is changed to."""
        return (c[2] for c in self._changes)


@dataclass(frozen=True)
class Transposition:
    """From written to sounding pitch.

    Attributes
    ----------
    semitones : float
    doubling_semitones : float
        The music is played this far from there as well, such as -12 for cellos and basses on one staff; 0 where not.
    """

    semitones: float = 0.0
    doubling_semitones: float = 0.0


def transpose_part(part: RawPart, timeline: StaffTimeline[Transposition]) -> None:
    """Turn the written pitches of a part into sounding ones, and add what sounds in another octave as well.

    Notes beyond hearing are left out and noted.
    """
    if not any(t != Transposition() for t in timeline.values()):
        return
    doublings: list[RawNote] = []
    for note in part.notes:
        if note.pitch_midi != note.pitch_midi:
            continue
        transposition = timeline.at(note.measure_index, note.offset_quarter, note.staff)
        note.pitch_midi += transposition.semitones
        if transposition.doubling_semitones:
            pitch = note.pitch_midi + transposition.doubling_semitones
            doublings.append(replace(note, pitch_midi=pitch, element_id=""))
    part.notes += doublings
    _leave_out_inaudible(part)


def _leave_out_inaudible(part: RawPart) -> None:
    unheard = [
        n for n in part.notes if not (n.pitch_midi != n.pitch_midi or LOWEST_PITCH <= n.pitch_midi <= HIGHEST_PITCH)
    ]
    if unheard:
        part.passed_over += [PassedOver(n.measure_index, UNREADABLE_PITCH) for n in unheard]
        take_out(part, unheard)


REGULAR, TABLATURE, ALTERNATE, OSSIA, CUE = "", "tablature", "alternate", "ossia", "cue"
ONLY_IN_TABLATURE = "notes that only the second form of the music (the tablature) shows are left out"
OSSIA_LEFT_OUT = "the ossia is not read"
# Of the notes of a tablature that nobody calls another form of the music, so many must stand in the staff beside it.
_SHARE_OF_A_DOUBLE = 0.8
_SHARE_OF_A_DOUBLED_PART = 0.95
_FAMILY = 8  # programs of General MIDI

_Moment = tuple[int, float]


def leave_out_doubled_staves(part: RawPart, kinds: StaffTimeline[str]) -> None:
    """Take out the notes of staves that show what other staves of the part have, and of cue staves and ossias.

    Parameters
    ----------
    part : RawPart
        With sounding pitches.
    kinds : StaffTimeline of str
        `REGULAR`, `TABLATURE` (by its clef), `ALTERNATE`, `OSSIA` or `CUE`.
    """
    if not any(kinds.values()):
        return
    of_kind: dict[str, list[RawNote]] = {}
    for note in part.notes:
        of_kind.setdefault(kinds.at(note.measure_index, note.offset_quarter, note.staff), []).append(note)
    if set(of_kind) <= {TABLATURE} or set(of_kind) <= {ALTERNATE}:
        return  # there is no other staff: it is the music
    main = of_kind.get(REGULAR, [])
    sounding_measures = {n.measure_index for n in main}
    leaving = list(of_kind.get(CUE, []) if main else [])
    for note in of_kind.get(OSSIA, []):
        if note.measure_index in sounding_measures:
            leaving.append(note)
            part.passed_over.append(PassedOver(note.measure_index, OSSIA_LEFT_OUT))
    shown_otherwise = of_kind.get(ALTERNATE, [])
    if main:
        tablature = of_kind.get(TABLATURE, [])
        leaving += _doubles(tablature, main)
    else:
        main = of_kind.get(TABLATURE, [])
        sounding_measures = {n.measure_index for n in main}
    leaving += _alternates(part, shown_otherwise, main, sounding_measures)
    take_out(part, leaving)


def _moment(note: RawNote) -> _Moment:
    return note.measure_index, round(note.offset_quarter, 3)


def _pitch_class(note: RawNote) -> float:
    return -1.0 if note.pitch_midi != note.pitch_midi else note.pitch_midi % 12


def _doubles(notes: Sequence[RawNote], main: Sequence[RawNote]) -> list[RawNote]:
    """Return those of `notes` that `main` has as well, in any octave, if in its bars they are nearly all of them."""
    known = {(*_moment(n), _pitch_class(n)) for n in main}
    measures = {n.measure_index for n in main}
    beside = [n for n in notes if n.measure_index in measures]
    found = [n for n in beside if (*_moment(n), _pitch_class(n)) in known]
    return found if len(found) >= _SHARE_OF_A_DOUBLE * len(beside) else []


def _alternates(
    part: RawPart, notes: Iterable[RawNote], main: Iterable[RawNote], sounding_measures: set[int]
) -> list[RawNote]:
    """Return the notes of staves that are called another form of the music, save in bars that only they hold."""
    known = {(*_moment(n), _pitch_class(n)) for n in main}
    leaving = []
    for note in notes:
        if note.measure_index not in sounding_measures:
            continue
        leaving.append(note)
        if (*_moment(note), _pitch_class(note)) not in known:
            part.passed_over.append(PassedOver(note.measure_index, ONLY_IN_TABLATURE))
    return leaving


def doubled_part(tablature: RawPart, others: Iterable[RawPart]) -> RawPart | None:
    """Return the part whose music a part that is all tablature shows again; None where there is none.

    Nearly all notes of both must be the same, at the same moments and in the same octave, and nothing may speak against
    one instrument.
    """
    notes = Counter((*_moment(n), n.pitch_midi) for n in tablature.notes if not n.tied_from_previous)
    for other in others:
        programs = (tablature.instrument.program, other.instrument.program)
        if len({program // _FAMILY for program in programs if program is not None}) > 1:
            continue  # a guitar in unison with a voice
        theirs = Counter((*_moment(n), n.pitch_midi) for n in other.notes if not n.tied_from_previous)
        most = max(notes.total(), theirs.total())
        if most and (notes & theirs).total() >= _SHARE_OF_A_DOUBLED_PART * most:
            return other
    return None


def is_all_tablature(part: RawPart, kinds: StaffTimeline[str]) -> bool:
    """Whether every note of a part stands in tablature."""
    return bool(part.notes) and all(
        kinds.at(n.measure_index, n.offset_quarter, n.staff) in (TABLATURE, ALTERNATE) for n in part.notes
    )
