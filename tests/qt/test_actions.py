"""The table of actions: complete, without contradictions, and the source of menus and shortcuts."""

from __future__ import annotations

from collections import Counter

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMenu, QWidget
from pytestqt.qtbot import QtBot

from scoresep.qt.actions import ACTIONS, MENUS, fill_menu_bar, make_actions
from scoresep.qt.dialogs import ShortcutsDialog


def test_ids_and_keys_are_used_once() -> None:
    assert max(Counter(spec.id for spec in ACTIONS).values()) == 1
    keys = Counter(QKeySequence(key).toString() for spec in ACTIONS for key in spec.keys)
    assert all(keys) and {key for key, count in keys.items() if count > 1} == set()


@pytest.mark.parametrize("menu", MENUS)
def test_mnemonics_of_a_menu_differ(menu: str) -> None:
    letters = Counter(
        spec.text[spec.text.index("&") + 1].lower() for spec in ACTIONS if spec.menu == menu and "&" in spec.text
    )
    assert [letter for letter, count in letters.items() if count > 1] == []
    assert all("&" in spec.text and spec.text[spec.text.index("&") + 1].isalpha() for spec in ACTIONS)


def test_every_action_is_in_its_menu_and_reaches_its_slot(qtbot: QtBot) -> None:
    from PySide6.QtWidgets import QMainWindow

    window = QMainWindow()
    qtbot.addWidget(window)
    called: list[str] = []
    slots = {spec.id: (lambda name=spec.id: called.append(name)) for spec in ACTIONS if not spec.submenu}
    actions = make_actions(window, slots)
    submenus = {spec.submenu: QMenu(window) for spec in ACTIONS if spec.submenu}
    fill_menu_bar(window.menuBar(), actions, submenus)
    in_menus = {a for menu in window.menuBar().findChildren(QMenu) for a in menu.actions()}
    assert set(actions.values()) <= in_menus
    for action in actions.values():
        action.trigger()
    assert called == list(actions)


def test_an_action_without_a_slot_is_noticed(qtbot: QtBot) -> None:
    owner = QWidget()
    qtbot.addWidget(owner)
    with pytest.raises(KeyError):
        make_actions(owner, {})


def test_the_page_of_shortcuts_shows_every_key(qtbot: QtBot) -> None:
    from PySide6.QtWidgets import QLabel

    dialog = ShortcutsDialog()
    qtbot.addWidget(dialog)
    texts = " ".join(label.text() for label in dialog.findChildren(QLabel))
    for spec in ACTIONS:
        for key in spec.keys:
            assert QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) in texts
    assert dialog.testAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
