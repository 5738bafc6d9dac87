"""Small MEI documents, for tests that make their own, and what is heard of them."""

from __future__ import annotations

import math

from scoresep.files.scores import parse_score
from scoresep.model.path import performance_path, unfold
from scoresep.model.score import PerformancePath, Score

Sounding = tuple[float, float, float]  # onset, pitch, duration in quarters; pitch -1 where there is none

NAMESPACE = "http://www.music-encoding.org/ns/mei"
ONE_STAFF = '<staffGrp><staffDef n="1" lines="5" clef.shape="G" clef.line="2"/></staffGrp>'


def note(name: str, dur: object = 4, attributes: str = "", inside: str = "") -> str:
    """Write a note such as ``c5``."""
    return f'<note pname="{name[0]}" oct="{name[1]}" dur="{dur}" {attributes}>{inside}</note>'


def notes(names: str, dur: object = 4) -> str:
    """Write several notes of one length: ``c4 d4 e4``."""
    return "".join(note(name, dur) for name in names.split())


def measure(*layers: str, n: object = 1, attributes: str = "", controls: str = "") -> str:
    """Write a measure of one staff with one or more layers; `controls` stand after the staff."""
    inside = "".join(f'<layer n="{i}">{layer}</layer>' for i, layer in enumerate(layers, start=1))
    return f'<measure n="{n}" {attributes}><staff n="1">{inside}</staff>{controls}</measure>'


def measure_of_staves(*staves: str, n: object = 1, attributes: str = "", controls: str = "") -> str:
    """Write a measure of several staves with one layer each."""
    inside = "".join(f'<staff n="{i}"><layer n="1">{layer}</layer></staff>' for i, layer in enumerate(staves, start=1))
    return f'<measure n="{n}" {attributes}>{inside}{controls}</measure>'


def mei(section: str, staves: str = ONE_STAFF, score: str = "", version: str = "5.1") -> str:
    """Write a whole document in 4/4; `score` are attributes of its ``scoreDef``."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><mei xmlns="{NAMESPACE}" meiversion="{version}"><meiHead><fileDesc>'
        "<titleStmt><title>A piece</title><composer>Somebody</composer></titleStmt><pubStmt/></fileDesc></meiHead>"
        f'<music><body><mdiv><score><scoreDef meter.count="4" meter.unit="4" {score}>{staves}</scoreDef>'
        f"<section>{section}</section></score></mdiv></body></music></mei>"
    )


def read(text: str) -> Score:
    """Read a document as a score."""
    return parse_score(text.encode(), "x.mei")


def played(score: Score, path: PerformancePath | None = None) -> list[Sounding]:
    """Return all notes played."""
    n = unfold(score, path or performance_path(score)[0]).notes
    columns = zip(n.onset_quarter, n.pitch_midi, n.duration_quarter, strict=True)
    return sorted((round(float(q), 4), -1.0 if math.isnan(m) else float(m), round(float(d), 4)) for q, m, d in columns)


def sounding(section: str, **how: str) -> list[Sounding]:
    """Return all notes played of a document with this section."""
    return played(read(mei(section, **how)))


def bar_numbers(score: Score) -> list[str]:
    """Return the printed numbers of the bars in the order played."""
    return [score.measures[i].number for i in performance_path(score)[0].measure_indices]


SCALE = notes("c4 d4 e4 f4")
PLAIN = [(0, 60, 1), (1, 62, 1), (2, 64, 1), (3, 65, 1)]


def later(events: list[Sounding], by: float) -> list[Sounding]:
    """Return the same notes so many quarters on."""
    return [(onset + by, pitch, duration) for onset, pitch, duration in events]
