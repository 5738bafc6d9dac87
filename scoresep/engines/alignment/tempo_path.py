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


def flowing_gaps_s(
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


def best_moments(
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
    offsets = np.arange(-tempo.reach, tempo.reach + 1)
    away = (tempo.away_cost * np.abs(offsets)).astype(np.float32)[:, None]
    value = evidence[0] - away
    origin = np.arange(len(offsets) * candidates, dtype=np.int16).reshape(len(offsets), candidates)
    backward = np.full((events, len(offsets), candidates), -1, np.int16)
    best_total, best_at, best_event = np.float32(-np.inf), 0, 0
    for j in range(events):
        if j:
            came, value = _advanced(value, origin, gap_s[j - 1] / among.step_s, among, j, tempo)
            if j <= kept.start:  # the recording may begin here
                fresh = value < -np.float32(tempo.inner_end_cost)
                value, came = np.where(fresh, -np.float32(tempo.inner_end_cost), value), np.where(fresh, -1, came)
            backward[j] = came
            value = value + evidence[j] - away
        total = value.max() - (tempo.inner_end_cost if j < events - 1 else 0)
        if j >= kept.stop - 1 and total > best_total:
            best_total, best_at, best_event = total, int(value.argmax()), j
    choice, at, j = np.zeros(events, np.int64), best_at, best_event
    while at >= 0:
        choice[j] = at % candidates
        at = int(backward[j].ravel()[at])
        j -= 1
    return choice, slice(j + 1, best_event + 1)


def _advanced(
    value: NDArray[np.float32], origin: NDArray[np.int16], gap: float, among: Candidates, j: int, tempo: TempoModel
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Go from event j - 1 to event j: for every state the best one before it, and its value."""
    drift = int(among.first_step[j] - among.first_step[j - 1])
    cost = tempo.change_cost / np.sqrt(max(gap * among.step_s, 0.05))
    changed, source = _tempo_changes(value, origin, cost)
    width = np.hypot(tempo.deviation_s / among.step_s, tempo.deviation * gap)
    changed, source = _deviations(changed, source, width)
    best = np.full_like(value, IMPOSSIBLE)
    came = np.zeros_like(origin)
    for row, step in enumerate(range(-tempo.reach, tempo.reach + 1)):
        _shift(changed[row], source[row], max(round(gap * tempo.ratio**step), 1) - drift, best[row], came[row])
    broken, broken_source = _breaks(value, origin, drift)
    broken = broken - np.float32(tempo.break_cost)
    better = broken > best
    return np.where(better, broken_source, came), np.where(better, broken, best)


def _tempo_changes(
    value: NDArray[np.float32], origin: NDArray[np.int16], cost: float
) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """Let the tempo change by up to three steps."""
    best, source = value.copy(), origin.copy()
    for k in (1, 2, 3):
        for to, of in ((slice(k, None), slice(None, -k)), (slice(None, -k), slice(k, None))):
            other = value[of] - np.float32(cost * k)
            better = other > best[to]
            np.copyto(best[to], other, where=better)
            np.copyto(source[to], origin[of], where=better)
    return best, source


def _deviations(
    value: NDArray[np.float32], origin: NDArray[np.int16], width: float
) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """Let moments deviate from the tempo, commonly by `width` steps."""
    best, source = value.copy(), origin.copy()
    for k in range(1, min(int(np.ceil(2.5 * width)), MOST_DEVIATION_STEPS, value.shape[1] - 1) + 1):
        cost = np.float32(0.5 * (k / width) ** 2)
        for to, of in ((slice(k, None), slice(None, -k)), (slice(None, -k), slice(k, None))):
            other = value[:, of] - cost
            better = other > best[:, to]
            np.copyto(best[:, to], other, where=better)
            np.copyto(source[:, to], origin[:, of], where=better)
    return best, source


def _shift(
    value: NDArray[np.float32], source: NDArray[np.int16], by: int, best: NDArray[np.float32], came: NDArray[np.int16]
) -> None:
    """Write values and where they come from `by` candidates later."""
    count = len(value)
    if abs(by) < count:
        to = slice(max(by, 0), count + min(by, 0))
        of = slice(max(-by, 0), count + min(-by, 0))
        best[to], came[to] = value[of], source[of]


def _breaks(
    value: NDArray[np.float32], origin: NDArray[np.int16], drift: int
) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """Return the best way to come to every candidate with any time between the events, at any tempo after it."""
    rows, candidates = value.shape
    row = value.argmax(axis=0)
    column = np.arange(candidates)
    top = value[row, column]
    highest = np.maximum.accumulate(top)
    place = np.maximum.accumulate(np.where(top >= highest, column, 0))
    last = column + drift - 1  # the event before must lie at least one step earlier
    usable = last >= 0
    last = np.clip(last, 0, candidates - 1)
    best = np.where(usable, highest[last], IMPOSSIBLE).astype(np.float32)
    source = origin[row[place[last]], place[last]]
    return np.broadcast_to(best, value.shape), np.broadcast_to(source, (rows, candidates))
