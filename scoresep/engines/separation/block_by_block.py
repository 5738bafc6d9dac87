"""The stems of a stretch, made block by block: as many windows at a time as the memory allows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.grid import FrameGrid, OverlapAdd
from scoresep.engines.separation.workplace import Workplace
from scoresep.progress import Progress


def stems_block_by_block(
    grid: FrameGrid,
    place: Workplace,
    shape: tuple[int, int],
    stretch: tuple[int, int],
    make_block: Callable[[int, int], tuple[int, Tensor]],
    progress: Progress,
) -> NDArray[np.float32]:
    """Make the stems of the frames [start, stop).

    Parameters
    ----------
    grid : FrameGrid
    place : Workplace
    shape : (int, int)
        Number of stems, and of channels.
    stretch : (int, int)
    make_block : callable
        Takes the first window and the one at which the stretch ends; returns the window at which the block ends, which
        it chooses, and the spectra of all stems in it on the device of `place`, shape (stems, channels, windows, bins).
    progress : Progress

    Returns
    -------
    stems : ndarray [shape=(stems, channels, stop - start)], float32

    Raises
    ------
    OutOfMemoryError, Cancelled
    """
    adder = OverlapAdd(grid, *shape, place.device, *stretch)
    result = np.empty((*shape, stretch[1] - stretch[0]), np.float32)
    first, written = adder.first, 0

    def add() -> tuple[int, NDArray[np.float32]]:
        last, spectra = make_block(first, adder.last)
        adder.move_to(place.device)
        return last, adder.add(spectra)

    while first < adder.last:
        progress.update((first - adder.first) / (adder.last - adder.first), "Making the stems")
        first, samples = place.within_memory(add)
        result[:, :, written : written + samples.shape[2]] = samples
        written += samples.shape[2]
    return result
