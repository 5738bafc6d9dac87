"""A person with bad luck: recordings, scores and tables that are broken, odd, or not of each other."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
import soxr
from command_line import OF_THE_ALIGNMENT, end_of, files_in
from duet import HIGH, LOW, RATE, Duet
from musicxml_text import CLOSES, OPENS, barline, document, ending, note, part, words

Capture = pytest.CaptureFixture[str]
Samples = np.ndarray


def sound_bytes(samples: Samples, rate: int = RATE, form: str = "WAV", subtype: str | None = None) -> bytes:
    buffer = BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype)
    return buffer.getvalue()


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def with_number(samples: Samples, number: float) -> Samples:
    broken = samples.copy()
    broken[len(broken) // 2] = number
    return broken


def mixture(piece: Duet) -> Samples:
    return np.asarray(soundfile.read(piece.audio, dtype="float32", always_2d=True)[0])


# -------------------------------------------------------------------------------------------------- recordings

BAD_RECORDINGS: dict[str, tuple[Callable[[Samples], bytes | None], str]] = {
    "missing.wav": (lambda x: None, "is not there"),
    "empty.wav": (lambda x: b"", "is empty"),
    "diary.wav": (lambda x: b"Dear diary\n" * 50, "is not a sound file"),
    "page.mp3": (lambda x: b"<html><body>404</body></html>", "is not a sound file"),
    "random.mp3": (lambda x: np.random.default_rng(0).bytes(20_000), "is not a sound file"),
    "head.wav": (lambda x: sound_bytes(x)[:30], "is not a sound file"),
    "cut.m4a": (lambda x: b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(500), "is not a sound file"),
    "cut.ogg": (lambda x: cut(sound_bytes(x, form="OGG"), 0.02), "is not a sound file"),
    "lead.wav": (lambda x: cut(sound_bytes(x, subtype="PCM_16"), 0.02), "What can be read of"),
    "none.wav": (lambda x: sound_bytes(x[:0]), "holds no sound at all"),
    "silent.wav": (lambda x: sound_bytes(0 * x), "is silent"),
    "silent.mp3": (lambda x: sound_bytes(0 * x, form="MP3"), "is silent"),
    "nan.wav": (lambda x: sound_bytes(with_number(x, np.nan), subtype="FLOAT"), "not sound"),
    "infinite.wav": (lambda x: sound_bytes(with_number(x, np.inf), subtype="FLOAT"), "not sound"),
    "absurd.wav": (lambda x: sound_bytes(with_number(x, 1e20), subtype="FLOAT"), "not sound"),
}


@pytest.mark.parametrize("name", BAD_RECORDINGS)
def test_a_recording_that_cannot_be_used_is_one_sentence(
    name: str, piece: Duet, tmp_path: Path, capsys: Capture
) -> None:
    make, words_of_it = BAD_RECORDINGS[name]
    data = make(mixture(piece))
    if data is not None:
        (tmp_path / name).write_bytes(data)
    ended = end_of(capsys, "align", tmp_path / name, piece.score, "-o", tmp_path / "out" / "notes.csv")
    assert ended.code == 3
    assert name in ended.error
    assert words_of_it in ended.error
    assert ended.out == ""
    assert not (tmp_path / "out").exists()


def test_a_folder_or_a_device_is_no_recording(piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    for place, text in ((tmp_path, "is a folder"), (Path("/dev/zero"), "not a file")):
        if place.exists():
            for command in ("align", "segment"):
                ended = end_of(capsys, command, place, piece.score, "-o", tmp_path / "out")
                assert (ended.code, text in ended.error) == (3, True)
                ended = end_of(capsys, command, piece.audio, place, "-o", tmp_path / "out")
                assert (ended.code, text in ended.error) == (3, True)
    assert files_in(tmp_path) == set()


CUT = {"WAV": "PCM_16", "FLAC": "PCM_16", "MP3": None, "OGG": "VORBIS"}


@pytest.mark.parametrize("form", CUT)
def test_what_is_left_of_a_recording_is_used_and_said_to_be_cut_off(
    form: str, piece: Duet, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / f"cut.{form.lower()}"
    path.write_bytes(cut(sound_bytes(mixture(piece), form=form, subtype=CUT[form]), 0.8))
    ended = end_of(capsys, "align", path, piece.score, "-o", tmp_path / "notes.csv")
    assert ended.code == 0
    assert [w for w in ended.warnings if f"cut.{form.lower()}" in w and "cut off" in w]
    assert 10 < len(rows_of(tmp_path / "notes.csv")) < 28


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tone(seconds: float) -> Samples:
    return np.asarray(0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE)) / RATE), np.float32)


ODD_RECORDINGS: dict[str, Callable[[Samples], bytes]] = {
    "eight_bit": lambda x: sound_bytes(x, subtype="PCM_U8"),
    "slow_rate": lambda x: sound_bytes(soxr.resample(x, RATE, 8000), 8000),
    "high_rate": lambda x: sound_bytes(soxr.resample(x[: 4 * RATE], RATE, 192_000), 192_000),
    "mono": lambda x: sound_bytes(x[:, :1]),
    "six_channels": lambda x: sound_bytes(np.concatenate([x, 0.5 * x, 0 * x], axis=1)),
    "one_side": lambda x: sound_bytes(x * [1, 0]),
    "opposite": lambda x: sound_bytes(x[:, :1] * [1, -1]),
    "one_frame": lambda x: sound_bytes(tone(2 / RATE)[1:]),
    "five_ms": lambda x: sound_bytes(tone(0.005)),
    "fifty_ms": lambda x: sound_bytes(tone(0.05)),
    "third_of_a_second": lambda x: sound_bytes(tone(0.3)),
    "constant": lambda x: sound_bytes(np.full(3 * RATE, 0.4, np.float32)),
    "click": lambda x: sound_bytes(np.eye(1, 3 * RATE, RATE, dtype=np.float32).T),
    "noise": lambda x: sound_bytes(0.1 * np.random.default_rng(1).standard_normal(4 * RATE)),
    "integers_as_floats": lambda x: sound_bytes(x * 2**31, subtype="FLOAT"),
    "whisper": lambda x: sound_bytes(x * 1e-5, subtype="FLOAT"),
}


@pytest.mark.parametrize("name", ODD_RECORDINGS)
def test_an_odd_recording_is_worked_on_to_the_end(name: str, piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / f"{name}.wav"
    path.write_bytes(ODD_RECORDINGS[name](mixture(piece)))
    ended = end_of(capsys, "segment", path, piece.score, "-o", tmp_path / "segments.csv")
    assert ended.code == 0
    assert all(OF_THE_ALIGNMENT.search(warning) for warning in ended.warnings), "and no remark of a library"
    rows = rows_of(tmp_path / "segments.csv")
    assert float(rows[-1]["end_s"]) == pytest.approx(soundfile.info(path).duration, abs=1e-4)


@pytest.mark.parametrize("name", ["five_ms", "constant", "six_channels"])
def test_stems_of_an_odd_recording_add_up(name: str, piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    path, folder = tmp_path / f"{name}.wav", tmp_path / "stems"
    path.write_bytes(ODD_RECORDINGS[name](mixture(piece)))
    ended = end_of(capsys, "separate", path, piece.score, "-o", folder, "--budget", "preview")
    assert ended.code == 0
    stems = [soundfile.read(p, dtype="float32")[0] for p in folder.glob("*.wav")]
    assert len(stems) == 3
    assert np.allclose(sum(stems), soundfile.read(path, dtype="float32")[0], atol=1e-4)


# ------------------------------------------------------------------------------------------------------ scores


def bars(pitches: tuple[int, ...], count: int = 4, signs: dict[int, tuple[str, str]] | None = None) -> str:
    """Write quarters, four in a bar; `signs` go before and after the notes of the bars they name."""
    texts = ["".join(note(pitches[(4 * bar + beat) % 8], 2) for beat in range(4)) for bar in range(count)]
    around = [(signs or {}).get(bar, ("", "")) for bar in range(count)]
    return part(*(before + text + after for text, (before, after) in zip(texts, around, strict=True)))


def drums(count: int = 4) -> str:
    stroke = "<note><unpitched/><duration>2</duration></note>"
    return part(*(4 * stroke for _ in range(count)))


def midi_bytes(kind: int, *parts: tuple[int, tuple[int, ...]]) -> bytes:
    file = mido.MidiFile(type=kind)
    for channel, pitches in parts:
        track = mido.MidiTrack()
        for pitch in pitches:
            track.append(mido.Message("note_on", note=pitch, channel=channel))
            track.append(mido.Message("note_off", note=pitch, channel=channel, time=480))
        file.tracks.append(track)
    if kind == 0:
        file.tracks = [mido.merge_tracks(file.tracks)]
    buffer = BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def zipped(name: str, data: bytes) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


BOTH = document(bars(HIGH), bars(LOW), names=("Flute", "Cello"))
BAD_SCORES: dict[str, tuple[bytes | None, str]] = {
    "missing.musicxml": (None, "is not there"),
    "empty.musicxml": (b"", "is empty"),
    "diary.txt": (b"Dear diary", "is not a score"),
    "diary.musicxml": (b"Dear diary", "is not MusicXML"),
    "cut.musicxml": (cut(BOTH, 0.5), "cut short"),
    "picture.xml": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not a score"),
    "page.musicxml": (b"<!DOCTYPE html>\n<html><body><br></body></html>", "web page"),
    "scan.musicxml": (b"%PDF-1.4\n%\xe2", "picture of a score"),
    "song.mscz": (zipped("song.mscx", b"<museScore/>"), "MuseScore"),
    "cut.mxl": (cut(zipped("a.xml", BOTH), 0.6), "damaged archive"),
    "rests.musicxml": (document(part(note(None, 8))), "holds no notes"),
    "bare.musicxml": (b"<score-partwise><part-list/></score-partwise>", "no parts"),
    "cut.mid": (midi_bytes(1, (0, HIGH))[:10], "MIDI"),
    "mute.mid": (midi_bytes(1, (0, ())), "holds no notes"),
    "song.wav": (sound_bytes(tone(0.1)), "is a recording"),
}


@pytest.mark.parametrize("name", BAD_SCORES)
def test_a_score_that_cannot_be_used_is_one_sentence(name: str, piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    data, words_of_it = BAD_SCORES[name]
    if data is not None:
        (tmp_path / name).write_bytes(data)
    ended = end_of(capsys, "segment", piece.audio, tmp_path / name, "-o", tmp_path / "out" / "segments.csv")
    assert ended.code == 3
    assert name in ended.error
    assert words_of_it in ended.error
    assert not (tmp_path / "out").exists()


ODD_SCORES: dict[str, tuple[bytes, int, str]] = {  # with the number of parts, and what a warning says
    "drums_alone.xml": (document(drums(), names=("Drums",)), 1, "hardly fits"),
    "one_part.xml": (document(bars(HIGH)), 1, ""),
    "one_note.xml": (document(part(note(76, 8))), 1, "hardly fits"),
    "forty_parts.xml": (document(*[bars(HIGH), bars(LOW)] * 20), 40, ""),
    "with_drums.xml": (document(bars(HIGH), bars(LOW), drums()), 3, ""),
    "lengths.xml": (document(bars(HIGH), bars(LOW, 2)), 2, "fewer bars"),
    "much_longer.xml": (document(bars(HIGH, 60), bars(LOW, 60)), 2, ""),
    "much_shorter.xml": (document(bars(HIGH, 1), bars(LOW, 1)), 2, ""),
    "type0.mid": (midi_bytes(0, (0, 2 * HIGH), (1, 2 * LOW)), 2, ""),
    "type1.mid": (midi_bytes(1, (0, 2 * HIGH), (1, 2 * LOW)), 2, ""),
    "never_closed.xml": (document(bars(HIGH, 4, {0: (OPENS, "")}), bars(LOW)), 2, "never closed"),
    "no_segno.xml": (document(bars(HIGH, 4, {1: ("", words("D.S.", 'dalsegno="x"'))}), bars(LOW)), 2, "no segno"),
    "endings.xml": (
        document(bars(HIGH, 4, {0: (ending("2", "start"), ending("2", "stop", closes=True))}), bars(LOW)),
        2,
        "",
    ),
    "thousand_times.xml": (
        document(bars(HIGH, 4, {0: (OPENS, barline('<repeat direction="backward" times="100000"/>'))}), bars(LOW)),
        2,
        "",
    ),
    "twice_closed.xml": (document(bars(HIGH, 4, {0: ("", CLOSES), 1: ("", CLOSES)}), bars(LOW)), 2, ""),
}


@pytest.mark.parametrize("name", ODD_SCORES)
def test_an_odd_score_is_worked_on_to_the_end(name: str, piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    data, part_count, words_of_it = ODD_SCORES[name]
    (tmp_path / name).write_bytes(data)
    ended = end_of(capsys, "segment", piece.audio, tmp_path / name, "-o", tmp_path / "segments.csv")
    assert ended.code == 0
    assert any(words_of_it in warning for warning in ended.warnings) or not words_of_it
    indices = {i for row in rows_of(tmp_path / "segments.csv") for i in row["part_indices"].split("+") if i}
    assert indices <= {str(i) for i in range(part_count)}


def test_parts_of_any_name_become_files_of_their_own(piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    names = ("../../Flute/1\\2", "C:|*?con", "F" * 600, "🎻 Geige", "", "Residual", "Violin", "violin")
    folder = tmp_path / "odd ü 🎻"
    audio, score, stems = folder / "au dio.wav", folder / "sc ore.xml", folder / "my stems"
    folder.mkdir()
    audio.write_bytes(sound_bytes(mixture(piece)[: 2 * RATE]))
    score.write_bytes(document(*[bars(HIGH if i % 2 else LOW, 1) for i in range(len(names))], names=names))
    arguments = ("separate", audio, score, "-o", stems, "--budget", "preview")
    assert end_of(capsys, *arguments).code == 0
    manifest = json.loads((stems / "manifest.json").read_text(encoding="utf-8"))
    files = [stem["file"] for stem in manifest["stems"]]
    assert len(set(map(str.casefold, files))) == len(names) + 1
    assert files_in(stems) == {*files, "manifest.json"}
    assert files_in(tmp_path) == {folder.name, *(f"{folder.name}/{name}" for name in files_in(folder))}
    assert end_of(capsys, *arguments, "--part", " RESIDUAL").code == 0
    assert files_in(stems) == {"01 Residual.wav", "Residual.wav", "manifest.json"}, "earlier stems give way"
    for given in ("0", "9", "-1", "Tuba", "", "²"):
        ended = end_of(capsys, *arguments, f"--part={given}")
        assert ended.code == 2
        assert f"no part “{given}”" in ended.error
    assert "7 and 8" in end_of(capsys, *arguments, "--part", "VIOLIN").error


RIGHT = ("bach10_01", "bach10_06", "choir_quartet")
WRONG = (("bach10_01", "bach10_03"), ("bach10_06", "bach10_01"), ("bach10_08", "bach10_11"), ("bach10_11", "bach10_05"))


@pytest.mark.parametrize(("recording", "score"), [*((name, name) for name in RIGHT), *WRONG])
def test_a_score_that_is_not_of_this_recording_is_told_with_the_confidence_and_used_all_the_same(
    recording: str, score: str, shared_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    audio, written = shared_data / "cases" / recording / "mix.flac", shared_data / "cases" / score / "score.musicxml"
    ended = end_of(capsys, "align", audio, written, "-o", tmp_path / "notes.csv")
    assert ended.code == 0
    assert rows_of(tmp_path / "notes.csv")
    doubts = [warning for warning in ended.warnings if "belong together (confidence 0." in warning]
    assert len(doubts) == (0 if recording == score else 1)


# ------------------------------------------------------------------------------------------------------ tables

Rows = list[dict[str, str]]


@pytest.fixture(scope="module", name="table")
def _table(piece: Duet, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    from scoresep.__main__ import main

    path = tmp_path_factory.mktemp("table") / "notes.csv"
    assert main(["align", str(piece.audio), str(piece.score), "-o", str(path), "--quiet"]) == 0
    return rows_of(path)


def moved(rows: Rows, seconds: float) -> Rows:
    return [{**r, **{c: str(float(r[c]) + seconds) for c in ("onset_s", "offset_s")}} for r in rows]


def every(rows: Rows, **values: str) -> Rows:
    return [{**row, **values} for row in rows]


def backwards(rows: Rows) -> Rows:
    return [{**r, "onset_s": str(9.0 - float(r["onset_s"])), "offset_s": "9.5"} for r in rows]


BAD_TABLES: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "no rows": (lambda rows: [], "holds no times"),
    "no onsets": (lambda rows: [{k: v for k, v in row.items() if k != "onset_s"} for row in rows], "onset_s"),
    "NaN": (lambda rows: every(rows, onset_s="nan"), "line 2"),
    "infinite": (lambda rows: every(rows, offset_s="inf"), "line 2"),
    "absurd": (lambda rows: every(rows, offset_s="1e300"), "no time"),
    "words": (lambda rows: every(rows, pitch_midi="C4"), "line 2"),
    "other parts": (lambda rows: every(rows, part_index="7"), "No row"),
    "before": (lambda rows: moved(rows, -100), "outside the recording"),
    "beyond": (lambda rows: moved(rows, 100), "outside the recording"),
    "at once": (lambda rows: every(rows, onset_s="1", offset_s="2"), "do not rise"),
    "backwards": (backwards, "do not rise"),
}


def write_rows(path: Path, rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_table_that_cannot_be_used_is_one_sentence(
    name: str, table: Rows, piece: Duet, tmp_path: Path, capsys: Capture
) -> None:
    make, words_of_it = BAD_TABLES[name]
    path = write_rows(tmp_path / "notes.csv", make(table))
    ended = end_of(capsys, "separate", piece.audio, piece.score, "-o", tmp_path / "stems", "--notes", path)
    assert ended.code == 3
    assert words_of_it in ended.error
    assert files_in(tmp_path) == {"notes.csv"}


def test_rows_outside_the_recording_are_left_out_with_a_warning(
    table: Rows, piece: Duet, tmp_path: Path, capsys: Capture
) -> None:
    path = write_rows(tmp_path / "notes.csv", moved(table, -3))
    arguments = ("separate", piece.audio, piece.score, "-o", tmp_path / "stems", "--notes", path, "--budget", "preview")
    ended = end_of(capsys, *arguments, "--part", "1")
    assert ended.code == 0
    assert "outside the recording" in ended.warnings[0]


def test_the_table_of_a_score_of_one_note_can_be_given_back(piece: Duet, tmp_path: Path, capsys: Capture) -> None:
    score, notes = tmp_path / "one.xml", tmp_path / "notes.csv"
    score.write_bytes(document(part(note(76, 8))))
    assert end_of(capsys, "align", piece.audio, score, "-o", notes).code == 0
    arguments = ("separate", piece.audio, score, "-o", tmp_path / "stems", "--notes", notes, "--budget", "preview")
    assert end_of(capsys, *arguments).code == 0
