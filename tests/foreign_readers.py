"""Readers that behave as other people's do on damaged files; each runs in a process of its own."""

import ctypes
import os
import signal
import time
from pathlib import Path

from scoresep.errors import ScoreFileError
from scoresep.files.engraving import EngravingRequest
from scoresep.files.scores.raw import PassedOver, RawMeasure, RawNote, RawPart, RawScore, RawTempo
from scoresep.model.score import Instrument, Mark, Score
from scoresep.progress import Progress


def raw_score(title: str = "") -> RawScore:
    """A score with something in every field."""
    part = RawPart(
        "Violin", "Vln", Instrument("Violin", 40), -2, [RawMeasure("1", (3, 4), 3.0, 2, marks=[Mark.SEGNO, Mark.FINE])]
    )
    part.notes = [RawNote(0, 0.5, 1.0, 60.5, 2, 3, tied_to_next=True), RawNote(0, 1.5, 0.0, 61.0, is_grace=True)]
    part.tempi, part.passed_over = [RawTempo(0, 0.0, 92.5)], [PassedOver(0, "the tremolo is read as a held note")]
    return RawScore(title, "ü ♭", [part, RawPart("Drums")], ["A sentence."], (0, 0))


def reads(text: str, progress: Progress) -> RawScore:
    print("a remark of a library", text)
    os.write(1, b"and one in C\n")
    progress.update(0.5, "Half")
    return raw_score(text)


def refuses(text: str, progress: Progress) -> RawScore:
    raise ScoreFileError(f"'{text}' is no score.")


def stumbles(text: str, progress: Progress) -> RawScore:
    return RawScore(parts=[text.no_such_thing])  # type: ignore[attr-defined]


def recurses(text: str, progress: Progress) -> RawScore:
    return recurses(text, progress)


def searches_without_end(text: str, progress: Progress) -> RawScore:
    Path(text).write_text(str(os.getpid()))
    while True:
        pass


def reads_without_end(text: str, music21_format: str, name: str, progress: Progress) -> RawScore:
    while True:
        pass


def draws_without_end(data: bytes, name: str, score: Score, request: EngravingRequest, progress: Progress) -> bytes:
    while True:
        pass


def sleeps_in_c(text: str, progress: Progress) -> RawScore:
    Path(text).write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(1000)  # holds the lock of the interpreter, as many libraries do
    return RawScore()


def waits(text: str, progress: Progress) -> RawScore:
    time.sleep(1000)
    return RawScore()


def takes_all_memory(text: str, progress: Progress) -> RawScore:
    kept = []
    while True:
        kept.append(bytearray(50_000_000))


def falls(text: str, progress: Progress) -> RawScore:
    os.kill(os.getpid(), signal.SIGSEGV)
    return RawScore()


def exits(text: str, progress: Progress) -> RawScore:
    os._exit(0)


def tells_nonsense(text: str, progress: Progress) -> RawScore:
    return RawScore(parts=[RawPart("A", notes=[RawNote("no number", 0.0, 1.0, 60.0)])])  # type: ignore[arg-type]
