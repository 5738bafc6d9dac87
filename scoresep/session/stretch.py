"""Aligning one stretch again: between two points by hand, or what is selected; the rest is left alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scoresep.errors import UsageError
from scoresep.files.audio_files import open_source
from scoresep.model.alignment import Alignment
from scoresep.model.audio import ArraySource, Recording, SampleSource
from scoresep.model.project import Project
from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import SAME_QUARTER, second_to_frame
from scoresep.model.timemap import TimeMap, rising_time_map
from scoresep.progress import Progress

# What sounds just before and after is listened to as well, so that the first attack is not cut.
CONTEXT_S = 0.25
# Confidence of notes that were there and are not found again: shown as doubtful, not taken away.
NOT_FOUND_AGAIN = 0.2


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

    Raises
    ------
    AlignmentError
        If nothing sounds there.
    """
    from scoresep.engines.alignment.align import align as align_engine
    from scoresep.engines.alignment.options import AlignmentOptions

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
