"""The public Python API: the whole job, step by step, on immutable projects.

    import scoresep

    piece = scoresep.open("quartet.wav", "quartet.musicxml")
    piece = scoresep.align(piece)
    piece = scoresep.segment(piece)
    piece = scoresep.separate(piece, "stems")
    scoresep.save(piece, "quartet.scoresep")

`scoresep` itself offers these names and loads this module at the first use of one of them. Errors that a person can do
something about are `ScoreSepError`; its sentences say what. Every step takes `progress`, whose updates tell how far the
work is, and which ends it with `Cancelled`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import Cancelled, InputError, OutputError, ScoreSepError, UsageError
from scoresep.files.project.links import Outside
from scoresep.files.project.project_files import PROJECT_SUFFIX, load_project, save_project
from scoresep.model.project import Project, Recipe
from scoresep.model.segments import Segment
from scoresep.progress import Progress
from scoresep.session import pipeline
from scoresep.session.project_store import project_path

__all__ = [
    "Cancelled",
    "InputError",
    "OutputError",
    "Progress",
    "Project",
    "Recipe",
    "ScoreSepError",
    "align",
    "note_sound",
    "open",
    "save",
    "segment",
    "segments",
    "separate",
    "write_notes",
    "write_segments",
]

_log = logging.getLogger(__name__)


def open(
    path: str | Path, score: str | Path | None = None, progress: Progress | None = None, *, allow_outside: bool = False
) -> Project:
    """Open a recording and its score, or a project.

    Parameters
    ----------
    path : str or Path
        A recording (WAV, FLAC, MP3, or whatever else can be decoded), or a ``.scoresep`` file.
    score : str or Path, optional
        The score of the recording: MusicXML, MIDI, MEI, Humdrum or ABC.
    progress : Progress, optional
    allow_outside : bool
        Whether files outside the folder of a project are opened that was not saved by this user on this computer.

    Returns
    -------
    project : Project
        What is doubtful about the files goes to the log.

    Raises
    ------
    AudioFileError, ScoreFileError, ProjectFileError
        A file is missing, damaged or of a kind that cannot be read.
    OutsideFilesError
        A project of somebody else names files outside its folder, and `allow_outside` is not set.
    UsageError
        A score is given beside a project.
    Cancelled
    """
    if Path(path).suffix.lower() == PROJECT_SUFFIX:
        if score is not None:
            raise UsageError("A project brings its score along; open it without another one.")
        loaded = load_project(Path(path), progress, Outside.OPEN if allow_outside else Outside.ASK)
        project, warnings = loaded.project, loaded.warnings
        if loaded.missing_recording is not None:
            place = loaded.missing_recording.path
            warnings += (f"The recording '{place}' is not there; put it back, or beside the project.",)
    else:
        project, warnings = pipeline.open_files(path, score, progress)
    for warning in warnings:
        _log.warning("%s", warning)
    return project


def align(project: Project, progress: Progress | None = None) -> Project:
    """Find where in the recording every note of the score begins and ends.

    Which repeats were played is found from the recording, unless a person has said so.

    Parameters
    ----------
    project : Project
        With a recording and a score.
    progress : Progress, optional

    Returns
    -------
    project : Project
        With ``alignment`` (onsets and offsets in frames of the recording, and a confidence of 0 to 1 for every note)
        and ``activities``, who plays when by it.

    Raises
    ------
    InputError
        Recording or score is missing.
    AudioFileError
        The recording is gone, or was written to since it was opened.
    AlignmentError
        The two do not fit each other at all.
    Cancelled

    References
    ----------
    C. Fremerey, M. Müller, M. Clausen, "Handling repeats and jumps in score-performance synchronization", ISMIR 2010.
    T. Nakamura, E. Nakamura, S. Sagayama, "Real-time audio-to-score alignment of music performances containing errors
    and arbitrary repeats and skips", IEEE/ACM TASLP 24(2), 2016, doi:10.1109/TASLP.2015.2507862.
    """
    return pipeline.align(project, progress)


def segment(project: Project, progress: Progress | None = None) -> Project:
    """Find in the sound who plays when; the project is aligned first where it is not yet.

    Parameters
    ----------
    project : Project
    progress : Progress, optional

    Returns
    -------
    project : Project
        With ``activities``: for every part the stretches, in frames, in which it sounds.

    Raises
    ------
    InputError, AlignmentError, Cancelled
        As in `align`.

    References
    ----------
    L. R. Rabiner, "A tutorial on hidden Markov models and selected applications in speech recognition", Proceedings of
    the IEEE 77(2), 1989, doi:10.1109/5.18626.
    """
    return pipeline.segment(project, progress)


def segments(project: Project) -> tuple[Segment, ...]:
    """Return the stretches with one set of sounding parts each.

    Parameters
    ----------
    project : Project
        Segmented.

    Returns
    -------
    segments : tuple of Segment
        Gapless from frame 0 to the last frame of the recording, half-open; each has ``start_frame``, ``end_frame``,
        ``part_indices`` and ``category`` (silence, single, mixed).

    Raises
    ------
    UsageError
        The project is not segmented.
    """
    return pipeline.segments(project)


def separate(
    project: Project,
    folder: str | Path,
    recipe: Recipe | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Project:
    """Write one stem for every part; the project is aligned first where it is not yet.

    Parameters
    ----------
    project : Project
    folder : str or Path
        Gets a WAV file for every part and one for the residual, 32-bit float with the rate, channels and frames of the
        recording, which is their sum; and a manifest. It must not hold stems yet.
    recipe : Recipe, optional
        Engine, quality and seed, also for single parts or stretches; that of the project by default.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    progress : Progress, optional

    Returns
    -------
    project : Project
        With ``stem_set``.

    Raises
    ------
    InputError
        Recording or score is missing, or no part is left to separate.
    OutputError
        The folder cannot be written.
    SeparationError, DeviceError
        Memory or the device does not suffice.
    UsageError
        The recipe names an engine or a quality that does not exist.
    Cancelled
    """
    from scoresep.session.separation_job import separate as make_stems

    return make_stems(project, folder, recipe, device, progress)


def note_sound(project: Project, rows: Iterable[int], progress: Progress | None = None) -> NDArray[np.float32]:
    """Return the sound of single notes alone, out of the stem of their part.

    Parameters
    ----------
    project : Project
        With stems.
    rows : iterable of int
        Rows of ``project.unfolded.notes``; notes that the recording does not have are left out.
    progress : Progress, optional

    Returns
    -------
    samples : ndarray [shape=(channels, frames)], float32
        As long as the recording, silent where the notes are not.

    Raises
    ------
    InputError
        The project has no stems, or none of the notes is in them.
    """
    from scoresep.session.note_sounds import note_sound as sound_of_notes

    return sound_of_notes(project, rows, progress)


def save(project: Project, path: str | Path) -> None:
    """Save a project, whole or not at all.

    Parameters
    ----------
    project : Project
    path : str or Path
        ``.scoresep`` is added to the name where it is missing.

    Raises
    ------
    OutputError
        It cannot be written; what was there before stays.
    """
    save_project(project, project_path(path))


def write_notes(project: Project, path: str | Path) -> None:
    """Write the table of notes (``notes.csv``): onsets and offsets in seconds; none outside the recording.

    Parameters
    ----------
    project : Project
        Aligned.
    path : str or Path

    Raises
    ------
    InputError
        The project is not aligned.
    OutputError
    """
    pipeline.write_notes(project, path)


def write_segments(project: Project, path: str | Path) -> None:
    """Write the table of segments (``segments.csv``): their edges in seconds, category and parts.

    Parameters
    ----------
    project : Project
        Segmented.
    path : str or Path

    Raises
    ------
    UsageError
        The project is not segmented.
    OutputError
    """
    pipeline.write_segments(project, path)
