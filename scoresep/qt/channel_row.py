"""One strip of the mixer: a part of the score, the residual, or the master."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from scoresep.model.colors import legible
from scoresep.model.project import ChannelStrip
from scoresep.playback.mixing import TrackKey
from scoresep.qt.buttons import PRESS_KEYS, FlatButton, LetterButton, TextButton, draw_focus_ring, keeps_key
from scoresep.qt.faders import Fader, GainField, PanKnob
from scoresep.qt.theme import MUTE_COLOR, SOLO_COLOR, em, hover_color, line_color, sized_font

# What a line of text keeps free on either side of it.
MARGIN_PX = 2


@dataclass(frozen=True)
class RowContent:
    """What one strip shows.

    Attributes
    ----------
    name : str
    color : str
        ``#rrggbb``.
    strip : ChannelStrip
    instrument : str
        Empty for none to choose.
    note : str
        A word about the part in the place of its strip: absent, joined to another; empty for none.
    is_left_out : bool
        Whether everything but this is heard ("minus one").
    has_sound : bool
        Whether there is a stem to hear.
    """

    name: str
    color: str
    strip: ChannelStrip
    instrument: str = ""
    note: str = ""
    is_left_out: bool = False
    has_sound: bool = True


class ColorChip(FlatButton):
    """The colour of a part; pressing it lets another be chosen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Colour", parent=parent)
        self._color = "#888888"
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)

    def set_color(self, color: str) -> None:
        """Show a colour, ``#rrggbb``."""
        self._color = color
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(em(self, 0.62), em(self, 2.0))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            ground = self.palette().color(QPalette.ColorRole.Window)
            color = QColor(legible(self._color, ground.name(), 2.0))
            if not self.isEnabled():
                color = line_color(self.palette())
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color.lighter(115) if self.underMouse() and self.isEnabled() else color)
            inset = em(self, 0.1)
            rect = QRectF(self.rect()).adjusted(inset, 0, -inset, 0)
            painter.drawRoundedRect(rect, em(self, 0.14), em(self, 0.14))
            if self.hasFocus():
                draw_focus_ring(painter, self, em(self, 0.2))


class NameEdit(QLineEdit):
    """A name that looks like a label until it is edited; Escape leaves it as it was."""

    changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = ""
        self.setFrame(False)
        self.setFont(sized_font(self.font(), 1.0, is_bold=True))
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Base, QColor(0, 0, 0, 0))
        self.setPalette(palette)
        self.setMaxLength(80)
        self.editingFinished.connect(self._finish)

    def set_name(self, name: str) -> None:
        """Show a name, unless one is being typed."""
        self._name = name
        if not (self.hasFocus() and self.isModified()):
            self.setText(name)
            self.setCursorPosition(0)
        self._show_tip()

    def _finish(self) -> None:
        name = self.text().strip()
        self.setModified(False)
        if name and name != self._name:
            self._name = name
            self.changed.emit(name)
        else:
            self.setText(self._name)
        self.setCursorPosition(0)

    def event(self, event: QEvent) -> bool:
        return keeps_key(event, (*PRESS_KEYS, Qt.Key.Key_Escape)) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.setText(self._name)
            self.setModified(False)
            self.clearFocus()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.clearFocus()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.deselect()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_tip()

    def _is_cut(self) -> bool:
        return self.fontMetrics().horizontalAdvance(self.text()) > self.width() - 2 * MARGIN_PX

    def _show_tip(self) -> None:
        self.setToolTip(self._name if self._is_cut() else "")

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.hasFocus() or not self._is_cut():
            super().paintEvent(event)
            return
        with QPainter(self) as painter:
            room = self.rect().adjusted(MARGIN_PX, 0, -MARGIN_PX, 0)
            painter.setPen(self.palette().color(QPalette.ColorRole.Text))
            text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, room.width())
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)


class ChannelRow(QWidget):
    """One strip.

    Signals
    -------
    strip_changed(ChannelStrip)
    minus_one_asked(), color_asked(), chosen()
    renamed(str)
    """

    strip_changed = Signal(object)
    minus_one_asked = Signal()
    color_asked = Signal()
    renamed = Signal(str)
    chosen = Signal()

    def __init__(self, key: TrackKey | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key = key
        self._strip = ChannelStrip()
        self._content: RowContent | None = None
        self._is_selected = False
        self.chip = ColorChip()
        self.name = NameEdit()
        self.name.setReadOnly(not isinstance(key, int))
        self.instrument = TextButton("", "Instrument", is_faint=True)
        self.mute = LetterButton("M", "Mute", MUTE_COLOR)
        self.solo = LetterButton("S", "Solo", SOLO_COLOR)
        self.minus = LetterButton("−1", "Minus one", QColor("#8a63c9"))
        self.fader = Fader("Level")
        self.gain = GainField("Level")
        self.pan = PanKnob("Pan")
        self.note = QLabel()
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(em(self, 0.2))
        top.addWidget(self.name, 1)
        top.addWidget(self.instrument, 0)
        bottom = QHBoxLayout()
        bottom.setSpacing(em(self, 0.2))
        for widget in (self.mute, self.solo, self.minus):
            bottom.addWidget(widget)
        bottom.addSpacing(em(self, 0.15))
        bottom.addWidget(self.fader, 1)
        bottom.addWidget(self.gain)
        bottom.addWidget(self.pan)
        bottom.addWidget(self.note, 1)
        lines = QVBoxLayout()
        lines.setSpacing(em(self, 0.12))
        lines.addLayout(top)
        lines.addLayout(bottom)
        row = QHBoxLayout(self)
        row.setContentsMargins(em(self, 0.35), em(self, 0.35), em(self, 0.45), em(self, 0.35))
        row.setSpacing(em(self, 0.35))
        row.addWidget(self.chip)
        row.addLayout(lines, 1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def _connect(self) -> None:
        self.mute.toggled.connect(lambda on: self._change(is_muted=on))
        self.solo.toggled.connect(lambda on: self._change(is_soloed=on))
        self.minus.clicked.connect(self.minus_one_asked)
        self.fader.valueChanged.connect(lambda value: self._change(gain_db=value / 10))
        self.gain.valueChanged.connect(lambda value: self._change(gain_db=value))
        self.pan.panned.connect(lambda pan: self._change(pan=pan))
        self.chip.clicked.connect(self.color_asked)
        self.name.changed.connect(self.renamed)

    def _change(self, **values: Any) -> None:
        strip = replace(self._strip, **values)
        if strip != self._strip:
            self._strip = strip
            self.fader.set_gain_db(strip.gain_db)
            self.gain.set_gain_db(strip.gain_db)
            self.strip_changed.emit(strip)

    @property
    def strip(self) -> ChannelStrip:
        """The settings it shows."""
        return self._strip

    def show_content(self, content: RowContent) -> None:
        """Show a strip without telling anybody."""
        if content == self._content and content.strip == self._strip and content.is_left_out == self.minus.isChecked():
            return
        self._content = content
        self._strip = content.strip
        self.chip.set_color(content.color)
        self.name.set_name(content.name)
        self.instrument.setText(content.instrument)
        self.instrument.setVisible(bool(content.instrument))
        for button, is_on in (
            (self.mute, content.strip.is_muted),
            (self.solo, content.strip.is_soloed),
            (self.minus, content.is_left_out),
        ):
            blocked = button.blockSignals(True)
            button.setCheckable(True)
            button.setChecked(is_on)
            button.blockSignals(blocked)
        self.fader.set_gain_db(content.strip.gain_db)
        self.gain.set_gain_db(content.strip.gain_db)
        self.pan.set_pan(content.strip.pan)
        self.note.setText(content.note)
        self.note.setVisible(bool(content.note))
        for widget in (self.mute, self.solo, self.minus, self.fader, self.gain, self.pan):
            widget.setVisible(not content.note)
            widget.setEnabled(content.has_sound)
        self.note.setEnabled(False)
        self._name_for_all(content.name)

    def _name_for_all(self, name: str) -> None:
        self.setAccessibleName(name)
        for widget, text in ((self.mute, "Mute"), (self.solo, "Solo")):
            widget.set_name(f"{text} {name}")
        self.minus.set_name(f"Everything but {name}")
        self.fader.setAccessibleName(f"Level of {name}")
        self.gain.setAccessibleName(f"Level of {name}, as a number")
        self.pan.setAccessibleName(f"Pan of {name}")
        self.pan.set_pan(self._strip.pan)
        self.chip.setAccessibleName(f"Colour of {name}")
        self.chip.setToolTip(f"Colour of {name}")
        self.name.setAccessibleName("Name of the part" if isinstance(self.key, int) else name)
        self.instrument.set_name(f"Instrument of {name}, and whether the recording has it")

    def show_level(self, peak: NDArray[np.float32] | None, elapsed_s: float) -> None:
        """Let the meter go on."""
        self.fader.show_level(peak, elapsed_s)

    def set_selected(self, is_selected: bool) -> None:
        """Show (or not) that keys like mute and solo are meant for this strip."""
        if is_selected != self._is_selected:
            self._is_selected = is_selected
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.chosen.emit()
        super().mousePressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            if self._is_selected:
                painter.fillRect(self.rect(), hover_color(self.palette(), 0.07))
            painter.fillRect(0, self.height() - 1, self.width(), 1, hover_color(self.palette(), 0.08))
