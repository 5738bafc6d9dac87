"""The positions of the score that can be grasped and put elsewhere: bar lines, beats, and points placed by hand.

They are painted over the lanes: placed by hand filled, automatic hollow; what a drag shows; the grip of a selection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen, QPolygonF

from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import SAME_QUARTER
from scoresep.model.timemap import SyncPoint, grid_quarters
from scoresep.qt.timeline.curve_item import TempoCurve, paint_tempo, tempo_curve
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.ruler_item import ROW_PX
from scoresep.qt.timeline.score_layout import ScoreLayout
from scoresep.qt.timeline.time_axis import TimeAxis
from scoresep.qt.widgets.theme import ink_on, translucent

# Beats and bars nearer to each other than this cannot be told apart by the pointer.
LEAST_BEAT_PX = 14.0
LEAST_BAR_PX = 7.0


@dataclass(frozen=True)
class Handle:
    """A position that can be grasped.

    Attributes
    ----------
    quarter : float
    frame : int
        Where it lies now.
    is_by_hand : bool
    """

    quarter: float
    frame: int
    is_by_hand: bool = False


@dataclass(frozen=True)
class Dragged:
    """What a drag would do, for painting.

    Attributes
    ----------
    quarter : float
    frame : int
        Where the position would lie.
    present : ScoreLayout
        Everything as it is now.
    is_snapped : bool
        Whether it lies on an attack.
    text : str
        The position and how far it is moved.
    last_quarter : float or None
        Where many positions are dragged at once, the last of them; `quarter` is the first.
    """

    quarter: float
    frame: int
    present: ScoreLayout
    is_snapped: bool
    text: str
    last_quarter: float | None = None


@dataclass(frozen=True)
class PointsShown:
    """What the timeline shows of points.

    Attributes
    ----------
    is_correcting : bool
        Whether automatic ones are shown too, and can be grasped anywhere.
    selected_quarter : float or None
    dragged : Dragged or None
    """

    is_correcting: bool = False
    selected_quarter: float | None = None
    dragged: Dragged | None = None


def handles_in(layout: ScoreLayout, axis: TimeAxis, with_automatic: bool) -> list[Handle]:
    """Return what can be grasped in the visible range, as far as this zoom tells it apart.

    Parameters
    ----------
    layout : ScoreLayout
    axis : TimeAxis
    with_automatic : bool
        Whether sync points that the program placed count.
    """
    time_map, grid = layout.grid.time_map, layout.grid
    low, high = axis.x_to_frame(-20.0), axis.x_to_frame(axis.width_px + 20.0)
    hand = time_map.is_by_hand & (time_map.frame >= low) & (time_map.frame <= high)
    handles = [
        Handle(q, f, True) for q, f in zip(time_map.quarter[hand].tolist(), time_map.frame[hand].tolist(), strict=True)
    ]
    bar_px = grid.typical_bar_frames / axis.frames_per_px
    if with_automatic and layout.is_aligned and bar_px >= LEAST_BAR_PX:
        with_beats = bar_px / max(grid.typical_beats, 1) >= LEAST_BEAT_PX
        first, last = grid.visible_steps(low, high)
        quarters = grid_quarters(layout.unfolded, first, last, with_beats)
        taken = time_map.quarter[hand]
        if len(taken):
            nearest = np.abs(quarters[:, None] - taken[None]).min(axis=1)
            quarters = quarters[nearest > SAME_QUARTER]
        frames = time_map.quarters_to_frames(quarters)
        handles += [Handle(q, f) for q, f in zip(quarters.tolist(), frames.tolist(), strict=True) if low <= f <= high]
    return handles


def nearest_handle(handles: list[Handle], frame: float, tolerance_frames: float) -> Handle | None:
    """Return the handle nearest to a frame; those by hand win where both are near.

    Parameters
    ----------
    handles : list of Handle
        Rising in frames.
    frame : float
        Of the recording.
    tolerance_frames : float
        What lies no further away counts as hit.
    """
    near = [h for h in handles if abs(h.frame - frame) <= tolerance_frames]
    return min(near, key=lambda h: (not h.is_by_hand, abs(h.frame - frame)), default=None)


def point_at(unfolded: UnfoldedScore, quarter: float, frame: int) -> SyncPoint:
    """Return a position of the path as a point by hand.

    Parameters
    ----------
    unfolded : UnfoldedScore
    quarter : float
        Its position in the path.
    frame : int
        Of the recording.
    """
    step, beat = unfolded.quarter_to_beat(quarter)
    return SyncPoint(step.measure_index, step.occurrence, beat, frame)


def name_of(layout: ScoreLayout, quarter: float) -> str:
    """Write a position: ``bar 5 (2)``, ``bar 5, beat 3``."""
    _, beat = layout.unfolded.quarter_to_beat(quarter)
    bar = f"bar {layout.grid.labels[layout.unfolded.step_at(quarter)]}"
    return bar if abs(beat - 1) < 1e-3 else f"{bar}, beat {beat:.3g}"


RADIUS_PX = 4.0
CURVE_PX = 52.0
GRIP_TOP_PX = ROW_PX + 5.0
HANDLE_PX = 34.0


@dataclass(frozen=True)
class PointsRoom:
    """Top and bottom of the lanes, and whether a drag shows the tempo over the lowest of them."""

    top: float
    bottom: float
    shows_tempo: bool


def paint_points(ctx: PaintContext, layout: ScoreLayout, shown: PointsShown, room: PointsRoom) -> None:
    """Paint the points at the lower edge of the bars' row, and what is selected or dragged through all lanes.

    Parameters
    ----------
    ctx : PaintContext
    layout : ScoreLayout
    shown : PointsShown
    room : PointsRoom
    """
    painter, top, bottom = ctx.painter, room.top, room.bottom
    handles = handles_in(layout, ctx.axis, shown.is_correcting)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    for handle in sorted(handles, key=lambda h: h.is_by_hand):
        is_selected = _is_at(handle.quarter, shown.selected_quarter)
        _paint_diamond(ctx, handle, is_selected)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    for handle in handles:
        if handle.is_by_hand:
            ctx.vertical(ctx.x(handle.frame), top, bottom, translucent(ctx.theme.accent, 0.4))
    if shown.selected_quarter is not None and shown.dragged is None:
        frame = layout.grid.time_map.quarter_to_frame(shown.selected_quarter)
        _paint_diamond(ctx, Handle(shown.selected_quarter, frame, _is_by_hand(layout, shown.selected_quarter)), True)
        ctx.vertical(ctx.x(frame), top, bottom, translucent(ctx.theme.accent, 0.9))
    if shown.dragged is not None:
        _paint_dragged(ctx, layout, shown.dragged, room)


def paint_grip(ctx: PaintContext, selection: tuple[int, int], bottom: float) -> None:
    """Paint the bar in the ruler by which all that is selected can be moved: pale over the times, with a handle.

    Parameters
    ----------
    ctx : PaintContext
        With the range of time that is painted.
    selection : (int, int)
        Start and end frame.
    bottom : float
        In logical pixels.
    """
    left, right = (ctx.x(frame) for frame in selection)
    bar = QRectF(left + 2, GRIP_TOP_PX, max(right - left - 4, 2.0), bottom - 2 - GRIP_TOP_PX)
    painter, accent = ctx.painter, ctx.theme.accent
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(translucent(accent, 0.3))
    painter.drawRoundedRect(bar, 3, 3)
    seen = bar.intersected(QRectF(ctx.left, 0, ctx.clip_right - ctx.left, bottom))
    if seen.width() > 0:
        wide = min(seen.width(), HANDLE_PX)
        handle = QRectF(seen.center().x() - wide / 2, bar.top(), wide, bar.height())
        painter.setBrush(accent)
        painter.drawRoundedRect(handle, 3, 3)
    if seen.width() >= HANDLE_PX:
        painter.setPen(QPen(ink_on(accent), 1.4))
        middle, y = seen.center().x(), bar.center().y()
        painter.drawLine(QPointF(middle - 9, y), QPointF(middle + 9, y))
        for side in (-1, 1):
            tip = QPointF(middle + side * 9, y)
            painter.drawPolyline(QPolygonF([tip + QPointF(-side * 4, -4), tip, tip + QPointF(-side * 4, 4)]))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _is_at(quarter: float, other: float | None) -> bool:
    return other is not None and abs(quarter - other) <= SAME_QUARTER


def _is_by_hand(layout: ScoreLayout, quarter: float) -> bool:
    time_map = layout.grid.time_map
    return bool(any(abs(q - quarter) <= SAME_QUARTER for q in time_map.quarter[time_map.is_by_hand].tolist()))


def _paint_diamond(ctx: PaintContext, handle: Handle, is_selected: bool) -> None:
    painter, theme = ctx.painter, ctx.theme
    radius = RADIUS_PX + (1.5 if is_selected else 0.0 if handle.is_by_hand else -1.0)
    center = QPointF(ctx.x(handle.frame) + ctx.hair / 2, ROW_PX)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(theme.accent if handle.is_by_hand or is_selected else theme.faint_text, 1.3))
    painter.setBrush(theme.accent if handle.is_by_hand else theme.header)
    corners = ((0, -radius), (radius, 0), (0, radius), (-radius, 0))
    painter.drawPolygon(QPolygonF([center + QPointF(x, y) for x, y in corners]))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _paint_dragged(ctx: PaintContext, layout: ScoreLayout, dragged: Dragged, room: PointsRoom) -> None:
    """Paint where a position was, where it would be, and the tempo before and after."""
    theme, painter, top, bottom = ctx.theme, ctx.painter, room.top, room.bottom
    ctx.vertical(ctx.x(dragged.present.grid.time_map.quarter_to_frame(dragged.quarter)), top, bottom, theme.faint_text)
    x = ctx.x(dragged.frame)
    painter.fillRect(QRectF(x - ctx.hair / 2, 0, 2 * ctx.hair, bottom), theme.accent)
    _paint_diamond(ctx, Handle(dragged.quarter, dragged.frame, True), True)
    if dragged.last_quarter is not None and dragged.last_quarter > dragged.quarter:
        last_frame = layout.grid.time_map.quarter_to_frame(dragged.last_quarter)
        painter.fillRect(QRectF(ctx.x(last_frame) - ctx.hair / 2, 0, 2 * ctx.hair, bottom), theme.accent)
        _paint_diamond(ctx, Handle(dragged.last_quarter, last_frame, True), True)
    _paint_words(ctx, dragged, x, top)
    if not room.shows_tempo:
        return
    before, after = tempo_curve(dragged.present, ctx.axis), tempo_curve(layout, ctx.axis)
    limits = TempoCurve.common_limits(before, after)
    band = QRectF(ctx.left, bottom - CURVE_PX, ctx.clip_right - ctx.left, CURVE_PX)
    painter.fillRect(band, theme.ground)
    ctx.horizontal(band.top(), band.left(), band.right(), theme.border)
    paint_tempo(ctx, before, limits, band, theme.faint_text)
    paint_tempo(ctx, after, limits, band, theme.accent, width=2.0)
    text = tempo_text(after, dragged.frame)
    first = after.quarters_per_minute[:1]
    is_high = bool(len(first)) and float(first[0]) ** 2 > limits[0] * limits[1]  # the words leave the curve in sight
    y = band.bottom() - 20 if is_high else band.top() + 3
    plate = QRectF(band.left() + 4, y, QFontMetricsF(painter.font()).horizontalAdvance(text) + 12, 17)
    painter.fillRect(plate, translucent(theme.ground, 0.85))
    painter.setPen(theme.text)
    painter.drawText(plate, int(Qt.AlignmentFlag.AlignCenter), text)


def tempo_text(curve: TempoCurve, frame: int) -> str:
    """Say the tempo that leads to a place, and the one from there on, in quarters a minute."""
    tempo, at = curve.quarters_per_minute, int(np.searchsorted(curve.edge_frame, frame))
    words = [f"♩ = {tempo[i]:.0f} {word}" for i, word in ((at - 1, "before"), (at, "after")) if 0 <= i < len(tempo)]
    return "   ".join(["Tempo", *words])


def _paint_words(ctx: PaintContext, dragged: Dragged, x: float, top: float) -> None:
    text = dragged.text + ("  on the attack" if dragged.is_snapped else "")
    width = QFontMetricsF(ctx.painter.font()).horizontalAdvance(text) + 16
    left = x + 8 if x + 8 + width < ctx.clip_right else x - 8 - width
    plate = QRectF(left, top + 6, width, 20)
    ctx.painter.fillRect(plate, ctx.theme.accent)
    ctx.painter.setPen(ink_on(ctx.theme.accent))
    ctx.painter.drawText(plate, int(Qt.AlignmentFlag.AlignCenter), text)
