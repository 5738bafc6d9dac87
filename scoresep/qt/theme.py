"""How the window looks: light or dark, measures that grow with the font, and the few colours that mean something.

Everything is Qt's own Fusion style with a palette of ours; widgets that draw themselves take their colours from the
palette, so that one switch changes all. The colours of parts belong to the project.
"""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from scoresep.qt.timeline.theme import blend, dark_palette, light_palette

ThemeChoice = Literal["system", "light", "dark"]

# What is heard alone, what is silenced, and levels; dark enough for a light ground, light enough for a dark one.
SOLO_COLOR = QColor("#d89614")
MUTE_COLOR = QColor("#4f8fe6")
LEVEL_LOW = QColor("#3fa66b")
LEVEL_HIGH = QColor("#d8a31a")
LEVEL_CLIP = QColor("#d9453d")
RESIDUAL_COLOR = "#8c8c8c"


_CHOICES: dict[str, ThemeChoice] = {"system": "system", "light": "light", "dark": "dark"}


class Appearance(QObject):
    """Keeps the palette of the application at the theme that was chosen, and follows the system where that was.

    Parameters
    ----------
    application : QApplication
    """

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        self._choice: ThemeChoice = "system"
        application.setStyle("Fusion")
        application.styleHints().colorSchemeChanged.connect(self._apply)
        self._apply()

    def choose(self, choice: str) -> None:
        """Take ``system``, ``light`` or ``dark``."""
        before, self._choice = self._choice, _CHOICES.get(choice, "system")
        if before == self._choice:
            return
        scheme = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark, "system": Qt.ColorScheme.Unknown}
        self._application.styleHints().setColorScheme(scheme[self._choice])
        self._apply()

    def _apply(self) -> None:
        is_dark = self._choice == "dark" or (
            self._choice == "system" and self._application.styleHints().colorScheme() == Qt.ColorScheme.Dark
        )
        self._application.setPalette(dark_palette() if is_dark else light_palette())


def em(widget: QWidget, factor: float = 1.0) -> int:
    """Return a length in pixels that grows with the widget's font: the height of a line, times `factor`."""
    return max(round(widget.fontMetrics().height() * factor), 1)


def is_dark(palette: QPalette) -> bool:
    """Tell whether a palette is light on dark."""
    return palette.color(QPalette.ColorRole.Window).lightnessF() < 0.5


def line_color(palette: QPalette) -> QColor:
    """Return the colour of quiet lines: borders, grooves."""
    return blend(palette.color(QPalette.ColorRole.Window), palette.color(QPalette.ColorRole.WindowText), 0.17)


def faint_color(palette: QPalette) -> QColor:
    """Return the colour of text that is less important; still legible."""
    return blend(palette.color(QPalette.ColorRole.WindowText), palette.color(QPalette.ColorRole.Window), 0.32)


def hover_color(palette: QPalette, strength: float = 0.08) -> QColor:
    """Return the ground of something under the pointer."""
    return blend(palette.color(QPalette.ColorRole.Window), palette.color(QPalette.ColorRole.WindowText), strength)


def sized_font(font: QFont, scale: float, is_bold: bool = False) -> QFont:
    """Return a font of another size."""
    sized = QFont(font)
    if font.pointSizeF() > 0:
        sized.setPointSizeF(font.pointSizeF() * scale)
    else:
        sized.setPixelSize(max(round(font.pixelSize() * scale), 1))
    if is_bold:
        sized.setWeight(QFont.Weight.DemiBold)
    return sized


def digits_font(font: QFont, scale: float = 1.0) -> QFont:
    """Return a font in which all digits have one width, so that running numbers do not shake."""
    digits = sized_font(font, scale)
    digits.setFeature(QFont.Tag("tnum"), 1)
    return digits
