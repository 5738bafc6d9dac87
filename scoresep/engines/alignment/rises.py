"""A first guess of where notes begin: a rise of power in their harmonics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.note_patches import HeardLevels
from scoresep.engines.features import ONSET_SCALE

HARMONICS = 8


def onset_rises(
    heard: HeardLevels, pitch_midi: NDArray[np.float64], candidate_s: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Say how much every candidate looks like the beginning of a note.

    Parameters
    ----------
    heard : HeardLevels
    pitch_midi : ndarray [shape=(notes,)], float64
        As they sound in the recording; NaN for unpitched notes, whose beginning is a rise of everything.
    candidate_s : ndarray [shape=(notes, candidates)], float64

    Returns
    -------
    evidence : ndarray [shape=(notes, candidates)], float32
        About 0 to 4.
    """
    scale, last = ONSET_SCALE, len(heard.onset) - 2
    frame = np.clip(np.rint(candidate_s * scale.frame_rate_hz), 1, max(last, 1)).astype(np.int64)
    before, after = np.maximum(frame - 1, 0), np.minimum(frame + 1, last + 1)
    is_pitched = np.isfinite(pitch_midi)
    midi = np.where(is_pitched, pitch_midi, scale.lowest_midi)
    evidence, weight_sum = np.zeros(frame.shape, np.float32), np.zeros((len(frame), 1), np.float32)
    for number in range(1, HARMONICS + 1):
        bins = np.rint(midi + 12 * np.log2(number)).astype(np.int64) - scale.lowest_midi
        inside = (bins >= 0) & (bins < scale.bins) & is_pitched
        bins = np.clip(bins, 0, scale.bins - 1)[:, None]
        weight = np.where(inside, 1 / np.sqrt(number), 0.0).astype(np.float32)[:, None]
        floor = np.float16(-1.5)  # 30 dB below the loud passages: noise rises and falls all the time
        rise = np.maximum(heard.onset[after, bins], floor) - np.maximum(heard.onset[before, bins], floor)
        evidence += weight * np.clip(rise * np.float32(10), 0, 4)
        weight_sum += weight
    evidence /= np.maximum(weight_sum, 1e-6)
    evidence[~is_pitched] = np.minimum(heard.overall[:, 1][frame[~is_pitched]] * 20, 4)
    return evidence
