"""Every note of a stem has a sound of its own, and all of them together are the stem."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from separation_audio import RATE, notes_of, played

from scoresep.engines.separation.note_sounds import StemTones, learn_tones, note_lanes, note_sounds
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import ArraySource
from scoresep.model.note_edits import note_reach
from scoresep.progress import Progress

# a legato melody with a repeated note; every note goes on for a while when the next one has begun
MELODY = [(0, 60.0, 0.4, 0.9), (0, 64.0, 0.85, 1.35), (0, 64.0, 1.4, 1.8), (0, 67.0, 1.75, 2.4), (0, 65.0, 2.35, 2.9)]
TIMBRE = [1.0, 0.6, 0.4, 0.3, 0.2]
FRAMES = int(3.4 * RATE)


def alone(rows: list[tuple[int, float, float, float]]) -> list[np.ndarray]:
    return [played(notes_of([row], 1), FRAMES, [TIMBRE]) for row in rows]


def sounds_of(
    samples: np.ndarray, notes: SoundingNotes, wanted: list[int] | None = None
) -> dict[int, tuple[int, np.ndarray]]:
    source = ArraySource(samples, RATE)
    tones = learn_tones(source, notes, Progress())
    made = note_sounds(source, notes, range(len(notes)) if wanted is None else wanted, tones, Progress())
    return {sound.index: (sound.start_frame, sound.samples) for sound in made}


def placed(sound: tuple[int, np.ndarray]) -> np.ndarray:
    start, samples = sound
    whole = np.zeros((len(samples), FRAMES), np.float32)
    whole[:, start : start + samples.shape[1]] = samples
    return whole


def si_sdr_db(estimate: np.ndarray, truth: np.ndarray) -> float:
    target = truth * (np.vdot(estimate, truth) / np.vdot(truth, truth))
    return float(10 * np.log10(np.vdot(target, target) / (np.vdot(estimate - target, estimate - target) + 1e-9)))


@pytest.fixture(scope="module")
def melody() -> tuple[SoundingNotes, list[np.ndarray], np.ndarray]:
    truth = alone(MELODY)
    return notes_of(MELODY, 1), truth, np.sum(truth, 0)


def test_notes_are_told_apart_better_than_by_time(melody: tuple[SoundingNotes, list[np.ndarray], np.ndarray]) -> None:
    notes, truth, stem = melody
    found = sounds_of(stem, notes)
    for i, true in enumerate(truth):
        gated = np.zeros_like(stem)
        inside = slice(int(notes.onset_frame[i]), int(notes.offset_frame[i]))
        gated[:, inside] = stem[:, inside]
        assert si_sdr_db(placed(found[i]), true) > si_sdr_db(gated, true)
        assert si_sdr_db(placed(found[i]), true) > 15.0


def test_notes_add_up_to_their_stem(melody: tuple[SoundingNotes, list[np.ndarray], np.ndarray]) -> None:
    notes, _, stem = melody
    total = np.sum([placed(sound) for sound in sounds_of(stem, notes).values()], 0)
    inside = slice(int(0.45 * RATE), int(2.85 * RATE))
    assert np.abs(total - stem)[:, inside].max() < 1e-5
    assert np.abs(total).max() <= np.abs(stem).max() * 1.05


def test_a_note_sounds_the_same_whatever_else_is_asked_for(
    melody: tuple[SoundingNotes, list[np.ndarray], np.ndarray],
) -> None:
    notes, _, stem = melody
    together = sounds_of(stem, notes)
    for i in (0, 2, 4):
        start, samples = sounds_of(stem, notes, [i])[i]
        assert start == together[i][0]
        np.testing.assert_allclose(samples, together[i][1], atol=1e-5)


def test_a_muted_note_is_gone_and_its_neighbours_stay(
    melody: tuple[SoundingNotes, list[np.ndarray], np.ndarray],
) -> None:
    notes, truth, stem = melody
    rest = stem - placed(sounds_of(stem, notes, [1])[1])
    steady = slice(int(0.95 * RATE), int(1.3 * RATE))
    for h in range(1, 5):
        at = np.exp(-2j * np.pi * 440 * 2 ** (-5 / 12) * h * np.arange(FRAMES)[steady] / RATE)
        before, after = abs(np.vdot(at, stem[0, steady])), abs(np.vdot(at, rest[0, steady]))
        assert 20 * np.log10(before / after) > 15.0
    others = stem - truth[1]
    for i in (0, 3, 4):
        inside = slice(int(notes.onset_frame[i] + 0.1 * RATE), int(notes.offset_frame[i] - 0.1 * RATE))
        assert si_sdr_db(rest[:, inside], others[:, inside]) > 20.0


def test_chords_are_divided_in_both_channels() -> None:
    rows = [(0, 60.0, 0.3, 1.5), (0, 64.0, 0.3, 1.5), (0, 67.0, 0.3, 1.5), (0, 62.0, 1.6, 2.6)]
    truth = [np.concatenate([0.9 * t, 0.3 * t]) for t in alone(rows)]
    found = sounds_of(np.sum(truth, 0), notes_of(rows, 1))
    for i, true in enumerate(truth):
        assert si_sdr_db(placed(found[i]), true) > 8.0
        level = [np.linalg.norm(channel) for channel in placed(found[i])]
        assert level[0] / level[1] == pytest.approx(3.0, rel=0.05)


def test_notes_without_pitch_are_told_apart_by_time() -> None:
    rng = np.random.default_rng(3)
    stem = np.zeros((1, FRAMES), np.float32)
    starts = [0.3, 1.3, 2.3]
    for start in starts:
        at = int(start * RATE)
        stem[0, at : at + RATE // 4] = rng.normal(size=RATE // 4) * np.exp(-np.arange(RATE // 4) / 600) * 0.2
    notes = notes_of([(0, np.nan, s, s + 0.25) for s in starts], 1)
    found = sounds_of(stem, notes, [1])
    assert np.linalg.norm(stem - placed(found[1])) < 0.85 * np.linalg.norm(stem)
    assert si_sdr_db(placed(found[1])[:, RATE:], np.where(np.arange(FRAMES) < 2.2 * RATE, stem, 0)[:, RATE:]) > 20.0


def test_lanes_keep_notes_apart(melody: tuple[SoundingNotes, list[np.ndarray], np.ndarray]) -> None:
    notes = melody[0]
    lane_of, lanes = note_lanes(notes, RATE)
    assert set(lane_of.tolist()) == set(range(lanes))
    for lane in range(lanes):
        reaches = sorted(note_reach(notes, i, RATE, FRAMES) for i in np.flatnonzero(lane_of == lane).tolist())
        assert all(a[1] <= b[0] for a, b in pairwise(reaches))


def test_what_was_learned_can_be_kept(melody: tuple[SoundingNotes, list[np.ndarray], np.ndarray]) -> None:
    notes, _, stem = melody
    tones = learn_tones(ArraySource(stem, RATE), notes, Progress())
    again = StemTones.of(tones.arrays())
    for name, values in tones.arrays().items():
        np.testing.assert_array_equal(values, getattr(again, name))


def test_silence_and_no_notes_are_no_trouble() -> None:
    silence = np.zeros((2, FRAMES), np.float32)
    start, samples = sounds_of(silence, notes_of(MELODY, 1), [0])[0]
    assert start >= 0 and np.isfinite(samples).all() and not samples.any()
    assert sounds_of(silence, notes_of([], 1)) == {}


def test_a_note_at_either_end_stays_inside(melody: tuple[SoundingNotes, list[np.ndarray], np.ndarray]) -> None:
    notes, _, stem = melody
    onset = np.array([0, *notes.onset_frame[1:-1], FRAMES - 800])
    offset = np.array([*notes.offset_frame[:-1], FRAMES + 4000])
    moved = replace(notes, onset_frame=onset, offset_frame=offset)
    for start, samples in sounds_of(stem, moved).values():
        assert start >= 0 and start + samples.shape[1] <= FRAMES
