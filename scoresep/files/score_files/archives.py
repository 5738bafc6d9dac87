"""From the bytes of a score file to its document: compressed MusicXML is unpacked, XML is parsed, both with care.

A hostile file must not fill memory (zip bombs, entity expansion) and a damaged one is refused in one sentence.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from xml.etree.ElementTree import Element, ParseError, fromstring

from scoresep.errors import ScoreFileError

MAX_SCORE_BYTES = 200 * 2**20  # the longest operas stay under 100 MB

_XML_SUFFIXES = (".musicxml", ".xml")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def unpacked(data: bytes, name: str) -> bytes:
    """Return the MusicXML document inside a compressed one (.mxl).

    Raises
    ------
    ScoreFileError
        If the archive is damaged, encrypted, too large or holds no MusicXML.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entry = archive.getinfo(_score_entry(archive, name))
            return _entry_bytes(archive, entry, name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, KeyError, OSError, ValueError) as error:
        raise ScoreFileError(f"'{name}' is a damaged archive; export the score again as MusicXML.") from error


def _entry_bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> bytes:
    if entry.flag_bits & 0x1:
        raise ScoreFileError(f"'{name}' is protected by a password; unpack it or export the score without one.")
    if entry.file_size > MAX_SCORE_BYTES:
        raise _too_large(name)
    with archive.open(entry) as stream:
        data = stream.read(MAX_SCORE_BYTES + 1)  # the size that the archive states may be a lie
    if len(data) > MAX_SCORE_BYTES:
        raise _too_large(name)
    return data


def _score_entry(archive: zipfile.ZipFile, name: str) -> str:
    """Name of the score inside the archive: what its container file says, else the first that looks like one."""
    names = archive.namelist()
    if "META-INF/container.xml" in names:
        container = _entry_bytes(archive, archive.getinfo("META-INF/container.xml"), name)
        try:
            listed = [e.get("full-path", "") for e in parse_xml(container, name).iter() if e.tag.endswith("rootfile")]
        except ScoreFileError:
            listed = []
        for path in listed:
            if path in names and path.lower().endswith(_XML_SUFFIXES):
                return path
    for path in names:
        if path.lower().endswith(_XML_SUFFIXES) and not path.startswith(("META-INF/", "__MACOSX/")):
            return path
    if any(path.endswith((".mscx", "score_style.mss")) for path in names):
        raise ScoreFileError(f"'{name}' is a MuseScore file; open it there and export it as MusicXML.")
    raise ScoreFileError(f"'{name}' is an archive without a score; choose a MusicXML file (.musicxml, .mxl).")


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
