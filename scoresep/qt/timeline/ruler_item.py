"""The ruler at the top: bar numbers in one row, times in the other; and the bar lines through all lanes."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetricsF

from scoresep.qt.timeline.content import TimelineContent
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.pending_item import paint_pending_lines, paint_pending_strip
from scoresep.qt.timeline.score_layout import BarGrid
from scoresep.qt.timeline.ticks import BarMarks, bar_marks, time_ticks

ROW_PX = 22.0
BEAT_LABEL_PX = 56.0


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
        return 2 * ROW_PX if self._content.layout is not None else ROW_PX

    def marks(self, ctx: PaintContext) -> BarMarks | None:
        """Return the bar lines and numbers that this zoom has room for."""
        layout = self._content.layout
        if layout is None or not layout.grid.count:
            return None
        width = QFontMetricsF(ctx.painter.font()).horizontalAdvance(layout.grid.longest_label)
        return bar_marks(layout.grid, ctx.axis, width + 14)

    def paint(self, ctx: PaintContext, marks: BarMarks | None) -> None:
        """Paint both rows."""
        metrics = QFontMetricsF(ctx.painter.font())
        bottom, top = self.height, self.height - ROW_PX
        if marks is not None:
            self._paint_bars(ctx, marks, metrics)
            if self._content.difference is not None:
                paint_pending_lines(ctx, self._content.difference, ROW_PX - 9, top)
                paint_pending_strip(ctx, self._content.difference, bottom)
            ctx.horizontal(top, ctx.clip_left, ctx.clip_right, ctx.theme.beat_line)
        for tick in time_ticks(ctx.axis, metrics.horizontalAdvance("0:00:00.00") + 18):
            x = ctx.x(tick.frame)
            ctx.vertical(x, bottom - (8 if tick.label else 4), bottom, ctx.theme.border)
            if tick.label:
                ctx.text(QRectF(x + 4, top, 110, ROW_PX), tick.label, ctx.theme.faint_text)
        ctx.horizontal(bottom - ctx.hair, ctx.clip_left, ctx.clip_right, ctx.theme.border)

    def _paint_bars(self, ctx: PaintContext, marks: BarMarks, metrics: QFontMetricsF) -> None:
        layout = self._content.layout
        assert layout is not None
        grid, theme = layout.grid, ctx.theme
        labelled = set(marks.labelled)
        for step in marks.lines.tolist():
            x = ctx.x(float(grid.start_frame[step]))
            ctx.vertical(x, 3 if step in labelled else ROW_PX - 7, ROW_PX, theme.border)
        for beat in marks.beats:
            x = ctx.x(beat.frame)
            ctx.vertical(x, ROW_PX - 4, ROW_PX, theme.border)
            if marks.beat_px >= BEAT_LABEL_PX:
                ctx.text(QRectF(x + 4, 0, 60, ROW_PX), beat.label, theme.faint_text)
        color = theme.text if layout.is_aligned else theme.faint_text
        for step in marks.labelled:
            x, label = ctx.x(float(grid.start_frame[step])), grid.labels[step]
            ctx.text(QRectF(x + 4, 0, metrics.horizontalAdvance(label) + 8, ROW_PX), label, color)
        self._paint_bar_at_edge(ctx, grid, marks, metrics)

    def _paint_bar_at_edge(self, ctx: PaintContext, grid: BarGrid, marks: BarMarks, metrics: QFontMetricsF) -> None:
        """Name the bar that is cut by the left edge, where there is room before the next mark."""
        step = grid.step_at(ctx.axis.start_frame)
        text = grid.labels[step]
        right = ctx.left + 6 + metrics.horizontalAdvance(text) + 8
        others = [(ctx.x(float(grid.start_frame[s])), grid.labels[s]) for s in marks.labelled]
        others += [(ctx.x(b.frame), b.label) for b in marks.beats] if marks.beat_px >= BEAT_LABEL_PX else []
        inside = grid.start_frame[0] < ctx.axis.start_frame < grid.start_frame[-1]
        if inside and not any(ctx.left - 8 - metrics.horizontalAdvance(t) < x < right for x, t in others):
            ctx.text(QRectF(ctx.left + 6, 0, right - ctx.left, ROW_PX), text, ctx.theme.faint_text)

    def paint_lines(self, ctx: PaintContext, marks: BarMarks | None, top: float, bottom: float) -> None:
        """Paint beats and bar lines through the lanes."""
        layout = self._content.layout
        if layout is None or marks is None:
            return
        steps = np.append(marks.lines, layout.grid.count)
        is_strong = np.isin(steps, [*marks.strong, layout.grid.count]) | (len(marks.beats) > 0)
        at = layout.grid.start_frame[steps]
        ctx.verticals(np.array([b.frame for b in marks.beats]), top, bottom, ctx.theme.beat_line)
        ctx.verticals(at[~is_strong], top, bottom, ctx.theme.beat_line)
        ctx.verticals(at[is_strong], top, bottom, ctx.theme.bar_line)
        if self._content.difference is not None:
            paint_pending_lines(ctx, self._content.difference, top, bottom)
