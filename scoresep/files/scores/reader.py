"""The entry for scores: finds out what a file is, hands it to its reader, and refuses what is no score.

Also here: scores that were read before, kept by the content of their file, so that large ones open at once the next
time.
"""

from __future__ import annotations

import contextlib
import logging
import re
import zlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from scoresep.errors import OutputError, ScoreFileError
from scoresep.files.midi import MIDI_SUFFIXES, holds_midi, is_midi
from scoresep.files.scores.archives import MAX_SCORE_BYTES, parse_xml, text_in, unpacked
from scoresep.files.scores.music21_scores import ANALYSES
from scoresep.files.scores.raw import RawScore
from scoresep.files.storage.atomic import write_whole
from scoresep.files.storage.cache import cached_path, content_key, content_key_of, mark_used
from scoresep.files.storage.limited_process import Limits, Task, limits_for, run_limited
from scoresep.files.storage.values import pack, unpack
from scoresep.model.project import ScoreFile
from scoresep.model.score import Score, WrittenNotes
from scoresep.progress import Progress

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


# What music21 calls the formats of texts, by the endings of their names; ABC has a reader of our own.
_MUSIC21_FORMATS = {
    ".abc": "abc",
    ".rntxt": "romantext",
    ".rntext": "romantext",
    ".tntxt": "tinyNotation",
    ".capx": "capella",
    ".nwctxt": "noteworthytext",
    ".volpiano": "volpiano",
    ".clercqtemperley": "clercqTemperley",
    ".cttxt": "clercqTemperley",
}
_HUMDRUM_SUFFIXES = (".krn", ".hum")
_READ_AS_TEXT = tuple(suffix for suffix, name in _MUSIC21_FORMATS.items() if name not in ANALYSES)
SCORE_SUFFIXES = (".musicxml", ".mxl", ".xml", *MIDI_SUFFIXES, ".mei", *_HUMDRUM_SUFFIXES, *_READ_AS_TEXT)

_EXPORT = "open it in the program that made it and export it as MusicXML"
_OTHER_PROGRAMS = {
    ".mscz": "a MuseScore file", ".mscx": "a MuseScore file", ".sib": "a Sibelius file", ".musx": "a Finale file",
    ".mus": "a Finale file", ".dorico": "a Dorico file", ".gp": "a Guitar Pro file", ".gpx": "a Guitar Pro file",
    ".gp5": "a Guitar Pro file", ".gp4": "a Guitar Pro file", ".gp3": "a Guitar Pro file", ".ly": "a LilyPond file",
    ".cap": "a Capella file", ".enc": "an Encore file", ".nwc": "a NoteWorthy file", ".mscore": "a MuseScore file",
}  # fmt: skip
_PICTURES = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8")
_SOUNDS = (b"fLaC", b"OggS", b"ID3", b"FORM")
_WEB_PAGE = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE | re.DOTALL)


def open_score(path: str | Path, progress: Progress | None = None) -> tuple[ScoreFile, Score]:
    """Read a score and tell which file it came from; a file that was read before comes from the cache.

    Parameters
    ----------
    path : str or Path
        MusicXML (``.musicxml``, ``.mxl``, ``.xml``), MIDI, ABC, Humdrum, MEI, or what else music21 reads.
    progress : Progress, optional

    Returns
    -------
    score_file : ScoreFile
    score : Score

    Raises
    ------
    ScoreFileError
        If it cannot be read, is no score or holds no notes.
    """
    path = Path(path).absolute()
    progress = progress or Progress()
    _check_file(path)
    key = content_key(path)
    score = load_cached(key, path.suffix)
    if score is None:
        data = _bytes_of(path)
        if content_key_of(data) != key:
            raise ScoreFileError(f"'{path.name}' was changed while it was read; open it again.")
        score = parse_score(data, path.name, progress)
        if not len(score.notes):
            raise ScoreFileError(f"'{path.name}' holds no notes; choose another score or export it again.")
        store_cached(key, path.suffix, score)
    progress.update(1.0)
    return ScoreFile(str(path), key), score


def read_score(path: str | Path, progress: Progress | None = None) -> Score:
    """Read a score; `open_score` without the file."""
    return open_score(path, progress)[1]


def is_score_name(path: str | Path) -> bool:
    """Whether a file bears the name of a score that can be read."""
    return Path(path).suffix.lower() in SCORE_SUFFIXES


def parse_score(data: bytes, name: str, progress: Progress | None = None) -> Score:
    """Read a score from the bytes of its file, past the cache. A score without notes is no mistake here.

    Parameters
    ----------
    data : bytes
    name : str
        Of the file, for messages; its ending decides where the content does not.
    progress : Progress, optional

    Raises
    ------
    ScoreFileError
    """
    from scoresep.files.scores.assembly import assemble

    progress = progress or Progress()
    return assemble(_raw_score(data, name, progress), name)


def _raw_score(data: bytes, name: str, progress: Progress) -> RawScore:
    suffix = Path(name).suffix.lower()
    if not data.strip(b"\0 \t\r\n"):
        raise ScoreFileError(f"'{name}' is empty; choose another score or export it again.")
    if suffix in _OTHER_PROGRAMS:
        raise ScoreFileError(f"'{name}' is {_OTHER_PROGRAMS[suffix]}; {_EXPORT}.")
    if is_midi(data) or (suffix in MIDI_SUFFIXES and holds_midi(data)):
        from scoresep.files.scores.midi import read_midi

        return read_midi(data, name, progress)
    if suffix in MIDI_SUFFIXES:
        raise ScoreFileError(f"'{name}' is not a MIDI file or is damaged; export it again.")
    if data.startswith(b"PK"):
        if suffix == ".capx":
            return _read_text(text_in(unpacked(data, name)), "capella", name, progress)
        data, name = unpacked(data, name), f"{name}"
    _refuse_other_media(data, name)
    if _looks_like_xml(data):
        return _read_xml(data, name, progress)
    if suffix in (".musicxml", ".mxl", ".xml"):
        raise ScoreFileError(f"'{name}' is not MusicXML, whatever its name says; export the score again.")
    if suffix == ".mei":
        raise ScoreFileError(f"'{name}' is not MEI, whatever its name says; export the score again.")
    text = text_in(data)
    if _is_humdrum(text) or suffix in _HUMDRUM_SUFFIXES:
        from scoresep.files.scores.humdrum import read_humdrum

        progress.update(0.0, "Reading the score")
        return read_limited(read_humdrum, (text, name), name, progress)  # verovio lays it out
    music21_format = _sniffed(text) or _MUSIC21_FORMATS.get(suffix)
    if music21_format is None:
        raise ScoreFileError(f"'{name}' is not a score; choose a MusicXML, MIDI, ABC, Humdrum or MEI file.")
    return _read_text(text, music21_format, name, progress)


def _read_xml(data: bytes, name: str, progress: Progress) -> RawScore:
    root: Element = parse_xml(data, name)
    tag = root.tag.rsplit("}", 1)[-1]
    if tag in ("score-partwise", "score-timewise"):
        from scoresep.files.scores.musicxml import read_musicxml

        return read_musicxml(root, name, progress)
    if tag in ("mei", "meiCorpus"):
        from scoresep.files.scores.mei import read_mei

        return read_mei(root, name, progress)
    if tag == "opus":
        raise ScoreFileError(f"'{name}' only lists other scores; open one of them.")
    if tag == "museScore":
        raise ScoreFileError(f"'{name}' is a MuseScore file; {_EXPORT}.")
    raise ScoreFileError(f"'{name}' is XML but not a score; choose a MusicXML or MEI file.")


def _read_text(text: str, music21_format: str, name: str, progress: Progress) -> RawScore:
    if music21_format == "abc":
        from scoresep.files.scores.abc_score import read_abc

        return read_abc(text, name, progress)
    from scoresep.files.scores.music21_scores import read_other_score

    progress.update(0.0, "Reading the score")
    return read_limited(read_other_score, (text, music21_format, name), name, progress)


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:  # ValueError: no name of a file can hold a null character
        raise ScoreFileError(f"'{path}' is not there or cannot be read; choose the score again.") from error
    if path.is_dir():
        raise ScoreFileError(f"'{path}' is a folder; choose a score in it.")
    if not path.is_file():
        raise ScoreFileError(f"'{path}' is a device or a pipe, not a file; save the score to a file first.")
    if size > MAX_SCORE_BYTES:
        raise ScoreFileError(f"'{path.name}' is too large for a score; choose a MusicXML, MIDI, ABC or MEI file.")


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ScoreFileError(f"'{path}' cannot be read; check the file and its permissions.") from error


def _refuse_other_media(data: bytes, name: str) -> None:
    if data.startswith(_PICTURES):
        raise ScoreFileError(f"'{name}' is a picture of a score; a music scanning program can make MusicXML of it.")
    if data.startswith(_SOUNDS) or (data.startswith(b"RIFF") and data[8:12] == b"WAVE"):
        raise ScoreFileError(f"'{name}' is a recording, not a score; open it as the recording.")
    if _WEB_PAGE.match(data[:2000].removeprefix(b"\xef\xbb\xbf")):
        raise ScoreFileError(f"'{name}' is a web page, not a score; download the score itself from that page.")


def _looks_like_xml(data: bytes) -> bool:
    start = data[:200].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").replace(b"\0", b"")
    return start.startswith(b"<")


def _is_humdrum(text: str) -> bool:
    """Tell Humdrum by its exclusive interpretations, in whichever spine the notes are."""
    return re.search(r"^\*\*(?:\S+\t)*?(?:\*\*)?(?:kern|recip|mens)\b", text[:20_000], re.MULTILINE) is not None


def _sniffed(text: str) -> str | None:
    """Tell ABC by its contents."""
    head = text[:20_000]
    if re.search(r"^X:\s*\d", head, re.MULTILINE) and re.search(r"^K:", head, re.MULTILINE):
        return "abc"
    return None


# music21 takes a millisecond for a note on a computer of 2025, and a note has a letter or two in ABC, but a hundred and
# more in XML; slower computers are allowed for.
BYTES_PER_S, XML_BYTES_PER_S = 300, 10_000
Reader = Callable[..., RawScore]
_log = logging.getLogger(__name__)


def read_limited(
    reader: Reader, inputs: tuple[str, ...], name: str, progress: Progress, limits: Limits | None = None
) -> RawScore:
    """Read a score with a limit of time and memory.

    Parameters
    ----------
    reader : callable
        Of a module; called as ``reader(*inputs, progress)`` in a process of its own.
    inputs : tuple of str
    name : str
        Of the file, for messages.
    progress : Progress
    limits : Limits, optional
        By default such as no sound file of this length passes.

    Raises
    ------
    ScoreFileError
        The reader refuses the file, fails, passes a limit or ends its process.
    Cancelled
    """
    rate = XML_BYTES_PER_S if any(each.lstrip()[:1] == "<" for each in inputs) else BYTES_PER_S
    limits = limits or limits_for(sum(len(each) for each in inputs), rate)
    data = run_limited(Task(_read, (reader, inputs), name), limits, progress)
    try:
        return unpack(RawScore, data)
    except ValueError as error:
        _log.warning("%s: %s", name, error)
        raise ScoreFileError(f"'{name}' is damaged: its reader found nonsense in it; export it again.") from error


def _read(reader: Reader, inputs: tuple[str, ...], progress: Progress) -> bytes:
    return pack(reader(*inputs, progress))
