"""The drawings of systems, kept as pictures of one size and colour, and made bit by bit so that nothing stalls."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from time import perf_counter

from PySide6.QtCore import QByteArray, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontDatabase, QImage, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from scoresep.model.engraving import EngravedSystem, Engraving

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
        """Return the picture of a head in a colour, and its place in the system."""
        key = (index, row, color.rgba())
        if key not in self._heads:
            self._heads[key] = self.system(index).head_picture(row, color)
            if len(self._heads) > MOST_HEADS:
                self._heads.popitem(last=False)
        return self._heads[key]
