"""Correcting who plays when in the timeline: edges of activity are dragged, and a menu is asked for at a place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QMouseEvent

from scoresep.model.alignment import Alignment
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import Activity
from scoresep.model.time_warping import find_edge, find_note_edge, with_edge
from scoresep.qt.timeline.gestures import GRASP_PX, SNAP_PX, Dragging
from scoresep.qt.timeline.lane import HEADER_PX
from scoresep.qt.timeline.segment_item import PartItem, SegmentItem
from scoresep.qt.timeline.timeline_navigation import TimelineNavigation


@dataclass(frozen=True)
class Edge:
    """The start or end of a stretch of a part.

    Attributes
    ----------
    part_index : int
    stretch : int
    is_start : bool
    frame : int
    """

    part_index: int
    stretch: int
    is_start: bool
    frame: int


@dataclass(frozen=True)
class MenuPlace:
    """Where a menu is asked for.

    Attributes
    ----------
    position : QPoint
        On the screen.
    frame : int
    start_frame, end_frame : int
        The range that is meant: the selection where the pointer is inside, else the segment.
    part_index : int or None
        The part whose lane it is; None for the strip of segments.
    """

    position: QPoint
    frame: int
    start_frame: int
    end_frame: int
    part_index: int | None


class EdgeEditing(Dragging):
    """Turns drags of edges and right clicks into wishes.

    Signals
    -------
    move_asked(Edge, int)
        Put an edge on a frame.
    menu_asked(MenuPlace)

    Parameters
    ----------
    view : TimelineNavigation
    show : callable
        Shows activities as a preview; None shows the present ones again.
    """

    move_asked = Signal(object, object)
    menu_asked = Signal(object)

    def __init__(self, view: TimelineNavigation, show: Callable[[tuple[Activity, ...] | None], None]) -> None:
        super().__init__(view)
        self._show = show
        self._unfolded: UnfoldedScore | None = None
        self._alignment: Alignment | None = None
        self._activities: tuple[Activity, ...] | None = None
        self._handlers[QEvent.Type.ContextMenu] = self._menu

    def _is_possible(self) -> bool:
        return self._activities is not None

    def set_alignment(self, unfolded: UnfoldedScore | None, alignment: Alignment | None) -> None:
        """Take over the notes that edges snap to."""
        self._unfolded, self._alignment = unfolded, alignment

    def set_activities(self, activities: tuple[Activity, ...] | None) -> None:
        """Take over other activities; a drag in the old ones ends."""
        self.cancel()
        self._activities = activities

    def edge_at(self, position: QPointF) -> Edge | None:
        """Return the edge that can be grasped under the pointer; only while correcting."""
        placed = self._canvas.lane_at(position.y())
        is_possible = self._canvas.points.is_correcting and placed is not None and position.x() >= HEADER_PX
        if not is_possible or placed is None or not isinstance(placed.lane, PartItem):
            return None
        part = placed.lane.part_index
        activity = next((a for a in self._activities or () if a.part_index == part), None)
        if activity is None or part is None:
            return None
        axis = self._canvas.axis
        frame = axis.x_to_frame(position.x() - HEADER_PX)
        found = find_edge(activity, frame, GRASP_PX * axis.frames_per_px)
        if found is None:
            return None
        column = activity.start_frame if found[1] else activity.end_frame
        return Edge(part, found[0], found[1], int(column[found[0]]))

    def _grasped(self, position: QPointF) -> Edge | None:
        return self.edge_at(position)

    def _drag_to(self, event: QMouseEvent, held: Edge) -> int:
        moved_px = event.position().x() - self._pressed_at.x()
        frame = held.frame + round(moved_px * self._canvas.axis.frames_per_px)
        if not event.modifiers() & Qt.KeyboardModifier.AltModifier:
            frame = self._snapped(held.part_index, frame)
        frame = min(max(frame, 0), self._view.total_frames)
        self._preview(held, frame)
        return frame

    def _snapped(self, part_index: int, frame: int) -> int:
        if self._unfolded is None or self._alignment is None:
            return frame
        near = SNAP_PX * self._canvas.axis.frames_per_px
        found = find_note_edge(self._unfolded.notes, self._alignment.note_times, part_index, frame, near)
        return frame if found is None else found

    def _preview(self, edge: Edge, frame: int) -> None:
        activities = self._activities or ()
        self._show(
            tuple(
                with_edge(a, edge.stretch, edge.is_start, frame) if a.part_index == edge.part_index else a
                for a in activities
            )
        )

    def _put_back(self, held: Edge) -> None:
        self._show(None)

    def _clicked(self, held: Edge) -> None:
        self._view.seek(held.frame)

    def _let_go(self, held: Edge, target: int) -> None:
        if target != held.frame:
            self.move_asked.emit(held, target)

    def _menu(self, event: QContextMenuEvent) -> bool:
        position, at = QPointF(event.pos()), event.globalPos()
        if event.reason() is QContextMenuEvent.Reason.Keyboard:
            position = self._segment_at_playhead()
            at = self._canvas.mapToGlobal(position.toPoint())
        placed = self._canvas.lane_at(position.y())
        if placed is None or position.x() < HEADER_PX or not isinstance(placed.lane, SegmentItem | PartItem):
            return False
        frame = self._canvas.frame_at(position.x())
        selection = self._view.selection
        if selection is not None and selection[0] <= frame < selection[1]:
            start, end = selection
        else:
            segments = self._canvas.content.segments
            found = next((s for s in segments if s.start_frame <= frame < s.end_frame), None)
            if found is None:
                return False
            start, end = found.start_frame, found.end_frame
        part = placed.lane.part_index if isinstance(placed.lane, PartItem) else None
        self.menu_asked.emit(MenuPlace(at, frame, start, end, part))
        return True

    def _segment_at_playhead(self) -> QPointF:
        """Return where the playhead crosses the strip of segments, brought into sight."""
        canvas, frame = self._canvas, self._view.playhead_frame or 0
        canvas.set_axis(canvas.axis.containing(frame))
        placed = next((p for p in canvas.placed if isinstance(p.lane, SegmentItem)), None)
        if placed is None:
            return QPointF(-1.0, -1.0)
        middle = placed.top + placed.height / 2
        if not canvas.ruler_height <= middle + canvas.lanes_offset < canvas.height():
            canvas.set_scroll_y(middle - canvas.visible_lanes_height / 2)
        return QPointF(canvas.x_of(frame + 0.5), middle + canvas.lanes_offset)
