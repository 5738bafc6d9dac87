"""Export of stems, the mix, single notes or the alignment: what goes into which file, done in the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, cast

import numpy as np

from scoresep.edits import project as edits
from scoresep.errors import InputError
from scoresep.files.audio import export as sound
from scoresep.files.audio.export import (
    DEFAULT_TEMPLATE,
    ExportedProject,
    ExportInput,
    ExportPatch,
    ExportReport,
    ExportRequest,
    ExportTrack,
)
from scoresep.files.audio.export_formats import COMPRESSED, Container, ExportFormat
from scoresep.files.daw.arrangement import Arrangement, DawTrack, NoteTrack, tempo_map_of
from scoresep.files.daw.dawproject import SUFFIX as DAWPROJECT_SUFFIX
from scoresep.files.daw.dawproject import write_dawproject
from scoresep.files.daw.reaper import SUFFIX as RPP_SUFFIX
from scoresep.files.daw.reaper import write_rpp
from scoresep.files.midi.alignment import MidiPart
from scoresep.files.storage.paths import safe_name
from scoresep.files.tables.alignment import (
    AlignmentExportRequest,
    alignment_files,
    alignment_files_in_the_way,
    export_alignment,
)
from scoresep.files.tables.labels import pitch_name
from scoresep.model.alignment import Alignment
from scoresep.model.colors import RESIDUAL_COLOR
from scoresep.model.note_edits import NoteKey
from scoresep.model.project import Project, Stem, StemSet
from scoresep.model.segments import segments_of
from scoresep.playback.mixing import TrackKey, find_strip, fold_matrix, gain_factor, stereo_gains
from scoresep.progress import Progress
from scoresep.session.jobs import Worker
from scoresep.session.note_sounds import NotePlace, NotePlaces, NoteWork, make_note_sounds
from scoresep.session.state import Jobs, ProjectState


def note_tracks(
    project: Project, places: NotePlaces, keys: Sequence[NoteKey], is_note_by_note: bool
) -> tuple[ExportTrack, ...]:
    """Return the files of notes: one with all of them, or one for each; from where they begin to where they end.

    Parameters
    ----------
    project : Project
    places : NotePlaces
        Where the notes sound, and where their sounds lie.
    keys : sequence of NoteKey
    is_note_by_note : bool
        One file for each note, not one for all.

    Raises
    ------
    InputError
        None of the notes has a sound.
    """
    found = [(key, places.places_of(places.rows_of((key,)))) for key in keys]
    found = [(key, some) for key, some in found if some]
    if not found:
        raise InputError("None of these notes has a sound of its own in the stems; select others.")
    if is_note_by_note:
        return tuple(_track(project, note_name(project, key), key.part_index, some) for key, some in found)
    parts = {key.part_index for key, _ in found}
    all_places = tuple(place for _, some in found for place in some)
    if len(found) == 1:
        name = note_name(project, found[0][0])
    elif len(parts) == 1:
        name = f"{project.parts[min(parts)].name} notes"
    else:
        name = "Notes"
    return (_track(project, name, min(parts) if len(parts) == 1 else None, all_places),)


def note_name(project: Project, key: NoteKey) -> str:
    """Name a note for a file: ``Violin F#4 bar 12 beat 3``."""
    assert project.score is not None
    words = [project.parts[key.part_index].name]
    if key.pitch_midi >= 0:
        words.append(pitch_name(key.pitch_midi))
    words.append(f"bar {project.score.measures[key.measure_index].number}")
    if key.occurrence > 1:
        words.append(f"({key.occurrence})")
    words.append(f"beat {key.beat:.4g}")
    return " ".join(words)


def _track(project: Project, name: str, part_index: int | None, places: tuple[NotePlace, ...]) -> ExportTrack:
    patches = tuple(ExportPatch(str(place.path), place.start_frame, 1.0) for place in places)
    stretch = min(place.start_frame for place in places), max(place.stop_frame for place in places)
    instrument = "" if part_index is None else project.parts[part_index].instrument.name
    return ExportTrack(name, (ExportInput(None, None, patches),), part_index, instrument, stretch)


ALIGNMENT_FORMS = ("midi", "labels")
DAW_FORMS = ("dawproject", "reaper")
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
        ``wav``, ``flac``, ``mp3``, ``ogg``, ``opus`` or ``aac`` for sound, ``midi`` or ``labels`` for the alignment,
        which is written as a whole; ``labels`` also for the segments of sets that were found without a score.
    bits : int
        16 or 24, in WAV also 32, which is float; without meaning for compressed sound.
    template : str
        Names of the files of sound.
    overwrites : bool
        Whether files of the same names are replaced.
    note_keys : tuple of NoteKey
        Single notes that are written in the place of stems, just where they sound; not with the alignment.
    is_note_by_note : bool
        Every note has a file of its own.
    has_tempo_map : bool
        Whether the tempo of a project for another program follows the recording, or is one for all.
    """

    folder: str
    is_mix: bool = False
    part_indices: tuple[int | None, ...] | None = None
    start_frame: int = 0
    end_frame: int | None = None
    container: Container | Literal["midi", "labels", "dawproject", "reaper"] = "wav"
    bits: int = 32
    template: str = DEFAULT_TEMPLATE
    overwrites: bool = False
    note_keys: tuple[NoteKey, ...] = ()
    is_note_by_note: bool = False
    has_tempo_map: bool = True


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
        If there are no stems, or neither alignment nor segments where these are wanted.
    UsageError
        If there is no such format.
    """
    if choices.container in ALIGNMENT_FORMS:
        return _alignment_request(project, choices)
    if choices.container in DAW_FORMS:
        return _daw_request(project, choices)
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
        file_format=_sound_format(choices),
        template=choices.template,
        song=Path(recording.path).stem,
        engine=stem_set.engine,
        device=stem_set.device,
        start_frame=choices.start_frame,
        end_frame=choices.end_frame,
        may_replace=choices.overwrites,
        note_works=places.missing(used),
    )


def _sound_format(choices: ExportChoices) -> ExportFormat:
    container = cast(Container, choices.container)
    return ExportFormat(container, 0 if container in COMPRESSED else choices.bits)


def _daw_request(project: Project, choices: ExportChoices) -> SoundExport:
    """Gather a project of another program: every stem from the first frame on, as the mixer has it."""
    whole = replace(choices, container="wav", bits=32, is_mix=False, note_keys=(), start_frame=0, end_frame=None)
    request = export_request(project, whole)
    assert isinstance(request, SoundExport)
    arrangement = _arrangement(project, request, choices.has_tempo_map)
    name, write = safe_name(request.song, "Recording"), partial(write_rpp, arrangement)
    if choices.container == "dawproject":
        write = partial(write_dawproject, arrangement)
    suffix = {"dawproject": DAWPROJECT_SUFFIX, "reaper": RPP_SUFFIX}[choices.container]
    return replace(request, project=ExportedProject(name + suffix, choices.container == "dawproject", write))


def _arrangement(project: Project, request: SoundExport, has_tempo_map: bool) -> Arrangement:
    recording, unfolded, alignment = request.recording, project.unfolded, project.alignment
    tracks = []
    for track in request.tracks:
        index = track.part_index
        strip = find_strip(project.mixer, "residual" if index is None else index)
        color = RESIDUAL_COLOR if index is None else project.parts[index].color
        levels = gain_factor(strip.gain_db), strip.pan, strip.is_muted, strip.is_soloed
        tracks.append(DawTrack(track.name, color, recording.channels, *levels))
    arrangement = Arrangement(
        title=unfolded.score.title if unfolded is not None and unfolded.score.title else request.song,
        sample_rate=recording.sample_rate,
        frames=recording.frames,
        tracks=tuple(tracks),
        master_gain=gain_factor(project.mixer.master_gain_db),
    )
    if unfolded is None or alignment is None:
        return arrangement
    audible = _audible_only(project, alignment)
    found = tempo_map_of(unfolded, audible, recording.sample_rate, len(project.parts), is_fixed=not has_tempo_map)
    notes = zip(project.parts, found.notes, strict=True)
    return replace(
        arrangement,
        tempi=found.tempi,
        metres=found.metres,
        markers=found.markers,
        note_tracks=tuple(NoteTrack(part.name, part.color, own) for part, own in notes if not part.is_absent),
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
    recording, alignment, activities = project.recording, project.alignment, project.activities
    has_sets = project.score is None and activities is not None and choices.container == "labels"
    if recording is None or (alignment is None and not has_sets):
        raise InputError("There is no alignment to export; align the recording and its score first.")
    if activities is None:
        assert alignment is not None
        activities = edits.derive_activities(project, alignment)
    sounding = tuple(a for a, p in zip(activities, project.parts, strict=True) if not p.is_absent)
    return AlignmentExportRequest(
        folder=choices.folder,
        form=cast(Literal["midi", "labels"], choices.container),
        song=Path(recording.path).stem,
        unfolded=project.unfolded,
        alignment=None if alignment is None else _audible_only(project, alignment),
        parts=tuple(MidiPart(p.name, p.instrument) for p in project.parts),
        segments=segments_of(sounding, recording.frames),
        sample_rate=recording.sample_rate,
        frames=recording.frames,
        may_replace=choices.overwrites,
    )


def _audible_only(project: Project, alignment: Alignment) -> Alignment:
    """Return the alignment with only those notes that begin in the recording, of parts that it has."""
    assert project.recording is not None and project.unfolded is not None
    audible = edits.remove_parts(alignment, project.unfolded, edits.absent_parts(project))
    times = audible.note_times
    is_inside = (times.onset_frame >= 0) & (times.onset_frame < project.recording.frames)
    return replace(audible, note_times=replace(times, is_present=times.is_present & is_inside))


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


class ExportUseCase:
    """Export of the present project in the background.

    Parameters
    ----------
    state : ProjectState
    jobs : Jobs
    """

    def __init__(self, state: ProjectState, jobs: Jobs) -> None:
        self._state, self._jobs = state, jobs

    def start(self, choices: ExportChoices) -> None:
        """Export in the background.

        Raises
        ------
        InputError
            If there are no stems.
        """

        def got(report: ExportReport) -> None:
            files = "1 file is" if len(report.files) == 1 else f"{len(report.files)} files are"
            lowered = f", turned down by {-report.gain_db:.2f} dB so that nothing clips" if report.gain_db else ""
            self._state.messages.say("info", f"{files} in {report.folder}{lowered}.", key="export")

        request = export_request(self._state.project, choices)
        worker = Worker.NOTES if isinstance(request, SoundExport) and request.note_works else Worker.LIGHT
        self._jobs.start("export", "Export", export, (request,), got, worker)
