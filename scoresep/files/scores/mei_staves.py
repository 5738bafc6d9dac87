"""What an MEI document says of its staves, and which of them are one part.

Staves joined by a brace that share one name (a piano's) are one part, all others are a part each.

Also here: what an MEI document says beside its notes: bar lines, jumps, tempi, octave lines, and the order of playing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from scoresep.files.scores.instruments import program_of_name
from scoresep.files.scores.jump_words import marks_in_words
from scoresep.files.scores.mei_tree import (
    STEPS,
    XML_ID,
    Selection,
    alteration_named,
    altered_steps,
    count,
    default_quarters,
    number,
    ratio_of,
    reference,
    references,
    text_of,
)
from scoresep.files.scores.raw import FASTEST_QPM, SLOWEST_QPM, RawPart
from scoresep.model.score import Instrument, Mark

MAX_STAVES = 1000
_SYMBOLS = {"common": (4, 4), "cut": (2, 2)}
_PERCUSSION_CHANNEL = "10"
_MANUALS = (2, 3)  # so many staves one player has before them


@dataclass
class StaffState:
    """What counts on a staff at the place that is being read."""

    metre: tuple[int, int] | None = None
    transposition: float = 0.0
    key: dict[str, float] = field(default_factory=dict)
    default_quarters: float | None = None
    default_octave: str = ""
    quarter_ppq: float = 0.0  # ticks of a quarter, for notes that say their length in ticks only
    is_percussion: bool = False
    strings: dict[str, float] = field(default_factory=dict)  # open strings of a tablature by number

    def take(self, definition: Element) -> None:
        """Take over what a ``scoreDef`` or ``staffDef`` says."""
        metre = metre_of(definition)
        if metre is not None:
            self.metre = metre[0]
        key = key_of(definition)
        if key is not None:
            self.key = key
        if definition.get("trans.semi") is not None:
            self.transposition = number(definition.get("trans.semi"), 0.0)
        self.default_quarters = default_quarters(definition.get("dur.default", "")) or self.default_quarters
        self.default_octave = definition.get("oct.default") or definition.get("octave.default") or self.default_octave
        self.quarter_ppq = number(definition.get("ppq"), self.quarter_ppq)
        clef = definition.find("clef")
        self.take_clef(definition.get("clef.shape") or (clef.get("shape") if clef is not None else None))
        for course in definition.iterfind("tuning/course"):
            step = course.get("pname", "").lower()
            if step in STEPS:
                pitch = 12 * (number(course.get("oct"), 4) + 1) + STEPS[step]
                self.strings[course.get("n", "")] = pitch + alteration_named(course.get("accid", ""))

    def take_clef(self, shape: str | None) -> None:
        """Tell by the clef whether the notes have pitches."""
        if shape is not None:
            self.is_percussion = shape == "perc"


@dataclass
class StaffPlace:
    """Where the notes of a staff go: the part, and which of its staves."""

    part: RawPart
    number: int = 1


def metre_of(definition: Element) -> tuple[tuple[int, int] | None] | None:
    """Metre that a definition or a ``meterSig`` states, in a tuple; None where it says nothing, (None,) where free."""
    if definition.tag != "meterSig":
        signs = [s for s in definition if s.tag in ("meterSig", "meterSigGrp")]
        if signs:
            return metre_of_group(signs[0]) if signs[0].tag == "meterSigGrp" else metre_of(signs[0])
    prefix = "" if definition.tag == "meterSig" else "meter."
    terms = [float(t) for t in re.findall(r"\d+(?:\.\d+)?", definition.get(prefix + "count", ""))]
    unit = count(definition.get(prefix + "unit"), 0, 1024)
    if terms and unit and 0 < sum(terms) < 1000 and sum(terms) == int(sum(terms)):
        return ((int(sum(terms)), unit),)
    symbol = definition.get(prefix + "sym", "")
    if symbol == "open":
        return (None,)
    return (_SYMBOLS[symbol],) if symbol in _SYMBOLS else None


def metre_of_group(group: Element) -> tuple[tuple[int, int] | None] | None:
    """Metre of several signs: their sum where they are mixed, else the first (bars that differ tell by their notes)."""
    metres = [m[0] for m in map(metre_of, group.iterfind("meterSig")) if m is not None and m[0] is not None]
    if not metres:
        return None
    if group.get("func") != "mixed":
        return (metres[0],)
    unit = max(kind for _, kind in metres)
    beats = sum(beats * unit / kind for beats, kind in metres)
    return ((int(beats), unit),) if beats == int(beats) else (metres[0],)


def key_of(definition: Element) -> dict[str, float] | None:
    """Steps that the key signature alters; None where nothing is said of it."""
    if definition.tag != "keySig":
        sign = definition.find("keySig")
        if sign is not None:
            return key_of(sign)
        written = definition.get("key.sig") or definition.get("keysig") or definition.get("key.sig.show.sig")
        return altered_steps(written) if written is not None else None
    accidentals = list(definition.iterfind("keyAccid"))
    if accidentals:
        return {a.get("pname", "").lower(): alteration_named(a.get("accid", "")) for a in accidentals}
    written = definition.get("sig") or definition.get("key.sig")
    return altered_steps(written) if written is not None else None


class Staves:
    """All staves of a score by number: their state, and the parts they belong to.

    Attributes
    ----------
    parts : list of RawPart
        In the order of the score.
    """

    def __init__(self) -> None:
        self.parts: list[RawPart] = []
        self._states: dict[str, StaffState] = {}
        self._places: dict[str, StaffPlace] = {}
        self._common = StaffState()
        self._pending: list[Element] = []  # what was said of all staves before they were named

    def state(self, staff: str) -> StaffState:
        """State of a staff; one that nobody described gets what the whole score has."""
        if staff not in self._states:
            self._states[staff] = state = StaffState()
            for definition in self._pending:
                state.take(definition)
        return self._states[staff]

    def place(self, staff: str) -> StaffPlace:
        """Part of a staff; one that nobody described becomes a part of its own."""
        if staff not in self._places:
            self._add([staff], RawPart(f"Part {len(self.parts) + 1}"))
        return self._places[staff]

    def is_known(self, staff: str) -> bool:
        """Whether a staff is described or was read before."""
        return staff in self._places

    def _add(self, numbers: list[str], part: RawPart) -> None:
        if len(self._places) >= MAX_STAVES:
            return
        self.parts.append(part)
        for i, staff in enumerate(numbers):
            self._places[staff] = StaffPlace(part, i + 1)

    def define(self, definition: Element) -> None:
        """Take over a ``scoreDef`` or ``staffDef``, wherever it stands."""
        if definition.tag == "staffDef":
            self._define_staff(definition)
            return
        self._pending.append(definition)
        for state in self._states.values():
            state.take(definition)
        groups = [g for g in definition if g.tag == "staffGrp"]
        for group in groups:
            self._define_group(group, [])
        for staff in definition.iterfind("staffDef"):
            self._define_staff(staff)

    def _define_staff(self, definition: Element) -> None:
        staff = definition.get("n", "1")
        self.state(staff).take(definition)
        if staff not in self._places:
            self._add([staff], _described([definition], [], len(self.parts)))

    def _define_group(self, group: Element, around: list[Element]) -> None:
        staves = [s for s in group.iter("staffDef") if s.get("n") is not None]
        new = [s for s in staves if s.get("n") not in self._places]
        if len(new) == len(staves) and _is_one_player(group, staves):
            self._add([s.get("n", "") for s in staves], _described(staves, [group, *around], len(self.parts)))
        for child in group:
            if child.tag == "staffGrp":
                self._define_group(child, [group, *around])
            elif child.tag == "staffDef":
                staff = child.get("n", "1")
                self.state(staff).take(child)
                if staff not in self._places:
                    self._add([staff], _described([child], [group, *around], len(self.parts)))


def _is_one_player(group: Element, staves: list[Element]) -> bool:
    """Whether the staves of a group are those of one keyboard or harp: braced, and not named one by one."""
    symbol = group.get("symbol") or next((s.get("symbol") for s in group.iterfind("grpSym")), None)
    names = {_label(s) for s in staves} - {""}
    instruments = [s for s in staves if s.find("instrDef") is not None]
    is_shared = len(names) <= 1 and (not names or len([s for s in staves if _label(s)]) in (1, len(staves)))
    programs = {_program(s) for s in instruments}
    return symbol == "brace" and len(staves) in _MANUALS and is_shared and len(programs) <= 1


def _label(element: Element) -> str:
    child = next((c for c in element if c.tag == "label"), None)
    return text_of(child) or " ".join(element.get("label", "").split())


def _abbreviation(element: Element) -> str:
    child = next((c for c in element if c.tag == "labelAbbr"), None)
    return text_of(child) or " ".join((element.get("label.abbr") or element.get("labelabbr") or "").split())


def _program(element: Element) -> int | None:
    """General MIDI program that an ``instrDef`` states, counted from 0."""
    for definition in element.iter("instrDef"):
        written = number(definition.get("midi.instrnum"), -1)
        if 0 <= written <= 127:
            return int(written)
        by_name = program_of_name(definition.get("midi.instrname", "").replace("_", " "))
        if by_name is not None:
            return by_name
    return None


def _described(staves: list[Element], around: list[Element], index: int) -> RawPart:
    """Make a part of its staff definitions and of the groups around it, the nearest first."""
    is_grouped = len(staves) > 1
    own = next((label for label in map(_label, staves) if label), "")
    name = own or next((_label(g) for g in around[:1] if _label(g)), "")
    if not own and name and not is_grouped:  # the name of a group of several parts
        siblings = [s.get("n", "") for s in around[0].iter("staffDef")]
        if len(siblings) > 1 and staves[0].get("n", "") in siblings:
            name = f"{name} {siblings.index(staves[0].get('n', '')) + 1}"
    abbreviation = next((a for a in map(_abbreviation, [*staves, *around[:1]]) if a), "")
    programs = (_program(element) for element in [*staves, *around[:1]])
    program = next((p for p in programs if p is not None), None)
    by_name = program_of_name(name)
    if not program and by_name is not None:
        program = by_name  # many programs write 0 (piano) for every staff
    channels = {d.get("midi.channel") for s in staves for d in s.iter("instrDef")}
    is_percussion = channels == {_PERCUSSION_CHANNEL}
    part = RawPart(
        name or f"Part {index + 1}",
        abbreviation,
        Instrument("", None if is_percussion else program, is_percussion),
    )
    part.transposition_semitones = round(min(max(number(staves[0].get("trans.semi"), 0.0), -127), 127))
    return part


MAX_ORDER = 100_000  # more measures than a day of music has
SECTION_ENDS = frozenset({"dbl", "dblheavy", "end", "heavy"})
_FUNCTIONS = {
    "coda": Mark.CODA,
    "segno": Mark.SEGNO,
    "fine": Mark.FINE,
    "daCapo": Mark.DA_CAPO,
    "dalSegno": Mark.DAL_SEGNO,
}
_GLYPHS = {"segno": Mark.SEGNO, "segnoSerpent1": Mark.SEGNO, "coda": Mark.CODA, "codaSquare": Mark.CODA}
_METRONOME_SIGNS = {"\ueca2": 4.0, "\ueca3": 2.0, "\ueca5": 1.0, "\ueca7": 0.5, "\U0001d15d": 4.0, "\U0001d15e": 2.0,
                    "\U0001d15f": 1.0, "\U0001d160": 0.5, "♩": 1.0, "♪": 0.5}  # fmt: skip


def repeat_signs(form: str) -> tuple[bool, bool]:
    """Whether a bar line closes a repeat, and whether it opens one."""
    return form in ("rptend", "rptboth"), form in ("rptstart", "rptboth")


def marks_of(element: Element) -> list[Mark]:
    """Return the jumps that a ``dir``, ``repeatMark`` or other text of the score stands for.

    A bare coda sign is `Mark.CODA`; which of two means "to coda" only the whole score tells.
    """
    words = text_of(element)
    marks = list(marks_in_words(words)) if words else []
    if marks:
        return marks
    function = _FUNCTIONS.get(element.get("func", "")) if element.tag == "repeatMark" else None
    if function is not None:
        return [function]
    glyphs = [e.get("glyph.name", "") for e in element.iter("symbol")]
    return [_GLYPHS[g] for g in glyphs if g in _GLYPHS]


def is_bare_coda(element: Element) -> bool:
    """Whether there is only the sign of a coda, without a word."""
    return not re.search(r"[a-z]", text_of(element), re.IGNORECASE)


def tempo_of(element: Element) -> float | None:
    """Quarters per minute of a ``tempo`` or ``scoreDef``; None where it says none that music has."""
    tempo = number(element.get("midi.bpm"), 0.0)
    per_quarter_us = number(element.get("midi.mspb"), 0.0)
    if not tempo and per_quarter_us > 0:
        tempo = 60e6 / per_quarter_us
    if not tempo:
        beats = number(element.get("mm"), 0.0)
        unit = default_quarters(element.get("mm.unit") or "4") or 1.0
        tempo = beats * unit * (2.0 - 0.5 ** min(int(number(element.get("mm.dots"), 0.0)), 4))
    if not tempo and element.tag == "tempo":
        tempo = _tempo_in_words(text_of(element))
    return tempo if SLOWEST_QPM <= tempo <= FASTEST_QPM else None


def _tempo_in_words(text: str) -> float:
    """Quarters per minute of a mark such as ``♩. = 60``; 0 where there is none."""
    signs = "".join(_METRONOME_SIGNS)
    found = re.search(rf"([{signs}])\s*([.\ue1e7\uecb7·]?)\s*=\s*(?:ca?\.?\s*)?(\d+(?:\.\d+)?)", text)
    if found is None:
        return 0.0
    return _METRONOME_SIGNS[found[1]] * (1.5 if found[2] else 1.0) * float(found[3])


def offset_of_beat(beat: float, metre: tuple[int, int] | None) -> float:
    """Quarters from the measure's start to a time stamp (1 is the first beat)."""
    return (beat - 1.0) * 4.0 / (metre[1] if metre else 4)


def end_of_span(text: str) -> tuple[int, float] | None:
    """Read ``2m+1.5``: so many measures on, at this beat; None where it is nothing of the kind."""
    found = re.fullmatch(r"(?:(\d+)m\s*\+\s*)?(\d+(?:\.\d+)?)", text.strip())
    return (int(found[1] or 0), float(found[2])) if found else None


@dataclass
class OctaveLine:
    """An octave line that has begun.

    Attributes
    ----------
    staff : str
    layers : tuple of str
        Empty where all are under it.
    semitones : float
    start_quarter : float
        From the start of the measure that is being read.
    end_id : str
        The last note under it, where the line says so.
    end_measure : int
        Index of the last measure under it, where it does not.
    end_beat : float
    """

    staff: str
    layers: tuple[str, ...]
    semitones: float
    start_quarter: float
    end_id: str
    end_measure: int
    end_beat: float


def octave_line(element: Element, start_quarter: float, staff: str, measure_index: int) -> OctaveLine | None:
    """Make an octave line of an ``octave``; None where it does not say where it ends.

    Parameters
    ----------
    element : Element
    start_quarter : float
        From the start of its bar.
    staff : str
    measure_index : int
    """
    octaves = {"8": 1.0, "15": 2.0, "22": 3.0}.get(element.get("dis", "8"), 0.0)
    sign = -1.0 if element.get("dis.place") == "below" else 1.0
    layers = tuple(element.get("layer", "").split())
    end_id = reference(element.get("endid"))
    end = end_of_span(element.get("tstamp2", ""))
    if not end_id and end is None:
        return None
    ahead, beat = end or (MAX_ORDER, 0.0)
    return OctaveLine(staff, layers, 12.0 * octaves * sign, start_quarter, end_id, measure_index + ahead, beat)


def tied_ids(root: Element) -> tuple[set[str], set[str]]:
    """Return the ids of the notes that ties begin and end with."""
    starts, ends = set(), set()
    for tie in root.iter("tie"):
        starts.update(references(tie.get("startid")))
        ends.update(references(tie.get("endid")))
    return starts, ends


def tuplet_ratios(root: Element) -> dict[str, float]:
    """Return by how much tuplets that are told apart from their notes (``tupletSpan``) shorten each, by id."""
    ratios: dict[str, float] = {}
    spans = list(root.iter("tupletSpan"))
    if not spans:
        return ratios
    order = []
    for i, element in enumerate(e for e in root.iter() if e.tag in ("note", "rest", "chord", "space", "layer")):
        if element.tag != "layer" and not element.get(XML_ID):
            element.set(XML_ID, f"in-span-{i}")  # who stands between the first and the last often has no name
        order.append(element.get(XML_ID, ""))
    places = {element_id: i for i, element_id in enumerate(order) if element_id}
    for span in spans:
        members = references(span.get("plist"))
        first, last = places.get(reference(span.get("startid"))), places.get(reference(span.get("endid")))
        if not members and first is not None and last is not None and 0 <= last - first < 1000:
            members = order[first : last + 1]
        for member in filter(None, members):
            ratios[member] = ratios.get(member, 1.0) * ratio_of(span)
    return ratios


# --------------------------------------------------------------------------------------------- order of playing


class StatedOrder:
    """Finds the order of playing that ``expansion`` elements write out.

    Parameters
    ----------
    root : Element
    measure_indices : callable
        Indices of the measures that a ``measure`` element became.
    """

    def __init__(self, root: Element, measure_indices: Callable[[Element], Sequence[int]]) -> None:
        self._by_id = {e.get(XML_ID): e for e in root.iter() if e.get(XML_ID)}
        self._indices = measure_indices
        self._selection = Selection()
        self._is_stated = False
        self._count = 0
        self.warnings: list[str] = []

    def of(self, music: Element) -> tuple[int, ...]:
        """Return the indices in order; empty where no expansion lists any."""
        order = tuple(self._order(music, frozenset()))
        return order if self._is_stated and order and self._count <= MAX_ORDER else ()

    def _order(self, element: Element, around: frozenset[int]) -> list[int]:
        self._count += 1
        if id(element) in around or self._count > MAX_ORDER:  # a damaged list may lead back to itself
            return []
        if element.tag == "measure":
            return list(self._indices(element))
        around |= {id(element)}
        expansion = element if element.tag == "expansion" else _expansion_of(element)
        if expansion is not None:
            return self._listed(expansion, around)
        return [i for child in self._selection.children(element) for i in self._of_child(child, around)]

    def _of_child(self, child: Element, around: frozenset[int]) -> list[int]:
        return [] if child.tag == "expansion" else self._order(child, around)

    def _listed(self, expansion: Element, around: frozenset[int]) -> list[int]:
        found: list[int] = []
        for element_id in references(expansion.get("plist")):
            target = self._by_id.get(element_id)
            if target is None:
                self.warnings.append("The order of playing names a section that is not there; it is passed over.")
                continue
            self._is_stated = True
            found += self._order(target, around)
        return found


def _expansion_of(element: Element) -> Element | None:
    """Return the expansion that counts for a section: the first that does not leave the repeats out."""
    own = [e for e in element if e.tag == "expansion"]
    own += [e for choice in element if choice.tag in ("choice", "app") for e in choice.iter("expansion")]
    own = [e for e in own if (e.get("plist") or "").strip()]
    return next((e for e in own if e.get("type") not in ("norep", "nolist")), None)
