"""The surface of the timeline: lays lanes out from top to bottom, and says what lies where; `scene` paints it."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from PySide6.QtCore import QEvent, QPointF, QRect, QSize, Signal
from PySide6.QtGui import QFocusEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QWidget

from scoresep.qt.timeline.curve_item import ConfidenceItem, QualityItem, TempoItem
from scoresep.qt.timeline.lane import HEADER_PX, Hit, Lane, PlacedLane, TimelineContent
from scoresep.qt.timeline.note_item import NoteItem
from scoresep.qt.timeline.overlay import OverlayState
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.points import PointsShown
from scoresep.qt.timeline.ruler_item import RulerItem
from scoresep.qt.timeline.segment_item import PartItem, SegmentItem
from scoresep.qt.timeline.spectrogram_item import SpectrogramItem
from scoresep.qt.timeline.time_axis import TimeAxis
from scoresep.qt.timeline.waveform_item import WaveformItem
from scoresep.qt.widgets.theme import Theme


class Surface(Protocol):
    """What paints a canvas: a widget that fills it."""

    def resize(self, size: QSize, /) -> None:
        """Take the size of the canvas."""

    def place(self, placed: tuple[PlacedLane, ...]) -> None:
        """Show these lanes."""

    def move_lanes(self) -> None:
        """Show them where the canvas has scrolled them to."""

    def show_axis(self, axis: TimeAxis) -> None:
        """Show another range of time."""

    def forget(self) -> None:
        """Forget what was painted."""

    def repaint_overlay(self) -> None:
        """Paint anew what lies over the lanes."""

    def repaint_playhead(self, rect: QRect) -> None:
        """Paint anew where the playhead was or is."""


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
    """Lays the content out along a time axis. What the pointer and keys do with it is told in `gestures`.

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
        self.ruler = RulerItem(content)
        self._placed: list[PlacedLane] = []
        self._scroll_y = 0.0
        self._surface: Surface | None = None
        self.setMinimumSize(320, 160)
        self.setMouseTracking(True)
        self.rebuild()

    def paint_with(self, surface: Surface) -> None:
        """Let a widget paint the canvas."""
        self._surface = surface
        surface.resize(self.size())
        self._place_lanes()

    # ------------------------------------------------------------------------------------------- layout

    @property
    def ruler_height(self) -> float:
        """Height of the ruler in logical pixels."""
        return self.ruler.height

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
        if self._surface is not None:
            self._surface.place(self.placed)
        self.lanes_changed.emit()

    def set_scroll_y(self, value: float) -> None:
        """Scroll the lanes up or down."""
        value = min(max(value, 0.0), max(self.lanes_height - self.visible_lanes_height, 0.0))
        if value != self._scroll_y:
            self._scroll_y = float(round(value))
            if self._surface is not None:
                self._surface.move_lanes()
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
            if self._surface is not None:
                self._surface.show_axis(axis)
            self.axis_changed.emit()

    def set_theme(self, theme: Theme) -> None:
        """Change all colours."""
        if theme != self.theme:
            self.theme = theme
            self.repaint_all()

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
            if each is not None and self._surface is not None:
                self._surface.repaint_playhead(QRect(int(self.x_of(each)) - 8, 0, 16, self.height()))
        self.playhead_frame = frame

    def overlay_state(self) -> OverlayState:
        """Return what lies over the lanes."""
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

    def context(self, painter: QPainter, left: float, right: float) -> PaintContext:
        """Return what is painted with over the width of the canvas, from x `left` to `right`.

        Parameters
        ----------
        painter : QPainter
        left, right : float
            In logical pixels.
        """
        sight = self.axis.start_frame, self.axis.end_frame
        return PaintContext(painter, self.axis, self.theme, self.devicePixelRatioF(), HEADER_PX, left, right, sight)

    def repaint_overlay(self) -> None:
        """Paint anew what lies over the lanes."""
        if self._surface is not None:
            self._surface.repaint_overlay()

    def repaint_all(self) -> None:
        """Forget what was painted."""
        if self._surface is not None:
            self._surface.forget()

    # -------------------------------------------------------------------------------------------- events

    def resizeEvent(self, event: QResizeEvent) -> None:
        if self._surface is not None:
            self._surface.resize(self.size())
        axis = self.axis.resized(max(self.width() - HEADER_PX, 1.0))
        self._place_lanes()
        self.set_axis(axis)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.repaint_overlay()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.repaint_overlay()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.repaint_all()
