"""What every engine of separation is: notes and samples in, stems block by block and progress out.

An engine never sees a file, a project or a session. It writes its stems to a sink in order, from the first frame of the
recording to the last, so that nothing of the size of the recording has to be held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

BUDGETS = ("preview", "balanced", "best")


@dataclass(frozen=True)
class SeparationOptions:
    """How to separate.

    Attributes
    ----------
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    budget : str
        ``preview``, ``balanced`` or ``best``.
    seed : int
        The same seed gives the same stems.
    """

    device: str = "auto"
    budget: str = "balanced"
    seed: int = 0


@dataclass(frozen=True)
class SeparationReport:
    """What was done.

    Attributes
    ----------
    engine, device : str
        What did the work in the end, such as ``nmf`` on ``cpu``.
    warnings : tuple of str
        Such as that the GPU ran out of memory and the CPU went on; one sentence each.
    """

    engine: str
    device: str
    warnings: tuple[str, ...] = ()


class StemSink(Protocol):
    """Where stems go, in order, block by block."""

    def write(self, stems: NDArray[np.float32]) -> None:
        """Take the next frames of all stems.

        Parameters
        ----------
        stems : ndarray [shape=(stem_count + 1, channels, frames)], float32
            The residual is the last; all of them add up to the recording.
        """


class Separator(Protocol):
    """One method of separation."""

    @property
    def name(self) -> str:
        """Short name, as on the command line."""

    def separate(
        self,
        source: SampleSource,
        notes: SoundingNotes,
        options: SeparationOptions,
        sink: StemSink,
        progress: Progress,
    ) -> SeparationReport:
        """Separate all of `source` into `notes.stem_count` stems and the residual.

        Raises
        ------
        SeparationError, DeviceError, Cancelled
        """
