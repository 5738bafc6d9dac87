"""Real sessions with real worker processes, which the tests share, since these take a while to start."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from duet import Duet

from scoresep.edits import project as edits
from scoresep.files.audio.stems import StemFolderWriter
from scoresep.model.project import Project, StemSet
from scoresep.session.jobs import Job, JobRunner, Worker
from scoresep.session.separation_job import separation_request
from scoresep.session.session import Session
from scoresep.session.settings import Settings

LIMIT_S = 240.0


class SharedRunner(JobRunner):
    """Outlives the sessions, and remembers what was started; one process with torch serves for two."""

    def __init__(self) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.aligned: dict[Path, Project] = {}

    def start(
        self,
        title: str,
        function: Callable[..., Any],
        inputs: tuple[Any, ...],
        worker: Worker = Worker.LIGHT,
        on_end: Callable[[Job], None] | None = None,
    ) -> Job:
        self.titles.append(title)
        return super().start(title, function, inputs, Worker.TORCH if worker is Worker.NOTES else worker, on_end)

    def close(self) -> None:
        for job in self.jobs:
            self.cancel(job)
        limit_s = time.monotonic() + LIMIT_S
        while self.is_tidying and time.monotonic() < limit_s:
            self.poll()
            time.sleep(0.005)

    def end(self) -> None:
        """End the workers too."""
        super().close()


class Desk:
    """Sessions of one test."""

    def __init__(self, duet: Duet, runner: SharedRunner, folder: Path) -> None:
        self.duet, self.runner, self.folder = duet, runner, folder
        self.sessions: list[Session] = []
        runner.titles.clear()

    def session(self, **settings: Any) -> Session:
        """Begin a session."""
        self.sessions.append(Session(Settings(**settings), self.runner))
        return self.sessions[-1]

    def aligned(self, **settings: Any) -> Session:
        """Begin a session in which the duet is open and aligned, as it was in the first session that did so."""
        session = self.session(**settings)
        known = self.runner.aligned.get(self.duet.audio)
        if known is not None:
            _take_aligned(session, known)
            settle(session)
            self.runner.titles += ["Open recording", "Read score", "Align"]
            return session
        session.inputs.open_recording(self.duet.audio)
        session.inputs.open_score(self.duet.score)
        settle(session)
        if not session.settings.aligns_on_open:
            session.alignment.start()
            settle(session)
        assert session.project.alignment is not None and session.messages.shown == (), session.messages.shown
        self.runner.aligned[self.duet.audio] = session.project
        return session

    def with_own_files(self) -> Session:
        """Begin a session in which the duet is open and aligned, from files in the folder of the test."""
        for path in (self.duet.audio, self.duet.score):
            shutil.copy(path, self.folder / path.name)
        audio, score = self.folder / self.duet.audio.name, self.folder / self.duet.score.name
        desk = Desk(replace(self.duet, audio=audio, score=score), self.runner, self.folder)
        self.sessions.append(desk.aligned())
        state = self.sessions[-1].state
        state.settings = replace(state.settings, aligns_on_open=False)
        return self.sessions[-1]


def _take_aligned(session: Session, known: Project) -> None:
    """Do to a new session what opening and aligning the same files has done to an earlier one."""
    state, recording = session.state, known.recording
    assert recording is not None and known.score_file is not None and known.score is not None
    assert known.alignment is not None
    state.take(edits.set_recording(state.project, recording))
    state.take(edits.set_score(state.project, known.score_file, known.score))
    choices, alignment, activities = known.path_choices, known.alignment, known.activities
    state.apply(edits.set_first_alignment(state.project, choices, alignment, activities))
    state.set_settings(state.settings.with_recent(recording.path))
    assert state.project == known


def until(session: Session, condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Poll a session, as a window does, until something holds."""
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, (
            session.messages.shown,
            [(j.title, j.state, j.progress) for j in session.jobs.all],
        )
        session.poll()
        time.sleep(0.002)


def settle(session: Session) -> None:
    """Poll a session until nothing is under way."""
    until(session, lambda: not session.jobs.all)


def texts(session: Session, level: str | None = None) -> list[str]:
    """Return what is said."""
    return [m.text for m in session.messages.shown if level in (None, m.level)]


def stem_folder(session: Session) -> Path:
    """Return where the stems lie."""
    assert session.project.stem_set is not None
    return Path(session.project.stem_set.folder)


def rename_part(session: Session, name: str) -> None:
    """Make an edit."""
    session.apply(edits.set_part(session.project, 0, f"Rename to {name}", name=name))


def make_stems(session: Session, level: float = 0.25) -> StemSet:
    """Give an aligned session whole stems without computing any: each a constant, the residual one of its own."""
    request = separation_request(session.project, "")
    folder = session.storage.store.stems.new_folder(request.input_key)
    parts = tuple(zip(request.stem_parts, request.stem_names, strict=True))
    recording = request.recording
    with StemFolderWriter(folder, recording, parts) as writer:
        levels = level * np.arange(1, len(parts) + 2)[:, None, None]
        writer.write(np.broadcast_to(levels, (len(parts) + 1, recording.channels, recording.frames)).astype("f4"))
        stem_set = writer.finish("made up", "cpu", request.input_key)
    session.apply(edits.set_stems(session.project, stem_set))
    return stem_set
