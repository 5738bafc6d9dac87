"""The session, the one mutable object: what a person does with a project, from opening files to saving the work.

Tells outward one thing, `Changed(what, by)`; whoever listens reads the project again. To be used from one thread; the
owner calls `poll` regularly (a window from a timer), which delivers the answers of jobs and autosaves.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from scoresep.errors import Cancelled, InputError, ScoreSepError
from scoresep.files.autosave import RecoverableProject
from scoresep.files.export_audio import ExportReport
from scoresep.files.project_files import LoadedProject, load_project
from scoresep.files.project_links import Relinked, relink
from scoresep.model.confidence import DOUBTFUL_CONFIDENCE
from scoresep.model.project import Change, Project, Recipe, StemSet, apply_change, change_to
from scoresep.session import edits, exporting, importing, pipeline, stem_folders
from scoresep.session.exporting import ExportChoices
from scoresep.session.jobs import JobRunner, Worker
from scoresep.session.messages import LAST_TRY, Message
from scoresep.session.note_sounds import NoteSounds
from scoresep.session.played_path import played_otherwise
from scoresep.session.project_store import ProjectStore, at_once
from scoresep.session.separations import Separations, Staleness
from scoresep.session.settings import Settings, load_settings
from scoresep.session.state import Changed, SessionState
from scoresep.session.stem_making import StemsSoFar

__all__ = ["DOUBTFUL_CONFIDENCE", "Changed", "Message", "Session"]

ALIGNED_FIELDS = ("recording", "score", "path", "alignment", "hand_points")
ALIGNMENT_INPUTS = frozenset({"recording", "score", "path", "hand_points"})
IN_RECORDING = ("recording", "alignment", "pending_alignment", "hand_points", "activities", "recipe")


class Session(SessionState):
    """One person's work on one project.

    Parameters
    ----------
    settings : Settings, optional
        Read from the configuration folder by default.
    runner : JobRunner, optional
    """

    def __init__(self, settings: Settings | None = None, runner: JobRunner | None = None) -> None:
        super().__init__(settings if settings is not None else load_settings(), runner or JobRunner())
        self.store = ProjectStore()
        self._saved = self.project
        self._autosaved = self.project
        self._autosave_due_s = time.monotonic() + self.settings.autosave_interval_s
        self._alignment_asked: tuple[pipeline.AlignmentRequest, bool] | None = None
        self._proposed: tuple[pipeline.AlignmentAnswer, frozenset[int]] | None = None
        self._separations = Separations(self, self.store)
        self.notes = NoteSounds(self, self._tell)

    # ------------------------------------------------------------------------------------------------ time and the end

    def poll(self) -> None:
        """Deliver answers of jobs, tidy up after those that failed, and autosave when it is time."""
        self.runner.poll()
        self._separations.poll()
        if time.monotonic() >= self._autosave_due_s:
            self._autosave_due_s = time.monotonic() + self.settings.autosave_interval_s
            self.autosave()

    def close(self) -> None:
        """End all jobs and let files go. What is unsaved must be settled before."""
        self.runner.close()
        self._sound.close()
        self.store.sweep()
        self.store.close()

    # ------------------------------------------------------------------------------------------------------- opening

    def open_recording(self, path: str | Path) -> None:
        """Open a recording in the background, in the place of the present one."""
        self.start_job("recording", "Open recording", pipeline.load_recording, (str(path),), self._got_recording)

    def open_score(self, path: str | Path) -> None:
        """Open a score in the background; a corrected one takes the place of the present one."""
        self.start_job("score", "Read score", pipeline.load_score, (str(path),), self._got_score)

    def open_project(self, path: str | Path) -> None:
        """Open a project in the place of the present one; in the background where its recording must be looked through.

        Raises
        ------
        ProjectFileError
        """
        place = Path(path).expanduser().absolute()
        try:
            self._take_project(place, load_project(place, at_once()))
        except Cancelled:
            asked_from = self.project

            def got(loaded: LoadedProject) -> None:
                if self.project is asked_from:
                    self._take_project(place, loaded)
                else:
                    self.say("warning", f"“{place.stem}” was not opened, since you went on working; open it again.")

            self.start_job("project", "Open project", load_project, (str(place),), got)

    def recover(self, work: RecoverableProject) -> None:
        """Go on from what a crash has left (`store.recoverable`).

        Raises
        ------
        ProjectFileError
        """
        self._start_afresh(self.store.recover(work))
        self._saved = Project()
        self._tell("file")

    def new_project(self) -> None:
        """Begin with nothing."""
        self.cancel()
        self.store.begin()
        self._start_afresh(LoadedProject(Project()))

    def relink_recording(self, path: str | Path) -> None:
        """Say in the background where the project's recording lies now."""
        asked_from = self.project

        def got(relinked: Relinked) -> None:
            if any(getattr(self.project, f) is not getattr(asked_from, f) for f in IN_RECORDING):
                self.relink_recording(path)  # the answer was computed from what has been edited since
            else:
                self._got_relinked(relinked)

        self.start_job("recording", "Open recording", relink, (asked_from, str(path)), got)

    def _take_project(self, path: Path, loaded: LoadedProject) -> None:
        self.cancel()
        self.store.take(path, loaded.project)
        self._start_afresh(loaded)
        self.set_settings(self.settings.with_recent(str(path)))
        if self.store.is_stray(self.project):  # they could not be copied before the program ended
            self._copy_stems_beside()

    def _start_afresh(self, loaded: LoadedProject) -> None:
        self.cancel()
        self._history.clear()
        self._messages.clear()
        self.project = self._saved = self._autosaved = loaded.project
        self._say_all("warning", loaded.warnings, "project")
        self._sound.open(self.project.recording, at_once())
        self._tell(*(f for f in Project.__dataclass_fields__), "undo", "file", "source", "peaks", "messages")

    def _got_recording(self, loaded: pipeline.LoadedRecording) -> None:
        self._take_file("recording", edits.set_recording(self.project, loaded.recording))
        self._history.move_recording(loaded.recording.content_key, loaded.recording.path)
        self._reopen_sound()
        self._say_all("warning", loaded.warnings, "recording")
        self.set_settings(self.settings.with_recent(loaded.recording.path))
        self._align_when_ready()

    def _got_score(self, loaded: pipeline.LoadedScore) -> None:
        self._take_file("score", edits.set_score(self.project, loaded.score_file, loaded.score))
        self._say_all("warning", loaded.warnings, "score")
        self._align_when_ready()

    def _take_file(self, field: str, change: Change) -> None:
        """Take a file into the project: the first one is no edit that a person would want to take back."""
        if getattr(self.project, field) is not None:
            self.apply(change)
        elif change.what:
            self._history.forget_redo()
            self._put(apply_change(self.project, change), change.what | {"undo"}, None)

    def _got_relinked(self, relinked: Relinked) -> None:
        found = relinked.project.recording
        values = {f: getattr(relinked.project, f) for f in IN_RECORDING}
        change = change_to(self.project, "Find recording", **values)
        if relinked.is_same and found is not None:  # nothing to take back, also not in what was done before
            self._history.move_recording(found.content_key, found.path)
            self._put(apply_change(self.project, change), change.what, None)
        else:
            self.apply(change)
        self._reopen_sound()
        self._say_all("warning", relinked.warnings, "recording")
        self._align_when_ready()

    def _reopen_sound(self) -> None:
        if self.source is None and self.job("source") is None:
            self._sound.open(self.project.recording, at_once())
            self._tell("source", "peaks")

    # -------------------------------------------------------------------------------------------------- the main job

    def _align_when_ready(self) -> None:
        project = self.project
        is_ready = project.unfolded is not None and self.source is not None and project.alignment is None
        if is_ready and self.settings.aligns_on_open and self.job("alignment") is None:
            self.start_alignment()

    def start_alignment(self) -> None:
        """Align in the background; the first alignment is taken, a later one waits to be accepted.

        When an edit changes what it depends on, it begins anew.

        Raises
        ------
        InputError
            If recording or score is missing.
        """
        request = pipeline.alignment_request(self.project)
        absent = edits.absent_parts(self.project)
        self._alignment_asked = request, self.project.alignment is None

        def got(answer: pipeline.AlignmentAnswer) -> None:
            project, choices = self.project, answer.choices
            if project.alignment is None:
                activities = answer.activities if edits.absent_parts(project) == absent else None
                self.apply(edits.set_first_alignment(project, choices, answer.alignment, activities))
                self._say_all("info", played_otherwise(self.project), "path")
            elif choices in (None, project.path_choices):
                self._proposed = answer, absent
                self.apply(edits.propose_alignment(project, answer.alignment))
            else:  # it got an alignment on the way, and its path is settled
                self.start_alignment()
            self._say_all("warning", answer.alignment.warnings, "alignment")

        self.start_job("alignment", "Align", pipeline.align_and_segment, (request, absent), got)

    def start_import(self, path: str | Path) -> None:
        """Take an alignment from a file, in the background; where there is one already, it waits to be accepted.

        Raises
        ------
        UsageError
            If recording or score is missing.
        """
        asked_from = self.project
        importing.check_importable(asked_from)

        def got(imported: importing.ImportedAlignment) -> None:
            project, absent = self.project, edits.absent_parts(asked_from)
            if any(getattr(project, field) is not getattr(asked_from, field) for field in ALIGNED_FIELDS):
                self.say("info", "The project was changed meanwhile; import the alignment again.", "import")
                return
            if project.alignment is None:
                activities = imported.activities if edits.absent_parts(project) == absent else None
                change = edits.set_first_alignment(project, None, imported.alignment, activities)
                self.apply(replace(change, text="Import alignment"))
            else:
                assert imported.activities is not None
                self._proposed = pipeline.AlignmentAnswer(imported.alignment, imported.activities), absent
                self.apply(edits.propose_alignment(project, imported.alignment))
            self._say_all("warning", imported.warnings, "import")

        self.start_job("import", "Import alignment", importing.import_and_segment, (asked_from, str(path)), got)

    def accept_alignment(self) -> None:
        """Take the alignment that waits, and who plays when by it.

        Raises
        ------
        UsageError
            If none waits.
        """
        project, activities = self.project, None
        if self._proposed is not None:
            answer, absent = self._proposed
            if answer.alignment is project.pending_alignment and absent == edits.absent_parts(project):
                activities = answer.activities
        self.apply(edits.accept_alignment(project, activities))

    def _adapt(self, what: frozenset[str]) -> None:
        """Let running work follow an edit: an alignment begins anew, a separation of something else ends."""
        if what & {"recording", "score"}:
            self._separations.adapt()
        if what & ALIGNMENT_INPUTS:
            self._renew_alignment()

    def _renew_alignment(self) -> None:
        if self.job("alignment") is None or self._alignment_asked is None:
            return
        asked, was_first = self._alignment_asked
        try:
            request = pipeline.alignment_request(self.project)
        except InputError:
            request = None
        if request != asked:
            self.cancel(self.job("alignment"))
            if request is not None and (self.project.alignment is None) == was_first:
                self.start_alignment()

    def start_segmentation(self) -> None:
        """Find in the background who plays when; stretches made by hand stay.

        Raises
        ------
        InputError
            If the project is not aligned yet.
        """
        request = pipeline.segmentation_request(self.project)

        def got(activities: Any) -> None:
            if self.project.alignment is not request.alignment:
                return
            if edits.absent_parts(self.project) != request.absent_parts:
                self.start_segmentation()  # a part came or went meanwhile
            else:
                self.apply(edits.set_activities(self.project, activities))

        self.start_job("segmentation", "Segment", pipeline.segment_recording, (request,), got)

    def start_separation(self, recipe: Recipe | None = None, device: str | None = None) -> None:
        """Make the stems in the background; those that were made of the very same before are taken again.

        Raises
        ------
        InputError
            If the project is not aligned yet.
        OutputError
            If there is no place for them.
        """
        self._separations.start(recipe, device or self.settings.device)

    @property
    def stems_so_far(self) -> StemsSoFar | None:
        """The stems that are being made, as far as they are finished; None where none are."""
        return self._separations.so_far

    def wish(self, frame: int) -> None:
        """Tell where the person listens, so that running work does that place first."""
        self.runner.wish(frame)

    def start_export(self, choices: ExportChoices) -> None:
        """Export in the background.

        Raises
        ------
        InputError
            If there are no stems.
        """

        def got(report: ExportReport) -> None:
            files = "1 file is" if len(report.files) == 1 else f"{len(report.files)} files are"
            lowered = f", turned down by {-report.gain_db:.2f} dB so that nothing clips" if report.gain_db else ""
            self.say("info", f"{files} in {report.folder}{lowered}.", "export")

        request = exporting.export_request(self.project, choices)
        worker = Worker.NOTES if isinstance(request, exporting.SoundExport) and request.note_works else Worker.LIGHT
        self.start_job("export", "Export", exporting.export, (request,), got, worker)

    @property
    def has_stale_stems(self) -> bool:
        """Whether the stems were made of another alignment, other parts or another recipe than the present ones."""
        return self._separations.staleness.is_stale

    @property
    def staleness(self) -> Staleness:
        """That, and how much of the recording has to be worked on to bring the stems up to date."""
        return self._separations.staleness

    # -------------------------------------------------------------------------------------------------------- saving

    @property
    def path(self) -> Path | None:
        """Where the project is kept; None until it is saved for the first time."""
        return self.store.path

    @property
    def is_modified(self) -> bool:
        """Whether the project differs from what is saved."""
        return self.project is not self._saved and self.project != self._saved

    def save(self, path: str | Path | None = None) -> None:
        """Save the project, where it is kept or at `path`.

        Raises
        ------
        OutputError
            If it cannot be written; what was there before stays.
        UsageError
            If it was never saved and no path is given.
        """
        project = self.store.save(self.project, None if path is None else Path(path))
        self._move_stems(project.stem_set)
        self._saved = self._autosaved = self.project
        self.set_settings(self.settings.with_recent(str(self.store.path)))
        if self._messages.settle([LAST_TRY, "autosave"]):
            self._tell("messages")
        self._tell("file")
        self._copy_stems_beside()

    def _move_stems(self, stem_set: StemSet | None) -> None:
        """Speak of the stems at the place where they are now; that is no edit."""
        before = self.project.stem_set
        if before is not None and stem_set is not None and before != stem_set:
            self._history.move_stems(before.folder, stem_set.folder)
            self._put(replace(self.project, stem_set=stem_set), frozenset({"stem_set"}), None)

    def _copy_stems_beside(self) -> None:
        """Copy stems in the background that could not be moved beside the project at once, as from another disk."""
        home, stem_set = self.store.copy_target(self.project), self.project.stem_set
        if home is None or stem_set is None:
            return

        def got(copied: StemSet) -> None:
            self.store.note_copy(Path(copied.folder))
            if self.project.stem_set == stem_set:
                was_modified = self.is_modified
                self._move_stems(copied)
                if not was_modified:
                    self.save()

        self.start_job("stem copy", "Copy stems", stem_folders.copy_stems, (stem_set, str(home)), got)

    def autosave(self) -> None:
        """Keep the present state beside the project, for the case of a crash."""
        if not self.is_modified:
            self.store.discard_autosave()  # what it kept was taken back since
            self._autosaved = self.project
            return
        if self.project is self._autosaved:
            return
        try:
            self.store.autosave(self.project)
        except ScoreSepError as error:
            self.say("warning", f"The project could not be kept safe: {error}", "autosave")
            return
        self._autosaved = self.project
        if self._messages.settle(["autosave"]):
            self._tell("messages")
