"""What every engine of separation is: it learns a recording, and then gives the stems of any stretch of it.

An engine never sees a file, a project or a session. Stretches can be asked for in any order, so that a person hears
first what lies under the playhead, and only what an edit touches is made again; what they add up to is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import UsageError
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

BUDGETS = ("preview", "balanced", "best")

Arrays = Mapping[str, NDArray[Any]]


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
class EngineSettings:
    """What an engine may be told; every engine adds its fields, whose defaults are the budget ``balanced``.

    Attributes
    ----------
    by_budget : dict of str to dict
        The fields that differ in the other budgets.
    """

    by_budget: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    @classmethod
    def for_budget(cls, budget: str) -> Self:
        """Return the settings of a budget.

        Raises
        ------
        UsageError
            If there is no budget of that name.
        """
        if budget not in BUDGETS:
            raise UsageError(f"There is no budget {budget!r}; choose one of {', '.join(BUDGETS)}.")
        return cls(**cls.by_budget.get(budget, {}))


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


class FittedSeparator(Protocol):
    """What an engine has learned of one recording; gives the stems of any stretch of it."""

    def separate(
        self, source: SampleSource, notes: SoundingNotes, start_frame: int, stop_frame: int, progress: Progress
    ) -> NDArray[np.float32]:
        """Separate the frames [start_frame, stop_frame).

        The samples do not depend on where the stretch begins and ends, so that stretches meet without a seam.

        Parameters
        ----------
        source : SampleSource
            The recording that was learned.
        notes : SoundingNotes
            Those that were learned from, or with some moved, added or left out since; that changes only what sounds
            near to these.
        start_frame, stop_frame : int
            Inside the recording.
        progress : Progress

        Returns
        -------
        stems : ndarray [shape=(stem_count, channels, stop_frame - start_frame)], float32
            The residual is what they leave of the recording.

        Raises
        ------
        SeparationError, Cancelled
        """

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything learned, to be kept beside the stems; `Separator.fit` takes it again."""

    def report(self) -> SeparationReport:
        """Say what did the work, as it stands now."""


class Separator(Protocol):
    """One method of separation."""

    @property
    def name(self) -> str:
        """Short name, as on the command line."""

    def fit(
        self,
        source: SampleSource,
        notes: SoundingNotes,
        options: SeparationOptions,
        progress: Progress,
        checkpoint: Arrays | None = None,
        on_checkpoint: Callable[[Arrays], None] | None = None,
    ) -> FittedSeparator:
        """Learn what the parts of a recording sound like.

        Parameters
        ----------
        source : SampleSource
        notes : SoundingNotes
        options : SeparationOptions
        progress : Progress
        checkpoint : mapping of str to ndarray, optional
            What this engine had learned of the recording before, perhaps not to the end: it goes on from there.
            Ignored where it does not fit.
        on_checkpoint : callable, optional
            Called now and then in long learning with what is known so far.

        Raises
        ------
        SeparationError, DeviceError, Cancelled
        """
