"""Where the work is done, and how much of it at a time: what to do when a device has no memory left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.devices import is_out_of_memory, release_memory
from scoresep.engines.separation.stft import FrameGrid, OverlapAdd
from scoresep.errors import OutOfMemoryError
from scoresep.progress import Progress

LEAST_BLOCK_WINDOWS = 16

Answer = TypeVar("Answer")


@dataclass
class ComputeContext:
    """A device, and the number of windows that it works on together.

    Attributes
    ----------
    device : torch.device
    block_windows : int
    warnings : list of str
        What a person should know of it; one sentence each.
    """

    device: torch.device
    block_windows: int
    warnings: list[str] = field(default_factory=list)

    def run(self, work: Callable[[], Answer]) -> Answer:
        """Do some work, once more with less at a time or elsewhere as long as the memory is not enough.

        Parameters
        ----------
        work : callable
            Asks for `device` and `block_windows` anew each time.

        Raises
        ------
        OutOfMemoryError
            There is nothing less to try.
        """
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self.reduce_batch(error)

    def reduce_batch(self, error: BaseException) -> None:
        """Make do with less memory, or give up.

        Raises
        ------
        OutOfMemoryError
            There is nothing less to try.
        """
        release_memory(self.device)
        if self.block_windows > LEAST_BLOCK_WINDOWS:
            self.block_windows //= 2
        elif self.device.type != "cpu":
            self.warnings.append(f"The device {self.device.type} ran out of memory; the CPU went on.")
            self.device = torch.device("cpu")
        else:
            raise OutOfMemoryError(
                "There is not enough memory to separate; close other programs and try again."
            ) from error


def render_in_blocks(
    grid: FrameGrid,
    place: ComputeContext,
    shape: tuple[int, int],
    stretch: tuple[int, int],
    make_block: Callable[[int, int], tuple[int, Tensor]],
    progress: Progress,
) -> NDArray[np.float32]:
    """Make the stems of the frames [start, stop).

    Parameters
    ----------
    grid : FrameGrid
    place : ComputeContext
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
        progress.update((first - adder.first) / (adder.last - adder.first), "Separating")
        first, samples = place.run(add)
        result[:, :, written : written + samples.shape[2]] = samples
        written += samples.shape[2]
    return result
