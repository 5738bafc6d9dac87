"""The course of every drag in the timeline: press, move, release, and Escape, which leaves all as it was.

What can be grasped and what comes of it is for those who derive from it (`editing`, `edge_editing`, `block_editing`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent

from scoresep.model.peaks import WINDOW_S, find_attack
from scoresep.qt.timeline.gestures import DRAG_FROM_PX
from scoresep.qt.timeline.points import PointsShown
from scoresep.qt.timeline.timeline_navigation import TimelineNavigation

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
