"""One strip of the mixer (a part of the score, the residual, the master) with its fader, meter and pan knob."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
    QValidator,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QDial,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from scoresep.model.colors import make_legible
from scoresep.model.project import ChannelStrip
from scoresep.playback.mixing import CLOSED_GAIN_DB, MAX_GAIN_DB, TrackKey
from scoresep.qt.widgets.buttons import PRESS_KEYS, FlatButton, LetterButton, TextButton, draw_focus_ring, takes_key
from scoresep.qt.widgets.theme import (
    LEVEL_CLIP,
    LEVEL_HIGH,
    LEVEL_LOW,
    MUTE_COLOR,
    SOLO_COLOR,
    blend,
    digits_font,
    em,
    faint_color,
    hover_color,
    is_dark,
    line_color,
    sized_font,
)

# Position on the fader as a power law of the factor: fine steps around 0 dB, coarse ones below.
_UNITY_SHARE = 10 ** (-MAX_GAIN_DB / 96.0)
_CLOSED_SHARE = _UNITY_SHARE * 10 ** (CLOSED_GAIN_DB / 96.0)

METER_FALL_DB_PER_S = 26.0
PEAK_HOLD_S = 1.2
CLIP_HOLD_S = 3.0


def db_to_share(level_db: float) -> float:
    """Convert a gain or a level to a position on the fader, 0 to 1."""
    share = (_UNITY_SHARE * 10 ** (level_db / 96.0) - _CLOSED_SHARE) / (1.0 - _CLOSED_SHARE)
    return min(max(share, 0.0), 1.0)


def share_to_db(share: float) -> float:
    """Convert a position on the fader, 0 to 1, to a gain."""
    value = _CLOSED_SHARE + (1.0 - _CLOSED_SHARE) * min(max(share, 0.0), 1.0)
    return min(max(96.0 * math.log10(value / _UNITY_SHARE), CLOSED_GAIN_DB), MAX_GAIN_DB)


def level_db(value: float) -> float:
    """Convert a sample's size to dB below full scale; a closed fader's for nothing."""
    return max(20.0 * math.log10(value), CLOSED_GAIN_DB) if value > 1e-6 else CLOSED_GAIN_DB


def gain_text(gain_db: float) -> str:
    """Write a gain as people read it."""
    if gain_db <= CLOSED_GAIN_DB:
        return "−∞"
    tenths = round(gain_db * 10)
    return f"{tenths / 10:+.1f}".replace("-", "−") if tenths else "0.0"


class Meter:
    """What a meter shows: two bars that rise at once and fall evenly, and the peaks that stay a moment."""

    def __init__(self) -> None:
        self.bars_db = [CLOSED_GAIN_DB, CLOSED_GAIN_DB]
        self.peaks_db = [CLOSED_GAIN_DB, CLOSED_GAIN_DB]
        self._peak_age_s = [0.0, 0.0]
        self._clip_age_s = math.inf

    @property
    def is_clipped(self) -> bool:
        """Whether full scale was passed a moment ago."""
        return self._clip_age_s < CLIP_HOLD_S

    def advance(self, peak: NDArray[np.float32] | None, elapsed_s: float) -> bool:
        """Take the latest peaks [shape=(2,)]; None for silence. Returns whether anything looks different."""
        before = (*self.bars_db, *self.peaks_db, self.is_clipped)
        self._clip_age_s += elapsed_s
        for side in range(2):
            now_db = CLOSED_GAIN_DB if peak is None else level_db(float(peak[side]))
            fallen_db = max(self.bars_db[side] - METER_FALL_DB_PER_S * elapsed_s, CLOSED_GAIN_DB)
            self.bars_db[side] = max(now_db, fallen_db)
            self._peak_age_s[side] += elapsed_s
            if now_db >= self.peaks_db[side] or self._peak_age_s[side] > PEAK_HOLD_S:
                self.peaks_db[side] = self.bars_db[side]
                self._peak_age_s[side] = 0.0
            if peak is not None and peak[side] > 1.0:
                self._clip_age_s = 0.0
        return before != (*self.bars_db, *self.peaks_db, self.is_clipped)


class Fader(QSlider):
    """A level in tenths of a dB, with the meter of what passes it in its groove.

    Double click sets it to 0 dB; with Shift the mouse moves it finely.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setRange(round(CLOSED_GAIN_DB * 10), round(MAX_GAIN_DB * 10))
        self.setSingleStep(5)
        self.setPageStep(30)
        self.setValue(0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        self._meter = Meter()
        self._drag: tuple[float, float] | None = None

    def set_gain_db(self, gain_db: float) -> None:
        """Show a gain without telling anybody."""
        blocked = self.blockSignals(True)
        self.setValue(round(min(max(gain_db, CLOSED_GAIN_DB), MAX_GAIN_DB) * 10))
        self.blockSignals(blocked)

    @property
    def gain_db(self) -> float:
        """The gain it stands at."""
        return self.value() / 10

    def show_level(self, peak: NDArray[np.float32] | None, elapsed_s: float) -> None:
        """Let the meter go on by some time; `peak` [shape=(2,)] is the loudest of left and right."""
        if self._meter.advance(peak, elapsed_s):
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(em(self, 7.0), em(self, 1.3))

    def minimumSizeHint(self) -> QSize:
        return QSize(em(self, 4.0), em(self, 1.3))

    def _span(self) -> tuple[float, float]:
        margin = em(self, 0.36)
        return float(margin), float(max(self.width() - 2 * margin, 1))

    def _x(self, value_db: float) -> float:
        left, width = self._span()
        return left + width * db_to_share(value_db)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        x, at = event.position().x(), self._x(self.gain_db)
        if event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.setValue(0)
            return
        if abs(x - at) > em(self, 0.6) and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            left, width = self._span()
            self.setValue(round(share_to_db((x - left) / width) * 10))
        self._drag = (x, db_to_share(self.gain_db))
        self.setSliderDown(True)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is None:
            return
        fine = 0.2 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0
        moved = (event.position().x() - self._drag[0]) / self._span()[1] * fine
        gain_db = share_to_db(self._drag[1] + moved)
        self.setValue(0 if abs(gain_db) < 0.25 and fine == 1.0 else round(gain_db * 10))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = None
        self.setSliderDown(False)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.setValue(0)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self.hasFocus():
            event.ignore()  # the list scrolls; a fader moves by the wheel only when it was chosen
            return
        super().wheelEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            palette, middle = self.palette(), self.height() / 2
            left, width = self._span()
            height = em(self, 0.46)
            groove = QRectF(left, middle - height / 2, width, height)
            ground = blend(
                palette.color(QPalette.ColorRole.Base), QColor("#000000"), 0.12 if is_dark(palette) else 0.07
            )
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(groove, height * 0.3, height * 0.3)
            self._paint_levels(painter, groove)
            unity = self._x(0.0)
            painter.setPen(QPen(faint_color(palette), 1.0))
            painter.drawLine(QPointF(unity, groove.bottom() + 2), QPointF(unity, groove.bottom() + 2 + em(self, 0.16)))
            self._paint_handle(painter, middle)

    def _paint_levels(self, painter: QPainter, groove: QRectF) -> None:
        zones = ((CLOSED_GAIN_DB, -12.0, LEVEL_LOW), (-12.0, -1.0, LEVEL_HIGH), (-1.0, MAX_GAIN_DB, LEVEL_CLIP))
        gap = max(groove.height() * 0.14, 1.0)
        bar = (groove.height() - 3 * gap) / 2
        for side in range(2):
            top = groove.top() + gap + side * (bar + gap)
            for low_db, high_db, color in zones:
                reached_db = min(self._meter.bars_db[side], high_db)
                if reached_db > low_db:
                    start = self._x(low_db)
                    painter.fillRect(QRectF(start, top, self._x(reached_db) - start, bar), color)
            peak_db = self._meter.peaks_db[side]
            if peak_db > CLOSED_GAIN_DB:
                color = next(c for low_db, high_db, c in zones if peak_db <= high_db)
                painter.fillRect(QRectF(self._x(peak_db) - 1.0, top, 2.0, bar), color)
        if self._meter.is_clipped:
            end = QRectF(groove.right() - groove.height() * 0.5, groove.top(), groove.height() * 0.5, groove.height())
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(LEVEL_CLIP)
            painter.drawRoundedRect(end, 2, 2)

    def _paint_handle(self, painter: QPainter, middle: float) -> None:
        palette = self.palette()
        dark = is_dark(palette)
        width, height = em(self, 0.6), em(self, 1.06)
        handle = QRectF(self._x(self.gain_db) - width / 2, middle - height / 2, width, height)
        face = QColor("#c9ced6") if dark else QColor("#ffffff")
        if not self.isEnabled():
            face = line_color(palette)
        elif self.isSliderDown() or self.underMouse():
            face = QColor("#e8ebf0") if dark else QColor("#f3f6fb")
        painter.setPen(QPen(QColor(0, 0, 0, 150 if dark else 95), 1.0))
        painter.setBrush(face)
        painter.drawRoundedRect(handle, width * 0.22, width * 0.22)
        painter.setPen(QPen(QColor(0, 0, 0, 130), 1.0))
        x = handle.center().x()
        painter.drawLine(QPointF(x, handle.top() + height * 0.24), QPointF(x, handle.bottom() - height * 0.24))
        if self.hasFocus():
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Highlight), 2.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(handle.adjusted(-1.5, -1.5, 1.5, 1.5), width * 0.3, width * 0.3)


class GainField(QDoubleSpinBox):
    """A gain as a number that can be typed."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(CLOSED_GAIN_DB, MAX_GAIN_DB)
        self.setDecimals(1)
        self.setSingleStep(0.5)
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.setFrame(False)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setKeyboardTracking(False)
        self.setAccessibleName(name)
        self.setToolTip(f"{name} in dB")
        self.setFont(digits_font(self.font(), 0.88))
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Base, QColor(0, 0, 0, 0))
        self.setPalette(palette)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def event(self, event: QEvent) -> bool:
        return takes_key(event) or super().event(event)

    def set_gain_db(self, gain_db: float) -> None:
        """Show a gain without telling anybody."""
        blocked = self.blockSignals(True)
        self.setValue(gain_db)
        self.blockSignals(blocked)

    def textFromValue(self, value: float) -> str:
        return gain_text(value)

    def valueFromText(self, text: str) -> float:
        plain = text.strip().replace("−", "-").replace(",", ".").removesuffix("dB").strip()
        if "∞" in plain or plain.lower() in ("-inf", "off"):
            return CLOSED_GAIN_DB
        try:
            return float(plain)
        except ValueError:
            return self.value()

    def validate(self, text: str, position: int) -> object:
        return QValidator.State.Acceptable, text, position

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance("−00.0") + em(self, 0.7), em(self, 1.3))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class PanKnob(QDial):
    """Left to right, in hundredths; double click centres it."""

    panned = Signal(float)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(-100, 100)
        self.setSingleStep(5)
        self.setPageStep(25)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        self._drag: tuple[float, int] | None = None
        self.valueChanged.connect(self._tell)
        self._show_tip()

    def set_pan(self, pan: float) -> None:
        """Show a pan of -1 to 1 without telling anybody."""
        blocked = self.blockSignals(True)
        self.setValue(round(pan * 100))
        self.blockSignals(blocked)
        self._show_tip()

    def _tell(self, value: int) -> None:
        self._show_tip()
        self.panned.emit(value / 100)

    def _show_tip(self) -> None:
        value = self.value()
        side = "centre" if value == 0 else f"{abs(value)} % {'left' if value < 0 else 'right'}"
        self.setToolTip(f"{self.accessibleName()}: {side}")

    def sizeHint(self) -> QSize:
        return QSize(em(self, 1.35), em(self, 1.35))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag = (event.position().x() - event.position().y(), self.value())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None:
            moved = event.position().x() - event.position().y() - self._drag[0]
            value = round(self._drag[1] + moved * 100 / em(self, 4.0))
            self.setValue(0 if abs(value) < 5 else value)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.setValue(0)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            palette = self.palette()
            side = min(self.width(), self.height())
            rect = QRectF(0, 0, side, side)
            rect.moveCenter(QRectF(self.rect()).center())
            arc = rect.adjusted(side * 0.16, side * 0.16, -side * 0.16, -side * 0.16)
            width = max(side * 0.1, 1.5)
            track = hover_color(palette, 0.26)
            painter.setPen(QPen(track, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawArc(arc, -45 * 16, 270 * 16)
            angle = -135.0 * self.value() / 100  # from the top; Qt counts against the clock
            color = (
                palette.color(QPalette.ColorRole.Highlight)
                if self.value() and self.isEnabled()
                else faint_color(palette)
            )
            painter.setPen(QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            if self.value():
                painter.drawArc(arc, 90 * 16, round(angle * 16))
            direction = math.radians(90.0 + angle)
            tip = QPointF(math.cos(direction), -math.sin(direction))
            centre = rect.center()
            painter.drawLine(centre + tip * side * 0.08, centre + tip * side * 0.3)
            if self.hasFocus():
                draw_focus_ring(painter, self, side / 2)


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

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            ground = self.palette().color(QPalette.ColorRole.Window)
            color = QColor(make_legible(self._color, ground.name(), 2.0))
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
        return takes_key(event, (*PRESS_KEYS, Qt.Key.Key_Escape)) or super().event(event)

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
