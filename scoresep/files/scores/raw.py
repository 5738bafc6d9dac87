"""What a reader of one format hands over, part by part: mutable, and not yet agreed between the parts.

`assembly` makes a `Score` of it. The readers only say what stands in the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from scoresep.model.score import Instrument, Mark, MarkDetail

# Tempi beyond these, in quarters per minute, are mistakes.
SLOWEST_QPM, FASTEST_QPM = 5.0, 1000.0


@dataclass
class RawMeasure:
    """One measure of one part.

    Attributes
    ----------
    number : str
        As printed.
    metre : tuple of (int, int) or None
        Beats and beat type; None where the part does not say, or says that there is none.
    content_quarter : float
        How far notes and rests reach.
    note_count : int
    rests_throughout : bool
        There is nothing but one rest, which is meant for the whole measure, however long that is.
    is_implicit : bool
        The measure does not count (a pick-up, or the second half of a measure that is divided).
    ends_section : bool
        A double or heavy bar line stands at the end.
    starts_repeat, repeat_passes, endings : see `scoresep.model.score.Measure`
    marks : list of Mark
    mark_details : list of MarkDetail
    repeats_after_jump : bool
        See `scoresep.model.score.Measure`.
    goes_on_in_bar : bool
        This is a later piece of the written bar that the measure before it begins (see `bar_splitting`).
    """

    number: str
    metre: tuple[int, int] | None = None
    content_quarter: float = 0.0
    note_count: int = 0
    rests_throughout: bool = False
    is_implicit: bool = False
    ends_section: bool = False
    starts_repeat: bool = False
    repeat_passes: int = 0
    endings: tuple[int, ...] = ()
    marks: list[Mark] = field(default_factory=list)
    mark_details: list[MarkDetail] = field(default_factory=list)
    repeats_after_jump: bool = False
    goes_on_in_bar: bool = False


@dataclass(slots=True)
class RawNote:
    """One note as written; `pitch_midi` is the sounding pitch, NaN for unpitched notes. Grace notes have duration 0.

    `passes` are the times through a repeat at which it is played, as in `scoresep.model.score.WrittenNotes`.
    `element_id` is the id of the element in the file, for who draws it; empty where it has none or stands for others.
    """

    measure_index: int
    offset_quarter: float
    duration_quarter: float
    pitch_midi: float
    staff: int = 1
    voice: int = 1
    is_grace: bool = False
    tied_from_previous: bool = False
    tied_to_next: bool = False
    passes: int = 0
    element_id: str = ""


class SignKind(Enum):
    """What a sign for the order of playing says."""

    REPEAT_OPENS = auto()
    REPEAT_CLOSES = auto()
    ENDING_STARTS = auto()
    ENDING_STOPS = auto()
    ENDING_BREAKS_OFF = auto()  # the bracket is open at its right; the ending itself may go on
    SECTION_ENDS = auto()
    BAR_LINE = auto()  # one of any look
    END_LINE = auto()  # one that looks like the end of a piece: thin and heavy, or with a fermata
    KEY_CHANGES = auto()
    MARK = auto()
    CODA_SIGN = auto()  # a bare sign, which may mean "coda" as well as "to coda"


@dataclass(frozen=True, slots=True)
class RawSign:
    """A sign at its place in a written bar, before `sign_placing` gives it to a measure.

    Attributes
    ----------
    measure_index : int
    position_quarter : float
        From the start of the bar; infinite at its right bar line.
    kind : SignKind
    passes : tuple of int
        Of an ending; or, as the only number, how often a repeat that closes is played.
    mark : MarkDetail or None
    is_exact : bool
        Of a mark: the place is that of the jump, not just where its words are printed.
    is_after_jump : bool
        The repeat that closes is taken again after a jump.
    names_dance : bool
        Of a da capo: its words say which dance is played again.
    """

    measure_index: int
    position_quarter: float
    kind: SignKind
    passes: tuple[int, ...] = ()
    mark: MarkDetail | None = None
    is_exact: bool = False
    is_after_jump: bool = False
    names_dance: bool = False


@dataclass
class RawTempo:
    """A tempo mark at a place of the score as written."""

    measure_index: int
    offset_quarter: float
    quarters_per_minute: float


@dataclass(frozen=True)
class PassedOver:
    """Something that sounds and is not read as it stands; `assembly` makes one warning of all that say the same.

    Attributes
    ----------
    measure_index : int
    what : str
        What is done with it, as the rest of a sentence: ``the tremolo is read as a held note``.
    """

    measure_index: int
    what: str


@dataclass
class RawPart:
    """One part with its own measures; a reader notes in `passed_over` all that sounds and that it does not read.

    `signs` are those that still have to find their measures, see `sign_placing`.
    """

    name: str
    abbreviation: str = ""
    instrument: Instrument = Instrument()
    transposition_semitones: int = 0
    measures: list[RawMeasure] = field(default_factory=list)
    notes: list[RawNote] = field(default_factory=list)
    tempi: list[RawTempo] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)
    signs: list[RawSign] = field(default_factory=list)


@dataclass
class RawScore:
    """All parts, in the order of the file.

    `stated_order` is the order of playing (indices of measures) where the file itself writes it out, past its repeat
    signs; empty where it does not.
    """

    title: str = ""
    composer: str = ""
    parts: list[RawPart] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    stated_order: tuple[int, ...] = ()


def notes_by_measure(part: RawPart) -> dict[int, list[RawNote]]:
    """Return the notes of a part by the index of their measure; measures without notes have no entry."""
    found: dict[int, list[RawNote]] = {}
    for note in part.notes:
        found.setdefault(note.measure_index, []).append(note)
    return found


def take_out(part: RawPart, leaving: Iterable[RawNote]) -> None:
    """Take notes out of a part."""
    ids = {id(n) for n in leaving}
    if ids:
        part.notes[:] = [n for n in part.notes if id(n) not in ids]
