"""Laws of the whole alignment, on audio that is made here."""

from __future__ import annotations

import numpy as np
import pytest
from engines_audio import RATE, PlaybackController, melody_rows, play
from small_scores import score_of, straight

from scoresep.engines.alignment import AlignmentOptions
from scoresep.engines.alignment.align import align
from scoresep.errors import AlignmentError, Cancelled
from scoresep.model.alignment import Alignment
from scoresep.model.audio import ArraySource
from scoresep.model.score import UnfoldedScore
from scoresep.progress import Progress

MEASURES = 8


def piece(seed: int = 1, measures: int = MEASURES) -> UnfoldedScore:
    return straight(score_of(melody_rows(seed, 2, measures), measures))


def aligned(source: ArraySource, unfolded: UnfoldedScore, **options: object) -> Alignment:
    return align(source, unfolded, AlignmentOptions(**options), Progress())  # type: ignore[arg-type]


def errors_s(alignment: Alignment, onset_s: np.ndarray) -> np.ndarray:
    present = alignment.note_times.is_present
    return np.abs(alignment.note_times.onset_frame / RATE - onset_s)[present]


@pytest.fixture(scope="module")
def plain() -> tuple[UnfoldedScore, ArraySource, np.ndarray, Alignment]:
    unfolded = piece()
    source, onset_s = play(unfolded)
    return unfolded, source, onset_s, aligned(source, unfolded)


def test_notes_are_found_where_they_begin(
    plain: tuple[UnfoldedScore, ArraySource, np.ndarray, Alignment],
) -> None:
    _, source, onset_s, alignment = plain
    times = alignment.note_times
    assert times.is_present.all()
    assert np.quantile(errors_s(alignment, onset_s), 0.95) < 0.03
    assert (times.offset_frame >= times.onset_frame).all()
    assert (times.offset_frame <= source.frames).all()
    assert alignment.confidence > 0.9
    assert np.median(times.confidence) > 0.8
    assert alignment.warnings == ()


def test_time_map_rises_and_starts_with_the_first_note(
    plain: tuple[UnfoldedScore, ArraySource, np.ndarray, Alignment],
) -> None:
    _, _, onset_s, alignment = plain
    assert (np.diff(alignment.time_map.frame) > 0).all()
    assert (np.diff(alignment.time_map.quarter) > 0).all()
    assert abs(alignment.time_map.quarter_to_frame(0.0) / RATE - onset_s.min()) < 0.03


def test_same_input_gives_same_alignment(plain: tuple[UnfoldedScore, ArraySource, np.ndarray, Alignment]) -> None:
    unfolded, source, _, alignment = plain
    assert aligned(source, unfolded) == alignment


@pytest.mark.parametrize("shift_frames", [RATE // 10, 3 * RATE + 17])
def test_shifting_the_sound_shifts_the_alignment(
    plain: tuple[UnfoldedScore, ArraySource, np.ndarray, Alignment], shift_frames: int
) -> None:
    unfolded, source, _, alignment = plain
    later = ArraySource(np.pad(source.read(0, source.frames), ((0, 0), (shift_frames, 0))), RATE)
    moved = aligned(later, unfolded).note_times.onset_frame - alignment.note_times.onset_frame
    assert np.abs(moved - shift_frames).max() <= 0.011 * RATE


@pytest.mark.parametrize(("semitones", "cents"), [(3, 0.0), (-6, 20.0), (0, 40.0), (0, -45.0)])
def test_other_keys_and_tunings_are_found(semitones: int, cents: float) -> None:
    unfolded = piece()
    source, onset_s = play(unfolded, PlaybackController(semitones=semitones, cents=cents))
    alignment = aligned(source, unfolded)
    assert alignment.transposition_semitones == semitones
    assert abs(alignment.tuning_cents - cents) < 8
    assert np.quantile(errors_s(alignment, onset_s), 0.9) < 0.04


@pytest.mark.parametrize("quarter_s", [0.34, 1.3])
def test_half_and_double_tempo(quarter_s: float) -> None:
    unfolded = piece()
    source, onset_s = play(unfolded, PlaybackController(quarter_s=quarter_s))
    assert np.quantile(errors_s(aligned(source, unfolded), onset_s), 0.9) < 0.04


def test_recording_that_stops_before_the_score_does() -> None:
    unfolded = piece(2, 16)
    stop_s = 13.2
    source, onset_s = play(unfolded, PlaybackController(stop_s=stop_s))
    alignment = aligned(source, unfolded)
    is_played = onset_s < stop_s
    assert (alignment.note_times.is_present == is_played).mean() > 0.96
    assert np.quantile(np.abs(alignment.note_times.onset_frame / RATE - onset_s)[is_played], 0.9) < 0.04
    assert (alignment.note_times.confidence[~alignment.note_times.is_present] == 0).all()


def test_silence_and_noise_at_the_ends_belong_to_no_note() -> None:
    unfolded = piece()
    source, onset_s = play(unfolded, PlaybackController(lead_s=8.0, tail_s=7.0))
    noise = np.random.default_rng(0).normal(0, 0.002, source.frames)
    noisy = ArraySource(source.read(0, source.frames) + noise[None].astype(np.float32), RATE)
    alignment = aligned(noisy, unfolded)
    assert alignment.note_times.is_present.mean() > 0.97
    assert np.quantile(errors_s(alignment, onset_s), 0.9) < 0.04


def test_part_that_leaves_bars_out_is_noticed() -> None:
    rows = melody_rows(3, 3, 10)
    whole = straight(score_of(rows, 10, ("A", "B", "C")))
    left_out = straight(score_of([r for r in rows if not (r[0] == 1 and 4 <= r[1] < 7)], 10, ("A", "B", "C")))
    source, _ = play(left_out)
    alignment = aligned(source, whole)
    notes, present = whole.notes, alignment.note_times.is_present
    is_missing = (notes.part_index == 1) & (notes.onset_quarter >= 16) & (notes.onset_quarter < 28)
    assert present[is_missing].mean() < 0.5
    assert present[~is_missing].mean() > 0.95


def test_points_by_hand_are_kept_exactly(plain: tuple[UnfoldedScore, ArraySource, np.ndarray, Alignment]) -> None:
    unfolded, source, _, alignment = plain
    automatic = alignment.time_map.quarter_to_frame(8.0)
    points = ((8.0, automatic + 1111), (20.0, alignment.time_map.quarter_to_frame(20.0) - 777))
    by_hand = aligned(source, unfolded, fixed_points=points)
    for quarter, frame in points:
        assert by_hand.time_map.quarter_to_frame(quarter) == frame
        at = np.abs(unfolded.notes.onset_quarter - quarter) < 1e-6
        assert (by_hand.note_times.onset_frame[at] == frame).all()
        assert (by_hand.note_times.confidence[at] == 1).all()
    assert by_hand.time_map.is_by_hand.sum() == 2
    assert (np.diff(by_hand.time_map.frame) > 0).all()


def test_score_of_another_piece_is_recognised() -> None:
    unfolded = piece(1, 12)
    source, _ = play(piece(99, 12))
    alignment = aligned(source, unfolded)
    assert alignment.confidence < 0.5
    assert len(alignment.warnings) == 1
    assert alignment.note_times.confidence.mean() < 0.4


def test_stereo_out_of_phase_is_heard(plain: tuple[UnfoldedScore, ArraySource, np.ndarray, Alignment]) -> None:
    unfolded, source, onset_s, _ = plain
    samples = source.read(0, source.frames)
    both = ArraySource(np.concatenate([samples, -samples]), RATE)
    assert np.quantile(errors_s(aligned(both, unfolded), onset_s), 0.9) < 0.03


def test_silence_and_empty_scores_are_refused_in_a_sentence() -> None:
    unfolded = piece()
    with pytest.raises(AlignmentError, match="no sound"):
        aligned(ArraySource(np.zeros((1, 3 * RATE), np.float32), RATE), unfolded)
    with pytest.raises(AlignmentError, match="no notes"):
        aligned(ArraySource(np.zeros((1, 3 * RATE), np.float32), RATE), straight(score_of([], 1)))


def test_cancelling_stops_the_work() -> None:
    unfolded = piece()
    source, _ = play(unfolded)
    with pytest.raises(Cancelled):
        align(source, unfolded, AlignmentOptions(), Progress(is_cancelled=lambda: True))


@pytest.mark.parametrize("seconds", [0.05, 0.4])
def test_very_short_recordings_do_no_harm(seconds: float) -> None:
    unfolded = piece(1, 1)
    source, _ = play(unfolded, PlaybackController(lead_s=0.0))
    short = ArraySource(source.read(0, round(seconds * RATE)), RATE)
    alignment = aligned(short, unfolded)
    assert len(alignment.note_times) == len(unfolded.notes)
