"""MusicXML: notes of drums have no pitch, however they are written; percussion with pitch keeps it."""

from __future__ import annotations

import pytest
from musicxml_reading import pitches, read
from musicxml_text import FOUR_FOUR, note, part

MUSIC = note(36, 2) + note(38, 2) + note(36, 2) + note(38, 2)
PITCHES, NONE = [36, 38, 36, 38], [None] * 4


def clef(sign: str) -> str:
    return FOUR_FOUR.replace("</attributes>", f"<clef><sign>{sign}</sign></clef></attributes>")


def listed(channel: int = 0, program: int = 0, sound: str = "", unpitched: int = 0, name: str = "x") -> str:
    midi = (f"<midi-channel>{channel}</midi-channel>" if channel else "") + (
        f"<midi-program>{program}</midi-program>" if program else ""
    )
    midi += f"<midi-unpitched>{unpitched}</midi-unpitched>" if unpitched else ""
    sounds = f"<instrument-sound>{sound}</instrument-sound>" if sound else ""
    return (
        f'<score-instrument id="P0-I1"><instrument-name>{name}</instrument-name>{sounds}</score-instrument>'
        f'<midi-instrument id="P0-I1">{midi}</midi-instrument>'
    )


@pytest.mark.parametrize(
    ("name", "sign", "description", "expected"),
    [
        ("Part 1", "percussion", "", NONE),
        ("Part 1", "G", listed(channel=10), NONE),
        ("Drumset", "F", "", NONE),
        ("Part 1", "G", listed(sound="drum.snare-drum"), NONE),
        ("Part 1", "G", listed(channel=3, unpitched=39), NONE),
        ("Percussion", "percussion", listed(channel=1, program=1), NONE),
        ("Violin", "percussion", listed(channel=1, program=41), NONE),  # a rhythm to be tapped or scratched
        ("Timpani", "percussion", "", PITCHES),
        ("Pauken", "F", listed(channel=10), PITCHES),
        ("Perc. 2", "percussion", listed(channel=2, program=14, name="Mallets"), PITCHES),
        ("Perc. 2", "percussion", listed(channel=10, sound="pitched-percussion.xylophone"), PITCHES),
        ("Perc. 1", "percussion", listed(sound="drum.timpani"), PITCHES),
        ("Glockenspiel", "percussion", listed(channel=10), PITCHES),
        ("Steel Drums", "G", listed(channel=1, program=115), PITCHES),
        ("Viola", "G", listed(channel=10, program=42, name="Viola"), PITCHES),  # parts numbered 1 to 16
        ("Percussion", "G", "", PITCHES),
        ("Part 1", "G", listed(channel=9), PITCHES),
    ],
)
def test_what_tells_a_drum(name: str, sign: str, description: str, expected: list[float | None]) -> None:
    score = read(part(MUSIC, attributes=clef(sign)), names=[name], listed=[description])
    assert pitches(score) == expected
    assert score.parts[0].instrument.is_percussion == (expected == NONE)
    assert not score.warnings


def test_one_part_of_drums_and_glockenspiel() -> None:
    description = (
        '<score-instrument id="A"><instrument-name>Snare</instrument-name></score-instrument>'
        '<score-instrument id="B"><instrument-name>Glockenspiel</instrument-name></score-instrument>'
        '<midi-instrument id="A"><midi-channel>10</midi-channel><midi-unpitched>39</midi-unpitched></midi-instrument>'
        '<midi-instrument id="B"><midi-channel>4</midi-channel><midi-program>10</midi-program></midi-instrument>'
    )
    music = note(60, 4, '<instrument id="A"/>') + note(84, 4, '<instrument id="B"/>')
    score = read(part(music, attributes=clef("percussion")), names=["Percussion"], listed=[description])
    assert pitches(score) == [None, 84]
    assert not score.parts[0].instrument.is_percussion


def test_a_percussion_clef_holds_from_its_place_on_and_for_its_staff() -> None:
    change = "<attributes><clef><sign>{}</sign></clef></attributes>"
    score = read(part(note(60, 4) + change.format("percussion") + note(60, 4), change.format("G") + note(62)))
    assert pitches(score) == [60, None, 62]
    two = FOUR_FOUR.replace("</attributes>", '<clef number="2"><sign>percussion</sign></clef></attributes>')
    music = (
        note(60, 8, "<staff>1</staff>") + "<backup><duration>8</duration></backup>" + note(48, 8, "<staff>2</staff>")
    )
    assert sorted(pitches(read(part(music, attributes=two))), key=str) == [60, None]
