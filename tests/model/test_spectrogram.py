"""A spectrogram holds what was put in, in whichever order, at every density; columns mean the same at every zoom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scoresep.model.spectrogram import (
    BANDS,
    BINS,
    POWER_OF_LEVEL,
    SLAB_COLUMNS,
    SpectrogramBuilder,
    SpectrogramShape,
    bin_to_midi,
    db_to_level,
    level_to_db,
    midi_to_bin,
    power_to_levels,
)

RATE = 8000
SHAPE = SpectrogramShape(100_000, RATE)


def random_slabs(seed: int = 0) -> list[tuple[NDArray[np.uint8], ...]]:
    rng = np.random.default_rng(seed)
    return [
        tuple(rng.integers(0, 256, (SLAB_COLUMNS // b.stride, b.bins), np.uint8) for b in BANDS)
        for _ in range(SHAPE.slabs)
    ]


def test_bands_hold_every_bin_once() -> None:
    rows = [row for band in BANDS for row in range(band.rows.start, band.rows.stop)]
    assert rows == list(range(BINS))
    assert bin_to_midi(midi_to_bin(69.25)) == pytest.approx(69.25)
    assert bin_to_midi([1, 4]).tolist() == [21.0, 22.0]


@given(st.floats(1e-12, 4.0))
def test_levels_are_powers_to_a_quarter_of_a_decibel(power: float) -> None:
    level = power_to_levels(np.array([power], np.float32))[0]
    assert level_to_db(float(level)) == pytest.approx(10 * np.log10(power), abs=0.26)
    assert db_to_level(level_to_db(float(level))) == level
    assert power_to_levels(POWER_OF_LEVEL).tolist() == list(range(256))


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 65800, 96000, 192000])
def test_an_hour_takes_less_than_250_megabytes_at_any_rate(rate: int) -> None:
    shape = SpectrogramShape(3600 * rate, rate)
    assert shape.size < 250e6 and shape.column_frames / rate < 0.008
    assert shape.entries(shape.densities - 1, BANDS[-1]) <= 256


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(SHAPE.slabs)))
def test_the_order_of_slabs_leaves_no_trace(order: list[int]) -> None:
    slabs = random_slabs()
    straight, other = SpectrogramBuilder(SHAPE), SpectrogramBuilder(SHAPE)
    for slab in range(SHAPE.slabs):
        straight.put(slab, slabs[slab])
    for count, slab in enumerate(order):
        assert other.spectrogram.ready_slabs == count and not other.spectrogram.is_complete
        other.put(slab, slabs[slab])
    assert other.spectrogram.is_complete and other.next_slab(0) is None
    assert np.array_equal(straight.spectrogram.table, other.spectrogram.table)


def test_what_is_wanted_comes_first_then_what_follows_then_the_start() -> None:
    builder, slabs, order = SpectrogramBuilder(SHAPE), random_slabs(), []
    while (slab := builder.next_slab(2)) is not None:
        builder.put(slab, slabs[slab])
        order.append(slab)
    assert order == [*range(2, SHAPE.slabs), 0, 1]


def filled() -> SpectrogramBuilder:
    builder = SpectrogramBuilder(SHAPE)
    for slab, levels in enumerate(random_slabs()):
        builder.put(slab, levels)
    return builder


def test_columns_as_wide_as_entries_are_the_entries() -> None:
    spectrogram = filled().spectrogram
    for index, band in enumerate(BANDS):
        for density in range(SHAPE.densities):
            frames = SHAPE.entry_frames(density, band)
            entries = SHAPE.part(spectrogram.table, density, index)
            columns = spectrogram.levels(0, float(frames), len(entries))
            assert np.array_equal(columns[band.rows], entries.T)


def test_coarse_entries_are_the_mean_power_of_fine_ones() -> None:
    spectrogram = filled().spectrogram
    for index in range(len(BANDS)):
        fine, coarse = (POWER_OF_LEVEL[SHAPE.part(spectrogram.table, d, index)] for d in (0, 1))
        for at in (0, 5, len(coarse) - 1):
            expected = fine[4 * at : 4 * at + 4].mean(axis=0)
            assert 10 * np.log10(coarse[at] / expected) == pytest.approx(0.0, abs=0.26)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 300), st.floats(3.0, 9000.0), st.integers(1, 40))
def test_a_column_looks_the_same_whichever_range_it_is_asked_for_with(first: int, width: float, columns: int) -> None:
    spectrogram = filled().spectrogram
    whole = spectrogram.levels(0, width, first + columns)
    assert np.allclose(spectrogram.levels(first, width, columns), whole[:, first:], atol=1e-3)
    assert np.array_equal(
        spectrogram.known(first, width, columns), spectrogram.known(0, width, first + columns)[first:]
    )


def test_columns_between_entries_lie_on_straight_lines() -> None:
    builder = SpectrogramBuilder(SHAPE)
    for slab in range(SHAPE.slabs):
        ramps = []
        for band in BANDS:
            count = SLAB_COLUMNS // band.stride
            ramps.append(np.broadcast_to((np.arange(count) % 200)[:, None], (count, band.bins)).astype(np.uint8))
        builder.put(slab, tuple(ramps))
    band, frames = BANDS[2], SHAPE.column_frames
    columns = builder.spectrogram.levels(0, frames / 4, 400)[band.rows][0]
    assert columns[8:400] == pytest.approx((np.arange(8, 400) + 0.5) / 4 - 0.5, abs=1e-3)


def test_only_what_is_there_is_known() -> None:
    builder, slabs = SpectrogramBuilder(SHAPE), random_slabs()
    builder.put(1, slabs[1])
    known = builder.spectrogram.known(-3, float(SHAPE.column_frames), 4 * SLAB_COLUMNS)
    assert np.flatnonzero(known).tolist() == list(range(3 + SLAB_COLUMNS, 3 + 2 * SLAB_COLUMNS))


def test_the_loud_level_leaves_silence_out() -> None:
    builder = SpectrogramBuilder(SHAPE)
    assert builder.spectrogram.loud_level() == db_to_level(0.0), "nothing known: full scale"
    levels = tuple(np.zeros((SLAB_COLUMNS // b.stride, b.bins), np.uint8) for b in BANDS)
    levels[0][:, 5] = 180
    for slab in range(SHAPE.slabs):
        builder.put(slab, levels)
    assert builder.spectrogram.loud_level() == 180
