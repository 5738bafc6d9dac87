"""What processes leave that were killed while they wrote a file, and who may take it away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scoresep.files.project.autosave import autosave_path
from scoresep.files.project.project_files import load_project, save_project
from scoresep.files.storage import atomic
from scoresep.files.storage.atomic import remove_dead_parts, whole_file, write_whole
from scoresep.model.project import Project, Recipe
from scoresep.session.session import Session

posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")

KILLED = """
import os, signal, sys
from pathlib import Path
from scoresep.files.storage import atomic
from scoresep.files.project.project_files import save_project
from scoresep.model.project import Project
atomic.sync_to_disk = lambda path: os.kill(os.getpid(), signal.SIGKILL)
save_project(Project(), Path(sys.argv[1]))
"""
WRITING = """
import sys, time
from pathlib import Path
from scoresep.files.storage.atomic import whole_file
with whole_file(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("ready", flush=True)
    sys.stdin.readline()
"""


def killed_save(path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL


def age(folder: Path) -> None:
    for part in folder.glob(".*.part"):
        os.utime(part, (time.time() - 60, time.time() - 60))


@posix_only
@pytest.mark.parametrize("then", ["save", "open", "open an autosave"])
def test_a_killed_save_leaves_nothing_for_ever(tmp_path: Path, then: str) -> None:
    path = tmp_path / "piece.scoresep"
    save_project(Project(recipe=Recipe("first")), path)
    killed_save(autosave_path(path) if then == "open an autosave" else path)
    assert len(list(tmp_path.glob(".*.part"))) == 1
    assert load_project(path).project.recipe.engine == "first"
    age(tmp_path)
    if then == "save":
        save_project(Project(), path)
    else:
        session = Session()
        session.storage.open(path)
        session.close()
    assert [p.name for p in tmp_path.iterdir()] == ["piece.scoresep"]


def test_what_is_being_written_stays_however_long_it_takes(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    with subprocess.Popen(
        [sys.executable, "-c", WRITING, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None and writer.stdin is not None
        assert writer.stdout.readline() == "ready\n"
        age(tmp_path)
        remove_dead_parts(path)
        write_whole(path, b"other")
        writer.stdin.write("\n")
        writer.stdin.close()
    assert writer.returncode == 0
    assert path.read_text() == "half"
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


def test_nothing_else_is_taken_for_a_part(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    treasure = outside / "treasure"
    treasure.write_text("gold")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".x.csv.0123abcd.part").symlink_to(treasure)
    (home / ".x.csv.4567abcd.part").mkdir()
    for name in (".y.csv.0123abcd.part", ".x.csv.mine.part", "x.csv.0123abcd.part", ".x.csv.0123abcd.part.bak"):
        (home / name).write_text("mine")
    for path in home.iterdir():
        os.utime(path, (1e9, 1e9), follow_symlinks=False)
    before = sorted(p.name for p in home.iterdir())
    write_whole(home / "x.csv", b"new")
    assert sorted(p.name for p in home.iterdir()) == sorted([*before, "x.csv"])
    assert treasure.read_text() == "gold"


def test_a_disk_without_locks_keeps_what_is_younger_than_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    young, old = tmp_path / ".x.0123abcd.part", tmp_path / ".x.4567abcd.part"
    for part, age_s in ((young, 3600.0), (old, atomic._ABANDONED_S + 60)):
        part.touch()
        os.utime(part, (time.time() - age_s, time.time() - age_s))
    with whole_file(tmp_path / "x") as temporary:
        temporary.write_text("x")
    assert young.exists() and not old.exists()
