"""Separation: engines behind one protocol. This file loads no torch, so that engines can be named quickly."""

from __future__ import annotations

from dataclasses import replace

from scoresep.engines.separation.base import (
    BUDGETS,
    Arrays,
    FittedSeparator,
    SeparationOptions,
    SeparationReport,
    Separator,
)
from scoresep.errors import UsageError

AUTO = "auto"
AUTO_TEXT = "What is best for most recordings, within the time that the quality allows: the mean of several engines."
ENGINES = {
    "nmf": "Harmonic templates for every part, learned from the recording within seconds; needs no GPU.",
    "source-filter": "A voice for every part, its pitch found moment by moment; best for singers, strings and winds.",
    "source-network": "A network trained on this recording says how every voice is produced; for singers, given time.",
    "knowledge": "A small network trained on this recording alone, from its score; it takes its time, or a GPU.",
}

__all__ = [
    "AUTO",
    "AUTO_TEXT",
    "BUDGETS",
    "ENGINES",
    "Arrays",
    "FittedSeparator",
    "SeparationOptions",
    "SeparationReport",
    "Separator",
    "engine_names",
    "make_engine",
]


def engine_names() -> tuple[str, ...]:
    """Return the names that `make_engine` takes, `AUTO` first."""
    return (AUTO, *ENGINES)


def make_engine(name: str) -> Separator:
    """Return the engine of that name; ``auto`` is the best one for most recordings.

    Raises
    ------
    UsageError
        If there is no engine of that name.
    """
    if name not in engine_names():
        raise UsageError(f"There is no engine {name!r}; choose one of {', '.join(engine_names())}.")
    if name == AUTO:
        return _automatic()
    from scoresep.engines.separation.nmf.separator import NmfSeparator

    if name == "source-filter":
        from scoresep.engines.separation.source_filter.separator import SourceFilterSeparator

        return SourceFilterSeparator()
    if name == "source-network":
        from scoresep.engines.separation.neural_source_filter.separator import NeuralSourceFilterSeparator

        return NeuralSourceFilterSeparator()
    if name == "knowledge":
        from scoresep.engines.separation.mask_refinement.separator import MaskRefiner

        return MaskRefiner(NmfSeparator())
    return NmfSeparator()


def _automatic() -> Separator:
    """Return what is best within each budget; weights and costs as measured on players, singers and sampled sound."""
    from scoresep.engines.separation.ensemble import EnsembleSeparator, Member
    from scoresep.engines.separation.mask_refinement.separator import MaskRefiner

    def both(budget: str) -> tuple[Member, Member]:
        voices = Member(make_engine("source-filter"), budget, 0.45, is_for_lines=True, cost=7.0)
        return Member(make_engine("nmf"), budget, 0.55), voices

    def by_kind() -> tuple[Member, ...]:
        """Players by templates and voices, singers by templates and the network of voices."""
        templates, voices = both("balanced")
        singers = Member(make_engine("source-network"), "balanced", 0.55, True, vibrato_settings=True, cost=15.0)
        return templates, replace(voices, vibrato_settings=False), singers

    # the network learns from the others together, and makes better what they leave undivided
    slow = Member(make_engine("source-network"), "balanced", 0.4, is_for_lines=True, cost=15.0)
    teacher = EnsembleSeparator("voices", {budget: (*both(budget), slow) for budget in BUDGETS})
    return EnsembleSeparator(
        AUTO,
        {
            "preview": (Member(make_engine("nmf"), "preview"),),
            "balanced": by_kind(),
            "best": (Member(MaskRefiner(teacher), "best"),),
        },
    )
