"""MusicXML: what several staves show of one music sounds once; ossias and cue staves do not sound."""

from __future__ import annotations

import pytest
from musicxml_reading import pitches, read, sounding
from musicxml_text import FOUR_FOUR, note, part

ON_1, ON_2 = "<voice>1</voice><staff>1</staff>", "<voice>5</voice><staff>2</staff>"
BACK = "<backup><duration>8</duration></backup>"
ALTERNATE = "<staff-details number='2'><staff-type>alternate</staff-type></staff-details>"


def staves(second_clef: str = "TAB", details: str = "") -> str:
    """Attributes of a part with two staves."""
    clefs = f"<clef number='1'><sign>G</sign></clef><clef number='2'><sign>{second_clef}</sign></clef>{details}"
    return FOUR_FOUR.replace("</attributes>", clefs + "</attributes>")


def on(staff: str, *midi: float, duration: int = 2) -> str:
    return "".join(note(m, duration, staff) for m in midi)


@pytest.mark.parametrize("details", [ALTERNATE, ""], ids=["called alternate", "tablature only by its clef"])
def test_tablature_beside_the_staff_sounds_once(details: str) -> None:
    music = on(ON_1, 52, 55, 59, 64) + BACK + on(ON_2, 52, 55, 59, 64)
    score = read(part(music, music, attributes=staves(details=details)))
    assert sounding(score) == [(0, m, float(i), 1.0) for i, m in enumerate([52, 55, 59, 64] * 2)]
    assert not score.warnings


def test_any_clef_may_be_an_alternate_staff() -> None:
    music = on(ON_1, 52, 55, 59, 64) + BACK + on(ON_2, 52, 55, 59, 64)
    assert pitches(read(part(music, attributes=staves("G", ALTERNATE)))) == [52, 55, 59, 64]


def test_an_alternate_staff_in_another_octave_is_no_loss() -> None:
    score = read(part(on(ON_1, 64, 67, 71, 76) + BACK + on(ON_2, 52, 55, 59, 64), attributes=staves(details=ALTERNATE)))
    assert pitches(score) == [64, 67, 71, 76] and not score.warnings


def test_tablature_with_music_of_its_own_sounds() -> None:
    score = read(part(on(ON_1, 76, 77, 79, 76) + BACK + on(ON_2, 52, 55, 59, 64), attributes=staves()))
    assert sorted(p or 0 for p in pitches(score)) == [52, 55, 59, 64, 76, 76, 77, 79]


def test_a_part_that_is_only_tablature_sounds() -> None:
    one = FOUR_FOUR.replace("</attributes>", "<clef><sign>TAB</sign></clef></attributes>")
    assert pitches(read(part(on("", 52, 55, 59, 64), attributes=one))) == [52, 55, 59, 64]


def test_bars_that_only_the_alternate_staff_holds_sound() -> None:
    both = on(ON_1, 52, 55, 59, 64) + BACK + on(ON_2, 52, 55, 59, 64)
    only = note(None, 8, ON_1) + BACK + on(ON_2, 40, 43, 47, 52)
    assert pitches(read(part(both, only, attributes=staves(details=ALTERNATE)))) == [52, 55, 59, 64, 40, 43, 47, 52]


def test_bars_that_only_the_tablature_holds_sound_and_do_not_speak_for_the_others() -> None:
    both = on(ON_1, 52, 55, 59, 64) + BACK + on(ON_2, 52, 55, 59, 64)
    only = note(None, 8, ON_1) + BACK + on(ON_2, 40, 43, 47, 52)
    assert pitches(read(part(both, only, only, attributes=staves()))) == [52, 55, 59, 64] + [40, 43, 47, 52] * 2


def test_a_guitar_in_tablature_in_unison_with_a_voice_is_a_part() -> None:
    tab = FOUR_FOUR.replace("</attributes>", "<clef><sign>TAB</sign></clef></attributes>")
    music = on("", 60, 62, 64, 65)
    assert len(read(part(music), part(music, attributes=tab), names=["Soprano", "Guitar"]).parts) == 2


def test_a_note_that_only_the_alternate_staff_has_is_told() -> None:
    score = read(part(on(ON_1, 52, 55, 59) + BACK + on(ON_2, 52, 55, 59, 66), attributes=staves(details=ALTERNATE)))
    assert pitches(score) == [52, 55, 59]
    assert [w for w in score.warnings if w.startswith("Bar 1: notes that only the second form")]


def test_a_tablature_part_beside_the_part_that_it_shows_is_read_as_one_with_it() -> None:
    tab = FOUR_FOUR.replace("</attributes>", "<clef><sign>TAB</sign></clef></attributes>")
    music = on("", 52, 55, 59, 64)
    score = read(
        part(music), part(music, attributes=tab), part(on("", 40, 40, 45, 45)), names=["Guitar", "Tab", "Bass"]
    )
    assert [p.name for p in score.parts] == ["Guitar", "Bass"]
    assert len(sounding(score)) == 8
    assert score.warnings == ("The tablature 'Tab' shows the music of 'Guitar' again and is read as one with it.",)


def test_two_parts_of_different_music_or_without_tablature_are_two() -> None:
    tab = FOUR_FOUR.replace("</attributes>", "<clef><sign>TAB</sign></clef></attributes>")
    music = on("", 52, 55, 59, 64)
    assert len(read(part(music), part(music)).parts) == 2
    assert len(read(part(music), part(on("", 52, 55, 59, 62), attributes=tab)).parts) == 2
    assert len(read(part(music, attributes=tab), part(music, attributes=tab)).parts) == 2


def test_an_ossia_is_left_out_and_told_and_a_cue_staff_is_silent() -> None:
    music = on(ON_1, 60, 62, 64, 65) + BACK + on(ON_2, 72, 74, 76, 77)
    kinds = {k: f"<staff-details number='2'><staff-type>{k}</staff-type></staff-details>" for k in ("ossia", "cue")}
    ossia = read(part(music, attributes=staves("G", kinds["ossia"])))
    assert pitches(ossia) == [60, 62, 64, 65] and ossia.warnings == ("Bar 1: the ossia is not read.",)
    cue = read(part(music, attributes=staves("G", kinds["cue"])))
    assert pitches(cue) == [60, 62, 64, 65] and not cue.warnings
    assert len(read(part(music, attributes=staves("G"))).notes) == 8
    alone = FOUR_FOUR.replace("</attributes>", kinds["cue"].replace("2", "1") + "</attributes>")
    assert pitches(read(part(on("", 60, 62, 64, 65), attributes=alone))) == [60, 62, 64, 65]


def fretted(string: int, fret: int) -> str:
    technical = f"<technical><string>{string}</string><fret>{fret}</fret></technical>"
    return f"<note><duration>4</duration><notations>{technical}</notations></note>"


def test_string_and_fret_tell_the_pitch_where_none_is_written() -> None:
    tuning = "".join(
        f'<staff-tuning line="{i + 1}"><tuning-step>{s}</tuning-step><tuning-octave>{o}</tuning-octave></staff-tuning>'
        for i, (s, o) in enumerate((("D", 2), ("A", 2), ("D", 3), ("G", 3), ("B", 3), ("E", 4)))
    )
    down = "<transpose><chromatic>0</chromatic><octave-change>-1</octave-change></transpose>"
    stated = FOUR_FOUR.replace(
        "</attributes>", f"<staff-details>{tuning}<capo>2</capo></staff-details>{down}</attributes>"
    )
    music = fretted(6, 7) + fretted(1, 0)
    assert pitches(read(part(music), names=["Guitar"])) == [47, 64]
    assert pitches(read(part(music, attributes=stated), names=["Guitar"])) == [47, 66]
    unknown = read(part(music, note(60)), names=["Xyz"])
    assert pitches(unknown) == [60] and unknown.warnings[0].startswith("Bar 1: a note whose pitch cannot be read")
