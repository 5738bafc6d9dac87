"""Signs that repeat bars and beats: bars left empty under them sound, notes that are written out win."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from musicxml_reading import pitches, read, sounding
from musicxml_text import FOUR_FOUR, note, part

from scoresep.files.scores.raw import RawMeasure, RawNote, RawPart
from scoresep.files.scores.sign_placing import BarRepeat, repeat_bars

REST = '<note><rest measure="yes"/><duration>8</duration></note>'
BACK = "<backup><duration>8</duration></backup>"
A, B = "".join(note(m, 2) for m in (60, 62, 64, 65)), note(72, 4) + note(74, 4)
PA, PB = [60, 62, 64, 65], [72, 74]


def sign(kind: str, bars: str = "1", staff: str = "", tag: str = "measure-repeat", more: str = "") -> str:
    return f"<attributes><measure-style{staff}><{tag} type='{kind}' {more}>{bars}</{tag}></measure-style></attributes>"


@pytest.mark.parametrize("empty", [REST, note(None, 8), "", "<forward><duration>8</duration></forward>"])
def test_one_bar_repeated_over_bars_left_empty(empty: str) -> None:
    score = read(part(A, sign("start") + empty, empty, sign("stop", "") + B, REST))
    assert pitches(score) == PA * 3 + PB
    assert [m.duration_quarter for m in score.measures] == [4] * 5 and not score.warnings
    assert [row[2] for row in sounding(score)[:12]] == list(range(12))


@pytest.mark.parametrize("bars", [2, 4])
def test_several_bars_under_one_sign(bars: int) -> None:
    music = [A, B, note(80), note(81)][:bars]
    expected = (PA + PB + [80, 81])[: [0, 0, 6, 0, 8][bars]]
    empties = [REST] * bars
    start = sign("start", str(bars), more=f'slashes="{bars}"')
    score = read(part(*music, start + REST, *empties[1:], *empties, sign("stop") + note(50)))
    assert pitches(score) == expected * 3 + [50]


def test_the_number_of_slashes_tells_where_the_text_does_not() -> None:
    score = read(part(A, B, sign("start", "", more='slashes="2"') + REST, REST, sign("stop") + note(50)))
    assert pitches(score) == PA + PB + PA + PB + [50]


def test_notes_written_out_win() -> None:
    written = part(A, sign("start") + A, B, REST, sign("stop") + note(50))
    assert pitches(read(written)) == PA + PA + PB + PB + [50]
    conforming = part(A, sign("start") + A, A, sign("stop") + REST, note(50))
    assert pitches(read(conforming)) == PA * 3 + [50]


def test_a_sign_without_end_ends_with_the_bars_left_empty() -> None:
    assert pitches(read(part(A, sign("start") + REST, REST))) == PA * 3
    assert pitches(read(part(A, sign("start") + REST, B, REST))) == PA * 2 + PB


def test_every_bar_may_bear_its_own_start() -> None:
    assert pitches(read(part(A, sign("start") + REST, sign("start") + REST, B + sign("stop")))) == PA * 3 + PB


def test_a_stop_at_the_end_of_the_last_bar_and_one_at_once() -> None:
    assert pitches(read(part(A, sign("start") + REST + sign("stop"), REST, B))) == PA * 2 + PB
    assert pitches(read(part(A, sign("start") + sign("stop") + REST, REST, B))) == PA * 2 + PB
    assert pitches(read(part(A, sign("start") + REST, sign("stop") + sign("start", "2") + REST, REST, B))) == (
        PA * 4 + PB
    )


def test_a_sign_on_one_staff_or_on_all() -> None:
    two = FOUR_FOUR.replace("</attributes>", "<staves>2</staves></attributes>")
    both = note(72, 8, "<staff>1</staff>") + BACK + note(48, 8, "<staff>2</staff>")
    upper = note(76, 8, "<staff>1</staff>")
    one = read(
        part(both, sign("start", staff=" number='2'") + upper, sign("stop", staff=" number='2'") + REST, attributes=two)
    )
    assert sorted(p or 0 for p in pitches(one)) == [48, 48, 72, 76]
    all_staves = read(part(both, sign("start") + REST, sign("stop") + REST, attributes=two))
    assert sorted(p or 0 for p in pitches(all_staves)) == [48, 48, 72, 72]


def test_what_cannot_be_repeated_is_told() -> None:
    three = "<attributes><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    first = read(part(sign("start") + REST, sign("stop") + A))
    other = read(part(A, three + sign("start") + REST, sign("stop") + note(60, 6)))
    for score, bar in ((first, 1), (other, 2)):
        assert [w.startswith(f"Bar {bar}: the sign that repeats") for w in score.warnings] == [True]


def test_ties_inside_a_repeated_bar_and_none_across() -> None:
    inside = note(60, 4, '<tie type="start"/>') + note(60, 4, '<tie type="stop"/>')
    assert sounding(read(part(inside, sign("start") + REST, sign("stop") + REST))) == [(0, 60, 0, 4), (0, 60, 4, 4)]
    into = read(part(note(60, 8, '<tie type="start"/>'), note(60, 8, '<tie type="stop"/>'), sign("start") + REST))
    assert sounding(into) == [(0, 60, 0, 8), (0, 60, 8, 4)]


def test_drums_and_transposed_notes_are_repeated_as_they_sound() -> None:
    down = "<attributes><transpose><chromatic>-2</chromatic></transpose></attributes>"
    assert pitches(read(part(down + A, sign("start") + REST, sign("stop") + REST))) == [p - 2 for p in PA] * 2


def test_a_beat_repeated() -> None:
    beat = note(60, 1) + note(62, 1)
    start, stop = (sign(kind, "", tag="beat-repeat", more='slashes="1"') for kind in ("start", "stop"))
    score = read(part(beat + start + note(None, 2) + note(None, 2) + stop + note(67, 2)))
    assert [(r[1], r[2]) for r in sounding(score)] == [
        (60, 0), (62, 0.5), (60, 1), (62, 1.5), (60, 2), (62, 2.5), (67, 3),
    ]  # fmt: skip
    assert pitches(read(part(beat + start + beat + beat + stop + note(67, 2)))) == [60, 62] * 3 + [67]


def test_slash_notation_over_empty_bars_is_told_and_written_notes_are_read() -> None:
    start, stop = (sign(kind, "", tag="slash") for kind in ("start", "stop"))
    score = read(part(A, start + REST, REST, stop + B))
    assert pitches(score) == PA + PB
    assert len(score.warnings) == 1 and score.warnings[0].startswith("Bars 2-3: the slash notation")
    assert not read(part(A, start + B, stop + A)).warnings
    heads = read(part(note(71, 8, "<notehead>slash</notehead>")))
    assert pitches(heads) == [71] and heads.warnings[0].startswith("Bar 1: notes with slashes for heads")


@given(
    st.lists(st.lists(st.integers(40, 80), max_size=4), min_size=1, max_size=8),
    st.integers(1, 3),
    st.integers(0, 8),
)
def test_under_signs_every_empty_bar_is_the_one_so_many_bars_before(
    bars: list[list[int]], count: int, first: int
) -> None:
    part_ = RawPart("x", measures=[RawMeasure(str(i), (4, 4), 4.0) for i in range(len(bars))])
    part_.notes = [RawNote(i, float(k), 1.0, float(m)) for i, bar in enumerate(bars) for k, m in enumerate(bar)]
    repeat_bars(part_, [BarRepeat(first, len(bars), count)])
    played = [[n.pitch_midi for n in part_.notes if n.measure_index == i] for i in range(len(bars))]
    for i, bar in enumerate(bars):
        is_filled = i >= first and not bar and i >= count
        assert played[i] == (played[i - count] if is_filled else bar)
