"""verovio itself: loads a document and renders it so that every page is one system."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

from scoresep.files.engraving.marked_scores import FoundNote
from scoresep.files.scores.mei import MeiLayout

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
