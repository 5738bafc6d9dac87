"""What a reader of one format hands over, part by part: mutable, and not yet agreed between the parts.

`assembly` makes a `Score` of it. The readers only say what stands in the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scoresep.model.score import Instrument, Mark

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


@dataclass(slots=True)
class RawNote:
    """One note as written; `pitch_midi` is the sounding pitch, NaN for unpitched notes. Grace notes have duration 0."""

    measure_index: int
    offset_quarter: float
    duration_quarter: float
    pitch_midi: float
    staff: int = 1
    voice: int = 1
    is_grace: bool = False
    tied_from_previous: bool = False
    tied_to_next: bool = False


@dataclass
class RawTempo:
    """A tempo mark at a place of the score as written."""

    measure_index: int
    offset_quarter: float
    quarters_per_minute: float


@dataclass
class RawPart:
    """One part with its own measures."""

    name: str
    abbreviation: str = ""
    instrument: Instrument = Instrument()
    transposition_semitones: int = 0
    measures: list[RawMeasure] = field(default_factory=list)
    notes: list[RawNote] = field(default_factory=list)
    tempi: list[RawTempo] = field(default_factory=list)


@dataclass
class RawScore:
    """All parts, in the order of the file."""

    title: str = ""
    composer: str = ""
    parts: list[RawPart] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
