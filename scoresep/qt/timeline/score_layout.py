"""The score laid out in time, as the timeline needs it: notes sorted and ready to be cut, and the grid of bars.

Without an alignment the score lies at its marked tempo from frame 0. Values only, no Qt.

Also here: what another alignment would change: which notes and bars it moves, and where it is doubtful. Values, no Qt.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scoresep.model.alignment import Alignment
from scoresep.model.quality import DOUBTFUL_CONFIDENCE
from scoresep.model.score import UnfoldedScore
from scoresep.model.timemap import TimeMap

# Where the score marks no tempo (the MIDI standard's default).
UNMARKED_TEMPO = 120.0
PITCH_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def pitch_name(pitch_midi: float) -> str:
    """Write a MIDI pitch as people say it: `F♯4`; quarter tones as `F♯4 +50 ct`; NaN as `unpitched`."""
    if np.isnan(pitch_midi):
        return "unpitched"
    nearest = int(np.floor(pitch_midi + 0.5))
    cents = round((pitch_midi - nearest) * 100)
    name = f"{PITCH_NAMES[nearest % 12]}{nearest // 12 - 1}"
    return f"{name} {cents:+d} ct" if cents else name


def marked_time_map(unfolded: UnfoldedScore, sample_rate: int) -> TimeMap:
    """Return the time map of a score played at its marked tempo from frame 0."""
    tempo = unfolded.tempo_at_steps
    tempo = np.where(np.isfinite(tempo) & (tempo > 0), tempo, UNMARKED_TEMPO)
    quarter = unfolded.step_start_quarter
    length_s = np.diff(quarter) * 60.0 / tempo
    frame = np.rint(np.concatenate([[0.0], np.cumsum(length_s)]) * sample_rate).astype(np.int64)
    keep = np.concatenate([[True], np.diff(quarter) > 1e-3])
    if keep.sum() < 2:
        return TimeMap(np.array([0.0, 1.0]), np.array([0, sample_rate // 2]), np.zeros(2, np.bool_))
    return TimeMap(quarter[keep], frame[keep], np.zeros(int(keep.sum()), np.bool_))


class BarGrid:
    """The bars of the performance path with their places in time.

    Parameters
    ----------
    unfolded : UnfoldedScore
    time_map : TimeMap

    Attributes
    ----------
    count : int
        Number of bars of the path.
    start_frame : ndarray [shape=(count + 1,)], int64
        Where every bar starts, and where the last ends.
    number : ndarray [shape=(count,)], int64
        The printed numbers, 1 for those that are no numbers (their text is in `labels`).
    labels : tuple of str
        ``5``, or ``5 (2)`` for the second time it is played.
    is_jump : ndarray [shape=(count,)], bool
        Bars that do not follow the bar before them in the score.
    """

    def __init__(self, unfolded: UnfoldedScore, time_map: TimeMap) -> None:
        self._unfolded = unfolded
        self._time_map = time_map
        steps, measures = unfolded.path.steps, unfolded.score.measures
        self.count = len(steps)
        self.start_frame: NDArray[np.int64] = time_map.quarters_to_frames(unfolded.step_start_quarter)
        numbers = [measures[s.measure_index].number for s in steps]
        self.number = np.array([int(n) if n.isdecimal() else 1 for n in numbers], np.int64)
        self.labels = tuple(
            f"{n} ({s.occurrence})" if s.occurrence > 1 else n for n, s in zip(numbers, steps, strict=True)
        )
        indices = np.array(unfolded.path.measure_indices, np.int64)
        self.is_jump = np.concatenate([[False], np.diff(indices) != 1]) if self.count else np.zeros(0, np.bool_)

    @property
    def time_map(self) -> TimeMap:
        """What the places come from."""
        return self._time_map

    @cached_property
    def typical_bar_frames(self) -> float:
        """Median length of a bar."""
        return float(np.median(np.diff(self.start_frame))) if self.count else 1.0

    @cached_property
    def typical_beats(self) -> int:
        """Median number of beats in a bar."""
        return int(np.median([m.beats for m in self._unfolded.score.measures])) if self.count else 4

    @cached_property
    def longest_label(self) -> str:
        """The label that needs most room."""
        return max(self.labels, key=len, default="")

    def visible_steps(self, start_frame: float, end_frame: float) -> tuple[int, int]:
        """Return the half-open range of bars that touch a stretch of time."""
        first = int(np.searchsorted(self.start_frame, start_frame, side="right")) - 1
        last = int(np.searchsorted(self.start_frame[: self.count], end_frame, side="right"))
        return max(min(first, self.count), 0), last

    def beats(self, first_step: int, last_step: int) -> list[tuple[float, str]]:
        """Return frame and name (``5.2``) of the beats inside bars [first_step, last_step), without their starts."""
        quarters: list[float] = []
        names: list[str] = []
        for step in range(first_step, last_step):
            measure = self._unfolded.measure_of_step(step)
            start = float(self._unfolded.step_start_quarter[step])
            beat = int(np.floor(measure.offset_to_beat(0.0) + 1e-6)) + 1
            while measure.beat_to_offset(beat) < measure.duration_quarter - 1e-6:
                quarters.append(start + measure.beat_to_offset(beat))
                names.append(f"{measure.number}.{beat}")
                beat += 1
        frames = self._time_map.quarters_to_frames(quarters).astype(np.float64).tolist()
        return list(zip(frames, names, strict=True))

    def step_at(self, frame: float) -> int:
        """Return the bar that holds a frame, clipped to the path."""
        return min(max(int(np.searchsorted(self.start_frame, frame, side="right")) - 1, 0), max(self.count - 1, 0))

    def find(self, number: str, occurrence: int = 1) -> int | None:
        """Return the step that plays the bar printed `number` for the `occurrence`-th time; None if none does."""
        measures = self._unfolded.score.measures
        for i, step in enumerate(self._unfolded.path.steps):
            if step.occurrence == occurrence and measures[step.measure_index].number == number:
                return i
        return None

    def position_text(self, frame: float) -> str:
        """Write a frame as bar and beat: `bar 5 (2), beat 2.50`; empty before the first and after the last bar."""
        if not self.count or not self.start_frame[0] <= frame < self.start_frame[-1]:
            return ""
        quarter = self._time_map.frame_to_quarter(frame)
        _, beat = self._unfolded.quarter_to_beat(quarter)
        return f"bar {self.labels[self._unfolded.step_at(quarter)]}, beat {beat_text(beat)}"


def beat_text(beat: float) -> str:
    """Write a beat to two places, never rounded up into the next one: a bar of four beats has no beat 5."""
    return f"{np.floor(beat * 100 + 1e-3) / 100:.2f}"


@dataclass(frozen=True, eq=False)
class ScoreLayout:
    """Notes and bars in time.

    Attributes
    ----------
    unfolded : UnfoldedScore
    grid : BarGrid
    is_aligned : bool
        Whether the places come from an alignment, not from the marked tempo.
    row : ndarray [shape=(notes,)], int64
        Rows of `unfolded.notes` that are in the recording, sorted by onset; the other columns follow this order.
    onset_frame, offset_frame : ndarray, int64
    pitch_midi : ndarray, float64
        NaN for unpitched notes.
    part_index : ndarray, int32
    confidence : ndarray, float32
    """

    unfolded: UnfoldedScore
    grid: BarGrid
    is_aligned: bool
    row: NDArray[np.int64]
    onset_frame: NDArray[np.int64]
    offset_frame: NDArray[np.int64]
    pitch_midi: NDArray[np.float64]
    part_index: NDArray[np.int32]
    confidence: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.row)

    @cached_property
    def _latest_end(self) -> NDArray[np.int64]:
        return np.maximum.accumulate(self.offset_frame) if len(self) else self.offset_frame

    @cached_property
    def end_frame(self) -> int:
        """Where the last bar and all notes have ended."""
        last_note = int(self._latest_end[-1]) if len(self) else 0
        return max(last_note, int(self.grid.start_frame[-1]) if self.grid.count else 0)

    @cached_property
    def pitch_range(self) -> tuple[int, int]:
        """Lowest and highest pitch to show, both included, with a little room; C3 to C5 without pitched notes."""
        pitched = self.pitch_midi[~np.isnan(self.pitch_midi)]
        if not len(pitched):
            return 48, 72
        low, high = int(np.floor(pitched.min())) - 2, int(np.ceil(pitched.max())) + 2
        missing = max(24 - (high - low), 0)
        return low - missing // 2, high + missing - missing // 2

    @cached_property
    def unpitched_parts(self) -> tuple[int, ...]:
        """Parts with unpitched notes."""
        return tuple(int(p) for p in np.unique(self.part_index[np.isnan(self.pitch_midi)]))

    def visible(self, start_frame: float, end_frame: float) -> NDArray[np.int64]:
        """Return the places (in this layout) of notes that touch a stretch of time, sorted by onset."""
        first = int(np.searchsorted(self._latest_end, start_frame, side="left"))
        last = int(np.searchsorted(self.onset_frame, end_frame, side="right"))
        places = np.arange(first, max(last, first))
        return places[self.offset_frame[places] >= start_frame]


def score_layout(unfolded: UnfoldedScore, alignment: Alignment | None, sample_rate: int) -> ScoreLayout:
    """Lay a score out in time, through its alignment or else at its marked tempo.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment or None
        One whose notes are not those of `unfolded` (made for another path) is left aside.
    sample_rate : int
    """
    notes = unfolded.notes
    if alignment is not None and len(alignment.note_times) == len(notes):
        time_map, times = alignment.time_map, alignment.note_times
        onset, offset = times.onset_frame, times.offset_frame
        confidence, keep, is_aligned = times.confidence, np.flatnonzero(times.is_present), True
    else:
        time_map, is_aligned = marked_time_map(unfolded, sample_rate), False
        onset = time_map.quarters_to_frames(notes.onset_quarter)
        offset = time_map.quarters_to_frames(notes.onset_quarter + notes.duration_quarter)
        confidence, keep = np.ones(len(notes), np.float32), np.arange(len(notes))
    order = keep[np.argsort(onset[keep], kind="stable")]
    return ScoreLayout(
        unfolded,
        BarGrid(unfolded, time_map),
        is_aligned,
        order,
        onset[order],
        np.maximum(offset[order], onset[order]),
        notes.pitch_midi[order],
        notes.part_index[order],
        confidence[order],
    )


# Less than this is neither heard nor seen as another place.
MOVED_S = 0.02
DOUBTFUL = DOUBTFUL_CONFIDENCE  # a note is drawn so


@dataclass(frozen=True, eq=False)
class Difference:
    """An alignment that waits, held against the present one.

    Attributes
    ----------
    present, pending : ScoreLayout
        Of the same unfolded score.
    sample_rate : int
    """

    present: ScoreLayout
    pending: ScoreLayout
    sample_rate: int

    @cached_property
    def present_onset_frame(self) -> NDArray[np.float64]:
        """Where the notes of `pending` (in its order) start at present; NaN for those that are not there now."""
        onset = np.full(len(self.present.unfolded.notes), np.nan)
        onset[self.present.row] = self.present.onset_frame
        return onset[self.pending.row]

    @cached_property
    def is_changed(self) -> NDArray[np.bool_]:
        """Which notes of `pending` (in its order) lie elsewhere than now, or are not there now."""
        shift = np.abs(self.pending.onset_frame - self.present_onset_frame)
        return np.isnan(shift) | (shift > MOVED_S * self.sample_rate)

    @cached_property
    def is_bar_moved(self) -> NDArray[np.bool_]:
        """Which bar lines (the end of the last bar included) are moved."""
        shift = np.abs(self.pending.grid.start_frame - self.present.grid.start_frame)
        return shift > MOVED_S * self.sample_rate

    @cached_property
    def is_doubtful(self) -> NDArray[np.bool_]:
        """Which notes of `pending` have a doubtful place."""
        return self.pending.confidence < DOUBTFUL

    @cached_property
    def gone_count(self) -> int:
        """How many notes are there now and would not be."""
        return len(np.setdiff1d(self.present.row, self.pending.row, assume_unique=True))

    def shift_frames(self, frames: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far what lies at these frames now would move; 0 outside the score."""
        quarters = self.present.grid.time_map.frames_to_quarters(frames)
        moved = self.pending.grid.time_map.quarters_to_frames(quarters) - frames
        lines = self.present.grid.start_frame
        return np.where((frames >= lines[0]) & (frames <= lines[-1]), moved, 0.0)

    @property
    def text(self) -> str:
        """The difference in one sentence."""
        moved = self.is_changed & ~np.isnan(self.present_onset_frame)
        shift_s = np.abs(self.pending.onset_frame - self.present_onset_frame)[moved] / self.sample_rate
        parts = [f"moves {_notes(int(moved.sum()))} by up to {shift_s.max():.2f} s" if moved.any() else "moves no note"]
        new_count = int(np.isnan(self.present_onset_frame).sum())
        if new_count:
            parts.append(f"finds {_notes(new_count)} more")
        if self.gone_count:
            parts.append(f"no longer finds {_notes(self.gone_count)}")
        if self.is_doubtful.any():
            parts.append(f"leaves {_notes(int(self.is_doubtful.sum()))} doubtful")
        return "It " + (f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]) + "."


def _notes(count: int) -> str:
    return "1 note" if count == 1 else f"{count} notes"
