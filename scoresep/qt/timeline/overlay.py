"""What is painted over the lanes at every frame: selection, loop, what is touched, notices, playhead and focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen, QPolygonF

from scoresep.qt.timeline.note_item import NoteItem
from scoresep.qt.timeline.theme import small_font, translucent

if TYPE_CHECKING:
    from scoresep.qt.timeline.timeline_canvas import TimelineCanvas

LOOP_PX = 4.0


class Overlay:
    """Paints over the canvas.

    Parameters
    ----------
    canvas : TimelineCanvas
    left : float
        Where the time axis starts.
    """

    def __init__(self, canvas: TimelineCanvas, left: float) -> None:
        self._canvas = canvas
        self._left = left

    def paint(self, painter: QPainter) -> None:
        """Paint everything; the painter's clip may be smaller than the canvas."""
        canvas = self._canvas
        painter.save()
        area = QRectF(self._left, 0, canvas.width() - self._left, canvas.height())
        painter.setClipRect(area, Qt.ClipOperation.IntersectClip)
        painter.setFont(small_font(canvas.font()))
        self._paint_pinned(painter)
        self._paint_selection(painter)
        self._paint_loop(painter)
        self._paint_touched(painter)
        self._paint_notices(painter)
        self._paint_playhead(painter)
        painter.restore()
        if canvas.hasFocus():
            self._paint_focus(painter)

    def _paint_pinned(self, painter: QPainter) -> None:
        canvas = self._canvas
        painter.save()
        lanes = QRectF(self._left, canvas.ruler_height, canvas.width(), canvas.height())
        painter.setClipRect(lanes, Qt.ClipOperation.IntersectClip)
        ctx = canvas.context(painter, self._left, float(canvas.width()))
        for placed in canvas.placed:
            placed.lane.paint_pinned(ctx, placed.top + canvas.lanes_offset, placed.height)
        painter.restore()

    def _paint_selection(self, painter: QPainter) -> None:
        canvas = self._canvas
        if canvas.selection is None:
            return
        accent, hair = canvas.theme.accent, canvas.hair
        left, right = (canvas.snap(canvas.x_of(f)) for f in canvas.selection)
        painter.fillRect(QRectF(left, 0, right - left, canvas.height()), translucent(accent, 0.15))
        for x in (left, right - hair):
            painter.fillRect(QRectF(x, 0, hair, canvas.height()), translucent(accent, 0.85))

    def _paint_loop(self, painter: QPainter) -> None:
        canvas = self._canvas
        if canvas.loop is None:
            return
        left, right = (canvas.snap(canvas.x_of(f)) for f in canvas.loop)
        bottom, accent = canvas.ruler_height, canvas.theme.accent
        painter.fillRect(QRectF(left, bottom - LOOP_PX, max(right - left, 2.0), LOOP_PX), accent)
        for x in (left, right - 2 * canvas.hair):
            painter.fillRect(QRectF(x, bottom - 11, 2 * canvas.hair, 11), accent)

    def _paint_touched(self, painter: QPainter) -> None:
        canvas, layout = self._canvas, self._canvas.content.layout
        if canvas.touched is None or layout is None:
            return
        lane, hit = canvas.touched
        placed = canvas.place_of(lane)
        if placed is None or hit.place is None or not isinstance(lane, NoteItem):
            return
        places = np.array([hit.place])
        top = placed.top + canvas.lanes_offset + float(lane.note_tops(layout, places, placed.height)[0])
        tall = float(lane.note_heights(layout, places, placed.height)[0])
        left, right = canvas.x_of(hit.start_frame), canvas.x_of(hit.end_frame)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(QPen(canvas.theme.text, 1.2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(left - 1, top - 1, max(right - left, 3) + 2, tall + 2), 3, 3)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_notices(self, painter: QPainter) -> None:
        """Paint what lanes have to say, at their top left, where scrolling does not take it away."""
        canvas = self._canvas
        metrics = QFontMetricsF(painter.font())
        for placed in canvas.placed:
            text = placed.lane.notice(canvas.axis.frames_per_px / canvas.devicePixelRatioF())
            if not text:
                continue
            y = placed.top + canvas.lanes_offset
            tall = min(metrics.height() + 8, placed.height - 2)
            rect = QRectF(self._left + 14, y + min(8.0, (placed.height - tall) / 2), 0, tall)
            rect.setWidth(metrics.horizontalAdvance(text) + 18)
            if rect.top() < canvas.ruler_height:
                continue
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
            painter.setPen(QPen(translucent(canvas.theme.warning, 0.8), 1))
            painter.setBrush(translucent(canvas.theme.ground, 0.92))
            painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setPen(canvas.theme.text)
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_playhead(self, painter: QPainter) -> None:
        canvas = self._canvas
        if canvas.playhead_frame is None:
            return
        top, hair = canvas.ruler_height, canvas.hair
        x = canvas.snap(canvas.x_of(canvas.playhead_frame))
        painter.fillRect(QRectF(x, top - 2, hair, canvas.height() - top + 2), canvas.theme.playhead)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(canvas.theme.playhead)
        tip = QPointF(x + hair / 2, top - 1)
        painter.drawPolygon(QPolygonF([tip + QPointF(-5.5, -8), tip + QPointF(5.5, -8), tip]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_focus(self, painter: QPainter) -> None:
        """Frame the canvas; four thin fills, since outlining so large a rectangle takes milliseconds."""
        wide, tall, hair = self._canvas.width(), self._canvas.height(), self._canvas.hair
        color = translucent(self._canvas.theme.accent, 0.75)
        for rect in (
            (0, 0, wide, hair),
            (0, tall - hair, wide, hair),
            (0, 0, hair, tall),
            (wide - hair, 0, hair, tall),
        ):
            painter.fillRect(QRectF(*rect), color)
