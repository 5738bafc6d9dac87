"""Spectra and tuning, on tones whose pitch and level are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.engines.features import (
    BLOCK_S,
    ONSET_SCALE,
    RATE_HZ,
    TONAL_SCALE,
    PitchScale,
    estimate_tuning_cents,
    levels_db,
    pitch_spectra,
)
from scoresep.errors import Cancelled
from scoresep.model.audio import ArraySource
from scoresep.progress import Progress


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


def test_spectra_stream() -> None:
    class Read(ArraySource):
        longest = 0

        def read(self, start_frame: int, stop_frame: int) -> np.ndarray:
            self.longest = max(self.longest, stop_frame - start_frame)
            return super().read(start_frame, stop_frame)

    rate = 4000
    source = Read(np.zeros((1, 5 * BLOCK_S * rate), np.float32), rate)
    pitch_spectra(source, (TONAL_SCALE,), 0.0)
    assert source.longest <= 1.2 * BLOCK_S * rate


def test_low_tones_tell_the_same_at_the_higher_rate() -> None:
    rate = 44100
    samples = np.asarray(sum(tone(midi, rate, 1.5, 0.2) for midi in (30, 42, 55, 62, 74, 95)))
    samples[: rate // 2] = 0
    source = ArraySource(np.stack([samples, 0.3 * samples]), rate)
    at_one_rate = PitchScale(50, windows=((0, RATE_HZ, 4096), (60, RATE_HZ, 2048), (80, RATE_HZ, 1024)))
    spectrum, whole = pitch_spectra(source, (TONAL_SCALE, at_one_rate), 0.0)
    assert np.abs(spectrum - whole).max() < 0.02 * whole.max()
    assert np.abs(spectrum - whole).sum() < 0.005 * whole.sum()


def test_a_cancelled_job_ends() -> None:
    progress = Progress(is_cancelled=lambda: True)
    with pytest.raises(Cancelled):
        pitch_spectra(ArraySource(np.zeros((1, 16000), np.float32), 16000), (TONAL_SCALE,), 0.0, progress)


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
