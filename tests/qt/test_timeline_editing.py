"""Correcting an alignment with pointer and keys, on a real session: previews, one change a gesture, undo, cancel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from duet import RATE as DUET_RATE
from duet import make_duet
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from small_scores import even_alignment
from timeline_scenes import QUARTER as VIEW_QUARTER
from timeline_scenes import RATE as VIEW_RATE
from timeline_scenes import START as VIEW_START
from timeline_scenes import full_view, peaks, pixels
from window_bench import FRAMES, QUARTER, START, Bench

from scoresep.edits import project as edits
from scoresep.model.audio import ArraySource
from scoresep.model.project import Project
from scoresep.model.time_warping import WarpExtent
from scoresep.model.timemap import SyncPoint
from scoresep.progress import Progress
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.session import pipeline

LEFT, NO_KEY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
SHIFT, CTRL, ALT = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)
RULER_Y = 14.0


@pytest.fixture
def aligned(bench: Bench) -> Bench:
    bench.open_recording()
    bench.open_score()
    bench.align()
    bench.window.timeline.setFocus()
    return bench


def at(view: TimelineView, frame: float, y: float = RULER_Y) -> QPoint:
    return QPointF(view.canvas.x_of(frame), y).toPoint()


def middle_of(view: TimelineView, title: str) -> float:
    placed = next(p for p in view.canvas.placed if p.lane.title == title)
    return view.canvas.lanes_offset + placed.top + placed.height / 2


def drag(
    view: TimelineView,
    qtbot: QtBot,
    start: QPoint,
    end: QPoint,
    keys: Qt.KeyboardModifier = NO_KEY,
    lets_go: bool = True,
) -> None:
    qtbot.mousePress(view.canvas, LEFT, keys, start)
    for share in (0.5, 1.0):
        qtbot.mouseMove(view.canvas, start + (end - start) * share)
    if lets_go:
        qtbot.mouseRelease(view.canvas, LEFT, keys, end)


def bar_frame(project: Project, bar: int) -> int:
    assert project.alignment is not None
    return project.alignment.time_map.quarter_to_frame(4.0 * bar)


def test_a_bar_line_is_dragged_in_the_ruler_as_one_change(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    before = session.project
    target = START + 8 * QUARTER + 900
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    drag(view, qtbot, at(view, START + 8 * QUARTER), at(view, target))
    after = session.project
    assert bar_frame(after, 2) == pytest.approx(target, abs=1.5 * view.axis.frames_per_px)
    assert [(p.measure_index, p.beat) for p in after.hand_points] == [(2, 1.0)]
    assert session.undo_text == "Place bar 3" and bar_frame(after, 0) == bar_frame(before, 0)
    qtbot.keyClick(view.canvas, Qt.Key.Key_Z, CTRL)
    assert session.project == before
    qtbot.keyClick(view.canvas, Qt.Key.Key_Z, CTRL | SHIFT)
    assert session.project == after


def test_outside_of_correcting_a_drag_over_bar_lines_selects_bars_and_moves_nothing(
    aligned: Bench, qtbot: QtBot
) -> None:
    view, session = aligned.window.timeline, aligned.session
    before = session.project
    drag(view, qtbot, at(view, START + 8 * QUARTER), at(view, START + 9 * QUARTER))
    assert session.project is before and view.selection == (START + 8 * QUARTER, START + 12 * QUARTER)
    qtbot.keyClick(view.canvas, Qt.Key.Key_L)
    loop = aligned.window.playing.loop
    assert loop is not None and (loop.start_frame, loop.end_frame) == view.selection


def test_a_drag_shows_where_everything_would_go_and_escape_leaves_it_all(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    before, seen = session.project, pixels(view)
    drag(view, qtbot, at(view, START + 8 * QUARTER), at(view, START + 9 * QUARTER), lets_go=False)
    layout = view.canvas.content.layout
    assert layout is not None and layout.grid.start_frame[2] > START + 8.5 * QUARTER
    assert session.project is before and (pixels(view) != seen).mean() > 0.01
    qtbot.keyClick(view.canvas, Qt.Key.Key_Z, CTRL)
    assert session.project is before, "no shortcut does anything while a point is held"
    qtbot.keyClick(view.canvas, Qt.Key.Key_Escape)
    layout = view.canvas.content.layout
    assert layout is not None and layout.grid.start_frame[2] == START + 8 * QUARTER
    qtbot.mouseRelease(view.canvas, LEFT, NO_KEY, at(view, START + 9 * QUARTER))
    assert session.project is before and session.undo_text == "Align"


def test_notes_and_lines_over_the_lanes_are_grasped_only_while_correcting(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    start, y = START + 8 * QUARTER, middle_of(view, "Recording")
    drag(view, qtbot, at(view, start, y), at(view, start + 700, y))
    assert not session.project.hand_points and view.selection is not None
    view.select_nothing()
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    drag(view, qtbot, at(view, start, y), at(view, start + 700, y))
    assert len(session.project.hand_points) == 1 and view.selection is None
    assert aligned.window.commands["correct"].isChecked()


def test_a_note_is_dragged_to_where_it_sounds(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    lane = next(p for p in view.canvas.placed if p.lane.title == "Notes")
    layout = view.canvas.content.layout
    assert layout is not None
    place = 12
    top = lane.lane.note_tops(layout, np.array([place]), lane.height)[0]  # type: ignore[attr-defined]
    y = view.canvas.lanes_offset + lane.top + top + 3
    row, onset = int(layout.row[place]), int(layout.onset_frame[place])
    drag(view, qtbot, at(view, onset + 800, y), at(view, onset + 1300, y))
    alignment = session.project.alignment
    assert alignment is not None
    assert alignment.note_times.onset_frame[row] == pytest.approx(onset + 500, abs=1.5 * view.axis.frames_per_px)
    assert session.project.hand_points[0].beat == 3.0


def test_with_shift_all_that_comes_after_moves_along(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    start = START + 8 * QUARTER
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    qtbot.mousePress(view.canvas, LEFT, SHIFT, at(view, start))
    qtbot.mouseMove(view.canvas, at(view, start + 1500))
    qtbot.mouseRelease(view.canvas, LEFT, SHIFT, at(view, start + 1500))
    shift = bar_frame(session.project, 2) - start
    assert shift == pytest.approx(1500, abs=1.5 * view.axis.frames_per_px)
    assert bar_frame(session.project, 3) == START + 12 * QUARTER + shift
    assert bar_frame(session.project, 1) == START + 4 * QUARTER and session.undo_text == "Shift all from bar 3"


def test_a_drag_ends_before_the_neighbour_by_hand(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    session.apply(edits.place_bar(session.project, SyncPoint(3, 1, 1.0, START + 12 * QUARTER), WarpExtent.NEAR))
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    drag(view, qtbot, at(view, START + 8 * QUARTER), at(view, START + 15 * QUARTER))
    assert bar_frame(session.project, 2) == START + 12 * QUARTER - 1
    assert bar_frame(session.project, 3) == START + 12 * QUARTER


def test_points_are_selected_nudged_and_freed_by_keys(aligned: Bench, qtbot: QtBot) -> None:
    window, view, session = aligned.window, aligned.window.timeline, aligned.session
    for expected in (0.0, 4.0, 8.0):
        qtbot.keyClick(view.canvas, Qt.Key.Key_BracketRight)
        assert view.editing.selected_quarter == expected
    qtbot.keyClick(view.canvas, Qt.Key.Key_BracketLeft)
    assert view.editing.selected_quarter == 4.0 and not window.commands["free_point"].isEnabled()
    start = START + 4 * QUARTER
    for key, keys, expected_frame in (
        (Qt.Key.Key_Period, NO_KEY, start + 80),
        (Qt.Key.Key_Period, SHIFT, start + 88),
        (Qt.Key.Key_Comma, SHIFT, start + 80),
        (Qt.Key.Key_Comma, NO_KEY, start),
        (Qt.Key.Key_Comma, NO_KEY, start - 80),
    ):
        qtbot.keyClick(view.canvas, key, keys)
        assert bar_frame(session.project, 1) == expected_frame
    assert len(session.project.hand_points) == 1 and window.commands["free_point"].isEnabled()
    qtbot.keyClick(view.canvas, Qt.Key.Key_Delete)
    assert not session.project.hand_points and bar_frame(session.project, 1) == start - 80


def test_doubtful_places_are_visited_one_after_the_other(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    alignment = session.project.alignment
    assert alignment is not None
    confidence = np.ones(len(alignment.note_times), np.float32)
    confidence[[8, 20]] = 0.1
    doubtful = replace(alignment, note_times=replace(alignment.note_times, confidence=confidence))
    session.apply(edits.set_alignment(session.project, doubtful, session.project.activities or ()))
    for frame in (START + 4 * QUARTER, START + 10 * QUARTER):
        with qtbot.waitSignal(view.seek_requested) as seek:
            qtbot.keyClick(view.canvas, Qt.Key.Key_U)
        assert seek.args == [frame]
        view.set_playhead(frame)
    qtbot.keyClick(view.canvas, Qt.Key.Key_U)
    assert "no doubtful place after" in aligned.window.messages.lines[0].sentence.text


def test_bars_are_tapped_along_with_what_is_heard(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    taps = [START + 4 * QUARTER + 700, START + 8 * QUARTER + 1000, START + 12 * QUARTER + 1100]
    for frame in taps:
        view.editing.tap(frame, with_beats=False)
    assert [p.measure_index for p in session.project.hand_points] == [1, 2, 3]
    assert [p.frame for p in session.project.hand_points] == taps
    view.editing.tap(START + 8 * QUARTER + 300, with_beats=False)  # gone back: the nearest bar again
    assert [p.frame for p in session.project.hand_points] == [taps[0], START + 8 * QUARTER + 300, taps[2]]


def test_the_tap_key_takes_the_playhead(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    aligned.player.seek(START + 5 * QUARTER + 200)
    qtbot.waitUntil(lambda: aligned.player.state().frame == START + 5 * QUARTER + 200)
    qtbot.keyClick(view.canvas, Qt.Key.Key_T, SHIFT)
    assert [(p.measure_index, p.beat, p.frame) for p in session.project.hand_points] == [
        (1, 2.0, START + 5 * QUARTER + 200)
    ]


def test_points_snap_to_attacks_unless_alt_is_held(qtbot: QtBot) -> None:
    view = full_view(qtbot)
    attack, rng = VIEW_START + 8 * VIEW_QUARTER + 2500, np.random.default_rng(0)
    samples = np.zeros((1, 800_000), np.float32)
    samples[0, attack:] = 0.3 * rng.standard_normal(800_000 - attack)
    samples += 0.001 * rng.standard_normal(samples.shape).astype(np.float32)
    source = ArraySource(samples, VIEW_RATE)
    view.set_recording(source, peaks(source))
    view.show_range(VIEW_START + 6 * VIEW_QUARTER, VIEW_START + 10 * VIEW_QUARTER)
    view.editing.set_correcting(True)
    asked: list[SyncPoint] = []
    view.editing.place_asked.connect(lambda point, _: asked.append(point))
    start = at(view, VIEW_START + 8 * VIEW_QUARTER)
    for keys in (NO_KEY, ALT):
        qtbot.mousePress(view.canvas, LEFT, keys, start)
        end = at(view, attack + 4 * view.axis.frames_per_px)
        for place in (start + QPoint(20, 0), end):
            kind = QMouseEvent.Type.MouseMove
            global_place = QPointF(view.canvas.mapToGlobal(place))
            event = QMouseEvent(kind, QPointF(place), global_place, Qt.MouseButton.NoButton, LEFT, keys)
            QApplication.sendEvent(view.canvas, event)
        qtbot.mouseRelease(view.canvas, LEFT, keys, end)
    assert abs(asked[0].frame - attack) < 0.002 * VIEW_RATE
    assert asked[1].frame == pytest.approx(attack + 4 * view.axis.frames_per_px, abs=1.5 * view.axis.frames_per_px)
    assert asked[1].frame - attack > 2 * view.axis.frames_per_px


def test_points_by_hand_are_seen_and_automatic_ones_while_correcting(aligned: Bench, qtbot: QtBot) -> None:
    view, session = aligned.window.timeline, aligned.session
    plain = pixels(view)
    session.apply(edits.place_bar(session.project, SyncPoint(2, 1, 1.0, START + 8 * QUARTER), WarpExtent.NEAR))
    with_hand = pixels(view)
    assert (with_hand != plain).any()
    qtbot.keyClick(view.canvas, Qt.Key.Key_E)
    assert (pixels(view) != with_hand).any()
    assert view.total_frames == FRAMES


def test_what_is_selected_is_aligned_again_and_waits_to_be_accepted(bench: Bench, qtbot: QtBot) -> None:
    duet, session, view = make_duet(bench.folder), bench.session, bench.window.timeline
    loaded = pipeline.load_score(str(duet.score), Progress())
    recording = pipeline.load_recording(str(duet.audio), Progress()).recording
    session.apply(edits.set_recording(session.project, recording))
    session.apply(edits.set_score(session.project, loaded.score_file, loaded.score))
    assert session.project.unfolded is not None
    late = even_alignment(session.project.unfolded, round(0.5 * DUET_RATE), round(0.75 * DUET_RATE))
    session.apply(edits.set_alignment(session.project, late, edits.derive_activities(session.project, late)))
    view.setFocus()
    qtbot.keyClick(view.canvas, Qt.Key.Key_T, CTRL)
    assert "Select the stretch" in bench.window.messages.lines[0].sentence.text
    view.select(*(round(s * DUET_RATE) for s in (0.75 + 1.5, 0.75 + 6.0)))
    qtbot.keyClick(view.canvas, Qt.Key.Key_T, CTRL)
    qtbot.waitUntil(lambda: session.project.pending_alignment is not None, timeout=60_000)
    difference = view.difference
    assert difference is not None
    moved = difference.pending.unfolded.notes.onset_quarter[difference.pending.row[difference.is_changed]]
    assert len(moved) > 4 and moved.min() > 3 and moved.max() < 12
    qtbot.keyClick(view.canvas, Qt.Key.Key_A, SHIFT)
    assert session.project.alignment == late and session.project.pending_alignment is None
