"""Words for the order of playing, as people and programs write them in English, Italian, German, French and Spanish.

What a word means is said once here; the readers of all formats ask this module. Programs have words of their own:
Guitar Pro writes "Da Coda" and "Da Segno Segno al Double Coda", MuseScore has a "Varcoda".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from scoresep.model.score import Mark, MarkDetail

MOST_LETTERS = 80  # a sentence is not a sign

_SEGNO_SIGNS = "\U0001d10b\ue047\ue04a\ue04b"
_CODA_SIGNS = "\U0001d10c\ue048\ue049⊕⨁"
_ARROWS = "→⇒➔➜➝⟶"

_NUMBERS = {
    1: "1 1st 1a 1o i first one primo prima primera primer erste erster erstes ersten premier premiere 1er 1ere",
    2: "2 2nd 2a 2o ii second two secondo seconda segundo segunda zweite zweiter zweites zweiten deuxieme seconde 2e "
    "2eme 2de 2me double doppia doppio doppelte doppelter doble dupla",
    3: "3 3rd 3a 3o iii third three terzo terza tercero tercera tercer dritte dritter drittes dritten troisieme 3e "
    "3eme triple tripla triplo dreifache",
    4: "4 4th 4a 4o iv fourth four quarto quarta cuarto cuarta vierte vierter viertes vierten quatrieme 4e 4eme",
    5: "5 5th v fifth",
    6: "6 6th vi sixth",
}
_NUMBER_OF = {word: number for number, words in _NUMBERS.items() for word in words.split()}
_NUM = "(" + "|".join(sorted(_NUMBER_OF, key=len, reverse=True)) + ")"

_DACAPO = re.compile(
    r"\bda ?capo\b|\bd a capo\b|\bde capo\b|\bdel? capo\b|\bdal? capo\b"
    r"|\b(from|back to|go to|return to|repeat from) (the )?(beginning|top|start)\b|\bfrom (beginning|top|start)\b"
    r"|\bvo[nm] (vorne?|anfang|beginn)\b|\bzum anfang\b"
    r"|\b(du|au|depuis le|des le) (debut|commencement)\b"
    r"|\bdall? ?(inizio|principio)\b|\b(desde el|del|al) (principio|comienzo|inicio)\b|\b(do|ao) (inicio|principio)\b"
)
_DALSEGNO = re.compile(
    rf"\b(da|dal|del|al|d al|dall|desde el|desde|vom|vom|ab|zum|from|from the|to the|back to|au|du|do|ao|depuis le)"
    rf" ({_NUM} )?(segno|signo|signe|sign|zeichen)\b|\bdalsegno\b"
)
_CREDITS = re.compile(r"(words|music|lyrics|text|texte|musik|musique|arr|arranged|composed)\b|.*\bby d[ac]l? ")
_COMPARISONS = re.compile(r"\b(tempo|come|wie|comme|como|like|as)\b")  # "tempo del principio" is no jump
_CODA = rf"(?:{_NUM} )?(?:var ?)?coda(?: coda)?(?: sign)?(?: (?:no |nr |num )?(?:{_NUM}|([abc]))\b)?"
_TO_CODA = re.compile(
    r"(.* )?(al|alla|all|a la|a|to|to the|the|zur|zum|vers la|vers|da|dalla|ao|e poi|e poi la|poi|poi la|then|then to"
    rf"|dann|dann zur|puis|puis la|y luego|luego|go|go to|jump to|jump|et|segue|segue la|seguir a la)"
    rf" (la )?{_CODA}( only)?"
)
_ONLY_CODA = re.compile(rf"(the |la |die )?{_CODA}( section)?")
_ONLY_SEGNO = re.compile(
    rf"(the |il |das )?(?:{_NUM} )?(?:var ?)?(?:segno|signo|signe)(?: segno)?(?: (?:no |nr )?{_NUM})?"
)
_ONLY_FINE = re.compile(r"(il |the |la )?(fine|fin|ende|end|finis|fim)( fine)?")
_DANCES = (
    r"menuet\w*|minuet\w*|menuett\w*|gavott\w*|bourr\w+|passepied\w*|rigaudon\w*|polonaise\w*|loure\w*|waltz|walzer"
    r"|valse|polka|landler|musette\w*|march\w*|marsch|ecossaise\w*|anglaise\w*|contredanse\w*|scherzo"
)
_TRIO = re.compile(
    rf"(?:{_NUM} )?(?:trio|alternativo|alternativement)(?: {_NUM})?(?P<more>.*)|(?:maggiore|minore)"
    rf"|(?:{_DANCES}) (?P<after>{_NUM})|(?P<before>{_NUM}) (?:{_DANCES})"
)
_NO_TRIO = re.compile(r"\b(sonat\w*|for|fur|pour|per|para|in|von|by|op|opus|a)\b")
_AGAIN = r"(?:le |la |les |the |las |los |den |alle |all |tutte le )?(?:rep\w*|ripet\w*|wiederh\w*|ritorn\w*)\b"
_WITHOUT = re.compile(rf"\b(?:senza|ohne|sans|sin|without|no|sem|w o) {_AGAIN}")
_WITH = re.compile(rf"\b(?:con|mit|avec|with|com|take|taking) {_AGAIN}")
_WHICH_TIME = re.compile(
    rf"\b(?:on |the |la |le |beim |last )*(?:{_NUM} )?(?:and last |last )?"
    r"(?:time|times|x|volta|volte|fois|mal|vez|veces|pass|ending|endings)\b( only)?"
)
# "To Coda on D.S. only" tells when, and is no jump itself
_AT_JUMP = re.compile(
    r"\b(?:on|at|after|upon|when|until|before|for|beim|nach|dopo|apres|despues del?) (?:the )?"
    r"(?:da capo|dal (?:2 )?segno)(?: only| time| times)*\b|\b(?:da capo|dal (?:2 )?segno)(?: time| times)? only\b"
)
_JUMPS = {
    (False, False, False): Mark.DA_CAPO,
    (False, True, False): Mark.DA_CAPO_AL_FINE,
    (False, False, True): Mark.DA_CAPO_AL_CODA,
    (True, False, False): Mark.DAL_SEGNO,
    (True, True, False): Mark.DAL_SEGNO_AL_FINE,
    (True, False, True): Mark.DAL_SEGNO_AL_CODA,
}


@lru_cache(maxsize=4096)  # most words of a score say nothing of this, over and over again
def details_in_words(text: str) -> tuple[MarkDetail, ...]:
    """Find what a text in the score tells about the order of playing.

    Parameters
    ----------
    text : str
        Such as ``D.S. al Coda II``, ``Fine``, ``To Coda``; any other text is no mark.

    Returns
    -------
    details : tuple of MarkDetail
        None or one.
    """
    if not text.strip() or len(text) > MOST_LETTERS:
        return ()
    plain = " ".join(_AT_JUMP.sub(" ", _plain(text)).split())
    jump = _jump(plain)
    if jump is not None:
        return (jump,)
    plain = " ".join(_WHICH_TIME.sub(" ", plain).split())
    if found := _ONLY_CODA.fullmatch(plain):
        return (MarkDetail(Mark.CODA, _names(found.group(), "coda")),)
    if _TO_CODA.fullmatch(plain):
        return (MarkDetail(Mark.TO_CODA, _names(plain, "coda")),)
    if _ONLY_SEGNO.fullmatch(plain):
        return (MarkDetail(Mark.SEGNO, _names(plain, "segno")),)
    if _ONLY_FINE.fullmatch(plain):
        return (MarkDetail(Mark.FINE),)
    return (MarkDetail(Mark.TRIO),) if _begins_trio(plain) else ()


def names_dance(text: str) -> bool:
    """Whether a text names a dance that has a trio: "Menuetto D.C."."""
    return len(text) <= MOST_LETTERS and bool(re.search(rf"\b(?:{_DANCES})\b", _plain(text)))


def is_bare_coda_sign(text: str) -> bool:
    """Whether a text is nothing but the sign of the coda, which stands for "to coda" as well."""
    return bool(re.fullmatch(rf"[\s.()]*[{_CODA_SIGNS}]\s*[{_CODA_SIGNS}]?[\s.()]*", text)) and not any(
        a in text for a in _ARROWS
    )


def _plain(text: str) -> str:
    """Write a text in small letters without accents and points, with one word for every way to write a sign."""
    text = re.sub(rf"[{_CODA_SIGNS}]\s*(?=coda)|(?<=coda)\s*[{_CODA_SIGNS}]", " ", text, flags=re.IGNORECASE)
    text = re.sub(rf"[{_SEGNO_SIGNS}]\s*(?=segno)|(?<=segno)\s*[{_SEGNO_SIGNS}]", " ", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<!\w)\u00d8(?!\w)", " coda ", re.sub(r"(?<!\w)\u00d8\s*(?=coda)", " ", text, flags=re.IGNORECASE))
    for signs, word in ((_SEGNO_SIGNS, " segno "), (_CODA_SIGNS, " coda "), (_ARROWS, " to "), ("&+", " e ")):
        text = "".join(word if c in signs else c for c in text)
    text = text.replace("->", " to ").replace("=>", " to ")
    text = unicodedata.normalize("NFKD", text).casefold()
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = re.sub(r"\b(to|al|da|dal)(coda|fine|capo|segno)\b", r"\1 \2", text)
    text = re.sub(r"\bd\s+([cs])(?=\s+(?:al|to|bis|till)\b)", r"d.\1", text)
    text = re.sub(r"\b(d\s*\.|dal)\s*%", r"\1 segno ", text)
    text = re.sub(r"\bd\s*\.\s*c\b|\bdc\b", " da capo ", text)
    text = re.sub(r"\bd\s*\.\s*s\s*\.?\s*s\b|\bdss\b", " dal 2 segno ", text)
    text = re.sub(r"\bd\s*\.\s*s\b|\bds\b|\bdal?\s+s\b|\bd\s*\.\s*(al\s+)?segno\b", " dal segno ", text)
    return " ".join(re.sub(r"[^\w]|_", " ", text).split())


def _jump(plain: str) -> MarkDetail | None:
    """Read a da capo or dal segno with what it leads to."""
    if _COMPARISONS.search(plain) or _CREDITS.match(plain):  # "Words by D. S. Jones"
        return None
    found = _DACAPO.search(plain)
    is_segno = found is None
    if found is None:
        found = _DALSEGNO.search(plain)
    if found is None:
        return None
    without = bool(_WITHOUT.search(plain))
    with_repeats = False if without else True if _WITH.search(plain) else None
    rest = _WHICH_TIME.sub(" ", _WITH.sub(" ", _WITHOUT.sub(" ", plain[found.end() :])))
    rest = re.sub(r"\b(senza|ohne|sans|sin|without|no) (la |the |die )?coda\b", " ", f" {rest}").strip()
    names: tuple[str, ...] = ()
    if is_segno:
        number = re.match(rf"(?:no |nr )?(?:{_NUM}|(segno))\b", rest)
        words = f"{found.group()} {number.group()}" if number else found.group()
        names = _names(words, "segno")
        rest = rest[number.end() :].strip() if number else rest
    al_coda = re.search(r"\b(var ?)?coda\b", rest) is not None
    al_fine = not al_coda and re.search(r"\b(fine|fin|ende|schluss|end|fim)\b", rest) is not None
    coda_names = _names(rest, "coda") if al_coda else ()
    if not al_coda and not al_fine and (to_number := re.fullmatch(rf"(?:al|to|bis|zur|a) {_NUM}", rest.strip())):
        coda_names = (f"no. {_NUMBER_OF[to_number.group(1)]}",)  # "D.C. al 2"
    return MarkDetail(_JUMPS[is_segno, al_fine, al_coda], names, coda_names, with_repeats=with_repeats)


def _names(words: str, sign: str) -> tuple[str, ...]:
    """Return the number that words give a segno or coda, as a name; nothing where they give none."""
    letters = {"a": 1, "b": 2, "c": 3}
    before = re.search(rf"\b{_NUM} (?:{sign}|signo|signe|sign|zeichen)\b", words)
    after = re.search(rf"\b(?:{sign})(?: sign)? (?:no |nr |num )?{_NUM}\b", words)
    found = before or after
    if found is not None:
        return (f"no. {_NUMBER_OF[found.group(1)]}",)
    letter = re.search(rf"\b{sign} ([abc])$", words)
    if letter is not None:
        return (f"no. {letters[letter.group(1)]}",)
    is_second = re.search(rf"\bvar ?{sign}\b|\b{sign} {sign}\b", words)
    return ("no. 2",) if is_second else ()


def _begins_trio(plain: str) -> bool:
    """Whether a heading begins a trio, or the second of two dances."""
    found = _TRIO.fullmatch(plain)
    if found is None:
        return False
    number = found["after"] or found["before"]
    if number is not None:
        return _NUMBER_OF[number] > 1
    more = (found["more"] or "").strip()
    return len(more.split()) <= 3 and not _NO_TRIO.search(more)


MAX_PASSES = 99  # a damaged number must not make a piece last for days

_ENDING_NUMBER = re.compile(
    r"(?<!\d)(\d{1,3})(?!\d)"
    r"(\s*\.?\s*(?:[-\u2010-\u2015\u2212~]|\.\.+|\u2026|bis|to|thru|through|al?|\u00e0)\s*(\d{1,3})(?!\d))?"
)

_MORE_EXACT = {
    Mark.DA_CAPO: (Mark.DA_CAPO_AL_FINE, Mark.DA_CAPO_AL_CODA),
    Mark.DAL_SEGNO: (Mark.DAL_SEGNO_AL_FINE, Mark.DAL_SEGNO_AL_CODA),
}


def marks_in_words(text: str) -> tuple[Mark, ...]:
    """Find what a text in the score tells about the order of playing.

    Parameters
    ----------
    text : str
        Such as ``D.S. al Coda``, ``Fine``, ``To Coda``; any other text is no mark.

    Returns
    -------
    marks : tuple of Mark
        Nearly always none or one.
    """
    return tuple(detail.mark for detail in details_in_words(text))


def merged_marks(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Bring together the marks that parts and elements give for one measure, each once, the more exact ones kept."""
    found = list(dict.fromkeys(marks))
    return tuple(m for m in found if not any(other in found for other in _MORE_EXACT.get(m, ())))


def merged_details(details: Iterable[MarkDetail], marks: Iterable[Mark]) -> tuple[MarkDetail, ...]:
    """Bring together what parts and elements tell of the marks of one measure: one detail a mark, none that is empty.

    Parameters
    ----------
    details : iterable of MarkDetail
        Those of a less exact mark count for the more exact one that stands in its place.
    marks : iterable of Mark
        From `merged_marks`.
    """
    found = list(details)
    merged = []
    for mark in marks:
        own = [d for d in found if d.mark is mark or mark in _MORE_EXACT.get(d.mark, ())]
        whole = MarkDetail(
            mark,
            tuple(dict.fromkeys(name for d in own for name in d.names)),
            tuple(dict.fromkeys(name for d in own for name in d.coda_names)),
            next((d.times for d in own if d.times), ()),
            next((d.with_repeats for d in own if d.with_repeats is not None), None),
        )
        if whole != MarkDetail(mark):
            merged.append(whole)
    return tuple(merged)


def ending_numbers(text: str) -> tuple[int, ...]:
    """Read the numbers of an ending: ``1``, ``1, 2``, ``1.-3.``, ``1.+2.``, ``1 & 2``; empty where there are none."""
    numbers: set[int] = set()
    for low, _, high in _ENDING_NUMBER.findall(text):
        first, last = int(low), int(high or low)
        numbers.update(range(first, min(last, MAX_PASSES) + 1))
    return tuple(sorted(n for n in numbers if 1 <= n <= MAX_PASSES))


def numbers_listed(text: str | None) -> tuple[int, ...]:
    """Read times through a repeat, as ``time-only`` has them: ``2`` or ``1, 3``; empty where no number is found."""
    return ending_numbers(text) if text else ()


def passes_of(text: str | None) -> int:
    """Read how often a passage that a repeat sign closes is played; 2 where nothing sensible is said."""
    try:
        passes = int(text or "2")
    except ValueError:
        return 2
    return min(max(passes, 1), MAX_PASSES)
