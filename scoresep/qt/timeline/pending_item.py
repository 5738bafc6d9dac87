"""A new alignment over the present one: where notes and bar lines would go, drawn as ghosts until it is decided on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from scoresep.qt.timeline.content import TimelineContent
from scoresep.qt.timeline.difference import MOVED_S, Difference
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.widgets.theme import premultiplied, translucent

STRIP_PX = 3.0
LEAST_BAR_PX = 7.0
LEAST_ARROW_PX = 3.0
MOST_GHOSTS = 400


def ghosts_in(ctx: PaintContext, difference: Difference) -> NDArray[np.int64]:
    """Return the places (in the pending layout) of the ghosts to be painted; none where they would be too many."""
    pending = difference.pending
    places = pending.visible(*ctx.frame_range(60.0))
    places = places[difference.is_changed[places]]
    shown = pending.visible(*ctx.sight)
    return places if difference.is_changed[shown].sum() <= MOST_GHOSTS else places[:0]


def paint_ghost_notes(
    ctx: PaintContext, content: TimelineContent, places: NDArray[np.int64], rects: list[QRectF]
) -> None:
    """Paint notes where the pending alignment has them, each joined with its present place.

    Parameters
    ----------
    ctx : PaintContext
    content : TimelineContent
    places : ndarray of int
        As `ghosts_in` returns them.
    rects : list of QRectF
        Where they lie.
    """
    difference = content.difference
    assert difference is not None
    painter, theme, pending = ctx.painter, ctx.theme, difference.pending
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    for place, rect in zip(places.tolist(), rects, strict=True):
        color = theme.part_color(content.part_color(int(pending.part_index[place])))
        doubtful = bool(difference.is_doubtful[place])
        pen = QPen(theme.warning if doubtful else theme.text, 1.3)
        pen.setDashPattern([2.0, 2.0] if doubtful else [4.0, 2.0])
        painter.setPen(pen)
        painter.setBrush(translucent(color, 0.12))
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 2.5, 2.5)
        before = float(difference.present_onset_frame[place])
        if not np.isnan(before):
            _paint_arrow(ctx, ctx.x(before), rect.left(), rect.bottom() - 2.0, theme.text)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _paint_arrow(ctx: PaintContext, start: float, end: float, y: float, color: QColor) -> None:
    """Join two places of one note."""
    if abs(end - start) < LEAST_ARROW_PX:
        return
    painter, way = ctx.painter, 1.0 if end > start else -1.0
    painter.setPen(QPen(color, 1.0))
    painter.drawLine(QPointF(start, y), QPointF(end, y))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    size = min(4.0, abs(end - start))
    tip = QPointF(end, y)
    painter.drawPolygon(
        QPolygonF([tip, tip + QPointF(-way * size, -size / 1.6), tip + QPointF(-way * size, size / 1.6)])
    )


def paint_pending_lines(ctx: PaintContext, difference: Difference, top: float, bottom: float) -> None:
    """Paint dashed bar lines where those that move would go, if there is room for them."""
    lines = difference.pending.grid.start_frame
    if len(lines) < 2 or np.median(np.diff(lines)) / ctx.axis.frames_per_px < LEAST_BAR_PX:
        return
    low, high = ctx.frame_range(2.0)
    shown = np.flatnonzero(difference.is_bar_moved & (lines >= low) & (lines <= high))
    pen = QPen(ctx.theme.accent, max(ctx.hair, 1.0))
    pen.setDashPattern([5.0, 4.0])
    ctx.painter.setPen(pen)
    for step in shown.tolist():
        x = ctx.x(float(lines[step])) + ctx.hair / 2
        ctx.painter.drawLine(QPointF(x, top), QPointF(x, bottom))


def paint_pending_strip(ctx: PaintContext, difference: Difference, bottom: float) -> None:
    """Paint, at any zoom, a line over the stretches that would move, and under it one over what is doubtful."""
    frames = ctx.frames_of_columns(0.5)
    if not len(frames):
        return
    rows = max(round(STRIP_PX * ctx.pixel_ratio), 1)
    pixels = np.zeros((2 * rows, len(frames)), np.uint32)
    moved = np.abs(difference.shift_frames(frames)) > MOVED_S * difference.sample_rate
    pixels[:rows, moved] = premultiplied(ctx.theme.accent)
    pixels[rows:, _doubtful_columns(ctx, difference, len(frames))] = premultiplied(ctx.theme.warning)
    ctx.pixels(pixels, ctx.columns_px[0], round((bottom - 2 * STRIP_PX - ctx.hair) * ctx.pixel_ratio))


def _doubtful_columns(ctx: PaintContext, difference: Difference, columns: int) -> NDArray[np.bool_]:
    """Return over which device pixels a note with a doubtful place sounds."""
    pending = difference.pending
    places = np.flatnonzero(difference.is_doubtful)
    first = ctx.columns_px[0] - ctx.origin_px
    left = np.floor(pending.onset_frame[places] / ctx.frames_per_column).astype(np.int64) - first
    right = np.ceil(pending.offset_frame[places] / ctx.frames_per_column).astype(np.int64) - first
    right = np.maximum(right, left + 1)
    left, right = np.clip(left, 0, columns), np.clip(right, 0, columns)
    steps = np.bincount(left, minlength=columns + 1) - np.bincount(right, minlength=columns + 1)
    return np.cumsum(steps)[:columns] > 0
