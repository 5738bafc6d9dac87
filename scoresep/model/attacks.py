"""Where a sound begins, near a place that a person points at: for points that snap to onsets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# What comes after is held against what was before over this time: longer than a period of most notes.
WINDOW_S = 0.012
# By how much the sound has to grow within it to count as an attack.
LEAST_RISE_DB = 6.0
# Sounds this far below the loudest nearby are nothing.
FLOOR_DB = -50.0


def attack_near(samples: NDArray[np.float32], sample_rate: int, place: int, radius: int) -> int | None:
    """Return where the sound rises most within `radius` of `place`; None where it does not rise enough.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        To be at least `WINDOW_S` longer on both sides than what is searched.
    sample_rate : int
    place, radius : int
        In frames of `samples`.
    """
    window = max(round(WINDOW_S * sample_rate), 2)
    # the difference of samples counts high frequencies more, in which attacks stand out
    power = np.square(np.diff(samples.astype(np.float64), axis=1)).sum(axis=0)
    first, last = max(place - radius, window), min(place + radius, len(power) - window)
    if last < first or not len(power):
        return None
    total = np.concatenate([[0.0], np.cumsum(power)])
    at = np.arange(first, last + 1)
    before, after = total[at] - total[at - window], total[at + window] - total[at]
    floor = max(float(after.max()), float(before.max())) * 10 ** (FLOOR_DB / 10) + 1e-30
    rise_db = 10 * np.log10((after + floor) / (before + floor))
    best = int(np.argmax(rise_db))
    return int(at[best]) if rise_db[best] >= LEAST_RISE_DB else None
