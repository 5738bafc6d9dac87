"""Values as JSON and columns and as MessagePack: they come back as they were, and wrong ones are told with a place."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scoresep.files.storage.values import Columns, decode, encode, json_bytes, pack, unpack
from scoresep.model.arrays import ArrayEquality


class Kind(StrEnum):
    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True)
class Inner:
    kind: Kind
    text: str | None = None
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Outer(ArrayEquality):
    name: str
    level: float
    inner: tuple[Inner, ...]
    chosen: frozenset[int]
    pair: tuple[int, str]
    column: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    flags: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))


texts = st.text(max_size=5) | st.sampled_from(["nan", "inf", "null", "true", "7"])
inners = st.builds(Inner, st.sampled_from(Kind), st.none() | texts, st.tuples(st.floats(allow_nan=False)))
outers = st.builds(
    Outer,
    texts,
    st.floats(allow_nan=False),
    st.lists(inners, max_size=3).map(tuple),
    st.frozensets(st.integers(-9, 9)),
    st.tuples(st.integers(), texts),
    st.lists(st.floats(), max_size=4).map(lambda values: np.array(values, np.float64)),
    st.lists(st.booleans(), max_size=4).map(lambda values: np.array(values, np.bool_)),
)
PLAIN = Outer("A", 1.0, (Inner(Kind.FIRST, "x", (1.0, 2.0)),), frozenset({3}), (1, "b"), np.array([1.0, np.nan]))


def through_json(value: Outer) -> Outer:
    columns: Columns = {}
    text = json.loads(json_bytes(encode(value, columns, "here"), 1))
    back = decode(Outer, text, columns, "here")
    assert isinstance(back, Outer)
    return back


@given(outers)
def test_values_come_back_by_either_way(value: Outer) -> None:
    assert through_json(value) == value
    if abs(value.pair[0]) < 2**63:  # what MessagePack holds
        assert unpack(Outer, pack(value)) == value


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_stand_as_text(number: float) -> None:
    back = through_json(replace(PLAIN, level=number)).level
    assert back == number or (math.isnan(back) and math.isnan(number))


@pytest.mark.parametrize(
    ("name", "wrong", "place"),
    [
        ("inner", [{"kind": "first", "numbers": [1, "two"]}], r"\$\[0\]\.numbers\[1\]|inner\[0\]\.numbers\[1\]"),
        ("inner", [{"kind": "third"}], r"inner\[0\]\.kind"),
        ("inner", [{}], r"kind"),
        ("chosen", {"a": 1}, "chosen"),
        ("pair", [1], "pair"),
        ("level", None, "level"),
        ("column", {"column": "gone"}, "column"),
        ("column", {"column": "here/flags"}, "column"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(name: str, wrong: object, place: str) -> None:
    columns: Columns = {}
    text = encode(PLAIN, columns, "here")
    with pytest.raises(ValueError, match=place) as told:
        decode(Outer, {**text, name: wrong}, columns, "here")
    assert str(told.value).startswith("here: ")


def test_fields_that_are_lacking_stand_at_their_defaults_and_unknown_ones_are_left_out() -> None:
    columns: Columns = {}
    text = {**encode(PLAIN, columns), "later": [1, 2]}
    del text["flags"]
    assert decode(Outer, text, columns) == PLAIN


@given(st.integers(0, 200), st.binary(max_size=3))
def test_damaged_bytes_are_another_value_or_refused(at: int, put: bytes) -> None:
    data = bytearray(pack(PLAIN))
    data[at : at + len(put)] = put
    try:
        assert isinstance(unpack(Outer, bytes(data)), Outer)
    except ValueError as error:
        assert str(error)
