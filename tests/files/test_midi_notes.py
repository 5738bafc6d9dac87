"""What is struck and what is a drum in MIDI files: every stroke has an end, and every kit of drums is known as one.

Right values are those of MIDI 1.0, General MIDI 1 and 2, GS (Roland SC-88) and XG (Yamaha, 1.26).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_midi import TICKS, exclusive, message, meta, midi, release, scale, strike, track
from small_scores import even_alignment, scale_score, straight

from scoresep.files.midi.alignment import MidiPart, midi_bytes, read_performance
from scoresep.files.midi.key_strokes import RELEASE, STROKE, notes_of_keys
from scoresep.files.scores import parse_score
from scoresep.model.score import Instrument, Score


def read(*tracks: bytes, **header: Any) -> Score:
    return parse_score(midi(*tracks, **header), "x.mid")


def rows(score: Score) -> list[tuple[float, float, float]]:
    """Return onset, pitch and length of all notes in quarters, the parts of drums with pitch -1."""
    n, starts = score.notes, [m.start_quarter for m in score.measures]
    pitch = np.where(np.isnan(n.pitch_midi), -1, n.pitch_midi)
    columns = (n.measure_index, n.offset_quarter, pitch, n.duration_quarter)
    return sorted((round(starts[m] + q, 3), float(k), round(float(d), 3)) for m, q, k, d in zip(*columns, strict=True))


def drums(score: Score) -> list[bool]:
    return [part.instrument.is_percussion for part in score.parts]


# ------------------------------------------------------------------------------------------------- strokes and ends


def test_a_key_struck_twice_and_released_once() -> None:
    score = read(track(strike(60), strike(60, TICKS), release(60), strike(64), release(64, 10 * TICKS)))
    assert rows(score) == [(0, 60, 1), (1, 60, 1), (2, 64, 10)]
    assert score.warnings == ("Bar 1: notes whose key is struck again before it is released end there.",)


def test_one_lost_release_harms_one_note_only() -> None:
    again = b"".join(release(60) + strike(60) for _ in range(5)) + release(60)
    assert rows(read(track(strike(60), strike(60, TICKS), again))) == [(i, 60, 1) for i in range(7)]


def test_a_key_struck_twice_and_released_twice() -> None:
    overlap = track(strike(60), strike(60, 240), release(60, 240), release(60, 240))
    assert rows(read(overlap)) == [(0, 60, 1), (0.5, 60, 1)]
    unison = track(strike(60), strike(60), release(60), release(60, 3 * TICKS))
    assert rows(read(unison)) == [(0, 60, 1), (0, 60, 4)]
    doubled = track(strike(60), strike(60), release(60))
    assert rows(read(doubled)) == [(0, 60, 1), (0, 60, 1)]


def test_a_stroke_written_before_the_release_of_the_same_moment() -> None:
    for lost in ((), (release(60),)):  # with the last release, and in a file that lacks it
        events = (strike(60), strike(60, TICKS), release(60, 0), strike(60, TICKS), release(60, 0))
        score = read(track(*events, *lost, end=meta(0x2F, wait=0 if lost else TICKS)))
        assert rows(score) == [(0, 60, 1), (1, 60, 1), (2, 60, 1)]
        assert bool(score.warnings) == (not lost)


def test_a_note_that_nothing_ends_lasts_to_the_end_of_its_track() -> None:
    score = read(track(strike(60), scale((62, 64)), end=meta(0x2F, wait=2 * TICKS)), track(scale((50,) * 8, 1)))
    assert rows(score)[1] == (0, 60, 4)
    assert score.warnings == ("Bar 1: notes that are never released are held to the end of their track.",)


def test_notes_without_length_and_silent_note_ons() -> None:
    silent = message(0x90, 62, 0, wait=TICKS)
    score = read(track(strike(60), release(60, 0), strike(62), silent, release(62), silent))
    assert rows(score) == [(0, 60, round(1 / TICKS, 3)), (0, 62, 1)]


@pytest.mark.parametrize("controller", [120, 123, 124, 125, 126, 127])
def test_all_notes_off_ends_what_its_channel_plays(controller: int) -> None:
    silence = message(0xB0, controller, 0, wait=TICKS)
    score = read(track(strike(60), strike(64), silence, strike(62), release(62), end=meta(0x2F, wait=8 * TICKS)))
    assert rows(score) == [(0, 60, 1), (0, 64, 1), (1, 62, 1)] and not score.warnings
    other = read(track(strike(60, channel=1), silence, release(60, channel=1)))
    assert rows(other) == [(0, 60, 2)], "another channel plays on"
    from_conductor = read(track(silence), track(strike(60), strike(60, TICKS), release(60, 2 * TICKS)))
    assert rows(from_conductor) == [(0, 60, 1), (1, 60, 2)], "what is struck at that moment plays on"
    on_another_port = read(track(silence), track(meta(0x21, b"\1"), strike(60), release(60, 2 * TICKS)))
    assert rows(on_another_port) == [(0, 60, 2)]


@pytest.mark.parametrize("controller", [1, 64, 66, 121, 122])
def test_other_controllers_and_pedals_leave_the_ends_to_the_keys(controller: int) -> None:
    pressed, let_go = message(0xB0, controller, 127), message(0xB0, controller, 0, wait=TICKS)
    assert rows(read(track(pressed, strike(60), release(60), let_go, let_go))) == [(0, 60, 1)]
    assert rows(read(track(strike(60), let_go, release(60)))) == [(0, 60, 2)]


def test_releases_of_all_keys_are_all_notes_off() -> None:
    panic = b"".join(release(key, 0) for key in range(128))
    score = read(track(strike(60), strike(60, TICKS), release(60), strike(61), message(0xB0, 7, 90, wait=TICKS), panic))
    assert rows(score) == [(0, 60, 1), (1, 60, 1), (2, 61, 1)]


def test_reset_of_the_instrument_ends_all_notes() -> None:
    reset = exclusive(0x7E, 0x7F, 0x09, 0x01, 0xF7, wait=TICKS)
    assert rows(read(track(strike(60), reset, end=meta(0x2F, wait=TICKS)))) == [(0, 60, 1)]


def test_a_channel_message_in_an_escape_is_played() -> None:
    escaped = b"\x00\xf7\x05\x90\x3c\x50\x3e\x50" + b"\x83\x60\xf7\x06\x80\x3c\x00\x80\x3e\x00"
    assert rows(read(track(escaped))) == [(0, 60, 1), (0, 62, 1)]


strokes = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([STROKE, RELEASE])), max_size=40)


@settings(max_examples=300, deadline=None)
@given(strokes)
def test_every_stroke_has_one_note_and_nothing_sounds_beyond_what_ends_it(steps: Any) -> None:
    """Against a plain count: released as often as struck, each note ends with a release; else with a stroke."""
    ticks = np.cumsum([0, *(step for step, _ in steps)])[1:].tolist()
    events = [(tick, kind) for tick, (_, kind) in zip(ticks, steps, strict=True)]
    found = notes_of_keys({60: events}, [])
    struck = [tick for tick, kind in events if kind == STROKE]
    released = [tick for tick, kind in events if kind == RELEASE]
    closed = found.notes + found.struck_again
    assert sorted([start for start, _, _ in closed] + [start for start, _ in found.unreleased]) == struck
    assert all(end >= start for start, end, _ in closed)
    assert all(end in released for _, end, _ in found.notes)
    assert all(end in struck and end > start for start, end, _ in found.struck_again)
    assert len(found.notes) + len(found.strays) >= len(released)
    assert not found.unreleased or not any(tick > max(t for t, _ in found.unreleased) for tick in released)


# ------------------------------------------------------------------------------------------------------------ drums


def bank(msb: int, channel: int, program: int | None = 0, lsb: int = 0) -> bytes:
    change = b"" if program is None else message(0xC0 | channel, program)
    return message(0xB0 | channel, 0, msb) + message(0xB0 | channel, 32, lsb) + change


def gs(*data: int) -> bytes:
    checksum = -sum(data) & 0x7F
    return exclusive(0x41, 0x10, 0x42, 0x12, *data, checksum, 0xF7)


GM, GM_OFF, GM2 = (exclusive(0x7E, 0x7F, 0x09, n, 0xF7) for n in (1, 2, 3))
GS = gs(0x40, 0x00, 0x7F, 0x00)
XG = exclusive(0x43, 0x10, 0x4C, 0x00, 0x00, 0x7E, 0x00, 0xF7)

KITS = {
    "channel 10": (b"", 9, True),
    "GM2 drums": (bank(120, 10), 10, True),
    "GM2 drums after GM2 on": (GM2 + bank(120, 3), 3, True),
    "GM2 drums without a program": (bank(120, 10, None), 10, True),
    "GM2 drums and no more": (bank(120, 10) + bank(121, 10), 10, False),
    "GM2 drums that no program makes count": (message(0xCA, 5) + bank(120, 10, None), 10, False),
    "GM2 melody on channel 10": (GM2 + bank(121, 9), 9, False),
    "a melodic bank on channel 10 where no system is": (bank(121, 9), 9, True),
    "bank 0 on channel 10": (bank(0, 9), 9, True),
    "bank 1 on channel 10 in GS": (GS + bank(1, 9), 9, True),
    "XG drums": (XG + bank(127, 10), 10, True),
    "XG drums without a reset": (bank(127, 0), 0, True),
    "XG effects": (XG + bank(126, 4), 4, True),
    "XG melody on channel 10": (XG + bank(0, 9, 12), 9, False),
    "XG channel 10 with its own kit": (XG + bank(0, 9, 0, 127), 9, True),
    "XG ordinary bank": (XG + bank(64, 2), 2, False),
    "XG part mode": (XG + exclusive(0x43, 0x10, 0x4C, 0x08, 0x0A, 0x07, 0x02, 0xF7), 10, True),
    "XG part mode of channel 10": (XG + exclusive(0x43, 0x10, 0x4C, 0x08, 0x09, 0x07, 0x00, 0xF7), 9, False),
    "GS sounds of the MT-32": (GS + bank(127, 1), 1, False),
    "GS rhythm on part 11": (GS + gs(0x40, 0x1A, 0x15, 0x02), 10, True),
    "GS rhythm on part 1": (gs(0x40, 0x11, 0x15, 0x01), 0, True),
    "GS rhythm on part 9": (gs(0x40, 0x19, 0x15, 0x01), 8, True),
    "GS rhythm on part 16": (gs(0x40, 0x1F, 0x15, 0x01), 15, True),
    "GS melody on part 10": (GS + gs(0x40, 0x10, 0x15, 0x00), 9, False),
    "GS rhythm among other settings": (gs(0x40, 0x1A, 0x13, 0x00, 0x01, 0x01), 10, True),
    "GS other setting": (gs(0x40, 0x1A, 0x14, 0x01), 10, False),
    "GS rhythm, then a reset": (gs(0x40, 0x1A, 0x15, 0x01) + GM, 10, False),
    "GS in two packets": (
        message(0xF0, 6, 0x41, 0x10, 0x42, 0x12, 0x40, 0x1A) + message(0xF7, 4, 0x15, 0x01, 0x10, 0xF7), 10, True,
    ),
    "GS reset and rhythm in one event": (
        exclusive(*GS[2:], 0xF0, 0x41, 0x10, 0x42, 0x12, 0x40, 0x1A, 0x15, 0x01, 0x10, 0xF7), 10, True,
    ),
    "GS without a length": (b"\x00\xf0\x41\x10\x42\x12\x40\x1a\x15\x01\x10\xf7", 10, True),
    "drums, then GM off": (bank(127, 10) + GM_OFF, 10, False),
}  # fmt: skip


@pytest.mark.parametrize("name", KITS)
def test_kits_of_drums(name: str) -> None:
    setup, channel, plays_drums = KITS[name]
    score = read(track(setup, scale(channel=channel)), track(message(0xC5, 40), scale(channel=5)))
    assert drums(score) == [plays_drums, False] and score.parts[1].instrument.program == 40
    pitches = [-1.0] * 4 if plays_drums else [60.0, 62.0, 64.0, 65.0]
    assert sorted(k for _, k, _ in rows(score)) == sorted([*pitches, 60.0, 62.0, 64.0, 65.0])
    performed = read_performance("x.mid", midi(track(setup, scale(channel=channel))))
    assert [key == -1 for key in performed.key] == [plays_drums] * 4
    apart = read(track(setup), track(scale(channel=channel)))
    assert drums(apart) == [plays_drums], "what one track sets holds for the others"
    long = read(track(setup, scale((60,) * 40, channel)))
    assert drums(long) == [plays_drums] and len(rows(long)) == 40


def test_drums_first_and_a_melody_then_are_two_parts() -> None:
    score = read(track(bank(120, 3), scale((36, 38), 3), bank(0, 3, 73), scale((72, 74), 3)))
    assert drums(score) == [False, True] and [p.name for p in score.parts] == ["Flute", "Drums"]
    assert rows(score) == [(0, -1, 1), (1, -1, 1), (2, 72, 1), (3, 74, 1)]


def test_drums_without_releases_sound_for_a_beat_at_most() -> None:
    hits = strike(36, 0, 9) + strike(38, TICKS // 2, 9) + strike(36, TICKS // 4, 9) + strike(36, 8 * TICKS, 9)
    score = read(track(hits, end=meta(0x2F, wait=20 * TICKS)))
    assert [d for _, _, d in rows(score)] == [0.75, 1, 1, 1] and not score.warnings


def test_programs_of_another_track_and_port() -> None:
    setup = track(message(0xC0, 40), message(0xC1, 73), meta(0x21, b"\1"), message(0xC0, 56))
    plain, ported = track(scale()), track(meta(0x21, b"\1"), scale(), scale(channel=1))
    score = read(setup, plain, track(message(0xC1, 68), scale(channel=1)), ported)
    assert [p.instrument.program for p in score.parts] == [40, 68, 56, None]


channel_events = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 3),
        st.sampled_from([(0x90, 60, 80), (0x80, 60, 0), (0x90, 62, 80), (0x90, 62, 0), (0xB0, 123, 0), (0xB0, 0, 120),
                         (0xB0, 0, 0), (0xC0, 40), (0xC0, 73)]),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(channel_events)
def test_channels_in_one_track_and_in_tracks_of_their_own_are_the_same(steps: Any) -> None:
    notes = [(channel, 0, (0x90, 64 + channel, 80)) for channel in range(3)]
    notes += [(channel, TICKS, (0x80, 64 + channel, 0)) for channel in range(3)]
    steps = [*notes, *((c, wait * 100, content) for c, wait, content in steps)]
    together, last, now = b"", [0, 0, 0], 0
    apart = [b"", b"", b""]
    for channel, wait, (status, *data) in steps:
        now += wait
        together += message(status | channel, *data, wait=wait)
        apart[channel] += message(status | channel, *data, wait=now - last[channel])
        last[channel] = now
    one = read(track(together, end=meta(0x2F, wait=99)), midi_format=0)
    three = read(*(track(apart[c], end=meta(0x2F, wait=now - last[c] + 99)) for c in range(3)))
    assert rows(one) == rows(three) and one.measures == three.measures
    assert [p.instrument for p in one.parts] == [p.instrument for p in three.parts]
    assert one.warnings == three.warnings


# ------------------------------------------------------------------------------------------------------- round trip


def test_what_is_exported_comes_back_with_its_names() -> None:
    names = ["Flöte", "Скрипка", "ピアノ", "Pauken – tief", "Ñ", *(f"Part {i}" for i in range(15))]
    score = scale_score(2, names)
    unfolded = straight(score)
    parts = tuple(MidiPart(n, Instrument("", i if i < 16 else None, i == 3)) for i, n in enumerate(names))
    data = midi_bytes(unfolded, even_alignment(unfolded), parts, 44100, "Été – Лето")
    back = parse_score(data, "x.mid")
    assert [p.name for p in back.parts] == names and back.title == "Été – Лето" and not back.warnings
    assert [p.instrument.program for p in back.parts][:3] == [73, 1, 2], "a flute by its name, the others as written"
    assert back.parts[16].instrument.program is None, "a channel of another port"
    assert len(back.notes) == len(score.notes) and drums(back)[3]
    assert read_performance("x.mid", data).voice_names == tuple(names)


def test_half_a_surrogate_pair_in_a_name_is_written_as_its_number() -> None:
    unfolded = straight(scale_score(1, ["Fl\udcf6te"]))
    data = midi_bytes(unfolded, even_alignment(unfolded), [MidiPart("Fl\udcf6te", Instrument())], 44100, "\ud800")
    assert parse_score(data, "x.mid").parts[0].name == r"Fl\udcf6te"


def test_an_alignment_from_a_damaged_file_tells_the_damage() -> None:
    data = midi(track(strike(60), strike(60, TICKS), release(60), strike(62)))[:-4]
    performed = read_performance("take.mid", data)
    assert performed.onset_s == pytest.approx([0, 0.5, 1.0]) and len(performed.warnings) == 2
    assert "cut off" in performed.warnings[0] and performed.warnings[1].startswith("At 0.0 s of 'take.mid': notes")
