"""MusicXML (partwise and timewise) to raw parts, straight from the XML: exact, complete in its signs, and quick.

music21 reads MusicXML too, but ten times slower, and it splits the staves of a part and loses some repeat signs.

Part by part its measures and notes are read here, bar lines and directions in `musicxml_signs`.

Notes are first taken down as they are written; what the whole part tells of them (transposition told by time, staves
that double others, drums, harmonics, signs that repeat bars) is settled when it has been read.

References
----------
MusicXML 4.0, W3C Music Notation Community Group, 2021, https://www.w3.org/2021/06/musicxml40/
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement

from scoresep.errors import ScoreFileError
from scoresep.files.scores.instruments import program_of_name, program_of_sound
from scoresep.files.scores.musicxml_attributes import (
    HIGHEST_PITCH,
    LOWEST_PITCH,
    MAX_STAVES,
    UNREADABLE_PITCH,
    AttributeReader,
    StaffTimeline,
    doubled_part,
    first_divisions,
    is_all_tablature,
    leave_out_doubled_staves,
    metre_of,
    nominal_duration,
    number_of,
    pitch_of,
    text_of,
    transpose_part,
)
from scoresep.files.scores.musicxml_notations import NotationReader, PitchKind, pitch_kinds, unpitch_drums
from scoresep.files.scores.musicxml_signs import STRAIGHT, SignReader, Swing, mark_passes, swing_part
from scoresep.files.scores.raw import PassedOver, RawMeasure, RawNote, RawPart, RawScore
from scoresep.files.scores.sign_placing import place_signs
from scoresep.model.score import Instrument
from scoresep.progress import Progress

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


MAX_PARTS = 1000

# Names of elements from the root down, by which the namespace of a document is known.
_ROOTS = {"score-partwise", "score-timewise"}
_PARTS = {"part-list", "part", "measure"}
_MEASURES = {"score-part", "part", "measure"}

# Names that programs write when nobody gave one.
_NAMELESS = {"", "musicxml part", "music", "part", "staff", "unnamed", "instr", "instrument", "voice"}


def read_musicxml(root: Element, name: str, progress: Progress) -> RawScore:
    """Read a MusicXML document.

    Parameters
    ----------
    root : Element
        ``score-partwise`` or ``score-timewise``, in whatever namespace; elements lose the namespace.
    name : str
        Of the file, for messages.
    progress : Progress

    Raises
    ------
    ScoreFileError
        If the document holds no parts.
    """
    root = partwise(root)
    elements = root.findall("part")
    if not elements or len(elements) > MAX_PARTS:
        raise ScoreFileError(f"'{name}' holds no parts that can be read; export the score again as MusicXML.")
    listed = {e.get("id", ""): e for e in root.iterfind("part-list/score-part")}
    unnamed = [e for e in listed.values() if e.get("id") not in {p.get("id") for p in elements}]
    raw = RawScore(_title(root), _composer(root))
    divisions = 1.0
    tablatures: list[RawPart] = []
    swings: list[StaffTimeline[Swing]] = []
    for i, (element, inner) in enumerate(zip(elements, progress.parts(len(elements)), strict=True)):
        inner.update(0.0, "Reading the score")
        description = listed.get(element.get("id") or "")
        if description is None and len(elements) == len(listed) == len(unnamed) == 1:
            description = unnamed[0]  # a part without an id is the only one listed
        part = _described_part(description, i)
        reader = PartReader(part, pitch_kinds(description), divisions)
        reader.read(element)
        divisions = reader.divisions  # some say it in the first part only
        if part.notes and all(math.isnan(n.pitch_midi) for n in part.notes):
            part.instrument = Instrument(part.instrument.name, None, True)
        raw.parts.append(part)
        swings.append(reader.swing)
        if reader.is_all_tablature:
            tablatures.append(part)
    of_all = next((s for s in swings if any(s.values())), None)  # as a tempo, it stands in one part and holds for all
    for part, swing in zip(raw.parts, swings, strict=True):
        swing_part(part, swing if any(swing.values()) else of_all or swing)
    _leave_out_tablatures(raw, tablatures)
    place_signs(raw)
    return raw


def _leave_out_tablatures(raw: RawScore, tablatures: Sequence[RawPart]) -> None:
    """Leave out parts that show the music of another part as tablature; it would sound twice."""
    for tablature in tablatures:
        others = [p for p in raw.parts if p is not tablature and not any(p is t for t in tablatures)]
        other = doubled_part(tablature, others)
        if other is not None:
            raw.parts[:] = [p for p in raw.parts if p is not tablature]
            raw.warnings.append(
                f"The tablature '{tablature.name}' shows the music of '{other.name}' again and is read as one with it."
            )


def partwise(root: Element) -> Element:
    """Return a document in the plain form that the readers know: without namespaces, parts holding measures.

    Parameters
    ----------
    root : Element
        Is changed.
    """
    _drop_namespaces(root)
    return _partwise(root) if root.tag == "score-timewise" else root


def _drop_namespaces(root: Element) -> None:
    """Take the namespaces of MusicXML from all names; elements of other namespaces keep theirs and are not read."""
    namespaces: set[str] = set()
    level = [root]
    for names in (_ROOTS, _PARTS, _MEASURES):
        found = [e for e in level if e.tag.rpartition("}")[2] in names]
        namespaces |= {e.tag.rpartition("}")[0] for e in found}
        level = [child for e in found for child in e]
    namespaces.discard("")
    if not namespaces:
        return
    for element in root.iter():
        namespace, _, plain = element.tag.rpartition("}")
        if namespace in namespaces:
            element.tag = plain


def _partwise(root: Element) -> Element:
    """Turn a timewise document (measures holding parts) into a partwise one; the measures keep their attributes.

    A part that a measure lacks gets an empty measure there, so that all others keep their place.
    """
    document = Element("score-partwise", root.attrib)
    parts: dict[str, Element] = {}
    measures: list[Element] = []
    for child in root:
        if child.tag != "measure":
            document.append(child)
            continue
        here = {part.get("id", ""): part for part in child.iterfind("part")}
        for key in here:
            if key not in parts:
                parts[key] = SubElement(document, "part", {"id": key})
                for earlier in measures:
                    SubElement(parts[key], "measure", earlier.attrib)
        for key, part in parts.items():
            measure = SubElement(part, "measure", child.attrib)
            measure.extend(list(here.get(key, ())))
        measures.append(child)
    return document


def _text(element: Element | None, path: str) -> str:
    found = element.find(path) if element is not None else None
    return " ".join("".join(found.itertext()).split()) if found is not None else ""


def _title(root: Element) -> str:
    work, movement = _text(root, "work/work-title"), _text(root, "movement-title")
    if work and movement and movement not in work:
        return f"{work}: {movement}"
    return work or movement


def _composer(root: Element) -> str:
    creators = root.findall("identification/creator")
    for creator in creators:
        if creator.get("type") == "composer":
            return _text(creator, ".")
    return ""


def _described_part(description: Element | None, index: int) -> RawPart:
    """Make a part of its entry in the part list."""
    if description is None:
        return RawPart(f"Part {index + 1}")
    name, abbreviation = _display_name(description, "part-name"), _display_name(description, "part-abbreviation")
    instrument_names = [_text(e, "instrument-name") for e in description.iterfind("score-instrument")]
    instrument_name = next((n for n in instrument_names if n), "")
    if _is_nameless(name):
        program = program_of_name(instrument_name)
        known = not name or program not in (None, program_of_name(name))  # "Voice" may be all that there is to say
        name = (instrument_name if known else "") or name or f"Part {index + 1}"
    return RawPart(name, abbreviation, _instrument(description, name, instrument_name))


def _is_nameless(name: str) -> bool:
    return name.lower().strip(" .:0123456789") in _NAMELESS


def _display_name(description: Element, tag: str) -> str:
    display = description.find(f"{tag}-display")
    if display is not None:
        signs = {"flat": "b", "sharp": "#", "natural": ""}
        pieces = [
            signs.get((e.text or "").strip(), "") if e.tag == "accidental-text" else (e.text or "") for e in display
        ]
        if any(piece.strip() for piece in pieces):
            return " ".join("".join(pieces).split())
    return _text(description, tag)


def _instrument(description: Element, name: str, instrument_name: str) -> Instrument:
    """Name and General MIDI program of what plays a part: by its sound id, its program, or its name."""
    midi = description.find("midi-instrument")
    written = _text(midi, "midi-program")
    program = int(written) - 1 if written.isdecimal() and 1 <= int(written) <= 128 else None
    by_name = program_of_name(name)
    if by_name is None:
        by_name = program_of_name(instrument_name)
    if not program and by_name is not None:
        program = by_name  # many programs write 1 (piano) for every part
    if program is None:
        sounds = [_text(e, "instrument-sound") for e in description.iterfind("score-instrument")]
        program = next((p for p in map(program_of_sound, sounds) if p is not None), None)
    return Instrument(name if program_of_name(name) is not None else instrument_name or name, program)
