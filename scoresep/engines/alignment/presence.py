"""Which notes of the score the recording does not contain, because a part leaves a passage out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# How often a part falls silent against the score, and comes back, from one of its events to the next.
LEAVES, COMES_BACK = 0.01, 0.1
# Another part's harmonics can sound like a note that is not there: no single note speaks more for playing than this.
MOST_FOR_PLAYING = -2.5


def absent_notes(
    part_index: NDArray[np.int32], event_of_note: NDArray[np.int64], log_ratio: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the probability that each note is left out, given all notes of its part.

    A hidden Markov model with two states, playing and not, for each part: one doubtful note among good ones is played,
    a row of doubtful ones is left out.

    Parameters
    ----------
    part_index, event_of_note : ndarray [shape=(notes,)]
    log_ratio : ndarray [shape=(notes,)], float64
        Logarithm of how much likelier what is heard is without the note than with it; NaN where nothing is known.

    Returns
    -------
    probability : ndarray [shape=(notes,)], float64
    """
    probability = np.zeros(len(part_index))
    evidence = np.maximum(np.nan_to_num(log_ratio), MOST_FOR_PLAYING)
    for part in np.unique(part_index):
        mine = np.flatnonzero(part_index == part)
        place, index = np.unique(event_of_note[mine], return_inverse=True)
        size = np.bincount(index)
        # The notes of a chord are heard or missed together, so that they do not count as independent.
        together = np.bincount(index, weights=evidence[mine]) / np.sqrt(size)
        probability[mine] = _posterior(together)[index] if len(place) else 0.0
    return probability


def _posterior(log_ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Run forwards and backwards through the two states; return the probability of the second, shape as given."""
    count = len(log_ratio)
    step = np.array([[1 - LEAVES, LEAVES], [COMES_BACK, 1 - COMES_BACK]])
    likelihood = np.exp(np.stack([np.zeros(count), np.clip(log_ratio, -30, 30)], axis=1))
    forward, backward = np.empty((count, 2)), np.ones((count, 2))
    state = np.array([1 - LEAVES / COMES_BACK, LEAVES / COMES_BACK])
    for i in range(count):
        state = (state if i == 0 else state @ step) * likelihood[i]
        state /= state.sum()
        forward[i] = state
    for i in range(count - 2, -1, -1):
        backward[i] = step @ (backward[i + 1] * likelihood[i + 1])
        backward[i] /= backward[i].sum()
    both = forward * backward
    return np.asarray(both[:, 1] / both.sum(axis=1))
