"""The container of a project file: a zip archive with one text in JSON and the columns of numbers as raw bytes.

What stands in the text is told in `project_files`. The same content always gives the same bytes.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import ProjectFileError
from scoresep.files.atomic import write_whole

MAX_TEXT_BYTES = 256 * 2**20
MAX_COLUMN_BYTES = 256 * 2**20  # 32 million notes: whatever asks for more is damaged or malicious
_TEXT_NAME = "project.json"
_DTYPES = {name: np.dtype(name) for name in ("<i4", "<i8", "<f4", "<f8", "|b1")}
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def write_archive(path: Path, text: dict[str, Any], columns: Mapping[str, NDArray[Any]]) -> None:
    """Write an archive, whole or not at all.

    Raises
    ------
    OutputError
    """
    content = io.BytesIO()
    listed = {}
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, column in columns.items():
            stored = np.ascontiguousarray(column, column.dtype.newbyteorder("<"))
            listed[name] = [stored.dtype.str, len(stored)]
            _add(archive, f"columns/{name}", stored.tobytes())
        everything = {**text, "columns": listed}
        _add(archive, _TEXT_NAME, json.dumps(everything, indent=1, ensure_ascii=False, allow_nan=False).encode())
    write_whole(path, content.getvalue())


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
    damaged = ProjectFileError(f"'{path}' is damaged or not a ScoreSep project; open an earlier copy of it.")
    try:
        with zipfile.ZipFile(path) as archive:
            text = json.loads(_entry(archive, _TEXT_NAME, MAX_TEXT_BYTES))
            if not isinstance(text, dict) or not isinstance(text.get("columns"), dict):
                raise damaged
            columns = {}
            for name, (dtype, length) in text.pop("columns").items():
                content = _entry(archive, f"columns/{name}", MAX_COLUMN_BYTES)
                columns[name] = np.frombuffer(content, _DTYPES[dtype])
                if len(columns[name]) != length:
                    raise damaged
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise ProjectFileError(f"The project '{path}' is not there; check its name or choose another.") from error
        if isinstance(error, IsADirectoryError):
            raise ProjectFileError(f"'{path}' is a folder; choose a project file in it.") from error
        reason = error.strerror or str(error)
        raise ProjectFileError(f"'{path}' cannot be read ({reason}); check its permissions.") from error
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise damaged from error
    except (ValueError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise damaged from error
    return text, columns


def _entry(archive: zipfile.ZipFile, name: str, limit_bytes: int) -> bytes:
    """Read one entry, checked by its own sum, up to a limit that no honest file reaches."""
    with archive.open(name) as entry:
        content = entry.read(limit_bytes + 1)
        if len(content) > limit_bytes:
            raise ValueError(f"{name} is too large")
        return content
