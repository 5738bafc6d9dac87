"""MusicXML: what stands in the file is what the score says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from musicxml_text import (
    CLOSES,
    FOUR_FOUR,
    barline,
    document,
    ending,
    note,
    part,
    tie,
)

from scoresep.files.scores import parse_score
from scoresep.files.scores.instruments import program_of_name
from scoresep.model.path import performance_path, unfold
from scoresep.model.score import Score, UnfoldedScore


def read(*parts: str, **options: object) -> Score:
    return parse_score(document(*parts, **options), "test.musicxml")  # type: ignore[arg-type]


def played(score: Score) -> UnfoldedScore:
    return unfold(score, performance_path(score)[0])


def rows(score: Score) -> list[tuple[int, float, float, float]]:
    """Part, sounding pitch, onset and duration of every note played."""
    n = played(score).notes
    columns = (n.part_index, n.pitch_midi, n.onset_quarter, n.duration_quarter)
    return [(int(p), float(m), float(q), float(d)) for p, m, q, d in zip(*columns, strict=True)]


# ------------------------------------------------------------------------------------------------------ notes


def test_chords_voices_and_staves_are_one_part() -> None:
    score = read(
        part(
            note(72, 4, "<voice>1</voice><staff>1</staff>")
            + note(76, 4, "<voice>1</voice><staff>1</staff>", before="<chord/>")
            + note(74, 4, "<voice>1</voice><staff>1</staff>")
            + "<backup><duration>8</duration></backup><forward><duration>2</duration></forward>"
            + note(48, 6, "<voice>5</voice><staff>2</staff>")
        )
    )
    assert len(score.parts) == 1
    assert rows(score) == [(0, 72, 0, 2), (0, 76, 0, 2), (0, 48, 1, 3), (0, 74, 2, 2)]
    assert score.notes.staff.tolist() == [1, 1, 2, 1]
    assert score.notes.voice.tolist() == [1, 1, 5, 1]
    assert not score.warnings and not score.own_durations


def test_notes_of_a_chord_may_differ_in_length() -> None:
    score = read(part(note(60, 8) + note(64, 4, before="<chord/>"), note(62)))
    assert rows(score) == [(0, 60, 0, 4), (0, 64, 0, 2), (0, 62, 4, 4)]


def test_transposition_gives_sounding_pitch_and_may_change() -> None:
    def transpose(chromatic: int, octaves: int = 0) -> str:
        octave = f"<octave-change>{octaves}</octave-change>" if octaves else ""
        return f"<attributes><transpose><chromatic>{chromatic}</chromatic>{octave}</transpose></attributes>"

    score = read(part(transpose(-2) + note(60), note(60), transpose(3) + note(60), transpose(0, -1) + note(60)))
    assert [r[1] for r in rows(score)] == [58, 58, 63, 48]
    assert score.parts[0].transposition_semitones == -2


def test_transposition_of_one_staff_only() -> None:
    first = '<attributes><transpose number="2"><chromatic>-12</chromatic></transpose></attributes>'
    score = read(part(first + note(60, 4) + note(60, 4, "<staff>2</staff>")))
    assert [r[1] for r in rows(score)] == [60, 48]


def test_octave_lines_and_clefs_leave_the_pitch_alone() -> None:
    shift = '<direction><direction-type><octave-shift type="down" size="8"/></direction-type></direction>'
    clef = (
        "<attributes><clef><sign>G</sign><line>2</line><clef-octave-change>-1</clef-octave-change></clef></attributes>"
    )
    assert [r[1] for r in rows(read(part(clef + shift + note(84))))] == [84]


def test_quarter_tones() -> None:
    assert [r[1] for r in rows(read(part(note(60.5))))] == [60.5]


def test_ties_join_across_bars_and_inside_chords() -> None:
    score = read(
        part(
            note(60, 4) + note(64, 4, tie("start")) + note(67, 4, before="<chord/>"),
            note(64, 8, tie("stop", "start")) + note(67, 8, before="<chord/>"),
            note(64, 2, tie("stop")) + note(64, 6),
        )
    )
    assert rows(score) == [
        (0, 60, 0, 2), (0, 64, 2, 7), (0, 67, 2, 2), (0, 67, 4, 4), (0, 64, 9, 3),
    ]  # fmt: skip
    n = score.notes
    assert n.tied_from_previous.sum() == n.tied_to_next.sum() == 2


def test_a_tie_marked_at_its_first_note_only_still_ties() -> None:
    assert rows(read(part(note(60, 8, tie("start")), note(60, 8)))) == [(0, 60, 0, 8)]


def test_a_tie_to_nowhere_and_one_from_nowhere_change_nothing() -> None:
    score = read(part(note(60, 4, tie("start")) + note(62, 4), note(60, 8, tie("stop"))))
    assert rows(score) == [(0, 60, 0, 2), (0, 62, 2, 2), (0, 60, 4, 4)]


def test_ties_that_are_only_drawn_count_where_no_others_are_written() -> None:
    def drawn(kind: str) -> str:
        return f'<notations><tied type="{kind}"/></notations>'

    assert rows(read(part(note(60, 8, drawn("start")), note(60, 8, drawn("stop"))))) == [(0, 60, 0, 8)]


def test_grace_notes_stand_where_their_main_note_does() -> None:
    grace = note(62, None, before="<grace/>") + note(64, None, before="<grace/><chord/>")
    score = read(part(note(60, 4) + grace + note(65, 4) + note(59, None, before="<grace/>"), note(60)))
    assert rows(score) == [
        (0, 60, 0, 2), (0, 62, 2, 0), (0, 64, 2, 0), (0, 65, 2, 2), (0, 59, 4, 0), (0, 60, 4, 4),
    ]  # fmt: skip
    assert score.notes.is_grace.sum() == 3
    assert not score.warnings


def test_tuplets_that_do_not_divide_are_exact_all_the_same() -> None:
    divisions = "<attributes><divisions>256</divisions></attributes>"
    ratio = "<actual-notes>3</actual-notes><normal-notes>2</normal-notes>"
    third = f"<type>eighth</type><time-modification>{ratio}</time-modification>"
    triplets = "".join(note(60 + i, d, third) for i, d in enumerate((85, 85, 86)))
    other = "<backup><duration>1024</duration></backup>" + note(48, 1024)
    score = read(part(divisions + triplets + note(70, 768) + other))
    onsets = {r[1]: r[2] for r in rows(score)}
    assert [onsets[p] for p in (60, 61, 62, 70, 48)] == pytest.approx([0, 1 / 3, 2 / 3, 1, 0], abs=1e-9)


def test_divisions_may_change_inside_a_bar() -> None:
    score = read(part(note(60, 4) + "<attributes><divisions>8</divisions></attributes>" + note(62, 16), note(64, 32)))
    assert rows(score) == [(0, 60, 0, 2), (0, 62, 2, 2), (0, 64, 4, 4)]


def test_unpitched_notes_have_no_pitch() -> None:
    hit = "<note><unpitched><display-step>E</display-step></unpitched><duration>4</duration></note>"
    score = read(part(hit + hit), names=["Snare drum"])
    assert all(math.isnan(r[1]) for r in rows(score)) and len(score.notes) == 2
    assert score.parts[0].instrument.is_percussion


def test_rests_cues_and_chord_symbols_are_not_played() -> None:
    harmony = "<harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>"
    score = read(part(harmony + note(None, 2) + note(60, 2, before="<cue/>") + note(62, 4)))
    assert rows(score) == [(0, 62, 2, 2)]


def test_hidden_notes_are_played() -> None:
    hidden = note(64, 4).replace("<note>", '<note print-object="no">')
    assert rows(read(part(note(62, 4) + hidden))) == [(0, 62, 0, 2), (0, 64, 2, 2)]


# --------------------------------------------------------------------------------------------------- measures


def test_measures_are_those_of_the_longest_content() -> None:
    score = read(part(note(60), note(None), note(60)), part(note(48), "", note(50)))
    assert [m.duration_quarter for m in score.measures] == [4, 4, 4]
    assert [r for r in rows(score) if r[0] == 1] == [(1, 48, 0, 4), (1, 50, 8, 4)]
    assert not score.own_durations


def test_a_rest_for_the_whole_bar_is_as_long_as_the_bar() -> None:
    three = "<attributes><divisions>2</divisions><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    rest = '<note><rest measure="yes"/><duration>8</duration></note>'
    score = read(part(note(60, 6), note(60, 6), attributes=three), part(rest, note(48, 6), attributes=three))
    assert [m.duration_quarter for m in score.measures] == [3, 3]
    assert (1, 48, 3, 3) in rows(score) and not score.own_durations


def test_pickup_bar_and_its_complement() -> None:
    score = read(
        part(
            '@implicit="yes"|' + note(60, 2),
            note(62, 8),
            note(64, 6) + CLOSES,
            note(65, 2),
            note(67, 8),
            note(69, 6) + barline("<bar-style>light-heavy</bar-style>"),
            numbers="012345",
        )
    )
    assert [m.lead_quarter for m in score.measures] == [3, 0, 0, 3, 0, 0]
    n = played(score).notes
    assert n.beat[0] == 4 and n.onset_quarter[0] == 0
    assert n.beat[list(n.pitch_midi).index(65)] == 4
    assert n.onset_quarter.tolist() == [0, 1, 5, 8, 9, 13, 16, 17, 21]


def test_a_bar_in_two_halves() -> None:
    score = read(part(note(60), note(62, 4), '@implicit="yes"|' + note(64, 4), note(65)))
    assert [m.lead_quarter for m in score.measures] == [0, 0, 2, 0]


def test_every_ending_follows_the_bar_before_the_first() -> None:
    score = read(
        part(
            note(60, 4),  # half a bar of pick-up
            note(62),
            ending("1", "start") + note(64, 4) + ending("1", "stop", closes=True),
            ending("2", "start") + note(65, 4) + ending("2", "stop"),
        )
    )
    assert [m.lead_quarter for m in score.measures] == [2, 0, 0, 0]


def test_a_pickup_without_metre_takes_that_of_the_next_bar() -> None:
    bare = "<attributes><divisions>2</divisions></attributes>"
    score = read(part('@implicit="yes"|' + note(60, 2), note(62, 8), attributes=bare))
    assert score.measures[0].lead_quarter == 3


@pytest.mark.parametrize(
    ("beats", "kind", "expected"),
    [("3", "4", (3, 4)), ("3+2", "8", (5, 8)), ("6", "8", (6, 8)), ("x", "4", (4, 4)), ("0", "4", (4, 4))],
)
def test_metres(beats: str, kind: str, expected: tuple[int, int]) -> None:
    metre = f"<time><beats>{beats}</beats><beat-type>{kind}</beat-type></time>"
    time = f"<attributes><divisions>2</divisions>{metre}</attributes>"
    score = read(part(note(60), attributes=time))
    assert (score.measures[0].beats, score.measures[0].beat_type) == expected


def test_metre_of_several_fractions_and_none() -> None:
    fractions = "<beats>3</beats><beat-type>8</beat-type><beats>2</beats><beat-type>4</beat-type>"
    both = f"<attributes><divisions>2</divisions><time>{fractions}</time></attributes>"
    free = "<attributes><time><senza-misura/></time></attributes>"
    score = read(part(note(60, 7), free + note(60, 10), attributes=both))
    assert [(m.beats, m.beat_type) for m in score.measures] == [(7, 8), (5, 4)]
    assert [m.lead_quarter for m in score.measures] == [0, 0]


def test_parts_of_unequal_bars_keep_their_own_or_are_kept_together() -> None:
    from scoresep.model.path import PathChoices

    score = read(part(note(60, 6), note(62), note(64)), part(note(48), note(50), note(52)), names=["Flute", "Cello"])
    assert "bar 1 (Flute)" in score.warnings[0]
    assert [m.duration_quarter for m in score.measures] == [4, 4, 4]
    assert {r[1]: r[2] for r in rows(score)} == {60: 0, 48: 0, 62: 3, 50: 4, 64: 7, 52: 8}
    path, _ = performance_path(score, PathChoices(keeps_bars_together=True))
    together = unfold(score, path).notes
    assert dict(zip(together.pitch_midi, together.onset_quarter, strict=True)) == {
        60: 0,
        48: 0,
        62: 4,
        50: 4,
        64: 8,
        52: 8,
    }


def test_fewer_bars_in_one_part() -> None:
    score = read(part(note(60), note(62)), part(note(48)))
    assert len(score.measures) == 2 and "fewer bars" in score.warnings[0]


def test_tempo_marks() -> None:
    metronome = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/>"
        "<per-minute>ca. 60</per-minute></metronome></direction-type></direction>"
    )
    equal = (
        "<direction><direction-type><metronome><beat-unit>eighth</beat-unit><beat-unit>quarter</beat-unit>"
        "</metronome></direction-type></direction>"
    )
    score = read(part('<sound tempo="120"/>' + note(60, 4) + metronome + note(60, 4), note(60), equal + note(60)))
    assert [(t.start_quarter, t.quarters_per_minute) for t in score.tempo_marks] == [(0, 120), (2, 90), (8, 180)]
    assert played(score).tempo_at_steps.tolist() == [120, 90, 180]


# ------------------------------------------------------------------------------------------- names, instruments


def test_names_and_programs() -> None:
    midi = '<midi-instrument id="P0-I1"><midi-program>{}</midi-program></midi-instrument>'
    score = read(
        *[part(note(60))] * 5,
        names=["Clarinet\n in B flat", "MusicXML Part", "Bass", "Soprano", "Oboe"],
        listed=[
            midi.format(1),  # piano by default; the name knows better
            '<score-instrument id="P1-I1"><instrument-name>Violoncello</instrument-name></score-instrument>',
            "",
            midi.format(74),
            '<score-instrument id="x"><instrument-sound>wind.reed.oboe</instrument-sound></score-instrument>',
        ],
    )
    assert [p.name for p in score.parts] == ["Clarinet in B flat", "Violoncello", "Bass", "Soprano", "Oboe"]
    assert [p.instrument.program for p in score.parts] == [71, 42, 52, 73, 68]


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("Violoncello", 42), ("Vln. I", 40), ("Viola da gamba", 42), ("Bratsche", 41), ("Kontrabass", 43),
        ("English Horn", 69), ("Corno in F", 60), ("Horn 1.2", 60), ("Trompete", 56), ("Posaune 1", 57),
        ("Bass Clarinet", 71), ("Fagotto", 70), ("Tenor Sax", 66), ("Baritone Saxophone", 67), ("Flauto piccolo", 72),
        ("Fl. 1", 73), ("Sopran", 52), ("Piano", 0), ("Pauken", 47), ("Cembalo", 6), ("Electric Bass", 33),
        ("Violon", 40), ("Quinto", 52), ("Xyz", None), ("", None),
    ],
)  # fmt: skip
def test_program_of_name(name: str, program: int | None) -> None:
    assert program_of_name(name) == program


def test_title_and_composer() -> None:
    header = (
        "<work><work-title>Quartet</work-title></work><movement-title>Menuetto</movement-title>"
        '<identification><creator type="lyricist">L</creator>'
        '<creator type="composer">Joseph\n Haydn</creator></identification>'
    )
    score = read(part(note(60)), header=header)
    assert (score.title, score.composer) == ("Quartet: Menuetto", "Joseph Haydn")


def test_notes_are_sorted_and_columns_have_their_types() -> None:
    score = read(part(note(60, 4) + note(62, 4), note(64)), part(note(48), note(50)))
    n = score.notes
    order = np.lexsort((n.part_index, n.offset_quarter, n.measure_index))
    assert (order == np.arange(len(n))).all()
    assert n.part_index.dtype == np.int32 and n.offset_quarter.dtype == np.float64 and n.is_grace.dtype == np.bool_


def test_timewise_is_the_same() -> None:
    timewise = (
        '<score-timewise><part-list><score-part id="A"><part-name>Flute</part-name></score-part>'
        '<score-part id="B"><part-name>Cello</part-name></score-part></part-list>'
        f'<measure number="1"><part id="A">{FOUR_FOUR}{note(72)}</part>'
        f'<part id="B">{FOUR_FOUR}{note(48)}</part></measure>'
        f'<measure number="2"><part id="A">{note(74)}{CLOSES}</part><part id="B">{note(50)}</part></measure>'
        "</score-timewise>"
    )
    score = parse_score(timewise.encode(), "t.xml")
    expected = read(part(note(72), note(74) + CLOSES), part(note(48), note(50)), names=["Flute", "Cello"])
    assert score == expected
