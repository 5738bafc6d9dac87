"""The sounds of single notes in a session: made in the background where they are wanted, and laid over the stems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import InputError, UsageError
from scoresep.model.note_edits import NoteEdit, NoteKey
from scoresep.model.patches import Patch
from scoresep.model.project import Project
from scoresep.playback.mixing import TrackKey
from scoresep.progress import Progress
from scoresep.session.jobs import Worker
from scoresep.session.note_places import NotePlace, NotePlaces, make_note_sounds
from scoresep.session.state import Changed, SessionState

PLACE_FIELDS = ("recording", "score", "path", "alignment", "parts", "stem_set")
JOB = "notes"
NO_STEM = "These notes have no stem to be taken from; separate the recording first."
NO_SOUND = "Grace notes, and notes that the recording does not have, have no sound of their own; select others."


class NoteSounds:
    """Has the sounds of notes made for a session.

    Parameters
    ----------
    session : SessionState
    tell : callable taking str
        Called with ``notes`` when sounds have come that edits need.
    """

    def __init__(self, session: SessionState, tell: Callable[[str], None]) -> None:
        self._session, self._tell = session, tell
        self._known: tuple[tuple[object, ...], NotePlaces] | None = None
        self._waiting: list[tuple[tuple[NoteKey, ...], Callable[[], None]]] = []
        session.subscribe(self._hear)

    @property
    def places(self) -> NotePlaces:
        """Where the sounds of the present project's notes are kept."""
        project = self._session.project
        inputs = tuple(getattr(project, field) for field in PLACE_FIELDS)
        if self._known is None or any(a is not b for a, b in zip(self._known[0], inputs, strict=True)):
            self._known = inputs, NotePlaces(project)
        return self._known[1]

    def patches(self, note_edits: Sequence[NoteEdit] | None = None) -> dict[TrackKey, tuple[Patch, ...]]:
        """Return what edits lay over the stems, as far as it was made; by default those of the project."""
        if note_edits is None:
            note_edits = self._session.project.note_edits
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
            raise UsageError(NO_STEM if self._session.project.stem_set is None else NO_SOUND)
        if self._start(wanted):
            self._waiting = [*self._waiting, (wanted, then)]
        else:
            then()

    def _hear(self, changed: Changed) -> None:
        if changed.what & {*PLACE_FIELDS, "note_edits"}:
            self._start(())
        elif "jobs" in changed.what and self._waiting and self._session.job(JOB) is None:
            self._waiting = []  # cancelled, or failed, which the session has said

    def _start(self, more: tuple[NoteKey, ...]) -> bool:
        """Start making what is missing for edits and for these notes; False where nothing is."""
        project = self._session.project
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
        self._session.start_job(
            JOB, "Sound of notes", make_note_sounds, (missing,), lambda _: self._got(places), Worker.NOTES
        )
        self._waiting = waiting  # the job that gave way took none of them along
        return True

    def _got(self, places: NotePlaces) -> None:
        waiting, self._waiting = self._waiting, []
        if places is not self.places and self._start(tuple(key for keys, _ in waiting for key in keys)):
            self._waiting = waiting  # the stems or the notes are others by now
            return
        self._tell("notes")
        for _, then in waiting:
            then()


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
    places, recording = NotePlaces(project), project.recording
    wanted: tuple[NotePlace, ...] = places.places_of(rows)
    if recording is None or not wanted:
        raise InputError("There is no stem to take these notes from; separate the recording first.")
    make_note_sounds(places.missing(wanted), progress or Progress())
    total = np.zeros((recording.channels, recording.frames), np.float32)
    for place in wanted:
        samples = places.sound_of(place)
        if samples is not None:
            total[:, place.start_frame : place.stop_frame] += samples
    return total
