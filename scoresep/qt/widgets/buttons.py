"""Buttons: flat until touched, filled when on, with a ring where the keyboard is.

`QToolButton` does all that a button does: keys, focus, hovering, menus, what is on. Only its face is drawn here: a
style sheet knows neither blends of the palette nor pictures in the colour of the text. It would be quicker (150 buttons
in 6 ms, these in 25), but a window has half as many and seldom paints them all.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import (
    QAction,
    QActionGroup,
    QColor,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolButton, QWidget

from scoresep.model.colors import contrast, make_legible
from scoresep.qt.widgets.theme import blend, draw_icon, em, faint_color, hover_color, is_dark, line_color, sized_font


def add_choice(
    menu: QMenu, text: str, is_on: bool, choose: Callable[[], object], group: QActionGroup | None = None
) -> QAction:
    """Add an entry with a tick to a menu.

    Parameters
    ----------
    menu : QMenu
    text : str
        Its ampersands are signs of mnemonics; see `literal`.
    is_on : bool
        Whether it is ticked now.
    choose : callable
        Called when a person chooses it.
    group : QActionGroup, optional
        Of entries one of which is on.
    """
    action = menu.addAction(text)
    action.setCheckable(True)
    action.setChecked(is_on)
    if group is not None:
        group.addAction(action)
    action.triggered.connect(lambda *_: choose())
    return action


def literal(text: str) -> str:
    """Return a text for a menu that shows it as it is, also where it has an ampersand."""
    return text.replace("&", "&&")


PRESS_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


def takes_key(event: QEvent, keys: tuple[Qt.Key, ...] = PRESS_KEYS) -> bool:
    """Keep a key from the shortcuts of the window, where the widget that has the focus uses it itself."""
    if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in keys:
        event.accept()
        return True
    return False


def draw_focus_ring(painter: QPainter, widget: QWidget, radius: float) -> None:
    """Draw where the keyboard is, inside the widget's edge.

    Parameters
    ----------
    painter : QPainter
        Of the widget.
    widget : QWidget
    radius : float
        Of the corners, in logical pixels.
    """
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
        return takes_key(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() not in PRESS_KEYS:
            super().keyPressEvent(event)
        elif self.menu() is not None:
            self.showMenu()
        else:
            self.click()

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def draw_ground(self, painter: QPainter, is_framed: bool = False, is_primary: bool = False) -> QColor:
        """Draw the ground for the present state and return the colour of what stands on it.

        Parameters
        ----------
        painter : QPainter
        is_framed : bool
            Whether its edge is shown where the keyboard is elsewhere.
        is_primary : bool
            Whether it is filled with the selection's colour while it can be pressed.
        """
        palette, radius = self.palette(), em(self, 0.26)
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        ground, text = self._colors(palette)
        is_primary = is_primary and self.isEnabled() and not self.isDown()
        if is_primary:
            accent = palette.color(QPalette.ColorRole.Highlight)
            ground, text = accent.lighter(110) if self.underMouse() else accent, text_on(accent)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if ground is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(rect, radius, radius)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.hasFocus() and is_primary:
            painter.setPen(QPen(text, 1.5))
            painter.drawRoundedRect(rect.adjusted(2, 2, -2, -2), radius, radius)
        elif self.hasFocus():
            draw_focus_ring(painter, self, radius)
        elif is_framed and not is_primary:
            painter.setPen(QPen(line_color(palette), 1.0))
            painter.drawRoundedRect(rect, radius, radius)
        return text

    def _colors(self, palette: QPalette) -> tuple[QColor | None, QColor]:
        """Return the colours of the ground (None for none) and of what stands on it."""
        text = palette.color(QPalette.ColorRole.WindowText)
        if not self.isEnabled():
            if self.isChecked():
                return line_color(palette), text_on(line_color(palette))
            return None, palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.WindowText)
        if self.isChecked() and self._on_color is not None:
            return self._on_color, text_on(self._on_color)
        if self.isChecked():
            accent = palette.color(QPalette.ColorRole.Highlight)
            ground = blend(palette.color(QPalette.ColorRole.Window), accent, 0.26 if is_dark(palette) else 0.16)
            return ground, QColor(make_legible(accent.name(), ground.name(), 3.4))
        if self.isDown():
            return hover_color(palette, 0.2), text
        return hover_color(palette, 0.12) if self.underMouse() else None, text


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

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            color = self.draw_ground(painter, is_framed=not self.isChecked())
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
            color = self.draw_ground(painter, self._is_framed, self.is_primary)
            if self._is_faint and self.isEnabled():
                color = faint_color(self.palette())
            left = margin = em(self, 0.3 if self._is_faint else 0.6)
            right = self.width() - margin
            if self._picture:
                side = em(self, 1.1)
                draw_icon(painter, self._picture, QRectF(left, (self.height() - side) / 2, side, side), color)
                left += em(self, 1.35)
            if self._is_compact:
                return
            if self.menu() is not None:
                side = em(self, 0.75)
                right -= side
                draw_icon(painter, "chevron", QRectF(right, (self.height() - side) / 2, side, side), color)
            painter.setFont(self._text_font())
            painter.setPen(color)
            room = right - left
            text = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room + 1)
            at = QRectF(left, 0, room + 2, self.height())
            painter.drawText(at, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
