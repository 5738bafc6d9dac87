"""Scores that were read before, kept by the content of their file, so that large ones open at once the next time."""

from __future__ import annotations

import contextlib
from pathlib import Path

from scoresep.errors import OutputError
from scoresep.files.atomic import write_whole
from scoresep.files.cache import cached_path, mark_used
from scoresep.files.score_codec import score_from_bytes, score_to_bytes
from scoresep.model.score import Score

# Raise it whenever a reader comes to read something differently; entries of older ones are then never looked at again.
READER_VERSION = 2


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
    """Keep a score; where the cache cannot be written, it is read anew next time and nobody need know."""
    with contextlib.suppress(OutputError, OSError):
        write_whole(_entry(content_key, suffix), score_to_bytes(score))


def _entry(content_key: str, suffix: str) -> Path:
    kind = "".join(c for c in suffix.lower() if c.isalnum())[:12]
    return cached_path("scores", f"{content_key}-{kind}-{READER_VERSION}.npz")
