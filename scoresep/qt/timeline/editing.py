"""Correcting the alignment in the timeline: points are selected, dragged, nudged, tapped and freed.

A drag paints a preview and asks for one change on release; what is asked for is done by whoever listens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent

from scoresep.model.alignment import Alignment
from scoresep.model.attacks import WINDOW_S, attack_near
from scoresep.model.bending import Reach, bent_alignment, room_for, shifted_alignment
from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import SAME_QUARTER
from scoresep.qt.timeline.difference import DOUBTFUL
from scoresep.qt.timeline.gestures import DRAG_FROM_PX
from scoresep.qt.timeline.note_item import NoteItem
from scoresep.qt.timeline.points import (
    Dragged,
    Handle,
    PointsShown,
    grid_quarters,
    handles_in,
    name_of,
    nearest_handle,
    point_at,
)
from scoresep.qt.timeline.ruler_item import ROW_PX
from scoresep.qt.timeline.timeline_canvas import HEADER_PX
from scoresep.qt.timeline.timeline_navigation import TimelineNavigation

GRASP_PX = 5.0
SNAP_PX = 8.0
MOST_SNAP_S = 0.06
TAP_SNAP_S = 0.04
# Two unsure places nearer than this are one.
UNSURE_APART_S = 0.5


@dataclass(frozen=True)
class _Grasp:
    """A position that the pointer holds."""

    handle: Handle
    pressed_at: QPointF
    offset_frames: int
    shifts_rest: bool


class Editing(QObject):
    """Turns pointer and calls into wishes to correct the alignment.

    Signals
    -------
    place_asked(SyncPoint, Reach)
    shift_asked(SyncPoint)
        Put a position there, and move all that comes after by as much.
    free_asked(SyncPoint)
    selected()
        Another point, or none.

    Parameters
    ----------
    view : TimelineNavigation
    show : callable
        Shows an alignment as a preview; None shows the present one again.
    """

    place_asked = Signal(object, object)
    shift_asked = Signal(object)
    free_asked = Signal(object)
    selected = Signal()

    def __init__(self, view: TimelineNavigation, show: Callable[[Alignment | None], None]) -> None:
        super().__init__(view)
        self._view = view
        self._canvas = view.canvas
        self._show = show
        self._unfolded: UnfoldedScore | None = None
        self._alignment: Alignment | None = None
        self._grasp: _Grasp | None = None
        self._is_dragging = False
        self._tapped: tuple[float, int] | None = None
        self._canvas.installEventFilter(self)
        self._handlers: dict[QEvent.Type, Callable[..., bool]] = {
            QEvent.Type.MouseButtonPress: self._press,
            QEvent.Type.MouseMove: self._move,
            QEvent.Type.MouseButtonRelease: self._release,
            QEvent.Type.KeyPress: self._key,
            QEvent.Type.ShortcutOverride: self._override,
        }

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        handler = self._handlers.get(event.type())
        return handler(event) if handler is not None and self._alignment is not None else False

    # -------------------------------------------------------------------------------------------- state

    def set_alignment(self, unfolded: UnfoldedScore | None, alignment: Alignment | None) -> None:
        """Take over another alignment; a drag in the old one ends, a selected point stays if it is still played."""
        self.cancel()
        is_same_path = unfolded == self._unfolded
        self._unfolded, self._alignment = unfolded, alignment if unfolded is not None else None
        if alignment is None or not is_same_path:
            self._tapped = None
            self.select(None)

    @property
    def is_correcting(self) -> bool:
        """Whether all points are shown and can be grasped anywhere."""
        return self._canvas.points.is_correcting

    def set_correcting(self, is_correcting: bool) -> None:
        """Show all points and let them be grasped over the lanes, or only those by hand and in the ruler."""
        self._put(is_correcting=is_correcting)

    @property
    def selected_quarter(self) -> float | None:
        """Where the selected point lies in the score."""
        return self._canvas.points.selected_quarter

    @property
    def is_selected_by_hand(self) -> bool:
        """Whether the selected point was placed by hand."""
        if self._alignment is None or self.selected_quarter is None:
            return False
        time_map = self._alignment.time_map
        by_hand = time_map.quarter[time_map.is_by_hand]
        return bool(np.any(np.abs(by_hand - self.selected_quarter) <= SAME_QUARTER))

    @property
    def is_dragging(self) -> bool:
        """Whether a point is being dragged."""
        return self._is_dragging

    def select(self, quarter: float | None) -> None:
        """Select the point at a position, or none."""
        if quarter != self.selected_quarter:
            self._put(selected_quarter=quarter)
            self.selected.emit()

    def cancel(self) -> None:
        """End a drag; everything is as before."""
        self._grasp = None
        if self._is_dragging:
            self._is_dragging = False
            self._put(dragged=None)
            self._show(None)

    def _put(self, **values: object) -> None:
        shown: PointsShown = replace(self._canvas.points, **values)  # type: ignore[arg-type]
        if shown != self._canvas.points:
            self._canvas.points = shown
            self._canvas.update()

    # ------------------------------------------------------------------------------------------ pointer

    def handle_at(self, position: QPointF) -> Handle | None:
        """Return what can be grasped under the pointer."""
        layout = self._canvas.content.layout
        if layout is None or not layout.is_aligned or position.x() < HEADER_PX:
            return None
        frame = self._canvas.axis.x_to_frame(position.x() - HEADER_PX)
        reach = GRASP_PX * self._canvas.axis.frames_per_px
        if position.y() <= ROW_PX + GRASP_PX:
            return nearest_handle(handles_in(layout, self._canvas.axis, True), frame, reach)
        if not self.is_correcting or position.y() < self._canvas.ruler_height:
            return None
        hit = self._canvas.hit_at(position)
        if hit is not None and isinstance(hit[0], NoteItem) and hit[1].place is not None:
            row = int(layout.row[hit[1].place])
            return Handle(float(layout.unfolded.notes.onset_quarter[row]), hit[1].start_frame)
        return nearest_handle(handles_in(layout, self._canvas.axis, True), frame, reach)

    def _press(self, event: QMouseEvent) -> bool:
        if self._grasp is not None:  # another button
            self.cancel()
            return True
        with_control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        handle = self.handle_at(event.position()) if not with_control else None
        if event.button() != Qt.MouseButton.LeftButton or handle is None:
            return False
        offset = round(self._canvas.axis.x_to_frame(event.position().x() - HEADER_PX)) - handle.frame
        shifts_rest = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._grasp = _Grasp(handle, event.position(), offset, shifts_rest)
        return True

    def _move(self, event: QMouseEvent) -> bool:
        grasp = self._grasp
        if grasp is None:
            is_free = event.buttons() == Qt.MouseButton.NoButton
            if not is_free or self.handle_at(event.position()) is None:
                return False
            self._canvas.setCursor(Qt.CursorShape.SplitHCursor)
            self._view.hover(event.position())
            return True
        if self._is_dragging or abs(event.position().x() - grasp.pressed_at.x()) >= DRAG_FROM_PX:
            self._drag_to(event, grasp)
        return True

    def _drag_to(self, event: QMouseEvent, grasp: _Grasp) -> None:
        assert self._alignment is not None and self._unfolded is not None
        if not self._is_dragging:
            self._is_dragging = True
            self.select(grasp.handle.quarter)
        quarter = grasp.handle.quarter
        low, high = self._room(quarter, grasp.shifts_rest)
        if high < low:
            self.cancel()
            return
        wanted = round(self._canvas.axis.x_to_frame(event.position().x() - HEADER_PX)) - grasp.offset_frames
        attack = None
        if not event.modifiers() & Qt.KeyboardModifier.AltModifier:
            radius_s = min(SNAP_PX * self._canvas.axis.frames_per_px / self._view.sample_rate, MOST_SNAP_S)
            attack = self._attack_near(wanted, radius_s)
        frame = min(max(wanted if attack is None else attack, low), high)
        preview = (
            shifted_alignment(self._alignment, self._unfolded, quarter, frame)
            if grasp.shifts_rest
            else bent_alignment(self._alignment, self._unfolded, quarter, frame, Reach.NEAR)
        )
        dragged = self._canvas.points.dragged
        present = dragged.present if dragged is not None else self._canvas.content.layout
        assert present is not None
        moved_s = (frame - grasp.handle.frame) / self._view.sample_rate
        text = f"{name_of(present, quarter)}  {moved_s:+.3f} s"
        self._show(preview)
        self._put(dragged=Dragged(quarter, frame, present, frame == attack, text))

    def _release(self, event: QMouseEvent) -> bool:
        grasp, dragged, was_dragging = self._grasp, self._canvas.points.dragged, self._is_dragging
        if grasp is None:
            return False
        self.cancel()
        if not was_dragging:
            self.select(grasp.handle.quarter)
            self._view.seek(grasp.handle.frame)
        elif dragged is not None and self._unfolded is not None and dragged.frame != grasp.handle.frame:
            point = point_at(self._unfolded, dragged.quarter, dragged.frame)
            if grasp.shifts_rest:
                self.shift_asked.emit(point)
            else:
                self.place_asked.emit(point, Reach.NEAR)
        return True

    def _key(self, event: QKeyEvent) -> bool:
        if self._grasp is None:
            return False
        if event.key() == Qt.Key.Key_Escape:
            self.cancel()
        return True

    def _override(self, event: QKeyEvent) -> bool:
        """Keep shortcuts away from a drag: the keys come to `_key`."""
        if self._grasp is not None:
            event.accept()
        return self._grasp is not None

    def _room(self, quarter: float, shifts_rest: bool = False) -> tuple[int, int]:
        assert self._alignment is not None
        return room_for(self._alignment.time_map, quarter, self._view.total_frames, shifts_rest)

    def _attack_near(self, frame: int, radius_s: float) -> int | None:
        recording, rate = self._canvas.content.recording, self._view.sample_rate
        if recording is None or recording.source is None:
            return None
        radius, spare = round(radius_s * rate), 2 * round(WINDOW_S * rate)
        first = max(frame - radius - spare, 0)
        samples = recording.samples(first, min(frame + radius + spare, recording.frames))
        found = attack_near(samples, rate, frame - first, radius)
        return None if found is None else first + found

    # --------------------------------------------------------------------------------------------- keys

    def step_point(self, direction: int) -> None:
        """Select the next or previous bar line or point by hand, seen from the selected one or the playhead."""
        if self._alignment is None or self._unfolded is None:
            return
        time_map = self._alignment.time_map
        bars = grid_quarters(self._unfolded, 0, len(self._unfolded.path.steps), with_beats=False)
        quarters = np.unique(np.concatenate([bars, time_map.quarter[time_map.is_by_hand]]))
        here = self.selected_quarter
        if here is None:
            here = time_map.frame_to_quarter(self._view.playhead_frame or 0)
        beyond = quarters[(quarters - here) * direction > SAME_QUARTER]
        if len(beyond):
            self._go_to(float(beyond[0] if direction > 0 else beyond[-1]))

    def step_unsure(self, direction: int) -> bool:
        """Select the next or previous place where notes are doubtful; False where there is none."""
        layout = self._canvas.content.layout
        if layout is None or not layout.is_aligned:
            return False
        onset = layout.onset_frame[layout.confidence < DOUBTFUL]
        apart = UNSURE_APART_S * self._view.sample_rate
        starts = onset[np.concatenate([[True], np.diff(onset) > apart])] if len(onset) else onset
        here = self._view.playhead_frame or 0
        beyond = starts[(starts - here) * direction > 0]
        if not len(beyond):
            return False
        frame = int(beyond[0] if direction > 0 else beyond[-1])
        place = int(np.flatnonzero((layout.onset_frame == frame) & (layout.confidence < DOUBTFUL))[0])
        self.select(float(layout.unfolded.notes.onset_quarter[layout.row[place]]))
        self._view.seek(frame)
        return True

    def _go_to(self, quarter: float) -> None:
        assert self._alignment is not None
        self.select(quarter)
        self._view.seek(self._alignment.time_map.quarter_to_frame(quarter))

    def nudge(self, milliseconds: float) -> None:
        """Move the selected point a little; none selected takes the bar line nearest to the playhead."""
        if self._alignment is None or self._unfolded is None:
            return
        if self.selected_quarter is None:
            self.select(self._nearest(self._view.playhead_frame or 0, with_beats=False))
        quarter = self.selected_quarter
        if quarter is None:
            return
        low, high = self._room(quarter)
        step = round(milliseconds / 1000 * self._view.sample_rate)
        frame = min(max(self._alignment.time_map.quarter_to_frame(quarter) + step, low), high)
        self.place_asked.emit(point_at(self._unfolded, quarter, frame), Reach.NEAR)

    def free(self) -> None:
        """Ask for the selected point to be no longer by hand."""
        if self._unfolded is not None and self._alignment is not None and self.selected_quarter is not None:
            frame = self._alignment.time_map.quarter_to_frame(self.selected_quarter)
            self.free_asked.emit(point_at(self._unfolded, self.selected_quarter, frame))

    def tap(self, frame: int, with_beats: bool) -> None:
        """Put the next bar line (or beat) where the playhead is; the first tap takes the nearest.

        Who goes back in time and taps again goes on from there.
        """
        if self._alignment is None or self._unfolded is None:
            return
        attack = self._attack_near(frame, TAP_SNAP_S)
        frame = frame if attack is None else attack
        quarter = self._next_to_tap(frame, with_beats)
        low, high = self._room(quarter)
        self._tapped = (quarter, frame) if low <= frame <= high else None
        self.select(quarter)
        self.place_asked.emit(point_at(self._unfolded, quarter, frame), Reach.ONWARD)

    def _next_to_tap(self, frame: int, with_beats: bool) -> float:
        assert self._alignment is not None and self._unfolded is not None
        if self._tapped is not None:
            quarter, tapped_frame = self._tapped
            time_map = self._alignment.time_map
            is_there = time_map.quarter_to_frame(quarter) == tapped_frame
            expected = self._after(quarter, with_beats)
            bars_on = abs(time_map.quarter_to_frame(expected) - frame) / max(frame - tapped_frame, 1)
            if is_there and frame > tapped_frame and expected > quarter and bars_on < 1.0:
                return expected
        return self._nearest(frame, with_beats)

    def _grid(self, with_beats: bool) -> np.ndarray:
        assert self._unfolded is not None
        return grid_quarters(self._unfolded, 0, len(self._unfolded.path.steps), with_beats)

    def _after(self, quarter: float, with_beats: bool) -> float:
        later = self._grid(with_beats)
        later = later[later > quarter + SAME_QUARTER]
        return float(later[0]) if len(later) else quarter

    def _nearest(self, frame: int, with_beats: bool) -> float:
        assert self._alignment is not None
        quarters = self._grid(with_beats)
        frames = self._alignment.time_map.quarters_to_frames(quarters)
        return float(quarters[np.argmin(np.abs(frames - frame))])
