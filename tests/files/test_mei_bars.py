"""MEI: bars, the order in which they are played, metres, tempi, parts, and what is refused."""

from __future__ import annotations

import pytest
from mei_text import (
    NAMESPACE,
    ONE_STAFF,
    PLAIN,
    SCALE,
    bar_numbers,
    later,
    measure,
    measure_of_staves,
    mei,
    note,
    notes,
    played,
    read,
    sounding,
)  # fmt: skip

from scoresep.errors import ScoreFileError
from scoresep.files.scores import parse_score
from scoresep.model.score import Mark

# ------------------------------------------------------------------------------------------------ bars that repeat


def test_bars_that_repeat_the_bar_before() -> None:
    section = measure(SCALE) + measure("<mRpt/>", n=2) + measure("<mRpt/>", n=3) + measure(note("g4", 1), n=4)
    assert sounding(section) == [*PLAIN, *later(PLAIN, 4), *later(PLAIN, 8), (12, 67, 4)]


@pytest.mark.parametrize("sign", ["<mRpt2/>", '<multiRpt num="2"/>'])
@pytest.mark.parametrize("second", ["<mSpace/>", "", '<space dur="1"/>'])
def test_bars_that_repeat_two_bars(sign: str, second: str) -> None:
    section = measure(SCALE) + measure(note("g4", 1), n=2) + measure(sign, n=3) + measure(second, n=4)
    two = [*PLAIN, (4, 67, 4)]
    assert sounding(section + measure(note("a4", 1), n=5)) == [*two, *later(two, 8), (16, 69, 4)]


def test_only_the_layer_that_says_so_repeats_its_bar() -> None:
    section = measure(note("c5", 1), note("c4", 1)) + measure(note("d5", 1), "<mRpt/>", n=2)
    assert sounding(section) == [(0, 60, 4), (0, 72, 4), (4, 60, 4), (4, 74, 4)]


def test_rests_of_several_bars() -> None:
    score = read(mei(measure(SCALE) + measure('<multiRest num="3"/>', n=2) + measure(SCALE, n=5)))
    assert bar_numbers(score) == ["1", "2", "3", "4", "5"]
    assert played(score) == [*PLAIN, *later(PLAIN, 16)]


# -------------------------------------------------------------------------------------------------- order of bars


CLOSES, OPENS = 'right="rptend"', 'left="rptstart"'


def whole(n: int, attributes: str = "", pitch: str = "c4") -> str:
    return measure(note(pitch, 1), n=n, attributes=attributes)


def test_endings() -> None:
    section = (
        whole(1, OPENS) + f'<ending n="1">{whole(2, CLOSES)}</ending>'
        f'<ending n="2">{whole(3)}{whole(4)}</ending>{whole(5)}'
    )  # fmt: skip
    score = read(mei(section))
    assert bar_numbers(score) == ["1", "2", "1", "3", "4", "5"] and not score.warnings


@pytest.mark.parametrize("first", ['n="1, 2"', 'n="1.2."', 'label="1-2"'])
def test_an_ending_for_two_times(first: str) -> None:
    section = whole(1, OPENS) + f"<ending {first}>{whole(2, CLOSES)}</ending>"
    assert bar_numbers(read(mei(section + f'<ending n="3">{whole(3)}</ending>'))) == ["1", "2", "1", "2", "1", "3"]


def test_endings_without_a_number_count_themselves() -> None:
    section = whole(1) + f"<ending>{whole(2, CLOSES)}</ending><sb/><ending>{whole(3)}</ending>"
    assert bar_numbers(read(mei(section))) == ["1", "2", "1", "3"]


def test_a_bar_line_that_closes_and_opens() -> None:
    section = whole(1) + whole(2, 'right="rptboth"') + whole(3, 'right="rptend"') + whole(4)
    assert bar_numbers(read(mei(section))) == ["1", "2", "1", "2", "3", "3", "4"]


def test_repeat_signs_at_the_left_close_what_lies_before() -> None:
    assert bar_numbers(read(mei(whole(1) + whole(2, 'left="rptend"')))) == ["1", "1", "2"]


def test_the_order_that_the_file_states() -> None:
    def section(name: str, inside: str) -> str:
        return f'<section xml:id="{name}">{inside}</section>'

    parts = section("A", whole(1) + whole(2, 'right="rptend"')) + section("B", whole(3)) + section("C", whole(4))
    score = read(mei('<expansion type="norep" plist="#A #B #C"/><expansion plist="#A #B #A #C"/>' + parts))
    assert score.stated_order == (0, 1, 2, 0, 1, 3) and bar_numbers(score) == ["1", "2", "3", "1", "2", "4"]
    nested = section("X", '<expansion xml:id="x" plist="#A #A #B"/>' + parts)
    assert read(mei(nested + whole(5))).stated_order == (0, 1, 0, 1, 2, 4)
    assert read(mei('<expansion plist="#X #C"/>' + nested)).stated_order == (0, 1, 0, 1, 2, 3)
    assert not read(mei(parts)).stated_order


@pytest.mark.parametrize("plist", ["#A #A", "#x #A", "#A #nothing"])
def test_a_stated_order_that_leads_nowhere_ends(plist: str) -> None:
    text = mei(f'<section xml:id="A"><expansion xml:id="x" plist="{plist}"/>{whole(1)}</section>')
    assert bar_numbers(read(text)) in (["1"], ["1", "1"])


def test_jumps_in_words_and_signs() -> None:
    section = (
        whole(1)
        + measure(SCALE, n=2, controls='<repeatMark func="fine" tstamp="4">Fine</repeatMark>')
        + measure(SCALE, n=3, controls='<dir tstamp="4" staff="1">D.C. al Fine</dir>')
    )
    score = read(mei(section))
    assert [m.marks for m in score.measures] == [(), (Mark.FINE,), (Mark.DA_CAPO_AL_FINE,)]
    assert bar_numbers(score) == ["1", "2", "3", "1", "2"]


def test_a_segno_at_the_end_of_a_bar_is_that_of_the_next() -> None:
    section = measure(SCALE, controls='<repeatMark func="segno" tstamp="5"/>') + whole(2) + measure(
        SCALE, n=3, controls='<dir tstamp="4"><rend>D.S.</rend></dir>')  # fmt: skip
    assert bar_numbers(read(mei(section))) == ["1", "2", "3", "2", "3"]


# ------------------------------------------------------------------------------------------------ bars and metres


def test_pickups_and_divided_bars() -> None:
    section = (
        measure(note("c4"), n=0, attributes='metcon="false"') + measure(SCALE, n=1)
        + measure(notes("c4 d4 e4"), n=2, attributes='metcon="false" right="rptend"')
    )  # fmt: skip
    score = read(mei(section))
    assert [m.duration_quarter for m in score.measures] == [1, 4, 3]
    assert [m.lead_quarter for m in score.measures] == [3, 0, 0]


def test_metres_change_by_definitions_and_by_signs_in_a_layer() -> None:
    section = (
        measure(SCALE) + '<scoreDef meter.count="3" meter.unit="8"/>' + measure(notes("c4 d4 e4", 8), n=2)
        + '<scoreDef><meterSig count="2+3" unit="8"/></scoreDef>' + measure("<mRest/>", n=3)
        + measure('<meterSig sym="cut"/>' + note("c4", 1), n=4)
    )  # fmt: skip
    score = read(mei(section))
    assert [(m.beats, m.beat_type, m.duration_quarter) for m in score.measures] == [
        (4, 4, 4), (3, 8, 1.5), (5, 8, 2.5), (2, 2, 4),
    ]  # fmt: skip


def test_a_whole_rest_fills_any_bar() -> None:
    staves = '<staffGrp><staffDef n="1"/><staffDef n="2"/></staffGrp>'
    section = '<scoreDef meter.count="3" meter.unit="4"/>' + measure_of_staves('<rest dur="1"/>', notes("c4 d4 e4"))
    score = read(mei(section + measure_of_staves(notes("c4 d4 e4"), "<mRest/>", n=2), staves=staves))
    assert [m.duration_quarter for m in score.measures] == [3, 3] and not score.warnings


def test_tempi() -> None:
    controls = '<tempo tstamp="1" midi.bpm="90"/><tempo tstamp="3" mm="60" mm.unit="8" mm.dots="1"/>'
    score = read(mei(measure(SCALE, controls=controls) + whole(2), score='midi.bpm="72"'))
    assert [(t.start_quarter, t.quarters_per_minute) for t in score.tempo_marks] == [(0, 72), (2, 45)]
    words = read(mei(measure(SCALE, controls='<tempo tstamp="1">Adagio <rend>♩</rend>. = 50</tempo>')))
    assert [t.quarters_per_minute for t in words.tempo_marks] == [75]


# ------------------------------------------------------------------------------------------------ parts and pieces

PIANO = (
    '<staffGrp><staffDef n="1" label="Flute"><instrDef midi.instrnum="73"/></staffDef>'
    '<staffGrp symbol="brace" bar.thru="true"><label>Piano</label><labelAbbr>Pno.</labelAbbr>'
    '<staffDef n="2"/><staffDef n="3"/></staffGrp></staffGrp>'
)


def test_the_two_staves_of_a_piano_are_one_part() -> None:
    section = measure_of_staves(note("c5", 1), note("c4", 1), notes("c3 d3", 4) + note("e3", 2, 'staff="2"'))
    score = read(mei(section, staves=PIANO))
    assert [(p.name, p.abbreviation, p.instrument.program) for p in score.parts] == [
        ("Flute", "", 73),
        ("Piano", "Pno.", 0),
    ]
    assert list(score.notes.part_index) == [0, 1, 1, 1, 1] and list(score.notes.staff) == [1, 1, 2, 2, 2]


def test_braced_staves_with_names_of_their_own_are_parts_of_their_own() -> None:
    staves = '<staffGrp symbol="brace"><staffDef n="1" label="Violin I"/><staffDef n="2" label="Violin II"/></staffGrp>'
    score = read(mei(measure_of_staves(note("c5", 1), note("c4", 1)), staves=staves))
    assert [(p.name, p.instrument.program) for p in score.parts] == [("Violin I", 40), ("Violin II", 40)]


def test_the_drum_channel_has_no_pitches() -> None:
    staves = '<staffGrp><staffDef n="1"><instrDef midi.channel="10"/></staffDef></staffGrp>'
    score = read(mei(measure(SCALE), staves=staves))
    assert score.parts[0].instrument.is_percussion and all(m == -1 for _, m, _ in played(score))


def test_strings_and_frets() -> None:
    tuning = '<tuning><course n="1" pname="e" oct="4"/><course n="2" pname="b" oct="3"/></tuning>'
    staves = f'<staffGrp><staffDef n="1" notationtype="tab.guitar">{tuning}</staffDef></staffGrp>'
    chord = (
        '<tabGrp dur="1"><tabDurSym/><note tab.course="1" tab.fret="3"/><note tab.course="2" tab.fret="0"/></tabGrp>'
    )
    assert sounding(measure(chord), staves=staves) == [(0, 59, 4), (0, 67, 4)]


def test_title_and_composer() -> None:
    score = read(mei(measure(SCALE)))
    assert (score.title, score.composer) == ("A piece", "Somebody")


def test_of_several_movements_and_pieces_the_first_is_read_and_said_to_be() -> None:
    one = mei(measure(SCALE))
    mdiv = one[one.index("<mdiv>") : one.index("</body>")]
    two = read(one.replace("</body>", mdiv + "</body>"))
    assert played(two) == PLAIN and "2 movements" in two.warnings[0]
    document = one[one.index("<mei ") :]
    corpus = read(f'<meiCorpus xmlns="{NAMESPACE}">{document}{document}</meiCorpus>')
    assert played(corpus) == PLAIN and "2 pieces" in corpus.warnings[0]


def test_parts_one_by_one_in_place_of_a_score() -> None:
    text = mei(measure(SCALE))
    inside = text[text.index("<score>") + len("<score>") : text.index("</score>")]
    parts = f'<parts><part label="Oboe">{inside}</part><part label="Cello">{inside}</part></parts>'
    score = read(text.replace(f"<score>{inside}</score>", parts))
    assert [p.name for p in score.parts] == ["Oboe", "Cello"] and len(played(score)) == 8


@pytest.mark.parametrize("change", [
    lambda text: text.replace(f' xmlns="{NAMESPACE}"', ""),
    lambda text: text.replace(NAMESPACE, NAMESPACE + "/"),
    lambda text: text.replace("<", "<m:").replace("<m:/", "</m:").replace("<m:?", "<?").replace("xmlns=", "xmlns:m="),
    lambda text: text.replace("5.1", "2013"),
])  # fmt: skip
def test_any_namespace_and_version(change: object) -> None:
    text = change(mei(measure(note("c4", 1, 'xml:id="a"')) + whole(2)))  # type: ignore[operator]
    assert played(parse_score(text.encode(), "x.xml")) == [(0, 60, 4), (4, 60, 4)]


def test_music_without_bar_lines_is_one_bar() -> None:
    assert sounding(f'<staff n="1"><layer n="1">{SCALE}</layer></staff>') == PLAIN


@pytest.mark.parametrize("text", [
    mei(measure(SCALE), staves=ONE_STAFF.replace('lines="5"', 'notationtype="mensural.white"')),
    mei(measure(note("c4", "semibrevis"))),
    mei("").replace("<score>", "<facsimile>").replace("</score>", "</facsimile>"),
    mei(measure(SCALE))[:-200],
    "no XML at all",
])  # fmt: skip
def test_what_is_no_score_in_modern_notation_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ScoreFileError, match=r"^'x\.mei' .*\.$"):
        read(text)


def test_copies_of_copies_are_refused_before_they_fill_the_memory() -> None:
    layers = "".join(
        f'<section xml:id="s{i}">' + f'<section copyof="#s{i - 1}"/>' * 40 + "</section>" for i in range(1, 9)
    )
    with pytest.raises(ScoreFileError, match="copies"):
        read(mei(f'<section xml:id="s0">{whole(1)}</section>' + layers))


def test_music_nested_without_end_is_refused() -> None:
    deep = "<beam>" * 5000 + note("c4", 1) + "</beam>" * 5000
    with pytest.raises(ScoreFileError, match="nests"):
        read(mei(measure(deep)))
