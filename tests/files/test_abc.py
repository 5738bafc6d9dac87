"""ABC: what each element means. Values by the ABC standard 2.1, and by abc2midi 4.84 where it agrees."""

from __future__ import annotations

import math

import pytest

from scoresep.errors import ScoreFileError
from scoresep.files.scores.abc_tunes import read_parts_order, read_tempo
from scoresep.files.scores.reader import parse_score
from scoresep.model.path import PathChoices, performance_path, unfold
from scoresep.model.score import Mark, Score

HEAD = "X:1\nT:t\nM:4/4\nL:1/4\nK:C\n"


def read(text: str) -> Score:
    return parse_score(text.encode(), "x.abc")


def played(score: Score) -> list[tuple[int, float, float, float]]:
    """Part, pitch, onset and length of all notes as they are played."""
    notes = unfold(score, performance_path(score)[0]).notes
    columns = (notes.part_index, notes.pitch_midi, notes.onset_quarter, notes.duration_quarter)
    return [(int(a), float(b), round(float(c), 3), round(float(d), 3)) for a, b, c, d in zip(*columns, strict=True)]


def line(text: str) -> str:
    """Pitches of one part with their lengths where these are no quarters: ``60 62/2``; rests are not told."""
    notes = played(read(text if text.startswith("X:") else HEAD + text + "\n"))
    return " ".join(f"{pitch:g}" + (f"/{length:g}" if length != 1 else "") for _, pitch, _, length in notes)


def moments(text: str) -> str:
    """The same with the moments: ``60@0 64@0 62@1.5``."""
    notes = played(read(text if text.startswith("X:") else HEAD + text + "\n"))
    return " ".join(f"{pitch:g}@{onset:g}" for _, pitch, onset, _ in notes)


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        # lengths
        ("C2 D/2 E/ F3/4 G/4|C/// D//E|A3/ B3// C|",
         "60/2 62/0.5 64/0.5 65/0.75 67/0.25 60/0.125 62/0.25 64 69/1.5 71/0.75 60"),
        ("C>D E<F|C>>D E<<F|C>>>D|", "60/1.5 62/0.5 64/0.5 65/1.5 60/1.75 62/0.25 64/0.25 65/1.75 60/1.875 62/0.125"),
        ('C > D [CE]>[DF]|"Am"C>{g}D z>C|',
         "60/1.5 62/0.5 60/1.5 64/1.5 62/0.5 65/0.5 60/1.5 62/0.5 79/0 60/0.5"),
        ("(3CDE F2 G|(2CD|(4CDEF|(5CDEFG|",
         "60/0.667 62/0.667 64/0.667 65/2 67 60/1.5 62/1.5 60/0.75 62/0.75 64/0.75 65/0.75 "
         "60/0.4 62/0.4 64/0.4 65/0.4 67/0.4"),
        ("(3:2:4C D E/F/ G|(3::2CD E|(3[CE]zE F|(3C>DE|",
         "60/0.667 62/0.667 64/0.333 65/0.333 67 60/0.667 62/0.667 64 "
         "60/0.667 64/0.667 64/0.667 65 60 62/0.333 64/0.667"),
        ("[CEG]2 [CE]/[DF]/|[C/E/]2 [C2E]|", "60/2 64/2 67/2 60/0.5 64/0.5 62/0.5 65/0.5 60 64 60/2 64"),
        # pitches
        ("C,, C, C c c' c'',|", "36 48 60 72 84 84"),
        ("^C C c C,|=C _D D _d|^^F __B|", "61 61 73 49 60 61 61 73 67 69"),
        ("^/C _/D ^3/2E _3/2F|^1/2G|", "60.5 61.5 65.5 63.5 67.5"),
        ("%%propagate-accidentals not\n^C C c C|", "61 60 72 60"),
        ("%%propagate-accidentals octave\n^C C c C|C|", "61 61 72 61 60"),
        ("%%MIDI nobarlines\n^C C|", "61 60"),
        ("{^f}F F|F|", "66 78/0 66 65"),
        # keys
        ("[K:D]FC|[K:Dm]B|[K:Ador]FC|[K:Ephr]F|[K:G lydian]C|[K:GMix]F|[K:C#]CB|[K:Cb]C|",
         "66 61 70 66 60 65 61 65 61 72 59"),
        ("[K:D ^g =c]CGFg|[K:D exp _b ^f]BFC|[K:HP]FCG|[K:Hp]FC|[K:none]FC|[K:D phr ^f]FBE|",
         "60 68 66 80 70 66 60 66 61 67 66 61 65 60 66 70 63"),
        ("[K:Am clef=treble-8]C|[K:C treble+8]C|[K:bass]C|[K:C octave=1]C|[K:clef=alto]C|",
         "48 72 60 72 72"),
        ("[K:C transpose=3]C|[K:G]F|[K:C transpose=0 octave=-1]C|", "63 69 48"),
        ("[K:C sound=cA]C|[K:C shift=CD]C|[K:C score=CD]C|[K:C middle=d]C|[K:C clef=treble_8]C|", "57 62 62 62 62"),
        ("%%MIDI transpose -12\nC|\n%%MIDI rtranspose 2\nC|", "48 50"),
        # ties
        ("^C4-|C2 C2|C|", "61/6 60/2 60"),
        ("^c-|c- c-|\nc C|", "73/4 60"),
        ("[A-c]A c2|[Ac-]cA2|(C-D) D-|\nD|", "69/2 72 72/2 69 72/2 69/2 60 62 62/2"),
        ("|:A B C2-|1 C4:|2 C4|]", "69 71 60/6 69 71 60/6"),
        # signs that say nothing of the notes
        ('!trill!C!p!D+mf+E~F|"Am"C"^text"D"<x"E F|.C(DE).F uTCvD|y2 C y D|$`C`D|',
         "60 62 64 65 60 62 64 65 60 62 64 65 60 62 60 62 60 62"),
        ("CDEF|[r:remark CDEF]GABc|[N:hello]C4|\n%%text CDEF|\nw: la la|la\nW: C D|\nC % DEF\n",
         "60 62 64 65 67 69 71 72 60/4 60"),
        ("CD\\\nEF!\nG|+CEG+2|", "60 62 64 65 67 60 64 67"),
    ],
)  # fmt: skip
def test_notes(music: str, expected: str) -> None:
    assert line(music) == expected


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("|:CD:|:EF:|G|", "CDCDEFEFG"),
        ("CD::EF:||:G:||:A:|", "CDCDEFEFGGAA"),
        ("CD:|EF:|", "CDCDEFEF"),
        ("CD||EF:|", "CDEFEF"),  # by the standard; abc2midi goes back to the beginning
        ("CD|]EF:|G|", "CDEFEFG"),
        ("|::CD::|E|", "CDCDCDE"),
        ("|::CD:|E|", "CDCDCDE"),
        ("|:CD|1E:|2F|]", "CDECDF"),
        ("|:CD[1E:|[2F|]G|", "CDECDFG"),
        ("|:CD|1,3E:|2F:|G|", "CDECDFCDEG"),
        ("|:CD|1-2E:|3F|]", "CDECDECDF"),
        ("CD|1E:|2F|GA|1B:|2C|]", "CDECDFGABGAC"),
        ("CD|1E:|2F|GA:|", "CDECDFGAGA"),
        ("|:C|1D|E:|2F|G|A:|", "CDECFGAA"),
        ("C[|]:|D|", "CCD"),
        ("C|D!fine!|E|F!D.C.!|", "CDEFCD"),
        ('C|D "Fine"|E|F "^D.C. al Fine"|', "CDEFCD"),
        ("C|SD|E|F!D.S.!|G|", "CDEFDEFG"),
        ("C|!segno!D|E!dacoda!|F!D.S.alcoda!|!coda!G|", "CDEFDEG"),
        ("C|OD|E|F!D.C.!|OG|", "CDEFCG"),
        ("U:W=!D.C.!\nC|DW|", "CDCD"),
    ],
)
def test_order_of_playing(music: str, expected: str) -> None:
    letters = {60: "C", 62: "D", 64: "E", 65: "F", 67: "G", 69: "A", 71: "B"}
    head = HEAD.replace("4/4", "none")
    assert "".join(letters[int(p)] for _, p, _, _ in played(read(head + music + "\n"))) == expected


def test_grace_notes_take_no_time() -> None:
    assert moments("C{de}D|{/g}E [CE]{d}F|") == "60@0 62@1 74@1 76@1 64@2 79@2 60@3 64@3 65@4 74@4"


def test_rests_of_whole_bars() -> None:
    assert moments("C|Z3|D4|X2|E4|z2x2|F|") == "60@0 62@13 64@25 65@33"
    assert moments("X:1\nM:3/4\nL:1/4\nK:C\nC3|Z2|[M:2/4]Z|D2|\n") == "60@0 62@11"


def test_overlays_go_back_by_bars() -> None:
    assert moments("CDEF & c4|G4|") == "60@0 72@0 62@1 64@2 65@3 67@4"
    assert moments("CD&E2&c2|G4|") == "60@0 64@0 72@0 62@1 67@2"
    assert moments("C4|D4|&&c4|d4|G4|") == "60@0 72@0 62@4 74@4 67@8"  # the standard's own example has this form
    assert moments("(&C4|D4&c4|d4&)|G4|") == "60@0 72@0 62@4 74@4 67@8"
    assert set(read(HEAD + "C4&^c2c2|c4|\n").notes.voice.tolist()) == {1, 2}
    assert line("^C2 C2&c2 C2|") == "61/2 72/2 60/2 61/2"  # an overlay has accidentals of its own


@pytest.mark.parametrize(
    "body",
    [
        "V:1\nCDEF|\nV:2\nC,4|\nV:1\nGABc|\nV:2\nG,4|\n",
        "[V:1]CDEF|GABc|\n[V:2]C,4|G,4|\n",
        "[V:1]CDEF|[V:2]C,4|[V:1]GABc|[V:2]G,4|\n",
    ],
)
def test_voices_in_turn(body: str) -> None:
    score = read(HEAD + body)
    assert [p.name for p in score.parts] == ["Part 1", "Part 2"] and len(score.measures) == 2
    assert [n[1:3] for n in played(score) if n[0] == 1] == [(48, 0), (55, 4)]
    assert len(played(score)) == 10 and not score.warnings


def test_voices_have_names_clefs_keys_and_programs_of_their_own() -> None:
    score = read(
        'X:1\nL:1/4\nM:4/4\nV:A clef=treble-8 name="Tenor\\nsolo" snm="T."\nV:B octave=-1 transpose=-2\n'
        'V:3 nm="Vl."\nK:D\n'
        "V:A\nF4|[K:C]F4|\nV:B\n%%MIDI program 71\nF4|F4|\nV:3\n%%MIDI program 1 40\n%%MIDI channel 1\nF4|F4|\n"
    )
    assert [(p.name, p.abbreviation, p.instrument.program) for p in score.parts] == [
        ("Tenor solo", "T.", 52),
        ("B", "", 71),
        ("Vl.", "", 40),
    ]
    assert [n[1] for n in sorted(played(score))] == [53, 54, 52, 52, 66, 66]


def test_a_brace_is_one_instrument_unless_its_voices_bear_names() -> None:
    voices = "V:S\nc4|\nV:RH\ne4|\nV:LH\nC4|\n"
    head = HEAD.replace("K:", "%%score [S {RH LH}]\nK:")
    score = read(head + voices)
    assert [p.name for p in score.parts] == ["S", "Part 2"]
    assert sorted(zip(score.notes.part_index.tolist(), score.notes.staff.tolist(), strict=True)) == [
        (0, 1),
        (1, 1),
        (1, 2),
    ]
    named = head.replace("K:", 'V:RH name="Flute"\nV:LH name="Cello"\nK:')
    assert [p.name for p in read(named + voices).parts] == ["S", "Flute", "Cello"]
    order = read(HEAD.replace("K:", "%%staves (LH RH)\nK:") + voices)
    assert [p.name for p in order.parts] == ["LH", "RH", "S"]


def test_drums() -> None:
    for text in ("V:1\n%%MIDI channel 10\nC4|\n", "[K:C clef=perc]C4|\n", "V:1 perc\nC4|\n"):
        score = read(HEAD + text)
        assert score.parts[0].instrument.is_percussion and math.isnan(score.notes.pitch_midi[0])


def test_fields_within_the_tune() -> None:
    assert line("CDEF|[K:D]CDEF|[M:3/4]CDE|[L:1/8]CDEFGA|") == (
        "60 62 64 65 61 62 64 66 61 62 64 61/0.5 62/0.5 64/0.5 66/0.5 67/0.5 69/0.5"
    )
    score = read(HEAD + "CDEF|\nK:D\nM:3/4\nL:1/8\nC6|[Q:1/4=60]C6|\n")
    assert [(m.beats, m.beat_type) for m in score.measures] == [(4, 4), (3, 4), (3, 4)]
    assert [(t.start_quarter, t.quarters_per_minute) for t in score.tempo_marks] == [(7, 60)]
    assert line("X:1\nM:4/4\nL:1/4\nK:C\nV:1\nF|\nV:2\nF|\nK:D\nF|\nV:1\nF|\n") == "65 65 65 66"  # of one voice only


@pytest.mark.parametrize(
    ("metre", "length"),
    [("3/8", 0.25), ("2/4", 0.25), ("3/4", 0.5), ("6/8", 0.5), ("C", 0.5), ("C|", 0.5), ("none", 0.5), ("2+3/8", 0.25)],
)
def test_unit_length_follows_the_metre(metre: str, length: float) -> None:
    assert played(read(f"X:1\nM:{metre}\nK:C\nC|D|\n"))[0][3] == length
    assert played(read(f"X:1\nM:{metre}\nL:1/2\nK:C\nC|D|\n"))[0][3] == 2


def test_five_in_the_time_of_three_in_compound_metres() -> None:
    assert line("X:1\nM:6/8\nL:1/8\nK:C\n(5CDEFG A3|(2CD|\n").startswith("60/0.3 62/0.3")


@pytest.mark.parametrize(
    ("text", "tempo"),
    [
        ("1/4=120", 120), ("3/8=40", 60), ("1/8 1/4 1/8=40", 80), ('"Allegro" 1/4=120', 120), ('1/2=60 "slow"', 120),
        ('"Andante"', None), ("120", 120), ("C=100", 50), ("C3=40", 60), ("1/4 = 90.5", 90.5),
    ],
)  # fmt: skip
def test_tempo(text: str, tempo: float | None) -> None:
    assert read_tempo(text, 0.5) == tempo


# ------------------------------------------------------------------------------------------------------- parts


def test_order_of_parts() -> None:
    assert "".join(read_parts_order("A(BC)2.D2") or []) == "ABCBCDD"
    assert "".join(read_parts_order("((AB)3.(CD)3)2") or []) == ("AB" * 3 + "CD" * 3) * 2
    assert read_parts_order("(" * 50 + "A" + ")99" * 50) is None
    assert read_parts_order("A;B") is None and read_parts_order("Modern version") is None


def test_the_order_that_the_tune_states_is_played_and_its_repeats_can_be_left() -> None:
    score = read("X:1\nM:4/4\nL:1/4\nP:ABA\nK:C\nc4|\nP:A\n|:C4:|\nP:B\nD4|1E4:|2F4|\n")
    assert score.stated_order == (0, 1, 1, 2, 3, 2, 4, 1, 1)
    path, _ = performance_path(score, PathChoices(follows_stated_order=False))
    assert path.measure_indices == (0, 1, 1, 2, 3, 2, 4)


def test_parts_in_several_voices_and_within_a_line() -> None:
    score = read("X:1\nM:4/4\nL:1/4\nP:ABA\nK:C\nV:1\nP:A\nC4|\nV:2\nC,4|\nP:B\nV:1\nD4|\nV:2\nD,4|\n")
    assert score.stated_order == (0, 1, 0) and not score.warnings
    assert read("X:1\nL:1/4\nP:BA\nK:C\n[P:A]C D[P:B]E F|\n").stated_order == (1, 0)


def test_an_order_of_parts_that_are_not_there_is_told() -> None:
    score = read("X:1\nL:1/4\nP:AAC\nK:C\nP:A\nC4|\nP:B\nD4|\n")
    assert score.stated_order == (0, 0) and "names C" in score.warnings[0]
    assert read("X:1\nL:1/4\nP:AAB\nK:C\nC4|\n").stated_order == ()


# ------------------------------------------------------------------------------------------- files and their text


def test_measures_are_numbered_as_printed() -> None:
    score = read("X:1\nM:4/4\nL:1/4\nK:C\nG|CDEF|GAB:|G|cdef|g4|]\n")
    assert [m.number for m in score.measures] == ["0", "1", "2", "2", "3", "4"]
    assert score.measures[0].lead_quarter == 3 and score.measures[3].lead_quarter == 3


def test_bar_lines_that_follow_each_other_are_one() -> None:
    for music in ("CDEF|\n|GABc|]", "CDEF||\n|:GABc:|", "|CDEF| |GABc|", "CDEF:|\n|:GABc|", "[|CDEF|[|GABc|]"):
        assert len(read(HEAD + music + "\n").measures) == 2


def test_macros_and_symbols() -> None:
    head = HEAD.replace("K:", "m:~g2 = {a}g{f}g\nm:~n3 = n/o/m2\nK:")
    assert line(head + "~g2|~A3|~C3|\n") == "79 81/0 77/0 79 69/0.5 71/0.5 67/2 60/0.5 62/0.5 59/2"


def test_header_of_the_file_comments_blocks_and_line_ends() -> None:
    text = (
        "%abc-2.1\r\nM:3/4\r\nL:1/2\r\n\r\nSome words\r\n\r\nX:1 % one\r\nT:Caf\\'e &amp; \\\"Uber\r\n"
        "C:N. N.\r\nK:C\r\n%%begintext\r\nCDEF|\r\n%%endtext\r\nC>D % E\r\n"
    )
    score = read(text)
    assert (score.title, score.composer) == ("Café & Über", "N. N.")
    assert played(score) == [(0, 60, 0, 3), (0, 62, 3, 1)] and score.measures[0].beats == 3
    assert parse_score(text.replace("\\'e", "é").encode("cp1252"), "x.abc").title == "Café & Über"


def test_several_tunes_and_free_text() -> None:
    tune = "X:{}\nT:Tune {}\nL:1/4\nK:C\nC|\n"
    score = read(tune.format(1, 1) + "\nThis is a tune | that I love.\n\n" + tune.format(2, 2))
    assert (
        score.title == "Tune 1"
        and len(score.notes) == 1
        and score.warnings == ("The file holds 2 pieces; the first one is read.",)
    )
    assert read("X:1\nT:Words only\nK:C\n\n" + tune.format(2, 2)).title == "Tune 2"
    with pytest.raises(ScoreFileError, match=r"'x\.abc' holds no tune with notes"):
        read("X:1\nT:t\nK:C\nz4|\n")


def test_a_tune_goes_on_after_an_empty_line_if_music_follows() -> None:
    assert "the music behind 'V:1'" in read(HEAD + "V:1 CDEF|\nGABc|\n").warnings[0]
    score = read(HEAD + "CDEF|\n\nGABc|\n")
    assert len(score.notes) == 8 and score.warnings == (
        "Line 8: the tune goes on after an empty line; it is read as one tune.",
    )


def test_what_is_not_understood_is_told_with_its_line() -> None:
    score = read(HEAD + "CD§EF|]\n[K:Hxy]G]|\n[M:abc]C|\nL:x\nD|§\n>E|C,,,,,,,,|\n")
    assert score.warnings == (
        "Lines 6, 10: '§' is no ABC and is passed over.",
        "Line 7: the key 'Hxy' is not understood.",
        "Line 7: ']' closes nothing.",
        "Line 8: the metre 'abc' is not understood.",
        "Line 9: the unit length 'x' is not understood.",
        "Line 11: '>' stands behind no note.",
        "Line 11: 'C,,,,,,,,' lies beyond all instruments and is left out.",
    )
    assert len(score.notes) == 8


def test_what_sounds_and_is_passed_over_is_told_with_its_bars() -> None:
    score = read(HEAD + "CDEF|!//!C4|!///!D4|!8va(!E4!8va)!|\n%%MIDI drumon\nF4|\n")
    assert set(score.warnings) == {
        "Bars 2-3: the tremolo is read as a held note.",
        "Bar 4: the notes under 8va are read in the octave in which they are written.",
        "Bar 5: the drums that the file adds by %%MIDI drumon are not read.",
    }


def test_macros_in_macros_do_not_grow_without_end() -> None:
    macros = "".join(f"m:{chr(a)}={chr(a + 1) * 9}\n" for a in range(ord("H"), ord("T")))
    with pytest.raises(ScoreFileError, match="macros"):
        read(HEAD.replace("K:", macros + "K:") + "HHHH C|\n")


@pytest.mark.parametrize("music", ["Z9999999|", "C99999999999|", "Z999999|" * 9])
def test_music_without_end_is_refused(music: str) -> None:
    with pytest.raises(ScoreFileError, match=r"(?i)^.*bars?.*\.$"):
        read(HEAD + music + "\n")


def test_marks_stand_where_they_are_written() -> None:
    score = read(HEAD + "C4|!segno!D4 !fine!|E4 | !coda!F4|G4!D.S.!|\n")
    assert [m.marks for m in score.measures][1] == (Mark.SEGNO, Mark.FINE)
    assert score.measures[4].marks == (Mark.DAL_SEGNO,)
