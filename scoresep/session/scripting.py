"""What scripts need besides the steps of `pipeline`: opening whatever there is, and keeping results."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from scoresep.errors import InputError, UsageError
from scoresep.files.notes_csv import write_notes_csv
from scoresep.files.project_files import PROJECT_SUFFIX, load_project, save_project
from scoresep.files.segments_csv import write_segments_csv
from scoresep.model.project import Project
from scoresep.progress import Progress
from scoresep.session import pipeline
from scoresep.session.project_store import project_path

_log = logging.getLogger(__name__)


def open(path: str | Path, score: str | Path | None = None, progress: Progress | None = None) -> Project:
    """Open a recording and its score, or a project.

    Parameters
    ----------
    path : str or Path
        A recording, or a ``.scoresep`` file.
    score : str or Path, optional
        The score of the recording.
    progress : Progress, optional

    Returns
    -------
    project : Project
        What is doubtful about the files goes to the log.

    Raises
    ------
    AudioFileError, ScoreFileError, ProjectFileError
    """
    if Path(path).suffix.lower() == PROJECT_SUFFIX:
        if score is not None:
            raise UsageError("A project brings its score along; open it without another one.")
        loaded = load_project(Path(path), progress)
        project, warnings = loaded.project, loaded.warnings
        if loaded.missing_recording is not None:
            place = loaded.missing_recording.path
            warnings += (f"The recording '{place}' is not there; put it back, or beside the project.",)
    else:
        project, warnings = pipeline.open_files(path, score, progress)
    for warning in warnings:
        _log.warning("%s", warning)
    return project


def save(project: Project, path: str | Path) -> None:
    """Save a project, whole or not at all; ``.scoresep`` is added to the name where it is missing.

    Raises
    ------
    OutputError
    """
    save_project(project, project_path(path))


def write_notes(project: Project, path: str | Path) -> None:
    """Write the table of notes (``notes.csv``) of an aligned project; notes outside the recording are left out.

    Raises
    ------
    InputError
        If the project is not aligned.
    OutputError
    """
    if project.recording is None or project.unfolded is None or project.alignment is None:
        raise InputError("Align the recording and its score first.")
    times = project.alignment.note_times
    is_inside = (times.onset_frame >= 0) & (times.onset_frame < project.recording.frames)  # bars move, placed by hand
    inside = replace(project.alignment, note_times=replace(times, is_present=times.is_present & is_inside))
    write_notes_csv(path, project.unfolded, inside, project.recording.sample_rate)


def write_segments(project: Project, path: str | Path) -> None:
    """Write the table of segments (``segments.csv``) of a segmented project.

    Raises
    ------
    UsageError
        If the project is not segmented.
    OutputError
    """
    found = pipeline.segments(project)
    assert project.recording is not None
    write_segments_csv(path, found, tuple(p.name for p in project.parts), project.recording.sample_rate)
