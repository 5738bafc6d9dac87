"""MusicXML: of string harmonics what sounds is read, and not where the fingers are."""

from __future__ import annotations

import math

import pytest
from musicxml_reading import pitches, read, sounding
from musicxml_text import FOUR_FOUR, note, part

from scoresep.files.scores.musicxml_notations import _SOUNDING_OF_TOUCH


def harmonic(inner: str, technical: str = "") -> str:
    return f"<notations><technical>{technical}<harmonic>{inner}</harmonic></technical></notations>"


BASE, TOUCH, SOUND = (harmonic(f"<artificial/><{kind}-pitch/>") for kind in ("base", "touching", "sounding"))
ARTIFICIAL, NATURAL = harmonic("<artificial/>"), harmonic("<natural/>")
DIAMOND = "<notehead>diamond</notehead>"


def chord(*notes: tuple[float, str]) -> str:
    return "".join(note(m, 8, extra, before="<chord/>" if i else "") for i, (m, extra) in enumerate(notes))


def violin(*measures: str, name: str = "Violin", attributes: str = FOUR_FOUR) -> list[float | None]:
    score = read(part(*measures, attributes=attributes), names=[name])
    assert not score.warnings
    return pitches(score)


def test_sounding_pitch_is_what_sounds() -> None:
    assert violin(chord((69, BASE), (74, TOUCH), (93, SOUND))) == [93]
    assert violin(chord((69, BASE), (93, SOUND), (74, TOUCH + DIAMOND))) == [93]
    assert violin(
        chord((74, harmonic("<natural/><touching-pitch/>")), (93, harmonic("<natural/><sounding-pitch/>")))
    ) == [93]


def test_a_sounding_pitch_in_cue_size_sounds() -> None:
    cue = note(93, 8, SOUND, before="<cue/><chord/>")
    assert violin(chord((69, BASE), (74, TOUCH)) + cue) == [93]


def test_the_hand_may_be_unmarked_where_what_sounds_is_marked_or_written_small() -> None:
    assert violin(chord((69, ""), (74, DIAMOND), (93, SOUND))) == [93]
    assert violin(chord((69, ""), (74, DIAMOND), (93, '<notehead parentheses="yes">normal</notehead>'))) == [93]
    other_voice = "<backup><duration>8</duration></backup>" + note(93, 8, "<voice>2</voice>" + SOUND)
    assert violin(chord((69, BASE), (74, TOUCH)) + other_voice) == [93]


@pytest.mark.parametrize(("interval", "up"), [(5, 24), (7, 19), (4, 28), (3, 31), (12, 12)])
@pytest.mark.parametrize("marks", [(BASE, TOUCH), ("", TOUCH), (BASE, ""), (ARTIFICIAL, ARTIFICIAL), ("", DIAMOND)])
def test_where_only_the_hand_is_written_what_sounds_is_told_by_the_interval(
    interval: int, up: int, marks: tuple[str, str]
) -> None:
    assert violin(chord((62, marks[0]), (62 + interval, marks[1]))) == [62 + up]


@pytest.mark.parametrize(("touched", "up"), _SOUNDING_OF_TOUCH.items())
def test_intervals_are_those_of_the_nodes_of_a_string(touched: int, up: int) -> None:
    """A string touched at i/k of its length, i and k without common factor, sounds its k-th partial."""
    nodes = [
        (12 * math.log2(k / (k - i)), 12 * math.log2(k))
        for k in range(2, 9)
        for i in range(1, k)
        if math.gcd(i, k) == 1
    ]
    assert any(abs(place - touched) < 0.35 and abs(partial - up) < 0.5 for place, partial in nodes)


def test_double_stops_and_plain_notes_beside_a_harmonic() -> None:
    assert violin(chord((55, BASE), (60, TOUCH), (64, BASE), (69, TOUCH))) == [79, 88]
    assert violin(chord((55, ""), (69, BASE), (74, TOUCH), (93, SOUND))) == [55, 93]


def test_ties_and_lengths_go_with_what_sounds() -> None:
    def bar(tie: str) -> str:
        return chord((62, f'<tie type="{tie}"/>' + BASE), (67, f'<tie type="{tie}"/>' + TOUCH))

    score = read(part(bar("start"), bar("stop")), names=["Violin"])
    assert sounding(score) == [(0, 86, 0, 8)]


def test_natural_harmonics() -> None:
    assert violin(note(81, 8, NATURAL)) == [81]  # with a circle: written as it sounds
    fourth = "<string>3</string>"  # the D string
    assert violin(note(67, 8, harmonic("<natural/><touching-pitch/>", fourth) + DIAMOND)) == [86]
    fret = "<string>6</string><fret>{}</fret>"
    for n, up in ((12, 12), (7, 19), (5, 24), (4, 28), (9, 28), (19, 19)):
        assert violin(note(40 + n, 8, harmonic("<natural/>", fret.format(n))), name="Guitar") == [40 + up]
        assert violin(note(40 + up, 8, harmonic("<natural/>", fret.format(n))), name="Guitar") == [40 + up]


def test_the_tuning_of_the_file_tells_the_open_strings() -> None:
    tuning = "".join(
        f'<staff-tuning line="{i + 1}"><tuning-step>{s}</tuning-step><tuning-octave>{o}</tuning-octave></staff-tuning>'
        for i, (s, o) in enumerate((("D", 2), ("A", 2), ("D", 3), ("G", 3), ("B", 3), ("E", 4)))
    )
    attributes = FOUR_FOUR.replace("</attributes>", f"<staff-details>{tuning}</staff-details></attributes>")
    dropped = note(38 + 7, 8, harmonic("<natural/><touching-pitch/>", "<string>6</string>"))
    assert violin(dropped, name="Guitar", attributes=attributes) == [38 + 19]


@pytest.mark.parametrize("marks", [BASE, ARTIFICIAL, harmonic("<natural/><touching-pitch/>") + DIAMOND])
def test_what_nobody_can_tell_is_read_as_written_and_told(marks: str) -> None:
    score = read(part(note(71, 8, marks)), names=["Violin"])
    assert pitches(score) == [71]
    assert len(score.warnings) == 1 and score.warnings[0].startswith("Bar 1: the harmonic is read at the pitch")


@pytest.mark.parametrize("name", ["Piano", "Flute", "Drumset"])
def test_diamonds_of_others_are_notes(name: str) -> None:
    score = read(part(chord((62, ""), (67, DIAMOND))), names=[name])
    assert len(score.notes) == 2 and not score.warnings


def test_a_diamond_that_stands_alone_or_far_away_is_a_note() -> None:
    assert violin(note(71, 8, DIAMOND)) == [71]
    assert violin(chord((60, ""), (66, DIAMOND))) == [60, 66]
