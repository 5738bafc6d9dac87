"""Colours, fonts and icons of the window, derived from the palette of the window, so that light and dark follow it.

Icons are SVG files of our own in ``resources/icons``: kept sets have no picture for aligning, nor for a wave that
divides into parts. They are drawn as such sets are, on a square of 24 by 24 with round lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from PySide6.QtCore import QByteArray, QObject, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPalette
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QWidget

from scoresep.model.colors import contrast, make_legible
from scoresep.resources import resource_path


def draw_icon(painter: QPainter, name: str, rect: QRectF, color: QColor) -> None:
    """Draw a picture into the middle of a rectangle, as large as fits.

    Parameters
    ----------
    painter : QPainter
    name : str
        Of a file in ``resources/icons``, without its suffix.
    rect : QRectF
    color : QColor
        Takes the place of ``currentColor`` in the file.
    """
    side = min(rect.width(), rect.height())
    square = QRectF(rect.center() - QPointF(side / 2, side / 2), QSizeF(side, side))
    _renderer(name, color.name()).render(painter, square)


@lru_cache(maxsize=256)
def _renderer(name: str, color: str) -> QSvgRenderer:
    svg = resource_path(f"icons/{name}.svg").read_text(encoding="utf-8")
    return QSvgRenderer(QByteArray(svg.replace("currentColor", color).encode()))


# Parts keep their hue as far as possible: a little less than the contrast asked for lone signs.
LEAST_PART_CONTRAST = 2.4
LEAST_INK_CONTRAST = 3.2


def blend(color: QColor, other: QColor, share: float) -> QColor:
    """Mix two colours; `share` is how much of `other` the result holds, 0 to 1.

    Parameters
    ----------
    color, other : QColor
    share : float
        How much of `other` the result holds, 0 to 1.
    """
    return QColor.fromRgbF(
        color.redF() + (other.redF() - color.redF()) * share,
        color.greenF() + (other.greenF() - color.greenF()) * share,
        color.blueF() + (other.blueF() - color.blueF()) * share,
    )


def translucent(color: QColor, alpha: float) -> QColor:
    """Return the colour with an opacity of 0 to 1."""
    other = QColor(color)
    other.setAlphaF(alpha)
    return other


@dataclass(frozen=True)
class Theme:
    """Every colour that the timeline draws with, apart from those of the parts.

    Attributes
    ----------
    is_dark : bool
    ground, alternate : QColor
        Behind the lanes, and behind the black keys of the piano roll.
    header : QColor
        Behind ruler and lane names.
    text, faint_text : QColor
    beat_line, bar_line, border : QColor
        From faintest to clearest; the first two let through what they cross.
    wave, wave_core : QColor
        Peaks, and RMS inside them.
    accent : QColor
        Selection and focus.
    playhead : QColor
    warning : QColor
        What is not sure or not done yet.
    """

    is_dark: bool
    ground: QColor
    alternate: QColor
    header: QColor
    text: QColor
    faint_text: QColor
    beat_line: QColor
    bar_line: QColor
    border: QColor
    wave: QColor
    wave_core: QColor
    accent: QColor
    playhead: QColor
    warning: QColor

    @classmethod
    def from_palette(cls, palette: QPalette) -> Theme:
        """Derive the theme from a palette."""
        ground, text = palette.color(QPalette.ColorRole.Base), palette.color(QPalette.ColorRole.Text)
        window = palette.color(QPalette.ColorRole.Window)
        is_dark = ground.lightnessF() < 0.5
        slate = QColor("#7fa3c4") if is_dark else QColor("#3f638a")
        return cls(
            is_dark=is_dark,
            ground=ground,
            alternate=blend(ground, text, 0.045 if is_dark else 0.035),
            header=window,
            text=text,
            faint_text=blend(text, window, 0.38),
            beat_line=translucent(text, 0.075),
            bar_line=translucent(text, 0.2),
            border=blend(ground, text, 0.26),
            wave=blend(slate, ground, 0.45),
            wave_core=blend(slate, ground, 0.05),
            accent=palette.color(QPalette.ColorRole.Highlight),
            playhead=QColor("#ff5c52") if is_dark else QColor("#d3261c"),
            warning=QColor("#e0a030") if is_dark else QColor("#9a6200"),
        )

    def part_color(self, color: str, is_silent: bool = False) -> QColor:
        """Return the colour of a part, made legible on the ground; pale where the part is not heard."""
        return _part_color(color, self.ground.name(), is_silent)


@lru_cache(maxsize=512)
def _part_color(color: str, ground: str, is_silent: bool) -> QColor:
    shown = QColor(make_legible(color, ground, LEAST_PART_CONTRAST))
    return blend(shown, QColor(ground), 0.62) if is_silent else shown


def premultiplied(color: QColor, alpha: float = 1.0) -> int:
    """Return a colour as a premultiplied ARGB pixel, its own opacity times `alpha`."""
    alpha *= color.alphaF()
    red, green, blue = (round(c * alpha * 255) for c in (color.redF(), color.greenF(), color.blueF()))
    return round(alpha * 255) << 24 | red << 16 | green << 8 | blue


def ink_on(color: QColor) -> QColor:
    """Return the colour of text on a ground of `color`."""
    return QColor("#ffffff") if contrast("#ffffff", color.name()) >= LEAST_INK_CONTRAST else QColor("#16181b")


def light_palette() -> QPalette:
    """Return a light palette for windows that do not follow the system's."""
    return _palette("#f4f5f7", "#ffffff", "#1f2328", "#2f6fd0", "#fbfbfc")


def dark_palette() -> QPalette:
    """Return a dark palette for windows that do not follow the system's."""
    return _palette("#26292e", "#1b1d21", "#e3e6ea", "#4f8fe6", "#30343a")


def _palette(window: str, base: str, text: str, highlight: str, button: str) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for roles, color in (
        ((role.Window,), window),
        ((role.Base, role.ToolTipBase), base),
        ((role.WindowText, role.Text, role.ButtonText, role.ToolTipText, role.BrightText), text),
        ((role.Highlight, role.Link), highlight),
        ((role.Button, role.AlternateBase), button),
        ((role.HighlightedText,), "#ffffff"),
    ):
        for each in roles:
            palette.setColor(each, QColor(color))
    faint = blend(QColor(text), QColor(window), 0.55)
    palette.setColor(role.PlaceholderText, faint)
    for each in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, each, faint)
    return palette


def small_font(font: QFont, scale: float = 0.85) -> QFont:
    """Return a font for labels inside lanes: that of the window, a little smaller."""
    small = QFont(font)
    if font.pointSizeF() > 0:
        small.setPointSizeF(max(font.pointSizeF() * scale, 6.5))
    else:
        small.setPixelSize(max(round(font.pixelSize() * scale), 9))
    return small


ThemeChoice = Literal["system", "light", "dark"]

# What is heard alone, what is silenced, and levels; dark enough for a light ground, light enough for a dark one.
SOLO_COLOR = QColor("#d89614")
MUTE_COLOR = QColor("#4f8fe6")
LEVEL_LOW = QColor("#3fa66b")
LEVEL_HIGH = QColor("#d8a31a")
LEVEL_CLIP = QColor("#d9453d")


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
    """Return a font of another size.

    Parameters
    ----------
    font : QFont
    scale : float
        Times the size of `font`.
    is_bold : bool
    """
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
