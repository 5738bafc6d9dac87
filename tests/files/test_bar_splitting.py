"""Bars that signs divide: music with upbeats, its repeats, endings and fines; nothing of the notes is lost by it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from musicxml_text import OPENS, SECOND_HALF, barline, document, ending, note, part, tie, words

from scoresep.files.scores import parse_score
from scoresep.model.path import performance_path, unfold
from scoresep.model.score import Score, UnfoldedScore

BACK, FORTH = '<repeat direction="backward"/>', '<repeat direction="forward"/>'
PICKUP = '@implicit="yes"|'


def quarters(*pitches: int) -> str:
    return "".join(note(p, 2) for p in pitches)


def inside(content: str, style: str = "light-heavy") -> str:
    return barline(f"<bar-style>{style}</bar-style>{content}", "middle")


def read(*parts: str) -> Score:
    return parse_score(document(*parts), "test.musicxml")


def played(score: Score) -> UnfoldedScore:
    return unfold(score, performance_path(score)[0])


def pitches(score: Score, part_index: int = 0) -> list[int]:
    notes = played(score).notes
    assert not score.warnings
    return [int(p) for p in notes.pitch_midi[notes.part_index == part_index]]


def test_repeats_before_upbeats() -> None:
    score = read(
        part(quarters(60, 60, 60, 60), quarters(62, 62, 62) + inside(BACK) + quarters(64), quarters(65, 65, 65))
    )
    assert [m.number for m in score.measures] == ["1", "2", "2", "3"]
    assert [m.duration_quarter for m in score.measures] == [4, 3, 1, 3]
    assert [m.lead_quarter for m in score.measures] == [0, 0, 3, 0]
    assert pitches(score) == [60, 60, 60, 60, 62, 62, 62] * 2 + [64, 65, 65, 65]
    assert np.diff(played(score).notes.onset_quarter).tolist() == [1.0] * 17


def test_upbeat_at_the_start_and_signs_that_open_inside() -> None:
    score = read(
        part(
            PICKUP + quarters(60),
            quarters(62, 62, 62) + inside(BACK) + inside(FORTH) + quarters(64),
            quarters(65, 65, 65) + barline(BACK),
        )
    )
    assert pitches(score) == [60, 62, 62, 62] * 2 + [64, 65, 65, 65] * 2
    assert [m.lead_quarter for m in score.measures] == [3, 0, 3, 0]
    assert played(score).notes.beat.tolist() == [4, 1, 2, 3] * 4


def test_a_line_without_a_location_is_where_it_stands_if_notes_follow() -> None:
    inner = f"<barline>{BACK}</barline>"
    assert pitches(read(part(quarters(60, 61) + inner + quarters(62, 63)))) == [60, 61, 60, 61, 62, 63]
    two_voices = quarters(60, 61, 62, 63) + SECOND_HALF + note(50, 2, "<voice>2</voice>") + inner
    assert pitches(read(part(two_voices))).count(60) == 2


def test_endings_inside_a_bar() -> None:
    first = barline('<ending number="1" type="start"/>', "middle")
    stop = barline(f'<ending number="1" type="stop"/>{BACK}', "middle")
    second = barline('<ending number="2" type="start"/>', "middle")
    score = read(
        part(
            OPENS + quarters(60, 60, 60, 60),
            quarters(61, 61) + first + quarters(62) + stop + second + quarters(63),
            quarters(64),
        )
    )
    assert pitches(score) == [60, 60, 60, 60, 61, 61, 62, 60, 60, 60, 60, 61, 61, 63, 64]


@pytest.mark.parametrize(
    "fine",
    [
        quarters(62, 62, 62) + words("Fine") + inside("", "light-light"),
        quarters(62, 62, 62) + words("Fine", 'fine="yes"'),
        quarters(62, 62, 62) + words("Fine"),  # the upbeat at the start tells where
        quarters(62, 62) + words("Fine") + quarters(62),  # above the last note
    ],
)
def test_a_fine_before_an_upbeat(fine: str) -> None:
    score = read(part(PICKUP + quarters(60), fine + quarters(64), quarters(65, 65, 65) + words("D.C. al Fine")))
    assert pitches(score) == [60, 62, 62, 62, 64, 65, 65, 65, 60, 62, 62, 62]


def test_a_fine_above_the_last_note_of_a_whole_bar_leaves_it_whole() -> None:
    score = read(
        part(quarters(60, 61, 62) + words("Fine") + quarters(63), quarters(64, 65, 66, 67) + words("D.C. al Fine"))
    )
    assert pitches(score) == [60, 61, 62, 63, 64, 65, 66, 67, 60, 61, 62, 63]
    held = part(note(48, 8), note(50, 8))  # a note goes on past the place: it is not there that the piece ends
    stated = part(
        quarters(60, 61) + words("Fine", 'fine="yes"') + quarters(62, 63), quarters(64, 65, 66, 67) + words("D.C.")
    )
    assert pitches(read(stated, held)) == [60, 61, 62, 63, 64, 65, 66, 67, 60, 61, 62, 63]


def test_a_segno_in_a_bar_line_inside() -> None:
    segno, double = barline("<segno/>", "middle"), inside("", "light-light")
    score = read(
        part(
            quarters(60, 60, 60, 60),
            quarters(61, 61, 61) + segno + quarters(62),
            quarters(63, 63, 63) + words("D.S.") + double + quarters(64),
        )
    )
    assert pitches(score) == [60, 60, 60, 60, 61, 61, 61, 62, 63, 63, 63, 62, 63, 63, 63, 64]


def test_all_parts_are_divided_where_one_is() -> None:
    divided = part(quarters(60, 60, 60, 60), quarters(62, 62, 62) + inside(BACK) + quarters(64))
    plain = part(quarters(50, 50, 50, 50), quarters(51, 51, 51, 52))
    for parts in ((divided, plain), (plain, divided)):
        score = read(*parts)
        assert not score.own_durations and len(played(score).notes) == 2 * 15
    rests = part(note(50, 8), '<note><rest measure="yes"/><duration>8</duration></note>')
    assert pitches(read(divided, rests), 1) == [50, 50]


def test_notes_across_the_place_stay_whole_and_end_where_the_music_leaves() -> None:
    divided = part(quarters(60, 60, 60, 60), quarters(62, 62, 62) + inside(BACK) + quarters(64))
    score = read(divided, part(note(50, 8), note(52, 8)))
    notes = played(score).notes
    low = notes.pitch_midi < 55
    assert notes.duration_quarter[low].tolist() == [4.0, 3.0, 4.0, 4.0]
    tied = read(
        part(quarters(61, 61) + note(62, 2, tie("start")) + inside(BACK) + note(62, 2, tie("stop")), quarters(63))
    )
    assert played(tied).notes.duration_quarter.tolist() == [1, 1, 1, 1, 1, 2, 1]


LENGTHS = st.lists(st.integers(1, 4), min_size=1, max_size=8)


@given(LENGTHS, st.integers(0, 8), st.booleans())
def test_a_place_where_nothing_is_repeated_changes_no_note(lengths: list[int], after: int, is_tied: bool) -> None:
    """A repeat sign that is played once divides a bar, and a plain double line does not; both leave all as it was."""
    notes = [note(60 + i, n, tie("start", "stop") if is_tied and i else "") for i, n in enumerate(lengths)]
    place = min(after, len(notes))

    def score(line: str) -> UnfoldedScore:
        return played(read(part("".join([*notes[:place], line, *notes[place:]]), quarters(70, 71))))

    plain, double = score(""), score(inside("", "light-light"))
    once = score(inside('<repeat direction="backward" times="1"/>'))
    for other in (double, once):
        assert np.array_equal(plain.notes.pitch_midi, other.notes.pitch_midi)
        assert plain.notes.onset_quarter == pytest.approx(other.notes.onset_quarter)
        assert plain.notes.duration_quarter == pytest.approx(other.notes.duration_quarter)
        assert plain.notes.beat == pytest.approx(other.notes.beat)
    is_divided = 0 < sum(Fraction(n, 2) for n in lengths[:place]) < sum(Fraction(n, 2) for n in lengths)
    assert len(once.score.measures) == 2 + is_divided and len(double.score.measures) == 2


def test_an_ending_whose_bracket_breaks_off_goes_on_to_the_repeat_sign() -> None:
    score = read(
        part(
            OPENS + note(60),
            ending("1", "start") + note(61) + ending("1", "discontinue"),
            note(62) + barline(BACK),
            ending("2", "start") + note(63) + ending("2", "discontinue"),
            note(64),
        )
    )
    assert [m.endings for m in score.measures] == [(), (1,), (1,), (2,), ()]
    assert pitches(score) == [60, 61, 62, 60, 63, 64]
