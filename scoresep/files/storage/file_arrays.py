"""Arrays in files of which ranges are read when they are asked for.

A memory map would do the same, but ends the process (SIGBUS) when the file is cut short behind its back, by a program
that writes into it, a disk that fails or a server that goes away. Reading gives an error there, which can be told.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_log = logging.getLogger(__name__)
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_SEEKING = threading.Lock()  # where the system cannot read at a place, one thread at a time seeks there


class FileArray:
    """An array in a file, open for reading; threads may share it. It is closed when nobody refers to it any more.

    Ranges are read by slices without steps; what the file has no more is 0 there. `read` raises instead.

    Parameters
    ----------
    path : Path
    dtype : dtype
    offset : int
        Where the values begin, in bytes.
    shape : tuple of int

    Raises
    ------
    OSError
        The file cannot be opened.
    """

    def __init__(self, path: Path, dtype: DTypeLike, offset: int, shape: tuple[int, ...]) -> None:
        self.path, self.dtype, self.shape = path, np.dtype(dtype), shape
        self._offset = offset
        self._descriptor = os.open(path, _FLAGS)
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self._whole: FileArray = self  # keeps the file open for its parts
        self._has_complained = False

    def part(self, start: int, shape: tuple[int, ...]) -> FileArray:
        """Return values that follow each other from the index `start` of the flat array on, in another shape."""
        part = object.__new__(FileArray)
        part.path, part.dtype, part.shape = self.path, self.dtype, shape
        part._offset = self._offset + start * self.dtype.itemsize
        part._descriptor, part._whole, part._has_complained = self._descriptor, self._whole, self._has_complained
        return part

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, count: int) -> NDArray[Any]:
        """Return values of the flat array.

        Raises
        ------
        OSError
            They are not there (any more), or cannot be read.
        """
        data = self._bytes(start, count)
        if len(data) != count * self.dtype.itemsize:
            raise OSError(errno.EIO, "it was cut short", str(self.path))
        return np.frombuffer(data, self.dtype)

    def __getitem__(self, key: slice | tuple[Any, ...]) -> NDArray[Any]:
        """Return a range, in memory; what is left out of `key` at its end is taken whole, as in an array in memory."""
        keys = key if isinstance(key, tuple) else (key,)
        row_length = self.shape[-1]
        if len(keys) == 1 and len(self.shape) > 1:  # neighbouring rows lie side by side
            start, stop, _ = keys[0].indices(self.shape[0])
            size = math.prod(self.shape[1:])
            return self._filled(start * size, max(stop - start, 0) * size).reshape(-1, *self.shape[1:])
        keys += (slice(None),) * (len(self.shape) - len(keys))
        rows = np.arange(math.prod(self.shape[:-1])).reshape(self.shape[:-1])[keys[:-1]]
        last = keys[-1]
        places = range(row_length)[last] if isinstance(last, slice) else range(row_length)[last % row_length :][:1]
        found = np.zeros((*rows.shape, len(places)), self.dtype)
        for place, row in np.ndenumerate(rows):
            found[place] = self._filled(int(row) * row_length + places.start, len(places))
        return found if isinstance(last, slice) else found[..., 0]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all of it, in memory."""
        whole = self._filled(0, math.prod(self.shape)).reshape(self.shape)
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def _filled(self, start: int, count: int) -> NDArray[Any]:
        try:
            data = self._bytes(start, count)
        except OSError:
            data = b""
        values = np.zeros(count, self.dtype)
        known = len(data) // self.dtype.itemsize
        values[:known] = np.frombuffer(data, self.dtype, known)
        if known < count and not self._whole._has_complained:
            self._whole._has_complained = True
            _log.warning("%s was cut short while it was open", self.path)
        return values

    def _bytes(self, start: int, count: int) -> bytes:
        """Read as many bytes as there are."""
        at, left = self._offset + start * self.dtype.itemsize, count * self.dtype.itemsize
        pieces = []
        while left > 0 and (piece := _read_at(self._descriptor, left, at)):
            pieces.append(piece)
            at, left = at + len(piece), left - len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _read_at(descriptor: int, size: int, at: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, min(size, 1 << 30), at)
    with _SEEKING:  # Windows
        os.lseek(descriptor, at, os.SEEK_SET)
        return os.read(descriptor, min(size, 1 << 30))
