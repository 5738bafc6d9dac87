"""The one mutable object: the current project, its undo stack, its jobs, and where it is kept.

Tells outward one thing, `Changed(what, by)`; whoever listens reads the project again. To be used from one thread; the
owner calls `poll` regularly (a window from a timer), which delivers the answers of jobs and autosaves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from scoresep.errors import InputError, ScoreSepError
from scoresep.files.audio_files import FileSource, open_source
from scoresep.files.autosave import RecoverableProject
from scoresep.files.export_audio import ExportReport
from scoresep.files.peak_files import load_peaks
from scoresep.files.project_files import LoadedProject
from scoresep.files.project_links import MissingRecording, Relinked, relink
from scoresep.model.peaks import PeakPyramid
from scoresep.model.project import Change, Mixer, Project, Recipe, change_to
from scoresep.session import edits, exporting, pipeline
from scoresep.session.exporting import ExportChoices
from scoresep.session.history import History
from scoresep.session.jobs import Job, JobRunner, JobState, Worker
from scoresep.session.project_store import ProjectStore
from scoresep.session.settings import Settings, load_settings, save_settings

# Below this it is more likely than not that score and recording do not belong together.
DOUBTFUL_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Changed:
    """The one notice: which fields of the project differ now, and who changed them.

    Besides fields of `Project`, `what` may hold ``jobs`` (one began or ended), ``undo`` (the stack), ``file`` (path or
    modified), ``peaks`` (the waveform's overview), ``source`` (the samples), ``messages`` and ``settings``.
    """

    what: frozenset[str]
    by: object = None


@dataclass(frozen=True)
class Message:
    """One sentence for the person that needs no answer; one of the same `key` (its matter) replaces the one before."""

    level: Literal["info", "warning", "error"]
    text: str
    key: str = ""


class Session:
    """One person's work on one project.

    Parameters
    ----------
    settings : Settings, optional
        Read from the configuration folder by default.
    runner : JobRunner, optional
    """

    def __init__(self, settings: Settings | None = None, runner: JobRunner | None = None) -> None:
        self.settings = settings if settings is not None else load_settings()
        self.runner = runner or JobRunner()
        self.project = Project()
        self.messages: tuple[Message, ...] = ()
        self.source: FileSource | None = None
        self.pyramid: PeakPyramid | None = None
        self.store = ProjectStore()
        self.missing_recording: MissingRecording | None = None
        self._history = History()
        self._listeners: list[Callable[[Changed], None]] = []
        self._jobs: dict[str, Job] = {}
        self._saved = self.project
        self._autosaved = self.project
        self._autosave_due_s = time.monotonic() + self.settings.autosave_interval_s

    # ------------------------------------------------------------------------------------------- telling and hearing

    def subscribe(self, listener: Callable[[Changed], None]) -> Callable[[], None]:
        """Call `listener` at every change; returns what ends that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def poll(self) -> None:
        """Deliver answers of jobs, and autosave when it is time."""
        self.runner.poll()
        if time.monotonic() >= self._autosave_due_s:
            self._autosave_due_s = time.monotonic() + self.settings.autosave_interval_s
            self.autosave()

    def close(self) -> None:
        """End all jobs and let files go. What is unsaved must be settled before."""
        self.runner.close()
        self._let_source_go()
        self.store.close()
        save_settings(self.settings)

    def say(self, level: Literal["info", "warning", "error"], text: str, key: str = "") -> None:
        """Show one sentence to the person; one with the same key gives way."""
        rest = tuple(m for m in self.messages if not key or m.key != key)
        self.messages = (*rest, Message(level, text, key))
        self._tell("messages")

    def dismiss(self, message: Message) -> None:
        """Take a message away."""
        self.messages = tuple(m for m in self.messages if m is not message)
        self._tell("messages")

    def set_settings(self, settings: Settings) -> None:
        """Take and keep other settings."""
        if settings != self.settings:
            self.settings = settings
            save_settings(settings)
            self._tell("settings")

    # ------------------------------------------------------------------------------------------------ edits and undo

    def apply(self, change: Change, by: object = None) -> None:
        """Make an edit; it can be undone. One that changes nothing leaves no trace."""
        if change.what:
            self._put(self._history.apply(self.project, change), change.what | {"undo"}, by)

    def undo(self) -> None:
        """Take the last edit back."""
        self._put_all(self._history.undo(self.project))

    def redo(self) -> None:
        """Make the edit again that was taken back last."""
        self._put_all(self._history.redo(self.project))

    @property
    def undo_text(self) -> str:
        """What undo would take back; empty when nothing."""
        return self._history.undo_text

    @property
    def redo_text(self) -> str:
        """What redo would make again; empty when nothing."""
        return self._history.redo_text

    def set_mixer(self, mixer: Mixer, by: object = None) -> None:
        """Move something in the mixer: kept with the project, but no edit to undo."""
        self._put(replace(self.project, mixer=mixer), frozenset({"mixer"}), by)

    # ------------------------------------------------------------------------------------------------------- opening

    def open_recording(self, path: str | Path) -> None:
        """Open a recording in the background, in the place of the present one."""
        self.start_job("recording", "Open recording", pipeline.load_recording, (str(path),), self._got_recording)

    def open_score(self, path: str | Path) -> None:
        """Open a score in the background; a corrected one takes the place of the present one."""
        self.start_job("score", "Read score", pipeline.load_score, (str(path),), self._got_score)

    def open_project(self, path: str | Path) -> None:
        """Open a project in the place of the present one.

        Raises
        ------
        ProjectFileError
        """
        self._take(self.store.open(Path(path)))
        self.set_settings(self.settings.with_recent(str(Path(path).absolute())))

    def recover(self, work: RecoverableProject) -> None:
        """Go on from what a crash has left (`store.recoverable`).

        Raises
        ------
        ProjectFileError
        """
        self._take(self.store.recover(work))
        self._saved = Project()
        self._tell("file")

    def new_project(self) -> None:
        """Begin with nothing."""
        self.store.begin()
        self.missing_recording = None
        self._start_afresh(Project())

    def relink_recording(self, path: str | Path) -> None:
        """Say in the background where the project's recording lies now."""
        self.start_job("recording", "Open recording", relink, (self.project, str(path)), self._got_relinked)

    def _take(self, loaded: LoadedProject) -> None:
        self.missing_recording = loaded.missing_recording
        self._start_afresh(loaded.project)
        for warning in loaded.warnings:
            self.say("warning", warning)

    def _got_relinked(self, relinked: Relinked) -> None:
        self.missing_recording = None
        values = {f: getattr(relinked.project, f) for f in ("recording", "alignment", "pending_alignment")}
        values |= {f: getattr(relinked.project, f) for f in ("hand_points", "activities")}
        self.apply(change_to(self.project, "Find recording", **values))
        for warning in relinked.warnings:
            self.say("warning", warning, "recording")

    def _got_recording(self, loaded: pipeline.LoadedRecording) -> None:
        was_empty = self.project.recording is None and self.project.score is None
        self.apply(edits.set_recording(self.project, loaded.recording))
        if was_empty:  # opening the first file is not an edit that a person would want to undo
            self._history.clear()
        for warning in loaded.warnings:
            self.say("warning", warning, "recording")
        self.set_settings(self.settings.with_recent(loaded.recording.path))
        self._align_when_ready()

    def _got_score(self, loaded: pipeline.LoadedScore) -> None:
        was_without = self.project.score is None
        self.apply(edits.set_score(self.project, loaded.score_file, loaded.score))
        if was_without:
            self._history.clear()
        for warning in loaded.score.warnings:
            self.say("warning", warning, "score")
        self._align_when_ready()

    def _align_when_ready(self) -> None:
        project = self.project
        is_ready = project.recording is not None and project.score is not None and project.alignment is None
        if is_ready and self.settings.aligns_on_open:
            self.start_alignment()

    # -------------------------------------------------------------------------------------------------- the main job

    def start_alignment(self) -> None:
        """Align in the background; the first alignment is taken, a later one waits to be accepted.

        Raises
        ------
        InputError
            If recording or score is missing.
        """
        request = pipeline.alignment_request(self.project)

        def got(alignment: Any) -> None:
            if pipeline.alignment_request(self.project) != request:
                self._align_when_ready()  # made for another state of the project: nobody's answer any more
                return
            if self.project.alignment is None:
                activities = edits.derived_activities(self.project, alignment)
                self.apply(edits.set_alignment(self.project, alignment, activities))
            else:
                self.apply(edits.propose_alignment(self.project, alignment))
            for warning in alignment.warnings:
                self.say("warning", warning, "alignment")

        self.start_job("alignment", "Align", pipeline.align_recording, (request,), got)

    def start_separation(self, recipe: Recipe | None = None, device: str | None = None) -> None:
        """Make the stems in the background.

        Raises
        ------
        InputError
            If the project is not aligned yet.
        """
        if recipe is not None and recipe != self.project.recipe:
            self.apply(edits.set_recipe(self.project, recipe))
        request = pipeline.separation_request(self.project, "", device or self.settings.device)
        request = replace(request, folder=str(self.store.stem_folder(request.input_key)))

        def got(answer: pipeline.SeparationAnswer) -> None:
            self.apply(edits.set_stems(self.project, answer.stem_set))
            for warning in answer.warnings:
                self.say("warning", warning, "separation")

        self.start_job("separation", "Separate", pipeline.separate_recording, (request,), got, Worker.TORCH)

    def start_export(self, choices: ExportChoices) -> None:
        """Export in the background.

        Raises
        ------
        InputError
            If there are no stems.
        """

        def got(report: ExportReport) -> None:
            lowered = f", all turned down by {-report.gain_db:.2f} dB so that none clips" if report.gain_db else ""
            self.say("info", f"{len(report.files)} files are in {report.folder}{lowered}.", "export")

        self.start_job("export", "Export", exporting.export, (exporting.export_request(self.project, choices),), got)

    @property
    def has_stale_stems(self) -> bool:
        """Whether the stems were made of another alignment, other parts or another recipe than the present ones."""
        stem_set, project = self.project.stem_set, self.project
        if stem_set is None or project.alignment is None or project.recording is None:
            return False
        try:
            return pipeline.separation_request(project, stem_set.folder).input_key != stem_set.input_key
        except InputError:
            return True

    def job(self, key: str) -> Job | None:
        """Return the running or waiting job of this key: recording, score, peaks, alignment, separation, export."""
        job = self._jobs.get(key)
        return job if job is not None and not job.is_over else None

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs that run or wait."""
        return self.runner.jobs

    def cancel(self, job: Job | None = None) -> None:
        """Cancel a job, or all of them."""
        for one in self.jobs if job is None else (job,):
            self.runner.cancel(one)
        self._tell("jobs")

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
        before = self.project.stem_set
        project = self.store.save(self.project, None if path is None else Path(path))
        if before is not None and project.stem_set is not None and before != project.stem_set:
            self._history.move_stems(before.folder, project.stem_set.folder)
        self.project = self._saved = self._autosaved = project
        self.set_settings(self.settings.with_recent(str(self.store.path)))
        self._tell("file", "stem_set")

    def autosave(self) -> None:
        """Keep the present state beside the project, for the case of a crash."""
        if not self.is_modified or self.project is self._autosaved:
            return
        try:
            self.store.autosave(self.project)
            self._autosaved = self.project
        except ScoreSepError as error:
            self.say("warning", f"The project could not be kept safe: {error}", "autosave")

    # ----------------------------------------------------------------------------------------------------- machinery

    def _put_all(self, outcome: tuple[Project, Change] | None) -> None:
        if outcome is not None:
            project, change = outcome
            self._put(project, change.what | {"undo"}, None)

    def _put(self, project: Project, what: frozenset[str], by: object) -> None:
        before, self.project = self.project, project
        if before.recording != project.recording:
            self._open_source()
            what = what | {"source", "peaks"}
        self._tell(*what, "file", by=by)

    def _start_afresh(self, project: Project) -> None:
        self.cancel()
        self._history.clear()
        self.messages = ()
        self._saved = self._autosaved = project
        before, self.project = self.project, project
        if before.recording != project.recording:
            self._open_source()
        self._tell(*(f for f in Project.__dataclass_fields__), "undo", "file", "source", "peaks", "messages")

    def _open_source(self) -> None:
        self._let_source_go()
        recording = self.project.recording
        if recording is None or self.missing_recording is not None:
            return
        try:
            self.source = open_source(recording)
        except ScoreSepError as error:
            self.say("error", str(error), "recording")
            return
        self.pyramid = load_peaks(recording.content_key, recording.frames, recording.channels)
        if self.pyramid is None:
            self.start_job("peaks", "Draw waveform", pipeline.find_peaks, (recording,), self._got_peaks)

    def _got_peaks(self, content_key: str) -> None:
        recording = self.project.recording
        if recording is not None and recording.content_key == content_key:
            self.pyramid = load_peaks(content_key, recording.frames, recording.channels)
            self._tell("peaks")

    def _let_source_go(self) -> None:
        if self.source is not None:
            self.source.close()
        self.source, self.pyramid = None, None

    def start_job(
        self,
        key: str,
        title: str,
        function: Callable[..., Any],
        inputs: tuple[Any, ...],
        got: Callable[[Any], None],
        worker: Worker = Worker.LIGHT,
    ) -> Job:
        """Run a function of frozen inputs in the background; a running job of the same key gives way."""
        present = self.job(key)
        if present is not None:
            self.runner.cancel(present)

        def ended(job: Job) -> None:
            if job.state is JobState.DONE:
                self._deliver(got, job.result)
            elif job.state is JobState.FAILED and job.error is not None:
                self.say("error", str(job.error), key)
            self._tell("jobs")

        job = self.runner.start(title, function, inputs, worker, ended)
        self._jobs[key] = job
        self._tell("jobs")
        return job

    def _deliver(self, got: Callable[[Any], None], result: object) -> None:
        try:
            got(result)
        except ScoreSepError as error:
            self.say("error", str(error))

    def _tell(self, *what: str, by: object = None) -> None:
        notice = Changed(frozenset(what), by)
        for listener in tuple(self._listeners):
            listener(notice)
