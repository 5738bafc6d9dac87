"""Stems that a person has paid minutes for are never removed by opening anything, but listed, and binned when asked."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import end_of
from project_on_disk import rewritten
from session_desk import Desk, make_stems, rename_part, settle, stem_folder, texts

from scoresep.edits import project as edits
from scoresep.errors import OutputError, ProjectFileError
from scoresep.files.audio.stems import read_stem_set
from scoresep.files.project.autosave import autosave_path
from scoresep.files.storage import paths
from scoresep.progress import Progress
from scoresep.session.session import Session
from scoresep.session.unused_stems import Binned, UnusedQuestion, bin_unused, find_unused

OLD_S = time.time() - 400 * 24 * 3600.0


def age(*folders: Path) -> None:
    for folder in folders:
        os.utime(folder, (OLD_S, OLD_S))


def wavs(*folders: Path) -> set[tuple[int, int]]:
    """Return the sounds that are there, by what tells a file from all others."""
    return {(s.st_dev, s.st_ino) for folder in folders for f in folder.rglob("*.wav") for s in [f.stat()]}


class Work:
    """A project with the stems that it names and older ones, all made more than a year ago."""

    def __init__(self, desk: Desk, name: str = "piece") -> None:
        session = desk.aligned()
        make_stems(session)
        session.storage.save(desk.folder / name)
        self.first = stem_folder(session)
        shutil.copy(desk.folder / f"{name}.scoresep", desk.folder / f"{name}.earlier")
        session.apply(edits.set_part(session.project, 1, "Leave part out", is_absent=True))
        make_stems(session, 0.1)
        session.storage.save()
        self.second = stem_folder(session)
        session.close()
        self.project = desk.folder / f"{name}.scoresep"
        self.home = desk.folder / f"{name}.scoresep-data"
        age(self.first, self.second, self.home)


def by_a_detour(work: Work) -> Path:
    (work.project.parent / "detour").mkdir()
    return work.project.parent / "detour" / ".." / work.project.name


def by_an_earlier_copy(work: Work) -> Path:
    shutil.copy(work.project.with_suffix(".earlier"), work.project)
    return work.project


def with_a_damaged_list(work: Work) -> Path:
    (work.second / "manifest.json").write_text("{")
    return work.project


def with_a_list_that_does_not_fit(work: Work) -> Path:
    rewritten(work.project, lambda text: text["project"]["stem_set"]["stems"].pop())
    return work.project


def under_another_name(work: Work) -> Path:
    other = work.project.with_name("other.scoresep")
    rewritten(work.project, lambda text: (text["links"].pop("stem_set"), text["project"].update(stem_set=None)), other)
    work.home.rename(other.with_name("other.scoresep-data"))
    work.home = other.with_name("other.scoresep-data")
    return other


def through_a_link(work: Work) -> Path:
    other = work.project.with_name("other.scoresep")
    rewritten(work.project, lambda text: (text["links"].pop("stem_set"), text["project"].update(stem_set=None)), other)
    other.with_name("other.scoresep-data").symlink_to(work.home)
    return other


WAYS: list[Callable[[Work], Path]] = [
    by_a_detour,
    by_an_earlier_copy,
    with_a_damaged_list,
    with_a_list_that_does_not_fit,
    under_another_name,
    through_a_link,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_opening_a_project_removes_no_stems_in_whatever_way_they_are_not_named(
    desk: Desk, way: Callable[..., Path]
) -> None:
    work = Work(desk)
    before = wavs(desk.folder)
    path = way(work)
    age(*work.home.iterdir(), work.home)
    session = desk.session()
    for _ in range(2):
        session.storage.open(path)
        settle(session)
    session.storage.begin()
    session.close()
    assert wavs(desk.folder) == before


def test_what_no_project_names_is_told_and_listed(desk: Desk) -> None:
    work = Work(desk)
    session = desk.session()
    session.storage.open(work.project)
    (told,) = texts(session, "info")
    assert "no project names (1 set, " in told
    (stems,) = session.unused_stems.find()
    assert (stems.folder, stems.project) == (str(work.first), str(work.project))
    assert stems.stem_count == 2
    assert stems.recording == desk.duet.audio.name
    assert stems.size_bytes == sum(f.stat().st_size for f in work.first.iterdir())
    assert stems.shared_bytes == 0


def named_by_a_copy_of_the_project(desk: Desk, work: Work) -> None:
    shutil.copy(work.project.with_suffix(".earlier"), desk.folder / "copy.scoresep")


def named_by_an_autosave(desk: Desk, work: Work) -> None:
    session = desk.session()
    shutil.copy(work.project.with_suffix(".earlier"), desk.folder / "copy.scoresep")
    session.storage.open(desk.folder / "copy.scoresep")
    rename_part(session, "Traverso")
    session.storage.autosave()
    (desk.folder / "copy.scoresep").unlink()


def named_elsewhere(desk: Desk, work: Work) -> None:
    (desk.folder / "far").mkdir()
    shutil.copy(work.project.with_suffix(".earlier"), desk.folder / "far" / "copy.scoresep")


@pytest.mark.parametrize("name_it", [named_by_a_copy_of_the_project, named_by_an_autosave, named_elsewhere])
def test_what_anything_names_is_not_listed(desk: Desk, name_it: Callable[[Desk, Work], None]) -> None:
    work = Work(desk)
    others = (str(desk.folder / "far" / "copy.scoresep"),)
    question = UnusedQuestion(str(work.project), others=others)
    assert [stems.folder for stems in find_unused(question)] == [str(work.first)]
    name_it(desk, work)
    assert find_unused(question) == ()
    binned = bin_unused((str(work.first),), question, Progress())
    assert binned.moved == () and "is left alone" in binned.refused[0] and work.first.exists()


def test_what_undo_may_need_is_in_use(desk: Desk) -> None:
    session = desk.aligned()
    first = make_stems(session)
    session.storage.save(desk.folder / "piece")
    session.apply(edits.set_part(session.project, 1, "Leave part out", is_absent=True))
    make_stems(session, 0.1)
    session.storage.save()
    assert Path(first.folder).name in {p.name for p in (desk.folder / "piece.scoresep-data").iterdir()}
    assert session.unused_stems.find() == ()


def test_nothing_is_listed_over_a_link_or_where_the_project_cannot_be_read(desk: Desk) -> None:
    work = Work(desk)
    linked = through_a_link(work)
    assert find_unused(UnusedQuestion(str(linked))) == ()
    (work.home / "stems-linked").symlink_to(work.first)
    assert [stems.folder for stems in find_unused(UnusedQuestion(str(work.project)))] == [str(work.first)]
    work.project.write_bytes(work.project.read_bytes()[:100])
    with pytest.raises(ProjectFileError):
        Session().storage.open(work.project)
    assert find_unused(UnusedQuestion(str(work.project))) == ()


def bins(session: Session) -> Binned:
    answers: list[Binned] = []
    session.unused_stems.start_bin(session.unused_stems.find(), answers.append)
    settle(session)
    return answers[0]


def test_stems_go_to_the_bin_of_the_system_and_can_be_taken_back(desk: Desk) -> None:
    work = Work(desk)
    session = desk.session()
    session.storage.open(work.project)
    files = {f.name: f.read_bytes() for f in work.first.iterdir()}
    binned = bins(session)
    assert [stems.folder for stems in binned.moved] == [str(work.first)] and binned.refused == ()
    assert not work.first.exists() and read_stem_set(work.second)
    assert session.unused_stems.find() == ()
    bin_folders = list(Path(os.environ["XDG_DATA_HOME"], "Trash", "files").glob(f"{work.first.name}*"))
    assert {f.name: f.read_bytes() for f in bin_folders[-1].iterdir()} == files


def test_a_bin_that_refuses_costs_nothing_and_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import send2trash

    work = Work(desk)

    def refuse(path: str) -> None:
        raise OSError(13, "Permission denied")

    question = UnusedQuestion(str(work.project))
    monkeypatch.setattr(send2trash, "send2trash", refuse)
    binned = bin_unused((str(work.first),), question, Progress())
    assert binned.moved == () and "Permission denied" in binned.refused[0] and "still there" in binned.refused[0]
    monkeypatch.setattr(send2trash, "send2trash", lambda path: None)  # one that says nothing and does nothing
    assert "still there" in bin_unused((str(work.first),), question, Progress()).refused[0]
    assert work.first.exists()
    link = desk.folder / "link"
    link.symlink_to(work.first)
    with pytest.raises(OutputError, match="link"):
        paths.move_to_bin(link)


def test_stems_of_discarded_work_are_kept_and_told_of(desk: Desk) -> None:
    session = desk.aligned()
    folder = Path(make_stems(session).folder)
    assert session.unused_stems.find() == (), "they are in use"
    session.storage.begin()
    (stems,) = session.unused_stems.find()
    assert (stems.folder, stems.project) == (str(folder), "")
    age(folder, folder.parent)
    other = desk.session()
    other.storage.begin()
    assert folder.exists()
    other.unused_stems.tell_unsaved()
    assert "never saved" in texts(other, "info")[0]
    assert len(bin_unused((str(folder),), UnusedQuestion(), Progress()).moved) == 1
    assert not folder.parent.exists(), "nor does an empty workspace stay"


def test_a_project_cannot_have_the_state_folder_cleaned_away(desk: Desk) -> None:
    """A folder of stems that is named by a detour is no workspace, whatever the detour is."""
    session = desk.aligned()
    folder = Path(make_stems(session).folder)
    session.storage.save(desk.folder / "piece")
    session.close()
    detour = folder.parents[1] / ".." / "stems"
    rewritten(desk.folder / "piece.scoresep", lambda text: text["project"]["stem_set"].update(folder=str(detour)))
    other = desk.session()
    other.storage.open(desk.folder / "piece.scoresep")
    for work in other.storage.store.recoverable():
        other.storage.store.forget(work)
    other.close()
    assert (desk.folder / "state").is_dir()


def test_the_command_line_lists_and_bins(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    work = Work(desk)
    listed = end_of(capsys, "doctor", "--unused-stems", work.project)
    assert listed.code == 0 and str(work.first) in listed.out and str(work.second) not in listed.out
    assert work.first.exists()
    moved = end_of(capsys, "doctor", "--unused-stems", work.project, "--to-bin")
    assert moved.code == 0 and "1 of 1 are in the bin" in moved.out and not work.first.exists()
    assert end_of(capsys, "doctor", "--unused-stems", desk.folder / "nothing.scoresep").code == 2
    assert end_of(capsys, "doctor", "--to-bin").code == 2


def test_an_autosave_of_somebody_else_is_told_and_left_alone(desk: Desk) -> None:
    work = Work(desk)
    shutil.copy(work.project, autosave_path(work.project))
    theirs = autosave_path(work.project).read_bytes()
    session = desk.session()
    session.storage.open(work.project)
    assert any("was not kept here" in text for text in texts(session, "info"))
    assert session.storage.store.recoverable() == ()
    rename_part(session, "Traverso")
    session.storage.autosave()
    session.storage.save()
    session.close()
    assert autosave_path(work.project).read_bytes() == theirs
