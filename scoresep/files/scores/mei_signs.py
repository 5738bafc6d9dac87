"""What an MEI document says beside its notes: bar lines, jumps, tempi, octave lines, and the order of playing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from scoresep.files.scores.jump_words import marks_in_words
from scoresep.files.scores.mei_tree import (
    XML_ID,
    Selection,
    default_quarters,
    number,
    ratio_of,
    reference,
    references,
    text_of,
)
from scoresep.files.scores.raw import FASTEST_QPM, SLOWEST_QPM
from scoresep.model.score import Mark

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
