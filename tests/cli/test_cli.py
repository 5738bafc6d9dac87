"""The command line keeps its contract: files, exit codes, one sentence for every error, nothing half written."""

from __future__ import annotations

import csv
import itertools
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from demo_run import Demo
from duet import BEAT_S, RATE, Duet, make_duet

from scoresep.__main__ import main


@pytest.fixture(scope="module", name="duet")
def _duet(tmp_path_factory: pytest.TempPathFactory) -> Duet:
    return make_duet(tmp_path_factory.mktemp("duet"))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def si_sdr(estimate: np.ndarray, true: np.ndarray) -> float:
    e, t = estimate.ravel().astype(float), true.ravel().astype(float)
    projected = (e @ t) / (t @ t) * t
    return float(10 * np.log10((projected @ projected) / ((e - projected) @ (e - projected))))


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("scoresep: ")]
    assert len(lines) == 1, "one sentence, and no traceback"
    return lines[0]


def test_align_finds_the_notes_where_they_are(duet: Duet, tmp_path: Path) -> None:
    assert main(["align", str(duet.audio), str(duet.score), "-o", str(tmp_path / "notes.csv"), "--quiet"]) == 0
    rows = rows_of(tmp_path / "notes.csv")
    assert len(rows) == 28
    for row in rows:
        true_s = duet.onsets_s[round(float(row["onset_quarter"]))]
        assert abs(float(row["onset_s"]) - true_s) < 0.05
        assert row["part"] == ("Flute", "Cello")[int(row["part_index"])]
        assert int(row["measure"]) == 1 + float(row["onset_quarter"]) // 4
        assert float(row["beat"]) == 1 + float(row["onset_quarter"]) % 4


def test_segment_runs_without_gaps_and_hears_the_solo(duet: Duet, tmp_path: Path) -> None:
    assert main(["segment", str(duet.audio), str(duet.score), "-o", str(tmp_path / "segments.csv"), "--quiet"]) == 0
    rows = rows_of(tmp_path / "segments.csv")
    assert float(rows[0]["start_s"]) == 0.0
    assert float(rows[-1]["end_s"]) == pytest.approx(duet.stems[0].shape[1] / RATE, abs=1e-4)
    assert all(a["end_s"] == b["start_s"] for a, b in itertools.pairwise(rows))
    middle_of_solo_s = duet.onsets_s[8] + 2 * BEAT_S
    here = next(r for r in rows if float(r["start_s"]) <= middle_of_solo_s < float(r["end_s"]))
    assert (here["category"], here["part_indices"], here["parts"]) == ("single", "0", "Flute")


def test_separate_writes_stems_that_are_the_parts_and_add_up(
    duet: Duet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "stems"
    arguments = ["separate", str(duet.audio), str(duet.score), "-o", str(folder), "--budget", "preview", "--json"]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["files"] == ["01 Flute.wav", "02 Cello.wav", "Residual.wav"]
    steps = [json.loads(line) for line in printed.err.splitlines()]
    assert all(0 <= step["progress"] <= 1 for step in steps if "progress" in step)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert [s["part_index"] for s in manifest["stems"]] == [0, 1, None]
    mix, rate = soundfile.read(duet.audio, dtype="float32", always_2d=True)
    stems = [soundfile.read(folder / s["file"], dtype="float32", always_2d=True)[0] for s in manifest["stems"]]
    assert rate == RATE
    assert 10 * np.log10(np.mean((sum(stems) - mix) ** 2) / np.mean(mix**2) + 1e-20) < -90
    for stem, true in zip(stems[:2], duet.stems, strict=True):
        assert si_sdr(stem.T, true) > 10


def test_notes_can_be_given_and_one_part_alone_be_taken(duet: Duet, tmp_path: Path) -> None:
    notes, folder = tmp_path / "notes.csv", tmp_path / "stems"
    assert main(["align", str(duet.audio), str(duet.score), "-o", str(notes), "--quiet"]) == 0
    arguments = ["separate", str(duet.audio), str(duet.score), "-o", str(folder), "--notes", str(notes), "--quiet"]
    assert main([*arguments, "--part", "cello", "--budget", "preview"]) == 0
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert [s["part"] for s in manifest["stems"]] == ["Cello", "Residual"]
    mix, _ = soundfile.read(duet.audio, dtype="float32", always_2d=True)
    stems = [soundfile.read(folder / s["file"], dtype="float32", always_2d=True)[0] for s in manifest["stems"]]
    assert np.abs(sum(stems) - mix).max() < 1e-5


def test_an_unknown_part_is_named_with_those_there_are(
    duet: Duet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["separate", str(duet.audio), str(duet.score), "-o", str(tmp_path / "s"), "--part", "Tuba", "--quiet"]
    assert main(arguments) == 2
    assert "Tuba" in (text := error_of(capsys))
    assert "1 Flute, 2 Cello" in text


def test_an_unknown_engine_is_refused_before_any_work(
    duet: Duet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["separate", str(duet.audio), str(duet.score), "-o", str(tmp_path / "s"), "--engine", "magic"]
    assert main(arguments) == 2
    assert "nmf" in error_of(capsys)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    "content", [b"", b"not a sound at all", b"RIFF\x24\x00\x00\x00WAVEfmt "], ids=["empty", "text", "truncated"]
)
def test_what_is_no_recording_is_refused(
    content: bytes, duet: Duet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(content)
    assert main(["align", str(bad), str(duet.score), "-o", str(tmp_path / "n.csv"), "--quiet"]) == 3
    assert "bad.wav" in error_of(capsys)
    assert not (tmp_path / "n.csv").exists()


def test_silence_and_numbers_that_are_no_sound_are_refused(
    duet: Duet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("silent", 0.0), ("nan", np.nan)):
        soundfile.write(tmp_path / f"{name}.wav", np.full((RATE, 1), value, np.float32), RATE, subtype="FLOAT")
        assert main(["segment", str(tmp_path / f"{name}.wav"), str(duet.score), "-o", str(tmp_path / "s.csv")]) == 3
        error_of(capsys)


def test_a_score_without_notes_is_refused(duet: Duet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = duet.score.read_text(encoding="utf-8")
    empty = tmp_path / "empty.musicxml"
    empty.write_text(text[: text.index("<part id=")] + '<part id="P1"><measure number="1"/></part></score-partwise>')
    assert main(["align", str(duet.audio), str(empty), "-o", str(tmp_path / "n.csv"), "--quiet"]) == 3
    error_of(capsys)


def test_a_folder_that_cannot_be_written_is_one_sentence(
    duet: Duet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file, where a folder should be")
    arguments = ["separate", str(duet.audio), str(duet.score), "-o", str(blocked / "stems"), "--budget", "preview"]
    assert main([*arguments, "--quiet"]) == 4
    error_of(capsys)
    assert blocked.read_text() == "a file, where a folder should be"


def test_wrong_usage_ends_with_2() -> None:
    with pytest.raises(SystemExit) as end:
        main(["separate"])
    assert end.value.code == 2


def test_ctrl_c_ends_with_130_and_leaves_nothing(
    duet: Duet, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from scoresep.cli import terminal

    def interrupt(self: object, state: object) -> None:
        if getattr(state, "fraction", 0) > 0.5:
            raise KeyboardInterrupt

    monkeypatch.setattr(terminal.Terminal, "_show", interrupt)
    arguments = ["separate", str(duet.audio), str(duet.score), "-o", str(tmp_path / "stems"), "--budget", "preview"]
    assert main(arguments) == 130
    assert "Cancelled" in error_of(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_demo_makes_a_project_that_exports(demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.code == 0 and demo.opened == ((str(demo.folder / "demo.scoresep"),),)
    made = {path.name for path in demo.folder.iterdir()}
    assert {"notes.csv", "segments.csv", "demo.scoresep", "demo.scoresep-data"} <= made
    out = tmp_path / "out"
    capsys.readouterr()
    project = str(demo.folder / "demo.scoresep")
    assert main(["export", project, "-o", str(out), "--format", "flac", "--start", "1", "--end", "3", "--quiet"]) == 0
    exported = sorted(p.name for p in out.glob("*.flac"))
    assert len(exported) == 5
    assert all(soundfile.info(out / name).frames == 2 * 44100 for name in exported)
    assert main(["export", project, "-o", str(out), "--format", "flac", "--quiet"]) == 4
    assert "exists" in error_of(capsys)
    assert main(["export", project, "-o", str(out), "--mix", "--bits", "16", "--quiet"]) == 0
    assert (out / "01 Mix.wav").exists()
    assert main(["export", project, "-o", str(out), "--mix", "--format", "mp3", "--end", "3", "--quiet"]) == 0
    assert soundfile.info(out / "01 Mix.mp3").frames == 3 * 44100
    assert main(["export", project, "-o", str(out), "--format", "dawproject", "--fixed-tempo", "--quiet"]) == 0
    with zipfile.ZipFile(out / "demo.dawproject") as archive:
        assert len([name for name in archive.namelist() if name.endswith(".wav")]) == 5


def test_engines_and_doctor_say_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engines", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "nmf" in [e["name"] for e in told["engines"]]
    assert {"name": "cpu", "is_usable": True}.items() <= next(d for d in told["devices"] if d["name"] == "cpu").items()
    assert main(["doctor"]) == 0
    assert "torch" in capsys.readouterr().out


def test_an_alignment_from_elsewhere_takes_the_place_of_listening(
    duet: Duet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = tmp_path / "bars.txt"
    bars.write_text("".join(f"{0.6 + 2 * i}\t{0.6 + 2 * i}\t{i + 1}\n" for i in range(4)))
    arguments = ["align", str(duet.audio), str(duet.score), "--notes", str(bars), "--quiet"]
    assert main([*arguments, "-o", str(tmp_path / "notes.csv")]) == 0
    rows = rows_of(tmp_path / "notes.csv")
    assert len(rows) == 28 and {row["confidence"] for row in rows} == {"1.000000"}
    for row in rows:
        assert float(row["onset_s"]) == pytest.approx(0.6 + BEAT_S * float(row["onset_quarter"]), abs=1e-4)
    bars.write_text("1\n2\n")
    assert main([*arguments, "-o", str(tmp_path / "more.csv")]) == 3
    assert "2 times, but 4 bars and 16 beats are played" in error_of(capsys) and not (tmp_path / "more.csv").exists()
    assert main([*arguments[:3], "--notes", str(bars), "-o", str(bars)]) == 2
    assert "take the place of the alignment" in error_of(capsys)


def test_the_alignment_of_a_project_is_exported(duet: Duet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import scoresep

    project = scoresep.align(scoresep.open(duet.audio, duet.score))
    scoresep.save(project, tmp_path / "duet.scoresep")
    arguments = ["export", str(tmp_path / "duet.scoresep"), "-o", str(tmp_path / "out"), "--quiet"]
    assert main([*arguments, "--format", "midi"]) == 0 and main([*arguments, "--format", "labels"]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"duet aligned.mid", "notes.csv", "segments.csv", "Sonic Visualiser beats.csv"} <= names
    capsys.readouterr()
    assert main([*arguments, "--format", "midi"]) == 4 and "exists already" in error_of(capsys)
    assert main([*arguments, "--format", "midi", "--mix", "--bits", "16"]) == 2
    assert "--mix and --bits are for sound" in error_of(capsys)
    for name in ("duet aligned.mid", "Audacity beats.txt"):
        again = tmp_path / f"{name}.csv"
        align = ["align", str(duet.audio), str(duet.score), "--notes", str(tmp_path / "out" / name), "--quiet"]
        assert main([*align, "-o", str(again)]) == 0
        for before, after in zip(rows_of(tmp_path / "out" / "notes.csv"), rows_of(again), strict=True):
            near_s = 0.001 if name.endswith("mid") else 0.1
            assert float(after["onset_s"]) == pytest.approx(float(before["onset_s"]), abs=near_s)


@pytest.mark.parametrize("sets", ["2", "auto"])
def test_sets_are_found_without_a_score(
    duet: Duet, tmp_path: Path, capsys: pytest.CaptureFixture[str], sets: str
) -> None:
    table = tmp_path / "segments.csv"
    assert main(["segment", str(duet.audio), "--sets", sets, "-o", str(table), "--json"]) == 0
    rows = rows_of(table)
    assert list(rows[0]) == ["start_s", "end_s", "category", "part_indices", "parts"]
    assert float(rows[0]["start_s"]) == 0.0
    assert all(a["end_s"] == b["start_s"] for a, b in itertools.pairwise(rows))
    assert {(r["category"], r["parts"]) for r in rows} <= {("silence", ""), *(("mixed", c) for c in "ABCDEFGH")}
    assert f'"segments": {len(rows)}' in capsys.readouterr().out


@pytest.mark.parametrize("more", [["--sets", "0"], ["--sets", "27"], ["SCORE", "--sets", "2"]])
def test_sets_that_cannot_be_are_refused_in_one_sentence(
    duet: Duet, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    words = [str(duet.score) if word == "SCORE" else word for word in more]
    assert main(["segment", str(duet.audio), *words, "-o", str(tmp_path / "segments.csv")]) == 2
    assert error_of(capsys)
    assert not (tmp_path / "segments.csv").exists()
