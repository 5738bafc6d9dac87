"""Sets of instruments told apart by their sound alone, in small recordings without a score."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from scoresep.engines.segmentation.without_score import SILENT, find_sets, segment_without_score
from scoresep.model.audio import ArraySource
from scoresep.model.segments import segments_of
from scoresep.progress import Progress

RATE = 22050
NOTE_S = 0.5
TIMBRES = ((1.0, 0.6, 0.4, 0.3, 0.2), (1.0, 0.05, 0.5, 0.02, 0.3), (0.3, 1.0, 0.1, 0.8, 0.1, 0.6, 0.1, 0.5))
# Who plays for how many notes; None is silence.
ORDER = ((0, 12), (1, 10), (2, 14), (None, 4), (0, 10), (2, 12), (1, 12))
PITCHES = (60, 62, 64, 65, 67, 69, 71, 72)


def one_after_the_other(lead_s: float = 1.0, seed: int = 0, longer: int = 1) -> ArraySource:
    """Let three instruments play random notes of one scale, one after the other."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(NOTE_S * RATE)) / RATE
    shape = np.minimum(1, t / 0.02) * np.minimum(1, (t[-1] - t) / 0.02)
    sound = [np.zeros(round(lead_s * RATE))]
    for who, notes in ORDER:
        for pitch in rng.choice(PITCHES, longer * notes):
            hz = 440 * 2 ** ((pitch - 69) / 12)
            sizes = TIMBRES[who] if who is not None else ()
            sound.append(0.1 * shape * sum(a * np.sin(2 * np.pi * hz * (k + 1) * t) for k, a in enumerate(sizes)))
    out = np.concatenate(sound)
    return ArraySource((out + rng.normal(0, 1e-5, len(out)))[None].astype(np.float32), RATE)


def found(source: ArraySource, sets: int | None) -> list[tuple[float, tuple[int, ...]]]:
    activities = segment_without_score(source, sets, Progress())
    segments = segments_of(activities, source.frames)
    assert segments[0].start_frame == 0
    assert segments[-1].end_frame == source.frames
    return [(s.start_frame / RATE, s.part_indices) for s in segments]


@pytest.mark.parametrize("sets", [3, None])
@pytest.mark.parametrize("seed", [0, 1])
def test_three_instruments_that_take_turns_are_told_apart_whatever_they_play(sets: int | None, seed: int) -> None:
    longer = 1 if sets else 3  # how many there are is heard only where each has its time
    segments = found(one_after_the_other(seed=seed, longer=longer), sets)
    assert [which for _, which in segments] == [(), (0,), (1,), (2,), (), (0,), (2,), (1,)]
    starts_s = np.cumsum([1.0, *(longer * NOTE_S * notes for _, notes in ORDER)])[:-1]
    np.testing.assert_allclose([s for s, _ in segments[1:]], starts_s, atol=NOTE_S)


def test_a_recording_that_begins_later_has_the_same_segments_later() -> None:
    early, late = found(one_after_the_other(1.0), 3), found(one_after_the_other(4.0), 3)
    assert [which for _, which in early] == [which for _, which in late]
    np.testing.assert_allclose([s - 3 for s, _ in late[1:]], [s for s, _ in early[1:]], atol=0.11)


def test_loudness_changes_nothing() -> None:
    source = one_after_the_other()
    softer = ArraySource(source.read(0, source.frames) * np.float32(1 / 64), RATE)
    assert found(softer, 3) == found(source, 3)


def test_stretches_that_sound_alike_get_one_number() -> None:
    rng = np.random.default_rng(1)
    sounds = rng.uniform(0.1, 2, (3, 97))
    observed = np.repeat(sounds[[0, 1, 0, 2, 1]], 500, axis=0) * rng.uniform(0.9, 1.1, (2500, 97))
    number = find_sets(observed.astype(np.float32), 3)
    assert np.mean(number == np.repeat([0, 1, 0, 2, 1], 500)) > 0.97


@pytest.mark.parametrize("frames", [1, 4, 11, 40])
@pytest.mark.parametrize("sets", [1, 26, None])
def test_short_recordings_have_at_least_one_set(frames: int, sets: int | None) -> None:
    observed: NDArray[np.float32] = np.random.default_rng(0).uniform(0.5, 1, (frames, 97)).astype(np.float32)
    number = find_sets(observed, sets)
    assert len(number) == frames
    assert number.min() == 0


def test_silence_is_no_set() -> None:
    assert set(find_sets(np.zeros((500, 97), np.float32), 3).tolist()) == {SILENT}
    assert segment_without_score(ArraySource(np.zeros((1, RATE), np.float32), RATE), 3, Progress()) == ()
