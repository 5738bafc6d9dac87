"""Names that are no text, users who are not known, labels without end, members compressed by LZMA: a sentence each."""

from __future__ import annotations

import csv
import io
import json
import lzma
import os
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from duet import make_duet
from hypothesis import given, settings
from hypothesis import strategies as st
from musicxml_text import document, note, part

import scoresep
from scoresep.errors import AudioFileError, InputError, ScoreFileError
from scoresep.files.audio import note_sounds as note_files
from scoresep.files.audio import stems as learned_files
from scoresep.files.scores import open_score, parse_score
from scoresep.files.storage.cache import combined_key
from scoresep.files.storage.paths import absolute_path, expanded_path, is_utf8, safe_name
from scoresep.files.tables.batch_lists import read_batch
from scoresep.files.tables.csv_tables import read_table, table_bytes
from scoresep.files.tables.labels import read_instants
from scoresep.model.project import Recipe
from scoresep.progress import Progress
from scoresep.session import pipeline
from scoresep.session.batch import BatchOptions, run_batch

any_text = st.text(st.characters(codec=None, min_codepoint=1), max_size=12)  # halves of characters among them
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere names of files are always text")
OLD_NAME = os.fsdecode(b"Caf\xe9")  # in Latin-1


def mxl(method: int, damage: bool = False, name: str = "score.xml") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(name, document(part(note(60), note(62))))
    data = bytearray(stream.getvalue())
    if damage:
        start = 30 + len(name)
        data[start : start + 40] = bytes(40)
    return bytes(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("is_damaged", [False, True])
def test_members_packed_as_no_score_is_are_refused_in_one_sentence(method: int, is_damaged: bool) -> None:
    with pytest.raises(ScoreFileError, match=r"^'a.mxl' is packed by a method that .*; unpack it .*\.$"):
        parse_score(mxl(method, is_damaged), "a.mxl")


def test_damaged_members_are_one_sentence() -> None:
    assert len(parse_score(mxl(zipfile.ZIP_DEFLATED), "a.mxl").notes) == 2
    with pytest.raises(ScoreFileError, match=r"^'a.mxl' is a damaged archive; .*\.$"):
        parse_score(mxl(zipfile.ZIP_DEFLATED, damage=True), "a.mxl")


@pytest.mark.parametrize(
    "error",
    [lzma.LZMAError("x"), NotImplementedError("x"), RuntimeError("x"), zipfile.BadZipFile("x"), AttributeError("x")],
)
def test_what_was_learned_is_learned_again_whatever_its_reader_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    learned_files.save_learned(tmp_path, {"a/x": np.arange(3)})
    assert learned_files.load_learned(tmp_path, "a/")["a/x"].tolist() == [0, 1, 2]

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(np, "load", refuse)
    assert learned_files.load_learned(tmp_path) == {}
    assert note_files.load_tones(tmp_path / learned_files.LEARNED_NAME) == {}


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 2000), values=st.binary(min_size=1, max_size=30), length=st.integers(0, 2000))
def test_a_damaged_learned_state_is_none_or_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, at: int, values: bytes, length: int
) -> None:
    folder = tmp_path_factory.mktemp("learned")
    arrays = {"a": np.arange(200), "b": np.array("text"), "c": np.linspace(0, 1, 50)}
    learned_files.save_learned(folder, arrays)
    path = folder / learned_files.LEARNED_NAME
    data = bytearray(path.read_bytes())
    data[at % len(data) : at % len(data) + len(values)] = values
    path.write_bytes(data[: len(data) - length % 50])
    for name, array in learned_files.load_learned(folder).items():
        assert np.array_equal(array, arrays[name])


def test_unknown_users_are_names_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_path("~") == Path.home() and expanded_path("a/~b") == Path("a/~b")
    assert absolute_path("~nosuchuser/a.wav") == tmp_path / "~nosuchuser" / "a.wav"
    (tmp_path / "~nosuchuser.csv").write_text("audio,score\n~nosuchuser.wav,~nosuchuser.xml\n")
    (piece,) = read_batch("~nosuchuser.csv").pieces
    assert piece.audio == tmp_path / "~nosuchuser.wav"
    (tmp_path / "a.xml").write_bytes(document(part(note(60))))
    with pytest.raises(InputError, match=r"~nosuchuser.*\.$"):
        scoresep.open("~nosuchuser.wav", "a.xml")


def test_names_with_null_characters_are_not_there() -> None:
    for refused in (lambda: open_score("a\0b.xml"), lambda: pipeline.open_files("a\0b.wav", "a.xml")):
        with pytest.raises(InputError, match="not there"):
            refused()


@given(any_text)
def test_any_text_makes_a_file_name_and_a_line_of_a_table(text: str) -> None:
    name = safe_name(text)
    assert is_utf8(name) and safe_name(name) == name
    assert isinstance(combined_key(text), str)
    line = table_bytes((), [(text,)]).decode()
    if is_utf8(text):
        assert next(csv.reader(io.StringIO(line, newline=""))) == [text.replace("\r", " ")]


def test_labels_without_end_are_refused_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"field larger than field limit \(131072\).*1\.5.*\.$"):
        read_instants("a.txt", f"0.5\t0.5\t1\n1.5\t1.5\t{'x' * 140_000}\n")
    (tmp_path / "a.csv").write_text(f"audio,score\na.wav,{'x' * 140_000}\n")
    with pytest.raises(InputError, match="field limit"):
        read_table(tmp_path / "a.csv", ("audio", "score"))


def test_names_of_parts_that_are_no_text_are_written_all_the_same(tmp_path: Path) -> None:
    duet = make_duet(tmp_path)
    project = pipeline.align(scoresep.open(duet.audio, duet.score))
    parts = tuple(replace(p, name=f"\udce9 {p.name} \ud83d") for p in project.parts)
    project = pipeline.segment(replace(project, parts=parts))
    scoresep.write_notes(project, tmp_path / "notes.csv")
    scoresep.write_segments(project, tmp_path / "segments.csv")
    assert "\\udce9" in (tmp_path / "segments.csv").read_text(encoding="utf-8")
    from scoresep.session.exporting import ExportChoices, export, export_request

    choices = ExportChoices(str(tmp_path / "labels"), container="labels")
    report = export(export_request(project, choices), Progress())
    assert all((tmp_path / "labels" / name).stat().st_size for name in report.files)


@linux
def test_a_recording_whose_name_is_no_text_is_refused_and_costs_a_batch_one_piece(tmp_path: Path) -> None:
    duet = make_duet(_folder(tmp_path / "in"))
    for path in (duet.audio, duet.score):
        (tmp_path / "in" / f"{OLD_NAME}{Path(path).suffix}").write_bytes(Path(path).read_bytes())
    with pytest.raises(AudioFileError, match=r"is not text in UTF-8; rename the file or folder\.$"):
        scoresep.open(tmp_path / "in" / f"{OLD_NAME}.wav", duet.score)
    found = read_batch(tmp_path / "in")
    states = {
        r.piece.name: r
        for r in run_batch(found.pieces, BatchOptions(tmp_path / "out", Recipe(budget="preview"), "cpu"), Progress())
    }
    assert sorted((r.state for r in states.values()), key=str) == ["done", "failed"]
    (failed,) = (r for r in states.values() if r.state == "failed")
    assert "UTF-8" in failed.remarks[0]
    rows = (tmp_path / "out" / "batch.csv").read_text(encoding="utf-8")
    assert rows.count("\n") == 3 and "\\udce9" in rows
    assert json.loads((tmp_path / "out" / "duet" / "stems" / "manifest.json").read_bytes())["stems"]


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
