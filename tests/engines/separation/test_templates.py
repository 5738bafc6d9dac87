from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from separation_audio import notes_of

from scoresep.engines.separation.activity import Tolerances, note_intervals, paint, pitches_of
from scoresep.engines.separation.nmf.dictionary import LOBE_BINS, band_bumps, hann_lobe, make_atoms, neighbour_weights
from scoresep.engines.separation.stft import FrameGrid, fit_axis

CPU = torch.device("cpu")
GRID = FrameGrid(16000, 160000, 512)


@pytest.mark.parametrize("bin_position", [40.0, 40.3, 40.5, 81.77])
def test_a_partial_has_the_shape_that_a_sine_has_in_the_window(bin_position: float) -> None:
    size = GRID.window_frames
    sine = np.sin(2 * np.pi * bin_position * np.arange(size) / size)
    spectrum = np.abs(np.fft.rfft(sine * GRID.hann(CPU).numpy()))
    near = np.arange(round(bin_position) - 4, round(bin_position) + 5)

    expected = spectrum[near] / (size / 4)
    np.testing.assert_allclose(hann_lobe(near - bin_position), expected, atol=2e-3)


def test_partials_lie_at_multiples_of_the_pitch_and_end_below_half_the_rate() -> None:
    atoms = make_atoms(np.array([69.0, 96.0]), GRID, CPU)
    spectra = atoms.spectra(torch.ones(atoms.bins.shape[:2]), GRID.bins)

    peaks = np.flatnonzero(spectra[0] > 0.3) * GRID.bin_hz
    assert {round(hz / 440) for hz in peaks} == set(range(1, 19))
    assert all(abs(hz - 440 * round(hz / 440)) <= GRID.bin_hz for hz in peaks)
    torch.testing.assert_close(atoms.values.sum(-1)[0, :17], torch.ones(17))


def test_projecting_is_the_transpose_of_adding_up(rng: np.random.Generator) -> None:
    atoms = make_atoms(np.array([50.0, 61.5, 77.0]), GRID, CPU)
    axis = fit_axis(GRID.bins, GRID.bin_hz, 700.0, CPU)
    for some, size in ((atoms, GRID.bins), (atoms.on(axis), axis.size)):
        loudness = torch.from_numpy(rng.random(some.bins.shape[:2])).float()
        other = torch.from_numpy(rng.random((3, size))).float()
        left = (some.spectra(loudness, size) * other).sum()
        right = (loudness * some.project(other)).sum()
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-4)


def test_the_axis_of_the_fit_loses_nothing(rng: np.random.Generator) -> None:
    axis = fit_axis(GRID.bins, GRID.bin_hz, 700.0, CPU)
    values = torch.from_numpy(rng.random((5, GRID.bins))).float()
    atoms = make_atoms(np.array([55.0]), GRID, CPU)
    loudness = torch.ones(1, atoms.bins.shape[1])

    assert axis.size < GRID.bins / 2
    torch.testing.assert_close(axis.reduce(values).sum(-1), values.sum(-1))
    torch.testing.assert_close(axis.widths.sum(), torch.tensor(float(GRID.bins)))
    on_axis = atoms.on(axis).spectra(loudness, axis.size)
    torch.testing.assert_close(axis.reduce(atoms.spectra(loudness, GRID.bins)), on_axis)


def test_bands_cover_every_frequency_once() -> None:
    bumps = band_bumps(GRID.bins, GRID.bin_hz, 24, CPU)

    torch.testing.assert_close(bumps.sum(0), torch.ones(GRID.bins))


def test_only_pitches_of_one_stem_know_of_each_other() -> None:
    pitches, _ = pitches_of(notes_of([(0, 60, 0, 1), (0, 61, 0, 1), (0, 80, 0, 1), (1, 60, 0, 1)], 2))
    weight = neighbour_weights(pitches, CPU)

    assert weight[0, 0] > weight[0, 1] > weight[0, 2] > 0
    assert torch.all(weight[:3, 3] == 0)


@given(st.floats(0.5, 5.0), st.floats(0.05, 2.0), st.integers(0, 60), st.integers(1, 60))
def test_rows_sound_fully_in_their_notes_and_never_far_from_them(
    onset_s: float, length_s: float, first: int, count: int
) -> None:
    tolerances = Tolerances()
    notes = notes_of([(0, 60.0, onset_s, onset_s + length_s)], 1)
    intervals = note_intervals(notes, np.zeros(1, np.int64), GRID, tolerances)
    rows, near = paint(intervals, first, first + count)

    slack_s = GRID.hop_frames / GRID.sample_rate
    for k, m in enumerate(range(first, first + count)):
        at_s = GRID.centre_frame(m) / GRID.sample_rate
        value = near[k, 0] if len(rows) else 0.0
        if onset_s <= at_s <= onset_s + length_s - 1e-3:
            assert value > 0.99
        if at_s < onset_s - tolerances.early_s - 2 * slack_s:
            assert value == 0
        if at_s > onset_s + length_s + tolerances.ring_s + 2 * slack_s:
            assert value == 0


def test_lobes_are_odd_so_that_they_have_a_middle() -> None:
    assert LOBE_BINS % 2 == 1
