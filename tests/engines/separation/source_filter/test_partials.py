"""Partials on the frequency grid are what the Fourier transform of such tones is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scoresep.engines.separation.source_filter.partials import LINE_BINS, PartialTones, Shape, make_partial_lobes
from scoresep.engines.separation.stft import make_grid


@pytest.mark.parametrize(("midi", "glide"), [(69.0, 0.0), (57.3, 0.0), (76.2, 0.4), (64.9, -0.8)])
def test_a_line_is_the_spectrum_of_a_tone_that_glides(midi: float, glide: float) -> None:
    grid = make_grid(16000, 16000, 0.1)
    size, f0_hz = grid.window_frames, 440.0 * 2 ** ((midi - 69) / 12)
    time_s = (np.arange(size) - size / 2) / 16000
    slope = f0_hz * np.log(2.0) / 12.0 * glide / (size / 16000)
    tone = np.cos(2 * np.pi * (f0_hz * time_s + 0.5 * slope * time_s**2) + 1.0)
    truth = np.abs(np.fft.rfft(tone * grid.hann(torch.device("cpu")).numpy()))
    tones = PartialTones(torch.zeros(1, dtype=torch.long), torch.tensor([midi]), torch.tensor([glide]))
    lines = make_partial_lobes(tones, 1, 4000.0, (0.0,), Shape(grid, 1))
    line = lines.spectrum(lines.shapes(torch.ones(1, 1), torch.ones(1, 1)))[0].numpy()
    near = np.abs(np.arange(grid.bins) - f0_hz / grid.bin_hz) < LINE_BINS / 2
    truth = truth / truth[near].sum()
    assert np.abs(line - truth)[near].max() < 0.04 * truth.max()


def test_what_a_line_gives_a_projection_takes() -> None:
    grid = make_grid(16000, 16000, 0.1)
    random = torch.Generator().manual_seed(0)
    midi = 50 + 30 * torch.rand(6, generator=random)
    tones = PartialTones(torch.arange(6) // 2, midi, torch.zeros(6))
    lines = make_partial_lobes(tones, 12, 6000.0, (0.0, -20.0, 20.0), Shape(grid, 3))
    loudness, sound = torch.rand(6, 3, generator=random), torch.rand(6, 12, generator=random)
    spectrum = torch.rand(3, grid.bins, generator=random)
    given = (lines.spectrum(lines.shapes(loudness, sound)) * spectrum).sum()
    taken = (lines.project(spectrum) * loudness[:, None] * sound[..., None]).sum()
    assert float(given) == pytest.approx(float(taken), rel=1e-5)


def test_partials_above_the_range_do_not_exist() -> None:
    grid = make_grid(8000, 8000, 0.1)
    tones = PartialTones(torch.zeros(1, dtype=torch.long), torch.tensor([81.0]), torch.zeros(1))
    lines = make_partial_lobes(tones, 9, 9e9, (0.0,), Shape(grid, 1))
    assert lines.exists[0, :, 0].tolist() == [1.0] * 4 + [0.0] * 5  # 880 Hz: 3520 Hz is the last below 4000
