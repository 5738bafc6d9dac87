"""The tempo of the performance, beat by beat, and how sure the places of the notes are: curves along the time axis.

Also here: hints where to look: how much of the sound no part explains, and which segments are doubtful.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from scoresep.model.timebase import SAME_QUARTER
from scoresep.model.timemap import grid_quarters
from scoresep.qt.timeline.lane import Hit, Lane, TimelineContent
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.score_layout import DOUBTFUL, ScoreLayout
from scoresep.qt.timeline.time_axis import TimeAxis
from scoresep.qt.widgets.theme import blend, premultiplied, translucent

# Tempo is told beat by beat where beats have this room, else bar by bar, else over several bars.
LEAST_STEP_PX = 5.0
# The scale spans at least this ratio, so that a steady tempo looks steady.
LEAST_RATIO = 1.35


@dataclass(frozen=True, eq=False)
class TempoCurve:
    """Tempo over stretches of time.

    Attributes
    ----------
    edge_frame : ndarray [shape=(stretches + 1,)], int64
    quarters_per_minute : ndarray [shape=(stretches,)], float64
    """

    edge_frame: NDArray[np.int64]
    quarters_per_minute: NDArray[np.float64]

    @staticmethod
    def common_limits(*curves: TempoCurve) -> tuple[float, float]:
        """Return the lowest and highest tempo of a scale that holds these curves."""
        values = np.concatenate([c.quarters_per_minute for c in curves])
        if not len(values):
            return 60.0, 120.0
        low, high = (float(v) for v in np.percentile(values, (1, 99)))
        spare = max(LEAST_RATIO / (high / low), 1.06) ** 0.5
        return low / spare, high * spare


def curve_quarters(layout: ScoreLayout, axis: TimeAxis) -> NDArray[np.float64]:
    """Return where stretches of a curve begin and end in what is visible: beats, bars or several bars, as zoom allows.

    They are counted from the start of the path, so that scrolling changes none.
    """
    grid, count = layout.grid, layout.grid.count
    first, last = grid.visible_steps(axis.x_to_frame(-40.0), axis.x_to_frame(axis.width_px + 40.0))
    bar_px = grid.typical_bar_frames / axis.frames_per_px
    if bar_px / max(grid.typical_beats, 1) >= LEAST_STEP_PX:
        return grid_quarters(layout.unfolded, first, last, with_beats=True)
    stride = max(int(np.ceil(LEAST_STEP_PX / max(bar_px, 1e-9))), 1)
    steps = np.arange(first // stride * stride, min(last + stride, count + stride), stride)
    return np.asarray(np.unique(layout.unfolded.step_start_quarter[np.minimum(steps, count)]))


def tempo_curve(layout: ScoreLayout, axis: TimeAxis) -> TempoCurve:
    """Return the tempo of what is visible, as finely as this zoom can show it."""
    return _tempo(layout, curve_quarters(layout, axis), axis.sample_rate)


def _tempo(layout: ScoreLayout, quarters: NDArray[np.float64], sample_rate: int) -> TempoCurve:
    frames = layout.grid.time_map.quarters_to_frames(quarters)
    keep = np.concatenate([np.diff(frames) > 0, np.ones(min(len(frames), 1), np.bool_)])
    frames, quarters = frames[keep], quarters[keep]
    return TempoCurve(frames, 60.0 * sample_rate * np.diff(quarters) / np.diff(frames))


def confidence_curve(
    layout: ScoreLayout, quarters: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the mean confidence of the notes that begin between positions; NaN where none does.

    Returns
    -------
    edge_frame : ndarray [shape=(stretches + 1,)], int64
    confidence : ndarray [shape=(stretches,)], float64
    """
    onset_quarter = layout.unfolded.notes.onset_quarter[layout.row]
    order = np.argsort(onset_quarter, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(layout.confidence[order], dtype=np.float64)])
    at = np.searchsorted(onset_quarter[order], quarters - SAME_QUARTER)
    count = np.diff(at)
    mean = np.where(count > 0, np.diff(total[at]) / np.maximum(count, 1), np.nan)
    return layout.grid.time_map.quarters_to_frames(quarters), mean


def paint_tempo(
    ctx: PaintContext,
    curve: TempoCurve,
    limits: tuple[float, float],
    band: QRectF,
    color: QColor,
    width: float = 1.3,
) -> None:
    """Paint a tempo as a line of steps, on a scale of ratios.

    Parameters
    ----------
    ctx : PaintContext
        With the range of time that is painted.
    curve : TempoCurve
        Quarters a minute, beat by beat.
    limits : (float, float)
        Of the scale.
    band : (float, float)
        Top and bottom in logical pixels.
    color : QColor
    width : float
        Of the line, in logical pixels.
    """
    if not len(curve.quarters_per_minute):
        return
    low, high = limits
    share = np.log(np.clip(curve.quarters_per_minute, low, high) / low) / np.log(high / low)
    ys = band.bottom() - 4 - share * (band.height() - 8)
    xs = ctx.xs(curve.edge_frame)
    corners = zip(np.repeat(xs, 2)[1:-1].tolist(), np.repeat(ys, 2).tolist(), strict=True)
    painter = ctx.painter
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(color, width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in corners]))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


class TempoItem(Lane):
    """The tempo as it is played, on one scale for the whole piece."""

    title = "Tempo"
    least_height = 58.0

    def __init__(self, content: TimelineContent) -> None:
        super().__init__(content)
        layout = content.layout
        self._limits = (60.0, 120.0)
        if layout is not None and layout.grid.count:
            self._limits = TempoCurve.common_limits(_tempo(layout, layout.unfolded.step_start_quarter, 1))

    def _limits_at(self, sample_rate: int) -> tuple[float, float]:
        return self._limits[0] * sample_rate, self._limits[1] * sample_rate

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the tempo beat by beat, and a dot where it was placed by hand."""
        layout = self.content.layout
        if layout is None or not layout.grid.count:
            return
        band = QRectF(ctx.left, top, ctx.clip_right - ctx.left, height)
        limits = self._limits_at(ctx.axis.sample_rate)
        color = ctx.theme.wave_core if layout.is_aligned else ctx.theme.faint_text
        paint_tempo(ctx, tempo_curve(layout, ctx.axis), limits, band, color, width=1.6)

    def paint_header(self, ctx: PaintContext, rect: QRectF) -> None:
        """Paint the name, and the ends of the scale in quarters a minute."""
        low, high = self._limits_at(ctx.axis.sample_rate)
        right = Qt.AlignmentFlag.AlignRight
        for value, y in ((high, rect.top() + 1), (low, rect.bottom() - 17)):
            row = QRectF(rect.left() + 50, y, rect.width() - 58, 16)
            ctx.text(row, f"\u2669 = {value:.0f}", ctx.theme.faint_text, right)
        super().paint_header(ctx, rect)

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """Return the tempo of the beat at a frame."""
        layout, source = self.content.layout, self.content.recording
        if layout is None or not layout.grid.count or source is None or source.source is None:
            return None
        step = layout.grid.step_at(frame)
        curve = _tempo(layout, grid_quarters(layout.unfolded, step, step + 1, True), source.source.sample_rate)
        at = int(np.searchsorted(curve.edge_frame, frame, side="right")) - 1
        if not 0 <= at < len(curve.quarters_per_minute):
            return None
        text = f"\u2669 = {curve.quarters_per_minute[at]:.1f}"
        return Hit(int(curve.edge_frame[at]), int(curve.edge_frame[at + 1]), text)


class ConfidenceItem(Lane):
    """How sure the places of the notes are: high is sure, and what is doubtful stands out."""

    title = "Confidence"
    least_height = 36.0

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint a block over every beat (or bar) with notes."""
        layout = self.content.layout
        if layout is None or not layout.is_aligned or not layout.grid.count:
            return
        edges, confidence = confidence_curve(layout, curve_quarters(layout, ctx.axis))
        xs, room = ctx.xs(edges), height - 6
        for left, right, value in zip(xs[:-1].tolist(), xs[1:].tolist(), confidence.tolist(), strict=True):
            if not np.isnan(value) and right > ctx.clip_left - 1 and left < ctx.clip_right + 1:
                color = ctx.theme.warning if value < DOUBTFUL else ctx.theme.wave
                tall = max(value * room, 1.5)
                ctx.painter.fillRect(QRectF(left, top + 3 + room - tall, max(right - left, ctx.hair), tall), color)
        ctx.horizontal(top + 3 + room * (1 - DOUBTFUL), ctx.clip_left, ctx.clip_right, ctx.theme.bar_line)

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """Return how sure the notes of the bar at a frame are."""
        layout = self.content.layout
        if layout is None or not layout.is_aligned or not layout.grid.count:
            return None
        step = layout.grid.step_at(frame)
        edges, value = confidence_curve(layout, layout.unfolded.step_start_quarter[step : step + 2])
        if np.isnan(value[0]) or not edges[0] <= frame < edges[1]:
            return None
        return Hit(int(edges[0]), int(edges[1]), f"confidence of the bar {value[0]:.0%}")


# The whole height of the lane; more than that is as bad as can be.
FULL_SHARE = 0.5
MARK_PX = 4.0


class QualityItem(Lane):
    """How much of the sound stays unexplained, and which segments are doubtful."""

    title = "Unexplained"
    least_height = 30.0

    def __init__(self, content: TimelineContent) -> None:
        super().__init__(content)
        self._edges = np.array([s.start_frame for s in content.segments], np.int64)

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint a mark over every doubtful segment, and the share under it, what is much of it in another colour."""
        unexplained = self.content.unexplained
        for quality in self.content.qualities:
            left, right = ctx.x(quality.segment.start_frame), ctx.x(quality.segment.end_frame)
            if quality.is_doubtful and right >= ctx.clip_left and left <= ctx.clip_right:
                wide = max(right - left - ctx.hair, 2.0)
                ctx.fill(left, top + 1, wide, height - 2, translucent(ctx.theme.warning, 0.16))
                ctx.fill(left, top + 1, wide, MARK_PX, ctx.theme.warning)
        if unexplained is None or not len(unexplained.share):
            return
        room = max(round((height - MARK_PX - 4) * ctx.pixel_ratio), 1)
        shown = self._shares(ctx, unexplained.share, unexplained.block_frames)
        rows = np.minimum(np.rint(shown / FULL_SHARE * room), room)
        rows = np.where((shown > 0) & (rows < 1), 1, rows)
        usual = premultiplied(blend(ctx.theme.ground, ctx.theme.wave, 0.85))
        colors = np.where(shown >= unexplained.limit, premultiplied(ctx.theme.warning), usual).astype(np.uint32)
        is_filled = np.arange(room)[::-1, None] < rows[None]
        pixels = np.where(is_filled, colors[None], np.uint32(0)).astype(np.uint32)
        ctx.pixels(pixels, ctx.columns_px[0], round((top + MARK_PX + 3) * ctx.pixel_ratio))

    def _shares(self, ctx: PaintContext, share: NDArray[np.float64], block_frames: int) -> NDArray[np.float64]:
        """Return the largest share of all blocks that a pixel column holds."""
        left = ctx.frames_of_columns()
        first = np.clip(np.floor(left / block_frames).astype(np.int64), 0, len(share) - 1)
        last = np.floor((left + ctx.frames_per_column) / block_frames).astype(np.int64)
        last = np.clip(last, first + 1, len(share))
        padded = np.append(share, 0.0)
        found = np.maximum.reduceat(padded, np.stack([first, last], 1).ravel())[::2] if len(left) else np.zeros(0)
        is_outside = (left + ctx.frames_per_column <= 0) | (left >= len(share) * block_frames)
        return np.where(is_outside, 0.0, found)

    def paint_header(self, ctx: PaintContext, rect: QRectF) -> None:
        """Paint the name, and the share of the whole recording."""
        super().paint_header(ctx, rect)
        if self.content.unexplained is not None:
            text = f"{100 * self.content.unexplained.total:.0f} %"
            ctx.text(self._title_rect(rect), text, ctx.theme.faint_text, Qt.AlignmentFlag.AlignRight)

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """Return the segment at a frame with what is known of it."""
        at = int(np.searchsorted(self._edges, frame, side="right")) - 1
        if at < 0 or frame >= self.content.segments[at].end_frame:
            return None
        quality = self.content.qualities[at]
        segment = quality.segment
        return Hit(segment.start_frame, segment.end_frame, quality.figures, detail=quality.advice)
