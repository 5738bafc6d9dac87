"""Colours of parts: all different, and legible on light and dark."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoresep.model.colors import OKABE_ITO, contrast, default_part_colors, make_legible, mix_colors

COLORS = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")


def test_forty_parts_have_forty_colours_and_eight_the_named_ones() -> None:
    assert default_part_colors(8) == OKABE_ITO
    assert len(set(default_part_colors(40))) == 40
    assert default_part_colors(12)[:8] == OKABE_ITO
    assert default_part_colors(0) == ()


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # a well-known pair that just fails 4.5


@given(COLORS, COLORS)
def test_contrast_does_not_depend_on_the_order(one: str, other: str) -> None:
    assert contrast(one, other) == contrast(other, one) >= 1.0


@given(COLORS, COLORS)
def test_a_legible_colour_has_its_contrast(color: str, ground: str) -> None:
    assert contrast(make_legible(color, ground, 3.0), ground) >= 3.0


def test_what_is_legible_stays() -> None:
    for color, ground in itertools.product(OKABE_ITO, ("#ffffff", "#1b1d21")):
        if contrast(color, ground) >= 3.0:
            assert make_legible(color, ground, 3.0) == color


def test_mixing() -> None:
    assert mix_colors("#000000", "#ffffff", 0.5) == "#808080"
    assert mix_colors("#123456", "#ffffff", 0.0) == "#123456"
