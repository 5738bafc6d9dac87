"""Where a session keeps its work: saving and opening, and the stems beside the project."""

from __future__ import annotations

import errno
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from session_desk import Desk, make_stems, rename_part, settle, stem_folder

from scoresep.errors import OutputError, UsageError
from scoresep.files.project_files import load_project
from scoresep.files.stem_files import read_stem_set
from scoresep.model.project import Project
from scoresep.session import edits
from scoresep.session.project_store import ORPHANED_AFTER_S, ProjectStore


def test_a_saved_project_opens_as_it_was(desk: Desk) -> None:
    session = desk.aligned()
    make_stems(session)
    rename_part(session, "Traverso")
    session.set_mixer(replace(session.project.mixer, master_gain_db=-3.0))
    session.save(desk.folder / "piece")
    saved = session.project
    assert session.path == desk.folder / "piece.scoresep" and session.settings.recent[0] == str(session.path)
    other = desk.session()
    other.open_project(desk.folder / "piece.scoresep")
    settle(other)
    assert other.project == saved and not other.is_modified and not other.has_stale_stems
    assert other.source is not None and other.undo_text == "" and other.messages == ()


def test_modified_is_what_differs_from_the_file(desk: Desk) -> None:
    session = desk.session()
    assert not session.is_modified
    with pytest.raises(UsageError, match="where the project is to be saved"):
        session.save()
    session = desk.aligned()
    assert session.is_modified
    session.save(desk.folder / "piece")
    assert not session.is_modified
    rename_part(session, "Traverso")
    assert session.is_modified
    session.undo()
    assert not session.is_modified
    session.redo()
    session.save()
    assert not session.is_modified
    session.undo()
    assert session.is_modified
    session.open_project(desk.folder / "piece.scoresep")
    assert not session.is_modified and session.project.parts[0].name == "Traverso"
    session.set_mixer(replace(session.project.mixer, master_gain_db=-3.0))
    assert session.is_modified
    session.new_project()
    assert not session.is_modified and session.path is None and session.project == Project()


def test_the_first_save_moves_the_stems_and_all_can_still_be_taken_back_and_made_again(desk: Desk) -> None:
    session = desk.aligned()
    first = make_stems(session)
    rename_part(session, "Traverso")
    session.apply(edits.set_part(session.project, 1, "Leave part out", is_absent=True))
    second = make_stems(session, 0.1)
    assert (desk.folder / "state") in Path(second.folder).parents
    session.save(desk.folder / "piece")
    home = desk.folder / "piece.scoresep-data"
    assert stem_folder(session).parent == home and not Path(second.folder).exists()
    for _ in range(3):
        session.undo()
    assert session.project.stem_set == first and read_stem_set(first.folder).stems == first.stems
    session.save()
    assert stem_folder(session).parent == home and not session.has_stale_stems
    for _ in range(3):
        session.redo()
    assert read_stem_set(stem_folder(session)).input_key == second.input_key
    session.save()
    kept, dropped = stem_folder(session), {p.name for p in home.iterdir()} - {stem_folder(session).name}
    assert len(dropped) == 1
    session.close()
    assert [p.name for p in home.iterdir()] == [kept.name], "what no file speaks of goes with the session"
    assert not (desk.folder / "state" / "unsaved").exists() or not any((desk.folder / "state" / "unsaved").iterdir())


def test_save_as_keeps_both_projects_whole(desk: Desk) -> None:
    session = desk.aligned()
    make_stems(session)
    session.save(desk.folder / "one")
    one = session.project
    rename_part(session, "Traverso")
    session.save(desk.folder / "two")
    assert stem_folder(session).parent == desk.folder / "two.scoresep-data"
    session.undo()
    assert stem_folder(session).parent == desk.folder / "two.scoresep-data", "also what was done before"
    session.close()
    assert load_project(desk.folder / "one.scoresep").project == one
    (desk.folder / "one.scoresep").unlink()
    shutil.rmtree(desk.folder / "one.scoresep-data")
    loaded = load_project(desk.folder / "two.scoresep")
    assert loaded.warnings == () and loaded.project.stem_set is not None
    assert loaded.project.parts[0].name == "Traverso"


def no_links(*_: object) -> NoReturn:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


@pytest.mark.parametrize("is_saved_before", [False, True])
def test_stems_are_copied_in_the_background_where_they_cannot_be_moved_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, is_saved_before: bool
) -> None:
    session = desk.aligned()
    make_stems(session)
    if is_saved_before:
        session.save(desk.folder / "one")
    before = stem_folder(session)
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda a, b: no_links() if Path(a) == before else rename(a, b))
    monkeypatch.setattr(os, "link", no_links)
    session.save(desk.folder / "two")
    assert stem_folder(session) == before and session.job("stem copy") is not None and not session.is_modified
    rename_part(session, "Traverso")
    settle(session)
    home = desk.folder / "two.scoresep-data"
    assert stem_folder(session).parent == home and session.is_modified
    session.undo()
    assert stem_folder(session).parent == home
    session.save()
    session.close()
    loaded = load_project(desk.folder / "two.scoresep")
    assert loaded.project.stem_set is not None and Path(loaded.project.stem_set.folder).parent == home
    assert before.exists() == is_saved_before


def test_stems_whose_copy_was_cut_short_are_not_lost_and_copied_at_the_next_opening(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = desk.aligned()
    make_stems(session)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", no_links)
        session.save(desk.folder / "piece")
    assert session.job("stem copy") is not None
    session.close()
    other = desk.session()
    other.open_project(desk.folder / "piece.scoresep")
    assert other.messages == () and other.project.stem_set is not None
    settle(other)
    assert stem_folder(other).parent == desk.folder / "piece.scoresep-data" and not other.is_modified
    assert load_project(desk.folder / "piece.scoresep").project == other.project


def test_a_save_that_fails_loses_nothing(desk: Desk) -> None:
    session = desk.aligned()
    make_stems(session)
    before = session.project
    (desk.folder / "taken.scoresep").mkdir()
    with pytest.raises(OutputError):
        session.save(desk.folder / "taken")
    assert session.project == before and session.is_modified and session.path is None
    assert before.stem_set is not None and read_stem_set(before.stem_set.folder).stems == before.stem_set.stems
    assert not (desk.folder / "taken.scoresep-data").exists()
    session.save(desk.folder / "free")
    assert not session.is_modified


def test_two_sessions_on_one_project_do_not_replace_each_others_work_unasked(desk: Desk) -> None:
    first = desk.aligned()
    first.save(desk.folder / "piece")
    second = desk.session()
    second.open_project(desk.folder / "piece.scoresep")
    rename_part(first, "Traverso")
    rename_part(second, "Recorder")
    for session in (first, second):
        session.autosave()
    first.save()
    with pytest.raises(OutputError, match="changed by another window"):
        second.save()
    assert load_project(desk.folder / "piece.scoresep").project.parts[0].name == "Traverso"
    assert second.is_modified
    second.save()
    assert load_project(desk.folder / "piece.scoresep").project.parts[0].name == "Recorder"
    assert ProjectStore().recoverable() == (), "both autosaves are gone"


def test_stems_that_earlier_sessions_have_left_are_removed_after_a_day(desk: Desk) -> None:
    session = desk.aligned()
    make_stems(session)
    session.save(desk.folder / "piece")
    kept = stem_folder(session)
    input_key = read_stem_set(kept).input_key
    orphan = Path(shutil.copytree(kept, kept.with_name(f"stems-{input_key[:12]}-orphan")))
    mine = Path(shutil.copytree(kept, kept.with_name("my own stems")))
    session.open_project(desk.folder / "piece.scoresep")
    assert orphan.exists()
    old_s = time.time() - ORPHANED_AFTER_S - 10
    for folder in (orphan, mine, kept):
        os.utime(folder, (old_s, old_s))
    session.open_project(desk.folder / "piece.scoresep")
    assert not orphan.exists() and mine.exists() and kept.exists() and session.project.stem_set is not None
