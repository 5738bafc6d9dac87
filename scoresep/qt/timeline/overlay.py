"""What is painted over the lanes at every frame: selection, loop, what is touched, notices; over it the playhead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen, QPolygonF

from scoresep.model.timebase import SAME_QUARTER
from scoresep.qt.timeline.curve_item import TempoItem
from scoresep.qt.timeline.lane import Hit, Lane, PlacedLane
from scoresep.qt.timeline.note_item import NoteItem
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.points import PointsRoom, PointsShown, paint_grip, paint_points
from scoresep.qt.timeline.score_layout import ScoreLayout
from scoresep.qt.timeline.spectrogram_item import SpectrogramItem
from scoresep.qt.widgets.theme import translucent

LOOP_PX = 4.0
FINISHED_PX = 4.0


@dataclass(frozen=True)
class OverlayState:
    """What the overlay shows.

    Attributes
    ----------
    width, height : float
        Of the canvas.
    ruler_height : float
    lanes_offset : float
        The canvas's y of the top of all lanes.
    placed : tuple of PlacedLane
    playhead_frame : int or None
    selection, loop : tuple of int or None
        Start and end frame.
    touched : tuple of (Lane, Hit) or None
        What lies under the pointer.
    layout : ScoreLayout or None
    points : PointsShown
    finished : tuple of (int, int) or None
        Stretches of running work that are done.
    """

    width: float
    height: float
    ruler_height: float
    lanes_offset: float
    placed: tuple[PlacedLane, ...]
    playhead_frame: int | None
    selection: tuple[int, int] | None
    loop: tuple[int, int] | None
    touched: tuple[Lane, Hit] | None
    layout: ScoreLayout | None
    points: PointsShown
    finished: tuple[tuple[int, int], ...] | None


def paint_overlay(ctx: PaintContext, state: OverlayState) -> None:
    """Paint everything; the painter's clip may be smaller than the canvas."""
    painter = ctx.painter
    painter.save()
    area = QRectF(ctx.left, 0, state.width - ctx.left, state.height)
    painter.setClipRect(area, Qt.ClipOperation.IntersectClip)
    _paint_pinned(ctx, state)
    _paint_selection(ctx, state)
    _paint_loop(ctx, state)
    _paint_finished(ctx, state)
    _paint_touched(ctx, state)
    _paint_in_spectrogram(ctx, state)
    if state.layout is not None and state.layout.is_aligned:
        room = PointsRoom(state.ruler_height, state.height, not _shows_tempo(state))
        if state.points.is_correcting and state.selection is not None:
            paint_grip(ctx, state.selection, state.ruler_height)
        paint_points(ctx, state.layout, state.points, room)
    _paint_notices(ctx, state)
    painter.restore()


def _shows_tempo(state: OverlayState) -> bool:
    """Whether the lane of the tempo is in sight."""
    tops = [p.top + state.lanes_offset for p in state.placed if isinstance(p.lane, TempoItem)]
    return any(state.ruler_height <= top < state.height - 20 for top in tops)


def _paint_pinned(ctx: PaintContext, state: OverlayState) -> None:
    ctx.painter.save()
    lanes = QRectF(ctx.left, state.ruler_height, state.width, state.height)
    ctx.painter.setClipRect(lanes, Qt.ClipOperation.IntersectClip)
    for placed in state.placed:
        placed.lane.paint_pinned(ctx, placed.top + state.lanes_offset, placed.height)
    ctx.painter.restore()


def _paint_selection(ctx: PaintContext, state: OverlayState) -> None:
    if state.selection is None:
        return
    left, right = (ctx.x(f) for f in state.selection)
    ctx.painter.fillRect(QRectF(left, 0, right - left, state.height), translucent(ctx.theme.accent, 0.15))
    for x in (left, right - ctx.hair):
        ctx.vertical(x, 0, state.height, translucent(ctx.theme.accent, 0.85))


def _paint_loop(ctx: PaintContext, state: OverlayState) -> None:
    if state.loop is None:
        return
    left, right = (ctx.x(f) for f in state.loop)
    bottom, accent = state.ruler_height, ctx.theme.accent
    ctx.painter.fillRect(QRectF(left, bottom - LOOP_PX, max(right - left, 2.0), LOOP_PX), accent)
    for x in (left, right - 2 * ctx.hair):
        ctx.painter.fillRect(QRectF(x, bottom - 11, 2 * ctx.hair, 11), accent)


def _paint_finished(ctx: PaintContext, state: OverlayState) -> None:
    """Paint at the upper edge how far work on the recording is, stretch by stretch."""
    if state.finished is None:
        return
    ctx.painter.fillRect(QRectF(ctx.left, 0, state.width - ctx.left, FINISHED_PX), ctx.theme.bar_line)
    for start, stop in state.finished:
        left, right = ctx.x(start), ctx.x(stop)
        ctx.painter.fillRect(QRectF(left, 0, max(right - left - ctx.hair, ctx.hair), FINISHED_PX), ctx.theme.accent)


def _paint_in_spectrogram(ctx: PaintContext, state: OverlayState) -> None:
    """Show there the note under the pointer, in whichever lane it is touched, and what is selected."""
    placed = next((p for p in state.placed if isinstance(p.lane, SpectrogramItem)), None)
    layout, quarter = state.layout, state.points.selected_quarter
    if placed is None or layout is None or not isinstance(placed.lane, SpectrogramItem):
        return
    selected = np.zeros(0, np.int64)
    if quarter is not None and layout.is_aligned:
        at = layout.unfolded.notes.onset_quarter[layout.row]
        selected = np.flatnonzero(np.abs(at - quarter) <= SAME_QUARTER)
    marked = placed.lane.content.note_marks.selected
    if marked:
        selected = np.union1d(selected, np.flatnonzero(np.isin(layout.row, list(marked)))).astype(np.int64)
    touched = state.touched[1].place if state.touched is not None else None
    top, bottom = placed.top + state.lanes_offset, placed.top + state.lanes_offset + placed.height
    ctx.painter.save()
    lanes = QRectF(ctx.left, state.ruler_height, state.width, max(bottom - state.ruler_height, 0.0))
    ctx.painter.setClipRect(lanes, Qt.ClipOperation.IntersectClip)
    placed.lane.paint_touched(ctx, top, placed.height, selected, touched)
    ctx.painter.restore()


def _paint_touched(ctx: PaintContext, state: OverlayState) -> None:
    """Outline the note under the pointer."""
    if state.touched is None:
        return
    lane, hit = state.touched
    placed = next((p for p in state.placed if p.lane is lane), None)
    if placed is None or hit.place is None or not isinstance(lane, NoteItem) or lane.content.layout is None:
        return
    layout, places, painter = lane.content.layout, np.array([hit.place]), ctx.painter
    top = placed.top + state.lanes_offset + float(lane.note_tops(layout, places, placed.height)[0])
    tall = float(lane.note_heights(layout, places, placed.height)[0])
    left, right = max(ctx.x(hit.start_frame), ctx.left - 50), min(ctx.x(hit.end_frame), state.width + 50)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(ctx.theme.text, 1.2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(QRectF(left - 1, top - 1, max(right - left, 3) + 2, tall + 2), 3, 3)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _paint_notices(ctx: PaintContext, state: OverlayState) -> None:
    """Paint what lanes have to say, at their top left, where scrolling does not take it away."""
    painter = ctx.painter
    metrics = QFontMetricsF(painter.font())
    for placed in state.placed:
        text = placed.lane.notice(ctx.frames_per_column)
        y = placed.top + state.lanes_offset
        tall = min(metrics.height() + 8, placed.height - 2)
        y += min(8.0, (placed.height - tall) / 2)
        if not text or y < state.ruler_height:
            continue
        rect = QRectF(ctx.left + 14, y, metrics.horizontalAdvance(text) + 18, tall)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(QPen(translucent(ctx.theme.warning, 0.8), 1))
        painter.setBrush(translucent(ctx.theme.ground, 0.92))
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(ctx.theme.text)
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)


def paint_playhead(ctx: PaintContext, state: OverlayState) -> None:
    """Paint the playhead through all lanes."""
    if state.playhead_frame is None:
        return
    painter, x = ctx.painter, ctx.x(state.playhead_frame)
    painter.save()
    painter.setClipRect(QRectF(ctx.left, 0, state.width - ctx.left, state.height), Qt.ClipOperation.IntersectClip)
    ctx.vertical(x, state.ruler_height - 2, state.height, ctx.theme.playhead)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ctx.theme.playhead)
    tip = QPointF(x + ctx.hair / 2, state.ruler_height - 1)
    painter.drawPolygon(QPolygonF([tip + QPointF(-5.5, -8), tip + QPointF(5.5, -8), tip]))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.restore()
