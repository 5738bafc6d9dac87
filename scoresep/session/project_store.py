"""Where the session's project is kept: its file, its autosave, and the folder of its stems.

Stems of work that was never saved lie in a workspace of the program's state folder and move beside the project when it
is saved for the first time.
"""

from __future__ import annotations

import secrets
import shutil
import time
from pathlib import Path

from scoresep.errors import UsageError
from scoresep.files.autosave import Autosave, RecoverableProject, forget, recover, recoverable
from scoresep.files.cache import state_folder
from scoresep.files.project_files import (
    PROJECT_SUFFIX,
    LoadedProject,
    data_folder,
    keep_stems_with,
    load_project,
    save_project,
)
from scoresep.model.project import Project

FORGOTTEN_AFTER_S = 14 * 24 * 3600.0


class ProjectStore:
    """The place of one project on disk, from being opened (or begun) to being closed."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self._workspace = _workspaces() / secrets.token_hex(8)
        self._autosave = Autosave(None)
        self._recovered: RecoverableProject | None = None

    def begin(self) -> None:
        """Let go of the present project and begin one that was never saved."""
        self._take(None)

    def open(self, path: Path) -> LoadedProject:
        """Open a project.

        Raises
        ------
        ProjectFileError
        """
        loaded = load_project(path)
        self._take(path.expanduser().absolute())
        return loaded

    def recoverable(self, path: Path | None = None) -> tuple[RecoverableProject, ...]:
        """Find what crashes have left behind (of one project, where a path is given), the newest first."""
        return recoverable(path)

    def recover(self, work: RecoverableProject) -> LoadedProject:
        """Go on with what a crash has left.

        Raises
        ------
        ProjectFileError
        """
        loaded = recover(work)
        self._take(work.project_path)
        self._recovered = work
        return loaded

    def forget(self, work: RecoverableProject) -> None:
        """Remove what a crash has left."""
        forget(work)

    def save(self, project: Project, path: Path | None) -> Project:
        """Save the project, and give its stems their place beside it.

        Returns
        -------
        project : Project
            With the stems where they are now.

        Raises
        ------
        OutputError
        UsageError
            If it was never saved and no path is given.
        """
        target = path or self.path
        if target is None:
            raise UsageError("Choose where the project is to be saved.")
        target = target.expanduser().absolute()
        if target.suffix != PROJECT_SUFFIX:
            target = target.with_name(target.name + PROJECT_SUFFIX)
        is_ours = project.stem_set is not None and Path(project.stem_set.folder).parent == self._workspace
        moved = keep_stems_with(project, target) if is_ours else project
        save_project(moved, target)
        if self._recovered is not None:
            forget(self._recovered)
            self._recovered = None
        if target != self.path:
            self._autosave.discard()
            self.path, self._autosave = target, Autosave(target)
        else:
            self._autosave.discard()
        return moved

    def autosave(self, project: Project) -> None:
        """Keep the present state for the case of a crash.

        Raises
        ------
        OutputError
        """
        self._autosave.write(project)

    def close(self) -> None:
        """Remove the autosave and the workspace: the work is saved, or not wanted."""
        self._autosave.discard()
        if self._recovered is not None:
            forget(self._recovered)
            self._recovered = None
        shutil.rmtree(self._workspace, ignore_errors=True)

    def stem_folder(self, input_key: str) -> Path:
        """Return where stems of this content key are written."""
        home = self._workspace if self.path is None else data_folder(self.path)
        return home / f"stems-{input_key[:12]}"

    def _take(self, path: Path | None) -> None:
        self.close()
        self.path, self._autosave = path, Autosave(path)
        self._workspace = _workspaces() / secrets.token_hex(8)
        _remove_forgotten_workspaces()


def _workspaces() -> Path:
    return state_folder() / "unsaved"


def _remove_forgotten_workspaces() -> None:
    """Remove what crashes have left and nobody has asked for in weeks."""
    limit_s = time.time() - FORGOTTEN_AFTER_S
    folders = _workspaces().glob("*") if _workspaces().is_dir() else ()
    for folder in folders:
        try:
            is_old = folder.stat().st_mtime < limit_s
        except OSError:
            continue
        if is_old:
            shutil.rmtree(folder, ignore_errors=True)
