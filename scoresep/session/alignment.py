"""Aligning in a session: the whole recording, one stretch again, or by a file; and who plays when by the alignment.

The first alignment is taken, a later one waits to be accepted. One stretch is aligned again between two points by hand,
or where something is selected; the rest is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from scoresep.edits import project as edits
from scoresep.edits.segments import set_sets
from scoresep.errors import InputError, UsageError
from scoresep.files.audio.recordings import open_source
from scoresep.model.alignment import Alignment
from scoresep.model.audio import ArraySource, Recording, SampleSource
from scoresep.model.project import Project
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import Activity
from scoresep.model.timebase import SAME_QUARTER, second_to_frame
from scoresep.model.timemap import TimeMap, rising_time_map
from scoresep.progress import Progress
from scoresep.session import importing, pipeline
from scoresep.session.inputs import RecordingAccess
from scoresep.session.state import Jobs, ProjectState

ALIGNED_FIELDS = ("recording", "score", "path", "alignment", "hand_points")
ALIGNMENT_INPUTS = frozenset({"recording", "score", "path", "hand_points"})
# What sounds just before and after is listened to as well, so that the first attack is not cut.
CONTEXT_S = 0.25
# Confidence of notes that were there and are not found again: shown as doubtful, not taken away.
NOT_FOUND_AGAIN = 0.2


class AlignmentUseCase:
    """Alignment and segmentation of the present project in the background.

    Parameters
    ----------
    state : ProjectState
    jobs : Jobs
    recording : RecordingAccess
    """

    def __init__(self, state: ProjectState, jobs: Jobs, recording: RecordingAccess) -> None:
        self._state, self._jobs, self._recording = state, jobs, recording
        self._asked: tuple[pipeline.AlignmentRequest, bool] | None = None
        self._proposed: tuple[pipeline.AlignmentAnswer, frozenset[int]] | None = None
        state.after_telling(self._adapt)

    def start(self) -> None:
        """Align in the background; the first alignment is taken, a later one waits to be accepted.

        When an edit changes what it depends on, it begins anew.

        Raises
        ------
        InputError
            If recording or score is missing.
        """
        state = self._state
        request = pipeline.alignment_request(state.project)
        absent = edits.absent_parts(state.project)
        self._asked = request, state.project.alignment is None

        def got(answer: pipeline.AlignmentAnswer) -> None:
            project, choices = state.project, answer.choices
            if project.alignment is None:
                activities = answer.activities if edits.absent_parts(project) == absent else None
                state.apply(edits.set_first_alignment(project, choices, answer.alignment, activities))
                state.messages.say("info", *pipeline.played_otherwise(state.project), key="path")
            elif choices in (None, project.path_choices):
                self._proposed = answer, absent
                state.apply(edits.propose_alignment(project, answer.alignment))
            else:  # it got an alignment on the way, and its path is settled
                self.start()
            state.messages.say("warning", *answer.alignment.warnings, key="alignment")

        self._jobs.start("alignment", "Align", pipeline.align_and_segment, (request, absent), got)

    def start_when_ready(self) -> None:
        """Align where all that it takes has come for the first time, unless the person wants to begin it."""
        project = self._state.project
        is_ready = project.unfolded is not None and self._recording.source is not None and project.alignment is None
        if is_ready and self._state.settings.aligns_on_open and self._jobs.get("alignment") is None:
            self.start()

    def start_import(self, path: str | Path) -> None:
        """Take an alignment from a file, in the background; where there is one already, it waits to be accepted.

        Raises
        ------
        UsageError
            If recording or score is missing.
        """
        state = self._state
        asked_from = state.project
        importing.check_importable(asked_from)

        def got(imported: importing.ImportedAlignment) -> None:
            project, absent = state.project, edits.absent_parts(asked_from)
            if any(getattr(project, field) is not getattr(asked_from, field) for field in ALIGNED_FIELDS):
                text = "The project was changed meanwhile; import the alignment again."
                state.messages.say("info", text, key="import")
                return
            if project.alignment is None:
                activities = imported.activities if edits.absent_parts(project) == absent else None
                change = edits.set_first_alignment(project, None, imported.alignment, activities)
                state.apply(replace(change, text="Import alignment"))
            else:
                assert imported.activities is not None
                self._proposed = pipeline.AlignmentAnswer(imported.alignment, imported.activities), absent
                state.apply(edits.propose_alignment(project, imported.alignment))
            state.messages.say("warning", *imported.warnings, key="import")

        self._jobs.start("import", "Import alignment", importing.import_and_segment, (asked_from, str(path)), got)

    def accept(self) -> None:
        """Take the alignment that waits, and who plays when by it.

        Raises
        ------
        UsageError
            If none waits.
        """
        project, activities = self._state.project, None
        if self._proposed is not None:
            answer, absent = self._proposed
            if answer.alignment is project.pending_alignment and absent == edits.absent_parts(project):
                activities = answer.activities
        self._state.apply(edits.accept_alignment(project, activities))

    def start_segmentation(self) -> None:
        """Find in the background who plays when; stretches made by hand stay.

        Raises
        ------
        InputError
            If the project is not aligned yet.
        """
        state = self._state
        request = pipeline.segmentation_request(state.project)

        def got(activities: tuple[Activity, ...]) -> None:
            if state.project.alignment is not request.alignment:
                return
            if edits.absent_parts(state.project) != request.absent_parts:
                self.start_segmentation()  # a part came or went meanwhile
            else:
                state.apply(edits.set_activities(state.project, activities))

        self._jobs.start("segmentation", "Segment", pipeline.segment_recording, (request,), got)

    def start_segmentation_without_score(self, sets: int | Literal["auto"]) -> None:
        """Find in the background where each of so many sets of instruments sounds; auto for as many as are heard.

        Raises
        ------
        InputError, UsageError
            If there is no recording, there is a score, or the number is out of range.
        """
        state = self._state
        request = pipeline.sets_request(state.project, sets)

        def got(activities: tuple[Activity, ...]) -> None:
            if state.project.recording is request.recording and state.project.score is None:
                state.apply(set_sets(state.project, activities))

        work = pipeline.segment_without_score
        self._jobs.start("segmentation", "Segment without score", work, (request,), got)

    def _adapt(self, what: frozenset[str]) -> None:
        """Begin a running alignment anew where an edit has changed what it depends on."""
        job = self._jobs.get("alignment")
        if not what & ALIGNMENT_INPUTS or job is None or self._asked is None:
            return
        asked, was_first = self._asked
        try:
            request = pipeline.alignment_request(self._state.project)
        except InputError:
            request = None
        if request != asked:
            self._jobs.cancel(job)
            if request is not None and (self._state.project.alignment is None) == was_first:
                self.start()


@dataclass(frozen=True)
class StretchRequest:
    """All that aligning a stretch depends on: the positions (start_quarter, end_quarter) keep their frames."""

    recording: Recording
    unfolded: UnfoldedScore
    alignment: Alignment
    start_quarter: float
    end_quarter: float


def stretch_request(project: Project, start_frame: int, end_frame: int) -> StretchRequest:
    """Gather what aligning again from frame to frame depends on; the nearest beats are taken.

    Parameters
    ----------
    project : Project
    start_frame, end_frame : int
        Of the recording.

    Raises
    ------
    UsageError
        If there is no alignment yet, or no beat in the stretch.
    """
    unfolded, alignment, recording = project.unfolded, project.alignment, project.recording
    if unfolded is None or alignment is None or recording is None:
        raise UsageError("Align the recording and its score first.")
    start, end = (_nearest_place(unfolded, alignment.time_map, f) for f in (start_frame, end_frame))
    inside = (unfolded.notes.onset_quarter > start) & (unfolded.notes.onset_quarter < end)
    if not inside.any():
        raise UsageError("There are no notes to align in this stretch; select a longer one.")
    return StretchRequest(recording, unfolded, alignment, start, end)


def between_points(project: Project, frame: int) -> tuple[int, int]:
    """Return the frames of the points by hand around a frame; where one side has none, that end of the score.

    Raises
    ------
    UsageError
        If there is none on either side.
    """
    unfolded, alignment = project.unfolded, project.alignment
    if unfolded is None or alignment is None:
        raise UsageError("Align the recording and its score first.")
    frames = [p.frame for p in project.hand_points]
    if not frames:
        raise UsageError("Select the stretch to align again, or place points by hand at its ends.")
    start, end = (alignment.time_map.quarter_to_frame(q) for q in (0.0, unfolded.end_quarter))
    return max((f for f in frames if f <= frame), default=start), min((f for f in frames if f > frame), default=end)


def align_stretch(request: StretchRequest, progress: Progress) -> Alignment:
    """Align a stretch again, within its frames and through the points by hand inside; returns the whole alignment."""
    with open_source(request.recording) as source:
        return realigned(source, request, progress)


def realigned(source: SampleSource, request: StretchRequest, progress: Progress) -> Alignment:
    """Align a stretch of an open recording again.

    Parameters
    ----------
    source : SampleSource
        The whole recording.
    request : StretchRequest
    progress : Progress

    Raises
    ------
    AlignmentError
        If nothing sounds there.
    """
    from scoresep.engines.alignment import AlignmentOptions
    from scoresep.engines.alignment.align import align as align_engine

    present, notes, time_map = request.alignment, request.unfolded.notes, request.alignment.time_map
    start, end = request.start_quarter, request.end_quarter
    first, last = (min(max(time_map.quarter_to_frame(q), 0), source.frames) for q in (start, end))
    context = second_to_frame(CONTEXT_S, source.sample_rate)
    cut_at = max(first - context, 0)
    cut = ArraySource(source.read(cut_at, min(last + context, source.frames)), source.sample_rate)
    inside = (notes.onset_quarter > start - SAME_QUARTER) & (notes.onset_quarter < end - SAME_QUARTER)
    rows = np.flatnonzero(inside)
    transposed = replace(notes, pitch_midi=notes.pitch_midi + present.transposition_semitones)
    columns = {name: getattr(transposed, name)[rows] for name in notes.__dataclass_fields__}
    part = replace(request.unfolded, notes=replace(notes, **columns))
    hand = time_map.is_by_hand & (time_map.quarter > start + SAME_QUARTER) & (time_map.quarter < end - SAME_QUARTER)
    points = [(start, first), *zip(time_map.quarter[hand].tolist(), time_map.frame[hand].tolist(), strict=True)]
    fixed = tuple((q, f - cut_at) for q, f in (*points, (end, last)))
    options = AlignmentOptions(
        fixed, finds_transposition=False, finds_departures=False, tuning_cents=present.tuning_cents
    )
    return _joined(request, rows, _moved(align_engine(cut, part, options, progress), cut_at))


def _moved(alignment: Alignment, frames: int) -> Alignment:
    """Return an alignment of a cut in frames of the recording."""
    times, found = alignment.note_times, alignment.time_map
    moved = replace(times, onset_frame=times.onset_frame + frames, offset_frame=times.offset_frame + frames)
    return replace(alignment, time_map=replace(found, frame=found.frame + frames), note_times=moved)


def _joined(request: StretchRequest, rows: np.ndarray, found: Alignment) -> Alignment:
    """Put what was found inside the stretch into the present alignment; notes at its start stay where they are."""
    present, notes = request.alignment, request.unfolded.notes
    time_map = _joined_map(request, found.time_map)
    inner = notes.onset_quarter[rows] > request.start_quarter + SAME_QUARTER
    into, times, new = rows[inner], present.note_times, found.note_times
    onset, offset = times.onset_frame.copy(), times.offset_frame.copy()
    confidence, is_present = times.confidence.copy(), times.is_present.copy()
    end_quarter = notes.onset_quarter + notes.duration_quarter
    ends_inside = (end_quarter > request.start_quarter) & (end_quarter < request.end_quarter)
    moved = time_map.quarters_to_frames(end_quarter) - present.time_map.quarters_to_frames(end_quarter)
    offset[ends_inside] += moved[ends_inside]
    onset[into], offset[into] = new.onset_frame[inner], new.offset_frame[inner]
    is_lost = times.is_present[into] & ~new.is_present[inner]
    confidence[into] = np.where(is_lost, NOT_FOUND_AGAIN, new.confidence[inner] * present.confidence)
    is_present[into] |= new.is_present[inner]
    offset = np.maximum(offset, onset + (~notes.is_grace).astype(np.int64))
    joined = replace(times, onset_frame=onset, offset_frame=offset, confidence=confidence, is_present=is_present)
    return replace(present, time_map=time_map, note_times=joined)


def _joined_map(request: StretchRequest, found: TimeMap) -> TimeMap:
    old, ends = request.alignment.time_map, np.array([request.start_quarter, request.end_quarter])
    outside = (old.quarter < ends[0] - SAME_QUARTER) | (old.quarter > ends[1] + SAME_QUARTER) | old.is_by_hand
    inside = (found.quarter > ends[0] + SAME_QUARTER) & (found.quarter < ends[1] - SAME_QUARTER)
    by_hand = old.quarter[old.is_by_hand]
    inside &= np.array([not np.any(np.abs(by_hand - q) <= SAME_QUARTER) for q in found.quarter.tolist()], np.bool_)
    edges = np.array([not np.any(np.abs(by_hand - q) <= SAME_QUARTER) for q in ends.tolist()])
    first, last = old.quarters_to_frames(ends).tolist()
    inside &= (found.frame > first) & (found.frame < last)
    return rising_time_map(
        np.concatenate([old.quarter[outside], found.quarter[inside], ends[edges]]),
        np.concatenate([old.frame[outside], found.frame[inside], old.quarters_to_frames(ends[edges])]),
        np.concatenate([old.is_by_hand[outside], np.zeros(int(inside.sum() + edges.sum()), np.bool_)]),
    )


def _nearest_place(unfolded: UnfoldedScore, time_map: TimeMap, frame: int) -> float:
    """Return the beginning of a note or bar, or the point by hand, that lies nearest to a frame."""
    places = np.concatenate(
        [unfolded.notes.onset_quarter, unfolded.step_start_quarter, time_map.quarter[time_map.is_by_hand]]
    )
    return float(places[np.argmin(np.abs(time_map.quarters_to_frames(places) - frame))])
