"""What a person may export of a project (stems, the mix, the alignment), and the request that the files layer does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import numpy as np

from scoresep.errors import InputError
from scoresep.files import export_audio as sound
from scoresep.files.export_alignment import (
    AlignmentExportRequest,
    alignment_files,
    alignment_files_in_the_way,
    export_alignment,
)
from scoresep.files.export_audio import (
    DEFAULT_TEMPLATE,
    ExportInput,
    ExportPatch,
    ExportReport,
    ExportRequest,
    ExportTrack,
)
from scoresep.files.export_formats import ExportFormat
from scoresep.files.export_midi import MidiPart
from scoresep.model.alignment import Alignment
from scoresep.model.note_edits import NoteKey
from scoresep.model.project import Project, Stem, StemSet
from scoresep.model.segments import segments_of
from scoresep.playback.mixing import TrackKey, fold_matrix, stereo_gains
from scoresep.progress import Progress
from scoresep.session import edits
from scoresep.session.note_export import note_tracks
from scoresep.session.note_places import NotePlace, NotePlaces, NoteWork, make_note_sounds

ALIGNMENT_FORMS = ("midi", "labels")
Request = ExportRequest | AlignmentExportRequest
Edited = tuple[tuple[TrackKey, NotePlace, float], ...]


@dataclass(frozen=True)
class ExportChoices:
    """What is to be exported, and how.

    Attributes
    ----------
    folder : str
    is_mix : bool
        The mix as it is heard, in the place of the stems.
    part_indices : tuple of (int or None) or None
        Stems that are written, None among them for the residual; None in place of the tuple for all stems.
    start_frame : int
    end_frame : int or None
        None for the end of the recording.
    container : str
        ``wav`` or ``flac`` for sound, ``midi`` or ``labels`` for the alignment, which is written as a whole.
    bits : int
        16 or 24, in WAV also 32, which is float.
    template : str
        Names of the files of sound.
    overwrites : bool
        Whether files of the same names are replaced.
    note_keys : tuple of NoteKey
        Single notes that are written in the place of stems, just where they sound; not with the alignment.
    is_note_by_note : bool
        Every note has a file of its own.
    """

    folder: str
    is_mix: bool = False
    part_indices: tuple[int | None, ...] | None = None
    start_frame: int = 0
    end_frame: int | None = None
    container: Literal["wav", "flac", "midi", "labels"] = "wav"
    bits: int = 32
    template: str = DEFAULT_TEMPLATE
    overwrites: bool = False
    note_keys: tuple[NoteKey, ...] = ()
    is_note_by_note: bool = False


@dataclass(frozen=True)
class SoundExport(ExportRequest):
    """An export of sound, and the sounds of notes that must be made before.

    Attributes
    ----------
    note_works : tuple of NoteWork
    """

    note_works: tuple[NoteWork, ...] = ()


def export_request(project: Project, choices: ExportChoices) -> Request:
    """Gather what an export depends on; its names can be looked at before (`export_names`).

    Raises
    ------
    InputError
        If there are no stems, or no alignment where that is wanted.
    UsageError
        If there is no such format.
    """
    if choices.container in ALIGNMENT_FORMS:
        return _alignment_request(project, choices)
    recording, stem_set = project.recording, project.stem_set
    if recording is None or stem_set is None:
        raise InputError("There are no stems to export; separate the recording first.")
    places = NotePlaces(project)
    edited = places.edited(project.note_edits)
    used = [place for _, place, _ in edited]
    if choices.note_keys:
        used = list(places.places_of(places.rows_of(choices.note_keys)))
        tracks = note_tracks(project, places, choices.note_keys, choices.is_note_by_note)
    elif choices.is_mix:
        tracks = (_mix_track(project, stem_set, edited),)
    else:
        wanted = choices.part_indices
        stems = tuple(s for s in stem_set.stems if wanted is None or s.part_index in wanted)
        tracks = tuple(_stem_track(project, s, edited) for s in stems)
    return SoundExport(
        folder=choices.folder,
        tracks=tracks,
        recording=recording,
        file_format=ExportFormat(cast(Literal["wav", "flac"], choices.container), choices.bits),
        template=choices.template,
        song=Path(recording.path).stem,
        engine=stem_set.engine,
        device=stem_set.device,
        start_frame=choices.start_frame,
        end_frame=choices.end_frame,
        may_replace=choices.overwrites,
        note_works=places.missing(used),
    )


def export(request: Request, progress: Progress) -> ExportReport:
    """Write the files of an export, all or none; runs in a worker."""
    if isinstance(request, AlignmentExportRequest):
        return export_alignment(request, progress)
    if isinstance(request, SoundExport) and request.note_works:
        make_note_sounds(request.note_works, progress.part(0.0, 0.5))
        progress = progress.part(0.5, 1.0)
    return sound.export_audio(request, progress)


def export_names(request: Request) -> tuple[str, ...]:
    """Return the names that the files will have.

    Raises
    ------
    UsageError
        Something is wrong with the template.
    """
    if isinstance(request, AlignmentExportRequest):
        return tuple(alignment_files(request))
    return sound.export_names(request)


def files_in_the_way(request: Request) -> tuple[str, ...]:
    """Return the files that the export would replace.

    Raises
    ------
    UsageError
        Something is wrong with the template.
    """
    if isinstance(request, AlignmentExportRequest):
        return alignment_files_in_the_way(request)
    return sound.files_in_the_way(request)


def _alignment_request(project: Project, choices: ExportChoices) -> AlignmentExportRequest:
    recording, unfolded, alignment = project.recording, project.unfolded, project.alignment
    if recording is None or unfolded is None or alignment is None:
        raise InputError("There is no alignment to export; align the recording and its score first.")
    activities = project.activities
    if activities is None:
        activities = edits.derived_activities(project, alignment)
    sounding = tuple(a for a, p in zip(activities, project.parts, strict=True) if not p.is_absent)
    return AlignmentExportRequest(
        folder=choices.folder,
        form=cast(Literal["midi", "labels"], choices.container),
        song=Path(recording.path).stem,
        unfolded=unfolded,
        alignment=_heard(project, alignment),
        parts=tuple(MidiPart(p.name, p.instrument) for p in project.parts),
        segments=segments_of(sounding, recording.frames),
        sample_rate=recording.sample_rate,
        frames=recording.frames,
        may_replace=choices.overwrites,
    )


def _heard(project: Project, alignment: Alignment) -> Alignment:
    """Return the alignment with only those notes that begin in the recording, of parts that it has."""
    assert project.recording is not None and project.unfolded is not None
    heard = edits.without_parts(alignment, project.unfolded, edits.absent_parts(project))
    times = heard.note_times
    is_inside = (times.onset_frame >= 0) & (times.onset_frame < project.recording.frames)
    return replace(heard, note_times=replace(times, is_present=times.is_present & is_inside))


def _stem_track(project: Project, stem: Stem, edited: Edited) -> ExportTrack:
    assert project.stem_set is not None
    source = ExportInput(str(Path(project.stem_set.folder) / stem.file), None, _patches(stem, edited))
    if stem.part_index is None or stem.part_index >= len(project.parts):
        return ExportTrack(stem.name, (source,), None)
    part = project.parts[stem.part_index]
    return ExportTrack(part.name, (source,), stem.part_index, part.instrument.name)


def _patches(stem: Stem, edited: Edited) -> tuple[ExportPatch, ...]:
    """Return what edits of notes lay over a stem."""
    key = "residual" if stem.part_index is None else stem.part_index
    return tuple(ExportPatch(str(place.path), place.start_frame, factor) for k, place, factor in edited if k == key)


def _mix_track(project: Project, stem_set: StemSet, edited: Edited) -> ExportTrack:
    """Sum all stems as the mixer has them: folded to stereo, as they are heard."""
    assert project.recording is not None
    keys: tuple[TrackKey, ...] = tuple("residual" if s.part_index is None else s.part_index for s in stem_set.stems)
    fold = fold_matrix(project.recording.channels)
    inputs = []
    for stem, gains in zip(stem_set.stems, stereo_gains(project.mixer, keys), strict=True):
        matrix = np.diag(gains) @ fold
        rows = tuple(tuple(float(g) for g in row) for row in matrix)
        inputs.append(ExportInput(str(Path(stem_set.folder) / stem.file), rows, _patches(stem, edited)))
    return ExportTrack("Mix", tuple(inputs))
