"""Segments divide the recording without gaps, and say who plays."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoresep.model.segments import Activity, joined_intervals, segments_of

TOTAL = 200
intervals = st.lists(st.tuples(st.integers(0, TOTAL), st.integers(0, 40)), max_size=12)


def activity(part: int, rows: list[tuple[int, int]]) -> Activity:
    starts = np.array([s for s, _ in rows], np.int64)
    ends = np.array([min(s + n, TOTAL) for s, n in rows], np.int64)
    return Activity(part, *joined_intervals(starts, ends))


@given(st.lists(intervals, min_size=1, max_size=4))
def test_segments_say_for_every_frame_who_plays(parts: list[list[tuple[int, int]]]) -> None:
    truth = np.zeros((len(parts), TOTAL), bool)
    for row, rows in zip(truth, parts, strict=True):
        for start, length in rows:
            row[start : start + length] = True
    segments = segments_of(tuple(activity(i, rows) for i, rows in enumerate(parts)), TOTAL)
    assert segments[0].start_frame == 0
    assert segments[-1].end_frame == TOTAL
    for before, after in itertools.pairwise(segments):
        assert before.end_frame == after.start_frame
        assert before.part_indices != after.part_indices
    for segment in segments:
        stretch = truth[:, segment.start_frame : segment.end_frame]
        for part in range(len(parts)):
            assert stretch[part].all() if part in segment.part_indices else not stretch[part].any()


def test_categories() -> None:
    both = (activity(0, [(0, 20)]), activity(1, [(10, 20)]))
    assert [(s.category, s.part_indices) for s in segments_of(both, TOTAL)] == [
        ("single", (0,)),
        ("mixed", (0, 1)),
        ("single", (1,)),
        ("silence", ()),
    ]


@given(intervals, st.integers(0, 10))
def test_joined_intervals_lie_further_apart_than_the_gap(rows: list[tuple[int, int]], gap: int) -> None:
    starts = np.array([s for s, _ in rows], np.int64)
    ends = starts + np.array([n for _, n in rows], np.int64)
    joined_starts, joined_ends = joined_intervals(starts, ends, gap)
    assert np.all(joined_starts[1:] > joined_ends[:-1] + gap)
    for start, end in zip(starts, ends, strict=True):
        if end > start:
            assert np.any((joined_starts <= start) & (joined_ends >= end))


def test_an_activity_out_of_order_is_refused() -> None:
    with pytest.raises(ValueError, match="sorted"):
        Activity(0, np.array([10, 0]), np.array([20, 5]))
