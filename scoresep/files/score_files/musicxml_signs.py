"""Bar lines and directions of one MusicXML part: repeats, endings, jumps, and tempo marks."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

from scoresep.files.score_files.raw import FASTEST_QPM, SLOWEST_QPM, RawPart, RawTempo
from scoresep.files.score_files.signs import ending_numbers, marks_in_words, passes_of
from scoresep.model.score import Mark

_AT_START = (Mark.SEGNO, Mark.CODA)
_SECTION_ENDS = {"light-heavy", "light-light", "heavy-heavy", "heavy-light", "heavy"}
_UNIT_QUARTERS = {"16th": 0.25, "eighth": 0.5, "quarter": 1.0, "half": 2.0, "whole": 4.0, "breve": 8.0}


class SignReader:
    """Collects the signs of one part while its measures are read.

    Signs that stand at the start of a measure (segno, coda) are often written at the end of the one before; hence
    marks wait, with their place, until the measure is complete.
    """

    def __init__(self, part: RawPart, warnings: list[str]) -> None:
        self._part = part
        self._warnings = warnings
        self._waiting: list[tuple[Mark, float]] = []
        self._coda_signs: list[int] = []  # measures at whose start a coda sign stands that may mean "to coda"
        self._next_marks: list[Mark] = []
        self._next_starts_repeat = False
        self._open_ending: tuple[int, tuple[int, ...]] | None = None
        self._tempo = 0.0

    # --------------------------------------------------------------------------------------------- bar lines

    def read_barline(self, index: int, element: Element, cursor: float) -> None:
        """Read one ``barline``."""
        measures = self._part.measures
        measure = measures[index]
        location = element.get("location", "right" if cursor > 0 else "left")
        repeat = element.find("repeat")
        if location == "middle":
            if repeat is not None:
                self._warnings.append(f"A repeat sign inside bar {measure.number} is not played.")
            return
        is_left = location == "left"
        ending = element.find("ending")
        if ending is not None:
            self._read_ending(index, ending)
        if repeat is not None and repeat.get("direction") == "forward":
            measure.starts_repeat |= is_left
            self._next_starts_repeat |= not is_left
        elif repeat is not None:
            closed = measures[index - 1] if is_left and index else measure
            closed.repeat_passes = max(closed.repeat_passes, passes_of(repeat.get("times")))
        if not is_left and (element.findtext("bar-style") or "").strip() in _SECTION_ENDS:
            measure.ends_section = True
        for tag, mark in (("segno", Mark.SEGNO), ("coda", Mark.CODA)):
            if element.find(tag) is not None or element.get(tag) is not None:
                (measure.marks if is_left else self._next_marks).append(mark)

    def _read_ending(self, index: int, element: Element) -> None:
        if element.get("type") == "start":
            self._close_ending(index - 1, stated=False)
            numbers = ending_numbers(element.get("number") or "") or ending_numbers(element.text or "")
            self._open_ending = (index, numbers) if numbers else None
        else:
            self._close_ending(index, stated=True)

    def _close_ending(self, last: int, stated: bool) -> None:
        if self._open_ending is None:
            return
        (first, numbers), self._open_ending = self._open_ending, None
        if not stated:  # nobody says where it stops: with the repeat sign, or after one measure
            closing = [i for i in range(first, last + 1) if self._part.measures[i].repeat_passes]
            last = closing[0] if closing else first
        for i in range(first, last + 1):
            self._part.measures[i].endings = numbers

    # -------------------------------------------------------------------------------------------- directions

    def read_direction(self, index: int, element: Element, cursor: float, divisions: float) -> None:
        """Read one ``direction``, or a ``sound`` that stands alone."""
        sound = element if element.tag == "sound" else element.find("sound")
        offset = element.findtext("offset")
        position = max(cursor + (_float(offset) or 0.0) / divisions, 0.0)
        words = " ".join((e.text or "") for e in element.iterfind("direction-type/words"))
        self._waiting += [(mark, cursor) for mark in self._marks(index, element, sound, words, cursor)]
        tempo = _tempo_of_sound(sound) or self._tempo_of_metronome(element)
        if tempo and SLOWEST_QPM <= tempo <= FASTEST_QPM:
            self._tempo = tempo
            self._part.tempi.append(RawTempo(index, position, tempo))

    def _marks(self, index: int, element: Element, sound: Element | None, words: str, cursor: float) -> list[Mark]:
        marks = list(marks_in_words(words)) if words else []
        marks += _marks_of_sound(sound, marks)
        if element.find("direction-type/segno") is not None:
            marks.append(Mark.SEGNO)
        if element.find("direction-type/coda") is not None and not set(marks) & {Mark.CODA, Mark.TO_CODA}:
            if words.strip().lower() in ("to", "al", "alla"):
                marks.append(Mark.TO_CODA)
            else:
                content = self._part.measures[index].content_quarter
                is_at_end = cursor > 0 and cursor >= content
                self._coda_signs.append(index + is_at_end)
        return marks

    def _tempo_of_metronome(self, element: Element) -> float | None:
        """Quarters per minute of a metronome mark, ``quarter. = 92`` or ``eighth = quarter``."""
        metronome = element.find("direction-type/metronome")
        if metronome is None:
            return None
        units: list[float] = []
        for child in metronome:
            if child.tag == "beat-unit":
                units.append(_UNIT_QUARTERS.get((child.text or "").strip(), 0.0))
            elif child.tag == "beat-unit-dot" and units:
                units[-1] *= 1.5
        if len(units) == 2 and all(units) and self._tempo:
            return self._tempo * units[1] / units[0]
        rate = _float(metronome.findtext("per-minute"))
        return units[0] * rate if len(units) == 1 and rate else None

    # ------------------------------------------------------------------------------------- placing of marks

    def begin_measure(self, index: int) -> None:
        """Give a new measure what the end of the one before said of it."""
        measure = self._part.measures[index]
        measure.marks += self._next_marks
        measure.starts_repeat |= self._next_starts_repeat
        self._next_marks, self._next_starts_repeat = [], False

    def end_measure(self, index: int, content_quarter: float) -> None:
        """Give the marks of a measure that is complete to it or to the next."""
        measure = self._part.measures[index]
        for mark, position in self._waiting:
            is_next = mark in _AT_START and 0 < content_quarter < 2 * position
            (self._next_marks if is_next else measure.marks).append(mark)
        self._waiting = []

    def finish(self) -> None:
        """Settle what only the whole part tells."""
        measures = self._part.measures
        self._close_ending(len(measures) - 1, stated=False)
        place_coda_signs([m.marks for m in measures], self._coda_signs)


def place_coda_signs(marks: list[list[Mark]], coda_signs: list[int]) -> None:
    """Tell coda signs that mean "to coda" from those where the coda starts: of two or more, the last is the coda.

    Parameters
    ----------
    marks : list of list of Mark
        One list for each measure; is added to.
    coda_signs : list of int
        Measures at whose start a bare sign stands; a sign at the very end has the number of measures.
    """
    is_known = any(Mark.TO_CODA in m for m in marks)
    for i, place in enumerate(coda_signs):
        is_last = i == len(coda_signs) - 1
        is_coda_known = any(Mark.CODA in m for m in marks)
        if is_known or (is_last and not is_coda_known):
            if place < len(marks):
                marks[place].append(Mark.CODA)
        elif place > 0:
            marks[place - 1].append(Mark.TO_CODA)


def _marks_of_sound(sound: Element | None, from_words: list[Mark]) -> list[Mark]:
    """Marks that the playback attributes add to what the words say already."""
    if sound is None:
        return []
    found: list[Mark] = []
    attributes = (
        ("dacapo", Mark.DA_CAPO),
        ("dalsegno", Mark.DAL_SEGNO),
        ("tocoda", Mark.TO_CODA),
        ("fine", Mark.FINE),
        ("segno", Mark.SEGNO),
        ("coda", Mark.CODA),
    )
    for attribute, mark in attributes:
        if sound.get(attribute, "no") not in ("no", ""):
            found.append(mark)
    # "To Coda" may be written of words that a reader takes for something else; the attribute knows better
    if Mark.TO_CODA in found and Mark.CODA in from_words:
        from_words.remove(Mark.CODA)
    return [m for m in found if m not in from_words]


def _tempo_of_sound(sound: Element | None) -> float | None:
    return _float(sound.get("tempo")) if sound is not None else None


def _float(text: str | None) -> float | None:
    match = re.search(r"-?\d+(\.\d+)?", text or "")
    return float(match.group()) if match else None
