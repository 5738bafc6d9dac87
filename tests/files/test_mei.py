"""MEI: what sounds in a measure, held against the Guidelines' values and against verovio."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mei_text import PLAIN, SCALE, Sounding, later, measure, measure_of_staves, mei, note, notes, played, read, sounding

# ------------------------------------------------------------------------------------------------- one measure

# What stands in one measure of 4/4, and what of it sounds.
IN_ONE_MEASURE: dict[str, tuple[str, list[Sounding]]] = {
    "notes": (SCALE, PLAIN),
    "chord and rest": (
        '<chord dur="2"><note pname="c" oct="4"/><note pname="e" oct="4"/></chord><rest dur="4"/>' + note("d4"),
        [(0, 60, 2), (0, 64, 2), (3, 62, 1)],
    ),
    "dots": (note("c4", 4, 'dots="1"') + note("d4", 8) + note("e4", 4, "", "<dot/>") + note("f4", 8),
             [(0, 60, 1.5), (1.5, 62, 0.5), (2, 64, 1.5), (3.5, 65, 0.5)]),
    "tuplet": ('<tuplet num="3" numbase="2">' + notes("c4 d4 e4", 8) + "</tuplet>" + note("f4", 2, 'dots="1"'),
               [(0, 60, 0.3333), (0.3333, 62, 0.3333), (0.6667, 64, 0.3333), (1, 65, 3)]),
    "tuplet in a beam in a tuplet": (
        '<tuplet num="3" numbase="2"><beam>' + notes("c4 d4", 8) + '<tuplet num="3" numbase="2">'
        + notes("e4 f4 g4", 16) + "</tuplet></beam></tuplet>" + note("f4", 2, 'dots="1"'),
        [(0, 60, 0.3333), (0.3333, 62, 0.3333), (0.6667, 64, 0.1111), (0.7778, 65, 0.1111), (0.8889, 67, 0.1111),
         (1, 65, 3)]),
    "grace": (note("b4", 8, 'grace="acc"') + note("c5") + "<graceGrp>" + notes("d5 e5", 16) + "</graceGrp>"
              + note("f5", 2, 'dots="1"'),
              [(0, 71, 0), (0, 72, 1), (1, 74, 0), (1, 76, 0), (1, 77, 3)]),
    "accidentals": (
        note("f4", 4, 'accid="s"') + note("b4", 4, 'accid.ges="f"') + note("e4", 4, "", '<accid accid="ff"/>')
        + note("g4", 4, 'accid="n" accid.ges="x"'), [(0, 66, 1), (1, 70, 1), (2, 62, 1), (3, 69, 1)]),
    "quarter tones": (note("c4", 2, 'accid="1qs"') + note("d4", 2, 'accid="fd"'), [(0, 60.5, 2), (2, 60.5, 2)]),
    "what sounds is told": (note("c4", 2, 'pnum="75"') + note("d4", 2, 'oct.ges="5" pname.ges="e"'),
                            [(0, 75, 2), (2, 76, 2)]),
    "held tremolo": ("<bTrem>" + note("c4", 2) + "</bTrem>" + note("d4", 2), [(0, 60, 2), (2, 62, 2)]),
    "measured tremolo": ('<bTrem unitdur="4">' + note("c4", 2) + "</bTrem>" + note("d4", 2),
                         [(0, 60, 1), (1, 60, 1), (2, 62, 2)]),
    "measured tremolo of two": ('<fTrem unitdur="8">' + notes("c4 e4", 2) + "</fTrem>" + note("d4", 2),
                                [(0, 60, 0.5), (0.5, 64, 0.5), (1, 60, 0.5), (1.5, 64, 0.5), (2, 62, 2)]),
    "tremolo of two": ("<fTrem>" + notes("c4 e4", 2) + "</fTrem>" + note("d4", 2),
                       [(0, 60, 2), (0, 64, 2), (2, 62, 2)]),
    "repeated beats": ("<beam>" + notes("c4 d4", 8) + "</beam><beatRpt/>" + note("e4") + "<beatRpt/>",
                       [(0, 60, 0.5), (0.5, 62, 0.5), (1, 60, 0.5), (1.5, 62, 0.5), (2, 64, 1), (3, 64, 1)]),
    "repeated half": (notes("c4 d4") + "<halfmRpt/>", [(0, 60, 1), (1, 62, 1), (2, 60, 1), (3, 62, 1)]),
    "lemma and correction": (
        note("c4") + "<app><rdg>" + note("a5") + "</rdg><lem>" + note("d4") + "</lem></app>"
        "<choice><sic>" + note("a5") + "</sic><corr>" + note("e4") + "</corr></choice>" + note("f4"), PLAIN),
    "readings of one measure's parts": (
        "<app><rdg>" + notes("c4 d4") + "</rdg><rdg>" + notes("a4 a4") + "</rdg></app><supplied>" + note("e4")
        + "</supplied><unclear><damage>" + note("f4") + "</damage></unclear>", PLAIN),
    "what was added for what is deleted": (
        note("c4") + "<subst><del>" + note("a5") + "</del><add>" + note("d4") + "</add></subst><del>" + note("a5")
        + "</del><restore><del>" + note("e4") + "</del></restore>" + note("f4"), PLAIN),
    "nested editing": (
        "<choice><orig>" + note("a5", 1) + "</orig><reg><supplied><beam>" + notes("c4 d4")
        + "</beam></supplied><app><lem>" + notes("e4 f4") + "</lem></app></reg></choice>", PLAIN),
    "in a chord": ('<chord dur="1"><supplied><note pname="c" oct="4"/></supplied><app><lem><note pname="e" oct="4"/>'
                   '</lem><rdg><note pname="f" oct="4"/></rdg></app></chord>', [(0, 60, 4), (0, 64, 4)]),
    "space": ('<space dur="2"/>' + notes("e4 f4"), PLAIN[2:]),
    "what is unknown is looked through": ("<ligature>" + notes("c4 d4") + "</ligature><novelty>" + notes("e4 f4")
                                          + "</novelty>", PLAIN),
    "a note that is a copy": (note("c4", 4, 'xml:id="a"') + '<note copyof="#a"/>' + notes("e4 f4"),
                              [(0, 60, 1), (1, 60, 1), (2, 64, 1), (3, 65, 1)]),
    "a place on the staff without a pitch": ('<note loc="4" dur="2"/>' + note("c4", 2), [(0, -1, 2), (2, 60, 2)]),
    "a percussion clef": ('<clef shape="perc"/>' + note("c4", 2) + note("e4", 2), [(0, -1, 2), (2, -1, 2)]),
}  # fmt: skip


@pytest.mark.parametrize("content", IN_ONE_MEASURE)
def test_what_stands_in_a_measure(content: str) -> None:
    layer, right = IN_ONE_MEASURE[content]
    assert sounding(measure(layer)) == right


@pytest.mark.parametrize("content", IN_ONE_MEASURE)
def test_what_follows_is_in_its_place(content: str) -> None:
    layer, right = IN_ONE_MEASURE[content]
    after = note("c4", 1, 'accid="n"') if content != "a percussion clef" else '<clef shape="G"/>' + note("c4", 1)
    assert sounding(measure(layer) + measure(after, n=2)) == [*right, (4, 60, 4)]


def test_what_is_not_read_as_it_stands_is_told_with_its_bars() -> None:
    tremolo = "<bTrem>" + note("c4", 1) + "</bTrem>"
    score = read(mei(measure(tremolo) + measure(tremolo, n=2) + measure(SCALE, n=3) + measure(tremolo, n=4)))
    assert score.warnings == ("Bars 1-2, 4: the tremolo is read as a held note.",)
    strange = read(mei(measure("<novelty>" + SCALE + "</novelty>")))
    assert len(strange.warnings) == 1 and "novelty" in strange.warnings[0]
    assert read(mei(measure("<del>" + note("a5") + "</del>" + SCALE))).warnings
    assert not read(mei(measure(SCALE))).warnings


@pytest.mark.parametrize("ossia", [
    f'<ossia><staff n="1"><layer>{note("g5", 1)}</layer></staff></ossia><staff n="1"><layer>{SCALE}</layer></staff>',
    f"<ossia><oStaff><oLayer>{note('g5', 1)}</oLayer></oStaff><staff n='1'><layer>{SCALE}</layer></staff></ossia>",
    f'<staff n="1"><ossia><oLayer>{note("g5", 1)}</oLayer><layer>{SCALE}</layer></ossia></staff>',
])  # fmt: skip
def test_an_ossia_is_left_out_and_said_to_be(ossia: str) -> None:
    score = read(mei(f'<measure n="1">{ossia}</measure>'))
    assert played(score) == PLAIN and len(score.warnings) == 1 and "ossia" in score.warnings[0]


def test_beats_of_compound_metres_are_dotted() -> None:
    six_eighths = '<scoreDef meter.count="6" meter.unit="8"/>'
    three = [(0, 60, 0.5), (0.5, 62, 0.5), (1, 64, 0.5)]
    assert sounding(six_eighths + measure(notes("c4 d4 e4", 8) + "<beatRpt/>")) == [*three, *later(three, 1.5)]
    one = sounding(six_eighths + measure(notes("c4 d4 e4", 8) + '<beatRpt beatdef="1"/>' + note("f4", 4)))
    assert one[3:] == [(1.5, 64, 0.5), (2, 65, 1)]


def test_layers_sound_together_and_a_note_of_two_layers_once() -> None:
    both = measure(note("c5", 2, 'xml:id="a"') + note("d5", 2), '<note sameas="#a"/>' + note("f4", 2))
    assert sounding(both) == [(0, 72, 2), (2, 65, 2), (2, 74, 2)]


# ----------------------------------------------------------------------------------------- lengths that are implied


def test_defaults_of_length_and_octave() -> None:
    bare = '<note pname="c"/><note pname="d"/><note pname="e"/><note pname="f"/>'
    assert sounding(measure(bare), score='dur.default="4" oct.default="4"') == PLAIN


def test_tuplets_told_apart_from_their_notes() -> None:
    span = '<tupletSpan startid="#a" endid="#b" num="3" numbase="2"/>'
    layer = note("c4", 8, 'xml:id="a"') + note("d4", 8) + note("e4", 8, 'xml:id="b"') + note("f4", 2, 'dots="1"')
    assert sounding(measure(layer, controls=span)) == sounding(measure(IN_ONE_MEASURE["tuplet"][0]))


def test_ticks_count_where_no_length_is_written() -> None:
    bare = '<note pname="c" oct="4" dur.ppq="24"/><note pname="d" oct="4" dur.ppq="72"/>'
    assert sounding(measure(bare), score='ppq="24"') == [(0, 60, 1), (1, 62, 3)]


# --------------------------------------------------------------------------------------------------------- pitches


def test_octave_lines_move_notes_that_do_not_say_where_they_sound() -> None:
    line = '<octave staff="1" dis="8" dis.place="above" tstamp="1" tstamp2="0m+2"/>'
    high = [(0, 72, 1), (1, 74, 1), (2, 64, 1), (3, 65, 1)]
    assert sounding(measure(SCALE, controls=line)) == high
    stated = note("c4", 4, 'oct.ges="5"') + note("d4", 4, 'oct.ges="5"') + notes("e4 f4")
    assert sounding(measure(stated, controls=line)) == high


def test_octave_lines_over_the_bar_line_by_their_last_note() -> None:
    line = '<octave staff="1" dis="15" dis.place="below" tstamp="4" endid="#last"/>'
    section = measure(SCALE, controls=line) + measure(note("c4", 2, 'xml:id="last"') + note("d4", 2), n=2)
    assert sounding(section) == [*PLAIN[:3], (3, 65 - 24, 1), (4, 60 - 24, 2), (6, 62, 2)]


def test_transposing_instruments_sound_elsewhere() -> None:
    staves = '<staffGrp><staffDef n="1" label="Clarinet in A" trans.diat="-2" trans.semi="-3"/></staffGrp>'
    score = read(mei(measure(SCALE), staves=staves))
    assert played(score) == [(q, m - 3, d) for q, m, d in PLAIN]
    assert score.parts[0].transposition_semitones == -3 and score.parts[0].instrument.program == 71


def test_the_key_signature_counts_where_nobody_says_what_is_played() -> None:
    layer = note("f4") + note("f4", 4, 'accid="n"') + note("f4") + note("c5")
    assert sounding(measure(layer) + measure(note("f4", 1), n=2), score='key.sig="2s"') == [
        (0, 66, 1), (1, 65, 1), (2, 65, 1), (3, 73, 1), (4, 66, 4),
    ]  # fmt: skip


def test_a_key_signature_counts_from_where_it_stands() -> None:
    assert sounding(measure(note("f4", 2) + '<keySig sig="1s"/>' + note("f4", 2))) == [(0, 65, 2), (2, 66, 2)]


def test_it_does_not_where_the_notes_say_what_is_played() -> None:
    layer = note("f4", 4, 'accid.ges="s"') + note("f4", 4, 'accid="n"') + note("f4", 4, 'accid.ges="s"') + note("c5")
    assert [m for _, m, _ in sounding(measure(layer), score='key.sig="2s"')] == [66, 65, 66, 72]


def test_it_does_not_where_every_note_bears_its_own_accidental() -> None:
    layer = "".join(note("f4", 4, 'accid="s"') for _ in range(3)) + note("c5")
    assert [m for _, m, _ in sounding(measure(layer), score='key.sig="2s"')] == [66, 66, 66, 72]


@pytest.mark.parametrize("tie", [
    ('tie="i"', 'tie="t"', ""),
    ('xml:id="a"', 'xml:id="b"', '<tie startid="#a" endid="#b"/>'),
    ('xml:id="a"', 'xml:id="b"', '<tie startid="#a" tstamp2="1m+1"/>'),
])  # fmt: skip
def test_tied_notes_are_one_and_keep_their_accidental(tie: tuple[str, str, str]) -> None:
    first, second, control = tie
    section = measure(note("f4", 1, f'accid="s" {first}'), controls=control) + measure(note("f4", 1, second), n=2)
    if "endid" in control or not control:
        assert sounding(section) == [(0, 66, 8)]
    else:  # where it leads the file does not say; the pitch has to
        assert sounding(section.replace(' accid="s"', "")) == [(0, 65, 8)]


# ---------------------------------------------------------------------------------- verovio as an independent reader


def verovio_notes(text: str) -> list[Sounding]:
    """Onset, pitch and length of all notes but grace notes, as written, by verovio's map of times."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions({"breaks": "none", "expandNever": True})
    assert toolkit.loadData(text)
    toolkit.renderToMIDI()
    events = toolkit.renderToTimemap({})
    starts: dict[str, float] = {}
    ends: dict[str, float] = {}
    for event in json.loads(events) if isinstance(events, str) else events:
        starts |= dict.fromkeys(event.get("on", ()), event["qstamp"])
        ends |= dict.fromkeys(event.get("off", ()), event["qstamp"])

    def pitch(note_id: str) -> float:
        values = toolkit.getMIDIValuesForElement(note_id)
        return float((json.loads(values) if isinstance(values, str) else values)["pitch"])

    return sorted((round(q, 3), pitch(i), round(ends[i] - q, 3)) for i, q in starts.items())


_NAMES = st.builds(lambda step, octave: f"{step}{octave}", st.sampled_from("abcdefg"), st.integers(2, 6))
_SIGNS = st.sampled_from(["", 'accid="s"', 'accid="f" accid.ges="f"', 'accid.ges="s"', 'accid="n"', 'oct.ges="5"'])
_NOTE = st.builds(note, _NAMES, st.just(8), _SIGNS)


def _chord(names: list[str], dots: int) -> str:
    inside = "".join(f'<note pname="{n[0]}" oct="{n[1]}"/>' for n in dict.fromkeys(names))
    return f'<chord dur="{4 if dots else 2}" dots="{dots}">{inside}</chord>'


_EVENT = st.one_of(
    _NOTE,
    st.builds(_chord, st.lists(_NAMES, min_size=2, max_size=3), st.integers(0, 1)),
    st.builds(lambda n: f'<tuplet num="3" numbase="2">{"".join(n)}</tuplet>', st.lists(_NOTE, min_size=3, max_size=3)),
    st.builds(lambda n: f"<beam>{''.join(n)}</beam>", st.lists(_NOTE, min_size=2, max_size=4)),
    st.builds(lambda n: f"<supplied>{n}</supplied>", _NOTE),
    st.builds(lambda a, b: f"<app><lem>{a}</lem><rdg>{b}</rdg></app>", _NOTE, _NOTE),
    st.sampled_from(['<rest dur="4"/>', '<space dur="8"/>', '<rest dur="8" dots="1"/>']),
)
_LAYER = st.lists(_EVENT, min_size=1, max_size=5).map("".join)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_LAYER, _LAYER)
def test_notes_are_those_of_verovio(upper: str, lower: str) -> None:
    stated = note("c4", 1, 'accid.ges="s"')  # so that both readers know that the file says what is played
    staves = "".join(f'<staffDef n="{i}" lines="5"/>' for i in (1, 2, 3))
    text = mei(measure_of_staves(stated, upper, lower), staves=f"<staffGrp>{staves}</staffGrp>")
    ours = [(round(q, 3), m, round(d, 3)) for q, m, d in played(read(text))]
    right = verovio_notes(text)
    assert len(ours) == len(right)
    for got, wanted in zip(ours, right, strict=True):
        assert got == pytest.approx(wanted, abs=2e-3)
