"""The tree of an MEI document, laid out so that it can be read: plain names, copies filled in, one reading chosen.

References
----------
MEI Guidelines 5.1, Music Encoding Initiative, 2025, https://music-encoding.org/guidelines/v5/ (elements app, choice,
subst, del, restore; attributes copyof, sameas). What earlier versions call otherwise is read too, back to MEI 2013.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from copy import deepcopy
from xml.etree.ElementTree import Element

from scoresep.errors import ScoreFileError

XML_ID = "xml:id"
_XML_NAMESPACE = "{http://www.w3.org/XML/1998/namespace}"
MAX_COPIED_ELEMENTS = 500_000  # copies of copies grow without end

# What an editor wraps around music and what changes nothing about it.
_TRANSPARENT = frozenset(
    {
        "abbr", "add", "corr", "damage", "expan", "gap", "handShift", "lem", "orig", "rdg", "reg", "restore", "sic",
        "supplied", "unclear",
    }
)  # fmt: skip
_OSSIAS = ("oStaff", "oLayer")
_CORRECTIONS = ("corr", "reg", "expan")


def with_plain_names(root: Element) -> Element:
    """Take the namespaces off all names, in place; ``xml:id`` stays ``xml:id``."""
    for element in root.iter():
        tag = element.tag
        if "}" in tag:
            element.tag = tag.rsplit("}", 1)[-1]
        elif ":" in tag:
            element.tag = tag.rsplit(":", 1)[-1]
        for key in [key for key in element.attrib if "}" in key]:
            local = key.rsplit("}", 1)[-1]
            element.set(XML_ID if key.startswith(_XML_NAMESPACE) else local, element.attrib.pop(key))
    return root


def reference(text: str | None) -> str:
    """Return the id that a reference such as ``#n12`` or ``score.mei#n12`` leads to; empty where there is none."""
    return (text or "").strip().rsplit("#", 1)[-1]


def references(text: str | None) -> list[str]:
    """Return the ids in a list of references."""
    return [reference(word) for word in (text or "").split()]


def fill_copies(root: Element, name: str) -> None:
    """Give every element with ``copyof`` the content of the one it copies, in place; with ``sameas``, its length.

    Raises
    ------
    ScoreFileError
        If the copies of a damaged file would fill the memory.
    """
    copies = [e for e in root.iter() if e.get("copyof")]
    same = [e for e in root.iter() if e.get("sameas") and e.get("dur") is None]
    if not copies and not same:
        return
    by_id = {e.get(XML_ID): e for e in root.iter() if e.get(XML_ID)}
    for element in same:
        source = by_id.get(reference(element.get("sameas")))
        for key in ("dur", "dots"):
            if source is not None and source.get(key) is not None:
                element.set(key, source.get(key, ""))
    total = 0
    for element in copies:
        source = by_id.get(reference(element.get("copyof")))
        if source is None or source is element or len(element) or any(inner is element for inner in source.iter()):
            continue
        total += sum(1 for _ in source.iter())
        if total > MAX_COPIED_ELEMENTS:
            raise ScoreFileError(f"'{name}' copies its own music without end: the file is damaged; export it again.")
        element[:] = [deepcopy(child) for child in source]
        for inner in element.iter():
            if inner is not element:
                inner.attrib.pop(XML_ID, None)  # an id names one element only
        for key, value in source.items():
            if key != XML_ID and key not in element.attrib:
                element.set(key, value)


class Selection:
    """Chooses among the readings that an edition holds, and keeps count of what it leaves out.

    Of an apparatus the lemma (else the first reading) counts, of a choice the correction, of a substitution what was
    added. What is deleted is left out unless it was restored, and so are ossias.

    Attributes
    ----------
    left_out : list of str
        What was left out since it was last cleared, as the rest of a sentence.
    """

    def __init__(self) -> None:
        self.left_out: list[str] = []

    def children(self, element: Element, is_restored: bool = False) -> Iterator[Element]:
        """Yield the children of an element that count, looking through all editorial elements."""
        for child in element:
            tag = child.tag
            if tag == "app":
                yield from self._of(_first(child, ("lem", "rdg", "app")), is_restored)
            elif tag == "choice":
                yield from self._of(_first(child, (*_CORRECTIONS, "unclear", "orig", "sic", "abbr")), is_restored)
            elif tag == "subst":
                yield from self._of(_first(child, ("add", "restore", "subst", "del")), is_restored)
            elif tag == "del":
                if is_restored:
                    yield from self.children(child, True)
                elif _has_music(child):
                    self.left_out.append("what is marked as deleted is left out")
            elif tag == "ossia":
                if _has_music(child):
                    self.left_out.append("the ossia, another way to play, is left out")
                if any(inner.tag in _OSSIAS for inner in child):  # beside what it replaces
                    yield from (e for e in self.children(child, is_restored) if e.tag not in _OSSIAS)
            elif tag in _TRANSPARENT:
                yield from self.children(child, is_restored or tag == "restore")
            else:
                yield child

    def _of(self, chosen: Element | None, is_restored: bool) -> Iterator[Element]:
        if chosen is None:
            return
        wrapper = Element("wrapper")
        wrapper.append(chosen)
        yield from self.children(wrapper, is_restored or chosen.tag == "del")


def _first(element: Element, tags: tuple[str, ...]) -> Element | None:
    """Return the first child by the order of `tags`, else the first of any name."""
    for tag in tags:
        found = element.find(tag)
        if found is not None:
            return found
    return next(iter(element), None)


def _has_music(element: Element) -> bool:
    return any(inner.tag in ("note", "chord", "mRpt", "bTrem", "fTrem") for inner in element.iter())


def text_of(element: Element | None) -> str:
    """Return all text within an element, white space made single."""
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
LOWEST_PITCH, HIGHEST_PITCH = -12.0, 140.0  # the end of hearing; what is beyond is a mistake
MENSURAL_DURATIONS = frozenset({"brevis", "fusa", "longa", "minima", "semibrevis", "semifusa", "semiminima"})
_DURATIONS = {"maxima": 32.0, "long": 16.0, "breve": 8.0, **{str(2**i): 4.0 / 2**i for i in range(12)}}
_SHARPS_ORDER = "fcgdaeb"
# Semitones of the signs; the arrows are quarter tones, the last two are the Persian sori and koron.
_ALTERATIONS = {
    "s": 1, "f": -1, "n": 0, "ss": 2, "x": 2, "ff": -2, "xs": 3, "sx": 3, "ts": 3, "tf": -3, "nf": -1, "ns": 1,
    "su": 1.5, "sd": 0.5, "fu": -0.5, "fd": -1.5, "nu": 0.5, "nd": -0.5, "xu": 2.5, "xd": 1.5, "ffu": -1.5,
    "ffd": -2.5, "1qf": -0.5, "3qf": -1.5, "1qs": 0.5, "3qs": 1.5, "sori": 0.5, "koron": -0.5,
}  # fmt: skip


def number(text: str | None, default: float) -> float:
    """Return a finite number, or the default where there is none."""
    try:
        value = float(text) if text else default
    except ValueError:
        return default
    return value if math.isfinite(value) else default


def count(text: str | None, default: int, highest: int) -> int:
    """Return a whole number from 1 to `highest`, or the default where there is none.

    Parameters
    ----------
    text : str or None
    default, highest : int
    """
    value = number(text, 0.0)
    return int(value) if 1 <= value <= highest else default


def written_quarters(element: Element) -> float | None:
    """Length by ``dur`` (or by ``dur.ges``, what is played, where that is a note value) and dots; None without."""
    for duration, dots in (("dur.ges", "dots.ges"), ("dur", "dots")):
        quarters = _DURATIONS.get(element.get(duration, ""))
        if quarters is None:
            continue
        dot_count = int(number(element.get(dots) or element.get("dots"), -1))
        if dot_count < 0:
            dot_count = sum(1 for child in element.iterfind("dot") if child.get("form", "aug") == "aug")
        return float(quarters * (2.0 - 0.5 ** min(dot_count, 8)) * ratio_of(element))
    return None


def default_quarters(text: str) -> float | None:
    """Length of notes that say nothing, by ``dur.default``."""
    return _DURATIONS.get(text)


def ratio_of(element: Element) -> float:
    """By how much ``num`` and ``numbase`` shorten (or stretch) a note or tuplet; a bare 3 is 3 in the time of 2."""
    actual = number(element.get("num"), 0.0)
    if actual <= 0:
        return 1.0
    normal = number(element.get("numbase"), 0.0)
    if normal <= 0:
        normal = 2.0 ** math.floor(math.log2(actual)) if actual >= 2 else 1.0
        normal = normal / 2 if normal == actual and element.tag == "tuplet" else normal
    return normal / actual


def alteration_of(element: Element) -> tuple[float | None, float | None]:
    """Semitones by a note's own signs: those that are played, and those that are written; None where unsaid."""
    gestural, written = element.get("accid.ges"), element.get("accid")
    for child in element.iter("accid"):
        gestural = gestural or child.get("accid.ges")
        written = written or child.get("accid")
    return _ALTERATIONS.get(gestural or ""), _ALTERATIONS.get(written or "")


def natural_pitch(element: Element, default_octave: str) -> tuple[str, int, float] | None:
    """Step, octave, and MIDI pitch before any alteration; None where a note says no pitch."""
    step = (element.get("pname.ges") or element.get("pname") or "").strip().lower()
    octave = number(element.get("oct.ges") or element.get("oct") or default_octave, math.nan)
    if step not in STEPS or math.isnan(octave):
        return None
    return step, int(octave), 12.0 * (int(octave) + 1) + STEPS[step]


def altered_steps(signature: str) -> dict[str, float]:
    """Steps that a key signature such as ``3f`` or ``2s`` alters, with their semitones."""
    found = re.fullmatch(r"(\d{1,2})([sf])", signature.strip())
    if found is None:
        return {}
    how_many, sign = min(int(found[1]), 14), 1.0 if found[2] == "s" else -1.0
    order = _SHARPS_ORDER if sign > 0 else _SHARPS_ORDER[::-1]
    alterations: dict[str, float] = {}
    for i in range(how_many):  # beyond seven the signs double
        alterations[order[i % 7]] = alterations.get(order[i % 7], 0.0) + sign
    return alterations


def alteration_named(sign: str) -> float:
    """Semitones of a sign of `data.ACCIDENTAL`; 0 where it is unknown."""
    return float(_ALTERATIONS.get(sign, 0.0))
