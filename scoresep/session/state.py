"""The state of a session: the current project and all that changes it or tells of it - edits, undo, messages, jobs.

What is done with these is in `session`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from scoresep.errors import ScoreSepError
from scoresep.files.audio_files import FileSource
from scoresep.files.project_links import MissingRecording
from scoresep.model.peaks import PeakPyramid
from scoresep.model.project import Change, Mixer, Project
from scoresep.session.history import History
from scoresep.session.jobs import Job, JobRunner, JobState, Worker
from scoresep.session.messages import LAST_TRY, Level, Message, Messages
from scoresep.session.project_store import at_once
from scoresep.session.settings import Settings, save_settings
from scoresep.session.sound import Sound

# What is said of a matter is out of date as soon as its field of the project has another value.
MATTERS_OF_FIELDS = {
    "recording": ("recording",),
    "score": ("score", "path"),
    "path": ("score", "path"),
    "alignment": ("alignment",),
    "pending_alignment": ("alignment",),
    "stem_set": ("separation", "stems"),
}


@dataclass(frozen=True)
class Changed:
    """The one notice: which fields of the project differ now, and who changed them.

    Besides fields of `Project`, `what` may hold ``jobs`` (one began or ended), ``undo`` (the stack), ``file`` (path or
    modified), ``peaks`` (the waveform's overview), ``source`` (the samples), ``messages`` and ``settings``.
    """

    what: frozenset[str]
    by: object = None


class SessionState:
    """The current project, its undo stack, its messages and its jobs.

    Parameters
    ----------
    settings : Settings
    runner : JobRunner
    """

    def __init__(self, settings: Settings, runner: JobRunner) -> None:
        self.settings = settings
        self.runner = runner
        self.project = Project()
        self._messages = Messages()
        self._sound = Sound(self.start_job, self._tell, lambda text: self.say("error", text, "recording"))
        self._history = History()
        self._listeners: list[Callable[[Changed], None]] = []
        self._jobs: dict[str, Job] = {}

    # ------------------------------------------------------------------------------------------- telling and hearing

    def subscribe(self, listener: Callable[[Changed], None]) -> Callable[[], None]:
        """Call `listener` at every change; returns what ends that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    @property
    def messages(self) -> tuple[Message, ...]:
        """What is said to the person now, oldest first."""
        return self._messages.shown

    def say(self, level: Level, text: str, key: str = LAST_TRY) -> None:
        """Show one sentence to the person; `Messages` tells what gives way to it."""
        self._say_all(level, (text,), key)

    def dismiss(self, message: Message) -> None:
        """Take a message away."""
        self._messages.dismiss(message)
        self._tell("messages")

    def set_settings(self, settings: Settings) -> None:
        """Take and keep other settings."""
        if settings != self.settings:
            save_settings(settings, before=self.settings)
            self.settings = settings
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
        if mixer != self.project.mixer:
            self._put(replace(self.project, mixer=mixer), frozenset({"mixer"}), by)

    # ----------------------------------------------------------------------------------------------------- recording

    @property
    def source(self) -> FileSource | None:
        """The samples of the recording; None while they cannot be read."""
        return self._sound.source

    @property
    def pyramid(self) -> PeakPyramid | None:
        """The overview of the recording; None until it is built."""
        return self._sound.pyramid

    @property
    def missing_recording(self) -> MissingRecording | None:
        """The recording that is not where it was; None when it is there."""
        return self._sound.missing

    # ---------------------------------------------------------------------------------------------------------- jobs

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
        for failed in [m for m in self.messages if m.key == key and m.level == "error"]:
            self._messages.dismiss(failed)  # it is tried again

        def ended(job: Job) -> None:
            if job.state is JobState.DONE:
                self._deliver(key, got, job.result)
            elif job.state is JobState.FAILED and job.error is not None:
                self.say("error", str(job.error), key)
            self._tell("jobs")

        job = self.runner.start(title, function, inputs, worker, ended)
        self._jobs[key] = job
        self._tell("jobs")
        return job

    def _deliver(self, key: str, got: Callable[[Any], None], result: object) -> None:
        if self._messages.settle([key]):
            self._tell("messages")
        try:
            got(result)
        except ScoreSepError as error:
            self.say("error", str(error), key)

    def job(self, key: str) -> Job | None:
        """Return the running or waiting job of this key: recording, score, project, source, peaks, alignment ..."""
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

    # ----------------------------------------------------------------------------------------------------- machinery

    def _put_all(self, outcome: tuple[Project, Change] | None) -> None:
        if outcome is not None:
            project, change = outcome
            self._put(project, change.what | {"undo"}, None)

    def _put(self, project: Project, what: frozenset[str], by: object) -> None:
        before, self.project = self.project, project
        if project.score is before.score and project.path is before.path and "unfolded" in vars(before):
            vars(project)["unfolded"] = before.unfolded  # so that it is not computed again after every edit
        matters = {matter for field in what for matter in MATTERS_OF_FIELDS.get(field, ())}
        if self._messages.settle(matters | ({LAST_TRY} if what != {"mixer"} else set())):
            what = what | {"messages"}
        if before.recording != project.recording:
            self._sound.open(project.recording, at_once())
            what = what | {"source", "peaks"}
        self._tell(*what, "file", by=by)
        self._adapt(what)

    def _adapt(self, what: frozenset[str]) -> None:
        """Let what is under way follow a change of these fields."""

    def _say_all(self, level: Level, texts: tuple[str, ...], key: str) -> None:
        if texts:
            self._messages.say(level, *texts, key=key)
            self._tell("messages")

    def _tell(self, *what: str, by: object = None) -> None:
        notice = Changed(frozenset(what), by)
        for listener in tuple(self._listeners):
            listener(notice)
