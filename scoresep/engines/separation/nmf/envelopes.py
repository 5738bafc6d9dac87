"""What the pitches of a part have in common by frequency, as bodies, bores and throats give it to them.

The other way to know a partial from those of other pitches is by its number (`templates.neighbour_weights`): a
clarinet's even partials are weak at every pitch, a singer's vowel is strong at the same frequencies for all pitches.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scoresep.engines.separation.activity import Pitches

TINY = 1e-9
LOWEST_MIDI = 20.0
BINS = 130  # semitones
WIDTH_SEMITONES = 2.0


class Envelopes:
    """One smooth envelope over frequency for each stem, and what it says of every partial.

    It is computed on the CPU: there is little of it, and sums come out the same every time there.

    Parameters
    ----------
    pitches : Pitches
    stem_count, partials : int
    """

    def __init__(self, pitches: Pitches, stem_count: int, partials: int) -> None:
        number = np.arange(1, partials + 1)
        at = np.clip(pitches.midi[:, None] + 12.0 * np.log2(number) - LOWEST_MIDI, 0.0, BINS - 1.001)
        low = np.floor(at).astype(np.int64)
        self._low = torch.from_numpy(low + BINS * pitches.stem[:, None])
        self._part = torch.from_numpy((at - low).astype(np.float32))
        self._size = BINS * stem_count
        # loudness of a partial = loudness per hertz times the distance of partials
        self._spacing = torch.from_numpy(2.0 ** ((pitches.midi[:, None] - 69.0) / 12.0)).float()
        apart = np.arange(BINS)[:, None] - np.arange(BINS)
        smooth = np.exp(-0.5 * (apart / WIDTH_SEMITONES) ** 2)
        self._smooth = torch.from_numpy((smooth / smooth.sum(1, keepdims=True)).astype(np.float32))

    def shared(self, heard: Tensor, exposure: Tensor) -> Tensor:
        """Return what the envelopes say of the partials, shape (pitches, partials).

        Parameters
        ----------
        heard, exposure : Tensor [shape=(pitches, partials)], float32
            How loud every partial was, and how much of its pitch there was; their ratio is its share.
        """
        device, heard, exposure = heard.device, heard.cpu(), exposure.cpu()
        density = self._gathered(heard / self._spacing) / (self._gathered(exposure * (heard > 0)) + TINY)
        flat = density.reshape(-1)
        at_partials = (1.0 - self._part) * flat[self._low] + self._part * flat[self._low + 1]
        return (at_partials * self._spacing * (heard > 0)).to(device)

    def _gathered(self, values: Tensor) -> Tensor:
        total = values.new_zeros(self._size)
        total.index_add_(0, self._low.reshape(-1), (values * (1.0 - self._part)).reshape(-1))
        total.index_add_(0, self._low.reshape(-1) + 1, (values * self._part).reshape(-1))
        return total.reshape(-1, BINS) @ self._smooth
