"""Attacks near a place are found where they are, and nothing is found where nothing begins."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoresep.model.peaks import find_attack

RATE = 22050


def tone(frames: int, frequency: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(frames) / RATE).astype(np.float32)


@given(st.integers(3000, 6000), st.integers(-900, 900), st.sampled_from([110.0, 220.0, 660.0, 1500.0]))
def test_the_start_of_a_tone_is_found(start: int, away: int, frequency: float) -> None:
    samples = 0.05 * tone(10_000, 300.0)[None]
    samples[0, start:] += 0.5 * tone(10_000 - start, frequency)
    found = find_attack(samples, RATE, start + away, 1000)
    assert found is not None and abs(found - start) <= 0.006 * RATE


@given(st.sampled_from([110.0, 220.0, 660.0]), st.integers(1500, 8000))
def test_nothing_is_found_inside_a_steady_tone_or_in_silence(frequency: float, place: int) -> None:
    assert find_attack(tone(10_000, frequency)[None], RATE, place, 1000) is None
    assert find_attack(np.zeros((2, 10_000), np.float32), RATE, place, 1000) is None


def test_too_little_sound_is_no_attack() -> None:
    assert find_attack(np.ones((1, 100), np.float32), RATE, 50, 50) is None
    assert find_attack(np.ones((1, 0), np.float32), RATE, 0, 50) is None
