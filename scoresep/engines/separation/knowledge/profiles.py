"""How loud the partials of every part are, by pitch: the means of what was heard, from which the network starts.

A partial counts for what is the part's own of it, so that what was shared with others says little.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SEMITONES = 128
LIKE_SEMITONES = 3.0  # pitches so near sound alike
FAR_WEIGHT = 0.03  # how much those further away are listened to
FLOOR = -2.5  # of a profile, in levels


class ProfileSum:
    """Gathers profiles from stems.

    Parameters
    ----------
    stems, harmonics : int
    """

    def __init__(self, stems: int, harmonics: int) -> None:
        self._heard = np.zeros((stems, SEMITONES, harmonics))
        self._weight = np.full((stems, SEMITONES, harmonics), 1e-9)

    def add(self, stem: int, f0_hz: Tensor, level: Tensor, own: Tensor) -> None:
        """Add a voice.

        Parameters
        ----------
        stem : int
        f0_hz : Tensor [shape=(windows,)], float32
            0 where it is silent.
        level : Tensor [shape=(windows, harmonics)], float32
            Of its partials, against that of all of them together.
        own : Tensor [shape=(windows, harmonics)], float32
            How much of the mixture's power at a partial is the part's, 0 to 1.
        """
        on = f0_hz > 0
        key = nearest_semitone(f0_hz[on]).cpu().numpy()
        weight = own[on].cpu().double().numpy() ** 2
        np.add.at(self._heard[stem], key, weight * level[on].cpu().double().clamp(min=FLOOR).numpy())
        np.add.at(self._weight[stem], key, weight)

    def profiles(self) -> NDArray[np.float32]:
        """Return levels of partials for every stem and semitone, shape (stems, SEMITONES, harmonics)."""
        apart = np.abs(np.arange(SEMITONES)[:, None] - np.arange(SEMITONES))
        like = np.exp(-0.5 * (apart / LIKE_SEMITONES) ** 2) + FAR_WEIGHT * np.exp(-apart / 12.0)
        heard = np.einsum("ab,sbh->sah", like, self._heard)
        weight = np.einsum("ab,sbh->sah", like, self._weight)
        # where nothing was heard, partials fall with their number
        number = np.arange(1, self._heard.shape[2] + 1)
        guess = np.maximum(-0.5 * np.log(number), FLOOR)
        result: NDArray[np.float32] = ((heard + 0.1 * guess) / (weight + 0.1)).astype(np.float32)
        return result


def nearest_semitone(f0_hz: Tensor) -> Tensor:
    """Return the MIDI number of the nearest semitone."""
    midi = 69.0 + 12.0 * torch.log2(f0_hz.clamp(min=1.0) / 440.0)
    return midi.round().long().clamp(0, SEMITONES - 1)
