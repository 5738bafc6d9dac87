"""Write the demo piece as MusicXML 4.0, with the standard library only.

The notes come from ``demo_piece.py`` at sounding pitch; here they become written notes: transposed, with key
signatures, accidentals, beams, repeat signs and endings. The element order follows the schema of MusicXML 4.0 (W3C,
2021).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

from demo_piece import (
    ARRANGER,
    BEATS_PER_BAR,
    COMPOSER,
    DOUBLE_BARS,
    ENDINGS,
    KEY_FIFTHS,
    LAST_MEASURE,
    PARTS,
    QUARTERS_PER_MINUTE,
    REPEAT,
    RIGHTS,
    STEPS,
    TITLE,
    WORDS,
    Item,
    Part,
    Pitch,
    midi_of,
    read_parts,
)

DIVISIONS = 2  # MusicXML duration units in a quarter note
TYPES = {3.0: ("half", 1), 2.0: ("half", 0), 1.0: ("quarter", 0), 0.5: ("eighth", 0)}
ACCIDENTALS = {-1: "flat", 0: "natural", 1: "sharp"}


def child(parent: ET.Element, tag: str, text: object = None, **attributes: str) -> ET.Element:
    """Append an element; Python's keywords and hyphens: ``font_size`` becomes ``font-size``."""
    element = ET.SubElement(parent, tag, {k.rstrip("_").replace("_", "-"): v for k, v in attributes.items()})
    element.text = None if text is None else str(text)
    return element


def written_pitch(pitch: Pitch, part: Part) -> Pitch:
    """The written pitch of a sounding one: the inverse of the part's transposition."""
    diatonic, chromatic = part.transpose
    steps = pitch[0] + 7 * pitch[2] - diatonic
    natural = midi_of((steps % 7, 0, steps // 7))
    return steps % 7, midi_of(pitch) - chromatic - natural, steps // 7


def written_fifths(part: Part) -> int:
    """Key signature of a part: sharps positive. Seven fifths a semitone, twelve of them none."""
    return (KEY_FIFTHS - 7 * part.transpose[1] + 6) % 12 - 6


@dataclass
class BarState:
    """What one written bar carries from note to note: the accidentals seen, and a tie from the bar before."""

    fifths: int
    tie_comes_in: bool
    altered: dict[tuple[int, int], int] = field(default_factory=dict)  # (step, octave) -> alteration

    def alter_now(self, step: int, octave: int) -> int:
        """Alteration that a note has here without an accidental of its own."""
        if (step, octave) in self.altered:
            return self.altered[step, octave]
        order = [3, 0, 4, 1, 5, 2, 6]  # F C G D A E B
        if self.fifths >= 0:
            return int(step in order[: self.fifths])
        return -int(step in order[self.fifths :])


def beam_of(items: list[Item], index: int) -> str | None:
    """Beams join the two eighths of one beat."""
    item = items[index]
    on_beat = item.beat_quarter == int(item.beat_quarter)
    near = index + 1 if on_beat else index - 1
    if item.pitch is None or item.duration_quarter != 0.5 or not 0 <= near < len(items):
        return None
    if items[near].pitch is None or items[near].duration_quarter != 0.5:
        return None
    return "begin" if on_beat else "end"


def add_notations(element: ET.Element, signs: str, ties: list[str]) -> None:
    """Ties, slurs and fermatas of one note."""
    if not signs and not ties:
        return
    notations = child(element, "notations")
    for tie in ties:
        child(notations, "tied", type=tie)
    for sign, kind in ((")", "stop"), ("(", "start")):
        if sign in signs:
            child(notations, "slur", type=kind, number="1")
    if "^" in signs:
        child(notations, "fermata", type="upright")


def add_note(bar: ET.Element, part: Part, notes: list[Item], index: int, bar_state: BarState) -> None:
    """Append note or rest ``notes[index]``; ``notes`` is the whole bar without its marks."""
    item, element = notes[index], child(bar, "note")
    kind, dots = TYPES[item.duration_quarter]
    if item.pitch is None:
        # not in the pick-up: music21 takes such a rest for a full bar there, and moves all that follows
        is_whole_bar = item.duration_quarter == BEATS_PER_BAR
        child(element, "rest", **({"measure": "yes"} if is_whole_bar else {}))
        child(element, "duration", int(item.duration_quarter * DIVISIONS))
        child(element, "voice", 1)
        if not is_whole_bar:
            child(element, "type", kind)
        return
    step, alter, octave = written_pitch(item.pitch, part)
    pitch = child(element, "pitch")
    child(pitch, "step", STEPS[step])
    if alter:
        child(pitch, "alter", alter)
    child(pitch, "octave", octave)
    child(element, "duration", int(item.duration_quarter * DIVISIONS))
    ties = ["stop"] * bar_state.tie_comes_in + ["start"] * ("~" in item.signs)
    bar_state.tie_comes_in = False
    for tie in ties:
        child(element, "tie", type=tie)
    child(element, "voice", 1)
    child(element, "type", kind)
    for _ in range(dots):
        child(element, "dot")
    if bar_state.alter_now(step, octave) != alter:
        child(element, "accidental", ACCIDENTALS[alter])
        bar_state.altered[step, octave] = alter
    beam = beam_of(notes, index)
    if beam:
        child(element, "beam", beam, number="1")
    add_notations(element, item.signs, ties)


def add_direction(bar: ET.Element, placement: str = "below") -> ET.Element:
    """An empty direction; what it says goes into the returned element."""
    return child(child(bar, "direction", placement=placement), "direction-type")


def add_mark(bar: ET.Element, mark: str) -> None:
    """A dynamic or one end of a hairpin."""
    hairpins = {"<": "crescendo", ">": "diminuendo", "/": "stop"}
    inside = add_direction(bar)
    if mark in hairpins:
        child(inside, "wedge", type=hairpins[mark], number="1")
    else:
        child(child(inside, "dynamics"), mark)


def add_words(bar: ET.Element, measure: int) -> None:
    """Tempo and other words, above the top part only."""
    if measure == 0:
        direction = child(bar, "direction", placement="above")
        child(child(direction, "direction-type"), "words", "Andante con moto ", font_weight="bold")
        metronome = child(child(direction, "direction-type"), "metronome", parentheses="yes")
        child(metronome, "beat-unit", "quarter")
        child(metronome, "per-minute", QUARTERS_PER_MINUTE)
        child(direction, "sound", tempo=str(QUARTERS_PER_MINUTE))
    elif measure in WORDS:
        child(add_direction(bar, "above"), "words", WORDS[measure], font_style="italic")


def add_barline(bar: ET.Element, location: str, style: str = "", ending: str = "", repeat: str = "") -> None:
    """A barline. ``ending`` is its number and type ("1 start"), ``repeat`` the direction it sends the player."""
    barline = child(bar, "barline", location=location)
    if style:
        child(barline, "bar-style", style)
    if ending:
        number, kind = ending.split()
        child(barline, "ending", f"{number}." if kind == "start" else None, number=number, type=kind)
    if repeat:
        child(barline, "repeat", direction=repeat)


def add_left_barline(bar: ET.Element, measure: int) -> None:
    """Repeat sign and the start of an ending."""
    if measure == REPEAT[0]:
        add_barline(bar, "left", "heavy-light", repeat="forward")
    for number, (first, _) in ENDINGS.items():
        if measure == first:
            add_barline(bar, "left", ending=f"{number} start")


def add_right_barline(bar: ET.Element, measure: int) -> None:
    """Repeat sign, the end of an ending, double and final bars."""
    if measure == ENDINGS[1][1]:
        add_barline(bar, "right", "light-heavy", ending="1 stop", repeat="backward")
    elif measure == ENDINGS[2][1]:
        add_barline(bar, "right", "light-light", ending="2 discontinue")
    elif measure in DOUBLE_BARS:
        add_barline(bar, "right", "light-light")
    elif measure == LAST_MEASURE:
        add_barline(bar, "right", "light-heavy")


def add_attributes(bar: ET.Element, part: Part) -> None:
    """Key, metre, clef and transposition at the head of a part."""
    attributes = child(bar, "attributes")
    child(attributes, "divisions", DIVISIONS)
    key = child(attributes, "key")
    child(key, "fifths", written_fifths(part))
    child(key, "mode", "major")
    time = child(attributes, "time")
    child(time, "beats", BEATS_PER_BAR)
    child(time, "beat-type", 4)
    clef = child(attributes, "clef")
    child(clef, "sign", part.clef[0])
    child(clef, "line", part.clef[1])
    if part.transpose != (0, 0):
        transpose = child(attributes, "transpose")
        child(transpose, "diatonic", part.transpose[0])
        child(transpose, "chromatic", part.transpose[1])


def add_header(score: ET.Element) -> None:
    """Title, makers, rights and the list of parts."""
    child(child(score, "work"), "work-title", TITLE)
    child(score, "movement-title", TITLE)
    identification = child(score, "identification")
    child(identification, "creator", COMPOSER, type="composer")
    child(identification, "creator", ARRANGER, type="arranger")
    child(identification, "rights", RIGHTS)
    child(child(identification, "encoding"), "software", "ScoreSep packaging/make_demo.py")
    part_list = child(score, "part-list")
    for index, part in enumerate(PARTS, 1):
        entry = child(part_list, "score-part", id=f"P{index}")
        child(entry, "part-name", part.name)
        child(entry, "part-abbreviation", part.abbreviation)
        instrument = child(entry, "score-instrument", id=f"P{index}-I1")
        child(instrument, "instrument-name", part.name)
        child(instrument, "instrument-sound", part.sound)
        midi = child(entry, "midi-instrument", id=f"P{index}-I1")
        child(midi, "midi-channel", index)
        child(midi, "midi-program", part.midi_program + 1)


def add_part(score: ET.Element, index: int, bars: list[tuple[Item, ...]]) -> None:
    """One part with all its bars; words stand above the top part only."""
    part, tie_comes_in = PARTS[index], False
    element = child(score, "part", id=f"P{index + 1}")
    for measure, items in enumerate(bars):
        bar = child(element, "measure", number=str(measure), **({"implicit": "yes"} if measure == 0 else {}))
        if measure == 0:
            add_attributes(bar, part)
        add_left_barline(bar, measure)
        if index == 0:
            add_words(bar, measure)
        notes = [item for item in items if not item.mark]
        bar_state = BarState(written_fifths(part), tie_comes_in)
        for item in items:
            if item.mark:
                add_mark(bar, item.mark)
            else:
                add_note(bar, part, notes, notes.index(item), bar_state)
        tie_comes_in = "~" in notes[-1].signs
        add_right_barline(bar, measure)


def score_xml() -> bytes:
    """The whole score as the bytes of a MusicXML 4.0 file."""
    score = ET.Element("score-partwise", version="4.0")
    add_header(score)
    for index, bars in enumerate(read_parts()):
        add_part(score, index, bars)
    ET.indent(score)
    head = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
    doctype = (
        '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN"'
        ' "http://www.musicxml.org/dtds/partwise.dtd">\n'
    )
    return (head + doctype + ET.tostring(score, encoding="unicode") + "\n").encode()
