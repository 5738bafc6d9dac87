"""Saving and opening projects: one small file that every later version opens.

``NAME.scoresep`` is a zip archive of ``project.json`` and of columns of numbers. It holds the score as parsed (not the
recording, nor the score's file), everything that a person has decided or edited, and links to recording, score and
stems. Stems lie beside it in ``NAME.scoresep-data``.

When the meaning of a stored field changes, `SCHEMA` goes up by one and `MIGRATIONS` gets a step from the version
before; ``tests/data/projects`` keeps a file of every version.

Also here: what must hold between the fields of a project, checked when one was read from a file.

A score or recording that cannot be used makes the whole file useless. Anything else that is wrong is left out, so that
the rest of somebody's work is not lost with it.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from scoresep import version
from scoresep.errors import AudioFileError, InputError, ProjectFileError
from scoresep.files.audio.stems import read_stem_set
from scoresep.files.audio.wav import read_wav_layout
from scoresep.files.project.archive import read_archive, write_archive
from scoresep.files.project.links import (
    FileLink,
    MissingRecording,
    Outside,
    Places,
    Reach,
    file_name,
    find_places,
    find_same,
    link_to,
    place_of,
    relink,
    remember,
)
from scoresep.files.storage.paths import absolute_path
from scoresep.files.storage.values import Columns, decode, encode
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.project import Project, StemSet
from scoresep.model.score import Score, UnfoldedScore
from scoresep.progress import Progress

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


PROJECT_SUFFIX = ".scoresep"
DATA_SUFFIX = "-data"
FORMAT = "scoresep project"
SCHEMA = 1
# From version n to n + 1: gets and returns the whole text; the columns may be changed in place.
MIGRATIONS: dict[int, Callable[[dict[str, Any], Columns], dict[str, Any]]] = {}

_IN_WORDS = {
    "alignment": "the alignment",
    "pending_alignment": "the proposed alignment",
    "hand_points": "the sync points placed by hand",
    "activities": "the activities",
    "mixer": "the mixer settings",
    "recipe": "the settings of the separation",
    "stem_set": "the list of stems",
    "note_edits": "the edits of single notes",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedProject:
    """A project that was opened, and what a person should know of it.

    Attributes
    ----------
    project : Project
        Its files are where they were found.
    warnings : tuple of str
    missing_recording : MissingRecording or None
        Set when the recording was not found: ask for it and call `relink`. The project holds what is known of it.
    """

    project: Project
    warnings: tuple[str, ...] = ()
    missing_recording: MissingRecording | None = None


def data_folder(project_path: str | Path) -> Path:
    """Return the folder beside a project in which its stems lie."""
    path = Path(project_path)
    return path.with_name(path.name + DATA_SUFFIX)


def save_project(project: Project, path: str | Path, extra: Mapping[str, str] | None = None) -> None:
    """Save a project, whole or not at all; what was there before stays until then.

    The places of its files are this user's own from then on, and nobody is asked about them.

    Parameters
    ----------
    project : Project
    path : str or Path
    extra : mapping of str, optional
        Further entries of the text.

    Raises
    ------
    OutputError
    """
    path = absolute_path(path)
    columns: Columns = {}
    text: dict[str, Any] = {
        "format": FORMAT,
        "schema": SCHEMA,
        "program": version.__version__,
        "links": {name: asdict(link_to(target, path.parent)) for name, target in _targets(project).items()},
        "project": {f.name: encode(getattr(project, f.name), columns, f.name) for f in fields(Project)},
        **(extra or {}),
    }
    if project.unfolded is not None:
        notes = project.unfolded.notes
        identity = {"step_index": notes.step_index, "written_index": notes.written_index}
        text["notes"] = {name: encode(column, columns, f"notes/{name}") for name, column in identity.items()}
    write_archive(path, text, columns)
    remember(_targets(project).values())


def load_project(path: str | Path, progress: Progress | None = None, outside: Outside = Outside.ASK) -> LoadedProject:
    """Open a project.

    Parameters
    ----------
    path : str or Path
    progress : Progress, optional
        Takes time only where the recording must be looked through because its size or time has changed.
    outside : Outside
        Whether files outside the project's folder are opened that this user does not know. Nothing is touched before
        that is settled.

    Raises
    ------
    ProjectFileError
        Missing, damaged, or of a newer version.
    OutsideFilesError
        It refers to files outside its folder, and is to ask first.
    Cancelled
    """
    path = absolute_path(path)
    project, links, warnings = _read_project(path)
    places = find_places(links, path.parent, outside)
    project = _with_score_found(project, links, places, warnings)
    project = _with_stems_found(project, places, warnings)
    project, missing = _with_recording_found(project, links, places, warnings, progress or Progress())
    return LoadedProject(project, tuple(warnings), missing)


def trust_files_of(path: str | Path) -> None:
    """Agree to the files that a project names outside its folder, so that nobody is asked about them again.

    Raises
    ------
    ProjectFileError
    """
    path = absolute_path(path)
    _, links, _ = _read_project(path)
    find_places(links, path.parent, Outside.OPEN)


def _read_project(path: Path) -> tuple[Project, dict[str, FileLink], list[str]]:
    """Read what stands in the file itself, without a look at anything that it refers to; and what is to be warned of.

    Raises
    ------
    ProjectFileError
    """
    text, columns = read_archive(path)
    text = _migrated(path, text, columns)
    warnings: list[str] = []
    try:
        project = _decoded(text, columns, warnings)
        return project, _links(project, text.get("links", {})), warnings
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, OverflowError) as error:
        _log.info("Project %s: %s", path, error)
        raise ProjectFileError(f"'{path}' is damaged; open an earlier copy of it.") from error


def _links(project: Project, stored: Mapping[str, Any]) -> dict[str, FileLink]:
    """Return a link for every file of the project, also for one that the text has none for."""
    links = {name: FileLink(None, target) for name, target in _targets(project).items()}
    return links | {name: decode(FileLink, link, {}) for name, link in stored.items() if name in links}


def _targets(project: Project) -> dict[str, str]:
    targets = {}
    if project.recording is not None:
        targets["recording"] = project.recording.path
    if project.score_file is not None:
        targets["score_file"] = project.score_file.path
    if project.stem_set is not None:
        targets["stem_set"] = project.stem_set.folder
    return targets


def _migrated(path: Path, text: dict[str, Any], columns: Columns) -> dict[str, Any]:
    schema = text.get("schema")
    if text.get("format") != FORMAT or not isinstance(schema, int) or schema < 1:
        raise ProjectFileError(f"'{path}' is damaged or not a ScoreSep project; open an earlier copy of it.")
    if schema > SCHEMA:
        program = str(text.get("program", ""))[:20]
        raise ProjectFileError(f"'{path}' was saved by a newer ScoreSep ({program}); update ScoreSep to open it.")
    for schema_version in range(schema, SCHEMA):
        text = MIGRATIONS[schema_version](text, columns)
    return text


def _decoded(text: Mapping[str, Any], columns: Columns, warnings: list[str]) -> Project:
    """Decode field by field, so that a wrong one that is not essential costs only itself."""
    hints = get_type_hints(Project)
    stored = text["project"]
    values, left_out = {}, []
    for field in fields(Project):
        if field.name not in stored:
            if field.default is MISSING and field.default_factory is MISSING:
                raise ValueError(f"{field.name} is missing")
            continue
        try:
            values[field.name] = decode(hints[field.name], stored[field.name], columns, field.name)
        except ValueError:
            if field.name in ESSENTIAL_FIELDS:
                raise
            left_out.append(field.name)
    project, wrong = without_wrong_fields(Project(**values))
    project = _with_notes_matched(project, text.get("notes"), columns, warnings)
    project, foreign = without_foreign_times(project)
    for name in (*left_out, *wrong, *foreign):
        warnings.append(f"The project file was damaged: {_IN_WORDS.get(name, name)} could not be read and is left out.")
    return project


def _with_notes_matched(project: Project, identity: Any, columns: Columns, warnings: list[str]) -> Project:
    """Give the times of notes to the notes as this version of the program unfolds the score."""
    unfolded = project.unfolded
    if unfolded is None or not isinstance(identity, dict):
        return project
    stored = [columns[identity[name]["column"]] for name in ("step_index", "written_index")]
    notes = unfolded.notes
    if all(np.array_equal(a, b) for a, b in zip(stored, (notes.step_index, notes.written_index), strict=True)):
        return project
    if len(stored[0]) > MAX_PATH_NOTES:
        raise ValueError("there are too many notes")
    place = {pair: row for row, pair in enumerate(zip(*(c.tolist() for c in stored), strict=True))}
    row_of_note = np.array(
        [place.get(pair, -1) for pair in zip(notes.step_index.tolist(), notes.written_index.tolist(), strict=True)],
        np.int64,
    )
    warnings.append("This version reads the notes of the score a little differently; look through the alignment.")
    return replace(
        project,
        alignment=_rematched(project.alignment, row_of_note, unfolded),
        pending_alignment=_rematched(project.pending_alignment, row_of_note, unfolded),
    )


def _rematched(
    alignment: Alignment | None, row_of_note: NDArray[np.int64], unfolded: UnfoldedScore
) -> Alignment | None:
    """Take the times of the notes that were known, and those of the others from the time map."""
    if alignment is None:
        return None
    times, notes = alignment.note_times, unfolded.notes
    is_known = (row_of_note >= 0) & (row_of_note < len(times))
    row = row_of_note[is_known]
    onset = alignment.time_map.quarters_to_frames(notes.onset_quarter)
    offset = alignment.time_map.quarters_to_frames(notes.onset_quarter + notes.duration_quarter)
    confidence, is_present = np.zeros(len(notes)), np.ones(len(notes), np.bool_)
    onset[is_known], offset[is_known] = times.onset_frame[row], times.offset_frame[row]
    confidence[is_known], is_present[is_known] = times.confidence[row], times.is_present[row]
    return replace(alignment, note_times=NoteTimes(onset, offset, confidence.astype(np.float32), is_present))


def _with_score_found(project: Project, links: Mapping[str, FileLink], places: Places, warnings: list[str]) -> Project:
    score_file = project.score_file
    if score_file is None:
        return project
    existing = places.found["score_file"]
    found = find_same(links["score_file"], score_file.content_key, existing)
    if found is None and existing:
        warnings.append(
            f"The score '{existing[0].name}' has changed since it was read; open it again to use the new one."
        )
    path = found or next(iter(existing), Path(places.harmless(score_file.path)))
    return replace(project, score_file=replace(score_file, path=str(path)))


def _with_stems_found(project: Project, places: Places, warnings: list[str]) -> Project:
    stem_set = project.stem_set
    if stem_set is None:
        return project
    for place in places.found["stem_set"]:
        found = replace(stem_set, folder=str(place))
        if _are_there(found, project):
            return replace(project, stem_set=found)
    warnings.append("The stems of this project are gone or incomplete; separate again to have them back.")
    return replace(project, stem_set=None)


def _are_there(stem_set: StemSet, project: Project) -> bool:
    try:
        if read_stem_set(stem_set.folder).stems != stem_set.stems:
            return False
        files = [Path(stem_set.folder) / stem.file for stem in stem_set.stems]
        judged = [place_of(file, Path(stem_set.folder)) for file in files]
        if any(place is None or place.reach is not Reach.INSIDE for place in judged):
            return False  # a link out of the folder of stems
        layouts = [read_wav_layout(file) for file in files]
    except (InputError, AudioFileError):
        return False
    recording = project.recording
    return recording is None or all(
        (w.frames, w.channels, w.sample_rate) == (recording.frames, recording.channels, recording.sample_rate)
        for w in layouts
    )


def _with_recording_found(
    project: Project, links: Mapping[str, FileLink], places: Places, warnings: list[str], progress: Progress
) -> tuple[Project, MissingRecording | None]:
    recording = project.recording
    if recording is None:
        return project, None
    existing = places.found["recording"]
    found = find_same(links["recording"], recording.content_key, existing, progress.part(0.0, 0.5))
    if found is not None:
        return replace(project, recording=replace(recording, path=str(found))), None
    missing = MissingRecording(recording.path, file_name(recording.path), recording.duration_s)
    unchanged = replace(project, recording=replace(recording, path=places.harmless(recording.path)))
    if not existing:
        return unchanged, missing
    try:
        relinked = relink(project, existing[0], progress.part(0.5, 1.0))
    except AudioFileError as error:
        warnings.append(str(error))
        return unchanged, missing
    warnings.extend(relinked.warnings)
    return relinked.project, None
