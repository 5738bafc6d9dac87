"""The time axis: what zooming and scrolling promise, without a window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoresep.qt.timeline.time_axis import MARGIN_PX, MAX_PX_PER_FRAME, TimeAxis

TOTALS = st.integers(1, 700_000_000)
WIDTHS = st.floats(60.0, 4000.0)


@st.composite
def axes(draw: st.DrawFn) -> TimeAxis:
    axis = TimeAxis(draw(TOTALS), 44100, draw(WIDTHS)).fitted()
    axis = axis.zoomed(draw(st.floats(0.5, 1e5)), draw(st.floats(0, 1)) * axis.width_px)
    return axis.scrolled(draw(st.floats(-5000, 5000)))


@given(axes(), st.floats(0, 1), st.floats(0.2, 5.0))
def test_what_lies_under_the_pointer_stays_there(axis: TimeAxis, share: float, factor: float) -> None:
    x = share * axis.width_px
    zoomed = axis.zoomed(factor, x)
    drift_px = abs(zoomed.frame_to_x(axis.x_to_frame(x)) - x)
    margin = MARGIN_PX * zoomed.frames_per_px * 0.999
    is_at_an_end = zoomed.start_frame <= -margin or zoomed.end_frame >= zoomed.total_frames + margin
    assert drift_px < 1e-3 or is_at_an_end


@given(axes())
def test_an_axis_never_leaves_the_recording(axis: TimeAxis) -> None:
    margin = MARGIN_PX * axis.frames_per_px
    assert axis.frames_per_px >= 1 / MAX_PX_PER_FRAME * 0.999
    assert axis.start_frame >= -margin * 1.001
    assert axis.is_fitted or axis.end_frame <= axis.total_frames + margin * 1.001
    assert axis.clamped().start_frame == pytest.approx(axis.start_frame, abs=axis.frames_per_px * 1e-6)


@given(axes(), st.floats(-100, 5000))
def test_pixels_and_frames_convert_both_ways(axis: TimeAxis, x: float) -> None:
    assert axis.frame_to_x(axis.x_to_frame(x)) == pytest.approx(x, abs=1e-3)
    assert 0 <= axis.x_to_whole_frame(x) <= axis.total_frames


@given(axes())
def test_snapping_moves_by_at_most_half_a_step(axis: TimeAxis) -> None:
    snapped = axis.snapped(0.5)
    assert abs(snapped.start_frame - axis.start_frame) <= 0.2501 * axis.frames_per_px
    steps = snapped.start_frame / (0.5 * axis.frames_per_px)
    assert steps == pytest.approx(round(steps), abs=1e-6)


def test_fitting_shows_first_and_last_frame() -> None:
    axis = TimeAxis(44100 * 3600, 44100, 1400.0).fitted()
    assert axis.is_fitted
    assert axis.frame_to_x(0) == pytest.approx(MARGIN_PX)
    assert axis.frame_to_x(axis.total_frames) == pytest.approx(1400.0 - MARGIN_PX)
    assert axis.resized(700.0).is_fitted
    assert axis.zoomed(0.1) == axis


def test_showing_a_range_shows_just_that() -> None:
    axis = TimeAxis(1_000_000, 44100, 1000.0).showing(300_000, 400_000)
    assert axis.frame_to_x(300_000) == pytest.approx(MARGIN_PX)
    assert axis.frame_to_x(400_000) == pytest.approx(1000 - MARGIN_PX)


def test_following_turns_pages_and_centres() -> None:
    axis = TimeAxis(1_000_000, 44100, 1000.0).showing(0, 100_000)
    assert axis.paged(90_000) == axis
    turned = axis.paged(99_500)
    assert turned.frame_to_x(99_500) == pytest.approx(50.0, abs=1e-6)
    assert axis.centered(500_000).frame_to_x(500_000) == pytest.approx(500.0)
    assert axis.centered(10).start_frame == pytest.approx(-MARGIN_PX * axis.frames_per_px)
    assert axis.containing(50_000) == axis
    assert 0 < axis.containing(700_000).frame_to_x(700_000) < 1000


def test_an_empty_axis_does_not_divide_by_nothing() -> None:
    axis = TimeAxis(0, 44100, 800.0).fitted()
    assert axis.zoomed(3.0).scrolled(100).x_to_whole_frame(400) == 0
