"""The entry for engraving: a score file and a width in, the drawings of its systems out; kept in the cache."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import tostring

from scoresep.errors import InputError, OutputError, ScoreFileError
from scoresep.files.atomic import write_whole
from scoresep.files.cache import cached_path, mark_used
from scoresep.files.engraving.drawings import drawn_system
from scoresep.files.engraving.engraving_codec import engraving_from_bytes, engraving_to_bytes
from scoresep.files.engraving.marked_scores import mark_musicxml, matched_rows
from scoresep.files.engraving.verovio_pages import VerovioPages, fonts_of_drawings
from scoresep.files.score_files import open_score
from scoresep.files.score_files.archives import parse_xml, unpacked
from scoresep.model.engraving import EngravedSystem, Engraving
from scoresep.model.project import ScoreFile
from scoresep.model.score import Score
from scoresep.progress import Progress

# Raise it whenever drawings come to look different; what older ones left in the cache is then never looked at again.
ENGRAVER_VERSION = 1
_LOADED = 0.5  # share of the work that is done when verovio has read and laid out the score
_ENGRAVED_SUFFIXES = (".abc", ".krn", ".hum", ".mei")  # besides MusicXML
_INSTEAD = "the notes of the timeline show the same music"


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
        engraving = _engraved(path.read_bytes(), path.name, score, request, progress)
    except (InputError, OSError) as error:
        return _nothing(request, str(error))
    if engraving.systems:
        with contextlib.suppress(OutputError, OSError):  # engraved anew next time, and nobody need know
            write_whole(entry, engraving_to_bytes(engraving))
    return engraving


def _engraved(data: bytes, name: str, score: Score, request: EngravingRequest, progress: Progress) -> Engraving:
    progress.update(0.0, "Engraving the score")
    suffix = Path(name).suffix.lower()
    if data.startswith((b"MThd", b"RIFF")):
        return _nothing(request, f"A MIDI file holds no notation to engrave; {_INSTEAD}.")
    if data.startswith(b"PK") and suffix != ".capx":
        data = unpacked(data, name)
    root = parse_xml(data, name) if data.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1] == b"<" else None
    rows: dict[str, int] | None = None
    if root is not None and root.tag == "score-partwise":
        rows, measures = mark_musicxml(root, score, name)
        document = tostring(root, encoding="unicode")
    elif suffix in _ENGRAVED_SUFFIXES:
        document = _decoded(data)
        document = _first_tune(document) if suffix == ".abc" else document
    else:
        return _nothing(request, f"Scores in the format of '{name}' cannot be engraved; {_INSTEAD}.")
    pages = VerovioPages(document, request.width_units)
    if not pages.count:
        return _nothing(request, f"'{name}' could not be engraved; {_INSTEAD}.")
    if rows is None:
        measures, found = pages.measures_and_notes()
        if len(measures) != len(score.measures):  # the wrong bars would be lit
            return _nothing(request, f"'{name}' cannot be engraved bar for bar as it is played; {_INSTEAD}.")
        rows = matched_rows(found, score)
    systems: list[EngravedSystem] = []
    for i in range(pages.count):
        progress.update(_LOADED + (1.0 - _LOADED) * i / pages.count)
        systems.append(drawn_system(pages.svg(i), rows, measures))
    return Engraving(request.score_file.content_key, request.width_units, tuple(systems), fonts_of_drawings())


def _first_tune(text: str) -> str:
    """Return the first tune of an ABC file, which is all that counts as the score."""
    tunes = [found.start() for found in re.finditer(r"^X:", text, re.MULTILINE)]
    return text[tunes[0] : tunes[1] if len(tunes) > 1 else None] if tunes else text.lstrip()


def _decoded(data: bytes) -> str:
    """Return the text of a file, without a declaration of the encoding that it had."""
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text)


def _nothing(request: EngravingRequest, problem: str) -> Engraving:
    return Engraving(request.score_file.content_key, request.width_units, problem=problem)


def _entry(request: EngravingRequest, suffix: str) -> Path:
    kind = "".join(c for c in suffix.lower() if c.isalnum())[:12]
    name = f"{request.score_file.content_key}-{kind}-{request.width_units}-{ENGRAVER_VERSION}.zip"
    return cached_path("engravings", name)


def _load_cached(entry: Path, request: EngravingRequest) -> Engraving | None:
    try:
        engraving = engraving_from_bytes(entry.read_bytes())
    except (OSError, ValueError):
        return None
    if (engraving.content_key, engraving.width_units) != (request.score_file.content_key, request.width_units):
        return None
    mark_used(entry)
    return Engraving(engraving.content_key, engraving.width_units, engraving.systems, fonts_of_drawings())
