"""Scores as bytes, and the cache of what was read."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from musicxml_text import CLOSES, OPENS, document, ending, note, part, tie, words
from small_scores import scale_score

from scoresep.files.scores import open_score, parse_score, read_score, reader
from scoresep.files.scores.reader import score_from_bytes, score_to_bytes
from scoresep.files.storage import cache as cache_folders
from scoresep.model.score import Instrument, Mark, MarkDetail, Score

RICH = document(
    part(
        OPENS + '<sound tempo="96.5"/>' + note(60.5, 4, tie("start")) + note(60.5, 4, tie("stop")),
        ending("1", "start") + note(62, None, before="<grace/>") + note(62) + ending("1", "stop", closes=True),
        ending("2", "start") + note(64, 6) + words("D.C.") + ending("2", "stop") + CLOSES,
        "<note><unpitched/><duration>8</duration></note>",
    ),
    part(note(48), note(None), note(50), note(52)),
    names=["Flöte ♭", ""],
)


def test_a_score_survives_as_bytes() -> None:
    score = parse_score(RICH, "x.xml")
    assert score.own_durations and score.warnings and score.tempo_marks
    back = score_from_bytes(score_to_bytes(score))
    assert back == score
    assert back.measures[0] == score.measures[0] and back.parts == score.parts
    assert back.notes.pitch_midi.dtype == score.notes.pitch_midi.dtype and not back.notes.pitch_midi.flags.writeable


@given(st.text(max_size=5), st.integers(0, 6), st.one_of(st.none(), st.integers(0, 127)), st.booleans())
def test_any_score_survives_as_bytes(text: str, measures: int, program: int | None, percussion: bool) -> None:
    score = scale_score(measures + 1, ["A", text])
    parts = (score.parts[0], replace(score.parts[1], instrument=Instrument(text, program, percussion)))
    detail = MarkDetail(Mark.SEGNO, (text,), (text,), (1, 2), percussion)
    marked = replace(score.measures[0], marks=(Mark.SEGNO,), mark_details=(detail,), repeats_after_jump=percussion)
    score = replace(score, measures=(marked, *score.measures[1:]), notes=replace(score.notes, passes=score.notes.staff))
    score = replace(score, title=text, composer=text, parts=parts, warnings=(text, text))
    assert score_from_bytes(score_to_bytes(score)) == score


@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
def test_damaged_bytes_are_told(place: int, put: bytes) -> None:
    score = parse_score(RICH, "x.xml")
    data = bytearray(score_to_bytes(score))
    at = place % len(data)
    data[at : at + len(put)] = put
    with contextlib.suppress(ValueError):
        assert isinstance(score_from_bytes(bytes(data)), Score)


@pytest.mark.parametrize("data", [b"", b"PK", b"{}", score_to_bytes(scale_score())[:-30]])
def test_what_is_no_score(data: bytes) -> None:
    with pytest.raises(ValueError):
        score_from_bytes(data)


def test_scores_that_contradict_themselves_are_told() -> None:
    score = scale_score(2)
    fewer_parts = replace(score, parts=score.parts[:1])
    fewer_measures = replace(score, measures=score.measures[:1])
    wrong_lengths = replace(score, own_durations=((4.0,),))
    for wrong in (fewer_parts, fewer_measures, wrong_lengths):
        with pytest.raises(ValueError):
            score_from_bytes(score_to_bytes(wrong))


# -------------------------------------------------------------------------------------------------------- cache


@pytest.fixture
def score_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "x.xml"
    path.write_bytes(RICH)
    return path


def entries() -> list[Path]:
    return sorted((cache_folders.cache_folder() / "scores").glob("*"))


def forbid_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr(reader, "parse_score", fail)


def test_the_second_time_comes_from_the_cache(score_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, score = open_score(score_path)
    assert file.path == str(score_path) and file.content_key == cache_folders.content_key(score_path)
    assert file.content_key == hashlib.blake2b(RICH, digest_size=20).hexdigest()
    assert len(entries()) == 1
    forbid_parsing(monkeypatch)
    copy = score_path.with_name("copy.xml")
    copy.write_bytes(RICH)
    assert read_score(copy) == score == read_score(score_path)


def test_another_content_or_reader_is_read_anew(score_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_score(score_path)
    score_path.write_bytes(RICH.replace(b"D.C.", b"Fine"))
    assert len(read_score(score_path).measures[2].marks) == 1 and len(entries()) == 2
    monkeypatch.setattr(reader, "READER_VERSION", reader.READER_VERSION + 1)
    forbid_parsing(monkeypatch)
    with pytest.raises(AssertionError):
        read_score(score_path)


def test_a_damaged_entry_is_read_again_and_mended(score_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score = read_score(score_path)
    (entry,) = entries()
    for damage in (b"", b"rubbish", entry.read_bytes()[:-50]):
        entry.write_bytes(damage)
        assert read_score(score_path) == score
    forbid_parsing(monkeypatch)
    assert read_score(score_path) == score


def test_a_cache_that_cannot_be_written_does_no_harm(score_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = score_path.with_name("a file")
    blocked.write_bytes(b"")
    monkeypatch.setenv("SCORESEP_CACHE_DIR", str(blocked))
    assert len(read_score(score_path).notes) == len(parse_score(RICH, "x.xml").notes)
