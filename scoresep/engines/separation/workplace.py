"""Where the work is done, and how much of it at a time: what to do when a device has no memory left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from scoresep.engines.separation.devices import is_out_of_memory, release_memory
from scoresep.errors import OutOfMemoryError

LEAST_BLOCK_WINDOWS = 16

Answer = TypeVar("Answer")


@dataclass
class Workplace:
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

    def within_memory(self, work: Callable[[], Answer]) -> Answer:
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
                self.retreat(error)

    def retreat(self, error: BaseException) -> None:
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
