"""Read small MusicXML documents and tell what sounds, for tests of the reader."""

from __future__ import annotations

import math

from musicxml_text import document

from scoresep.files.scores import parse_score
from scoresep.model.path import performance_path, unfold
from scoresep.model.score import Score

Row = tuple[int, float | None, float, float]


def read(*parts: str, **options: object) -> Score:
    """Read a document of these parts (see `musicxml_text.document`)."""
    return parse_score(document(*parts, **options), "test.musicxml")  # type: ignore[arg-type]


def sounding(score: Score) -> list[Row]:
    """Part, sounding pitch (None for unpitched notes), onset and duration in quarters of every note played."""
    n = unfold(score, performance_path(score)[0]).notes
    columns = (n.part_index, n.pitch_midi, n.onset_quarter, n.duration_quarter)
    return [
        (int(p), None if math.isnan(m) else float(m), float(q), float(d)) for p, m, q, d in zip(*columns, strict=True)
    ]


def pitches(score: Score) -> list[float | None]:
    """Sounding pitches in the order played."""
    return [row[1] for row in sounding(score)]
