"""Segments divide the recording without gaps, and say who plays."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoresep.model.segments import Activity, ActivityPosterior, join_intervals, segments_of
from scoresep.model.time_warping import with_edge, without_range

TOTAL = 200
intervals = st.lists(st.tuples(st.integers(0, TOTAL), st.integers(0, 40)), max_size=12)


def activity(part: int, rows: list[tuple[int, int]]) -> Activity:
    starts = np.array([s for s, _ in rows], np.int64)
    ends = np.array([min(s + n, TOTAL) for s, n in rows], np.int64)
    return Activity(part, *join_intervals(starts, ends))


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
    joined_starts, joined_ends = join_intervals(starts, ends, gap)
    assert np.all(joined_starts[1:] > joined_ends[:-1] + gap)
    for start, end in zip(starts, ends, strict=True):
        if end > start:
            assert np.any((joined_starts <= start) & (joined_ends >= end))


def test_an_activity_out_of_order_is_refused() -> None:
    with pytest.raises(ValueError, match="sorted"):
        Activity(0, np.array([10, 0]), np.array([20, 5]))


def heard(*moments: tuple[int, float]) -> ActivityPosterior:
    return ActivityPosterior(np.array([m for m, _ in moments]), np.array([p for _, p in moments]))


def test_a_segment_is_as_sure_as_its_least_sure_part() -> None:
    first = replace(activity(0, [(0, 100)]), heard=heard((0, 0.9), (50, 0.7), (100, 0.2)))
    second = replace(activity(1, [(50, 150)]), heard=heard((0, 0.4), (50, 1.0)))
    confidence = [s.confidence for s in segments_of((first, second), TOTAL)]
    # (0,) alone: the second may sound as well; both; the second alone: the first hardly sounds.
    assert confidence == pytest.approx([0.6, 0.7, 0.8], abs=1e-6)


def test_a_segment_across_moments_is_as_sure_as_they_are_on_average() -> None:
    whole = replace(activity(0, [(0, TOTAL)]), heard=heard((0, 1.0), (50, 0.6), (150, 0.2)))
    assert segments_of((whole,), TOTAL)[0].confidence == pytest.approx(0.6, abs=1e-6)


def test_what_was_not_listened_to_has_no_confidence() -> None:
    assert {s.confidence for s in segments_of((activity(0, [(10, 20)]),), TOTAL)} == {None}


def test_what_a_person_has_made_is_sure() -> None:
    found = replace(activity(0, [(0, 100)]), heard=heard((0, 0.9), (100, 0.1)))
    longer = with_edge(found, 0, is_start=False, frame=150)
    assert [s.confidence for s in segments_of((longer,), TOTAL)] == [1.0, 1.0]
    with_gap = without_range(found, 40, 60)
    assert with_gap.heard == found.heard
    assert [s.confidence for s in segments_of((with_gap,), TOTAL)] == [1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("moments", [[(1, 0.5)], [(0, 0.5), (0, 0.6)], [(0, 1.5)], []])
def test_moments_that_make_no_sense_are_refused(moments: list[tuple[int, float]]) -> None:
    with pytest.raises(ValueError, match="moment"):
        heard(*moments)


def test_hundreds_of_segments_are_found_in_no_time() -> None:
    rng = np.random.default_rng(1)
    parts = []
    for part in range(16):
        edges = np.unique(rng.integers(0, 10**8, 1600))[:1500]
        moments = heard(*zip([0, *edges.tolist()], rng.random(1501), strict=True))
        parts.append(replace(Activity(part, edges[::2], edges[1::2]), heard=moments))
    start_s = time.process_time()
    segments = segments_of(tuple(parts), 10**8)
    assert len(segments) > 10_000
    assert time.process_time() - start_s < 2
