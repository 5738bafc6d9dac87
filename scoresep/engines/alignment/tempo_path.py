"""The best moments of all events together: what is heard, weighed against a tempo that flows.

A hidden Markov model whose state is the moment of an event and the tempo at it, as in tempo tracking by bar pointers. Tempo
may change a little from event to event; a moment may lie a little off the tempo; and at a price anything may happen
(fermatas, breaths, cuts).

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
    """

    ratio: float = 1.05
    reach: int = 8
    change_cost: float = 0.7
    away_cost: float = 0.02
    deviation_s: float = 0.008
    deviation: float = 0.025
    break_cost: float = 9.0


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
    step_s = 0.1
    grid = np.arange(time_s[0], time_s[-1] + step_s, step_s)
    if len(grid) < 3:
        return np.diff(time_s)
    pace = np.gradient(np.interp(grid, time_s, nominal_s), step_s)  # nominal seconds in a second
    overall = (nominal_s[-1] - nominal_s[0]) / max(time_s[-1] - time_s[0], 1e-9)
    smooth = gaussian_filter1d(np.clip(pace, overall / 4, overall * 4), width_s / step_s, mode="nearest")
    centre_s = (time_s[1:] + time_s[:-1]) / 2
    return np.asarray(np.diff(nominal_s) / np.interp(centre_s, grid, smooth))


def best_moments(
    first_step: NDArray[np.int64], evidence: NDArray[np.float32], gap_steps: NDArray[np.float64], tempo: TempoModel, step_s: float
) -> NDArray[np.int64]:
    """Choose one candidate for every event, the best of all rising choices.

    Parameters
    ----------
    first_step : ndarray [shape=(events,)], int64
        Time of the first candidate of each event, in steps.
    evidence : ndarray [shape=(events, candidates)], float32
        For each candidate; the candidates of an event follow each other by one step.
    gap_steps : ndarray [shape=(events - 1,)], float64
        Times between events at the tempo around, in steps.
    tempo : TempoModel
    step_s : float
        Length of a step in seconds.

    Returns
    -------
    choice : ndarray [shape=(events,)], int64
    """
    events, candidates = evidence.shape
    offsets = np.arange(-tempo.reach, tempo.reach + 1)
    factors = tempo.ratio ** offsets.astype(np.float64)
    away = (tempo.away_cost * np.abs(offsets)).astype(np.float32)[:, None]
    value = evidence[0] - away
    origin = np.arange(len(offsets) * candidates, dtype=np.int32).reshape(len(offsets), candidates)
    backward = np.zeros((events, len(offsets), candidates), np.int16 if origin.size < 32_000 else np.int32)
    for j in range(1, events):
        gap = float(gap_steps[j - 1])
        drift = int(first_step[j] - first_step[j - 1])
        changed, source = _tempo_changes(value, origin, tempo.change_cost / np.sqrt(max(gap * step_s, 0.05)))
        changed, source = _deviations(changed, source, np.hypot(tempo.deviation_s / step_s, tempo.deviation * gap))
        best = np.full_like(value, IMPOSSIBLE)
        came = np.zeros_like(origin)
        for row, factor in enumerate(factors):
            _shift(changed[row], source[row], max(round(gap * factor), 1) - drift, best[row], came[row])
        broken, broken_source = _breaks(value, origin, drift)
        better = broken - np.float32(tempo.break_cost) > best
        best = np.where(better, broken - np.float32(tempo.break_cost), best)
        backward[j] = np.where(better, broken_source, came)
        value = best + evidence[j] - away
    choice = np.empty(events, np.int64)
    at = int(value.argmax())
    for j in range(events - 1, -1, -1):
        choice[j] = at % candidates
        at = int(backward[j].ravel()[at])
    return choice


def _tempo_changes(
    value: NDArray[np.float32], origin: NDArray[np.int32], cost: float
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
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
    value: NDArray[np.float32], origin: NDArray[np.int32], width: float
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
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
    value: NDArray[np.float32], source: NDArray[np.int32], by: int, best: NDArray[np.float32], came: NDArray[np.int32]
) -> None:
    """Write values and where they come from `by` candidates later."""
    count = len(value)
    if abs(by) < count:
        to = slice(max(by, 0), count + min(by, 0))
        of = slice(max(-by, 0), count + min(-by, 0))
        best[to], came[to] = value[of], source[of]


def _breaks(
    value: NDArray[np.float32], origin: NDArray[np.int32], drift: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
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
