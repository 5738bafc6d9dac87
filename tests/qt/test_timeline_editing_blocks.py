"""Moving all that is selected, by its grip and by keys: one change, the selection goes along, undo brings both back."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from pytestqt.qtbot import QtBot
from timeline_scenes import pixels
from window_bench import QUARTER, START, Bench

from scoresep.edits import project as edits
from scoresep.model.project import Project
from scoresep.model.time_warping import WarpExtent
from scoresep.model.timemap import SyncPoint
from scoresep.qt.timeline.timeline_view import TimelineView

LEFT, NO_KEY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
GRIP_Y = 34.0
BARS = START + 4 * QUARTER, START + 12 * QUARTER  # bars 2 and 3 of four


@pytest.fixture
def aligned(bench: Bench) -> Bench:
    bench.open_recording()
    bench.open_score()
    bench.align()
    bench.window.timeline.setFocus()
    return bench


def at(view: TimelineView, frame: float, y: float = GRIP_Y) -> QPoint:
    return QPointF(view.canvas.x_of(frame), y).toPoint()


def drag(view: TimelineView, qtbot: QtBot, start: QPoint, end: QPoint, lets_go: bool = True) -> None:
    qtbot.mousePress(view.canvas, LEFT, NO_KEY, start)
    for share in (0.5, 1.0):
        qtbot.mouseMove(view.canvas, start + (end - start) * share)
    if lets_go:
        qtbot.mouseRelease(view.canvas, LEFT, NO_KEY, end)


def onsets(project: Project) -> dict[float, int]:
    """Return where the notes of the first part lie, by quarter."""
    assert project.alignment is not None and project.unfolded is not None
    notes, times = project.unfolded.notes, project.alignment.note_times
    rows = np.flatnonzero(notes.part_index == 0)
    return dict(zip(notes.onset_quarter[rows].tolist(), times.onset_frame[rows].tolist(), strict=True))


def shifts(before: Project, after: Project) -> dict[float, int]:
    return {quarter: frame - onsets(before)[quarter] for quarter, frame in onsets(after).items()}


def test_the_grip_moves_all_that_is_selected_as_one_change(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    view.select(*BARS)
    before = session.project
    start = START + 7 * QUARTER + 500
    drag(view, qtbot, at(view, start), at(view, start + 900))
    moved = shifts(before, session.project)
    shift = moved[4.0]
    assert shift == pytest.approx(900, abs=2 * view.axis.frames_per_px)
    assert {moved[4.0 + q] for q in range(8)} == {shift}
    assert moved[0.0] == 0 and 0 < moved[12.0] < shift and 0 < moved[3.0] < shift
    assert session.undo_text == "Shift bar 2 to bar 3, beat 4"
    assert view.selection == (BARS[0] + shift, BARS[1] + shift)
    qtbot.keyClick(view.canvas, Qt.Key.Key_Z, CTRL)
    assert session.project == before and view.selection == BARS


def test_a_drag_shows_where_it_leads_and_escape_leaves_all(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    view.select(*BARS)
    before, seen = session.project, pixels(view)
    start = START + 7 * QUARTER
    drag(view, qtbot, at(view, start), at(view, start + QUARTER), lets_go=False)
    layout = view.canvas.content.layout
    assert layout is not None and layout.grid.start_frame[1] > BARS[0] + 0.8 * QUARTER
    assert session.project is before and (pixels(view) != seen).mean() > 0.02, "the tempo curve is shown, too"
    qtbot.keyClick(view.canvas, Qt.Key.Key_Escape)
    qtbot.mouseRelease(view.canvas, LEFT, NO_KEY, at(view, start + QUARTER))
    assert session.project is before and view.selection == BARS and session.undo_text == "Align"
    layout = view.canvas.content.layout
    assert layout is not None and layout.grid.start_frame[1] == BARS[0]


def test_the_grip_is_there_only_while_correcting(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    view.select(*BARS)
    plain = pixels(view)
    start = START + 7 * QUARTER
    drag(view, qtbot, at(view, start), at(view, start + 2 * QUARTER))
    assert not session.project.hand_points and view.selection is not None and view.selection != BARS
    view.select(*BARS)
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    assert (pixels(view) != plain).any()
    qtbot.mouseClick(view.canvas, LEFT, NO_KEY, at(view, start))
    assert view.selection == BARS and not session.project.hand_points, "a click on the grip changes nothing"


def test_a_block_stops_at_points_by_hand(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    session.apply(edits.place_bar(session.project, SyncPoint(3, 1, 1.0, START + 12 * QUARTER), WarpExtent.NEAR))
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    view.select(*BARS)
    drag(view, qtbot, at(view, START + 7 * QUARTER), at(view, START + 13 * QUARTER))
    after = onsets(session.project)
    assert after[11.0] == START + 12 * QUARTER - 1 and after[12.0] == START + 12 * QUARTER


def test_keys_nudge_what_is_selected_and_the_selection_keeps_its_music(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    view.select(*BARS)
    before, total = session.project, 0
    for key, keys, step in (
        (Qt.Key.Key_Period, NO_KEY, 80),
        (Qt.Key.Key_Period, NO_KEY, 80),
        (Qt.Key.Key_Comma, SHIFT, -8),
        (Qt.Key.Key_Comma, NO_KEY, -80),
        (Qt.Key.Key_Comma, NO_KEY, -80),
    ):
        qtbot.keyClick(view.canvas, key, keys)
        total += step
        moved = shifts(before, session.project)
        assert {moved[4.0 + q] for q in range(8)} == {total} and abs(moved[12.0]) < max(abs(total), 1)
        assert view.selection == (BARS[0] + total, BARS[1] + total)
    for _ in range(5):
        qtbot.keyClick(view.canvas, Qt.Key.Key_Z, CTRL)
    assert session.project == before and view.selection == BARS


def test_keys_move_what_was_chosen_last(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    view.select(*BARS)
    qtbot.keyClick(view.canvas, Qt.Key.Key_BracketRight)
    qtbot.keyClick(view.canvas, Qt.Key.Key_Period)
    assert session.undo_text == "Place bar 1" and view.selection == BARS
    view.select(START + 8 * QUARTER, START + 9 * QUARTER)
    assert view.editing.selected_quarter is None
    qtbot.keyClick(view.canvas, Qt.Key.Key_Period)
    assert session.undo_text == "Shift bar 3"
    view.select(START + 9 * QUARTER + 300, START + 9 * QUARTER + 400)
    before = session.project
    qtbot.keyClick(view.canvas, Qt.Key.Key_Period)
    assert session.project is before
    assert "select a longer stretch" in aligned.window.messages.lines[0].sentence.text


def test_where_there_is_no_room_it_is_said(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    for bar, frame in ((0, 0), (2, 1)):
        session.apply(edits.place_bar(session.project, SyncPoint(bar, 1, 1.0, frame), WarpExtent.NEAR))
    before = session.project
    view.select(0, 1)  # bar 1 and most of bar 2
    qtbot.keyClick(view.canvas, Qt.Key.Key_Period)
    assert session.project is before
    assert "cannot be moved beyond a point by hand" in aligned.window.messages.lines[0].sentence.text
