"""Two sets of stems at one key while it plays: which are heard, that it shows, and what can be done with the others."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot
from window_bench import FRAMES, PARTS, Bench

from scoresep.edits import project as edits
from scoresep.edits.recipes import recipe_entry
from scoresep.files.audio.stems import StemFolderWriter
from scoresep.model.project import Loop, Recipe, StemSet
from scoresep.progress import Progress
from scoresep.session.spectrograms import build_stem_peaks

LEFT = Qt.MouseButton.LeftButton


def make_set(bench: Bench, level: float, budget: str) -> StemSet:
    """Write stems that are constants where the session keeps such."""
    recording = bench.session.project.recording
    assert recording is not None
    folder = bench.session.storage.store.stems.new_folder(f"{budget}-{level}".ljust(32, "0"))
    with StemFolderWriter(folder, recording, tuple(enumerate(PARTS))) as writer:
        writer.write(np.full((3, 1, FRAMES), level, np.float32))
        made = writer.finish("nmf", "cpu", f"{budget}-{level}".ljust(32, "0"), recipe_entry(Recipe("nmf", budget)))
    build_stem_peaks(made, Progress())
    return made


@pytest.fixture
def two(bench: Bench) -> Bench:
    """A window with stems of 0.2 and, made after these, of 0.4."""
    bench.open_recording()
    bench.open_score()
    bench.align()
    for level, budget in ((0.2, "preview"), (0.4, "best")):
        bench.session.apply(edits.set_stems(bench.session.project, make_set(bench, level, budget)))
    return bench


def heard(bench: Bench) -> float:
    return float(bench.window.playing.stems.sources[0].read(0, 1)[0, 0])


def filled(bench: Bench) -> QMenu:
    (menu,) = (m for m in bench.window.findChildren(QMenu) if m.title() == "Co&mpare with")
    menu.aboutToShow.emit()
    return menu


def test_b_goes_to_the_stems_of_before_and_back_while_it_plays(qtbot: QtBot, two: Bench) -> None:
    window, canvas = two.window, two.window.timeline.canvas
    assert window.transport.compare.isVisible() and not window.transport.compare.isChecked()
    window.playing.set_loop(Loop(0, FRAMES))
    window.playing.play_from(0)
    qtbot.waitUntil(lambda: two.player.state().frame > 100)
    canvas.setFocus()
    for is_other, level in ((True, 0.2), (False, 0.4)):
        qtbot.keyClick(canvas, Qt.Key.Key_B)
        assert window.playing.stems.plays_other is is_other and heard(two) == pytest.approx(level)
        assert window.transport.compare.isChecked() is is_other
        assert window.parts.stem_line.button.text().startswith("B:" if is_other else "A:")
        assert canvas.content.stems[0].peak == pytest.approx(level, rel=1e-2), "what is heard is seen"
    state = two.player.state()
    assert state.is_playing and state.underruns == 0
    tip = window.transport.compare.toolTip()
    assert "A: nmf  ·  Best  ·  cpu" in tip and "B: nmf  ·  Preview  ·  cpu" in tip


def test_b_that_is_held_compares_for_a_moment(qtbot: QtBot, two: Bench) -> None:
    canvas = two.window.timeline.canvas
    canvas.setFocus()
    qtbot.keyPress(canvas, Qt.Key.Key_B)
    assert two.window.playing.stems.plays_other
    time.sleep(0.4)
    qtbot.keyRelease(canvas, Qt.Key.Key_B)
    assert not two.window.playing.stems.plays_other


def test_the_original_gives_way_when_stems_are_compared(two: Bench) -> None:
    two.window.commands["original"].trigger()
    two.window.commands["other_stems"].trigger()
    assert not two.window.playing.is_original and heard(two) == pytest.approx(0.2)


def test_the_menu_lists_what_is_there_and_takes_the_others_over(two: Bench) -> None:
    make_set(two, 0.6, "balanced")
    menu = filled(two)
    texts = [action.text().split(",")[0] for action in menu.actions() if action.isCheckable()]
    assert texts == ["&Nothing", "nmf  ·  Balanced  ·  cpu", "nmf  ·  Preview  ·  cpu"]
    assert [action.isChecked() for action in menu.actions() if action.isCheckable()] == [False, False, True]
    menu.actions()[1].trigger()
    assert heard(two) == pytest.approx(0.6)
    next(a for a in filled(two).actions() if "Take B" in a.text()).trigger()
    project = two.session.project
    assert project.stem_set is not None and two.session.undo_text == "Take other stems"
    assert heard(two) == pytest.approx(0.6) and not two.window.playing.stems.plays_other
    two.session.undo()
    assert heard(two) == pytest.approx(0.4)
    filled(two).actions()[0].trigger()
    assert two.window.playing.stems.other is None and not two.window.transport.compare.isVisible()


def test_without_others_it_says_what_to_do(bench: Bench) -> None:
    bench.open_all()
    bench.window.commands["other_stems"].trigger()
    assert "no other stems" in bench.window.messages.lines[0].sentence.text
    assert [a.isEnabled() for a in filled(bench).actions()] == [False]


def test_others_that_are_gone_are_let_go(two: Bench) -> None:
    other = two.window.playing.stems.other
    assert other is not None
    for file in Path(other.folder).iterdir():
        file.unlink()
    two.window.commands["other_stems"].trigger()
    assert not two.window.playing.stems.plays_other and heard(two) == pytest.approx(0.4)


def test_a_narrow_bar_makes_room_for_the_switch(qtbot: QtBot, two: Bench) -> None:
    bar = two.window.transport
    two.window.playing.compare(None, False)
    bar.setParent(None)
    qtbot.addWidget(bar)
    bar.show()
    bar.resize(3000, bar.height())
    qtbot.waitUntil(lambda: bar.align.width() >= bar.align.full_width)
    bar.resize(bar._row.sizeHint().width() + 2, bar.height())
    assert bar.align.width() >= bar.align.full_width
    bar.show_compare(True)
    qtbot.waitUntil(lambda: bar.compare.geometry().right() < bar.align.geometry().left())
    assert bar.align.width() < bar.align.full_width and bar.export.geometry().right() <= bar.width()


def test_another_recording_ends_comparing(two: Bench) -> None:
    two.session.storage.begin()
    assert two.window.playing.stems.other is None and not two.window.transport.compare.isVisible()
