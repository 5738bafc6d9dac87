"""The score as written: parts, measures with their repeat signs, and notes; and the same score as played, unfolded.

How the order of playing is found from the repeat signs is told in `path`; how score files are read, in `files`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scoresep.model.arrays import ArrayEquality, frozen
from scoresep.model.timebase import SAME_QUARTER

MOST_PASSES = 31  # that are told apart of a note


@dataclass(frozen=True)
class Instrument:
    """What plays a part.

    Attributes
    ----------
    name : str
        In words, such as ``Clarinet in B flat``.
    program : int or None
        General MIDI program counted from 0; None where unknown.
    is_percussion : bool
        Whether the notes have no pitch.
    """

    name: str = ""
    program: int | None = None
    is_percussion: bool = False


@dataclass(frozen=True)
class Part:
    """One part of the score, all its staves together.

    Attributes
    ----------
    index : int
        Place in the score, counted from 0.
    name, abbreviation : str
    instrument : Instrument
    transposition_semitones : int
        Sounding minus written pitch at the start of the part.
    """

    index: int
    name: str
    abbreviation: str = ""
    instrument: Instrument = Instrument()
    transposition_semitones: int = 0


class Mark(StrEnum):
    """A sign that lets the player jump: segno, coda and trio stand at the start of a measure, all others at its end."""

    SEGNO = "segno"
    CODA = "coda"
    TO_CODA = "to coda"
    FINE = "fine"
    DA_CAPO = "da capo"
    DA_CAPO_AL_FINE = "da capo al fine"
    DA_CAPO_AL_CODA = "da capo al coda"
    DAL_SEGNO = "dal segno"
    DAL_SEGNO_AL_FINE = "dal segno al fine"
    DAL_SEGNO_AL_CODA = "dal segno al coda"
    TRIO = "trio"  # a trio or second dance begins: a da capo after it ends here where there is no fine


@dataclass(frozen=True)
class MarkDetail:
    """What a score says of one of the marks of a measure beyond its kind.

    Attributes
    ----------
    mark : Mark
        Which of `Measure.marks`.
    names : tuple of str
        Of a segno or coda: what it is called; of a jump: the segno or coda that it leads to. Names of the file stand
        as they are, numbers that words tell as ``no. 2``.
    coda_names : tuple of str
        Of a da capo or dal segno: the coda at the end of what is played then.
    times : tuple of int
        The times through the measure, counted from 1, at which the mark counts; empty where that is not said.
    with_repeats : bool or None
        Of a da capo or dal segno: whether repeats are taken again after it; None where that is not said.
    """

    mark: Mark
    names: tuple[str, ...] = ()
    coda_names: tuple[str, ...] = ()
    times: tuple[int, ...] = ()
    with_repeats: bool | None = None


@dataclass(frozen=True)
class Measure:
    """One measure as written, the same for all parts.

    Attributes
    ----------
    index : int
        Place in the score, counted from 0.
    number : str
        The printed number; several measures may bear the same.
    start_quarter, duration_quarter : float
        Position in the score as written (no repeats) and length as written, pick-ups short.
    beats, beat_type : int
        The metre: 6 and 8 for 6/8. A beat is 4 / beat_type quarters.
    lead_quarter : float
        What is missing at the front: 3 for a pick-up of one quarter in 4/4, whose first note is on beat 4.
    starts_repeat : bool
        A repeat sign opens at the start of the measure.
    repeat_passes : int
        How often the passage that ends here is played in all, commonly 2; 0 where no repeat sign closes.
    endings : tuple of int
        The passes for which this measure is played, such as (1,) or (1, 2); empty outside endings.
    marks : tuple of Mark
    mark_details : tuple of MarkDetail
        Of those marks of which more is known than their kind.
    repeats_after_jump : bool
        The repeat that closes here is taken again after da capo or dal segno.
    """

    index: int
    number: str
    start_quarter: float
    duration_quarter: float
    beats: int = 4
    beat_type: int = 4
    lead_quarter: float = 0.0
    starts_repeat: bool = False
    repeat_passes: int = 0
    endings: tuple[int, ...] = ()
    marks: tuple[Mark, ...] = ()
    mark_details: tuple[MarkDetail, ...] = ()
    repeats_after_jump: bool = False

    def detail_of(self, mark: Mark) -> MarkDetail:
        """Return what is known of one of the marks."""
        return next((d for d in self.mark_details if d.mark is mark), MarkDetail(mark))

    @property
    def beat_quarter(self) -> float:
        """Length of a beat in quarters."""
        return 4.0 / self.beat_type

    def offset_to_beat(self, offset_quarter: float) -> float:
        """Convert quarters from the measure's start to the beat, counted from 1."""
        return 1.0 + (self.lead_quarter + offset_quarter) / self.beat_quarter

    def beat_to_offset(self, beat: float) -> float:
        """Convert a beat, counted from 1, to quarters from the measure's start."""
        return (beat - 1.0) * self.beat_quarter - self.lead_quarter


@dataclass(frozen=True, eq=False)
class WrittenNotes(ArrayEquality):
    """All notes as written, as columns of one length, sorted by measure, offset and part.

    Attributes
    ----------
    part_index, measure_index, staff, voice : ndarray, int32
    offset_quarter, duration_quarter : ndarray, float64
        From the measure's start; grace notes have duration 0.
    pitch_midi : ndarray, float64
        Sounding pitch (quarter tones possible); NaN for unpitched notes.
    is_grace, tied_from_previous, tied_to_next : ndarray, bool
    passes : ndarray, int32
        The times through a repeat at which the note is played: bit n - 1 for the n-th (see `passes_to_bits`); 0 where
        it is played every time, as nearly all notes are.
    """

    part_index: NDArray[np.int32]
    measure_index: NDArray[np.int32]
    offset_quarter: NDArray[np.float64]
    duration_quarter: NDArray[np.float64]
    pitch_midi: NDArray[np.float64]
    staff: NDArray[np.int32]
    voice: NDArray[np.int32]
    is_grace: NDArray[np.bool_]
    tied_from_previous: NDArray[np.bool_]
    tied_to_next: NDArray[np.bool_]
    passes: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))

    def __post_init__(self) -> None:
        if not len(self.passes) and len(self.part_index):  # nothing is said, as in projects of earlier versions
            object.__setattr__(self, "passes", np.zeros(len(self.part_index), np.int32))
        for name in ("part_index", "measure_index", "staff", "voice", "passes"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.int32))
        for name in ("offset_quarter", "duration_quarter", "pitch_midi"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))
        for name in ("is_grace", "tied_from_previous", "tied_to_next"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.bool_))

    def __len__(self) -> int:
        return len(self.part_index)


def passes_to_bits(passes: Iterable[int]) -> int:
    """Convert times through a repeat to `WrittenNotes.passes`; the 31st stands for all after it."""
    bits = 0
    for n in passes:
        bits |= 1 << (min(n, MOST_PASSES) - 1)
    return bits


@dataclass(frozen=True)
class TempoMark:
    """A tempo from one position on. `start_quarter` counts in the score as written, without repeats."""

    start_quarter: float
    quarters_per_minute: float


@dataclass(frozen=True)
class Score:
    """A score as written.

    Attributes
    ----------
    title, composer : str
    parts : tuple of Part
    measures : tuple of Measure
    notes : WrittenNotes
    tempo_marks : tuple of TempoMark
        Sorted; empty where the score says nothing.
    warnings : tuple of str
        What was doubtful when reading, one sentence each.
    own_durations : tuple of tuple of float
        Empty where all parts agree how long every measure is. In faulty files they do not; then for every part the
        length of each of its measures in quarters (`PerformancePath.keeps_bars_together` tells which lengths count).
    stated_order : tuple of int
        Indices of the measures in the order of playing that the file itself writes out (``<expansion>`` of MEI,
        ``*>[A,A,B]`` of Humdrum, ``P:`` of ABC); empty where it only has repeat signs.
    """

    title: str
    composer: str
    parts: tuple[Part, ...]
    measures: tuple[Measure, ...]
    notes: WrittenNotes
    tempo_marks: tuple[TempoMark, ...] = ()
    warnings: tuple[str, ...] = ()
    own_durations: tuple[tuple[float, ...], ...] = ()
    stated_order: tuple[int, ...] = ()


@dataclass(frozen=True)
class PathStep:
    """One measure of the performance path: which one, and the how manieth time it is played, counted from 1."""

    measure_index: int
    occurrence: int


@dataclass(frozen=True)
class PerformancePath:
    """The measures in the order played.

    Attributes
    ----------
    measure_indices : tuple of int
    keeps_bars_together : bool
        Whether every measure starts in all parts at once even where the file makes measures of one part too long or too
        short (`Score.own_durations`); otherwise such a part moves against the others from there on.
    passes : tuple of int
        For every measure of the path the how manieth time through its repeat it is, which only matters to notes that
        are not played every time; empty where the occurrences tell the same.
    """

    measure_indices: tuple[int, ...]
    keeps_bars_together: bool = False
    passes: tuple[int, ...] = ()

    @cached_property
    def steps(self) -> tuple[PathStep, ...]:
        """The same with the occurrence of every measure."""
        seen: dict[int, int] = {}
        steps = []
        for index in self.measure_indices:
            seen[index] = seen.get(index, 0) + 1
            steps.append(PathStep(index, seen[index]))
        return tuple(steps)


@dataclass(frozen=True, eq=False)
class PathNotes(ArrayEquality):
    """The sounding notes of a performance path, as columns of one length, sorted by onset, part and pitch.

    Tied notes are one. Grace notes have duration 0 and stand where their main note does.

    Attributes
    ----------
    part_index, step_index, written_index : ndarray, int32
        `step_index` counts the measures of the path from 0; `written_index` is the (first) note in `Score.notes`.
    beat, onset_quarter, duration_quarter : ndarray, float64
        `onset_quarter` 0 is the start of the first measure played.
    pitch_midi : ndarray, float64
        Sounding pitch; NaN for unpitched notes.
    is_grace : ndarray, bool
    """

    part_index: NDArray[np.int32]
    step_index: NDArray[np.int32]
    written_index: NDArray[np.int32]
    beat: NDArray[np.float64]
    onset_quarter: NDArray[np.float64]
    duration_quarter: NDArray[np.float64]
    pitch_midi: NDArray[np.float64]
    is_grace: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for name in ("part_index", "step_index", "written_index"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.int32))
        for name in ("beat", "onset_quarter", "duration_quarter", "pitch_midi"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))
        object.__setattr__(self, "is_grace", frozen(self.is_grace, np.bool_))

    def __len__(self) -> int:
        return len(self.part_index)


@dataclass(frozen=True, eq=False)
class UnfoldedScore(ArrayEquality):
    """A score along one performance path: what was (or should have been) played from the first moment to the last.

    Made by `path.unfold`.

    Attributes
    ----------
    score : Score
    path : PerformancePath
    step_start_quarter : ndarray [shape=(steps + 1,)], float64
        Where every measure of the path starts, and the end of the last, with all notes in it.
    notes : PathNotes
    """

    score: Score
    path: PerformancePath
    step_start_quarter: NDArray[np.float64]
    notes: PathNotes

    def __post_init__(self) -> None:
        object.__setattr__(self, "step_start_quarter", frozen(self.step_start_quarter, np.float64))

    @property
    def end_quarter(self) -> float:
        """Length of the path in quarters."""
        return float(self.step_start_quarter[-1])

    def step_at(self, quarter: float) -> int:
        """Return the index of the path's measure that holds `quarter`, clipped to the path."""
        index = int(np.searchsorted(self.step_start_quarter, quarter + SAME_QUARTER, side="right")) - 1
        return min(max(index, 0), len(self.path.measure_indices) - 1)

    def measure_of_step(self, step_index: int) -> Measure:
        """Return the measure that the path plays at `step_index`."""
        return self.score.measures[self.path.measure_indices[step_index]]

    def quarter_to_beat(self, quarter: float) -> tuple[PathStep, float]:
        """Convert a position in quarters to the measure, its occurrence, and the beat counted from 1."""
        index = self.step_at(quarter)
        offset = quarter - float(self.step_start_quarter[index])
        return self.path.steps[index], self.measure_of_step(index).offset_to_beat(offset)

    def beat_to_quarter(self, measure_index: int, occurrence: int, beat: float) -> float | None:
        """Convert a measure, its occurrence and a beat to quarters; None where the path does not play it.

        Parameters
        ----------
        measure_index : int
            Measure of the score, from 0.
        occurrence : int
            The how manieth time it is played, from 1.
        beat : float
            In the metre's unit, from 1.
        """
        step_index = self._index_of_step.get(PathStep(measure_index, occurrence))
        if step_index is None:
            return None
        offset = self.score.measures[measure_index].beat_to_offset(beat)
        return float(self.step_start_quarter[step_index]) + offset

    @cached_property
    def _index_of_step(self) -> dict[PathStep, int]:
        return {step: i for i, step in enumerate(self.path.steps)}

    @cached_property
    def tempo_at_steps(self) -> NDArray[np.float64]:
        """The marked tempo at the start of every measure of the path, in quarters per minute; NaN where unmarked.

        Returns
        -------
        quarters_per_minute : ndarray [shape=(steps,)], float64
        """
        starts = np.array([m.start_quarter for m in self.score.measures])
        marks = self.score.tempo_marks
        mark_starts = np.array([m.start_quarter for m in marks])
        tempi = np.array([m.quarters_per_minute for m in marks] + [np.nan])
        index = np.searchsorted(mark_starts, starts + SAME_QUARTER, side="right") - 1
        return np.asarray(tempi[index][list(self.path.measure_indices)])
