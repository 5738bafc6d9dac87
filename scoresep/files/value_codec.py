"""Frozen values as JSON and columns, and back, guided by the types that the dataclasses declare.

Whatever field is added to a dataclass is kept without a line here. Reading checks every value against its declared
type, so that a damaged file is an error here and not a surprise later. Fields that a file lacks stand at their
defaults; those that are not known any more are left out: `project_files` tells what to do when one changes its meaning.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
_COLUMN = "column"  # {"column": name} stands for an array that is kept apart
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode(value: object, columns: Columns, place: str = "") -> Any:
    """Turn a value into what JSON can hold; arrays go to `columns` under the name of their place.

    Parameters
    ----------
    value : object
        Dataclasses, tuples, frozen sets, arrays, numbers, texts, enumerations and None, in any depth.
    columns : dict of str to ndarray
        Filled.
    place : str
        Where the value stands, such as ``alignment/time_map``.
    """
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, np.ndarray):
        columns[place] = value
        return {_COLUMN: place}
    if isinstance(value, frozenset):
        return [encode(item, columns, f"{place}/{i}") for i, item in enumerate(sorted(value))]
    if isinstance(value, tuple):
        return [encode(item, columns, f"{place}/{i}") for i, item in enumerate(value)]
    if dataclasses.is_dataclass(value):
        return {
            f.name: encode(getattr(value, f.name), columns, f"{place}/{f.name}".lstrip("/"))
            for f in dataclasses.fields(value)
        }
    raise TypeError(f"{place} holds a {type(value).__name__}, which cannot be kept in a file")


def decode(kind: Any, data: Any, columns: Mapping[str, NDArray[Any]], place: str = "") -> Any:
    """Turn what `encode` made back into a value of the type `kind`.

    Parameters
    ----------
    kind : type
        A dataclass, or anything that a field of one may be declared as, such as ``tuple[int, ...] | None``.
    data : object
        From JSON.
    columns : mapping of str to ndarray
    place : str
        As for `encode`.

    Raises
    ------
    ValueError
        The data are not what the type declares; says where.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if data is None and type(None) in arguments:
            return None
        (kind,) = [a for a in arguments if a is not type(None)]  # the only unions are "something or None"
        return decode(kind, data, columns, place)
    if origin is np.ndarray:
        return _column(arguments, data, columns, place)
    if origin in (tuple, frozenset):
        return origin(_items(arguments, data, columns, place))
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, data, columns, place)
    return _decode_plain(kind, data, place)


def _decode_plain(kind: Any, data: Any, place: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(data)
    if kind is float:
        if isinstance(data, str) and data in _NOT_FINITE:
            return _NOT_FINITE[data]
        if isinstance(data, int | float) and not isinstance(data, bool):
            return float(data)
    elif kind in (int, str, bool) and type(data) is kind:
        return data
    raise ValueError(f"{place} holds {str(data)[:40]!r}")


def _items(arguments: tuple[Any, ...], data: Any, columns: Mapping[str, NDArray[Any]], place: str) -> list[Any]:
    if not isinstance(data, list):
        raise ValueError(f"{place} is not a list")
    is_open = len(arguments) == 1 or (len(arguments) == 2 and arguments[1] is Ellipsis)
    kinds = [arguments[0]] * len(data) if is_open else list(arguments)
    if len(kinds) != len(data):
        raise ValueError(f"{place} has {len(data)} entries instead of {len(kinds)}")
    return [decode(k, item, columns, f"{place}/{i}") for i, (k, item) in enumerate(zip(kinds, data, strict=True))]


def _decode_dataclass(kind: Any, data: Any, columns: Mapping[str, NDArray[Any]], place: str) -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"{place} is not a {kind.__name__}")
    hints = _hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        if field.name in data:
            values[field.name] = decode(hints[field.name], data[field.name], columns, f"{place}/{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{place} lacks {field.name}")
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _column(arguments: tuple[Any, ...], data: Any, columns: Mapping[str, NDArray[Any]], place: str) -> NDArray[Any]:
    name = data.get(_COLUMN) if isinstance(data, dict) else None
    column = columns.get(name) if isinstance(name, str) else None
    if column is None:
        raise ValueError(f"{place} lacks its column")
    wanted = np.dtype(typing.get_args(arguments[1])[0])
    if column.ndim != 1 or column.dtype != wanted:
        raise ValueError(f"{place} is a column of {column.dtype} instead of {wanted}")
    return column
