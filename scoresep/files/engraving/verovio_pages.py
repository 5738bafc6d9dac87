"""verovio itself: loads a document and renders it so that every page is one system.

Also here: which element of a document is which note of the score: ids that hold the row of the note in `Score.notes`.

MusicXML gets ids of ours before verovio reads it, and keeps them. Formats that verovio reads otherwise are matched
afterwards, by what it says of its notes: staff, measure, moment, pitch.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring

import numpy as np

from scoresep.files.scores.mei import MeiLayout
from scoresep.files.scores.musicxml import read_musicxml
from scoresep.model.score import Score
from scoresep.progress import Progress

_TYPES = ("breve", "whole", "half", "quarter", "eighth", "16th", "32nd", "64th", "128th")
# What notes can look like: type, dots, and their length in quarters.
_LOOKS = tuple((kind, dots, 8.0 / 2**i * (2.0 - 0.5**dots)) for i, kind in enumerate(_TYPES) for dots in range(3))

_ACCIDENTAL = 2.0  # semitones by which two readers of one line may differ
_SAME_MUSIC = 0.9


@dataclass(frozen=True)
class FoundNote:
    """A note as verovio knows it: `moment` counts from the start of the piece in any unit, `staff` from 0."""

    element_id: str
    staff: int
    measure_index: int
    moment: float
    pitch_midi: float


def mark_musicxml(root: Element, score: Score, name: str) -> tuple[dict[str, int], dict[str, int]]:
    """Give notes and measures of a MusicXML document ids.

    Parameters
    ----------
    root : Element
        ``score-partwise`` without namespaces (`scoresep.files.scores.musicxml.partwise`); is changed.
    score : Score
        As read from this document.
    name : str
        Of the file.

    Returns
    -------
    rows : dict of int
        Rows of `Score.notes` by id of the note; empty where the document and the score are at odds.
    measures : dict of int
        Indices of measures by id; of a bar that a sign divides, the index of the first piece.
    """
    measures: dict[str, int] = {}
    for part_index, part in enumerate(root.findall("part")):
        _complete_types(part)
        for measure_index, measure in enumerate(part.iterfind("measure")):
            measure.set("id", f"m{part_index}-{measure_index}")
            for i, note in enumerate(measure.iterfind("note")):
                note.set("id", f"e{part_index}-{measure_index}-{i}")
    raw = read_musicxml(root, name, Progress())
    for part_index, raw_part in enumerate(raw.parts):
        first_pieces = (i for i, m in enumerate(raw_part.measures) if not m.goes_on_in_bar)
        measures |= {f"m{part_index}-{bar}": first for bar, first in enumerate(first_pieces)}
    notes = [(n, part_index) for part_index, part in enumerate(raw.parts) for n in part.notes]
    if len(notes) != len(score.notes):
        return {}, measures
    columns = [(n.measure_index, round(n.offset_quarter, 9), part_index) for n, part_index in notes]
    table = np.array(columns, np.float64).reshape(-1, 3)
    order = np.lexsort((table[:, 2], table[:, 1], table[:, 0]))  # sorted as the score's rows are
    is_same = np.array_equal(table[order, 2], score.notes.part_index) and np.array_equal(
        table[order, 0], score.notes.measure_index
    )
    if not is_same:
        return {}, measures
    # Notes without an element of their own (copies under signs that repeat) have no head either.
    ids = [notes[place][0].element_id for place in order.tolist()]
    return {element_id: row for row, element_id in enumerate(ids) if element_id}, measures


def _complete_types(part: Element) -> None:
    """Say of notes that only have a duration what they look like; verovio draws nothing but heads of them otherwise."""
    divisions = 1.0
    for child in (child for measure in part.iterfind("measure") for child in measure):
        if child.tag == "attributes":
            divisions = _number(child.findtext("divisions")) or divisions
        if child.tag != "note" or child.find("type") is not None:
            continue
        rest, quarters = child.find("rest"), _number(child.findtext("duration")) / divisions
        if quarters <= 0 or (rest is not None and rest.get("measure") == "yes"):
            continue
        fitting = [(abs(length - quarters), kind, dots) for kind, dots, length in _LOOKS if length <= quarters + 1e-6]
        if fitting:
            _, kind, dots = min(fitting)
            SubElement(child, "type").text = kind
            for _ in range(dots):
                SubElement(child, "dot")


def _number(text: str | None) -> float:
    try:
        number = float(text or "")
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def matched_rows(found: Iterable[FoundNote], score: Score) -> dict[str, int]:
    """Match notes of an engraving with the rows of a score, staff by staff and measure by measure.

    Where both have as many notes in a measure, they are taken in order of moment and pitch; else those of one pitch
    are, as far as they go.

    Returns
    -------
    rows : dict of int
        By id of the element.
    """
    notes = score.notes
    ours: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in range(len(notes)):
        ours[int(notes.part_index[row]), int(notes.measure_index[row])].append(row)
    theirs: dict[tuple[int, int], list[FoundNote]] = defaultdict(list)
    for note in found:
        theirs[note.staff, note.measure_index].append(note)
    rows: dict[str, int] = {}
    for key, group in theirs.items():
        mine = sorted(ours.get(key, []), key=lambda r: (round(float(notes.offset_quarter[r]), 4), notes.pitch_midi[r]))
        group.sort(key=lambda n: (n.moment, n.pitch_midi))
        if len(mine) == len(group):
            rows |= {note.element_id: row for note, row in zip(group, mine, strict=True)}
            continue
        for note in group:
            same = [r for r in mine if notes.pitch_midi[r] == note.pitch_midi]
            if same:
                mine.remove(same[0])
                rows[note.element_id] = same[0]
    return rows


def is_same_music(found: Iterable[FoundNote], rows: dict[str, int], score: Score) -> bool:
    """Whether an engraving shows a score at all: nearly all of its notes, each on its line but for accidentals.

    A part that sounds higher or lower than it is written is no difference.

    Parameters
    ----------
    found : iterable of FoundNote
        What the engraving shows.
    rows : dict of str to int
        Rows of `Score.notes` by the ids of elements.
    score : Score
    """
    pitches = score.notes.pitch_midi
    differences: dict[int, list[float]] = defaultdict(list)
    for note in found:
        if note.element_id in rows:
            row = rows[note.element_id]
            difference = float(pitches[row]) - note.pitch_midi
            differences[int(score.notes.part_index[row])].append(0.0 if math.isnan(difference) else difference)
    same = 0
    for group in differences.values():
        shift = float(np.median(group))
        same += sum(abs(difference - shift) <= _ACCIDENTAL for difference in group)
    return same >= _SAME_MUSIC * len(pitches)


# Units of the drawing; verovio has ten of them in one unit of its page sizes.
UNITS_OF_PAGE = 10
MARGIN_UNITS, LEFT_MARGIN_UNITS = 200, 500  # on the left there is room for the number of the bar and for brackets
MEI, XML_ID = "{http://www.music-encoding.org/ns/mei}", "{http://www.w3.org/XML/1998/namespace}id"


class VerovioPages:
    """A document as verovio engraves it.

    Parameters
    ----------
    document : str
        MusicXML, MEI, Humdrum or ABC.
    width_units : int
        Of every system, margins included.

    Attributes
    ----------
    is_loaded : bool
        Whether verovio could make anything of it.
    """

    def __init__(self, document: str, width_units: int) -> None:
        import verovio

        verovio.enableLog(verovio.LOG_OFF)
        self._toolkit = verovio.toolkit()
        margin = MARGIN_UNITS // UNITS_OF_PAGE
        self._toolkit.setOptions(
            {
                "xmlIdSeed": 1,  # ids that verovio makes up are the same every time
                "breaks": "auto",
                "pageWidth": width_units // UNITS_OF_PAGE,
                "pageHeight": 100,  # no system fits, so that each gets a page of its own ...
                "adjustPageHeight": True,  # ... which is as high as the system
                "pageMarginLeft": LEFT_MARGIN_UNITS // UNITS_OF_PAGE,
                "pageMarginRight": margin,
                "pageMarginTop": margin,
                "pageMarginBottom": margin,
                "header": "none",
                "footer": "none",
                "svgViewBox": True,
                "svgFormatRaw": True,
                "expandNever": True,  # as written: which bars are played when, the performance path says
            }
        )
        self.is_loaded = bool(self._toolkit.loadData(document))

    @property
    def count(self) -> int:
        """Number of systems."""
        return int(self._toolkit.getPageCount()) if self.is_loaded else 0

    def svg(self, index: int) -> str:
        """Render a system, counted from 0."""
        return str(self._toolkit.renderToSVG(index + 1))

    def measures_and_notes(self, layout: MeiLayout | None = None) -> tuple[dict[str, int], list[FoundNote]]:
        """Return the index of every measure by id, and all notes with what verovio knows of them.

        Parameters
        ----------
        layout : MeiLayout, optional
            Which staves are which part, and which measures stand for several; else every staff is a part.
        """
        self._toolkit.renderToMIDI()  # without it verovio does not know when notes begin
        root = fromstring(self._toolkit.getMEI())
        measures: dict[str, int] = {}
        found: list[FoundNote] = []
        music = root.find(f"{MEI}music")  # the head may hold the beginnings of pieces too
        for index, measure in enumerate((root if music is None else music).iter(f"{MEI}measure")):
            if layout is not None:
                index = layout.first_measures[index] if index < len(layout.first_measures) else index
            measures[measure.get(XML_ID, "")] = index
            for staff in measure.iterfind(f"{MEI}staff"):
                printed = staff.get("n") or "1"
                number = int(printed) - 1 if layout is None else layout.part_of_staff.get(printed, -1)
                for note in staff.iter(f"{MEI}note"):
                    element_id = note.get(XML_ID, "")
                    values = _values(self._toolkit.getMIDIValuesForElement(element_id))
                    moment, pitch = float(values.get("time", 0)), float(values.get("pitch", 0))
                    found.append(FoundNote(element_id, number, index, moment, pitch))
        return measures, found


def _values(answer: Any) -> dict[str, Any]:
    values = json.loads(answer) if isinstance(answer, str) else answer
    return values if isinstance(values, dict) else {}


def fonts_of_drawings() -> tuple[bytes, ...]:
    """Return the font files (WOFF2) of the texts, and of the signs that verovio writes into them."""
    return tuple(font for name in ("Liberation", "Leipzig") for font in _embedded_fonts(name))


def _embedded_fonts(name: str) -> Iterator[bytes]:
    spec = find_spec("verovio")
    if spec is None or spec.origin is None:
        return
    try:
        css = (Path(spec.origin).parent / "data" / f"{name}.css").read_text(encoding="utf-8")
    except OSError:
        return
    for found in re.finditer(r"base64,\s*([A-Za-z0-9+/=\s]+)", css):
        yield base64.b64decode(found[1])
