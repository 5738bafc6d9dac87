"""The container of a project file: a zip archive with one text in JSON and the columns of numbers as raw bytes.

What stands in the text is told in `project_files`. The same content always gives the same bytes. A file that comes from
somebody else may claim anything: how large all of it becomes together is known, and limited, before any of it is read.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import OutputError, ProjectFileError
from scoresep.files.storage.atomic import whole_file
from scoresep.files.storage.paths import open_regular
from scoresep.files.storage.values import json_bytes

# No honest project comes near: whatever asks for more is damaged or malicious.
MAX_DIRECTORY_BYTES = 4 * 2**20  # the list of entries, 50 000 of them
MAX_TEXT_BYTES = 64 * 2**20
MAX_TEXT_VALUES = 3_000_000  # lists, dictionaries and what stands in them: every one takes some hundred bytes in memory
MAX_COLUMNS_BYTES = 256 * 2**20  # of all columns together: two million notes
MAX_COLUMN_ROWS = 2**22
_PACKED_BY = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_TEXT_NAME = "project.json"
_BEGINNING_BYTES = 2**16
_DTYPES = {name: np.dtype(name) for name in ("<i4", "<i8", "<f4", "<f8", "|b1")}
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def write_archive(path: Path, text: dict[str, Any], columns: Mapping[str, NDArray[Any]]) -> None:
    """Write an archive, whole or not at all.

    Parameters
    ----------
    path : Path
    text : dict
        What JSON can hold.
    columns : mapping of str to ndarray
        Of one dimension each.

    Raises
    ------
    OutputError
        It cannot be written, or is larger than what would be read again.
    """
    content = io.BytesIO()
    listed = {}
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, column in columns.items():
            stored = np.ascontiguousarray(column, column.dtype.newbyteorder("<"))
            listed[name] = [stored.dtype.str, len(stored)]
            _add(archive, f"columns/{name}", stored.tobytes())
        everything = {**text, "columns": listed}
        encoded = json_bytes(everything, 1)
        is_text_too_large = len(encoded) > MAX_TEXT_BYTES or _values_in(encoded) > MAX_TEXT_VALUES
        are_columns_too_large = sum(column.nbytes for column in columns.values()) > MAX_COLUMNS_BYTES
        if is_text_too_large or are_columns_too_large or any(len(c) > MAX_COLUMN_ROWS for c in columns.values()):
            raise OutputError(
                f"'{path}' would be too large to be opened again, so that it was not written; divide the piece into "
                "movements."
            )
        _add(archive, _TEXT_NAME, encoded)
    with whole_file(path) as temporary:
        temporary.write_bytes(content.getvalue())


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _NO_DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def read_archive(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read an archive; the columns are read-only.

    Raises
    ------
    ProjectFileError
        It is missing, not such an archive, or damaged.
    """
    return _read(path, with_columns=True)


def read_archive_text(path: Path) -> dict[str, Any]:
    """Read the text of an archive alone.

    Raises
    ------
    ProjectFileError
        As in `read_archive`.
    """
    return _read(path, with_columns=False)[0]


def read_archive_entry(path: Path, key: str) -> Any:
    """Read one entry of the text; where it stands near its beginning, the rest is not looked at. None without it.

    Raises
    ------
    ProjectFileError
        As in `read_archive`.
    """
    with contextlib.suppress(Exception):  # what is damaged is told below, by the reader of everything
        beginning = _beginning(path)
        head = f'\n "{key}": '  # of the outermost, as `write_archive` has it
        return json.JSONDecoder().raw_decode(beginning, beginning.index(head) + len(head))[0]
    return read_archive_text(path).get(key)


def _beginning(path: Path) -> str:
    with open_regular(path) as file, _opened(file) as archive:
        if archive.getinfo(_TEXT_NAME).compress_type not in _PACKED_BY:
            raise ValueError("packed otherwise")
        with archive.open(_TEXT_NAME) as entry:
            return entry.read(_BEGINNING_BYTES).decode(errors="ignore")


def _read(path: Path, with_columns: bool) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    damaged = ProjectFileError(f"'{path}' is damaged or not a ScoreSep project; open an earlier copy of it.")
    try:
        with open_regular(path) as file, _opened(file) as archive:
            if any(entry.compress_type not in _PACKED_BY for entry in archive.infolist()):
                raise ProjectFileError(
                    f"'{path}' is packed in a way (such as LZMA) that no ScoreSep uses; pack it as a plain zip file "
                    "(Deflate), or open an earlier copy of it."
                )
            text = _text_in(archive)
            listed = text.pop("columns")
            return text, _columns_in(archive, listed) if with_columns else {}
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise ProjectFileError(f"The project '{path}' is not there; check its name or choose another.") from error
        if isinstance(error, IsADirectoryError):
            raise ProjectFileError(f"'{path}' is a folder; choose a project file in it.") from error
        reason = error.strerror or str(error)
        raise ProjectFileError(f"'{path}' cannot be read ({reason}); check it and its permissions.") from error
    except ProjectFileError:
        raise
    except Exception as error:  # members compressed by LZMA and the like raise kinds of their own
        raise damaged from error


class _WhileOpening:
    """A file of which zipfile may not read more at once than the longest list of entries, until that is open."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.limit_bytes: int | None = MAX_DIRECTORY_BYTES
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if self.limit_bytes is not None:
            left_bytes = os.fstat(self._file.fileno()).st_size - self._file.tell()
            if (left_bytes if size < 0 else min(size, left_bytes)) > self.limit_bytes:
                raise ValueError("the list of entries is too long")
        return self._file.read(size)


def _opened(file: BinaryIO) -> zipfile.ZipFile:
    limited = _WhileOpening(file)
    archive = zipfile.ZipFile(cast(IO[bytes], limited))
    limited.limit_bytes = None
    return archive


def _text_in(archive: zipfile.ZipFile) -> dict[str, Any]:
    encoded = _entry(archive, _TEXT_NAME, MAX_TEXT_BYTES)
    if _values_in(encoded) > MAX_TEXT_VALUES:
        raise ValueError("the text holds too many values")
    text = json.loads(encoded)
    if not isinstance(text, dict) or not isinstance(text.get("columns"), dict):
        raise ValueError("the text has no list of columns")
    return text


def _values_in(encoded: bytes) -> int:
    """Return a number that the lists, dictionaries and values of a text in JSON do not exceed; quickly."""
    return sum(encoded.count(sign) for sign in (b",", b"[", b"{"))


def _columns_in(archive: zipfile.ZipFile, listed: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Read the columns that are listed, after looking whether all of them are as large as the list says."""
    left_bytes = MAX_COLUMNS_BYTES
    for name, (dtype, length) in listed.items():
        size_bytes = _DTYPES[dtype].itemsize * length
        left_bytes -= size_bytes
        if type(length) is not int or not 0 <= length <= MAX_COLUMN_ROWS or left_bytes < 0:
            raise ValueError("the columns are too long")
        if archive.getinfo(f"columns/{name}").file_size != size_bytes:
            raise ValueError(f"the column {name} is not as long as it should be")
    columns = {}
    for name, (dtype, length) in listed.items():
        content = _entry(archive, f"columns/{name}", _DTYPES[dtype].itemsize * length)
        columns[name] = np.frombuffer(content, _DTYPES[dtype])
    return columns


def _entry(archive: zipfile.ZipFile, name: str, limit_bytes: int) -> bytes:
    """Read one entry, checked by its own sum, up to a limit."""
    if archive.getinfo(name).file_size > limit_bytes:
        raise ValueError(f"{name} is too large")
    with archive.open(name) as entry:
        content = entry.read(limit_bytes + 1)
        if len(content) > limit_bytes:
            raise ValueError(f"{name} is too large")
        return content
