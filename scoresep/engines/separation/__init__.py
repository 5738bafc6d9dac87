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
ENGINES = {
    "nmf": "Harmonic templates for every part, learned from the recording within seconds; needs no GPU.",
}

__all__ = [
    "AUTO",
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
    from scoresep.engines.separation.nmf.separator import NmfSeparator

    return NmfSeparator()
