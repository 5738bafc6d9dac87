"""One part of a MusicXML document: its measures and notes. Bar lines and directions are read in `musicxml_signs`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from scoresep.files.score_files.musicxml_signs import SignReader
from scoresep.files.score_files.raw import RawMeasure, RawNote, RawPart

NAN = float("nan")
MAX_STAVES = 99
LOWEST_PITCH, HIGHEST_PITCH = -12.0, 140.0  # the end of hearing; what is beyond is a mistake
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_TYPE_QUARTERS = {
    "1024th": 1 / 256, "512th": 1 / 128, "256th": 1 / 64, "128th": 1 / 32, "64th": 1 / 16, "32nd": 1 / 8, "16th": 1 / 4,
    "eighth": 1 / 2, "quarter": 1.0, "half": 2.0, "whole": 4.0, "breve": 8.0, "long": 16.0, "maxima": 32.0,
}  # fmt: skip
# With so many divisions of a quarter, what is one division off is off by rounding (256 cannot be divided by three).
_MIN_DIVISIONS_OF_ROUNDING = 96


class PartReader:
    """Reads one part; holds what one element of a part tells the later ones.

    Parameters
    ----------
    part : RawPart
        Is filled.
    warnings : list of str
        Is added to.
    """

    def __init__(self, part: RawPart, warnings: list[str]) -> None:
        self._part = part
        self._signs = SignReader(part, warnings)
        self._divisions = 1.0
        self._metre: tuple[int, int] | None = None
        self._transposition: dict[int, float] = {0: 0.0}  # by staff; 0 stands for all
        self._voices: dict[str, int] = {}
        self._cursor = 0.0
        self._known = [0.0]  # exact positions in this measure that the cursor has been at
        self._chord_onset = 0.0

    def read(self, element: Element) -> None:
        """Read all measures of a ``part`` element."""
        for index, measure_element in enumerate(element.iterfind("measure")):
            measure = RawMeasure(
                measure_element.get("number") or str(index + 1), is_implicit=measure_element.get("implicit") == "yes"
            )
            self._part.measures.append(measure)
            self._signs.begin_measure(index)
            self._read_measure(index, measure, measure_element)
        self._signs.finish()

    def _read_measure(self, index: int, measure: RawMeasure, element: Element) -> None:
        self._cursor, self._known, self._chord_onset = 0.0, [0.0], 0.0
        measure.metre = self._metre
        for child in element:
            tag = child.tag
            if tag == "note":
                self._read_note(index, measure, child)
            elif tag in ("backup", "forward"):
                self._move(measure, child, -1.0 if tag == "backup" else 1.0)
            elif tag == "attributes":
                self._read_attributes(index, child)
                if self._cursor == 0:
                    measure.metre = self._metre
            elif tag == "barline":
                self._signs.read_barline(index, child, self._cursor)
            elif tag in ("direction", "sound"):
                self._signs.read_direction(index, child, self._cursor, self._divisions)
        self._signs.end_measure(index, measure.content_quarter)

    def _move(self, measure: RawMeasure, element: Element, sign: float) -> None:
        moved = self._cursor + sign * _number(element.findtext("duration"), 0.0) / self._divisions
        self._cursor = self._snapped(max(moved, 0.0))
        if sign > 0:
            measure.content_quarter = max(measure.content_quarter, self._cursor)

    def _snapped(self, position: float) -> float:
        """Undo the rounding of tuplets to whole divisions where an exact position is known nearby."""
        nearest = min(self._known, key=lambda known: abs(known - position))
        tolerance = 1.01 / self._divisions if self._divisions >= _MIN_DIVISIONS_OF_ROUNDING else 1e-6
        return nearest if abs(nearest - position) <= tolerance else position

    # ------------------------------------------------------------------------------------------------- notes

    def _read_note(self, index: int, measure: RawMeasure, element: Element) -> None:
        children = {child.tag: child for child in element}
        is_grace, is_chord = "grace" in children, "chord" in children
        duration = 0.0 if is_grace else self._duration(children, element)
        onset = self._chord_onset if is_chord else self._cursor
        self._chord_onset = onset
        if not is_chord and not is_grace:
            self._cursor = onset + duration
            self._known.append(self._cursor)
        rest = children.get("rest")
        end = onset + duration
        is_whole_rest = rest is not None and rest.get("measure") == "yes"
        if is_whole_rest and self._metre is not None:
            end = min(end, self._metre[0] * 4.0 / self._metre[1])  # some write four quarters in any metre
        is_alone = not measure.content_quarter and onset == 0
        measure.rests_throughout = rest is not None and (is_alone or (is_whole_rest and measure.rests_throughout))
        measure.content_quarter = max(measure.content_quarter, end)
        if rest is not None or "cue" in children:  # a cue is what another part plays
            return
        staff = min(max(int(_number(_text(children.get("staff")), 1)), 1), MAX_STAVES)
        pitch = self._sounding_pitch(children.get("pitch"), staff)
        if pitch is None and "unpitched" not in children:
            return
        from_previous, to_next = _ties(element, children.get("notations")) if not is_grace else (False, False)
        measure.note_count += 1
        self._part.notes.append(
            RawNote(
                index,
                onset,
                duration,
                NAN if pitch is None else pitch,
                staff,
                self._voice(children.get("voice")),
                is_grace or duration == 0,
                from_previous,
                to_next,
            )
        )

    def _duration(self, children: dict[str, Element], element: Element) -> float:
        """Length in quarters: what is written, or, where that only differs by rounding, what the note's type says."""
        nominal = _nominal_duration(children, element)
        written = children.get("duration")
        if written is None:
            return nominal or 0.0
        duration = max(_number(written.text, 0.0), 0.0) / self._divisions
        is_rounded = self._divisions >= _MIN_DIVISIONS_OF_ROUNDING and "time-modification" in children
        if nominal is not None and is_rounded and abs(nominal - duration) < 1.01 / self._divisions:
            return nominal
        return duration

    def _sounding_pitch(self, pitch: Element | None, staff: int) -> float | None:
        if pitch is None:
            return None
        step = _STEPS.get((pitch.findtext("step") or "").strip().upper())
        octave = _number(pitch.findtext("octave"), NAN)
        if step is None or math.isnan(octave):
            return None
        written = 12 * (octave + 1) + step + _number(pitch.findtext("alter"), 0.0)
        sounding = written + self._transposition.get(staff, self._transposition[0])
        return sounding if LOWEST_PITCH <= sounding <= HIGHEST_PITCH else None

    def _voice(self, element: Element | None) -> int:
        text = _text(element)
        if text.isdecimal() and len(text) < 6:
            return int(text)
        return self._voices.setdefault(text, len(self._voices) + 1)

    # -------------------------------------------------------------------------------------------- attributes

    def _read_attributes(self, index: int, element: Element) -> None:
        divisions = _number(element.findtext("divisions"), 0.0)
        if divisions > 0:
            self._divisions = divisions
        for time in element.findall("time")[:1]:
            self._metre = _metre(time)
        for transpose in element.iterfind("transpose"):
            semitones = _number(transpose.findtext("chromatic"), 0.0)
            semitones += 12 * _number(transpose.findtext("octave-change"), 0.0)
            staff = min(max(int(_number(transpose.get("number"), 0)), 0), MAX_STAVES)
            if staff == 0:
                self._transposition = {0: semitones}
            else:
                self._transposition[staff] = semitones
            if index == 0 and staff in (0, 1):
                self._part.transposition_semitones = round(min(max(semitones, -127), 127))


def _text(element: Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _number(text: str | None, default: float) -> float:
    try:
        number = float(text) if text else default
    except ValueError:
        return default
    return number if math.isfinite(number) else default


def _nominal_duration(children: dict[str, Element], element: Element) -> float | None:
    """Length in quarters by type, dots and tuplet; None where the type is not given."""
    quarters = _TYPE_QUARTERS.get(_text(children.get("type")))
    if quarters is None:
        return None
    quarters *= 2.0 - 0.5 ** len(element.findall("dot"))
    ratio = children.get("time-modification")
    if ratio is not None:
        actual, normal = _number(ratio.findtext("actual-notes"), 1), _number(ratio.findtext("normal-notes"), 1)
        if actual > 0 and normal > 0:
            quarters *= normal / actual
    return quarters


def _ties(element: Element, notations: Element | None) -> tuple[bool, bool]:
    """Whether a note is tied from the one before and to the one after; some files write only how ties look."""
    types = {e.get("type") for e in element.iterfind("tie")}
    if not types and notations is not None:
        types = {e.get("type") for e in notations.iterfind("tied")}
    return bool(types & {"stop", "continue"}), bool(types & {"start", "continue"})


def _metre(time: Element) -> tuple[int, int] | None:
    """Beats and beat type; sums such as 3+2/8 or 3/8 + 2/4 count in their shortest unit. None for senza misura."""
    pairs = list(_beats(time))
    if not pairs:
        return None
    beat_type = max(kind for _, kind in pairs)
    beats = sum(count * beat_type / kind for count, kind in pairs)
    return (int(beats), beat_type) if beats >= 1 and beats == int(beats) else None


def _beats(time: Element) -> Iterator[tuple[int, int]]:
    for beats, kind in zip(time.findall("beats"), time.findall("beat-type"), strict=False):
        terms = [_number(term, 0.0) for term in _text(beats).split("+")]
        beat_type = int(_number(_text(kind), 0.0))
        if 0 < beat_type <= 1024 and 0 < sum(terms) < 1000:
            yield round(sum(terms)), beat_type
