"""From loudnesses to stems: how much of every bin of the recording belongs to which stem."""

from __future__ import annotations

import torch
from torch import Tensor

from scoresep.engines.separation.dictionary import TINY, Dictionary
from scoresep.engines.separation.fitting import Block


def stem_magnitudes(dictionary: Dictionary, block: Block) -> Tensor:
    """Return what the model says of every stem and the residual, shape (stems + 1, windows, bins), before gains."""
    spectra = dictionary.spectra(block.rows)
    stems = dictionary.stem[block.rows]
    result = spectra.new_zeros(dictionary.rows.stem_count + 1, block.loudness.shape[0], spectra.shape[1])
    for stem in torch.unique(stems).tolist():
        mine = stems == stem
        result[stem] = block.loudness[:, mine] @ spectra[mine]
    return result


def masked(dictionary: Dictionary, block: Block, spectra: Tensor) -> Tensor:
    """Divide the spectra of the recording among the stems, as Wiener filters do.

    Parameters
    ----------
    spectra : Tensor [shape=(channels, windows, bins)], complex64

    Returns
    -------
    stems : Tensor [shape=(stems, channels, windows, bins)], complex64
        Without the residual, which is what they leave.
    """
    exponent = dictionary.settings.mask_exponent
    gains = dictionary.stem_gains()
    magnitudes = stem_magnitudes(dictionary, block)
    result = spectra.new_empty(dictionary.rows.stem_count, *spectra.shape)
    for channel in range(spectra.shape[0]):
        power = (magnitudes * gains[:, channel, None]) ** exponent
        result[:, channel] = power[:-1] / (power.sum(0) + TINY**2) * spectra[channel]
    return result
