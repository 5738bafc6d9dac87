"""How sure an alignment is, note by note and as a whole.

The figures were fitted to renderings of scores whose note times are known, aligned with their own and with other
scores: of the notes of confidence c about the share c lies within 50 ms of the truth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit

# The fit at which score and recording as likely belong together as not, and how far around that it is unsure.
EVEN_FIT, FIT_WIDTH = 0.12, 0.02
AROUND_S = 1.5
GRID_S = 0.1


def belonging(fit: float) -> float:
    """Return how sure it is that score and recording belong together, 0 to 1, from the fit of the coarse path."""
    return float(expit((fit - EVEN_FIT) / FIT_WIDTH))


def note_confidence(onset_s: NDArray[np.float64], absence: NDArray[np.float64], fit: float) -> NDArray[np.float64]:
    """Return how likely the onset of each note is right.

    Parameters
    ----------
    onset_s : ndarray [shape=(notes,)], float64
    absence : ndarray [shape=(notes,)], float64
        Logarithm of how much likelier all that is heard is without the note than with it; NaN where unknown.
    fit : float
        Of the coarse path.

    Returns
    -------
    confidence : ndarray [shape=(notes,)], float64
    """
    if not len(onset_s):
        return np.zeros(0)
    known = np.isfinite(absence)
    cell = np.rint((onset_s - onset_s.min()) / GRID_S).astype(np.int64)
    presence = np.clip(-np.where(known, absence, 0.0), -4, 7)
    sums = np.bincount(cell, weights=presence * known)
    counts = np.bincount(cell, weights=known.astype(np.float64))
    sums, counts = (gaussian_filter1d(values, AROUND_S / GRID_S, mode="constant") for values in (sums, counts))
    around = (sums / np.maximum(counts, 1e-9))[cell]
    score = 0.08 * np.where(known, presence, around) + 1.6 * around + 16 * np.clip(fit, -0.05, 0.2) - 6.8
    return np.asarray(expit(score))
