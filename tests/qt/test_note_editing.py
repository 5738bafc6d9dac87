"""Single notes in the window: selected by mouse and keys, heard, muted, and marked where they are shown."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from window_bench import Bench

from scoresep.edits import notes as note_edits
from scoresep.qt.dialogs.export import NoteExportDialog
from scoresep.qt.presenters.notes import NoteGainDialog
from scoresep.qt.timeline import note_item
from scoresep.qt.timeline.note_marks import NoteMarks

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def bench(qtbot: QtBot, tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Show a separated duet in which the sounds of notes are there already, as halves of their stems."""
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(tmp_path / "cache"))
    bench.open_recording()
    bench.open_score()
    bench.align()
    bench.separate()
    monkeypatch.setattr(bench.session.jobs.runner, "warm_up", lambda *_: None)
    make_sounds(bench)
    bench.window.timeline.canvas.setFocus()
    return bench


def make_sounds(bench: Bench) -> None:
    from scoresep.files.audio.note_sounds import save_note
    from scoresep.files.audio.stems import StemSource

    assert bench.session.project.stem_set is not None
    sources = {s.part_index: StemSource(bench.folder / "stems" / s.file) for s in bench.session.project.stem_set.stems}
    assert bench.session.project.unfolded is not None
    for place in bench.session.notes.places.places_of(range(len(bench.session.project.unfolded.notes))):
        samples = sources[place.part_index].read(place.start_frame, place.stop_frame)
        save_note(place.path, 0.5 * samples, sources[place.part_index].sample_rate)


def point_of(bench: Bench, row: int) -> QPoint:
    """Return where a note lies on the canvas."""
    canvas = bench.window.timeline.canvas
    layout = canvas.content.layout
    assert layout is not None
    place = int(np.flatnonzero(layout.row == row)[0])
    x = round((canvas.x_of(int(layout.onset_frame[place])) + canvas.x_of(int(layout.offset_frame[place]))) / 2)
    for y in range(round(canvas.ruler_height), canvas.height()):
        if bench.window.timeline.notes.note_at(QPoint(x, y).toPointF()) == row:
            return QPoint(x, y + 1)
    raise AssertionError("the note is out of sight")


def click(bench: Bench, row: int, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    canvas = bench.window.timeline.canvas
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, modifiers, point_of(bench, row))


def rows_of(bench: Bench, part_index: int) -> list[int]:
    assert bench.session.project.unfolded is not None
    return np.flatnonzero(bench.session.project.unfolded.notes.part_index == part_index).tolist()


def test_notes_are_selected_by_clicks(bench: Bench) -> None:
    notes, high = bench.window.timeline.notes, rows_of(bench, 0)
    click(bench, high[1])
    assert notes.rows == (high[1],)
    click(bench, high[3], CONTROL)
    assert notes.rows == (high[1], high[3])
    click(bench, high[3], CONTROL)
    assert notes.rows == (high[1],)
    click(bench, high[4], SHIFT)
    assert sorted(notes.rows) == high[1:5]
    assert bench.window.timeline.canvas.content.note_marks.selected == frozenset(high[1:5])
    QTest.keyClick(bench.window.timeline.canvas, Qt.Key.Key_Escape)
    assert notes.rows == ()


def test_a_note_that_is_clicked_chooses_its_part(bench: Bench) -> None:
    parts = bench.window.parts
    parts.choose("residual")
    for part in (0, 1, 0):
        click(bench, rows_of(bench, part)[1])
        assert parts.chosen == part
    bench.window.timeline.notes.select([rows_of(bench, 0)[1], rows_of(bench, 1)[1]])
    assert parts.chosen == 0, "notes of several parts choose none"


def test_notes_in_a_frame_are_selected(bench: Bench) -> None:
    canvas, high = bench.window.timeline.canvas, rows_of(bench, 0)
    alt, left = Qt.KeyboardModifier.AltModifier, Qt.MouseButton.LeftButton
    first, last = (point_of(bench, row) for row in (high[1], high[3]))
    low, far = QPoint(first.x(), max(first.y(), last.y()) + 2), QPoint(last.x(), min(first.y(), last.y()) - 2)
    selection = bench.window.timeline.selection
    QTest.mousePress(canvas, left, alt, low)
    QTest.mouseMove(canvas, far)
    assert sorted(bench.window.timeline.notes.rows) == high[1:4]
    QTest.mouseRelease(canvas, left, alt, far)
    assert sorted(bench.window.timeline.notes.rows) == high[1:4] and bench.window.timeline.selection == selection


def test_notes_are_selected_by_stretch_part_and_keys(bench: Bench) -> None:
    view, commands = bench.window.timeline, bench.window.commands
    bench.window.parts.choose(1)
    commands["select_notes"].trigger()
    assert sorted(view.notes.rows) == rows_of(bench, 1)
    view.select(*view.whole_bars(0, 2000))
    commands["select_all_notes"].trigger()
    first_bar = set(view.notes.rows)
    assert first_bar & set(rows_of(bench, 0)) and first_bar & set(rows_of(bench, 1))
    assert len(first_bar) < len(rows_of(bench, 0)) + len(rows_of(bench, 1))
    view.notes.select(())
    bench.window.parts.choose(0)
    view.set_playhead(0)
    commands["next_note"].trigger()
    commands["next_note"].trigger()
    commands["add_next_note"].trigger()
    assert view.notes.rows == tuple(rows_of(bench, 0)[1:3])
    commands["previous_note"].trigger()
    assert view.notes.rows == (rows_of(bench, 0)[1],)


def test_muting_is_one_edit_that_is_heard_shown_and_taken_back(bench: Bench) -> None:
    session, high = bench.session, rows_of(bench, 0)
    click(bench, high[1])
    click(bench, high[2], CONTROL)
    assert bench.window.commands["mute_notes"].text() == "Mute 2 &notes"
    QTest.keyClick(bench.window, Qt.Key.Key_M)
    assert [edit.gain_db for edit in session.project.note_edits] == [-math.inf] * 2
    assert bench.window.timeline.canvas.content.note_marks.muted == frozenset(high[1:3])
    assert len(bench.window.playing._patches[0]) == 2
    assert bench.window.commands["mute_notes"].text() == "Unmute 2 &notes"
    QTest.keyClick(bench.window, Qt.Key.Key_Z, CONTROL)
    assert session.project.note_edits == () and not bench.window.playing._patches


@pytest.mark.parametrize("most", [280, 3], ids=["few notes", "many notes"])
def test_marked_notes_look_otherwise(bench: Bench, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(note_item, "MOST_SINGLE_NOTES", most)
    view, rows = bench.window.timeline, frozenset(rows_of(bench, 0))
    at = point_of(bench, rows_of(bench, 0)[2])
    kinds = [NoteMarks(), NoteMarks(selected=rows), NoteMarks(muted=rows)]
    if most > len(rows):
        kinds += [NoteMarks(removed=rows), NoteMarks(gains_db=dict.fromkeys(rows, 6.0))]
        kinds += [NoteMarks(gains_db=dict.fromkeys(rows, -6.0)), NoteMarks(selected=rows, muted=rows)]
    looks = []
    for marks in kinds:
        view.set_note_marks(marks)
        looks.append(view.canvas.grab(QRect(0, at.y() - 12, view.canvas.width(), 24)).toImage())
    assert all(a != b for i, a in enumerate(looks) for b in looks[:i])


def test_m_and_s_act_on_the_chosen_part_while_no_notes_are_selected(bench: Bench) -> None:
    canvas, session = bench.window.timeline.canvas, bench.session
    bench.window.parts.choose(1)
    assert bench.window.commands["mute_notes"].text() == "&Mute part"
    for key, name in ((Qt.Key.Key_M, "is_muted"), (Qt.Key.Key_S, "is_soloed")):
        QTest.keyClick(canvas, key)
        assert [getattr(strip, name) for strip in session.project.mixer.strips] == [False, True]
        QTest.keyClick(canvas, key)
        assert not any(getattr(strip, name) for strip in session.project.mixer.strips)
    assert session.project.note_edits == ()


def test_what_cannot_be_done_is_not_offered(bench: Bench) -> None:
    commands = bench.window.commands
    assert not commands["gain_notes"].isEnabled() and not commands["hear_notes"].isEnabled()
    click(bench, 0)
    assert commands["mute_notes"].isEnabled() and not commands["restore_notes"].isEnabled()
    commands["remove_notes"].trigger()
    assert commands["restore_notes"].isEnabled()
    assert bench.session.project.note_edits[0].is_removed
    commands["restore_notes"].trigger()
    assert bench.session.project.note_edits == ()


def test_hearing_notes_goes_back_to_where_it_was(qtbot: QtBot, bench: Bench) -> None:
    playing, preview = bench.window.playing, bench.window.notes.preview
    click(bench, rows_of(bench, 0)[2])
    playing.seek(500)
    QTest.keyClick(bench.window, Qt.Key.Key_P)
    assert preview.is_auditioning and playing.plays_alone
    qtbot.waitUntil(lambda: playing.state().frame > 1000, timeout=60_000)
    qtbot.waitUntil(lambda: not preview.is_auditioning, timeout=60_000)
    qtbot.waitUntil(lambda: not playing.state().is_playing and playing.state().frame == 500, timeout=60_000)
    assert not playing.plays_alone


def test_hearing_can_be_ended_and_playing_goes_on(qtbot: QtBot, bench: Bench) -> None:
    playing, preview = bench.window.playing, bench.window.notes.preview
    click(bench, rows_of(bench, 0)[6])
    playing.play_from(2000)
    qtbot.waitUntil(lambda: playing.state().is_playing and playing.state().frame > 2100, timeout=60_000)
    QTest.keyClick(bench.window, Qt.Key.Key_P)
    assert playing.plays_alone
    QTest.keyClick(bench.window, Qt.Key.Key_P)
    assert not preview.is_auditioning and not playing.plays_alone
    qtbot.waitUntil(lambda: playing.state().is_playing and 2000 < playing.state().frame < 12000, timeout=60_000)
    playing.stop()


def test_the_gain_is_heard_while_it_is_tried_and_taken_at_the_end(qtbot: QtBot, bench: Bench) -> None:
    row = rows_of(bench, 0)[1]
    click(bench, row)
    bench.window.commands["gain_notes"].trigger()
    dialog = bench.window.findChild(NoteGainDialog)
    assert dialog is not None
    dialog.slider.setValue(12)
    assert bench.session.project.note_edits == ()
    assert bench.window.playing._patches[0][0].factor == pytest.approx(10**0.3 - 1)
    dialog.reject()
    assert not bench.window.playing._patches
    bench.window.commands["gain_notes"].trigger()
    dialog = bench.window.findChildren(NoteGainDialog)[-1]
    dialog.slider.setValue(-9)
    dialog.accept()
    assert bench.session.project.note_edits[0].gain_db == -4.5
    assert bench.window.timeline.canvas.content.note_marks.text_of(row) == "−4.5 dB"


def test_the_menu_of_a_note_is_reached_by_mouse_and_key(bench: Bench) -> None:
    editing, canvas = bench.window.notes, bench.window.timeline.canvas
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QContextMenuEvent
    from PySide6.QtWidgets import QApplication

    def ask(reason: QContextMenuEvent.Reason, at: QPoint) -> None:
        QApplication.sendEvent(canvas, QContextMenuEvent(reason, at, canvas.mapToGlobal(at)))

    assert QEvent.Type.ContextMenu
    ask(QContextMenuEvent.Reason.Mouse, point_of(bench, 3))
    assert editing.menu is not None and bench.window.timeline.notes.rows == (3,)
    texts = [a.text() for a in editing.menu.actions() if not a.isSeparator()]
    assert "Hear &note alone" in texts and "Mute &note" in texts
    editing.menu.close()
    before = editing.menu
    ask(QContextMenuEvent.Reason.Keyboard, QPoint(5, 5))
    assert editing.menu is not before
    editing.menu.close()


def test_patches_play_without_clicks(qtbot: QtBot, bench: Bench) -> None:
    session, playing = bench.session, bench.window.playing
    session.apply(note_edits.mute(session.project, session.notes.places.names.keys_of(rows_of(bench, 0))))  # type: ignore[union-attr]
    before = np.abs(np.diff(playing.stems.sources[0].read(0, 30000))).max()
    patched = playing._player._material
    qtbot.waitUntil(lambda: playing._player._done == playing._player._asked, timeout=60_000)
    patched = playing._player._material
    assert patched is not None
    samples, _ = patched.render(0, 30000)
    assert np.abs(np.diff(samples)).max() < 3 * before


def test_playing_goes_on_while_notes_are_muted_and_come_back(qtbot: QtBot, bench: Bench) -> None:
    playing = bench.window.playing
    playing.play_from(1000)
    qtbot.waitUntil(lambda: playing.state().is_playing and playing.state().frame > 1200, timeout=60_000)
    frames = [playing.state().frame]
    click(bench, rows_of(bench, 0)[2], CONTROL)  # a plain click would move the playhead
    for _ in range(4):
        bench.window.commands["mute_notes"].trigger()
        qtbot.wait(60)
        state = playing.state()
        assert state.is_playing
        frames.append(state.frame)
    assert all(0 < later - earlier < 8000 for earlier, later in pairwise(frames))
    playing.stop()


def test_going_elsewhere_ends_hearing_notes_alone(qtbot: QtBot, bench: Bench) -> None:
    playing, preview = bench.window.playing, bench.window.notes.preview
    click(bench, rows_of(bench, 0)[3])
    bench.window.commands["hear_notes"].trigger()
    qtbot.waitUntil(lambda: playing.state().is_playing, timeout=60_000)
    playing.seek(25000)
    qtbot.waitUntil(lambda: not preview.is_auditioning, timeout=60_000)
    assert playing.state().is_playing and playing.state().frame >= 25000 and not playing.plays_alone
    playing.stop()


def test_selected_notes_are_offered_for_export(bench: Bench) -> None:
    click(bench, 0)
    click(bench, 2, CONTROL)
    bench.window.commands["export_notes"].trigger()
    dialog = bench.window.findChild(NoteExportDialog)
    assert dialog is not None and len(dialog.choices.note_keys) == 2 and not dialog.choices.is_note_by_note
    dialog.each.setChecked(True)
    assert dialog.choices.is_note_by_note and dialog.names.text().count("\n") == 1
    dialog.reject()
