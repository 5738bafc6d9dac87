"""Scores in other clothes: compressed MusicXML, MIDI, ABC."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import mido
import numpy as np
import pytest
from musicxml_text import document, note, part

from scoresep.files.scores import is_score_name, parse_score
from scoresep.files.scores.abc_score import voices_of_one_piece
from scoresep.files.scores.abc_tunes import read_tunes
from scoresep.model.path import performance_path, unfold
from scoresep.model.score import Score


def rows(score: Score) -> list[tuple[int, float, float, float]]:
    n = unfold(score, performance_path(score)[0]).notes
    columns = (n.part_index, n.pitch_midi, n.onset_quarter, n.duration_quarter)
    return [(int(p), float(m), round(float(q), 6), round(float(d), 6)) for p, m, q, d in zip(*columns, strict=True)]


# ------------------------------------------------------------------------------------------- compressed MusicXML


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


CONTAINER = b'<container><rootfiles><rootfile full-path="music/b.musicxml"/></rootfiles></container>'


def test_the_container_says_which_file_is_the_score() -> None:
    wanted, other = document(part(note(60))), document(part(note(72)))
    data = zipped({"a.xml": other, "META-INF/container.xml": CONTAINER, "music/b.musicxml": wanted})
    assert parse_score(data, "x.mxl") == parse_score(wanted, "x.xml")


@pytest.mark.parametrize("container", [None, b"<container", CONTAINER])
def test_without_a_useful_container_the_first_score_is_read(container: bytes | None) -> None:
    wanted = document(part(note(60)))
    files = {"__MACOSX/a.xml": b"", "pictures/p.png": b"", "a.xml": wanted}
    if container is not None:
        files = {"META-INF/container.xml": container, **files}
    assert parse_score(zipped(files), "x.mxl") == parse_score(wanted, "x.xml")


@pytest.mark.parametrize("code", ["utf-16", "utf-8-sig", "cp1252"])
def test_other_encodings_than_declared(code: str) -> None:
    text = document(part(note(60)), names=["Flûte"]).decode()
    assert parse_score(b"\n" * (code == "cp1252") + text.encode(code), "x.xml").parts[0].name == "Flûte"


# --------------------------------------------------------------------------------------------------------- MIDI


def midi_bytes(*tracks: list[mido.Message | mido.MetaMessage], kind: int = 1, ticks: int = 480) -> bytes:
    """Write a MIDI file; the times of the messages are absolute ticks."""
    midi = mido.MidiFile(type=kind, ticks_per_beat=ticks)
    for messages in tracks:
        track = mido.MidiTrack()
        tick = 0
        for message in messages:
            track.append(message.copy(time=message.time - tick))
            tick = message.time
        midi.tracks.append(track)
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()


def played(key: int, start: int, end: int, channel: int = 0) -> list[mido.Message]:
    return [
        mido.Message("note_on", note=key, velocity=64, channel=channel, time=start),
        mido.Message("note_on", note=key, velocity=0, channel=channel, time=end),
    ]


def name_of_track(name: str) -> mido.MetaMessage:
    return mido.MetaMessage("track_name", name=name, time=0)


def test_midi_parts_are_tracks_and_channels() -> None:
    conductor = [
        name_of_track("A piece"),
        mido.MetaMessage("time_signature", numerator=3, denominator=4, time=0),
        mido.MetaMessage("set_tempo", tempo=500_000, time=0),
        mido.MetaMessage("set_tempo", tempo=1_000_000, time=1440),
    ]
    first = [
        name_of_track("Violin"),
        mido.Message("program_change", program=40, time=0),
        *played(67, 0, 480),
        *played(69, 480, 1920),
    ]
    second = [
        *played(48, 0, 480, channel=2)[:1], *played(38, 0, 100, channel=9),
        mido.Message("note_off", note=48, channel=2, time=720),
    ]  # fmt: skip
    score = parse_score(midi_bytes(conductor, first, sorted(second, key=lambda m: m.time)), "x.mid")
    assert score.title == "A piece"
    assert [(p.name, p.instrument.program, p.instrument.is_percussion) for p in score.parts] == [
        ("Violin", 40, False), ("Part 2", None, False), ("Drums", None, True),
    ]  # fmt: skip
    assert [(m.beats, m.beat_type, m.duration_quarter) for m in score.measures] == [(3, 4, 3), (3, 4, 3)]
    assert rows(score)[:2] == [(0, 67, 0, 1), (1, 48, 0, 1.5)]
    assert rows(score)[3] == (0, 69, 1, 3)  # a note may last over the bar line
    assert np.isnan(rows(score)[2][1])
    assert [(t.start_quarter, t.quarters_per_minute) for t in score.tempo_marks] == [(0, 120), (3, 60)]


def test_midi_of_one_track_is_divided_by_channel() -> None:
    events = [
        mido.Message("program_change", program=73, channel=0, time=0),
        mido.Message("program_change", program=42, channel=1, time=0),
        *played(72, 0, 480, 0), *played(48, 480, 960, 1),
    ]  # fmt: skip
    score = parse_score(midi_bytes(events, kind=0), "x.mid")
    assert [p.name for p in score.parts] == ["Flute", "Cello"]
    assert rows(score) == [(0, 72, 0, 1), (1, 48, 1, 1)]


def test_midi_metre_changes_cut_bars_short_and_sounding_notes_end() -> None:
    events = [
        mido.MetaMessage("time_signature", numerator=4, denominator=4, time=0),
        mido.Message("note_on", note=60, velocity=64, time=0),
        mido.MetaMessage("time_signature", numerator=3, denominator=8, time=960),
        *played(62, 960, 1680),
        mido.MetaMessage("end_of_track", time=1920),
    ]
    score = parse_score(midi_bytes(events), "x.mid")
    assert [(m.start_quarter, m.duration_quarter) for m in score.measures] == [(0, 2), (2, 1.5), (3.5, 1.5)]
    assert rows(score) == [(0, 60, 0, 4), (0, 62, 2, 1.5)]


def test_midi_repeated_keys_and_notes_without_length() -> None:
    events = sorted([*played(60, 0, 480), *played(60, 240, 600), *played(62, 480, 480)], key=lambda m: m.time)
    score = parse_score(midi_bytes(events), "x.mid")
    assert rows(score)[:2] == [(0, 60, 0, 1), (0, 60, 0.5, 0.75)]
    assert rows(score)[2][3] > 0 and not score.notes.is_grace.any()


def test_midi_in_film_frames() -> None:
    data = bytearray(midi_bytes([*played(60, 0, 500)]))
    data[12:14] = bytes([256 - 25, 40])  # 25 frames of 40 ticks: 1000 ticks a second
    assert rows(parse_score(bytes(data), "x.mid")) == [(0, 60, 0, 1)]


def test_midi_inside_riff() -> None:
    data = midi_bytes([*played(60, 0, 480)])
    riff = b"RIFF" + (len(data) + 12).to_bytes(4, "little") + b"RMIDdata" + len(data).to_bytes(4, "little") + data
    assert rows(parse_score(riff, "x.rmi")) == [(0, 60, 0, 1)]


# --------------------------------------------------------------------------------------------- by way of music21

ABC = """X:1
T:A tune
M:3/4
L:1/4
Q:1/4=90
K:G
D|:GAB|1 d3:|2 c2 D|]
"""


def test_abc_with_pickup_and_endings() -> None:
    score = parse_score(ABC.encode(), "x.abc")
    assert score.title == "A tune" and not score.warnings
    assert [r[1:3] for r in rows(score)] == [
        (62, 0), (67, 1), (69, 2), (71, 3), (74, 4), (67, 7), (69, 8), (71, 9), (72, 10), (62, 12),
    ]  # fmt: skip
    assert score.measures[0].lead_quarter == 2
    assert [(t.start_quarter, t.quarters_per_minute) for t in score.tempo_marks] == [(0, 90)]


def test_abc_is_known_by_its_content_and_by_its_name() -> None:
    assert parse_score(ABC.encode(), "x.txt") == parse_score(ABC.encode(), "x.abc")


def test_abc_tunes_that_are_the_voices_of_one_piece() -> None:
    def voice(number: int, name: str, notes: str) -> str:
        return f"X:{number}\nT:A motet\nT:{name}\nM:4/4\nL:1/4\nK:C\n{notes}|]\n\n"

    text = voice(1, "Cantus", "cdec") + voice(2, "Bassus", "C,2G,2")
    assert voices_of_one_piece(read_tunes(text)) == ["Cantus", "Bassus"]
    score = parse_score(text.encode(), "x.abc")
    assert [p.name for p in score.parts] == ["Cantus", "Bassus"] and len(score.notes) == 6
    assert voices_of_one_piece(read_tunes(text.replace("T:A motet\nT:Bassus", "T:Another\nT:Bassus"))) == []


def test_abc_of_several_tunes_gives_the_first() -> None:
    other = ABC.replace("X:1", "X:2").replace("A tune", "Another")
    score = parse_score((ABC + "\n" + other).encode(), "x.abc")
    assert score.title == "A tune" and "2 pieces" in score.warnings[0]


def test_importing_the_package_and_reading_musicxml_need_no_music21(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_bytes(document(part(note(60))))
    code = (
        "import sys, scoresep.files.scores as s\n"
        "assert 'mido' not in sys.modules\n"
        f"s.read_score({str(path)!r})\n"
        "assert 'music21' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_names_of_scores() -> None:
    assert is_score_name("a/B.MusicXML") and is_score_name(Path("x.mid")) and is_score_name("x.krn")
    assert not is_score_name("x.wav") and not is_score_name("x")
