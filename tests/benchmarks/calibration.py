"""Whether a stated confidence means what it says: curves, expected calibration error, and what "doubtful" finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True, eq=False)
class Curve:
    """Stated confidence against the share that is right, in `BINS` equal bins; empty bins are NaN.

    Attributes
    ----------
    stated, right : ndarray [shape=(BINS,)], float64
        Means of the bin.
    count : ndarray [shape=(BINS,)], int64
    """

    stated: NDArray[np.float64]
    right: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean distance of stated and right, bins weighted by their counts.

        References
        ----------
        M. P. Naeini, G. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI
        2015
        """
        some = self.count > 0
        distance = np.abs(self.stated[some] - self.right[some])
        return float((distance * self.count[some]).sum() / max(self.count.sum(), 1))


def curve(stated: NDArray[np.float64], right: NDArray[np.float64]) -> Curve:
    """Gather confidences, 0 to 1, and how right (0 to 1) each of them was."""
    cell = np.clip((stated * BINS).astype(np.int64), 0, BINS - 1)
    count = np.bincount(cell, minlength=BINS)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [np.bincount(cell, weights=v, minlength=BINS) / count for v in (stated, right)]
    return Curve(means[0], means[1], count)


@dataclass(frozen=True)
class Doubtful:
    """What is called doubtful, held against what is wrong.

    Attributes
    ----------
    share : float
        Of what is called doubtful among all.
    wrong : float
        Share that is wrong among all.
    precision, recall : float
        Of "doubtful" for "wrong"; NaN where nothing is doubtful, or wrong.
    """

    share: float
    wrong: float
    precision: float
    recall: float


def doubtful(stated: NDArray[np.float64], is_wrong: NDArray[np.bool_], threshold: float) -> Doubtful:
    """Call doubtful what is stated below a threshold."""
    called = stated < threshold
    both = int((called & is_wrong).sum())
    return Doubtful(
        float(called.mean()) if len(called) else 0.0,
        float(is_wrong.mean()) if len(called) else 0.0,
        both / called.sum() if called.any() else float("nan"),
        both / is_wrong.sum() if is_wrong.any() else float("nan"),
    )


def means_of_stretches(values: NDArray[np.float64], stretch: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean of the values of every stretch that has some."""
    count = np.bincount(stretch)
    total = np.bincount(stretch, weights=values)
    return np.asarray(total[count > 0] / count[count > 0])
