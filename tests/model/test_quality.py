"""Hints without truth: against a count frame by frame, and what they say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoresep.model.quality import (
    LEAST_LIMIT,
    SegmentQuality,
    Unexplained,
    confidence_between,
    edges_of,
    next_doubtful,
    segment_qualities,
)
from scoresep.model.segments import Segment

edges = st.lists(st.integers(0, 90), min_size=2, max_size=6, unique=True).map(lambda e: np.array(sorted(e), np.int64))
notes = st.lists(st.tuples(st.integers(0, 80), st.integers(0, 20), st.floats(0, 1)), max_size=8)


@given(notes=notes, edge_frame=edges)
def test_confidence_is_the_mean_of_what_sounds_frame_by_frame(
    notes: list[tuple[int, int, float]], edge_frame: np.ndarray
) -> None:
    onset, length, confidence = (np.array(column) for column in zip(*notes, strict=True)) if notes else ([],) * 3
    onset, length, confidence = np.array(onset, np.int64), np.array(length, np.int64), np.array(confidence, float)
    found = confidence_between(onset, onset + length, confidence, edge_frame)
    for at, (start, stop) in enumerate(pairwise(edge_frame)):
        heard = [c for o, n, c in notes for frame in range(o, o + n) if start <= frame < stop]
        assert np.isnan(found[at]) if not heard else found[at] == pytest.approx(np.mean(heard), abs=1e-9)


@given(power=st.lists(st.tuples(st.floats(0.1, 1), st.floats(0, 1)), min_size=1, max_size=9), edge_frame=edges)
def test_the_share_between_frames_is_that_of_their_energies(
    power: list[tuple[float, float]], edge_frame: np.ndarray
) -> None:
    recording, part = (np.array(column) for column in zip(*power, strict=True))
    found = Unexplained(10, recording, recording * part).between(edge_frame)
    for at, (start, stop) in enumerate(pairwise(edge_frame)):
        inside = [i // 10 for i in range(start, min(stop, 10 * len(power)))]
        if len(inside) == stop - start:
            expected = sum(recording[i] * part[i] for i in inside) / sum(recording[i] for i in inside)
            assert found[at] == pytest.approx(expected, abs=1e-9)
        assert 0 <= found[at] <= 1


def test_hiss_in_a_pause_is_no_alarm_and_a_voice_that_nobody_plays_is() -> None:
    recording = np.array([1.0] * 20 + [1e-6] * 5 + [0.5] * 5)
    residual = np.array([0.02] * 20 + [1e-6] * 5 + [0.5] * 5)
    unexplained = Unexplained(100, recording, residual)
    assert unexplained.limit == LEAST_LIMIT and unexplained.total == pytest.approx(2.9 / 22.5, rel=1e-3)
    segments = [Segment(0, 2000, (0, 1)), Segment(2000, 2500, ()), Segment(2500, 3000, ())]
    music, pause, voice = segment_qualities(segments, unexplained, np.array([0.9, np.nan, np.nan]))
    assert not music.is_doubtful and not pause.is_doubtful
    assert "no part plays" in voice.advice and music.figures == "2 % unexplained, confidence 90 %"


def test_a_recording_of_which_much_is_unexplained_everywhere_is_not_all_alarm() -> None:
    residual = np.full(40, 0.1)
    residual[30:] = 0.7
    unexplained = Unexplained(10, np.ones(40), residual)
    assert unexplained.limit == pytest.approx(0.4)
    segments = [Segment(0, 300, (0,)), Segment(300, 400, (0,))]
    assert [q.is_doubtful for q in segment_qualities(segments, unexplained, np.array([0.9, 0.9]))] == [False, True]


@pytest.mark.parametrize(
    ("share", "confidence", "said"),
    [
        (0.4, 0.3, "correct the alignment"),
        (0.4, 0.9, "whether a part is missing"),
        (0.4, None, "whether a part is missing"),
        (0.0, 0.3, "listen with clicks"),
        (0.0, 0.9, ""),
        (None, 0.3, "listen with clicks"),
        (None, None, ""),
    ],
)
def test_it_says_what_to_do(share: float | None, confidence: float | None, said: str) -> None:
    quality = SegmentQuality(Segment(0, 10, (0,)), share, confidence, bool(share))
    assert said in quality.advice and quality.is_doubtful == bool(said)


def test_segments_that_are_not_sure_themselves_are_doubtful() -> None:
    quality = SegmentQuality(Segment(0, 10, (0,), confidence=0.3), 0.0, 0.9, False)
    assert "who plays here" in quality.advice
    short, long = segment_qualities([quality.segment, Segment(10, 30, (0,), 0.3)], None, np.full(2, np.nan), 15)
    assert not short.is_doubtful and long.is_doubtful


def test_one_goes_from_doubt_to_doubt() -> None:
    qualities = [SegmentQuality(Segment(a, a + 10, (0,)), None, c, False) for a, c in ((0, 0.1), (10, 0.9), (20, 0.2))]

    def start(frame: int, direction: int) -> int | None:
        found = next_doubtful(qualities, frame, direction)
        return None if found is None else found.segment.start_frame

    assert [start(f, 1) for f in (-1, 0, 5, 20)] == [0, 20, 20, None]
    assert [start(f, -1) for f in (30, 20, 5, 0)] == [20, 0, 0, None]


def test_without_stems_or_segments_nothing_fails() -> None:
    assert segment_qualities((), None, np.zeros(0)) == () and len(edges_of(())) == 0
    empty = Unexplained(10, np.zeros(0), np.zeros(0))
    assert empty.limit == LEAST_LIMIT and empty.total == 0.0
    assert len(segment_qualities([Segment(0, 10, ())], empty, np.array([np.nan]))) == 1
