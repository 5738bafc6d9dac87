"""Where the session's project is kept: its file, its autosave, and the folders of its stems.

Stems of work that was never saved lie in a workspace of the program's state folder and move beside the project when it
is saved for the first time. A project that is saved under another name shares them with the one before. What no project
file speaks of when the session lets go of it is removed.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from dataclasses import replace
from pathlib import Path

from scoresep.errors import InputError, OutputError, ScoreSepError, UsageError
from scoresep.files.atomic import output_errors
from scoresep.files.autosave import Autosave, RecoverableProject, forget, recover, recoverable
from scoresep.files.cache import content_key, state_folder
from scoresep.files.locks import FileLock
from scoresep.files.project_files import PROJECT_SUFFIX, LoadedProject, data_folder, load_project, save_project
from scoresep.model.project import Project, StemSet
from scoresep.progress import Progress
from scoresep.session import stem_folders

FORGOTTEN_AFTER_S = 14 * 24 * 3600.0
# Stems beside a project that its file does not speak of may be those of another window that has not saved yet.
ORPHANED_AFTER_S = 24 * 3600.0
_LOCK_NAME = ".lock"


def project_path(path: str | Path) -> Path:
    """Return the absolute path under which a project is saved that a person calls so."""
    absolute = Path(path).expanduser().absolute()
    is_named = absolute.suffix.lower() == PROJECT_SUFFIX
    return absolute if is_named else absolute.with_name(absolute.name + PROJECT_SUFFIX)


class ProjectStore:
    """The place of one project on disk, from being opened (or begun) to being closed."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self._workspace = _new_workspace()
        self._workspace_lock: FileLock | None = None
        self._autosave = Autosave(None)
        self._recovered: RecoverableProject | None = None
        self._written_key: str | None = None  # of the project's file when we last read or wrote it
        self._made: set[Path] = set()  # folders of stems
        self._stems_of_files: dict[Path, Path | None] = {}  # for every project file that was read or written

    # ------------------------------------------------------------------------------------------------------- opening

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
        self.take(path, loaded.project)
        return loaded

    def take(self, path: Path, project: Project) -> None:
        """Let go of the present project and go on with one that was loaded from a file."""
        self._take(path.expanduser().absolute())
        assert self.path is not None
        self._note_file(self.path, project)
        if recoverable(self.path):
            self._autosave = Autosave(None)  # what a crash has left keeps its place until somebody has decided on it
        else:
            stem_folders.remove_orphans(data_folder(self.path), self._stems_of_files[self.path], ORPHANED_AFTER_S)

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
        if self.path is not None:
            with contextlib.suppress(ScoreSepError):
                self._note_file(self.path, load_project(self.path, at_once()).project)
        workspace = _workspace_of(loaded.project)
        if workspace is not None:
            self._workspace = workspace
            self._lock_workspace()
        return loaded

    def forget(self, work: RecoverableProject) -> None:
        """Remove what a crash has left, its stems included."""
        with contextlib.suppress(ScoreSepError):
            workspace = _workspace_of(recover(work, at_once()).project)
            if workspace is not None and not _is_in_use(workspace):
                shutil.rmtree(workspace, ignore_errors=True)
        forget(work)

    # -------------------------------------------------------------------------------------------------------- saving

    def save(self, project: Project, path: Path | None) -> Project:
        """Save the project, and give its stems their place beside it where that can be done at once.

        Returns
        -------
        project : Project
            With the stems where they are now.

        Raises
        ------
        OutputError
            It cannot be written, or another window has saved it since: saving once more then replaces that.
        UsageError
            If it was never saved and no path is given.
        """
        if path is None and self.path is None:
            raise UsageError("Choose where the project is to be saved.")
        target = self.path if path is None else project_path(path)
        assert target is not None
        self._refuse_to_replace_others_work(target)
        placed = self._with_stems_beside(project, target)
        try:
            save_project(placed, target)
        except BaseException:
            self._put_stems_back(project, placed)
            raise
        self._autosave.discard()
        self._forget_recovered()
        if target != self.path:
            self.path, self._autosave = target, Autosave(target)
        self._note_file(target, placed)
        return placed

    def copy_target(self, project: Project) -> Path | None:
        """Return the folder into which the stems must still be copied to lie beside the saved project; None if none."""
        if self.path is None or project.stem_set is None:
            return None
        folder, home = Path(project.stem_set.folder), data_folder(self.path)
        is_elsewhere = folder.parent != home and folder.is_dir()
        return home if is_elsewhere and self._is_to_be_kept_beside(folder) else None

    def is_stray(self, project: Project) -> bool:
        """Whether the stems of a saved project still lie where those of unsaved work do, and may be cleaned away."""
        return self.path is not None and _workspace_of(project) is not None

    def autosave(self, project: Project) -> None:
        """Keep the present state for the case of a crash.

        Raises
        ------
        OutputError
        """
        self._autosave.write(project)
        if self._recovered is not None and self._recovered.path != self._autosave.path:
            self._forget_recovered()  # what it kept is in ours now

    def discard_autosave(self) -> None:
        """Remove the autosave: all is saved."""
        self._autosave.discard()

    def close(self) -> None:
        """Remove autosave, workspace and stems that no file speaks of: the work is saved, or not wanted."""
        self._autosave.discard()
        self._forget_recovered()
        kept = set(self._stems_of_files.values())
        for folder in self._made - kept:
            stem_folders.remove_stems(folder)
        self._made.clear()
        if not any(folder is not None and folder.parent == self._workspace for folder in kept):
            shutil.rmtree(self._workspace, ignore_errors=True)
        self._stems_of_files.clear()
        if self._workspace_lock is not None:
            with contextlib.suppress(OSError):
                self._workspace_lock.release()
            self._workspace_lock = None

    # --------------------------------------------------------------------------------------------------------- stems

    @property
    def stem_home(self) -> Path:
        """The folder in which new folders of stems are made."""
        return self._workspace if self.path is None else data_folder(self.path)

    def stem_folder(self, input_key: str) -> Path:
        """Return where stems of this content key are written; no stems are there yet.

        Raises
        ------
        OutputError
            The state folder cannot be written.
        """
        if self.path is None:
            self._lock_workspace()
        folder = stem_folders.new_stem_folder(self.stem_home, input_key)
        self._made.add(folder)
        return folder

    def note_copy(self, folder: Path) -> None:
        """Take over a folder of stems that was copied into `stem_home`."""
        self._made.add(folder)

    def find_stems(self, input_key: str) -> StemSet | None:
        """Find stems that were made of the same input before."""
        return stem_folders.find_stems(self.stem_home, input_key)

    def sweep(self, spared_key: str = "") -> None:
        """Remove what cancelled or killed separations have left half written, but for those of one content key."""
        stem_folders.sweep(self.stem_home, spared_key)

    # ----------------------------------------------------------------------------------------------------- machinery

    def _take(self, path: Path | None) -> None:
        self.close()
        self.path, self._autosave = path, Autosave(path)
        self._written_key = None
        self._workspace = _new_workspace()
        _remove_forgotten_workspaces()

    def _note_file(self, path: Path, project: Project) -> None:
        self._written_key = _key_of(path)
        stem_set = project.stem_set
        self._stems_of_files[path] = None if stem_set is None else Path(stem_set.folder)

    def _refuse_to_replace_others_work(self, target: Path) -> None:
        if target != self.path or self._written_key is None:
            return
        present = _key_of(target)
        if present is not None and present != self._written_key:
            self._written_key = present
            raise OutputError(
                f"'{target}' was changed by another window or program since it was opened here; "
                "save under another name, or save once more to replace it."
            )

    def _with_stems_beside(self, project: Project, target: Path) -> Project:
        stem_set = project.stem_set
        if stem_set is None:
            return project
        folder, home = Path(stem_set.folder), data_folder(target)
        if folder.parent == home or not folder.is_dir() or not self._is_to_be_kept_beside(folder):
            return project
        put = stem_folders.move_folder if folder.parent == self._workspace else stem_folders.share_folder
        place = put(folder, home)
        if place is None:
            return project
        self._made.add(place)
        return _with_stems_at(project, place)

    def _put_stems_back(self, project: Project, placed: Project) -> None:
        if placed is project or project.stem_set is None or placed.stem_set is None:
            return
        before, now = Path(project.stem_set.folder), Path(placed.stem_set.folder)
        if not before.exists():
            with contextlib.suppress(OSError):
                now.rename(before)
        if before.exists():
            stem_folders.remove_stems(now)

    def _is_to_be_kept_beside(self, folder: Path) -> bool:
        """Whether stems are ours to give a place: not those that a person has made in a folder of their choice."""
        return folder.parent.parent == _workspaces() or stem_folders.belongs_to_a_project(folder)

    def _lock_workspace(self) -> None:
        """Make the workspace, and tell other windows that it is in use."""
        if self._workspace_lock is None:
            with output_errors(self._workspace):
                self._workspace.mkdir(parents=True, exist_ok=True)
                self._workspace_lock = FileLock.try_lock(self._workspace / _LOCK_NAME)

    def _forget_recovered(self) -> None:
        if self._recovered is not None:
            forget(self._recovered)
            self._recovered = None


def _with_stems_at(project: Project, folder: Path) -> Project:
    assert project.stem_set is not None
    return replace(project, stem_set=replace(project.stem_set, folder=str(folder)))


def _key_of(path: Path) -> str | None:
    try:
        return content_key(path)
    except InputError:
        return None


def at_once() -> Progress:
    """Let only be done what takes no time: after a moment, work that reports its progress raises `Cancelled`."""
    limit_s = time.monotonic() + 0.2
    return Progress(is_cancelled=lambda: time.monotonic() > limit_s)


# ------------------------------------------------------------------------------------- workspaces of work not yet saved


def _workspaces() -> Path:
    return state_folder() / "unsaved"


def _new_workspace() -> Path:
    return _workspaces() / secrets.token_hex(8)


def _workspace_of(project: Project) -> Path | None:
    """Return the workspace in which the stems of unsaved work lie."""
    if project.stem_set is None:
        return None
    folder = Path(project.stem_set.folder)
    return folder.parent if folder.parent.parent == _workspaces() else None


def _is_in_use(workspace: Path) -> bool:
    lock_path = workspace / _LOCK_NAME
    if not lock_path.exists():
        return False
    try:
        lock = FileLock.try_lock(lock_path)
    except OSError:
        return True
    if lock is None:
        return True
    lock.release()
    return False


def _remove_forgotten_workspaces() -> None:
    """Remove what crashes have left and nobody has asked for in weeks."""
    limit_s = time.time() - FORGOTTEN_AFTER_S
    folders = _workspaces().glob("*") if _workspaces().is_dir() else ()
    for folder in folders:
        try:
            is_old = folder.stat().st_mtime < limit_s
        except OSError:
            continue
        if is_old and not _is_in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)
