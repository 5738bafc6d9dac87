"""Selecting single notes in the timeline, by pointer, key, part or stretch of time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QRubberBand

from scoresep.model.score import UnfoldedScore
from scoresep.qt.timeline.gestures import DRAG_FROM_PX
from scoresep.qt.timeline.lane import HEADER_PX
from scoresep.qt.timeline.note_item import NoteItem
from scoresep.qt.timeline.timeline_navigation import TimelineNavigation


class NoteSelecting(QObject):
    """Keeps which notes are selected, and hears the canvas before those who drag and move about.

    A click on a note selects it, Ctrl + click adds or takes away, Shift + click adds all notes of its part in between;
    Alt + drag selects all that lie in a frame.

    Signals
    -------
    changed()
        Other notes are selected.
    menu_asked(QPoint)
        A menu for the selected notes is wanted there, on the screen.

    Parameters
    ----------
    view : TimelineNavigation
    """

    changed = Signal()
    menu_asked = Signal(object)

    def __init__(self, view: TimelineNavigation) -> None:
        super().__init__(view)
        self._view, self._canvas = view, view.canvas
        self._unfolded: UnfoldedScore | None = None
        self._rows: tuple[int, ...] = ()
        self._pressed_at: QPointF | None = None
        self._framed_from: QPointF | None = None
        self._frame = QRubberBand(QRubberBand.Shape.Rectangle, self._canvas)
        self._handlers: dict[QEvent.Type, Callable[..., bool]] = {
            QEvent.Type.MouseButtonPress: self._press,
            QEvent.Type.MouseMove: self._move,
            QEvent.Type.MouseButtonRelease: self._release,
            QEvent.Type.ContextMenu: self._menu,
            QEvent.Type.KeyPress: self._key,
        }
        self._canvas.installEventFilter(self)

    # ----------------------------------------------------------------------------------------------- what is selected

    @property
    def rows(self) -> tuple[int, ...]:
        """The selected notes, as rows of `UnfoldedScore.notes`; the one that was selected last is the last."""
        return self._rows

    def set_score(self, unfolded: UnfoldedScore | None) -> None:
        """Take over another score or path; the notes of the one before are selected no more."""
        if unfolded is not self._unfolded and unfolded != self._unfolded:
            self.select(())
        self._unfolded = unfolded

    def select(self, rows: Iterable[int]) -> None:
        """Select just these notes."""
        chosen = tuple(dict.fromkeys(rows))
        if chosen != self._rows:
            self._rows = chosen
            self.changed.emit()

    def toggle(self, row: int) -> None:
        """Add a note to those that are selected, or take it away."""
        self.select([r for r in self._rows if r != row] if row in self._rows else [*self._rows, row])

    def select_between(self, stretch: tuple[int, int] | None, part_index: int | None) -> None:
        """Select the notes that begin in a stretch (or anywhere), of one part (or all)."""
        layout = self._canvas.content.layout
        if layout is None:
            return
        is_in = np.ones(len(layout), np.bool_)
        if stretch is not None:
            is_in &= (layout.onset_frame >= stretch[0]) & (layout.onset_frame < stretch[1])
        if part_index is not None:
            is_in &= layout.part_index == part_index
        self.select(layout.row[is_in].tolist())

    def step(self, direction: int, part_index: int | None, adds: bool = False) -> None:
        """Select the next or previous note of a part (or of all), seen from the last selected or the playhead.

        Parameters
        ----------
        direction : int
            1 for the next note, -1 for the one before.
        part_index : int or None
        adds : bool
            Whether the selection grows.
        """
        layout = self._canvas.content.layout
        if layout is None or not len(layout):
            return
        places = np.arange(len(layout)) if part_index is None else np.flatnonzero(layout.part_index == part_index)
        here = np.flatnonzero(layout.row == self._rows[-1]) if self._rows else np.zeros(0, np.int64)
        if len(here):
            beyond = places[(places - here[0]) * direction > 0]
        else:
            frame = self._view.playhead_frame or 0
            beyond = places[(layout.onset_frame[places] - frame) * direction >= 0]
        if len(beyond):
            place = int(beyond[0] if direction > 0 else beyond[-1])
            row = int(layout.row[place])
            self.select([*(r for r in self._rows if r != row), row] if adds else [row])
            onset = int(layout.onset_frame[place])
            if not self._view.axis.start_frame <= onset <= self._view.axis.end_frame:
                self._canvas.set_axis(self._view.axis.containing(onset))

    # -------------------------------------------------------------------------------------------------------- pointer

    def note_at(self, position: QPointF) -> int | None:
        """Return the row of the note under a point of the canvas."""
        layout = self._canvas.content.layout
        hit = self._canvas.hit_at(position) if layout is not None and position.x() >= HEADER_PX else None
        if layout is None or hit is None or hit[1].place is None:
            return None
        return int(layout.row[hit[1].place])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        handler = self._handlers.get(event.type())
        return handler(event) if handler is not None else False

    def _press(self, event: QMouseEvent) -> bool:
        self._pressed_at = None
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        row = self.note_at(event.position())
        modifiers = event.modifiers()
        if row is not None and modifiers == Qt.KeyboardModifier.ControlModifier:
            self.toggle(row)
            return True
        if row is not None and self._rows and modifiers == Qt.KeyboardModifier.ShiftModifier:
            self._extend_to(row)
            return True
        if modifiers == Qt.KeyboardModifier.AltModifier and self._is_in_notes(event.position()):
            self._framed_from = event.position()
            return True
        if modifiers == Qt.KeyboardModifier.NoModifier:
            self._pressed_at = event.position()  # it may become a drag, which is for others
        return False

    def _is_in_notes(self, position: QPointF) -> bool:
        placed = self._canvas.lane_at(position.y())
        is_free = not self._canvas.points.is_correcting  # there, Alt is for dragging a note without snapping
        return is_free and position.x() >= HEADER_PX and placed is not None and isinstance(placed.lane, NoteItem)

    def _move(self, event: QMouseEvent) -> bool:
        if self._framed_from is not None:
            self._frame.setGeometry(QRectF(self._framed_from, event.position()).normalized().toAlignedRect())
            self._frame.show()
            self._select_framed(QRectF(self._framed_from, event.position()).normalized())
            return True
        at = self._pressed_at
        if at is not None and abs(event.position().x() - at.x()) >= DRAG_FROM_PX:
            self._pressed_at = None
        return False

    def _select_framed(self, frame: QRectF) -> None:
        """Select the notes that a frame on the canvas touches."""
        layout = self._canvas.content.layout
        placed = next((p for p in self._canvas.placed if isinstance(p.lane, NoteItem)), None)
        if layout is None or placed is None or not isinstance(placed.lane, NoteItem):
            return
        axis, top = self._canvas.axis, placed.top + self._canvas.lanes_offset
        places = layout.visible(axis.x_to_frame(frame.left() - HEADER_PX), axis.x_to_frame(frame.right() - HEADER_PX))
        upper = placed.lane.note_tops(layout, places, placed.height) + top
        lower = upper + placed.lane.note_heights(layout, places, placed.height)
        self.select(layout.row[places[(lower > frame.top()) & (upper < frame.bottom())]].tolist())

    def _release(self, event: QMouseEvent) -> bool:
        if self._framed_from is not None:
            self._framed_from = None
            self._frame.hide()
            return True
        at, self._pressed_at = self._pressed_at, None
        if at is not None and event.button() == Qt.MouseButton.LeftButton:
            row = self.note_at(at)
            if row is not None:
                self.select([row])
            elif at.y() >= self._canvas.ruler_height and at.x() >= HEADER_PX:
                self.select(())
        return False

    def _extend_to(self, row: int) -> None:
        layout = self._canvas.content.layout
        assert layout is not None
        places = [int(np.flatnonzero(layout.row == r)[0]) for r in (self._rows[-1], row) if (layout.row == r).any()]
        part = layout.part_index[places[-1]]
        between = np.arange(min(places), max(places) + 1)
        same = between[layout.part_index[between] == part]
        self.select([*self._rows, *(r for r in layout.row[same].tolist() if r != row), row])

    def _menu(self, event: QContextMenuEvent) -> bool:
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            if not self._rows:
                return False
            self.menu_asked.emit(self._canvas.mapToGlobal(self._menu_place()))
            return True
        row = self.note_at(QPointF(event.pos()))
        if row is None:
            return False
        if row not in self._rows:
            self.select([row])
        self.menu_asked.emit(event.globalPos())
        return True

    def _menu_place(self) -> QPoint:
        layout = self._canvas.content.layout
        assert layout is not None
        found = np.flatnonzero(layout.row == self._rows[-1])
        x = self._canvas.x_of(int(layout.onset_frame[found[0]])) if len(found) else HEADER_PX
        return QPoint(round(min(max(x, HEADER_PX), self._canvas.width() - 20.0)), round(self._canvas.ruler_height) + 20)

    def _key(self, event: QKeyEvent) -> bool:
        if event.key() == Qt.Key.Key_Escape and self._view.selection is None:
            self.select(())
        return False
