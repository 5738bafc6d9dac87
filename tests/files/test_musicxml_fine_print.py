"""MusicXML: divisions, namespaces, timewise documents, transposition, tremolos, and what is told of the rest."""

from __future__ import annotations

import pytest
from musicxml_reading import pitches, read, sounding
from musicxml_text import FOUR_FOUR, document, note, part

from scoresep.files.scores import parse_score
from scoresep.model.score import Score

BACK = "<backup><duration>8</duration></backup>"
METRE = "<time><beats>4</beats><beat-type>4</beat-type></time>"
BARE = f"<attributes>{METRE}</attributes>"


def transpose(chromatic: int, octave: int = 0, more: str = "", number: str = "") -> str:
    octaves = f"<octave-change>{octave}</octave-change>" if octave else ""
    staff = f' number="{number}"' if number else ""
    return f"<attributes><transpose{staff}><chromatic>{chromatic}</chromatic>{octaves}{more}</transpose></attributes>"


# -------------------------------------------------------------------------------------------------- divisions


def test_divisions_behind_the_notes_that_need_them() -> None:
    late = "<attributes><divisions>64</divisions></attributes>"
    first = "".join(note(m, 64) for m in (64, 67, 71, 76)) + "<backup><duration>256</duration></backup>"
    score = read(part(first + late + note(48, 256), note(60, 256), attributes=BARE))
    assert sounding(score) == [
        (0, 48, 0, 4), (0, 64, 0, 1), (0, 67, 1, 1), (0, 71, 2, 1), (0, 76, 3, 1), (0, 60, 4, 4),
    ]  # fmt: skip
    second = read(part(note(64, 256), late + note(60, 256), attributes=BARE))
    assert sounding(second) == [(0, 64, 0, 4), (0, 60, 4, 4)]


def test_divisions_that_really_change_are_told_by_the_types_of_the_notes_before() -> None:
    late = "<attributes><divisions>4</divisions></attributes>"
    score = read(part(note(64, 8, "<type>whole</type>"), late + note(60, 16), attributes=BARE))
    assert sounding(score) == [(0, 64, 0, 4), (0, 60, 4, 4)]


def test_divisions_that_stand_in_one_part_only_or_nowhere() -> None:
    score = read(part(note(60)), part(note(48), attributes=BARE))
    assert sounding(score) == [(0, 60, 0, 4), (1, 48, 0, 4)]
    typed = read(part(note(60, 24, "<type>quarter</type>") + note(62, 72, "<type>half</type><dot/>"), attributes=BARE))
    assert sounding(typed) == [(0, 60, 0, 1), (0, 62, 1, 3)]


@pytest.mark.parametrize("written", ["2.0", " 2 ", "2"])
def test_divisions_may_be_written_as_any_number(written: str) -> None:
    attributes = f"<attributes><divisions>{written}</divisions>{METRE}</attributes>"
    assert sounding(read(part(note(60), attributes=attributes))) == [(0, 60, 0, 4)]


@pytest.mark.parametrize("written", ["0", "-2", "x", ""])
def test_divisions_without_sense_are_passed_by(written: str) -> None:
    attributes = f"<attributes><divisions>{written}</divisions>{METRE}</attributes>"
    assert sounding(read(part(note(60, 8, "<type>whole</type>"), attributes=attributes))) == [(0, 60, 0, 4)]


def test_a_chord_without_a_note_before_it_in_its_bar_is_a_note() -> None:
    chord = note(60, 4, before="<chord/>") + note(62, 4)
    assert sounding(read(part(chord, chord))) == [(0, 60, 0, 2), (0, 62, 2, 2), (0, 60, 4, 2), (0, 62, 6, 2)]


def test_backups_beyond_the_start_of_the_bar_stop_there() -> None:
    assert sounding(read(part(note(60) + "<backup><duration>99</duration></backup>" + note(48)))) == [
        (0, 48, 0, 4), (0, 60, 0, 4),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------- namespaces and timewise


def timewise(prefix: str = "") -> str:
    p = f"{prefix}:" if prefix else ""
    text = (
        '<score-timewise><part-list><score-part id="A"><part-name>Flute</part-name></score-part>'
        '<score-part id="B"><part-name>Cello</part-name></score-part></part-list>'
        f'<measure number="1"><part id="A">{FOUR_FOUR}{note(72)}</part></measure>'
        f'<measure number="2"><part id="A">{note(74)}</part><part id="B">{FOUR_FOUR}{note(50)}</part></measure>'
        f'<measure number="3"><part id="B">{note(52)}</part></measure></score-timewise>'
    )
    return text.replace("</", "\0").replace("<", f"<{p}").replace("\0", f"</{p}")


def test_a_part_that_a_measure_of_a_timewise_document_lacks_rests_there() -> None:
    score = parse_score(timewise().encode(), "t.xml")
    assert sounding(score) == [(0, 72, 0, 4), (0, 74, 4, 4), (1, 50, 4, 4), (1, 52, 8, 4)]
    assert [m.number for m in score.measures] == ["1", "2", "3"]


@pytest.mark.parametrize("address", ["http://www.musicxml.org/xsd/MusicXML", "urn:x"])
def test_documents_in_a_namespace(address: str) -> None:
    plain = document(part(note(60), note(62)), names=["Oboe"]).decode()
    expected = parse_score(plain.encode(), "x.xml")
    default = plain.replace("<score-partwise", f'<score-partwise xmlns="{address}"')
    head, body = plain.split("?>", 1)
    prefixed = body.replace("</", "\0").replace("<", "<m:").replace("\0", "</m:")
    prefixed = prefixed.replace("<m:score-partwise", f'<m:score-partwise xmlns:m="{address}"')
    inner = plain.replace("<part id", f'<part xmlns="{address}" id')
    for text in (default, head + "?>" + prefixed, inner):
        assert parse_score(text.encode(), "x.xml") == expected
    other = timewise("m").replace("<m:score-timewise", f'<m:score-timewise xmlns:m="{address}"')
    assert parse_score(other.encode(), "t.xml") == parse_score(timewise().encode(), "t.xml")


def test_elements_of_a_foreign_namespace_are_no_notes() -> None:
    foreign = note(90).replace("<note>", '<x:note xmlns:x="urn:other">').replace("</note>", "</x:note>")
    plain = document(part(note(60) + foreign)).decode()
    assert pitches(parse_score(plain.encode(), "x.xml")) == [60]
    default = plain.replace("<score-partwise", '<score-partwise xmlns="urn:music"')
    assert pitches(parse_score(default.encode(), "x.xml")) == [60]


# ----------------------------------------------------------------------------------------------- transposition


@pytest.mark.parametrize(("more", "other"), [("<double/>", -12), ('<double above="yes"/>', 12)])
def test_doubling_adds_the_other_octave(more: str, other: int) -> None:
    score = read(part(transpose(0, 0, more) + note(60, 4) + note(62, 4), transpose(0) + note(64)))
    expected = [(60, 0), (60 + other, 0), (62, 2), (62 + other, 2), (64, 4)]
    assert sorted((r[1] or 0, r[2]) for r in sounding(score)) == sorted(expected)
    assert not score.warnings


def test_doubling_of_a_transposed_part_starts_from_what_sounds_and_keeps_ties() -> None:
    music = note(60, 8, '<tie type="start"/>'), note(60, 8, '<tie type="stop"/>')
    score = read(part(transpose(-2, -1, "<double/>") + music[0], music[1]))
    assert sounding(score) == [(0, 34, 0, 8), (0, 46, 0, 8)]
    assert score.parts[0].transposition_semitones == -14


@pytest.mark.parametrize("is_first_voice", [True, False])
def test_a_transposition_inside_a_bar_holds_from_its_moment_in_all_voices(is_first_voice: bool) -> None:
    change, low, high = transpose(-5), note(48, 4) + note(50, 4), note(72, 4) + note(74, 4)
    voices = [note(72, 4) + change + note(74, 4), low] if is_first_voice else [high, note(48, 4) + change + note(50, 4)]
    score = read(part(transpose(-2) + note(60), voices[0] + BACK + voices[1], note(60)))
    assert [(r[1], r[2]) for r in sounding(score)] == [(58, 0), (46, 4), (70, 4), (45, 6), (69, 6), (55, 8)]


def test_a_transposition_of_one_staff_changes_that_staff_only() -> None:
    both = note(60, 8, "<staff>1</staff>") + BACK + note(60, 8, "<staff>2</staff>")
    score = read(part(transpose(-12, number="2") + both, transpose(3, number="1") + both, transpose(0) + both))
    assert [(r[1], r[2]) for r in sounding(score)] == [(48, 0), (60, 0), (48, 4), (63, 4), (60, 8), (60, 8)]


def test_a_transposition_for_a_part_still_to_be_made_is_none_of_the_score() -> None:
    later = "<part-transpose><chromatic>-2</chromatic></part-transpose>"
    for_part = f"<attributes><for-part><part-clef><sign>G</sign></part-clef>{later}</for-part></attributes>"
    assert pitches(read(part(for_part + note(60)))) == [60]


# -------------------------------------------------------------------------------- tremolos, and what is told of


def tremolo(kind: str, marks: int = 3) -> str:
    return f'<notations><ornaments><tremolo type="{kind}">{marks}</tremolo></ornaments></notations>'


def only_warning(score: Score) -> str:
    assert len(score.warnings) == 1
    return score.warnings[0]


def test_a_tremolo_is_held_and_told() -> None:
    score = read(part(note(60, 8, tremolo("single")), note(60, 8, tremolo("single")), note(62)))
    assert sounding(score) == [(0, 60, 0, 4), (0, 60, 4, 4), (0, 62, 8, 4)]
    assert only_warning(score) == "Bars 1-2: the tremolo is read as a held note."


def test_both_notes_of_a_tremolo_sound_throughout() -> None:
    first = note(60, 2, tremolo("start")) + note(64, 2, before="<chord/>")
    score = read(part(first + note(67, 2, tremolo("stop")) + note(72, 4)))
    assert sounding(score) == [(0, 60, 0, 2), (0, 64, 0, 2), (0, 67, 0, 2), (0, 72, 2, 2)]
    assert only_warning(score).startswith("Bar 1: the tremolo between two notes")
    assert score.measures[0].duration_quarter == 4


def test_a_key_that_both_chords_of_a_tremolo_have_sounds_once() -> None:
    first = note(60, 2, tremolo("start")) + note(64, 2, before="<chord/>")
    score = read(part(first + note(64, 2, tremolo("stop")) + note(67, 2, before="<chord/>") + note(72, 4)))
    assert sounding(score) == [(0, 60, 0, 2), (0, 64, 0, 2), (0, 67, 0, 2), (0, 72, 2, 2)]


def test_ornaments_and_arpeggios_are_read_as_their_notes_without_a_word() -> None:
    marks = ("<ornaments><trill-mark/></ornaments>", "<ornaments><turn/></ornaments>", "<arpeggiate/>", "<fermata/>")
    for mark in marks:
        score = read(part(note(60, 8, f"<notations>{mark}</notations>")))
        assert sounding(score) == [(0, 60, 0, 4)] and not score.warnings


def test_a_glissando_is_told() -> None:
    ends = (f'<notations><glissando type="{kind}"/></notations>' for kind in ("start", "stop"))
    score = read(part("".join(note(60 + 12 * i, 4, end) for i, end in enumerate(ends))))
    assert pitches(score) == [60, 72] and only_warning(score).startswith("Bar 1: the glissando")


def test_notes_without_a_pitch_that_can_be_read_are_told() -> None:
    broken = "<note><pitch><step>Q</step><octave>4</octave></pitch><duration>4</duration></note>"
    empty = "<note><duration>2</duration></note>"
    far = "<note><pitch><step>C</step><octave>90</octave></pitch><duration>2</duration></note>"
    score = read(part(broken + empty + far, note(60)))
    assert sounding(score) == [(0, 60, 4, 4)]
    assert only_warning(score) == "Bar 1: a note whose pitch cannot be read is left out."
    assert only_warning(read(part(transpose(0, 9) + note(60))))


def test_notations_may_be_divided() -> None:
    two = '<notations><slur type="start"/></notations>' + tremolo("single")
    assert only_warning(read(part(note(60, 8, two + "<notations><fermata/></notations>"))))
    tied = '<notations><tied type="{}"/></notations><notations><fermata/></notations>'
    assert sounding(read(part(note(60, 8, tied.format("start")), note(60, 8, tied.format("stop"))))) == [(0, 60, 0, 8)]


def test_letting_ring_is_no_tie() -> None:
    ring = '<tie type="let-ring"/><notations><tied type="let-ring"/></notations>'
    assert sounding(read(part(note(60, 8, ring), note(60)))) == [(0, 60, 0, 4), (0, 60, 4, 4)]


# ------------------------------------------------------------------------------------------------------- swing


def swing(content: str) -> str:
    return f"<sound><swing>{content}</swing></sound>"


TWO_TO_ONE = swing("<first>2</first><second>1</second><swing-type>eighth</swing-type>")
EIGHTHS = "".join(note(60 + i, 1) for i in range(8))


def test_swung_eighths_are_read_where_they_are_played() -> None:
    score = read(part(TWO_TO_ONE + EIGHTHS, swing("<straight/>") + EIGHTHS))
    played = sounding(score)
    assert [r[2] for r in played[:8]] == pytest.approx([k + f for k in range(4) for f in (0, 2 / 3)])
    assert [r[3] for r in played[:8]] == pytest.approx([2 / 3, 1 / 3] * 4)
    assert [(r[2], r[3]) for r in played[8:]] == [(4 + i / 2, 0.5) for i in range(8)]
    assert not score.warnings, "nothing is passed over"


def test_swing_holds_for_all_parts_and_from_its_place_on() -> None:
    score = read(part(note(60, 1) + note(62, 1) + TWO_TO_ONE + note(64, 1) + note(65, 1) + note(67, 4)), part(EIGHTHS))
    assert [r[2] for r in sounding(score) if r[0] == 0] == pytest.approx([0, 0.5, 1, 1 + 2 / 3, 2])
    assert [r[2] for r in sounding(score) if r[0] == 1] == pytest.approx([0, 0.5, 1, 5 / 3, 2, 8 / 3, 3, 11 / 3])


def test_swung_sixteenths_and_other_ratios() -> None:
    attributes = FOUR_FOUR.replace("<divisions>2<", "<divisions>4<")
    three = swing("<first>3</first><second>1</second><swing-type>16th</swing-type>")
    score = read(part(three + "".join(note(60, 1) for _ in range(4)) + note(62, 12), attributes=attributes))
    assert [r[2] for r in sounding(score)] == pytest.approx([0, 0.375, 0.5, 0.875, 1])


def test_beats_that_are_divided_otherwise_and_long_notes_keep_their_place() -> None:
    attributes = FOUR_FOUR.replace("<divisions>2<", "<divisions>12<")
    music = (
        note(60, 4) + note(60, 4) + note(60, 4) + note(62, 3) + note(62, 3) + note(62, 6) + note(64, 18) + note(65, 6)
    )
    score = read(part(TWO_TO_ONE + music, attributes=attributes))
    assert [r[2] for r in sounding(score)] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1.25, 1.5, 2, 3 + 2 / 3])
    assert sounding(score)[-2][3] == pytest.approx(5 / 3)


def test_a_pick_up_and_compound_metres() -> None:
    pick_up = read(part('@implicit="yes"|' + TWO_TO_ONE + note(60, 1), EIGHTHS))
    assert sounding(pick_up)[0][2:] == pytest.approx((1 / 6, 1 / 3))
    six = FOUR_FOUR.replace("<beats>4</beats><beat-type>4<", "<beats>6</beats><beat-type>8<")
    even = read(part(TWO_TO_ONE + "".join(note(60 + i, 1) for i in range(6)), attributes=six))
    assert [r[2] for r in sounding(even)] == [i / 2 for i in range(6)] and not even.warnings
