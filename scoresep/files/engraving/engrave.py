"""The entry for engraving: a score file and a width in, the drawings of its systems out; kept in the cache."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

from scoresep.errors import InputError, OutputError, ScoreFileError
from scoresep.files.engraving.drawings import drawn_system
from scoresep.files.engraving.verovio_pages import (
    VerovioPages,
    fonts_of_drawings,
    is_same_music,
    mark_musicxml,
    matched_rows,
)
from scoresep.files.scores import open_score
from scoresep.files.scores.archives import parse_xml, text_in, unpacked
from scoresep.files.scores.mei import read_layout
from scoresep.files.scores.musicxml import partwise
from scoresep.files.storage.atomic import write_whole
from scoresep.files.storage.cache import cached_path, mark_used
from scoresep.files.storage.limited_process import Task, limits_for, run_limited
from scoresep.files.storage.values import pack, unpack
from scoresep.model.engraving import EngravedSystem, Engraving
from scoresep.model.project import ScoreFile
from scoresep.model.score import Score
from scoresep.progress import Progress

# Raise it whenever drawings come to look different; what older ones left in the cache is then never looked at again.
ENGRAVER_VERSION = 3
_LOADED = 0.5  # share of the work that is done when verovio has read and laid out the score
_ENGRAVED_SUFFIXES = (".abc", ".krn", ".hum", ".mei")  # besides MusicXML
_INSTEAD = "the notes of the timeline show the same music"
BYTES_PER_S = 20_000  # verovio engraves a score faster than this


@dataclass(frozen=True)
class EngravingRequest:
    """What is to be engraved: a score file as it was when it was read, and how wide (`Engraving.width_units`)."""

    score_file: ScoreFile
    width_units: int


def engrave_score(request: EngravingRequest, progress: Progress) -> Engraving:
    """Engrave a score; one that cannot be is an answer too, whose `problem` says why.

    Raises
    ------
    Cancelled
    """
    path = Path(request.score_file.path)
    entry = _entry(request, path.suffix)
    engraving = _load_cached(entry, request)
    if engraving is not None:
        return engraving
    try:
        score_file, score = open_score(path)
        if score_file.content_key != request.score_file.content_key:
            raise ScoreFileError(f"'{path.name}' has changed since it was opened; open it again to see it engraved.")
        engraving = _engraved_limited(path.read_bytes(), path.name, score, request, progress)
    except (InputError, OSError) as error:
        return _nothing(request, str(error))
    if engraving.systems:
        with contextlib.suppress(OutputError, OSError):  # engraved anew next time, and nobody need know
            write_whole(entry, pack(replace(engraving, fonts=())))
    return engraving


def _engraved_limited(data: bytes, name: str, score: Score, request: EngravingRequest, progress: Progress) -> Engraving:
    """Engrave in a process of its own: verovio may draw a damaged score without end, or take the process with it."""
    progress.update(0.0, "Engraving the score")
    task = Task(_engraved_bytes, (data, name, score, request), name, "engraved")
    try:
        engraving = unpack(Engraving, run_limited(task, limits_for(len(data), BYTES_PER_S), progress))
    except ValueError as error:
        raise ScoreFileError(f"'{name}' cannot be engraved: verovio found nonsense in it; {_INSTEAD}.") from error
    return replace(engraving, fonts=fonts_of_drawings())


def _engraved_bytes(data: bytes, name: str, score: Score, request: EngravingRequest, progress: Progress) -> bytes:
    engraving = _engraved(data, name, score, request, progress)
    if engraving.problem:
        raise ScoreFileError(engraving.problem)
    return pack(replace(engraving, fonts=()))


def _engraved(data: bytes, name: str, score: Score, request: EngravingRequest, progress: Progress) -> Engraving:
    progress.update(0.0, "Engraving the score")
    suffix = Path(name).suffix.lower()
    if data.startswith((b"MThd", b"RIFF")):
        return _nothing(request, f"A MIDI file holds no notation to engrave; {_INSTEAD}.")
    if data.startswith(b"PK") and suffix != ".capx":
        data = unpacked(data, name)
    root = parse_xml(data, name) if data.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1] == b"<" else None
    rows: dict[str, int] | None = None
    if root is not None and root.tag.rpartition("}")[2] in ("score-partwise", "score-timewise"):
        root = partwise(root)
        rows, measures = mark_musicxml(root, score, name)
        document = tostring(root, encoding="unicode")
    elif suffix in _ENGRAVED_SUFFIXES or _is_mei(root):
        document = re.sub(r"^\s*<\?xml[^>]*\?>", "", text_in(data))  # it may tell another encoding
        document = _first_tune(document) if suffix == ".abc" else document
    else:
        return _nothing(request, f"Scores in the format of '{name}' cannot be engraved; {_INSTEAD}.")
    pages = VerovioPages(document, request.width_units)
    if not pages.count:
        return _nothing(request, f"'{name}' could not be engraved; {_INSTEAD}.")
    if rows is None:
        layout = read_layout(root, name) if root is not None and _is_mei(root) else None
        measures, found = pages.measures_and_notes(layout)
        expected = len(score.measures) if layout is None else len(layout.first_measures)
        if len(measures) != expected:  # the wrong bars would be lit
            return _nothing(request, f"'{name}' cannot be engraved bar for bar as it is played; {_INSTEAD}.")
        rows = matched_rows(found, score)
        if suffix == ".abc" and not is_same_music(found, rows, score):  # verovio reads few of the voices of ABC right
            return _nothing(request, f"'{name}' cannot be engraved note for note as it is played; {_INSTEAD}.")
    systems: list[EngravedSystem] = []
    for i in range(pages.count):
        progress.update(_LOADED + (1.0 - _LOADED) * i / pages.count)
        systems.append(drawn_system(pages.svg(i), rows, measures, score))
    return Engraving(request.score_file.content_key, request.width_units, tuple(systems), fonts_of_drawings())


def _is_mei(root: Element | None) -> bool:
    return root is not None and root.tag.rsplit("}", 1)[-1] in ("mei", "meiCorpus")


def _first_tune(text: str) -> str:
    """Return the first tune of an ABC file, which is all that counts as the score, with a bar line at its end.

    verovio (6.4.1) leaves out a last bar without one.
    """
    tunes = [found.start() for found in re.finditer(r"^X:", text, re.MULTILINE)]
    tune = (text[tunes[0] : tunes[1] if len(tunes) > 1 else None] if tunes else text).strip()
    last = tune.rsplit("\n", 1)[-1]
    is_music = re.match(r"[A-Za-z%]:|%", last) is None
    return f"{tune} |]\n" if is_music and not re.search(r"[|\]]\s*$", last) else f"{tune}\n"


def _nothing(request: EngravingRequest, problem: str) -> Engraving:
    return Engraving(request.score_file.content_key, request.width_units, problem=problem)


def _entry(request: EngravingRequest, suffix: str) -> Path:
    kind = "".join(c for c in suffix.lower() if c.isalnum())[:12]
    name = f"{request.score_file.content_key}-{kind}-{request.width_units}-{ENGRAVER_VERSION}.bin"
    return cached_path("engravings", name)


def _load_cached(entry: Path, request: EngravingRequest) -> Engraving | None:
    try:
        engraving = unpack(Engraving, entry.read_bytes())
    except (OSError, ValueError):
        return None
    if (engraving.content_key, engraving.width_units) != (request.score_file.content_key, request.width_units):
        return None
    mark_used(entry)
    return replace(engraving, fonts=fonts_of_drawings())
