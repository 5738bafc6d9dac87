"""What the strip shows: the systems in view, what is marked in them, and the way they scroll."""

from __future__ import annotations

from time import monotonic

from PySide6.QtCore import QEasingCurve, QEvent, QPoint, QRect, QRectF, QSize, Qt, QTimer, QVariantAnimation, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QRegion, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QScrollBar, QWidget

from scoresep.model.alignment import Alignment
from scoresep.model.engraving import Engraving
from scoresep.model.project import PartSettings
from scoresep.model.score import UnfoldedScore
from scoresep.qt.score.marks import Marker, Marks, NoteHeads, SoundingScore, bar_rect, part_colors
from scoresep.qt.score.system_drawing import (
    Drawings,
    Look,
    Mode,
    Placement,
    engraving_width,
    place_systems,
    scroll_target,
)
from scoresep.qt.timeline.note_marks import NoteMarks
from scoresep.qt.widgets.theme import Theme, translucent

# Size of a staff space, in heights of the window's font.
LEAST_SPACE_EM, SPACE_EM, MOST_SPACE_EM = 0.16, 0.42, 1.6
# After resizing, the score is engraved anew when the size has rested for so long.
REST_MS = 300
# How long drawing may take in one go while other things wait.
DRAWING_BUDGET_S = 0.006
# Who scrolls away is left alone for so long before the bar that sounds is brought back into view.
LEFT_ALONE_S = 4.0
SCROLL_MS = 240
# The strip is made as high as the highest of so many systems from the start.
MOST_COMPARED = 8
NO_SCORE = "Open a score to see it engraved here."
AT_WORK = "The score is being engraved …"


class StripCanvas(QAbstractScrollArea):
    """The strip without what a person does in it.

    Signals
    -------
    engraving_wanted(int)
        The score is wanted engraved for this width (`Engraving.width_units`).
    height_wanted(int)
        So many pixels would show a whole system.
    """

    engraving_wanted = Signal(int)
    height_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._unfolded: UnfoldedScore | None = None
        self._sounding: SoundingScore | None = None
        self._score_key: object = None
        self._drawings: Drawings | None = None
        self._marker: Marker | None = None
        self._placement: Placement | None = None
        self._parts: tuple[PartSettings, ...] = ()
        self._silent: frozenset[int | None] = frozenset()
        self._mode = Mode.SYSTEMS
        self._space_em = SPACE_EM
        self._frame: int | None = None
        self._is_playing = False
        self._marks = Marks()
        self._hovered: int | None = None
        self._failure = ""
        self._wanted_height_px = 0
        self._note_heads: NoteHeads | None = None
        self._left_alone_until_s = 0.0
        self._theme = Theme.from_palette(self.palette())
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._ask_for_engraving)
        self._drawing_on = QTimer(self, singleShot=True, interval=0)
        self._drawing_on.timeout.connect(self._draw_on)
        self._glide = QVariantAnimation(self, duration=SCROLL_MS, easingCurve=QEasingCurve(QEasingCurve.Type.OutCubic))
        self._glide.valueChanged.connect(lambda value: self._bar().setValue(round(value)))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._show_bars()

    # --------------------------------------------------------------------------------------------- what is shown

    def set_score(
        self,
        unfolded: UnfoldedScore | None,
        alignment: Alignment | None,
        parts: tuple[PartSettings, ...] = (),
        sample_rate: int = 44100,
    ) -> None:
        """Show where a score is heard: at its aligned places, without an alignment at its marked tempo.

        Parameters
        ----------
        unfolded : UnfoldedScore or None
        alignment : Alignment or None
        parts : tuple of PartSettings
        sample_rate : int
            Frames in a second.
        """
        self._parts = parts
        key = (unfolded, alignment, sample_rate)
        if key != self._score_key:
            is_other = unfolded is None or self._unfolded is None or unfolded.score != self._unfolded.score
            self._score_key, self._unfolded = key, unfolded
            self._sounding = SoundingScore(unfolded, alignment, sample_rate) if unfolded is not None else None
            self._note_heads = None
            if is_other:
                self._drawings, self._placement = None, None
                self._rest.start()
            self._make_marker()
        self._remark()
        self.viewport().update()

    def set_engraving(self, engraving: Engraving | None) -> None:
        """Show an engraving of the score; None where it is yet to be made."""
        self._drawings = Drawings(engraving) if engraving is not None else None
        self._make_marker()
        self._lay_out(keeps_place=True)

    def set_failure(self, text: str) -> None:
        """Say in place of the score why it is not engraved; it is asked for again when the strip is next shown."""
        self._failure = text
        self.viewport().update()

    def set_playhead(self, frame: int | None) -> None:
        """Mark what sounds at a frame, and bring it into view where it has moved to another bar."""
        if frame == self._frame:
            return
        self._frame = frame
        if not self.isVisible():
            return
        before = self._marks.measure_index
        self._remark()
        if self._marks.measure_index != before or self._is_playing:
            self._follow()

    def set_playing(self, is_playing: bool) -> None:
        """Tell whether the playhead runs by itself."""
        if is_playing and not self._is_playing:
            self._left_alone_until_s = 0.0
            self._is_playing = True
            self._follow()
        self._is_playing = is_playing

    def set_silent_parts(self, parts: frozenset[int | None]) -> None:
        """Pale the notes of parts that are not heard."""
        if parts != self._silent:
            self._silent = parts
            self.viewport().update()

    def set_note_marks(self, marks: NoteMarks) -> None:
        """Show which notes are selected, and what was done to their sound."""
        self._note_heads = NoteHeads(marks, self._unfolded) if self._unfolded is not None else None
        self.viewport().update()

    @property
    def mode(self) -> Mode:
        """How systems lie."""
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Lay systems one below the other, or side by side in one line."""
        if mode is not self._mode:
            self._mode = mode
            self._show_bars()
            self._lay_out()
            self._follow(at_once=True)
            self._rest.start()

    @property
    def marks(self) -> Marks:
        """What is marked now."""
        return self._marks

    @property
    def engraving(self) -> Engraving | None:
        """What is shown."""
        return self._drawings.engraving if self._drawings is not None else None

    @property
    def problem(self) -> str:
        """What is said in place of the score; empty where it is shown."""
        if self._unfolded is None:
            return NO_SCORE
        if self._drawings is None:
            return self._failure or AT_WORK
        return self._drawings.engraving.problem

    def zoom(self, factor: float) -> None:
        """Make staves larger or smaller."""
        space_em = min(max(self._space_em * factor, LEAST_SPACE_EM), MOST_SPACE_EM)
        if space_em != self._space_em:
            self._space_em = space_em
            if self._mode is Mode.LINE:
                self._lay_out(keeps_place=True)
            self._ask_for_engraving()

    def minimumSizeHint(self) -> QSize:
        line = self.fontMetrics().height()
        return QSize(12 * line, 5 * line)

    def sizeHint(self) -> QSize:
        line = self.fontMetrics().height()
        return QSize(60 * line, 15 * line)

    # ------------------------------------------------------------------------------------------------- placement

    @property
    def _space_px(self) -> float:
        return self._space_em * self.fontMetrics().height()

    def _show_bars(self) -> None:
        """Keep the scroll bar along which systems follow each other always there: its coming would move the score."""
        policy = Qt.ScrollBarPolicy
        is_line = self._mode is Mode.LINE
        self.setVerticalScrollBarPolicy(policy.ScrollBarAsNeeded if is_line else policy.ScrollBarAlwaysOn)
        self.setHorizontalScrollBarPolicy(policy.ScrollBarAlwaysOn if is_line else policy.ScrollBarAlwaysOff)

    def _ask_for_engraving(self) -> None:
        if self._unfolded is None or not self.isVisible():
            return
        room_px = self.viewport().width() if self._mode is Mode.SYSTEMS else 60 * self.fontMetrics().height()
        width = engraving_width(room_px, self._space_px)
        if self.engraving is None or (self.engraving.width_units != width and not self.engraving.problem):
            self._failure = ""
            self.engraving_wanted.emit(width)

    def _make_marker(self) -> None:
        has_both = self._sounding is not None and self._drawings is not None and self._drawings.engraving.systems
        self._marker = Marker(self._sounding, self._drawings) if has_both else None  # type: ignore[arg-type]

    def _lay_out(self, keeps_place: bool = False) -> None:
        """Place the systems anew. Keeping the place, what is at the top (or the left) stays there."""
        before, at = self._placement, self._bar().value()
        if self._drawings is None or not self._drawings.engraving.systems:
            self._placement = None
        else:
            ratio = self.devicePixelRatioF()
            room = (float(self.viewport().width()), float(self.viewport().height()))
            self._placement = place_systems(self._drawings.engraving, self._mode, room, self._space_px)
            self._drawings.set_look(Look(self._placement.scale * ratio, ratio, self._theme.text.name()))
        self._set_ranges()
        self._want_height()
        self._remark()
        if keeps_place and before is not None and self._placement is not None and before.mode is self._mode:
            end = before.height if self._mode is Mode.SYSTEMS else before.width
            now = self._placement.height if self._mode is Mode.SYSTEMS else self._placement.width
            self._bar().setValue(round(at * now / max(end, 1.0)))
        if self._marks.measure_index is not None:
            self._follow(at_once=True)
        self.viewport().update()

    def _want_height(self) -> None:
        if self._placement is not None:
            tallest = max(self._placement.heights[:MOST_COMPARED])
            across = self.horizontalScrollBar().sizeHint().height() if self._mode is Mode.LINE else 0
            height_px = round(tallest + 2 * self._space_px + across)
            if height_px != self._wanted_height_px:
                self._wanted_height_px = height_px
                self.height_wanted.emit(height_px)

    def _set_ranges(self) -> None:
        room, placement = self.viewport().size(), self._placement
        across = placement.width if placement is not None and self._mode is Mode.LINE else 0.0
        down = placement.height if placement is not None else 0.0
        for bar, length, page in (
            (self.horizontalScrollBar(), across, room.width()),
            (self.verticalScrollBar(), down, room.height()),
        ):
            bar.setRange(0, max(round(length) - page, 0))
            bar.setPageStep(page)
            bar.setSingleStep(max(round(3 * self._space_px), 1))

    def _bar(self) -> QScrollBar:
        return self.verticalScrollBar() if self._mode is Mode.SYSTEMS else self.horizontalScrollBar()

    def _offset(self) -> QPoint:
        return QPoint(self.horizontalScrollBar().value(), self.verticalScrollBar().value())

    # ------------------------------------------------------------------------------------------------- following

    def _remark(self) -> None:
        """Find what is marked now, and paint anew what differs."""
        before = self._marks
        if self._marker is None or self._frame is None:
            self._marks = Marks()
        else:
            self._marks = self._marker.marks_at(self._frame)
        if self._marker is None or self._placement is None or self._marks == before:
            return
        if before.system is not None and before.system >= len(self._placement.left):
            before = Marks()  # of an engraving in more systems; the whole strip is painted anew
        region = QRegion()
        is_same_bar = before.measure_index == self._marks.measure_index
        for marks, other in ((before, self._marks), (self._marks, before)):
            rows = marks.rows - other.rows
            shown = Marks(None if is_same_bar else marks.measure_index, rows, None, 0.0)
            boxes = self._marker.boxes(shown, self._placement) + self._marker.line_boxes(marks, self._placement)
            for box in boxes:
                region += box.translated(-self._offset()).toAlignedRect()
        self.viewport().update(region)

    def _follow(self, at_once: bool = False) -> None:
        """Bring the marked bar into view, unless the person has just scrolled elsewhere."""
        placement, index = self._placement, self._marks.measure_index
        place = self.engraving.place_of_measure(index) if self.engraving is not None and index is not None else None
        if placement is None or place is None or monotonic() < self._left_alone_until_s:
            return
        bar = self._bar()
        size = self.viewport().size()
        room = size.width() if self._mode is Mode.LINE else size.height()
        target = scroll_target(placement, place[0], bar_rect(placement, *place), bar.value(), room)
        if target is None:
            return
        target = min(max(target, 0), bar.maximum())
        if at_once or not self._is_playing or not self.isVisible():
            self._glide.stop()
            bar.setValue(target)
        elif self._glide.state() is not QVariantAnimation.State.Running or self._glide.endValue() != target:
            self._glide.stop()
            self._glide.setStartValue(bar.value())
            self._glide.setEndValue(target)
            self._glide.start()

    # -------------------------------------------------------------------------------------------------- painting

    def _systems_in_view(self) -> range:
        if self._placement is None:
            return range(0)
        offset, room = self._offset(), self.viewport().size()
        at, length = (offset.y(), room.height()) if self._mode is Mode.SYSTEMS else (offset.x(), room.width())
        return self._placement.systems_between(at, at + length)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(event.rect(), self._theme.ground)
        if self._placement is None or self._drawings is None:
            self._paint_problem(painter)
        else:
            offset = self._offset()
            painter.translate(-offset)
            self._paint_bars(painter)
            if self._marker is not None:
                self._marker.paint_line(painter, self._marks, self._placement, self._theme.playhead)
            clip = QRectF(event.rect().translated(offset))
            for index in self._systems_in_view():
                self._paint_system(painter, index, clip)
            painter.resetTransform()
        if self.hasFocus():
            painter.setPen(QPen(self._theme.accent, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.viewport().rect()).adjusted(1, 1, -1, -1))
        painter.end()
        self._drawing_on.start()

    def _paint_problem(self, painter: QPainter) -> None:
        painter.setPen(self._theme.faint_text)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(self.viewport().rect().adjusted(20, 8, -20, -8), int(flags), self.problem)

    def _paint_bars(self, painter: QPainter) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        for index, alpha in ((self._hovered, 0.05), (self._marks.measure_index, 0.11)):
            rect = self.bar_box(index) if index is not None else None
            if rect is not None:
                painter.setBrush(translucent(self._theme.accent, alpha))
                painter.drawRoundedRect(rect, 4, 4)

    def bar_box(self, measure_index: int) -> QRectF | None:
        """Return where a measure is marked, in the plane that scrolls; None where it is not engraved."""
        place = self.engraving.place_of_measure(measure_index) if self.engraving is not None else None
        return bar_rect(self._placement, *place) if place is not None and self._placement is not None else None

    def _paint_system(self, painter: QPainter, index: int, clip: QRectF) -> None:
        placement, drawings = self._placement, self._drawings
        assert placement is not None and drawings is not None
        left, top = placement.left[index], placement.top[index]
        drawing = drawings.system(index)
        ratio = self.devicePixelRatioF()
        width, height = drawing.picture.width() / ratio, drawing.picture.height() / ratio
        target = clip.intersected(QRectF(left, top, width, height))
        if target.isEmpty():
            return
        colors = part_colors(self._parts, self._silent, self._part_count(), self._theme)
        if self._marker is not None:
            self._marker.paint_under(painter, self._marks, index, placement, colors)
        target = QRectF(target.toAlignedRect())
        source = QRectF(
            (target.x() - left) * ratio, (target.y() - top) * ratio, target.width() * ratio, target.height() * ratio
        )
        painter.drawPixmap(target, drawing.picture, source)
        if self._marker is not None:
            self._marker.paint_over(painter, self._marks, index, placement, colors)
        if self._note_heads is not None:
            self._note_heads.paint(painter, index, placement, drawings, (self._theme, colors))

    def _part_count(self) -> int:
        return len(self._unfolded.score.parts) if self._unfolded is not None else 0

    def _draw_on(self) -> None:
        """Draw a little more of what is in view, then of what comes next."""
        drawings, view = self._drawings, self._systems_in_view()
        if drawings is None or self._placement is None or not view:
            return
        count = len(self._placement.top)
        ahead = [i for i in (view.stop, view.stop + 1, view.start - 1) if 0 <= i < count]
        drawings.let_go(frozenset(view) | frozenset(ahead))
        for index in (*view, *ahead):
            drawing = drawings.system(index)
            if not drawing.is_finished:
                drawing.draw_on(DRAWING_BUDGET_S)
                if index in view:
                    self.viewport().update(self._system_rect(index))
                self._drawing_on.start()
                return

    def _system_rect(self, index: int) -> QRect:
        placement = self._placement
        assert placement is not None
        left, top = placement.left[index], placement.top[index]
        rect = QRectF(left, top, placement.widths[index], placement.heights[index])
        return rect.translated(-self._offset()).toAlignedRect()

    # ------------------------------------------------------------------------------------------- what Qt calls

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()  # what lies still on the strip (the frame of the focus) must not be moved along

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out(keeps_place=True)
        self._rest.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._rest.start()
        self._remark()
        self._follow(at_once=True)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.ApplicationPaletteChange):
            self._theme = Theme.from_palette(self.palette())
            self._lay_out(keeps_place=True)
        elif event.type() in (QEvent.Type.FontChange, QEvent.Type.ApplicationFontChange):
            self._lay_out(keeps_place=True)
            self._rest.start()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._lay_out(keeps_place=True)
        return bool(super().event(event))
