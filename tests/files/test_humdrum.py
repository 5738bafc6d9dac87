"""Humdrum: every token that sounds, in its bar, and the order of playing that the file lists."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoresep.errors import ScoreFileError
from scoresep.files.scores import parse_score
from scoresep.files.scores.humdrum import note_token, read_spines
from scoresep.model.path import performance_path, unfold
from scoresep.model.score import Mark, PerformancePath, Score

Sounding = tuple[int, float, float, float]  # part, onset, pitch, duration in quarters; pitch -1 where there is none


@pytest.fixture(scope="module", autouse=True)
def _in_this_process(in_this_process: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    with in_this_process():
        yield


def kern(text: str) -> str:
    """Write a file of lines in which `~` parts the spines."""
    return "\n".join(line.strip().replace("~", "\t") for line in text.strip().splitlines()) + "\n"


def read(text: str) -> Score:
    return parse_score(kern(text).encode(), "x.krn")


def one(lines: str, opening: str = "*clefG2\n*M4/4") -> str:
    """Write a file of one spine."""
    return f"**kern\n{opening}\n{lines}\n==\n*-"


def played(score: Score, path: PerformancePath | None = None) -> list[Sounding]:
    n = unfold(score, path or performance_path(score)[0]).notes
    columns = zip(n.part_index, n.onset_quarter, n.pitch_midi, n.duration_quarter, strict=True)
    return sorted(
        (int(p), round(float(q), 4), -1.0 if math.isnan(m) else float(m), round(float(d), 4)) for p, q, m, d in columns
    )


def bar_numbers(score: Score) -> list[str]:
    return [score.measures[i].number for i in performance_path(score)[0].measure_indices]


TWO_PARTS = """!!!OTL: A piece
!!!COM: Somebody
**kern~**kern~**text
*I"Cello~*Ivioln~*
*M4/4~*M4/4~*
4C~4cc~la
=1~=1~=1
[1D~2dd~la
.~4ee~.
.~8ff~.
.~8gg~.
=2:|!~=2:|!~=2:|!
2D]~2.cc~la
4E 4G~.~.
==~==~==
*-~*-~*-
"""


def test_parts_from_the_highest_down() -> None:
    score = read(TWO_PARTS)
    assert [(p.name, p.instrument.program) for p in score.parts] == [("Violin", 40), ("Cello", 42)]
    assert (score.title, score.composer) == ("A piece", "Somebody") and not score.warnings
    assert score.measures[0].lead_quarter == 3
    assert [m.repeat_passes for m in score.measures] == [0, 2, 0]
    straight = [r for r in played(score) if r[1] >= 5]  # the repeat without an opening sign goes back to the beginning
    assert (0, 5, 72.0, 1) in straight and (1, 5, 48.0, 1) in straight
    assert (1, 6, 50.0, 6) in straight  # tied over the bar line
    assert {(1, 12, 52.0, 1), (1, 12, 55.0, 1)} <= set(straight)


def test_names() -> None:
    text = '**kern~**dynam~**kern~**kern\n*I:[BASSO]~*~*Icant~*I"Violino II\n4c~.~4d~4e\n*-~*-~*-~*-'
    names = [s.name for s in read_spines(kern(text).splitlines(), "x").spines if s.kind == "**kern"]
    assert names == ["Basso", "Cantus", "Violino II"]
    assert [p.name for p in read(text).parts] == ["Violino II", "Cantus", "Basso"]


@pytest.mark.parametrize(("token", "pitch"), [
    ("4c", 60), ("4cc", 72), ("4ccc", 84), ("4C", 48), ("4CC", 36), ("8B-/L", 58), ("8ff##J", 79), ("4bn", 71),
    ("2.A--", 55), ("4A/-", 56), ("(>16ee-Jk", 75), ("8qgg#", 80),
])  # fmt: skip
def test_pitches_of_tokens(token: str, pitch: float) -> None:
    read_token = note_token(token)
    assert read_token is not None and read_token.pitch_midi == pitch


def test_rests_are_no_notes_and_unpitched_notes_have_no_pitch() -> None:
    assert note_token("4r") is None and note_token(".") is None and note_token("4ggr") is None
    unpitched = note_token("4Re")
    assert unpitched is not None and math.isnan(unpitched.pitch_midi)


# What stands in a spine, and what of it sounds.
SPINES: dict[str, tuple[str, list[tuple[float, float, float]]]] = {
    "repeated accidentals": ("=1\n4b-\n4b-\n4f#\n4f#", [(0, 70, 1), (1, 70, 1), (2, 66, 1), (3, 66, 1)]),
    "rests with a place": ("=1\n4c\n4ggr\n4ryy\n4d", [(0, 60, 1), (3, 62, 1)]),
    "grace notes": ("=1\n8qd\n4c\n16qqe\n16qqf\n4d\n2e",
                    [(0, 60, 1), (0, 62, 0), (1, 62, 1), (1, 64, 0), (1, 65, 0), (2, 64, 2)]),
    "rational and long values": ("=1\n3%2c\n3%2d\n3%2e\n=2\n0.c",
                                 [(0, 60, 2.6667), (2.6667, 62, 2.6667), (5.3333, 64, 2.6667), (8, 60, 12)]),
    "tuplets": ("=1\n6c\n6d\n6e\n12c\n12d\n12e\n4f",
                [(0, 60, 0.6667), (0.6667, 62, 0.6667), (1.3333, 64, 0.6667), (2, 60, 0.3333), (2.3333, 62, 0.3333),
                 (2.6667, 64, 0.3333), (3, 65, 1)]),
    "ties in chords": ("=1\n2c\n[2d 2f[\n=2\n1d] 1f]", [(0, 60, 2), (2, 62, 6), (2, 65, 6)]),
    "transposing instrument": ("*ITrd1c2\n=1\n1c", [(0, 60, 4)]),
    "transposed data": ("*Trd1c2\n=1\n1d", [(0, 60, 4)]),
    "octave line and clef": ("*clefGv2\n=1\n*8va\n2cc\n*X8va\n2c", [(0, 72, 2), (2, 60, 2)]),
    "percussion": ("*clefX\n=1\n2Re\n2Rb", [(0, -1, 2), (2, -1, 2)]),
    "tremolo as it is played": ("*tremolo\n=1\n16cLL@@16@@\n16e\n16c\n16eJJ\n4d\n2e\n*Xtremolo",
                                [(0, 60, 0.25), (0.25, 64, 0.25), (0.5, 60, 0.25), (0.75, 64, 0.25), (1, 62, 1),
                                 (2, 64, 2)]),
    "a viewer's filter": ("!!!filter: transpose -t P8\n=1\n1c", [(0, 60, 4)]),
}  # fmt: skip


@pytest.mark.parametrize("content", SPINES)
def test_what_stands_in_a_spine(content: str) -> None:
    lines, right = SPINES[content]
    score = read(one(lines))
    assert [(q, m, d) for _, q, m, d in played(score)] == right and not score.warnings


def test_spines_that_split_and_split_again() -> None:
    score = read("""
        **kern~**kern
        *clefF4~*clefG2
        *M4/4~*M4/4
        =1~=1
        *~*^
        2C~2c~2d
        *~*~*^
        2E~2e~2f~2a
        *~*v~*v~*v
        =2~=2
        *^~*
        2F~2G~1g
        2A~2B~.
        *v~*v~*
        ==~==
        *-~*-
    """)
    assert played(score) == [
        (0, 0, 60, 2), (0, 0, 62, 2), (0, 2, 64, 2), (0, 2, 65, 2), (0, 2, 69, 2), (0, 4, 67, 4),
        (1, 0, 48, 2), (1, 2, 52, 2), (1, 4, 53, 2), (1, 4, 55, 2), (1, 6, 57, 2), (1, 6, 59, 2),
    ]  # fmt: skip


def test_spines_that_change_places_and_that_come_later() -> None:
    exchanged = read("**kern~**kern\n*M4/4~*M4/4\n=1~=1\n2C~2c\n*x~*x\n2e~2E\n==~==\n*-~*-")
    assert played(exchanged) == [(0, 0, 60, 2), (0, 2, 64, 2), (1, 0, 48, 2), (1, 2, 52, 2)]
    added = read("**kern\n*M4/4\n=1\n*+\n*~**kern\n1c~1e\n=2~=2\n1c~1f\n==~==\n*-~*-")
    assert played(added) == [(0, 0, 64, 4), (0, 4, 65, 4), (1, 0, 60, 4), (1, 4, 60, 4)]


def test_notes_that_reach_over_the_bar_line_keep_their_length_and_their_followers_their_place() -> None:
    bars = "=1~=1\n2c~2C\n1d~2D\n=2~=2\n.~2E\n2e~2F\n=3~=3\n1f~1G"
    score = read(f"**kern~**kern\n*M4/4~*M4/4\n{bars}\n==~==\n*-~*-")
    assert [r[1:] for r in played(score) if r[0] == 1] == [(0, 60, 2), (2, 62, 4), (6, 64, 2), (8, 65, 4)]
    assert [r[1:] for r in played(score) if r[0] == 0] == [(0, 48, 2), (2, 50, 2), (4, 52, 2), (6, 53, 2), (8, 55, 4)]


def test_breves_longs_and_maximas() -> None:
    assert [d for *_, d in played(read(one("=1\n0c\n=2\n00d\n=3\n000e", "*M4/2")))] == [8, 16, 32]


def test_spines_that_do_not_add_up_go_on_together_in_the_next_bar() -> None:
    score = read("**kern~**kern\n*M4/4~*M4/4\n=1~=1\n1c~2e\n=2~=2\n1c~1e\n==~==\n*-~*-")
    together = PerformancePath((0, 1), keeps_bars_together=True)
    assert [r[1] for r in played(score, together)] == [0, 4, 0, 4] and score.warnings


def test_of_several_pieces_in_a_file_the_first_is_read_and_said_to_be() -> None:
    score = read(one("=1\n1c") + "\n" + one("=1\n1d"))
    assert [r[2] for r in played(score)] == [60] and score.warnings == (
        "The file holds 2 pieces; the first one is read.",
    )


# ------------------------------------------------------------------------------------------------- order of playing

A_B = "*>A\n=1\n1c\n=2\n1d\n*>B\n=3\n1e\n=4\n1f"


def test_the_order_that_a_list_states() -> None:
    score = read(one(A_B, "*>[A,A,B]\n*>norep[A,B]\n*M4/4"))
    assert bar_numbers(score) == ["1", "2", "1", "2", "3", "4"] and score.stated_order == (0, 1, 0, 1, 2, 3)
    assert not read(one(A_B, "*M4/4")).stated_order
    assert not read(one(A_B, "*>norep[A,B]\n*M4/4")).stated_order


def test_a_list_counts_more_than_repeat_signs() -> None:
    lines = "*>A\n=1\n1c\n*>A1\n=2\n1d\n=3:|!\n*>A2\n1e\n*>B\n=4\n1f"
    assert bar_numbers(read(one(lines, "*>[A,A1,A,A2,B]\n*M4/4"))) == ["1", "2", "1", "3", "4"]


def test_repeat_signs_and_a_bar_that_one_divides() -> None:
    score = read(one("=1\n2c\n=:|!|:\n2d\n=2\n1e\n=3:|!\n1f", "*M4/4"))
    assert bar_numbers(score) == ["1", "1", "1", "2", "1", "2", "3"]
    assert [m.starts_repeat for m in score.measures] == [False, True, False, False]


def test_jumps_in_words() -> None:
    score = read(one("=1\n1c\n=2\n!LO:TX:t=Fine\n1d\n=3\n!LO:TX:t=D.C. al Fine\n1e", "*M4/4"))
    assert [m.marks for m in score.measures] == [(), (Mark.FINE,), (Mark.DA_CAPO_AL_FINE,)]


def test_tempi_are_those_of_the_file_and_no_others() -> None:
    score = read(one("*MM90\n=1\n2c\n*MM60\n2d", "*M4/4"))
    assert [(t.start_quarter, t.quarters_per_minute) for t in score.tempo_marks] == [(0, 90), (2, 60)]
    assert not read(one("=1\n1c\n=2\n1d", "*M4/4")).tempo_marks
    later = read(one("=1\n1c\n=2\n*MM60\n1d", "*M4/4"))
    assert [(t.start_quarter, t.quarters_per_minute) for t in later.tempo_marks] == [(4, 60)]


@pytest.mark.parametrize("text", [
    "**kern~**kern\n4c~4d\n4e\n*-~*-",
    "**mens\n*clefC3\nSc\n*-",
    "**text\nla\n*-",
    "nothing of the kind",
])  # fmt: skip
def test_what_is_no_score_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ScoreFileError, match=r"'x\.krn'.*\.$"):
        read(text)


# ------------------------------------------------------------------------------------------------ laws of all files

_TOKENS = st.lists(
    st.builds(
        lambda step, octave, sign: (step * octave if octave > 0 else step.upper() * -octave) + sign,
        st.sampled_from("abcdefg"),
        st.sampled_from([-2, -1, 1, 2]),
        st.sampled_from(["", "#", "-", "n"]),
    ),
    min_size=1,
    max_size=3,
    unique=True,
)
_VALUES = st.sampled_from(["2", "4", "4.", "8", "16", "6", "12"])
_SPINE = st.lists(st.tuples(_VALUES, st.one_of(st.just(["r"]), _TOKENS)), min_size=1, max_size=6)


def _quarters(value: str) -> Fraction:
    return Fraction(4, int(value.rstrip("."))) * (Fraction(3, 2) if value.endswith(".") else 1)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_SPINE, _SPINE)
def test_every_token_sounds_where_its_values_put_it(
    low: list[tuple[str, list[str]]], high: list[tuple[str, list[str]]]
) -> None:
    """Lay two spines of any values out on lines, and read them back: by the arithmetic of the tokens alone."""
    events: dict[Fraction, list[str]] = {}
    right: list[Sounding] = []
    length = max(sum((_quarters(value) for value, _ in spine), Fraction(0)) for spine in (low, high))
    for column, spine in enumerate((low, high)):
        at = Fraction(0)
        for value, names in spine:
            events.setdefault(at, [".", "."])[column] = " ".join(value + name for name in names)
            for name in names:
                token = note_token(value + name)
                if token is not None:
                    right.append((1 - column, round(float(at), 4), token.pitch_midi, round(float(_quarters(value)), 4)))
            at += _quarters(value)
        if at < length:  # both spines fill the bar
            rest = length - at
            events.setdefault(at, [".", "."])[column] = f"{4 * rest.denominator}%{rest.numerator}r"
    lines = "\n".join("~".join(events[at]) for at in sorted(events))
    score = read(f"**kern~**kern\n*clefF4~*clefG2\n=1~=1\n{lines}\n==~==\n*-~*-")
    got = played(score, PerformancePath(tuple(range(len(score.measures))), keeps_bars_together=True))
    assert len(got) == len(right)
    for found, wanted in zip(got, sorted(right), strict=True):
        assert found == pytest.approx(wanted, abs=2e-3)


def test_it_sounds_as_verovio_plays_it() -> None:
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions({"breaks": "none", "expandNever": True})
    assert toolkit.loadData(kern(TWO_PARTS))
    toolkit.renderToMIDI()
    events = toolkit.renderToTimemap({})
    starts = sorted(
        round(event["qstamp"], 4)
        for event in (json.loads(events) if isinstance(events, str) else events)
        for _ in event.get("on", ())
    )
    score = read(TWO_PARTS)
    bars = [m.start_quarter for m in score.measures]
    written = [bars[m] + q for m, q in zip(score.notes.measure_index, score.notes.offset_quarter, strict=True)]
    assert sorted(written) == starts


@pytest.mark.parametrize("jump", ["*segno", "*Fine", "*D.C.", "*dalsegno", "*coda"])
def test_jumps_in_interpretations_are_told_since_they_are_not_played(jump: str) -> None:
    score = read(one(f"=1\n1c\n=2\n{jump}\n1d"))
    assert bar_numbers(score) == ["1", "2"]
    assert len(score.warnings) == 1
    assert f"{jump} (line 7)" in score.warnings[0]
