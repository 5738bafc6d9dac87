"""The filter is the one its lines describe, and stable whatever the network says."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from scoresep.engines.separation.neural_source_filter.network import all_pole_log_gain, line_frequencies, warped


@given(values=st.lists(st.floats(-30, 30), min_size=17, max_size=17))
def test_lines_ascend_between_zero_and_pi(values: list[float]) -> None:
    lines = line_frequencies(torch.tensor(values))
    assert lines[0] > 0 and lines[-1] < np.pi
    assert (lines.diff() > 0).all()


def polynomial_of(lines: np.ndarray) -> np.ndarray:
    """Return the filter's denominator from its lines: the mean of the symmetric and the antisymmetric polynomial."""
    sums = []
    for some, last in ((lines[0::2], [1.0, 1.0]), (lines[1::2], [1.0, -1.0])):
        product = np.array(last)
        for line in some:
            product = np.convolve(product, [1.0, -2.0 * np.cos(line), 1.0])
        sums.append(product)
    return (0.5 * (sums[0] + sums[1]))[:-1]


@given(values=st.lists(st.floats(-2, 2), min_size=9, max_size=9))
def test_gain_is_that_of_a_stable_polynomial(values: list[float]) -> None:
    lines = line_frequencies(torch.tensor(values, dtype=torch.float64))
    polynomial = polynomial_of(lines.numpy())
    assert np.abs(np.roots(polynomial)).max() < 1.0
    angle = np.linspace(0.05, 3.1, 40)
    expected = -np.log(np.abs(np.exp(-1j * np.outer(angle, np.arange(len(polynomial)))) @ polynomial))
    # the denominator is half the sum of two polynomials; the closed form is that of the whole sum, up to 2 ** order
    found = all_pole_log_gain(lines[None], torch.from_numpy(angle)[None])[0].numpy()
    apart = found - expected
    np.testing.assert_allclose(apart, apart[0], atol=1e-4)


def test_the_warped_axis_keeps_its_ends_and_order() -> None:
    angle = warped(torch.linspace(0, 9000, 200))
    assert angle[0] == 0
    assert (angle.diff() >= -1e-6).all()
    assert torch.allclose(angle[-1], torch.tensor(torch.pi))
