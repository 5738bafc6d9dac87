"""Aligning one stretch again finds its notes, leaves the rest alone, and keeps the points by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from duet import BEAT_S, LEAD_S, RATE, make_duet
from small_scores import even_alignment

from scoresep.edits import project as edits
from scoresep.errors import UsageError
from scoresep.model.project import Project, apply_change
from scoresep.model.time_warping import WarpExtent
from scoresep.model.timemap import SyncPoint
from scoresep.progress import Progress
from scoresep.session import alignment as stretch
from scoresep.session import pipeline


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The duet, rightly aligned but for bars 2 and 3, which lie up to 0.2 s late between bars by hand at 2 and 4."""
    duet = make_duet(tmp_path_factory.mktemp("duet"))
    project = Project()
    recording, score = (
        pipeline.load_recording(str(duet.audio), Progress()),
        pipeline.load_score(str(duet.score), Progress()),
    )
    project = apply_change(project, edits.set_recording(project, recording.recording))
    project = apply_change(project, edits.set_score(project, score.score_file, score.score))
    assert project.unfolded is not None
    alignment = even_alignment(project.unfolded, round(BEAT_S * RATE), round(LEAD_S * RATE))
    project = apply_change(
        project, edits.set_alignment(project, alignment, edits.derive_activities(project, alignment))
    )
    for bar in (1, 3):
        frame = round((LEAD_S + 4 * bar * BEAT_S) * RATE)
        project = apply_change(project, edits.place_bar(project, SyncPoint(bar, 1, 1.0, frame), WarpExtent.NEAR))
    wrong = apply_change(
        project,
        edits.place_bar(project, SyncPoint(2, 1, 1.0, round((LEAD_S + 8 * BEAT_S + 0.2) * RATE)), WarpExtent.NEAR),
    )
    assert wrong.alignment is not None and project.alignment is not None
    time_map = wrong.alignment.time_map
    freed = replace(time_map, is_by_hand=time_map.is_by_hand & (np.abs(time_map.quarter - 8) > 0.01))
    return replace(wrong, hand_points=project.hand_points, alignment=replace(wrong.alignment, time_map=freed))


def test_a_stretch_between_two_points_by_hand(spoilt: Project) -> None:
    before, unfolded = spoilt.alignment, spoilt.unfolded
    assert before is not None and unfolded is not None
    start, end = stretch.between_points(spoilt, round((LEAD_S + 7 * BEAT_S) * RATE))
    assert (start, end) == (spoilt.hand_points[0].frame, spoilt.hand_points[1].frame)
    request = stretch.stretch_request(spoilt, start, end)
    after = stretch.align_stretch(request, Progress())
    quarter = unfolded.notes.onset_quarter
    inside = (quarter > 4) & (quarter < 12)
    truth = LEAD_S + quarter * BEAT_S
    error_s = np.abs(after.note_times.onset_frame / RATE - truth)
    assert np.abs(before.note_times.onset_frame / RATE - truth)[inside].max() > 0.15
    assert error_s[inside].max() < 0.05
    assert np.array_equal(after.note_times.onset_frame[~inside], before.note_times.onset_frame[~inside])
    assert np.array_equal(after.note_times.is_present, before.note_times.is_present)
    for point in spoilt.hand_points:
        assert after.time_map.quarter_to_frame(4.0 * point.measure_index) == point.frame
    assert np.array_equal(after.time_map.is_by_hand.sum(), 2)


def test_without_points_by_hand_a_stretch_has_to_be_selected(spoilt: Project) -> None:
    with pytest.raises(UsageError, match="Select the stretch"):
        stretch.between_points(replace(spoilt, hand_points=()), 1000)
    with pytest.raises(UsageError, match="longer"):
        stretch.stretch_request(spoilt, 20_000, 20_100)


def test_a_selection_is_taken_to_the_nearest_beats(spoilt: Project) -> None:
    request = stretch.stretch_request(
        spoilt, round((LEAD_S + 4.1 * BEAT_S) * RATE), round((LEAD_S + 12.1 * BEAT_S) * RATE)
    )
    assert (request.start_quarter, request.end_quarter) == (4.0, 12.0)
