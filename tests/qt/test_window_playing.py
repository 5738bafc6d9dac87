"""Playing, parts and mixer in the window: a real session, real keys and clicks."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot
from window_bench import QUARTER, START, Bench

from scoresep.model.project import ChannelStrip, Loop

LEFT = Qt.MouseButton.LeftButton
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


def submenu(menu: QMenu, title: str) -> QMenu:
    return [m for m in menu.findChildren(QMenu) if m.title() == title][-1]


def said(bench: Bench) -> str:
    return "\n".join(line.sentence.text for line in bench.window.messages.lines)


# -------------------------------------------------------------------------------------------------- playing


def test_space_plays_and_stops_and_the_playhead_moves(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    qtbot.keyClick(bench.window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: (bench.window.timeline.playhead_frame or 0) > 800, timeout=60_000)
    assert bench.window.playing.state().is_playing
    qtbot.keyClick(bench.window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: not bench.window.playing.state().is_playing)
    assert bench.window.playing.state().frame > 0


def test_without_stems_the_recording_plays_and_stems_take_over_while_playing(qtbot: QtBot, bench: Bench) -> None:
    bench.open_recording()
    bench.open_score()
    bench.align()
    bench.window.playing.play_from(0)
    qtbot.waitUntil(lambda: bench.player.state().levels is not None, timeout=60_000)
    assert not bench.window.commands["original"].isEnabled()
    bench.separate()
    keys = (0, 1, "residual")

    def stems_are_heard() -> None:
        levels = bench.player.state().levels
        assert levels is not None and levels.keys == keys

    qtbot.waitUntil(stems_are_heard, timeout=60_000)
    assert bench.player.state().is_playing and bench.window.commands["original"].isEnabled()


def test_the_meters_show_which_part_sounds(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    bench.window.parts.row(1).mute.click()
    bench.window.playing.play_from(0)
    violin, cello = bench.window.parts.row(0).fader, bench.window.parts.row(1).fader
    qtbot.waitUntil(lambda: violin._meter.bars_db[0] > -20, timeout=60_000)
    assert cello._meter.bars_db[0] == -60 and bench.window.parts.master.fader._meter.bars_db[0] > -20


def test_bar_and_beat_are_shown(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    bench.window.playing.seek(START + 5 * QUARTER + QUARTER // 2)
    position = bench.window.transport.position
    qtbot.waitUntil(lambda: position._bar == "2")
    assert position._beat == "2.5" and "bar 2, beat 2.5" in position.accessibleDescription()


def test_enter_plays_from_the_selection_and_l_loops_it(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    view = bench.window.timeline
    view.setFocus()
    view.select(9000, 15_000)
    qtbot.keyClick(view.canvas, Qt.Key.Key_L)
    assert bench.window.playing.loop == Loop(9000, 15_000) and view.loop == (9000, 15_000)
    assert bench.window.transport.loop.isChecked()
    qtbot.keyClick(view.canvas, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bench.player.state().frame > 9000, timeout=60_000)
    qtbot.keyClick(view.canvas, Qt.Key.Key_L)
    assert bench.window.playing.loop is None and view.loop is None


def test_x_switches_at_a_tap_and_compares_while_it_is_held(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    playing, view = bench.window.playing, bench.window.timeline.canvas
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_X)
    assert playing.is_original and bench.window.transport.switch.isChecked()
    qtbot.keyClick(view, Qt.Key.Key_X)
    assert not playing.is_original
    qtbot.keyPress(view, Qt.Key.Key_X)
    assert playing.is_original
    time.sleep(0.4)
    qtbot.keyRelease(view, Qt.Key.Key_X)
    assert not playing.is_original


def test_no_device_is_said_once_in_the_bar(qtbot: QtBot, bench: Bench) -> None:
    bench.open_recording()
    bench.window.playing.choose_device("A device that is not here")
    bench.window.playing.toggle()
    qtbot.waitUntil(lambda: any(m.key == "output" for m in bench.session.messages.shown), timeout=60_000)
    assert [m.key for m in bench.session.messages.shown].count("output") == 1
    assert "sound" in said(bench) and not bench.window.playing.state().is_playing


# ------------------------------------------------------------------------------------------ parts and mixer


def test_mute_solo_and_minus_one_by_mouse_and_keys(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    parts = bench.window.parts
    qtbot.mouseClick(parts.row(1).solo, LEFT)
    assert bench.session.project.mixer.strips[1].is_soloed
    qtbot.mouseClick(parts.row(1).solo, LEFT)
    qtbot.keyClick(bench.window, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    qtbot.keyClick(bench.window, Qt.Key.Key_M, SHIFT)
    assert bench.session.project.mixer.strips[0].is_muted
    qtbot.keyClick(bench.window, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    qtbot.keyClick(bench.window, Qt.Key.Key_N, SHIFT)
    strips = bench.session.project.mixer.strips
    assert [s.is_muted for s in strips] == [False, True]
    assert parts.row(1).minus.isChecked() and not parts.row(0).minus.isChecked()
    qtbot.keyClick(bench.window, Qt.Key.Key_N, SHIFT)
    assert bench.session.project.mixer.strips == (ChannelStrip(), ChannelStrip())
    assert bench.session.undo_text == "Separate"  # the mixer is no edit


def test_a_part_is_renamed_and_recoloured_and_both_can_be_undone(qtbot: QtBot, bench: Bench) -> None:
    bench.open_score()
    name = bench.window.parts.row(0).name
    name.setFocus()
    name.selectAll()
    qtbot.keyClicks(name, "Fiddle")
    qtbot.keyClick(name, Qt.Key.Key_Return)
    bench.window.parts.part_changed.emit(0, "Choose colour", {"color": "#123456"})
    assert (bench.session.project.parts[0].name, bench.session.project.parts[0].color) == ("Fiddle", "#123456")
    assert "choose colour" in bench.window.commands["undo"].text()
    qtbot.keyClick(bench.window, Qt.Key.Key_Z, CTRL)
    qtbot.keyClick(bench.window, Qt.Key.Key_Z, CTRL)
    assert bench.session.project.parts[0].name == "Violin" and name.text() == "Violin"
    assert "rename part" in bench.window.commands["redo"].text()


def test_enter_ends_typing_and_does_not_play(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    row = bench.window.parts.row(0)
    qtbot.waitUntil(row.isVisible)
    for field, typed in ((row.name, "Xylophone F"), (row.gain, "-6")):
        field.setFocus()
        field.selectAll()
        qtbot.keyClicks(field, typed)
        qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.wait(50)
    assert bench.session.project.parts[0].name == "Xylophone F"
    assert bench.session.project.mixer.strips[0].gain_db == -6
    assert not bench.player.state().is_playing and not bench.window.playing.is_original


def test_the_menu_of_a_part_changes_instrument_absence_and_stem(bench: Bench) -> None:
    bench.open_score()
    menu = bench.window.parts.row(1).instrument.menu()
    menu.aboutToShow.emit()
    next(a for a in submenu(menu, "Strings").actions() if a.text() == "Viola").trigger()
    assert bench.session.project.parts[1].instrument.program == 41
    menu.aboutToShow.emit()
    next(a for a in submenu(menu, "One stem together with").actions() if a.text() == "Violin").trigger()
    assert bench.session.project.parts[1].joined_to == 0
    assert bench.window.parts.row(1).note.text() == "One stem with Violin"
    menu.aboutToShow.emit()
    next(a for a in menu.actions() if a.text() == "Not in this recording").trigger()
    assert bench.session.project.stem_owners == (0,)
    assert not bench.window.parts.row(1).fader.isVisible()


def test_enter_presses_the_button_that_has_the_focus(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    solo = bench.window.parts.row(0).solo
    solo.setFocus()
    qtbot.keyClick(solo, Qt.Key.Key_Return)
    assert bench.session.project.mixer.strips[0].is_soloed and not bench.player.state().is_playing


def test_the_keyboard_brings_the_choice_of_a_part_along(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    qtbot.waitUntil(bench.window.parts.row(1).isVisible)
    bench.window.parts.row(1).solo.setFocus()
    qtbot.keyClick(bench.window.parts.row(1).solo, Qt.Key.Key_M, SHIFT)
    assert [s.is_muted for s in bench.session.project.mixer.strips] == [False, True]


def test_a_setting_does_not_interrupt_playing(qtbot: QtBot, bench: Bench) -> None:
    bench.open_all()
    bench.window.playing.play_from(0)
    qtbot.waitUntil(lambda: bench.player.state().frame > 400, timeout=60_000)
    bench.window.commands["follow"].trigger()
    assert not bench.session.settings.follows_playhead
    qtbot.wait(100)
    assert bench.player.state().is_playing and bench.player.state().underruns == 0
