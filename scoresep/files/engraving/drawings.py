"""From verovio's SVG to one that QSvgRenderer draws, and to the places of measures in it.

QSvgRenderer knows SVG Tiny 1.2: no nested ``<svg>``, no nested ``<tspan>``, no style sheets, no ``currentColor``. What
verovio says in these ways is written out, and everything that nothing refers to (most ids, all classes) is left away.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from scoresep.model.engraving import INK, EngravedSystem, MeasureBox, Piece

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


def drawn_system(svg: str, rows: dict[str, int], measures: dict[str, int]) -> EngravedSystem:
    """Turn a page of verovio that holds one system into a drawing.

    Parameters
    ----------
    svg : str
    rows : dict of int
        Rows of `Score.notes` by verovio's ids of notes.
    measures : dict of int
        Indices of measures by verovio's ids.
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
    boxes = tuple(MeasureBox(index, *edges) for index, edges in page.boxes.items())
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
        self.boxes: dict[int, tuple[float, float, float, float]] = {}

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
            else:
                self.copy_children((child,), target, style)

    def _used(self, glyph: str) -> None:
        self.pieces[-1].glyphs.add(glyph)

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
