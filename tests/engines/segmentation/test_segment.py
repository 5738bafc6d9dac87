"""Activities that follow from an alignment."""

from __future__ import annotations

import numpy as np
from small_scores import even_alignment, scale_score, straight

from scoresep.engines.segmentation.segment import segment
from scoresep.model.audio import ArraySource
from scoresep.model.segments import segments_of
from scoresep.progress import Progress


def test_every_part_is_active_where_its_notes_are() -> None:
    unfolded = straight(scale_score())
    alignment = even_alignment(unfolded)
    source = ArraySource(np.zeros((1, 400_000), np.float32), 44100)
    activities = segment(source, unfolded, alignment, Progress())
    assert [a.part_index for a in activities] == [0, 1]
    for activity in activities:
        mine = unfolded.notes.part_index == activity.part_index
        assert activity.start_frame[0] == alignment.note_times.onset_frame[mine].min()
        assert activity.end_frame[-1] == alignment.note_times.offset_frame[mine].max()
    segments = segments_of(activities, source.frames)
    assert segments[0].category == "silence"
    assert segments[-1].end_frame == source.frames
