"""Scores that were read before, kept by the content of their file, so that large ones open at once the next time."""

from __future__ import annotations

import contextlib
import zlib
from dataclasses import fields
from pathlib import Path

import numpy as np

from scoresep.errors import OutputError
from scoresep.files.storage.atomic import write_whole
from scoresep.files.storage.cache import cached_path, mark_used
from scoresep.files.storage.values import pack, unpack
from scoresep.model.score import Score, WrittenNotes

# Raise it whenever a reader comes to read something differently; entries of older ones are then never looked at again.
READER_VERSION = 5


def load_cached(content_key: str, suffix: str) -> Score | None:
    """Return the score of a file with this content and ending of its name; None if it is not there or damaged."""
    path = _entry(content_key, suffix)
    try:
        score = score_from_bytes(path.read_bytes())
    except (OSError, ValueError):
        return None
    mark_used(path)
    return score


def store_cached(content_key: str, suffix: str, score: Score) -> None:
    """Keep a score; where the cache cannot be written, it is read anew next time and nobody need know.

    Parameters
    ----------
    content_key : str
        Of the file.
    suffix : str
        Ending of its name.
    score : Score
    """
    with contextlib.suppress(OutputError, OSError, UnicodeEncodeError):
        write_whole(_entry(content_key, suffix), score_to_bytes(score))


def _entry(content_key: str, suffix: str) -> Path:
    kind = "".join(c for c in suffix.lower() if c.isalnum())[:12]
    return cached_path("scores", f"{content_key}-{kind}-{READER_VERSION}.bin")


_MAX_BYTES = 2**30  # of a score in memory


def score_to_bytes(score: Score) -> bytes:
    """Encode a score; `score_from_bytes` gives an equal one back."""
    return zlib.compress(pack(score), 6)


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
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(data, _MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"not a score: {error}") from error
    if not unpacker.eof:
        raise ValueError("not a whole score")
    score = unpack(Score, content)
    _check(score)
    return score


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
    if any(not 0 <= i < len(score.measures) for i in score.stated_order):
        raise ValueError("an order of playing with measures that are not there")
    own = score.own_durations
    if own and (len(own) != len(score.parts) or any(len(d) != len(score.measures) for d in own)):
        raise ValueError("lengths of measures that are not there")
