"""Engraving: every note has its head where it belongs, bars have their places, and what cannot be engraved says so."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import mido
import pytest
from mei_text import SCALE, measure_of_staves, mei
from mei_text import note as mei_note
from musicxml_text import CLOSES, OPENS, barline, document, note, part

from scoresep.errors import Cancelled, ScoreFileError
from scoresep.files.engraving import EngravingRequest, engrave_score
from scoresep.files.scores import open_score
from scoresep.files.storage.cache import cache_folder
from scoresep.files.storage.values import pack, unpack
from scoresep.model.engraving import INK, Engraving
from scoresep.model.score import Score
from scoresep.progress import Progress
from scoresep.resources import resource_path

DEMO = resource_path("demo")
WIDTH = 24_000
SVG = "{http://www.w3.org/2000/svg}"


def engraved(path: Path, width_units: int = WIDTH) -> tuple[Engraving, Score]:
    score_file, score = open_score(path)
    return engrave_score(EngravingRequest(score_file, width_units), Progress()), score


def written(folder: Path, content: bytes | str, name: str = "score.musicxml") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def margin(drawing: Element) -> tuple[float, float]:
    """Return what the drawing is moved by as a whole."""
    moved = next(g.get("transform", "") for g in drawing.iter(f"{SVG}g") if g.get("transform"))
    x, y = re.findall(r"-?[\d.]+", moved)
    return float(x), float(y)


def heads(engraving: Engraving) -> dict[int, tuple[int, float, float]]:
    """Return system, x and y of the glyph of every head, by the row of the note."""
    found = {}
    for number, system in enumerate(engraving.systems):
        for piece in system.pieces:
            drawing = fromstring(piece.svg("#000000"))
            for group in drawing.iter(f"{SVG}g"):
                if re.fullmatch(r"n\d+", group.get("id", "")):
                    glyph = next(group.iter(f"{SVG}use"), Element("use"))  # heads of percussion may be lines
                    x, y, *_ = [*re.findall(r"-?[\d.]+", glyph.get("transform", "")), "nan", "nan"]
                    across, down = margin(drawing)
                    found[int(group.get("id", "")[1:])] = (number, float(x) + across, float(y) + down)
    return found


def check_places(engraving: Engraving, score: Score) -> None:
    """Hold heads to where music has them: inside their bar, later ones further right, higher ones further up."""
    notes, at = score.notes, heads(engraving)
    assert set(at) == set(range(len(notes)))
    by_bar = defaultdict(list)
    for row, (system, x, y) in at.items():
        place = engraving.place_of_measure(int(notes.measure_index[row]))
        assert place is not None and place[0] == system
        assert place[1].left <= x < place[1].right
        by_bar[int(notes.part_index[row]), int(notes.measure_index[row]), int(notes.staff[row])].append((row, x, y))
    for group in by_bar.values():
        for row, x, y in group:
            for other, other_x, other_y in group:
                if notes.offset_quarter[row] < notes.offset_quarter[other] and not notes.is_grace[other]:
                    assert x < other_x
                if notes.pitch_midi[row] > notes.pitch_midi[other] + 2:
                    assert y < other_y


def test_every_note_of_the_demo_has_its_head_in_its_place() -> None:
    check_places(*engraved(DEMO / "demo.musicxml"))


def test_every_bar_stands_once_and_in_order_whatever_the_width() -> None:
    for width in (12_000, WIDTH, 60_000):
        engraving, score = engraved(DEMO / "demo.musicxml", width)
        boxes = [box for system in engraving.systems for box in system.measures]
        assert [box.measure_index for box in boxes] == list(range(len(score.measures)))
        assert all(0 <= b.left < b.right <= s.width for s in engraving.systems for b in s.measures)
        assert all(0 <= b.top < b.bottom <= s.height for s in engraving.systems for b in s.measures)
        assert all(s.width == width for s in engraving.systems)


def test_chords_voices_and_staves_are_told_apart(tmp_path: Path) -> None:
    chord = note(60, 4) + note(64, 4, before="<chord/>") + note(67, 4, before="<chord/>") + note(72, 4)
    low = "<backup><duration>8</duration></backup>" + note(48, 2, "<voice>2</voice>") + note(50, 6, "<voice>2</voice>")
    path = written(tmp_path, document(part(OPENS + chord + low, note(None) + CLOSES), part(note(55), note(57))))
    check_places(*engraved(path))


@pytest.mark.parametrize("kind", ["plain", "namespace", "timewise"])
def test_notes_that_are_merged_copied_or_doubled_leave_the_heads_of_the_others_in_place(
    tmp_path: Path, kind: str
) -> None:
    mark = "<notations><technical><harmonic><artificial/><{}-pitch/></harmonic></technical></notations>"
    harmonic = note(62, 4, mark.format("base")) + note(67, 4, mark.format("touching"), before="<chord/>")
    sign = "<attributes><measure-style><measure-repeat type='{}'>1</measure-repeat></measure-style></attributes>"
    rest = '<note><rest measure="yes"/><duration>8</duration></note>'
    text = document(part(harmonic + note(72, 4), sign.format("start") + rest, sign.format("stop") + note(74))).decode()
    if kind == "namespace":
        text = text.replace("<score-partwise", '<score-partwise xmlns="urn:x"')
    if kind == "timewise":
        text = text.replace("score-partwise", "score-timewise").replace('<part id="P0">', "").replace("</part>", "")
        text = re.sub(r"(<measure number[^>]*>)", r'\1<part id="P0">', text).replace("</measure>", "</part></measure>")
    engraving, score = engraved(written(tmp_path, text))
    assert score.notes.pitch_midi.tolist() == [86, 72, 86, 72, 74]
    at = heads(engraving)
    assert set(at) == {0, 1, 4}  # the repeated bar has a sign instead
    assert at[0][1] < at[1][1] < at[4][1]


def test_notes_without_a_type_get_the_look_of_their_duration(tmp_path: Path) -> None:
    path = written(tmp_path, document(part(note(60, 6) + note(62, 1) + note(64, 1))))
    engraving, _ = engraved(path)
    drawing = b"".join(p.svg("#000000") for p in engraving.systems[0].pieces)
    assert drawing.count(b'href="#E0A3-') == 1  # the head of a half note
    assert drawing.count(b'href="#E0A4-') == 2  # the heads of two eighth notes
    assert drawing.count(b"<ellipse") == 1  # the dot


def test_texts_are_flat_and_in_fonts_that_come_along() -> None:
    engraving, _ = engraved(DEMO / "demo.musicxml")
    drawings = [fromstring(p.svg("#123456")) for s in engraving.systems for p in s.pieces]
    texts = [text for drawing in drawings for text in drawing.iter(f"{SVG}text")]
    assert "Bassoon" in ["".join(text.itertext()) for text in texts]
    for drawing in drawings:
        assert not drawing.findall(f".//{SVG}svg")  # QSvgRenderer skips a drawing in a drawing ...
        assert not drawing.findall(f".//{SVG}tspan/{SVG}tspan")  # ... and runs of text in runs of text
        assert not drawing.findall(f".//{SVG}style")
    assert len(engraving.fonts) == 5 and all(font.startswith(b"wOF2") for font in engraving.fonts)
    ink = engraving.systems[0].pieces[0].svg("#123456")
    assert b"#123456" in ink and INK.encode() not in ink


def test_rests_of_many_bars_have_the_place_of_their_first(tmp_path: Path) -> None:
    rests = "<attributes><measure-style><multiple-rest>3</multiple-rest></measure-style></attributes>" + note(None)
    engraving, score = engraved(written(tmp_path, document(part(note(60), rests, note(None), note(None), note(62)))))
    places = [engraving.place_of_measure(i) for i in range(len(score.measures))]
    assert all(place is not None for place in places)
    assert places[1] is not None and places[1][1].left > 0 and places[4] != places[1]
    assert len(heads(engraving)) == 2


HUMDRUM = """**kern\t**kern
*clefF4\t*clefG2
*M4/4\t*M4/4
=1\t=1
4C\t4cc
4D\t4dd
2E\t8ee
.\t8ff
.\t4gg
=2\t=2
1C\t1cc
==\t==
*-\t*-
"""
MEI = (
    '<?xml version="1.0" encoding="UTF-8"?><mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0"><meiHead>'
    "<fileDesc><titleStmt><title>T</title></titleStmt><pubStmt/></fileDesc></meiHead><music><body><mdiv><score>"
    '<scoreDef meter.count="4" meter.unit="4"><staffGrp><staffDef n="1" lines="5" clef.shape="G" clef.line="2"/>'
    '<staffDef n="2" lines="5" clef.shape="F" clef.line="4"/></staffGrp></scoreDef><section>'
    '<measure n="1"><staff n="1"><layer n="1"><note pname="c" oct="5" dur="4"/><note pname="d" oct="5" dur="4"/>'
    '<chord dur="2"><note pname="e" oct="5"/><note pname="g" oct="5"/></chord></layer></staff>'
    '<staff n="2"><layer n="1"><note pname="c" oct="3" dur="1"/></layer></staff></measure>'
    '<measure n="2"><staff n="1"><layer n="1"><note pname="c" oct="5" dur="2"/><note pname="b" oct="4" dur="2"/>'
    '</layer></staff><staff n="2"><layer n="1"><note pname="c" oct="3" dur="1"/></layer></staff></measure>'
    "</section></score></mdiv></body></music></mei>"
)
ABC = "X:1\nT:A tune\nM:4/4\nL:1/4\nK:C\nC D E F | G A B c |]\n"


@pytest.mark.parametrize(
    ("name", "text"), [("score.krn", HUMDRUM), ("score.mei", MEI), ("score.abc", ABC), ("two.abc", ABC + "\n" + ABC)]
)
def test_other_notations_are_matched_by_what_verovio_says_of_their_notes(tmp_path: Path, name: str, text: str) -> None:
    engraving, score = engraved(written(tmp_path, text, name))
    if name != "two.abc":
        check_places(engraving, score)
    assert set(range(8)) <= set(heads(engraving))


def test_the_last_bar_of_abc_is_shown_without_a_bar_line_behind_it(tmp_path: Path) -> None:
    engraving, score = engraved(written(tmp_path, ABC.replace(" |]", ""), "open.abc"))
    check_places(engraving, score)
    assert set(heads(engraving)) == set(range(8))


@pytest.mark.parametrize("body", ["C2D2E2F2 & c8|G8|", "[V:1]C8|G8|\n[V:2]C,8|G,8|"])
def test_abc_of_several_voices_is_engraved_rightly_or_not_at_all(tmp_path: Path, body: str) -> None:
    engraving, score = engraved(written(tmp_path, f"X:1\nM:4/4\nL:1/8\nK:C\n{body}\n", "voices.abc"))
    assert set(heads(engraving)) == set(range(len(score.notes))) or engraving.problem.endswith(".")


def test_staves_of_one_part_and_rests_of_many_bars_in_mei(tmp_path: Path) -> None:
    piano = (
        '<staffGrp symbol="brace"><label>Piano</label><staffDef n="2" lines="5"/><staffDef n="7" lines="5"/></staffGrp>'
    )
    rests = '<measure n="2">' + "".join(
        f'<staff n="{n}"><layer n="1"><multiRest num="3"/></layer></staff>' for n in (1, 2, 7)
    )
    bar = measure_of_staves(SCALE, SCALE, mei_note("c3", 1)).replace('<staff n="3">', '<staff n="7">')
    text = mei(bar + rests + "</measure>" + bar, staves=f'<staffGrp><staffDef n="1" lines="5"/>{piano}</staffGrp>')
    engraving, score = engraved(written(tmp_path, text, "score.xml"))
    assert [p.name for p in score.parts] == ["Part 1", "Piano"] and len(score.measures) == 5
    check_places(engraving, score)


def test_other_bars_than_those_of_the_score_are_not_shown(tmp_path: Path) -> None:
    text = "X:1\nT:Lines\nM:4/2\nL:1/4\nK:G\nG2 | B2B2c2c2 | d4d4\nz2d4d2 | d2e2f2d2 | d4z2\nd2 | d8 |]\n"
    engraving, score = engraved(written(tmp_path, text, "lines.abc"))
    assert len(engraving.system_of_measure) in (0, len(score.measures))
    assert engraving.systems or "bar for bar" in engraving.problem


def test_a_second_time_comes_from_the_cache_and_a_damaged_entry_is_made_anew() -> None:
    path = DEMO / "demo.musicxml"
    first, _ = engraved(path, 30_000)
    (entry,) = (cache_folder() / "engravings").glob("*-30000-*")
    assert engraved(path, 30_000)[0] == first
    entry.write_bytes(entry.read_bytes()[:-100])
    assert engraved(path, 30_000)[0] == first


def test_bytes_come_back_as_they_were_and_damaged_ones_are_refused() -> None:
    engraving, _ = engraved(DEMO / "demo.musicxml")
    data = pack(engraving)
    back = unpack(Engraving, data)
    assert (back.systems, back.content_key, back.width_units) == (engraving.systems, engraving.content_key, WIDTH)
    for bad in (b"", b"no", data[:40], data[: len(data) // 2], data[:-1], data + b"x"):
        with pytest.raises(ValueError):
            unpack(Engraving, bad)


def test_midi_has_no_engraving_and_says_so(tmp_path: Path) -> None:
    file = mido.MidiFile()
    track = mido.MidiTrack([mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=480)])
    file.tracks.append(track)
    file.save(tmp_path / "a.mid")
    engraving, _ = engraved(tmp_path / "a.mid")
    assert engraving.systems == () and "MIDI" in engraving.problem and engraving.problem.endswith(".")


def test_a_file_that_is_gone_or_another_now_is_a_sentence_and_no_failure(tmp_path: Path) -> None:
    path = written(tmp_path, document(part(note(60))))
    score_file, _ = open_score(path)
    request = EngravingRequest(score_file, 17_000)
    path.write_bytes(document(part(note(62))))
    assert "changed" in engrave_score(request, Progress()).problem
    path.unlink()
    assert "not there" in engrave_score(request, Progress()).problem


def test_it_can_be_cancelled_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = written(tmp_path, document(part(*[note(60 + i % 12) for i in range(200)])))
    score_file, _ = open_score(path)
    asked = iter([False] * 3 + [True] * 1000)
    with pytest.raises(Cancelled):
        engrave_score(EngravingRequest(score_file, WIDTH), Progress(is_cancelled=lambda: next(asked)))
    assert not list((cache_folder() / "engravings").glob(f"{score_file.content_key}*"))


def test_the_suite_of_odd_scores_is_engraved_note_by_note(
    shared_data: Path, in_this_process: Callable[[], AbstractContextManager[None]]
) -> None:
    with in_this_process():
        assert_engraved_note_by_note(shared_data)


def assert_engraved_note_by_note(shared_data: Path) -> None:
    matched, total = 0, 0
    for path in sorted((shared_data / "scores" / "lilypond_suite").glob("*.*xml")):
        try:
            engraving, score = engraved(path)
        except ScoreFileError:
            continue  # nothing but rests
        assert engraving.systems or engraving.problem, path.name
        found = heads(engraving)
        assert set(found) <= set(range(len(score.notes))), path.name
        if "Tab" not in path.name:  # tablature has numbers for heads
            matched, total = matched + len(found), total + len(score.notes)
        assert all(engraving.place_of_measure(i) for i in range(len(score.measures))), path.name
    assert total > 1000
    assert matched / total > 0.99


@pytest.mark.parametrize("case", ["cases/bach10_06/score.musicxml", "cases/choir_quartet/score.musicxml"])
def test_real_scores_are_engraved_note_by_note(shared_data: Path, case: str) -> None:
    check_places(*engraved(shared_data / case))


def test_two_staves_of_one_part_are_engraved_note_by_note(shared_data: Path) -> None:
    engraving, score = engraved(shared_data / "piano" / "mozart_k265_var1.musicxml")
    assert set(heads(engraving)) == set(range(len(score.notes)))


def test_a_bar_that_a_sign_divides_has_two_places_side_by_side(tmp_path: Path) -> None:
    inside = barline('<bar-style>light-heavy</bar-style><repeat direction="backward"/>', "middle")
    quarters = [note(60 + i, 2) for i in range(4)]
    divided = "".join([*quarters[:3], inside, quarters[3]])
    path = written(tmp_path, document(part(note(60), divided, note(65)), part(note(48), note(50), note(52))))
    engraving, score = engraved(path)
    check_places(engraving, score)
    boxes = [box for system in engraving.systems for box in system.measures]
    assert [box.measure_index for box in boxes] == list(range(4)) == [m.index for m in score.measures]
    assert boxes[1].left < boxes[1].right == boxes[2].left < boxes[2].right <= boxes[3].left
    assert (boxes[1].top, boxes[1].bottom) == (boxes[2].top, boxes[2].bottom)
