"""Confidence means something: low where the recording is not what the score has, high where it is."""

from __future__ import annotations

import numpy as np
import pytest
from engines_audio import RATE, PlaybackController, melody_rows, play
from small_scores import score_of, straight

from scoresep.engines.alignment import AlignmentOptions
from scoresep.engines.alignment.align import align
from scoresep.engines.alignment.confidence import NoteEvidence, note_confidence, unsteadiness
from scoresep.model.audio import ArraySource
from scoresep.model.quality import DOUBTFUL_CONFIDENCE
from scoresep.progress import Progress

MEASURES = 16


def evidence_of(absence: np.ndarray, **changed: np.ndarray) -> NoteEvidence:
    count = len(absence)
    columns = {
        "part_index": np.arange(count) % 2,
        "onset_s": 0.3 * np.arange(count),
        "absence": absence,
        "left_out": np.full(count, 0.01),
        "unsteadiness": np.zeros(count),
    }
    return NoteEvidence(**(columns | changed))


def test_doubtful_places_are_those_where_the_recording_departs() -> None:
    unfolded = straight(score_of(melody_rows(3, 2, MEASURES), MEASURES))
    source, onset_s = play(unfolded, PlaybackController(quarter_s=0.5))
    samples = source.read(0, source.frames).copy()
    first, last = round(12 * RATE), round(19 * RATE)
    samples[:, first:last] = samples[:, first:last][:, ::-1]
    times = align(ArraySource(samples, RATE), unfolded, AlignmentOptions(), Progress()).note_times
    there = times.is_present
    is_wrong = np.abs(times.onset_frame / RATE - onset_s) > 0.1
    is_doubtful = times.confidence < DOUBTFUL_CONFIDENCE
    assert (is_wrong & there).sum() >= 5
    assert is_wrong[there & is_doubtful].mean() > 3 * is_wrong[there].mean()
    assert is_doubtful[there & is_wrong].mean() > 0.5
    assert times.confidence[there & ((onset_s < 10) | (onset_s > 21))].mean() > 0.9


def test_notes_of_a_strange_score_are_doubtful() -> None:
    unfolded, other = (straight(score_of(melody_rows(seed, 2, MEASURES), MEASURES)) for seed in (5, 6))
    times = align(play(other)[0], unfolded, AlignmentOptions(), Progress()).note_times
    assert (times.confidence < DOUBTFUL_CONFIDENCE).all()


def test_what_is_rather_absent_left_out_or_hurried_is_less_sure() -> None:
    observed = np.full(40, -5.0)
    sure = note_confidence(evidence_of(observed), 1.0)
    assert (sure > 0.9).all()
    doubts = {
        "absence": np.where(np.arange(40) % 2, 3.0, -5.0),
        "left_out": np.where(np.arange(40) == 7, 0.45, 0.01),
        "unsteadiness": np.where(np.arange(40) == 7, 0.7, 0.0),
    }
    for name, values in doubts.items():
        changed = {name: values}
        less = note_confidence(evidence_of(changed.pop("absence", observed), **changed), 1.0)
        assert less[7] < sure[7] - 0.02, name
        assert (less <= sure + 1e-9).all(), name


def test_unknown_notes_are_as_sure_as_those_beside_them() -> None:
    absence = np.full(20, -5.0)
    absence[10] = np.nan
    confidence = note_confidence(evidence_of(absence), 1.0)
    assert confidence[10] == pytest.approx(confidence[8], abs=0.05)


def test_a_steady_tempo_is_steady_and_a_stop_is_not() -> None:
    quarter = np.arange(30.0)
    steady = unsteadiness(0.5 * quarter, 0.6 * quarter, quarter)
    np.testing.assert_allclose(steady, 0, atol=1e-9)
    stopped_s = 0.5 * quarter + 2.0 * (quarter > 14.5)
    off = unsteadiness(stopped_s, 0.6 * quarter, quarter)
    assert set(np.argsort(off)[-2:]) == {14, 15}
    assert off[14] > 0.7
    assert len(unsteadiness(quarter[:2], quarter[:2], quarter[:2])) == 2
