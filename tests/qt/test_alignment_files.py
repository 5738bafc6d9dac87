"""Alignments as files in the window: imported by dialog or dropped, exported beside the stems."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot
from window_bench import QUARTER, RATE, START, Bench, write_midi_duet

from scoresep.qt.dialogs.export import ExportDialog, format_key


@pytest.fixture
def aligned(bench: Bench) -> Bench:
    bench.open_recording()
    bench.open_score()
    bench.align()
    return bench


def bars_file(bench: Bench, late_frames: int = 400) -> Path:
    path = bench.folder / "bars.txt"
    times = [(START + 4 * i * QUARTER + late_frames) / RATE for i in range(4)]
    path.write_text("".join(f"{t:.6f}\t{t:.6f}\tbar {i + 1}\n" for i, t in enumerate(times)))
    return path


def drop(bench: Bench, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(300, 300), Qt.DropAction.CopyAction, data, buttons, keys)
    bench.window.dropEvent(event)


def said(bench: Bench) -> str:
    return "\n".join(line.sentence.text for line in bench.window.messages.lines)


def question(bench: Bench) -> QMessageBox:
    return bench.window.findChildren(QMessageBox)[-1]


def press(qtbot: QtBot, box: QMessageBox, text: str) -> None:
    qtbot.mouseClick(next(b for b in box.buttons() if text in b.text()), Qt.MouseButton.LeftButton)


def test_a_file_chosen_in_the_menu_waits_beside_the_present_alignment(aligned: Bench, qtbot: QtBot) -> None:
    before = aligned.session.project.alignment
    aligned.window.commands["import_alignment"].trigger()
    dialog = aligned.window.findChildren(QFileDialog)[-1]
    dialog.fileSelected.emit(str(bars_file(aligned)))
    dialog.close()
    qtbot.waitUntil(lambda: aligned.session.project.pending_alignment is not None, timeout=60_000)
    assert aligned.session.project.alignment is before and "It moves 32 notes by up to 0.05 s" in said(aligned)
    aligned.window.commands["accept"].trigger()
    alignment = aligned.session.project.alignment
    assert alignment is not None and before is not None
    shift = alignment.note_times.onset_frame - before.note_times.onset_frame
    assert np.abs(shift - 400).max() <= 1
    aligned.window.commands["undo"].trigger()
    assert aligned.session.project.alignment == before


def test_a_file_is_dropped(aligned: Bench, qtbot: QtBot) -> None:
    drop(aligned, bars_file(aligned))
    qtbot.waitUntil(lambda: aligned.session.project.pending_alignment is not None, timeout=60_000)


def test_what_does_not_fit_is_said(aligned: Bench, qtbot: QtBot) -> None:
    path = aligned.folder / "times.csv"
    path.write_text("1\n2\n")
    drop(aligned, path)
    qtbot.waitUntil(lambda: "2 times, but 4 bars and 16 beats are played" in said(aligned), timeout=60_000)
    assert aligned.session.project.pending_alignment is None


def test_an_alignment_needs_recording_and_score(bench: Bench) -> None:
    assert not bench.window.commands["import_alignment"].isEnabled()
    drop(bench, bars_file(bench))
    assert "Open the recording and its score first" in said(bench)


def test_dropped_together_with_the_recording_it_is_left_for_later(bench: Bench, qtbot: QtBot) -> None:
    from window_bench import write_recording

    drop(bench, write_recording(bench.folder), bars_file(bench))
    assert "then drop the file of one alignment" in said(bench)
    qtbot.waitUntil(lambda: bench.session.project.recording is not None, timeout=60_000)


@pytest.mark.parametrize(("answer", "title"), [("times", "Import alignment"), ("score", "Read score"), ("Cancel", "")])
def test_a_dropped_midi_file_may_be_either(aligned: Bench, qtbot: QtBot, answer: str, title: str) -> None:
    path = aligned.folder / "duet.mid"
    write_midi_duet(path)
    drop(aligned, path)
    assert not aligned.session.jobs.all, "nothing happens before the question is answered"
    press(qtbot, question(aligned), answer)
    assert [job.title for job in aligned.session.jobs.all] == ([title] if title else [])


def test_the_alignment_is_exported_in_the_window(aligned: Bench, qtbot: QtBot) -> None:
    aligned.window.commands["export"].trigger()
    dialog = aligned.window.findChildren(ExportDialog)[-1]
    assert dialog.alignment.isChecked() and not dialog.stems.isEnabled(), "there are no stems yet"
    assert dialog.names.text() == "duet aligned.mid" and dialog.folder.text().endswith("duet alignment")
    dialog.format.setCurrentIndex(dialog.format.findData("labels"))
    assert "notes.csv\nsegments.csv" in dialog.names.text()
    dialog.format.setCurrentIndex(dialog.format.findData("midi"))
    dialog.accept()
    path = aligned.folder / "duet alignment" / "duet aligned.mid"
    qtbot.waitUntil(path.exists, timeout=60_000)
    qtbot.waitUntil(lambda: "1 file is in" in said(aligned), timeout=60_000)
    drop(aligned, path)
    press(qtbot, question(aligned), "times")
    qtbot.waitUntil(lambda: aligned.session.project.pending_alignment is not None, timeout=60_000)
    present, pending = aligned.session.project.alignment, aligned.session.project.pending_alignment
    assert present is not None and pending is not None
    away = np.abs(pending.note_times.onset_frame - present.note_times.onset_frame)
    assert away.max() <= 0.001 * RATE


def test_the_dialog_offers_what_there_is(bench: Bench) -> None:
    bench.open_all()
    bench.window.commands["export"].trigger()
    dialog = bench.window.findChildren(ExportDialog)[-1]
    assert dialog.stems.isChecked() and dialog.folder.text().endswith("duet stems")
    dialog.alignment.setChecked(True)
    assert dialog.folder.text().endswith("duet alignment") and dialog.names.text() == "duet aligned.mid"
    assert not dialog.template.isEnabled() and not dialog.everything.isEnabled()
    dialog.daw.setChecked(True)
    assert dialog.names.text() == "duet.dawproject" and dialog.folder.text().endswith("duet stems")
    assert dialog.template.isEnabled() and not dialog.everything.isEnabled()
    dialog.format.setCurrentIndex(dialog.format.findData("reaper-fixed"))
    assert dialog.names.text().startswith("duet.rpp\n01 Violin.wav") and not dialog.choices.has_tempo_map
    assert format_key(dialog.choices) == "reaper-fixed"
    dialog.stems.setChecked(True)
    dialog.format.setCurrentIndex(dialog.format.findData("mp3"))
    assert dialog.names.text().startswith("01 Violin.mp3") and format_key(dialog.choices) == "mp3"
    dialog.alignment.setChecked(True)
    dialog.folder.setText(str(bench.folder / "mine"))
    dialog.mix.setChecked(True)
    assert dialog.names.text() == "01 Mix.wav" and dialog.folder.text() == str(bench.folder / "mine")
    dialog.close()
