"""Who plays when, taken from the aligned score."""

from __future__ import annotations

from scoresep.model.alignment import Alignment
from scoresep.model.audio import SampleSource
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import Activity, activities_from_notes
from scoresep.progress import Progress


def segment(
    source: SampleSource, unfolded: UnfoldedScore, alignment: Alignment, progress: Progress
) -> tuple[Activity, ...]:
    """Find the stretches in which every part sounds.

    Parameters
    ----------
    source : SampleSource
    unfolded : UnfoldedScore
    alignment : Alignment
    progress : Progress

    Returns
    -------
    activities : tuple of Activity
        One for each part.
    """
    progress.update(0.0, "Finding who plays when")
    parts = len(unfolded.score.parts)
    return activities_from_notes(unfolded.notes, alignment.note_times, parts, source.frames, source.sample_rate)
