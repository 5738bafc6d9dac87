"""Separation: engines behind one protocol. This file loads no torch, so that engines can be named quickly."""

from __future__ import annotations

from scoresep.engines.separation.protocol import (
    BUDGETS,
    Arrays,
    Learned,
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
    "knowledge": "A small network trained on this recording alone, from its score; it takes its time, or a GPU.",
}

__all__ = [
    "AUTO",
    "AUTO_TEXT",
    "BUDGETS",
    "ENGINES",
    "Arrays",
    "Learned",
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
    if name == "knowledge":
        from scoresep.engines.separation.knowledge.separator import KnowledgeSeparator

        return KnowledgeSeparator(NmfSeparator())
    return NmfSeparator()


def _automatic() -> Separator:
    """Return what is best within each budget; weights and costs as measured on players, singers and sampled sound."""
    from scoresep.engines.separation.combined import CombinedSeparator, Member

    def member(name: str, budget: str, weight: float, cost: float) -> Member:
        return Member(make_engine(name), budget, weight, name == "source-filter", cost)

    return CombinedSeparator(
        AUTO,
        {
            "preview": (member("nmf", "preview", 1.0, 1.0),),
            "balanced": (member("nmf", "balanced", 0.55, 1.0), member("source-filter", "balanced", 0.45, 7.0)),
            "best": (member("knowledge", "best", 0.55, 4.0), member("source-filter", "best", 0.45, 1.0)),
        },
    )
