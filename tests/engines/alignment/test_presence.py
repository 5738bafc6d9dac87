"""Notes that are left out, against counting all possibilities."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np

from scoresep.engines.alignment.confidence import ABSENCE, absent_notes


def test_agrees_with_summing_over_all_ways_to_play() -> None:
    log_ratio = np.array([-2.0, 1.5, 2.0, -1.0, 0.5, 3.0])
    leaves, comes_back = ABSENCE.leaves, ABSENCE.comes_back
    step = np.array([[1 - leaves, leaves], [comes_back, 1 - comes_back]])
    start = np.array([1 - leaves / comes_back, leaves / comes_back])
    weight, absent = 0.0, np.zeros(6)
    for states in product((0, 1), repeat=6):
        p = start[states[0]] * np.prod([step[a, b] for a, b in pairwise(states)])
        p *= np.exp(sum(r for r, s in zip(log_ratio, states, strict=True) if s))
        weight += p
        absent += p * np.array(states)
    found = absent_notes(np.zeros(6, np.int32), np.arange(6), log_ratio)
    np.testing.assert_allclose(found, absent / weight, rtol=1e-9)


def test_one_doubtful_note_is_played_and_a_row_is_not() -> None:
    alone, row = np.full(20, -4.0), np.full(20, -4.0)
    alone[9] = 3.0
    row[6:14] = 3.0
    part = np.zeros(20, np.int32)
    assert absent_notes(part, np.arange(20), alone).max() < 0.5
    assert ((absent_notes(part, np.arange(20), row) > 0.5) == (row > 0)).all()


def test_parts_do_not_know_of_each_other_and_nothing_known_is_played() -> None:
    part = np.repeat(np.array([0, 1], np.int32), 10)
    ratio = np.concatenate([np.full(10, 3.0), np.full(10, np.nan)])
    found = absent_notes(part, np.tile(np.arange(10), 2), ratio)
    assert (found[:10] > 0.5).all()
    assert (found[10:] < 0.5).all()
