"""Laws of voices: every pitched note has its place, and the score alone says where."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scoresep.engines.separation.mask_refinement.network import TileShape, make_tiles
from scoresep.engines.separation.mask_refinement.voices import refined, tracks_of, voices_of
from scoresep.engines.separation.stft import make_grid
from tests.separation_audio import RATE, notes_of

NOTE = st.tuples(st.integers(0, 2), st.integers(40, 80), st.integers(0, 40), st.integers(1, 12))


@given(st.lists(NOTE, max_size=20))
@settings(max_examples=60, deadline=None)
def test_every_pitched_note_is_in_one_voice_of_its_part(rows: list[tuple[int, int, int, int]]) -> None:
    notes = notes_of([(s, float(p), 0.1 * a, 0.1 * (a + d)) for s, p, a, d in rows], 3)
    voices = voices_of(notes)
    assert sorted(i for melody in voices.notes for i in melody.tolist()) == list(range(len(rows)))
    for stem, melody in zip(voices.stem, voices.notes, strict=True):
        assert (notes.stem_index[melody] == stem).all()
        assert (np.diff(notes.onset_frame[melody]) >= 0).all()


def test_chords_have_voices_and_melodies_one() -> None:
    melody = [(0, 60.0 + k, 0.5 * k, 0.5 * k + 0.52) for k in range(4)]
    chord = [(1, 60.0 + 4 * k, 0.0, 1.0) for k in range(3)]
    assert voices_of(notes_of(melody + chord, 2)).stem.tolist() == [0, 1, 1, 1]


def test_unpitched_notes_have_no_voice() -> None:
    assert len(voices_of(notes_of([(0, np.nan, 0.0, 1.0)], 1))) == 0


def test_tracks_follow_the_notes() -> None:
    notes = notes_of([(0, 69.0, 1.0, 2.0), (0, 81.0, 2.0, 3.0)], 1)
    grid = make_grid(5 * RATE, RATE, 0.186)
    tracks = tracks_of(voices_of(notes), notes, grid, 0, grid.windows)
    at_s = (grid.centre_frame(0) + np.arange(grid.windows) * grid.hop_frames) / RATE
    f0 = tracks.f0_hz[0].numpy()
    assert np.allclose(f0[(at_s > 1.0) & (at_s < 1.9)], 440.0)
    assert np.allclose(f0[(at_s > 2.0) & (at_s < 3.0)], 880.0)
    assert (f0[(at_s < 0.9) | (at_s > 3.4)] == 0.0).all()


def test_the_tracks_of_a_stretch_are_those_of_the_whole() -> None:
    notes = notes_of([(0, 60.0 + k % 5, 0.3 * k, 0.3 * k + 0.25) for k in range(12)], 1)
    grid = make_grid(4 * RATE, RATE, 0.186)
    voices = voices_of(notes)
    whole = tracks_of(voices, notes, grid, 0, grid.windows)
    some = tracks_of(voices, notes, grid, 17, 40)
    assert torch.equal(whole.f0_hz[:, 17:40], some.f0_hz)
    assert torch.equal(whole.since_s[:, 17:40], some.since_s)


def test_a_pitch_that_is_out_of_tune_is_found() -> None:
    bin_hz, true_hz = 5.0, 220.0 * 2 ** (40 / 1200)
    bins = torch.arange(600) * bin_hz
    amplitude = sum(torch.exp(-0.5 * ((bins - h * true_hz) / 4.0) ** 2) for h in range(1, 8))
    found = refined(torch.full((1, 5), 220.0), amplitude.expand(1, 5, 600), [0], bin_hz)
    assert np.allclose(1200 * np.log2(found.numpy() / 220.0), 40.0, atol=10.0)


def test_tiles_lay_partials_in_their_middle() -> None:
    shape = TileShape(harmonics=4, reach=2, bins=200, bin_hz=5.0)
    notes = notes_of([(0, 57.0, 0.0, 1.0)], 1)
    grid = make_grid(RATE, RATE, 0.2)
    tracks = tracks_of(voices_of(notes), notes, grid, 8, 9)
    level = torch.zeros(1, 200)
    level[0, [44, 88, 132, 176]] = 1.0
    tiles = make_tiles(level, tracks, torch.zeros(1, dtype=torch.int64), torch.zeros(1, 128, 4), shape)
    assert tiles.seen[0, 0, :, :5].tolist() == [[0.0, 0.0, 1.0, 0.0, 0.0]] * 4
    assert tiles.inside[0, 0].nonzero()[:, 0].tolist() == [44 * h + k for h in (1, 2, 3, 4) for k in range(-2, 3)]
    assert tiles.place[0, 0, 88] == 1 * 5 + 2
