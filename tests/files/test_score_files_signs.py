"""MusicXML: repeat signs, endings and the words and signs for jumps."""

from __future__ import annotations

import pytest
from musicxml_text import (
    CLOSES,
    OPENS,
    barline,
    document,
    ending,
    note,
    part,
    words,
)

from scoresep.files.score_files import parse_score
from scoresep.files.score_files.signs import ending_numbers, marks_in_words
from scoresep.model.score import Mark, Score


def read(*parts: str, **options: object) -> Score:
    return parse_score(document(*parts, **options), "test.musicxml")  # type: ignore[arg-type]


def test_repeat_signs_endings_and_times() -> None:
    times = barline('<repeat direction="backward" times="3"/>')
    score = read(
        part(
            OPENS + note(60),
            ending("1, 2", "start") + note(61),
            note(62) + ending("1, 2", "stop", closes=True),
            ending("3", "start") + note(63) + ending("3", "discontinue"),
            note(64) + times,
        )
    )
    assert [m.endings for m in score.measures] == [(), (1, 2), (1, 2), (3,), ()]
    assert [m.repeat_passes for m in score.measures] == [0, 0, 2, 0, 3]
    assert [m.starts_repeat for m in score.measures] == [True, False, False, False, False]


def test_signs_at_the_wrong_bar_line() -> None:
    score = read(
        part(
            note(60) + barline('<repeat direction="forward"/>'),
            note(61),
            barline('<repeat direction="backward"/>', "left") + note(62),
            note(63),
        )
    )
    assert [m.starts_repeat for m in score.measures] == [False, True, False, False]
    assert [m.repeat_passes for m in score.measures] == [0, 2, 0, 0]


def test_an_ending_that_never_stops() -> None:
    score = read(
        part(note(60), ending("1", "start") + note(61), note(62) + CLOSES, ending("2", "start") + note(63), note(64))
    )
    assert [m.endings for m in score.measures] == [(), (1,), (1,), (2,), ()]


def test_marks_from_words_signs_and_sounds() -> None:
    sign = "<direction><direction-type><segno/></direction-type></direction>"
    score = read(
        part(
            note(60) + sign,  # at the end: stands at the start of the next bar
            note(61) + words("To Coda", 'tocoda="coda"'),
            note(62) + words("D.S. al Coda", 'dalsegno="segno"'),
            '<direction><direction-type><coda/></direction-type><sound coda="coda"/></direction>' + note(63),
            note(64) + words("Fine", 'fine="yes"'),
        )
    )
    assert [m.marks for m in score.measures] == [
        (), (Mark.SEGNO, Mark.TO_CODA), (Mark.DAL_SEGNO_AL_CODA,), (Mark.CODA,), (Mark.FINE,),
    ]  # fmt: skip


def test_of_two_bare_coda_signs_the_first_means_to_coda() -> None:
    sign = "<direction><direction-type><coda/></direction-type></direction>"
    score = read(part(note(60) + sign, note(61) + words("D.C."), sign + note(62)))
    assert [m.marks for m in score.measures] == [(Mark.TO_CODA,), (Mark.DA_CAPO,), (Mark.CODA,)]


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("D.C. al Fine", (Mark.DA_CAPO_AL_FINE,)),
        ("Da Capo", (Mark.DA_CAPO,)),
        ("D. S. al Coda", (Mark.DAL_SEGNO_AL_CODA,)),
        ("Menuetto D.C.", (Mark.DA_CAPO,)),
        ("dal segno al fine", (Mark.DAL_SEGNO_AL_FINE,)),
        ("D.C. al Fine e poi la Coda", (Mark.DA_CAPO_AL_CODA,)),
        ("FINE", (Mark.FINE,)),
        ("Fine.", (Mark.FINE,)),
        ("To Coda", (Mark.TO_CODA,)),
        ("Coda", (Mark.CODA,)),
        ("con fine espressione", ()),
        ("dolce", ()),
        ("", ()),
    ],
)
def test_words(text: str, marks: tuple[Mark, ...]) -> None:
    assert marks_in_words(text) == marks


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1", (1,)),
        ("1, 2", (1, 2)),
        ("1-3", (1, 2, 3)),
        ("1.2.", (1, 2)),
        ("2 & 4", (2, 4)),
        ("", ()),
        ("0", ()),
        ("9999", ()),
    ],
)
def test_ending_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert ending_numbers(text) == numbers
