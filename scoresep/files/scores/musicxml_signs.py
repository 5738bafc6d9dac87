"""Bar lines and directions of one MusicXML part: repeats, endings, jumps, and tempo marks, each at its place.

Which measures the signs belong to is told by `sign_placing`, when all parts are read.

Also here: swing: notes off the beat are read where they are played, as late as the score says.

Works on raw parts. A beat that is divided otherwise than into two (triplets, shorter notes) is left as it is written.

References
----------
MusicXML 4.0, W3C Music Notation Community Group, 2021: element ``swing``, whose two numbers are the ratio of the notes
on and off the beat, https://www.w3.org/2021/06/musicxml40/
A. Friberg and A. Sundström, "Swing Ratios and Ensemble Timing in Jazz Performance", Music Perception 19(3), 2002,
doi:10.1525/mp.2002.19.3.333 (players do more and less than 2 to 1, by tempo).
"""

from __future__ import annotations

import logging
import math
import re
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from scoresep.files.scores.jump_words import (
    details_in_words,
    ending_numbers,
    is_bare_coda_sign,
    names_dance,
    numbers_listed,
    passes_of,
)
from scoresep.files.scores.musicxml_attributes import StaffTimeline
from scoresep.files.scores.raw import (
    FASTEST_QPM,
    SLOWEST_QPM,
    RawNote,
    RawPart,
    RawSign,
    RawTempo,
    SignKind,
    notes_by_measure,
)
from scoresep.model.repeats import JUMP_MARKS
from scoresep.model.score import Mark, MarkDetail, passes_to_bits

_EPS = 1e-6
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Swing:
    """How two equal notes are played unequally.

    Attributes
    ----------
    first, second : float
        The ratio of their lengths; 1 and 1 for straight notes.
    unit_quarter : float
        Written length of each, 0.5 for eighths.
    """

    first: float = 1.0
    second: float = 1.0
    unit_quarter: float = 0.5

    @property
    def off_beat_quarter(self) -> float:
        """Where in its beat the second note is played."""
        return 2 * self.unit_quarter * self.first / (self.first + self.second)


STRAIGHT = Swing()


def swing_part(part: RawPart, timeline: StaffTimeline[Swing]) -> None:
    """Move the notes off the beat to where swing has them.

    The score asks for it and nothing is passed over, so that it is no warning; the log tells.

    Parameters
    ----------
    part : RawPart
    timeline : StaffTimeline of Swing
        Swing of staff 0, which stands for all.
    """
    if not any(s != STRAIGHT for s in timeline.values()):
        return
    for index, notes in notes_by_measure(part).items():
        measure = part.measures[index]
        beats, beat_type = measure.metre or (4, 4)
        if beat_type >= 8 and beats % 3 == 0:
            continue  # its beats are of three
        missing = beats * 4.0 / beat_type - measure.content_quarter
        lead = missing if index == 0 and missing > 0 else 0.0  # a pick-up begins inside its bar
        _swing_measure(notes, index, lead, timeline)
    _log.info("Notes of '%s' off the beat are read as swung, as the score asks for.", part.name)


def _swing_measure(notes: list[RawNote], index: int, lead: float, timeline: StaffTimeline[Swing]) -> None:
    places = {_beat_of(n.offset_quarter, lead, timeline.at(index, n.offset_quarter, 0)) for n in notes}
    divided = {(beat, swing) for beat, within, swing in places if min(within, abs(within - swing.unit_quarter)) > _EPS}
    for note in notes:
        end = note.offset_quarter + note.duration_quarter
        swing = timeline.at(index, note.offset_quarter, 0)
        onset = _swung(note.offset_quarter, lead, swing, divided)
        swung_end = _swung(end, lead, timeline.at(index, max(end - _EPS, 0.0), 0), divided)
        note.offset_quarter = onset
        if not note.is_grace:
            note.duration_quarter = max(swung_end - onset, 0.0)


def _beat_of(offset: float, lead: float, swing: Swing) -> tuple[int, float, Swing]:
    """Which beat of two notes a place is in, and how far."""
    length = 2 * swing.unit_quarter
    beat = int((offset + lead + _EPS) // length)
    return beat, max(offset + lead - beat * length, 0.0), swing


def _swung(offset: float, lead: float, swing: Swing, divided: set[tuple[int, Swing]]) -> float:
    beat, within, _ = _beat_of(offset, lead, swing)
    if abs(within - swing.unit_quarter) > _EPS or (beat, swing) in divided:
        return offset
    return beat * 2 * swing.unit_quarter - lead + swing.off_beat_quarter


_SECTION_ENDS = {"light-heavy", "light-light", "heavy-heavy", "heavy-light", "heavy"}
_SUBDIVISIONS = {"dashed", "dotted", "tick", "short", "none"}  # bar lines that do not end anything
_UNIT_QUARTERS = {"16th": 0.25, "eighth": 0.5, "quarter": 1.0, "half": 2.0, "whole": 4.0, "breve": 8.0}
_SEGNO_SIGN, _CODA_SIGN = "\U0001d10b", "\U0001d10c"
_SOUND_MARKS = {
    "dacapo": Mark.DA_CAPO,
    "dalsegno": Mark.DAL_SEGNO,
    "tocoda": Mark.TO_CODA,
    "fine": Mark.FINE,
    "segno": Mark.SEGNO,
    "coda": Mark.CODA,
}
_GOES_ON = re.compile(
    r"(al|alla|a|e|ed|poi|to|till|until|and|then|bis|zur|und|dann|jusqu|hasta|y|et|puis)\b", re.IGNORECASE
)
_IS_OPEN = re.compile(r"(.*\W)?(al|alla|la|to|the|e|poi|bis|zur|and|then|a)\W*", re.IGNORECASE | re.DOTALL)


class SignReader:
    """Collects the signs of one part in `RawPart.signs`, and its tempo marks, while its measures are read.

    Parameters
    ----------
    part : RawPart
    """

    def __init__(self, part: RawPart) -> None:
        self._part = part
        self._tempo = 0.0
        self._key: str | None = None
        self._without_location: list[tuple[int, float, Element, int]] = []
        self._jump_text: tuple[int, str] | None = None  # a jump in this measure that may go on: which sign, its words

    def end_measure(self, index: int) -> None:
        """Settle what only the whole measure tells."""
        self._jump_text = None
        waiting, self._without_location = self._without_location, []
        for place, cursor, element, note_count in waiting:
            is_inside = len(self._part.notes) > note_count
            signs = _signs_of_barline(index, element, cursor if is_inside or cursor == 0 else math.inf)
            self._part.signs[place:place] = signs

    # --------------------------------------------------------------------------------------------- bar lines

    def read_barline(self, index: int, element: Element, cursor: float) -> None:
        """Read one ``barline``.

        Parameters
        ----------
        index : int
            Of the measure.
        element : Element
        cursor : float
            Where in the measure it stands, in quarters.
        """
        location = element.get("location")
        if location is None:  # it is at the right, unless notes follow
            self._without_location.append((len(self._part.signs), cursor, element, len(self._part.notes)))
            return
        position = 0.0 if location == "left" else cursor if location == "middle" else math.inf
        self._part.signs += _signs_of_barline(index, element, position)

    def read_key(self, index: int, element: Element, cursor: float) -> None:
        """Read a ``key``: where it changes, another section may begin.

        Parameters
        ----------
        index : int
            Of the measure.
        element : Element
        cursor : float
            Where in the measure it stands, in quarters.
        """
        fifths = element.findtext("fifths") or ""
        if self._key is not None and fifths != self._key:
            self._part.signs.append(RawSign(index, cursor, SignKind.KEY_CHANGES))
        self._key = fifths

    # -------------------------------------------------------------------------------------------- directions

    def read_direction(self, index: int, element: Element, cursor: float, divisions: float) -> None:
        """Read one ``direction``, or a ``sound`` that stands alone.

        Parameters
        ----------
        index : int
            Of the measure.
        element : Element
        cursor : float
            Where in the measure it stands, in quarters.
        divisions : float
            To the quarter.
        """
        sound = element if element.tag == "sound" else element.find("sound")
        offset = (sound.findtext("offset") if sound is not None else None) or element.findtext("offset")
        position = max(cursor + (_float(offset) or 0.0) / divisions, 0.0)
        self._read_marks(index, element, sound, cursor, position)
        times = numbers_listed(sound.get("time-only")) if sound is not None else ()
        tempo = _tempo_of_sound(sound) or self._tempo_of_metronome(element)
        if tempo and SLOWEST_QPM <= tempo <= FASTEST_QPM and (not times or 1 in times):
            self._tempo = tempo
            self._part.tempi.append(RawTempo(index, position, tempo))
        if sound is not None and sound.get("forward-repeat") == "yes":
            at = 0.0 if position < self._part.measures[index].content_quarter or not position else math.inf
            self._part.signs.append(RawSign(index, at, SignKind.REPEAT_OPENS))

    def _read_marks(self, index: int, element: Element, sound: Element | None, cursor: float, position: float) -> None:
        texts, rehearsals = _texts(element)
        text = " ".join(texts)
        details = [] if self._goes_on_from_jump(text) else _details(texts, rehearsals)
        has_bare_sign = is_bare_coda_sign(text) and bool(details)
        details, exact = _with_sound(details, sound)
        for detail in details:
            kind = SignKind.CODA_SIGN if has_bare_sign and detail.mark is Mark.CODA and not exact else SignKind.MARK
            if detail.mark in (Mark.DA_CAPO, Mark.DAL_SEGNO):
                self._jump_text = (len(self._part.signs), text)
            place = position if detail.mark in exact else cursor
            is_dance = detail.mark in (Mark.DA_CAPO, Mark.DA_CAPO_AL_FINE) and names_dance(text)
            is_exact = detail.mark in exact
            self._part.signs.append(RawSign(index, place, kind, mark=detail, is_exact=is_exact, names_dance=is_dance))

    def _goes_on_from_jump(self, text: str) -> bool:
        """Join words that go on from a jump before them in the measure: ``D.S.`` and, apart from it, ``al Coda``."""
        if self._jump_text is None or not text.strip():
            return False
        place, before = self._jump_text
        if not _GOES_ON.match(text.strip()) and not _IS_OPEN.fullmatch(before):
            return False
        whole = f"{before} {text}"
        joined = details_in_words(whole)
        if not joined or joined[0].mark not in JUMP_MARKS:
            return False
        sign = self._part.signs[place]
        names = sign.mark.names if sign.mark is not None else ()
        times = sign.mark.times if sign.mark is not None else ()
        detail = replace(joined[0], names=tuple(dict.fromkeys((*names, *joined[0].names))), times=times)
        self._part.signs[place] = replace(sign, mark=detail)
        self._jump_text = (place, whole)
        return True

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


def mark_passes(notes: list[RawNote], time_only: str | None) -> None:
    """Say of notes at which times through a repeat they are played, by their ``time-only``."""
    bits = passes_to_bits(numbers_listed(time_only))
    for note in notes:
        note.passes = bits


def _signs_of_barline(index: int, element: Element, position: float) -> list[RawSign]:
    signs: list[RawSign] = []
    style = (element.findtext("bar-style") or "").strip()
    if style not in _SUBDIVISIONS:
        signs.append(RawSign(index, position, SignKind.BAR_LINE))
    if position > 0 and style in _SECTION_ENDS:
        signs.append(RawSign(index, position, SignKind.SECTION_ENDS))
    is_final = style == "light-heavy" and element.find("repeat") is None
    if position > 0 and (is_final or element.find("fermata") is not None):
        signs.append(RawSign(index, position, SignKind.END_LINE))
    for ending in element.iterfind("ending"):
        signs.append(_sign_of_ending(index, ending, position))
    for repeat in element.iterfind("repeat"):
        if repeat.get("direction") == "forward":
            signs.append(RawSign(index, position, SignKind.REPEAT_OPENS))
        else:
            passes = (passes_of(repeat.get("times")),)
            again = repeat.get("after-jump") == "yes"
            signs.append(RawSign(index, position, SignKind.REPEAT_CLOSES, passes, is_after_jump=again))
    for tag, mark in (("segno", Mark.SEGNO), ("coda", Mark.CODA)):
        name = element.get(tag)
        if element.find(tag) is not None or name is not None:
            detail = MarkDetail(mark, (name,) if name else ())
            signs.append(RawSign(index, position, SignKind.MARK, mark=detail, is_exact=True))
    return signs


def _sign_of_ending(index: int, element: Element, position: float) -> RawSign:
    kind = {"start": SignKind.ENDING_STARTS, "discontinue": SignKind.ENDING_BREAKS_OFF}.get(
        element.get("type") or "", SignKind.ENDING_STOPS
    )
    numbers, printed = ending_numbers(element.get("number") or ""), ending_numbers(element.text or "")
    if set(printed) > set(numbers):  # some programs only print "1.-3."
        numbers = printed
    return RawSign(index, position, kind, numbers)


def _texts(element: Element) -> tuple[list[str], list[str]]:
    """Return the words of a direction with its segno and coda signs among them, and its rehearsal marks."""
    texts: list[str] = []
    rehearsals: list[str] = []
    for child in (child for kind in element.iterfind("direction-type") for child in kind):
        if child.tag in ("words", "symbol"):
            sign = {"segno": _SEGNO_SIGN, "coda": _CODA_SIGN}.get(child.text or "") if child.tag == "symbol" else None
            texts.append(sign or (child.text or "" if child.tag == "words" else ""))
        elif child.tag in ("segno", "coda"):
            texts.append(_SEGNO_SIGN if child.tag == "segno" else _CODA_SIGN)
        elif child.tag == "rehearsal":
            rehearsals.append(child.text or "")
    return texts, rehearsals


def _details(texts: list[str], rehearsals: list[str]) -> list[MarkDetail]:
    """Read the words of a direction, together or, where that says nothing, one by one."""
    together = details_in_words(" ".join(texts))
    found = list(together) if together else [d for text in texts for d in details_in_words(text)]
    return found + [d for text in rehearsals for d in details_in_words(text)]


def _with_sound(details: list[MarkDetail], sound: Element | None) -> tuple[list[MarkDetail], frozenset[Mark]]:
    """Add what the playback attributes say; also return the marks whose place these tell."""
    if sound is None:
        return details, frozenset()
    told = {
        mark: sound.get(name, "no") for name, mark in _SOUND_MARKS.items() if sound.get(name, "no") not in ("no", "")
    }
    # "To Coda" may be written of words that a reader takes for something else; the attribute knows better
    if Mark.TO_CODA in told and Mark.CODA not in told:
        details = [replace(d, mark=Mark.TO_CODA) if d.mark is Mark.CODA else d for d in details]
    times = numbers_listed(sound.get("time-only"))
    exact: set[Mark] = set()
    for mark, value in told.items():
        is_named = value != "yes" and mark not in (Mark.DA_CAPO, Mark.FINE)
        names = (value,) if is_named else ()
        own = next((d for d in details if d.mark.startswith(mark)), None)
        if own is None:
            own = MarkDetail(mark)
            details = [*details, own]
        whole = replace(own, names=tuple(dict.fromkeys((*names, *own.names))), times=times)
        details = [whole if d is own else d for d in details]
        exact.add(whole.mark)
    return details, frozenset(exact)


def _tempo_of_sound(sound: Element | None) -> float | None:
    return _float(sound.get("tempo")) if sound is not None else None


def _float(text: str | None) -> float | None:
    match = re.search(r"-?\d+(\.\d+)?", text or "")
    return float(match.group()) if match else None
