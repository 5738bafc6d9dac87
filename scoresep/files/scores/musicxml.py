"""MusicXML (partwise and timewise) to raw parts, straight from the XML: exact, complete in its signs, and quick.

music21 reads MusicXML too, but ten times slower, and it splits the staves of a part and loses some repeat signs.

References
----------
MusicXML 4.0, W3C Music Notation Community Group, 2021, https://www.w3.org/2021/06/musicxml40/
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from scoresep.errors import ScoreFileError
from scoresep.files.scores.instruments import program_of_name, program_of_sound
from scoresep.files.scores.musicxml_attributes import StaffTimeline, doubled_part
from scoresep.files.scores.musicxml_part import PartReader
from scoresep.files.scores.musicxml_percussion import pitch_kinds
from scoresep.files.scores.raw import RawPart, RawScore
from scoresep.files.scores.sign_placing import place_signs
from scoresep.files.scores.swing import Swing, swing_part
from scoresep.model.score import Instrument
from scoresep.progress import Progress

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
