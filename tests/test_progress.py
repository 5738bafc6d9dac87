"""Progress nests, estimates and stops."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoresep.errors import Cancelled
from scoresep.progress import Progress, ProgressState


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20).map(sorted), st.integers(1, 5))
def test_pieces_of_pieces_rise_from_0_to_1(fractions: list[float], count: int) -> None:
    heard: list[ProgressState] = []
    for piece in Progress(heard.append).parts(count):
        for inner in piece.parts(2):
            for fraction in fractions:
                inner.update(fraction)
            inner.update(1.0)
    values = [state.fraction for state in heard]
    assert all(a <= b + 1e-12 for a, b in itertools.pairwise(values))
    assert values[0] >= 0.0
    assert values[-1] == pytest.approx(1.0)


def test_text_stays_until_the_next_one() -> None:
    heard: list[ProgressState] = []
    progress = Progress(heard.append)
    progress.update(0.1, "first")
    progress.part(0.2, 0.4).update(0.5)
    progress.update(0.9, "last")
    assert [(round(s.fraction, 3), s.text) for s in heard] == [(0.1, "first"), (0.3, "first"), (0.9, "last")]


def test_cancelling_reaches_the_innermost_piece() -> None:
    stop = False
    inner = Progress(is_cancelled=lambda: stop).part(0.0, 0.5).part(0.5, 1.0)
    inner.update(0.5)
    stop = True
    with pytest.raises(Cancelled):
        inner.update(0.6)
    with pytest.raises(Cancelled):
        inner.check()
