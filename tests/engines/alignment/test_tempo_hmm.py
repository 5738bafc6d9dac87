"""The best moments of events, against brute force and by laws."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.engines.alignment.tempo_hmm import Candidates, TempoModel, decode_onsets, expected_iois_s

STEP_S = 0.01


def test_without_evidence_the_tempo_around_is_kept() -> None:
    evidence = np.zeros((6, 41), np.float32)
    evidence[0, 20] = 50
    first = np.arange(6) * 50
    choice, present = decode_onsets(Candidates(first, evidence, STEP_S), np.full(5, 0.5), TempoModel())
    assert present == slice(0, 6)
    assert (choice == 20).all()


def test_strong_evidence_wins_even_against_the_tempo() -> None:
    rng = np.random.default_rng(3)
    want = rng.integers(0, 41, 8)
    evidence = np.zeros((8, 41), np.float32)
    evidence[np.arange(8), want] = 200
    choice, _ = decode_onsets(Candidates(np.arange(8) * 60, evidence, STEP_S), np.full(7, 0.6), TempoModel())
    assert (choice == want).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(5, 40))
def test_moments_always_rise(seed: int, events: int, gap_steps: int) -> None:
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0, 3, (events, 61)).astype(np.float32)
    first = np.cumsum(rng.integers(1, 2 * gap_steps, events))
    gaps_s = np.full(events - 1, gap_steps * STEP_S)
    kept = slice(0, events)
    choice, present = decode_onsets(Candidates(first, evidence, STEP_S), gaps_s, TempoModel(), kept)
    assert present == kept
    assert (np.diff(first + choice) > 0).all()


def test_events_that_nothing_speaks_for_are_left_out_at_the_end() -> None:
    evidence = np.full((10, 41), -5, np.float32)
    evidence[:6, 20] = 6
    among = Candidates(np.arange(10) * 50, evidence, STEP_S)
    _, present = decode_onsets(among, np.full(9, 0.5), TempoModel(), slice(2, 4))
    assert present == slice(0, 6)
    _, kept = decode_onsets(among, np.full(9, 0.5), TempoModel(), slice(2, 8))
    assert kept.start == 0
    assert kept.stop >= 8


def test_gaps_follow_a_steady_tempo_exactly() -> None:
    nominal_s = np.cumsum(np.random.default_rng(0).uniform(0.2, 1.0, 40))
    np.testing.assert_allclose(expected_iois_s(3 + 1.4 * nominal_s, nominal_s), 1.4 * np.diff(nominal_s), rtol=0.02)
