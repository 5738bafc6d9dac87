from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.engines.separation.stft import FrameGrid, OverlapAdd, make_grid, next_fast_size, read_spectra
from scoresep.model.audio import ArraySource

CPU = torch.device("cpu")


@settings(max_examples=40, deadline=None)
@given(
    frames=st.integers(1, 900),
    channels=st.integers(1, 3),
    hop=st.sampled_from([2, 4, 10, 64]),
    block=st.integers(1, 40),
    seed=st.integers(0, 1000),
)
def test_there_and_back_gives_the_recording_whatever_the_blocks(
    frames: int, channels: int, hop: int, block: int, seed: int
) -> None:
    samples = np.random.default_rng(seed).normal(size=(channels, frames)).astype(np.float32)
    source, grid = ArraySource(samples, 8000), FrameGrid(8000, frames, hop)
    adder = OverlapAdd(grid, 1, channels, CPU)

    pieces = [
        adder.add(read_spectra(source, grid, first, min(first + block, grid.windows), CPU)[None])
        for first in range(0, grid.windows, block)
    ]

    np.testing.assert_allclose(np.concatenate(pieces, axis=2)[0], samples, atol=1e-5)


@given(st.integers(1, 20000))
def test_sizes_are_quick_and_hardly_larger(size: int) -> None:
    fast = next_fast_size(size)

    rest = fast
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    assert rest == 1 and fast % 2 == 0
    assert size <= fast <= 1.34 * size + 4


def test_windows_last_as_long_at_every_rate() -> None:
    for rate in (8000, 11025, 44100, 48000, 192000):
        grid = make_grid(10 * rate, rate, 0.186)
        assert abs(grid.window_frames / rate - 0.186) < 0.02


def test_windows_and_frames_find_each_other() -> None:
    grid = FrameGrid(8000, 1000, 16)
    windows = np.arange(grid.windows)

    np.testing.assert_array_equal(grid.window_at(np.array([grid.centre_frame(int(m)) for m in windows])), windows)
