"""Matching a performance with its score: the longest common order against brute force, and notes left out or added."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.session import importing as note_matching
from scoresep.session.importing import common_subsequence, match_by_beat, match_notes

symbols = st.lists(st.integers(0, 3), max_size=9)


def brute_force(first: list[int], second: list[int]) -> int:
    def is_in(wanted: tuple[int, ...]) -> bool:
        rest = iter(second)
        return all(symbol in rest for symbol in wanted)

    lengths = range(len(first), 0, -1)
    return next((n for n in lengths if any(is_in(c) for c in combinations(first, n))), 0)


@settings(deadline=None)
@given(symbols, symbols, st.booleans())
def test_the_common_subsequence_is_common_and_longest(first: list[int], second: list[int], is_divided: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if is_divided:
            patch.setattr(note_matching, "WHOLE_TABLE", 1)
        pairs = common_subsequence(np.array(first, np.int64), np.array(second, np.int64))
    assert [first[i] for i in pairs[:, 0]] == [second[j] for j in pairs[:, 1]]
    assert np.all(np.diff(pairs, axis=0) > 0) and len(pairs) == brute_force(first, second)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_notes_are_met_though_some_are_left_out_added_or_not_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    quarter = np.repeat(np.arange(60.0), 3)
    pitch = (rng.integers(0, 12, (60, 1)) + np.array([48, 60, 72])).ravel()
    true_s = np.repeat(np.cumsum(rng.uniform(0.3, 0.7, 60)), 3) + rng.uniform(-0.04, 0.04, 180)
    is_played = rng.uniform(size=180) > 0.08
    wrong_s, wrong_pitch = rng.uniform(0, true_s.max(), 8), rng.integers(30, 40, 8)
    performed_s = np.concatenate([true_s[is_played], wrong_s])
    performed_pitch = np.concatenate([pitch[is_played], wrong_pitch])
    order = rng.permutation(len(performed_s))
    match = match_notes(quarter, pitch, performed_s[order], performed_pitch[order])
    found = np.flatnonzero(match >= 0)
    assert len(np.unique(match[found])) == len(found) and np.all(performed_pitch[order][match[found]] == pitch[found])
    error_s = np.abs(performed_s[order][match[found]] - true_s[found])
    right = (error_s < 1e-9).sum()
    assert right >= 0.88 * is_played.sum() and right >= 0.93 * len(found)  # 0.997 and 0.999 on the average


def test_a_passage_that_was_skipped_is_met_by_nothing() -> None:
    rng = np.random.default_rng(1)
    quarter, pitch = np.arange(80.0), rng.integers(50, 80, 80)
    is_played = (quarter < 30) | (quarter >= 50)
    performed_s = np.arange(60) * 0.5
    match = match_notes(quarter, pitch, performed_s, pitch[is_played])
    assert (match[is_played] == np.arange(60)).mean() > 0.95
    assert (match[~is_played] >= 0).sum() <= 3


def test_beats_tell_apart_what_sounds_the_same() -> None:
    quarter, pitch = np.arange(40.0), np.tile([60, 62, 64, 65], 10)  # ten bars that sound the same
    is_played = (quarter < 8) | (quarter >= 12)
    sounds, count = pitch[is_played], int(is_played.sum())
    by_time = match_notes(quarter, pitch, np.arange(count) * 0.5, sounds)
    assert not np.array_equal(by_time >= 0, is_played), "by time alone any bar may be the one that is missing"
    beats = quarter[is_played] + 4.0 + np.random.default_rng(0).uniform(-0.1, 0.1, count)
    again = match_by_beat(quarter, pitch, beats, sounds, by_time)
    assert again[is_played].tolist() == list(range(count)) and np.all(again[~is_played] < 0)
    for others in (np.full(count, np.nan), np.arange(count) * 1.1):  # no beats, and those of another tempo
        assert np.array_equal(match_by_beat(quarter, pitch, others, sounds, by_time), by_time)


def test_nothing_in_common() -> None:
    match = match_notes(np.arange(5.0), np.arange(5), np.arange(4.0), np.arange(4) + 50)
    assert match.tolist() == [-1] * 5
