"""The sounds of single notes: where they are kept, made in the background where they are wanted, laid over the stems.

For every note there is its stem, its stretch of the recording, and its file in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import InputError, UsageError
from scoresep.files.audio.note_sounds import (
    load_note,
    load_tones,
    note_path,
    notes_folder,
    save_note,
    save_tones,
    tones_path,
)
from scoresep.files.audio.stems import StemSource
from scoresep.files.audio.wav import WavSamples
from scoresep.files.storage.cache import combined_key
from scoresep.files.storage.paths import allow_many_files
from scoresep.model.alignment import SoundingNotes, sounding_notes, sounding_rows
from scoresep.model.audio import Patch
from scoresep.model.note_edits import NoteEdit, NoteKey, NoteNames, note_reach
from scoresep.model.project import Project, Stem
from scoresep.playback.mixing import TrackKey
from scoresep.progress import Progress
from scoresep.session.jobs import Worker
from scoresep.session.state import Changed, Jobs, ProjectState

LEARNING_SHARE = 0.4  # of the time for one stem


@dataclass(frozen=True)
class NotePlace:
    """Where the sound of one note is kept.

    Attributes
    ----------
    part_index : int
        The part that owns the stem.
    index : int
        Which of the stem's notes it is.
    path : Path
    start_frame, stop_frame : int
        Of the recording.
    """

    part_index: int
    index: int
    path: Path
    start_frame: int
    stop_frame: int


@dataclass(frozen=True, eq=False)
class NoteWork:
    """Sounds of notes of one stem that are to be made; can be sent to a worker.

    Attributes
    ----------
    stem_path : str
    folder : Path
        Where they are kept, under a content key of the stem and its notes.
    notes : SoundingNotes
        All notes of the stem.
    wanted : tuple of int
    """

    stem_path: str
    folder: Path
    notes: SoundingNotes
    wanted: tuple[int, ...]


class NotePlaces:
    """The notes of a project that have a sound of their own.

    Parameters
    ----------
    project : Project
        Without stems or an alignment, no note has one.
    """

    def __init__(self, project: Project) -> None:
        allow_many_files()  # all notes of a long piece may be muted
        self._works: dict[int, NoteWork] = {}
        self._place_of_row: dict[int, tuple[int, int]] = {}
        self._known: dict[int, NotePlace] = {}
        self._opened: dict[Path, WavSamples] = {}
        self.names = NoteNames(project.unfolded) if project.unfolded is not None else None
        self._recording = project.recording
        stem_set, unfolded, alignment = project.stem_set, project.unfolded, project.alignment
        if project.recording is None or stem_set is None or unfolded is None or alignment is None:
            return
        owners = project.stem_owners
        notes = sounding_notes(unfolded, alignment, project.stem_of_part, (None,) * len(owners))
        rows, stem_of_row = sounding_rows(unfolded, alignment, project.stem_of_part)
        made = f"{stem_set.input_key} {stem_set.engine} {stem_set.device}"
        for stem in stem_set.stems:
            path = Path(stem_set.folder) / stem.file
            if stem.part_index is None or stem.part_index not in owners or not path.is_file():
                continue
            mine = np.flatnonzero(stem_of_row == owners.index(stem.part_index))
            own = _some(notes, mine)
            self._works[stem.part_index] = NoteWork(str(path), notes_folder(_key(path, stem, made, own)), own, ())
            for index, row in enumerate(rows[mine].tolist()):
                self._place_of_row[row] = (stem.part_index, index)

    def places_of(self, rows: Iterable[int]) -> tuple[NotePlace, ...]:
        """Return the places of notes (rows of `UnfoldedScore.notes`); those without a sound are left out."""
        found = []
        for row in dict.fromkeys(rows):
            if row not in self._known and row in self._place_of_row:
                self._known[row] = self._place(*self._place_of_row[row])
            if row in self._known:
                found.append(self._known[row])
        return tuple(found)

    def _place(self, part_index: int, index: int) -> NotePlace:
        assert self._recording is not None
        work = self._works[part_index]
        reach = note_reach(work.notes, index, self._recording.sample_rate, self._recording.frames)
        return NotePlace(part_index, index, note_path(work.folder, index), *reach)

    def rows_of(self, keys: Iterable[NoteKey]) -> tuple[int, ...]:
        """Return the rows of notes by name."""
        return () if self.names is None else tuple(row for key in keys for row in self.names.rows_of(key))

    def edited(self, note_edits: Sequence[NoteEdit]) -> tuple[tuple[TrackKey, NotePlace, float], ...]:
        """Return what edits add to which stem: the sounds of notes, and what they are multiplied with."""
        found: list[tuple[TrackKey, NotePlace, float]] = []
        for edit in note_edits:
            for place in self.places_of(self.rows_of((edit.key,))):
                found.append((place.part_index, place, edit.factor - 1.0))
                if edit.is_removed:
                    found.append(("residual", place, 1.0))
        return tuple(found)

    def sound_of(self, place: NotePlace) -> WavSamples | None:
        """Open the sound of a note, shape (channels, frames); None where it was not made yet."""
        if place.path not in self._opened:
            channels = self._recording.channels if self._recording is not None else 1
            samples = load_note(place.path, channels, place.stop_frame - place.start_frame)
            if samples is None:
                return None
            self._opened[place.path] = samples
        return self._opened[place.path]

    def missing(self, places: Iterable[NotePlace]) -> tuple[NoteWork, ...]:
        """Return what is to be made so that these notes can be heard."""
        wanted: dict[int, set[int]] = {}
        for place in places:
            if self.sound_of(place) is None:
                wanted.setdefault(place.part_index, set()).add(place.index)
        return tuple(replace(self._works[part], wanted=tuple(sorted(some))) for part, some in wanted.items())


def make_note_sounds(works: tuple[NoteWork, ...], progress: Progress) -> None:
    """Make the sounds of notes and keep them in the cache; runs in a worker.

    Raises
    ------
    AudioFileError
        A stem is missing or damaged.
    OutputError
        The cache cannot take them.
    Cancelled
        What was made stays.
    """
    from scoresep.engines.separation.note_sounds import StemTones, learn_tones, note_sounds  # torch

    for work, part in zip(works, progress.parts(len(works)), strict=True):
        source = StemSource(work.stem_path)
        kept = load_tones(tones_path(work.folder))
        try:
            tones = StemTones.of(kept)
        except (KeyError, ValueError, TypeError, IndexError):  # not kept yet, or damaged
            tones = learn_tones(source, work.notes, part.part(0.0, LEARNING_SHARE))
            save_tones(tones_path(work.folder), tones.arrays())
        for sound in note_sounds(source, work.notes, work.wanted, tones, part.part(LEARNING_SHARE, 1.0)):
            save_note(note_path(work.folder, sound.index), sound.samples, source.sample_rate)


def _some(notes: SoundingNotes, indices: NDArray[np.int64]) -> SoundingNotes:
    return SoundingNotes(
        np.zeros(len(indices), np.int32),
        notes.pitch_midi[indices],
        notes.onset_frame[indices],
        notes.offset_frame[indices],
        notes.confidence[indices],
        1,
        (None,),
    )


def _key(path: Path, stem: Stem, made: str, notes: SoundingNotes) -> str:
    state = path.stat()
    columns = (notes.pitch_midi, notes.onset_frame, notes.offset_frame)
    told = f"{made} {stem.part_index} {state.st_size} {state.st_mtime_ns}"
    return combined_key(told, *(np.ascontiguousarray(column).tobytes() for column in columns))


PLACE_FIELDS = ("recording", "score", "path", "alignment", "parts", "stem_set")
JOB = "notes"
NO_STEM = "These notes have no stem to be taken from; separate the recording first."
NO_SOUND = "Grace notes, and notes that the recording does not have, have no sound of their own; select others."


class NoteSounds:
    """Has the sounds of notes made for a session.

    Parameters
    ----------
    state : ProjectState
        Told ``notes`` when sounds have come that edits need.
    jobs : Jobs
    """

    def __init__(self, state: ProjectState, jobs: Jobs) -> None:
        self._state, self._jobs = state, jobs
        self._known: tuple[tuple[object, ...], NotePlaces] | None = None
        self._waiting: list[tuple[tuple[NoteKey, ...], Callable[[], None]]] = []
        state.subscribe(self._on_changed)

    @property
    def places(self) -> NotePlaces:
        """Where the sounds of the present project's notes are kept."""
        project = self._state.project
        inputs = tuple(getattr(project, field) for field in PLACE_FIELDS)
        if self._known is None or any(a is not b for a, b in zip(self._known[0], inputs, strict=True)):
            self._known = inputs, NotePlaces(project)
        return self._known[1]

    def patches(self, note_edits: Sequence[NoteEdit] | None = None) -> dict[TrackKey, tuple[Patch, ...]]:
        """Return what edits lay over the stems, as far as it was made; by default those of the project."""
        if note_edits is None:
            note_edits = self._state.project.note_edits
        if not note_edits:  # looking for places takes a while in a long score
            return {}
        places, found = self.places, dict[TrackKey, list[Patch]]()
        for key, place, factor in places.edited(note_edits):
            samples = places.sound_of(place)
            if samples is not None:
                found.setdefault(key, []).append(Patch(place.start_frame, samples, factor))
        return {key: tuple(patches) for key, patches in found.items()}

    def alone(self, keys: Iterable[NoteKey]) -> tuple[Patch, ...]:
        """Return the sounds of notes as they are heard by themselves, as far as they were made."""
        places = self.places
        found = ((place, places.sound_of(place)) for place in places.places_of(places.rows_of(keys)))
        return tuple(Patch(place.start_frame, samples, 1.0) for place, samples in found if samples is not None)

    def have_sound(self, keys: Iterable[NoteKey]) -> bool:
        """Whether any of the notes has a sound of its own, or could be given one."""
        return bool(self.places.places_of(self.places.rows_of(keys)))

    def want(self, keys: Iterable[NoteKey], then: Callable[[], None]) -> None:
        """Have the sounds of notes made, where they are not, and then do something.

        Raises
        ------
        UsageError
            None of the notes can have a sound.
        """
        wanted = tuple(keys)
        if not self.have_sound(wanted):
            raise UsageError(NO_STEM if self._state.project.stem_set is None else NO_SOUND)
        if self._start(wanted):
            self._waiting = [*self._waiting, (wanted, then)]
        else:
            then()

    def _on_changed(self, changed: Changed) -> None:
        if changed.what & {*PLACE_FIELDS, "note_edits"}:
            self._start(())
        elif "jobs" in changed.what and self._waiting and self._jobs.get(JOB) is None:
            self._waiting = []  # cancelled, or failed, which the session has said

    def _start(self, more: tuple[NoteKey, ...]) -> bool:
        """Start making what is missing for edits and for these notes; False where nothing is."""
        project = self._state.project
        if project.stem_set is None or not (project.note_edits or more):
            return False
        places = self.places
        keys = [edit.key for edit in project.note_edits]
        for wanted, _ in self._waiting:
            keys += wanted
        missing = places.missing(places.places_of(places.rows_of((*keys, *more))))
        if not missing:
            return False
        waiting = self._waiting
        self._jobs.start(JOB, "Sound of notes", make_note_sounds, (missing,), lambda _: self._got(places), Worker.NOTES)
        self._waiting = waiting  # the job that gave way took none of them along
        return True

    def _got(self, places: NotePlaces) -> None:
        waiting, self._waiting = self._waiting, []
        if places is not self.places and self._start(tuple(key for keys, _ in waiting for key in keys)):
            self._waiting = waiting  # the stems or the notes are others by now
            return
        self._state.tell("notes")
        for _, then in waiting:
            then()


def note_sound(project: Project, rows: Iterable[int], progress: Progress | None = None) -> NDArray[np.float32]:
    """Return the sound of single notes alone, out of the stem of their part; see `api.note_sound`.

    Parameters
    ----------
    project : Project
        With stems.
    rows : iterable of int
        Of the notes, in the order of the unfolded score.
    progress : Progress, optional
    """
    places, recording = NotePlaces(project), project.recording
    wanted: tuple[NotePlace, ...] = places.places_of(rows)
    if recording is None or not wanted:
        raise InputError("There is no stem to take these notes from; separate the recording first.")
    make_note_sounds(places.missing(wanted), progress or Progress())
    total = np.zeros((recording.channels, recording.frames), np.float32)
    for place in wanted:
        samples = places.sound_of(place)
        if samples is not None:
            total[:, place.start_frame : place.stop_frame] += samples[:, :]
    return total
