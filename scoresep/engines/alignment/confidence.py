"""How sure an alignment is, note by note and as a whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.score_events import HARMONIC_DECAY, ScoreEvents
from scoresep.engines.features import PitchScale
from scoresep.model.score import UnfoldedScore


def note_confidence(
    unfolded: UnfoldedScore,
    events: ScoreEvents,
    heard: NDArray[np.float32],
    scale: PitchScale,
    semitones: int,
    onset_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Compare what is heard in the harmonics of a note after its onset with what is heard there on the average."""
    frames = np.rint((onset_s[:, None] + np.array([0.04, 0.08, 0.12])) * scale.frame_rate_hz).astype(np.int64)
    frames = np.clip(frames, 0, len(heard) - 1)
    midi = np.nan_to_num(unfolded.notes.pitch_midi, nan=60.0) + semitones
    common = heard.mean(axis=0)
    found, average = np.zeros(len(midi)), np.full(len(midi), 1e-6)
    for number in range(1, 6):
        index = np.rint(midi + 12 * np.log2(number)).astype(np.int64) - scale.lowest_midi
        inside = (index >= 0) & (index < scale.bins)
        index = np.clip(index, 0, scale.bins - 1)
        weight = np.where(inside, HARMONIC_DECAY ** ((number - 1) / 2), 0.0)
        found += weight * heard[frames, index[:, None]].mean(axis=1)
        average += weight * common[index]
    ratio = np.log2(np.maximum(found, 1e-6) / average)
    return np.asarray(1 / (1 + np.exp(-2.0 * (ratio - 0.3))))


def belonging(confidence: NDArray[np.float64]) -> float:
    """Return how sure it is that score and recording belong together, from the confidence of all notes."""
    return float(confidence.mean()) if len(confidence) else 0.0
