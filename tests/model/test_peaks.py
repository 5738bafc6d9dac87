"""Peaks: no sample outside them, the same however they were built, and the same picture at every zoom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.model.peaks import (
    BASE_FRAMES,
    HIGH,
    LOW,
    RMS,
    PeakBuilder,
    PeakPyramid,
    envelope_of_line,
    envelope_of_samples,
    level_sizes,
    table_shape,
)


def built(samples: np.ndarray, block_lengths: list[int] | None = None) -> PeakPyramid:
    builder = PeakBuilder(samples.shape[1], samples.shape[0])
    start = 0
    for length in block_lengths or []:
        builder.append(samples[:, start : start + length])
        start += length
    builder.append(samples[:, start:])
    return builder.pyramid


def noise(channels: int, frames: int, seed: int = 0, scale: float = 0.3) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((channels, frames)) * scale).astype(np.float32)


@given(
    frames=st.integers(1, 5000),
    channels=st.integers(1, 3),
    blocks=st.lists(st.integers(0, 700), max_size=12),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_blocks_of_any_length_build_the_same_table(frames: int, channels: int, blocks: list[int], seed: int) -> None:
    samples = noise(channels, frames, seed)
    whole, piecewise = built(samples), built(samples, blocks)
    assert piecewise.is_complete
    np.testing.assert_array_equal(whole.table, piecewise.table)


@given(frames=st.integers(1, 9000), edges=st.tuples(st.integers(0, 300), st.integers(0, 300)), has_before=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_part_that_is_replaced_makes_the_table_of_what_is_there_now(
    frames: int, edges: tuple[int, int], has_before: bool
) -> None:
    before = noise(2, frames) if has_before else np.zeros((2, frames), np.float32)
    builder = PeakBuilder.over(built(before) if has_before else None, frames, 2)
    start, stop = (min(e * BASE_FRAMES, frames) for e in sorted(edges))
    start -= start % BASE_FRAMES
    after = before.copy()
    after[:, start:stop] = noise(2, stop - start, 1)
    builder.replace(start, after[:, start:stop])
    np.testing.assert_array_equal(builder.pyramid.table, built(after).table)
    with pytest.raises(ValueError, match="cannot be replaced"):
        builder.replace(start, np.zeros((2, frames + BASE_FRAMES), np.float32))


@given(frames=st.integers(1, 9000), seed=st.integers(0, 99), scale=st.sampled_from([1e-6, 0.01, 0.9, 40.0, 1e6]))
@settings(max_examples=60, deadline=None)
def test_no_sample_lies_outside_its_peaks(frames: int, seed: int, scale: float) -> None:
    samples = noise(2, frames, seed, scale)
    pyramid = built(samples)
    limit = float(np.finfo(np.float16).max)
    offset = 0
    for level, size in enumerate(level_sizes(frames)):
        width = BASE_FRAMES * 4**level
        for entry in range(size):
            inside = np.clip(samples[:, entry * width : (entry + 1) * width], -limit, limit)
            low, high, rms = (pyramid.table[:, kind, offset + entry].astype(np.float32) for kind in (LOW, HIGH, RMS))
            assert np.all(low <= inside.min(1)) and np.all(high >= inside.max(1))
            assert np.all(rms <= np.maximum(-low, high) * 1.01 + 1e-7)
        offset += size


def test_peaks_are_tight() -> None:
    samples = noise(1, 40_000)
    pyramid = built(samples)
    low = pyramid.table[0, LOW, : 40_000 // 32].astype(np.float32)
    np.testing.assert_allclose(low, samples[0].reshape(-1, 32).min(1), rtol=2e-3, atol=1e-6)
    assert pyramid.peak == pytest.approx(float(np.abs(samples).max()), rel=2e-3)


@given(
    start=st.floats(-3000, 40_000),
    per_column=st.floats(0.05, 9000),
    columns=st.integers(1, 200),
    seed=st.integers(0, 9),
)
@settings(max_examples=80, deadline=None)
def test_an_envelope_holds_the_samples_of_every_column(
    start: float, per_column: float, columns: int, seed: int
) -> None:
    samples = noise(2, 30_011, seed)
    first_column = round(start / per_column)
    envelope = built(samples).envelope(first_column, per_column, columns)
    assert envelope.low.shape == (2, columns)
    for column in range(0, columns, 7):
        first = max(int(np.ceil((first_column + column) * per_column)), 0)
        last = min(int(np.floor((first_column + column + 1) * per_column)), samples.shape[1])
        if last > first:
            inside = samples[:, first:last]
            assert np.all(envelope.low[:, column] <= inside.min(1))
            assert np.all(envelope.high[:, column] >= inside.max(1))


def test_a_column_looks_the_same_whichever_range_it_is_asked_for_with() -> None:
    samples = noise(1, 60_000)
    pyramid = built(samples)
    for per_column in (0.3, 11.7, 100.0, 1764.0 / 7):
        last = int(50_000 / per_column)
        for part in (pyramid.envelope, lambda a, f, n: envelope_of_samples(samples[:, 77:], 77, a, f, n)):
            whole = part(last - 500, per_column, 500).low
            np.testing.assert_array_equal(part(last - 123, per_column, 100).low, whole[:, 377:477])


def test_outside_the_recording_nothing_is_known() -> None:
    pyramid = built(noise(1, 3200))
    envelope = pyramid.envelope(-10, 64.0, 80)
    known = ~np.isnan(envelope.low[0])
    assert known.tolist() == [False] * 10 + [True] * 50 + [False] * 20
    assert np.array_equal(np.isnan(envelope.rms), np.isnan(envelope.low))


def test_a_growing_pyramid_shows_what_it_has() -> None:
    samples = noise(1, 64_000)
    builder = PeakBuilder(64_000, 1)
    builder.append(samples[:, :32_000])
    half = builder.pyramid
    assert not half.is_complete
    known = ~np.isnan(half.envelope(0, 640.0, 100).low[0])
    assert known[:45].all() and not known[51:].any()
    builder.append(samples[:, 32_000:])
    assert not np.isnan(builder.pyramid.envelope(0, 640.0, 100).low).any()


@pytest.mark.parametrize("per_column", [64.0, 300.0, 2500.0])
def test_rms_of_a_sine_is_its_amplitude_over_root_two(per_column: float) -> None:
    samples = (0.8 * np.sin(2 * np.pi * np.arange(100_000) / 16))[None].astype(np.float32)
    rms = built(samples).envelope(7, per_column, 30).rms
    np.testing.assert_allclose(rms, 0.8 / np.sqrt(2), rtol=2e-3)


def test_samples_and_pyramid_show_the_same() -> None:
    samples = noise(2, 50_000)
    coarse = built(samples).envelope(100, 32.0, 300)
    fine = envelope_of_samples(samples[:, 3000:20_000], 3000, 100, 32.0, 300)
    np.testing.assert_allclose(coarse.low, fine.low, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(coarse.high, fine.high, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(coarse.rms, fine.rms, rtol=2e-3, atol=1e-4)


def test_a_line_passes_through_its_samples() -> None:
    samples = np.array([[0.0, 1.0, -1.0, 0.5]], np.float32)
    envelope = envelope_of_line(samples, 10, 40, 0.25, 12)
    low, high = envelope.low[0], envelope.high[0]
    assert (low[0], high[3], low[8], high[11]) == pytest.approx((0.0, 1.0, -1.0, 0.5))
    np.testing.assert_allclose(high[:3], [0.25, 0.5, 0.75])
    assert np.all(low[1:] <= high[:-1]) and np.all(high[1:] >= low[:-1])  # neighbours touch
    outside = envelope_of_line(samples, 10, 26, 0.5, 4)
    assert np.isnan(outside.low[0, 1:]).all()


def test_not_a_number_and_infinity_do_no_harm() -> None:
    samples = noise(1, 1000)
    samples[0, 100], samples[0, 200], samples[0, 300] = np.nan, np.inf, -np.inf
    table = built(samples).table
    assert np.isfinite(table.astype(np.float32)).all()


def test_an_empty_recording_has_a_table_too() -> None:
    pyramid = PeakBuilder(0, 1).pyramid
    assert table_shape(0, 1) == (1, 3, 1)
    assert np.isnan(pyramid.envelope(0, 100.0, 5).low).all()
    assert np.isnan(envelope_of_line(np.zeros((1, 0), np.float32), 0, 0, 0.5, 3).low).all()


def test_a_table_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="has the shape"):
        PeakBuilder(1000, 2, np.zeros((1, 3, 5), np.float16))
