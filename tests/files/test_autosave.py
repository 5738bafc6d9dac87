"""Work that was not saved outlives a crash, and only that."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scoresep.files.project.autosave import Autosave, autosave_path, foreign_autosave, forget, recover, recoverable
from scoresep.files.project.project_files import load_project, save_project
from scoresep.files.storage.cache import combined_key, state_folder
from scoresep.model.project import Project, Recipe

FIRST, SECOND = Project(recipe=Recipe("first")), Project(recipe=Recipe("second"))

CRASH = """
import os, sys
from scoresep.files.project.autosave import Autosave
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


def test_an_autosave_that_came_along_with_a_project_is_nobodys_own_work(tmp_path: Path) -> None:
    project = tmp_path / "piece.scoresep"
    crash(project)
    shutil.rmtree(state_folder())
    theirs = autosave_path(project).read_bytes()
    assert recoverable() == ()
    assert recoverable(project) == ()
    assert foreign_autosave(project) == autosave_path(project)
    mine = Autosave(project)
    mine.write(FIRST)
    assert mine.path.parent == state_folder() / "autosaves"
    assert load_project(mine.path).project == FIRST
    mine.discard()
    assert autosave_path(project).read_bytes() == theirs


def test_an_autosave_put_in_the_place_of_ones_own_is_not_taken_for_it(tmp_path: Path) -> None:
    project, other = tmp_path / "piece.scoresep", tmp_path / "other.scoresep"
    crash(project)
    assert len(recoverable(project)) == 1
    crash(other)
    shutil.copy(autosave_path(other), autosave_path(project))
    assert recoverable(project) == ()
    assert len(recoverable(other)) == 1
    assert autosave_path(project).exists()


def test_an_autosave_of_a_version_without_marks_is_still_offered(tmp_path: Path) -> None:
    project = tmp_path / "piece.scoresep"
    crash(project)
    (record,) = (state_folder() / "autosaves").glob("*.json")
    entry = json.loads(record.read_text())
    del entry["mark"]
    record.write_text(json.dumps(entry))
    save_project(SECOND, autosave_path(project))
    (work,) = recoverable(project)
    assert recover(work).project == SECOND


def test_a_link_or_a_pipe_in_the_place_of_an_autosave_is_left_alone(tmp_path: Path) -> None:
    treasure = tmp_path / "diary.txt"
    treasure.write_text("dear diary")
    for name, lay in (("a.scoresep", lambda p: p.symlink_to(treasure)), ("b.scoresep", os.mkfifo)):
        lay(autosave_path(tmp_path / name))
        autosave = Autosave(tmp_path / name)
        autosave.write(FIRST)
        assert load_project(autosave.path).project == FIRST
        autosave.discard()
        assert os.path.lexists(autosave_path(tmp_path / name))
    assert treasure.read_text() == "dear diary"


def test_a_record_never_has_a_file_removed_that_is_no_autosave(tmp_path: Path) -> None:
    crash("")
    thesis = tmp_path / "thesis.doc"
    thesis.write_text("x")
    os.utime(thesis, (0, 0))
    records = state_folder() / "autosaves"
    name = f"{combined_key(str(thesis))[:24]}.json"
    (records / name).write_text(json.dumps({"autosave": str(thesis), "project": None}))
    assert len(recoverable()) == 1
    assert thesis.exists()


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
