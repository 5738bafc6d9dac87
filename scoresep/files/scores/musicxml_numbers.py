"""Texts and numbers of MusicXML elements, forgiving where files are not exact."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree.ElementTree import Element

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
