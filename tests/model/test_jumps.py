"""Jumps by the names of their goals, the times at which they count, trios, single jumps left out, notes of one pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_scores import Row, score_of

from scoresep.model.path import PathChoices, jump_sites, performance_path, repeat_sites, takes_repeats_again, unfold
from scoresep.model.score import Mark, MarkDetail, Measure, PerformancePath, Score, WrittenNotes, passes_to_bits

SEGNO, CODA, TO_CODA, FINE, TRIO = Mark.SEGNO, Mark.CODA, Mark.TO_CODA, Mark.FINE, Mark.TRIO
DC, DC_FINE, DC_CODA = Mark.DA_CAPO, Mark.DA_CAPO_AL_FINE, Mark.DA_CAPO_AL_CODA
DS, DS_CODA = Mark.DAL_SEGNO, Mark.DAL_SEGNO_AL_CODA

Sign = Mark | MarkDetail


def named(
    mark: Mark, *names: str, coda: str = "", times: tuple[int, ...] = (), again: bool | None = None
) -> MarkDetail:
    return MarkDetail(mark, names, (coda,) if coda else (), times, again)


def piece(
    count: int, signs: dict[int, Sign | list[Sign]], repeats: dict[int, int] | None = None, opens: str = ""
) -> Score:
    """Make a score of `count` bars with signs and closing repeat signs by bars counted from 1; `opens` lists bars."""
    rows: list[Row] = [(0, i, 0.0, 4.0, 60.0 + i % 40) for i in range(count)]
    measures = []
    for i in range(count):
        found = signs.get(i + 1, [])
        listed = found if isinstance(found, list) else [found]
        details = tuple(s for s in listed if isinstance(s, MarkDetail))
        marks = tuple(s.mark if isinstance(s, MarkDetail) else s for s in listed)
        passes, starts = (repeats or {}).get(i + 1, 0), str(i + 1) in opens.split()
        measures.append(
            Measure(
                i,
                str(i + 1),
                4.0 * i,
                4.0,
                starts_repeat=starts,
                repeat_passes=passes,
                marks=marks,
                mark_details=details,
            )
        )
    return replace(score_of(rows, count, ["Violin"]), measures=tuple(measures))


def order(score: Score, choices: PathChoices = PathChoices()) -> str:
    return " ".join(str(i + 1) for i in performance_path(score, choices)[0].measure_indices)


# ------------------------------------------------------------------------------------------------------ names


def test_segnos_told_apart_by_name() -> None:
    signs: dict[int, Sign | list[Sign]] = {
        2: named(SEGNO, "a"),
        3: named(SEGNO, "b"),
        4: named(DS, "a"),
        5: named(DS, "b"),
    }
    assert order(piece(6, signs)) == "1 2 3 4 2 3 4 5 3 4 5 6"
    assert order(piece(6, {**signs, 4: named(DS, "b"), 5: named(DS, "a")})) == "1 2 3 4 3 4 5 2 3 4 5 6"


def test_two_codas_each_after_its_own_jump() -> None:
    for first, second in (("a", "b"), ("no. 1", "no. 2"), ("coda", "coda"), ("", "")):
        score = piece(
            9,
            {
                2: named(TO_CODA, first),
                3: named(TO_CODA, second),
                5: named(DC_CODA, coda=first if first.startswith("no") else ""),
                6: named(CODA, first),
                7: named(DC_CODA, coda=second if first.startswith("no") else ""),
                8: named(CODA, second),
            },
        )
        assert order(score) == "1 2 3 4 5 1 2 6 7 1 2 3 8 9"


def test_a_plain_coda_is_the_first_beside_a_double_one() -> None:
    signs: dict[int, Sign | list[Sign]] = {
        2: named(TO_CODA, "no. 2"),
        3: TO_CODA,
        4: DC_CODA,
        5: CODA,
        6: named(CODA, "no. 2"),
    }
    assert order(piece(6, signs)) == "1 2 3 4 1 2 3 5 6"
    assert order(piece(6, {**signs, 4: named(DC_CODA, coda="no. 2")})) == "1 2 3 4 1 2 6"


def test_signs_without_numbers_are_numbered_in_their_order() -> None:
    score = piece(6, {2: SEGNO, 3: SEGNO, 4: DS, 5: named(DS, "no. 2")})
    assert order(score) == "1 2 3 4 2 3 4 5 3 4 5 6"


def test_a_name_that_no_sign_bears_leads_to_the_nearest() -> None:
    signs: dict[int, Sign | list[Sign]] = {
        2: [named(SEGNO, "segno"), named(TO_CODA, "coda")],
        4: named(DS_CODA, "segno"),
    }
    assert order(piece(5, {**signs, 5: named(CODA, "codab")})) == "1 2 3 4 2 5"


# ------------------------------------------------------------------------------------------------------ times


def test_the_times_at_which_signs_count() -> None:
    assert order(piece(4, {2: named(FINE, times=(2,))}, {3: 2})) == "1 2 3 1 2"
    assert order(piece(4, {2: named(TO_CODA, times=(2,)), 4: CODA}, {2: 2})) == "1 2 1 2 4"
    assert order(piece(4, {2: SEGNO, 3: named(DS, times=(1, 2))})) == "1 2 3 2 3 2 3 4"
    # that a jump counts the first time is nothing but usual: the repeat comes first
    assert order(piece(3, {2: named(DC, times=(1,))}, {2: 2})) == "1 2 1 2 1 2 3"


# ------------------------------------------------------------------------------------------------------ trios


def test_da_capo_without_a_fine_ends_where_the_trio_begins() -> None:
    minuet = piece(4, {3: TRIO, 4: DC}, {1: 2, 2: 2, 3: 2, 4: 2}, opens="2 3 4")
    assert order(minuet) == "1 1 2 2 3 3 4 4 1 2"
    assert order(minuet, PathChoices(repeats_after_jump=True)) == "1 1 2 2 3 3 4 4 1 1 2 2"
    assert performance_path(minuet)[1] == ()
    assert order(piece(4, {1: FINE, 3: TRIO, 4: DC_FINE})) == "1 2 3 4 1"  # a fine counts where there is one


def places(score: Score) -> str:
    return " ".join(str(i + 1) for i in performance_path(score)[0].measure_indices)


def renumbered(score: Score, *starts: int) -> Score:
    """Count the bars anew from those places."""
    numbers = [i + 1 - max(s - 1 for s in (1, *starts) if s <= i + 1) for i in range(len(score.measures))]
    measures = (replace(m, number=str(n)) for m, n in zip(score.measures, numbers, strict=True))
    return replace(score, measures=tuple(measures))


def test_a_da_capo_leads_to_the_start_of_its_movement() -> None:
    two = piece(8, {2: FINE, 4: DC_FINE, 6: FINE, 8: DC_FINE})
    assert places(two) == places(renumbered(two, 5)) == "1 2 3 4 1 2 5 6 7 8 5 6"
    plain_first = piece(6, {4: FINE, 6: DC_FINE})
    assert places(renumbered(plain_first, 3)) == "1 2 3 4 5 6 3 4"
    plain_last = piece(6, {2: FINE, 4: DC_FINE})
    assert places(renumbered(plain_last, 5)) == "1 2 3 4 1 2 5 6"
    assert places(renumbered(piece(4, {2: FINE, 4: DC_FINE}), 3)) == "1 2 3 4 1 2"  # a trio counted anew
    after_coda = piece(8, {1: TO_CODA, 2: DC_CODA, 3: CODA, 6: FINE, 8: DC_FINE})
    assert places(renumbered(after_coda, 5)) == "1 2 1 3 4 5 6 7 8 5 6"


def test_music_behind_the_end_is_told() -> None:
    told = performance_path(piece(6, {2: FINE, 4: DC_FINE}))[1]
    assert told == ("Bars 5-6 are never played, since the fine comes before.",)
    assert performance_path(piece(6, {1: TO_CODA, 2: DC_CODA, 5: CODA}))[1] == ()  # bars 3 and 4 are left out


def test_several_trios_and_a_coda_after_the_last() -> None:
    assert order(piece(6, {3: TRIO, 4: DC, 5: TRIO, 6: DC})) == "1 2 3 4 1 2 5 6 1 2"
    assert order(piece(6, {2: FINE, 3: TRIO, 4: DC, 5: TRIO, 6: DC_FINE})) == "1 2 3 4 1 2 5 6 1 2"
    assert order(piece(5, {3: TRIO, 4: DC_CODA, 5: CODA})) == "1 2 3 4 1 2 5"


def test_what_the_score_says_of_repeats_after_a_jump() -> None:
    again = piece(3, {1: FINE, 3: named(DC, again=True)}, {2: 2})
    assert order(again) == "1 2 1 2 3 1" == order(again, PathChoices(repeats_after_jump=False))
    again = piece(4, {3: FINE, 4: named(DC, again=True)}, {2: 2})
    assert takes_repeats_again(again) and not takes_repeats_again(again, PathChoices(repeats_after_jump=False))
    assert order(again) == "1 2 1 2 3 4 1 2 1 2 3"
    assert order(again, PathChoices(repeats_after_jump=False)) == "1 2 1 2 3 4 1 2 3"
    by_sign = piece(4, {3: FINE, 4: DC}, {2: 2})
    measures = [replace(m, repeats_after_jump=bool(m.repeat_passes)) for m in by_sign.measures]
    assert order(replace(by_sign, measures=tuple(measures))) == "1 2 1 2 3 4 1 2 1 2 3"


# ---------------------------------------------------------------------------------------------------- by hand


def test_every_jump_can_be_left_out_alone() -> None:
    score = piece(7, {2: SEGNO, 3: TO_CODA, 4: DS_CODA, 5: DC, 6: CODA, 7: FINE})
    labels = {site.label: (site.measure_index, site.mark) for site in jump_sites(score)}
    assert list(labels) == [
        "To the coda, bar 3", "Dal segno al coda, bar 4", "Da capo, bar 5", "End at the fine, bar 7",
    ]  # fmt: skip
    assert order(score) == "1 2 3 4 2 3 6 7"
    left = {label: order(score, PathChoices(skipped_jumps=frozenset({key}))) for label, key in labels.items()}
    assert left == {
        "To the coda, bar 3": "1 2 3 4 2 3 4 5 1 2 3 4 5 6 7",
        "Dal segno al coda, bar 4": "1 2 3 4 5 1 2 3 6 7",
        "Da capo, bar 5": "1 2 3 4 2 3 6 7",
        "End at the fine, bar 7": "1 2 3 4 2 3 6 7",
    }
    every = PathChoices(skipped_jumps=frozenset(labels.values()))
    assert order(score, every) == order(score, PathChoices(takes_jumps=False)) == "1 2 3 4 5 6 7"
    assert jump_sites(piece(3, {2: FINE})) == ()


def test_the_order_that_a_file_states_counts_until_it_is_left() -> None:
    score = replace(piece(3, {}, {2: 2}), stated_order=(0, 1, 0, 1, 0, 2))
    assert order(score) == "1 2 1 2 1 3"
    assert order(score, PathChoices(follows_stated_order=False)) == "1 2 1 2 3"


NAMES = st.sampled_from(["", "a", "b", "no. 1", "no. 2"])
MARKS = st.builds(
    lambda mark, name, coda, times, again: named(
        mark, *([name] if name else []), coda=coda, times=tuple(times), again=again
    ),
    st.sampled_from(list(Mark)),
    NAMES,
    NAMES,
    st.lists(st.integers(1, 3), max_size=2),
    st.sampled_from([None, True, False]),
)
SCORES = st.builds(
    piece,
    st.just(8),
    st.dictionaries(st.integers(1, 8), st.lists(MARKS, max_size=2)),
    st.dictionaries(st.integers(1, 8), st.integers(2, 3), max_size=3),
    st.sampled_from(["", "1", "3 5", "2 2"]),
)


@given(SCORES)
def test_any_jumps_come_to_an_end(score: Score) -> None:
    path, warnings = performance_path(score)
    assert not any("never end" in w for w in warnings)
    # every measure is brought back by no more than all jumps and repeats together
    assert len(path.measure_indices) <= 8 * (3**3) * (1 + 3 * 8)
    assert performance_path(score, PathChoices(skipped_jumps=frozenset()))[0] == path
    every = PathChoices(
        skipped_repeats=frozenset(s.closing_measure for s in repeat_sites(score)),
        skipped_jumps=frozenset((s.measure_index, s.mark) for s in jump_sites(score)),
    )
    assert performance_path(score, every)[0].measure_indices == tuple(range(8))


# ------------------------------------------------------------------------------------------ notes of one pass


def only_in(score: Score, passes: dict[int, tuple[int, ...]]) -> Score:
    """Let notes, by their index, be played in some passes only."""
    bits = np.array([passes_to_bits(passes.get(i, ())) for i in range(len(score.notes))], np.int32)
    return replace(score, notes=replace(score.notes, passes=bits))


def heard(score: Score, choices: PathChoices = PathChoices()) -> list[int]:
    return [int(p) for p in unfold(score, performance_path(score, choices)[0]).notes.pitch_midi]


def test_notes_sound_in_their_pass_of_the_repeat() -> None:
    two = score_of([(0, 0, 0, 4, 60), (0, 0, 0, 4, 64), (0, 1, 0, 4, 67)], 2, ["Violin"], repeat_passes={0: 3})
    score = only_in(two, {0: (1, 3), 1: (2,)})
    assert heard(score) == [60, 64, 60, 67]
    assert heard(score, PathChoices(skipped_repeats=frozenset({0}))) == [60, 67]
    # after a da capo without repeats it is the last time
    last = replace(score.measures[1], marks=(DC,))
    assert heard(replace(score, measures=(score.measures[0], last))) == [60, 64, 60, 67, 60, 67]
    assert heard(only_in(two, {0: (1,), 1: (2, 3)})) == [60, 64, 64, 67]


def test_outside_of_repeats_the_occurrence_counts() -> None:
    two = score_of([(0, 0, 0, 4, 60), (0, 0, 0, 4, 64), (0, 1, 0, 4, 67)], 2, ["Violin"], marks={0: (FINE,), 1: (DC,)})
    assert heard(only_in(two, {0: (1,), 1: (2,)})) == [60, 67, 64]


def test_times_beyond_the_repeat_count_the_da_capo_too() -> None:
    rows: list[Row] = [(0, 0, 0, 4, 60), (0, 0, 0, 4, 64), (0, 0, 0, 4, 67), (0, 1, 0, 4, 72)]
    score = score_of(rows, 2, ["Violin"], repeat_passes={0: 2}, marks={0: (FINE,), 1: (DC,)})
    assert heard(only_in(score, {0: (1,), 1: (2,), 2: (3,)})) == [60, 64, 72, 67]
    assert heard(only_in(score, {0: (1,), 1: (2,)})) == [60, 67, 64, 67, 72, 64, 67]


def test_notes_of_a_time_that_never_comes_are_told() -> None:
    score = score_of([(0, 0, 0, 4, 60), (0, 0, 0, 4, 64), (0, 1, 0, 4, 67)], 2, ["Violin"])
    assert performance_path(only_in(score, {0: (1,)}))[1] == ()
    (told,) = performance_path(only_in(score, {0: (1,), 1: (2,)}))[1]
    assert "bar 1 " in told and told.endswith("never played.")


def test_no_note_is_lost_or_doubled_where_every_pass_has_its_own() -> None:
    rows: list[Row] = [(0, 0, 0, 4, 60 + n) for n in range(40)]
    score = score_of(rows, 1, ["Violin"], repeat_passes={0: 40})
    score = only_in(score, {n: (n + 1,) for n in range(40)})
    assert heard(score)[:30] == [60 + n for n in range(30)]


def test_notes_without_passes_cost_nothing_and_are_always_played() -> None:
    n = score_of([(0, 0, 0, 4, 60)], 1, ["Violin"]).notes
    columns = {name: getattr(n, name) for name in n.__dataclass_fields__ if name != "passes"}
    assert WrittenNotes(**columns) == n and n.passes.tolist() == [0]
    assert PerformancePath((0,)).passes == ()


@pytest.mark.parametrize("passes", [(), (1,), (1, 31), (40,)])
def test_passes_as_bits(passes: tuple[int, ...]) -> None:
    bits = passes_to_bits(passes)
    assert 0 <= bits < 2**31 and bool(bits) == bool(passes)
