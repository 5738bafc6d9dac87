"""Where single notes begin: a rise of power in the note's own harmonics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.features import PitchScale, compressed, reference_power

HARMONICS = 8


def rises(spectrum: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how steeply every semitone rises, relative to how steeply it commonly does, shape as `spectrum`.

    Parameters
    ----------
    spectrum : ndarray [shape=(frames, bins)], float32
        Power.
    """
    level = compressed(spectrum, reference_power(spectrum))
    rise = np.zeros_like(level)
    rise[1:-1] = np.maximum(level[2:] - level[:-2], 0)
    return rise / np.float32(np.sqrt((rise**2).mean()) + 1e-6)


def onset_evidence(
    rise: NDArray[np.float32], scale: PitchScale, pitch_midi: NDArray[np.float64], candidate_s: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Say how much every candidate looks like the beginning of a note.

    Parameters
    ----------
    rise : ndarray [shape=(frames, bins)], float32
        From `rises`, on `scale`.
    scale : PitchScale
    pitch_midi : ndarray [shape=(notes,)], float64
        As they sound in the recording; NaN for unpitched notes, whose beginning is a rise of everything.
    candidate_s : ndarray [shape=(notes, candidates)], float64

    Returns
    -------
    evidence : ndarray [shape=(notes, candidates)], float32
    """
    frame = np.clip(np.rint(candidate_s * scale.frame_rate_hz), 0, len(rise) - 1).astype(np.int64)
    evidence = np.zeros(frame.shape, np.float32)
    weight_sum = np.zeros((len(frame), 1), np.float32)
    is_pitched = np.isfinite(pitch_midi)
    midi = np.where(is_pitched, pitch_midi, scale.lowest_midi)
    for number in range(1, HARMONICS + 1):
        bin_index = np.rint(midi + 12 * np.log2(number)).astype(np.int64) - scale.lowest_midi
        inside = (bin_index >= 0) & (bin_index < scale.bins) & is_pitched
        weight = np.where(inside, 1 / np.sqrt(number), 0.0).astype(np.float32)[:, None]
        evidence += weight * np.minimum(rise[frame, np.clip(bin_index, 0, scale.bins - 1)[:, None]], 4)
        weight_sum += weight
    overall = rise.mean(axis=1)
    evidence = evidence / np.maximum(weight_sum, 1e-6)
    evidence[~is_pitched] = overall[frame[~is_pitched]] * 2
    return evidence
