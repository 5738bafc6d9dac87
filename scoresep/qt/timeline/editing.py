"""Correcting the alignment in the timeline: points are selected, dragged, nudged, tapped and freed.

A drag paints a preview and asks for one change on release; what is asked for is done by whoever listens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent

from scoresep.model.alignment import Alignment
from scoresep.model.score import UnfoldedScore
from scoresep.model.time_warping import WarpExtent, room_for, shift_alignment, warp_alignment
from scoresep.model.timebase import SAME_QUARTER
from scoresep.model.timemap import grid_quarters
from scoresep.qt.timeline.difference import DOUBTFUL
from scoresep.qt.timeline.dragging import GRASP_PX, Dragging
from scoresep.qt.timeline.lane import HEADER_PX
from scoresep.qt.timeline.points import (
    Dragged,
    Handle,
    handles_in,
    name_of,
    nearest_handle,
    point_at,
)
from scoresep.qt.timeline.ruler_item import ROW_PX
from scoresep.qt.timeline.timeline_navigation import TimelineNavigation

TAP_SNAP_S = 0.04
# Two doubtful places nearer than this are one.
DOUBTFUL_APART_S = 0.5


@dataclass(frozen=True)
class _Grasp:
    """A position that the pointer holds."""

    handle: Handle
    offset_frames: int
    shifts_rest: bool


class Editing(Dragging):
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
    cursor = Qt.CursorShape.SplitHCursor

    def __init__(self, view: TimelineNavigation, show: Callable[[Alignment | None], None]) -> None:
        super().__init__(view)
        self._show = show
        self._unfolded: UnfoldedScore | None = None
        self._alignment: Alignment | None = None
        self._tapped: tuple[float, int] | None = None

    def _is_possible(self) -> bool:
        return self._alignment is not None

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

    def select(self, quarter: float | None) -> None:
        """Select the point at a position, or none."""
        if quarter != self.selected_quarter:
            self._put(selected_quarter=quarter)
            self.selected.emit()

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
        if hit is not None and hit[1].place is not None:
            row = int(layout.row[hit[1].place])
            return Handle(float(layout.unfolded.notes.onset_quarter[row]), hit[1].start_frame)
        return nearest_handle(handles_in(layout, self._canvas.axis, True), frame, reach)

    def _grasped(self, position: QPointF) -> Handle | None:
        return self.handle_at(position)

    def _pressed(self, event: QMouseEvent, grasped: Handle) -> _Grasp | None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return None  # a range is selected from bar line to bar line
        offset = round(self._canvas.axis.x_to_frame(event.position().x() - HEADER_PX)) - grasped.frame
        return _Grasp(grasped, offset, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))

    def _drag_to(self, event: QMouseEvent, held: _Grasp) -> Dragged | None:
        assert self._alignment is not None and self._unfolded is not None
        quarter = held.handle.quarter
        if not self.is_dragging:
            self.select(quarter)
        low, high = self._room(quarter, held.shifts_rest)
        if high < low:
            return None
        wanted = round(self._canvas.axis.x_to_frame(event.position().x() - HEADER_PX)) - held.offset_frames
        attack = self._attack_under(event, wanted)
        frame = min(max(wanted if attack is None else attack, low), high)
        preview = (
            shift_alignment(self._alignment, self._unfolded, quarter, frame)
            if held.shifts_rest
            else warp_alignment(self._alignment, self._unfolded, quarter, frame, WarpExtent.NEAR)
        )
        present = self._target.present if self._target is not None else self._canvas.content.layout
        assert present is not None
        moved_s = (frame - held.handle.frame) / self._view.sample_rate
        text = f"{name_of(present, quarter)}  {moved_s:+.3f} s"
        dragged = Dragged(quarter, frame, present, frame == attack, text)
        self._show(preview)
        self._put(dragged=dragged)
        return dragged

    def _put_back(self, held: _Grasp) -> None:
        self._put(dragged=None)
        self._show(None)

    def _clicked(self, held: _Grasp) -> None:
        self.select(held.handle.quarter)
        self._view.seek(held.handle.frame)

    def _let_go(self, held: _Grasp, target: Dragged) -> None:
        if self._unfolded is None or target.frame == held.handle.frame:
            return
        point = point_at(self._unfolded, target.quarter, target.frame)
        if held.shifts_rest:
            self.shift_asked.emit(point)
        else:
            self.place_asked.emit(point, WarpExtent.NEAR)

    def _room(self, quarter: float, shifts_rest: bool = False) -> tuple[int, int]:
        assert self._alignment is not None
        return room_for(self._alignment.time_map, quarter, self._view.total_frames, shifts_rest)

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

    def step_doubtful(self, direction: int) -> bool:
        """Select the next or previous place where notes are doubtful; False where there is none."""
        layout = self._canvas.content.layout
        if layout is None or not layout.is_aligned:
            return False
        onset = layout.onset_frame[layout.confidence < DOUBTFUL]
        apart = DOUBTFUL_APART_S * self._view.sample_rate
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
        self.place_asked.emit(point_at(self._unfolded, quarter, frame), WarpExtent.NEAR)

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
        self.place_asked.emit(point_at(self._unfolded, quarter, frame), WarpExtent.ONWARD)

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
