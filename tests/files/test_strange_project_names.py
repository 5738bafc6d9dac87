"""Projects of strange names: what is no text comes back as it was, and unknown users are names of files."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from duet import make_duet
from hypothesis import given, settings
from hypothesis import strategies as st

import scoresep
from scoresep.errors import InputError, ProjectFileError
from scoresep.files.project.archive import read_archive, write_archive
from scoresep.model.project import PartSettings, Project

any_text = st.text(st.characters(codec=None, min_codepoint=1), max_size=12)  # halves of characters among them


def test_other_archives_with_such_members_are_damaged_ones(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.scoresep", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("project.json", b"{}" * 100)
    data = bytearray((tmp_path / "a.scoresep").read_bytes())
    data[42:60] = bytes(18)
    (tmp_path / "a.scoresep").write_bytes(data)
    with pytest.raises(ProjectFileError, match="is packed in a way"):
        read_archive(tmp_path / "a.scoresep")


@settings(max_examples=30, deadline=None)
@given(any_text)
def test_any_text_comes_back_from_a_project(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("project") / "a.scoresep"
    write_archive(path, {"name": text}, {})
    assert read_archive(path)[0] == {"name": text}
    scoresep.save(Project(parts=(PartSettings(text, "#123456"),)), path)
    assert scoresep.open(path).parts[0].name == text


def test_names_of_parts_that_are_no_text_come_back(tmp_path: Path) -> None:
    duet = make_duet(tmp_path)
    project = scoresep.open(duet.audio, duet.score)
    parts = tuple(replace(p, name=f"\udce9 {p.name} \ud83d") for p in project.parts)
    scoresep.save(replace(project, parts=parts), tmp_path / "a.scoresep")
    assert scoresep.open(tmp_path / "a.scoresep").parts == parts


def test_a_project_of_an_unknown_user_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"~nosuchuser.*\.$"):
        scoresep.open("~nosuchuser.scoresep")
    scoresep.save(Project(), "~nosuchuser.scoresep")
    assert (tmp_path / "~nosuchuser.scoresep").is_file()
