"""The bar on top: playing, where it stands, what is heard, and the next step of the work."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QAction, QFontMetrics, QPainter, QPaintEvent, QPalette, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from scoresep.model.timebase import format_time
from scoresep.qt.widgets.buttons import FlatButton, IconButton, TextButton, draw_focus_ring, text_on
from scoresep.qt.widgets.theme import SOLO_COLOR, digits_font, em, faint_color, line_color, sized_font


class PositionDisplay(QWidget):
    """Where it stands, as time and as bar and beat, in figures that do not shake."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._time, self._total, self._bar, self._beat = "0:00.000", "", "", ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Position")

    def show_position(self, position_s: float, duration_s: float | None, bar: str, beat: str) -> None:
        """Show a position.

        Parameters
        ----------
        position_s : float
        duration_s : float or None
            None while there is no recording.
        bar, beat : str
            Empty while the score is not aligned.
        """
        total = "" if duration_s is None else format_time(duration_s)
        shown = (format_time(position_s), total, bar, beat)
        if shown != (self._time, self._total, self._bar, self._beat):
            if len(total) != len(self._total):
                self.updateGeometry()
            self._time, self._total, self._bar, self._beat = shown
            where = f"{self._time}, bar {bar}, beat {beat}" if bar else self._time
            self.setAccessibleDescription(where)
            self.update()

    def _widths(self) -> tuple[int, int]:
        pattern = "0:00:00.000" if len(self._total) > len("00:00.000") else "00:00.000"
        big = QFontMetrics(digits_font(self.font(), 1.5)).horizontalAdvance(pattern)
        return big, em(self, 3.1)

    def sizeHint(self) -> QSize:
        time, field = self._widths()
        return QSize(time + 2 * field + em(self, 1.5), em(self, 2.5))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            palette = self.palette()
            radius = em(self, 0.3)
            painter.setPen(QPen(line_color(palette), 1.0))
            painter.setBrush(palette.color(QPalette.ColorRole.Base))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
            time, field = self._widths()
            left, height = em(self, 0.6), self.height()
            text, faint = palette.color(QPalette.ColorRole.Text), faint_color(palette)
            right_centre = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.setFont(digits_font(self.font(), 1.5))
            painter.setPen(text)
            main = QRectF(left, 0, time, height * (0.68 if self._total else 1.0))
            painter.drawText(main, right_centre, self._time)
            painter.setFont(digits_font(self.font(), 0.8))
            painter.setPen(faint)
            if self._total:
                painter.drawText(QRectF(left, height * 0.56, time, height * 0.4), right_centre, f"of {self._total}")
            x = left + time + em(self, 0.6)
            for caption, value in (("bar", self._bar), ("beat", self._beat)):
                painter.setPen(QPen(line_color(palette), 1.0))
                painter.drawLine(round(x), round(height * 0.22), round(x), round(height * 0.78))
                painter.setPen(text if value else faint)
                painter.setFont(digits_font(self.font(), 1.2))
                centre = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
                painter.drawText(QRectF(x, 0, field, height * 0.68), centre, value or "–")
                painter.setFont(sized_font(self.font(), 0.8))
                painter.setPen(faint)
                painter.drawText(QRectF(x, height * 0.56, field, height * 0.4), centre, caption)
                x += field


class Switch(FlatButton):
    """Two fields of which one is lit, the second in the colour of what is heard alone.

    Parameters
    ----------
    name : str
    first, second : str
        What stands in the fields.
    """

    def __init__(self, name: str, first: str, second: str, parent: QWidget | None = None) -> None:
        super().__init__(name, SOLO_COLOR, parent)
        self._fields = (first, second)
        self.setCheckable(True)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        width = max(self.fontMetrics().horizontalAdvance(field) for field in self._fields) + em(self, 1.2)
        return QSize(2 * width, em(self, 1.75))

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            palette, radius = self.palette(), em(self, 0.26)
            outer = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
            painter.setPen(QPen(line_color(palette), 1.0))
            painter.setBrush(palette.color(QPalette.ColorRole.Base))
            painter.drawRoundedRect(outer, radius, radius)
            for i, field in enumerate(self._fields):
                rect = QRectF(outer.left() + i * outer.width() / 2, outer.top(), outer.width() / 2, outer.height())
                color = faint_color(palette)
                if not self.isEnabled():
                    color = palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.WindowText)
                elif self.isChecked() == bool(i):
                    ground = SOLO_COLOR if i else palette.color(QPalette.ColorRole.Highlight)
                    painter.setPen(Qt.PenStyle.NoPen)
                    painter.setBrush(ground)
                    painter.drawRoundedRect(rect.adjusted(1.5, 1.5, -1.5, -1.5), radius - 1, radius - 1)
                    color = text_on(ground)
                painter.setPen(color)
                painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, field)
            if self.hasFocus():
                draw_focus_ring(painter, self, radius)


def bind(button: FlatButton, action: QAction) -> None:
    """Let a button do what an action does, and show what it shows; the action's own text stays in the menu."""

    def show() -> None:
        key = action.shortcut().toString(action.shortcut().SequenceFormat.NativeText)
        name = action.text().replace("&", "").rstrip("…")
        button.setCheckable(action.isCheckable())
        button.setChecked(action.isChecked())
        button.setEnabled(action.isEnabled())
        button.setAccessibleName(name)
        tip = action.toolTip() or name
        button.setToolTip(f"{tip}  ({key})" if key else tip)

    action.changed.connect(show)
    button.clicked.connect(action.trigger)
    show()


class TransportBar(QWidget):
    """The bar.

    Parameters
    ----------
    actions : dict of QAction
        By the ids of the table of actions.
    """

    def __init__(self, actions: dict[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.to_start = IconButton("to-start", "To the start")
        self.play = IconButton("play", "Play", size_em=2.3)
        self.loop = IconButton("loop", "Loop")
        self.follow = IconButton("follow", "Follow")
        self.clicks = IconButton("clicks", "Hear clicks at notes")
        self.correct = IconButton("correct", "Correct by hand")
        self.position = PositionDisplay()
        self.switch = Switch("Hear the original recording instead of the stems", "Stems", "Original")
        self.compare = Switch("Hear the other stems", "A", "B")
        self.compare.hide()
        self.align = TextButton("Align", "Align", "align", is_framed=True)
        self.separate = TextButton("Separate", "Separate", "split", is_framed=True)
        self.export = TextButton("Export", "Export", "export", is_framed=True)
        for button, action in (
            (self.to_start, "to_start"),
            (self.play, "play"),
            (self.loop, "loop"),
            (self.follow, "follow"),
            (self.clicks, "check_clicks"),
            (self.correct, "correct"),
            (self.switch, "original"),
            (self.compare, "other_stems"),
            (self.align, "align"),
            (self.separate, "separate"),
            (self.export, "export"),
        ):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # after a click the arrow keys still move the playhead
            bind(button, actions[action])
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(em(self, 0.6), em(self, 0.4), em(self, 0.6), em(self, 0.4))
        row.setSpacing(em(self, 0.25))
        for widget in (self.to_start, self.play, self.loop, self.follow, self.clicks, self.correct):
            row.addWidget(widget)
        row.addSpacing(em(self, 0.5))
        row.addWidget(self.position)
        row.addSpacing(em(self, 0.5))
        row.addWidget(self.switch)
        row.addWidget(self.compare)
        row.addStretch(1)
        for button in (self.align, self.separate, self.export):
            row.addWidget(button)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def show_compare(self, is_shown: bool) -> None:
        """Show (or not) the switch between two sets of stems."""
        self.compare.setVisible(is_shown)
        self._fit()

    def _fit(self) -> None:
        """Leave the words of the buttons away where there is no room for them."""
        buttons = (self.align, self.separate, self.export)
        wanted = self._row.sizeHint().width() + sum(b.full_width - b.sizeHint().width() for b in buttons)
        for button in buttons:
            button.set_compact(self.width() < wanted)

    def show_playing(self, is_playing: bool) -> None:
        """Show whether it plays."""
        self.play.set_icon("stop" if is_playing else "play")

    def set_next_step(self, step: str) -> None:
        """Mark what to do next: ``align``, ``separate``, ``export`` or nothing."""
        for name, button in (("align", self.align), ("separate", self.separate), ("export", self.export)):
            button.set_primary(name == step)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(0, self.height() - 1, self.width(), 1, line_color(self.palette()))
