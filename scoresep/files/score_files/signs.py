"""Signs and words that let the player jump, and the numbers of endings, as the formats write them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scoresep.model.score import Mark

MAX_PASSES = 99  # a damaged number must not make a piece last for days

_DA_CAPO = re.compile(r"\bD\.\s?C\b|\bDC\b|\bda\s+capo\b", re.IGNORECASE)
_DAL_SEGNO = re.compile(r"\bD\.\s?S\b|\bDS\b|\bdal\s+segno\b|\bdal\s+S\b|\bD\.\s?[\U0001d10b\ue047]", re.IGNORECASE)
_AL_FINE = re.compile(r"\b(al|alla|till|until)\s+fine?\b", re.IGNORECASE)
_AL_CODA = re.compile(r"\b(al|alla|to|the|e\s+poi|poi)\s+(la\s+)?coda\b|\bal\s*[\U0001d10c\ue048]", re.IGNORECASE)
_FINE = re.compile(r"\W*fine?\W*", re.IGNORECASE)
_CODA = re.compile(r"\W*coda\W*", re.IGNORECASE)
_SEGNO = re.compile(r"\W*(segno|[\U0001d10b\ue047])\W*", re.IGNORECASE)
_CODA_SIGN = re.compile(r"\W*[\U0001d10c\ue048]\W*")

_JUMPS = {
    (False, False, False): Mark.DA_CAPO,
    (False, True, False): Mark.DA_CAPO_AL_FINE,
    (False, False, True): Mark.DA_CAPO_AL_CODA,
    (True, False, False): Mark.DAL_SEGNO,
    (True, True, False): Mark.DAL_SEGNO_AL_FINE,
    (True, False, True): Mark.DAL_SEGNO_AL_CODA,
}
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
    text = " ".join(text.split())
    if not text or len(text) > 60:  # a sentence is not a sign
        return ()
    al_fine, al_coda = bool(_AL_FINE.search(text)), bool(_AL_CODA.search(text))
    for pattern, is_segno in ((_DA_CAPO, False), (_DAL_SEGNO, True)):
        if pattern.search(text):
            return (_JUMPS[is_segno, al_fine and not al_coda, al_coda],)
    single = ((_FINE, Mark.FINE), (_CODA, Mark.CODA), (_SEGNO, Mark.SEGNO), (_CODA_SIGN, Mark.CODA))
    for pattern, mark in single:
        if pattern.fullmatch(text):
            return (mark,)
    return (Mark.TO_CODA,) if al_coda else ()


def merged_marks(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Bring together the marks that parts and elements give for one measure, each once, the more exact ones kept."""
    found = list(dict.fromkeys(marks))
    return tuple(m for m in found if not any(other in found for other in _MORE_EXACT.get(m, ())))


def ending_numbers(text: str) -> tuple[int, ...]:
    """Read the number of an ending: ``1``, ``1, 2``, ``1-3``, ``1.2.``, ``1 & 2``; empty where no number is found."""
    numbers: set[int] = set()
    for low, _, high in re.findall(r"(?<!\d)(\d{1,3})(?!\d)(\s*[-–]\s*(\d{1,3}))?", text):
        first, last = int(low), int(high or low)
        numbers.update(range(first, min(last, MAX_PASSES) + 1))
    return tuple(sorted(n for n in numbers if 1 <= n <= MAX_PASSES))


def passes_of(text: str | None) -> int:
    """Read how often a passage that a repeat sign closes is played; 2 where nothing sensible is said."""
    try:
        passes = int(text or "2")
    except ValueError:
        return 2
    return min(max(passes, 1), MAX_PASSES)
