"""From verovio's SVG to one that QSvgRenderer draws, and to the places of measures in it.

QSvgRenderer knows SVG Tiny 1.2: no nested ``<svg>``, no nested ``<tspan>``, no style sheets, no ``currentColor``. What
verovio says in these ways is written out, and everything that nothing refers to (most ids, all classes) is left away.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import numpy as np

from scoresep.model.engraving import INK, EngravedSystem, MeasureBox, Piece
from scoresep.model.score import Score

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
TEXT_FONT = "Liberation Serif"  # comes with verovio, which measures texts by it
_SHAPES = frozenset({"path", "polygon", "polyline", "ellipse", "rect", "circle", "line"})
_LEFT_AWAY = frozenset({"desc", "style", "title"})
_BOLD, _ITALIC = frozenset({"ending", "fing", "reh", "tempo"}), frozenset({"dir", "dynam", "mNum"})
_KEPT = frozenset(
    {"d", "points", "x", "y", "cx", "cy", "rx", "ry", "r", "x1", "x2", "y1", "y2", "width", "height", "transform"}
    | {"stroke-width", "stroke-linecap", "stroke-linejoin", "stroke-dasharray", "fill", "fill-opacity", "stroke"}
    | {"opacity", "visibility"}
)
_PLACE = ("x", "y", "text-anchor")
_TEXT_ATTRIBUTES = (*_PLACE, "font-family", "font-size", "font-style", "font-weight", "baseline-shift")
_STAFF_LINE = re.compile(r"^M(-?[\d.]+)[ ,](-?[\d.]+)\s*L(-?[\d.]+)[ ,](-?[\d.]+)$")
_TRANSLATE = re.compile(r"translate\((-?[\d.]+)[ ,]+(-?[\d.]+)\)")


def drawn_system(svg: str, rows: dict[str, int], measures: dict[str, int], score: Score) -> EngravedSystem:
    """Turn a page of verovio that holds one system into a drawing.

    Parameters
    ----------
    svg : str
    rows : dict of int
        Rows of `Score.notes` by verovio's ids of notes.
    measures : dict of int
        Indices of measures by verovio's ids; of a bar that is divided, the index of its first piece.
    score : Score
    """
    root = fromstring(svg)
    inner = next(child for child in root if _tag(child) == "svg")
    box = inner.get("viewBox", "0 0 0 0")
    width, height = (float(n) for n in box.split()[2:4])
    page = _Page(box, rows, measures)
    for child in root:
        if _tag(child) == "defs":
            page.glyphs = {f"#{glyph.get('id')}": _copied_definition(glyph) for glyph in child}
    page.begin_piece()
    page.copy_children(inner, page.ink, {})
    boxes = divided_boxes(page.boxes, set(measures.values()), page.head_lefts, score)
    return EngravedSystem(width, height, tuple(p.finished(page.glyphs) for p in page.pieces if len(p.ink)), boxes)


def _copied_definition(element: Element) -> Element:
    copy = Element(_tag(element), {k: v for k, v in element.items() if k == "id" or k in _KEPT})
    copy.extend([_copied_definition(child) for child in element])
    return copy


class _Drawing:
    """A piece that is being drawn."""

    def __init__(self, box: str, transform: str) -> None:
        self._root = Element("svg", {"xmlns": SVG[1:-1], "xmlns:xlink": XLINK[1:-1], "viewBox": box})
        self._definitions = SubElement(self._root, "defs")
        outer = SubElement(self._root, "g", {"fill": INK, "font-family": TEXT_FONT})
        self.ink = SubElement(outer, "g", {"transform": transform}) if transform else outer
        self.glyphs: set[str] = set()
        self.notes: list[int] = []

    def finished(self, glyphs: dict[str, Element]) -> Piece:
        self._definitions.extend([glyphs[key] for key in sorted(self.glyphs) if key in glyphs])
        return Piece(zlib.compress(tostring(self._root, encoding="utf-8"), 6), tuple(self.notes))


class _Page:
    """What is gathered while one page is copied."""

    def __init__(self, box: str, rows: dict[str, int], measures: dict[str, int]) -> None:
        self._box = box
        self._rows = rows
        self._measures = measures
        self._transform = ""
        self.glyphs: dict[str, Element] = {}
        self.pieces: list[_Drawing] = []
        self.boxes: dict[int, Edges] = {}
        self.head_lefts: dict[int, float] = {}  # by row of the note

    @property
    def ink(self) -> Element:
        """Where the present piece is drawn."""
        return self.pieces[-1].ink

    def begin_piece(self) -> None:
        """Let what follows be a piece of its own."""
        self.pieces.append(_Drawing(self._box, self._transform))

    def copy_children(self, elements: Iterable[Element], parent: Element, style: dict[str, str]) -> None:
        """Copy what is drawn."""
        for child in elements:
            tag = _tag(child)
            if tag == "g":
                self._copy_group(child, parent, style)
            elif tag == "text":
                _copy_text(child, parent, style)
            elif tag == "use":
                attributes = {k: v for k, v in child.items() if k in _KEPT}
                glyph = child.get(f"{XLINK}href") or child.get("href") or ""
                self._used(glyph)
                SubElement(parent, "use", {**attributes, "xlink:href": glyph})
            elif tag in _SHAPES:
                attributes = {k: v for k, v in child.items() if k in _KEPT}
                attributes = {k: INK if v == "currentColor" else v for k, v in attributes.items()}
                SubElement(parent, tag, {"stroke": INK, **attributes})
            elif tag not in _LEFT_AWAY:
                self.copy_children(child, parent, style)

    def _copy_group(self, element: Element, parent: Element, style: dict[str, str]) -> None:
        classes = set(element.get("class", "").split())
        if "placeholder" in classes:
            return
        if classes & _BOLD:
            style = {**style, "font-weight": "bold"}
        if classes & _ITALIC:
            style = {**style, "font-style": "italic"}
        attributes = {k: v for k, v in element.items() if k in _KEPT}
        if "page-margin" in classes:
            self._transform = attributes.pop("transform", "")
            self.begin_piece()
            self.copy_children(element, self.ink, style)
            return
        if "measure" in classes:
            outside = self.pieces.pop() if self.pieces else None
            self.begin_piece()
            self._note_measure(element)
            self.copy_children(element, self.ink, style)
            if outside is not None:  # what comes after the measures is drawn with what came before them
                self.pieces.append(outside)
            return
        target = SubElement(parent, "g", attributes) if attributes else parent
        row = self._rows.get(element.get("id", "")) if "note" in classes else None
        for child in element:
            if row is not None and "notehead" in child.get("class", "").split():
                self.copy_children(child, SubElement(target, "g", {"id": f"n{row}"}), style)
                self.pieces[-1].notes.append(row)
                self._note_head(row, child)
            else:
                self.copy_children((child,), target, style)

    def _used(self, glyph: str) -> None:
        self.pieces[-1].glyphs.add(glyph)

    def _note_head(self, row: int, head: Element) -> None:
        """Note where a head begins."""
        drawn = next((e for e in head.iter() if e.get("transform") or e.get("x")), None)
        if drawn is None:
            return
        found, outside = _TRANSLATE.search(drawn.get("transform") or ""), _TRANSLATE.search(self._transform)
        left = float(found[1]) if found else float(re.sub(r"[^\d.-]", "", drawn.get("x") or "") or 0)
        self.head_lefts[row] = left + (float(outside[1]) if outside else 0.0)

    def _note_measure(self, measure: Element) -> None:
        """Note the place of a measure: the outermost ends of its staff lines."""
        index = self._measures.get(measure.get("id", ""))
        lines = [
            tuple(float(n) for n in found.groups())
            for staff in measure
            if "staff" in staff.get("class", "").split()
            for path in staff
            if _tag(path) == "path" and (found := _STAFF_LINE.match(path.get("d", "")))
        ]
        if index is None or not lines:
            return
        found = _TRANSLATE.search(self._transform)
        across, down = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
        self.boxes[index] = (
            min(min(line[0], line[2]) for line in lines) + across,
            min(min(line[1], line[3]) for line in lines) + down,
            max(max(line[0], line[2]) for line in lines) + across,
            max(max(line[1], line[3]) for line in lines) + down,
        )


def _tag(element: Element) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def _copy_text(element: Element, parent: Element, style: dict[str, str]) -> None:
    """Copy a text; its runs lie side by side, and one with a place of its own begins a text of its own."""
    text: Element | None = None
    whole = {"xml:space": "preserve"}
    if element.get("transform"):
        whole["transform"] = element.get("transform", "")
    for content, attributes in _runs(element, style):
        place = {k: v for k, v in attributes.items() if k in _PLACE}
        if text is None or any(text.get(k) != v for k, v in place.items()):
            text = SubElement(parent, "text", {**whole, **place})
        SubElement(text, "tspan", {k: v for k, v in attributes.items() if k not in _PLACE}).text = content


def _runs(element: Element, inherited: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
    """List the pieces of a text with all that holds for each."""
    own = {k: element.get(k, "") for k in _TEXT_ATTRIBUTES if element.get(k)}
    if own.get("font-size") == "0px":
        del own["font-size"]
    attributes = {**inherited, **own}
    runs = [(element.text, attributes)] if element.text and element.text.strip("\n\r\t") else []
    for child in element:
        if _tag(child) == "tspan":
            runs += _runs(child, attributes)
        if child.tail and child.tail.strip():
            runs.append((child.tail, attributes))
    return runs


Edges = tuple[float, float, float, float]  # left, top, right, bottom

_BEFORE_HEAD_UNITS = 90.0  # half a staff space: a piece begins just before its first note


def divided_boxes(
    boxes: Mapping[int, Edges], drawn: Collection[int], head_lefts: Mapping[int, float], score: Score
) -> tuple[MeasureBox, ...]:
    """Divide the boxes of drawn bars among the measures that each of them holds.

    Parameters
    ----------
    boxes : mapping of int to tuple of float
        Edges of bars by index of their first measure.
    drawn : collection of int
        First measures of all bars of the piece, also those in other systems.
    head_lefts : mapping of int to float
        Left edges of heads by row of `Score.notes`.
    score : Score
    """
    found = []
    for first, (left, top, right, bottom) in boxes.items():
        pieces = [first]
        while pieces[-1] + 1 < len(score.measures) and pieces[-1] + 1 not in drawn:
            pieces.append(pieces[-1] + 1)
        durations = np.array([score.measures[i].duration_quarter for i in pieces])
        even = left + (right - left) * np.cumsum(durations) / max(float(durations.sum()), 1e-9)
        edges = [left]
        for piece, place in zip(pieces[1:], even, strict=False):
            start, end = np.searchsorted(score.notes.measure_index, (piece, piece + 1))
            heads = [head_lefts[row] for row in range(int(start), int(end)) if row in head_lefts]
            edge = min(heads) - _BEFORE_HEAD_UNITS if heads else float(place)
            edges.append(min(max(edge, edges[-1]), right))
        found += [MeasureBox(i, a, top, b, bottom) for i, a, b in zip(pieces, edges, (*edges[1:], right), strict=True)]
    return tuple(found)
