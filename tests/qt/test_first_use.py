"""What trips up a person who uses the window for the first time: where the keyboard is, what is offered, what fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QKeySequence
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox, QScrollArea
from pytestqt.qtbot import QtBot
from window_bench import QUARTER, START, Bench, write_recording

from scoresep.playback.outputs import SILENT_DEVICE
from scoresep.progress import ProgressState
from scoresep.qt.dialogs.common import BAR_AND_TIME, GoToBarDialog, ShortcutsDialog
from scoresep.qt.dialogs.export import ExportDialog
from scoresep.qt.dialogs.separation import SeparateDialog
from scoresep.qt.widgets.message_bar import Offer, Sentence
from scoresep.qt.window.actions import ACTIONS, key_groups
from scoresep.qt.window.menus import recent_menu
from scoresep.session.project_store import ProjectStore
from scoresep.session.settings import Settings

LEFT = Qt.MouseButton.LeftButton


def focus(bench: Bench) -> object:
    return bench.window.focusWidget()


def said(bench: Bench) -> str:
    return "\n".join(line.sentence.text for line in bench.window.messages.lines)


# ---------------------------------------------------------------------------------------- where the keyboard is


def test_at_first_the_keyboard_is_where_a_person_begins(bench: Bench) -> None:
    assert focus(bench) is bench.window.welcome.recording
    bench.open_recording()
    assert focus(bench) is bench.window.timeline.canvas
    bench.session.storage.begin()
    assert focus(bench) is bench.window.welcome.recording


def test_after_a_click_on_the_bar_the_arrow_keys_still_move_the_playhead(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    canvas = bench.window.timeline.canvas
    assert focus(bench) is canvas
    qtbot.mouseClick(bench.window.transport.follow, LEFT)
    qtbot.mouseClick(bench.window.transport.switch, LEFT)
    assert focus(bench) is canvas and bench.window.playing.is_original


def test_the_keyboard_goes_on_in_the_timeline_when_a_line_goes(bench: Bench) -> None:
    bench.open_recording()
    line = bench.window.messages.lines[0]
    line.buttons[0].setFocus(Qt.FocusReason.TabFocusReason)
    assert focus(bench) is line.buttons[0]
    bench.open_score()
    assert focus(bench) is bench.window.timeline.canvas


# ---------------------------------------------------------------------------------------------- sound and playing


def test_without_a_sound_device_playing_without_sound_is_offered_and_the_warning_goes(
    qtbot: QtBot, tmp_path: Path
) -> None:
    bench = Bench(qtbot, tmp_path, output_device="no such device")
    bench.player.choose_device("no such device")
    bench.open_all()
    bench.window.commands["play"].trigger()
    qtbot.waitUntil(lambda: bool(said(bench)), timeout=60_000)
    button = next(b for line in bench.window.messages.lines for b in line.buttons if "without sound" in b.text())
    qtbot.mouseClick(button, LEFT)
    assert bench.session.settings.output_device == SILENT_DEVICE
    qtbot.waitUntil(lambda: bench.player.state().is_playing, timeout=60_000)
    qtbot.waitUntil(lambda: said(bench) == "", timeout=60_000)
    qtbot.waitUntil(lambda: "top" in bench.window.commands["play"].text())
    bench.window.commands["play"].trigger()
    bench.settle()
    bench.window.close()


# ------------------------------------------------------------------------------------------------------- opening


def test_another_pair_is_another_project(qtbot: QtBot, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.open_all()
    opened: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        bench.session.inputs, "open_recording", lambda path: opened.append((path, bench.session.project.score is None))
    )
    monkeypatch.setattr(bench.session.inputs, "open_score", lambda path: opened.append((path, True)))
    bench.window.documents.open_paths(["/music/b.flac", "/music/b.mid"])
    assert opened == []  # what is unsaved is asked about first
    box = bench.window.findChildren(QMessageBox)[-1]
    qtbot.mouseClick(box.button(QMessageBox.StandardButton.Discard), LEFT)
    assert opened == [("/music/b.flac", True), ("/music/b.mid", True)]
    bench.open_recording()
    bench.window.documents.open_paths(["/music/c.mid"])
    assert opened[-1] == ("/music/c.mid", True) and bench.session.project.recording is not None


def test_a_score_alone_gives_the_window_its_name(bench: Bench) -> None:
    bench.open_score()
    assert bench.window.windowTitle().startswith("s.xml")


def test_recent_files_of_one_name_are_told_apart(bench: Bench) -> None:
    recent = ("/music/Bach & Sons/mix.flac", "/music/mozart/mix.flac")
    bench.session.set_settings(replace(bench.session.settings, recent=recent))
    menu = recent_menu(bench.window, bench.session, lambda _: None)
    menu.aboutToShow.emit()
    texts = [action.text() for action in menu.actions()[:2]]
    assert "Bach && Sons" in texts[0] and "mozart" in texts[1]


# ------------------------------------------------------------------------------------------------------- dialogs


@pytest.mark.parametrize(
    ("typed", "number", "time"),
    [("12", "12", None), (" 12 , 2", "12", "2"), ("12 (2)", "12", "2"), ("3a(1)", "3a", "1"), ("X1 ", "X1", None)],
)
def test_a_bar_can_be_typed_as_it_is_shown(typed: str, number: str, time: str | None) -> None:
    found = BAR_AND_TIME.fullmatch(typed)
    assert found is not None and (found["number"], found["time"]) == (number, time)


@pytest.mark.parametrize("typed", ["", "  ", "12, x", "12 (0)", ", 2"])
def test_what_is_no_bar_is_refused(typed: str) -> None:
    assert BAR_AND_TIME.fullmatch(typed) is None


def test_keys_are_said_once_and_all_fit_on_the_screen(qtbot: QtBot) -> None:
    dialog = ShortcutsDialog(key_groups())
    qtbot.addWidget(dialog)
    dialog.show()
    keys = [label.text() for label in dialog.findChildren(QLabel) if QKeySequence(label.text()).toString()]
    assert len(set(keys)) == len(keys)
    assert dialog.height() <= dialog.screen().availableSize().height()


def test_stems_of_two_recordings_do_not_end_in_one_folder(bench: Bench) -> None:
    bench.open_all()
    project = bench.session.project

    def folder(last: str, own: str = "") -> str:
        dialog = ExportDialog(project, Settings(export_folder=last), None, own)
        text = dialog.folder.text()
        dialog.deleteLater()
        return text

    assert folder("") == str(bench.folder / "duet stems")
    assert folder(str(Path("/out/other stems"))) == str(Path("/out/duet stems"))
    assert folder(str(Path("/out"))) == str(Path("/out/duet stems"))
    assert folder(str(Path("/out/other stems")), own="/chosen") == "/chosen"


# ------------------------------------------------------------------------------------------------ what fits


def test_a_narrow_bar_shows_pictures_instead_of_cut_words(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    bar = bench.window.transport
    bar.setParent(None)
    qtbot.addWidget(bar)
    bar.show()
    bar.resize(1400, bar.height())
    QApplication.sendPostedEvents()
    assert bar.separate.width() >= bar.separate.full_width
    bar.resize(bar.minimumSizeHint().width(), bar.height())
    QApplication.sendPostedEvents()
    assert bar.separate.width() < bar.separate.full_width / 2
    bar.resize(1400, bar.height())
    QApplication.sendPostedEvents()
    assert bar.separate.width() >= bar.separate.full_width


def test_long_sentences_wrap_and_do_not_widen_the_window(bench: Bench) -> None:
    before = bench.window.minimumSizeHint().width()
    bench.window.messages.show_sentences((Sentence("error", "word " * 80, (Offer("Do something", lambda: None),)),))
    assert bench.window.minimumSizeHint().width() <= before + 1


def test_the_position_of_the_playhead_is_shown_as_bar_and_beat(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    bench.window.playing.seek(START + 5 * QUARTER)
    qtbot.waitUntil(lambda: "bar 2, beat 2" in bench.window.transport.position.accessibleDescription())


def test_a_long_name_is_elided_and_its_tip_has_all_of_it(qtbot: QtBot, bench: Bench) -> None:
    bench.open_score()
    name, row = "Violin I, solo, on the left of the stage and a little behind", bench.window.parts.row(0)
    before = bench.window.parts.minimumSizeHint().width()
    bench.window.parts.part_changed.emit(0, "Rename part", {"name": name})
    qtbot.waitUntil(lambda: row.name.toolTip() == name)  # once it is laid out
    assert row.name.text() == name
    assert bench.window.parts.row(1).name.toolTip() == ""
    assert bench.window.parts.minimumSizeHint().width() == before
    bench.window.parts.part_changed.emit(0, "Rename part", {"name": "Violin"})
    assert row.name.toolTip() == ""


def test_work_that_runs_is_not_offered_again(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    assert bench.window.commands["align"].isEnabled() and bench.window.commands["separate"].isEnabled()
    bench.session.alignment.start()
    assert not bench.window.commands["align"].isEnabled() and bench.window.commands["cancel"].isEnabled()
    bench.window.commands["cancel"].trigger()
    qtbot.waitUntil(bench.window.commands["align"].isEnabled, timeout=60_000)
    bench.session.separation.start()
    assert not bench.window.commands["separate"].isEnabled()
    bench.window.commands["cancel"].trigger()
    qtbot.waitUntil(bench.window.commands["separate"].isEnabled, timeout=60_000)


def test_while_files_are_opened_the_first_page_says_so(qtbot: QtBot, bench: Bench) -> None:
    bench.window.documents.open_paths([str(write_recording(bench.folder))])
    job = bench.session.jobs.get("recording")
    assert job is not None
    job.progress = ProgressState(0.4, "Reading")  # as heard of a file that takes longer
    bench.window._tick()
    assert "40 %" in bench.window.welcome.field.accessibleName()
    qtbot.waitUntil(lambda: bench.session.project.recording is not None, timeout=60_000)
    bench.session.storage.begin()
    qtbot.waitUntil(lambda: bench.window.welcome.field.accessibleName() == "", timeout=60_000)


def test_work_that_failed_can_be_tried_again_and_then_its_error_goes(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    bench.session.say("error", "“Align” stopped because its process was ended from outside.", "alignment")
    again = next(b for line in bench.window.messages.lines for b in line.buttons if b.text() == "Try again")
    qtbot.mouseClick(again, LEFT)
    assert bench.session.jobs.get("alignment") is not None and "stopped" not in said(bench)
    bench.session.jobs.cancel()


def test_questions_can_be_answered_by_letter(bench: Bench) -> None:
    bench.open_recording()
    bench.window.documents.new()
    box = bench.window.findChildren(QMessageBox)[-1]
    assert all("&" in button.text() for button in box.buttons())
    box.reject()


def test_a_project_opened_after_a_crash_offers_what_was_not_saved_in_it(qtbot: QtBot, bench: Bench) -> None:
    bench.open_recording()
    path = bench.folder / "piece.scoresep"
    bench.session.storage.save(path)
    saved = bench.session.project
    crashed = ProjectStore()
    crashed.take(path, saved)
    bench.open_score()
    crashed.autosave(bench.session.project)
    lock = crashed._autosave._lock
    assert lock is not None
    lock.release()  # as the system does when a process dies
    bench.session.storage.begin()
    bench.window.documents.begin([str(bench.folder / "other.scoresep")])  # of another project nothing is left
    assert bench.window.findChildren(QMessageBox) == []
    bench.window.documents.begin([str(path)])
    box = bench.window.findChildren(QMessageBox)[-1]
    qtbot.mouseClick(next(b for b in box.buttons() if "Ask" in b.text()), LEFT)
    assert bench.session.project.recording is not None and bench.session.project.score is None
    bench.window.documents.begin([str(path)])
    box = bench.window.findChildren(QMessageBox)[-1]
    qtbot.mouseClick(next(b for b in box.buttons() if "Go" in b.text()), LEFT)
    assert bench.session.project.score is not None and bench.session.storage.path == path


def test_a_stem_of_before_stays_within_reach_when_its_part_is_joined_to_another(bench: Bench) -> None:
    bench.open_all()
    row = bench.window.parts.row(1)
    bench.window.parts.part_changed.emit(1, "Join parts", {"joined_to": 0})
    assert not row.mute.isHidden() and row.mute.isEnabled()
    assert row.instrument.text() == "One stem with Violin"
    row.solo.click()
    assert bench.session.project.mixer.strips[1].is_soloed


def test_the_keys_of_a_page_say_different_things() -> None:
    tips = [spec.tip for spec in ACTIONS if spec.keys]
    assert len(set(tips)) == len(tips)


@pytest.mark.parametrize(("width", "columns"), [(4000, 2), (900, 1)])
def test_keys_that_do_not_fit_beside_each_other_stand_in_one_column(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, width: int, columns: int
) -> None:
    class Screen:
        def availableSize(self) -> QSize:
            return QSize(width, 700)

    monkeypatch.setattr(ShortcutsDialog, "screen", lambda _: Screen())
    dialog = ShortcutsDialog(key_groups())
    qtbot.addWidget(dialog)
    page = dialog.findChild(QScrollArea).widget()
    assert page.layout().count() == columns


def test_unticked_boxes_are_seen_in_dark_dialogs(qtbot: QtBot, bench: Bench) -> None:
    bench.session.set_settings(replace(bench.session.settings, theme="dark"))
    dialog = SeparateDialog(bench.session.project, "auto", (), bench.window)
    palette = dialog.budgets.buttons()[0].palette()
    base, window = (palette.color(role).name() for role in (palette.ColorRole.Base, palette.ColorRole.Window))
    assert QColor(base).lightnessF() - QColor(window).lightnessF() > 0.08
    dialog.reject()
    bench.session.set_settings(replace(bench.session.settings, theme="light"))


def test_the_answer_to_a_bar_that_is_not_there_is_not_cut(qtbot: QtBot) -> None:
    dialog = GoToBarDialog(lambda number, time: False, ", ".join(f"{bar}–{bar + 3}" for bar in range(1, 90, 4)))
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.number.setText("99")
    dialog.accept()
    said = dialog.problem
    qtbot.waitUntil(lambda: said.isVisible() and said.height() >= said.heightForWidth(said.width()), timeout=60_000)


def test_running_work_is_not_lost_by_closing_without_a_question(qtbot: QtBot, bench: Bench, tmp_path: Path) -> None:
    bench.open_all()
    bench.session.storage.save(tmp_path / "piece.scoresep")
    bench.session.separation.start(replace(bench.session.project.recipe, budget="best"))
    bench.window.close()
    box = bench.window.findChildren(QMessageBox)[-1]
    assert bench.window.isVisible() and "“Separate” is still at work" in box.text()
    qtbot.mouseClick(next(b for b in box.buttons() if "finish" in b.text()), LEFT)
    assert bench.window.isVisible() and bench.session.jobs.get("separation") is not None
    bench.window.close()
    box = bench.window.findChildren(QMessageBox)[-1]
    qtbot.mouseClick(next(b for b in box.buttons() if "End" in b.text()), LEFT)
    qtbot.waitUntil(lambda: not bench.window.isVisible())
