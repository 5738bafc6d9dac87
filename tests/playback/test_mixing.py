"""The sum of the stems, against numpy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoresep.model.audio import ArraySource
from scoresep.model.project import ChannelStrip, Mixer
from scoresep.playback.mixing import (
    ResampledMaterial,
    Track,
    balance,
    fold_matrix,
    gain_factor,
    is_minus_one,
    make_mix,
    set_strip,
    stereo_gains,
    toggle_minus_one,
)

RATE = 8000
KEYS = (0, 1, 2, "residual")


def stems(channels: int = 2, frames: int = 3000, count: int = 4) -> np.ndarray:
    return np.random.default_rng(5).normal(0, 0.1, (count, channels, frames)).astype(np.float32)


def tracks_of(samples: np.ndarray) -> tuple[Track, ...]:
    return tuple(Track(k, ArraySource(s, RATE)) for k, s in zip(KEYS, samples, strict=True))


@pytest.mark.parametrize("channels", [1, 2])
def test_at_rest_the_sum_is_the_sum_of_the_stems(channels: int) -> None:
    samples = stems(channels)
    rendered, _ = make_mix(Mixer(), tracks_of(samples), 3000, RATE).render(100, 2900)
    expected = np.broadcast_to(samples.sum(axis=0)[:, 100:2900], (2, 2800))
    np.testing.assert_allclose(rendered, expected, atol=1e-6)


def test_gain_pan_and_master() -> None:
    samples = stems()
    strips = (ChannelStrip(gain_db=-6.0, pan=0.5), ChannelStrip(gain_db=-60.0), ChannelStrip(pan=-1.0))
    mixer = Mixer(strips, ChannelStrip(gain_db=3.0), master_gain_db=-3.0)
    rendered, levels = make_mix(mixer, tracks_of(samples), 3000, RATE).render(0, 3000)
    db = 10.0 ** (np.array([-6.0, 3.0, -3.0]) / 20)
    expected = db[2] * (
        db[0] * samples[0] * np.array([[0.5], [1.0]]) + samples[2] * np.array([[1.0], [0.0]]) + db[1] * samples[3]
    )
    np.testing.assert_allclose(rendered, expected, atol=1e-6)
    np.testing.assert_allclose(levels.peak[-1], np.abs(expected).max(axis=1), rtol=1e-5)
    np.testing.assert_allclose(levels.mean_square[3], np.mean((db[1] * db[2] * samples[3]) ** 2, axis=1), rtol=1e-4)
    assert not levels.peak[1].any()


def test_outside_the_material_is_silence() -> None:
    mix = make_mix(Mixer(), tracks_of(stems()), 3000, RATE)
    rendered, _ = mix.render(-50, 3050)
    assert not rendered[:, :50].any() and not rendered[:, -50:].any() and rendered[:, 50:-50].all()
    assert not mix.render(4000, 4100)[0].any()


strips_any = st.builds(
    ChannelStrip, st.floats(-70, 12), st.floats(-1, 1), is_muted=st.booleans(), is_soloed=st.booleans()
)


@given(st.tuples(strips_any, strips_any, strips_any), strips_any)
def test_who_is_heard(strips: tuple[ChannelStrip, ...], residual: ChannelStrip) -> None:
    gains = stereo_gains(Mixer(strips, residual), KEYS)
    everyone = (*strips, residual)
    has_solo = any(s.is_soloed and not s.is_muted for s in everyone)
    for strip, gain in zip(everyone, gains, strict=True):
        is_heard = not strip.is_muted and (strip.is_soloed or not has_solo) and strip.gain_db > -60
        assert bool(gain.any()) == is_heard


@given(st.tuples(strips_any, strips_any, strips_any), strips_any, st.sampled_from(KEYS))
def test_minus_one_lets_all_others_be_heard_and_comes_back(
    strips: tuple[ChannelStrip, ...], residual: ChannelStrip, key: int | str
) -> None:
    mixer = toggle_minus_one(set_strip(Mixer(strips, residual), key, ChannelStrip()), key, KEYS)
    assert is_minus_one(mixer, key, KEYS)
    back = toggle_minus_one(mixer, key, KEYS)
    assert not any(s.is_muted or s.is_soloed for s in (*back.strips, back.residual))
    assert [s.gain_db for s in back.strips] == [s.gain_db for s in mixer.strips]


def test_scales() -> None:
    assert gain_factor(0.0) == 1.0 and gain_factor(-60.0) == 0.0
    assert gain_factor(-6.0206) == pytest.approx(0.5, abs=1e-5)
    assert balance(0.0) == (1.0, 1.0) and balance(-1.0) == (1.0, 0.0) and balance(0.25) == (0.75, 1.0)


@pytest.mark.parametrize("channels", range(1, 9))
def test_every_channel_but_the_low_frequencies_reaches_the_ears_and_nothing_clips(channels: int) -> None:
    matrix = fold_matrix(channels)
    heard = matrix.sum(axis=0) > 0
    assert list(np.flatnonzero(~heard)) == ([3] if channels >= 6 else [])
    assert matrix.sum(axis=1).max() <= 1.0 + 1e-6
    np.testing.assert_allclose(matrix.sum(axis=1)[0], matrix.sum(axis=1)[1], atol=0.35)


@pytest.mark.parametrize("rate", [48000, 22050, 96000])
def test_resampled_blocks_join_to_what_one_read_gives(rate: int) -> None:
    time_s = np.arange(44100) / 44100
    wave = np.sin(2 * np.pi * 440 * time_s)[None].astype(np.float32)
    mix = make_mix(Mixer(), (Track("recording", ArraySource(wave, 44100)),), 44100, 44100)
    material = ResampledMaterial(mix, rate)
    assert material.frames == rate
    edges = [0, 1000, 1001, 5000, 9000]
    joined = np.concatenate([material.render(a, b)[0] for a, b in pairwise(edges)], axis=1)
    np.testing.assert_allclose(joined, material.render(0, 9000)[0], atol=2e-4)
    expected = np.sin(2 * np.pi * 440 * np.arange(9000) / rate)
    np.testing.assert_allclose(joined[0, 1000:], expected[1000:], atol=2e-3)
