"""Recordings that hold more, or less, than their score: the notes are right, the rest is told; on audio made here."""

from __future__ import annotations

import numpy as np
import pytest
from engines_audio import RATE, PlaybackController, melody_rows, play
from small_scores import score_of, straight

from scoresep.engines.alignment import AlignmentOptions
from scoresep.engines.alignment.align import align
from scoresep.model.alignment import Alignment
from scoresep.model.audio import ArraySource
from scoresep.model.score import UnfoldedScore
from scoresep.progress import Progress

MEASURES = 16
QUARTER_S = 0.5
BAR_S = 4 * QUARTER_S
LEAD_S = 0.5


@pytest.fixture(scope="module")
def piece() -> UnfoldedScore:
    return straight(score_of(melody_rows(7, 3, MEASURES), MEASURES, ("A", "B", "C")))


@pytest.fixture(scope="module")
def samples(piece: UnfoldedScore) -> np.ndarray:
    source, _ = play(piece, PlaybackController(lead_s=LEAD_S, quarter_s=QUARTER_S))
    return source.read(0, source.frames)[0]


def bars(samples: np.ndarray, first: int, last: int) -> np.ndarray:
    """Return the sound from the beginning of a bar to that of another, counted from 0."""
    start, stop = ((LEAD_S + bar * BAR_S - 0.03) * RATE if bar else 0 for bar in (first, last))
    out = samples[round(start) : round(stop)].copy()
    ramp = np.linspace(0, 1, 100)
    out[:100] *= ramp
    out[-100:] *= ramp[::-1]
    return out


def talk(seconds: float) -> np.ndarray:
    """Return noise in bursts, as loud as the music."""
    rng = np.random.default_rng(3)
    length = round(seconds * RATE)
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * np.arange(length) / RATE)
    return np.asarray(0.05 * rng.normal(size=length) * swell, np.float32)


def aligned(piece: UnfoldedScore, *sounds: np.ndarray) -> Alignment:
    source = ArraySource(np.concatenate(sounds).astype(np.float32)[None], RATE)
    return align(source, piece, AlignmentOptions(), Progress())


def late_s(alignment: Alignment, piece: UnfoldedScore, first: int, last: int, bar_at_s: float) -> np.ndarray:
    """Return by how much the notes of some bars are off, of which the first begins at a time; all must be there."""
    quarter = piece.notes.onset_quarter
    here = (quarter >= 4 * first) & (quarter < 4 * last)
    assert alignment.note_times.is_present[here].mean() > 0.95
    here &= alignment.note_times.is_present
    truth_s = bar_at_s + (quarter[here] - 4 * first) * QUARTER_S
    return np.abs(alignment.note_times.onset_frame[here] / RATE - truth_s)


@pytest.mark.parametrize(("sound", "word"), [(talk(9.0), "sound"), (np.zeros(9 * RATE), "silence")])
def test_talk_or_silence_between_two_bars(
    piece: UnfoldedScore, samples: np.ndarray, sound: np.ndarray, word: str
) -> None:
    alignment = aligned(piece, bars(samples, 0, 7), sound, bars(samples, 7, MEASURES))
    gap_s = LEAD_S + 7 * BAR_S
    assert np.quantile(late_s(alignment, piece, 0, 7, LEAD_S), 0.95) < 0.05
    assert np.quantile(late_s(alignment, piece, 7, MEASURES, gap_s + 9), 0.95) < 0.05
    assert len(alignment.warnings) == 1
    assert word in alignment.warnings[0]
    assert "0:14" in alignment.warnings[0]
    times = alignment.note_times
    inside = (times.onset_frame > (gap_s + 0.5) * RATE) & (times.onset_frame < (gap_s + 8.5) * RATE)
    assert not (inside & times.is_present).any()
    assert (times.offset_frame[times.onset_frame < gap_s * RATE] < (gap_s + 2) * RATE).all()


def test_bars_left_out_are_absent_and_named(piece: UnfoldedScore, samples: np.ndarray) -> None:
    alignment = aligned(piece, bars(samples, 0, 5), bars(samples, 9, MEASURES))
    quarter, present = piece.notes.onset_quarter, alignment.note_times.is_present
    assert present[(quarter >= 20) & (quarter < 36)].mean() < 0.1
    assert np.quantile(late_s(alignment, piece, 0, 5, LEAD_S), 0.95) < 0.05
    assert np.quantile(late_s(alignment, piece, 9, MEASURES, LEAD_S + 5 * BAR_S), 0.95) < 0.05
    assert alignment.warnings == ("The recording leaves out bars 6 to 9 at 0:10.",)


def test_a_passage_that_is_played_twice_counts_once(piece: UnfoldedScore, samples: np.ndarray) -> None:
    alignment = aligned(piece, bars(samples, 0, 9), bars(samples, 5, MEASURES))
    assert np.quantile(late_s(alignment, piece, 0, 5, LEAD_S), 0.95) < 0.05
    assert np.quantile(late_s(alignment, piece, 9, MEASURES, LEAD_S + 13 * BAR_S), 0.95) < 0.05
    assert any("once more" in w for w in alignment.warnings)


def test_an_excerpt_says_where_it_begins_and_ends(piece: UnfoldedScore, samples: np.ndarray) -> None:
    alignment = aligned(piece, bars(samples, 5, 11))
    assert np.quantile(late_s(alignment, piece, 5, 11, 0.03), 0.95) < 0.05
    quarter = piece.notes.onset_quarter
    assert not alignment.note_times.is_present[(quarter < 19) | (quarter > 45)].any()
    assert alignment.warnings == ("The recording begins in bar 6.", "The recording ends in bar 11.")
    assert alignment.confidence > 0.5


def test_a_score_of_one_movement_of_the_recording(piece: UnfoldedScore, samples: np.ndarray) -> None:
    other = straight(score_of(melody_rows(40, 3, 10), 10, ("A", "B", "C")))
    before, _ = play(other, PlaybackController(quarter_s=0.4))
    sound = before.read(0, before.frames)[0]
    alignment = aligned(piece, sound, samples, sound)
    start_s = len(sound) / RATE + LEAD_S
    assert np.quantile(late_s(alignment, piece, 0, MEASURES, start_s), 0.95) < 0.05
    assert sum("does not have" in w for w in alignment.warnings) == 2
    assert alignment.confidence > 0.5


@pytest.mark.parametrize("seconds", [3.0, 5.0, 9.0])
def test_a_short_excerpt_is_not_said_to_be_strange(piece: UnfoldedScore, samples: np.ndarray, seconds: float) -> None:
    alignment = aligned(piece, samples[: round((LEAD_S + seconds) * RATE)])
    assert alignment.confidence > 0.5
    assert np.quantile(late_s(alignment, piece, 0, int(seconds / BAR_S), LEAD_S), 0.9) < 0.05


def test_a_short_excerpt_of_another_piece_is(samples: np.ndarray) -> None:
    other = straight(score_of(melody_rows(60, 3, MEASURES), MEASURES, ("A", "B", "C")))
    assert aligned(other, samples[: 9 * RATE]).confidence < 0.5


@pytest.mark.parametrize("pace", [0.5, 2.0])
def test_twice_or_half_as_fast_as_marked_with_talk_between(pace: float) -> None:
    fast = straight(score_of(melody_rows(7, 3, 10), 10, ("A", "B", "C")))
    source, _ = play(fast, PlaybackController(lead_s=LEAD_S, quarter_s=60 / 90 / pace))
    sound = source.read(0, source.frames)[0]
    at = round((LEAD_S + 20 * 60 / 90 / pace - 0.03) * RATE)
    alignment = aligned(fast, sound[:at], talk(7.0), sound[at:])
    quarter = fast.notes.onset_quarter
    truth_s = LEAD_S + quarter * 60 / 90 / pace + np.where(quarter >= 20, 7.0, 0.0)
    assert np.quantile(np.abs(alignment.note_times.onset_frame / RATE - truth_s), 0.9) < 0.05
