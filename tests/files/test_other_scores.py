"""Formats that only music21 reads: what is right in them, what is told, and what is refused."""

from __future__ import annotations

import io
import zipfile

import pytest

from scoresep.errors import ScoreFileError
from scoresep.files.scores import is_score_name
from scoresep.files.scores.reader import parse_score
from scoresep.model.path import performance_path, unfold
from scoresep.model.score import Score

NOTEWORTHY = """!NoteWorthyComposer(2.0)
|SongInfo|Title:"A song"|Author:"N. N."
|AddStaff|Name:"Flute"|Group:"Standard"
|StaffInstrument|Name:"Flute"|Patch:73|Trans:0
|Clef|Type:Treble
|Key|Signature:F#
|TimeSig|Signature:3/4
|Note|Dur:4th|Pos:-3
|Note|Dur:Half|Pos:0
|Bar
|Note|Dur:8th,Triplet=First|Pos:2
|Note|Dur:8th,Triplet|Pos:2
|Note|Dur:8th,Triplet=End|Pos:2
|Rest|Dur:4th
|Note|Dur:4th|Pos:n-3^
|Bar
|Note|Dur:4th|Pos:n-3
|Chord|Dur:Half|Pos:-3,0
|AddStaff|Name:"Clarinet"|Group:"Standard"
|StaffInstrument|Name:"Clarinet"|Patch:71|Trans:-2
|Clef|Type:Treble
|TimeSig|Signature:3/4
|Note|Dur:Half,Dotted|Pos:0
|Bar
|Note|Dur:Half,Dotted|Pos:1
|Bar
|Note|Dur:Half,Dotted|Pos:2
!NoteWorthyComposer-End
"""

CAPELLA = """<?xml version="1.0" encoding="utf-8"?>
<score xmlns="http://www.capella.de/CapXML/2.0"><systems><system><staves><staff><voices><voice><noteObjects>
<clefSign clef="treble"/><keySign fifths="-1"/><timeSign time="3/4"/>
<chord><duration base="1/4"/><heads><head pitch="C5"/></heads></chord>
<chord><duration base="1/2"/><heads><head pitch="E5"/><head pitch="B4"><alter step="-1"/></head></heads></chord>
<barline type="single"/>
<rest><duration base="1/4"/></rest><chord><duration base="1/4" dots="1"/><heads><head pitch="G4"/></heads></chord>
<chord><duration base="1/8"/><heads><head pitch="A4"/></heads></chord>
</noteObjects></voice></voices></staff></staves></system></systems></score>"""


def played(score: Score) -> list[tuple[int, float, float, float]]:
    notes = unfold(score, performance_path(score)[0]).notes
    columns = (notes.part_index, notes.pitch_midi, notes.onset_quarter, notes.duration_quarter)
    return [(int(a), float(b), round(float(c), 3), round(float(d), 3)) for a, b, c, d in zip(*columns, strict=True)]


def capella_file(document: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("score.xml", document)
    return buffer.getvalue()


def test_noteworthy_text() -> None:
    score = parse_score(NOTEWORTHY.encode(), "x.nwctxt")
    assert (score.title, [p.name for p in score.parts]) == ("A song", ["Flute", "Clarinet"])
    assert [p.instrument.program for p in score.parts] == [73, 71]
    assert [m.number for m in score.measures] == ["1", "2", "3"]
    assert [n[1:] for n in played(score) if n[0] == 0] == [
        (66, 0, 1), (71, 1, 2), (74, 3, 0.333), (74, 3.333, 0.333), (74, 3.667, 0.333), (65, 5, 2),
        (65, 7, 2), (71, 7, 2),  # a natural holds to the bar line
    ]  # fmt: skip
    assert [n[1:] for n in played(score) if n[0] == 1] == [(69, 0, 3), (70, 3, 3), (72, 6, 3)]  # sounds a tone lower
    assert not score.warnings


def test_noteworthy_rests_of_several_bars_are_told() -> None:
    score = parse_score(NOTEWORTHY.replace("|Bar\n", "|Bar\n|RestMultiBar|NumBars:4\n", 1).encode(), "x.nwctxt")
    assert any(w.startswith("Line 11: a rest of several bars") for w in score.warnings)


def test_capella() -> None:
    score = parse_score(capella_file(CAPELLA), "x.capx")
    assert len(score.measures) == 2 and score.measures[0].beats == 3
    assert played(score) == [(0, 60, 0, 1), (0, 58, 1, 2), (0, 64, 1, 2), (0, 55, 4, 1.5), (0, 57, 5.5, 0.5)]

    repeated = parse_score(capella_file(CAPELLA.replace('"single"', '"repEnd"')), "x.capx")
    assert repeated.warnings[0].startswith("The repeat signs of a Capella file are not read")


def test_tiny_notation() -> None:
    score = parse_score(b"tinyNotation: 3/4 E4 r f# g=lastG trip{b-8 a g} c'4~ c'", "x.tntxt")
    assert [n[1:] for n in played(score)] == [
        (52, 0, 1), (66, 2, 1), (67, 3, 1), (70, 4, 0.333), (69, 4.333, 0.333), (67, 4.667, 0.333), (72, 5, 2),
    ]  # fmt: skip
    assert not score.warnings


def test_words_that_are_no_tiny_notation_are_told() -> None:
    score = parse_score(b"4/4 c4 <d4 e4> H4 f4.. g4", "x.tntxt")
    assert score.warnings == ("What is no tinyNotation is passed over: <d4, e4>, H4.",)


def test_volpiano_tells_no_lengths() -> None:
    score = parse_score(b"1---c--d-ef---3---g--ij-k---4", "x.volpiano")
    assert [n[1:] for n in played(score)] == [
        (60, 0, 1),
        (62, 1, 1),
        (64, 2, 1),
        (65, 3, 1),
        (67, 4, 1),
        (70, 5, 1),
        (72, 6, 1),
    ]
    assert score.warnings == ("Volpiano does not tell how long notes are; all are read as quarters.",)


@pytest.mark.parametrize("name", ["x.rntxt", "x.rntext", "x.cttxt", "x.clercqtemperley"])
def test_analyses_of_chords_are_no_scores(name: str) -> None:
    with pytest.raises(ScoreFileError, match=r"is an analysis of chords without the notes"):
        parse_score(b"Composer: X\nTitle: Y\nTime Signature: 4/4\nm1 C: I b3 V\n", name)
    assert not is_score_name(name)


@pytest.mark.parametrize("name", ["x.capx", "x.nwctxt", "x.tntxt", "x.volpiano"])
def test_damaged_ones_are_refused_in_a_sentence(name: str) -> None:
    data = capella_file("<score><systems><system/></systems>"[:-5]) if name == "x.capx" else b"|Note|Dur|\n<<<>>> %"
    try:
        score = parse_score(data, name)
    except ScoreFileError as error:
        assert str(error).endswith(".")
    else:
        assert any("is passed over" in w for w in score.warnings)
