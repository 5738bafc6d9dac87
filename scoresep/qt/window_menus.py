"""Menus whose entries depend on the moment: recent files, sound devices, appearance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from scoresep.errors import DeviceError
from scoresep.playback.outputs import SILENT_DEVICE, output_devices
from scoresep.session.session import Session

APPEARANCES = (("system", "As the &system"), ("light", "&Light"), ("dark", "&Dark"))


def recent_menu(owner: QWidget, session: Session, opened: Callable[[str], None]) -> QMenu:
    """Make the menu of the files opened last."""
    menu = QMenu(owner)

    def fill() -> None:
        menu.clear()
        for path in session.settings.recent:
            action = menu.addAction(f"{Path(path).name}   –   {Path(path).parent.name}".replace("&", "&&"))
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
    group = QActionGroup(menu)
    for choice, text in APPEARANCES:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setData(choice)
        group.addAction(action)
        action.triggered.connect(
            lambda _=False, choice=choice: session.set_settings(replace(session.settings, theme=choice))
        )

    def check() -> None:
        for action in group.actions():
            action.setChecked(action.data() == session.settings.theme)

    menu.aboutToShow.connect(check)
    return menu


def output_menu(owner: QWidget, session: Session) -> QMenu:
    """Make the menu of the devices that can play, listed when it opens."""
    menu = QMenu(owner)

    def add(group: QActionGroup, text: str, name: str) -> None:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(session.settings.output_device == name)
        group.addAction(action)
        action.triggered.connect(lambda: session.set_settings(replace(session.settings, output_device=name)))

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
            add(group, device.name.replace("&", "&&"), device.name)
        menu.addSeparator()
        add(group, "&No sound, only the playhead", SILENT_DEVICE)

    menu.aboutToShow.connect(fill)
    return menu
