"""Correcting the alignment in the timeline: points are selected, dragged, nudged, tapped and freed.

A drag paints a preview and asks for one change on release; what is asked for is done by whoever listens.

Also here: moving all that is selected as one: by the grip that a selection has in the ruler while correcting, or by
keys.

What is selected is a stretch of time; the bar lines, beats, notes and points by hand that lie in it are its block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent

from scoresep.model.alignment import Alignment
from scoresep.model.score import UnfoldedScore
from scoresep.model.time_warping import (
    WarpExtent,
    room_for,
    room_for_block,
    shift_alignment,
    shift_alignment_block,
    warp_alignment,
)
from scoresep.model.timebase import SAME_QUARTER
from scoresep.model.timemap import grid_quarters
from scoresep.qt.timeline.gestures import EDGE_PX, GRASP_PX, Dragging
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
from scoresep.qt.timeline.score_layout import DOUBTFUL
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
        """Show all points and let them be grasped, or show only those by hand and let none be grasped."""
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
        if layout is None or not layout.is_aligned or not self.is_correcting or position.x() < HEADER_PX:
            return None
        frame = self._canvas.axis.x_to_frame(position.x() - HEADER_PX)
        reach = GRASP_PX * self._canvas.axis.frames_per_px
        if position.y() <= ROW_PX + GRASP_PX:
            return nearest_handle(handles_in(layout, self._canvas.axis, True), frame, reach)
        if position.y() < self._canvas.ruler_height:
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


@dataclass(frozen=True)
class Block:
    """What a selection holds.

    Attributes
    ----------
    selection : tuple of int
        Start and end frame.
    first_quarter, last_quarter : float
        The first and last position of the score in it.
    lead_frames, tail_frames : int
        From the start of the selection to the first position, and from the last to its end.
    """

    selection: tuple[int, int]
    first_quarter: float
    last_quarter: float
    lead_frames: int
    tail_frames: int


class BlockEditing(Dragging):
    """Turns drags of a selection into wishes to move what is in it.

    Signals
    -------
    shift_asked(SyncPoint, SyncPoint, int)
        Move all from one position to another by frames.
    range_selected()
        A person has selected another stretch of time.

    Parameters
    ----------
    view : TimelineNavigation
    show : callable
        Shows an alignment as a preview; None shows the present one again.
    """

    shift_asked = Signal(object, object, object)
    range_selected = Signal()
    cursor = Qt.CursorShape.SizeAllCursor

    def __init__(self, view: TimelineNavigation, show: Callable[[Alignment | None], None]) -> None:
        super().__init__(view)
        self._show = show
        self._unfolded: UnfoldedScore | None = None
        self._alignment: Alignment | None = None
        self._known: Block | None = None  # what was moved last, which the selection follows
        self._is_following = False
        view.selection_changed.connect(self._selection_changed)

    def set_alignment(self, unfolded: UnfoldedScore | None, alignment: Alignment | None) -> None:
        """Take over another alignment; a selection whose content was moved goes along, also when that is undone."""
        self.cancel()
        is_same_path = unfolded == self._unfolded
        self._unfolded, self._alignment = unfolded, alignment if unfolded is not None else None
        known = self._known
        if known is None or self._alignment is None or not is_same_path or known.selection != self._view.selection:
            self._known = None
            return
        time_map = self._alignment.time_map
        start = time_map.quarter_to_frame(known.first_quarter) - known.lead_frames
        end = time_map.quarter_to_frame(known.last_quarter) + known.tail_frames
        self._is_following = True
        self._view.select(start, end)
        self._is_following = False
        followed = self._canvas.selection
        self._known = None if followed is None else replace(known, selection=followed)

    def block(self) -> Block | None:
        """Return what the selection holds; None where that is no position of the score."""
        unfolded, alignment, selection = self._unfolded, self._alignment, self._view.selection
        if unfolded is None or alignment is None or selection is None:
            return None
        if self._known is not None and self._known.selection == selection:
            return self._known
        time_map = alignment.time_map
        grid = grid_quarters(unfolded, 0, len(unfolded.path.steps), with_beats=True)
        hand = time_map.quarter[time_map.is_by_hand]
        quarters = np.unique(np.concatenate([grid, unfolded.notes.onset_quarter, hand]))
        frames = time_map.quarters_to_frames(quarters)
        inside = np.flatnonzero((frames >= selection[0]) & (frames < selection[1]))
        if not len(inside):
            return None
        first, last = inside[0], inside[-1]
        lead, tail = int(frames[first]) - selection[0], selection[1] - int(frames[last])
        return Block(selection, float(quarters[first]), float(quarters[last]), lead, tail)

    def nudge(self, milliseconds: float) -> bool:
        """Ask to move what is selected a little; False where the selection holds nothing that could be moved."""
        block = self.block()
        if block is None:
            return False
        wanted = round(milliseconds / 1000 * self._view.sample_rate)
        possible = self._within_room(block, wanted)
        self._ask(block, wanted if possible is None else possible)  # where there is no room, the refusal says so
        return True

    # ------------------------------------------------------------------------------------------ pointer

    def _is_possible(self) -> bool:
        is_shown = self._canvas.points.is_correcting and self._view.selection is not None
        return self._alignment is not None and (is_shown or self._held is not None)

    def _grasped(self, position: QPointF) -> Block | None:
        selection = self._view.selection
        if selection is None or position.x() < HEADER_PX:
            return None
        left, right = (self._canvas.x_of(frame) for frame in selection)
        is_inside = left + EDGE_PX < position.x() < right - EDGE_PX
        is_on_grip = ROW_PX + GRASP_PX < position.y() < self._canvas.ruler_height
        return self.block() if is_inside and is_on_grip else None

    def _drag_to(self, event: QMouseEvent, held: Block) -> Dragged | None:
        if self._unfolded is None or self._alignment is None:
            return None
        first = self._alignment.time_map.quarter_to_frame(held.first_quarter)
        shift = round((event.position().x() - self._pressed_at.x()) * self._canvas.axis.frames_per_px)
        attack = self._attack_under(event, first + shift)
        possible = self._within_room(held, shift if attack is None else attack - first)
        if possible is None:
            return None
        shift = possible
        present = self._target.present if self._target is not None else self._canvas.content.layout
        assert present is not None
        name = name_of(present, held.first_quarter)
        if held.last_quarter > held.first_quarter:
            name += f" to {name_of(present, held.last_quarter)}"
        text = f"{name}  {shift / self._view.sample_rate:+.3f} s"
        is_snapped = first + shift == attack
        dragged = Dragged(held.first_quarter, first + shift, present, is_snapped, text, held.last_quarter)
        ends = held.first_quarter, held.last_quarter
        self._show(shift_alignment_block(self._alignment, self._unfolded, *ends, shift))
        self._canvas.selection = held.selection[0] + shift, held.selection[1] + shift
        self._put(dragged=dragged)
        return dragged

    def _put_back(self, held: Block) -> None:
        self._canvas.selection = held.selection
        self._put(dragged=None)
        self._show(None)

    def _let_go(self, held: Block, target: Dragged) -> None:
        if self._alignment is not None:
            self._ask(held, target.frame - self._alignment.time_map.quarter_to_frame(held.first_quarter))

    def _ask(self, block: Block, shift_frames: int) -> None:
        if shift_frames and self._unfolded is not None:
            self._known = block
            first, last = (point_at(self._unfolded, q, 0) for q in (block.first_quarter, block.last_quarter))
            self.shift_asked.emit(first, last, shift_frames)

    def _within_room(self, block: Block, shift_frames: int) -> int | None:
        """Return the shift that is possible; None where there is no room at all."""
        assert self._alignment is not None
        ends = block.first_quarter, block.last_quarter
        low, high = room_for_block(self._alignment.time_map, *ends, self._view.total_frames)
        return min(max(shift_frames, low), high) if low <= high else None

    def _selection_changed(self, selection: tuple[int, int] | None) -> None:
        if selection is not None and not self._is_following:
            self.range_selected.emit()
