"""Work side by side: as if it were done one after the other."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.engines import side_by_side as module
from scoresep.engines.side_by_side import product, side_by_side


@pytest.fixture(params=[1, 2, 4], autouse=True)
def processors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(module, "_processors", lambda: request.param)
    return int(request.param)


def test_answers_come_in_the_order_of_the_items() -> None:
    assert list(side_by_side(lambda n: n * n, range(100))) == [n * n for n in range(100)]
    assert list(side_by_side(lambda n: n, [])) == []


def test_few_items_are_taken_ahead(processors: int) -> None:
    taken, most = 0, 0

    def items() -> object:
        nonlocal taken
        for n in range(50):
            taken += 1
            yield n

    for done, _ in enumerate(side_by_side(lambda n: n, items()), 1):  # type: ignore[arg-type]
        most = max(most, taken - done)
    assert most <= processors


def test_items_are_taken_in_the_calling_thread() -> None:
    seen = list(side_by_side(lambda name: name, (threading.current_thread().name for _ in range(5))))
    assert set(seen) == {threading.current_thread().name}


def test_an_error_comes_out_and_what_has_not_begun_is_not_done() -> None:
    done: list[int] = []

    def work(n: int) -> None:
        done.append(n)
        if n == 3:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(side_by_side(work, range(1000)))
    assert len(done) < 20


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 400), st.integers(1, 300), st.integers(1, 300))
def test_a_product_is_a_product(rows: int, inner: int, columns: int) -> None:
    rng = np.random.default_rng(rows)
    wide = rng.normal(size=(rows, inner + 3)).astype(np.float32)
    matrix = rng.normal(size=(inner, columns)).astype(np.float32)
    np.testing.assert_allclose(product(wide[:, :inner], matrix), wide[:, :inner] @ matrix, rtol=1e-3, atol=1e-3)
