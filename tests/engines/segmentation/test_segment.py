"""Who plays when, in small recordings that do not do what their score says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from small_scores import Row, even_alignment, scale_score, score_of, straight

from scoresep.engines.segmentation import SegmentationOptions
from scoresep.engines.segmentation.segment import segment
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.audio import ArraySource
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import Activity, segments_of
from scoresep.progress import Progress

RATE = 22050
QUARTER_S = 0.5
LEAD_S = 10000 / RATE
TIMBRES = ((1.0, 0.6, 0.4, 0.3, 0.2), (1.0, 0.1, 0.5, 0.05, 0.3), (0.6, 1.0, 0.2, 0.4, 0.1))
MEASURES = 8
# A part's notes as they are played: part, pitch, onset and end in quarters.
Played = list[tuple[int, float, float, float]]


def trio() -> UnfoldedScore:
    """Three parts, eight bars; the first rests in bar 4, the third in bars 5 and 6."""
    scales = ((72, 74, 76, 77, 79, 81, 77, 76), (64, 65, 62, 60, 65, 64, 67, 62), (48, 53, 55, 50, 52, 57, 53, 55))
    rows: list[Row] = [
        (part, measure, float(beat), 1.0, float(scales[part][(3 * measure + beat + part) % 8]))
        for part in range(3)
        for measure in range(MEASURES)
        for beat in range(4)
        if (part, measure) not in ((0, 3), (2, 4), (2, 5))
    ]
    return straight(score_of(rows, MEASURES, ("Flute", "Oboe", "Cello")))


def as_written(unfolded: UnfoldedScore) -> Played:
    notes = unfolded.notes
    end = notes.onset_quarter + notes.duration_quarter
    return list(
        zip(
            notes.part_index.tolist(),
            notes.pitch_midi.tolist(),
            notes.onset_quarter.tolist(),
            end.tolist(),
            strict=True,
        )
    )


def recorded(played: Played) -> ArraySource:
    """Play notes with a different timbre for each part, with a little noise."""
    seconds = LEAD_S + (4 * MEASURES) * QUARTER_S + 2.0
    out = np.random.default_rng(0).normal(0, 1e-4, round(seconds * RATE))
    for part, pitch, start, end in played:
        length = round((end - start) * QUARTER_S * RATE) - round(0.02 * RATE)
        t = np.arange(length) / RATE
        tone = sum(
            size * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * (k + 1) * t)
            for k, size in enumerate(TIMBRES[part])
        )
        shape = np.minimum(1, t / 0.02) * np.minimum(1, (t[-1] - t) / 0.02)
        at = round((LEAD_S + start * QUARTER_S) * RATE)
        out[at : at + length] += 0.1 * tone * shape
    return ArraySource(out[None].astype(np.float32), RATE)


def alignment_of(unfolded: UnfoldedScore) -> Alignment:
    return even_alignment(unfolded, round(QUARTER_S * RATE), 10000)


def stretches_s(activity: Activity) -> NDArray[np.float64]:
    """Return start and end of every stretch in seconds from the first bar's start, shape (stretches, 2)."""
    return np.stack([activity.start_frame, activity.end_frame], axis=1) / RATE - LEAD_S


def found(played: Played, options: SegmentationOptions | None = None) -> list[NDArray[np.float64]]:
    unfolded = trio()
    source = recorded(played)
    activities = segment(source, unfolded, alignment_of(unfolded), Progress(), options or SegmentationOptions())
    assert [a.part_index for a in activities] == [0, 1, 2]
    assert segments_of(activities, source.frames)[-1].end_frame == source.frames
    return [stretches_s(a) for a in activities]


def test_a_performance_that_follows_the_score_is_segmented_as_written() -> None:
    result = found(as_written(trio()))
    np.testing.assert_allclose(result[0], [[0, 6], [8, 16]], atol=0.1)
    np.testing.assert_allclose(result[1], [[0, 16]], atol=0.1)
    np.testing.assert_allclose(result[2], [[0, 8], [12, 16]], atol=0.1)


def test_a_phrase_that_is_left_out_is_not_claimed() -> None:
    result = found([n for n in as_written(trio()) if not (n[0] == 1 and 8 <= n[2] < 16)])
    np.testing.assert_allclose(result[1], [[0, 4], [8, 16]], atol=0.1)
    np.testing.assert_allclose(result[0], [[0, 6], [8, 16]], atol=0.1)


def test_a_part_that_is_missing_altogether_is_silent() -> None:
    result = found([n for n in as_written(trio()) if n[0] != 1])
    assert len(result[1]) == 0
    np.testing.assert_allclose(result[2], [[0, 8], [12, 16]], atol=0.1)


def test_a_note_held_on_into_a_rest_ends_where_it_is_let_go() -> None:
    played = [(p, m, a, b + 3.0 if p == 2 and b == 16.0 else b) for p, m, a, b in as_written(trio())]
    result = found(played)
    np.testing.assert_allclose(result[2], [[0, 9.5], [12, 16]], atol=0.12)


def test_a_last_note_held_under_a_fermata_ends_where_it_is_let_go() -> None:
    played = [(p, m, a, b + 2.0 if b == 32.0 else b) for p, m, a, b in as_written(trio())]
    for stretches in found(played):
        assert stretches[-1, 1] == pytest.approx(17.0, abs=0.1)


def test_an_early_entry_is_heard() -> None:
    played = [(p, m, a - 1.5 if p == 0 and a == 16.0 else a, b) for p, m, a, b in as_written(trio())]
    np.testing.assert_allclose(found(played)[0], [[0, 6], [7.25, 16]], atol=0.12)


def test_the_scores_notes_alone_can_be_asked_for() -> None:
    options = SegmentationOptions(listens=False)
    result = found([n for n in as_written(trio()) if n[0] != 1], options)
    np.testing.assert_allclose(result[1], [[0, 16]], atol=1e-3)


def test_loudness_changes_nothing() -> None:
    unfolded = trio()
    source = recorded([n for n in as_written(unfolded) if not (n[0] == 1 and 8 <= n[2] < 16)])
    softer = ArraySource(source.read(0, source.frames) * np.float32(1 / 64), RATE)
    alignment = alignment_of(unfolded)
    assert segment(source, unfolded, alignment, Progress()) == segment(softer, unfolded, alignment, Progress())


def test_silence_and_doubtful_alignments_leave_the_score_as_it_is() -> None:
    unfolded = straight(scale_score())
    alignment = even_alignment(unfolded)
    silence = ArraySource(np.zeros((1, 400_000), np.float32), 44100)
    notes_alone = segment(silence, unfolded, alignment, Progress(), SegmentationOptions(listens=False))
    assert segment(silence, unfolded, alignment, Progress()) == notes_alone
    noise = ArraySource(np.random.default_rng(0).normal(0, 0.1, (1, 400_000)).astype(np.float32), 44100)
    doubtful = Alignment(alignment.time_map, alignment.note_times, confidence=0.1)
    assert segment(noise, unfolded, doubtful, Progress()) == notes_alone


def test_a_part_without_any_note_in_the_recording_stays_silent() -> None:
    unfolded = trio()
    alignment = alignment_of(unfolded)
    times = alignment.note_times
    present = unfolded.notes.part_index != 1
    without = NoteTimes(times.onset_frame, times.offset_frame, times.confidence, present)
    activities = segment(recorded(as_written(unfolded)), unfolded, Alignment(alignment.time_map, without), Progress())
    assert len(activities[1].start_frame) == 0
    assert len(activities[0].start_frame) == 2


def test_segments_are_surer_where_everything_is_as_the_score_has_it() -> None:
    unfolded = trio()
    played = [n for n in as_written(unfolded) if not (n[0] == 1 and 8 <= n[2] < 16)]
    sure = []
    for notes in (as_written(unfolded), played):
        source = recorded(notes)
        segments = segments_of(segment(source, unfolded, alignment_of(unfolded), Progress()), source.frames)
        assert all(s.confidence is not None and 0 <= s.confidence <= 1 for s in segments)
        lengths = np.array([s.end_frame - s.start_frame for s in segments])
        sure.append(float(np.average([s.confidence or 0.0 for s in segments], weights=lengths)))
    assert min(sure) > 0.7
    assert sure[0] >= sure[1] - 0.01


def test_a_segmentation_by_the_score_alone_states_no_confidence() -> None:
    unfolded = trio()
    source = recorded(as_written(unfolded))
    options = SegmentationOptions(listens=False)
    activities = segment(source, unfolded, alignment_of(unfolded), Progress(), options)
    assert {s.confidence for s in segments_of(activities, source.frames)} == {None}
