"""The table of actions: complete, without contradictions, the source of menus, states and the page of keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QMenu
from pytestqt.qtbot import QtBot
from window_bench import Bench

from scoresep.edits import project as edits
from scoresep.qt.dialogs.common import ShortcutsDialog
from scoresep.qt.window.actions import ACTIONS, key_groups, keys_text
from scoresep.qt.window.actions.action import MENUS, Action

ENTRIES = [action for action in ACTIONS if action.submenu is None]
KEYS = [(action, key) for action in ENTRIES for key in action.keys]
# Where nothing is open, what cannot be done; where all is there, what cannot be done either.
NEVER_EMPTY = ("save", "export", "undo", "play", "mute", "repeats", "correct", "hear_notes", "separate", "accept")
NOT_WHEN_FULL = ("cancel", "separate_again", "restore_notes", "redo")


def fill(bench: Bench) -> None:
    """Bring everything into the session: stems, selected notes, a selected point, an alignment that waits."""
    bench.open_all()
    alignment = bench.session.project.alignment
    assert alignment is not None
    bench.session.set_settings(replace(bench.session.settings, shows_spectrogram=False))
    bench.session.apply(edits.propose_alignment(bench.session.project, replace(alignment, confidence=0.95)))
    bench.window.timeline.select(2000, 9000)
    bench.window.timeline.notes.select(range(4))


def test_ids_and_keys_are_used_once() -> None:
    assert max(Counter(action.id for action in ACTIONS).values()) == 1
    keys = Counter(QKeySequence(key).toString() for _, key in KEYS)
    assert all(keys) and {key for key, count in keys.items() if count > 1} == set()


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_has_a_text_a_menu_and_something_to_do(action: Action) -> None:
    assert action.name and action.menu in MENUS
    assert (action.run is None) == (action.submenu is not None)
    assert action.tip or action.submenu is not None


@pytest.mark.parametrize("menu", MENUS)
def test_mnemonics_of_a_menu_differ(menu: str) -> None:
    texts = [action.text for action in ACTIONS if action.menu == menu]
    assert all("&" in text and text[text.index("&") + 1].isalpha() for text in texts)
    letters = Counter(text[text.index("&") + 1].lower() for text in texts)
    assert [letter for letter, count in letters.items() if count > 1] == []


def test_mnemonics_of_menus_differ() -> None:
    assert len({menu[menu.index("&") + 1].lower() for menu in MENUS}) == len(MENUS)


def test_every_action_stands_in_its_menu(bench: Bench) -> None:
    menus = {menu.title(): menu for menu in bench.window.findChildren(QMenu)}
    assert [entry.text() for entry in bench.window.menuBar().actions()] == list(MENUS)
    for action in ACTIONS:
        menu = menus[action.menu]
        if action.submenu is None:
            assert bench.window.commands[action.id] in menu.actions()
        else:
            assert action.text in menus and menus[action.text].menuAction() in menu.actions()


@pytest.mark.parametrize("prepare", [lambda _: None, fill], ids=["empty", "full"])
def test_actions_show_what_the_table_says(bench: Bench, prepare: Callable[[Bench], None]) -> None:
    prepare(bench)
    window = bench.window
    for action in ENTRIES:
        shown = window.commands[action.id]
        assert shown.isEnabled() is action.enabled(window), action.id
        assert shown.isCheckable() is (action.checked is not None), action.id
        if action.checked is not None:
            assert shown.isChecked() is action.checked(window), action.id
        assert shown.text() == (action.text if action.text_now is None else action.text_now(window)), action.id
        assert shown.toolTip() == (action.tip if action.tip_now is None else action.tip_now(window)), action.id


def test_what_is_possible_follows_the_session(bench: Bench) -> None:
    commands = bench.window.commands
    assert not any(commands[name].isEnabled() for name in NEVER_EMPTY)
    fill(bench)
    assert all(commands[name].isEnabled() for name in NEVER_EMPTY)
    assert not any(commands[name].isEnabled() for name in NOT_WHEN_FULL)


def test_every_key_does_what_its_action_does(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(bench.window._commands, "run", done.append)
    bench.open_all()
    bench.window.timeline.canvas.setFocus()
    for action, key in KEYS:
        done.clear()
        bench.window.commands[action.id].setEnabled(True)
        combination = QKeySequence(key)[0]
        QTest.keyClick(bench.window.timeline.canvas, combination.key(), combination.keyboardModifiers())
        assert done == [action.id], key


def test_the_page_of_keys_shows_every_key(qtbot: QtBot) -> None:
    dialog = ShortcutsDialog(key_groups())
    qtbot.addWidget(dialog)
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    for action in ENTRIES:
        assert not action.keys or keys_text(action) in texts, action.id
    for _, key in KEYS:
        assert any(QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) in text for text in texts), key
    assert dialog.testAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
