"""The transform: a tone lies at its pitch and is as loud as it is, an attack is where it is, slabs leave no seam."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scoresep.engines.spectrogram import SlabTransform
from scoresep.model.audio import ArraySource
from scoresep.model.spectrogram import BANDS, SLAB_COLUMNS, SpectrogramShape, bin_to_midi, level_to_db, midi_to_bin

RATE = 16000
SHAPE = SpectrogramShape(4 * RATE, RATE)
TRANSFORM = SlabTransform(RATE, SHAPE.column_frames)


def hz(midi: float) -> float:
    return float(440.0 * 2.0 ** ((midi - 69) / 12))


def tone(midi: float, amplitude: float = 0.5, seconds: float = 4.0, channels: int = 1) -> ArraySource:
    t = np.arange(round(seconds * RATE)) / RATE
    wave = amplitude * np.sin(2 * np.pi * hz(midi) * t + 0.3)
    return ArraySource(np.tile(wave, (channels, 1)).astype(np.float32), RATE)


def levels_at(source: ArraySource, second: float, start_frame: int = 0) -> NDArray[np.float64]:
    """Return the decibels of all bins at a moment."""
    columns = []
    for band, levels in zip(BANDS, TRANSFORM.levels_at(source, start_frame), strict=True):
        at = int((second * RATE - start_frame) // (SHAPE.column_frames * band.stride))
        columns.append(level_to_db(levels[at].astype(np.float64)))
    return np.concatenate(columns)


@settings(max_examples=25, deadline=None)
@given(st.floats(28.0, 112.0))
def test_a_sine_lies_at_its_pitch(midi: float) -> None:
    decibels = levels_at(tone(midi), 1.5)
    loudest = int(np.argmax(decibels))
    assert abs(loudest - midi_to_bin(midi)) < 1.0
    # half a bin away a filter has lost 3 dB at most
    assert -3.5 <= decibels[loudest] - 20 * np.log10(0.5) <= 0.6
    away = np.abs(bin_to_midi(np.arange(len(decibels))) - midi) > 4 + 60 / (midi - 20)
    assert decibels[away].max() < decibels[loudest] - 50


@pytest.mark.parametrize("amplitude", [1.0, 0.1, 0.003, 0.0001])
@pytest.mark.parametrize("midi", [33, 57, 81, 105])
def test_twenty_decibels_are_a_tenth_of_the_amplitude(midi: int, amplitude: float) -> None:
    decibels = levels_at(tone(midi, amplitude), 1.5)
    assert decibels[int(midi_to_bin(midi))] == pytest.approx(20 * np.log10(amplitude), abs=0.4)


def test_two_tones_a_semitone_apart_are_two() -> None:
    both = ArraySource(tone(69).read(0, 4 * RATE) + tone(70).read(0, 4 * RATE), RATE)
    first, last = (int(midi_to_bin(m)) for m in (69, 70))
    decibels = np.max([levels_at(both, t)[first : last + 1] for t in (1.0, 1.1, 1.2)], axis=0)
    assert decibels[1:-1].min() < min(decibels[0], decibels[-1]) - 6


def test_channels_count_as_power_and_nothing_cancels() -> None:
    one = tone(69).read(0, 4 * RATE)
    opposed = ArraySource(np.concatenate([one, -one]), RATE)
    assert np.array_equal(levels_at(opposed, 1.5), levels_at(tone(69), 1.5))
    half = ArraySource(np.concatenate([one, 0 * one]), RATE)
    at = int(midi_to_bin(69))
    assert levels_at(half, 1.5)[at] == pytest.approx(levels_at(tone(69), 1.5)[at] - 3, abs=0.6)


def music(seconds: float = 12.0) -> ArraySource:
    """Chords with attacks, and noise."""
    rng, frames = np.random.default_rng(3), round(seconds * RATE)
    samples = 0.001 * rng.standard_normal((2, frames))
    t = np.arange(frames) / RATE
    for onset_s, midi in zip(np.arange(0.1, seconds, 0.37), rng.integers(30, 100, 99), strict=False):
        gate = np.where(t >= onset_s, np.exp(-3 * np.maximum(t - onset_s, 0)), 0)
        samples += 0.1 * gate * np.sin(2 * np.pi * hz(float(midi)) * t)
    return ArraySource(samples.astype(np.float32), RATE)


@pytest.mark.parametrize("shift_columns", [4, 256, 700])
def test_it_makes_no_difference_where_a_slab_begins(shift_columns: int) -> None:
    source, shift = music(), shift_columns * SHAPE.column_frames
    start = 2 * SHAPE.slab_frames
    for band, one, other in zip(
        BANDS, TRANSFORM.levels_at(source, start), TRANSFORM.levels_at(source, start + shift), strict=True
    ):
        entries = (SLAB_COLUMNS - shift_columns) // band.stride
        ours, theirs = (x.astype(np.int64) for x in (one[-entries:], other[:entries]))
        is_loud = np.maximum(ours, theirs) > 82  # above -80 dB
        assert is_loud.any() and np.abs(ours - theirs)[is_loud].max() <= 2, "one decibel"


def test_slabs_join_without_a_seam() -> None:
    source, edge, row = tone(52, seconds=9), SHAPE.slab_frames, int(midi_to_bin(52))
    before, after = levels_at(source, (edge - 1) / RATE, 0)[row], levels_at(source, edge / RATE, edge)[row]
    assert before == pytest.approx(after, abs=0.5)


def test_an_attack_lies_in_its_column() -> None:
    samples, at = np.zeros((1, 4 * RATE), np.float32), 20_000
    samples[0, at : at + 8] = 0.8
    high = TRANSFORM.levels_at(ArraySource(samples, RATE), 0)[2]
    loudest = np.argmax(high[:, 60:].astype(np.int64).sum(axis=1))
    assert abs(loudest - at // SHAPE.column_frames) <= 1
    before = high[at // SHAPE.column_frames - 8, 60:].max()
    assert before == 0 or level_to_db(float(before)) < level_to_db(float(high[loudest, 60:].max())) - 40


def test_silence_and_nonsense_are_silent() -> None:
    samples = np.zeros((1, RATE), np.float32)
    assert not any(levels.any() for levels in TRANSFORM.levels_at(ArraySource(samples, RATE), 0))
    samples[0, 100] = np.nan
    assert not any(levels.any() for levels in TRANSFORM.levels_at(ArraySource(samples, RATE), 0))


@pytest.mark.parametrize("rate", [4000, 11025, 12000, 22050, 24000, 32000, 44100, 65800, 192000])
def test_every_rate_shows_the_same_tone(rate: int) -> None:
    shape = SpectrogramShape(rate, rate)
    t = np.arange(rate) / rate
    source = ArraySource((0.5 * np.sin(2 * np.pi * 440 * t))[None].astype(np.float32), rate)
    middle = SlabTransform(rate, shape.column_frames).levels_at(source, 0)[1]
    column = middle[rate // 2 // (2 * shape.column_frames)].astype(np.float64)
    row = int(midi_to_bin(69)) - BANDS[1].first_bin
    assert np.argmax(column) == row and level_to_db(column[row]) == pytest.approx(20 * np.log10(0.5), abs=0.4)


def test_pitches_beyond_the_sample_rate_are_silent() -> None:
    rng = np.random.default_rng(0)
    transform = SlabTransform(8000, SpectrogramShape(1, 8000).column_frames)
    noise = ArraySource(rng.standard_normal((1, 16000)).astype(np.float32), 8000)
    high = transform.levels_at(noise, 0)[2]
    is_beyond = np.array([hz(float(m)) > 4000 for m in bin_to_midi(np.arange(198, 321))])
    assert not high[:, is_beyond].any() and high[:, ~is_beyond].any()
