"""From the bytes of a score file to its document: compressed MusicXML is unpacked, XML is parsed, both with care.

A hostile file must not fill memory (zip bombs, entity expansion) and a damaged one is refused in one sentence.
"""

from __future__ import annotations

import contextlib
import io
import re
import unicodedata
import zipfile
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError, fromstring

from scoresep.errors import ScoreFileError

MAX_SCORE_BYTES = 200 * 2**20  # the longest operas stay under 100 MB

_XML_SUFFIXES = (".musicxml", ".xml")
_OTHER_MEDIA = (".pdf", ".png", ".jpg", ".jpeg", ".svg", ".mp3", ".ogg", ".wav", ".mid", ".midi")
_CONTAINER = "meta-inf/container.xml"
_MEDIA_TYPE = "application/vnd.recordare.musicxml+xml"
_UTF8_NAME = 0x800
_MOST_TRIED = 20  # entries of an archive that names none
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def unpacked(data: bytes, name: str) -> bytes:
    """Return the MusicXML document inside a compressed one (.mxl).

    Parameters
    ----------
    data : bytes
    name : str
        Of the file, for messages.

    Raises
    ------
    ScoreFileError
        If the archive is damaged, encrypted, packed by a method that MusicXML does not know, too large, or holds no
        MusicXML.

    References
    ----------
    MusicXML 4.0, W3C Music Notation Community Group, 2021, "Compressed .mxl files": the first ``rootfile`` of
    ``META-INF/container.xml`` is the score, whatever it is called; entries are stored or deflated.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _score_in(archive, name)
    except ScoreFileError:
        raise
    except Exception as error:  # members compressed by LZMA, strange flags and the like raise a dozen kinds
        raise ScoreFileError(f"'{name}' is a damaged archive; export the score again as MusicXML.") from error


def _entry_bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> bytes:
    if entry.flag_bits & 0x1:
        raise ScoreFileError(f"'{name}' is protected by a password; unpack it or export the score without one.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ScoreFileError(
            f"'{name}' is packed by a method that MusicXML does not use; unpack it and open the score inside."
        )
    if entry.file_size > MAX_SCORE_BYTES:
        raise _too_large(name)
    with archive.open(entry) as stream:
        data = stream.read(MAX_SCORE_BYTES + 1)  # the size that the archive states may be a lie
    if len(data) > MAX_SCORE_BYTES:
        raise _too_large(name)
    return data


def _score_in(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return the score inside the archive: what its container file names, else the first entry that is one."""
    entries = _score_entries(archive)
    container = next((e for path, e in entries.items() if path.lower() == _CONTAINER), None)
    named = _listed_paths(_entry_bytes(archive, container, name), name) if container is not None else []
    for path in named:
        entry = entries.get(path) or _entry_by_name(entries, path)
        if entry is not None and not _is_of_the_archive(path):
            data = _entry_bytes(archive, entry, name)
            if _is_document(data):
                return data
    others = {path: e for path, e in entries.items() if not _is_of_the_archive(path)}
    by_ending = sorted(others, key=lambda path: not path.lower().endswith(_XML_SUFFIXES))
    by_name: bytes | None = None
    for path in [p for p in by_ending if not p.lower().endswith(_OTHER_MEDIA)][:_MOST_TRIED]:
        data = _entry_bytes(archive, others[path], name)
        if _is_musicxml(data):
            return data
        if by_name is None and path.lower().endswith(_XML_SUFFIXES):
            by_name = data
    if by_name is not None:
        return by_name
    if any(path.endswith((".mscx", "score_style.mss")) for path in entries):
        raise ScoreFileError(f"'{name}' is a MuseScore file; open it there and export it as MusicXML.")
    raise ScoreFileError(f"'{name}' is an archive without a score; choose a MusicXML file (.musicxml, .mxl).")


def _score_entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Files of an archive by their paths; some programs write paths with backslashes or from the root."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        if not entry.is_dir() and entry.file_size:
            entries.setdefault(_plain_path(entry.filename), entry)
    return entries


def _plain_path(path: str) -> str:
    pieces = [piece for piece in path.replace("\\", "/").split("/") if piece not in ("", ".")]
    return unicodedata.normalize("NFC", "/".join(pieces))


def _entry_by_name(entries: dict[str, zipfile.ZipInfo], path: str) -> zipfile.ZipInfo | None:
    """Find an entry whose path the container gives in another case, as an address, or in another character set."""
    wanted = path.lower()
    for known, entry in entries.items():
        names = {known.lower(), _plain_path(unquote(known)).lower()}
        if not entry.flag_bits & _UTF8_NAME:  # read as code page 437 by the standard of ZIP, written as UTF-8
            with contextlib.suppress(UnicodeError):
                names.add(_plain_path(entry.filename.encode("cp437").decode("utf-8")).lower())
        if wanted in names or _plain_path(unquote(path)).lower() in names:
            return entry
    return None


def _is_of_the_archive(path: str) -> bool:
    """Whether an entry belongs to the archive and not to its content (the container, what a Mac adds)."""
    pieces = path.split("/")
    return pieces[0].upper() in ("META-INF", "__MACOSX") or pieces[-1].startswith(".") or path == "mimetype"


def _listed_paths(container: bytes, name: str) -> list[str]:
    """Paths that a container file names, those that it calls MusicXML (or nothing) first."""
    try:
        root = parse_xml(container, name)
    except ScoreFileError:
        return []
    listed = [e for e in root.iter() if e.tag.rpartition("}")[2] == "rootfile"]
    listed.sort(key=lambda e: e.get("media-type", _MEDIA_TYPE) not in (_MEDIA_TYPE, ""))
    return [_plain_path(e.get("full-path", "")) for e in listed]


def _is_document(data: bytes) -> bool:
    start = data[:200].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").replace(b"\0", b"")
    return start.startswith(b"<")


def _is_musicxml(data: bytes) -> bool:
    head = data[:4000].replace(b"\0", b"")
    return _is_document(data) and (b"score-partwise" in head or b"score-timewise" in head)


def _too_large(name: str) -> ScoreFileError:
    limit_mb = MAX_SCORE_BYTES // 2**20
    return ScoreFileError(f"'{name}' holds more than {limit_mb} MB of score; divide it into movements.")


def parse_xml(data: bytes, name: str) -> Element:
    """Parse an XML document; wrong character encodings are forgiven, entity declarations are not.

    Raises
    ------
    ScoreFileError
        If it is not well-formed or declares entities (which no score needs and which can grow without end).
    """
    if b"<!ENTITY" in data or any("<!ENTITY".encode(code) in data for code in ("utf-16-le", "utf-16-be")):
        raise ScoreFileError(
            f"'{name}' declares XML entities, which a score does not need; export it again as MusicXML."
        )
    try:
        return fromstring(data.lstrip())
    except (ParseError, ValueError, LookupError) as error:
        mended = _parse_as_text(data)
        if mended is not None:
            return mended
        line = getattr(error, "position", (0, 0))[0]
        where = f" (near line {line})" if line else ""
        raise ScoreFileError(
            f"'{name}' is not well-formed XML{where}: it is damaged or cut short; export the score again."
        ) from error


def _parse_as_text(data: bytes) -> Element | None:
    """Try again where only the encoding is not what the file says it is."""
    codes = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    for code in codes:
        try:
            return fromstring(_DECLARATION.sub("", data.decode(code)).strip())
        except (ParseError, ValueError):
            continue
    return None


def text_in(data: bytes) -> str:
    """Return the text of a file: UTF-16 with its mark, else UTF-8, else Windows-1252."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
