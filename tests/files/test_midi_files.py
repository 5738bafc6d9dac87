"""MIDI files as people have them: the chunks and events that players step over, and what is told of damage.

Right values are those of the standards (MIDI 1.0, Standard MIDI Files 1.0, General MIDI 2, XG, GS); mido, which reads
by the letter, is the reference for files that are as they should be.
"""

from __future__ import annotations

import io
from typing import Any

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_midi import (
    END,
    TICKS,
    chunk,
    exclusive,
    header,
    message,
    meta,
    midi,
    release,
    scale,
    strike,
    track,
    varying,
)

from scoresep.errors import InputError, ScoreFileError
from scoresep.files.midi import holds_midi, is_midi
from scoresep.files.midi.alignment import read_performance
from scoresep.files.scores import parse_score
from scoresep.model.score import Score

SCALE = [(0, 0, 60, 1), (0, 1, 62, 1), (0, 2, 64, 1), (0, 3, 65, 1)]
LOW = (48, 50, 52, 53)


def rows(score: Score) -> list[tuple[int, float, float, float]]:
    """Return part, onset, pitch (-1 for drums) and length of all notes as written."""
    starts = [m.start_quarter for m in score.measures]
    n = score.notes
    columns = (n.part_index, n.measure_index, n.offset_quarter, n.pitch_midi, n.duration_quarter)
    found = [
        (int(p), round(starts[m] + q, 6), -1.0 if np.isnan(k) else float(k), round(float(d), 6))
        for p, m, q, k, d in zip(*columns, strict=True)
    ]
    return sorted(found)


def read(data: bytes, name: str = "x.mid") -> Score:
    return parse_score(data, name)


def part_rows(score: Score, part: int) -> list[tuple[float, float, float]]:
    return [row[1:] for row in rows(score) if row[0] == part]


# ------------------------------------------------------------------------------------------------------ meta events

SENSELESS = {
    "eighteen flats": meta(0x59, b"\xee\x01"),
    "eight sharps": meta(0x59, b"\x08\x00"),
    "no such mode": meta(0x59, b"\x02\xff"),
    "a key without mode": meta(0x59, b"\x02"),
    "an empty key": meta(0x59),
    "an empty metre": meta(0x58),
    "a metre of two bytes": meta(0x58, b"\x04\x02"),
    "no beats": meta(0x58, b"\x00\x02\x18\x08"),
    "beats of nothing": meta(0x58, b"\x04\xff\x18\x08"),
    "a long metre": meta(0x58, b"\x04\x02\x18\x08\x00\x00"),
    "an empty tempo": meta(0x51),
    "no time": meta(0x51, b"\x00\x00\x00"),
    "a short tempo": meta(0x51, b"\x07\xa1"),
    "an empty channel prefix": meta(0x20),
    "a channel beyond all": meta(0x20, b"\xff"),
    "an empty port": meta(0x21),
    "an SMPTE offset of 90 hours": meta(0x54, b"\xff\xff\xff\xff\xff"),
    "a short SMPTE offset": meta(0x54, b"\x60"),
    "an empty sequence number": meta(0x00),
    "a long sequence number": meta(0x00, b"\x00\x01\x02"),
    "text that is none": meta(0x01, bytes(range(256))),
    "lyrics in no code": meta(0x05, b"\xff\xfe\x80"),
    "an unknown kind": meta(0x6B, b"\x01\x02\x03"),
    "a kind beyond 127": meta(0xC3, b"\x01\x02\x03"),
    "sequencer data": meta(0x7F, b"\x00\x00\x41"),
    "a device name": meta(0x09, b"Synth"),
    "real time": message(0xF8) + message(0xFA) + message(0xFE) + message(0xFD),
    "a song position": message(0xF2, 0x10, 0x00) + message(0xF3, 0x01) + message(0xF6),
    "an empty exclusive message": exclusive(),
    "an exclusive message in packets": message(0xF0, 2, 0x43, 0x12) + message(0xF7, 2, 0x00, 0xF7),
    "an escape": message(0xF7, 2, 0xF3, 0x01),
}


@pytest.mark.parametrize("name", SENSELESS)
def test_what_has_no_sense_is_as_if_it_were_not_there(name: str) -> None:
    for between in (SENSELESS[name] + scale(), strike(60) + SENSELESS[name] + release(60) + scale((62, 64, 65))):
        score = read(midi(track(between)))
        assert rows(score) == SCALE and not score.warnings
        assert [(m.beats, m.beat_type) for m in score.measures] == [(4, 4)]
        assert all(t.quarters_per_minute == 120 for t in score.tempo_marks)


def test_a_metre_without_sense_leaves_the_one_before() -> None:
    score = read(midi(track(meta(0x58, b"\x03\x02\x18\x08"), SENSELESS["no beats"], scale())))
    assert [(m.beats, m.duration_quarter) for m in score.measures] == [(3, 3), (3, 3)]


def test_a_running_status_goes_on_behind_meta_events_and_exclusive_messages() -> None:
    between = meta(0x01, b"a") + exclusive(0x7E, 0x7F, 0xF7) + message(0xF8)
    data = (
        strike(60) + between + varying(TICKS) + b"\x3c\x00" + between + b"\x00\x3e\x50" + varying(TICKS) + b"\x3e\x00"
    )
    assert rows(read(midi(track(data)))) == SCALE[:2]


def test_a_length_beyond_the_track_is_that_of_the_standard() -> None:
    data = meta(0x51, b"\x0f\x42\x40", declared=0x7F) + scale()
    score = read(midi(track(data), track(scale(LOW))))
    assert rows(score)[:4] == SCALE and [t.quarters_per_minute for t in score.tempo_marks] == [60]


def test_keys_beyond_127_are_passed_over() -> None:
    no_key = message(0x90, 0xB0, 80) + message(0x80, 0xB0, 64)
    score = read(midi(track(scale((60, 62)), no_key, scale((64, 65)))))
    assert rows(score) == SCALE and len(score.warnings) == 1 and score.warnings[0].startswith("Bar 1: ")


@pytest.mark.parametrize("byte", [0xF8, 0xFA, 0xFE])
def test_real_time_bytes_as_devices_send_them(byte: int) -> None:
    """With a delta time of their own, without one before a status, amid a message, and several at once."""
    clock = bytes([byte])
    for before in (b"\x00", b"\x83\x00"):
        for running in (False, True):
            own, bare, amid, twice = b"", b"", b"", b""
            for i, key in enumerate((60, 62, 64, 65)):
                wait = before if i else b"\x00"
                status = b"\x90" * (not running or i == 0)
                stroke, end = status + bytes([key, 80]), varying(TICKS) + b"\x90" * (not running) + bytes([key, 0])
                own += wait + clock + b"\x00" + stroke + end
                middle = clock + b"\x50" + varying(TICKS) + b"\x80" + clock
                amid += wait + b"\x90" + bytes([key]) + middle + bytes([key, 64])
                bare += wait + clock + b"\x90" + bytes([key, 80]) + end
                twice += wait + clock + clock + meta(0x01, b"a")[1:] + b"\x00" + b"\x90" + bytes([key, 80]) + end
            for data in (own, bare, amid, twice):
                score = read(midi(track(data)))
                lengths = {row[3] for row in rows(score)}
                assert [row[2] for row in rows(score)] == [60, 62, 64, 65] and lengths == {1} and not score.warnings


@pytest.mark.parametrize("velocity", [0x80, 0xC8, 0xF8, 0xFE, 0xFF])
def test_velocities_beyond_127_are_strokes(velocity: int) -> None:
    for wait in (0, 1, 100, TICKS):
        data = b"".join(message(0x90, key, velocity, wait=wait) + release(key) for key in (60, 62, 64, 65))
        assert [row[2:] for row in rows(read(midi(track(data))))] == [(key, 1) for key in (60, 62, 64, 65)]


def test_data_before_any_status_are_passed_over_with_a_warning() -> None:
    score = read(midi(track(b"\x00\x3c\x50\x10", scale())))
    assert [row[2] for row in rows(score)] == [60, 62, 64, 65] and "damaged" in score.warnings[0]


def test_a_wait_without_end_loses_nothing() -> None:
    score = read(midi(track(scale((60, 62)), strike(64, 0x0FFFFFFF), release(64), scale((65,)))))
    assert rows(score) == SCALE and "a wait of more than" in score.warnings[0]
    assert rows(read(midi(track(scale(), end=meta(0x2F, wait=0x0FFFFFFF))))) == SCALE
    assert rows(read(midi(track(b"\x80\x80\x80\x80\x80\x00" + scale()[1:])))) == SCALE


# ----------------------------------------------------------------------------------------------------------- chunks


def test_chunks_of_unknown_kinds_are_passed_over() -> None:
    alien = chunk(b"XFIH", b"MTrk hello") + chunk(b"CASM", b"")
    data = header(2) + alien + track(meta(0x51, b"\x07\xa1\x20")) + alien + track(scale()) + alien
    assert rows(read(data)) == SCALE and not read(data).warnings


@pytest.mark.parametrize("counted", [0, 1, 2, 3, 65535])
def test_all_tracks_are_read_however_many_are_counted(counted: int) -> None:
    score = read(header(counted) + track(scale(LOW, 1)) + track(scale()))
    assert len(score.parts) == 2 and part_rows(score, 1) == [row[1:] for row in SCALE]
    assert bool(score.warnings) == (counted > 2), "one that is counted and not there may be lost"


@pytest.mark.parametrize("declared", [0, 1, 7, 21, 60, 10**6, 0xFFFFFFFF])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_track_whose_length_is_told_wrong_is_read_to_its_end(declared: int, place: int) -> None:
    tracks = [track(scale(), declared=declared if i == place else None) for i in range(3)]
    score = read(midi(*tracks))
    assert [part_rows(score, i) for i in range(3)] == [[row[1:] for row in SCALE]] * 3
    assert not score.warnings


def test_a_track_without_its_end() -> None:
    data = header(2) + track(scale(LOW), end=b"") + track(scale(), end=b"")
    assert [row[2] for row in rows(read(data))] == [*LOW, 60, 62, 64, 65] and not read(data).warnings
    swallowed = header(2) + chunk(b"MTrk", scale(LOW) + track(scale()))
    assert [row[2] for row in rows(read(swallowed))] == [*LOW, 60, 62, 64, 65]


def test_what_stands_behind_the_end_of_a_track() -> None:
    for junk, is_told in ((bytes(9), False), (b"junk", False), (scale(LOW), True)):
        score = read(midi(track(scale(), END, junk, end=b""), track(scale(LOW, 1))))
        assert part_rows(score, 0) == [row[1:] for row in SCALE] and len(score.parts) == 2
        assert bool(score.warnings) == is_told
    for junk in (b"\x1a", bytes(512), b"\n", b"TAG" + b"A title ".ljust(125, b"\0"), b"\xff" * 40):
        assert rows(read(midi(track(scale())) + junk)) == SCALE and not read(midi(track(scale())) + junk).warnings
    assert rows(read(header() + bytes(3) + track(scale()) + b"\0" + track(scale((72,)))))[:4] == SCALE


def test_a_damaged_track_leaves_the_others() -> None:
    broken = track(scale(LOW), b"\x00\x92\x30", end=b"")
    score = read(midi(broken, track(scale())))
    assert part_rows(score, 0) == [(i, k, 1) for i, k in enumerate(LOW)] and part_rows(score, 1)[0] == (0, 60, 1)
    assert score.warnings == ("Bar 1: the track breaks off within an event, what followed is lost.",)


def test_headers_of_another_length_and_several_files_in_one() -> None:
    assert rows(read(header(more=b"\0\0\0\0") + track(scale()))) == SCALE
    assert rows(read(header()[:4] + bytes(4) + header()[8:] + track(scale()))) == SCALE
    two = midi(track(scale()), midi_format=0) + midi(track(scale(LOW)), midi_format=0)
    assert rows(read(two)) == SCALE and "several MIDI files" in read(two).warnings[0]


def riff(data: bytes, *before: bytes) -> bytes:
    chunks = b"".join(before) + b"data" + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)
    return b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"RMID" + chunks


def mac_binary(data: bytes) -> bytes:
    head = bytearray(128)
    head[1:9] = b"\x07tune.md"
    head[83:87] = len(data).to_bytes(4, "big")
    return bytes(head) + data + bytes(-len(data) % 128) + b"resources MTrk\x00\x00\x00\x04\x00\x90\x10\x50"


def test_containers_and_junk_before_the_header() -> None:
    data = midi(track(meta(0x03, b"Violin"), scale()))
    info = b"LIST" + (400).to_bytes(4, "little") + b"INFO" + bytes(396)
    for wrapped in (riff(data), riff(data, info), riff(data) + info, mac_binary(data)):
        assert is_midi(wrapped) and rows(read(wrapped)) == SCALE and not read(wrapped).warnings
        assert rows(read(wrapped, "without_an_ending")) == SCALE
    for junk in (b"\r\n", b"HTTP/1.0 200 OK\r\n\r\n", bytes(1000), b"\xef\xbb\xbf"):
        assert rows(read(junk + data)) == SCALE and holds_midi(junk + data)
    assert not holds_midi(b"onset_s,part\n0.0,MThd")
    with pytest.raises(ScoreFileError, match="not a MIDI file or is damaged"):
        read(header())


# -------------------------------------------------------------------------------------------------- files cut off


def test_of_a_file_cut_off_anywhere_what_is_there_is_kept() -> None:
    whole = midi(track(scale()), track(scale(LOW)))
    complete = read(whole)
    wanted = [[row[1:3] for row in rows(complete) if row[0] == part] for part in (0, 1)]
    for length in range(1, len(whole) - 1):  # without its last byte, which says nothing, the file is whole
        try:
            score = read(whole[:length])
        except ScoreFileError as error:
            assert length < 14 + 8 + 4 and len(str(error)) < 160
            continue
        assert any("cut off" in w or "1 of the 2 tracks" in w for w in score.warnings), length
        kept = [[row[1:3] for row in rows(score) if row[0] == part] for part in (0, 1)]
        assert all(kept[i] == wanted[i][: len(kept[i])] for i in (0, 1))
        assert len(kept[0]) + len(kept[1]) >= (length - 14 - 2 * 8) // 9
        assert all(0 < row[3] <= 1 for row in rows(score)) and not any("released" in w for w in score.warnings)


def test_notes_that_sound_at_the_cut_last_as_long_as_time_is_told() -> None:
    whole = midi(track(scale((60,)), strike(62), varying(TICKS) + b"\x80\x3e"))[: -len(END)]
    score = read(whole)
    assert rows(score) == SCALE[:2]
    assert score.warnings == ("'x.mid' is cut off in track 1; what is there is read.",)
    assert "cut off" in read(midi(track(scale(), end=bytes(40)))).warnings[0], "filled up with zeros"


# ------------------------------------------------------------------------------------------------------------ time


def test_film_frames() -> None:
    for frames, per_second in ((24, 24), (25, 25), (29, 30000 / 1001), (30, 30)):
        division = (256 - frames) << 8 | 80
        data = midi(track(meta(0x51, b"\x0f\x42\x40"), strike(60, 1000), release(60, 5000)), division=division)
        score = read(data)
        assert rows(score)[0][1] == pytest.approx(1000 / (per_second * 40), abs=1e-5)
        assert rows(score)[0][3] == pytest.approx(5000 / (per_second * 40), abs=1e-5)
        assert not score.tempo_marks, "the tempo says nothing where frames are counted"
        performed = read_performance("x.mid", data)
        assert performed.onset_s == pytest.approx([1000 / per_second / 80]) and np.isnan(performed.quarter[0])
        assert performed.offset_s == pytest.approx([6000 / per_second / 80])


@pytest.mark.parametrize("division", [0, 0xE700])
def test_a_file_that_does_not_tell_how_long_ticks_last(division: int) -> None:
    score = read(midi(track(scale()), division=division))
    assert rows(score) == SCALE and "how long a tick lasts" in score.warnings[0]


def test_format_2_is_one_sequence_after_the_other() -> None:
    first = track(meta(0x58, b"\x02\x02\x18\x08"), meta(0x51, b"\x0f\x42\x40"), scale(), end=meta(0x2F, wait=TICKS))
    data = midi(first, track(scale(LOW)), midi_format=2)
    score = read(data)
    assert part_rows(score, 0) == [row[1:] for row in SCALE]
    assert part_rows(score, 1) == [(5 + i, k, 1) for i, k in enumerate(LOW)]
    assert [m.start_quarter for m in score.measures] == [0, 2, 4, 5] and score.measures[3].beats == 4
    assert [(t.start_quarter, t.quarters_per_minute) for t in score.tempo_marks] == [(0, 60), (5, 120)]
    assert "one after the other" in score.warnings[0]
    assert read_performance("x.mid", data).onset_s == pytest.approx([0, 1, 2, 3, 5, 5.5, 6, 6.5])
    assert rows(read(midi(track(scale()), midi_format=2))) == SCALE


# --------------------------------------------------------------------------------------- laws over files and damage

times = st.integers(0, 300)
notes = st.lists(st.tuples(st.integers(0, 2), st.integers(40, 50), times, st.integers(1, 200)), min_size=1, max_size=20)


def played(wanted: list[tuple[int, int, int, int]]) -> list[tuple[int, tuple[int, int, int]]]:
    """Order strokes and releases by tick, releases first; notes of one key and channel do not overlap."""
    events: list[tuple[int, tuple[int, int, int]]] = []
    busy: dict[tuple[int, int], int] = {}
    for channel, key, start, length in sorted(wanted, key=lambda note: note[2]):
        if busy.get((channel, key), -1) <= start:
            busy[channel, key] = start + length
            events += [(start, (0x90 | channel, key, 70)), (start + length, (0x80 | channel, key, 0))]
    return sorted(events, key=lambda event: (event[0], event[1][0] & 0x10))


@st.composite
def encoded(draw: st.DrawFn, events: list[tuple[int, tuple[int, int, int]]]) -> bytes:
    """Encode events with or without running status, as note-off or silent note-on, and with what is passed over."""
    data, now, running = b"", 0, 0
    for tick, (status, key, velocity) in events:
        if draw(st.booleans()):
            data += draw(st.sampled_from([v for v in SENSELESS.values() if not v.startswith(b"\x00\xff\x58")]))
        if status < 0x90 and draw(st.booleans()):
            status, velocity = status | 0x10, 0
        wait = varying(tick - now)
        wait = b"\x80" * draw(st.integers(0, 4 - len(wait))) + wait
        data += wait + (b"" if status == running and draw(st.booleans()) else bytes([status])) + bytes([key, velocity])
        running, now = status, tick
    return data


@settings(max_examples=100, deadline=None)
@given(st.data(), notes)
def test_however_it_is_written_it_is_read_as_mido_reads_it_plain(data: st.DataObject, wanted: Any) -> None:
    events = played(wanted)
    plain, now = mido.MidiTrack(), 0
    for tick, content in events:
        plain.append(mido.Message.from_bytes(content, time=tick - now))
        now = tick
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS, tracks=[plain])
    stream = io.BytesIO()
    file.save(file=stream)
    expected = rows(read(stream.getvalue()))
    assert len(expected) == len(events) // 2
    body = data.draw(encoded(events))
    end = data.draw(st.sampled_from([END, b"", meta(0x2F, b"\0")]))
    declared = data.draw(st.sampled_from([None, None, 0, 3, 10**7])) if end else None
    alien = data.draw(st.sampled_from([b"", chunk(b"XFKM", b"1234"), chunk(b"Alie", b"MTrk")]))
    more = data.draw(st.sampled_from([b"", b"\1\2"]))
    written = header(data.draw(st.sampled_from([0, 1])), 0, more=more) + alien + track(body, end=end, declared=declared)
    assert rows(read(written + alien)) == expected


BASE = midi(
    track(meta(0x03, b"Title"), meta(0x58, b"\x03\x02\x18\x08"), meta(0x51, b"\x07\xa1\x20")),
    track(meta(0x03, b"Violin"), message(0xC0, 40), scale(), message(0xB0, 123, 0)),
    track(meta(0x03, b"Drums"), exclusive(0x41, 0x10, 0x42, 0x12, 0x40, 0x1B, 0x15, 1, 0xF, 0xF7), scale(LOW, 11)),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(BASE) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, len(BASE)),
    st.binary(max_size=12),
)
def test_damage_is_read_or_refused_in_a_sentence(changes: Any, place: int, more: bytes) -> None:
    data = bytearray(BASE)
    for at, value in changes:
        data[at] = value
    data[place:place] = more
    for read_data in (read, lambda damaged: read_performance("x.mid", damaged)):
        try:
            read_data(bytes(data))
        except InputError as error:
            assert len(str(error)) < 160 and str(error).endswith(".")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_behind_a_header_are_read_or_refused(noise: bytes) -> None:
    for data in (header() + noise, header() + chunk(b"MTrk", noise), midi(track(noise, scale()), track(noise))):
        try:
            read(data)
        except ScoreFileError as error:
            assert len(str(error)) < 160 and str(error).endswith(".")


def test_more_than_any_score_holds_is_refused() -> None:
    for data in (header(65535) + track(end=b"") * 70_000 + track(scale()), bytes(33 * 2**20)):
        with pytest.raises(ScoreFileError, match="export it again"):
            read(header() + data if data[0] == 0 else data)
    wide = midi(track(meta(0x58, b"\x01\x06\x18\x08"), strike(60, 2_000_000)), *[track(strike(60))] * 400)
    with pytest.raises(ScoreFileError, match="damaged"):
        read(wide)
