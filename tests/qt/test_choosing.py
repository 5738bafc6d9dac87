"""Choosing how stems are made: for all in the dialog, for a part or a stretch in menus; and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QButtonGroup, QDialogButtonBox, QLabel, QMenu
from pytestqt.qtbot import QtBot
from window_bench import QUARTER, START, Bench

from scoresep.edits import project as edits
from scoresep.edits import recipes
from scoresep.engines.separation import AUTO, ENGINES
from scoresep.engines.separation.devices import DeviceState
from scoresep.model.project import Recipe, RecipeRule
from scoresep.qt.dialogs.separation import SeparateDialog
from scoresep.qt.widgets.buttons import IconButton
from scoresep.qt.widgets.method_menu import duration_text, range_text, rule_text

LEFT = Qt.MouseButton.LeftButton
STATES = (DeviceState("cuda", False, "no GPU."), DeviceState("mps", False, "a Mac."), DeviceState("cpu", True, "2"))


def dialog_of(bench: Bench) -> SeparateDialog:
    bench.window.separation._states = STATES  # no worker process has to be asked
    bench.window.commands["separate"].trigger()
    return bench.window.findChildren(SeparateDialog)[-1]


def choose(group: QButtonGroup, value: str) -> None:
    next(b for b in group.buttons() if value in b.dynamicPropertyNames() or value in _values(b)).click()


def _values(button: object) -> list[object]:
    return [button.property(str(name.data(), "ascii")) for name in button.dynamicPropertyNames()]  # type: ignore[attr-defined]


def menu_at(bench: Bench, title: str, frame: int) -> QMenu:
    """Open the menu of a place in a lane, as the right button does."""
    canvas = bench.window.timeline.canvas
    placed = next(p for p in canvas.placed if p.lane.title == title)
    at = QPoint(round(canvas.x_of(frame)), round(placed.top + canvas.lanes_offset + placed.height / 2))
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, canvas.mapToGlobal(at))
    QApplication.sendEvent(canvas, event)
    menu = bench.window.alignment.menu
    assert menu is not None
    return menu


def press(menu: QMenu, *texts: str) -> None:
    for text in texts[:-1]:
        menu = [m for m in menu.findChildren(QMenu) if m.title() == text][-1]  # earlier ones are of earlier openings
    next(a for a in menu.actions() if a.text() == texts[-1]).trigger()


def test_engine_quality_and_device_are_chosen_and_kept_as_an_edit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.open_all()
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(bench.session.separation, "start", lambda **values: asked.append(values))
    dialog = dialog_of(bench)
    assert [b.property("engine") for b in dialog.engines.buttons()] == [AUTO, *ENGINES]
    choose(dialog.engines, "nmf")
    choose(dialog.budgets, "best")
    choose(dialog.devices, "cpu")
    dialog.accept()
    assert asked == [{"device": "cpu"}] and bench.session.settings.device == "cpu"
    assert bench.session.project.recipe == Recipe("nmf", "best") and bench.session.separation.has_stale_stems
    bench.session.undo()
    assert bench.session.project.recipe == Recipe() and not bench.session.separation.has_stale_stems


def test_a_choice_can_be_kept_without_making_anything(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    dialog = dialog_of(bench)
    choose(dialog.budgets, "preview")
    qtbot.mouseClick(dialog.save_button, LEFT)
    assert bench.session.project.recipe.budget == "preview" and bench.session.jobs.all == ()
    assert not dialog.isVisible()
    dialog = dialog_of(bench)
    choose(dialog.budgets, "best")
    qtbot.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Cancel), LEFT)
    assert bench.session.project.recipe.budget == "preview"


def test_a_device_that_cannot_be_used_says_why_and_cannot_be_chosen(bench: Bench) -> None:
    bench.open_all()
    dialog = dialog_of(bench)
    texts = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "Cannot be used: no GPU." in texts and "Here: Processor (CPU)" in texts
    usable = {b.property("device"): b.isEnabled() for b in dialog.devices.buttons()}
    assert usable == {"auto": True, "cpu": True, "cuda": False, "mps": False}


def test_devices_are_asked_for_in_a_worker_while_the_dialog_is_open(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    bench.window.commands["separate"].trigger()
    dialog = bench.window.findChildren(SeparateDialog)[-1]
    assert all(button.isEnabled() for button in dialog.devices.buttons())
    auto = next(b for b in dialog.devices.buttons() if b.property("device") == "auto")
    qtbot.waitUntil(lambda: auto.accessibleDescription().startswith("Here: "), timeout=60_000)


def test_a_part_gets_a_method_of_its_own_and_loses_it_again(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    menu = bench.window.parts.row(1).instrument.menu()
    menu.aboutToShow.emit()
    press(menu, "Method for this part", "Best")
    assert bench.session.project.recipe.rules == (RecipeRule("auto", "best", 1),)
    menu.aboutToShow.emit()
    press(menu, "Method for this part", "nmf")
    assert bench.session.project.recipe.rules == (RecipeRule("nmf", "best", 1),)
    assert bench.session.separation.has_stale_stems and bench.session.undo_text == "Choose method"

    dialog = dialog_of(bench)
    assert any(label.text() == "Cello, everywhere: nmf, Best" for label in dialog.findChildren(QLabel))
    qtbot.mouseClick(dialog.findChild(IconButton), LEFT)
    assert dialog.recipe.rules == () and bench.session.project.recipe.rules
    dialog.reject()
    menu.aboutToShow.emit()
    press(menu, "Method for this part", "Like the rest: Automatic, Balanced")
    assert bench.session.project.recipe.rules == () and not bench.session.separation.has_stale_stems


def test_a_segment_gets_a_method_for_all_parts_or_for_one(bench: Bench) -> None:
    bench.open_all()
    at = START + QUARTER
    segment = bench.window.timeline.canvas.content.segments[1]
    edges = (segment.start_frame, segment.end_frame)
    press(menu_at(bench, "Segments", at), "Method for all parts here", "Preview")
    press(menu_at(bench, "Cello", at), "Method for Cello here", "Best")
    press(menu_at(bench, "Segments", at), "Method for one part here", "Violin", "nmf")
    rules = bench.session.project.recipe.rules
    assert rules == (
        RecipeRule("auto", "preview", None, *edges),
        RecipeRule("auto", "best", 1, *edges),
        RecipeRule("nmf", "balanced", 0, *edges),
    )
    assert rule_text(bench.session.project, rules[1]) == "Cello, bars 1–4: Automatic, Best"


def test_the_menu_of_the_segment_at_the_playhead_opens_by_the_keyboard(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    canvas = bench.window.timeline.canvas
    bench.window.timeline.seek(START + QUARTER)
    qtbot.waitUntil(lambda: bench.window.timeline.playhead_frame == START + QUARTER)
    QApplication.sendEvent(canvas, QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(0, 0), QPoint(0, 0)))
    menu = bench.window.alignment.menu
    assert menu is not None and menu.isVisible() and canvas.rect().contains(canvas.mapFromGlobal(menu.pos()))
    press(menu, "Method for all parts here", "Best")
    assert bench.session.project.recipe.rules[0].start_frame == pytest.approx(START, abs=200)
    menu.close()


def test_stretches_are_named_by_bars_or_else_by_time(bench: Bench) -> None:
    bench.open_recording()
    assert range_text(bench.session.project, 0, 16000) == "0:00–0:02"
    bench.open_score()
    bench.align()
    assert range_text(bench.session.project, START, START + 4 * QUARTER) == "bar 1"
    assert range_text(bench.session.project, None, None) == "everywhere"
    assert [duration_text(s) for s in (0.2, 8.4, 59.6, 125)] == ["1 s", "8 s", "0:59", "2:05"]


def test_the_panel_says_what_made_the_stems_and_lets_it_be_changed(qtbot: QtBot, bench: Bench) -> None:
    bench.open_recording()
    line = bench.window.parts.stem_line
    assert not line.isVisible()
    bench.open_score()
    bench.align()
    bench.separate()
    qtbot.waitUntil(line.isVisible)
    assert line.button.text() == "test  ·  cpu" and "Separated by test on cpu" in line.button.toolTip()
    bench.session.apply(edits.set_recipe(bench.session.project, Recipe("nmf", "best")))
    assert "out of date" in line.button.text()
    bench.window.separation._states = STATES
    qtbot.mouseClick(line.button, LEFT)
    bench.window.findChildren(SeparateDialog)[-1].reject()


def test_what_changed_is_offered_to_be_separated_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.open_all()
    again = bench.window.commands["separate_again"]
    assert not again.isEnabled()
    rule = RecipeRule("auto", "best", 0, START, START + QUARTER)
    change = recipes.set_rule(bench.session.project, rule)
    monkeypatch.setattr(
        "scoresep.session.separation.ReusableStems.of",
        lambda request: type("E", (), {"changed_frames": lambda s: 9000})(),
    )
    bench.session.apply(change)
    (line,) = bench.window.messages.lines
    assert line.sentence.text.endswith("Only 1 s of 4 s have to be separated again.")
    assert [button.text() for button in line.buttons] == ["Separate what changed", "Choose…"] and again.isEnabled()
    asked: list[bool] = []
    monkeypatch.setattr(bench.session.separation, "start", lambda: asked.append(True))
    line.buttons[0].click()
    assert asked == [True]
    bench.session.apply(edits.set_recipe(bench.session.project, replace(bench.session.project.recipe, rules=())))
    assert not again.isEnabled()
