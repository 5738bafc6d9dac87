"""What was done and what was taken back: two stacks of changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scoresep.model.project import Change, Project, StemSet, apply_change

MAX_CHANGES = 500


class History:
    """The undo stack of one project."""

    def __init__(self) -> None:
        self._done: list[Change] = []
        self._taken_back: list[Change] = []

    @property
    def undo_text(self) -> str:
        """What `undo` would take back; empty when nothing."""
        return self._done[-1].text if self._done else ""

    @property
    def redo_text(self) -> str:
        """What `redo` would make again; empty when nothing."""
        return self._taken_back[-1].text if self._taken_back else ""

    def clear(self) -> None:
        """Forget everything."""
        self._done, self._taken_back = [], []

    def apply(self, project: Project, change: Change) -> Project:
        """Make an edit and remember it; what was taken back before can no longer be made again."""
        after = apply_change(project, change)
        self._done = [*self._done[-MAX_CHANGES + 1 :], change]
        self._taken_back = []
        return after

    def undo(self, project: Project) -> tuple[Project, Change] | None:
        """Take the last edit back; None when there is none. Returns the project and the change that was made."""
        if not self._done:
            return None
        change = self._done.pop()
        self._taken_back.append(change)
        return apply_change(_with_mixer_of(project, change.inverse), change.inverse), change.inverse

    def redo(self, project: Project) -> tuple[Project, Change] | None:
        """Make the edit again that was taken back last; None when there is none."""
        if not self._taken_back:
            return None
        change = self._taken_back.pop()
        self._done.append(change)
        return apply_change(_with_mixer_of(project, change), change), change

    def move_stems(self, old_folder: str, new_folder: str) -> None:
        """Let all changes speak of stems at the place they were moved to."""
        self._done = [_with_stems_at(c, old_folder, new_folder) for c in self._done]
        self._taken_back = [_with_stems_at(c, old_folder, new_folder) for c in self._taken_back]


def _with_mixer_of(project: Project, change: Change) -> Project:
    """Return the project with the mixer (moves of which are no edits) as the change expects it."""
    for name, value in change.before:
        if name == "mixer":
            return replace(project, mixer=value)
    return project


def _with_stems_at(change: Change, old_folder: str, new_folder: str) -> Change:
    def moved(values: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
        return tuple(
            (n, replace(v, folder=new_folder) if isinstance(v, StemSet) and v.folder == old_folder else v)
            for n, v in values
        )

    return replace(change, before=moved(change.before), after=moved(change.after))
