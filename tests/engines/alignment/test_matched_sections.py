"""Of takes that overlap in the score those count that together explain most, in rising order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoresep.engines.alignment.coarse_alignment import MatchedSection, best_monotonic_sections


def take(first_frame: int, first_cell: int, length: int, evidence: float = 0.02) -> MatchedSection:
    steps = np.arange(length)
    return MatchedSection(first_frame + steps, first_cell + steps, np.full(length, evidence))


def places(takes: list[MatchedSection]) -> list[tuple[int, int]]:
    return [(int(f), int(c)) for t in takes for f, c in zip(t.frames, t.cells, strict=True)]


def test_runs_that_rise_are_all_kept() -> None:
    takes = [take(0, 0, 50), take(60, 50, 20), take(90, 100, 30)]
    kept, others = best_monotonic_sections(takes)
    assert places(kept) == places(takes)
    assert others == []


def test_the_later_of_two_takes_counts() -> None:
    kept, others = best_monotonic_sections([take(0, 0, 100), take(100, 60, 140)])
    assert [(t.cells[0], t.cells[-1]) for t in kept] == [(0, 59), (60, 199)]
    assert [(t.frames[0], t.frames[-1]) for t in others] == [(60, 99)]


def test_a_false_start_before_the_whole_piece_is_dropped() -> None:
    kept, others = best_monotonic_sections([take(0, 0, 40), take(50, 0, 200)])
    assert [(t.cells[0], t.cells[-1]) for t in kept] == [(0, 199)]
    assert [(t.frames[0], t.frames[-1]) for t in others] == [(0, 39)]


def test_what_fits_by_chance_further_on_does_not_displace_the_piece() -> None:
    kept, _ = best_monotonic_sections([take(0, 500, 40, 0.005), take(60, 0, 300), take(380, 700, 50, 0.005)])
    assert [(t.cells[0], t.cells[-1]) for t in kept] == [(0, 299), (700, 749)]


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 80), st.floats(0.001, 0.1)), min_size=1, max_size=6))
def test_nothing_is_lost_and_what_is_kept_rises(rows: list[tuple[int, int, float]]) -> None:
    takes, frame = [], 0
    for first_cell, length, evidence in rows:
        takes.append(take(frame, first_cell, length, evidence))
        frame += length + 1
    kept, others = best_monotonic_sections(takes)
    assert sorted(places(kept) + places(others)) == sorted(places(takes))
    frames, cells = zip(*places(kept), strict=True)
    assert (np.diff(frames) > 0).all()
    assert (np.diff(cells) > 0).all()
