"""The last chord ends where it falls silent, however long the players hold it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engines_audio import RATE, melody_rows, play_tones
from small_scores import score_of, straight

from scoresep.engines.alignment import AlignmentOptions
from scoresep.engines.alignment.align import align
from scoresep.engines.alignment.note_times import RATE_HZ, last_sound_end_s
from scoresep.engines.alignment.onset_detection import DB_SCALE, OnsetSpectrogram
from scoresep.model.alignment import Alignment
from scoresep.model.score import UnfoldedScore
from scoresep.progress import Progress

MEASURES, QUARTER_S, LEAD_S = 6, 0.6, 0.5


def levels_of(level_db: np.ndarray) -> OnsetSpectrogram:
    overall = np.stack([level_db / DB_SCALE, np.zeros(len(level_db))], axis=1).astype(np.float32)
    nothing = np.zeros((0, 0), np.float16)
    return OnsetSpectrogram(nothing, nothing, overall)


def sound(end_s: float, fading_db_per_s: float = 0.0) -> OnsetSpectrogram:
    """Make a level that stays from 1 s to `end_s`, or fades, and then falls in no time."""
    time_s = np.arange(round(8 * RATE_HZ)) / RATE_HZ
    level_db = -10 - fading_db_per_s * (time_s - 1)
    return levels_of(np.where((time_s >= 1) & (time_s < end_s), level_db, -70.0))


@pytest.mark.parametrize("end_s", [1.75, 2.3, 2.9])
@pytest.mark.parametrize("fading_db_per_s", [0.0, 12.0])
def test_the_end_is_where_the_level_falls(end_s: float, fading_db_per_s: float) -> None:
    assert last_sound_end_s(sound(end_s, fading_db_per_s), 1.0, 2.0) == pytest.approx(end_s, abs=0.02)


def test_an_end_about_as_written_is_left_there() -> None:
    assert last_sound_end_s(sound(2.05), 1.0, 2.0) is None


def test_a_sound_that_goes_on_has_no_end() -> None:
    assert last_sound_end_s(sound(8.0), 1.0, 2.0) is None
    assert last_sound_end_s(sound(8.0), 7.9, 8.0) is None
    assert last_sound_end_s(sound(2.0), 9.0, 10.0) is None


def held(last_s: float) -> tuple[UnfoldedScore, float, Alignment]:
    """Align a piece whose last notes last so long; returns also when they end."""
    unfolded = straight(score_of(melody_rows(3, 2, MEASURES), MEASURES))
    notes = unfolded.notes
    onset_s, duration_s = LEAD_S + notes.onset_quarter * QUARTER_S, notes.duration_quarter * QUARTER_S
    is_last = notes.onset_quarter + notes.duration_quarter > 4 * MEASURES - 1e-6
    end_s = float((onset_s + duration_s).max()) + last_s
    duration_s = np.where(is_last, end_s - onset_s, duration_s)
    tones = list(zip(onset_s, duration_s, notes.pitch_midi, strict=True))
    return unfolded, end_s, align(play_tones(tones, 2.0), unfolded, AlignmentOptions(), Progress())


@pytest.mark.parametrize("longer_s", [0.0, 0.6])
def test_a_last_chord_that_is_held_ends_when_it_is_let_go(longer_s: float) -> None:
    unfolded, end_s, alignment = held(longer_s)
    ends = unfolded.notes.onset_quarter + unfolded.notes.duration_quarter
    last = ends > ends.max() - 1e-6
    np.testing.assert_allclose(alignment.note_times.offset_frame[last] / RATE, end_s, atol=0.3)
    assert (np.diff(alignment.time_map.frame) > 0).all()


def test_an_end_placed_by_hand_stays() -> None:
    unfolded, end_s, _ = held(0.6)
    notes = unfolded.notes
    tones = list(
        zip(LEAD_S + notes.onset_quarter * QUARTER_S, notes.duration_quarter * QUARTER_S, notes.pitch_midi, strict=True)
    )
    by_hand = round((end_s - 1.0) * RATE)
    options = replace(AlignmentOptions(), fixed_points=((float(unfolded.end_quarter), by_hand),))
    alignment = align(play_tones(tones), unfolded, options, Progress())
    assert alignment.time_map.quarter_to_frame(unfolded.end_quarter) == by_hand
