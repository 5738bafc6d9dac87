"""Frozen values as JSON and columns (project files) or as MessagePack (caches, other processes), and back.

Reading is msgspec's, guided by the types that the dataclasses declare: whatever field is added is kept without a line
here, and every value is checked, so that a damaged file is an error here, which names the place, and not a surprise
later. Fields that a file lacks stand at their defaults; those that are not known any more are left out: `project_files`
tells what to do when one changes its meaning. JSON is written here, since msgspec writes null for numbers that are not
finite and has no columns.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
Value = TypeVar("Value")
_COLUMN = "column"  # {"column": name} stands for an array that is kept apart


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

    def column(kind: Any, data: Any) -> NDArray[Any]:
        name = data.get(_COLUMN) if isinstance(data, dict) else None
        found = columns.get(name) if isinstance(name, str) else None
        if found is None:
            raise ValueError("a column is lacking")
        if found.ndim != 1 or found.dtype != _dtype_of(kind):
            raise ValueError(f"a column of {found.dtype} instead of {_dtype_of(kind)}")
        return found

    try:
        return msgspec.convert(data, kind, strict=False, dec_hook=column)  # not strict: "nan" stands for a number
    except msgspec.ValidationError as error:
        raise ValueError(f"{place}: {error}") from error


def pack(value: object) -> bytes:
    """Write a value of dataclasses, lists, dictionaries and arrays of one dimension as MessagePack.

    Raises
    ------
    UnicodeEncodeError
        It holds text that is none.
    """
    return msgspec.msgpack.encode(value, enc_hook=_as_plain)


def unpack(kind: type[Value], data: bytes) -> Value:
    """Return the value of type `kind` that `pack` was given; its arrays are read-only.

    Raises
    ------
    ValueError
        The bytes are something else.
    """
    try:
        return msgspec.msgpack.decode(data, type=kind, dec_hook=lambda kind, data: np.frombuffer(data, _dtype_of(kind)))
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"no {kind.__name__}: {error}") from error


def _as_plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a {type(value).__name__} cannot be kept")


def _dtype_of(kind: Any) -> np.dtype[Any]:
    """Return the type of the elements of an array, from its annotation ``NDArray[...]``."""
    element: type = typing.get_args(typing.get_args(kind)[1])[0]
    return np.dtype(element).newbyteorder("<")


def json_bytes(value: Any, indent: int) -> bytes:
    """Write a value as JSON in UTF-8; what is no text in UTF-8, as names of files may be, becomes escapes.

    Raises
    ------
    ValueError
        It holds numbers that are not finite.
    """
    try:
        return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent, allow_nan=False).encode()
