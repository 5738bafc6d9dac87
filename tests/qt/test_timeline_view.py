"""What the timeline shows: values in, pixels out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot
from small_scores import even_alignment, scale_score, straight
from timeline_scenes import (
    FRAMES,
    PARTS,
    QUARTER,
    RATE,
    START,
    full_view,
    note_point,
    peaks,
    pixels,
    point,
    repeated_piece,
    sound,
)

from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.peaks import PeakBuilder
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import Activity
from scoresep.qt.timeline.lane import HEADER_PX, StemWave
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.qt.widgets.theme import dark_palette, light_palette


@pytest.fixture
def view(qtbot: QtBot) -> TimelineView:
    return full_view(qtbot)


@pytest.fixture
def piece() -> UnfoldedScore:
    return repeated_piece()


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


def test_a_straight_score_of_one_part(qtbot: QtBot) -> None:
    view = TimelineView()
    qtbot.addWidget(view)
    view.resize(500, 300)
    view.set_score(straight(scale_score(2, ("Flute",))), None, ())
    view.show()
    assert view.total_frames == 4 * RATE
    assert pixels(view).std() > 0
