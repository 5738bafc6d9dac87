"""Spectra and tuning, on tones whose pitch and level are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.engines.features import BLOCK_S, ONSET_SCALE, TONAL_SCALE, estimate_tuning_cents, levels_db, pitch_spectra
from scoresep.model.audio import ArraySource


def tone(midi: float, rate: int, seconds: float = 2.0, amplitude: float = 0.5) -> np.ndarray:
    hz = 440 * 2 ** ((midi - 69) / 12)
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(st.integers(45, 100), st.sampled_from([16000, 22050, 44100, 48000, 96000]))
def test_a_sine_lies_in_its_semitone_with_its_power(midi: int, rate: int) -> None:
    (spectrum,) = pitch_spectra(ArraySource(tone(midi, rate)[None], rate), (TONAL_SCALE,), 0.0)
    middle = spectrum[len(spectrum) // 2]
    assert int(middle.argmax()) + TONAL_SCALE.lowest_midi == midi
    assert 0.1 < middle.max() / 0.25 < 1.3


@pytest.mark.parametrize("cents", [-45.0, -20.0, 0.0, 15.0, 40.0])
def test_tuning_is_found(cents: float) -> None:
    rate = 22050
    samples = np.concatenate([tone(m + cents / 100, rate, 0.5) for m in (60, 64, 67, 72, 65, 57)])
    assert abs(estimate_tuning_cents(ArraySource(samples[None], rate)) - cents) < 3


def test_blocks_leave_no_seam() -> None:
    rate = 16000
    samples = np.random.default_rng(0).normal(0, 0.1, (1, round((BLOCK_S + 3) * rate))).astype(np.float32)
    whole = pitch_spectra(ArraySource(samples, rate), (ONSET_SCALE,), 0.0)[0]
    cut = round((BLOCK_S - 2) * rate)
    later = pitch_spectra(ArraySource(samples[:, cut:], rate), (ONSET_SCALE,), 0.0)[0]
    first = round((BLOCK_S - 2) * ONSET_SCALE.frame_rate_hz)
    np.testing.assert_allclose(later[50:400], whole[first + 50 : first + 400], rtol=1e-3, atol=1e-9)


def test_an_onset_stands_at_its_frame() -> None:
    rate = 44100
    samples = np.concatenate([np.zeros(rate, np.float32), tone(81, rate, 1.0)])
    (spectrum,) = pitch_spectra(ArraySource(samples[None], rate), (ONSET_SCALE,), 0.0)
    level = spectrum[:, 81 - ONSET_SCALE.lowest_midi]
    half = int(np.flatnonzero(level > level[150] / 4)[0])
    assert abs(half / ONSET_SCALE.frame_rate_hz - 1.0) <= 0.01


def test_silence_is_silent() -> None:
    (spectrum,) = pitch_spectra(ArraySource(np.zeros((2, 8000), np.float32), 16000), (TONAL_SCALE,), 0.0)
    assert not spectrum.any()
    assert (levels_db(spectrum) == -100).all()
    assert estimate_tuning_cents(ArraySource(np.zeros((1, 16000), np.float32), 16000)) == 0.0
