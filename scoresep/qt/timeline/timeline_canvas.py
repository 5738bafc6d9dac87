"""The surface of the timeline: lays lanes out from top to bottom and paints them.

Everything that stands still is painted once into a pixmap; scrolling moves that pixmap and paints only what comes into
sight. Playhead, selection and what is touched are painted over it.
"""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QWidget

from scoresep.qt.timeline.content import TimelineContent
from scoresep.qt.timeline.curve_item import ConfidenceItem, TempoItem
from scoresep.qt.timeline.lane import Hit, Lane, PlacedLane
from scoresep.qt.timeline.note_item import NoteItem
from scoresep.qt.timeline.overlay import OverlayState, paint_overlay
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.points import PointsShown
from scoresep.qt.timeline.quality_item import QualityItem
from scoresep.qt.timeline.ruler_item import ROW_PX, RulerItem
from scoresep.qt.timeline.segment_item import PartItem, SegmentItem
from scoresep.qt.timeline.spectrogram_item import SpectrogramItem
from scoresep.qt.timeline.theme import Theme, small_font, translucent
from scoresep.qt.timeline.time_axis import TimeAxis
from scoresep.qt.timeline.waveform_item import WaveformItem

HEADER_PX = 128.0


def lanes_of(content: TimelineContent) -> list[Lane]:
    """Return the lanes that the content needs, from top to bottom."""
    lanes: list[Lane] = []
    if content.has_spectrogram:
        lanes.append(SpectrogramItem(content))
    if not lanes or not content.spectrogram.is_in_place:
        lanes.insert(0, WaveformItem(content))
    lanes.append(NoteItem(content))
    if content.activities is not None:
        lanes.append(SegmentItem(content))
    if content.unexplained is not None and content.shows_quality and content.segments:
        lanes.append(QualityItem(content))
    parts = [i for i, p in enumerate(content.parts) if not p.is_absent]
    lanes += [PartItem(content, i) for i in parts if content.activities is not None or i in content.stems]
    if None in content.stems:
        lanes.append(PartItem(content, None))
    if content.shows_curves and content.layout is not None:
        lanes += [TempoItem(content), ConfidenceItem(content)]
    return lanes


class TimelineCanvas(QWidget):
    """Paints the content along a time axis. What the pointer and keys do with it is told in `gestures`.

    Signals
    -------
    axis_changed()
    lanes_changed()
        Their number or height; the vertical scroll bar follows.
    """

    axis_changed = Signal()
    lanes_changed = Signal()

    def __init__(self, content: TimelineContent, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.content = content
        self.axis = TimeAxis()
        self.theme = Theme.from_palette(self.palette())
        self.playhead_frame: int | None = None
        self.selection: tuple[int, int] | None = None
        self.loop: tuple[int, int] | None = None
        self.touched: tuple[Lane, Hit] | None = None
        self.points = PointsShown()
        self.height_scale = 1.0
        self._ruler = RulerItem(content)
        self._placed: list[PlacedLane] = []
        self._scroll_y = 0.0
        self._backing: QPixmap | None = None
        self._painted_axis: TimeAxis | None = None
        self.setMinimumSize(320, 160)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.rebuild()

    # ------------------------------------------------------------------------------------------- layout

    @property
    def ruler_height(self) -> float:
        """Height of the ruler in logical pixels."""
        return self._ruler.height

    @property
    def lanes_height(self) -> float:
        """Height of all lanes together, also of those out of sight."""
        return self._placed[-1].top + self._placed[-1].height if self._placed else 0.0

    @property
    def visible_lanes_height(self) -> float:
        """Height of the room for lanes."""
        return max(self.height() - self.ruler_height, 1.0)

    @property
    def scroll_y(self) -> float:
        """How far the lanes are scrolled down."""
        return self._scroll_y

    def rebuild(self) -> None:
        """Take over a changed content: lanes may have come or gone."""
        self._lanes = lanes_of(self.content)
        self.touched = None
        self._place_lanes()
        self.repaint_all()

    def _place_lanes(self) -> None:
        least = [lane.least_height * self.height_scale for lane in self._lanes]
        spare = max(self.visible_lanes_height - sum(least), 0.0)
        stretches = sum(lane.stretch for lane in self._lanes) or 1.0
        self._placed, top = [], 0.0
        for lane, height in zip(self._lanes, least, strict=True):
            tall = float(int(height + spare * lane.stretch / stretches))  # whole pixels, never more than there are
            self._placed.append(PlacedLane(lane, top, tall))
            top += tall
        self._scroll_y = min(self._scroll_y, max(self.lanes_height - self.visible_lanes_height, 0.0))
        self.lanes_changed.emit()

    def set_scroll_y(self, value: float) -> None:
        """Scroll the lanes up or down."""
        value = min(max(value, 0.0), max(self.lanes_height - self.visible_lanes_height, 0.0))
        if value != self._scroll_y:
            self._scroll_y = float(round(value))
            self.repaint_all()
            self.lanes_changed.emit()

    def set_height_scale(self, scale: float) -> None:
        """Make lanes taller or flatter."""
        self.height_scale = min(max(scale, 0.5), 6.0)
        self._place_lanes()
        self.repaint_all()

    def set_axis(self, axis: TimeAxis) -> None:
        """Show another range."""
        axis = replace(axis, width_px=max(self.width() - HEADER_PX, 1.0)).clamped()
        axis = axis.snapped(1.0 / self.devicePixelRatioF())
        if axis != self.axis:
            self.axis = axis
            self.update()
            self.axis_changed.emit()

    def set_theme(self, theme: Theme) -> None:
        """Change all colours."""
        if theme != self.theme:
            self.theme = theme
            self.repaint_all()

    def repaint_all(self) -> None:
        """Forget what was painted."""
        self._backing = None
        self.update()

    # ------------------------------------------------------------------------------------------ geometry

    def frame_at(self, x: float) -> int:
        """Convert the widget's x to a frame of the recording."""
        return self.axis.x_to_whole_frame(x - HEADER_PX)

    def x_of(self, frame: float) -> float:
        """Convert a frame to the widget's x."""
        return HEADER_PX + self.axis.frame_to_x(frame)

    @property
    def lanes_offset(self) -> float:
        """The widget's y of the top of all lanes."""
        return self.ruler_height - self._scroll_y

    @property
    def placed(self) -> tuple[PlacedLane, ...]:
        """All lanes with their places."""
        return tuple(self._placed)

    def lane_at(self, y: float) -> PlacedLane | None:
        """Return the lane at the widget's y; None in the ruler and below the last."""
        inner = y - self.ruler_height + self._scroll_y
        if y < self.ruler_height:
            return None
        return next((p for p in self._placed if p.top <= inner < p.top + p.height), None)

    def hit_at(self, position: QPointF) -> tuple[Lane, Hit] | None:
        """Return what lies under a point of the widget."""
        placed = self.lane_at(position.y())
        if placed is None or position.x() < HEADER_PX:
            return None
        frame = self.axis.x_to_frame(position.x() - HEADER_PX)
        y = position.y() - self.ruler_height + self._scroll_y - placed.top
        hit = placed.lane.hit(frame, y, placed.height, 1.5 * self.axis.frames_per_px)
        return None if hit is None else (placed.lane, hit)

    # ------------------------------------------------------------------------------------------ painting

    def set_playhead(self, frame: int | None) -> None:
        """Move the playhead; repaints only where it was and is."""
        for each in (self.playhead_frame, frame):
            if each is not None:
                self.update(QRect(int(self.x_of(each)) - 8, 0, 16, self.height()))
        self.playhead_frame = frame

    def paintEvent(self, event: QPaintEvent) -> None:
        self._bring_up_to_date()
        assert self._backing is not None
        painter = QPainter(self)
        painter.setClipRect(event.rect())
        painter.drawPixmap(0, 0, self._backing)
        painter.setFont(small_font(self.font()))
        paint_overlay(self.context(painter, HEADER_PX, float(self.width())), self._overlay_state())
        if self.hasFocus():
            self._paint_focus(painter)
        painter.end()

    def _overlay_state(self) -> OverlayState:
        return OverlayState(
            float(self.width()),
            float(self.height()),
            self.ruler_height,
            self.lanes_offset,
            tuple(self._placed),
            self.playhead_frame,
            self.selection,
            self.loop,
            self.touched,
            self.content.layout,
            self.points,
            self.content.finished,
        )

    def _paint_focus(self, painter: QPainter) -> None:
        """Frame the canvas; four thin fills, since outlining so large a rectangle takes milliseconds."""
        wide, tall = self.width(), self.height()
        painter.setClipping(False)
        for rect in ((0, 0, wide, 1), (0, tall - 1, wide, 1), (0, 0, 1, tall), (wide - 1, 0, 1, tall)):
            painter.fillRect(QRectF(*rect), translucent(self.theme.accent, 0.75))

    def _bring_up_to_date(self) -> None:
        ratio = self.devicePixelRatioF()
        size = self.size() * ratio
        if self._backing is None or self._backing.size() != size or self._backing.devicePixelRatioF() != ratio:
            self._backing = QPixmap(size)
            self._backing.setDevicePixelRatio(ratio)
            self._painted_axis = None
        if self._painted_axis != self.axis:
            self._paint_backing(*self._stretch_to_paint(ratio))
            self._painted_axis = self.axis

    def _stretch_to_paint(self, ratio: float) -> tuple[float, float]:
        """Move what can be kept of the pixmap, and return from where to where it has to be painted anew."""
        assert self._backing is not None
        everything = (0.0, float(self.width()))
        old, new = self._painted_axis, self.axis
        if old is None or replace(old, start_frame=0.0) != replace(new, start_frame=0.0):
            return everything
        shift_px = round((old.start_frame - new.start_frame) / new.frames_per_px * ratio)
        first, last = round(HEADER_PX * ratio), self._backing.width()
        if abs(shift_px) >= last - first:
            return everything
        top = round(self.ruler_height * ratio)
        self._backing.scroll(shift_px, 0, QRect(first, top, last - first, self._backing.height() - top))
        if shift_px > 0:
            return HEADER_PX, HEADER_PX + shift_px / ratio
        return self.width() + shift_px / ratio, float(self.width())

    def context(self, painter: QPainter, left: float, right: float) -> PaintContext:
        """Return what lanes paint with, from x `left` to `right`."""
        return PaintContext(painter, self.axis, self.theme, self.devicePixelRatioF(), HEADER_PX, left, right)

    def _paint_backing(self, left: float, right: float) -> None:
        assert self._backing is not None
        painter = QPainter(self._backing)
        painter.setFont(small_font(self.font()))
        theme, width, top = self.theme, float(self.width()), self.ruler_height
        ctx = self.context(painter, max(left, HEADER_PX), right)
        marks = self._ruler.marks(ctx)
        with _clipped(painter, QRectF(ctx.clip_left, top, right - ctx.clip_left, self.height() - top)):
            painter.fillRect(QRectF(left, top, right - left, self.height() - top), theme.ground)
            offset = top - self._scroll_y
            visible = [p for p in self._placed if p.top + p.height + offset > top and p.top + offset < self.height()]
            for placed in visible:
                placed.lane.paint_ground(ctx, placed.top + offset, placed.height)
            self._ruler.paint_lines(ctx, marks, top, float(self.height()))
            for placed in visible:
                with _clipped(painter, QRectF(ctx.clip_left, placed.top + offset, right, placed.height)):
                    placed.lane.paint(ctx, placed.top + offset, placed.height)
                ctx.horizontal(placed.top + offset + placed.height, ctx.clip_left, right, theme.bar_line)
        whole = replace(ctx, clip_left=HEADER_PX, clip_right=width)
        with _clipped(painter, QRectF(HEADER_PX, 0, width, top)):
            painter.fillRect(QRectF(HEADER_PX, 0, width, top), theme.header)
            self._ruler.paint(whole, marks)
        if left < HEADER_PX:
            self._paint_headers(whole)
        painter.end()

    def _paint_headers(self, ctx: PaintContext) -> None:
        painter, theme, top = ctx.painter, self.theme, self.ruler_height
        painter.fillRect(QRectF(0, 0, HEADER_PX, self.height()), theme.header)
        for placed in self._placed:
            y = placed.top + top - self._scroll_y
            rect = QRectF(0, max(y, top), HEADER_PX, placed.height + min(y - top, 0.0))
            if rect.bottom() > top and rect.top() < self.height():
                with _clipped(painter, rect):
                    placed.lane.paint_header(ctx, QRectF(0, y, HEADER_PX, placed.height))
                ctx.horizontal(y + placed.height, 0, HEADER_PX, theme.bar_line)
        if self.content.layout is not None:
            ctx.text(QRectF(10, 0, HEADER_PX - 18, ROW_PX), "Bar", theme.faint_text)
        ctx.text(QRectF(10, top - ROW_PX, HEADER_PX - 18, ROW_PX), "Time", theme.faint_text)
        ctx.horizontal(top - ctx.hair, 0, HEADER_PX, theme.border)
        ctx.vertical(HEADER_PX - ctx.hair, 0, float(self.height()), theme.border)

    # -------------------------------------------------------------------------------------------- events

    def resizeEvent(self, event: QResizeEvent) -> None:
        axis = self.axis.resized(max(self.width() - HEADER_PX, 1.0))
        self._place_lanes()
        self._backing = None
        self.set_axis(axis)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.repaint_all()


class _clipped:  # noqa: N801 - reads as a verb where it is used
    """Paint inside a rectangle only, then give the former clip back."""

    def __init__(self, painter: QPainter, rect: QRectF) -> None:
        self._painter, self._rect = painter, rect

    def __enter__(self) -> None:
        self._painter.save()
        self._painter.setClipRect(self._rect, Qt.ClipOperation.IntersectClip)

    def __exit__(self, *_: object) -> None:
        self._painter.restore()
