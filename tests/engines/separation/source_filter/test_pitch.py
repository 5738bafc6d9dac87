"""Pitch is found in the mixture: vibrato is followed, a note out of tune is found, and jumps need a reason."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.engines.separation.source_filter import SourceFilterSettings
from scoresep.engines.separation.source_filter.fitting import Fit, PartTimbres
from scoresep.engines.separation.source_filter.partials import NoteFrameGrid, NoteFrames, note_frames_of
from scoresep.engines.separation.source_filter.pitch import SWING_CENTS, candidates, track_pitch, viterbi_path
from scoresep.engines.separation.source_filter.separator import magnitude_of
from scoresep.engines.separation.stft import make_grid, read_spectra
from scoresep.model.audio import ArraySource
from tests.separation_audio import RATE, notes_of


def sung(midi: float, swing_cents: float, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a voice with vibrato of 5.5 Hz and its pitch as a MIDI number at every frame."""
    time_s = np.arange(int(seconds * RATE)) / RATE
    pitch = midi + swing_cents / 100 * np.sin(2 * np.pi * 5.5 * time_s)
    phase = 2 * np.pi * np.cumsum(440 * 2 ** ((pitch - 69) / 12)) / RATE
    return sum(np.sin(h * phase) / h for h in range(1, 9)), pitch


def test_two_voices_are_followed_in_their_mixture_within_a_few_cents() -> None:
    options = SourceFilterSettings()
    high, high_pitch = sung(72.3, 50.0, 2.0)
    low, low_pitch = sung(52.8, 30.0, 2.0)
    source = ArraySource((0.1 * (high + 0.5 * low)).astype(np.float32)[None], RATE)
    notes = notes_of([(0, 72.0, 0.0, 2.0), (1, 53.0, 0.0, 2.0)], 2)
    grid = make_grid(source.frames, RATE, options.track_window_s)
    view = NoteFrameGrid(notes, grid, options)
    cells = note_frames_of(view, 0, grid.windows)
    spectra = read_spectra(source, grid, 0, grid.windows, torch.device("cpu"))
    sounds = PartTimbres(notes, options.track_partials, grid, torch.device("cpu"))
    cents = track_pitch(Fit(magnitude_of(spectra), cells, 0, view, sounds), lambda: None)
    frame = grid.centre_frame(0) + cells.window * grid.hop_frames
    for stem, truth in enumerate((high_pitch, low_pitch)):
        mine = (cells.note == stem) & (frame > 0.1 * RATE) & (frame < 1.9 * RATE)
        found = notes.pitch_midi[cells.note[mine]] + cents[mine] / 100
        error = 100 * np.abs(found - truth[frame[mine]])
        assert np.median(error) < 4.0
        assert np.quantile(error, 0.9) < 15.0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_the_way_is_the_best_of_all(seed: int, length: int) -> None:
    candidate_cents = np.array([-40.0, -10.0, 0.0, 30.0], np.float32)
    scores = np.random.default_rng(seed).normal(size=(length, 4)).astype(np.float32)
    nothing = np.zeros(length, np.int64)
    cells = NoteFrames(nothing, np.arange(length), np.ones(length, np.float32), nothing, nothing + length)
    move = np.abs(candidate_cents[:, None] - candidate_cents) / SWING_CENTS
    cost = np.minimum(0.5 * move**2, 1.0 + 0.35 * move)

    def worth(way: tuple[int, ...]) -> float:
        moves = sum(cost[a, b] for a, b in pairwise(way))
        return float(sum(scores[k, w] for k, w in enumerate(way)) - moves)

    ways = list(np.ndindex(*(4,) * length))
    found = tuple(viterbi_path(scores, cells, candidate_cents).tolist())
    assert worth(found) >= max(map(worth, ways)) - 1e-4


def test_candidates_lie_around_the_score() -> None:
    candidate_cents = candidates(SourceFilterSettings())
    assert candidate_cents[0] == -candidate_cents[-1]
    assert 0.0 in candidate_cents
