"""The best moments of all events together: what is heard, weighed against a tempo that flows.

A hidden Markov model whose state is the moment of an event and the tempo at it, as in tempo tracking by bar pointers.
Tempo may change a little from event to event; a moment may lie a little off the tempo; and at a price anything may
happen (fermatas, breaths, cuts).

References
----------
N. Whiteley, A. T. Cemgil, S. Godsill, "Bayesian modelling of temporal structure in musical audio", ISMIR 2006.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

IMPOSSIBLE = np.float32(-1e9)
MOST_DEVIATION_STEPS = 20
MOST_TEMPO_STEPS = 3  # by which the tempo changes from one event to the next


@dataclass(frozen=True)
class TempoModel:
    """How freely players treat the tempo.

    Attributes
    ----------
    ratio : float
        Step from one tempo that is considered to the next.
    reach : int
        Number of steps up and down from the tempo around.
    change_cost : float
        Of each step of tempo from an event to one a second later; for nearer ones more, for farther ones less.
    away_cost : float
        Of each step away from the tempo around, for each event.
    deviation_s, deviation : float
        Common deviation of the time between two events from the tempo: in seconds, and as a share.
    break_cost : float
        Of a time between two events that no tempo explains.
    inner_end_cost : float
        Of a recording that begins or ends with another event than the first or last given.
    """

    ratio: float = 1.05
    reach: int = 8
    change_cost: float = 0.7
    away_cost: float = 0.02
    deviation_s: float = 0.008
    deviation: float = 0.025
    break_cost: float = 9.0
    inner_end_cost: float = 4.0

    @property
    def steps(self) -> NDArray[np.int64]:
        """Steps of tempo away from the tempo around, shape (tempi,)."""
        return np.arange(-self.reach, self.reach + 1)


def expected_iois_s(
    time_s: NDArray[np.float64], nominal_s: NDArray[np.float64], width_s: float = 3.0
) -> NDArray[np.float64]:
    """Return the times between events at the tempo around them.

    Parameters
    ----------
    time_s, nominal_s : ndarray [shape=(events,)], float64
        Where the events lie at present, and where they lie at the marked tempo; both rising.
    width_s : float
        Over how long the tempo is averaged to either side.

    Returns
    -------
    gap_s : ndarray [shape=(events - 1,)], float64
    """
    if time_s[-1] - time_s[0] < 0.3:
        return np.diff(time_s)
    grid = np.linspace(time_s[0], time_s[-1], round((time_s[-1] - time_s[0]) / 0.1) + 1)
    step_s = float(grid[1] - grid[0])
    pace = np.gradient(np.interp(grid, time_s, nominal_s), step_s)  # nominal seconds in a second
    overall = (nominal_s[-1] - nominal_s[0]) / max(time_s[-1] - time_s[0], 1e-9)
    smooth = gaussian_filter1d(np.clip(pace, overall / 4, overall * 4), width_s / step_s, mode="nearest")
    centre_s = (time_s[1:] + time_s[:-1]) / 2
    return np.asarray(np.diff(nominal_s) / np.interp(centre_s, grid, smooth))


@dataclass(frozen=True, eq=False)
class Candidates:
    """Moments at which events may happen.

    Attributes
    ----------
    first_step : ndarray [shape=(events,)], int64
        Time of the first candidate of each event, in steps; the others follow step by step.
    evidence : ndarray [shape=(events, candidates)], float32
        For each candidate; below 0 where it is likelier that the event is not there at all.
    step_s : float
        Length of a step in seconds.
    """

    first_step: NDArray[np.int64]
    evidence: NDArray[np.float32]
    step_s: float


def decode_onsets(
    among: Candidates, gap_s: NDArray[np.float64], tempo: TempoModel, kept: slice | None = None
) -> tuple[NDArray[np.int64], slice]:
    """Choose one candidate for every event, the best of all rising choices.

    Parameters
    ----------
    among : Candidates
    gap_s : ndarray [shape=(events - 1,)], float64
        Times between events at the tempo around.
    tempo : TempoModel
    kept : slice, optional
        Events that must be there; all by default. Of those before and after, as many are left out as is best.

    Returns
    -------
    choice : ndarray [shape=(events,)], int64
        Index of the candidate; for events that are left out 0.
    present : slice
        The events that are there.
    """
    evidence = among.evidence
    events, candidates = evidence.shape
    kept = slice(0, events) if kept is None else kept
    away = (tempo.away_cost * np.abs(tempo.steps)).astype(np.float32)[:, None]
    walk = _Walk(among, gap_s, tempo)
    begins = np.float32(-tempo.inner_end_cost)
    # How good every state of every event is; the way to the best one is found from these, backwards.
    reached = np.empty((events, len(away), candidates), np.float32)
    best_total, best_event = np.float32(-np.inf), 0
    for j in range(events):
        value = reached[j]
        if j:
            walk.advance(reached[j - 1], j, value)
            if j <= kept.start:  # the recording may begin here
                np.maximum(value, begins, out=value)
            value += evidence[j]
            value -= away
        else:
            np.subtract(evidence[0], away, out=value)
        if j >= kept.stop - 1:
            total = value.max() - (tempo.inner_end_cost if j < events - 1 else 0)
            if total > best_total:
                best_total, best_event = total, j
    choice, j = np.zeros(events, np.int64), best_event
    row, column = divmod(int(reached[j].argmax()), candidates)
    choice[j] = column
    while j:
        row, column, before = walk.came_from(reached[j - 1], j, row, column)
        if j <= kept.start and before < begins:
            break
        j -= 1
        choice[j] = column
    return choice, slice(j, best_event + 1)


class _Walk:
    """The steps from event to event: the tempo changes, the moment deviates from it, or any time passes at a price.

    Parameters
    ----------
    among, gap_s, tempo
        As for `decode_onsets`.
    """

    def __init__(self, among: Candidates, gap_s: NDArray[np.float64], tempo: TempoModel) -> None:
        candidates = among.evidence.shape[1]
        gap = gap_s / among.step_s
        self._drift = np.diff(among.first_step)
        self._shift = np.maximum(np.rint(gap[:, None] * tempo.ratio**tempo.steps), 1).astype(np.int64)
        self._shift -= self._drift[:, None]
        change = tempo.change_cost / np.sqrt(np.maximum(gap_s, 0.05))
        self._change_cost = (change[:, None] * np.arange(MOST_TEMPO_STEPS + 1)).astype(np.float32)
        self._width = np.hypot(tempo.deviation_s / among.step_s, tempo.deviation * gap)
        most = min(MOST_DEVIATION_STEPS, candidates - 1)
        self._most_deviation = np.minimum(np.ceil(2.5 * self._width), most).astype(np.int64)
        self._break_cost = np.float32(tempo.break_cost)
        # Values with room for what lies beyond the slowest and fastest tempo, and beyond the first and last candidate.
        rows = len(tempo.steps)
        self._by_tempo = np.full((rows + 2 * MOST_TEMPO_STEPS, candidates), IMPOSSIBLE)
        self._by_moment = np.full((rows, candidates + 2 * most), IMPOSSIBLE)
        self._to_shift = np.full((rows, candidates + 2), IMPOSSIBLE)
        self._columns = np.arange(1, candidates + 1)
        self._row_start = np.arange(rows)[:, None] * (candidates + 2)

    def advance(self, value: NDArray[np.float32], j: int, out: NDArray[np.float32]) -> None:
        """Go from event j - 1 to event j: write the value of the best way to every state."""
        rows, candidates = value.shape
        inner = self._by_tempo[MOST_TEMPO_STEPS : MOST_TEMPO_STEPS + rows]
        inner[:] = value
        most = (self._by_moment.shape[1] - candidates) // 2
        changed = self._by_moment[:, most : most + candidates]
        changed[:] = value
        for k in range(1, MOST_TEMPO_STEPS + 1):
            slower, faster = (self._by_tempo[MOST_TEMPO_STEPS + s :][:rows] for s in (-k, k))
            other = np.maximum(slower, faster)
            other -= self._change_cost[j - 1, k]
            np.maximum(changed, other, out=changed)
        deviated = self._to_shift[:, 1:-1]
        deviated[:] = changed
        for k, cost in enumerate(self._deviation_costs(j)[1:].tolist(), 1):
            other = np.maximum(
                self._by_moment[:, most - k : most - k + candidates],
                self._by_moment[:, most + k : most + k + candidates],
            )
            other -= np.float32(cost)
            np.maximum(deviated, other, out=deviated)
        column = self._columns - self._shift[j - 1][:, None]
        np.clip(column, 0, candidates + 1, out=column)
        column += self._row_start
        np.take(self._to_shift, column, out=out, mode="clip")
        highest = np.maximum.accumulate(value.max(axis=0))
        highest -= self._break_cost
        ahead = int(self._drift[j - 1]) - 1  # the event before must lie at least one step earlier
        if ahead < 0:
            np.maximum(out[:, -ahead:], highest[:ahead], out=out[:, -ahead:])
        else:
            whole = max(candidates - ahead, 0)
            np.maximum(out[:, :whole], highest[ahead:], out=out[:, :whole])
            np.maximum(out[:, whole:], highest[-1], out=out[:, whole:])

    def came_from(self, value: NDArray[np.float32], j: int, row: int, column: int) -> tuple[int, int, float]:
        """Return from which state of event j - 1, of given values, one of event j is reached best, and its value."""
        candidates = value.shape[1]
        best, at = IMPOSSIBLE, (row, 0)
        middle = column - int(self._shift[j - 1, row])
        if 0 <= middle < candidates:
            first_row, deviation_cost = max(row - MOST_TEMPO_STEPS, 0), self._deviation_costs(j)
            most = len(deviation_cost) - 1
            first = max(middle - most, 0)
            near = value[first_row : row + MOST_TEMPO_STEPS + 1, first : middle + most + 1]
            rows_off = np.abs(np.arange(first_row, first_row + near.shape[0]) - row)
            columns_off = np.abs(np.arange(first, first + near.shape[1]) - middle)
            near = near - self._change_cost[j - 1][rows_off, None] - deviation_cost[columns_off]
            place = divmod(int(near.argmax()), near.shape[1])
            best, at = near[place], (first_row + place[0], first + place[1])
        usable = min(column + int(self._drift[j - 1]), candidates)
        if usable > 0:
            before = value[:, :usable]
            place = divmod(int(before.argmax()), usable)
            if before[place] - self._break_cost > best:
                best, at = before[place] - self._break_cost, place
        return *at, float(best)

    def _deviation_costs(self, j: int) -> NDArray[np.float32]:
        """Return what it costs to come 0, 1, ... steps earlier or later than the tempo wants."""
        steps = np.arange(int(self._most_deviation[j - 1]) + 1)
        return np.asarray(0.5 * (steps / self._width[j - 1]) ** 2, np.float32)
