"""A person with bad luck: projects for export that are damaged, of tomorrow, or have lost what they refer to."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from command_line import end_of, files_in
from duet import Duet

import scoresep
from scoresep.model.project import Recipe

Capture = pytest.CaptureFixture[str]
NAME, STEMS = "duet.scoresep", "duet.scoresep-data/stems"


@pytest.fixture(scope="module", name="saved")
def _saved(piece: Duet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a project with its recording, score and stems beside it; tests work on copies, the original is gone."""
    folder = tmp_path_factory.mktemp("work") / "saved"
    folder.mkdir()
    for path in (piece.audio, piece.score):
        shutil.copy(path, folder)
    project = scoresep.open(folder / piece.audio.name, folder / piece.score.name)
    project = scoresep.separate(scoresep.segment(project), folder / STEMS, Recipe("auto", "preview", 0))
    scoresep.save(project, folder / NAME)
    return folder.rename(folder.with_name("kept"))


@pytest.fixture(name="folder")
def _folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "project"))


def rewrite(project: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the text inside a project file."""
    with zipfile.ZipFile(project) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    text = json.loads(entries["project.json"])
    change(text)
    entries["project.json"] = json.dumps(text).encode()
    with zipfile.ZipFile(project, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def first_stem(folder: Path) -> Path:
    return min((folder / STEMS).glob("0*.wav"))


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 100] = bytes(100)
    path.write_bytes(data)


def other_recording(folder: Path) -> None:
    samples, rate = soundfile.read(folder / "duet.wav")
    soundfile.write(folder / "duet.wav", samples[: len(samples) // 2], rate)


BAD_PROJECTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda f: (f / NAME).unlink(), "is not there"),
    "a folder": (lambda f: ((f / NAME).unlink(), (f / NAME).mkdir()), "is a folder"),
    "empty": (lambda f: (f / NAME).write_bytes(b""), "damaged"),
    "text": (lambda f: (f / NAME).write_text("hello"), "damaged"),
    "cut": (lambda f: shorten(f / NAME), "damaged"),
    "bit rot": (lambda f: flip(f / NAME), "damaged"),
    "nothing in it": (lambda f: rewrite(f / NAME, lambda text: text.pop("project")), "damaged"),
    "of tomorrow": (lambda f: rewrite(f / NAME, lambda text: text.update(schema=999)), "newer ScoreSep"),
    "recording gone": (lambda f: (f / "duet.wav").unlink(), "duet.wav"),
    "recording emptied": (lambda f: (f / "duet.wav").write_bytes(b""), "duet.wav"),
    "recording changed": (other_recording, "separate again"),
    "stems gone": (lambda f: shutil.rmtree(f / STEMS), "separate"),
    "a stem gone": (lambda f: first_stem(f).unlink(), "separate"),
    "a stem cut": (lambda f: shorten(first_stem(f)), "separate"),
    "manifest gone": (lambda f: (f / STEMS / "manifest.json").unlink(), "separate"),
}


@pytest.mark.parametrize("name", BAD_PROJECTS)
def test_a_project_that_cannot_be_exported_is_one_sentence(name: str, folder: Path, capsys: Capture) -> None:
    spoil, words = BAD_PROJECTS[name]
    spoil(folder)
    before = files_in(folder)
    ended = end_of(capsys, "export", folder / NAME, "-o", folder.parent / "out")
    assert ended.code == 3
    assert words in ended.error
    assert files_in(folder) == before
    assert not (folder.parent / "out").exists()


def test_a_project_is_exported_wherever_it_lies_and_without_its_score(folder: Path, capsys: Capture) -> None:
    (folder / "duet.musicxml").unlink()
    elsewhere = folder.rename(folder.with_name("mo ved ü 🎻"))
    ended = end_of(capsys, "export", elsewhere / NAME, "-o", elsewhere / "out", "--format", "flac")
    assert ended.code == 0
    assert {"01 Flute.flac", "02 Cello.flac", "03 Residual.flac"} < files_in(elsewhere / "out")


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--start", "5", "--end", "2"), 2, "empty"),
        (("--start", "5000"), 2, "empty"),
        (("--part", "Tuba"), 2, "1 Flute, 2 Cello"),
        (("--mix", "--part", "1"), 2, "--mix"),
        (("--format", "flac", "--bits", "32f"), 2, "FLAC"),
        (("--template", "{colour}"), 2, "{colour}"),
        (("--template", "{"), 2, "brace"),
    ],
)
def test_what_cannot_be_exported_is_said(
    more: tuple[str, ...], code: int, words: str, saved: Path, tmp_path: Path, capsys: Capture
) -> None:
    ended = end_of(capsys, "export", saved / NAME, "-o", tmp_path / "out", *more)
    assert (ended.code, words in ended.error) == (code, True)
    assert files_in(tmp_path) == set()


def test_nothing_is_replaced_unless_asked_for(folder: Path, capsys: Capture) -> None:
    stems = {path: path.read_bytes() for path in (folder / STEMS).iterdir()}
    ended = end_of(capsys, "export", folder / NAME, "-o", folder / STEMS)
    assert (ended.code, "--overwrite" in ended.error) == (4, True)
    assert {path: path.read_bytes() for path in (folder / STEMS).iterdir()} == stems
    ended = end_of(capsys, "export", folder / NAME, "-o", folder / NAME)
    assert (ended.code, "take the place of the project" in ended.error) == (2, True)
    out = folder / "out"
    assert end_of(capsys, "export", folder / NAME, "-o", out, "--part", "2").code == 0
    assert end_of(capsys, "export", folder / NAME, "-o", out, "--part", "2").code == 4
    assert end_of(capsys, "export", folder / NAME, "-o", out, "--part", "2", "--overwrite").code == 0
