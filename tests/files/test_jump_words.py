"""The words for jumps: a table of what programs and people write in five languages, and what is no jump."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoresep.files.scores.jump_words import (
    MOST_LETTERS,
    details_in_words,
    is_bare_coda_sign,
    marks_in_words,
    names_dance,
)
from scoresep.model.score import Mark, MarkDetail

DC, DC_FINE, DC_CODA = Mark.DA_CAPO, Mark.DA_CAPO_AL_FINE, Mark.DA_CAPO_AL_CODA
DS, DS_FINE, DS_CODA = Mark.DAL_SEGNO, Mark.DAL_SEGNO_AL_FINE, Mark.DAL_SEGNO_AL_CODA
SECOND = ("no. 2",)

ITALIAN = {
    "D.C. al Fine": DC_FINE,
    "D. C. al fine": DC_FINE,
    "DC al Fine": DC_FINE,
    "Da Capo": DC,
    "da capo alla Fine": DC_FINE,
    "D.S. al Coda": DS_CODA,
    "Dal Segno": DS,
    "Dal S.": DS,
    "dal segno al fine": DS_FINE,
    "al segno": DS,
    "Dall'inizio alla fine": DC_FINE,
    "D.C. al Fine e poi la Coda": DC_CODA,
    "Scherzo da capo senza replica, poi la Coda": DC_CODA,
    "alla Coda": Mark.TO_CODA,
    "Da Coda": Mark.TO_CODA,
    "Fine.": Mark.FINE,
    "FINE": Mark.FINE,
    "Segno": Mark.SEGNO,
}
ENGLISH = {
    "To Coda": Mark.TO_CODA,
    "to  CODA": Mark.TO_CODA,
    "Go to Coda": Mark.TO_CODA,
    "Last time to Coda": Mark.TO_CODA,
    "To Coda (2nd time only)": Mark.TO_CODA,
    "→ Coda": Mark.TO_CODA,
    "CODA": Mark.CODA,
    "Coda sign": Mark.CODA,
    "D.S. and Fade": DS,
    "From the beginning to Fine": DC_FINE,
    "To Coda on D.S. only": Mark.TO_CODA,
    "Fine (after D.C.)": Mark.FINE,
    "D C al Fine": DC_FINE,
    "D.S.al Coda": DS_CODA,
    "D.S.\n al\u00a0Coda": DS_CODA,
    "ToCoda": Mark.TO_CODA,
    "D.% al Fine": DS_FINE,
    "From the sign to Coda": DS_CODA,
    "The End": Mark.FINE,
}
GERMAN = {
    "D.C. bis Fine": DC_FINE,
    "Da capo bis Fine": DC_FINE,
    "Von vorn bis Fine": DC_FINE,
    "Vom Zeichen bis Fine": DS_FINE,
    "Menuett da capo": DC,
    "zur Coda": Mark.TO_CODA,
    "Ende": Mark.FINE,
}
FRENCH = {
    "Reprendre au début jusqu'à la fin": DC_FINE,
    "D.C. jusqu'au mot Fin": DC_FINE,
    "Du signe à la Coda": DS_CODA,
    "à la coda": Mark.TO_CODA,
    "Fin": Mark.FINE,
}
SPANISH = {
    "Desde el principio hasta Fine": DC_FINE,
    "Del signo al Fin": DS_FINE,
    "Al segno y coda": DS_CODA,
    "D.C. a la Coda": DC_CODA,
    "a la Coda": Mark.TO_CODA,
    "Signo": Mark.SEGNO,
}
SIGNS = {
    "To \U0001d10c": Mark.TO_CODA,
    "D.S. al \U0001d10c": DS_CODA,
    "D.\U0001d10b al Fine": DS_FINE,
    "⊕ Coda": Mark.CODA,
    "\U0001d10b": Mark.SEGNO,
    "To Ø": Mark.TO_CODA,
}


@pytest.mark.parametrize(
    ("text", "mark"), [item for table in (ITALIAN, ENGLISH, GERMAN, FRENCH, SPANISH, SIGNS) for item in table.items()]
)
def test_words_in_five_languages(text: str, mark: Mark) -> None:
    assert marks_in_words(text) == (mark,)
    assert marks_in_words(f"  {text.upper()} ") == (mark,) or "Ø" in text


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("To Coda II", MarkDetail(Mark.TO_CODA, SECOND)),
        ("Da Double Coda", MarkDetail(Mark.TO_CODA, SECOND)),
        ("to 2nd Coda", MarkDetail(Mark.TO_CODA, SECOND)),
        ("Double Coda", MarkDetail(Mark.CODA, SECOND)),
        ("2. Coda", MarkDetail(Mark.CODA, SECOND)),
        ("Coda B", MarkDetail(Mark.CODA, SECOND)),
        ("Varcoda", MarkDetail(Mark.CODA, SECOND)),
        ("Coda 1", MarkDetail(Mark.CODA, ("no. 1",))),
        ("Segno Segno", MarkDetail(Mark.SEGNO, SECOND)),
        ("D.S.S. al Double Coda", MarkDetail(DS_CODA, SECOND, SECOND)),
        ("Da Segno Segno al Double Coda", MarkDetail(DS_CODA, SECOND, SECOND)),
        ("Dal segno segno", MarkDetail(DS, SECOND)),
        ("Dal Segno 2 al Fine", MarkDetail(DS_FINE, SECOND)),
        ("D.C. al Coda II", MarkDetail(DC_CODA, (), SECOND)),
        ("Da Capo al Double Coda", MarkDetail(DC_CODA, (), SECOND)),
        ("D.C. al 2", MarkDetail(DC, (), SECOND)),
        ("Menuetto D.C. senza repetizione", MarkDetail(DC, with_repeats=False)),
        ("D.C. al Fine (no repeats)", MarkDetail(DC_FINE, with_repeats=False)),
        ("Menuett da capo ohne Wiederholung", MarkDetail(DC, with_repeats=False)),
        ("Menuet da capo avec les reprises", MarkDetail(DC, with_repeats=True)),
        ("Da capo con replica", MarkDetail(DC, with_repeats=True)),
        ("D.C. sin repetición", MarkDetail(DC, with_repeats=False)),
    ],
)
def test_numbers_and_repeats_in_words(text: str, detail: MarkDetail) -> None:
    assert details_in_words(text) == (detail,)


@pytest.mark.parametrize(
    "text", ["Trio", "TRIO I.", "Trio (più lento)", "Menuet II", "2. Menuett", "Minore", "Alternativo"]
)
def test_what_begins_a_trio(text: str) -> None:
    assert marks_in_words(text) == (Mark.TRIO,)


@pytest.mark.parametrize(
    "text",
    [
        *("con fine espressione", "dolce", "", "Tempo del principio", "come al principio", "D C G", "dim. al fine"),
        *("Trio sonata", "Menuet I", "al Fine", "codetta", "cresc. e rit. al Fine", "a tempo", "The second time"),
        *("Words by D.S. Jones", "Music: D.C.", "arr. D. C."),
        *("play on D.S. only", "tacet on D.C.", "D.S. only", "repeat after the D.C."),
        "da " * 40,
    ],
)
def test_what_is_no_jump(text: str) -> None:
    assert details_in_words(text) == ()


def test_a_dance_is_named() -> None:
    assert names_dance("Menuetto D.C.") and names_dance("Da capo il Scherzo") and names_dance("Gavotte I da capo")
    assert not names_dance("D.C. al Fine") and not names_dance("")


def test_a_bare_sign_is_known() -> None:
    assert is_bare_coda_sign(" \U0001d10c ") and is_bare_coda_sign("⊕")
    assert not is_bare_coda_sign("to \U0001d10c") and not is_bare_coda_sign("\U0001d10c Coda")


@given(st.text(max_size=MOST_LETTERS + 5))
def test_any_text_is_read(text: str) -> None:
    assert len(details_in_words(text)) <= 1
