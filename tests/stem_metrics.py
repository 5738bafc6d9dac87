"""How good stems are, where the true ones are known: for tests and benchmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FLOOR_DB = -30.0  # what is lost counts as this, so that means stay meaningful


def si_sdr_db(estimate: ArrayLike, target: ArrayLike) -> float:
    """Return the scale-invariant signal-to-distortion ratio, all channels taken as one signal.

    Parameters
    ----------
    estimate, target : array_like [shape=(channels, frames) or (frames,)]

    Returns
    -------
    ratio_db : float
        Not below `FLOOR_DB`; infinite for an estimate without any error.

    References
    ----------
    J. Le Roux, S. Wisdom, H. Erdogan, J. R. Hershey, "SDR – half-baked or well done?", ICASSP 2019,
    doi:10.1109/ICASSP.2019.8683855.
    """
    e, t = _flat(estimate, target)
    energy = float(t @ t)
    if energy == 0.0:
        raise ValueError("the target is silent: nothing can be scaled to it")
    scaled = (float(e @ t) / energy) * t
    return _ratio_db(scaled, e - scaled)


def sdr_db(estimate: ArrayLike, target: ArrayLike) -> float:
    """Return the signal-to-distortion ratio without any allowance, not below `FLOOR_DB`."""
    e, t = _flat(estimate, target)
    return _ratio_db(t, e - t)


def sum_error_db(stems: ArrayLike, recording: ArrayLike) -> float:
    """Return how far stems and residual together miss the recording, relative to its energy.

    Parameters
    ----------
    stems : array_like [shape=(stems + 1, channels, frames)]
    recording : array_like [shape=(channels, frames)]
    """
    total = np.asarray(stems, np.float64).sum(0)
    t = np.asarray(recording, np.float64)
    return float(10 * np.log10((((total - t) ** 2).mean() + 1e-300) / ((t**2).mean() + 1e-20) + 1e-20))


def _flat(estimate: ArrayLike, target: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    e, t = np.asarray(estimate, np.float64), np.asarray(target, np.float64)
    if e.shape != t.shape:
        raise ValueError(f"the estimate has the shape {e.shape}, the target {t.shape}")
    return e.ravel(), t.ravel()


def _ratio_db(signal: NDArray[np.float64], error: NDArray[np.float64]) -> float:
    wanted, missed = float(signal @ signal), float(error @ error)
    if missed == 0.0:
        return np.inf if wanted > 0.0 else FLOOR_DB
    if wanted == 0.0:
        return FLOOR_DB
    return max(FLOOR_DB, 10.0 * float(np.log10(wanted / missed)))
