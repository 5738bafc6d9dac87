"""The project's file in a session: opened, recovered after a crash, saved, and kept safe meanwhile."""

from __future__ import annotations

import time
from pathlib import Path

from scoresep.errors import Cancelled, ScoreSepError
from scoresep.files.project.autosave import RecoverableProject, foreign_autosave
from scoresep.files.project.links import Outside
from scoresep.files.project.project_files import LoadedProject, load_project
from scoresep.model.project import Project, StemSet
from scoresep.session import stem_folders
from scoresep.session.inputs import RecordingAccess
from scoresep.session.project_store import ProjectStore, load_whole, only_what_is_known, plain_path
from scoresep.session.state import LAST_TRY, Jobs, ProjectState
from scoresep.session.unused_stems import UnusedStemsUseCase


class StorageUseCase:
    """Opening and saving of projects.

    Parameters
    ----------
    state : ProjectState
    jobs : Jobs
    recording : RecordingAccess
    store : ProjectStore
    unused_stems : UnusedStemsUseCase
        Tells of stems beside a project that was opened.
    """

    def __init__(
        self,
        state: ProjectState,
        jobs: Jobs,
        recording: RecordingAccess,
        store: ProjectStore,
        unused_stems: UnusedStemsUseCase,
    ) -> None:
        self.store = store
        self._state, self._jobs, self._recording, self._unused_stems = state, jobs, recording, unused_stems
        self._saved = self._autosaved = state.project
        self._autosave_due_s = time.monotonic() + state.settings.autosave_interval_s

    @property
    def path(self) -> Path | None:
        """Where the project is kept; None until it is saved for the first time."""
        return self.store.path

    @property
    def is_modified(self) -> bool:
        """Whether the project differs from what is saved."""
        project = self._state.project
        return project is not self._saved and project != self._saved

    # --------------------------------------------------------------------------------------------------------- opening

    def begin(self) -> None:
        """Begin with nothing."""
        self._jobs.cancel()
        self.store.begin()
        self._start_afresh(LoadedProject(Project()))

    def open(self, path: str | Path, outside: Outside = Outside.ASK) -> None:
        """Open a project in the place of the present one; in the background where its recording must be looked through.

        Raises
        ------
        ProjectFileError
        OutsideFilesError
            It is to be asked whether files outside the project's folder may be opened.
        """
        state, place = self._state, plain_path(Path(path))
        try:
            self._take(place, load_project(place, only_what_is_known(), outside))
        except Cancelled:
            asked_from = state.project

            def got(loaded: LoadedProject) -> None:
                if state.project is asked_from:
                    self._take(place, loaded)
                else:
                    text = f"“{place.stem}” was not opened, since you went on working; open it again."
                    state.messages.say("warning", text)

            self._jobs.start("project", "Open project", load_whole, (str(place), outside), got)

    def recover(self, work: RecoverableProject) -> None:
        """Go on from what a crash has left (`store.recoverable`).

        Raises
        ------
        ProjectFileError
        """
        self._start_afresh(self.store.recover(work))
        self._saved = Project()
        self._state.tell("file")

    def _take(self, path: Path, loaded: LoadedProject) -> None:
        state = self._state
        self._jobs.cancel()
        self.store.take(path, loaded.project)
        self._start_afresh(loaded)
        state.set_settings(state.settings.with_recent(str(path)))
        if self.store.stems.is_stray(state.project):  # they could not be copied before the program ended
            self._copy_stems_beside()
        foreign = foreign_autosave(path)
        if foreign is not None:
            text = f"'{foreign}' was not kept here for this project and is left alone; rename it to open it."
            state.messages.say("info", text, key="autosave")
        self._unused_stems.tell()

    def _start_afresh(self, loaded: LoadedProject) -> None:
        state = self._state
        self._jobs.cancel()
        self._saved = self._autosaved = loaded.project
        state.begin(loaded.project)
        state.messages.say("warning", *loaded.warnings, key="project")
        self._recording.open(loaded.project.recording)
        state.tell(*Project.__dataclass_fields__, "undo", "file", "source", "peaks", "messages")

    # ---------------------------------------------------------------------------------------------------------- saving

    def save(self, path: str | Path | None = None) -> None:
        """Save the project, where it is kept or at `path`.

        Raises
        ------
        OutputError
            If it cannot be written; what was there before stays.
        UsageError
            If it was never saved and no path is given.
        """
        state = self._state
        saved = self.store.save(state.project, None if path is None else Path(path))
        state.move_stems(saved.stem_set)
        self._saved = self._autosaved = state.project
        state.set_settings(state.settings.with_recent(str(self.store.path)))
        state.messages.settle(LAST_TRY, "autosave")
        state.tell("file")
        self._copy_stems_beside()

    def autosave(self) -> None:
        """Keep the present state beside the project, for the case of a crash."""
        state = self._state
        if not self.is_modified:
            self.store.discard_autosave()  # what it kept was taken back since
            self._autosaved = state.project
            return
        if state.project is self._autosaved:
            return
        try:
            self.store.autosave(state.project)
        except ScoreSepError as error:
            state.messages.say("warning", f"The project could not be kept safe: {error}", key="autosave")
            return
        self._autosaved = state.project
        state.messages.settle("autosave")

    def poll(self) -> None:
        """Autosave when it is time."""
        if time.monotonic() >= self._autosave_due_s:
            self._autosave_due_s = time.monotonic() + self._state.settings.autosave_interval_s
            self.autosave()

    def close(self) -> None:
        """Let the files go. What is unsaved must be settled before."""
        self.store.close()

    def _copy_stems_beside(self) -> None:
        """Copy stems in the background that could not be moved beside the project at once, as from another disk."""
        state, stems = self._state, self.store.stems
        home, stem_set = stems.copy_target(state.project), state.project.stem_set
        if home is None or stem_set is None:
            return

        def got(copied: StemSet) -> None:
            stems.note_copy(Path(stem_set.folder), Path(copied.folder))
            if state.project.stem_set == stem_set:
                was_modified = self.is_modified
                state.move_stems(copied)
                if not was_modified:
                    self.save()

        there = stems.find(stem_set.input_key)
        if there is not None and there.stems == stem_set.stems:  # copied before the program ended, and not yet named
            got(there)
            return
        self._jobs.start("stem copy", "Copy stems", stem_folders.copy_stems, (stem_set, str(home)), got)
