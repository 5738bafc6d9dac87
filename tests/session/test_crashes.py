"""Work that was not saved outlives a crash."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from session_desk import Desk, make_stems, rename_part, texts, until

from scoresep.files.audio.stems import read_stem_set
from scoresep.files.project.project_files import load_project
from scoresep.session.project_store import ProjectStore
from scoresep.session.unused_stems import UnusedQuestion, find_unused


def test_autosaves_come_in_time_and_only_of_what_is_not_saved(desk: Desk) -> None:
    session = desk.aligned(autosave_interval_s=0.05)
    until(session, lambda: len(list((desk.folder / "state" / "autosaves").glob("*.scoresep"))) == 1, 10)
    session.storage.save(desk.folder / "piece")
    autosave = desk.folder / ".piece.scoresep.autosave"
    for _ in range(40):
        session.poll()
        time.sleep(0.002)
    assert not autosave.exists() and list((desk.folder / "state" / "autosaves").glob("*.scoresep")) == []
    session.set_mixer(replace(session.project.mixer, master_gain_db=-3.0))
    until(session, autosave.exists, 10)
    written = autosave.stat().st_mtime_ns
    for _ in range(40):
        session.poll()
        time.sleep(0.002)
    assert autosave.stat().st_mtime_ns == written, "nothing has changed since"
    session.set_mixer(replace(session.project.mixer, master_gain_db=0.0))
    until(session, lambda: not autosave.exists(), 10)


def test_an_autosave_that_cannot_be_written_is_said_until_it_can(desk: Desk) -> None:
    session = desk.aligned()
    (desk.folder / "state").mkdir(exist_ok=True)
    autosaves = desk.folder / "state" / "autosaves"
    autosaves.write_text("in the way")
    session.storage.autosave()
    assert len(texts(session, "warning")) == 1 and "could not be kept safe" in texts(session)[0]
    autosaves.unlink()
    session.storage.autosave()
    assert session.messages.shown == () and autosaves.is_dir()


CRASH = """
import os, signal, sys, time
from pathlib import Path
sys.path[:0] = {paths!r}
import session_desk
from duet import Duet
from scoresep.edits import project as edits
if __name__ == "__main__":
    runner = session_desk.SharedRunner()
    desk = session_desk.Desk(Duet(Path({audio!r}), Path({score!r}), (), ()), runner, Path({folder!r}))
    session = desk.aligned(aligns_on_open=False)
    if {is_saved!r}:
        session.storage.save(Path({folder!r}) / "piece")
    session_desk.make_stems(session)
    session.apply(edits.set_part(session.project, 0, "Rename", name="Traverso"))
    session.storage.autosave()
    os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
"""


@pytest.mark.parametrize("is_saved", [False, True])
def test_work_outlives_a_crash_stems_included(desk: Desk, is_saved: bool) -> None:
    script = desk.folder / "crash.py"
    values = {"audio": str(desk.duet.audio), "score": str(desk.duet.score), "folder": str(desk.folder)}
    paths = [str(Path(__file__).parents[1])]
    script.write_text(CRASH.format(paths=paths, is_saved=is_saved, **values), encoding="utf-8")
    crashed = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert crashed.returncode != 0 and "Traceback" not in crashed.stderr, crashed.stderr

    session = desk.session()
    (work,) = session.storage.store.recoverable()
    assert work.project_path == (desk.folder / "piece.scoresep" if is_saved else None)
    session.storage.recover(work)
    assert (
        session.project.parts[0].name == "Traverso"
        and session.storage.is_modified
        and session.recording.source is not None
    )
    assert session.project.stem_set is not None and session.messages.shown == ()
    if is_saved:
        assert load_project(desk.folder / "piece.scoresep").project.parts[0].name == "Flute"
    rename_part(session, "Recorder")
    session.storage.autosave()
    session.storage.save(None if is_saved else desk.folder / "rescued")
    session.close()
    assert ProjectStore().recoverable() == () and not any((desk.folder / "state" / "unsaved").glob("*"))
    loaded = load_project(desk.folder / ("piece.scoresep" if is_saved else "rescued.scoresep"))
    assert loaded.project.parts[0].name == "Recorder" and loaded.project.stem_set is not None
    assert read_stem_set(loaded.project.stem_set.folder).stems == loaded.project.stem_set.stems


def test_what_a_crash_has_left_is_forgotten_and_its_stems_are_told_of(desk: Desk) -> None:
    session = desk.aligned()
    folder = Path(make_stems(session).folder)
    session.storage.autosave()
    for lock in (session.storage.store._autosave._lock, session.storage.store.stems._workspace_lock):
        assert lock is not None
        lock.release()  # as the system does when a process dies
    store = ProjectStore()
    (work,) = store.recoverable()
    store.forget(work)
    assert store.recoverable() == () and not work.path.exists()
    assert [stems.folder for stems in find_unused(UnusedQuestion())] == [str(folder)]


def test_what_a_crash_has_left_is_not_overwritten_while_nobody_has_decided_on_it(desk: Desk) -> None:
    session = desk.aligned()
    session.storage.save(desk.folder / "piece")
    rename_part(session, "Traverso")
    session.storage.autosave()
    lock = session.storage.store._autosave._lock
    assert lock is not None
    lock.release()  # as the system does when a process dies
    other = desk.session()
    other.storage.open(desk.folder / "piece.scoresep")
    rename_part(other, "Recorder")
    other.storage.autosave()
    (work,) = other.storage.store.recoverable()
    assert load_project(work.path).project.parts[0].name == "Traverso"
    other.storage.save()
    assert other.storage.store.recoverable() == () and not work.path.exists(), "the project as saved is newer"


def test_workspaces_of_living_sessions_are_never_removed(desk: Desk) -> None:
    session = desk.aligned()
    folder = Path(make_stems(session).folder)
    os.utime(folder.parent, (1, 1))
    desk.session().storage.begin()
    assert folder.exists()
