"""Where a session keeps its work: saving and opening, and the stems beside the project."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from session_desk import Desk, make_stems, rename_part, settle, stem_folder

from scoresep.edits import project as edits
from scoresep.errors import OutputError, UsageError
from scoresep.files.audio.stems import read_stem_set
from scoresep.files.project.project_files import load_project
from scoresep.model.project import Project
from scoresep.session import project_store, stem_folders
from scoresep.session.project_store import ProjectStore


def test_a_saved_project_opens_as_it_was(desk: Desk) -> None:
    session = desk.aligned()
    make_stems(session)
    rename_part(session, "Traverso")
    session.set_mixer(replace(session.project.mixer, master_gain_db=-3.0))
    session.storage.save(desk.folder / "piece")
    saved = session.project
    assert session.storage.path == desk.folder / "piece.scoresep" and session.settings.recent[0] == str(
        session.storage.path
    )
    other = desk.session()
    other.storage.open(desk.folder / "piece.scoresep")
    settle(other)
    assert other.project == saved and not other.storage.is_modified and not other.separation.has_stale_stems
    assert other.recording.source is not None and other.undo_text == "" and other.messages.shown == ()


def test_modified_is_what_differs_from_the_file(desk: Desk) -> None:
    session = desk.session()
    assert not session.storage.is_modified
    with pytest.raises(UsageError, match="where the project is to be saved"):
        session.storage.save()
    session = desk.aligned()
    assert session.storage.is_modified
    session.storage.save(desk.folder / "piece")
    assert not session.storage.is_modified
    rename_part(session, "Traverso")
    assert session.storage.is_modified
    session.undo()
    assert not session.storage.is_modified
    session.redo()
    session.storage.save()
    assert not session.storage.is_modified
    session.undo()
    assert session.storage.is_modified
    session.storage.open(desk.folder / "piece.scoresep")
    assert not session.storage.is_modified and session.project.parts[0].name == "Traverso"
    session.set_mixer(replace(session.project.mixer, master_gain_db=-3.0))
    assert session.storage.is_modified
    session.storage.begin()
    assert not session.storage.is_modified and session.storage.path is None and session.project == Project()


def test_the_first_save_moves_the_stems_and_all_can_still_be_taken_back_and_made_again(desk: Desk) -> None:
    session = desk.aligned()
    first = make_stems(session)
    rename_part(session, "Traverso")
    session.apply(edits.set_part(session.project, 1, "Leave part out", is_absent=True))
    second = make_stems(session, 0.1)
    assert (desk.folder / "state") in Path(second.folder).parents
    session.storage.save(desk.folder / "piece")
    home = desk.folder / "piece.scoresep-data"
    assert stem_folder(session).parent == home and not Path(second.folder).exists()
    for _ in range(3):
        session.undo()
    assert session.project.stem_set == first and read_stem_set(first.folder).stems == first.stems
    session.storage.save()
    assert stem_folder(session).parent == home and not session.separation.has_stale_stems
    for _ in range(3):
        session.redo()
    assert read_stem_set(stem_folder(session)).input_key == second.input_key
    session.storage.save()
    kept, dropped = stem_folder(session), {p.name for p in home.iterdir()} - {stem_folder(session).name}
    assert len(dropped) == 1
    session.close()
    assert {p.name for p in home.iterdir()} == {kept.name, *dropped}, "nothing that is finished is ever removed"
    assert not (desk.folder / "state" / "unsaved").exists() or not any((desk.folder / "state" / "unsaved").iterdir())


def test_save_as_keeps_both_projects_whole(desk: Desk) -> None:
    session = desk.aligned()
    make_stems(session)
    session.storage.save(desk.folder / "one")
    one = session.project
    rename_part(session, "Traverso")
    session.storage.save(desk.folder / "two")
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
        session.storage.save(desk.folder / "one")
    before = stem_folder(session)
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda a, b: no_links() if Path(a) == before else rename(a, b))
    monkeypatch.setattr(os, "link", no_links)
    session.storage.save(desk.folder / "two")
    assert (
        stem_folder(session) == before and session.jobs.get("stem copy") is not None and not session.storage.is_modified
    )
    rename_part(session, "Traverso")
    settle(session)
    home = desk.folder / "two.scoresep-data"
    assert stem_folder(session).parent == home and session.storage.is_modified
    session.undo()
    assert stem_folder(session).parent == home
    session.storage.save()
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
        session.storage.save(desk.folder / "piece")
    assert session.jobs.get("stem copy") is not None
    session.close()
    other = desk.session()
    other.storage.open(desk.folder / "piece.scoresep")
    assert other.messages.shown == () and other.project.stem_set is not None
    settle(other)
    assert stem_folder(other).parent == desk.folder / "piece.scoresep-data" and not other.storage.is_modified
    assert load_project(desk.folder / "piece.scoresep").project == other.project


def test_a_save_that_fails_loses_nothing(desk: Desk) -> None:
    session = desk.aligned()
    make_stems(session)
    before = session.project
    (desk.folder / "taken.scoresep").mkdir()
    with pytest.raises(OutputError):
        session.storage.save(desk.folder / "taken")
    assert session.project == before and session.storage.is_modified and session.storage.path is None
    assert before.stem_set is not None and read_stem_set(before.stem_set.folder).stems == before.stem_set.stems
    assert not (desk.folder / "taken.scoresep-data").exists()
    session.storage.save(desk.folder / "free")
    assert not session.storage.is_modified


def test_two_sessions_on_one_project_do_not_replace_each_others_work_unasked(desk: Desk) -> None:
    first = desk.aligned()
    first.storage.save(desk.folder / "piece")
    second = desk.session()
    second.storage.open(desk.folder / "piece.scoresep")
    rename_part(first, "Traverso")
    rename_part(second, "Recorder")
    for session in (first, second):
        session.storage.autosave()
    first.storage.save()
    with pytest.raises(OutputError, match="changed by another window"):
        second.storage.save()
    assert load_project(desk.folder / "piece.scoresep").project.parts[0].name == "Traverso"
    assert second.storage.is_modified
    second.storage.save()
    assert load_project(desk.folder / "piece.scoresep").project.parts[0].name == "Recorder"
    assert ProjectStore().recoverable() == (), "both autosaves are gone"


def test_two_windows_that_save_at_the_same_moment_do_not_lose_each_others_work(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = desk.aligned()
    first.storage.save(desk.folder / "piece")
    second = desk.session()
    second.storage.open(desk.folder / "piece.scoresep")
    rename_part(first, "Traverso")
    rename_part(second, "Recorder")
    write, told = project_store.save_project, list[str]()

    def while_the_other_saves(project: Project, path: Path) -> None:
        with pytest.raises(OutputError) as caught:
            second.storage.save()
        told.append(str(caught.value))
        write(project, path)

    with monkeypatch.context() as patch:
        patch.setattr(project_store, "save_project", while_the_other_saves)
        first.storage.save()
    assert "is saving" in told[0]
    with pytest.raises(OutputError, match="changed by another window"):
        second.storage.save()
    assert load_project(desk.folder / "piece.scoresep").project.parts[0].name == "Traverso"


def test_a_save_that_fails_takes_back_what_it_has_moved_and_shared(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> NoReturn:
        raise OutputError("There is no room left.")

    session = desk.aligned()
    make_stems(session)
    for name in ("one", "two"):
        before = stem_folder(session)
        files = {f.name: f.read_bytes() for f in before.iterdir()}
        with monkeypatch.context() as patch:
            patch.setattr(project_store, "save_project", full)
            with pytest.raises(OutputError, match="no room"):
                session.storage.save(desk.folder / name)
        assert stem_folder(session) == before and {f.name: f.read_bytes() for f in before.iterdir()} == files
        assert not (desk.folder / f"{name}.scoresep-data").exists() and not (desk.folder / f"{name}.scoresep").exists()
        session.storage.save(desk.folder / name)


def test_stems_that_cannot_be_shared_leave_nothing_half_shared(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    session = desk.aligned()
    make_stems(session)
    session.storage.save(desk.folder / "one")
    left, link = [2], os.link

    def failing(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            no_links()
        link(source, target)

    monkeypatch.setattr(os, "link", failing)
    whole = {f.name: f.read_bytes() for f in stem_folder(session).iterdir()}
    assert stem_folders.share_folder(stem_folder(session), desk.folder / "two.scoresep-data") is None
    assert not (desk.folder / "two.scoresep-data").exists()
    assert {f.name: f.read_bytes() for f in stem_folder(session).iterdir()} == whole


def test_stems_that_one_project_names_are_not_moved_away_to_another(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They could not be moved beside the first one, such as to a disk without room for them."""
    session = desk.aligned()
    make_stems(session)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", no_links)
        patch.setattr(session.storage, "_copy_stems_beside", lambda: None)
        session.storage.save(desk.folder / "one")
    before = stem_folder(session)
    session.storage.save(desk.folder / "two")
    assert stem_folder(session) != before
    session.close()
    for name in ("one", "two"):
        assert load_project(desk.folder / f"{name}.scoresep").warnings == ()


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_folder_whose_name_is_no_text_is_a_folder_like_others(desk: Desk) -> None:
    folder = Path(os.fsdecode(os.fsencode(desk.folder) + b"/caf\xe9"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this disk takes UTF-8 alone")
    session = desk.aligned()
    make_stems(session)
    session.storage.save(folder / "piece")
    rename_part(session, "Traverso")
    session.storage.autosave()
    session.storage.save()
    saved = session.project
    session.close()
    other = desk.session()
    other.storage.open(folder / "piece.scoresep")
    settle(other)
    assert other.project == saved and other.messages.shown == () and other.unused_stems.find() == ()
    other.close()
