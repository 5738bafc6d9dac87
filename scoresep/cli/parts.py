"""Parts as they are named on the command line."""

from __future__ import annotations

from scoresep.errors import UsageError
from scoresep.model.project import Project


def part_named(name: str, project: Project) -> int:
    """Return the index of the part of this name (whatever its case) or of this number, counted from 1.

    Raises
    ------
    UsageError
    """
    names = [p.name.casefold() for p in project.parts]
    if name.casefold() in names:
        return names.index(name.casefold())
    if name.isdecimal() and 1 <= int(name) <= len(names):
        return int(name) - 1
    listed = ", ".join(f"{i + 1} {p.name}" for i, p in enumerate(project.parts))
    raise UsageError(f"The score has no part “{name}”; it has: {listed}.")
