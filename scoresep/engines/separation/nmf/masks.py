"""From loudnesses to stems: how much of every bin of the recording belongs to which stem.

Every channel has its own Wiener mask, from the model's magnitudes and the gains of the stems in that channel.
What hears two channels at once is in `spatial`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from scoresep.engines.separation.nmf.dictionary import TINY, Dictionary
from scoresep.engines.separation.nmf.fitting import Block


def stem_powers(dictionary: Dictionary, block: Block, exponent: float, check: Callable[[], None]) -> Tensor:
    """Return the model's magnitudes of every stem and the residual, raised to `exponent`, before gains.

    Returns
    -------
    powers : Tensor [shape=(stems + 1, windows, bins)], float32
    """
    spectra = dictionary.spectra(block.rows)
    result = spectra.new_zeros(dictionary.rows.stem_count + 1, block.loudness.shape[0], spectra.shape[1])
    for stem in np.unique(block.stems).tolist():
        check()
        mine = torch.from_numpy(np.flatnonzero(block.stems == stem)).to(spectra.device)
        result[stem] = block.loudness[:, mine] @ spectra[mine]
    return result ** (exponent / dictionary.settings.magnitude_exponent)


def masked(dictionary: Dictionary, block: Block, spectra: Tensor, check: Callable[[], None]) -> Tensor:
    """Divide the spectra of the recording among the stems, channel by channel.

    Parameters
    ----------
    spectra : Tensor [shape=(channels, windows, bins)], complex64
    check : callable
        Called now and then; raises when the work is to stop.

    Returns
    -------
    stems : Tensor [shape=(stems, channels, windows, bins)], complex64
        Without the residual, which is what they leave.
    """
    exponent = dictionary.settings.mask_exponent
    gains = dictionary.stem_gains() ** (exponent / dictionary.settings.magnitude_exponent)
    powers = stem_powers(dictionary, block, exponent, check)
    result = spectra.new_empty(dictionary.rows.stem_count, *spectra.shape)
    for channel in range(spectra.shape[0]):
        share = powers * gains[:, channel, None]
        total = share.sum(0) + TINY**2
        for stem in range(len(result)):
            check()
            result[stem, channel] = share[stem] / total * spectra[channel]
    return result
