"""What is shown on single notes: which are selected, and what was done to their sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.widgets.theme import Theme, ink_on, translucent

SELECTED_PX = 2.0
BADGE_PX = 13.0
NAME_ROOM_PX = 28.0
NAME_FLAGS = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine)


@dataclass(frozen=True, eq=False)
class NoteMarks:
    """What is marked, by row of `UnfoldedScore.notes`.

    Attributes
    ----------
    selected : frozenset of int
    muted, removed : frozenset of int
        Those that are not heard, and those that were taken out of their part.
    gains_db : mapping of int to float
        Of those that are louder or softer than they were played.
    """

    selected: frozenset[int] = frozenset()
    muted: frozenset[int] = frozenset()
    removed: frozenset[int] = frozenset()
    gains_db: Mapping[int, float] = field(default_factory=dict)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """All marked rows, ascending."""
        return np.array(sorted({*self.selected, *self.muted, *self.removed, *self.gains_db}), np.int64)

    def text_of(self, row: int) -> str:
        """Say what was done to a note: ``muted``, ``-3 dB``; commonly nothing."""
        if row in self.muted:
            return "muted"
        if row in self.removed:
            return "removed from its part"
        return gain_text(self.gains_db[row]) if row in self.gains_db else ""


def gain_text(gain_db: float) -> str:
    """Write a gain: ``+3 dB``, ``−4.5 dB``."""
    return f"{gain_db:+.1f} dB".replace(".0 ", " ").replace("-", "−")


@dataclass(frozen=True)
class MarkedNote:
    """A note that something is marked on: its row, where it lies, the colour of its part, and what it is called."""

    row: int
    rect: QRectF
    color: QColor
    name: str


def paint_note_marks(ctx: PaintContext, marks: NoteMarks, notes: list[MarkedNote]) -> None:
    """Paint marks over notes that are painted already.

    Parameters
    ----------
    ctx : PaintContext
        With the range of time that is painted.
    marks : NoteMarks
    notes : list of MarkedNote
        With where they are painted.
    """
    painter = ctx.painter
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    for note in notes:
        row = note.row
        if row in marks.muted or row in marks.removed:
            _paint_hollow(painter, note, ctx.theme, row in marks.removed)
        elif row in marks.gains_db:
            _paint_badge(painter, note.rect, ctx.theme, note.color, marks.gains_db[row])
        if row in marks.selected:
            _paint_selected(painter, note.rect, ctx.theme)
    painter.restore()


def paint_many_marks(ctx: PaintContext, marks: NoteMarks, rows: list[int], rects: list[QRectF]) -> None:
    """Paint marks over more notes than could be painted one by one: silent ones pale, selected ones lighter.

    Parameters
    ----------
    ctx : PaintContext
        With the range of time that is painted.
    marks : NoteMarks
    rows : list of int
        Of the notes in the score.
    rects : list of QRectF
        Where each is painted.
    """
    silent = marks.muted | marks.removed
    painter = ctx.painter
    painter.save()
    painter.setPen(Qt.PenStyle.NoPen)
    for some, color in (
        (silent, translucent(ctx.theme.ground, 0.8)),
        (marks.selected, translucent(ctx.theme.text, 0.45)),
    ):
        painter.setBrush(color)
        painter.drawRects([rect for row, rect in zip(rows, rects, strict=True) if row in some])
    painter.restore()


def _paint_hollow(painter: QPainter, note: MarkedNote, theme: Theme, is_removed: bool) -> None:
    """Paint a note that is not heard in its part: an outline, struck through where it was taken out."""
    rect, color = note.rect, note.color
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.ground)
    painter.drawRect(rect)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(color, 1.2, Qt.PenStyle.DotLine if is_removed else Qt.PenStyle.SolidLine))
    inside = rect.adjusted(0.6, 0.6, -0.6, -0.6)
    painter.drawRoundedRect(inside, 1.5, 1.5)
    if is_removed:
        painter.setPen(QPen(color, 1.2))
        painter.drawLine(inside.bottomLeft(), inside.topRight())
    metrics = QFontMetricsF(painter.font())
    has_room = rect.height() >= metrics.height() * 0.72 and metrics.horizontalAdvance(note.name) + 8 < rect.width()
    if has_room:
        painter.setPen(theme.faint_text)
        painter.drawText(rect.adjusted(5, 0, 0, 0), NAME_FLAGS, note.name)


def _paint_selected(painter: QPainter, rect: QRectF, theme: Theme) -> None:
    """Frame a selected note: an accent around it, and a hair of the ground in between."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme.ground, 1.0))
    painter.drawRect(rect.adjusted(-0.5, -0.5, 0.5, 0.5))
    painter.setPen(QPen(theme.text, SELECTED_PX))
    painter.drawRoundedRect(rect.adjusted(-2, -2, 2, 2), 3, 3)


def _paint_badge(painter: QPainter, rect: QRectF, theme: Theme, color: QColor, gain_db: float) -> None:
    """Write the gain at the end of a note; where there is no room, only show that there is one."""
    text = gain_text(gain_db).removesuffix(" dB")
    metrics = QFontMetricsF(painter.font())
    width = metrics.horizontalAdvance(text) + 6
    if rect.height() >= metrics.height() * 0.72 and rect.width() >= width + NAME_ROOM_PX:
        badge = QRectF(rect.right() - width - 2, rect.top() + 1, width, rect.height() - 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.ground)
        painter.drawRoundedRect(badge, 3, 3)
        painter.setPen(theme.text)
        painter.drawText(badge, int(Qt.AlignmentFlag.AlignCenter), text)
        return
    size = min(rect.height(), BADGE_PX)
    dot = QRectF(rect.right() - size * 0.8, rect.center().y() - size * 0.3, size * 0.6, size * 0.6)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink_on(color))
    upper, lower = dot.top(), dot.bottom()
    ends = (dot.bottomLeft(), dot.bottomRight()) if gain_db > 0 else (dot.topLeft(), dot.topRight())
    tip = dot.center()
    tip.setY(upper if gain_db > 0 else lower)
    painter.drawPolygon([*ends, tip])
