"""Where systems lie in the strip, one below the other or side by side in one line, and how each is drawn."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log
from time import perf_counter

from PySide6.QtCore import QByteArray, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontDatabase, QImage, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from scoresep.model.engraving import STAFF_SPACE_UNITS, EngravedSystem, Engraving

# Widths that scores are engraved for grow by this factor, so that not every pixel of the window's width is a new one.
_WIDTH_STEP = 1.16
_WIDTH_BASE_UNITS = 24_000
LEAST_WIDTH_UNITS, MOST_WIDTH_UNITS = 9_000, 96_000


class Mode(StrEnum):
    """How systems lie."""

    SYSTEMS = "systems"
    LINE = "line"


def engraving_width(room_px: float, space_px: float) -> int:
    """Return the width to engrave a score for: the room, in units, at about the size of staves that is asked for.

    Parameters
    ----------
    room_px : float
        Width of the strip.
    space_px : float
        Wanted size of a staff space.
    """
    units = max(room_px, 1.0) / max(space_px, 0.1) * STAFF_SPACE_UNITS
    units = min(max(units, LEAST_WIDTH_UNITS), MOST_WIDTH_UNITS)
    step = round(log(units / _WIDTH_BASE_UNITS) / log(_WIDTH_STEP))
    return round(_WIDTH_BASE_UNITS * exp(step * log(_WIDTH_STEP)) / 100) * 100


@dataclass(frozen=True)
class Placement:
    """Systems in a plane of pixels that the strip shows a part of.

    Attributes
    ----------
    mode : Mode
    scale : float
        Pixels for one unit of the drawings.
    left, top : tuple of float
        Of every system.
    widths, heights : tuple of float
    width, height : float
        Of the whole plane.
    """

    mode: Mode
    scale: float
    left: tuple[float, ...]
    top: tuple[float, ...]
    widths: tuple[float, ...]
    heights: tuple[float, ...]
    width: float
    height: float

    def systems_between(self, start: float, end: float) -> range:
        """Return the systems that touch a stretch of the plane along the direction in which they follow each other."""
        edges = self.top if self.mode is Mode.SYSTEMS else self.left
        first = max(bisect_right(edges, start) - 1, 0)
        return range(first, max(bisect_right(edges, end), first))

    def system_at(self, x: float, y: float) -> int | None:
        """Return the system at a point of the plane; None where there is none."""
        at = y if self.mode is Mode.SYSTEMS else x
        for i in self.systems_between(at, at):
            if self.left[i] <= x < self.left[i] + self.widths[i] and self.top[i] <= y < self.top[i] + self.heights[i]:
                return i
        return None


def place_systems(engraving: Engraving, mode: Mode, room: tuple[float, float], space_px: float) -> Placement:
    """Place the systems of an engraving.

    Parameters
    ----------
    engraving : Engraving
    mode : Mode
    room : tuple of (float, float)
        Width and height of the strip.
    space_px : float
        Size of a staff space in a line; one below the other, systems are as wide as the room.
    """
    systems = engraving.systems
    if mode is Mode.SYSTEMS:
        scale = max(room[0], 50.0) / engraving.width_units
        heights = tuple(s.height * scale for s in systems)
        gap = 0.8 * STAFF_SPACE_UNITS * scale
        tops, y = [], gap
        for height in heights:
            tops.append(float(round(y)))
            y += height + gap
        lefts = (0.0,) * len(systems)
        return Placement(mode, scale, lefts, tuple(tops), tuple(s.width * scale for s in systems), heights, room[0], y)
    scale = space_px / STAFF_SPACE_UNITS
    widths, heights = tuple(s.width * scale for s in systems), tuple(s.height * scale for s in systems)
    # the first staff lines of all systems are on one height, so that the music goes straight on
    first_lines = [min((b.top for b in s.measures), default=0.0) * scale for s in systems]
    line = max(first_lines, default=0.0)
    height = max((line - first + h for first, h in zip(first_lines, heights, strict=True)), default=0.0)
    above = max((room[1] - height) / 2, 0.0)
    lefts_in_line, x = [], 0.0
    for width in widths:
        lefts_in_line.append(float(round(x)))
        x += width
    tops = [float(round(above + line - first)) for first in first_lines]
    return Placement(mode, scale, tuple(lefts_in_line), tuple(tops), widths, heights, x, max(height, room[1]))


def scroll_target(placement: Placement, system: int, bar: QRectF, at: int, room: int) -> int | None:
    """Return where to scroll to; None where the bar is in view as it should be.

    Parameters
    ----------
    placement : Placement
    system : int
        That holds the bar.
    bar : QRectF
        Where the bar lies in the plane.
    at : int
        Where the strip is scrolled to.
    room : int
        How much of the plane it shows, in the direction in which it scrolls.
    """
    if placement.mode is Mode.LINE:
        if at <= bar.left() and bar.right() <= at + room:
            return None
        return round(bar.left() - min(0.12 * room, max(room - bar.width(), 0) / 2))
    top, height = placement.top[system], placement.heights[system]
    is_last = system + 1 >= len(placement.top)
    shows_next = is_last or top + height + 0.5 * placement.heights[system + 1] <= at + room
    if at <= top and top + height <= at + room and (shows_next or top - at < 0.3 * room):
        return None
    if height > room and at <= top + height - room / 2 and at >= top - room / 4:
        return None  # higher than the strip: where the person has scrolled it to, within it, is left alone
    return round(top)


# Pictures beyond this are let go, those not seen for longest first; what is in view always stays.
MOST_PICTURE_BYTES = 160 * 2**20
MOST_HEADS = 4000

_registered: set[str] = set()


def register_fonts(fonts: tuple[bytes, ...]) -> None:
    """Let the application know the fonts that drawings need, each once."""
    for font in fonts:
        key = hashlib.blake2b(font, digest_size=16).hexdigest()
        if key not in _registered:
            _registered.add(key)
            QFontDatabase.addApplicationFontFromData(QByteArray(font))


@dataclass(frozen=True)
class Look:
    """How drawings are to look.

    Attributes
    ----------
    scale : float
        Device pixels for one unit of the drawing.
    pixel_ratio : float
        Device pixels for one pixel of the widget.
    ink : str
        ``#rrggbb``.
    """

    scale: float
    pixel_ratio: float
    ink: str


class SystemDrawing:
    """One system: its pieces, the places of its heads, and its picture in one look.

    Parameters
    ----------
    system : EngravedSystem
    look : Look
    """

    def __init__(self, system: EngravedSystem, look: Look) -> None:
        self._system = system
        self._look = look
        self._renderers: dict[int, QSvgRenderer] = {}
        self._heads: dict[int, tuple[int, QRectF]] = {}
        self._drawn = 0
        width, height = (max(round(n * look.scale), 1) for n in (system.width, system.height))
        self.picture = QPixmap(width, height)
        self.picture.setDevicePixelRatio(look.pixel_ratio)
        self.picture.fill(Qt.GlobalColor.transparent)

    @property
    def byte_count(self) -> int:
        """Size of the picture in memory."""
        return self.picture.width() * self.picture.height() * 4

    @property
    def is_finished(self) -> bool:
        """Whether the picture is whole."""
        return self._drawn >= len(self._system.pieces)

    def draw_on(self, budget_s: float | None = None) -> bool:
        """Draw pieces into the picture, at least one, until the time is up. Returns whether it is whole."""
        until_s = None if budget_s is None else perf_counter() + budget_s
        painter = QPainter(self.picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ratio = self._look.pixel_ratio
        target = QRectF(0, 0, self.picture.width() / ratio, self.picture.height() / ratio)
        while not self.is_finished:
            self._renderer(self._drawn).render(painter, target)
            self._drawn += 1
            if until_s is not None and perf_counter() > until_s:
                break
        painter.end()
        return self.is_finished

    def _renderer(self, index: int) -> QSvgRenderer:
        renderer = self._renderers.get(index)
        if renderer is None:
            renderer = QSvgRenderer(QByteArray(self._system.pieces[index].svg(self._look.ink)))
            self._renderers[index] = renderer
            for row in self._system.pieces[index].notes:
                name = f"n{row}"
                box = renderer.transformForElement(name).mapRect(renderer.boundsOnElement(name))
                self._heads[row] = (index, box)
        return renderer

    def _load_all(self) -> None:
        for index in range(len(self._system.pieces)):
            self._renderer(index)

    def head_box(self, row: int) -> QRectF | None:
        """Return where the head of a note lies, in units of the drawing; None if it is not in this system."""
        if row not in self._heads:
            for index, piece in enumerate(self._system.pieces):
                if row in piece.notes:
                    self._renderer(index)
        found = self._heads.get(row)
        return found[1] if found is not None else None

    def head_boxes(self) -> dict[int, QRectF]:
        """Return where all heads lie, in units of the drawing."""
        self._load_all()
        return {row: box for row, (_, box) in self._heads.items()}

    def head_picture(self, row: int, color: QColor) -> tuple[QPointF, QPixmap] | None:
        """Return the head of a note in a colour, and where in the picture (in the widget's pixels) it belongs."""
        box = self.head_box(row)
        if box is None:
            return None
        scale, ratio = self._look.scale, self._look.pixel_ratio
        device = QRectF(box.x() * scale, box.y() * scale, box.width() * scale, box.height() * scale)
        outer = device.adjusted(-2, -2, 2, 2).toAlignedRect()
        image = QImage(outer.size(), QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        target = device.translated(-outer.x(), -outer.y())
        self._renderers[self._heads[row][0]].render(painter, f"n{row}", target)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
        painter.fillRect(image.rect(), color)
        painter.end()
        picture = QPixmap.fromImage(image)
        picture.setDevicePixelRatio(ratio)
        return QPointF(outer.x() / ratio, outer.y() / ratio), picture


class Drawings:
    """The systems of an engraving as drawings of one look; those seen last are kept.

    Parameters
    ----------
    engraving : Engraving
    """

    def __init__(self, engraving: Engraving) -> None:
        register_fonts(engraving.fonts)
        self.engraving = engraving
        self._look = Look(0.1, 1.0, "#000000")
        self._kept: OrderedDict[int, SystemDrawing] = OrderedDict()
        self._heads: OrderedDict[tuple[int, int, int], tuple[QPointF, QPixmap] | None] = OrderedDict()

    @property
    def look(self) -> Look:
        """How drawings look."""
        return self._look

    def set_look(self, look: Look) -> None:
        """Let drawings look another way; they are drawn again when they are seen."""
        if look != self._look:
            self._look = look
            self._kept.clear()
            self._heads.clear()

    def system(self, index: int) -> SystemDrawing:
        """Return the drawing of a system, which may not be finished."""
        drawing = self._kept.get(index)
        if drawing is None:
            drawing = SystemDrawing(self.engraving.systems[index], self._look)
            self._kept[index] = drawing
        self._kept.move_to_end(index)
        return drawing

    def let_go(self, visible: frozenset[int]) -> None:
        """Let go what was not seen for longest, until what is kept is within its limit."""
        total = sum(d.byte_count for d in self._kept.values())
        for index in list(self._kept):
            if total <= MOST_PICTURE_BYTES:
                return
            if index not in visible:
                total -= self._kept.pop(index).byte_count
                self._heads = OrderedDict((k, v) for k, v in self._heads.items() if k[0] != index)

    @property
    def kept(self) -> tuple[int, ...]:
        """The systems that are kept."""
        return tuple(self._kept)

    def head(self, index: int, row: int, color: QColor) -> tuple[QPointF, QPixmap] | None:
        """Return the picture of a head in a colour, and its place in the system.

        Parameters
        ----------
        index : int
            Of the system.
        row : int
            Row of `Score.notes`.
        color : QColor

        Returns
        -------
        place, picture : QPointF, QPixmap
            In pixels of the widget, from the corner of the system; None where the system does not show this head.
        """
        key = (index, row, color.rgba())
        if key not in self._heads:
            self._heads[key] = self.system(index).head_picture(row, color)
            if len(self._heads) > MOST_HEADS:
                self._heads.popitem(last=False)
        return self._heads[key]
