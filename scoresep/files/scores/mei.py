"""MEI to raw parts, straight from the XML: every note that sounds, with the editor's choice where there are several.

Notes, lengths, pitches and bars are those of the MEI Guidelines. verovio (6.4.1) reads the same, and tests hold the
two together; it is not the reader because it leaves out what it cannot draw or play: bars under mRpt2, multiRpt and
halfmRpt, `dot` elements, `graceGrp`, default octaves, copies of notes, and the key signature where a file has no
``accid.ges``. music21 10.5 passes over endings, tremolos, repeat signs of bars and beats, ``oct.ges`` and readings.

References
----------
MEI Guidelines 5.1, Music Encoding Initiative, 2025, https://music-encoding.org/guidelines/v5/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from scoresep.errors import ScoreFileError
from scoresep.files.scores.mei_layer import NoteToken
from scoresep.files.scores.mei_measures import MeasuresReader
from scoresep.files.scores.mei_signs import StatedOrder
from scoresep.files.scores.mei_tree import fill_copies, text_of, with_plain_names
from scoresep.files.scores.raw import RawPart, RawScore
from scoresep.progress import Progress

_OLD_NOTATIONS = ("mensural", "neume")


def read_mei(root: Element, name: str, progress: Progress, tokens: Mapping[str, NoteToken] | None = None) -> RawScore:
    """Read an MEI document, of any version from 2013 on.

    Parameters
    ----------
    root : Element
        ``mei`` or ``meiCorpus``, in any namespace; is changed.
    name : str
        Of the file, for messages.
    progress : Progress
    tokens : mapping of NoteToken, optional
        What the source of a converted document says of its notes, by their ids.

    Raises
    ------
    ScoreFileError
        If the document holds no music in modern notation.
    """
    progress.update(0.0, "Reading the score")
    try:
        return _read(root, name, progress, tokens or {})
    except RecursionError as error:
        raise ScoreFileError(f"'{name}' nests its music without end: the file is damaged; export it again.") from error


def _read(root: Element, name: str, progress: Progress, tokens: Mapping[str, NoteToken]) -> RawScore:
    with_plain_names(root)
    fill_copies(root, name)
    raw = RawScore()
    document = _document(root, raw.warnings)
    _describe(raw, document)
    music = _piece(document, name, raw.warnings)
    _refuse_old_notation(music, name)
    for piece in _separate_parts(music) or [music]:
        reader = MeasuresReader(name, progress, tokens)
        parts = reader.read(piece)
        if reader.writes_all_accidentals:
            reader = MeasuresReader(name, progress, tokens, is_notated=False)
            parts = reader.read(piece)
        raw.parts += _named_apart(parts, raw.parts, piece)
        if not raw.stated_order:
            order = StatedOrder(piece, reader.measure_indices)
            raw.stated_order = order.of(piece)
            raw.warnings += order.warnings
    return raw


@dataclass(frozen=True)
class MeiLayout:
    """Where the staves and measures of an MEI document lie in its score.

    Attributes
    ----------
    part_of_staff : dict of int
        Index of the part by the number (``n``) of the staff.
    first_measures : list of int
        Index of the (first) measure that every ``measure`` became.
    """

    part_of_staff: dict[str, int]
    first_measures: list[int]


def read_layout(root: Element, name: str) -> MeiLayout:
    """Read only how an MEI document is laid out; `read_mei` says what it raises and does to the document."""
    with_plain_names(root)
    fill_copies(root, name)
    reader = MeasuresReader(name, Progress(), {})
    parts = reader.read(_piece(_document(root, []), name, []))
    return MeiLayout(reader.part_of_staves(parts), reader.first_measures())


def _document(root: Element, warnings: list[str]) -> Element:
    """Choose the document: of a corpus the first one with notes."""
    documents = [d for d in root.iter("mei") if d.find("music") is not None and d.find("music//note") is not None]
    if len(documents) > 1:
        warnings.append(f"The file holds {len(documents)} pieces; the first one is read.")
    return documents[0] if documents else root


def _piece(document: Element, name: str, warnings: list[str]) -> Element:
    """Choose the ``score`` (or ``parts``) that is read: that of the first division with notes."""
    music = document.find("music")
    if music is None:  # the head of a document may hold the beginnings of pieces, but that is no score
        music = Element("music")
    found = [e for mdiv in music.iter("mdiv") for e in _first_of(mdiv)] or list(music.iter("score"))[:1]
    pieces = [p for p in found if next(p.iter("note"), None) is not None] or found[:1]
    if not pieces:
        raise ScoreFileError(f"'{name}' describes a piece but holds no score; choose a file with notes.")
    if len(pieces) > 1:
        warnings.append(
            f"The file holds {len(pieces)} movements; the first one is read. Save the others as files of their own."
        )
    return pieces[0]


def _first_of(mdiv: Element) -> list[Element]:
    score = mdiv.find("score")
    parts = mdiv.find("parts")
    return [e for e in (score, parts) if e is not None][:1]


def _separate_parts(music: Element) -> list[Element]:
    """Return the parts of a division that has no score but the parts one by one."""
    return music.findall("part") if music.tag == "parts" else []


def _named_apart(parts: list[RawPart], before: list[RawPart], piece: Element) -> list[RawPart]:
    """Name parts that stand alone by their ``part`` element, and number the nameless ones on."""
    label = " ".join(piece.get("label", "").split()) if piece.tag == "part" else ""
    for i, part in enumerate(parts):
        if part.name.startswith("Part ") and piece.tag == "part":
            part.name = label or f"Part {len(before) + i + 1}"
    return parts


def _refuse_old_notation(music: Element, name: str) -> None:
    kinds = [d.get("notationtype", "") for d in music.iter("staffDef")]
    is_old = bool(kinds) and all(kind.startswith(_OLD_NOTATIONS) for kind in kinds)
    if is_old or next(music.iter("neume"), None) is not None:
        raise ScoreFileError(
            f"'{name}' is written in mensural or neume notation, which does not tell how long its notes are in "
            "quarters; choose a transcription in modern notation."
        )


def _describe(raw: RawScore, document: Element) -> None:
    """Take title and composer from the header."""
    header = document.find("meiHead")
    if header is None:
        return
    statement = header.find("fileDesc/titleStmt")
    places = [p for p in (statement, header.find(".//work"), header.find("workDesc")) if p is not None]
    raw.title = next((text for p in places for text in map(text_of, _titles(p)) if text), "")
    composers = [e for p in places for e in p.iter("composer")]
    composers += [e for p in places for e in p.iter("persName") if e.get("role") in ("composer", "cmp")]
    raw.composer = next((text for text in map(text_of, composers) if text), "")


def _titles(statement: Element) -> list[Element]:
    titles = list(statement.iter("title"))
    return sorted(titles, key=lambda t: t.get("type") in ("subordinate", "subtitle", "abbreviated"))
