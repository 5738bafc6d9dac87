"""The frequency axis on which templates are fitted: every bin below a limit, bands above it.

Partials of different notes lie apart in the lower part of the spectrum, and that is where most of the energy is. Above
it, bands are enough to find how loud a note is, and make the fit several times faster. Masks are still made for every
bin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class FitAxis:
    """Bins that are kept and bands of bins that are added up.

    Attributes
    ----------
    kept : int
        The lowest bins, taken as they are.
    in_band : Tensor [shape=(bins - kept, bands)], float32
        1 where a further bin lies in a band. As a matrix, because adding up by index is not repeatable on a GPU.
    """

    kept: int
    in_band: Tensor

    @property
    def size(self) -> int:
        """Number of values on the axis."""
        return self.kept + self.in_band.shape[1]

    def reduce(self, values: Tensor) -> Tensor:
        """Add up what lies in one band; shape (..., bins) to (..., size)."""
        return torch.cat([values[..., : self.kept], values[..., self.kept :] @ self.in_band], -1)

    def expand(self, values: Tensor) -> Tensor:
        """Give every bin the value of its band; shape (..., size) to (..., bins)."""
        return torch.cat([values[..., : self.kept], values[..., self.kept :] @ self.in_band.T], -1)


def fit_axis(bins: int, bin_hz: float, limit_hz: float, device: torch.device) -> FitAxis:
    """Return an axis with every bin up to `limit_hz` and bands of a twelfth of an octave above."""
    kept = min(bins, max(1, round(limit_hz / bin_hz)))
    above = np.arange(kept, bins)
    band = np.floor(12 * np.log2(above / kept)).astype(np.int64)
    in_band = (band[:, None] == np.unique(band)).astype(np.float32)
    return FitAxis(kept, torch.from_numpy(in_band).to(device))
