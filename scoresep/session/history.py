"""What was done and what was taken back: two stacks of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, cast

import numpy as np

from scoresep.model.audio import Recording
from scoresep.model.project import Change, Project, StemSet, apply_change

MAX_CHANGES = 500
# Every place for a bar keeps the times of all notes as they were: some megabytes where a piece has 100 000 of them.
MAX_BYTES = 256 * 2**20


@dataclass(frozen=True, eq=False)
class _Step:
    """A change and the columns that it keeps: what it leads to is kept by the next one, or by the project."""

    change: Change
    columns: tuple[np.ndarray, ...]


class History:
    """The undo stack of one project.

    Parameters
    ----------
    max_changes : int
    max_bytes : int
        What all changes together may keep in memory; the oldest are forgotten.
    """

    def __init__(self, max_changes: int = MAX_CHANGES, max_bytes: int = MAX_BYTES) -> None:
        self._max_changes = max_changes
        self._max_bytes = max_bytes
        self._done: list[_Step] = []
        self._taken_back: list[_Step] = []

    def __len__(self) -> int:
        return len(self._done)

    @property
    def undo_text(self) -> str:
        """What `undo` would take back; empty when nothing."""
        return self._done[-1].change.text if self._done else ""

    @property
    def redo_text(self) -> str:
        """What `redo` would make again; empty when nothing."""
        return self._taken_back[-1].change.text if self._taken_back else ""

    def clear(self) -> None:
        """Forget everything."""
        self._done, self._taken_back = [], []

    def apply(self, project: Project, change: Change) -> Project:
        """Make an edit and remember it; what was taken back before can no longer be made again."""
        after = apply_change(project, change)
        self._done.append(_Step(change, tuple(_arrays(change.before))))
        self._taken_back = []
        self._forget_oldest()
        return after

    def forget_redo(self) -> None:
        """Let what was taken back be gone."""
        self._taken_back = []

    def undo(self, project: Project) -> tuple[Project, Change] | None:
        """Take the last edit back; None when there is none. Returns the project and the change that was made."""
        if not self._done:
            return None
        change = self._done[-1].change
        after = apply_change(_with_mixer_of(project, change.inverse), change.inverse)
        self._taken_back.append(self._done.pop())
        return after, change.inverse

    def redo(self, project: Project) -> tuple[Project, Change] | None:
        """Make the edit again that was taken back last; None when there is none."""
        if not self._taken_back:
            return None
        change = self._taken_back[-1].change
        after = apply_change(_with_mixer_of(project, change), change)
        self._done.append(self._taken_back.pop())
        return after, change

    def move_stems(self, old_folder: str, new_folder: str) -> None:
        """Let all changes speak of stems at the place they were moved to."""
        self._rewrite(
            lambda v: replace(v, folder=new_folder) if isinstance(v, StemSet) and v.folder == old_folder else v
        )

    def move_recording(self, content_key: str, new_path: str) -> None:
        """Let all changes speak of a recording at the place it was found."""
        self._rewrite(
            lambda v: replace(v, path=new_path) if isinstance(v, Recording) and v.content_key == content_key else v
        )

    def _rewrite(self, new: Callable[[Any], Any]) -> None:
        def rewritten(step: _Step) -> _Step:
            change = step.change
            before, after = (tuple((n, new(v)) for n, v in side) for side in (change.before, change.after))
            return replace(step, change=replace(change, before=before, after=after))

        self._done = [rewritten(s) for s in self._done]
        self._taken_back = [rewritten(s) for s in self._taken_back]

    def _forget_oldest(self) -> None:
        kept, seen, total_bytes = 0, set[int](), 0
        for step in reversed(self._done):
            for column in step.columns:
                if id(column) not in seen:
                    seen.add(id(column))
                    total_bytes += column.nbytes
            if kept and (kept >= self._max_changes or total_bytes > self._max_bytes):
                break
            kept += 1
        self._done = self._done[len(self._done) - kept :]


def _arrays(value: object) -> Iterator[np.ndarray]:
    """Find the columns in a value."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            if not isinstance(item, str | int | float):
                yield from _arrays(item)
    elif is_dataclass(value):
        for field in fields(cast(Any, value)):
            yield from _arrays(getattr(value, field.name))


def _with_mixer_of(project: Project, change: Change) -> Project:
    """Return the project with the mixer (moves of which are no edits) as the change expects it."""
    for name, value in change.before:
        if name == "mixer":
            return replace(project, mixer=value)
    return project
