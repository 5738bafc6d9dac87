"""Parts as they are named on the command line."""

from __future__ import annotations

from scoresep.errors import UsageError
from scoresep.model.project import Project


def part_named(name: str, project: Project) -> int:
    """Return the index of the part of this name (whatever its case) or of this number, counted from 1.

    Raises
    ------
    UsageError
        There is none, or several bear the name.
    """
    wanted = name.strip().casefold()
    found = [i for i, part in enumerate(project.parts) if part.name.strip().casefold() == wanted]
    if not found and wanted.isdecimal() and 1 <= int(wanted) <= len(project.parts):
        found = [int(wanted) - 1]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = " and ".join(str(i + 1) for i in found)
        raise UsageError(f"{len(found)} parts are called “{name}”; choose one by its number: {numbers}.")
    listed = ", ".join(f"{i + 1} {part.name}" for i, part in enumerate(project.parts))
    raise UsageError(f"The score has no part “{name}”; it has: {listed}.")
