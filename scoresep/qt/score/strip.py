"""The engraved score as a strip in time with the recording: takes values, and says with signals what a person wants.

It knows neither session nor project, nor how a score is engraved. Frames are those of the recording.
"""

from __future__ import annotations

from time import monotonic

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QContextMenuEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QMenu, QWidget

from scoresep.qt.score.marks import find_nearest_row
from scoresep.qt.score.strip_canvas import LEFT_ALONE_S, StripCanvas
from scoresep.qt.score.system_drawing import Mode

ZOOM_FACTOR = 1.16
# To the left of a bar's first moments lies the bar before.
AT_BAR_START_S = 0.25
# How far beside a head a click still means the note, in units of the drawing.
REACH_UNITS = 120.0
_MINE = frozenset(
    {Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down}
    | {Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Plus, Qt.Key.Key_Minus, Qt.Key.Key_Equal}
)


class ScoreStrip(StripCanvas):
    """The strip: systems one below the other or in one line, what sounds lit in the colour of its part.

    A click plays from the note or the bar under it, the right button opens a menu; the arrow keys go from bar to bar,
    Enter plays, `+` and `-` (or the wheel with Ctrl) change the size.

    Signals
    -------
    seek_requested(int)
        Move the playhead to a frame.
    play_requested(int)
        Play from a frame.
    mode_changed(object)
        The `Mode`, chosen in the strip's menu.
    note_toggled(int)
        A note was clicked with Ctrl: select it too, or no more (row of `UnfoldedScore.notes`).
    note_menu_asked(int, QPoint)
        What can be done to a note is asked for, at a place of the screen.
    """

    seek_requested = Signal(int)
    play_requested = Signal(int)
    mode_changed = Signal(object)
    note_toggled = Signal(int)
    note_menu_asked = Signal(int, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Score")
        self.setAccessibleDescription("The engraved score; arrow keys go from bar to bar, Enter plays from there")

    # ------------------------------------------------------------------------------------------------- from places

    def frame_at(self, position: QPointF) -> int | None:
        """Return the frame that a point of the strip stands for: of the note there, or the start of the bar.

        What is played several times stands for the time nearest to the playhead.
        """
        sounding, near = self._sounding, self._near_step()
        measure = self.measure_at(position)
        if sounding is None or measure is None:
            return None
        row = self.note_at(position)
        if row is not None:
            frame = sounding.start_of_note(row, near)
            if frame is not None:
                return frame
        step = sounding.step_of_measure(measure, near)
        return sounding.start_of_step(step) if step is not None else None

    def measure_at(self, position: QPointF) -> int | None:
        """Return the measure at a point of the strip; None where there is none."""
        place = self._in_system(position)
        if place is None or self.engraving is None:
            return None
        system, x, _ = place
        boxes = self.engraving.systems[system].measures
        return next((b.measure_index for b in boxes if b.left <= x < b.right), None)

    def note_at(self, position: QPointF) -> int | None:
        """Return the row (in `Score.notes`) of the note whose head is at a point of the strip."""
        place = self._in_system(position)
        if place is None or self._drawings is None:
            return None
        system, x, y = place
        nearest, distance = None, REACH_UNITS
        for row, box in self._drawings.system(system).head_boxes().items():
            away = max(box.left() - x, x - box.right(), box.top() - y, y - box.bottom(), 0.0)
            if away < distance:
                nearest, distance = row, away
        return nearest

    def played_note_at(self, position: QPointF) -> int | None:
        """Return the row (in `UnfoldedScore.notes`) of the note at a point, the time it is played nearest by."""
        row = self.note_at(position)
        if row is None or self._unfolded is None:
            return None
        return find_nearest_row(self._unfolded, row, self._near_step())

    def _in_system(self, position: QPointF) -> tuple[int, float, float] | None:
        """Return system and units in it."""
        if self._placement is None:
            return None
        plane = position + QPointF(self._offset())
        system = self._placement.system_at(plane.x(), plane.y())
        if system is None:
            return None
        left, top, scale = self._placement.left[system], self._placement.top[system], self._placement.scale
        return system, (plane.x() - left) / scale, (plane.y() - top) / scale

    def _near_step(self) -> int:
        return self._sounding.step_near(self._frame or 0) if self._sounding is not None else 0

    # ------------------------------------------------------------------------------------------------------ moving

    def go_by_bars(self, count: int) -> None:
        """Ask for the playhead to be moved by bars of the path; backwards first to the start of the present bar."""
        if self._sounding is None:
            return
        step = self._near_step()
        is_inside = (self._frame or 0) > self._sounding.start_of_step(step) + AT_BAR_START_S * self._rate()
        target = step + count + (1 if count < 0 and is_inside else 0)
        self.seek_requested.emit(self._sounding.start_of_step(target))

    def go_by_systems(self, count: int) -> None:
        """Ask for the playhead to be moved to the start of a system before or after."""
        engraving, sounding = self.engraving, self._sounding
        if engraving is None or sounding is None or not engraving.systems:
            return
        present = self._marks.system if self._marks.system is not None else 0
        target = min(max(present + count, 0), len(engraving.systems) - 1)
        boxes = engraving.systems[target].measures
        step = sounding.step_of_measure(boxes[0].measure_index, self._near_step()) if boxes else None
        if step is not None:
            self.seek_requested.emit(sounding.start_of_step(step))

    def go_to_end(self, is_end: bool) -> None:
        """Ask for the playhead to be moved to the first or last bar of the path."""
        if self._sounding is not None:
            self.seek_requested.emit(self._sounding.start_of_step(self._sounding.grid.count - 1 if is_end else 0))

    def _rate(self) -> int:
        return self._sounding.sample_rate if self._sounding is not None else 44100

    # ------------------------------------------------------------------------------------------------ what Qt calls

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            row = self.played_note_at(event.position())
            if row is not None:
                self.note_toggled.emit(row)
            return
        frame = self.frame_at(event.position())
        if frame is not None:
            self._left_alone_until_s = 0.0
            is_quiet = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            (self.seek_requested if is_quiet else self.play_requested).emit(frame)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self.measure_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(None)
        super().leaveEvent(event)

    def _hover(self, measure_index: int | None) -> None:
        if measure_index == self._hovered:
            return
        for index in (self._hovered, measure_index):
            box = self.bar_box(index) if index is not None else None
            if box is not None:
                self.viewport().update(box.translated(-QPointF(self._offset())).toAlignedRect().adjusted(-2, -2, 2, 2))
        self._hovered = measure_index
        cursor = Qt.CursorShape.ArrowCursor if measure_index is None else Qt.CursorShape.PointingHandCursor
        self.viewport().setCursor(cursor)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(ZOOM_FACTOR ** (event.angleDelta().y() / 120))
            event.accept()
            return
        self._glide.stop()
        self._left_alone_until_s = monotonic() + LEFT_ALONE_S
        if self.mode is Mode.LINE and not event.angleDelta().x() and not self.verticalScrollBar().maximum():
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() - event.angleDelta().y())
            event.accept()
            return
        super().wheelEvent(event)

    def event(self, event: QEvent) -> bool:
        # the window has its own use for some of these keys; in the strip they are the strip's
        if event.type() == QEvent.Type.ShortcutOverride and self._is_mine(event):
            event.accept()
            return True
        return super().event(event)

    def _is_mine(self, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent):
            return False
        plain = event.modifiers() & ~(Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier)
        return event.key() in _MINE and plain == Qt.KeyboardModifier.NoModifier

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._is_mine(event):
            super().keyPressEvent(event)
            return
        self._left_alone_until_s = 0.0
        match event.key():
            case Qt.Key.Key_Left:
                self.go_by_bars(-1)
            case Qt.Key.Key_Right:
                self.go_by_bars(1)
            case Qt.Key.Key_Up:
                self.go_by_systems(-1)
            case Qt.Key.Key_Down:
                self.go_by_systems(1)
            case Qt.Key.Key_Home:
                self.go_to_end(False)
            case Qt.Key.Key_End:
                self.go_to_end(True)
            case Qt.Key.Key_Minus:
                self.zoom(1 / ZOOM_FACTOR)
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self.zoom(ZOOM_FACTOR)
            case _:
                self.play_requested.emit(self._frame or 0)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        row = self.played_note_at(QPointF(self.viewport().mapFrom(self, event.pos())))
        if row is not None:
            self.note_menu_asked.emit(row, event.globalPos())
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        group = QActionGroup(menu)
        for text, mode in (("&Systems below each other", Mode.SYSTEMS), ("One &line", Mode.LINE)):
            action = QAction(text, menu, checkable=True, checked=self.mode is mode)
            action.triggered.connect(lambda _=False, mode=mode: self._choose(mode))
            group.addAction(action)
            menu.addAction(action)
        menu.addSeparator()
        menu.addAction("La&rger", lambda: self.zoom(ZOOM_FACTOR))
        menu.addAction("S&maller", lambda: self.zoom(1 / ZOOM_FACTOR))
        menu.popup(event.globalPos())

    def _choose(self, mode: Mode) -> None:
        self.set_mode(mode)
        self.mode_changed.emit(mode)
