"""A textbook score-informed NMF: what anybody gets in an afternoon, to compare with.

References
----------
S. Ewert, B. Pardo, M. Müller, M. D. Plumbley, "Score-informed source separation for musical audio recordings", IEEE
Signal Processing Magazine 31(3), 2014, doi:10.1109/MSP.2013.2296076.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import istft, stft

from scoresep.model.alignment import SoundingNotes

WINDOW, HOP = 4096, 1024
ROUNDS, PARTIALS, TOLERANCE_S, TINY = 40, 25, 0.1, 1e-9


def textbook_nmf(samples: NDArray[np.float32], rate: int, notes: SoundingNotes) -> NDArray[np.float32]:
    """Separate a recording, shape (channels, frames) to (stems, channels, frames); every channel by the same masks."""
    spectra = np.stack([stft(c, nperseg=WINDOW, noverlap=WINDOW - HOP)[2] for c in samples])
    magnitude = np.abs(spectra).mean(0)
    keys = np.stack([notes.stem_index, np.nan_to_num(notes.pitch_midi, nan=60.0)], 1)
    rows, row_of = np.unique(keys, axis=0, return_inverse=True)
    row_of = row_of.reshape(-1)
    sounds = np.stack([_comb(440 * 2 ** ((midi - 69) / 12), magnitude.shape[0], rate) for _, midi in rows], 1)
    loudness = np.zeros((len(rows), magnitude.shape[1]))
    for row, onset, offset in zip(row_of, notes.onset_frame, notes.offset_frame, strict=True):
        low, high = onset - TOLERANCE_S * rate, offset + TOLERANCE_S * rate
        loudness[row, max(int(low / HOP), 0) : int(high / HOP) + 1] = 1.0
    for _ in range(ROUNDS):
        ratio = magnitude / (sounds @ loudness + TINY)
        loudness *= (sounds.T @ ratio) / (sounds.sum(0)[:, None] + TINY)
        ratio = magnitude / (sounds @ loudness + TINY)
        sounds *= (ratio @ loudness.T) / (loudness.sum(1) + TINY)
    stems = np.zeros((notes.stem_count, *samples.shape), np.float32)
    powers = np.stack([(sounds[:, m] @ loudness[m]) ** 2 for m in (rows[:, 0] == s for s in range(notes.stem_count))])
    masks = powers / (powers.sum(0) + TINY)
    for stem, mask in zip(stems, masks, strict=True):
        for channel, spectrum in zip(stem, spectra, strict=True):
            made = istft(mask * spectrum, nperseg=WINDOW, noverlap=WINDOW - HOP)[1][: samples.shape[1]]
            channel[: len(made)] = made
    return stems


def _comb(f0_hz: float, bins: int, rate: int) -> NDArray[np.float64]:
    """Return a first guess of a tone: partials that fall with their number, as wide as a semitone."""
    comb, bin_hz = np.zeros(bins), rate / WINDOW
    for number in range(1, PARTIALS + 1):
        low, high = number * f0_hz * 2 ** (-1 / 24), number * f0_hz * 2 ** (1 / 24)
        comb[int(low / bin_hz) : int(np.ceil(high / bin_hz)) + 1] += 1.0 / number
    return comb + TINY
