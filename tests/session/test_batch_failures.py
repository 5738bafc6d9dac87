"""Whatever becomes of one piece of a batch is told in its row, and the others are done."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from scoresep.errors import ScoreFileError
from scoresep.files.tables.batch_lists import Piece
from scoresep.progress import Progress
from scoresep.session import batch
from scoresep.session.batch import BatchOptions, run_batch

ERRORS = {
    "refused": ScoreFileError("“\udce9.mid” is damaged."),
    "memory": MemoryError(),
    "recursion": RecursionError("maximum recursion depth exceeded"),
    "system": OSError(5, "Input/output error"),
    "vanished": FileNotFoundError(2, "No such file", "\udce9.wav"),
    "text": UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed"),
    "program": AssertionError("line\r\nbreaks, “quotes” and \0"),
}


def test_no_error_of_a_piece_stops_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def do(piece: Piece, options: BatchOptions, progress: Progress, start_s: float) -> batch.PieceReport:
        if piece.name in ERRORS:
            raise ERRORS[piece.name]
        done.append(piece.name)
        return batch.PieceReport(piece, "done")

    monkeypatch.setattr(batch, "_do", do)
    names = [name for error in ERRORS for name in (error, f"after {error}")]
    pieces = tuple(Piece(name, tmp_path / f"\udce9 {name}.wav", tmp_path / "~x.mid") for name in names)
    (tmp_path / "refused").mkdir()
    (tmp_path / "refused" / ".scoresep-done.json").write_text("[" * 100_000)
    reports = list(run_batch(pieces, BatchOptions(tmp_path), Progress()))
    assert [r.piece.name for r in reports] == names and done == names[1::2]
    with open(tmp_path / "batch.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == names
    assert [row["state"] for row in rows] == ["failed", "done"] * len(ERRORS)
    assert all(row["remark"].endswith(".") and "\n" not in row["remark"].strip() for row in rows[::2])
