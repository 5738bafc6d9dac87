"""Who makes which stem when, and where that differs from before: against a count frame by frame."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoresep.engines.separation.chunking import EngineClaim, Maker, engines_over_time, otherwise_made, weights_of

FRAMES, STEMS, FADE = 60, 2, 3
NAMES: tuple[Maker, ...] = (("a", "x"), ("a", "y"), ("b", "x"))

limits = st.one_of(st.none(), st.integers(-5, FRAMES + 5))
rules = st.lists(
    st.builds(EngineClaim, st.sampled_from(NAMES), st.sampled_from([None, 0, 1]), limits, limits).filter(
        lambda c: (c.start_frame or 0) < (FRAMES if c.stop_frame is None else c.stop_frame)
    ),
    max_size=4,
)


def claims(maker: Maker, others: list[EngineClaim]) -> list[EngineClaim]:
    return [EngineClaim(maker), *others]


def maker_at(all_claims: list[EngineClaim], stem: int, frame: int) -> Maker:
    return [
        c.maker
        for c in all_claims
        if c.stem in (None, stem) and (c.start_frame or 0) <= frame and (c.stop_frame is None or frame < c.stop_frame)
    ][-1]


@given(rules=rules, stem=st.integers(0, STEMS - 1))
def test_the_last_claim_on_a_frame_makes_it(rules: list[EngineClaim], stem: int) -> None:
    every = claims(NAMES[0], rules)
    found = engines_over_time(every, stem, FRAMES)
    assert [a for a, _, _ in found] == [0, *(b for _, b, _ in found[:-1])] and found[-1][1] == FRAMES
    over_time = [maker for a, b, maker in found for _ in range(a, b)]
    assert over_time == [maker_at(every, stem, frame) for frame in range(FRAMES)]


@given(before=rules, after=rules, makers=st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)))
def test_outside_of_what_is_made_otherwise_everybody_counts_as_before(
    before: list[EngineClaim], after: list[EngineClaim], makers: tuple[Maker, Maker]
) -> None:
    old, new = claims(makers[0], before), claims(makers[1], after)
    for stem in range(STEMS):
        stretches = otherwise_made(old, new, stem, FRAMES, FADE)
        assert all(0 <= a < b <= FRAMES for a, b in stretches)
        touched = np.zeros(FRAMES, np.bool_)
        for a, b in stretches:
            touched[a:b] = True
        differ = [maker_at(old, stem, f) != maker_at(new, stem, f) for f in range(FRAMES)]
        assert not np.any(np.array(differ) & ~touched)
        near = np.convolve(differ, np.ones(6 * FADE + 1), "same") > 0
        assert not np.any(touched & ~near), "and not more than ramps need"


def test_a_rule_that_goes_leaves_a_trace_only_where_it_held() -> None:
    rule = EngineClaim(NAMES[1], 0, 20, 30)
    old, new = claims(NAMES[0], [rule]), claims(NAMES[0], [])
    assert otherwise_made(old, new, 0, FRAMES, FADE) == [(17, 33)]
    assert otherwise_made(old, new, 1, FRAMES, FADE) == []
    a, b = (weights_of(each, STEMS, FRAMES, 0, FRAMES, FADE)[NAMES[0]] for each in (old, new))
    np.testing.assert_array_equal(a[:, :17], b[:, :17])
    np.testing.assert_array_equal(a[:, 33:], b[:, 33:])


@given(rules=rules, start=st.integers(0, FRAMES - 1), length=st.integers(1, FRAMES))
def test_nobody_counts_out_of_reach_of_what_is_made_by_them(rules: list[EngineClaim], start: int, length: int) -> None:
    every, stop = claims(NAMES[0], rules), min(start + length, FRAMES)
    weights = weights_of(every, STEMS, FRAMES, start, stop, FADE)
    np.testing.assert_allclose(sum(weights.values()), 1.0, atol=1e-6)
    for stem in range(STEMS):
        for maker, weight in weights.items():
            own = np.array([maker_at(every, stem, frame) == maker for frame in range(FRAMES)])
            near = np.convolve(own, np.ones(2 * FADE + 1), "same")[start:stop] > 0
            assert not np.any((weight[stem] > 0) & ~near)


def test_a_rule_that_another_one_covers_counts_for_nothing() -> None:
    covered = claims(NAMES[0], [EngineClaim(NAMES[1], 0, 20, 30), EngineClaim(NAMES[2], None, 20, 30)])
    assert set(weights_of(covered, STEMS, FRAMES, 0, FRAMES, FADE)) == {NAMES[0], NAMES[2]}


def test_a_rule_up_to_an_end_of_the_recording_has_no_ramp_there() -> None:
    assert set(
        weights_of(claims(NAMES[0], [EngineClaim(NAMES[1], None, 0, FRAMES)]), STEMS, FRAMES, 0, FRAMES, FADE)
    ) == {NAMES[1]}
