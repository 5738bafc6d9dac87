"""Correcting an alignment by hand: each edit can be undone exactly, keeps the points by hand, and the map rising."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_scores import even_alignment, scale_score

from scoresep.edits import alignment as alignment_edits
from scoresep.edits import project as edits
from scoresep.errors import UsageError
from scoresep.model.alignment import Alignment
from scoresep.model.audio import Recording
from scoresep.model.project import Change, Project, ScoreFile, apply_change
from scoresep.model.segments import Activity
from scoresep.model.time_warping import WarpExtent, room_for, room_for_block
from scoresep.model.timemap import SyncPoint

QUARTER, START = 22050, 10_000
RECORDING = Recording("take.wav", "ab", START + 32 * QUARTER + 20_000, 2, 44100)


@cache
def made() -> Project:
    """Eight bars of quarters, and a sync point at every quarter, as the aligner makes them."""
    score = scale_score(8)
    project = apply_change(Project(), edits.set_score(Project(), ScoreFile("a.xml", "01"), score))
    project = apply_change(project, edits.set_recording(project, RECORDING))
    assert project.unfolded is not None
    alignment = even_alignment(project.unfolded, QUARTER, START)
    quarters = np.arange(33.0)
    frames = alignment.time_map.quarters_to_frames(quarters)
    alignment = replace(
        alignment, time_map=replace(alignment.time_map, quarter=quarters, frame=frames, is_by_hand=np.zeros(33, bool))
    )
    return apply_change(project, edits.set_alignment(project, alignment, edits.derive_activities(project, alignment)))


def aligned(project: Project) -> Alignment:
    assert project.alignment is not None
    return project.alignment


def done(project: Project, change: Change) -> Project:
    """Apply a change and hold what every edit keeps."""
    after = apply_change(project, change)
    assert apply_change(after, change.inverse) == project, "it can be taken back exactly"
    time_map, unfolded = aligned(after).time_map, after.unfolded
    assert unfolded is not None
    for point in after.hand_points:
        quarter = alignment_edits.quarter_of(unfolded, point)
        assert time_map.quarter_to_frame(quarter) == point.frame, "a point by hand is kept exactly"
        here = np.abs(unfolded.notes.onset_quarter - quarter) < 1e-4
        assert not here.any() or point.frame in aligned(after).note_times.onset_frame[here]
    assert time_map.is_by_hand.sum() == len(after.hand_points)
    assert np.all(np.diff(time_map.frame) > 0), "the map keeps rising"
    assert np.all(aligned(after).note_times.offset_frame > aligned(after).note_times.onset_frame)
    return after


def moved_rows(before: Project, after: Project) -> np.ndarray:
    assert before.unfolded is not None
    shift = aligned(after).note_times.onset_frame - aligned(before).note_times.onset_frame
    return before.unfolded.notes.onset_quarter[np.abs(shift) > 1]


Step = tuple[str, int, float, float]
steps = st.lists(
    st.tuples(
        st.sampled_from(["near", "onward", "neighbours", "shift", "free", "block"]),
        st.integers(0, 7),
        st.sampled_from([1.0, 2.0, 2.5, 3.75]),
        st.floats(0, 1),
    ),
    min_size=1,
    max_size=7,
)


@example([("near", 0, 1.0, 0.0), ("near", 1, 2.0, 0.0), ("shift", 1, 1.0, 0.0)])  # two points on neighbouring frames
@example([("near", 0, 1.0, 0.0), ("near", 2, 1.0, 0.0), ("block", 0, 1.0, 0.0)])  # a block within a single frame
@settings(deadline=None, max_examples=200)
@given(steps)
def test_whatever_is_done_in_whatever_order(doings: list[Step]) -> None:
    project = made()
    for what, bar, beat, place in doings:
        unfolded = project.unfolded
        assert unfolded is not None
        point = SyncPoint(bar, 1, beat, 0)
        quarter = alignment_edits.quarter_of(unfolded, point)
        if what == "block":
            last = replace(point, measure_index=min(bar + round(3 * place), 7), beat=4.0)
            room = room_for_block(
                aligned(project).time_map, quarter, alignment_edits.quarter_of(unfolded, last), RECORDING.frames
            )
            if room[0] <= room[1]:
                shift = round(room[0] + place * (room[1] - room[0]))
                project = done(project, alignment_edits.shift_block(project, point, last, shift))
            continue
        low, high = room_for(aligned(project).time_map, quarter, RECORDING.frames, what == "shift")
        if high < low:
            continue
        point = replace(point, frame=round(low + place * (high - low)))
        if what == "free":
            if project.hand_points:
                project = done(project, alignment_edits.free_point(project, project.hand_points[0]))
        elif what == "shift":
            project = done(project, alignment_edits.shift_after(project, point))
        else:
            project = done(project, edits.place_bar(project, point, WarpExtent(what)))


@given(st.integers(2, 6), st.integers(-7000, 7000))
def test_a_near_correction_stays_within_its_bars(bar: int, shift: int) -> None:
    project = made()
    frame = START + 4 * bar * QUARTER + shift
    after = done(project, edits.place_bar(project, SyncPoint(bar, 1, 1.0, frame), WarpExtent.NEAR))
    touched = moved_rows(project, after)
    assert np.all((touched > 4 * bar - 4) & (touched < 4 * bar + 4))


def test_a_large_near_correction_reaches_further_instead_of_tearing_the_tempo() -> None:
    project = made()
    after = done(project, edits.place_bar(project, SyncPoint(4, 1, 1.0, START + 18 * QUARTER), WarpExtent.NEAR))
    lengths = np.diff(aligned(after).time_map.frame) / QUARTER
    assert lengths.min() > 0.6 and lengths.max() < 1.4


@given(st.integers(1, 6), st.integers(-20_000, 9000))
def test_onward_moves_all_that_comes_after(bar: int, shift: int) -> None:
    project = made()
    frame = START + 4 * bar * QUARTER + shift
    after = done(project, edits.place_bar(project, SyncPoint(bar, 1, 1.0, frame), WarpExtent.ONWARD))
    assert project.unfolded is not None
    late = project.unfolded.notes.onset_quarter >= 4 * bar
    onset = aligned(after).note_times.onset_frame - aligned(project).note_times.onset_frame
    assert np.all(np.abs(onset[late] - shift) <= 1)


@given(st.integers(-30_000, 15_000))
def test_shifting_the_rest_takes_points_by_hand_along_and_leaves_the_earlier_ones(shift: int) -> None:
    project = made()
    for bar in (1, 3, 6):
        point = SyncPoint(bar, 1, 1.0, START + 4 * bar * QUARTER)
        project = done(project, edits.place_bar(project, point, WarpExtent.NEAR))
    after = done(project, alignment_edits.shift_after(project, SyncPoint(3, 1, 1.0, START + 12 * QUARTER + shift)))
    frames = [p.frame - q.frame for p, q in zip(after.hand_points, project.hand_points, strict=True)]
    assert frames == [0, shift, shift]
    assert not np.any(moved_rows(project, after) <= 4)


def test_shifting_is_refused_where_a_point_would_leave_the_recording_or_pass_its_neighbour() -> None:
    project = made()
    project = done(project, edits.place_bar(project, SyncPoint(7, 1, 1.0, RECORDING.frames - 100), WarpExtent.NEAR))
    with pytest.raises(UsageError, match="leave the recording"):
        alignment_edits.shift_after(project, SyncPoint(2, 1, 1.0, START + 8 * QUARTER + 200))
    project = done(made(), edits.place_bar(made(), SyncPoint(1, 1, 1.0, 98_200)))
    with pytest.raises(UsageError, match="neighbour"):
        alignment_edits.shift_after(project, SyncPoint(2, 1, 1.0, 98_200))


@settings(deadline=None)
@given(st.integers(-QUARTER, QUARTER), st.booleans())
def test_a_block_moves_as_one_and_points_by_hand_around_it_stay(shift: int, has_points: bool) -> None:
    project = made()
    for bar, beat in ((1, 1.0), (4, 3.0), (6, 1.0)) if has_points else ():
        frame = START + round((4 * bar + beat - 1) * QUARTER) + 40
        project = done(project, edits.place_bar(project, SyncPoint(bar, 1, beat, frame), WarpExtent.NEAR))
    first, last = SyncPoint(3, 1, 1.0, 0), SyncPoint(4, 1, 4.0, 0)
    after = done(project, alignment_edits.shift_block(project, first, last, shift))
    assert project.unfolded is not None
    quarters, times = project.unfolded.notes.onset_quarter, aligned(after).note_times
    onset = times.onset_frame - aligned(project).note_times.onset_frame
    inside = (quarters >= 12) & (quarters <= 19)
    assert np.all(onset[inside] == shift), "what is selected keeps its shape to the frame"
    away = (quarters <= 4) | (quarters >= 24)
    assert np.all(onset[away] == 0), "a bar away, or beyond a point by hand, nothing moves"
    bent = np.abs(onset[~inside & ~away])
    assert np.all(bent <= abs(shift)) and (abs(shift) < 10 or bent.max() > 0)
    tempo = np.diff(aligned(after).time_map.frame) / QUARTER
    assert has_points or (tempo.min() > 0.6 and tempo.max() < 1.4)
    moved = {
        p.frame - q.frame
        for p in after.hand_points
        for q in project.hand_points
        if (p.measure_index, p.beat) == (q.measure_index, q.beat)
    }
    assert moved == ({0, shift} if has_points else set())
    assert len(after.hand_points) == (5 if has_points else 2)


def test_a_block_is_not_moved_past_a_point_by_hand_nor_out_of_the_recording() -> None:
    project = done(made(), edits.place_bar(made(), SyncPoint(5, 1, 1.0, START + 20 * QUARTER), WarpExtent.NEAR))
    first, last = SyncPoint(3, 1, 1.0, 0), SyncPoint(4, 1, 4.0, 0)
    after = done(project, alignment_edits.shift_block(project, first, last, QUARTER - 1))
    with pytest.raises(UsageError, match="move it by less"):
        alignment_edits.shift_block(project, first, last, QUARTER)
    with pytest.raises(UsageError, match="move it by less"):
        alignment_edits.shift_block(after, SyncPoint(0, 1, 1.0, 0), SyncPoint(1, 1, 1.0, 0), -START - 1)


def test_one_position_alone_is_a_block_too() -> None:
    point = SyncPoint(3, 1, 1.0, START + 12 * QUARTER + 500)
    placed = done(made(), edits.place_bar(made(), point, WarpExtent.NEAR))
    shifted = done(made(), alignment_edits.shift_block(made(), point, point, 500))
    assert aligned(shifted).time_map == aligned(placed).time_map and shifted.hand_points == placed.hand_points


def test_a_freed_point_stays_where_it_is_and_is_no_longer_by_hand() -> None:
    point = SyncPoint(2, 1, 3.0, START + 10 * QUARTER + 900)
    project = done(made(), edits.place_bar(made(), point, WarpExtent.NEAR))
    after = done(project, alignment_edits.free_point(project, point))
    assert after.hand_points == () and aligned(after).note_times == aligned(project).note_times
    with pytest.raises(UsageError, match="no point placed by hand"):
        alignment_edits.free_point(after, point)


def test_edges_on_notes_follow_and_edges_in_the_sound_stay() -> None:
    project = made()
    on_note, in_sound = START + 8 * QUARTER, START + 16 * QUARTER + 5000
    violin = Activity(0, np.array([START, on_note]), np.array([START + 6 * QUARTER, in_sound]), np.array([False, True]))
    assert project.activities is not None
    project = replace(project, activities=(violin, project.activities[1]))
    after = done(project, edits.place_bar(project, SyncPoint(2, 1, 1.0, on_note + 4000), WarpExtent.NEAR))
    assert after.activities is not None
    assert after.activities[0].start_frame.tolist() == [START, on_note + 4000]
    assert after.activities[0].end_frame.tolist()[1] == in_sound
    assert after.activities[0].is_by_hand is not None and after.activities[0].is_by_hand.tolist() == [False, True]


def test_a_new_alignment_goes_through_points_by_hand_only_when_asked_anew() -> None:
    project = made()
    assert project.unfolded is not None
    waiting = apply_change(project, edits.propose_alignment(project, even_alignment(project.unfolded, 20_000)))
    for change in (
        edits.place_bar(waiting, SyncPoint(2, 1, 1.0, 180_000), WarpExtent.NEAR),
        alignment_edits.shift_after(waiting, SyncPoint(2, 1, 1.0, 180_000)),
    ):
        assert apply_change(waiting, change).pending_alignment is None
