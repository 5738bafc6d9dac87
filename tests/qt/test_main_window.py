"""The window as a person meets it: a real session, real keys and clicks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDropEvent, QImage, QPalette
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox, QToolButton, QWidget
from pytestqt.qtbot import QtBot
from session_desk import SharedRunner
from small_scores import scale_score
from window_bench import QUARTER, START, Bench, write_midi_duet, write_recording

from scoresep.edits import project as edits
from scoresep.qt.dialogs.common import GoToBarDialog, SetsDialog, ShortcutsDialog
from scoresep.qt.dialogs.export import ExportDialog
from scoresep.qt.dialogs.repeats import RepeatsDialog
from scoresep.qt.dialogs.separation import SeparateDialog
from scoresep.qt.window.main_window import state_path

LEFT = Qt.MouseButton.LeftButton
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


def offered(bench: Bench) -> dict[str, QToolButton]:
    """Return the buttons in the bar of messages by their text."""
    return {button.text(): button for line in bench.window.messages.lines for button in line.buttons}


def said(bench: Bench) -> str:
    return "\n".join(line.sentence.text for line in bench.window.messages.lines)


# ------------------------------------------------------------------------------------------ what is missing


def test_at_first_it_asks_for_files_and_nothing_else_can_be_done(bench: Bench) -> None:
    window = bench.window
    assert window.pages.currentWidget() is window.welcome
    for name in ("play", "align", "separate", "export", "save", "undo", "mute", "repeats"):
        assert not window.commands[name].isEnabled(), name
    assert window.commands["open_recording"].isEnabled() and window.windowTitle() == "ScoreSep[*]"


def test_a_recording_waits_for_its_score(bench: Bench) -> None:
    bench.open_recording()
    assert bench.window.pages.currentWidget() is bench.window.scene
    assert "Now open its score" in said(bench) and "Open score…" in offered(bench)
    assert bench.window.commands["play"].isEnabled() and not bench.window.commands["align"].isEnabled()


def test_a_score_waits_for_its_recording(bench: Bench) -> None:
    bench.open_score()
    assert "open the recording" in said(bench)
    assert not bench.window.commands["play"].isEnabled() and bench.window.commands["repeats"].isEnabled()
    assert bench.window.parts.row(0).name.text() == "Violin" and not bench.window.parts.row(0).mute.isEnabled()


def test_the_next_step_is_marked(bench: Bench) -> None:
    bar = bench.window.transport
    bench.open_recording()
    bench.open_score()
    assert bar.align.is_primary and not bar.separate.is_primary
    bench.align()
    assert bar.separate.is_primary and bench.window.commands["separate"].isEnabled()
    bench.separate()
    assert bar.export.is_primary and bench.window.commands["export"].isEnabled()


def test_a_doubtful_pair_is_said_with_its_confidence_and_stops_nobody(bench: Bench) -> None:
    bench.open_recording()
    bench.open_score()
    bench.align(confidence=0.2)
    bench.session.say("warning", "The score hardly fits the recording.", "alignment")
    assert "hardly fits" in said(bench) and "20 %" in said(bench)
    assert {"Repeats…", "Other score…"} <= set(offered(bench))
    assert bench.window.commands["separate"].isEnabled()


def test_a_new_alignment_can_be_accepted_in_the_bar(qtbot: QtBot, bench: Bench) -> None:
    bench.open_recording()
    bench.open_score()
    bench.align()
    alignment = bench.session.project.alignment
    assert alignment is not None
    bench.session.apply(edits.propose_alignment(bench.session.project, replace(alignment, confidence=0.95)))
    qtbot.mouseClick(offered(bench)["Accept"], LEFT)
    assert bench.session.project.alignment is not None and bench.session.project.alignment.confidence == 0.95
    assert bench.session.project.pending_alignment is None and "Accept" not in offered(bench)


def test_stems_of_before_the_last_changes_are_called_so(bench: Bench) -> None:
    bench.open_all()
    assert "before the last changes" not in said(bench)
    bench.window.parts.part_changed.emit(1, "Leave part out", {"is_absent": True, "joined_to": None})
    assert "before the last changes" in said(bench) and bench.window.transport.separate.is_primary


# -------------------------------------------------------------------------------------- dialogs and messages


def test_repeats_are_chosen_and_the_order_is_shown(qtbot: QtBot, bench: Bench) -> None:
    score = scale_score(4, repeat_passes={1: 2})
    bench.session.apply(edits.set_score(bench.session.project, edits.ScoreFile("s", "k"), score))
    bench.window.commands["repeats"].trigger()
    dialog = bench.window.findChild(RepeatsDialog)
    assert dialog is not None and "1–2, 1–4" in dialog.order.text()
    dialog.repeats[1].setChecked(False)
    assert "1–4" in dialog.order.text() and "4 in all" in dialog.order.text()
    dialog.accept()
    assert bench.session.project.path_choices.skipped_repeats == frozenset({1})
    assert bench.session.project.path is not None and bench.session.project.path.measure_indices == (0, 1, 2, 3)


def test_a_score_without_repeats_asks_for_no_ticks(bench: Bench) -> None:
    bench.session.apply(edits.set_score(bench.session.project, edits.ScoreFile("s", "k"), scale_score(4)))
    bench.window.commands["repeats"].trigger()
    dialog = bench.window.findChild(RepeatsDialog)
    assert dialog is not None and not dialog.repeats
    words = [label.text() for label in dialog.findChildren(QLabel)]
    assert any("no repeats" in text for text in words) and not any("Tick" in text for text in words)


def test_go_to_bar_says_when_there_is_none(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    bench.window.commands["go_to_bar"].trigger()
    dialog = bench.window.findChild(GoToBarDialog)
    assert dialog is not None
    dialog.number.setText("99")
    dialog.accept()
    assert "no such bar" in dialog.problem.text()
    dialog.number.setText("3")
    dialog.accept()
    qtbot.waitUntil(lambda: bench.window.timeline.playhead_frame == START + 8 * QUARTER)


def test_f1_shows_the_shortcuts(qtbot: QtBot, bench: Bench) -> None:
    qtbot.keyClick(bench.window, Qt.Key.Key_F1)
    dialog = bench.window.findChild(ShortcutsDialog)
    assert dialog is not None and dialog.isVisible()
    dialog.close()


def test_messages_are_shown_and_taken_away(qtbot: QtBot, bench: Bench) -> None:
    bench.session.say("error", "The score has no notes.", "score")
    line = bench.window.messages.lines[0]
    assert line.sentence.text == "The score has no notes." and bench.window.messages.isVisible()
    assert line.close_button is not None
    qtbot.mouseClick(line.close_button, LEFT)
    assert bench.session.messages.shown == () and not bench.window.messages.isVisible()


# --------------------------------------------------------------------------------------- opening and closing


def test_dropped_files_are_told_apart(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, str]] = []
    monkeypatch.setattr(bench.session.inputs, "open_recording", lambda path: opened.append(("recording", path)))
    monkeypatch.setattr(bench.session.inputs, "open_score", lambda path: opened.append(("score", path)))
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/music/a.mxl"), QUrl.fromLocalFile("/music/a.flac")])
    event = QDropEvent(QPointF(10, 10), Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier)
    bench.window.dropEvent(event)
    assert opened == [("recording", "/music/a.flac"), ("score", "/music/a.mxl")]


def test_unsaved_work_is_asked_about_and_can_be_kept(qtbot: QtBot, bench: Bench, tmp_path: Path) -> None:
    bench.open_recording()
    bench.session.storage.save(tmp_path / "piece.scoresep")
    assert not bench.window.isWindowModified() and bench.window.windowTitle().startswith("piece")
    bench.open_score()
    assert bench.window.isWindowModified()
    bench.window.close()
    box = bench.window.findChild(QMessageBox)
    assert bench.window.isVisible() and box is not None and "piece" in box.text()
    qtbot.mouseClick(box.button(QMessageBox.StandardButton.Cancel), LEFT)
    assert bench.window.isVisible()
    bench.window.close()
    box = bench.window.findChildren(QMessageBox)[-1]
    qtbot.mouseClick(box.button(QMessageBox.StandardButton.Save), LEFT)
    qtbot.waitUntil(lambda: not bench.window.isVisible())


def test_layout_and_panel_are_remembered(qtbot: QtBot, tmp_path: Path) -> None:
    first = Bench(qtbot, tmp_path)
    first.window.resize(796, 640)
    first.window.commands["panel"].trigger()
    first.window.close()
    assert state_path().exists()
    second = Bench(qtbot, tmp_path)
    assert second.window.size().width() == 796 and not second.window.parts.isVisible()
    second.window.commands["panel"].trigger()
    second.window.close()
    state_path().write_text("no json", encoding="utf-8")
    Bench(qtbot, tmp_path).window.close()


def test_light_and_dark_are_switched_without_a_restart(bench: Bench) -> None:
    bench.open_all()

    def lightness() -> float:
        image: QImage = bench.window.grab().toImage()
        return QColor(image.pixel(image.width() // 2, 4)).lightnessF()

    assert lightness() > 0.8
    bench.session.set_settings(replace(bench.session.settings, theme="dark"))
    QApplication.sendPostedEvents()
    assert lightness() < 0.3
    assert bench.window.palette().color(QPalette.ColorRole.Window).lightnessF() < 0.3


def test_the_keyboard_reaches_everything(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    bench.window.timeline.select(2000, 3000)
    qtbot.waitUntil(bench.window.parts.row(1).isVisible)
    bench.window.transport.to_start.setFocus()
    seen: list[QWidget] = []
    for _ in range(80):
        focus = bench.window.focusWidget()
        if focus in seen:
            break
        seen.append(focus)
        bench.window.focusNextChild()
    bar, row = bench.window.transport, bench.window.parts.row(0)
    for widget in (bar.play, bar.loop, bar.follow, bar.switch, bar.align, bar.separate, bar.export):
        assert widget in seen
    for widget in (row.chip, row.name, row.instrument, row.mute, row.solo, row.minus, row.fader, row.pan):
        assert widget in seen
    assert bench.window.timeline.canvas in seen
    assert all(w.accessibleName() for w in seen), [w for w in seen if not w.accessibleName()]


def test_the_window_fits_a_small_screen(bench: Bench) -> None:
    bench.open_all()
    assert bench.window.minimumSizeHint().width() <= 1024 and bench.window.minimumSizeHint().height() <= 640


@pytest.mark.slow
def test_the_whole_job_by_dropping_two_files_and_pressing_separate(
    qtbot: QtBot, tmp_path: Path, shared_runner: SharedRunner
) -> None:
    bench = Bench(qtbot, tmp_path, shared_runner, aligns_on_open=True)
    score = tmp_path / "duet.mid"
    write_midi_duet(score)
    bench.window.documents.open_paths([str(write_recording(tmp_path)), str(score)])

    def errors() -> list[str]:
        return [m.text for m in bench.session.messages.shown if m.level == "error"]

    qtbot.waitUntil(lambda: bench.session.project.alignment is not None or bool(errors()), timeout=90_000)
    assert errors() == []
    bench.window.commands["separate"].trigger()
    dialog = bench.window.findChildren(SeparateDialog)[-1]
    next(b for b in dialog.budgets.buttons() if b.property("budget") == "preview").click()
    next(b for b in dialog.devices.buttons() if b.property("device") == "cpu").click()
    bench.window.playing.play_from(0)
    dialog.accept()
    qtbot.waitUntil(lambda: bench.session.jobs.get("separation") is None, timeout=180_000)
    assert errors() == []
    assert bench.window.playing.stems.keys == (0, 1, "residual") and bench.window.transport.export.is_primary
    bench.settle()
    bench.window.close()


def test_sets_are_found_without_a_score_and_shown(qtbot: QtBot, bench: Bench) -> None:
    bench.open_recording()
    assert bench.window.commands["segment_sets"].isEnabled()
    bench.window.commands["segment_sets"].trigger()
    dialog = bench.window.findChild(SetsDialog)
    assert dialog is not None
    dialog.sets.setValue(2)
    dialog.accept()
    qtbot.waitUntil(lambda: not bench.session.jobs.all, timeout=120_000)
    assert bench.session.project.activities is not None
    assert bench.session.undo_text == "Segment without score"
    bench.window.grab()
    assert "Sets of instruments are found" in said(bench)
    bench.window.commands["export"].trigger()
    export = bench.window.findChildren(ExportDialog)[-1]
    assert export.alignment.text() == "The segments" and export.alignment.isChecked()
    assert export.format.count() == 1 and export.names.text() == "segments.csv\nAudacity segments.txt"
    export.folder.setText(str(bench.folder / "sets"))
    export.accept()
    table = bench.folder / "sets" / "segments.csv"
    qtbot.waitUntil(table.exists, timeout=60_000)
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    assert header == "start_s,end_s,category,part_indices,parts" and rows
    qtbot.waitUntil(lambda: not bench.session.jobs.all, timeout=60_000)
    bench.session.undo()
    assert bench.session.project.activities is None
    bench.window.grab()
