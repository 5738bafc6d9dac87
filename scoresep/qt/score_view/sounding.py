"""What of a written score sounds at a moment of the recording, and where each bar and note is heard. Values, no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scoresep.model.alignment import Alignment
from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import SAME_QUARTER
from scoresep.model.timemap import TimeMap
from scoresep.qt.timeline.score_layout import BarGrid, marked_time_map

# Short notes (grace notes have no length at all) are lit for at least this long, or nobody would see it.
LEAST_LIT_S = 0.09


@dataclass(frozen=True)
class Position:
    """A moment in the score: the bar of the path, its measure, and how far into it, in quarters."""

    step_index: int
    measure_index: int
    offset_quarter: float


class SoundingScore:
    """A score along its path, in time with a recording.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment or None
        Without one (or with one that was made for another path) the score runs at its marked tempo.
    sample_rate : int
    """

    def __init__(self, unfolded: UnfoldedScore, alignment: Alignment | None, sample_rate: int) -> None:
        self.unfolded = unfolded
        self.sample_rate = sample_rate
        fits = alignment is not None and len(alignment.note_times) == len(unfolded.notes)
        self._alignment = alignment if fits else None
        self._time_map: TimeMap = (
            self._alignment.time_map if self._alignment is not None else marked_time_map(unfolded, sample_rate)
        )
        self.grid = BarGrid(unfolded, self._time_map)
        self._measures = np.array(unfolded.path.measure_indices, np.int64)
        self._intervals()

    def _intervals(self) -> None:
        """Find from when to when each written note is lit, every time that it is played."""
        notes, written = self.unfolded.notes, self.unfolded.score.notes
        ends_quarter = notes.onset_quarter + notes.duration_quarter
        if self._alignment is not None:
            times = self._alignment.note_times
            start, end, keep = times.onset_frame, times.offset_frame, times.is_present
        else:
            start = self._time_map.quarters_to_frames(notes.onset_quarter)
            end, keep = self._time_map.quarters_to_frames(ends_quarter), np.ones(len(notes), np.bool_)
        rows, starts, stops, steps = [notes.written_index], [start.copy()], [end.copy()], [notes.step_index]
        kept = [keep]
        extra: list[tuple[int, int, int, int, int]] = []
        for i in np.flatnonzero(written.tied_to_next[notes.written_index] & keep).tolist():
            chain = self._tied(int(notes.written_index[i]), int(notes.step_index[i]))
            bounds = [int(self._time_map.quarters_to_frames([q])[0]) for _, _, q in chain]
            bounds = [min(max(b, int(start[i])), int(end[i])) for b in bounds]
            if not bounds:
                continue
            stops[0][i] = bounds[0]
            for (row, step, _), begin, finish in zip(chain, bounds, [*bounds[1:], int(end[i])], strict=True):
                extra.append((row, begin, finish, step, i))
        if extra:
            table = np.array(extra, np.int64)
            rows.append(table[:, 0].astype(np.int32))
            starts.append(table[:, 1])
            stops.append(table[:, 2])
            steps.append(table[:, 3].astype(np.int32))
            kept.append(np.ones(len(extra), np.bool_))
        place = np.flatnonzero(np.concatenate(kept))
        begins = np.concatenate(starts)[place]
        order = np.argsort(begins, kind="stable")
        least = round(LEAST_LIT_S * self.sample_rate)
        self.start_frame: NDArray[np.int64] = begins[order]
        self.end_frame = np.maximum(np.concatenate(stops)[place][order], self.start_frame + least)
        self.row: NDArray[np.int64] = np.concatenate(rows)[place][order].astype(np.int64)
        self.step: NDArray[np.int64] = np.concatenate(steps)[place][order].astype(np.int64)
        self._latest_end = np.maximum.accumulate(self.end_frame) if len(order) else self.end_frame

    def _tied(self, row: int, step: int) -> list[tuple[int, int, float]]:
        """Follow ties from a note: row, bar of the path and onset in quarters of each note that goes on with it."""
        written, starts = self.unfolded.score.notes, self.unfolded.step_start_quarter
        chain: list[tuple[int, int, float]] = []
        while written.tied_to_next[row] and len(chain) < 1000:
            end = float(written.offset_quarter[row] + written.duration_quarter[row])
            if end >= float(starts[step + 1] - starts[step]) - 0.05:
                step, end = step + 1, 0.0
            if step >= len(self._measures):
                break
            key = (int(self._measures[step]), int(written.part_index[row]), float(written.pitch_midi[row]))
            found = [r for r in self._continuations.get(key, ()) if abs(written.offset_quarter[r] - end) < 0.05]
            if not found or found[0] == row:
                break
            row = found[0]
            chain.append((row, step, float(starts[step]) + end))
        return chain

    @cached_property
    def _continuations(self) -> dict[tuple[int, int, float], list[int]]:
        notes = self.unfolded.score.notes
        found: dict[tuple[int, int, float], list[int]] = {}
        for r in np.flatnonzero(notes.tied_from_previous).tolist():
            key = (int(notes.measure_index[r]), int(notes.part_index[r]), float(notes.pitch_midi[r]))
            found.setdefault(key, []).append(r)
        return found

    # ------------------------------------------------------------------------------------------------------ asking

    def sounding(self, frame: int) -> frozenset[int]:
        """Return the rows of `Score.notes` that sound at a frame."""
        first = int(np.searchsorted(self._latest_end, frame, side="right"))
        last = int(np.searchsorted(self.start_frame, frame, side="right"))
        if last <= first:
            return frozenset()
        return frozenset(self.row[first:last][self.end_frame[first:last] > frame].tolist())

    def position(self, frame: int) -> Position | None:
        """Return where in the score a frame is; None before its first bar and after its last."""
        starts = self.grid.start_frame
        if not self.grid.count or not starts[0] <= frame < starts[-1]:
            return None
        step = self.grid.step_at(frame)
        quarter = float(self._time_map.frame_to_quarter(frame))
        offset = max(quarter - float(self.unfolded.step_start_quarter[step]), 0.0)
        return Position(step, int(self._measures[step]), offset + SAME_QUARTER)

    def step_near(self, frame: int) -> int:
        """Return the bar of the path at a frame; the first or last one outside of it."""
        return self.grid.step_at(frame)

    def step_of_measure(self, measure_index: int, near_step: int) -> int | None:
        """Return the time a measure is played that lies nearest to a bar of the path; None where it never is."""
        steps = np.flatnonzero(self._measures == measure_index)
        if not len(steps):
            return None
        return int(steps[np.argmin(np.abs(steps - near_step))])

    def start_of_note(self, row: int, near_step: int) -> int | None:
        """Return the frame where a written note begins, the time it is played nearest to a bar of the path."""
        places = np.flatnonzero(self.row == row)
        if not len(places):
            return None
        return int(self.start_frame[places[np.argmin(np.abs(self.step[places] - near_step))]])

    def start_of_step(self, step_index: int) -> int:
        """Return the frame where a bar of the path begins, clipped to the path."""
        return int(self.grid.start_frame[min(max(step_index, 0), max(self.grid.count - 1, 0))])
