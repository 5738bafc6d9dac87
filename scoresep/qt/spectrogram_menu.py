"""The menu of the spectrogram: which sound it shows, in which colours, how bright."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QGridLayout, QLabel, QMenu, QSlider, QWidget, QWidgetAction

from scoresep.qt.spectrogram_feed import SpectrogramFeed
from scoresep.qt.theme import em
from scoresep.qt.timeline.spectrogram_colors import GREY, HEAT

GAIN_DB, CONTRAST_DB = 36, 36
COLOR_NAMES = ((HEAT, "&Warm colours"), (GREY, "&Greys, so that notes stand out"))


def spectrogram_menu(owner: QWidget, feed: SpectrogramFeed) -> QMenu:
    """Make the menu, filled anew whenever it opens."""
    menu = QMenu(owner)
    sliders = _Sliders(menu, feed)

    def fill() -> None:
        for action in menu.actions():
            menu.removeAction(action)
            if action is not sliders.action:
                action.deleteLater()
        _add_sounds(menu, feed)
        menu.addSeparator()
        _add_colors(menu, feed)
        menu.addSeparator()
        menu.addAction(sliders.action)
        sliders.show()

    menu.aboutToShow.connect(fill)
    menu.aboutToHide.connect(feed.keep_look)
    fill()
    return menu


def _add_sounds(menu: QMenu, feed: SpectrogramFeed) -> None:
    group = QActionGroup(menu)
    for choice, name in feed.choices():
        action = menu.addAction(name.replace("&", "&&"))
        action.setCheckable(True)
        action.setChecked(choice.stem == feed.choice.stem)
        group.addAction(action)
        action.triggered.connect(lambda _=False, stem=choice.stem: feed.choose(replace(feed.choice, stem=stem)))
    over = menu.addAction("Stems &over the recording")
    over.setCheckable(True)
    over.setChecked(feed.choice.is_over)
    over.setStatusTip("The recording in grey; in colour what the stem takes of it")
    over.triggered.connect(feed.toggle_over)


def _add_colors(menu: QMenu, feed: SpectrogramFeed) -> None:
    group = QActionGroup(menu)
    for name, text in COLOR_NAMES:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(feed.look.colors == name)
        group.addAction(action)
        action.triggered.connect(lambda _=False, name=name: feed.set_look(colors=name))


class _Sliders:
    """Brightness and contrast as an entry of a menu."""

    def __init__(self, menu: QMenu, feed: SpectrogramFeed) -> None:
        self._feed = feed
        self._row = QWidget(menu)
        layout = QGridLayout(self._row)
        layout.setContentsMargins(em(menu, 0.8), em(menu, 0.3), em(menu, 0.8), em(menu, 0.4))
        self._gain = self._slider("Brightness", GAIN_DB, 0, layout)
        self._contrast = self._slider("Contrast", CONTRAST_DB, 1, layout)
        self._gain.valueChanged.connect(lambda db: feed.set_look(gain_db=float(db)))
        self._contrast.valueChanged.connect(lambda db: feed.set_look(contrast_db=float(db)))
        self.action = QWidgetAction(menu)
        self.action.setDefaultWidget(self._row)

    def _slider(self, name: str, most: int, line: int, layout: QGridLayout) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal, self._row)
        slider.setObjectName(f"spectrogram_{name.lower()}")
        slider.setRange(-most, most)
        slider.setPageStep(6)
        slider.setMinimumWidth(em(self._row, 11))
        slider.setAccessibleName(f"{name} of the spectrogram")
        layout.addWidget(QLabel(name), line, 0)
        layout.addWidget(slider, line, 1)
        return slider

    def show(self) -> None:
        look = self._feed.look
        for slider, value in ((self._gain, look.gain_db), (self._contrast, look.contrast_db)):
            slider.blockSignals(True)
            slider.setValue(round(value))
            slider.blockSignals(False)
