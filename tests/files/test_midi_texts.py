"""Texts in MIDI files: the codes that they come in, and whose names they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from raw_midi import message, meta, midi, scale, track

from scoresep.files.midi.tracks import decoded_text
from scoresep.files.scores import parse_score
from scoresep.model.score import Score

LOW = (48, 50, 52, 53)


def read(*tracks: bytes, **header: Any) -> Score:
    return parse_score(midi(*tracks, **header), "x.mid")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("utf-8", "Flöte"), ("latin-1", "Flöte"), ("latin-1", "Été à l'École"), ("utf-8", "Скрипка"),
        ("utf-8-sig", "ピアノ"), ("utf-16", "Flûte"), ("cp1252", "John’s “Viola”"), ("cp1251", "Скрипка 1"),
        ("cp1251", "Бас-гитара"), ("cp932", "ピアノ 2"), ("cp932", "交響曲第７番　第２楽章"), ("latin-1", "ÄÖÜ"),
        ("latin-1", "Ñandú"), ("ascii", "Horn in F"),
    ],
)  # fmt: skip
def test_texts_in_the_codes_that_are_in_use(code: str, text: str) -> None:
    assert decoded_text(text.encode(code)) == " ".join(text.split())


def test_names_without_control_characters() -> None:
    assert decoded_text(b" Violin\0\0\x01 I\r\n ") == "Violin I" and decoded_text(b"\0") == ""


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=30))
@example("þÿ")
def test_utf_8_comes_back(text: str) -> None:
    once = decoded_text(text.removeprefix("\ufeff").encode())
    assert decoded_text(once.encode()) == once
    if text.isprintable() and not text.startswith("\ufeff"):
        assert once == " ".join(text.split())


def names(score: Score) -> list[str]:
    return [p.name for p in score.parts]


def test_names_of_tracks_instruments_and_channels() -> None:
    assert names(read(track(meta(0x04, "Flöte".encode()), scale()))) == ["Flöte"]
    twice = track(meta(0x04, b"Piano"), meta(0x03), meta(0x03, b"Solo"), meta(0x03, b"Other"), scale())
    assert names(read(twice)) == ["Solo"]
    prefixes = meta(0x03, b"A piece") + b"".join(
        meta(0x20, bytes([c])) + meta(0x03, n) for c, n in ((0, b"Oboe"), (9, b"Timpani and drums"))
    )
    both = read(track(prefixes, scale(), scale(LOW, 9), message(0xC3, 56), scale(LOW, 3)), midi_format=0)
    assert names(both) == ["Oboe", "Trumpet", "Timpani and drums"]
    assert both.title == "A piece" and both.parts[0].instrument.program == 68


def test_an_instrument_name_tells_the_instrument_where_the_track_is_numbered() -> None:
    score = read(track(meta(0x03, b"Track 1"), meta(0x04, b"Violoncello"), scale()))
    assert names(score) == ["Track 1"] and score.parts[0].instrument.program == 42
