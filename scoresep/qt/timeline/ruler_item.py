"""The ruler at the top: bar numbers in one row, times in the other; and the bar lines through all lanes."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QFontMetricsF, QPainter, QPolygonF

from scoresep.qt.timeline.content import TimelineContent
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.ticks import BarMarks, bar_marks, time_ticks

BAR_ROW_PX = 22.0
TIME_ROW_PX = 22.0


class RulerItem:
    """Bars and times over the width of the timeline.

    Parameters
    ----------
    content : TimelineContent
    """

    def __init__(self, content: TimelineContent) -> None:
        self._content = content

    @property
    def height(self) -> float:
        """Height in logical pixels; one row where there is no score."""
        return TIME_ROW_PX + (BAR_ROW_PX if self._content.layout is not None else 0.0)

    def marks(self, ctx: PaintContext) -> BarMarks | None:
        """Return the bar lines and numbers that this zoom has room for."""
        layout = self._content.layout
        if layout is None or not layout.grid.count:
            return None
        metrics = QFontMetricsF(ctx.painter.font())
        longest = max((layout.grid.labels[i] for i in _sample(layout.grid.count)), key=len)
        return bar_marks(layout.grid, ctx.axis, metrics.horizontalAdvance(longest) + 14)

    def paint(self, ctx: PaintContext, marks: BarMarks | None) -> None:
        """Paint both rows."""
        theme, bottom = ctx.theme, self.height
        metrics = QFontMetricsF(ctx.painter.font())
        top = 0.0
        layout = self._content.layout
        if layout is not None:
            if marks is not None:
                self._paint_bars(ctx, marks, metrics)
            top = BAR_ROW_PX
            ctx.horizontal(top, ctx.clip_left, ctx.clip_right, theme.beat_line)
        for tick in time_ticks(ctx.axis, metrics.horizontalAdvance("0:00:00.00") + 18):
            x = ctx.x(tick.frame)
            ctx.vertical(x, bottom - (8 if tick.label else 4), bottom, theme.border)
            if tick.label:
                ctx.text(QRectF(x + 4, top, 110, TIME_ROW_PX), tick.label, theme.faint_text)
        ctx.horizontal(bottom - ctx.hair, ctx.clip_left, ctx.clip_right, theme.border)

    def _paint_bars(self, ctx: PaintContext, marks: BarMarks, metrics: QFontMetricsF) -> None:
        layout = self._content.layout
        assert layout is not None
        grid = layout.grid
        labelled = set(marks.labelled)
        for step in marks.lines.tolist():
            x = ctx.x(float(grid.start_frame[step]))
            ctx.vertical(x, 2 if step in labelled else BAR_ROW_PX - 7, BAR_ROW_PX, ctx.theme.border)
        for step in marks.labelled:
            x = ctx.x(float(grid.start_frame[step]))
            color = ctx.theme.text if layout.is_aligned else ctx.theme.faint_text
            ctx.text(
                QRectF(x + 4, 0, metrics.horizontalAdvance(grid.labels[step]) + 8, BAR_ROW_PX), grid.labels[step], color
            )

    def paint_lines(self, ctx: PaintContext, marks: BarMarks | None, top: float, bottom: float) -> None:
        """Paint beats and bar lines through the lanes."""
        layout = self._content.layout
        if layout is None or marks is None:
            return
        for frame in marks.beats.tolist():
            ctx.vertical(ctx.x(frame), top, bottom, ctx.theme.beat_line)
        labelled = set(marks.labelled)
        for step in marks.lines.tolist():
            color = ctx.theme.bar_line if step in labelled else ctx.theme.beat_line
            if not len(marks.beats) or step in labelled:
                ctx.vertical(ctx.x(float(layout.grid.start_frame[step])), top, bottom, color)
            else:
                ctx.vertical(ctx.x(float(layout.grid.start_frame[step])), top, bottom, ctx.theme.bar_line)
        if layout.grid.count:
            ctx.vertical(ctx.x(float(layout.grid.start_frame[-1])), top, bottom, ctx.theme.bar_line)


def paint_playhead_head(painter: QPainter, x: float, bottom: float) -> None:
    """Paint the handle of the playhead in the ruler with the painter's brush."""
    painter.drawPolygon(QPolygonF([QPointF(x - 5.5, bottom - 9), QPointF(x + 5.5, bottom - 9), QPointF(x, bottom - 1)]))


def _sample(count: int) -> range:
    """Enough bars to know how long their numbers are."""
    return range(0, count, max(count // 200, 1))
