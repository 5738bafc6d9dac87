"""Moving all that is selected as one: by the grip that a selection has in the ruler while correcting, or by keys.

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
from scoresep.model.time_warping import room_for_block, shift_alignment_block
from scoresep.model.timemap import grid_quarters
from scoresep.qt.timeline.dragging import GRASP_PX, Dragging
from scoresep.qt.timeline.gestures import EDGE_PX
from scoresep.qt.timeline.lane import HEADER_PX
from scoresep.qt.timeline.points import Dragged, name_of, point_at
from scoresep.qt.timeline.ruler_item import ROW_PX
from scoresep.qt.timeline.timeline_navigation import TimelineNavigation


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
