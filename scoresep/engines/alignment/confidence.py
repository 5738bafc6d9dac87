"""How sure an alignment is, note by note: probabilities, as `model.confidence` has it.

The figures were fitted to renderings of scores whose note times are known: played as written; with passages of a part
left out, held on, late, early; with stretches of the recording cut out, put in, or played backwards. Of the notes of
confidence c about the share c lies within 50 ms of the truth; `tests/benchmarks/alignment.py` measures it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit

# How the evidence is weighed: the note's own presence, that of all notes at its time and around it, that of the notes
# of its part around it, how unsteady the tempo is there, how likely its part leaves it out.
OWN, BESIDE, AROUND, AROUND_OF_PART, UNSTEADY, LEFT_OUT, CONSTANT = 0.09, 0.55, 0.18, 0.41, -4.2, -0.68, -4.9
LEAST_PRESENCE, MOST_PRESENCE = -4.0, 7.0
BESIDE_S, AROUND_S = 0.4, 1.5
GRID_S = 0.1
# The tempo is held against that of so many events around; beyond a factor of two more does not tell more.
STEADY_EVENTS, MOST_UNSTEADY = 4.0, 0.7
LEAST_DOUBT = 0.002


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


def note_confidence(evidence: NoteEvidence, belonging: float) -> NDArray[np.float64]:
    """Return how likely each note lies where it was found, shape (notes,), float64.

    Parameters
    ----------
    evidence : NoteEvidence
    belonging : float
        How sure it is that score and recording belong together: notes of a strange score are found by chance.
    """
    if not len(evidence.onset_s):
        return np.zeros(0)
    known = np.isfinite(evidence.absence)
    presence = np.clip(-np.where(known, evidence.absence, 0.0), LEAST_PRESENCE, MOST_PRESENCE)
    presence_known = np.stack([presence * known, known.astype(np.float64)])
    cell = np.rint((evidence.onset_s - evidence.onset_s.min()) / GRID_S).astype(np.int64)
    beside = _means_around(cell, presence_known, BESIDE_S)
    of_part = np.empty(len(cell))
    for part in np.unique(evidence.part_index):
        mine = evidence.part_index == part
        of_part[mine] = _means_around(cell[mine], presence_known[:, mine], AROUND_S)
    left_out = np.clip(evidence.left_out, 0.0, 1.0)
    score = (
        OWN * np.where(known, presence, beside)
        + BESIDE * beside
        + AROUND * _means_around(cell, presence_known, AROUND_S)
        + AROUND_OF_PART * of_part
        + UNSTEADY * np.minimum(evidence.unsteadiness, MOST_UNSTEADY)
        + LEFT_OUT * np.log((left_out + LEAST_DOUBT) / (1 - left_out + LEAST_DOUBT))
        + CONSTANT
    )
    return np.asarray(belonging * expit(score))


def _means_around(cell: NDArray[np.int64], values_weights: NDArray[np.float64], around_s: float) -> NDArray[np.float64]:
    """Return for every note the mean of values of the notes around it, weighted by their distance, shape (notes,)."""
    first = cell.min()
    both = [np.bincount(cell - first, weights=column) for column in values_weights]
    total, weight = (gaussian_filter1d(column, around_s / GRID_S, mode="constant") for column in both)
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
    total, weight = (gaussian_filter1d(v, STEADY_EVENTS) for v in (slowness * length, length))
    off = np.abs(slowness - total / np.maximum(weight, 1e-9))
    return np.asarray(np.maximum(np.append(off, 0.0), np.append(0.0, off)))
