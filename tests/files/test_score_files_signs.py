"""MusicXML: repeat signs, endings and the words and signs for jumps."""

from __future__ import annotations

import base64
import io

import mido
import pytest
import verovio
from musicxml_text import (
    CLOSES,
    OPENS,
    barline,
    document,
    ending,
    note,
    part,
    words,
)

from scoresep.files.scores import parse_score
from scoresep.files.scores.jump_words import ending_numbers, marks_in_words
from scoresep.files.scores.reader import score_from_bytes, score_to_bytes
from scoresep.model.path import performance_path, unfold
from scoresep.model.score import Mark, Score


def read(*parts: str, **options: object) -> Score:
    return parse_score(document(*parts, **options), "test.musicxml")  # type: ignore[arg-type]


def test_repeat_signs_endings_and_times() -> None:
    times = barline('<repeat direction="backward" times="3"/>')
    score = read(
        part(
            OPENS + note(60),
            ending("1, 2", "start") + note(61),
            note(62) + ending("1, 2", "stop", closes=True),
            ending("3", "start") + note(63) + ending("3", "discontinue"),
            note(64) + times,
        )
    )
    assert [m.endings for m in score.measures] == [(), (1, 2), (1, 2), (3,), ()]
    assert [m.repeat_passes for m in score.measures] == [0, 0, 2, 0, 3]
    assert [m.starts_repeat for m in score.measures] == [True, False, False, False, False]


def test_signs_at_the_wrong_bar_line() -> None:
    score = read(
        part(
            note(60) + barline('<repeat direction="forward"/>'),
            note(61),
            barline('<repeat direction="backward"/>', "left") + note(62),
            note(63),
        )
    )
    assert [m.starts_repeat for m in score.measures] == [False, True, False, False]
    assert [m.repeat_passes for m in score.measures] == [0, 2, 0, 0]


def test_an_ending_that_never_stops() -> None:
    score = read(
        part(note(60), ending("1", "start") + note(61), note(62) + CLOSES, ending("2", "start") + note(63), note(64))
    )
    assert [m.endings for m in score.measures] == [(), (1,), (1,), (2,), ()]


def test_marks_from_words_signs_and_sounds() -> None:
    sign = "<direction><direction-type><segno/></direction-type></direction>"
    score = read(
        part(
            note(60) + sign,  # at the end: stands at the start of the next bar
            note(61) + words("To Coda", 'tocoda="coda"'),
            note(62) + words("D.S. al Coda", 'dalsegno="segno"'),
            '<direction><direction-type><coda/></direction-type><sound coda="coda"/></direction>' + note(63),
            note(64) + words("Fine", 'fine="yes"'),
        )
    )
    assert [m.marks for m in score.measures] == [
        (), (Mark.SEGNO, Mark.TO_CODA), (Mark.DAL_SEGNO_AL_CODA,), (Mark.CODA,), (Mark.FINE,),
    ]  # fmt: skip


def test_of_two_bare_coda_signs_the_first_means_to_coda() -> None:
    sign = "<direction><direction-type><coda/></direction-type></direction>"
    score = read(part(note(60) + sign, note(61) + words("D.C."), sign + note(62)))
    assert [m.marks for m in score.measures] == [(Mark.TO_CODA,), (Mark.DA_CAPO,), (Mark.CODA,)]


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("D.C. al Fine", (Mark.DA_CAPO_AL_FINE,)),
        ("Da Capo", (Mark.DA_CAPO,)),
        ("D. S. al Coda", (Mark.DAL_SEGNO_AL_CODA,)),
        ("Menuetto D.C.", (Mark.DA_CAPO,)),
        ("dal segno al fine", (Mark.DAL_SEGNO_AL_FINE,)),
        ("D.C. al Fine e poi la Coda", (Mark.DA_CAPO_AL_CODA,)),
        ("FINE", (Mark.FINE,)),
        ("Fine.", (Mark.FINE,)),
        ("To Coda", (Mark.TO_CODA,)),
        ("Coda", (Mark.CODA,)),
        ("con fine espressione", ()),
        ("dolce", ()),
        ("", ()),
    ],
)
def test_words(text: str, marks: tuple[Mark, ...]) -> None:
    assert marks_in_words(text) == marks


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1", (1,)),
        ("1, 2", (1, 2)),
        ("1-3", (1, 2, 3)),
        ("1.2.", (1, 2)),
        ("2 & 4", (2, 4)),
        ("", ()),
        ("0", ()),
        ("9999", ()),
        ("1.-3.", (1, 2, 3)),
        ("1.–3.", (1, 2, 3)),
        ("1.+2.", (1, 2)),
        ("1. bis 3.", (1, 2, 3)),
        ("1., 3-5", (1, 3, 4, 5)),
    ],
)
def test_ending_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert ending_numbers(text) == numbers


def order(score: Score) -> str:
    return " ".join(score.measures[i].number for i in performance_path(score)[0].measure_indices)


def sound(attributes: str) -> str:
    return f"<sound {attributes}/>"


def direction(content: str) -> str:
    return f"<direction><direction-type>{content}</direction-type></direction>"


def test_names_of_segnos_and_codas_in_sounds() -> None:
    score = read(
        part(
            note(60),
            note(61) + sound('tocoda="x"'),
            sound('segno="b"') + note(62) + sound('tocoda="y"'),
            note(63) + sound('dacapo="yes"'),
            sound('coda="x"') + note(64) + sound('dalsegno="b"'),
            sound('coda="y"') + note(65),
        )
    )
    assert score.measures[2].detail_of(Mark.SEGNO).names == ("b",)
    assert order(score) == "1 2 3 4 1 2 5 3 6"


@pytest.mark.parametrize(
    ("to_coda", "jump", "coda"),
    [
        (words("To Coda"), words("D.C.") + words("al Coda"), direction("<rehearsal>CODA</rehearsal>")),
        (direction("<words>To</words><coda/>"), direction("<words>D.C. al</words><coda/>"), direction("<coda/>")),
        (direction("<coda/>"), words("Da Capo al Coda"), direction("<coda/><words>Coda</words>")),
        (words("Da Coda"), direction("<words>D.C. al </words><words>Coda</words>"), words("Coda")),
        (words("al Coda II"), words("D.C. al Coda II"), words("2nd Coda")),
        (words("&#x2192; Coda"), words("D.C.", 'dacapo="yes"'), words("Coda", 'coda="coda"')),
    ],
)
def test_ways_to_write_one_order(to_coda: str, jump: str, coda: str) -> None:
    score = read(part(note(60), note(61) + to_coda, note(62) + jump, coda + note(63)))
    assert order(score) == "1 2 3 1 2 4"


def test_time_only_of_notes_and_of_sounds() -> None:
    first, second = (
        note(60).replace("<note>", '<note time-only="1">'),
        note(64).replace("<note>", '<note time-only="2">'),
    )
    score = read(part(first + "<backup><duration>8</duration></backup>" + second + CLOSES, note(67)))
    notes = unfold(score, performance_path(score)[0]).notes
    assert notes.pitch_midi.tolist() == [60, 64, 67]
    assert score_from_bytes(score_to_bytes(score)) == score
    assert order(read(part(note(60), note(61) + sound('fine="yes" time-only="2"'), note(62) + CLOSES))) == "1 2 3 1 2"
    assert order(read(part(note(60), sound('forward-repeat="yes"') + note(61), note(62) + CLOSES))) == "1 2 3 2 3"


def test_a_tempo_of_the_second_time_is_not_that_of_the_first() -> None:
    score = read(part(sound('tempo="90"') + note(60) + sound('tempo="140" time-only="2"') + CLOSES, note(61)))
    assert [t.quarters_per_minute for t in score.tempo_marks] == [90]


def test_minuet_and_trio_without_a_fine() -> None:
    trio = words("Trio") + OPENS + note(62) + CLOSES
    for jump, again in (("Menuetto D.C.", "1 2"), ("Menuetto D.C. con repetizione", "1 1 2 2")):
        score = read(part(note(60) + CLOSES, OPENS + note(61) + CLOSES, trio + words(jump)))
        assert order(score) == f"1 1 2 2 3 3 {again}"
    by_sign = barline('<repeat direction="backward" after-jump="yes"/>')
    score = read(part(note(60) + by_sign, OPENS + note(61) + CLOSES, trio + words("Menuetto D.C.")))
    assert order(score) == "1 1 2 2 3 3 1 1 2"


@pytest.mark.parametrize(("new_key", "line"), [(True, ""), (False, "light-light"), (False, "heavy"), (False, "")])
def test_a_trio_without_a_heading_begins_with_its_section(new_key: bool, line: str) -> None:
    key = "<attributes><key><fifths>{}</fifths></key></attributes>"
    minuet = [key.format(0) + note(60) + CLOSES, OPENS + note(61) + (f"{barline(_style(line))}" if line else CLOSES)]
    trio = [(key.format(-1) if new_key else "") + OPENS + note(62) + CLOSES, OPENS + note(63)]
    score = read(part(*minuet, *trio[:1], trio[1] + words("Menuetto D.C.") + CLOSES))
    assert order(score) == f"1 1 2 {'' if line else '2 '}3 3 4 4 1 2"
    score = read(part(*minuet, *trio[:1], trio[1] + words("D.C.") + CLOSES))  # of what: nobody knows
    assert order(score).endswith("4 4 1 2 3 4")


def _style(style: str) -> str:
    return f"<bar-style>{style}</bar-style>"


def test_da_capo_al_segno_or_fine_e_poi_la_coda() -> None:
    fine = part(
        note(60), note(61) + words("Fine"), note(62) + words("D.C. al Fine e poi la Coda"), words("Coda") + note(63)
    )
    assert order(read(fine)) == "1 2 3 1 2 4"
    sign = "<direction><direction-type><segno/></direction-type></direction>"
    segno = part(note(60), note(61) + sign, note(62) + words("D.C. al Segno e poi la Coda"), words("Coda") + note(63))
    assert order(read(segno)) == "1 2 3 1 2 4"


def test_a_fine_at_the_start_of_a_bar() -> None:
    end, double, jump = words("Fine"), barline(_style("light-light")), words("D.C. al Fine")
    assert order(read(part(note(60), note(61), end + note(62), note(63) + jump))) == "1 2 3 4 1 2 3"
    assert order(read(part(note(60), note(61) + double, end + note(62), note(63) + jump))) == "1 2 3 4 1 2"
    assert order(read(part(note(60), note(61) + double, end + note(62) + double, note(63) + jump))) == "1 2 3 4 1 2 3"


def test_endings_as_programs_write_them() -> None:
    second = ending("4", "start") + note(62) + ending("4", "discontinue")
    for start in (ending("1.-3.", "start"), barline('<ending number="1" type="start">1.-3.</ending>', "left")):
        score = read(part(OPENS + note(60), start + note(61) + ending("1", "stop", closes=True), second))
        assert [m.endings for m in score.measures] == [(), (1, 2, 3), (4,)]
    nameless = ending(" ", "start") + note(61) + ending(" ", "stop", closes=True)
    score = read(part(OPENS + note(60), nameless, ending("", "start") + note(62) + ending("", "discontinue"), note(63)))
    assert order(score) == "1 2 1 3 4"
    thrice = barline('<ending number="1" type="stop"/><repeat direction="backward" times="3"/>')
    assert order(read(part(OPENS + note(60), ending("1", "start") + note(61) + thrice, note(62)))) == "1 2 1 2 1 3"


def test_coda_written_twice_and_a_piece_that_ends_at_its_only_final_line() -> None:
    for coda in (words("Coda"), direction("<coda/><words>Coda</words>")):
        score = read(part(note(60), note(61) + coda, note(62) + words("D.C. al Coda"), coda + note(63)))
        assert order(score) == "1 2 3 1 2 4"
    final = barline("<bar-style>light-heavy</bar-style>")
    fermata = barline("<bar-style>light-light</bar-style><fermata/>")
    for line in (final, fermata):
        score = read(part(note(60), note(61) + line, note(62), note(63) + words("D.C.") + final))
        assert order(score) == "1 2 3 4 1 2"
    assert order(read(part(note(60), note(61) + words("D.C.") + final))) == "1 2 1 2"


SEGNO = '<direction><direction-type><segno/></direction-type><sound segno="s"/></direction>'
CODA = '<direction><direction-type><coda/></direction-type><sound coda="c"/></direction>'


@pytest.mark.parametrize(
    "measures",
    [
        (note(60), note(61) + words("Fine", 'fine="yes"'), note(62) + words("D.C. al Fine", 'dacapo="yes"')),
        (note(60) + CLOSES, note(61) + words("Fine", 'fine="yes"'), note(62) + words("D.C. al Fine", 'dacapo="yes"')),
        (
            note(60),
            SEGNO + note(61) + words("To Coda", 'tocoda="c"'),
            note(62) + words("D.S. al Coda", 'dalsegno="s"'),
            CODA + note(63),
        ),
        (
            note(60),
            sound('segno="a"') + note(61),
            sound('segno="b"') + note(62),
            note(63) + sound('dalsegno="a"'),
            note(64) + sound('dalsegno="b"'),
            note(65),
        ),
        (
            OPENS + note(60),
            ending("1, 2", "start") + note(61) + ending("1, 2", "stop", closes=True),
            ending("3", "start") + note(62) + ending("3", "discontinue"),
        ),
        (OPENS + note(60) + barline('<repeat direction="backward" times="3"/>'), note(61)),
    ],
)
def test_the_order_is_that_of_verovio(measures: tuple[str, ...]) -> None:
    content = document(part(*measures))
    score = parse_score(content, "test.musicxml")
    toolkit = verovio.toolkit()
    toolkit.loadData(content.decode())
    played = mido.MidiFile(file=io.BytesIO(base64.b64decode(toolkit.renderToMIDI())))
    theirs = [m.note for track in played.tracks for m in track if m.type == "note_on" and m.velocity]
    assert unfold(score, performance_path(score)[0]).notes.pitch_midi.tolist() == theirs


@pytest.mark.parametrize(("instrument", "name"), [("Voice Oohs", "Voice"), ("Trumpet", "Trumpet")])
def test_a_part_named_voice_keeps_its_name_if_it_sings(instrument: str, name: str) -> None:
    listed = f'<score-instrument id="I"><instrument-name>{instrument}</instrument-name></score-instrument>'
    assert read(part(note(60)), names=["Voice"], listed=[listed]).parts[0].name == name
