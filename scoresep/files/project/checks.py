"""What must hold between the fields of a project, checked when one was read from a file.

A score or recording that cannot be used makes the whole file useless. Anything else that is wrong is left out, so that
the rest of somebody's work is not lost with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from scoresep.model.alignment import Alignment
from scoresep.model.project import Project
from scoresep.model.score import Score

MAX_QUARTERS = 1e7  # a thousand hours of music
MAX_FRAMES = 2**50
MAX_PATH_STEPS = 2**20
MAX_PATH_NOTES = 2**21  # unfolded, these take some hundred bytes each
MAX_DRIFTS = 2**24  # numbers, one for every part and step, where parts do not agree how long bars are
MAX_STRETCHES = 2**19  # of all parts together; never more than notes
MAX_GAIN_DB = 200.0  # beyond all sense, and still a number when it is turned into a factor
_CONTENT_KEY = re.compile(r"[0-9A-Za-z]{1,64}")  # files of the cache are called by it, so that it may be no path
ESSENTIAL_FIELDS = frozenset({"recording", "score_file", "score", "path_choices", "path", "parts"})


def without_wrong_fields(project: Project) -> tuple[Project, tuple[str, ...]]:
    """Put the fields of a project that cannot be right back to their defaults.

    Returns
    -------
    project : Project
    left_out : tuple of str
        Names of the fields.

    Raises
    ------
    ValueError
        An essential field is wrong.
    """
    return _checked(project, _CHECKS)


def without_foreign_times(project: Project) -> tuple[Project, tuple[str, ...]]:
    """Take out alignments that are not of the project's notes; the answer is as of `without_wrong_fields`."""
    return _checked(project, {name: _check_note_times(name) for name in ("alignment", "pending_alignment")})


def _checked(project: Project, checks: dict[str, Callable[[Project], None]]) -> tuple[Project, tuple[str, ...]]:
    left_out = []
    defaults: dict[str, Any] = {f.name: f.default for f in fields(Project)}
    for name, check in checks.items():
        try:
            check(project)
        except ValueError:
            if name in ESSENTIAL_FIELDS:
                raise
            project = replace(project, **{name: defaults[name]})
            left_out.append(name)
    return project, tuple(left_out)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(f"wrong: {what}")


def _same_lengths(columns: object) -> bool:
    return len({len(c) for c in vars(columns).values() if isinstance(c, np.ndarray)}) == 1


def _are_below(values: Any, limit: float) -> bool:
    return bool(np.all(np.abs(np.asarray(values, np.float64)) < limit))  # NaN is not


def _in_range(values: Any, count: int) -> bool:
    array = np.asarray(values, np.int64)
    return bool(np.all((array >= 0) & (array < count)))


def _check_recording(project: Project) -> None:
    recording = project.recording
    if recording is not None:
        sizes = (recording.frames, recording.channels, recording.sample_rate)
        _require(all(0 < size < MAX_FRAMES for size in sizes), "the recording's sizes")
        _require(_CONTENT_KEY.fullmatch(recording.content_key) is not None, "the recording's key")


def _check_score_file(project: Project) -> None:
    score_file = project.score_file
    if score_file is not None:
        _require(_CONTENT_KEY.fullmatch(score_file.content_key) is not None, "the score's key")


def _check_score(project: Project) -> None:
    score = project.score
    if score is None:
        return
    _require([p.index for p in score.parts] == list(range(len(score.parts))), "the parts' numbers")
    _require([m.index for m in score.measures] == list(range(len(score.measures))), "the measures' numbers")
    _check_written_notes(score)
    for m in score.measures:
        sizes = (m.start_quarter, m.duration_quarter, m.lead_quarter)
        _require(_are_below(sizes, MAX_QUARTERS) and m.duration_quarter >= 0, "a measure's length")
        _require(0 < m.beats < 10_000 and 0 < m.beat_type < 10_000, "a measure's metre")
    if score.own_durations:
        _require({len(d) for d in score.own_durations} == {len(score.measures)}, "the lengths of the parts' measures")
        _require(len(score.own_durations) == len(score.parts), "the parts' measures")
        _require(all(0 <= d < MAX_QUARTERS for part in score.own_durations for d in part), "a part's measure")
    _require(_in_range(score.stated_order, len(score.measures)), "the order of playing")
    for t in score.tempo_marks:
        _require(0 < t.quarters_per_minute < MAX_QUARTERS and _are_below(t.start_quarter, MAX_QUARTERS), "a tempo")


def _check_written_notes(score: Score) -> None:
    notes = score.notes
    _require(_same_lengths(notes), "the lengths of the notes' columns")
    _require(_in_range(notes.part_index, len(score.parts)), "the notes' parts")
    _require(_in_range(notes.measure_index, len(score.measures)), "the notes' measures")
    _require(bool(np.all(np.diff(notes.measure_index) >= 0)), "the order of the notes")
    _require(_are_below(notes.offset_quarter, MAX_QUARTERS), "the notes' places")
    _require(_are_below(notes.duration_quarter, MAX_QUARTERS), "the notes' lengths")
    _require(bool(np.all(notes.duration_quarter >= 0)), "the notes' lengths")
    _require(not np.any(np.isinf(notes.pitch_midi)), "the notes' pitches")


def _check_path(project: Project) -> None:
    if project.path is not None:
        measure_count = len(project.score.measures) if project.score is not None else 0
        indices = project.path.measure_indices
        _require(0 < len(indices) <= MAX_PATH_STEPS and _in_range(indices, measure_count), "the path's measures")
        _require(len(project.path.passes) in (0, len(indices)), "the path's passes")
        _require(all(n > 0 for n in project.path.passes), "the path's passes")
        score = project.score
        assert score is not None
        notes_of_measure = np.bincount(score.notes.measure_index, minlength=measure_count)
        _require(int(notes_of_measure[np.array(indices)].sum()) <= MAX_PATH_NOTES, "the number of notes of the path")
        _require(len(score.own_durations) * len(indices) <= MAX_DRIFTS, "the number of measures of the path")


def _check_parts(project: Project) -> None:
    parts = project.parts
    _require(project.score is None or len(parts) == len(project.score.parts), "the number of parts")
    for i, part in enumerate(parts):
        if part.joined_to is not None:
            _require(0 <= part.joined_to < len(parts) and part.joined_to != i, "a part's stem")


def _check_hand_points(project: Project) -> None:
    points = project.hand_points
    measure_count = len(project.score.measures) if project.score is not None else 0
    _require(_in_range([p.measure_index for p in points], measure_count), "the measure of a point placed by hand")
    for p in points:
        is_place = p.occurrence >= 1 and _are_below(p.beat, MAX_QUARTERS) and _are_below(p.frame, MAX_FRAMES)
        _require(is_place, "a point placed by hand")


def _check_alignment(field: str) -> Callable[[Project], None]:
    def check(project: Project) -> None:
        alignment: Alignment | None = getattr(project, field)
        if alignment is None:
            return
        time_map, times = alignment.time_map, alignment.note_times
        _require(_same_lengths(times), "the lengths of the columns of times")
        _require(bool(np.all(times.offset_frame >= times.onset_frame)), "the notes' ends")
        _require(bool(np.all(np.isfinite(times.confidence))), "the notes' confidence")
        _require(_are_below(time_map.quarter, MAX_QUARTERS) and _are_below(time_map.frame, MAX_FRAMES), "the time map")
        _require(math.isfinite(alignment.tuning_cents) and math.isfinite(alignment.confidence), "the tuning")

    return check


def _check_note_times(field: str) -> Callable[[Project], None]:
    def check(project: Project) -> None:
        alignment: Alignment | None = getattr(project, field)
        if alignment is not None:
            unfolded = project.unfolded
            _require(unfolded is not None and len(unfolded.notes) == len(alignment.note_times), "the notes")

    return check


def _check_activities(project: Project) -> None:
    for activity in project.activities or ():
        by_hand = activity.is_by_hand
        lengths = {len(activity.start_frame), len(activity.end_frame), -1 if by_hand is None else len(by_hand)}
        _require(len(lengths) == 1, "the lengths of an activity's columns")
    stretch_count = sum(len(activity.start_frame) for activity in project.activities or ())
    _require(stretch_count <= MAX_STRETCHES, "the number of stretches")
    if project.activities is not None:
        indices = [a.part_index for a in project.activities]
        _require(indices == list(range(len(project.parts))), "the activities' parts")


def _check_mixer(project: Project) -> None:
    strips = (*project.mixer.strips, project.mixer.residual)
    levels = [project.mixer.master_gain_db, *(s.gain_db for s in strips)]
    _require(all(level <= MAX_GAIN_DB for level in levels), "the mixer's levels")  # -inf dB is silence; NaN is nothing
    _require(all(abs(s.pan) <= 1 for s in strips), "the mixer's pans")


def _check_note_edits(project: Project) -> None:
    measure_count = len(project.score.measures) if project.score is not None else 0
    keys = [edit.key for edit in project.note_edits]
    _require(_in_range([k.measure_index for k in keys], measure_count), "the measure of an edited note")
    _require(_in_range([k.part_index for k in keys], len(project.parts)), "the part of an edited note")
    _require(all(edit.gain_db <= MAX_GAIN_DB for edit in project.note_edits), "the gain of a note")


_CHECKS: dict[str, Callable[[Project], None]] = {
    "recording": _check_recording,
    "score_file": _check_score_file,
    "score": _check_score,
    "path": _check_path,
    "parts": _check_parts,
    "hand_points": _check_hand_points,
    "alignment": _check_alignment("alignment"),
    "pending_alignment": _check_alignment("pending_alignment"),
    "activities": _check_activities,
    "mixer": _check_mixer,
    "note_edits": _check_note_edits,
}
