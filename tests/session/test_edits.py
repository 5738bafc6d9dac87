"""Every edit says what differs, can be taken back, and loses nothing that a person has made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_scores import even_alignment, scale_score, score_of

from scoresep.edits import project as edits
from scoresep.errors import UsageError
from scoresep.model.audio import Recording
from scoresep.model.path import PathChoices
from scoresep.model.project import Change, Project, ScoreFile, apply_change
from scoresep.model.segments import Activity
from scoresep.model.timemap import SyncPoint

RECORDING = Recording("take.wav", "ab", 600_000, 2, 44100)


def made(**measure_values: object) -> Project:
    score = scale_score(4, **measure_values)
    project = apply_change(Project(), edits.set_score(Project(), ScoreFile("a.xml", "01"), score))
    project = apply_change(project, edits.set_recording(project, RECORDING))
    assert project.unfolded is not None
    alignment = even_alignment(project.unfolded)
    return apply_change(project, edits.set_alignment(project, alignment, edits.derive_activities(project, alignment)))


def assert_can_be_undone(project: Project, change: Change) -> Project:
    after = apply_change(project, change)
    assert apply_change(after, change.inverse) == project
    return after


def test_another_recording_drops_what_was_heard_in_the_first() -> None:
    after = assert_can_be_undone(made(), edits.set_recording(made(), replace(RECORDING, content_key="cd")))
    assert after.alignment is None
    assert after.activities is None
    assert after.score is not None


def test_the_same_recording_at_another_place_keeps_everything() -> None:
    after = assert_can_be_undone(made(), edits.set_recording(made(), replace(RECORDING, path="moved.wav")))
    assert after.alignment is not None


def test_a_corrected_score_keeps_names_colours_and_points_by_hand_where_bars_fit() -> None:
    project = made()
    project = apply_change(project, edits.set_part(project, 1, "Rename", name="Basso", color="#123456"))
    project = apply_change(project, edits.place_bar(project, SyncPoint(1, 1, 1.0, 99_000)))
    project = apply_change(project, edits.place_bar(project, SyncPoint(3, 1, 1.0, 290_000)))
    corrected = scale_score(4)
    longer = replace(corrected.measures[3], duration_quarter=5.0)
    corrected = replace(corrected, measures=(*corrected.measures[:3], longer))
    after = assert_can_be_undone(project, edits.set_score(project, ScoreFile("b.xml", "02"), corrected))
    assert after.parts[1].name == "Basso"
    assert after.parts[1].color == "#123456"
    assert [(p.measure_index, p.frame) for p in after.hand_points] == [(1, 99_000)]
    assert after.alignment is None


def test_parts_are_found_again_by_name_when_their_order_changes() -> None:
    project = made()
    project = apply_change(project, edits.set_part(project, 0, "Colour", color="#abcdef"))
    turned = score_of([(0, 0, 0.0, 1.0, 60.0)], 4, ("Cello", "Violin", "Flute"))
    after = apply_change(project, edits.set_score(project, ScoreFile("b.xml", "02"), turned))
    assert [p.name for p in after.parts] == ["Cello", "Violin", "Flute"]
    assert after.parts[1].color == "#abcdef"


def test_leaving_a_repeat_out_shortens_the_path_and_taking_it_again_restores_it() -> None:
    project = made(repeat_passes={3: 2})
    assert project.path is not None
    assert len(project.path.measure_indices) == 8
    skipped = assert_can_be_undone(project, edits.choose_path(project, PathChoices(frozenset({3}))))
    assert skipped.path is not None
    assert len(skipped.path.measure_indices) == 4
    assert skipped.alignment is None
    again = apply_change(skipped, edits.choose_path(skipped, PathChoices()))
    assert again.path == project.path


@given(st.integers(1, 3), st.integers(-15_000, 15_000))
def test_a_bar_placed_by_hand_is_exactly_there_and_the_ends_move_along(bar: int, shift: int) -> None:
    project = made()
    assert project.alignment is not None
    assert project.unfolded is not None
    frame = project.alignment.time_map.quarter_to_frame(4.0 * bar) + shift
    after = assert_can_be_undone(project, edits.place_bar(project, SyncPoint(bar, 1, 1.0, frame)))
    assert after.alignment is not None
    assert after.alignment.time_map.quarter_to_frame(4.0 * bar) == frame
    moved = after.alignment.note_times.onset_frame - project.alignment.note_times.onset_frame
    assert np.all(np.abs(moved - shift) <= 2), "one point by hand shifts everything by as much"


def test_notes_beyond_a_neighbour_by_hand_stay() -> None:
    project = made()
    project = apply_change(project, edits.place_bar(project, SyncPoint(2, 1, 1.0, 10000 + 8 * 22050)))
    after = apply_change(project, edits.place_bar(project, SyncPoint(1, 1, 1.0, 10000 + 4 * 22050 + 5000)))
    assert project.alignment is not None
    assert after.alignment is not None
    assert project.unfolded is not None
    late = project.unfolded.notes.onset_quarter >= 8
    before_times, after_times = project.alignment.note_times, after.alignment.note_times
    assert np.all(np.abs(after_times.onset_frame[late] - before_times.onset_frame[late]) <= 1)
    assert after.alignment.time_map.is_by_hand.sum() == 2


def test_a_point_beyond_its_neighbour_is_refused() -> None:
    project = made()
    project = apply_change(project, edits.place_bar(project, SyncPoint(2, 1, 1.0, 150_000)))
    with pytest.raises(UsageError, match="neighbour"):
        edits.place_bar(project, SyncPoint(1, 1, 1.0, 160_000))


def test_absent_parts_never_sound_and_come_back() -> None:
    project = made()
    after = assert_can_be_undone(project, edits.set_part(project, 1, "Absent", is_absent=True))
    assert after.activities is not None
    assert len(after.activities[1].start_frame) == 0
    back = apply_change(after, edits.set_part(after, 1, "Present", is_absent=False))
    assert back.activities == project.activities


def test_a_part_joined_to_another_shares_its_stem_until_that_one_goes() -> None:
    project = made()
    joined = assert_can_be_undone(project, edits.set_part(project, 1, "Join", joined_to=0))
    assert joined.stem_of_part == (0, 0)
    with pytest.raises(UsageError, match="stem of its own"):
        edits.set_part(joined, 0, "Join", joined_to=1)
    gone = apply_change(joined, edits.set_part(joined, 0, "Absent", is_absent=True))
    assert gone.parts[1].joined_to is None
    assert gone.stem_of_part == (None, 0)


def test_a_new_alignment_waits_beside_the_present_one() -> None:
    project = made()
    assert project.unfolded is not None
    other = even_alignment(project.unfolded, 20000)
    waiting = assert_can_be_undone(project, edits.propose_alignment(project, other))
    assert waiting.alignment == project.alignment
    accepted = assert_can_be_undone(waiting, edits.accept_alignment(waiting))
    assert accepted.alignment == other
    assert accepted.pending_alignment is None
    rejected = assert_can_be_undone(waiting, edits.reject_alignment(waiting))
    assert rejected == project


def test_activity_made_by_hand_survives_a_new_segmentation() -> None:
    project = made()
    hand = Activity(0, np.array([1000, 500_000]), np.array([5000, 550_000]), np.array([True, True]))
    assert project.activities is not None
    project = replace(project, activities=(hand, project.activities[1]))
    found = edits.derive_activities(project, project.alignment)  # type: ignore[arg-type]
    after = apply_change(project, edits.set_activities(project, found))
    assert after.activities is not None
    kept = after.activities[0]
    assert {(1000, 5000), (500_000, 550_000)} <= set(
        zip(kept.start_frame.tolist(), kept.end_frame.tolist(), strict=True)
    )
    assert kept.is_by_hand is not None
    assert kept.is_by_hand.sum() == 2


def test_opening_the_same_score_again_loses_nothing() -> None:
    project = made()
    assert project.score is not None
    after = assert_can_be_undone(project, edits.set_score(project, ScoreFile("elsewhere.xml", "01"), project.score))
    assert after == replace(project, score_file=ScoreFile("elsewhere.xml", "01"))


def test_choosing_repeats_drops_an_alignment_that_waits_and_points_that_are_not_played() -> None:
    project = made(repeat_passes={1: 2})
    assert project.unfolded is not None
    project = apply_change(project, edits.place_bar(project, SyncPoint(1, 2, 1.0, 300_000)))
    project = apply_change(project, edits.propose_alignment(project, even_alignment(project.unfolded, 20_000)))
    after = assert_can_be_undone(project, edits.choose_path(project, PathChoices(frozenset({1}))))
    assert after.pending_alignment is None and after.hand_points == ()


def test_points_that_a_corrected_score_no_longer_plays_or_plays_in_another_order_are_dropped() -> None:
    project = made(repeat_passes={1: 2})
    for point in (SyncPoint(0, 2, 1.0, 200_000), SyncPoint(3, 1, 1.0, 480_000)):
        project = apply_change(project, edits.place_bar(project, point))
    after = apply_change(project, edits.set_score(project, ScoreFile("b.xml", "02"), scale_score(4)))
    assert [p.measure_index for p in after.hand_points] == [3]


def test_a_bar_placed_by_hand_drops_the_alignment_that_waits_since_that_does_not_know_of_it() -> None:
    project = made()
    assert project.unfolded is not None
    waiting = apply_change(project, edits.propose_alignment(project, even_alignment(project.unfolded, 20_000)))
    after = assert_can_be_undone(waiting, edits.place_bar(waiting, SyncPoint(2, 1, 1.0, 180_000)))
    assert after.pending_alignment is None


@pytest.mark.parametrize("frame", [-1, RECORDING.frames + 1])
def test_a_bar_is_not_placed_outside_the_recording(frame: int) -> None:
    with pytest.raises(UsageError, match="outside the recording"):
        edits.place_bar(made(), SyncPoint(1, 1, 1.0, frame))


def test_a_part_that_is_left_out_leaves_the_activities_of_the_others_alone() -> None:
    project = made()
    assert project.activities is not None
    heard = Activity(0, np.array([11_000]), np.array([190_000]))
    project = replace(project, activities=(heard, project.activities[1]))
    after = assert_can_be_undone(project, edits.set_part(project, 1, "Leave part out", is_absent=True))
    assert after.activities is not None and after.activities[0] == heard and len(after.activities[1].start_frame) == 0
