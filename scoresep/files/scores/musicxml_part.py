"""One part of a MusicXML document: its measures and notes. Bar lines and directions are read in `musicxml_signs`.

Notes are first taken down as they are written; what the whole part tells of them (transposition told by time, staves
that double others, drums, harmonics, signs that repeat bars) is settled when it has been read.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from scoresep.files.scores.musicxml_attributes import (
    HIGHEST_PITCH,
    LOWEST_PITCH,
    UNREADABLE_PITCH,
    AttributeReader,
    StaffTimeline,
    is_all_tablature,
    leave_out_doubled_staves,
    transpose_part,
)
from scoresep.files.scores.musicxml_notations import NotationReader
from scoresep.files.scores.musicxml_numbers import (
    MAX_STAVES,
    first_divisions,
    metre_of,
    nominal_duration,
    number_of,
    pitch_of,
    text_of,
)
from scoresep.files.scores.musicxml_percussion import PitchKind, unpitch_drums
from scoresep.files.scores.musicxml_signs import SignReader, mark_passes
from scoresep.files.scores.raw import PassedOver, RawMeasure, RawNote, RawPart
from scoresep.files.scores.swing import STRAIGHT, Swing

NAN = float("nan")
# With so many divisions of a quarter, what is one division off is off by rounding (256 cannot be divided by three).
_MIN_DIVISIONS_OF_ROUNDING = 96


class PartReader:
    """Reads one part; holds what one element of a part tells the later ones.

    Parameters
    ----------
    part : RawPart
        Is filled.
    kinds : mapping of PitchKind, optional
        What is known of the instruments of the part, by their ids (`musicxml_percussion.pitch_kinds`).
    divisions : float
        Divisions of a quarter where the part does not tell them.

    Attributes
    ----------
    divisions : float
    is_all_tablature : bool
        Whether the part, once read, has no notes but in tablature.
    swing : StaffTimeline of Swing
        What the part says of swing, on staff 0.
    """

    def __init__(self, part: RawPart, kinds: Mapping[str, PitchKind] | None = None, divisions: float = 1.0) -> None:
        self._part = part
        self._signs = SignReader(part)
        self._attributes = AttributeReader(part)
        self._notations = NotationReader(part)
        self._kinds = kinds or {}
        self._names_instruments = len(set(self._kinds.values())) > 1
        self._instrument_of: dict[int, str] = {}  # by the identity of the note
        self.divisions = divisions
        self.is_all_tablature = False
        self.swing = StaffTimeline(STRAIGHT)
        self._metre: tuple[int, int] | None = None
        self._voices: dict[str, int] = {}
        self._cursor = 0.0
        self._known = [0.0]  # exact positions in this measure that the cursor has been at
        self._chord_onset: float | None = None  # None before the first note of a measure

    def read(self, element: Element) -> None:
        """Read all measures of a ``part`` element."""
        self.divisions = first_divisions(element) or self.divisions
        for index, measure_element in enumerate(element.iterfind("measure")):
            measure = RawMeasure(
                measure_element.get("number") or str(index + 1), is_implicit=measure_element.get("implicit") == "yes"
            )
            self._part.measures.append(measure)
            self._read_measure(index, measure, measure_element)
        self._settle()

    def _settle(self) -> None:
        """Make of the written notes those that sound."""
        attributes = self._attributes
        transpose_part(self._part, attributes.transpositions)
        unpitch_drums(self._part, self._kinds, attributes.percussion_clefs, self._instrument_of)
        self._notations.settle(attributes.tunings)
        self.is_all_tablature = is_all_tablature(self._part, attributes.kinds)
        leave_out_doubled_staves(self._part, attributes.kinds)
        attributes.play_repeat_signs()

    def _read_measure(self, index: int, measure: RawMeasure, element: Element) -> None:
        self._cursor, self._known, self._chord_onset = 0.0, [0.0], None
        measure.metre = self._metre
        for child in element:
            tag = child.tag
            if tag == "note":
                known = len(self._part.notes)
                self._read_note(index, measure, child)
                if "time-only" in child.attrib:
                    mark_passes(self._part.notes[known:], child.get("time-only"))
            elif tag in ("backup", "forward"):
                self._move(measure, child, -1.0 if tag == "backup" else 1.0)
            elif tag == "attributes":
                self._read_attributes(index, child)
                if self._cursor == 0:
                    measure.metre = self._metre
            elif tag == "barline":
                self._signs.read_barline(index, child, self._cursor)
            elif tag in ("direction", "sound"):
                self._signs.read_direction(index, child, self._cursor, self.divisions)
                self._read_swing(index, child)
        self._signs.end_measure(index)

    def _move(self, measure: RawMeasure, element: Element, sign: float) -> None:
        moved = self._cursor + sign * number_of(element.findtext("duration"), 0.0) / self.divisions
        self._cursor = self._snapped(max(moved, 0.0))
        if sign > 0:
            measure.content_quarter = max(measure.content_quarter, self._cursor)

    def _snapped(self, position: float) -> float:
        """Undo the rounding of tuplets to whole divisions where an exact position is known nearby."""
        nearest = min(self._known, key=lambda known: abs(known - position))
        tolerance = 1.01 / self.divisions if self.divisions >= _MIN_DIVISIONS_OF_ROUNDING else 1e-6
        return nearest if abs(nearest - position) <= tolerance else position

    def _read_attributes(self, index: int, element: Element) -> None:
        divisions = number_of(element.findtext("divisions"), 0.0)
        if divisions > 0:
            self.divisions = divisions
        for time in element.findall("time")[:1]:
            self._metre = metre_of(time)
        key = element.find("key")
        if key is not None:
            self._signs.read_key(index, key, self._cursor)
        self._attributes.read(index, element, self._cursor)

    def _read_swing(self, index: int, element: Element) -> None:
        swing = element.find("swing" if element.tag == "sound" else "sound/swing")
        if swing is None:
            return
        first, second = number_of(swing.findtext("first"), 1.0), number_of(swing.findtext("second"), 1.0)
        if swing.find("straight") is not None or not (first > 0 and second > 0):
            self.swing.change(index, self._cursor, 0, STRAIGHT)
        else:
            unit = 0.25 if text_of(swing.find("swing-type")) == "16th" else 0.5
            self.swing.change(index, self._cursor, 0, Swing(first, second, unit))

    # ------------------------------------------------------------------------------------------------- notes

    def _read_note(self, index: int, measure: RawMeasure, element: Element) -> None:
        children = {child.tag: child for child in element}
        is_grace, is_chord = "grace" in children, "chord" in children and self._chord_onset is not None
        duration = 0.0 if is_grace else self._duration(children, element)
        onset = self._chord_onset if is_chord and self._chord_onset is not None else self._cursor
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
        if rest is not None:
            return
        notations = "notations" in children or "notehead" in children
        if "cue" in children and not (notations and self._notations.is_sounding_harmonic(element)):
            return  # a cue is what another part plays
        pitch = _written_pitch(children)
        if pitch is None and "pitch" not in children and self._notations.is_fretted(element):
            pitch = NAN  # until the strings are known
        elif pitch is None:
            self._part.passed_over.append(PassedOver(index, UNREADABLE_PITCH))
            return
        from_previous, to_next = _ties(element, children) if not is_grace else (False, False)
        measure.note_count += 1
        note = RawNote(
            index,
            onset,
            duration,
            pitch,
            min(max(int(number_of(text_of(children.get("staff")), 1)), 1), MAX_STAVES),
            self._voice(children.get("voice")),
            is_grace or duration == 0,
            from_previous,
            to_next,
            element_id=element.get("id", ""),
        )
        self._part.notes.append(note)
        if notations:
            self._notations.read(note, element, children)
        if self._names_instruments and "instrument" in children:
            self._instrument_of[id(note)] = children["instrument"].get("id", "")

    def _duration(self, children: dict[str, Element], element: Element) -> float:
        """Length in quarters: what is written, or, where that only differs by rounding, what the note's type says."""
        written = children.get("duration")
        if written is None:
            return nominal_duration(children, element) or 0.0
        duration = max(number_of(written.text, 0.0), 0.0) / self.divisions
        if self.divisions >= _MIN_DIVISIONS_OF_ROUNDING and "time-modification" in children:
            nominal = nominal_duration(children, element)
            if nominal is not None and abs(nominal - duration) < 1.01 / self.divisions:
                return nominal
        return duration

    def _voice(self, element: Element | None) -> int:
        text = text_of(element)
        if text.isdecimal() and len(text) < 6:
            return int(text)
        return self._voices.setdefault(text, len(self._voices) + 1)


def _written_pitch(children: Mapping[str, Element]) -> float | None:
    """Return the written pitch, NaN for unpitched notes, None where it cannot be read."""
    element = children.get("pitch")
    if element is None:
        return NAN if "unpitched" in children else None
    pitch = pitch_of(element.findtext("step"), element.findtext("octave"), element.findtext("alter"))
    return pitch if pitch is not None and LOWEST_PITCH <= pitch <= HIGHEST_PITCH else None


def _ties(element: Element, children: Mapping[str, Element]) -> tuple[bool, bool]:
    """Whether a note is tied from the one before and to the one after; some files write only how ties look."""
    if "tie" in children:
        types = {e.get("type") for e in element.iterfind("tie")}
    elif "notations" in children:
        types = {e.get("type") for n in element if n.tag == "notations" for e in n if e.tag == "tied"}
    else:
        return False, False
    return not types.isdisjoint(("stop", "continue")), not types.isdisjoint(("start", "continue"))
