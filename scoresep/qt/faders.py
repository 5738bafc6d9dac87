"""The fader with its meter in the groove, the pan knob, and the field that shows a gain as a number."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen, QValidator, QWheelEvent
from PySide6.QtWidgets import QDial, QDoubleSpinBox, QSizePolicy, QSlider, QWidget

from scoresep.playback.mixing import CLOSED_GAIN_DB, MAX_GAIN_DB
from scoresep.qt.buttons import draw_focus_ring, keeps_key
from scoresep.qt.theme import (
    LEVEL_CLIP,
    LEVEL_HIGH,
    LEVEL_LOW,
    digits_font,
    em,
    faint_color,
    hover_color,
    is_dark,
    line_color,
)
from scoresep.qt.timeline.theme import blend

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
        return keeps_key(event) or super().event(event)

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
