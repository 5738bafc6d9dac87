"""How well what is heard fits what should be heard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.features import compressed, levels_db, reference_power

# Below this level (dB relative to the mean of the louder frames) a frame counts more and more as silence.
QUIET_DB = -35.0
SILENT_DB = -50.0


def heard_vectors(spectrum: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn power spectra into unit vectors that can be compared with `expected_vectors`.

    Parameters
    ----------
    spectrum : ndarray [shape=(frames, bins)], float32

    Returns
    -------
    vectors : ndarray [shape=(frames, bins + 1)], float32
        Compressed power, what is even in it taken off; the last column is silence.
    """
    silence = np.clip((QUIET_DB - levels_db(spectrum)) / (QUIET_DB - SILENT_DB), 0.0, 1.0)
    return _with_silence(_peaky(compressed(spectrum, reference_power(spectrum))), silence)


def expected_vectors(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn expected power spectra into unit vectors, shape (stretches, bins + 1); rests are silence."""
    is_rest = power.max(axis=1, initial=0.0) <= 0.02
    return _with_silence(_peaky(compressed(power, 1.0, 30.0)), is_rest.astype(np.float32))


def _peaky(values: NDArray[np.float32], width: int = 9) -> NDArray[np.float32]:
    """Take off the mean over the neighbouring semitones and what is then below zero: noise goes, tones stay."""
    sums = np.cumsum(np.pad(values, ((0, 0), (width // 2 + 1, width // 2)), mode="edge"), axis=1, dtype=np.float32)
    return np.maximum(values - (sums[:, width:] - sums[:, :-width]) / width, 0)


def _with_silence(values: NDArray[np.float32], silence: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.sqrt((values**2).sum(axis=1, keepdims=True))
    unit = values / np.maximum(length, 1e-9) * np.sqrt(1 - silence[:, None] ** 2)
    return np.concatenate([unit, silence[:, None]], axis=1).astype(np.float32)


def averaged(vectors: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Average `factor` neighbouring frames to unit vectors, shape (ceil(frames / factor), columns)."""
    if factor == 1:
        return vectors
    padded = np.pad(vectors, ((0, -len(vectors) % factor), (0, 0)), mode="edge")
    mean = padded.reshape(-1, factor, vectors.shape[1]).mean(axis=1)
    return np.asarray(mean / np.maximum(np.sqrt((mean**2).sum(axis=1, keepdims=True)), 1e-9), np.float32)
