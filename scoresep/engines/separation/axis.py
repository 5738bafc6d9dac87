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
    of_bin : Tensor [shape=(bins,)], int64
        Where every bin stands on the axis.
    """

    kept: int
    in_band: Tensor
    of_bin: Tensor

    @property
    def size(self) -> int:
        """Number of values on the axis."""
        return self.kept + self.in_band.shape[1]

    @property
    def widths(self) -> Tensor:
        """How many bins every value stands for, shape (size,)."""
        return torch.cat([self.in_band.new_ones(self.kept), self.in_band.sum(0)])

    def reduce(self, values: Tensor) -> Tensor:
        """Add up what lies in one band; shape (..., bins) to (..., size)."""
        return torch.cat([values[..., : self.kept], values[..., self.kept :] @ self.in_band], -1)

    def expand(self, values: Tensor) -> Tensor:
        """Give every bin the value of its band; shape (..., size) to (..., bins)."""
        return values[..., self.of_bin]


def fit_axis(bins: int, bin_hz: float, limit_hz: float, device: torch.device) -> FitAxis:
    """Return an axis with every bin up to `limit_hz`, and bands above that are as wide in proportion."""
    kept = min(bins, max(1, round(limit_hz / bin_hz)))
    above = np.arange(kept, bins)
    band = np.floor(np.log(above / kept) / np.log1p(1.0 / kept)).astype(np.int64)
    used, index = np.unique(band, return_inverse=True)
    in_band = (index[:, None] == np.arange(len(used))).astype(np.float32)
    of_bin = np.concatenate([np.arange(kept), kept + index])
    return FitAxis(kept, torch.from_numpy(in_band).to(device), torch.from_numpy(of_bin).to(device))
