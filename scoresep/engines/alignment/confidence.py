"""Which notes of the score the recording does not contain, because a part leaves a passage out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit


@dataclass(frozen=True)
class AbsenceModel:
    """Two states of a part, playing and not, from one of its events to the next.

    Attributes
    ----------
    leaves, comes_back : float
        Probability that a part falls silent against the score, and that it comes back.
    least_log_ratio : float
        Another part's harmonics can sound like a note that is not there: no single note speaks more for playing.
    """

    leaves: float = 0.01
    comes_back: float = 0.1
    least_log_ratio: float = -2.5


ABSENCE = AbsenceModel()


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
    evidence = np.maximum(np.nan_to_num(log_ratio), ABSENCE.least_log_ratio)
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
    step = np.array([[1 - ABSENCE.leaves, ABSENCE.leaves], [ABSENCE.comes_back, 1 - ABSENCE.comes_back]])
    likelihood = np.exp(np.stack([np.zeros(count), np.clip(log_ratio, -30, 30)], axis=1))
    forward, backward = np.empty((count, 2)), np.ones((count, 2))
    state = np.array([1 - ABSENCE.leaves / ABSENCE.comes_back, ABSENCE.leaves / ABSENCE.comes_back])
    for i in range(count):
        state = (state if i == 0 else state @ step) * likelihood[i]
        state /= state.sum()
        forward[i] = state
    for i in range(count - 2, -1, -1):
        backward[i] = step @ (backward[i + 1] * likelihood[i + 1])
        backward[i] /= backward[i].sum()
    both = forward * backward
    return np.asarray(both[:, 1] / both.sum(axis=1))


@dataclass(frozen=True)
class ConfidenceModel:
    """A logistic regression of whether a note lies where it was found.

    Attributes
    ----------
    own, beside, around, around_of_part : float
        Weights of the note's own presence, that of all notes at its time and around it, and of its part around it.
    unsteady, left_out, intercept : float
        Weights of how unsteady the tempo is, and how likely the part leaves the note out.
    presence_range : tuple of float
        Beyond these limits more does not tell more.
    beside_s, around_s, grid_s : float
        Over how long presences are averaged, and on which grid.
    steady_events, most_unsteady : float
        The tempo is held against that of so many events around; beyond a factor of two more does not tell more.
    least_doubt : float
    """

    own: float = 0.09
    beside: float = 0.55
    around: float = 0.18
    around_of_part: float = 0.41
    unsteady: float = -4.2
    left_out: float = -0.68
    intercept: float = -4.9
    presence_range: tuple[float, float] = (-4.0, 7.0)
    beside_s: float = 0.4
    around_s: float = 1.5
    grid_s: float = 0.1
    steady_events: float = 4.0
    most_unsteady: float = 0.7
    least_doubt: float = 0.002


CONFIDENCE = ConfidenceModel()


@dataclass(frozen=True, eq=False)
class NoteEvidence:
    """What tells whether notes are right, as columns of one length.

    Attributes
    ----------
    part_index : ndarray [shape=(notes,)]
    onset_s : ndarray [shape=(notes,)], float64
    absence : ndarray [shape=(notes,)], float64
        Logarithm of how much likelier all that is heard is without the note than with it; NaN where unknown.
    left_out : ndarray [shape=(notes,)], float64
        Probability that the note's part leaves it out.
    unsteadiness : ndarray [shape=(notes,)], float64
        Of the tempo at the note, from `unsteadiness`.
    """

    part_index: NDArray[np.int32]
    onset_s: NDArray[np.float64]
    absence: NDArray[np.float64]
    left_out: NDArray[np.float64]
    unsteadiness: NDArray[np.float64]


def note_confidence(evidence: NoteEvidence, match_probability: float) -> NDArray[np.float64]:
    """Return how likely each note lies where it was found, shape (notes,), float64.

    Parameters
    ----------
    evidence : NoteEvidence
    match_probability : float
        That score and recording belong together: notes of a strange score are found by chance.
    """
    if not len(evidence.onset_s):
        return np.zeros(0)
    known = np.isfinite(evidence.absence)
    presence = np.clip(-np.where(known, evidence.absence, 0.0), *CONFIDENCE.presence_range)
    presence_known = np.stack([presence * known, known.astype(np.float64)])
    cell = np.rint((evidence.onset_s - evidence.onset_s.min()) / CONFIDENCE.grid_s).astype(np.int64)
    beside = _means_around(cell, presence_known, CONFIDENCE.beside_s)
    of_part = np.empty(len(cell))
    for part in np.unique(evidence.part_index):
        mine = evidence.part_index == part
        of_part[mine] = _means_around(cell[mine], presence_known[:, mine], CONFIDENCE.around_s)
    left_out = np.clip(evidence.left_out, 0.0, 1.0)
    score = (
        CONFIDENCE.own * np.where(known, presence, beside)
        + CONFIDENCE.beside * beside
        + CONFIDENCE.around * _means_around(cell, presence_known, CONFIDENCE.around_s)
        + CONFIDENCE.around_of_part * of_part
        + CONFIDENCE.unsteady * np.minimum(evidence.unsteadiness, CONFIDENCE.most_unsteady)
        + CONFIDENCE.left_out * np.log((left_out + CONFIDENCE.least_doubt) / (1 - left_out + CONFIDENCE.least_doubt))
        + CONFIDENCE.intercept
    )
    return np.asarray(match_probability * expit(score))


def _means_around(cell: NDArray[np.int64], values_weights: NDArray[np.float64], around_s: float) -> NDArray[np.float64]:
    """Return for every note the mean of values of the notes around it, weighted by their distance, shape (notes,)."""
    first = cell.min()
    both = [np.bincount(cell - first, weights=column) for column in values_weights]
    total, weight = (gaussian_filter1d(column, around_s / CONFIDENCE.grid_s, mode="constant") for column in both)
    return np.asarray((total / np.maximum(weight, 1e-9))[cell - first])


def unsteadiness(
    event_s: NDArray[np.float64], nominal_s: NDArray[np.float64], quarter: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far the tempo at every event is from that around it, as a logarithm: 0.7 is twice or half of it.

    Parameters
    ----------
    event_s, nominal_s, quarter : ndarray [shape=(events,)], float64
        When the events happen, when they would at the marked tempo, and where in the score they stand; rising.
    """
    if len(event_s) < 3:
        return np.zeros(len(event_s))
    length = np.diff(quarter)
    slowness = np.log(np.maximum(np.diff(event_s), 1e-3) / np.maximum(np.diff(nominal_s), 1e-6))
    total, weight = (gaussian_filter1d(v, CONFIDENCE.steady_events) for v in (slowness * length, length))
    off = np.abs(slowness - total / np.maximum(weight, 1e-9))
    return np.asarray(np.maximum(np.append(off, 0.0), np.append(0.0, off)))
