"""The state of a session: the project with its history, the notices of change, what is said, and the work under way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from scoresep.errors import ScoreSepError
from scoresep.model.audio import Recording
from scoresep.model.project import Change, Mixer, Project, StemSet, apply_change
from scoresep.session.jobs import Job, JobRunner, JobState, Worker
from scoresep.session.settings import Settings, save_settings

MAX_CHANGES = 500
# Every place for a bar keeps the times of all notes as they were: some megabytes where a piece has 100 000 of them.
MAX_BYTES = 256 * 2**20


@dataclass(frozen=True, eq=False)
class _Step:
    """A change and the columns that it keeps: what it leads to is kept by the next one, or by the project."""

    change: Change
    columns: tuple[np.ndarray, ...]


class History:
    """The undo stack of one project.

    Parameters
    ----------
    max_changes : int
    max_bytes : int
        What all changes together may keep in memory; the oldest are forgotten.
    """

    def __init__(self, max_changes: int = MAX_CHANGES, max_bytes: int = MAX_BYTES) -> None:
        self._max_changes = max_changes
        self._max_bytes = max_bytes
        self._done: list[_Step] = []
        self._taken_back: list[_Step] = []

    def __len__(self) -> int:
        return len(self._done)

    @property
    def undo_text(self) -> str:
        """What `undo` would take back; empty when nothing."""
        return self._done[-1].change.text if self._done else ""

    @property
    def redo_text(self) -> str:
        """What `redo` would make again; empty when nothing."""
        return self._taken_back[-1].change.text if self._taken_back else ""

    def clear(self) -> None:
        """Forget everything."""
        self._done, self._taken_back = [], []

    def apply(self, project: Project, change: Change) -> Project:
        """Make an edit and remember it; what was taken back before can no longer be made again."""
        after = apply_change(project, change)
        self._done.append(_Step(change, tuple(_arrays(change.before))))
        self._taken_back = []
        self._forget_oldest()
        return after

    def forget_redo(self) -> None:
        """Let what was taken back be gone."""
        self._taken_back = []

    def undo(self, project: Project) -> tuple[Project, Change] | None:
        """Take the last edit back; None when there is none. Returns the project and the change that was made."""
        if not self._done:
            return None
        change = self._done[-1].change
        after = apply_change(_with_mixer_of(project, change.inverse), change.inverse)
        self._taken_back.append(self._done.pop())
        return after, change.inverse

    def redo(self, project: Project) -> tuple[Project, Change] | None:
        """Make the edit again that was taken back last; None when there is none."""
        if not self._taken_back:
            return None
        change = self._taken_back[-1].change
        after = apply_change(_with_mixer_of(project, change), change)
        self._done.append(self._taken_back.pop())
        return after, change

    def move_stems(self, old_folder: str, new_folder: str) -> None:
        """Let all changes speak of stems at the place they were moved to."""
        self._rewrite(
            lambda v: replace(v, folder=new_folder) if isinstance(v, StemSet) and v.folder == old_folder else v
        )

    def move_recording(self, content_key: str, new_path: str) -> None:
        """Let all changes speak of a recording at the place it was found."""
        self._rewrite(
            lambda v: replace(v, path=new_path) if isinstance(v, Recording) and v.content_key == content_key else v
        )

    @property
    def stem_folders(self) -> tuple[str, ...]:
        """The folders of stems that undo or redo may lead to."""
        changes = (step.change for step in (*self._done, *self._taken_back))
        values = (value for change in changes for side in (change.before, change.after) for _, value in side)
        return tuple(dict.fromkeys(value.folder for value in values if isinstance(value, StemSet)))

    def _rewrite(self, new: Callable[[Any], Any]) -> None:
        def rewritten(step: _Step) -> _Step:
            change = step.change
            before, after = (tuple((n, new(v)) for n, v in side) for side in (change.before, change.after))
            return replace(step, change=replace(change, before=before, after=after))

        self._done = [rewritten(s) for s in self._done]
        self._taken_back = [rewritten(s) for s in self._taken_back]

    def _forget_oldest(self) -> None:
        kept, seen, total_bytes = 0, set[int](), 0
        for step in reversed(self._done):
            for column in step.columns:
                if id(column) not in seen:
                    seen.add(id(column))
                    total_bytes += column.nbytes
            if kept and (kept >= self._max_changes or total_bytes > self._max_bytes):
                break
            kept += 1
        self._done = self._done[len(self._done) - kept :]


def _arrays(value: object) -> Iterator[np.ndarray]:
    """Find the columns in a value."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            if not isinstance(item, str | int | float):
                yield from _arrays(item)
    elif is_dataclass(value):
        for field in fields(cast(Any, value)):
            yield from _arrays(getattr(value, field.name))


def _with_mixer_of(project: Project, change: Change) -> Project:
    """Return the project with the mixer (moves of which are no edits) as the change expects it."""
    for name, value in change.before:
        if name == "mixer":
            return replace(project, mixer=value)
    return project


Level = Literal["info", "warning", "error"]
MAX_MESSAGES = 30

# What a person tried last and was refused at once; the next that goes well settles it.
LAST_TRY = ""


@dataclass(frozen=True)
class Message:
    """One sentence; `key` is the matter that it is about. An error without a key is about what was tried last."""

    level: Level
    text: str
    key: str = ""


# What is said of a matter is out of date as soon as its field of the project has another value.
MATTERS_OF_FIELDS = {
    "recording": ("recording",),
    "score": ("score", "path"),
    "path": ("score", "path"),
    "alignment": ("alignment",),
    "pending_alignment": ("alignment",),
    "stem_set": ("separation", "stems"),
}


class Messages:
    """The sentences that are shown now, oldest first.

    What is said of a matter replaces what was said of it before; an error (of the next try) leaves warnings (of what is
    there) alone, and the other way round. All sentences of a matter go when it is settled.

    Parameters
    ----------
    tell : callable taking str
        Called with ``messages`` where others are shown than before.
    """

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        self.shown: tuple[Message, ...] = ()
        self._tell = tell

    def say(self, level: Level, *texts: str, key: str = LAST_TRY) -> None:
        """Show sentences that belong together; none, where there are no texts.

        Parameters
        ----------
        level : {'info', 'warning', 'error'}
        *texts : str
        key : str
            What they are about; later ones about the same take their place.
        """
        if not texts:
            return
        is_error = level == "error"

        def is_replaced(old: Message) -> bool:
            is_of_matter = old.key == key and (old.level == "error") == is_error and (key != LAST_TRY or is_error)
            return is_of_matter or (old.level == level and old.text in texts)

        rest = [m for m in self.shown if not is_replaced(m)]
        new = [Message(level, text, key) for text in dict.fromkeys(texts)]
        self.shown = tuple([*rest, *new][-MAX_MESSAGES:])
        self._tell("messages")

    def settle(self, *keys: str) -> None:
        """Take away what is said of these matters; of what was tried last only the error."""
        if self._take_away(keys):
            self._tell("messages")

    def dismiss(self, message: Message) -> None:
        """Take one away."""
        self.shown = tuple(m for m in self.shown if m is not message)
        self._tell("messages")

    def retry(self, key: str) -> None:
        """Take away what is said of an earlier try that failed."""
        self.shown = tuple(m for m in self.shown if m.key != key or m.level != "error")

    def clear(self) -> None:
        """Take all away; whoever does so tells of it."""
        self.shown = ()

    def follow(self, what: frozenset[str]) -> frozenset[str]:
        """Take away what a change of these fields has settled; returns what is to be told of that."""
        matters = {matter for field in what for matter in MATTERS_OF_FIELDS.get(field, ())}
        is_other = self._take_away(matters | ({LAST_TRY} if what != {"mixer"} else set()))
        return frozenset({"messages"} if is_other else ())

    def _take_away(self, keys: Iterable[str]) -> bool:
        matters, before = frozenset(keys), self.shown
        self.shown = tuple(m for m in before if m.key not in matters or (m.key == LAST_TRY and m.level != "error"))
        return self.shown != before


@dataclass(frozen=True)
class Changed:
    """The one notice: which fields of the project differ now, and who changed them.

    Besides fields of `Project`, `what` may hold ``jobs`` (one began or ended), ``undo`` (the stack), ``file`` (path or
    modified), ``peaks`` (the waveform's overview), ``source`` (the samples), ``messages`` and ``settings``.
    """

    what: frozenset[str]
    by: object = None


Follower = Callable[[Project, Project, frozenset[str]], frozenset[str]]


class ProjectState:
    """The current project, its undo stack, what is said of it, and who is told when it changes.

    Parameters
    ----------
    settings : Settings

    Attributes
    ----------
    project : Project
    history : History
    messages : Messages
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.project = Project()
        self.history = History()
        self.messages = Messages(self.tell)
        self._listeners: list[Callable[[Changed], None]] = []
        self._followers: list[Follower] = [lambda _before, _after, what: self.messages.follow(what)]
        self._adapters: list[Callable[[frozenset[str]], None]] = []

    # --------------------------------------------------------------------------------------------------------- telling

    def subscribe(self, listener: Callable[[Changed], None]) -> Callable[[], None]:
        """Call `listener` at every change; returns what ends that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def tell(self, *what: str, by: object = None) -> None:
        """Tell all listeners what differs now."""
        notice = Changed(frozenset(what), by)
        for listener in tuple(self._listeners):
            listener(notice)

    def before_telling(self, follow: Follower) -> None:
        """Let something follow every change of the project before anybody is told of it.

        Parameters
        ----------
        follow : callable
            Takes the project before and after and the fields that differ; returns what else is to be told.
        """
        self._followers.append(follow)

    def after_telling(self, adapt: Callable[[frozenset[str]], None]) -> None:
        """Let work under way adapt itself to every change of the project once all have been told of it."""
        self._adapters.append(adapt)

    def set_settings(self, settings: Settings) -> None:
        """Take and keep other settings."""
        if settings != self.settings:
            save_settings(settings, before=self.settings)
            self.settings = settings
            self.tell("settings")

    # ---------------------------------------------------------------------------------------------------------- changes

    def apply(self, change: Change, by: object = None) -> None:
        """Make an edit; it can be undone. One that changes nothing leaves no trace."""
        if change.what:
            self._put(self.history.apply(self.project, change), change.what | {"undo"}, by)

    def take(self, change: Change) -> None:
        """Make a change that is nothing to take back, as taking the first recording."""
        if change.what:
            self.history.forget_redo()
            self._put(apply_change(self.project, change), change.what | {"undo"})

    def follow_files(self, **values: object) -> None:
        """Speak of files at the place where they are now: that is no edit, and leaves the undo stack as it is."""
        self._put(replace(self.project, **values), frozenset(values))  # type: ignore[arg-type]

    def set_mixer(self, mixer: Mixer, by: object = None) -> None:
        """Move something in the mixer: kept with the project, but no edit to undo."""
        if mixer != self.project.mixer:
            self._put(replace(self.project, mixer=mixer), frozenset({"mixer"}), by)

    def move_stems(self, stem_set: StemSet | None) -> None:
        """Speak of the stems, also in what can be undone, at the place to which they were moved."""
        before = self.project.stem_set
        if before is not None and stem_set is not None and before != stem_set:
            self.history.move_stems(before.folder, stem_set.folder)
            self.follow_files(stem_set=stem_set)

    def begin(self, project: Project) -> None:
        """Go on with another project; nobody is told until all that belongs to it is there."""
        self.history.clear()
        self.messages.clear()
        self.project = project

    def undo(self) -> None:
        """Take the last edit back."""
        self._put_outcome(self.history.undo(self.project))

    def redo(self) -> None:
        """Make the edit again that was taken back last."""
        self._put_outcome(self.history.redo(self.project))

    @property
    def stems_in_use(self) -> tuple[str, ...]:
        """The folders of stems that the project has, or that undo or redo may lead to."""
        stem_set = self.project.stem_set
        return (*(() if stem_set is None else (stem_set.folder,)), *self.history.stem_folders)

    def _put_outcome(self, outcome: tuple[Project, Change] | None) -> None:
        if outcome is not None:
            project, change = outcome
            self._put(project, change.what | {"undo"})

    def _put(self, project: Project, what: frozenset[str], by: object = None) -> None:
        before, self.project = self.project, project
        more = [follow(before, project, what) for follow in self._followers]
        what = what.union(*more)
        self.tell(*what, "file", by=by)
        for adapt in self._adapters:
            adapt(what)


class Jobs:
    """The work of a session under way, each piece by its key: a new one takes the place of the one before.

    Parameters
    ----------
    runner : JobRunner
        Whose workers do it.
    state : ProjectState
        Gets what failed as a message, and ``jobs`` where one began or ended.
    """

    def __init__(self, runner: JobRunner, state: ProjectState) -> None:
        self.runner = runner
        self._state = state
        self._jobs: dict[str, Job] = {}

    @property
    def all(self) -> tuple[Job, ...]:
        """The jobs that run or wait, running ones first."""
        return self.runner.jobs

    def get(self, key: str) -> Job | None:
        """Return the running or waiting job of this key: recording, score, project, source, peaks, alignment ..."""
        job = self._jobs.get(key)
        return job if job is not None and not job.is_over else None

    def start(
        self,
        key: str,
        title: str,
        function: Callable[..., Any],
        inputs: tuple[Any, ...],
        got: Callable[[Any], None],
        worker: Worker = Worker.LIGHT,
    ) -> Job:
        """Run a function of frozen inputs in the background; a running job of the same key gives way.

        Parameters
        ----------
        key : str
            The matter that it is about, also of the messages that it leads to.
        title : str
            What is being done, in words.
        function : callable
            Of a module; called in a worker process as ``function(*inputs, progress)``.
        inputs : tuple
            Frozen values.
        got : callable
            Takes what the function returned. What it raises as `ScoreSepError` is said to the person.
        worker : Worker
        """
        present = self.get(key)
        if present is not None:
            self.runner.cancel(present)
        self._state.messages.retry(key)

        def ended(job: Job) -> None:
            if job.state is JobState.DONE:
                self._deliver(key, got, job.result)
            elif job.state is JobState.FAILED and job.error is not None:
                self._state.messages.say("error", str(job.error), key=key)
            self._state.tell("jobs")

        job = self.runner.start(title, function, inputs, worker, ended)
        self._jobs[key] = job
        self._state.tell("jobs")
        return job

    def cancel(self, job: Job | None = None) -> None:
        """Cancel a job, or all of them."""
        for one in self.all if job is None else (job,):
            self.runner.cancel(one)
        self._state.tell("jobs")

    def prioritise(self, frame: int) -> None:
        """Tell where the person listens, so that running work does that place first."""
        self.runner.prioritise(frame)

    def _deliver(self, key: str, got: Callable[[Any], None], result: object) -> None:
        messages = self._state.messages
        messages.settle(key)
        try:
            got(result)
        except ScoreSepError as error:
            messages.say("error", str(error), key=key)
