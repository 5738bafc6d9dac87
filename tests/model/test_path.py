"""The order of playing, against what players do, and the notes along it."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_scores import Row, scale_score, score_of

from scoresep.model.path import PathChoices, performance_path, repeat_sites, unfold
from scoresep.model.repeats import find_repeats
from scoresep.model.score import Mark, Measure, PerformancePath, Score, WrittenNotes


def bars(text: str) -> Score:
    """Make a score of one line: bars divided by spaces, each with what applies to it.

    ``|:`` opens, ``:|`` closes, ``:|3`` closes and is played three times, ``[1,2`` starts an ending that goes on until
    the next ``[`` or ``]``, and names of marks follow a ``@``, several joined by ``+``.
    """
    measures: list[Measure] = []
    endings: tuple[int, ...] = ()
    for i, token in enumerate(text.split()):
        names = [n.replace("_", " ") for found in re.findall(r"@([a-z_+]+)", token) for n in found.split("+")]
        body = re.sub(r"@[a-z_+]+", "", token)
        if found := re.search(r"\[([\d,]+)", body):
            endings = tuple(int(n) for n in found.group(1).split(","))
        closes = re.search(r":\|(\d*)", body)
        passes = int(closes.group(1) or "2") if closes else 0
        marks = tuple(Mark(n) for n in names)
        opens = body.startswith("|:")
        measures.append(
            Measure(
                i, str(i + 1), 4.0 * i, 4.0, starts_repeat=opens, repeat_passes=passes, endings=endings, marks=marks
            )
        )
        if "]" in body:
            endings = ()
    rows: list[Row] = [(0, i, 0.0, 4.0, 60.0 + i % 40) for i in range(len(measures))]
    return replace(score_of(rows, len(measures), ["Violin"]), measures=tuple(measures))


def order(text: str, **choices: Any) -> str:
    """The bars played, counted from 1."""
    path, _ = performance_path(bars(text), PathChoices(**choices))
    return " ".join(str(i + 1) for i in path.measure_indices)


def warnings_of(text: str) -> tuple[str, ...]:
    return performance_path(bars(text))[1]


# ---------------------------------------------------------------------------------------------------- repeats


@pytest.mark.parametrize(
    ("text", "played"),
    [
        ("x x x", "1 2 3"),
        ("|:x x:| x", "1 2 1 2 3"),
        ("x x:| x x:|", "1 2 1 2 3 4 3 4"),
        ("x |:x x:|4 x", "1 2 3 2 3 2 3 2 3 4"),
        ("|:x:| |:x:|", "1 1 2 2"),
        ("|:x [1x:|] [2x] x", "1 2 1 3 4"),
        ("|:x [1,2x:|] [3x] x", "1 2 1 2 1 3 4"),
        ("|:x [1x:|] [2x:|] [3x] x", "1 2 1 3 1 4 5"),
        ("|:x [1x x:|] [2x x] x", "1 2 3 1 4 5 6"),
        ("|:x [1x:|] x", "1 2 1 3"),  # the second ending needs no bracket
        ("|:x [1,2x:|] x", "1 2 1 2 1 3"),
        ("|:x [1,4,5x:|] [2x x:|] [3x:|]", "1 2 1 3 4 1 5 1 2 1 2"),
        ("|:x [1x:|3] [2x]", "1 2 1 2 1 3"),  # how often is written instead of all the numbers
        ("|:x |:x:| x:|", "1 2 2 3 1 2 2 3"),  # one inside the other
        ("|:x |:x [1x:|] [2x] x:| x", "1 2 3 2 4 5 1 2 3 2 4 5 6"),
        ("|:x [1x:|] [2x |:x:|] x", "1 2 1 3 4 4 5"),
        ("x [1x:|] [2x] x [1x:|] [2x] x", "1 2 1 3 4 5 4 6 7"),
        ("[2x] x", "1 2"),
    ],
)
def test_repeats(text: str, played: str) -> None:
    assert order(text) == played
    assert warnings_of(text) == ()


@pytest.mark.parametrize(
    ("text", "played", "told"),
    [
        ("x |:x x", "1 2 3", "never closed"),
        ("x [1,2,3x] [2x x:|] x", "1 2 3 4 1 2 3 4 5", "do not fit"),
        ("x [1x] [5x:|] x", "1 2 3 1 2 3 4", "do not fit"),
        ("|:x [1x:|] [3x] x", "1 2 1 3 4", "leave one out"),
        ("|:x [2x:|] [4x] x", "1 2 1 3 4", "leave one out"),
        ("x [1x] x", "1 2 3", "do not fit"),
    ],
)
def test_badly_formed_repeats_are_played_sensibly(text: str, played: str, told: str) -> None:
    assert order(text) == played
    (warning,) = warnings_of(text)
    assert told in warning and warning.endswith(".")


# ------------------------------------------------------------------------------------------------------ jumps


@pytest.mark.parametrize(
    ("text", "played"),
    [
        ("x x@fine x x@da_capo_al_fine", "1 2 3 4 1 2"),
        ("x x@fine x x@da_capo", "1 2 3 4 1 2"),  # players stop at the fine whatever is written
        ("x x@segno x@fine x@dal_segno_al_fine", "1 2 3 4 2 3"),
        ("x x@to_coda x@da_capo_al_coda x@coda x", "1 2 3 1 2 4 5"),
        ("x x@segno x@to_coda x@dal_segno_al_coda x@coda", "1 2 3 4 2 3 5"),
        ("x x@segno+to_coda x@dal_segno_al_coda x@coda x@fine x", "1 2 3 2 4 5"),
        ("x@fine x@to_coda x@da_capo_al_coda x@coda", "1 2 3 1 2 4"),  # not to the fine
        ("x@to_coda x@fine x@da_capo_al_fine x@coda", "1 2 3 1 2"),  # not to the coda
        ("|:x x@fine:| |:x x@da_capo_al_fine:|", "1 2 1 2 3 4 3 4 1 2"),
        ("|:x [1x:|] [2x@fine] x x@da_capo_al_fine", "1 2 1 3 4 5 1 3"),
        ("|:x x:| x@to_coda x@da_capo |:x@coda x:|", "1 2 1 2 3 4 1 2 3 5 6 5 6"),  # the coda is new: its repeats count
        ("x@fine x", "1 2"),
        ("x x@to_coda x x@coda", "1 2 3 4"),
        ("x@segno [1x@dal_segno] [2x]", "1 2 1 3"),  # endings that only the dal segno tells apart
        ("x x@segno x@dal_segno x@segno x@dal_segno x", "1 2 3 2 3 4 5 4 5 6"),
        ("x x@da_capo x", "1 2 1 2 3"),
    ],
)
def test_jumps(text: str, played: str) -> None:
    assert order(text) == played


def test_repeats_after_a_jump_are_taken_when_wanted() -> None:
    text = "|:x x:| x@fine x x@da_capo_al_fine"
    assert order(text) == "1 2 1 2 3 4 5 1 2 3"
    assert order(text, repeats_after_jump=True) == "1 2 1 2 3 4 5 1 2 1 2 3"
    assert order("|:x x@fine:| |:x:|@da_capo", repeats_after_jump=True) == "1 2 1 2 3 3 1 2 1 2"
    # a fine inside the passage ends the piece at once
    assert order("|:x x@fine [1x:|] [2x@da_capo_al_fine]", repeats_after_jump=True) == "1 2 3 1 2 4 1 2"


def test_jumps_may_be_left_out() -> None:
    assert order("x x@fine x@da_capo_al_fine x", takes_jumps=False) == "1 2 3 4"


@pytest.mark.parametrize(
    ("text", "played", "told"),
    [
        ("x x x@dal_segno", "1 2 3", "no segno"),
        ("x x@to_coda x@da_capo_al_coda", "1 2 3 1 2 3", "no coda"),
        ("x x@da_capo_al_fine x", "1 2 1 2 3", "no fine"),
    ],
)
def test_jumps_without_a_goal(text: str, played: str, told: str) -> None:
    assert order(text) == played
    assert any(told in w for w in warnings_of(text))


# ---------------------------------------------------------------------------------------------------- choices


def test_sites_and_skipping_them() -> None:
    text = "|:x x:| |:x [1x:|] [2x] |:x:|3"
    sites = repeat_sites(bars(text))
    assert [s.label for s in sites] == ["bars 1-2, 2 times", "bars 3-5, 2 times", "bar 6, 3 times"]
    assert [(s.first_measure, s.last_measure, s.closing_measure) for s in sites] == [(0, 1, 1), (2, 4, 3), (5, 5, 5)]
    assert order(text) == "1 2 1 2 3 4 3 5 6 6 6"
    assert order(text, skipped_repeats=frozenset({1})) == "1 2 3 4 3 5 6 6 6"
    assert order(text, skipped_repeats=frozenset({3})) == "1 2 1 2 3 5 6 6 6"
    assert order(text, skipped_repeats=frozenset(s.closing_measure for s in sites)) == "1 2 3 5 6"


def test_outer_repeats_are_listed_before_those_inside() -> None:
    assert [s.label for s in repeat_sites(bars("|:x |:x:| x:|"))] == ["bars 1-3, 2 times", "bar 2, 2 times"]


def test_a_path_never_goes_on_for_ever() -> None:
    text = "|:x " * 12 + ":|99 " * 12
    start_s = time.process_time()
    path, warnings = performance_path(bars(text))
    assert path.measure_indices == tuple(range(24)) and "never end" in warnings[-1]
    assert time.process_time() - start_s < 5


TOKENS = st.sampled_from(
    ["x", "x", "|:x", "x:|", "x:|3", "|:x:|", "[1x", "[1x:|]", "[2x]", "[2x:|]", "[1,2x:|]", "[3x", "x]"]
    + [f"x@{m.value.replace(' ', '_')}" for m in Mark]
)


@given(st.lists(TOKENS, min_size=1, max_size=14), st.booleans(), st.booleans())
def test_any_signs_give_a_path(tokens: list[str], again: bool, jumps: bool) -> None:
    score = bars(" ".join(tokens))
    choices = PathChoices(repeats_after_jump=again, takes_jumps=jumps)
    path, warnings = performance_path(score, choices)
    assert path.measure_indices[0] in (0, *[e.last + 1 for r in find_repeats(score.measures)[0] for e in r.endings])
    assert all(0 <= i < len(tokens) for i in path.measure_indices)
    assert all(w.endswith(".") for w in warnings)
    assert performance_path(score, choices) == (path, warnings)
    # taking no repeat and no jump, every bar is played at most once and in order
    skipped = frozenset(s.closing_measure for s in repeat_sites(score))
    once = performance_path(score, PathChoices(skipped_repeats=skipped, takes_jumps=False))[0].measure_indices
    assert list(once) == sorted(set(once))


# ------------------------------------------------------------------------------------------------- the notes


def with_ties(score: Score, from_previous: list[int], to_next: list[int]) -> Score:
    """Mark notes, by their index, as tied."""
    n = score.notes
    columns = {name: np.array(getattr(n, name)) for name in ("tied_from_previous", "tied_to_next")}
    columns["tied_from_previous"][from_previous] = True
    columns["tied_to_next"][to_next] = True
    values = {name: getattr(n, name) for name in n.__dataclass_fields__} | columns
    return replace(score, notes=WrittenNotes(**values))


def sounding(score: Score, *steps: int) -> list[tuple[int, float, float, float]]:
    n = unfold(score, PerformancePath(steps)).notes
    return [
        (int(p), float(m), float(q), float(d))
        for p, m, q, d in zip(n.part_index, n.pitch_midi, n.onset_quarter, n.duration_quarter, strict=True)
    ]


def test_ties_follow_the_path() -> None:
    score = score_of([(0, 0, 0, 4, 60), (0, 1, 0, 4, 60), (0, 2, 0, 4, 60)], 3, ["Violin"])
    tied = with_ties(score, [1, 2], [0])  # from bar 1 into bar 2 and, as the second ending, into bar 3
    assert sounding(tied, 0, 1, 0, 2) == [(0, 60, 0, 8), (0, 60, 8, 8)]
    assert sounding(tied, 1, 2) == [(0, 60, 0, 4), (0, 60, 4, 4)]


def test_two_voices_in_unison_keep_their_ties() -> None:
    score = score_of([(0, 0, 0, 4, 60), (0, 0, 2, 2, 60), (0, 1, 0, 4, 60)], 2, ["Violin"])
    assert sounding(with_ties(score, [2], [1]), 0, 1) == [(0, 60, 0, 4), (0, 60, 2, 6)]


def test_a_tie_does_not_reach_over_a_gap_or_into_another_part() -> None:
    score = score_of([(0, 0, 0, 2, 60), (0, 1, 0, 4, 60), (1, 1, 0, 4, 60)], 2)
    assert len(sounding(with_ties(score, [1, 2], [0]), 0, 1)) == 3


def test_beats_and_places() -> None:
    score = score_of([(0, 0, 0.0, 1.0, 60.0), (0, 1, 2.5, 0.5, 62.0)], 2, ["Violin"])
    measures = (Measure(0, "0", 0.0, 1.0, lead_quarter=3.0), Measure(1, "1", 1.0, 4.0))
    score = replace(score, measures=measures)
    unfolded = unfold(score, PerformancePath((0, 1, 1)))
    assert unfolded.notes.beat.tolist() == [4.0, 3.5, 3.5]
    assert unfolded.notes.onset_quarter.tolist() == [0.0, 3.5, 7.5]
    assert unfolded.step_start_quarter.tolist() == [0.0, 1.0, 5.0, 9.0]
    step, beat = unfolded.quarter_to_beat(7.5)
    assert (step.measure_index, step.occurrence, beat) == (1, 2, 3.5)
    assert unfolded.beat_to_quarter(1, 2, 3.5) == 7.5 and unfolded.beat_to_quarter(1, 3, 1.0) is None


def test_own_lengths_of_bars_add_up_along_the_path() -> None:
    rows: list[Row] = [(p, m, 0.0, 1.0, 60.0 + p) for p in range(2) for m in range(2)]
    score = replace(score_of(rows, 2), own_durations=((4.0, 4.0), (3.0, 4.0)))
    path = PerformancePath((0, 1, 0, 1))
    own = {p: [r[2] for r in sounding(score, *path.measure_indices) if r[0] == p] for p in range(2)}
    assert own == {0: [0, 4, 8, 12], 1: [0, 3, 7, 10]}
    together = unfold(score, replace(path, keeps_bars_together=True)).notes
    assert together.onset_quarter.tolist() == [0, 0, 4, 4, 8, 8, 12, 12]


def test_the_end_holds_all_notes() -> None:
    score = score_of([(0, 0, 2.0, 9.0, 60.0)], 1)
    assert unfold(score, PerformancePath((0,))).end_quarter == 11.0


def test_no_notes() -> None:
    unfolded = unfold(score_of([], 2), PerformancePath((0, 1)))
    assert len(unfolded.notes) == 0 and unfolded.end_quarter == 8.0


ROWS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 3),
        st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0]),
        st.sampled_from([0.0, 0.5, 1.0]),
        st.sampled_from([60.0, 62.0, float("nan")]),
    ),
    max_size=20,
)


@given(ROWS, st.lists(st.integers(0, 3), min_size=1, max_size=8), st.data())
def test_unfolding_keeps_every_note_or_ties_it(rows: list[Row], steps: list[int], data: st.DataObject) -> None:
    score = score_of(sorted(rows, key=lambda r: r[:4]), 4)
    count = len(score.notes)
    n = unfold(score, PerformancePath(tuple(steps))).notes
    per_measure = np.bincount(score.notes.measure_index, minlength=4)
    assert len(n) == per_measure[steps].sum()  # nothing is tied: every note once for every time
    assert n.duration_quarter.sum() == pytest.approx(score.notes.duration_quarter[n.written_index].sum())
    starts = 4.0 * np.arange(len(steps))
    assert n.onset_quarter == pytest.approx(starts[n.step_index] + score.notes.offset_quarter[n.written_index])
    assert (np.array(steps)[n.step_index] == score.notes.measure_index[n.written_index]).all()
    assert (np.diff(n.onset_quarter) >= -1e-9).all()
    if not count:
        return
    some = st.lists(st.integers(0, count - 1), max_size=count)
    tied = with_ties(score, data.draw(some), data.draw(some))
    joined = unfold(tied, PerformancePath(tuple(steps))).notes
    assert len(joined) <= len(n)
    ends, joined_ends = n.onset_quarter + n.duration_quarter, joined.onset_quarter + joined.duration_quarter
    if len(n):  # ties neither lengthen the piece nor silence a moment of it
        assert joined_ends.max() == pytest.approx(ends.max())
        for t in np.arange(0.25, 4.0 * len(steps), 0.5):
            assert ((n.onset_quarter < t) & (ends > t)).any() == ((joined.onset_quarter < t) & (joined_ends > t)).any()


def test_twenty_thousand_notes_unfold_at_once() -> None:
    score = scale_score(2500, ["Violin", "Cello"])
    tied = with_ties(score, list(range(0, len(score.notes), 5)), list(range(2, len(score.notes), 5)))
    path = PerformancePath(tuple(range(2500)))
    start_s = time.process_time()
    unfolded = unfold(tied, path)
    assert time.process_time() - start_s < 1.0
    assert len(unfolded.notes) == 20_000
