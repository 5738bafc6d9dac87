"""Menus that are filled when they open: balance, spectrogram, recent files, appearance, sound device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QMenu, QSlider, QWidget, QWidgetAction

from scoresep.errors import DeviceError
from scoresep.playback.outputs import SILENT_DEVICE, output_devices
from scoresep.qt.presenters.playback import PlaybackController
from scoresep.qt.presenters.spectrogram import SpectrogramPresenter
from scoresep.qt.timeline.spectrogram_picture import GREY, HEAT
from scoresep.qt.widgets.buttons import add_choice, literal
from scoresep.qt.widgets.theme import em
from scoresep.session.session import Session

STEPS = 20


def balance_menu(owner: QWidget, playing: PlaybackController) -> QMenu:
    """Make the menu."""
    menu = QMenu(owner)
    row = QWidget(menu)
    slider = QSlider(Qt.Orientation.Horizontal, row)
    slider.setObjectName("check_balance")
    slider.setRange(-STEPS, STEPS)
    slider.setPageStep(STEPS // 4)
    slider.setMinimumWidth(em(owner, 12))
    slider.setAccessibleName("Balance between recording and score")
    slider.setToolTip("Left: the recording alone; right: the score alone")
    layout = QHBoxLayout(row)
    layout.setContentsMargins(em(owner, 0.8), em(owner, 0.4), em(owner, 0.8), em(owner, 0.4))
    for widget in (QLabel("Recording"), slider, QLabel("Score")):
        layout.addWidget(widget)
    action = QWidgetAction(menu)
    action.setDefaultWidget(row)
    menu.addAction(action)
    slider.valueChanged.connect(lambda value: playing.set_check(playing.check, value / STEPS))

    def show() -> None:
        slider.blockSignals(True)
        slider.setValue(round(playing.check_share * STEPS))
        slider.blockSignals(False)

    menu.aboutToShow.connect(show)
    return menu


GAIN_DB, CONTRAST_DB = 36, 36
COLOR_NAMES = ((HEAT, "&Warm colours"), (GREY, "&Greys, so that notes stand out"))


def spectrogram_menu(owner: QWidget, feed: SpectrogramPresenter) -> QMenu:
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
    menu.aboutToHide.connect(feed.save_look)
    fill()
    return menu


def _add_sounds(menu: QMenu, feed: SpectrogramPresenter) -> None:
    group = QActionGroup(menu)
    for choice, name in feed.choices():
        choose = partial(feed.choose, replace(feed.choice, stem=choice.stem))
        add_choice(menu, literal(name), choice.stem == feed.choice.stem, choose, group)
    over = add_choice(menu, "Stems &over the recording", feed.choice.is_over, feed.toggle_over)
    over.setStatusTip("The recording in grey; in colour what the stem takes of it")


def _add_colors(menu: QMenu, feed: SpectrogramPresenter) -> None:
    group = QActionGroup(menu)
    for name, text in COLOR_NAMES:
        add_choice(menu, text, feed.look.colors == name, partial(feed.set_look, colors=name), group)


class _Sliders:
    """Brightness and contrast as an entry of a menu."""

    def __init__(self, menu: QMenu, feed: SpectrogramPresenter) -> None:
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


APPEARANCES = (("system", "As the &system"), ("light", "&Light"), ("dark", "&Dark"))


def recent_menu(owner: QWidget, session: Session, opened: Callable[[str], None]) -> QMenu:
    """Make the menu of the files opened last.

    Parameters
    ----------
    owner : QWidget
    session : Session
        Knows the files.
    opened : callable taking a path
    """
    menu = QMenu(owner)

    def fill() -> None:
        menu.clear()
        for path in session.settings.recent:
            action = menu.addAction(literal(f"{Path(path).name}   –   {Path(path).parent.name}"))
            action.setToolTip(path)
            action.setStatusTip(path)
            action.triggered.connect(lambda _=False, path=path: opened(path))
        if not session.settings.recent:
            menu.addAction("Nothing yet").setEnabled(False)
            return
        menu.addSeparator()
        clear = menu.addAction("&Clear this list")
        clear.triggered.connect(lambda: session.set_settings(replace(session.settings, recent=())))

    menu.aboutToShow.connect(fill)
    menu.setToolTipsVisible(True)
    return menu


def appearance_menu(owner: QWidget, session: Session) -> QMenu:
    """Make the menu of light and dark."""
    menu = QMenu(owner)

    def choose(theme: str) -> None:
        session.set_settings(replace(session.settings, theme=theme))

    def fill() -> None:
        menu.clear()
        group = QActionGroup(menu)
        for choice, text in APPEARANCES:
            add_choice(menu, text, session.settings.theme == choice, partial(choose, choice), group)

    menu.aboutToShow.connect(fill)
    fill()
    return menu


def output_menu(owner: QWidget, session: Session) -> QMenu:
    """Make the menu of the devices that can play, listed when it opens."""
    menu = QMenu(owner)

    def choose(device: str) -> None:
        session.set_settings(replace(session.settings, output_device=device))

    def add(group: QActionGroup, text: str, name: str) -> None:
        add_choice(menu, text, session.settings.output_device == name, partial(choose, name), group)

    def fill() -> None:
        menu.clear()
        group = QActionGroup(menu)
        add(group, "As the &system", "")
        try:
            devices = output_devices()
        except DeviceError as error:
            devices = ()
            menu.addAction(str(error).split(":")[0]).setEnabled(False)
        else:
            if not devices:
                menu.addAction("There is no sound device").setEnabled(False)
        for device in devices:
            add(group, literal(device.name), device.name)
        menu.addSeparator()
        add(group, "&No sound, only the playhead", SILENT_DEVICE)

    menu.aboutToShow.connect(fill)
    return menu
