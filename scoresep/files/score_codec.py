"""A score as bytes and back: one zip of plain arrays and JSON, without anything that could run when it is opened."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from scoresep.model.score import Instrument, Mark, Measure, Part, Score, TempoMark, WrittenNotes

FORMAT = 1
MAX_TEXT_BYTES = 64 * 2**20


def score_to_bytes(score: Score) -> bytes:
    """Encode a score; `score_from_bytes` gives an equal one back.

    Parameters
    ----------
    score : Score

    Returns
    -------
    data : bytes
        A NumPy ``.npz`` archive: the columns of the notes, and ``text``, JSON in UTF-8 with all the rest.
    """
    rest = {
        "format": FORMAT,
        "title": score.title,
        "composer": score.composer,
        "parts": [asdict(p) for p in score.parts],
        "measures": [asdict(m) for m in score.measures],
        "tempo_marks": [[t.start_quarter, t.quarters_per_minute] for t in score.tempo_marks],
        "own_durations": score.own_durations,
        "warnings": score.warnings,
    }
    columns: dict[str, Any] = {f.name: getattr(score.notes, f.name) for f in fields(WrittenNotes)}
    columns["text"] = np.frombuffer(json.dumps(rest, separators=(",", ":")).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)
    return buffer.getvalue()


def score_from_bytes(data: bytes) -> Score:
    """Decode a score.

    Parameters
    ----------
    data : bytes
        From `score_to_bytes`.

    Raises
    ------
    ValueError
        If the data are damaged, of another format, or contradict themselves.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            text = archive["text"]
            if text.dtype != np.uint8 or text.nbytes > MAX_TEXT_BYTES:
                raise ValueError("no text")
            rest = json.loads(text.tobytes())
            notes = WrittenNotes(**{f.name: archive[f.name] for f in fields(WrittenNotes)})
        if rest["format"] != FORMAT:
            raise ValueError(f"a score of format {rest['format']}")
        score = _score(rest, notes)
        _check(score)
    except (
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        OverflowError,
        EOFError,
        OSError,
        NotImplementedError,
    ) as error:
        raise ValueError(f"not a score: {error}") from error
    except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise ValueError(f"not a score: {error}") from error
    return score


def _score(rest: dict[str, Any], notes: WrittenNotes) -> Score:
    return Score(
        str(rest["title"]),
        str(rest["composer"]),
        tuple(Part(**{**p, "instrument": Instrument(**p["instrument"])}) for p in rest["parts"]),
        tuple(
            Measure(**{**m, "endings": tuple(m["endings"]), "marks": tuple(Mark(mark) for mark in m["marks"])})
            for m in rest["measures"]
        ),
        notes,
        tuple(TempoMark(float(start), float(tempo)) for start, tempo in rest["tempo_marks"]),
        tuple(str(w) for w in rest["warnings"]),
        tuple(tuple(float(d) for d in durations) for durations in rest["own_durations"]),
    )


def _check(score: Score) -> None:
    """Refuse what would fail later, far from here."""
    notes = score.notes
    columns = [getattr(notes, f.name) for f in fields(WrittenNotes)]
    if any(c.shape != (len(notes),) for c in columns):
        raise ValueError("columns of different lengths")
    if not score.measures or any(m.index != i for i, m in enumerate(score.measures)):
        raise ValueError("measures out of order")
    if any(p.index != i for i, p in enumerate(score.parts)):
        raise ValueError("parts out of order")
    if len(notes):
        if notes.part_index.min() < 0 or notes.part_index.max() >= len(score.parts):
            raise ValueError("a note of no part")
        if notes.measure_index.min() < 0 or notes.measure_index.max() >= len(score.measures):
            raise ValueError("a note of no measure")
        if (np.diff(notes.measure_index) < 0).any():
            raise ValueError("notes out of order")
    own = score.own_durations
    if own and (len(own) != len(score.parts) or any(len(d) != len(score.measures) for d in own)):
        raise ValueError("lengths of measures that are not there")
