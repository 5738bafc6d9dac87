"""What is heard around the onset of each note: the patches that `onset_network` judges.

A patch follows the note's own harmonics through time, beside what the other notes of the score should sound like there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.score_events import harmonic_profiles
from scoresep.engines.features import ONSET_SCALE, TONAL_SCALE, reference_power
from scoresep.engines.side_by_side import product

HALF_WIDTH = 50  # frames of ONSET_SCALE on either side of the middle of a patch
FRAMES = 2 * HALF_WIDTH + 1
HARMONICS = 8
CHANNELS = 4 * HARMONICS + 4
FLOOR_DB, DB_SCALE = -70.0, 20.0


@dataclass(frozen=True, eq=False)
class HeardLevels:
    """Levels of a recording in dB relative to its loud passages, divided by `DB_SCALE`.

    Attributes
    ----------
    onset : ndarray [shape=(frames, bins)], float16
        On `ONSET_SCALE`.
    tonal : ndarray [shape=(frames, bins)], float16
        On `TONAL_SCALE`.
    overall : ndarray [shape=(frames, 2)], float32
        On `ONSET_SCALE`: the level of everything, and how much everything rises.
    """

    onset: NDArray[np.float16]
    tonal: NDArray[np.float16]
    overall: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PlacedNotes:
    """Notes as they lie at present.

    Attributes
    ----------
    pitch_midi : ndarray [shape=(notes,)], int64
        As they sound in the recording, 0 to 127.
    onset_s, end_s : ndarray [shape=(notes,)], float64
    """

    pitch_midi: NDArray[np.int64]
    onset_s: NDArray[np.float64]
    end_s: NDArray[np.float64]


def heard_levels(onset: NDArray[np.float32], tonal: NDArray[np.float32]) -> HeardLevels:
    """Convert power spectra on `ONSET_SCALE` and `TONAL_SCALE` to levels."""
    onset_level, tonal_level = _levels(onset), _levels(tonal)
    overall = np.empty((len(onset), 2), np.float32)
    total = 10 * np.log10(onset.sum(axis=1) / max(reference_power(onset) * onset.shape[1], 1e-30) + 1e-12)
    overall[:, 0] = np.maximum(total, FLOOR_DB) / DB_SCALE
    overall[:, 1] = 0
    for first in range(1, len(onset) - 1, 20_000):
        rows = slice(first, min(first + 20_000, len(onset) - 1))
        after = onset_level[first + 1 : rows.stop + 1].astype(np.float32)
        overall[rows, 1] = np.maximum(after - onset_level[first - 1 : rows.stop - 1], 0).mean(axis=1)
    return HeardLevels(onset_level, tonal_level, overall)


def _levels(power: NDArray[np.float32]) -> NDArray[np.float16]:
    reference = max(reference_power(power), 1e-30)
    levels = np.empty(power.shape, np.float16)
    for first in range(0, len(power), 20_000):
        rows = slice(first, first + 20_000)
        levels[rows] = np.maximum(10 * np.log10(power[rows] / reference + 1e-12), FLOOR_DB) / DB_SCALE
    return levels


def patches(
    heard: HeardLevels, notes: PlacedNotes, which: NDArray[np.int64], shift_s: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float32]:
    """Cut the patches of some notes, in the middle of which lie their present onsets.

    Parameters
    ----------
    heard : HeardLevels
    notes : PlacedNotes
        All notes of the score.
    which : ndarray [shape=(n,)], int64
        Those whose patches are wanted; they should lie close together in time.
    shift_s : float or ndarray [shape=(n,)], float64
        How far the middle of a patch lies behind the present onset.

    Returns
    -------
    patches : ndarray [shape=(n, FRAMES, CHANNELS)], float32
    """
    rate = ONSET_SCALE.frame_rate_hz
    centre = np.rint((notes.onset_s[which] + shift_s) * rate).astype(np.int64)
    wanted = centre[:, None] + np.arange(-HALF_WIDTH, HALF_WIDTH + 1)
    last = len(heard.onset) - 1
    frame = np.clip(wanted, 0, last)
    tonal_frame = np.minimum(np.rint(frame * TONAL_SCALE.frame_rate_hz / rate).astype(np.int64), len(heard.tonal) - 1)
    number = np.arange(1, HARMONICS + 1)
    bins = notes.pitch_midi[which, None] + np.rint(12 * np.log2(number)).astype(np.int64) - ONSET_SCALE.lowest_midi
    inside = ((bins >= 0) & (bins < ONSET_SCALE.bins))[:, None, :]
    bins = np.clip(bins, 0, ONSET_SCALE.bins - 1)[:, None, :]
    below, above = np.maximum(bins - 2, 0), np.minimum(bins + 2, ONSET_SCALE.bins - 1)
    out = np.empty((len(which), FRAMES, CHANNELS), np.float32)
    floor = np.float32(FLOOR_DB / DB_SCALE)
    out[..., :HARMONICS] = np.where(inside, heard.onset[frame[..., None], bins], floor)
    out[..., HARMONICS : 2 * HARMONICS] = np.where(inside, heard.tonal[tonal_frame[..., None], bins], floor)
    around = np.maximum(heard.onset[frame[..., None], below], heard.onset[frame[..., None], above])
    out[..., 2 * HARMONICS : 3 * HARMONICS] = np.where(inside, around, floor)
    others = _others(notes, which, centre, bins)
    out[..., 3 * HARMONICS : 4 * HARMONICS] = np.where(inside, others, 0)
    out[..., -4:-2] = heard.overall[frame]
    out[..., -2] = (notes.pitch_midi[which, None] - 60) / 24
    out[..., -1] = np.log2(np.maximum(notes.end_s - notes.onset_s, 0.03))[which, None] / 3
    beyond = (wanted < 0) | (wanted > last)
    out[..., : 3 * HARMONICS][beyond] = floor
    out[..., -4][beyond], out[..., -3][beyond] = floor, 0
    return out


def _others(
    notes: PlacedNotes, which: NDArray[np.int64], centre: NDArray[np.int64], bins: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return what the other notes should sound like in the bins (n, 1, HARMONICS), shape (n, FRAMES, HARMONICS)."""
    first, last = int(centre.min()) - HALF_WIDTH, int(centre.max()) + HALF_WIDTH + 1
    start = np.rint(notes.onset_s * ONSET_SCALE.frame_rate_hz).astype(np.int64)
    stop = np.maximum(np.rint(notes.end_s * ONSET_SCALE.frame_rate_hz).astype(np.int64), start + 1)
    near = np.flatnonzero((stop > first) & (start < last))
    changes = np.zeros((last - first + 1, 128), np.float32)
    np.add.at(changes, (np.maximum(start[near] - first, 0), notes.pitch_midi[near]), 1)
    np.add.at(changes, (np.minimum(stop[near], last) - first, notes.pitch_midi[near]), -1)
    profiles = harmonic_profiles(ONSET_SCALE).astype(np.float32)
    power = product(np.cumsum(changes, axis=0)[:-1], profiles)
    frame = centre[:, None] - first + np.arange(-HALF_WIDTH, HALF_WIDTH + 1)
    is_own = (frame >= (start[which] - first)[:, None]) & (frame < (stop[which] - first)[:, None])
    own = profiles[notes.pitch_midi[which, None, None], bins] * is_own[..., None]
    return np.asarray(np.log1p(10 * np.maximum(power[frame[..., None], bins] - own, 0)), np.float32)
