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

from scoresep.files.stem_files import StemFolderWriter
from scoresep.model.project import StemSet
from scoresep.session import edits
from scoresep.session.jobs import Job, JobRunner
from scoresep.session.separation_request import separation_request
from scoresep.session.session import Session
from scoresep.session.settings import Settings

LIMIT_S = 240.0


class SharedRunner(JobRunner):
    """Outlives the sessions, and remembers what was started."""

    def __init__(self) -> None:
        super().__init__()
        self.titles: list[str] = []

    def start(self, title: str, *values: Any, **named: Any) -> Job:
        self.titles.append(title)
        return super().start(title, *values, **named)

    def close(self) -> None:
        for job in self.jobs:
            self.cancel(job)
        limit_s = time.monotonic() + LIMIT_S
        while self.is_tidying and time.monotonic() < limit_s:
            self.poll()
            time.sleep(0.005)


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
        """Begin a session in which the duet is open and aligned."""
        session = self.session(**settings)
        session.open_recording(self.duet.audio)
        session.open_score(self.duet.score)
        settle(session)
        if not session.settings.aligns_on_open:
            session.start_alignment()
            settle(session)
        assert session.project.alignment is not None
        return session

    def with_own_files(self) -> Session:
        """Begin a session in which the duet is open and aligned, from files in the folder of the test."""
        for path in (self.duet.audio, self.duet.score):
            shutil.copy(path, self.folder / path.name)
        audio, score = self.folder / self.duet.audio.name, self.folder / self.duet.score.name
        desk = Desk(replace(self.duet, audio=audio, score=score), self.runner, self.folder)
        self.sessions.append(desk.aligned())
        self.sessions[-1].settings = replace(self.sessions[-1].settings, aligns_on_open=False)
        return self.sessions[-1]


def until(session: Session, condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Poll a session, as a window does, until something holds."""
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, (session.messages, [(j.title, j.state, j.progress) for j in session.jobs])
        session.poll()
        time.sleep(0.002)


def settle(session: Session) -> None:
    """Poll a session until nothing is under way."""
    until(session, lambda: not session.jobs)


def texts(session: Session, level: str | None = None) -> list[str]:
    """Return what is said."""
    return [m.text for m in session.messages if level in (None, m.level)]


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
    folder = session.store.stem_folder(request.input_key)
    parts = tuple(zip(request.stem_parts, request.stem_names, strict=True))
    recording = request.recording
    with StemFolderWriter(folder, recording, parts) as writer:
        levels = level * np.arange(1, len(parts) + 2)[:, None, None]
        writer.write(np.broadcast_to(levels, (len(parts) + 1, recording.channels, recording.frames)).astype("f4"))
        stem_set = writer.finish("made up", "cpu", request.input_key)
    session.apply(edits.set_stems(session.project, stem_set))
    return stem_set
