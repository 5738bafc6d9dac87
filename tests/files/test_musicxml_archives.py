"""MXL archives: what the container names is the score, whatever it is called and however its path is written."""

from __future__ import annotations

import io
import zipfile

import pytest
from musicxml_text import document, note, part

from scoresep.errors import ScoreFileError
from scoresep.files.scores import parse_score

SCORE, OTHER = document(part(note(60))), document(part(note(72)))
MUSICXML = "application/vnd.recordare.musicxml+xml"


def container(*paths: str, media_type: str = "", head: str = "", namespace: str = "") -> bytes:
    kind = f' media-type="{media_type}"' if media_type else ""
    files = "".join(f'<rootfile full-path="{path}"{kind}/>' for path in paths)
    return f"{head}<container{namespace}><rootfiles>{files}</rootfiles></container>".encode()


def archive(entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Zip entries under exactly these names; Python turns backslashes only on Windows."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as zipped:
        for name, data in entries:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.compress_type = method
            zipped.writestr(info, data)
    return buffer.getvalue()


def pitch(data: bytes) -> float:
    score = parse_score(data, "song.mxl")
    assert len(score.notes) == 1
    return float(score.notes.pitch_midi[0])


@pytest.mark.parametrize(
    ("inside", "named"),
    [
        ("song.xml", "song.xml"),
        ("song.mxl", "song.mxl"),
        ("score", "score"),
        ("a.b/no ending.v2", "a.b/no ending.v2"),
        ("Übung №1.xml", "Übung №1.xml"),
        ("dir/song.xml", "dir\\song.xml"),
        ("dir\\song.xml", "dir\\song.xml"),
        ("dir\\song.xml", "dir/song.xml"),
        ("song.xml", "/song.xml"),
        ("song.xml", "./song.xml"),
        ("Song.XML", "song.xml"),
        ("my song.xml", "my%20song.xml"),
        ("song.musicxml", "gone.musicxml"),
    ],
)
@pytest.mark.parametrize("meta", ["META-INF/container.xml", "META-INF\\container.xml", "meta-inf/Container.xml"])
def test_entries_of_any_name(inside: str, named: str, meta: str) -> None:
    assert pitch(archive([(meta, container(named)), (inside, SCORE)])) == 60


def test_names_in_utf8_that_are_not_marked_so() -> None:
    data = archive([("META-INF/container.xml", container("Übung.xml")), ("Übung.xml", SCORE), ("a.xml", OTHER)])
    unmarked = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = unmarked.find(signature)
        while place >= 0:
            unmarked[place + offset + 1] &= ~0x08 & 0xFF
            place = unmarked.find(signature, place + 4)
    assert pitch(bytes(unmarked)) == 60


def test_the_container_may_have_a_namespace_a_byte_order_mark_and_another_encoding() -> None:
    namespace = ' xmlns="urn:oasis:names:tc:opendocument:xmlns:container"'
    plain = container("b.xml", namespace=namespace, head='<?xml version="1.0" encoding="UTF-8"?>')
    for data in (plain, b"\xef\xbb\xbf" + plain, plain.decode().replace("UTF-8", "UTF-16").encode("utf-16")):
        assert pitch(archive([("a.xml", OTHER), ("META-INF/container.xml", data), ("b.xml", SCORE)])) == 60


def test_of_several_root_files_the_first_that_is_musicxml_counts() -> None:
    listed = (
        b'<container><rootfiles><rootfile full-path="song.pdf" media-type="application/pdf"/>'
        b'<rootfile full-path="b.xml" media-type="application/vnd.recordare.musicxml+xml"/>'
        b'<rootfile full-path="a.xml" media-type="application/vnd.recordare.musicxml+xml"/></rootfiles></container>'
    )
    files = [("META-INF/container.xml", listed), ("song.pdf", b"%PDF-1.4"), ("a.xml", OTHER), ("b.xml", SCORE)]
    assert pitch(archive(files)) == 60


def test_what_a_mac_adds_is_no_score() -> None:
    junk = [("__MACOSX/._song.xml", b"\0\5\26\7"), ("._song.xml", b"\0\5\26\7"), (".DS_Store", b"\0\0\0\1")]
    listed = ("META-INF/container.xml", container("song.xml"))
    assert pitch(archive([*junk, ("song.xml", SCORE)])) == 60
    assert pitch(archive([*junk, listed, ("song.xml", SCORE)])) == 60


@pytest.mark.parametrize("name", ["song.xml", "song.musicxml", "score", "inner.mxl", "dir/song.XML"])
def test_an_archive_without_container(name: str) -> None:
    assert pitch(archive([("readme.txt", b"hello"), (name, SCORE)])) == 60


def test_a_damaged_container_and_one_that_names_itself() -> None:
    for text in (b"<container", container("META-INF/container.xml"), container(""), b""):
        assert pitch(archive([("META-INF/container.xml", text), ("score", SCORE)])) == 60


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_ways_to_pack_are_refused_in_words(method: int) -> None:
    with pytest.raises(ScoreFileError, match="packed by a method that MusicXML does not use"):
        parse_score(archive([("song.xml", SCORE)], method), "song.mxl")


def test_stored_entries_are_read() -> None:
    assert pitch(archive([("song.xml", SCORE)], zipfile.ZIP_STORED)) == 60
