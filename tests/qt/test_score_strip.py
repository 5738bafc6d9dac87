"""The score strip: what is lit where, where a click leads, what keys do, and how quick it is."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from musicxml_text import CLOSES, OPENS, document, note, part
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from small_scores import even_alignment

from scoresep.files.engraving import EngravingRequest, engrave_score
from scoresep.files.scores import open_score
from scoresep.model.path import performance_path, unfold
from scoresep.model.project import PartSettings, ScoreFile
from scoresep.model.score import UnfoldedScore
from scoresep.progress import Progress
from scoresep.qt.score.strip import ScoreStrip
from scoresep.qt.score.system_drawing import Mode
from scoresep.qt.timeline.note_marks import NoteMarks
from scoresep.qt.widgets.theme import dark_palette, light_palette

RATE, QUARTER, START = 44100, 11025, 5000
BAR = 4 * QUARTER
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
PARTS = (PartSettings("Violin", "#0072b2"), PartSettings("Cello", "#d55e00"))
MEASURES = 24
REPEATED = 8  # the first so many bars are played twice


def bars(transposed: int) -> list[str]:
    quarters = [[60 + transposed + (3 * bar + beat) % 12 for beat in range(4)] for bar in range(MEASURES)]
    texts = ["".join(note(pitch, 2, "<type>quarter</type>") for pitch in group) for group in quarters]
    texts[0] = OPENS + texts[0]
    texts[REPEATED - 1] += CLOSES
    return texts


class Scene:
    """A strip that shows a score of two parts, aligned at an even tempo, with whatever it asks to be engraved."""

    def __init__(self, qtbot: QtBot, folder: Path, size: tuple[int, int] = (900, 320)) -> None:
        path = folder / "score.musicxml"
        path.write_bytes(document(part(*bars(12)), part(*bars(0)), names=("Violin", "Cello")))
        self.score_file, score = open_score(path)
        self.unfolded: UnfoldedScore = unfold(score, performance_path(score)[0])
        assert len(self.unfolded.path.steps) == MEASURES + REPEATED
        self.strip = ScoreStrip()
        qtbot.addWidget(self.strip)
        self.strip.setPalette(light_palette())
        self.strip.resize(*size)
        self.widths: list[int] = []
        self.strip.engraving_wanted.connect(self.engrave)
        self.strip.set_score(self.unfolded, even_alignment(self.unfolded, QUARTER, START), PARTS, RATE)
        self.strip.show()
        qtbot.waitExposed(self.strip)
        qtbot.waitUntil(lambda: self.strip.engraving is not None, timeout=60_000)
        self.finish()

    def engrave(self, width_units: int) -> None:
        self.widths.append(width_units)
        self.strip.set_engraving(engrave_score(EngravingRequest(self.score_file, width_units), Progress()))

    def finish(self) -> None:
        """Draw all that is in view."""
        for index in self.strip._systems_in_view():
            self.strip._drawings.system(index).draw_on()  # type: ignore[union-attr]
        self.strip.viewport().update()

    def image(self) -> QImage:
        return self.strip.viewport().grab().toImage()

    def head(self, row: int) -> QRectF:
        """Return where the head of a note is seen."""
        strip = self.strip
        system = strip.engraving.system_of_note[row]  # type: ignore[union-attr]
        box = strip._drawings.system(system).head_box(row)  # type: ignore[union-attr]
        placed = strip._placement
        assert box is not None and placed is not None
        corner = QPointF(placed.left[system], placed.top[system]) - QPointF(strip._offset())
        scale = placed.scale
        return QRectF(
            corner.x() + box.x() * scale, corner.y() + box.y() * scale, box.width() * scale, box.height() * scale
        )

    def row(self, part_index: int, measure: int, beat: int) -> int:
        notes = self.unfolded.score.notes
        here = (notes.part_index == part_index) & (notes.measure_index == measure) & (notes.offset_quarter == beat)
        return int(np.flatnonzero(here)[0])

    def bar_in_view(self) -> QRectF:
        index = self.strip.marks.measure_index
        assert index is not None
        box = self.strip.bar_box(index)
        assert box is not None
        return box.translated(-QPointF(self.strip._offset()))


@pytest.fixture
def scene(qtbot: QtBot, tmp_path: Path) -> Scene:
    return Scene(qtbot, tmp_path)


def turn_wheel(
    strip: ScoreStrip, notches: float, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
) -> None:
    room, at = strip.viewport(), QPointF(300, 100)
    event = QWheelEvent(
        *(at, QPointF(room.mapToGlobal(at.toPoint())), QPoint(), QPoint(0, round(120 * notches))),
        *(Qt.MouseButton.NoButton, modifiers, Qt.ScrollPhase.NoScrollPhase, False),
    )
    QApplication.sendEvent(room, event)


def distance(color: QColor, other: QColor) -> int:
    return max(abs(a - b) for a, b in zip(color.getRgb()[:3], other.getRgb()[:3], strict=True))


# ------------------------------------------------------------------------------------------------------- what is lit


def test_the_heads_of_what_sounds_are_lit_in_the_colours_of_their_parts(scene: Scene) -> None:
    frame = START + 2 * BAR + QUARTER // 2
    scene.strip.set_playhead(frame)
    assert scene.strip.marks.rows == {scene.row(0, 2, 0), scene.row(1, 2, 0)}
    image = scene.image()
    for part_index, settings in enumerate(PARTS):
        middle = scene.head(scene.row(part_index, 2, 0)).center().toPoint()
        assert distance(image.pixelColor(middle), QColor(settings.color)) < 40
        other = scene.head(scene.row(part_index, 2, 2)).center().toPoint()
        assert image.pixelColor(other).lightness() < 80


def test_parts_that_are_not_heard_are_lit_pale(scene: Scene) -> None:
    scene.strip.set_playhead(START + QUARTER // 2)
    place = scene.head(scene.row(0, 0, 0)).center().toPoint()
    loud = scene.image().pixelColor(place)
    scene.strip.set_silent_parts(frozenset({0}))
    assert scene.image().pixelColor(place).lightness() > loud.lightness() + 30


def test_repeats_light_the_right_bars(scene: Scene) -> None:
    for step, played in enumerate(scene.unfolded.path.steps):
        scene.strip.set_playhead(START + step * BAR + 5)
        assert scene.strip.marks.measure_index == played.measure_index == (step if step < 8 else step - 8)
        assert scene.strip.marks.rows == {scene.row(p, played.measure_index, 0) for p in (0, 1)}


def test_nothing_is_marked_before_the_first_bar_and_after_the_last(scene: Scene) -> None:
    for frame in (0, START - 1, START + (MEASURES + REPEATED) * BAR + QUARTER, None):
        scene.strip.set_playhead(frame)
        assert scene.strip.marks.measure_index is None and not scene.strip.marks.rows


def test_the_line_moves_forwards_through_every_bar(scene: Scene) -> None:
    for step in (0, 3, 9):
        places = []
        for frame in range(START + step * BAR, START + (step + 1) * BAR, QUARTER // 8):
            scene.strip.set_playhead(frame)
            places.append(scene.strip.marks.line_units)
        assert all(a < b for a, b in pairwise(places))


def test_tied_notes_are_lit_one_after_the_other(qtbot: QtBot, tmp_path: Path) -> None:
    tied = [note(60, 8, '<tie type="start"/>'), note(60, 8, '<tie type="stop"/><tie type="start"/>')]
    path = tmp_path / "tied.musicxml"
    path.write_bytes(document(part(*tied, note(60, 8, '<tie type="stop"/>'), note(62, 8))))
    _, score = open_score(path)
    unfolded = unfold(score, performance_path(score)[0])
    strip = ScoreStrip()
    qtbot.addWidget(strip)
    strip.set_score(unfolded, even_alignment(unfolded, QUARTER, START), PARTS, RATE)
    sounding = strip._sounding
    assert sounding is not None
    assert [sounding.sounding(START + bar * BAR + 100) for bar in range(4)] == [{0}, {1}, {2}, {3}]


def test_without_an_alignment_the_score_runs_at_its_marked_tempo(scene: Scene) -> None:
    scene.strip.set_score(scene.unfolded, None, PARTS, RATE)
    scene.strip.set_playhead(RATE // 2 * 4 * 3 + 10)  # three bars at 120 quarters per minute
    assert scene.strip.marks.measure_index == 3


# ------------------------------------------------------------------------------------------------------ in view


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("size", [(900, 320), (420, 150), (1500, 700)])
def test_the_bar_that_sounds_is_always_in_view(qtbot: QtBot, tmp_path: Path, mode: Mode, size: tuple[int, int]) -> None:
    scene = Scene(qtbot, tmp_path, size)
    scene.strip.set_mode(mode)
    for step in [*range(MEASURES + REPEATED), 2, 30, 0]:
        scene.strip.set_playhead(START + step * BAR + 9)
        box, room = scene.bar_in_view(), QRectF(scene.strip.viewport().rect())
        if mode is Mode.LINE:
            assert room.left() - 1 <= box.left() and box.right() <= room.right() + 1
        elif box.height() < room.height():
            assert room.top() - 1 <= box.top() and box.bottom() <= room.bottom() + 1
        else:
            assert box.intersects(room)


def test_while_playing_the_score_glides_to_the_next_system(qtbot: QtBot, scene: Scene) -> None:
    scene.strip.set_playing(True)
    last = len(scene.unfolded.path.steps) - 1
    scene.strip.set_playhead(START + last * BAR + 9)
    qtbot.waitUntil(
        lambda: QRectF(scene.strip.viewport().rect()).contains(scene.bar_in_view().center()), timeout=60_000
    )


def test_who_scrolls_away_is_left_alone_for_a_while(qtbot: QtBot, scene: Scene) -> None:
    scene.strip.set_playhead(START + 9)
    scene.strip.set_playing(True)
    turn_wheel(scene.strip, -3)
    at = scene.strip.verticalScrollBar().value()
    assert at > 0
    scene.strip.set_playhead(START + BAR + 9)
    assert scene.strip.verticalScrollBar().value() == at
    scene.strip._left_alone_until_s = 0.0
    scene.strip.set_playhead(START + 2 * BAR + 9)
    qtbot.waitUntil(
        lambda: QRectF(scene.strip.viewport().rect()).contains(scene.bar_in_view().center()), timeout=60_000
    )


def test_the_wheel_with_ctrl_makes_staves_larger(scene: Scene) -> None:
    turn_wheel(scene.strip, 3, Qt.KeyboardModifier.ControlModifier)
    assert scene.widths[-1] < scene.widths[0]


# ------------------------------------------------------------------------------------------------- clicks and keys


def click(qtbot: QtBot, scene: Scene, place: QPointF, modifier: Qt.KeyboardModifier | None = None) -> None:
    qtbot.mouseClick(scene.strip.viewport(), LEFT, modifier or Qt.KeyboardModifier.NoModifier, place.toPoint())


def test_a_click_on_a_note_plays_from_it(qtbot: QtBot, scene: Scene) -> None:
    with qtbot.waitSignal(scene.strip.play_requested) as played:
        click(qtbot, scene, scene.head(scene.row(1, 1, 2)).center())
    assert played.args == [START + BAR + 2 * QUARTER]


def test_a_click_between_notes_plays_from_the_start_of_the_bar(qtbot: QtBot, scene: Scene) -> None:
    box = scene.strip.bar_box(2)
    assert box is not None
    with qtbot.waitSignal(scene.strip.play_requested) as played:
        click(qtbot, scene, QPointF(box.right() - 3, box.center().y()))
    assert played.args == [START + 2 * BAR]


def test_a_click_stands_for_the_time_that_is_nearest(qtbot: QtBot, scene: Scene) -> None:
    scene.strip.set_playhead(START + (REPEATED + 1) * BAR)
    with qtbot.waitSignal(scene.strip.play_requested) as played:
        click(qtbot, scene, scene.head(scene.row(0, 2, 1)).center())
    assert played.args == [START + (REPEATED + 2) * BAR + QUARTER]


def test_with_shift_a_click_only_moves_the_playhead(qtbot: QtBot, scene: Scene) -> None:
    place = scene.head(scene.row(0, 1, 0)).center()
    with qtbot.waitSignal(scene.strip.seek_requested) as sought, qtbot.assertNotEmitted(scene.strip.play_requested):
        click(qtbot, scene, place, Qt.KeyboardModifier.ShiftModifier)
    assert sought.args == [START + BAR]


def test_beside_the_music_nothing_is_played(qtbot: QtBot, scene: Scene) -> None:
    with qtbot.assertNotEmitted(scene.strip.play_requested):
        click(qtbot, scene, QPointF(3, 100))


@pytest.mark.parametrize(
    ("key", "step"),
    [
        (Qt.Key.Key_Right, 11),
        (Qt.Key.Key_Left, 10),
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_End, MEASURES + REPEATED - 1),
    ],
)
def test_keys_go_from_bar_to_bar(qtbot: QtBot, scene: Scene, key: Qt.Key, step: int) -> None:
    scene.strip.set_playhead(START + 10 * BAR + 2 * QUARTER)
    with qtbot.waitSignal(scene.strip.seek_requested) as sought:
        qtbot.keyClick(scene.strip, key)
    assert sought.args == [START + step * BAR]


def test_left_at_the_start_of_a_bar_goes_to_the_bar_before(qtbot: QtBot, scene: Scene) -> None:
    scene.strip.set_playhead(START + 10 * BAR + 100)
    with qtbot.waitSignal(scene.strip.seek_requested) as sought:
        qtbot.keyClick(scene.strip, Qt.Key.Key_Left)
    assert sought.args == [START + 9 * BAR]


def test_down_goes_to_the_next_system_and_enter_plays(qtbot: QtBot, scene: Scene) -> None:
    scene.strip.set_playhead(START + 100)
    engraving = scene.strip.engraving
    assert engraving is not None
    first = engraving.systems[1].measures[0].measure_index
    with qtbot.waitSignal(scene.strip.seek_requested) as sought:
        qtbot.keyClick(scene.strip, Qt.Key.Key_Down)
    assert sought.args == [START + (first + (REPEATED if first >= REPEATED else 0)) * BAR]
    with qtbot.waitSignal(scene.strip.play_requested) as played:
        qtbot.keyClick(scene.strip, Qt.Key.Key_Return)
    assert played.args == [START + 100]


# --------------------------------------------------------------------------------------------------- size and look


def test_systems_fill_the_width_and_larger_staves_are_engraved_anew(qtbot: QtBot, scene: Scene) -> None:
    placed = scene.strip._placement
    assert placed is not None and abs(placed.widths[0] - scene.strip.viewport().width()) < 1
    before = scene.widths[-1]
    for _ in range(4):
        qtbot.keyClick(scene.strip, Qt.Key.Key_Plus)
    assert scene.widths[-1] < before
    placed = scene.strip._placement
    assert placed is not None and abs(placed.widths[0] - scene.strip.viewport().width()) < 1


def test_resizing_asks_for_another_engraving_once_it_rests(qtbot: QtBot, scene: Scene) -> None:
    count = len(scene.widths)
    for width in range(900, 400, -25):
        scene.strip.resize(width, 320)
    qtbot.waitUntil(lambda: len(scene.widths) > count, timeout=60_000)
    assert len(scene.widths) == count + 1 and scene.widths[-1] < scene.widths[0]


def test_it_is_dark_ink_on_light_and_light_ink_on_dark(qtbot: QtBot, scene: Scene) -> None:
    place = scene.head(scene.row(0, 3, 2)).center().toPoint()
    assert scene.image().pixelColor(place).lightness() < 90
    assert scene.image().pixelColor(2, scene.strip.viewport().height() - 3).lightness() > 200 or scene.strip.hasFocus()
    scene.strip.setPalette(dark_palette())
    scene.finish()
    assert scene.image().pixelColor(place).lightness() > 160


def test_what_cannot_be_shown_is_said(qtbot: QtBot, scene: Scene) -> None:
    assert scene.strip.problem == ""
    scene.strip.set_engraving(engrave_score(EngravingRequest(ScoreFile("/nowhere/a.mid", "x"), 24000), Progress()))
    assert "a.mid" in scene.strip.problem
    scene.image()
    scene.strip.set_engraving(None)
    assert "being engraved" in scene.strip.problem
    scene.strip.set_failure("It was cancelled.")
    assert scene.strip.problem == "It was cancelled."
    scene.strip.set_score(None, None)
    assert "Open a score" in scene.strip.problem
    scene.image()


def test_a_hidden_strip_asks_for_nothing(qtbot: QtBot, scene: Scene) -> None:
    scene.strip.hide()
    count = len(scene.widths)
    scene.strip.set_score(None, None)
    scene.strip.set_score(scene.unfolded, None, PARTS, RATE)
    qtbot.wait(500)
    assert len(scene.widths) == count
    scene.strip.show()
    qtbot.waitUntil(lambda: len(scene.widths) > count, timeout=60_000)


# ------------------------------------------------------------------------------------------------------ single notes


def test_ctrl_click_means_the_note_as_it_is_played_nearest(qtbot: QtBot, scene: Scene) -> None:
    written, toggled = scene.row(0, 1, 1), []
    scene.strip.note_toggled.connect(toggled.append)
    scene.strip.set_playhead(START)
    at = scene.head(written).center().toPoint()
    qtbot.mouseClick(scene.strip.viewport(), LEFT, Qt.KeyboardModifier.ControlModifier, at)
    scene.strip.set_playhead(START + (REPEATED + 1) * BAR)
    at = scene.head(written).center().toPoint()
    qtbot.mouseClick(scene.strip.viewport(), LEFT, Qt.KeyboardModifier.ControlModifier, at)
    notes = scene.unfolded.notes
    assert [int(notes.written_index[row]) for row in toggled] == [written, written]
    assert [int(notes.step_index[row]) for row in toggled] == [1, REPEATED + 1]


def test_the_menu_on_a_note_is_that_of_the_note(scene: Scene) -> None:
    asked: list[int] = []
    scene.strip.note_menu_asked.connect(lambda row, _: asked.append(row))
    scene.strip.set_playhead(START)
    scene.image()
    at = scene.head(scene.row(1, 0, 2)).center().toPoint()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, scene.strip.viewport().mapToGlobal(at))
    QApplication.sendEvent(scene.strip.viewport(), event)
    assert [int(scene.unfolded.notes.written_index[row]) for row in asked] == [scene.row(1, 0, 2)]


def test_selected_and_muted_notes_look_otherwise(scene: Scene) -> None:
    def head(row: int) -> QImage:
        return scene.image().copy(scene.head(row).adjusted(-3, -3, 3, 3).toAlignedRect())

    row = scene.row(0, 0, 1)
    played = int(np.flatnonzero(scene.unfolded.notes.written_index == row)[0])
    looks = [head(row)]
    for marks in (
        NoteMarks(selected=frozenset({played})),
        NoteMarks(muted=frozenset({played})),
        NoteMarks(gains_db={played: 6.0}),
        NoteMarks(gains_db={played: -6.0}),
    ):
        scene.strip.set_note_marks(marks)
        looks.append(head(row))
    assert all(a != b for i, a in enumerate(looks) for b in looks[:i])
    scene.strip.set_note_marks(NoteMarks())
    assert head(row) == looks[0]


# ------------------------------------------------------------------------------------------------------- quickness


def test_moving_on_takes_a_few_milliseconds(qtbot: QtBot, tmp_path: Path) -> None:
    scene = Scene(qtbot, tmp_path, (1600, 500))
    taken_s = []
    for frame in range(START, START + 8 * BAR, RATE // 60):
        began_s = time.thread_time()
        scene.strip.set_playhead(frame)
        QApplication.sendPostedEvents()
        taken_s.append(time.thread_time() - began_s)
    assert np.median(taken_s) < 0.005


def test_pictures_that_are_long_out_of_sight_are_let_go(
    qtbot: QtBot, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scoresep.qt.score import system_drawing

    scene.strip.set_playhead(START)
    drawings = scene.strip._drawings
    assert drawings is not None
    one = drawings.system(0).byte_count
    monkeypatch.setattr(system_drawing, "MOST_PICTURE_BYTES", 3 * one)
    for index in range(len(scene.strip.engraving.systems)):  # type: ignore[union-attr]
        drawings.system(index)
        drawings.let_go(frozenset({index}))
        assert index in drawings.kept and len(drawings.kept) <= 4
