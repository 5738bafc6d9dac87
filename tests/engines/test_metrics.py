from __future__ import annotations

import fast_bss_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stem_metrics import FLOOR_DB, sdr_db, si_sdr_db, sum_error_db


@pytest.mark.parametrize("noise", [0.01, 0.3, 2.0])
def test_si_sdr_agrees_with_an_independent_implementation(rng: np.random.Generator, noise: float) -> None:
    target = rng.normal(size=4000)
    estimate = 0.5 * target + noise * rng.normal(size=4000)

    expected = fast_bss_eval.si_sdr(target[None], estimate[None], zero_mean=False)
    assert si_sdr_db(estimate, target) == pytest.approx(float(np.squeeze(expected)), abs=1e-6)


def test_all_channels_count_as_one_signal(rng: np.random.Generator) -> None:
    target, estimate = rng.normal(size=(2, 2, 1000))

    assert si_sdr_db(estimate, target) == pytest.approx(si_sdr_db(estimate.ravel(), target.ravel()))


@given(st.floats(0.01, 100.0), st.integers(0, 100))
def test_si_sdr_does_not_ask_how_loud_an_estimate_is(scale: float, seed: int) -> None:
    target, error = np.random.default_rng(seed).normal(size=(2, 300))

    assert si_sdr_db(scale * (target + error), target) == pytest.approx(si_sdr_db(target + error, target), abs=1e-6)


def test_sdr_does_ask(rng: np.random.Generator) -> None:
    target = rng.normal(size=300)

    assert sdr_db(0.5 * target, target) == pytest.approx(20 * np.log10(2.0))


def test_edges_have_values() -> None:
    tone = np.sin(np.arange(100.0))

    assert si_sdr_db(np.zeros(100), tone) == FLOOR_DB
    assert sdr_db(tone, tone) == np.inf
    with pytest.raises(ValueError, match="silent"):
        si_sdr_db(tone, np.zeros(100))
    with pytest.raises(ValueError, match="shape"):
        si_sdr_db(tone, tone[1:])


def test_what_the_stems_miss_is_said_in_db(rng: np.random.Generator) -> None:
    recording = rng.normal(size=(2, 1000))
    stems = np.stack([0.25 * recording, 0.75 * recording])

    assert sum_error_db(stems, recording) < -190
    assert sum_error_db(1.1 * stems, recording) == pytest.approx(-20.0, abs=1e-6)
