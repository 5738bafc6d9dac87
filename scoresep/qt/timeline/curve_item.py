"""The tempo of the performance, beat by beat, and how sure the places of the notes are: curves along the time axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.points import LEAST_BAR_PX, grid_quarters
from scoresep.qt.timeline.score_layout import ScoreLayout
from scoresep.qt.timeline.time_axis import TimeAxis

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


def tempo_curve(layout: ScoreLayout, axis: TimeAxis) -> TempoCurve:
    """Return the tempo of what is visible, as finely as this zoom can show it."""
    grid = layout.grid
    low, high = axis.x_to_frame(-40.0), axis.x_to_frame(axis.width_px + 40.0)
    first, last = grid.visible_steps(low, high)
    bar_px = grid.typical_bar_frames / axis.frames_per_px
    with_beats = bar_px / max(grid.typical_beats, 1) >= LEAST_STEP_PX
    quarters = grid_quarters(layout.unfolded, first, last, with_beats)
    if not with_beats and bar_px < LEAST_STEP_PX and len(quarters) > 2:
        stride = int(np.ceil(LEAST_BAR_PX / bar_px))
        quarters = np.append(quarters[:-1:stride], quarters[-1])
    frames = grid.time_map.quarters_to_frames(quarters)
    lengths = np.diff(frames)
    keep = np.concatenate([lengths > 0, [True]]) if len(frames) else np.zeros(0, np.bool_)
    frames, quarters = frames[keep], quarters[keep]
    return TempoCurve(frames, 60.0 * axis.sample_rate * np.diff(quarters) / np.diff(frames))


def paint_tempo(
    ctx: PaintContext,
    curve: TempoCurve,
    limits: tuple[float, float],
    band: QRectF,
    color: QColor,
    width: float = 1.3,
) -> None:
    """Paint a tempo as a line of steps, on a scale of ratios."""
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
