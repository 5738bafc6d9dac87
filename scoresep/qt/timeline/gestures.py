"""What pointer, wheel and keys do in the timeline. What a pointer can do, a key or a method of the view does too.

Also here: the course of every drag in the timeline: press, move, release, and Escape, which leaves all as it was.

What can be grasped and what comes of it is for those who derive from it (`editing`, `edge_editing`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QNativeGestureEvent, QWheelEvent
from PySide6.QtWidgets import QGestureEvent, QPinchGesture, QToolTip

from scoresep.model.peaks import WINDOW_S, find_attack
from scoresep.qt.timeline.lane import HEADER_PX
from scoresep.qt.timeline.points import PointsShown
from scoresep.qt.timeline.ruler_item import ROW_PX
from scoresep.qt.timeline.timeline_navigation import TimelineNavigation

DRAG_FROM_PX = 4.0
EDGE_PX = 4.0
AUTO_SCROLL_MS = 30
WHEEL_NOTCH = 120.0
ZOOM_PER_NOTCH = 1.25
SCROLL_PX_PER_NOTCH = 90.0

# For the page of shortcuts: keys, and what they do.
SHORTCUTS: tuple[tuple[str, str], ...] = (
    ("+  /  -", "Zoom in, zoom out around the playhead"),
    ("Ctrl + wheel, pinch", "Zoom at the pointer"),
    ("Ctrl + Shift + wheel, Ctrl + Up / Down", "Taller or flatter lanes"),
    ("Wheel", "Scroll up and down"),
    ("Shift + wheel, middle button", "Scroll in time"),
    ("F", "Show everything"),
    ("Z", "Zoom to the selection"),
    ("Click", "Move the playhead"),
    ("Drag, Shift + click in the row of bars", "Select bars (L loops them); with Ctrl any range"),
    ("Drag, Shift + click elsewhere", "Select a range; with Ctrl from bar line to bar line"),
    ("Double-click", "Select the note, segment or bar"),
    (
        "Drag a bar line",
        "While correcting by hand: put the bar where it sounds; Alt: no snap to attacks; Escape cancels",
    ),
    ("Drag the edge of an activity", "While correcting by hand: where the part begins or ends; snaps to its notes"),
    ("Click on a note, Ctrl + click", "Select the note; add it to those that are selected, or take it away"),
    ("Shift + click on a note", "Select all notes of its part from the last selected one to it"),
    ("Alt + drag over notes", "Select all notes in the frame"),
    ("Right click on a note", "Hear, mute, export … the selected notes"),
    ("Right click on segments, Menu key", "Which parts play there and how they are separated; split, join"),
    ("Shift + drag a bar line", "While correcting by hand: move all that comes after by as much"),
    ("Drag the grip of a selection", "While correcting by hand: move all that is selected; the bar under the times"),
    ("Left / Right", "Move the playhead a little"),
    ("Shift + Left / Right", "Move the end of the selection"),
    ("Ctrl + Left / Right", "Move the playhead by a bar"),
    ("Page Up / Page Down", "One page back, one page on"),
    ("Up / Down", "Scroll the lanes"),
    ("L", "Loop the selection, or stop looping"),
    ("Ctrl + A", "Select everything"),
    ("Escape", "Select nothing"),
)


class _Drag(Enum):
    NONE = auto()
    PRESSED = auto()
    SELECT = auto()
    PAN = auto()


class Gestures(QObject):
    """Turns events of the canvas into calls of the view.

    Parameters
    ----------
    view : TimelineNavigation
    """

    def __init__(self, view: TimelineNavigation) -> None:
        super().__init__(view)
        self._view = view
        self._canvas = view.canvas
        self._drag = _Drag.NONE
        self._pressed_at = QPointF()
        self._last_at = QPointF()
        self._anchor_frame = 0
        self._by_bars = False
        self._timer = QTimer(self)
        self._timer.setInterval(AUTO_SCROLL_MS)
        self._timer.timeout.connect(self._auto_scroll)
        self._canvas.grabGesture(Qt.GestureType.PinchGesture)
        self._canvas.installEventFilter(self)
        self._handlers: dict[QEvent.Type, Callable[..., bool]] = {
            QEvent.Type.MouseButtonPress: self._press,
            QEvent.Type.MouseMove: self._move,
            QEvent.Type.MouseButtonRelease: self._release,
            QEvent.Type.MouseButtonDblClick: self._double_click,
            QEvent.Type.Wheel: self._wheel,
            QEvent.Type.NativeGesture: self._native_gesture,
            QEvent.Type.Gesture: self._gesture,
            QEvent.Type.KeyPress: self._key,
            QEvent.Type.ToolTip: self._tool_tip,
            QEvent.Type.Leave: self._leave,
        }

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        handler = self._handlers.get(event.type())
        return handler(event) if handler is not None else False

    @property
    def is_dragging(self) -> bool:
        """Whether a pointer button is held for selecting or panning."""
        return self._drag is not _Drag.NONE

    # ------------------------------------------------------------------------------------------ pointer

    def _press(self, event: QMouseEvent) -> bool:
        self._pressed_at = self._last_at = event.position()
        if event.button() == Qt.MouseButton.MiddleButton:
            self._drag = _Drag.PAN
            self._canvas.setCursor(Qt.CursorShape.ClosedHandCursor)
            return True
        if event.button() != Qt.MouseButton.LeftButton or event.position().x() < HEADER_PX:
            return False
        frame = self._canvas.frame_at(event.position().x())
        selection = self._view.selection
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._anchor_frame = self._far_end(selection, frame)
            self._start_selecting(event)
        elif (edge := self._edge_at(event.position())) is not None and selection is not None:
            self._anchor_frame = selection[1 - edge]
            self._start_selecting(event)
        else:
            self._anchor_frame = frame
            self._drag = _Drag.PRESSED
        return True

    def _far_end(self, selection: tuple[int, int] | None, frame: int) -> int:
        if selection is not None:
            return max(selection, key=lambda f: abs(f - frame))
        return self._view.playhead_frame if self._view.playhead_frame is not None else frame

    def _edge_at(self, position: QPointF) -> int | None:
        """Return which edge of the selection lies under the pointer: 0 the start, 1 the end."""
        for edge, frame in enumerate(self._view.selection or ()):
            if abs(self._canvas.x_of(frame) - position.x()) <= EDGE_PX:
                return edge
        return None

    def _start_selecting(self, event: QMouseEvent) -> None:
        self._drag = _Drag.SELECT
        self._select_to(event)

    def _move(self, event: QMouseEvent) -> bool:
        if self._drag is _Drag.PAN:
            delta = event.position() - self._last_at
            self._view.scroll_px(-delta.x())
            self._canvas.set_scroll_y(self._canvas.scroll_y - delta.y())
        elif self._drag is _Drag.PRESSED:
            if abs(event.position().x() - self._pressed_at.x()) >= DRAG_FROM_PX:
                self._start_selecting(event)
        elif self._drag is _Drag.SELECT:
            self._select_to(event)
        else:
            on_edge = self._edge_at(event.position()) is not None and event.position().x() >= HEADER_PX
            shape = Qt.CursorShape.SizeHorCursor if on_edge else Qt.CursorShape.ArrowCursor
            self._canvas.setCursor(shape)
        self._last_at = event.position()
        self._view.hover(event.position())
        return False

    def _select_to(self, event: QMouseEvent) -> None:
        in_bar_row = self._pressed_at.y() <= ROW_PX and self._canvas.content.layout is not None
        self._by_bars = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier) is not in_bar_row
        self._last_at = event.position()
        outside = not HEADER_PX <= event.position().x() <= self._canvas.width()
        if outside and not self._timer.isActive():
            self._timer.start()
        elif not outside:
            self._timer.stop()
        self._update_selection()

    def _update_selection(self) -> None:
        x = min(max(self._last_at.x(), HEADER_PX), float(self._canvas.width()))
        ends = sorted((self._anchor_frame, self._canvas.frame_at(x)))
        if self._by_bars:
            start, end = map(self._on_bar_line, ends)
            ends = list(self._view.whole_bars(start, end))
        self._view.select(ends[0], ends[1])

    def _on_bar_line(self, frame: int) -> int:
        """Return the bar line that the pointer as good as touches, so that the bar on its other side stays out."""
        layout = self._canvas.content.layout
        if layout is None or not layout.grid.count:
            return frame
        lines = layout.grid.start_frame
        nearest = int(lines[np.abs(lines - frame).argmin()])
        return nearest if abs(nearest - frame) <= EDGE_PX * self._canvas.axis.frames_per_px else frame

    def _auto_scroll(self) -> None:
        x = self._last_at.x()
        beyond = x - HEADER_PX if x < HEADER_PX else x - self._canvas.width()
        self._view.scroll_px(min(max(beyond, -60.0), 60.0) * 0.6)
        self._update_selection()

    def _release(self, event: QMouseEvent) -> bool:
        drag, self._drag = self._drag, _Drag.NONE
        self._timer.stop()
        if drag is _Drag.PAN:
            self._canvas.unsetCursor()
        elif drag is _Drag.PRESSED:
            self._view.select_nothing()
            self._view.seek_requested.emit(self._anchor_frame)
        return drag is not _Drag.NONE

    def _double_click(self, event: QMouseEvent) -> bool:
        if event.button() != Qt.MouseButton.LeftButton or event.position().x() < HEADER_PX:
            return False
        found = self._canvas.hit_at(event.position())
        if found is not None:
            self._view.select(found[1].start_frame, found[1].end_frame)
        else:
            frame = self._canvas.frame_at(event.position().x())
            self._view.select(*self._view.whole_bars(frame, frame))
        return True

    def _leave(self, event: QEvent) -> bool:
        self._view.hover(None)
        return False

    def _tool_tip(self, event: QHelpEvent) -> bool:
        text = self._view.tool_tip_at(QPointF(event.pos()))
        if text:
            QToolTip.showText(event.globalPos(), text, self._canvas)
        else:
            QToolTip.hideText()
        return True

    # -------------------------------------------------------------------------------------------- wheel

    def _wheel(self, event: QWheelEvent) -> bool:
        modifiers = event.modifiers()
        pixels, angle = event.pixelDelta(), event.angleDelta()
        notches_x, notches_y = angle.x() / WHEEL_NOTCH, angle.y() / WHEEL_NOTCH
        notches = notches_y or notches_x  # some systems turn the wheel sideways while Alt or Shift is held
        if modifiers & Qt.KeyboardModifier.ControlModifier and modifiers & Qt.KeyboardModifier.ShiftModifier:
            self._canvas.set_height_scale(self._canvas.height_scale * 1.15**notches)
        elif modifiers & Qt.KeyboardModifier.ControlModifier:
            self._view.zoom(ZOOM_PER_NOTCH**notches, event.position().x() - HEADER_PX)
        elif modifiers & Qt.KeyboardModifier.ShiftModifier:
            self._view.scroll_px(-notches * SCROLL_PX_PER_NOTCH if pixels.isNull() else -(pixels.x() or pixels.y()))
        else:
            if notches_x:
                self._view.scroll_px(-notches_x * SCROLL_PX_PER_NOTCH if pixels.isNull() else -pixels.x())
            if notches_y:
                px = notches_y * SCROLL_PX_PER_NOTCH * 0.5 if pixels.isNull() else pixels.y()
                self._canvas.set_scroll_y(self._canvas.scroll_y - px)
        self._view.hover(event.position())
        event.accept()
        return True

    def _native_gesture(self, event: QNativeGestureEvent) -> bool:
        if event.gestureType() != Qt.NativeGestureType.ZoomNativeGesture:
            return False
        self._view.zoom(1.0 + event.value(), event.position().x() - HEADER_PX)
        return True

    def _gesture(self, event: QGestureEvent) -> bool:
        pinch = event.gesture(Qt.GestureType.PinchGesture)
        if not isinstance(pinch, QPinchGesture):
            return False
        center = self._canvas.mapFromGlobal(pinch.centerPoint())
        self._view.zoom(pinch.scaleFactor(), center.x() - HEADER_PX)
        return True

    # --------------------------------------------------------------------------------------------- keys

    def _key(self, event: QKeyEvent) -> bool:
        view, key = self._view, Qt.Key(event.key())
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        plain: dict[Qt.Key, Callable[[], None]] = {
            Qt.Key.Key_Plus: view.zoom_in,
            Qt.Key.Key_Equal: view.zoom_in,
            Qt.Key.Key_Minus: view.zoom_out,
            Qt.Key.Key_F: view.zoom_to_fit,
            Qt.Key.Key_Z: view.zoom_to_selection,
            Qt.Key.Key_L: view.toggle_loop,
            Qt.Key.Key_Escape: view.select_nothing,
            Qt.Key.Key_Left: lambda: view.step_playhead(-1),
            Qt.Key.Key_Right: lambda: view.step_playhead(1),
            Qt.Key.Key_Up: lambda: self._canvas.set_scroll_y(self._canvas.scroll_y - 40),
            Qt.Key.Key_Down: lambda: self._canvas.set_scroll_y(self._canvas.scroll_y + 40),
            Qt.Key.Key_Home: view.go_to_start,
            Qt.Key.Key_End: view.go_to_end,
            Qt.Key.Key_PageUp: lambda: view.turn_page(-1),
            Qt.Key.Key_PageDown: lambda: view.turn_page(1),
        }
        with_control: dict[Qt.Key, Callable[[], None]] = {
            Qt.Key.Key_Plus: view.zoom_in,
            Qt.Key.Key_Equal: view.zoom_in,
            Qt.Key.Key_Minus: view.zoom_out,
            Qt.Key.Key_Left: lambda: view.step_bar(-1),
            Qt.Key.Key_Right: lambda: view.step_bar(1),
            Qt.Key.Key_Up: lambda: self._canvas.set_height_scale(self._canvas.height_scale * 1.15),
            Qt.Key.Key_Down: lambda: self._canvas.set_height_scale(self._canvas.height_scale / 1.15),
            Qt.Key.Key_A: view.select_all,
        }
        if shift and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            view.extend_selection(1 if key == Qt.Key.Key_Right else -1, by_bar=control)
            return True
        action = (with_control if control else plain).get(key)
        if action is not None:
            action()
        return action is not None


GRASP_PX = 5.0
SNAP_PX = 8.0
MOST_SNAP_S = 0.06


class Dragging(QObject):
    """Hears the canvas while something is dragged. A drag paints previews; only letting go asks for a change.

    Parameters
    ----------
    view : TimelineNavigation

    Attributes
    ----------
    cursor : CursorShape
        Over what can be grasped.
    """

    cursor = Qt.CursorShape.SizeHorCursor

    def __init__(self, view: TimelineNavigation) -> None:
        super().__init__(view)
        self._view = view
        self._canvas = view.canvas
        self._held: Any = None  # what the pointer holds
        self._target: Any = None  # what letting go would ask for; None until it is dragged
        self._pressed_at = QPointF()
        self._handlers: dict[QEvent.Type, Callable[..., bool]] = {
            QEvent.Type.MouseButtonPress: self._press,
            QEvent.Type.MouseMove: self._move,
            QEvent.Type.MouseButtonRelease: self._release,
            QEvent.Type.KeyPress: self._key,
            QEvent.Type.ShortcutOverride: self._override,
        }
        self._canvas.installEventFilter(self)

    # ------------------------------------------------------------------------------ for those who derive

    def _is_possible(self) -> bool:
        """Whether there is anything to drag at all."""
        raise NotImplementedError

    def _grasped(self, position: QPointF) -> Any:
        """Return what can be grasped at a point of the canvas; None for nothing."""
        raise NotImplementedError

    def _pressed(self, event: QMouseEvent, grasped: Any) -> Any:
        """Return what is held once the button is down; None leaves the press to others."""
        return grasped

    def _drag_to(self, event: QMouseEvent, held: Any) -> Any:
        """Show where a drag leads, and return what letting go would ask for; None ends the drag."""
        raise NotImplementedError

    def _put_back(self, held: Any) -> None:
        """Show all as it was before the drag."""
        raise NotImplementedError

    def _clicked(self, held: Any) -> None:
        """Do what a press without a drag does: nothing, if not said otherwise."""

    def _let_go(self, held: Any, target: Any) -> None:
        """Ask for what the drag has led to."""
        raise NotImplementedError

    # ---------------------------------------------------------------------------- for those who derive: means

    def _put(self, **values: object) -> None:
        """Show points otherwise (fields of `PointsShown`)."""
        shown: PointsShown = replace(self._canvas.points, **values)  # type: ignore[arg-type]
        if shown != self._canvas.points:
            self._canvas.points = shown
            self._canvas.repaint_overlay()

    def _attack_near(self, frame: int, radius_s: float) -> int | None:
        """Return where the recording has its attack next to a frame; None where there is none."""
        recording, rate = self._canvas.content.recording, self._view.sample_rate
        if recording is None or recording.source is None:
            return None
        radius, spare = round(radius_s * rate), 2 * round(WINDOW_S * rate)
        first = max(frame - radius - spare, 0)
        samples = recording.samples(first, min(frame + radius + spare, recording.frames))
        found = find_attack(samples, rate, frame - first, radius)
        return None if found is None else first + found

    def _attack_under(self, event: QMouseEvent, frame: int) -> int | None:
        """Return the attack that a drag to a frame snaps to; none while Alt is held."""
        if event.modifiers() & Qt.KeyboardModifier.AltModifier:
            return None
        radius_s = SNAP_PX * self._canvas.axis.frames_per_px / self._view.sample_rate
        return self._attack_near(frame, min(radius_s, MOST_SNAP_S))

    # ------------------------------------------------------------------------------------------ the course

    @property
    def is_dragging(self) -> bool:
        """Whether something is being dragged."""
        return self._target is not None

    def cancel(self) -> None:
        """End a drag; everything is as before."""
        held, self._held = self._held, None
        if self._target is not None:
            self._target = None
            self._put_back(held)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        handler = self._handlers.get(event.type())
        return handler(event) if handler is not None and self._is_possible() else False

    def _press(self, event: QMouseEvent) -> bool:
        if self._held is not None:  # another button
            self.cancel()
            return True
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        grasped = self._grasped(event.position())
        self._held = None if grasped is None else self._pressed(event, grasped)
        self._pressed_at = event.position()
        return self._held is not None

    def _move(self, event: QMouseEvent) -> bool:
        if self._held is None:
            if event.buttons() != Qt.MouseButton.NoButton or self._grasped(event.position()) is None:
                return False
            self._canvas.setCursor(self.cursor)
            self._view.hover(event.position())
            return True
        if self.is_dragging or abs(event.position().x() - self._pressed_at.x()) >= DRAG_FROM_PX:
            target = self._drag_to(event, self._held)
            if target is None:
                self.cancel()
            self._target = target
        return True

    def _release(self, event: QMouseEvent) -> bool:
        held, target = self._held, self._target
        if held is None:
            return False
        self.cancel()
        if target is None:
            self._clicked(held)
        else:
            self._let_go(held, target)
        return True

    def _key(self, event: QKeyEvent) -> bool:
        if self._held is None:
            return False
        if event.key() == Qt.Key.Key_Escape:
            self.cancel()
        return True

    def _override(self, event: QKeyEvent) -> bool:
        """Keep shortcuts away from a drag: the keys come to `_key`."""
        if self._held is not None:
            event.accept()
        return self._held is not None
