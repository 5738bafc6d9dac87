"""The music of the built-in demo piece, and its MusicXML.

The piece is the Welsh air "The Ash Grove" (Llwyn Onn, printed in 1802), arranged for this project for flute, clarinet
in B flat, horn in F and bassoon. This module holds the notes in a short text form, reads them, and unfolds the repeat.
The score file is written by ``demo_musicxml.py``; how the piece is performed and recorded is in ``make_demo.py``.

Text form
---------
Bars are separated by ``|``. A token is a length (``h.`` ``h`` ``q`` ``e``, valid until the next one), a note at
sounding pitch (``Bb4``), ``r`` for a rest, ``-`` for a bar of rest, or a mark: ``!mf`` is a dynamic, ``!<`` and ``!>``
open a hairpin, ``!/`` closes it. After a note stand ``(`` and ``)`` for the two ends of a slur, ``~`` for a tie and
``^`` for a fermata.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TITLE = "The Ash Grove"
COMPOSER = "Welsh air (Llwyn Onn, printed in 1802)"
ARRANGER = "Arranged by the ScoreSep authors"
RIGHTS = "CC0 1.0: given to the public domain by the ScoreSep authors"
QUARTERS_PER_MINUTE = 116
BEATS_PER_BAR = 3
REPEAT = (1, 8)  # first and last measure between the repeat signs
ENDINGS = {1: (5, 8), 2: (9, 12)}
LAST_MEASURE = 32
DOUBLE_BARS = (20,)
WORDS = {17: "poco a poco cresc.", 19: "poco rit.", 21: "G.P.", 22: "a tempo", 29: "rit.", 31: "tranquillo"}
KEY_FIFTHS = -1  # F major, at sounding pitch


@dataclass(frozen=True)
class Part:
    """One instrument: what the score says of it.

    ``transpose`` is MusicXML's (diatonic, chromatic) step from the written to the sounding note.
    """

    name: str
    abbreviation: str
    sound: str
    midi_program: int  # counted from 0
    clef: tuple[str, int]
    transpose: tuple[int, int] = (0, 0)


PARTS = (
    Part("Flute", "Fl.", "wind.flutes.flute", 73, ("G", 2)),
    Part("Clarinet in Bb", "Cl.", "wind.reed.clarinet.bflat", 71, ("G", 2), (-1, -2)),
    Part("Horn in F", "Hn.", "brass.french-horn", 60, ("G", 2), (-4, -7)),
    Part("Bassoon", "Bsn.", "wind.reed.bassoon", 70, ("F", 4)),
)

# Each system: one line for each part, in the order of PARTS.
SYSTEMS = (
    # 0-4: the tune in the flute, alone at first; the clarinet answers. Played twice.
    """!mf q C5 | F5 A5 e C6( Bb5) | q A5( F5) F5 | G5 e Bb5( A5) G5( F5) | q E5( C5) C5
       - | - | - | q r !mp D5( Bb4) | G4( E4) G4
       - | - | - | - | -
       - | - | - | - | -""",
    # 5-8, first ending: the bassoon ends the phrase, the clarinet sings above it.
    """q F5 h r | - | - | h r !mf q C5
       h A4 e A4( C5) | h D5( q Bb4) | h A4( q G4) | h F4 q r
       - | - | !mp h C4( q Bb3) | h A3 q r
       !mf q F3 e A3( G3) F3( E3) | q D3( Bb2) D3 | C3 F3( E3) | h F3 q r""",
    # 9-12, second ending: all four; the horn is left over and leads on.
    """!f q F5 e A5( G5) F5( E5) | q D5( Bb4) D5 | C5 F5( E5) | h F5 q r
       !mf h A4 q A4 | Bb4( F4) G4 | h A4( q Bb4) | h A4 q r
       !mf h C4( q D4) | F4( D4 Bb3) | h C4 q C4 | h C4 e A3( Bb3)
       !mf h F3( q D3) | h Bb2( q G2) | h C3 q C3 | h F2 q r""",
    # 13-16: the horn alone, then over the bassoon.
    """- | - | - | -
       - | - | - | h r !mf q G4
       q C4 e A3( Bb3) C4( D4) | q C4( Bb3) A3 | Bb3 e G3( A3) Bb3( C4) | q Bb3( A3) r
       - | - | !mp h. E3( | h F3) q E3""",
    # 17-20: the clarinet leads to C major; its B flat asks what comes next.
    """- | h r !mf q A5( | h G5 !> q F5) | h E5 !/ q r
       !< q A4 e F4( G4) A4( Bb4) | q A4( G4) F4 !/ | !f E4 !> C5( B4) | C5( Bb4) !/ r
       !mp !< h. D4 | h C4( q A3) !/ | !mf h C4( !> q G3) | h G3 !/ q r
       !< h. D3 | q F3( E3 D3) !/ | !mf h G3 !> q G2 | h C3 !/ q r""",
    # 21-25: silence; then the bassoon has the tune, and the flute follows it in canon.
    """- | h r !mp q C5 | F5 A5 e C6( A5) | !< q Bb5( G5) Bb5 | h C6( q Bb5) !/
       - | - | - | q r !mp !< h D5( | G5) e G5( E5) !/
       - | - | - | - | h r !mf q C4~
       h r !mf q C3 | F3 A3 e C4( Bb3) | q A3( F3) F3 | !< G3 e Bb3( A3) G3( F3) | q E3( C3) C3 !/""",
    # 26-29: all four, the tune in the clarinet below the flute's descant; a false close.
    """!mf q A5( h C6) | D6( q Bb5) | h C6( q Bb5) | !> h. A5 !/
       !f q F5 e A5( G5) F5( E5) | q D5( Bb4) D5 | C5 F5( E5) | !> h. F5 !/
       !mf h. C4 | h F4( q G4) | h A4( q G4) | !> h. F4 !/
       !f h F3 q A2 | h Bb2( q G2) | h C3 q C3 | !> h. D3 !/""",
    # 30-32: the clarinet remembers; the true close.
    """- | !p h A5( q Bb5) | !> h. A5^ !/
       !mp q D5( Bb4) D5 | !p C5 F5( E5) | !> h. F5^ !/
       - | !p h C4 q C4 | !> h. C4^ !/
       - | !p h C3 q C3 | !> h. F2^ !/""",
)

LENGTHS = {"h.": 3.0, "h": 2.0, "q": 1.0, "e": 0.5}
STEPS = "CDEFGAB"
STEP_SEMITONES = (0, 2, 4, 5, 7, 9, 11)
ALTERS = {"b": -1, "": 0, "#": 1}
Pitch = tuple[int, int, int]  # step (0 is C), alteration, octave
NOTE = re.compile(r"([A-G])([b#]?)(\d)([()~^]*)")


@dataclass(frozen=True)
class Item:
    """A note or rest of one bar, or a mark between them.

    Attributes
    ----------
    beat_quarter : float
        Distance from the start of the bar, in quarter notes.
    duration_quarter : float
        0 for a mark.
    pitch : Pitch or None
        Step (0 is C), alteration and octave at sounding pitch; None for rests and marks.
    signs : str
        What stands after the note: slurs, tie, fermata.
    mark : str
        A dynamic or hairpin; empty for notes and rests.
    """

    beat_quarter: float
    duration_quarter: float
    pitch: Pitch | None = None
    signs: str = ""
    mark: str = ""


@dataclass(frozen=True)
class PlayedNote:
    """One sounding note in the order played: tied notes are one, the repeat is unfolded."""

    part_index: int
    measure: int
    midi: int
    onset_quarter: float
    end_quarter: float
    is_slurred: bool  # leads into the next note without a gap


def midi_of(pitch: Pitch) -> int:
    """MIDI number of (step, alteration, octave)."""
    step, alter, octave = pitch
    return 12 * (octave + 1) + STEP_SEMITONES[step] + alter


def bar_quarters(measure: int) -> float:
    """Length of a measure in quarter notes; measure 0 is the pick-up."""
    return 1.0 if measure == 0 else float(BEATS_PER_BAR)


def read_bar(text: str, measure: int, length: float) -> tuple[tuple[Item, ...], float]:
    """Read one bar of the text form; ``length`` is the note length still valid from the bar before."""
    items: list[Item] = []
    at = 0.0
    for token in text.split():
        if token in LENGTHS:
            length = LENGTHS[token]
        elif token.startswith("!"):
            items.append(Item(at, 0.0, mark=token[1:]))
        elif token in ("r", "-"):
            items.append(Item(at, bar_quarters(measure) if token == "-" else length))
            at += items[-1].duration_quarter
        else:
            found = NOTE.fullmatch(token)
            if not found:
                raise ValueError(f"measure {measure}: {token!r} is neither note, rest, length nor mark")
            step, alter, octave, signs = found.groups()
            items.append(Item(at, length, (STEPS.index(step), ALTERS[alter], int(octave)), signs))
            at += length
    if at != bar_quarters(measure):
        raise ValueError(f"measure {measure} has {at} quarters: {text.strip()}")
    return tuple(items), length


def read_parts() -> list[list[tuple[Item, ...]]]:
    """All bars of all parts: ``read_parts()[part_index][measure]``."""
    lines = [system.splitlines() for system in SYSTEMS]
    parts = []
    for index in range(len(PARTS)):
        bars, length = [], 1.0
        for measure, text in enumerate("|".join(system[index] for system in lines).split("|")):
            items, length = read_bar(text, measure, length)
            bars.append(items)
        parts.append(bars)
    if any(len(bars) != LAST_MEASURE + 1 for bars in parts):
        raise ValueError(f"the parts have {[len(bars) for bars in parts]} bars, not {LAST_MEASURE + 1} each")
    return parts


def performance_path() -> list[int]:
    """Measures in the order played: the first ending only the first time, the second only after it."""
    (first, last), (ending, _), (second, _) = REPEAT, ENDINGS[1], ENDINGS[2]
    return [*range(last + 1), *range(first, ending), *range(second, LAST_MEASURE + 1)]


def starts_quarter(path: list[int]) -> list[float]:
    """Where each measure of the path starts, in quarter notes from the pick-up."""
    return [sum(map(bar_quarters, path[:i])) for i in range(len(path))]


def played_notes() -> list[PlayedNote]:
    """Every sounding note, part by part, in the order played."""
    path, notes = performance_path(), []
    for part_index, bars in enumerate(read_parts()):
        tied: PlayedNote | None = None
        in_slur = False
        for measure, start in zip(path, starts_quarter(path), strict=True):
            for item in bars[measure]:
                if item.pitch is None:
                    continue
                in_slur = ("(" in item.signs or in_slur) and ")" not in item.signs
                onset, end = start + item.beat_quarter, start + item.beat_quarter + item.duration_quarter
                note = PlayedNote(part_index, measure, midi_of(item.pitch), onset, end, in_slur)
                if tied is not None:
                    note = PlayedNote(part_index, tied.measure, note.midi, tied.onset_quarter, end, in_slur)
                tied = note if "~" in item.signs else None
                if tied is None:
                    notes.append(note)
    return notes
