"""Who plays when, corrected by hand: each edit does what it says, touches one part, and can be undone exactly."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from session_desk import Desk, settle
from small_scores import even_alignment, scale_score

from scoresep.edits import project as edits
from scoresep.edits import segments as segment_edits
from scoresep.errors import UsageError
from scoresep.model.audio import Recording
from scoresep.model.project import Change, Project, ScoreFile, apply_change
from scoresep.model.segments import Activity
from scoresep.model.time_warping import find_edge, find_note_edge

RATE = 1000
FRAMES = 40_000


@cache
def made() -> Project:
    score = scale_score(8)
    project = apply_change(Project(), edits.set_score(Project(), ScoreFile("a.xml", "01"), score))
    project = apply_change(project, edits.set_recording(project, Recording("a.wav", "ab", FRAMES, 1, RATE)))
    assert project.unfolded is not None
    alignment = even_alignment(project.unfolded, 1000, 1000)
    violin = Activity(0, np.array([1000, 12_000, 25_000]), np.array([10_000, 20_000, 33_000]))
    cello = Activity(1, np.array([1000]), np.array([33_000]))
    return replace(apply_change(project, edits.set_alignment(project, alignment, (violin, cello))))


def sounding(project: Project, part: int) -> np.ndarray:
    """Return for every frame whether the part sounds."""
    assert project.activities is not None
    row = np.zeros(FRAMES, bool)
    for start, end in zip(project.activities[part].start_frame, project.activities[part].end_frame, strict=True):
        row[start:end] = True
    return row


def done(project: Project, change: Change) -> Project:
    after = apply_change(project, change)
    assert apply_change(after, change.inverse) == project
    assert after.activities is not None and project.activities is not None
    assert after.activities[1] == project.activities[1], "only the one part is touched"
    return after


ranges = st.tuples(st.integers(0, FRAMES - 1), st.integers(1, FRAMES)).map(lambda r: (min(r), max(r)))


@given(st.lists(st.tuples(ranges, st.booleans()), min_size=1, max_size=5))
def test_a_range_sounds_or_is_silent_and_nothing_else_changes(doings: list[tuple[tuple[int, int], bool]]) -> None:
    project = made()
    for (start, end), is_sounding in doings:
        expected = sounding(project, 0)
        expected[start:end] = is_sounding
        project = done(project, segment_edits.set_sounding(project, 0, start, end, is_sounding))
        assert np.array_equal(sounding(project, 0), expected)


@given(st.integers(0, 2), st.booleans(), st.integers(-100, FRAMES + 100))
def test_an_edge_goes_where_it_is_put_and_is_marked(stretch: int, is_start: bool, frame: int) -> None:
    project = made()
    assert project.activities is not None
    before = project.activities[0]
    after = done(project, segment_edits.move_edge(project, 0, stretch, is_start, frame))
    assert after.activities is not None
    start, end = int(before.start_frame[stretch]), int(before.end_frame[stretch])
    if is_start:
        start = min(max(frame, 0), end - 1)
    else:
        end = max(min(frame, FRAMES), start + 1)
    expected = sounding(replace(project, activities=(_without(before, stretch), project.activities[1])), 0)
    expected[start:end] = True
    assert np.array_equal(sounding(after, 0), expected)
    hand = after.activities[0].is_by_hand
    at = int(np.searchsorted(after.activities[0].start_frame, start, side="right")) - 1
    assert hand is not None and hand[at] and hand.sum() == 1


def _without(activity: Activity, stretch: int) -> Activity:
    keep = np.arange(len(activity.start_frame)) != stretch
    return Activity(activity.part_index, activity.start_frame[keep], activity.end_frame[keep])


@given(st.integers(1300, 9700))
def test_split_and_merged_is_as_before(frame: int) -> None:
    project = made()
    divided = done(project, segment_edits.split(project, 0, frame))
    assert divided.activities is not None and len(divided.activities[0].start_frame) == 4
    assert not sounding(divided, 0)[frame]
    joined = done(divided, segment_edits.merge(divided, 0, frame))
    assert np.array_equal(sounding(joined, 0), sounding(project, 0))


def test_what_cannot_be_split_or_merged_is_said() -> None:
    with pytest.raises(UsageError, match="split"):
        segment_edits.split(made(), 0, 11_000)
    with pytest.raises(UsageError, match="second activity"):
        segment_edits.merge(made(), 0, 30_000)
    with pytest.raises(UsageError, match="no such activity"):
        segment_edits.move_edge(made(), 0, 7, True, 100)


def test_what_was_made_by_hand_survives_a_new_alignment() -> None:
    project = done(made(), segment_edits.move_edge(made(), 0, 1, True, 13_500))
    project = done(project, segment_edits.set_sounding(project, 0, 28_000, 29_000, False))
    assert project.unfolded is not None
    other = even_alignment(project.unfolded, 1000, 1100)
    project = apply_change(project, edits.propose_alignment(project, other))
    project = apply_change(project, edits.accept_alignment(project))
    row = sounding(project, 0)
    assert row[13_500] and row[19_999] and not row[28_000:29_000].any() and row[27_999] and row[29_000]


def test_edges_and_notes_are_found_near_a_place() -> None:
    project = made()
    assert project.activities is not None and project.unfolded is not None and project.alignment is not None
    assert find_edge(project.activities[0], 12_030.0, 50) == (1, True)
    assert find_edge(project.activities[0], 19_960.0, 50) == (1, False)
    assert find_edge(project.activities[0], 15_000.0, 50) is None
    notes, times = project.unfolded.notes, project.alignment.note_times
    assert find_note_edge(notes, times, 0, 5_040, 50) == 5000 and find_note_edge(notes, times, 0, 5_400, 50) is None


def test_a_part_that_comes_back_while_it_is_segmented_sounds_afterwards(desk: Desk) -> None:
    session = desk.aligned()
    session.apply(edits.set_part(session.project, 1, "Leave part out", is_absent=True))
    session.alignment.start_segmentation()
    session.apply(edits.set_part(session.project, 1, "Take part in", is_absent=False))
    settle(session)
    assert session.project.activities is not None and len(session.project.activities[1].start_frame)


def test_sets_without_a_score_are_one_edit_and_a_score_takes_their_place(desk: Desk) -> None:
    session = desk.session(aligns_on_open=False)
    session.inputs.open_recording(desk.duet.audio)
    settle(session)
    before = session.project
    session.alignment.start_segmentation_without_score(2)
    settle(session)
    found = session.project
    assert found.activities is not None
    assert [part.name for part in found.parts] == ["A", "B"][: len(found.activities)]
    session.undo()
    assert session.project == before
    session.redo()
    session.inputs.open_score(desk.duet.score)
    settle(session)
    assert session.project.activities is None
    assert [part.name for part in session.project.parts] == ["Flute", "Cello"]
    with pytest.raises(UsageError):
        session.alignment.start_segmentation_without_score(2)
    session.undo()
    assert session.project == found
