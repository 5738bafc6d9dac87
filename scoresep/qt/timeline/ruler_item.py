"""The ruler at the top: bar numbers in one row, times in the other; and the bar lines through all lanes.

Times are marked at round ones, and bar numbers thinned so that they do not touch.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetricsF

from scoresep.model.timebase import format_time
from scoresep.qt.timeline.lane import TimelineContent
from scoresep.qt.timeline.note_item import paint_pending_lines, paint_pending_strip
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.score_layout import BarGrid
from scoresep.qt.timeline.time_axis import TimeAxis

# Distances of time marks in seconds, each with the number of small steps in it.
TIME_STEPS: tuple[tuple[float, int], ...] = (
    (0.0001, 5), (0.0002, 4), (0.0005, 5), (0.001, 5), (0.002, 4), (0.005, 5), (0.01, 5), (0.02, 4), (0.05, 5),
    (0.1, 5), (0.2, 4), (0.5, 5), (1, 5), (2, 4), (5, 5), (10, 5), (15, 3), (30, 6), (60, 6), (120, 4), (300, 5),
    (600, 5), (1200, 4), (1800, 6), (3600, 6), (7200, 4), (18000, 5), (36000, 5),
)  # fmt: skip
BAR_STRIDES = (1, 2, 4, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class Tick:
    """One mark: its frame, and its label where it is a large one."""

    frame: float
    label: str = ""


def time_ticks(axis: TimeAxis, label_px: float) -> list[Tick]:
    """Return the time marks of the visible range, labels at least `label_px` apart."""
    step_s, parts = next(((s, n) for s, n in TIME_STEPS if s * axis.px_per_second >= label_px), (TIME_STEPS[-1][0], 1))
    small_s = step_s / parts
    first = max(int(np.floor(axis.start_frame / axis.sample_rate / small_s)), 0)
    end_s = min(axis.end_frame, axis.total_frames) / axis.sample_rate
    ticks = []
    for i in range(first, int(np.floor(end_s / small_s + 1e-9)) + 1):
        second = i * small_s
        ticks.append(Tick(second * axis.sample_rate, time_label(second, step_s) if i % parts == 0 else ""))
    return ticks


def time_label(second: float, step_s: float) -> str:
    """Write a time with just the decimals that marks `step_s` apart need: `1:05`, `0:00.25`."""
    decimals = 0 if step_s >= 1 else min(int(np.ceil(-np.log10(step_s) - 1e-9)), 4)
    if decimals > 3:
        return f"{format_time(int(second * 1000 + 1e-6) / 1000)}{round(second * 1e4) % 10}"
    text = format_time(round(second, 3))
    return text[:-4] if decimals == 0 else text[: len(text) - 3 + decimals]


@dataclass(frozen=True)
class BarMarks:
    """Bar lines of the visible range.

    Attributes
    ----------
    labelled : tuple of int
        Steps of the path that show their number.
    lines : ndarray [shape=(lines,)], int64
        Steps of the path that show a bar line.
    strong : tuple of int
        Those of `lines` that stand out, chosen without regard to what is visible, so that scrolling changes no line.
    beats : tuple of Tick
        Beats inside the bars, labelled `bar.beat`; empty where there is no room for them.
    beat_px : float
        Typical distance of beats.
    """

    labelled: tuple[int, ...]
    lines: NDArray[np.int64]
    strong: tuple[int, ...]
    beats: tuple[Tick, ...]
    beat_px: float


def bar_marks(
    grid: BarGrid, axis: TimeAxis, label_px: float, least_beat_px: float = 14.0, least_bar_px: float = 7.0
) -> BarMarks:
    """Choose bar numbers at least `label_px` apart, and lines and beats where there is room.

    Parameters
    ----------
    grid : BarGrid
    axis : TimeAxis
    label_px : float
        Widest number, in logical pixels.
    least_beat_px : float
        Beats stand no nearer.
    least_bar_px : float
        Bar lines stand no nearer.
    """
    first, last = grid.visible_steps(axis.start_frame - label_px * axis.frames_per_px, axis.end_frame)
    bar_px = grid.typical_bar_frames / axis.frames_per_px
    beat_px = bar_px / max(grid.typical_beats, 1)
    stride = next((s for s in BAR_STRIDES if s * bar_px >= label_px), BAR_STRIDES[-1])
    steps = np.arange(first, last)
    wanted = steps[(grid.number[steps] % stride == 0) | grid.is_jump[steps] | (steps == 0)]
    xs = (grid.start_frame / axis.frames_per_px).tolist()
    taken: list[int] = []
    taken_x = [-np.inf, np.inf]
    # where the path jumps the number says most, so it is placed first
    for step in sorted(wanted.tolist(), key=lambda s: (not grid.is_jump[s] and s != 0, s)):
        at = bisect(taken_x, xs[step])
        if xs[step] - taken_x[at - 1] >= label_px and taken_x[at] - xs[step] >= label_px:
            taken.append(step)
            taken_x.insert(at, xs[step])
    return BarMarks(
        labelled=tuple(sorted(taken)),
        lines=steps if bar_px >= least_bar_px else wanted,
        strong=tuple(wanted.tolist()),
        beats=tuple(Tick(f, t) for f, t in grid.beats(first, last)) if beat_px >= least_beat_px else (),
        beat_px=beat_px,
    )


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
        """Paint beats and bar lines through the lanes.

        Parameters
        ----------
        ctx : PaintContext
            With the range of time that is painted.
        marks : BarMarks or None
        top, bottom : float
            In logical pixels.
        """
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
