"""Work that was not saved outlives a crash, and only that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scoresep.files.autosave import Autosave, autosave_path, forget, recover, recoverable
from scoresep.files.cache import state_folder
from scoresep.files.project_files import load_project, save_project
from scoresep.model.project import Project, Recipe

FIRST, SECOND = Project(recipe=Recipe("first")), Project(recipe=Recipe("second"))

CRASH = """
import os, sys
from scoresep.files.autosave import Autosave
from scoresep.model.project import Project, Recipe
Autosave(sys.argv[1] or None).write(Project(recipe=Recipe("second")))
os._exit(1)
"""


def crash(path: Path | str) -> None:
    assert subprocess.run([sys.executable, "-c", CRASH, str(path)], check=False).returncode == 1


def files() -> list[Path]:
    return [p for p in state_folder().rglob("*") if p.is_file()]


@pytest.mark.parametrize("was_saved", [True, False])
def test_a_crash_leaves_the_work_to_be_recovered(tmp_path: Path, was_saved: bool) -> None:
    path = tmp_path / "piece.scoresep"
    if was_saved:
        save_project(FIRST, path)
        os.utime(path, (1e9, 1e9))
    crash(path if was_saved else "")
    (work,) = recoverable()
    assert work.project_path == (path if was_saved else None)
    assert recover(work).project == SECOND
    assert recoverable() == (work,), "until it is saved or given up"
    forget(work)
    assert recoverable() == ()
    assert not files()
    if was_saved:
        assert load_project(path).project == FIRST
        assert [p.name for p in tmp_path.iterdir()] == ["piece.scoresep"]


def test_the_work_of_a_session_that_lives_is_its_own() -> None:
    autosave = Autosave(None)
    autosave.write(FIRST)
    assert recoverable() == ()
    assert load_project(autosave.path).project == FIRST
    autosave.discard()
    assert not files()
    autosave.write(SECOND)
    assert load_project(autosave.path).project == SECOND
    autosave.discard()
    assert not files()


def test_two_windows_on_one_project_do_not_overwrite_each_other(tmp_path: Path) -> None:
    path = tmp_path / "piece.scoresep"
    one, other = Autosave(path), Autosave(path)
    one.write(FIRST)
    other.write(SECOND)
    assert one.path == autosave_path(path)
    assert one.path.name == ".piece.scoresep.autosave"
    assert load_project(one.path).project == FIRST
    assert load_project(other.path).project == SECOND
    one.discard()
    other.discard()
    assert not list(tmp_path.iterdir())


def test_an_autosave_older_than_the_project_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "piece.scoresep"
    crash(path)
    os.utime(autosave_path(path), (1e9, 1e9))
    save_project(FIRST, path)
    assert recoverable(path) == ()
    assert not autosave_path(path).exists()


def test_an_autosave_beside_a_project_is_found_without_any_record(tmp_path: Path) -> None:
    crash(tmp_path / "piece.scoresep")
    shutil.rmtree(state_folder())
    assert recoverable() == ()
    (work,) = recoverable(tmp_path / "piece.scoresep")
    assert recover(work).project == SECOND
    assert recoverable(tmp_path / "other.scoresep") == ()


def test_a_folder_that_cannot_be_written_does_not_cost_the_autosave(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    autosave = Autosave(tmp_path / "file" / "piece.scoresep")
    autosave.write(FIRST)
    assert autosave.path.parent == state_folder() / "autosaves"
    assert load_project(autosave.path).project == FIRST
    autosave.discard()
    assert not files()


def test_damaged_records_are_passed_over() -> None:
    crash("")
    (state_folder() / "autosaves" / "x.json").write_text("{")
    (state_folder() / "autosaves" / "y.json").write_text('{"autosave": 3, "project": []}')
    assert len(recoverable()) == 1
