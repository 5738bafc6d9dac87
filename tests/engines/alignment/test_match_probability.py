"""Score and recording belong together the more surely, the better they fit and the more is heard."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoresep.engines.alignment.align import match_probability

FIT, LEAD, LENGTH_S = st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.0, 7200.0)


@given(FIT, LEAD, LENGTH_S, FIT, LEAD, LENGTH_S)
def test_more_of_anything_makes_surer(
    fit: float, lead: float, length_s: float, other_fit: float, other_lead: float, other_s: float
) -> None:
    less = match_probability(min(fit, other_fit), min(lead, other_lead), min(length_s, other_s))
    more = match_probability(max(fit, other_fit), max(lead, other_lead), max(length_s, other_s))
    assert 0 <= less <= more <= 1


def test_a_good_fit_of_a_few_seconds_is_enough_and_a_chance_fit_is_not() -> None:
    assert match_probability(0.22, 0.15, 4.0) > 0.8
    assert match_probability(0.06, 0.01, 4.0) < 0.1
    assert match_probability(0.1, 0.02, 300.0) < 0.5
    assert np.isclose(match_probability(0.2, 0.1, 300.0), match_probability(0.2, 0.1, 3000.0))
