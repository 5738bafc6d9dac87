"""Laws of the time map: it rises, goes through its points, and turns round."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoresep.model.timemap import TimeMap, rising_time_map

points = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 10_000_000), st.booleans()), min_size=2, max_size=60
).map(lambda rows: [(q / 4, f, h) for q, f, h in rows])


@st.composite
def time_maps(draw: st.DrawFn) -> TimeMap:
    steps = draw(st.lists(st.tuples(st.integers(1, 64), st.integers(64, 200_000)), min_size=2, max_size=40))
    quarters = np.cumsum([s[0] for s in steps]) / 16
    frames = np.cumsum([s[1] for s in steps])
    return TimeMap(quarters, frames, np.zeros(len(steps), bool))


@given(time_maps(), st.floats(-10, 200))
def test_frames_come_back_to_the_same_quarter_within_half_a_frame(time_map: TimeMap, quarter: float) -> None:
    frame = time_map.quarter_to_frame(quarter)
    slope = np.max(np.diff(time_map.quarter) / np.diff(time_map.frame))
    assert abs(time_map.frame_to_quarter(frame) - quarter) <= 0.5 * slope + 1e-9


@given(time_maps())
def test_goes_through_its_points_and_rises(time_map: TimeMap) -> None:
    assert np.array_equal(time_map.quarters_to_frames(time_map.quarter), time_map.frame)
    dense = np.linspace(time_map.quarter[0] - 3, time_map.quarter[-1] + 3, 500)
    assert np.all(np.diff(time_map.quarters_to_frames(dense)) >= 0)


@given(points)
def test_contradictory_points_become_a_rising_map_or_are_refused(rows: list[tuple[float, int, bool]]) -> None:
    quarter, frame, _ = (np.array(column) for column in zip(*rows, strict=True))
    try:
        time_map = rising_time_map(quarter, frame)
    except ValueError:
        # Refused only where no two points rise together.
        rising = (quarter[:, None] < quarter[None, :] - 1e-3) & (frame[:, None] < frame[None, :])
        assert not rising.any()
        return
    given_points = set(zip(quarter.tolist(), frame.tolist(), strict=True))
    assert set(zip(time_map.quarter.tolist(), time_map.frame.tolist(), strict=True)) <= given_points


def test_points_by_hand_are_kept_and_what_contradicts_them_goes() -> None:
    time_map = rising_time_map([0, 1, 2, 3, 4], [0, 100, 900, 300, 400], [False, False, False, True, False])
    assert time_map.quarter.tolist() == [0, 1, 3, 4]
    assert time_map.is_by_hand.tolist() == [False, False, True, False]


def test_points_by_hand_that_fall_are_refused() -> None:
    with pytest.raises(ValueError, match="rise"):
        rising_time_map([0, 1], [100, 50], [True, True])


def test_beyond_the_ends_the_tempo_goes_on() -> None:
    time_map = TimeMap(np.array([0.0, 1.0, 2.0]), np.array([1000, 1100, 1400]), np.zeros(3, bool))
    assert time_map.quarter_to_frame(-1) == 900
    assert time_map.quarter_to_frame(3) == 1700
