"""The session, the one mutable object: what a person does with a project, from opening files to saving the work.

It is put together here from parts that know nothing of it: the state of the project, the jobs under way, the recording
at hand, and one use case each for the inputs, alignment, separation, storage, export, the sounds of notes, and stems
that no project names. It tells outward one thing, `Changed(what, by)`; whoever listens reads the project again. To be
used from one thread; the owner calls `poll` regularly (a window from a timer), which delivers the answers of jobs and
autosaves.
"""

from __future__ import annotations

from collections.abc import Callable

from scoresep.model.project import Change, Mixer, Project
from scoresep.model.quality import DOUBTFUL_CONFIDENCE
from scoresep.session.alignment import AlignmentUseCase
from scoresep.session.exporting import ExportUseCase
from scoresep.session.inputs import InputsUseCase, RecordingAccess
from scoresep.session.jobs import JobRunner
from scoresep.session.note_sounds import NoteSounds
from scoresep.session.project_store import ProjectStore
from scoresep.session.separation import SeparationUseCase
from scoresep.session.settings import Settings, load_settings
from scoresep.session.state import LAST_TRY, Changed, Jobs, Level, Message, ProjectState
from scoresep.session.storage import StorageUseCase
from scoresep.session.unused_stems import UnusedStemsUseCase

__all__ = ["DOUBTFUL_CONFIDENCE", "Changed", "Message", "Session"]


class Session:
    """One person's work on one project.

    Parameters
    ----------
    settings : Settings, optional
        Read from the configuration folder by default.
    runner : JobRunner, optional

    Attributes
    ----------
    state : ProjectState
        The project, its undo stack, and who is told of changes.
    messages : Messages
        What is said to the person.
    jobs : Jobs
        What is under way in the background.
    recording : RecordingAccess
        The samples of the recording and the overview of its waveform.
    inputs : InputsUseCase
        Opening of recording and score.
    alignment : AlignmentUseCase
        With the segmentation that follows from it.
    separation : SeparationUseCase
    storage : StorageUseCase
        The project's file.
    export : ExportUseCase
    notes : NoteSounds
        The sounds of single notes.
    unused_stems : UnusedStemsUseCase
        Stems on this disk that no project names.
    """

    def __init__(self, settings: Settings | None = None, runner: JobRunner | None = None) -> None:
        self.state = state = ProjectState(settings if settings is not None else load_settings())
        self.messages = state.messages
        self.jobs = jobs = Jobs(runner or JobRunner(), state)
        store = ProjectStore()
        self.recording = RecordingAccess(state, jobs)
        self.separation = SeparationUseCase(state, jobs, store.stems)
        self.alignment = AlignmentUseCase(state, jobs, self.recording)
        self.inputs = InputsUseCase(state, jobs, self.recording, self.alignment.start_when_ready)
        self.unused_stems = UnusedStemsUseCase(state, jobs, store)
        self.storage = StorageUseCase(state, jobs, self.recording, store, self.unused_stems)
        self.export = ExportUseCase(state, jobs)
        self.notes = NoteSounds(state, jobs)

    @property
    def project(self) -> Project:
        """The present project."""
        return self.state.project

    @property
    def settings(self) -> Settings:
        """What the person has set for all projects."""
        return self.state.settings

    def set_settings(self, settings: Settings) -> None:
        """Take and keep other settings."""
        self.state.set_settings(settings)

    def subscribe(self, listener: Callable[[Changed], None]) -> Callable[[], None]:
        """Call `listener` at every change; returns what ends that."""
        return self.state.subscribe(listener)

    def say(self, level: Level, text: str, key: str = LAST_TRY) -> None:
        """Show one sentence to the person; `Messages` tells what gives way to it.

        Parameters
        ----------
        level : {'info', 'warning', 'error'}
        text : str
        key : str
            What it is about; a later sentence about the same takes its place.
        """
        self.messages.say(level, text, key=key)

    def apply(self, change: Change, by: object = None) -> None:
        """Make an edit; it can be undone. One that changes nothing leaves no trace."""
        self.state.apply(change, by)

    def undo(self) -> None:
        """Take the last edit back."""
        self.state.undo()

    def redo(self) -> None:
        """Make the edit again that was taken back last."""
        self.state.redo()

    @property
    def undo_text(self) -> str:
        """What undo would take back; empty when nothing."""
        return self.state.history.undo_text

    @property
    def redo_text(self) -> str:
        """What redo would make again; empty when nothing."""
        return self.state.history.redo_text

    def set_mixer(self, mixer: Mixer, by: object = None) -> None:
        """Move something in the mixer: kept with the project, but no edit to undo."""
        self.state.set_mixer(mixer, by)

    def poll(self) -> None:
        """Deliver answers of jobs, tidy up after those that failed, and autosave when it is time."""
        self.jobs.runner.poll()
        self.separation.poll()
        self.storage.poll()

    def close(self) -> None:
        """End all jobs and let files go. What is unsaved must be settled before."""
        self.jobs.runner.close()
        self.recording.close()
        self.storage.close()
