"""Tables as text: UTF-8, one line per row, a head line with the names of the columns."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scoresep.errors import InputError, OutputError
from scoresep.files.storage.atomic import write_whole
from scoresep.files.storage.paths import ESCAPED, absolute_path, expanded_path

STANDARD_OUTPUT = "-"


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table, whole or not at all; to the standard output where `path` is ``-``.

    Parameters
    ----------
    path : str or Path
    columns : sequence of str
        The head of the table.
    rows : iterable of sequence of str

    Raises
    ------
    OutputError
    """
    content = table_bytes(columns, rows)
    if str(path) == STANDARD_OUTPUT:
        _print(content.decode())
    else:
        write_whole(absolute_path(path), content)


def table_bytes(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Make the content of a table; with no columns it has no head line."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if columns:
        writer.writerow(columns)
    writer.writerows([cell.replace("\r", " ") for cell in row] for row in rows)  # left unquoted, it would end the line
    return text.getvalue().encode(errors=ESCAPED)


def _print(text: str) -> None:
    """Print in UTF-8, whatever the terminal's encoding, since tables are read by programs."""
    if sys.stdout is None:
        raise OutputError("The standard output is closed; name a file to write the table to.")
    try:
        sys.stdout.flush()
        if hasattr(sys.stdout, "buffer"):
            sys.stdout.buffer.write(text.encode())
        else:
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough; whether that matters is for the caller to say
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"The table could not be written to the standard output ({reason}); name a file for it."
        ) from error


@dataclass(frozen=True)
class TableRow:
    """One row of a table that was read, with what is needed to say where something is wrong.

    Attributes
    ----------
    path : Path
    line : int
        Counted from 1.
    values : dict of str to str
    has_decimal_comma : bool
        Columns are parted by semicolons, as spreadsheets in many countries do, which write 1,5 for 1.5.
    """

    path: Path
    line: int
    values: dict[str, str]
    has_decimal_comma: bool

    def text(self, column: str) -> str:
        """Return the text of a column; empty where the table lacks it."""
        return self.values.get(column, "")

    def number(self, column: str) -> float:
        """Return the number of a column.

        Raises
        ------
        InputError
            It is missing or not a finite number.
        """
        text = self.text(column)
        try:
            value = float(text.replace(",", ".") if self.has_decimal_comma else text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(f"“{text}” in column {column} is not a number")
        return value

    def integer(self, column: str) -> int:
        """Return the whole number of a column.

        Raises
        ------
        InputError
        """
        value = self.number(column)
        if value != round(value):
            raise self.error(f"“{self.text(column)}” in column {column} is not a whole number")
        return round(value)

    def error(self, what: str) -> InputError:
        """Return an error about this row."""
        return InputError(f"'{self.path}', line {self.line}: {what}; correct the table or write it again.")


def read_table(path: str | Path, required: Sequence[str]) -> list[TableRow]:
    """Read a table; columns may stand in any order, and more of them than `required`.

    Raises
    ------
    InputError
        The file is missing, not text, or lacks columns.
    """
    path = expanded_path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")  # spreadsheets put a mark at the start
    except OSError as error:
        raise InputError(f"The table '{path}' cannot be read ({error.strerror}); check its name.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is not a table in UTF-8; save it as “CSV UTF-8”.") from error
    head = text.split("\n", 1)[0]
    has_semicolons = ";" in head and "," not in head
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if has_semicolons else ",")
    try:
        columns = [name.strip() for name in next(reader, [])]
        missing = [name for name in required if name not in columns]
        if missing:
            raise InputError(f"'{path}' lacks the columns {', '.join(missing)}; write it with “scoresep align”.")
        rows = []
        for values in reader:
            if any(value.strip() for value in values):
                cells = dict(zip(columns, (value.strip() for value in values), strict=False))
                rows.append(TableRow(path, reader.line_num, cells, has_semicolons))
    except csv.Error as error:
        raise InputError(f"'{path}' is not a table ({error}); write it with “scoresep align”.") from error
    return rows
