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

from scoresep.engines.separation.base import Arrays, FittedSeparator, SeparationOptions, SeparationReport, Separator
from scoresep.engines.separation.spectral import under_prefix, with_prefix
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

LEAST_WEIGHT = 0.1  # who counts for less is not asked
_WEIGHTS, _BUDGET = "weights", "budget"


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
    is_for_lines : bool
        Whether it is made for parts that play one note at a time: where parts play chords it counts for less.
    vibrato_settings : bool or None
        Whether it is asked only where pitches wander, as those of singers do, or only where they do not.
    cost : float
        How long it takes, as a share of the time of all.
    """

    engine: Separator
    budget: str
    weight: float = 1.0
    is_for_lines: bool = False
    vibrato_settings: bool | None = None
    cost: float = 1.0


class EnsembleSeparator:
    """Several engines as one.

    Parameters
    ----------
    name : str
    members : mapping of str to tuple of Member
        Which of them work for each budget; the first one always does, and tells whether pitches wander (`wanders`).
    """

    def __init__(self, name: str, members: Mapping[str, tuple[Member, ...]]) -> None:
        self.name = name
        self._members = members

    def fit(
        self,
        source: SampleSource,
        notes: SoundingNotes,
        options: SeparationOptions,
        progress: Progress,
        checkpoint: Arrays | None = None,
        on_checkpoint: Callable[[Arrays], None] | None = None,
    ) -> FittedEnsemble:
        """Let every engine learn; see `base.Separator`."""
        possible = self._members[options.budget]
        parts = dict(zip((m.engine.name for m in possible), _parts(progress, [m.cost for m in possible]), strict=True))
        kept: dict[str, NDArray[Any]] = {}
        learned: dict[str, FittedSeparator] = {}

        def fit(member: Member) -> FittedSeparator:
            name = member.engine.name
            prefix = f"{name}:"

            def save_member(arrays: Arrays) -> None:
                kept.update(with_prefix(prefix, arrays))
                if on_checkpoint is not None:
                    on_checkpoint(kept)

            how = SeparationOptions(options.device, member.budget, options.seed)
            learned[name] = member.engine.fit(
                source, notes, how, parts[name], under_prefix(prefix, checkpoint), save_member
            )
            save_member(learned[name].to_arrays())
            return learned[name]

        # the first, which is quick, tells what kind of recording it is
        wanders = bool(getattr(fit(possible[0]), "wanders", False))
        fitting = tuple(m for m in possible if m.vibrato_settings in (None, wanders))
        members, weights = _counting(fitting, options.budget, notes, checkpoint)
        own: dict[str, NDArray[Any]] = {_WEIGHTS: weights, _BUDGET: np.array(options.budget)}
        kept.update(own)
        for member in members:
            if member.engine.name not in learned:
                fit(member)
        return FittedEnsemble(self.name, members, tuple(learned[m.engine.name] for m in members), own)


class FittedEnsemble:
    """What several engines have learned; see `base.FittedSeparator`.

    Parameters
    ----------
    name : str
    members : tuple of Member
    learned : tuple of FittedSeparator
        What each of them has learned.
    own : dict of str to ndarray
        The budget, and the weights of the members, which add up to 1.
    """

    def __init__(
        self, name: str, members: tuple[Member, ...], learned: tuple[FittedSeparator, ...], own: dict[str, NDArray[Any]]
    ) -> None:
        self._name, self._members, self._learned, self._own = name, members, learned, own

    def separate(
        self, source: SampleSource, notes: SoundingNotes, start_frame: int, stop_frame: int, progress: Progress
    ) -> NDArray[np.float32]:
        """Separate a stretch with every engine, and average; see `base.FittedSeparator`."""
        result = np.zeros((notes.stem_count, source.channels, stop_frame - start_frame), np.float32)
        parts = _parts(progress, [member.cost for member in self._members])
        for weight, learned, part in zip(self._own[_WEIGHTS], self._learned, parts, strict=True):
            result += np.float32(weight) * learned.separate(source, notes, start_frame, stop_frame, part)
        return result

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of all engines, each under its name."""
        arrays: dict[str, NDArray[Any]] = {}
        for member, learned in zip(self._members, self._learned, strict=True):
            arrays.update(with_prefix(f"{member.engine.name}:", learned.to_arrays()))
        return {**arrays, **self._own}

    def report(self) -> SeparationReport:
        """Say which engines did the work."""
        reports = [learned.report() for learned in self._learned]
        warnings = tuple(dict.fromkeys(warning for report in reports for warning in report.warnings))
        names = " + ".join(report.engine for report in reports)
        return SeparationReport(f"{self._name} ({names})", reports[0].device, warnings)


def _counting(
    members: tuple[Member, ...], budget: str, notes: SoundingNotes, checkpoint: Arrays | None
) -> tuple[tuple[Member, ...], NDArray[np.float64]]:
    """Return the members that count, and for how much; as before where that is known, since stems shall stay alike."""
    before = checkpoint or {}
    if str(before.get(_BUDGET)) == budget:
        observed = {name.split(":")[0] for name in before}
        same = tuple(member for member in members if member.engine.name in observed)
        if len(same) == np.size(before.get(_WEIGHTS, 0.0)):
            return same, np.asarray(before[_WEIGHTS], np.float64)
    lines = 1.0 - chord_share(notes)
    weights = np.array([member.weight * (lines if member.is_for_lines else 1.0) for member in members])
    counts = weights >= LEAST_WEIGHT * weights.sum()
    weights = weights[counts]
    return tuple(m for m, is_in in zip(members, counts, strict=True) if is_in), weights / weights.sum()


def chord_share(notes: SoundingNotes) -> float:
    """Return how much of the time of its notes the part that plays most chords sounds more than one of them."""
    share = 0.0
    for stem in range(notes.stem_count):
        mine = notes.stem_index == stem
        onset, offset = notes.onset_frame[mine], notes.offset_frame[mine]
        edges = np.concatenate([onset, offset])
        order = np.lexsort((np.repeat([1, 0], len(onset)), edges))  # of what meets, the end comes first
        sounding = np.cumsum(np.repeat([1, -1], len(onset))[order])[:-1]
        length = np.diff(edges[order])
        sounds = length[sounding > 0].sum()
        share = max(share, float(length[sounding > 1].sum() / sounds) if sounds else 0.0)
    return share


def _parts(progress: Progress, costs: list[float]) -> list[Progress]:
    edges = np.concatenate([[0.0], np.cumsum(costs)]) / sum(costs)
    return [progress.part(float(low), float(high)) for low, high in pairwise(edges)]
