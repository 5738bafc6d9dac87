"""The notes of one layer of an MEI measure: lengths, pitches, tremolos, and what is repeated by a sign."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element

from scoresep.errors import ScoreFileError
from scoresep.files.scores.mei_staves import StaffState, key_of, metre_of
from scoresep.files.scores.mei_tree import (
    MENSURAL_DURATIONS,
    XML_ID,
    Selection,
    alteration_of,
    default_quarters,
    natural_pitch,
    number,
    ratio_of,
    written_quarters,
)
from scoresep.files.scores.raw import RawNote

NAN = float("nan")
_EPS = 1e-6
MAX_STROKES = 512  # of one tremolo

# What sounds no notes of its own, or tells only how they look.
_SILENT = frozenset(
    {
        "accid", "annot", "artic", "barLine", "breath", "caesura", "cb", "clef", "clefGrp", "custos", "divLine", "dot",
        "dynam", "fermata", "fig", "fing", "harm", "keySig", "label", "lb", "meterSig", "meterSigGrp", "mensur", "pad",
        "pb", "phrase", "plica", "proport", "refrain", "sb", "signifLet", "slur", "stageDir", "staffDef", "stem", "syl",
        "tabDurSym", "verse", "volta",
    }
)  # fmt: skip
_WRAPPERS = frozenset({"beam", "ligature", "tuplet", "graceGrp"})


@dataclass
class ReadNote:
    """A note with what settles its pitch once the whole measure is known.

    Attributes
    ----------
    note : RawNote
    layer : str
    sounding_staff : str
        The staff it is written on, which is another than that of its layer where it crosses over.
    spelling : tuple of (str, int) or None
        Step and octave as written, for accidentals that hold through the measure; None where the pitch is settled.
    alteration : float or None
        Semitones by a sign of its own.
    key_alteration : float
        Semitones by the key signature.
    is_octave_stated : bool
        Octave lines change nothing.
    """

    note: RawNote
    layer: str
    sounding_staff: str
    spelling: tuple[str, int] | None = None
    alteration: float | None = None
    key_alteration: float = 0.0
    is_octave_stated: bool = True


@dataclass
class LayerPlace:
    """Where a layer stands."""

    measure_index: int
    staff: str
    layer: str
    voice: int
    staff_in_part: int
    is_unpitched: bool = False


@dataclass
class MeasureNotes:
    """The notes of one staff in one measure, and how far they reach.

    Attributes
    ----------
    metre : tuple of (int, int) or None
    notes : list of ReadNote
    content_quarter : float
    rests_throughout : bool
    is_empty : bool
        There is nothing, or only space.
    repeats : list of (str, int)
        Layers whose bar repeats the bars before it, and how many.
    rested_bars : int
        How many bars a rest of several bars stands for; 0 without one.
    """

    metre: tuple[int, int] | None = None
    notes: list[ReadNote] = field(default_factory=list)
    content_quarter: float = 0.0
    rests_throughout: bool = False
    is_empty: bool = True
    repeats: list[tuple[str, int]] = field(default_factory=list)
    rested_bars: int = 0


@dataclass(frozen=True)
class NoteToken:
    """What the source of a converted document says of a note.

    Attributes
    ----------
    pitch_midi : float
        What sounds; NaN where it is unpitched.
    quarters : float or None
        Its length; None where it says none.
    tied_from_previous, tied_to_next : bool
    """

    pitch_midi: float
    quarters: float | None
    tied_from_previous: bool
    tied_to_next: bool


@dataclass(frozen=True)
class _Context:
    """What the elements around a note say of it."""

    ratio: float = 1.0
    is_grace: bool = False


class LayerReader:
    """Reads layers; holds where in time it is.

    Parameters
    ----------
    selection : Selection
    ties : tuple of (set of str, set of str)
        Ids of notes that ties begin and end with.
    span_ratios : dict
        By the id of a note or rest: how much tuplets that are told apart from the notes shorten it.
    tokens : mapping of NoteToken
        By the id of a note, where the document was converted from another.
    name : str
        Of the file, for messages.
    """

    def __init__(
        self,
        selection: Selection,
        ties: tuple[set[str], set[str]],
        span_ratios: dict[str, float],
        tokens: Mapping[str, NoteToken],
        name: str,
    ) -> None:
        self._selection = selection
        self._tie_starts, self._tie_ends = ties
        self._span_ratios = span_ratios
        self._tokens = tokens
        self._name = name
        self.offsets: dict[str, tuple[float, str]] = {}  # of this measure, by id, and on which staff
        self.passed_over: list[str] = []
        self.bar_lines: list[tuple[float, str]] = []  # inside the layer: where, and which
        self._cursor = 0.0

    def read(self, layer: Element, place: LayerPlace, state: StaffState, into: MeasureNotes) -> None:
        """Read one layer into the notes of its staff.

        Parameters
        ----------
        layer : Element
        place : LayerPlace
        state : StaffState
        into : MeasureNotes
            Gets the notes.
        """
        self._place, self._state, self._into = place, state, into
        self._cursor = 0.0
        self._first_note = len(into.notes)
        self._event_count = 0
        self._read_children(layer, _Context())
        metre = into.metre
        if metre is not None and into.rests_throughout and self._event_count == 1:
            self._cursor = min(self._cursor, metre[0] * 4.0 / metre[1])  # some write a whole rest in any metre
        into.content_quarter = max(into.content_quarter, self._cursor)

    def _read_children(self, element: Element, context: _Context) -> None:
        for child in self._selection.children(element):
            self._read_event(child, context)

    def _read_event(self, element: Element, context: _Context) -> None:
        tag = element.tag
        self._note_place(element, self._cursor)
        if tag in ("note", "chord", "tabGrp"):
            self._read_sounding(element, context)
        elif tag in ("rest", "space", "unclear"):
            self._read_rest(element, context)
        elif tag in _WRAPPERS:
            inner = _Context(
                context.ratio * (ratio_of(element) if tag == "tuplet" else 1.0),
                context.is_grace or tag == "graceGrp" or element.get("grace") is not None,
            )
            self._read_children(element, inner)
        elif tag in ("bTrem", "fTrem"):
            self._read_tremolo(element, context)
        elif tag in ("beatRpt", "halfmRpt"):
            self._repeat_inside(element)
        elif tag in ("mRpt", "mRpt2", "multiRpt"):
            bars = {"mRpt": 1, "mRpt2": 2}.get(tag) or max(int(number(element.get("num"), 1)), 1)
            self._into.repeats.append((self._place.layer, bars))
            self._into.is_empty = False
        elif tag in ("mRest", "mSpace", "multiRest"):
            self._read_measure_rest(element)
        elif tag in _SILENT:
            self._read_silent(element)
        elif any(inner.tag in ("note", "chord") for inner in element.iter()):
            self.passed_over.append(f"what <{tag}> says of its notes is not known, and they are read without it")
            self._read_children(element, context)

    def _note_place(self, element: Element, offset: float) -> None:
        if element.get(XML_ID):
            self.offsets[element.get(XML_ID, "")] = (offset, element.get("staff") or self._place.staff)

    def _read_silent(self, element: Element) -> None:
        tag = element.tag
        if tag == "clef":
            self._state.take_clef(element.get("shape"))
        elif tag == "staffDef":
            self._state.take(element)
            if self._cursor == 0:
                self._into.metre = self._state.metre
        elif tag == "keySig":
            self._state.key = key_of(element) or {}
        elif tag in ("meterSig", "meterSigGrp"):
            metre = metre_of(element)
            if metre is not None:
                self._state.metre = metre[0]
                if self._cursor == 0:
                    self._into.metre = metre[0]
        elif tag == "barLine":
            self.bar_lines.append((self._cursor, element.get("form") or element.get("rend") or ""))

    def _read_measure_rest(self, element: Element) -> None:
        if element.tag == "mSpace":
            return
        self._into.is_empty = False
        if not self._into.notes and not self._cursor:
            self._into.rests_throughout = True
        if element.tag == "multiRest":
            self._into.rested_bars = max(int(number(element.get("num"), 1)), 1)

    def _read_rest(self, element: Element, context: _Context) -> None:
        self._event_count += 1
        self._into.rests_throughout = element.tag == "rest" and not self._into.notes and self._cursor == 0
        if element.tag == "rest":
            self._into.is_empty = False
        if element.get("grace") is None and not context.is_grace:
            self._cursor += self._quarters(element, context)

    # ------------------------------------------------------------------------------------------------- lengths

    def _quarters(self, element: Element, context: _Context) -> float:
        if element.get("dur") in MENSURAL_DURATIONS:
            raise ScoreFileError(
                f"'{self._name}' is written in mensural notation, where a note's length depends on its neighbours; "
                "choose a transcription in modern notation."
            )
        quarters = written_quarters(element)
        if quarters is None and element.tag in ("chord", "tabGrp"):
            lengths = [written_quarters(e) for e in element.iter() if e.tag in ("note", "tabDurSym")]
            quarters = next((length for length in lengths if length is not None), None)
        if quarters is None:
            ticks = number(element.get("dur.ppq"), 0.0)
            quarters = ticks / self._state.quarter_ppq if ticks > 0 and self._state.quarter_ppq > 0 else None
        if quarters is None:
            default = self._state.default_quarters or default_quarters("4") or 1.0
            quarters = default * ratio_of(element)
        return quarters * context.ratio * self._span_ratios.get(element.get(XML_ID, ""), 1.0)

    # --------------------------------------------------------------------------------------------------- notes

    def _read_sounding(self, element: Element, context: _Context) -> None:
        is_grace = context.is_grace or element.get("grace") is not None
        quarters = 0.0 if is_grace else self._quarters(element, context)
        if element.get("stem.mod", "").endswith("slash") and not is_grace:
            self.passed_over.append("the tremolo is read as a held note")
        self._add(element, self._cursor, 0.0 if is_grace else self._held_quarters(element, quarters), is_grace)
        self._cursor += quarters

    def _held_quarters(self, element: Element, quarters: float) -> float:
        """Length of a note that conversion may have cut off at the bar line."""
        first = element if element.tag == "note" or element.find("note") is None else element.find("note")
        token = self._tokens.get(first.get(XML_ID, "")) if first is not None else None
        return quarters if token is None or token.quarters is None else token.quarters

    def _add(self, element: Element, offset: float, quarters: float, is_grace: bool = False) -> None:
        """Add the note, or all notes of the chord, that an element holds."""
        self._into.is_empty = self._into.rests_throughout = False
        if element.get("cue") == "true":
            self.passed_over.append("notes in cue size are read as played")
        if element.tag == "note":
            self._add_note(element, element, offset, quarters, is_grace)
            return
        for inner in self._selection.children(element):
            if inner.tag == "note":
                self._note_place(inner, offset)
                own = written_quarters(inner) if not is_grace and element.get("dur") is None else None
                self._add_note(inner, element, offset, quarters if own is None else own, is_grace)

    def _add_note(self, element: Element, holder: Element, offset: float, quarters: float, is_grace: bool) -> None:
        if element.get("sameas"):  # one note of two layers, which sounds once
            return
        place = self._place
        read = self._pitched(element)
        if read is None:
            return
        starts, ends = self._ties(element, holder) if not is_grace else (False, False)
        read.note = RawNote(
            place.measure_index,
            offset,
            quarters,
            read.note.pitch_midi,
            place.staff_in_part,
            place.voice,
            is_grace or quarters == 0,
            ends,
            starts,
        )
        read.sounding_staff = element.get("staff") or holder.get("staff") or place.staff
        self._into.notes.append(read)

    def _pitched(self, element: Element) -> ReadNote | None:
        """Return a note with the pitch that its own attributes give."""
        state, place = self._state, self._place
        note = RawNote(0, 0.0, 0.0, NAN)
        read = ReadNote(note, place.layer, place.staff)
        if place.is_unpitched or state.is_percussion:
            return read
        token = self._tokens.get(element.get(XML_ID, ""))
        stated = number(element.get("pnum"), NAN) if token is None else token.pitch_midi
        natural = natural_pitch(element, state.default_octave)
        if not math.isnan(stated):
            note.pitch_midi = stated
        elif natural is not None:
            step, octave, pitch = natural
            gestural, written = alteration_of(element)
            note.pitch_midi = pitch + state.transposition
            read.spelling, read.alteration = (step, octave), gestural if gestural is not None else written
            read.key_alteration = state.key.get(step, 0.0)
            read.is_octave_stated = element.get("oct.ges") is not None
        elif element.get("tab.fret") is not None:
            string = state.strings.get(element.get("tab.course") or element.get("tab.string") or "")
            if string is None:
                self.passed_over.append("tablature without the tuning of its strings is not read")
                return None
            note.pitch_midi = string + number(element.get("tab.fret"), 0.0)
        elif element.get("pname") is not None or element.get("loc") is None:
            self.passed_over.append("notes without a pitch that can be read are left out")
            return None
        return read

    def _ties(self, element: Element, holder: Element) -> tuple[bool, bool]:
        """Whether a note is tied to the next, and from the one before."""
        token = self._tokens.get(element.get(XML_ID, ""))
        if token is not None:
            return token.tied_to_next, token.tied_from_previous
        words = f"{element.get('tie', '')} {holder.get('tie', '')}"
        ids = {element.get(XML_ID, ""), holder.get(XML_ID, "")} - {""}
        starts = "i" in words or "m" in words or bool(ids & self._tie_starts)
        return starts, "t" in words or "m" in words or bool(ids & self._tie_ends)

    # ---------------------------------------------------------------------------------------- tremolo, repeats

    def _read_tremolo(self, element: Element, context: _Context) -> None:
        """Read strokes where they are measured (``unitdur``); held notes where nobody counts them."""
        voices = [e for e in self._selection.children(element) if e.tag in ("note", "chord")]
        voices += [
            e for w in element.iterfind("beam") for e in self._selection.children(w) if e.tag in ("note", "chord")
        ]
        if not voices:
            return
        for voice in voices:
            self._note_place(voice, self._cursor)
        total = self._quarters(voices[0], context)
        unit = default_quarters(element.get("unitdur", ""))
        stroke = unit * context.ratio if unit is not None and element.get("form") != "unmeas" else 0.0
        strokes = round(total / stroke) if stroke else 0
        if abs(strokes * stroke - total) > _EPS or not len(voices) <= strokes <= MAX_STROKES:
            two = (
                "tremolo between two notes is read as both held"
                if len(voices) > 1
                else "tremolo is read as a held note"
            )
            self.passed_over.append(f"the {two}")
            for voice in voices:
                self._add(voice, self._cursor, total)
        else:
            for i in range(strokes):
                first = len(self._into.notes)
                self._add(voices[i % len(voices)], self._cursor + i * stroke, stroke)
                for read in self._into.notes[first:]:  # only the outer strokes can be tied
                    read.note.tied_from_previous &= i == 0
                    read.note.tied_to_next &= i == strokes - 1
        self._cursor += total

    def _repeat_inside(self, element: Element) -> None:
        """Play the beat, or the half measure, before the sign once more."""
        beats, unit = self._state.metre or (4, 4)
        is_compound = beats > 3 and beats % 3 == 0 and unit >= 8  # whose beat is dotted
        units = number(element.get("beatdef"), 3.0 if is_compound else 1.0) if element.tag == "beatRpt" else beats / 2
        length = max(units, 0.0) * 4.0 / unit
        own = [r for r in self._into.notes[self._first_note :] if r.layer == self._place.layer]
        start = self._cursor - length
        if start < -_EPS:
            self.passed_over.append("a sign repeats more than there is before it")
        repeated = [r for r in own if r.note.offset_quarter >= start - _EPS]
        self._into.notes += [moved(r, length, self._place.measure_index, (start, self._cursor)) for r in repeated]
        self._into.is_empty = False
        self._cursor += length


def moved(read: ReadNote, by_quarter: float, measure_index: int, stretch: tuple[float, float]) -> ReadNote:
    """Return a copy of a note at another place; ties that lead out of the stretch of quarters it is copied from end.

    Parameters
    ----------
    read : ReadNote
    by_quarter : float
    measure_index : int
    stretch : tuple of (float, float)
        In quarters from the start of the bar.
    """
    note = read.note
    end = note.offset_quarter + note.duration_quarter
    copied = RawNote(
        measure_index,
        note.offset_quarter + by_quarter,
        note.duration_quarter,
        note.pitch_midi,
        note.staff,
        note.voice,
        note.is_grace,
        note.tied_from_previous and note.offset_quarter > stretch[0] + _EPS,
        note.tied_to_next and end < stretch[1] - _EPS,
    )
    return replace(read, note=copied)
