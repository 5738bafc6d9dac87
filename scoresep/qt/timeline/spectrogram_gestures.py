"""What pointer, wheel and keys do in the lane of the spectrogram: its height, and which pitches are in sight."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent

from scoresep.qt.timeline.gestures import WHEEL_NOTCH, ZOOM_PER_NOTCH
from scoresep.qt.timeline.lane import HEADER_PX, PlacedLane
from scoresep.qt.timeline.spectrogram_item import SpectrogramItem
from scoresep.qt.timeline.spectrogram_picture import PitchRange
from scoresep.qt.timeline.timeline_navigation import TimelineNavigation

EDGE_PX = 4.0
LEAST_HEIGHT_PX, MOST_HEIGHT_PX = 80.0, 4000.0
SEMITONES_PER_STEP = 2.0
GAIN_PER_STEP_DB = 3.0

# For the page of shortcuts: keys, and what they do.
SHORTCUTS: tuple[tuple[str, str], ...] = (
    ("Wheel on the keys of the spectrogram", "Zoom in pitch; drag there to scroll, double-click for all pitches"),
    ("Alt + wheel, Ctrl + Alt + wheel", "Over the spectrogram: scroll in pitch, zoom in pitch"),
    ("Shift + Up / Down", "Higher, lower pitches of the spectrogram"),
    ("Shift + Page Up / Page Down", "Zoom in pitch, zoom out"),
    ("Shift + Home", "All pitches, or those that the score needs"),
    ("Ctrl + Shift + Up / Down", "Brighter, darker spectrogram"),
    ("Drag the lower edge of the spectrogram", "Taller or flatter; double-click: as there is room"),
)


class SpectrogramGestures(QObject):
    """Turns events of the canvas into changes of the spectrogram's lane.

    Signals
    -------
    height_changed(float)
        A person has let go of the edge; 0 for the room that there is.
    gain_changed(float)

    Parameters
    ----------
    view : TimelineNavigation
    """

    height_changed = Signal(float)
    gain_changed = Signal(float)

    def __init__(self, view: TimelineNavigation) -> None:
        super().__init__(view)
        self._view = view
        self._canvas = view.canvas
        self._picture = view.canvas.content.spectrogram
        self._pressed_at: QPointF | None = None
        self._start: float | PitchRange = 0.0
        self._canvas.installEventFilter(self)
        self._handlers: dict[QEvent.Type, Callable[..., bool]] = {
            QEvent.Type.MouseButtonPress: self._press,
            QEvent.Type.MouseMove: self._move,
            QEvent.Type.MouseButtonRelease: self._release,
            QEvent.Type.MouseButtonDblClick: self._double_click,
            QEvent.Type.Wheel: self._wheel,
            QEvent.Type.KeyPress: self._key,
        }

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        handler = self._handlers.get(event.type())
        return handler(event) if handler is not None and self._picture.is_shown else False

    # --------------------------------------------------------------------------------------------- what changes

    def zoom(self, factor: float, pitch: float | None = None) -> None:
        """Show fewer pitches, taller; `pitch` (default: the middle) stays where it is."""
        pitches = self._pitches
        if pitches is not None:
            self._show(pitches.zoomed(factor, (pitches.low + pitches.high) / 2 if pitch is None else pitch))

    def scroll(self, semitones: float) -> None:
        """Show higher pitches, or lower ones."""
        pitches = self._pitches
        if pitches is not None:
            self._show(pitches.moved(semitones))

    def show_all(self) -> None:
        """Show all pitches; where they are all in sight, those that the score needs."""
        self._show(None if self._pitches == PitchRange() else PitchRange())

    def brighten(self, steps: int) -> None:
        """Show it brighter, or darker."""
        gain_db = min(max(self._picture.look.gain_db + steps * GAIN_PER_STEP_DB, -60.0), 60.0)
        self.gain_changed.emit(gain_db)

    def _show(self, pitches: PitchRange | None) -> None:
        if pitches != self._picture.pitches:
            self._picture.pitches = pitches
            self._canvas.repaint_all()

    def _placed(self) -> PlacedLane | None:
        return next((p for p in self._canvas.placed if isinstance(p.lane, SpectrogramItem)), None)

    @property
    def _pitches(self) -> PitchRange | None:
        placed = self._placed()
        return placed.lane.pitches if placed is not None and isinstance(placed.lane, SpectrogramItem) else None

    def _pitch_at(self, y: float) -> float | None:
        """Return the pitch at the canvas's y; None outside the lane."""
        placed = self._canvas.lane_at(y)
        if placed is None or not isinstance(placed.lane, SpectrogramItem):
            return None
        return placed.lane.room(self._canvas.lanes_offset + placed.top, placed.height).pitch(y)

    # ------------------------------------------------------------------------------------------------- pointer

    def _on_edge(self, position: QPointF) -> bool:
        placed = self._placed()
        if placed is None or position.y() < self._canvas.ruler_height:
            return False
        return abs(self._canvas.lanes_offset + placed.top + placed.height - position.y()) <= EDGE_PX

    def _on_keys(self, position: QPointF) -> bool:
        return position.x() < HEADER_PX and self._pitch_at(position.y()) is not None

    def _press(self, event: QMouseEvent) -> bool:
        placed, pitches = self._placed(), self._pitches
        if event.button() != Qt.MouseButton.LeftButton or placed is None or pitches is None:
            return False
        if self._on_edge(event.position()):
            self._start = placed.height
        elif self._on_keys(event.position()):
            self._start = pitches
            self._canvas.setCursor(Qt.CursorShape.ClosedHandCursor)
        else:
            return False
        self._pressed_at = event.position()
        return True

    def _move(self, event: QMouseEvent) -> bool:
        if self._pressed_at is None:
            if event.buttons() != Qt.MouseButton.NoButton:
                return False
            on_edge, on_keys = self._on_edge(event.position()), self._on_keys(event.position())
            if on_edge or on_keys:
                self._canvas.setCursor(Qt.CursorShape.SizeVerCursor if on_edge else Qt.CursorShape.OpenHandCursor)
                self._view.hover(event.position())
            return on_edge or on_keys
        moved_px, placed = event.position().y() - self._pressed_at.y(), self._placed()
        if placed is None:
            return True
        if isinstance(self._start, PitchRange):
            self._show(self._start.moved(moved_px * self._start.semitones / placed.height))
        else:
            self._set_height(self._start + moved_px)
        return True

    def _set_height(self, height_px: float) -> None:
        if height_px:
            height_px = min(max(height_px, LEAST_HEIGHT_PX), MOST_HEIGHT_PX) / self._canvas.height_scale
        self._picture.height_px = height_px
        self._canvas.rebuild()

    def _release(self, event: QMouseEvent) -> bool:
        if self._pressed_at is None:
            return False
        was_height = not isinstance(self._start, PitchRange) and event.position() != self._pressed_at
        self._pressed_at = None
        self._canvas.unsetCursor()
        if was_height:
            self.height_changed.emit(self._picture.height_px)
        return True

    def _double_click(self, event: QMouseEvent) -> bool:
        if self._on_edge(event.position()):
            self._set_height(0.0)
            self.height_changed.emit(0.0)
            return True
        if self._on_keys(event.position()):
            self.show_all()
            return True
        return False

    def _wheel(self, event: QWheelEvent) -> bool:
        pitch = self._pitch_at(event.position().y())
        if pitch is None:
            return False
        angle, modifiers = event.angleDelta(), event.modifiers()
        notches = (angle.y() or angle.x()) / WHEEL_NOTCH  # Alt turns the wheel sideways on some systems
        with_control = bool(modifiers & Qt.KeyboardModifier.ControlModifier)
        with_alt = bool(modifiers & Qt.KeyboardModifier.AltModifier)
        if (event.position().x() < HEADER_PX and not with_alt and not with_control) or (with_alt and with_control):
            self.zoom(ZOOM_PER_NOTCH**notches, pitch)
        elif with_alt:
            self.scroll(notches * SEMITONES_PER_STEP)
        else:
            return False
        self._view.hover(event.position())
        event.accept()
        return True

    # ---------------------------------------------------------------------------------------------------- keys

    def _key(self, event: QKeyEvent) -> bool:
        shift, control = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
        keys = Qt.Key
        with_shift: dict[int, Callable[[], None]] = {
            keys.Key_Up: lambda: self.scroll(SEMITONES_PER_STEP),
            keys.Key_Down: lambda: self.scroll(-SEMITONES_PER_STEP),
            keys.Key_PageUp: lambda: self.zoom(ZOOM_PER_NOTCH),
            keys.Key_PageDown: lambda: self.zoom(1 / ZOOM_PER_NOTCH),
            keys.Key_Home: self.show_all,
        }
        with_both: dict[int, Callable[[], None]] = {
            keys.Key_Up: lambda: self.brighten(1),
            keys.Key_Down: lambda: self.brighten(-1),
        }
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        actions = {shift: with_shift, shift | control: with_both}.get(modifiers, {})
        action = actions.get(event.key())
        if action is not None:
            action()
        return action is not None
