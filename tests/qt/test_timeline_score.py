"""The score in time: bars, beats and notes where the alignment puts them; ruler marks that do not touch."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_scores import even_alignment, scale_score, straight

from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.path import unfold
from scoresep.model.score import PerformancePath, TempoMark
from scoresep.qt.timeline.ruler_item import bar_marks, time_label, time_ticks
from scoresep.qt.timeline.score_layout import BarGrid, marked_time_map, pitch_name, score_layout
from scoresep.qt.timeline.time_axis import TimeAxis

RATE = 44100


def test_bars_lie_where_the_alignment_has_them() -> None:
    unfolded = straight(scale_score(3))
    layout = score_layout(unfolded, even_alignment(unfolded, 22050, 10_000), RATE)
    assert layout.is_aligned
    assert layout.grid.start_frame.tolist() == [10_000, 98_200, 186_400, 274_600]
    assert layout.grid.labels == ("1", "2", "3")
    assert layout.grid.position_text(98_200 + 11_025) == "bar 2, beat 1.50"
    assert layout.grid.position_text(9_999) == "" == layout.grid.position_text(274_600)


def test_repeated_bars_say_which_time_they_are_played() -> None:
    unfolded = unfold(scale_score(3), PerformancePath((0, 1, 0, 1, 2)))
    grid = score_layout(unfolded, None, RATE).grid
    assert grid.labels == ("1", "2", "1 (2)", "2 (2)", "3")
    assert grid.is_jump.tolist() == [False, False, True, False, False]
    assert (grid.find("2", 1), grid.find("2", 2), grid.find("2", 3), grid.find("9")) == (1, 3, None, None)


def test_without_an_alignment_the_marked_tempo_holds() -> None:
    score = replace(scale_score(4), tempo_marks=(TempoMark(0.0, 60.0), TempoMark(8.0, 240.0)))
    time_map = marked_time_map(straight(score), RATE)
    assert time_map.quarters_to_frames([0, 4, 8, 12, 16]).tolist() == [0, 4 * RATE, 8 * RATE, 9 * RATE, 10 * RATE]
    layout = score_layout(straight(scale_score(1)), None, RATE)
    assert not layout.is_aligned and layout.end_frame == 2 * RATE  # 120 where nothing is marked


def test_an_alignment_of_another_path_is_left_aside() -> None:
    other = straight(scale_score(2))
    assert not score_layout(straight(scale_score(3)), even_alignment(other), RATE).is_aligned


def test_notes_that_the_recording_does_not_contain_are_left_out() -> None:
    unfolded = straight(scale_score(2))
    whole = even_alignment(unfolded)
    times = whole.note_times
    half = NoteTimes(times.onset_frame, times.offset_frame, times.confidence, np.arange(len(times)) % 2 == 0)
    layout = score_layout(unfolded, Alignment(whole.time_map, half), RATE)
    assert len(layout) == len(times) // 2
    assert np.all(np.diff(layout.onset_frame) >= 0)


@given(st.integers(0, 400_000), st.integers(0, 60_000), st.integers(0, 99))
@settings(deadline=None)
def test_visible_notes_are_those_that_touch_the_range(start: int, length: int, seed: int) -> None:
    unfolded = straight(scale_score(4))
    whole, rng = even_alignment(unfolded), np.random.default_rng(seed)
    onset = rng.integers(0, 400_000, len(unfolded.notes))
    offset = onset + rng.integers(0, 90_000, len(onset))
    times = NoteTimes(onset, offset, np.ones(len(onset)), np.ones(len(onset), bool))
    layout = score_layout(unfolded, Alignment(whole.time_map, times), RATE)
    visible = set(layout.row[layout.visible(start, start + length)].tolist())
    assert visible == set(np.flatnonzero((onset <= start + length) & (offset >= start)).tolist())


def test_beats_are_inside_bars_and_named() -> None:
    score = scale_score(2)
    first = replace(score.measures[0], duration_quarter=1.0, lead_quarter=3.0, number="0")
    second = replace(score.measures[1], start_quarter=1.0)
    unfolded = straight(replace(score, measures=(first, second)))
    grid = BarGrid(unfolded, even_alignment(unfolded, 100, 0).time_map)
    assert grid.beats(0, 2) == [(200.0, "2.2"), (300.0, "2.3"), (400.0, "2.4")]


@given(st.floats(0.001, 400_000), st.floats(0, 1))
def test_time_marks_do_not_touch(frames_per_px: float, share: float) -> None:
    total = RATE * 3600
    axis = TimeAxis(total, RATE, 1500.0, share * total, frames_per_px).clamped()
    ticks = time_ticks(axis, 80.0)
    labelled = [t for t in ticks if t.label]
    xs = [axis.frame_to_x(t.frame) for t in labelled]
    assert all(b - a >= 79.9 for a, b in itertools.pairwise(xs))
    assert len({t.label for t in labelled}) == len(labelled)
    assert len(ticks) < 200


@pytest.mark.parametrize(
    ("second", "step", "text"),
    [(65.0, 5.0, "1:05"), (0.25, 0.05, "0:00.25"), (3661.5, 0.5, "1:01:01.5"), (1.0203, 0.0001, "0:01.0203")],
)
def test_times_have_just_the_decimals_they_need(second: float, step: float, text: str) -> None:
    assert time_label(second, step) == text


@given(st.floats(10, 400_000), st.floats(0, 1), st.integers(0, 30))
@settings(deadline=None, max_examples=60)
def test_bar_numbers_do_not_touch(frames_per_px: float, share: float, jump: int) -> None:
    path = PerformancePath(tuple(range(40)) + tuple(range(jump, 40)))
    unfolded = unfold(scale_score(40, ("Flute",)), path)
    grid = score_layout(unfolded, None, RATE).grid
    total = int(grid.start_frame[-1])
    axis = TimeAxis(total, RATE, 1200.0, share * total, frames_per_px).clamped()
    marks = bar_marks(grid, axis, 50.0)
    xs = [axis.frame_to_x(float(grid.start_frame[s])) for s in marks.labelled]
    assert all(b - a >= 49.9 for a, b in itertools.pairwise(xs))
    assert set(marks.labelled) <= set(marks.strong)
    assert len(marks.lines) < 1300


def test_the_jump_of_a_repeat_keeps_its_number_when_others_are_thinned() -> None:
    path = PerformancePath(tuple(range(33)) + tuple(range(33)))
    grid = score_layout(unfold(scale_score(33, ("Flute",)), path), None, RATE).grid
    axis = TimeAxis(int(grid.start_frame[-1]), RATE, 500.0).fitted()
    marks = bar_marks(grid, axis, 50.0)
    assert {0, 33} <= set(marks.labelled)


@pytest.mark.parametrize(
    ("pitch", "name"), [(60.0, "C4"), (66.0, "F♯4"), (21.0, "A0"), (60.5, "C♯4 -50 ct"), (float("nan"), "unpitched")]
)
def test_pitches_have_the_names_that_people_use(pitch: float, name: str) -> None:
    assert pitch_name(pitch) == name
