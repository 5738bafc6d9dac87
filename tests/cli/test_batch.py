"""Many pieces by one command: found in folders and tables, one failure stops nothing, done is done."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import end_of
from duet import make_duet

import scoresep
from scoresep.errors import Cancelled, InputError
from scoresep.files.audio.stems import read_manifest
from scoresep.files.tables.batch_lists import read_batch
from scoresep.model.project import Mixer, Recipe
from scoresep.progress import Progress
from scoresep.session import batch, separation_job
from scoresep.session.batch import BatchOptions, run_batch


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good pair, one in a folder of its own, and one whose score is broken."""
    folder = tmp_path_factory.mktemp("pieces")
    duet = make_duet(folder)
    (folder / "live").mkdir()
    shutil.copy(duet.audio, folder / "live" / "take 3.wav")
    shutil.copy(duet.score, folder / "live" / "score.musicxml")
    shutil.copy(duet.audio, folder / "broken.wav")
    (folder / "broken.musicxml").write_text("<score-partwise>")
    shutil.copy(duet.audio, folder / "alone.wav")
    return folder


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_a_folder_is_done_whatever_fails_and_a_second_run_does_only_the_rest(
    pieces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["batch", str(pieces), "-o", str(out), "--budget", "preview", "--device", "cpu"]
    ended = end_of(capsys, *command)
    assert ended.code == 4 and "1 of 3 pieces" in ended.error
    assert "alone.wav' has no score" in ended.err
    rows = rows_of(out / "batch.csv")
    assert {name: row["state"] for name, row in rows.items()} == {"broken": "failed", "duet": "done", "live": "done"}
    assert "broken.musicxml" in rows["broken"]["remark"]
    for name in ("duet", "live"):
        files = {p.name for p in (out / name).iterdir() if not p.name.startswith(".")}
        assert files == {"notes.csv", "segments.csv", "stems", f"{name}.scoresep"}
        assert (out / name / "stems" / "manifest.json").is_file()

    shutil.copy(pieces / "duet.musicxml", pieces / "broken.musicxml")
    assert end_of(capsys, *command).code == 0
    states = {name: row["state"] for name, row in rows_of(out / "batch.csv").items()}
    assert states == {"broken": "done", "duet": "done before", "live": "done before"}
    (out / "duet" / "stems" / "Residual.wav").unlink()
    assert "duet: done (" in end_of(capsys, *command).out, "what was lost is made again"


def test_a_table_names_pieces_by_paths_beside_it(pieces: Path, tmp_path: Path) -> None:
    table = pieces / "list.csv"
    table.write_text("name,audio,score\nA/B,duet.wav,duet.musicxml\n,live/take 3.wav,live/score.musicxml\n")
    found = read_batch(table)
    assert found.pieces[1].name == "take 3" and "/" not in found.pieces[0].name
    assert all(p.audio.is_file() and p.score.is_file() for p in found.pieces)
    table.unlink()


def test_what_holds_nothing_to_do_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recording with its score"):
        read_batch(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_batch(tmp_path / "nothing.csv")


def test_a_piece_that_was_interrupted_while_it_was_done_otherwise_is_done_again(
    pieces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pieces / "duet.csv").write_text("audio,score\nduet.wav,duet.musicxml\n")
    found = read_batch(pieces / "duet.csv").pieces
    usual, other = (BatchOptions(tmp_path, Recipe("nmf", "preview", seed), "cpu") for seed in (0, 1))
    assert [r.state for r in run_batch(found, usual, Progress())] == ["done"]
    with monkeypatch.context() as patched:

        def interrupt(*_: object) -> None:
            raise Cancelled

        patched.setattr(batch, "save_project", interrupt)
        with pytest.raises(Cancelled):
            list(run_batch(found, other, Progress()))
    assert read_manifest(tmp_path / "duet" / "stems")["recipe"]["seed"] == 1
    assert [r.state for r in run_batch(found, usual, Progress())] == ["done"]
    assert read_manifest(tmp_path / "duet" / "stems")["recipe"]["seed"] == 0

    mine = tmp_path / "duet" / "duet.scoresep"
    made = mine.read_bytes()
    project = scoresep.open(mine)
    scoresep.save(replace(project, mixer=Mixer(master_gain_db=-3.0)), mine)
    changed = mine.read_bytes()
    (report,) = run_batch(found, other, Progress())
    assert report.state == "failed" and "was changed by somebody" in report.remarks[0]
    assert mine.read_bytes() == changed and read_manifest(tmp_path / "duet" / "stems")["recipe"]["seed"] == 0
    mine.write_bytes(made)
    (tmp_path / "duet" / "notes.csv").unlink()
    assert [r.state for r in run_batch(found, usual, Progress())] == ["done"], "what was lost is made again"


def test_no_failure_of_one_piece_stops_the_others(
    pieces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pieces / "two.csv"
    table.write_text("name,audio,score\nA,duet.wav,duet.musicxml\nB,duet.wav,duet.musicxml\n")

    def stumble(*_: object) -> None:
        raise ZeroDivisionError("oops")

    (tmp_path / "A").write_text("a file where the folder of a piece should stand")
    monkeypatch.setattr(separation_job, "separate", stumble)
    reports = list(batch.run_batch(read_batch(table).pieces, BatchOptions(tmp_path), Progress()))
    assert [r.state for r in reports] == ["failed", "failed"]
    assert "stands in its way" in reports[0].remarks[0] and "oops" in reports[1].remarks[0]
