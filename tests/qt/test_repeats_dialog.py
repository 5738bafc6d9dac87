"""Edit > Repeats: every repeat and jump by itself, and first of all the order that the file states."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from small_scores import scale_score

from scoresep.model.path import PathChoices
from scoresep.model.score import Mark, Score
from scoresep.qt.dialogs.repeats import RepeatsDialog

MARKS = {1: (Mark.FINE,), 2: (Mark.DA_CAPO,), 3: (Mark.DA_CAPO_AL_FINE,)}
FINE, FIRST, SECOND = (1, Mark.FINE), (2, Mark.DA_CAPO), (3, Mark.DA_CAPO_AL_FINE)


def shown(qtbot: QtBot, score: Score, choices: PathChoices = PathChoices()) -> RepeatsDialog:
    dialog = RepeatsDialog(score, choices)
    qtbot.addWidget(dialog)
    with qtbot.waitExposed(dialog):
        dialog.show()
    return dialog


def test_every_jump_has_a_tick(qtbot: QtBot) -> None:
    dialog = shown(qtbot, scale_score(4, repeat_passes={0: 2}, marks=MARKS))
    assert list(dialog.jumps) == [FINE, FIRST, SECOND]
    assert dialog.choices == PathChoices()
    assert "1, 1–3, 1–2, 4, 1–2" in dialog.order.text()
    dialog.jumps[FIRST].setChecked(False)
    assert dialog.choices == PathChoices(skipped_jumps=frozenset({FIRST}))
    assert "1, 1–4, 1–2 " in dialog.order.text()
    dialog.jumps[SECOND].setChecked(False)
    assert not dialog.choices.takes_jumps
    assert not dialog.jumps[FINE].isEnabled() and not dialog.again.isEnabled()
    dialog.jumps[FIRST].setChecked(True)
    dialog.again.setChecked(True)
    assert dialog.choices == PathChoices(repeats_after_jump=True, skipped_jumps=frozenset({SECOND}))


@pytest.mark.parametrize(
    "choices",
    [
        PathChoices(),
        PathChoices(takes_jumps=False),
        PathChoices(repeats_after_jump=False),
        PathChoices(frozenset({0}), True, skipped_jumps=frozenset({FIRST, FINE})),
        PathChoices(follows_stated_order=False),
    ],
)
def test_what_was_chosen_is_shown_and_comes_back_as_it_was(qtbot: QtBot, choices: PathChoices) -> None:
    score = replace(scale_score(4, repeat_passes={0: 2}, marks=MARKS), stated_order=(0, 1, 0, 3))
    assert shown(qtbot, score, choices).choices == choices


def test_the_order_that_the_file_states_comes_first_and_is_left_by_a_key(qtbot: QtBot) -> None:
    dialog = shown(qtbot, replace(scale_score(4, repeat_passes={1: 2}), stated_order=(2, 3, 0, 1)))
    assert dialog.as_stated.isChecked() and not dialog.repeats[1].isEnabled()
    assert "3–4, 1–2" in dialog.as_stated.accessibleDescription() and "3–4, 1–2" in dialog.order.text()
    dialog.as_stated.setFocus()
    QTest.keyClick(dialog.as_stated, Qt.Key.Key_Down)
    assert dialog.by_signs.isChecked() and dialog.repeats[1].isEnabled()
    assert not dialog.choices.follows_stated_order and "1–2, 1–4" in dialog.order.text()


def test_nothing_is_asked_about_an_order_that_no_file_states(qtbot: QtBot) -> None:
    dialog = shown(qtbot, scale_score(4, repeat_passes={1: 2}))
    assert not dialog.as_stated.isVisible() and not dialog.by_signs.isVisible() and not dialog.again.isVisible()
