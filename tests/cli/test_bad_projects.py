"""A person with bad luck: projects for export that are damaged, of tomorrow, or have lost what they refer to."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import soundfile
from command_line import end_of, files_in
from duet import Duet

import scoresep
from scoresep.cli import run
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


def repack(project: Path, method: int) -> None:
    with zipfile.ZipFile(project) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(project, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def make_pipe(path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("Windows has no such pipes")
    path.unlink()
    os.mkfifo(path)


def grow_columns(text: dict[str, Any]) -> None:
    text["columns"] = {name: [dtype, 10**12] for name, (dtype, _) in text["columns"].items()}


def lead_out(folder: Path, place: str) -> None:
    (folder / "duet.wav").rename(folder / "moved.wav")
    rewrite(folder / NAME, lambda text: text["links"]["recording"].update(relative=None, absolute=place))


def link_out(path: Path) -> None:
    outside = Path(shutil.copy(path, path.parents[1] / "outside.wav"))
    path.unlink()
    path.symlink_to(outside)


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
    "packed by LZMA": (lambda f: repack(f / NAME, zipfile.ZIP_LZMA), "LZMA"),
    "a pipe": (lambda f: make_pipe(f / NAME), "a pipe"),
    "columns of terabytes": (lambda f: rewrite(f / NAME, grow_columns), "damaged"),
    "recording a pipe": (lambda f: make_pipe(f / "duet.wav"), "duet.wav"),
    "a stem a pipe": (
        lambda f: (first_stem(f), os.mkfifo(f / STEMS / "x"), (f / STEMS / "x").replace(first_stem(f))),
        "separate",
    ),
    "a list of stems that is a pipe": (
        lambda f: (os.mkfifo(f / "x"), (f / "x").replace(f / STEMS / "manifest.json")),
        "separate",
    ),
    "recording on the network": (lambda f: lead_out(f, "//host.invalid/share/duet.wav"), "--trust"),
    "recording behind a link": (lambda f: link_out(f / "duet.wav"), "--trust"),
    "of tomorrow": (lambda f: rewrite(f / NAME, lambda text: text.update(schema=999)), "newer ScoreSep"),
    "recording gone": (lambda f: (f / "duet.wav").unlink(), "duet.wav"),
    "recording emptied": (lambda f: (f / "duet.wav").write_bytes(b""), "duet.wav"),
    "recording changed": (other_recording, "separate again"),
    "stems gone": (lambda f: shutil.rmtree(f / STEMS), "separate"),
    "a stem gone": (lambda f: first_stem(f).unlink(), "separate"),
    "a stem cut": (lambda f: shorten(first_stem(f)), "separate"),
    "manifest gone": (lambda f: (f / STEMS / "manifest.json").unlink(), "separate"),
}


def test_files_outside_are_opened_when_they_are_trusted_and_then_for_good(folder: Path, capsys: Capture) -> None:
    link_out(folder / "duet.wav")
    out = folder.parent / "out"
    assert end_of(capsys, "export", folder / NAME, "-o", out).code == 3
    with pytest.raises(scoresep.InputError, match="allow_outside=True"):
        scoresep.open(folder / NAME)
    assert scoresep.open(folder / NAME, allow_outside=True).recording is not None
    assert end_of(capsys, "export", folder / NAME, "-o", out).code == 0


def test_a_project_is_trusted_before_the_window_opens_it(folder: Path) -> None:
    link_out(folder / "duet.wav")
    opened: list[object] = []

    def open_window(files: Sequence[str]) -> int:
        opened.append(scoresep.open(files[0]).recording)
        return 0

    assert run(["open", "--trust", str(folder / NAME)], open_window) == 0
    assert opened != [None]


def test_a_project_saved_here_never_asks(folder: Path, piece: Duet, capsys: Capture) -> None:
    (folder / "work").mkdir()
    project = scoresep.separate(scoresep.open(piece.audio, piece.score), folder / "x", Recipe("nmf", "preview", 0))
    scoresep.save(project, folder / "work" / "piece.scoresep")
    assert end_of(capsys, "export", folder / "work" / "piece.scoresep", "-o", folder / "out").code == 0
    (folder / "work" / "piece.scoresep").rename(folder.parent / "moved alone.scoresep")
    assert end_of(capsys, "export", folder.parent / "moved alone.scoresep", "-o", folder / "again").code == 0


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
        (("--format", "mp3", "--bits", "16"), 2, "--bits is for WAV"),
        (("--format", "reaper", "--mix"), 2, "--mix is for sound alone"),
        (("--fixed-tempo",), 2, "--format dawproject or reaper"),
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
