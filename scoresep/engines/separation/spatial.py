"""Where the stems of a stereo recording stand, and the filter that hears both channels at once.

Every stem has at every frequency a covariance of its two channels: how loud it is in each, and how they go together. It
is gathered from a first division by masks of single channels. The Wiener filter of both channels then also lowers what
comes from elsewhere at the same frequency.

References
----------
N. Q. K. Duong, E. Vincent, R. Gribonval, "Under-determined reverberant audio source separation using a full-rank
spatial covariance model", IEEE Transactions on Audio, Speech, and Language Processing 18(7), 2010,
doi:10.1109/TASL.2010.2050716. A. A. Nugraha, A. Liutkus, E. Vincent, "Multichannel audio source separation with deep
neural networks", IEEE/ACM Transactions on Audio, Speech, and Language Processing 24(9), 2016,
doi:10.1109/TASLP.2016.2580946.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

FLOOR = 1e-12  # of a power of 1: keeps the covariance of silence from being singular
DIFFUSE = 0.05  # share of every stem's power that comes from everywhere, as reverberation does
NEIGHBOUR_BINS = 3  # bins on either side whose opinion counts as much as one's own


@dataclass
class Covariances:
    """Covariances of the two channels, as real planes because a 2 x 2 matrix needs no more.

    Attributes
    ----------
    left, right : Tensor [shape=(stems + 1, bins)], float32
        Powers.
    cross_real, cross_imag : Tensor [shape=(stems + 1, bins)], float32
        Left times the conjugate of right.
    """

    left: Tensor
    right: Tensor
    cross_real: Tensor
    cross_imag: Tensor

    def to(self, device: torch.device) -> Covariances:
        """Return the same on another device."""
        return Covariances(*(x.to(device) for x in (self.left, self.right, self.cross_real, self.cross_imag)))


class CovarianceSum:
    """Gathers covariances from blocks of stems."""

    def __init__(self, stems: int, bins: int, device: torch.device) -> None:
        self._planes = torch.zeros(4, stems, bins, device=device)

    def add(self, stems: Tensor) -> None:
        """Add stems as masks of single channels gave them, shape (stems, 2, windows, bins)."""
        for stem, spectra in enumerate(stems):
            left, right = spectra
            cross = left * right.conj()
            planes = left.abs() ** 2, right.abs() ** 2, cross.real, cross.imag
            for k, plane in enumerate(planes):
                self._planes[k, stem] += plane.sum(0)

    def covariances(self) -> Covariances:
        """Return the covariances, the residual's last, each with powers that add up to 2."""
        size = 2 * NEIGHBOUR_BINS + 1
        around = torch.nn.functional.avg_pool1d(self._planes, size, 1, NEIGHBOUR_BINS, count_include_pad=False)
        power = around[:2].sum(0)
        # where a stem is loud its own bin says most; where it was hardly heard, its neighbours
        mixed = 0.5 * self._planes / (self._planes[:2].sum(0) + FLOOR) + 0.5 * around / (power + FLOOR)
        mixed = torch.where(power > FLOOR, 2.0 * mixed / (mixed[:2].sum(0) + FLOOR), torch.zeros_like(mixed))
        observed = (power > FLOOR).float()
        planes = mixed * (1.0 - DIFFUSE)
        planes[:2] += DIFFUSE * observed + (1.0 - observed)
        residual = torch.zeros_like(planes[:, :1])
        residual[:2] = 1.0
        left, right, real, imag = torch.cat([planes, residual], 1)
        return Covariances(left, right, real, imag)


def filtered(powers: Tensor, spectra: Tensor, where: Covariances, check: Callable[[], None]) -> Tensor:
    """Divide the spectra of a stereo recording among the stems.

    Parameters
    ----------
    powers : Tensor [shape=(stems + 1, windows, bins)], float32
    spectra : Tensor [shape=(2, windows, bins)], complex64
    where : Covariances
    check : callable
        Called now and then; raises when the work is to stop.

    Returns
    -------
    stems : Tensor [shape=(stems, 2, windows, bins)], complex64
    """
    check()
    powers = powers / (powers.sum(0) + 1e-30)
    left = torch.einsum("stf,sf->tf", powers, where.left)
    right = torch.einsum("stf,sf->tf", powers, where.right)
    cross = torch.complex(
        torch.einsum("stf,sf->tf", powers, where.cross_real), torch.einsum("stf,sf->tf", powers, where.cross_imag)
    )
    check()
    scale = 1.0 / (left * right - cross.abs() ** 2 + FLOOR)
    whitened_left = (right * spectra[0] - cross * spectra[1]) * scale
    whitened_right = (left * spectra[1] - cross.conj() * spectra[0]) * scale
    result = spectra.new_empty(powers.shape[0] - 1, *spectra.shape)
    for stem in range(len(result)):
        check()
        own = torch.complex(where.cross_real[stem], where.cross_imag[stem])
        result[stem, 0] = powers[stem] * (where.left[stem] * whitened_left + own * whitened_right)
        result[stem, 1] = powers[stem] * (own.conj() * whitened_left + where.right[stem] * whitened_right)
    return result
