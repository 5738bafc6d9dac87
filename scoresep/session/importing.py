"""Alignments made elsewhere or earlier: what kind of file it is, and the alignment that it says.

`notes.csv` and MIDI say where notes lie, labels of Audacity and layers of Sonic Visualiser where bars or beats lie. An
imported alignment is one more proposal of a machine: what a person has placed by hand stays where it is, and the new
one bends there. Only `notes.csv` knows how sure it is; everything else is taken as sure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import InputError, UsageError
from scoresep.files.import_labels import Instant, read_instants
from scoresep.files.import_midi import PerformedNotes, is_midi, read_performance
from scoresep.files.notes_csv import REQUIRED_COLUMNS, read_notes_csv
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.audio import Recording
from scoresep.model.bending import Reach, bent_alignment, moved_times
from scoresep.model.label_positions import counted_quarters, counts, labelled_quarters
from scoresep.model.note_matching import matched_by_beat, matched_notes
from scoresep.model.project import Project
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import Activity
from scoresep.model.timebase import SAME_QUARTER, seconds_to_frames
from scoresep.model.timemap import TimeMap, rising_time_map
from scoresep.progress import Progress
from scoresep.session import pipeline

# A file that says less than this share of its notes, or of the score's, belongs to another piece.
LEAST_SHARE = 0.5
# Between imported instants the present alignment says how notes lie, if it is at most this much slower or faster.
MOST_BEND = 1.5
# Grace notes come before the note that they belong to, though the score has them at the same place.
GRACE_QUARTER = 0.125
FORMATS = "notes.csv, a MIDI performance, labels of Audacity or a layer of Sonic Visualiser"


@dataclass(frozen=True)
class ImportedAlignment:
    """What was read.

    Attributes
    ----------
    alignment : Alignment
    activities : tuple of Activity or None
        Who plays when by it; None where that was not looked for.
    warnings : tuple of str
        One sentence each.
    """

    alignment: Alignment
    activities: tuple[Activity, ...] | None
    warnings: tuple[str, ...]


def check_importable(project: Project) -> None:
    """Refuse to import where recording or score is missing.

    Raises
    ------
    UsageError
    """
    if project.recording is None or project.unfolded is None:
        raise UsageError("Open the recording and its score first, then the alignment of the two.")


def import_alignment(project: Project, path: str | Path) -> ImportedAlignment:
    """Read an alignment of the project's recording and score.

    Parameters
    ----------
    project : Project
        Its present alignment, if there is one, says how notes lie between bars or beats that are imported.
    path : str or Path

    Raises
    ------
    UsageError
        Recording or score is missing.
    InputError
        The file cannot be read, or fits neither score nor recording.
    """
    check_importable(project)
    recording, unfolded = project.recording, project.unfolded
    assert recording is not None and unfolded is not None
    path = Path(path).expanduser()
    data = _content(path)
    warnings: tuple[str, ...] = ()
    if is_midi(data):
        times, warnings = _times_of_midi(path, data, project, unfolded, recording)
        alignment = _aligned_by(project, times)
    else:
        text = _text(path, data)
        if any(column in text.split("\n", 1)[0] for column in REQUIRED_COLUMNS):
            times, warnings = read_notes_csv(path, unfolded, recording.sample_rate, recording.frames)
            alignment = _aligned_by(project, times)
        else:
            alignment = _aligned_at(path, read_instants(path, text), project, unfolded, recording)
    present = project.alignment
    if present is not None:
        same = {name: getattr(present, name) for name in ("tuning_cents", "transposition_semitones")}
        alignment = replace(alignment, **same)
    return ImportedAlignment(_through_points(project, unfolded, alignment), None, warnings)


def import_and_segment(project: Project, path: str, progress: Progress) -> ImportedAlignment:
    """Read an alignment, and find who plays when by it; runs in a worker."""
    progress.update(0.0, "Reading the alignment")
    imported = import_alignment(project, path)
    request = pipeline.segmentation_request(replace(project, alignment=imported.alignment))
    return replace(imported, activities=pipeline.segment_recording(request, progress))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"'{path}' cannot be read ({error.strerror}); choose {FORMATS}.") from error


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is no alignment that can be read; choose {FORMATS}.") from error


def _aligned_by(project: Project, times: NoteTimes) -> Alignment:
    alignment = pipeline.with_note_times(project, times).alignment
    assert alignment is not None
    return alignment


def _through_points(project: Project, unfolded: UnfoldedScore, alignment: Alignment) -> Alignment:
    """Let an alignment go through the points that a person has placed."""
    points = [(unfolded.beat_to_quarter(p.measure_index, p.occurrence, p.beat), p.frame) for p in project.hand_points]
    for quarter, frame in points:
        if quarter is not None:
            alignment = bent_alignment(alignment, unfolded, quarter, frame, Reach.NEAR)
    return alignment


# ----------------------------------------------------------------------------------------------------------------- MIDI


def _times_of_midi(
    path: Path, data: bytes, project: Project, unfolded: UnfoldedScore, recording: Recording
) -> tuple[NoteTimes, tuple[str, ...]]:
    """Find where the notes of the score lie by the notes of a MIDI file."""
    performed, notes = read_performance(path, data), unfolded.notes
    match = _match(performed, unfolded, tuple(p.name for p in project.parts))
    onset, offset = (seconds_to_frames(s, recording.sample_rate) for s in (performed.onset_s, performed.offset_s))
    is_inside = (onset >= 0) & (onset < recording.frames)
    match = np.where((match >= 0) & is_inside[match], match, -1)
    met = np.flatnonzero(match >= 0)
    count, performed_count = len(met), len(performed.onset_s)
    if count < max(LEAST_SHARE * min(len(notes), performed_count), 2):
        raise InputError(
            f"Only {count} of the {performed_count} notes of '{path}' fit this score and recording; choose a"
            " performance of this score at its pitch, with the repeats that are chosen."
        )
    warnings = []
    if count < performed_count:
        warnings.append(f"{performed_count - count} of {performed_count} notes of '{path}' fit no note of this score.")
    if count < len(notes):
        warnings.append(
            f"{len(notes) - count} of {len(notes)} notes of the score are not in '{path}' and are left out."
        )
    order = met[np.lexsort((onset[match[met]], notes.onset_quarter[met]))]
    known_frame = np.maximum.accumulate(onset[match[order]])
    known_quarter = notes.onset_quarter[order]
    onset_frame = np.rint(np.interp(notes.onset_quarter, known_quarter, known_frame)).astype(np.int64)
    ends = notes.onset_quarter + notes.duration_quarter
    offset_frame = np.maximum(np.rint(np.interp(ends, known_quarter, known_frame)).astype(np.int64), onset_frame)
    onset_frame[met], offset_frame[met] = onset[match[met]], np.maximum(offset[match[met]], onset[match[met]])
    is_present = match >= 0
    return NoteTimes(onset_frame, offset_frame, is_present.astype(np.float32), is_present), tuple(warnings)


def _match(performed: PerformedNotes, unfolded: UnfoldedScore, part_names: tuple[str, ...]) -> NDArray[np.int64]:
    """Match by part and pitch where the tracks are the parts, else by pitch alone."""
    notes = unfolded.notes
    key = np.where(np.isnan(notes.pitch_midi), -1, np.rint(np.nan_to_num(notes.pitch_midi))).astype(np.int64)
    part_of = _part_of_voice(performed, np.unique(notes.part_index).tolist(), part_names)
    if part_of is not None:
        parts = np.array(part_of)[performed.voice]
        match = _match_of(performed, unfolded, notes.part_index * 1000 + key, parts * 1000 + performed.key)
        if np.sum(match >= 0) >= LEAST_SHARE * len(performed.key):
            return match
    return _match_of(performed, unfolded, key, performed.key)


def _match_of(
    performed: PerformedNotes, unfolded: UnfoldedScore, symbol: NDArray[np.int64], performed_symbol: NDArray[np.int64]
) -> NDArray[np.int64]:
    quarter = unfolded.notes.onset_quarter - GRACE_QUARTER * unfolded.notes.is_grace
    match = matched_notes(quarter, symbol, performed.onset_s, performed_symbol)
    return matched_by_beat(quarter, symbol, performed.quarter, performed_symbol, match)


def _part_of_voice(
    performed: PerformedNotes, parts_with_notes: list[int], part_names: tuple[str, ...]
) -> list[int] | None:
    """Return the part that each voice plays: that of its name, else in order; None where neither is clear."""
    names = [name.casefold() for name in part_names]
    wanted = [name.casefold() for name in performed.voice_names]
    if len(set(names)) == len(names) and len(set(wanted)) == len(wanted) and set(wanted) <= set(names):
        return [names.index(name) for name in wanted]
    return parts_with_notes if len(wanted) == len(parts_with_notes) else None


# --------------------------------------------------------------------------------------------------------------- labels


def _aligned_at(
    path: Path, instants: tuple[Instant, ...], project: Project, unfolded: UnfoldedScore, recording: Recording
) -> Alignment:
    """Align by the times of bars or beats."""
    quarters = labelled_quarters([i.label for i in instants], unfolded)
    if quarters is None:
        quarters = counted_quarters(len(instants), unfolded)
    if quarters is None:
        bars, beats = counts(unfolded)
        raise InputError(
            f"'{path}' has {len(instants)} times, but {bars} bars and {beats} beats are played; give one for each of"
            " them, or write the bar beside each time (3, or 3.2 for its second beat)."
        )
    is_placed = ~np.isnan(quarters)
    frames = seconds_to_frames([i.time_s for i in instants], recording.sample_rate)[is_placed]
    quarters = quarters[is_placed]
    is_inside = (frames >= 0) & (frames <= recording.frames)
    if is_inside.sum() < 2 or np.any(np.diff(frames) <= 0):
        raise InputError(f"The times of '{path}' do not lie in the recording; check that the file belongs to it.")
    quarters, frames = quarters[is_inside], frames[is_inside]
    if project.alignment is not None:
        return _warped(project.alignment, unfolded, quarters, frames)
    time_map = TimeMap(quarters, frames, np.zeros(len(frames), np.bool_))
    notes = unfolded.notes
    onset = time_map.quarters_to_frames(notes.onset_quarter)
    offset = np.maximum(time_map.quarters_to_frames(notes.onset_quarter + notes.duration_quarter), onset)
    is_present = (onset >= 0) & (onset < recording.frames)
    times = NoteTimes(onset, offset, is_present.astype(np.float32), is_present)
    return Alignment(time_map, times, *pipeline.sounding_pitch_of(project, times))


def _warped(
    present: Alignment, unfolded: UnfoldedScore, quarters: NDArray[np.float64], frames: NDArray[np.int64]
) -> Alignment:
    """Put positions of the present alignment on frames; between them its notes keep their places in proportion.

    Where it is much slower or faster than what is imported, its notes say nothing, and the tempo is even.
    """
    old = replace(
        present, time_map=replace(present.time_map, is_by_hand=np.zeros(len(present.time_map.frame), np.bool_))
    )
    at = old.time_map.quarters_to_frames(quarters)
    keeps = np.concatenate([[True], np.diff(np.maximum.accumulate(at)) > 0])
    quarters_kept, at, to = quarters[keeps], at[keeps], frames[keeps]
    points_quarter, points_frame = old.time_map.quarter, old.time_map.frame
    moved = points_frame + np.rint(np.interp(points_frame, at, to - at)).astype(np.int64)
    is_usable = np.abs(points_quarter[:, None] - quarters).min(axis=1) > SAME_QUARTER
    if len(at) > 1:
        bend = np.diff(to) / np.diff(at)
        is_even = (bend < MOST_BEND) & (bend > 1 / MOST_BEND)
        place = np.searchsorted(quarters_kept, points_quarter) - 1
        inside = (place >= 0) & (place < len(bend))
        is_usable &= ~inside | is_even[np.clip(place, 0, len(bend) - 1)]
    hand = np.concatenate([np.ones(len(quarters), np.bool_), np.zeros(int(is_usable.sum()), np.bool_)])
    points = np.concatenate([quarters, points_quarter[is_usable]]), np.concatenate([frames, moved[is_usable]])
    exact = rising_time_map(*points, hand)
    time_map = replace(exact, is_by_hand=np.zeros(len(exact.frame), np.bool_))
    times = moved_times(old, unfolded.notes, time_map)
    confidence = times.is_present.astype(np.float32)
    return replace(
        old, time_map=time_map, note_times=replace(times, confidence=confidence), confidence=1.0, warnings=()
    )
