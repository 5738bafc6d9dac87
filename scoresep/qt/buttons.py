"""Buttons that draw themselves: flat until touched, filled when on, with a ring where the keyboard is."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget

from scoresep.model.colors import contrast, legible
from scoresep.qt.icons import draw_icon
from scoresep.qt.theme import em, faint_color, hover_color, is_dark, line_color, sized_font
from scoresep.qt.timeline.theme import blend

PRESS_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


def keeps_key(event: QEvent, keys: tuple[Qt.Key, ...] = PRESS_KEYS) -> bool:
    """Keep a key from the shortcuts of the window, where the widget that has the focus uses it itself."""
    if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in keys:
        event.accept()
        return True
    return False


def draw_focus_ring(painter: QPainter, widget: QWidget, radius: float) -> None:
    """Draw where the keyboard is, inside the widget's edge."""
    color = widget.palette().color(QPalette.ColorRole.Highlight)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(color, 2.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(QRectF(widget.rect()).adjusted(1, 1, -1, -1), radius, radius)


def text_on(color: QColor) -> QColor:
    """Return black or white, whichever is easier to read on a colour."""
    name = color.name()
    return QColor("#ffffff") if contrast("#ffffff", name) * 1.25 > contrast("#101010", name) else QColor("#101010")


class FlatButton(QToolButton):
    """The ground of all our buttons.

    Parameters
    ----------
    name : str
        What it is called for a person who cannot see it; also its tip.
    on_color : QColor, optional
        Its ground while it is on; a tint of the selection's colour by default.
    """

    def __init__(self, name: str, on_color: QColor | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._on_color = on_color
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.set_name(name)

    def set_name(self, name: str) -> None:
        """Take another name and tip."""
        self.setAccessibleName(name)
        self.setToolTip(name)

    def event(self, event: QEvent) -> bool:
        # Space plays wherever the keyboard is, so Enter is what presses a button
        return keeps_key(event) or super().event(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() not in PRESS_KEYS:
            super().keyPressEvent(event)
        elif self.menu() is not None:
            self.showMenu()
        else:
            self.click()

    def draw_ground(self, painter: QPainter) -> QColor:
        """Draw the ground for the present state and return the colour of what stands on it."""
        palette = self.palette()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        radius = em(self, 0.26)
        ground: QColor | None = None
        text = palette.color(QPalette.ColorRole.WindowText)
        if self.isChecked() and self._on_color is not None:
            ground, text = self._on_color, text_on(self._on_color)
        elif self.isChecked():
            accent = palette.color(QPalette.ColorRole.Highlight)
            ground = blend(palette.color(QPalette.ColorRole.Window), accent, 0.26 if is_dark(palette) else 0.16)
            text = QColor(legible(accent.name(), ground.name(), 3.4))
        elif self.isDown():
            ground = hover_color(palette, 0.2)
        elif self.underMouse() and self.isEnabled():
            ground = hover_color(palette, 0.12)
        if not self.isEnabled():
            text = palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.WindowText)
            if self.isChecked():
                ground, text = line_color(palette), text_on(line_color(palette))
        if ground is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(rect, radius, radius)
        if self.hasFocus():
            draw_focus_ring(painter, self, radius)
        return text


class IconButton(FlatButton):
    """A button with one of our pictures.

    Parameters
    ----------
    icon : str
    name : str
    size_em : float
        Side of the button in heights of a line.
    """

    def __init__(self, icon: str, name: str, size_em: float = 1.9, parent: QWidget | None = None) -> None:
        super().__init__(name, parent=parent)
        self._icon = icon
        self._size_em = size_em
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_icon(self, icon: str) -> None:
        """Show another picture."""
        if icon != self._icon:
            self._icon = icon
            self.update()

    def sizeHint(self) -> QSize:
        side = em(self, self._size_em)
        return QSize(side, side)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            color = self.draw_ground(painter)
            side = em(self, min(1.25, self._size_em * 0.66))
            rect = QRectF(0, 0, side, side)
            rect.moveCenter(QRectF(self.rect()).center())
            draw_icon(painter, self._icon, rect, color)


class LetterButton(FlatButton):
    """A small button of one sign that stays on: mute, solo, minus one."""

    def __init__(self, letter: str, name: str, on_color: QColor, parent: QWidget | None = None) -> None:
        super().__init__(name, on_color, parent)
        self._letter = letter
        self.setCheckable(True)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(em(self, 1.45), em(self, 1.3))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            color = self.draw_ground(painter)
            if not self.isChecked() and not self.hasFocus():
                painter.setPen(QPen(line_color(self.palette()), 1.0))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                radius = em(self, 0.26)
                painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
            painter.setFont(sized_font(self.font(), 0.85, is_bold=True))
            painter.setPen(color if self.isChecked() or not self.isEnabled() else faint_color(self.palette()))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._letter)


class TextButton(FlatButton):
    """A flat button with a picture (if any), a text, and a mark where it opens a menu.

    Parameters
    ----------
    text : str
    name : str
    icon : str
        Empty for none.
    is_framed : bool
        Whether its edge is shown, as for steps that are offered.
    is_faint : bool
        Whether its text is small and quiet.
    """

    def __init__(self, text: str, name: str, icon: str = "", is_framed: bool = False, is_faint: bool = False) -> None:
        super().__init__(name)
        self._picture = icon
        self._is_framed = is_framed
        self._is_faint = is_faint
        self._is_compact = False
        self.is_primary = False
        self.setText(text)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def set_primary(self, is_primary: bool) -> None:
        """Show (or not) that this is what to do next."""
        if is_primary != self.is_primary:
            self.is_primary = is_primary
            self.update()

    def set_compact(self, is_compact: bool) -> None:
        """Show the picture alone, where there is no room for the text."""
        if is_compact != self._is_compact:
            self._is_compact = is_compact
            self.updateGeometry()
            self.update()

    @property
    def full_width(self) -> int:
        """The width that picture and text want."""
        return QFontMetrics(self._text_font()).horizontalAdvance(self.text()) + self._extra_width() + 2

    @property
    def _compact_width(self) -> int:
        return self._extra_width() - em(self, 0.25)

    def _text_font(self) -> QFont:
        return sized_font(self.font(), 0.88) if self._is_faint else self.font()

    def _extra_width(self) -> int:
        width = em(self, 0.6 if self._is_faint else 1.2)
        width += em(self, 1.35) if self._picture else 0
        return width + (em(self, 0.75) if self.menu() is not None else 0)

    def sizeHint(self) -> QSize:
        width = self._compact_width if self._is_compact else self.full_width
        return QSize(width, em(self, 1.3 if self._is_faint else 1.75))

    def minimumSizeHint(self) -> QSize:
        width = self._compact_width if self._picture else self._extra_width() + em(self, 1.5)
        return QSize(width, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            palette = self.palette()
            color = self.draw_ground(painter)
            radius = em(self, 0.26)
            rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
            if self.is_primary and self.isEnabled() and not self.isDown():
                accent = palette.color(QPalette.ColorRole.Highlight)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(accent.lighter(110) if self.underMouse() else accent)
                painter.drawRoundedRect(rect, radius, radius)
                color = text_on(accent)
                if self.hasFocus():
                    painter.setPen(QPen(color, 1.5))
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.drawRoundedRect(rect.adjusted(2, 2, -2, -2), radius, radius)
            elif self._is_framed and not self.hasFocus():
                painter.setPen(QPen(line_color(palette), 1.0))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(rect, radius, radius)
            if self._is_faint and self.isEnabled():
                color = faint_color(palette)
            left = em(self, 0.3 if self._is_faint else 0.6)
            if self._picture:
                side = em(self, 1.1)
                draw_icon(painter, self._picture, QRectF(left, (self.height() - side) / 2, side, side), color)
                left += em(self, 1.35)
            if self._is_compact:
                return
            right = em(self, 0.3 if self._is_faint else 0.6)
            if self.menu() is not None:
                side = em(self, 0.75)
                draw_icon(
                    painter,
                    "chevron",
                    QRectF(self.width() - right - side, (self.height() - side) / 2, side, side),
                    color,
                )
                right += side
            font = self._text_font()
            painter.setFont(font)
            painter.setPen(color)
            room = self.width() - left - right
            text = QFontMetrics(font).elidedText(self.text(), Qt.TextElideMode.ElideRight, round(room) + 1)
            painter.drawText(
                QRectF(left, 0, room + 2, self.height()),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
                text,
            )
