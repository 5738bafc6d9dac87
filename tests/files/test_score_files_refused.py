"""What is no score is refused with one sentence that says what to do."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from musicxml_text import CLOSES, OPENS, document, ending, note, part, tie, words

from scoresep.errors import ScoreFileError
from scoresep.files.scores import archives, parse_score, read_score
from scoresep.files.scores.archives import parse_xml
from scoresep.model.path import performance_path, unfold

GOOD = document(
    part(OPENS + note(60, 4, tie("start")) + note(60, 4, tie("stop")), ending("1", "start") + note(62) + CLOSES)
)


def zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def encrypted() -> bytes:
    """Set the flag of encryption on an entry, in both places where it stands."""
    data = bytearray(zipped("a.xml", GOOD))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


REFUSED = {
    "empty.xml": b"",
    "blank.musicxml": b" \r\n\t",
    "cut.xml": GOOD[: len(GOOD) // 2],
    "not_xml.xml": b"Dear reader,\nthis is no score.",
    "page.xml": b"<html><body>Not found</body></html>",
    "opus.xml": b"<opus><score/></opus>",
    "no_parts.xml": b"<score-partwise><part-list/></score-partwise>",
    "no_measures.xml": document(""),
    "endless.xml": document(part(note(60, 10**9))),
    "cut.mxl": zipped("a.xml", GOOD)[:-40],
    "not_zip.mxl": b"PK" + bytes(100),
    "no_score.mxl": zipped("readme.txt", b"hello"),
    "locked.mxl": encrypted(),
    "bomb.xml": b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]>' + GOOD[GOOD.index(b"<score") :],
    "cut.mid": b"MThd\0\0\0\x06\0\x01\0\x02\x01\xe0MTrk\0\0\1\0\0\x90\x40",
    "silent.mid": b"MThd\0\0\0\x06\0\0\0\1\x01\xe0MTrk\0\0\0\4\0\xff\x2f\0",
    "not_midi.mid": b"hello",
    "song.mscz": b"PK",
    "inside.mxl": zipped("song.mscx", b"<museScore/>"),
    "renamed.xml": b"<museScore/>",
    "page.pdf": b"%PDF-1.7 ...",
    "sound.wav": b"RIFF\x24\0\0\0WAVEfmt ",
    "sound.xml": b"fLaC\0\0\0\x22",
    "letter.txt": b"Dear reader,\nthis is no score.",
    "noise.abc": b"\x93\x01\x02\xff\xfe",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(ScoreFileError) as caught:
        score = parse_score(REFUSED[name], name)
        assert not len(score.notes), "read"
        raise ScoreFileError(f"'{name}' holds no notes; choose another score.")  # as `read_score` does
    text = str(caught.value)
    assert name in text and text.endswith(".") and "\n" not in text and len(text) < 160
    assert any(sign in text for sign in (";", ":", ",")), "it should say what to do"


def test_no_notes_no_file_and_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "rests.xml"
    path.write_bytes(document(part(note(None))))
    for wanted, place in (("holds no notes", path), ("not there", tmp_path / "x.xml"), ("is a folder", tmp_path)):
        with pytest.raises(ScoreFileError, match=wanted):
            read_score(place)


def test_large_files_are_not_unpacked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(archives, "MAX_SCORE_BYTES", 1000)
    with pytest.raises(ScoreFileError, match="more than"):
        parse_score(zipped("a.xml", b" " * 100_000), "x.mxl")
    lying = bytearray(zipped("a.xml", b" " * 100_000))
    place = lying.index(b"PK\x01\x02") + 24
    lying[place : place + 4] = (500).to_bytes(4, "little")  # the size that the archive states
    with pytest.raises(ScoreFileError):
        parse_score(bytes(lying), "x.mxl")


def test_entities_are_refused_in_any_encoding() -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>'
    for code in ("utf-16", "utf-16-be"):
        with pytest.raises(ScoreFileError, match="entities"):
            parse_xml(text.encode(code), "x.xml")


NUMBERS = st.sampled_from(["0", "-5", "99999999999999999999", "1e300", "nan", "", "x", "7", "3", "1, 2", "0.5", "48"])
RICH = document(
    part(
        OPENS
        + words("Segno", 'segno="s"')
        + note(60, 4, "<voice>1</voice><staff>1</staff>")
        + note(64, 4, before="<chord/>"),
        "<attributes><transpose><chromatic>2</chromatic></transpose></attributes>"
        + note(62, None, before="<grace/>")
        + note(62),
        "<backup><duration>4</duration></backup>" + ending("1", "start") + note(65) + ending("1", "stop", closes=True),
        ending("2", "start") + words("D.S. al Fine", 'dalsegno="s" tempo="90"') + note(67) + ending("2", "stop"),
    ),
    part(note(48), note(50), "", note(52)),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), NUMBERS), min_size=1, max_size=4), st.integers(0, 10**6))
def test_any_numbers_are_read_or_refused(changes: list[tuple[int, str]], removed: int) -> None:
    root = parse_xml(RICH, "x.xml")
    elements = list(root.iter())
    parents = [(p, c) for p in elements for c in p]
    for place, value in changes:
        element = elements[place % len(elements)]
        if place % 2 and element.attrib:
            element.set(next(iter(element.attrib)), value)
        else:
            element.text = value
    parent, child = parents[removed % len(parents)]
    parent.remove(child)
    from xml.etree.ElementTree import tostring

    try:
        score = parse_score(tostring(root), "x.xml")
    except ScoreFileError as error:
        assert str(error).endswith(".")
        return
    notes = unfold(score, performance_path(score)[0]).notes
    assert (
        (notes.duration_quarter >= 0).all() and (notes.onset_quarter >= 0).all() and (notes.onset_quarter < 1e6).all()
    )
    assert all(m.beats > 0 and m.beat_type > 0 and m.lead_quarter >= 0 for m in score.measures)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.binary(max_size=6), st.sampled_from(["x.xml", "x.mxl"]))
def test_damaged_files_are_read_or_refused(place: int, bytes_put: bytes, name: str) -> None:
    data = bytearray(GOOD if name == "x.xml" else zipped("a.xml", GOOD))
    at = place % len(data)
    data[at : at + len(bytes_put)] = bytes_put
    try:
        parse_score(bytes(data), name)
    except ScoreFileError as error:
        assert str(error).endswith(".")
