"""Pointer, wheel and keys in the timeline, driven by real events."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot
from timeline_scenes import (
    CTRL,
    FRAMES,
    LEFT,
    NO_KEY,
    QUARTER,
    SHIFT,
    START,
    drag,
    full_view,
    note_point,
    point,
    turn_wheel,
)

from scoresep.qt.timeline.lane import HEADER_PX
from scoresep.qt.timeline.timeline_navigation import Readout
from scoresep.qt.timeline.timeline_view import Follow, TimelineView


@pytest.fixture
def view(qtbot: QtBot) -> TimelineView:
    return full_view(qtbot)


def test_a_click_seeks(view: TimelineView, qtbot: QtBot) -> None:
    for y in (12, 80, 300):
        at = point(view, 200_000, y)
        with qtbot.waitSignal(view.seek_requested) as seek:
            qtbot.mouseClick(view.canvas, LEFT, NO_KEY, at)
        assert seek.args[0] == pytest.approx(200_000, abs=view.axis.frames_per_px)
        assert isinstance(seek.args[0], int)


def test_a_drag_selects_and_does_not_seek(view: TimelineView, qtbot: QtBot) -> None:
    seeks: list[int] = []
    view.seek_requested.connect(seeks.append)
    drag(view, qtbot, point(view, 400_000, 100), point(view, 150_000, 110))
    assert view.selection == pytest.approx((150_000, 400_000), abs=view.axis.frames_per_px)
    assert not seeks
    right_edge = point(view, view.selection[1], 200)  # type: ignore[index]
    drag(view, qtbot, right_edge, point(view, 500_000, 200))
    assert view.selection == pytest.approx((150_000, 500_000), abs=2 * view.axis.frames_per_px)
    qtbot.mouseClick(view.canvas, LEFT, SHIFT, point(view, 100_000, 200))
    assert view.selection == pytest.approx((100_000, 500_000), abs=3 * view.axis.frames_per_px)


def test_with_control_whole_bars_are_selected(view: TimelineView, qtbot: QtBot) -> None:
    qtbot.mousePress(view.canvas, LEFT, CTRL, point(view, START + 5 * QUARTER, 100))
    qtbot.mouseMove(view.canvas, point(view, START + 7 * QUARTER, 100))
    assert view.selection is not None
    event_free = view.whole_bars(START + 5 * QUARTER, START + 9 * QUARTER)
    assert event_free == (START + 4 * QUARTER, START + 12 * QUARTER)
    qtbot.mouseRelease(view.canvas, LEFT, CTRL, point(view, START + 7 * QUARTER, 100))


def test_in_the_row_of_bars_bars_are_selected_and_with_control_any_range(view: TimelineView, qtbot: QtBot) -> None:
    start, stop = START + 5 * QUARTER, START + 9 * QUARTER
    bars = (START + 4 * QUARTER, START + 12 * QUARTER)
    for modifiers, is_expected in ((NO_KEY, lambda s: s == bars), (CTRL, lambda s: abs(s[1] - stop) < QUARTER // 4)):
        QTest.mousePress(view.canvas, LEFT, modifiers, point(view, start, 8))
        move_with(view, point(view, stop, 8), modifiers)
        assert view.selection is not None and is_expected(view.selection), modifiers
        QTest.mouseRelease(view.canvas, LEFT, modifiers, point(view, stop, 8))
    view.select(*bars)
    QTest.mouseClick(view.canvas, LEFT, SHIFT, point(view, START + 13 * QUARTER, 8))
    assert view.selection == (bars[0], START + 16 * QUARTER), "Shift extends by bars"


def move_with(view: TimelineView, position: QPoint, modifiers: Qt.KeyboardModifier) -> None:
    """Move the pointer while the left button and keys are held, which `QTest.mouseMove` cannot."""
    at = QPointF(position)
    event = QMouseEvent(
        QEvent.Type.MouseMove, at, view.canvas.mapToGlobal(at), Qt.MouseButton.NoButton, LEFT, modifiers
    )
    QApplication.sendEvent(view.canvas, event)


def test_a_double_click_selects_the_note(view: TimelineView, qtbot: QtBot) -> None:
    qtbot.mouseDClick(view.canvas, LEFT, NO_KEY, note_point(view, 6))
    layout = view.canvas.content.layout
    assert layout is not None
    assert view.selection == (int(layout.onset_frame[6]), int(layout.offset_frame[6]))


def test_a_double_click_selects_the_segment_or_stretch(view: TimelineView, qtbot: QtBot) -> None:
    for title in ("Segments", "Cello"):
        lane = next(p for p in view.canvas.placed if p.lane.title == title)
        y = view.canvas.lanes_offset + lane.top + lane.height / 2
        qtbot.mouseDClick(view.canvas, LEFT, NO_KEY, point(view, START + 5 * QUARTER, y))
        assert view.selection == (START, START + 32 * QUARTER), title
        view.select_nothing()


def test_a_double_click_elsewhere_selects_the_bar(view: TimelineView, qtbot: QtBot) -> None:
    qtbot.mouseDClick(view.canvas, LEFT, NO_KEY, point(view, START + 5 * QUARTER, 10))
    assert view.selection == (START + 4 * QUARTER, START + 8 * QUARTER)


def test_control_and_wheel_zoom_at_the_pointer(view: TimelineView) -> None:
    at = point(view, 300_000, 100)
    under = view.canvas.axis.x_to_frame(at.x() - HEADER_PX)
    for _ in range(6):
        turn_wheel(view, at, 1, CTRL)
    assert view.axis.x_to_frame(at.x() - HEADER_PX) == pytest.approx(under, abs=view.axis.frames_per_px)
    assert view.axis.frames_per_px < 0.3 * view.axis.fitting_frames_per_px


def test_shift_and_wheel_scroll_in_time(view: TimelineView) -> None:
    view.show_range(200_000, 300_000)
    start = view.axis.start_frame
    turn_wheel(view, QPoint(400, 100), -1, SHIFT)
    assert view.axis.start_frame > start
    turn_wheel(view, QPoint(400, 100), 1, SHIFT)
    assert view.axis.start_frame == pytest.approx(start, abs=view.axis.frames_per_px)


def test_the_wheel_alone_scrolls_lanes_that_do_not_fit(view: TimelineView) -> None:
    axis = view.axis
    turn_wheel(view, QPoint(400, 100), -2)
    assert view.canvas.scroll_y == 0  # everything is visible
    view.resize(900, 260)
    turn_wheel(view, QPoint(400, 100), -2)
    assert view.canvas.scroll_y > 0 and view.axis.frames_per_px == pytest.approx(axis.frames_per_px, rel=0.05)


def test_the_middle_button_pans(view: TimelineView, qtbot: QtBot) -> None:
    view.show_range(200_000, 300_000)
    start = view.axis.start_frame
    drag(view, qtbot, QPoint(600, 100), QPoint(500, 100), Qt.MouseButton.MiddleButton)
    assert view.axis.start_frame == pytest.approx(start + 100 * view.axis.frames_per_px, abs=view.axis.frames_per_px)


def test_the_readout_says_time_bar_and_note(view: TimelineView, qtbot: QtBot) -> None:
    heard: list[Readout | None] = []
    view.readout_changed.connect(heard.append)
    qtbot.mouseMove(view.canvas, note_point(view, 20))
    assert heard[-1] is not None
    layout = view.canvas.content.layout
    assert layout is not None
    part = ("Violin", "Cello")[layout.part_index[20]]
    assert heard[-1].item.startswith(part) and "bar 3, beat" in heard[-1].bar and ":" in heard[-1].time
    assert heard[-1].item in heard[-1].text
    QApplication.sendEvent(view.canvas, QEvent(QEvent.Type.Leave))
    assert heard[-1] is None


def test_tool_tips_name_lanes_and_items(view: TimelineView) -> None:
    assert view.tool_tip_at(QPointF(30, 100)) == "Recording"
    assert "bar 1" in view.tool_tip_at(QPointF(note_point(view, 0)))
    QToolTip.hideText()


def test_keys_zoom(view: TimelineView, qtbot: QtBot) -> None:
    before = view.axis.frames_per_px
    qtbot.keyClick(view.canvas, Qt.Key.Key_Plus)
    assert view.axis.frames_per_px == pytest.approx(before / 2, rel=0.01)
    qtbot.keyClick(view.canvas, Qt.Key.Key_Minus)
    assert view.axis.is_fitted
    view.set_selection((100_000, 200_000))
    qtbot.keyClick(view.canvas, Qt.Key.Key_Z)
    assert 95_000 < view.axis.start_frame < 100_000
    assert 200_000 < view.axis.end_frame < 205_000
    qtbot.keyClick(view.canvas, Qt.Key.Key_F)
    assert view.axis.is_fitted


@pytest.mark.parametrize(
    ("key", "modifiers", "wanted"),
    [
        (Qt.Key.Key_Home, NO_KEY, 0),
        (Qt.Key.Key_End, NO_KEY, FRAMES),
        (Qt.Key.Key_Right, CTRL, START + 8 * QUARTER),
        (Qt.Key.Key_Left, CTRL, START + 4 * QUARTER),
    ],
)
def test_keys_move_the_playhead(
    view: TimelineView, qtbot: QtBot, key: Qt.Key, modifiers: Qt.KeyboardModifier, wanted: int
) -> None:
    view.set_playhead(START + 5 * QUARTER)
    with qtbot.waitSignal(view.seek_requested) as seek:
        qtbot.keyClick(view.canvas, key, modifiers)
    assert seek.args[0] == wanted


def test_small_steps_are_the_same_both_ways(view: TimelineView, qtbot: QtBot) -> None:
    view.seek_requested.connect(view.set_playhead)
    view.set_playhead(100_000)
    qtbot.keyClick(view.canvas, Qt.Key.Key_Right)
    assert 100_000 < view.playhead_frame < 120_000  # type: ignore[operator]
    qtbot.keyClick(view.canvas, Qt.Key.Key_Left)
    assert view.playhead_frame == 100_000


def test_keys_select_and_loop(view: TimelineView, qtbot: QtBot) -> None:
    view.set_playhead(START)
    qtbot.keyClick(view.canvas, Qt.Key.Key_Right, CTRL | SHIFT)
    assert view.selection == (START, START + 4 * QUARTER)
    with qtbot.waitSignal(view.loop_requested) as loop:
        qtbot.keyClick(view.canvas, Qt.Key.Key_L)
    assert loop.args[0] == view.selection
    view.set_loop(loop.args[0])
    with qtbot.waitSignal(view.loop_requested) as loop:
        qtbot.keyClick(view.canvas, Qt.Key.Key_L)
    assert loop.args[0] is None
    qtbot.keyClick(view.canvas, Qt.Key.Key_A, CTRL)
    assert view.selection == (0, FRAMES)
    qtbot.keyClick(view.canvas, Qt.Key.Key_Escape)
    assert view.selection is None


def test_pages(view: TimelineView, qtbot: QtBot) -> None:
    view.show_range(100_000, 150_000)
    start, width = view.axis.start_frame, view.axis.width_px * view.axis.frames_per_px
    qtbot.keyClick(view.canvas, Qt.Key.Key_PageDown)
    assert view.axis.start_frame == pytest.approx(start + 0.9 * width, rel=0.01)


def test_keys_of_others_are_left_to_them(view: TimelineView, qtbot: QtBot) -> None:
    heard: list[int] = []
    view.keyPressEvent = lambda event: heard.append(event.key())  # type: ignore[method-assign]
    qtbot.keyClick(view.canvas, Qt.Key.Key_Space)
    assert heard == [Qt.Key.Key_Space.value]


def test_it_can_be_reached_by_keyboard_and_by_screen_readers(view: TimelineView) -> None:
    assert view.focusProxy() is view.canvas
    assert view.canvas.focusPolicy() == Qt.FocusPolicy.StrongFocus
    assert view.canvas.accessibleName() and view.canvas.accessibleDescription()
    view.go_to_bar("3")
    assert "bar 3" in view.canvas.accessibleDescription()


def test_going_to_a_bar(view: TimelineView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(view.seek_requested) as seek:
        assert view.go_to_bar("2", 2)
    assert seek.args[0] == START + 20 * QUARTER
    assert view.readout(seek.args[0]).bar == "bar 2 (2), beat 1.00"
    assert not view.go_to_bar("2", 3) and not view.go_to_bar("77")


def test_following_by_pages_until_someone_scrolls_away(view: TimelineView) -> None:
    view.show_range(0, 100_000)
    view.set_playhead(1000)
    view.set_playing(True)
    view.set_playhead(99_900)
    assert view.axis.start_frame > 90_000
    view.show_range(300_000, 400_000)  # the person looks elsewhere
    view.set_playhead(101_000)
    assert view.axis.start_frame > 290_000
    view.set_follow(Follow.CENTER)
    view.show_range(90_000, 120_000)
    view.set_playhead(112_000)
    assert view.axis.frame_to_x(112_000) == pytest.approx(view.axis.width_px / 2, abs=1.0)
    view.set_follow(Follow.OFF)
    axis = view.axis
    view.set_playhead(700_000)
    assert view.axis == axis


def test_scroll_bars_and_view_move_each_other(view: TimelineView, qtbot: QtBot) -> None:
    view.show_range(0, 100_000)
    across = view._across
    with qtbot.waitSignal(view.visible_range_changed):
        across.setValue(across.maximum())
    assert view.axis.end_frame > FRAMES
    view.show_range(0, 100_000)
    assert across.value() < across.maximum() * 0.01
