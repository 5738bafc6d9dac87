"""From the coarse way to the moment of every event: what is heard before and after, onsets, and a tempo that flows.

The sum of all evidence over the stretches between events splits into one term for each event and moment; only the tempo
joins neighbouring events. So the best moments of all events together are found exactly, by dynamic programming, and a
recording of any length needs little memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TempoModel:
    """How freely players treat the tempo.

    Attributes
    ----------
    deviation : float
        Common deviation of the time between two events from what the tempo around them would give, as a share of it.
    deviation_s : float
        The same in seconds, what is left when the time is short.
    weight : float
        Of the tempo against what is heard.
    """

    deviation: float = 0.12
    deviation_s: float = 0.02
    weight: float = 1.0


def expected_gaps_s(time_s: NDArray[np.float64], nominal_s: NDArray[np.float64], reach: int = 8) -> NDArray[np.float64]:
    """Return the times between events that the tempo around them gives.

    Parameters
    ----------
    time_s, nominal_s : ndarray [shape=(events,)], float64
        Where the events lie at present, and where they lie at the marked tempo; both rising.
    reach : int
        How many events to either side tell the tempo.

    Returns
    -------
    gap_s : ndarray [shape=(events - 1,)], float64
        Slopes of straight lines through the events around, by weighted least squares, times the nominal gaps.
    """
    count = len(time_s)
    offset = np.arange(-reach, reach + 2)
    index = np.arange(count - 1)[:, None] + offset
    weight = np.where((index >= 0) & (index < count), np.cos((offset - 0.5) / (reach + 1.5) * np.pi / 2) ** 2, 0.0)
    index = np.clip(index, 0, count - 1)
    x, y = nominal_s[index], time_s[index]
    total = weight.sum(axis=1, keepdims=True)
    x = x - (weight * x).sum(axis=1, keepdims=True) / total
    y = y - (weight * y).sum(axis=1, keepdims=True) / total
    slope = (weight * x * y).sum(axis=1) / np.maximum((weight * x * x).sum(axis=1), 1e-9)
    overall = (time_s[-1] - time_s[0]) / max(nominal_s[-1] - nominal_s[0], 1e-9)
    return np.asarray(np.clip(slope, overall / 5, overall * 5) * np.diff(nominal_s))


def best_moments(
    candidate_s: NDArray[np.float64], evidence: NDArray[np.float32], gap_s: NDArray[np.float64], tempo: TempoModel
) -> NDArray[np.int64]:
    """Choose one candidate for every event, the best of all rising choices.

    Parameters
    ----------
    candidate_s : ndarray [shape=(events, candidates)], float64
    evidence : ndarray [shape=(events, candidates)], float32
        For each of them; minus infinity where impossible.
    gap_s : ndarray [shape=(events - 1,)], float64
        Expected times between events.
    tempo : TempoModel

    Returns
    -------
    choice : ndarray [shape=(events,)], int64
    """
    events, candidates = candidate_s.shape
    start_s = candidate_s[:, 0]
    offsets_s = (candidate_s[0] - candidate_s[0, 0]).astype(np.float32)
    between_s = offsets_s[None, :] - offsets_s[:, None]  # (from, to)
    width_s = np.sqrt(tempo.deviation_s**2 + (tempo.deviation * gap_s) ** 2)
    backward = np.zeros((events, candidates), np.int16)
    value = evidence[0].astype(np.float32)
    columns = np.arange(candidates)
    for j in range(1, events):
        passed_s = between_s + np.float32(start_s[j] - start_s[j - 1])
        off = (passed_s - np.float32(gap_s[j - 1])) * np.float32(1 / width_s[j - 1])
        total = value[:, None] - np.float32(tempo.weight) * np.log1p(off * off)
        total[passed_s <= 1e-4] = -1e9
        backward[j] = total.argmax(axis=0)
        value = total[backward[j], columns] + evidence[j]
    choice = np.empty(events, np.int64)
    choice[-1] = int(value.argmax())
    for j in range(events - 1, 0, -1):
        choice[j - 1] = backward[j, choice[j]]
    return choice


def change_evidence(
    heard: NDArray[np.float32],
    heard_rate_hz: float,
    expected: NDArray[np.float32],
    candidate_s: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Say for every event how well each candidate divides what is expected before from what is expected after it.

    Parameters
    ----------
    heard : ndarray [shape=(frames, columns)], float32
        Unit vectors, frame k at k / heard_rate_hz.
    expected : ndarray [shape=(events + 1, columns)], float32
        Before the first event, after the first, ..., after the last.
    candidate_s : ndarray [shape=(events, candidates)], float64
        Evenly spaced in every row.

    Returns
    -------
    evidence : ndarray [shape=(events, candidates)], float32
        In seconds of a certain match.
    """
    events, candidates = candidate_s.shape
    evidence = np.empty((events, candidates), np.float32)
    step_s = float(candidate_s[0, 1] - candidate_s[0, 0])
    block = max(1, 4_000_000 // (candidates * heard.shape[1]))
    for first in range(0, events, block):
        rows = slice(first, min(first + block, events))
        position = np.clip(candidate_s[rows] * heard_rate_hz, 0, len(heard) - 1)
        low = np.minimum(position.astype(np.int64), len(heard) - 2)
        difference = (expected[:-1] - expected[1:])[rows, :, None]
        before_after = [(heard[low + k] @ difference)[..., 0] for k in (0, 1)]
        part = (position - low).astype(np.float32)
        density = before_after[0] * (1 - part) + before_after[1] * part
        middle = (density[:, 1:] + density[:, :-1]) / 2
        evidence[rows, 0] = 0
        np.cumsum(middle * np.float32(step_s), axis=1, out=evidence[rows, 1:])
    return evidence
