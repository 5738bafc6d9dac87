"""Alignments made elsewhere or earlier, as files say them: how they fit the score and the recording.

`notes.csv` and MIDI say where notes lie, labels of Audacity and layers of Sonic Visualiser where bars or beats lie. An
imported alignment is one more proposal of a machine: what a person has placed by hand stays where it is, and the new
one bends there. Only `notes.csv` states a confidence; everything else is taken as certain.

Notes of a performance are matched with those of the score part by part and pitch by pitch in their order; where their
numbers differ, the longest common order of all notes [1]_ says about when each is expected, and the nearest match.

References
----------
.. [1] D. S. Hirschberg, "A linear space algorithm for computing maximal common subsequences", Communications of the
   ACM 18(6), 1975, doi:10.1145/360825.360861.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import InputError, UsageError
from scoresep.files.midi.alignment import PerformedNotes
from scoresep.files.storage.paths import expanded_path
from scoresep.files.tables.alignment import NoteTable, read_alignment
from scoresep.files.tables.labels import Instant
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.audio import Recording
from scoresep.model.project import Project
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import Activity
from scoresep.model.time_warping import WarpExtent, move_note_times, warp_alignment
from scoresep.model.timebase import SAME_QUARTER, seconds_to_frames
from scoresep.model.timemap import TimeMap, counts, match_count, parse_labels, rising_time_map
from scoresep.progress import Progress
from scoresep.session import pipeline

# Notes that begin within this time are together: their order says nothing.
TOGETHER_S = 0.03
# A note may be this far from where it is expected, at first and when more is known.
REACHES_S = (0.6, 0.35)
# Where the beats of a performance are those of the score: how far a note may be from its beat, what share of the notes
# must be nearer than a quarter of one, and what share of those met by time must be met again.
BEAT_REACH, NEAR_BEAT = 0.45, 0.25
LEAST_NEAR, LEAST_AGAIN = 0.9, 0.98
WHOLE_TABLE = 4_000_000
TICKS_PER_S = 1_000_000

Ints = NDArray[np.int64]


def match_notes(
    quarter: NDArray[np.float64], symbol: Ints, performed_s: NDArray[np.float64], performed_symbol: Ints
) -> Ints:
    """Match the notes of a score with those of a performance.

    Parameters
    ----------
    quarter : ndarray [shape=(notes,)], float64
        Where the notes of the score begin.
    symbol : ndarray [shape=(notes,)], int64
        What only equal notes share: pitch, or part and pitch.
    performed_s : ndarray [shape=(performed,)], float64
    performed_symbol : ndarray [shape=(performed,)], int64

    Returns
    -------
    match : ndarray [shape=(notes,)], int64
        The performed note of each; -1 for none. No performed note is given twice.
    """
    score_order = np.lexsort((symbol, quarter))
    groups = np.zeros(len(performed_s), np.int64)
    order = np.argsort(performed_s, kind="stable")
    groups[order] = np.cumsum(np.diff(performed_s[order], prepend=-np.inf) > TOGETHER_S)
    performed_order = np.lexsort((performed_s, performed_symbol, groups))
    match, are_all = _in_order(quarter, symbol, performed_s, performed_symbol)
    if are_all:
        return match
    pairs = common_subsequence(symbol[score_order], performed_symbol[performed_order])
    match = np.full(len(quarter), -1, np.int64)
    match[score_order[pairs[:, 0]]] = performed_order[pairs[:, 1]]
    for reach_s in REACHES_S:
        expected = _expected(quarter, performed_s, match)
        if expected is None:
            break
        match = _nearest(expected, symbol, performed_s, performed_symbol, reach_s)
    return match


def match_by_beat(
    quarter: NDArray[np.float64],
    symbol: Ints,
    performed_quarter: NDArray[np.float64],
    performed_symbol: Ints,
    match: Ints,
) -> Ints:
    """Match again by beats, where the performance has those of the score: they tell apart what sounds the same.

    Parameters
    ----------
    quarter, symbol, performed_symbol
        As for `match_notes`.
    performed_quarter : ndarray [shape=(performed,)], float64
        Where the performed notes lie on the beats of their file, whose first may be any of the score's.
    match : ndarray [shape=(notes,)], int64
        As it was found without beats; returned where the beats are others.
    """
    met = np.flatnonzero(match >= 0)
    if not len(met) or not np.all(np.isfinite(performed_quarter)):
        return match
    expected = quarter + np.median(performed_quarter[match[met]] - quarter[met])
    again = _nearest(expected, symbol, performed_quarter, performed_symbol, BEAT_REACH)
    found = np.flatnonzero(again >= 0)
    is_near = np.abs(performed_quarter[again[found]] - expected[found]) < NEAR_BEAT
    if len(found) < LEAST_AGAIN * len(met) or is_near.mean() < LEAST_NEAR:
        return match
    is_left = (again < 0) & (match >= 0) & ~np.isin(match, again[found])  # such as grace notes, long before their beat
    return np.where(is_left, match, again)


def _in_order(
    quarter: NDArray[np.float64], symbol: Ints, performed_s: NDArray[np.float64], performed_symbol: Ints
) -> tuple[Ints, bool]:
    """Match symbol by symbol in order; tells whether the numbers of all are the same."""
    match = np.full(len(quarter), -1, np.int64)
    if len(quarter) != len(performed_s) or np.any(np.sort(symbol) != np.sort(performed_symbol)):
        return match, False
    match[np.lexsort((quarter, symbol))] = np.lexsort((performed_s, performed_symbol))
    return match, True


def _expected(
    quarter: NDArray[np.float64], performed_s: NDArray[np.float64], match: Ints
) -> NDArray[np.float64] | None:
    """Return when each note of the score is to be expected, by those that are matched."""
    met = np.flatnonzero(match >= 0)
    try:
        time_map: TimeMap = rising_time_map(quarter[met], performed_s[match[met]] * TICKS_PER_S)
    except ValueError:
        return None
    return time_map.quarters_to_frames(quarter) / TICKS_PER_S


def _nearest(
    expected: NDArray[np.float64],
    symbol: Ints,
    performed: NDArray[np.float64],
    performed_symbol: Ints,
    reach: float,
) -> Ints:
    """Give every note the nearest performed one of its symbol, the surest first."""
    rows: list[Ints] = []
    columns: list[Ints] = []
    for each in np.unique(symbol):
        here, there = np.flatnonzero(symbol == each), np.flatnonzero(performed_symbol == each)
        there = there[np.argsort(performed[there], kind="stable")]
        low = np.searchsorted(performed[there], expected[here] - reach)
        high = np.searchsorted(performed[there], expected[here] + reach, side="right")
        for i, first, last in zip(here.tolist(), low.tolist(), high.tolist(), strict=True):
            rows.append(np.full(last - first, i))
            columns.append(there[first:last])
    match = np.full(len(expected), -1, np.int64)
    if not rows:
        return match
    row, column = np.concatenate(rows), np.concatenate(columns)
    is_taken = np.zeros(len(performed), np.bool_)
    for k in np.argsort(np.abs(performed[column] - expected[row]), kind="stable").tolist():
        if match[row[k]] < 0 and not is_taken[column[k]]:
            match[row[k]] = column[k]
            is_taken[column[k]] = True
    return match


def common_subsequence(first: Ints, second: Ints) -> Ints:
    """Find a longest common subsequence.

    Returns
    -------
    pairs : ndarray [shape=(length, 2)], int64
        Places in either sequence, rising.
    """
    if not len(first) or not len(second):
        return np.zeros((0, 2), np.int64)
    if len(first) == 1 or len(first) * len(second) <= WHOLE_TABLE:
        return _traced(first, second)
    half = len(first) // 2
    before = _lengths(first[:half], second)
    after = _lengths(first[half:][::-1], second[::-1])[::-1]
    cut = int(np.argmax(before + after))
    left = common_subsequence(first[:half], second[:cut])
    right = common_subsequence(first[half:], second[cut:])
    return np.concatenate([left, right + np.array([half, cut])])


def _next_row(row: NDArray[np.int32], is_same: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the lengths with one symbol more, for every beginning of the second sequence."""
    longer = np.maximum(row[1:], row[:-1] + is_same)
    return np.concatenate([row[:1], np.maximum.accumulate(longer)]).astype(np.int32)


def _lengths(first: Ints, second: Ints) -> NDArray[np.int32]:
    row = np.zeros(len(second) + 1, np.int32)
    for symbol in first.tolist():
        row = _next_row(row, second == symbol)
    return row


def _traced(first: Ints, second: Ints) -> Ints:
    table = np.zeros((len(first) + 1, len(second) + 1), np.int32)
    for i, symbol in enumerate(first.tolist()):
        table[i + 1] = _next_row(table[i], second == symbol)
    pairs = []
    i, j = len(first), len(second)
    while i and j:
        if first[i - 1] == second[j - 1] and table[i, j] == table[i - 1, j - 1] + 1:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif table[i - 1, j] >= table[i, j - 1]:
            i -= 1
        else:
            j -= 1
    return np.array(pairs[::-1], np.int64).reshape(-1, 2)


# A file that says less than this share of its notes, or of the score's, belongs to another piece.
LEAST_SHARE = 0.5
# Between imported instants the present alignment says how notes lie, if it is at most this much slower or faster.
MOST_BEND = 1.5
# Grace notes come before the note that they belong to, though the score has them at the same place.
GRACE_QUARTER = 0.125


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
    path = expanded_path(path)
    content = read_alignment(path, unfolded, recording)
    warnings: tuple[str, ...] = ()
    if isinstance(content, tuple):
        alignment = _aligned_at(path, content, project, unfolded, recording)
    else:
        table = content if isinstance(content, NoteTable) else _times_of_midi(path, content, project)
        alignment, warnings = _aligned_by(project, table.times), table.warnings
    present = project.alignment
    if present is not None:
        same = {name: getattr(present, name) for name in ("tuning_cents", "transposition_semitones")}
        alignment = replace(alignment, **same)
    return ImportedAlignment(_through_points(project, unfolded, alignment), None, warnings)


def import_and_segment(project: Project, path: str, progress: Progress) -> ImportedAlignment:
    """Read an alignment, and find who plays when by it; runs in a worker.

    Parameters
    ----------
    project : Project
        With a recording and a score.
    path : str
    progress : Progress
    """
    progress.update(0.0, "Reading the alignment")
    imported = import_alignment(project, path)
    request = pipeline.segmentation_request(replace(project, alignment=imported.alignment))
    return replace(imported, activities=pipeline.segment_recording(request, progress))


def _aligned_by(project: Project, times: NoteTimes) -> Alignment:
    alignment = pipeline.with_note_times(project, times).alignment
    assert alignment is not None
    return alignment


def _through_points(project: Project, unfolded: UnfoldedScore, alignment: Alignment) -> Alignment:
    """Let an alignment go through the points that a person has placed."""
    points = [(unfolded.beat_to_quarter(p.measure_index, p.occurrence, p.beat), p.frame) for p in project.hand_points]
    for quarter, frame in points:
        if quarter is not None:
            alignment = warp_alignment(alignment, unfolded, quarter, frame, WarpExtent.NEAR)
    return alignment


# ----------------------------------------------------------------------------------------------------------------- MIDI


def _times_of_midi(path: Path, performed: PerformedNotes, project: Project) -> NoteTable:
    """Find where the notes of the score lie by the notes of a MIDI file."""
    recording, unfolded = project.recording, project.unfolded
    assert recording is not None and unfolded is not None
    notes = unfolded.notes
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
    warnings = list(performed.warnings)
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
    return NoteTable(NoteTimes(onset_frame, offset_frame, is_present.astype(np.float32), is_present), tuple(warnings))


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
    match = match_notes(quarter, symbol, performed.onset_s, performed_symbol)
    return match_by_beat(quarter, symbol, performed.quarter, performed_symbol, match)


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
    quarters = parse_labels([i.label for i in instants], unfolded)
    if quarters is None:
        quarters = match_count(len(instants), unfolded)
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
    times = move_note_times(old, unfolded.notes, time_map)
    confidence = times.is_present.astype(np.float32)
    return replace(
        old, time_map=time_map, note_times=replace(times, confidence=confidence), confidence=1.0, warnings=()
    )
