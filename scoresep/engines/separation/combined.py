"""The engine `auto`: several engines learn the same recording, and their stems are averaged.

Engines that go about it differently are wrong in different ways, so that the mean of their stems is nearer to the truth
than most of them, and never far from the best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.separation.protocol import Arrays, Learned, SeparationOptions, SeparationReport, Separator
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress


@dataclass(frozen=True)
class Member:
    """One engine of several.

    Attributes
    ----------
    engine : Separator
    budget : str
        That it gets.
    weight : float
        How much its stems count.
    cost : float
        How long it takes, as a share of the time of all.
    """

    engine: Separator
    budget: str
    weight: float = 1.0
    cost: float = 1.0


class CombinedSeparator:
    """Several engines as one.

    Parameters
    ----------
    name : str
    members : mapping of str to tuple of Member
        Which of them work for each budget.
    """

    def __init__(self, name: str, members: Mapping[str, tuple[Member, ...]]) -> None:
        self.name = name
        self._members = members

    def learn(
        self,
        source: SampleSource,
        notes: SoundingNotes,
        options: SeparationOptions,
        progress: Progress,
        known: Arrays | None = None,
        keep: Callable[[Arrays], None] | None = None,
    ) -> CombinedLearned:
        """Let every engine learn; see `protocol.Separator`."""
        members = self._members[options.budget]
        parts = _parts(progress, [member.cost for member in members])
        kept: dict[str, NDArray[Any]] = {}
        learned: list[Learned] = []
        for member, part in zip(members, parts, strict=True):
            prefix = f"{member.engine.name}:"
            mine = {name.removeprefix(prefix): v for name, v in (known or {}).items() if name.startswith(prefix)}

            def keep_mine(arrays: Arrays, prefix: str = prefix) -> None:
                kept.update({prefix + name: values for name, values in arrays.items()})
                if keep is not None:
                    keep(kept)

            how = SeparationOptions(options.device, member.budget, options.seed)
            learned.append(member.engine.learn(source, notes, how, part, mine or None, keep_mine))
            keep_mine(learned[-1].arrays())
        return CombinedLearned(self.name, members, tuple(learned))


class CombinedLearned:
    """What several engines have learned; see `protocol.Learned`.

    Parameters
    ----------
    name : str
    members : tuple of Member
    learned : tuple of Learned
        What each of them has learned.
    """

    def __init__(self, name: str, members: tuple[Member, ...], learned: tuple[Learned, ...]) -> None:
        self._name, self._members, self._learned = name, members, learned

    def stems(
        self, source: SampleSource, notes: SoundingNotes, start_frame: int, stop_frame: int, progress: Progress
    ) -> NDArray[np.float32]:
        """Separate a stretch with every engine, and average; see `protocol.Learned`."""
        result = np.zeros((notes.stem_count, source.channels, stop_frame - start_frame), np.float32)
        total = sum(member.weight for member in self._members)
        parts = _parts(progress, [member.cost for member in self._members])
        for member, learned, part in zip(self._members, self._learned, parts, strict=True):
            made = learned.stems(source, notes, start_frame, stop_frame, part)
            result += np.float32(member.weight / total) * made
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of all engines, each under its name."""
        return {
            f"{member.engine.name}:{name}": values
            for member, learned in zip(self._members, self._learned, strict=True)
            for name, values in learned.arrays().items()
        }

    def report(self) -> SeparationReport:
        """Say which engines did the work."""
        reports = [learned.report() for learned in self._learned]
        warnings = tuple(dict.fromkeys(warning for report in reports for warning in report.warnings))
        names = " + ".join(report.engine for report in reports)
        return SeparationReport(f"{self._name} ({names})", reports[0].device, warnings)


def _parts(progress: Progress, costs: list[float]) -> list[Progress]:
    edges = np.concatenate([[0.0], np.cumsum(costs)]) / sum(costs)
    return [progress.part(float(low), float(high)) for low, high in pairwise(edges)]
