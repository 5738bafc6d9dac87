"""The timeline as a person meets it: values in, pixels and signals out, driven by real events."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot
from small_scores import even_alignment, scale_score, straight

from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.audio import ArraySource
from scoresep.model.colors import default_part_colors
from scoresep.model.path import unfold
from scoresep.model.peaks import PeakBuilder, PeakPyramid
from scoresep.model.project import PartSettings
from scoresep.model.score import PerformancePath, UnfoldedScore
from scoresep.model.segments import Activity, activities_from_notes
from scoresep.qt.timeline.content import StemWave
from scoresep.qt.timeline.readout import Readout
from scoresep.qt.timeline.theme import dark_palette, light_palette
from scoresep.qt.timeline.timeline_canvas import HEADER_PX
from scoresep.qt.timeline.timeline_view import Follow, TimelineView

RATE = 44100
QUARTER = 22050
START = 10_000
FRAMES = START + 32 * QUARTER + 20_000
PARTS = tuple(PartSettings(n, c) for n, c in zip(("Violin", "Cello"), default_part_colors(2), strict=True))
NO_KEY = Qt.KeyboardModifier.NoModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


def sound(frames: int = FRAMES, channels: int = 2) -> ArraySource:
    t = np.arange(frames) / RATE
    wave = 0.5 * np.sin(2 * np.pi * 220 * t) * (1 + np.sin(2 * np.pi * 0.7 * t))
    return ArraySource(np.stack([wave * (1 - 0.3 * c) for c in range(channels)]).astype(np.float32), RATE)


def peaks(source: ArraySource) -> PeakPyramid:
    builder = PeakBuilder(source.frames, source.channels)
    builder.append(source.read(0, source.frames))
    return builder.pyramid


@pytest.fixture
def piece() -> UnfoldedScore:
    """Eight bars of the path: four, repeated."""
    return unfold(scale_score(4), PerformancePath((0, 1, 2, 3, 0, 1, 2, 3)))


def activities(piece: UnfoldedScore) -> tuple[Activity, ...]:
    return activities_from_notes(piece.notes, even_alignment(piece, QUARTER, START).note_times, 2, FRAMES, RATE)


@pytest.fixture
def view(qtbot: QtBot, piece: UnfoldedScore) -> TimelineView:
    view = TimelineView()
    qtbot.addWidget(view)
    view.set_theme(light_palette())
    view.resize(900, 620)
    source = sound()
    view.set_recording(source, peaks(source))
    view.set_score(piece, even_alignment(piece, QUARTER, START), PARTS)
    view.set_segments(activities(piece))
    view.show()
    qtbot.waitExposed(view)
    return view


def pixels(view: TimelineView) -> np.ndarray:
    image = view.canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.width()).copy()


def point(view: TimelineView, frame: float, y: float) -> QPoint:
    return QPointF(view.canvas.x_of(frame), y).toPoint()


def note_point(view: TimelineView, place: int) -> QPoint:
    lane = next(p for p in view.canvas.placed if p.lane.title == "Notes")
    layout = view.canvas.content.layout
    assert layout is not None
    places = np.array([place])
    top = lane.lane.note_tops(layout, places, lane.height)[0]  # type: ignore[attr-defined]
    middle = (int(layout.onset_frame[place]) + int(layout.offset_frame[place])) / 2
    return point(view, middle, view.canvas.lanes_offset + lane.top + top + 3)


def turn_wheel(view: TimelineView, at: QPoint, notches: float, modifiers: Qt.KeyboardModifier = NO_KEY) -> None:
    event = QWheelEvent(
        QPointF(at),
        QPointF(view.canvas.mapToGlobal(at)),
        QPoint(),
        QPoint(0, round(120 * notches)),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.canvas, event)


def drag(view: TimelineView, qtbot: QtBot, start: QPoint, end: QPoint, button: Qt.MouseButton = LEFT) -> None:
    qtbot.mousePress(view.canvas, button, NO_KEY, start)
    for share in (0.3, 0.7, 1.0):
        qtbot.mouseMove(view.canvas, start + (end - start) * share)
    qtbot.mouseRelease(view.canvas, button, NO_KEY, end)


# ------------------------------------------------------------------------------------------------------ what is seen


def test_everything_is_shown_whole_at_first(view: TimelineView) -> None:
    assert view.axis.is_fitted and view.total_frames == FRAMES
    titles = [p.lane.title for p in view.canvas.placed]
    assert titles == ["Recording", "Notes", "Segments", "Violin", "Cello"]


def test_a_note_has_the_colour_of_its_part(view: TimelineView) -> None:
    at = note_point(view, 0)
    color = QColor(int(pixels(view)[at.y(), at.x()]))
    part = view.canvas.content.layout.part_index[0]  # type: ignore[union-attr]
    wanted = QColor(PARTS[part].color)
    assert max(abs(color.red() - wanted.red()), abs(color.green() - wanted.green())) < 25


def test_a_doubtful_note_looks_different(view: TimelineView, piece: UnfoldedScore) -> None:
    before = pixels(view)
    whole = even_alignment(piece, QUARTER, START)
    times = whole.note_times
    doubtful = NoteTimes(times.onset_frame, times.offset_frame, times.confidence * 0.2, times.is_present)
    view.set_score(piece, Alignment(whole.time_map, doubtful), PARTS)
    assert (pixels(view) != before).mean() > 0.005


def test_scrolled_pixels_are_those_of_a_fresh_painting(view: TimelineView) -> None:
    view.canvas.clearFocus()
    view.show_range(3 * QUARTER, 9 * QUARTER)
    for step in (7, 31, -12, 250, -400, 1, 5000, -5000, 3):
        view.scroll_px(step)
        moved = pixels(view)
        view.canvas.repaint_all()
        channels = [x.view(np.uint8).astype(int) for x in (moved, pixels(view))]
        assert np.abs(channels[0] - channels[1]).max() <= 2, f"after {step} px"  # smoothed edges are rounded


def test_the_playhead_leaves_no_trace(view: TimelineView) -> None:
    clean = pixels(view)
    for frame in (START, FRAMES // 2, FRAMES):
        view.set_playhead(frame)
        assert (pixels(view) != clean).any()
    view.set_playhead(None)
    np.testing.assert_array_equal(pixels(view), clean)


def test_light_and_dark(view: TimelineView) -> None:
    light = pixels(view)
    view.set_theme(dark_palette())
    dark = pixels(view)
    assert np.mean(light & 0xFF) > 180
    assert np.mean(dark & 0xFF) < 80


def test_the_palette_of_the_window_is_followed(view: TimelineView) -> None:
    view.set_theme(None)
    view.setPalette(dark_palette())
    assert view.canvas.theme.is_dark
    view.setPalette(light_palette())
    assert not view.canvas.theme.is_dark


def test_categories_differ_without_colour(view: TimelineView, piece: UnfoldedScore) -> None:
    grey = tuple(replace(p, color="#808080") for p in PARTS)
    view.set_score(piece, even_alignment(piece, QUARTER, START), grey)
    edges = np.array([0, 100_000, 300_000, 500_000])
    view.set_segments((Activity(0, edges[1:2], edges[3:4]), Activity(1, edges[2:3], edges[3:4])))
    lane = next(p for p in view.canvas.placed if p.lane.title == "Segments")
    y0 = round(view.canvas.lanes_offset + lane.top)
    strip = pixels(view)[y0 + 4 : y0 + 22] & 0xFF
    looks = [strip[:, point(view, f, 0).x() :][:, :40] for f in (40_000, 250_000, 450_000)]
    spreads = [float(np.std(look)) for look in looks]
    means = [float(np.mean(look)) for look in looks]
    assert means[0] > 230 and spreads[1] < 2 < spreads[2]  # hardly anything; flat; hatched


@pytest.mark.parametrize("has_recording", [True, False])
@pytest.mark.parametrize("has_score", [True, False])
def test_whatever_is_missing_the_rest_is_shown(
    qtbot: QtBot, piece: UnfoldedScore, has_recording: bool, has_score: bool
) -> None:
    view = TimelineView()
    qtbot.addWidget(view)
    view.resize(700, 400)
    if has_recording:
        view.set_recording(sound(), None)
    if has_score:
        view.set_score(piece, None, PARTS)
    view.show()
    assert pixels(view).std() > 0
    notices = " ".join(p.lane.notice(100.0) for p in view.canvas.placed)
    assert ("No recording" in notices) == (not has_recording)
    assert ("No score" in notices) == (not has_score)
    assert ("Not aligned yet" in notices) == (has_recording and has_score)
    assert (view.total_frames > 0) == (has_recording or has_score)


def test_peaks_may_come_later_and_grow(qtbot: QtBot) -> None:
    view = TimelineView()
    qtbot.addWidget(view)
    view.resize(700, 300)
    source = sound(RATE * 30)
    view.set_recording(source, None)
    view.show()
    empty = pixels(view)
    builder = PeakBuilder(source.frames, source.channels)
    builder.append(source.read(0, source.frames // 2))
    view.set_pyramid(builder.pyramid)
    half = pixels(view)
    builder.append(source.read(source.frames // 2, source.frames))
    view.set_pyramid(builder.pyramid)
    middle = int(HEADER_PX) + 285
    changed = (half != pixels(view))[60:120]
    assert (empty != half)[60:120, 140 : middle - 5].any() and changed[:, middle + 5 :].any()


def test_stems_and_muted_parts(view: TimelineView) -> None:
    source = sound()
    stem = StemWave(source, peaks(source))
    view.set_stems({0: stem, None: stem})
    assert [p.lane.title for p in view.canvas.placed] == [
        "Recording",
        "Notes",
        "Segments",
        "Violin",
        "Cello",
        "Residual",
    ]
    loud = pixels(view)
    view.set_silent_parts(frozenset({0}))
    assert (pixels(view) != loud).mean() > 0.002


def test_absent_parts_have_no_lane(view: TimelineView, piece: UnfoldedScore) -> None:
    parts = (PARTS[0], replace(PARTS[1], is_absent=True))
    view.set_score(piece, even_alignment(piece, QUARTER, START), parts)
    assert "Cello" not in [p.lane.title for p in view.canvas.placed]


# ------------------------------------------------------------------------------------------------------- the pointer


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


def test_a_double_click_selects_the_note(view: TimelineView, qtbot: QtBot) -> None:
    qtbot.mouseDClick(view.canvas, LEFT, NO_KEY, note_point(view, 6))
    layout = view.canvas.content.layout
    assert layout is not None
    assert view.selection == (int(layout.onset_frame[6]), int(layout.offset_frame[6]))


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


# ----------------------------------------------------------------------------------------------------------- the keys


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


# ------------------------------------------------------------------------------------------------ bars and following


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


# ----------------------------------------------------------------------------------------------------------- the trap


def test_thousands_of_frames_lose_no_reference(view: TimelineView, piece: UnfoldedScore) -> None:
    """Some versions of PySide6 lose a reference to None in every painting, and abort when none is left."""
    source = sound()
    view.set_stems({0: StemWave(source, peaks(source)), 1: StemWave(source, None)})
    view.resize(420, 300)
    view.set_selection((100_000, 200_000))
    moves: list[Callable[[int], None]] = [
        lambda i: view.scroll_px(23 if i % 400 < 200 else -23),
        lambda i: view.set_playhead(i * 250),
        lambda i: view.zoom(1.3 if i % 100 < 50 else 1 / 1.3, 140.0),
    ]

    def run(first: int, last: int) -> None:
        for i in range(first, last):
            moves[2 if i % 10 == 0 else i % 2](i)
            view.canvas.repaint()

    view.show_range(0, 300_000)
    run(0, 150)  # caches fill
    before = sys.getrefcount(None)
    run(150, 3150)
    assert abs(sys.getrefcount(None) - before) < 500


def test_a_straight_score_of_one_part(qtbot: QtBot) -> None:
    view = TimelineView()
    qtbot.addWidget(view)
    view.resize(500, 300)
    view.set_score(straight(scale_score(2, ("Flute",))), None, ())
    view.show()
    assert view.total_frames == 4 * RATE
    assert pixels(view).std() > 0
