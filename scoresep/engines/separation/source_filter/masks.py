"""From partials to stems: how much of every bin of the recording belongs to which stem.

Beside its partials every stem has a faint skirt: what is left between the partials, and above them, goes to who is
loudest there.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from scoresep.engines.separation.grid import FrameGrid
from scoresep.engines.separation.source_filter.fitting import Fit
from scoresep.engines.separation.source_filter.sounds import TINY
from scoresep.engines.separation.spatial import Covariances, filtered

SKIRTS = ((200.0, 0.02), (2000.0, 0.002))  # widths in Hz, and shares of the mean over them
EVERYWHERE = 1e-4  # share of a stem's mean magnitude that is taken to be at all frequencies
RESIDUAL = 0.03  # share of the floor that belongs to nobody


def stem_powers(fit: Fit, stem_count: int, check: Callable[[], None]) -> Tensor:
    """Return the model's magnitudes of every stem and the residual, raised to the mask's exponent.

    Returns
    -------
    powers : Tensor [shape=(stems + 1, windows, bins)], float32
    """
    shapes, settings = fit.shapes(), fit.settings
    broad = fit.sounds.bands @ fit.sounds.bumps
    powers = fit.magnitude.new_zeros(stem_count + 1, *fit.magnitude.shape)
    for stem in range(stem_count):
        check()
        cells = (fit.stem == stem).nonzero()[:, 0]
        if len(cells):
            partials = fit.lines.spectrum(shapes, cells)
            powers[stem] = partials + _skirt(partials, fit.grid)
        rows = [stem, stem_count + stem]
        powers[stem] += fit.broad[:, rows] @ broad[rows]
    powers[-1] = fit.residual() + RESIDUAL * fit.floor
    return powers.pow_(settings.mask_exponent / settings.magnitude_exponent)


def _skirt(partials: Tensor, grid: FrameGrid) -> Tensor:
    skirt = EVERYWHERE * partials.mean(1, keepdim=True) + torch.zeros_like(partials)
    for width_hz, share in SKIRTS:
        size = 2 * int(width_hz / 2 / grid.bin_hz) + 1
        around = torch.nn.functional.avg_pool1d(partials[:, None], size, 1, size // 2)[:, 0]
        skirt += share * around
    return skirt


def divided(powers: Tensor, spectra: Tensor, where: Covariances | None, check: Callable[[], None]) -> Tensor:
    """Divide the spectra of the recording among the stems.

    Parameters
    ----------
    powers : Tensor [shape=(stems + 1, windows, bins)], float32
    spectra : Tensor [shape=(channels, windows, bins)], complex64
    where : Covariances or None
        Where the stems stand in a stereo recording.

    Returns
    -------
    stems : Tensor [shape=(stems, channels, windows, bins)], complex64
    """
    if where is not None:
        return filtered(powers, spectra, where, check)
    total = powers.sum(0) + TINY**2
    result = spectra.new_empty(powers.shape[0] - 1, *spectra.shape)
    for stem in range(len(result)):
        check()
        result[stem] = powers[stem] / total * spectra
    return result
