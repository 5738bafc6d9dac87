"""Where the sound changes from what is expected before an event to what is expected after it.

The sum of the match over all stretches between events splits into one term for each event and moment, so that the best
moments of all events together can be found exactly (`tempo_path`), with little memory for recordings of any length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
        difference = (expected[:-1] - expected[1:])[rows]
        before_after = [np.einsum("ecb,eb->ec", heard[low + k], difference) for k in (0, 1)]
        part = (position - low).astype(np.float32)
        density = before_after[0] * (1 - part) + before_after[1] * part
        middle = (density[:, 1:] + density[:, :-1]) / 2
        evidence[rows, 0] = 0
        np.cumsum(middle * np.float32(step_s), axis=1, out=evidence[rows, 1:])
    return evidence
