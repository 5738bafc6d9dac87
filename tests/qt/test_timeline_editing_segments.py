"""Who plays when, corrected with pointer, menu and keys on a real session."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from timeline_scenes import pixels
from window_bench import QUARTER, START, Bench

from scoresep.qt.timeline.timeline_view import TimelineView

LEFT, NO_KEY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CTRL = Qt.KeyboardModifier.ControlModifier
END = START + 16 * QUARTER


@pytest.fixture
def correcting(bench: Bench, qtbot: QtBot) -> Bench:
    bench.open_recording()
    bench.open_score()
    bench.align()
    bench.window.timeline.setFocus()
    qtbot.waitUntil(bench.window.timeline.canvas.hasFocus)
    qtbot.keyClick(bench.window.timeline.canvas, Qt.Key.Key_E)
    return bench


def in_lane(view: TimelineView, title: str, frame: float) -> QPoint:
    placed = next(p for p in view.canvas.placed if p.lane.title == title)
    return QPointF(view.canvas.x_of(frame), view.canvas.lanes_offset + placed.top + placed.height / 2).toPoint()


def stretches(bench: Bench, part: int) -> list[tuple[int, int]]:
    activities = bench.session.project.activities
    assert activities is not None
    one = activities[part]
    return list(zip(one.start_frame.tolist(), one.end_frame.tolist(), strict=True))


def test_an_edge_is_dragged_snaps_to_a_note_and_is_one_change(correcting: Bench, qtbot: QtBot) -> None:
    view, session = correcting.window.timeline, correcting.session
    before, seen = session.project, pixels(view)
    start, end = in_lane(view, "Cello", END), in_lane(view, "Cello", START + 12 * QUARTER + 60)
    qtbot.mousePress(view.canvas, LEFT, NO_KEY, start)
    qtbot.mouseMove(view.canvas, start + (end - start) * 0.5)
    qtbot.mouseMove(view.canvas, end)
    assert session.project is before and (pixels(view) != seen).any()
    qtbot.mouseRelease(view.canvas, LEFT, NO_KEY, end)
    assert stretches(correcting, 1) == [(START, START + 12 * QUARTER)] and stretches(correcting, 0) == [(START, END)]
    assert session.undo_text == "Move an edge of Cello"
    hand = session.project.activities[1].is_by_hand  # type: ignore[index]
    assert hand is not None and hand.all()
    qtbot.keyClick(view.canvas, Qt.Key.Key_Z, CTRL)
    assert session.project == before


def test_escape_leaves_the_edge(correcting: Bench, qtbot: QtBot) -> None:
    view, session = correcting.window.timeline, correcting.session
    before = session.project
    start = in_lane(view, "Violin", START)
    qtbot.mousePress(view.canvas, LEFT, NO_KEY, start)
    qtbot.mouseMove(view.canvas, start + QPoint(60, 0))
    qtbot.keyClick(view.canvas, Qt.Key.Key_Escape)
    qtbot.mouseRelease(view.canvas, LEFT, NO_KEY, start + QPoint(60, 0))
    assert session.project is before and view.canvas.content.activities is before.activities


def test_edges_are_left_alone_unless_correcting(correcting: Bench, qtbot: QtBot) -> None:
    view = correcting.window.timeline
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    assert view.edges.edge_at(in_lane(view, "Violin", START).toPointF()) is None
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    assert view.edges.edge_at(in_lane(view, "Violin", START).toPointF()) is not None


def test_the_menu_says_who_plays_in_the_selection(correcting: Bench, qtbot: QtBot) -> None:
    view, session = correcting.window.timeline, correcting.session
    view.select(START + 4 * QUARTER, START + 8 * QUARTER)
    at = in_lane(view, "Segments", START + 6 * QUARTER)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, view.canvas.mapToGlobal(at))
    QApplication.sendEvent(view.canvas, event)
    menu = correcting.window.alignment.menu
    assert menu is not None
    cello = next(a for a in menu.actions() if a.text() == "Cello")
    assert cello.isChecked()
    cello.trigger()
    assert stretches(correcting, 1) == [(START, START + 4 * QUARTER), (START + 8 * QUARTER, END)]
    assert [s.part_indices for s in view.canvas.content.segments] == [(), (0, 1), (0,), (0, 1), ()]
    assert session.undo_text == "Silence Cello"
    menu.close()


def test_keys_split_and_join_the_chosen_part(correcting: Bench, qtbot: QtBot) -> None:
    view, player = correcting.window.timeline, correcting.player
    correcting.window.parts.choose(0)
    player.seek(START + 5 * QUARTER)
    qtbot.waitUntil(lambda: player.state().frame == START + 5 * QUARTER)
    qtbot.keyClick(view.canvas, Qt.Key.Key_D)
    assert len(stretches(correcting, 0)) == 2 and len(stretches(correcting, 1)) == 1
    qtbot.keyClick(view.canvas, Qt.Key.Key_J)
    assert stretches(correcting, 0) == [(START, END)]
