"""Where the session's project is kept: its file, its autosave, and the folders of its stems.

Stems of work that was never saved lie in a workspace of the program's state folder and move beside the project when it
is saved for the first time. A project that is saved under another name shares them with the one before. Finished stems
are never removed: those that no project names are told of in `unused_stems`.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from scoresep.errors import InputError, OutputError, UsageError
from scoresep.files.project.autosave import Autosave, RecoverableProject, forget, recover, recoverable
from scoresep.files.project.links import Outside
from scoresep.files.project.project_files import PROJECT_SUFFIX, LoadedProject, data_folder, load_project, save_project
from scoresep.files.storage.atomic import FileLock, is_locked, output_errors, remove_dead_parts, remove_empty
from scoresep.files.storage.cache import combined_key, content_key, state_folder
from scoresep.files.storage.part_folders import remove_abandoned
from scoresep.files.storage.paths import absolute_path
from scoresep.model.project import Project, StemSet
from scoresep.progress import Progress
from scoresep.session import stem_folders

LOCK_NAME = ".lock"
_NAME = re.compile(r"[0-9a-f]{16}")


def project_path(path: str | Path) -> Path:
    """Return the absolute path under which a project is saved that a person calls so."""
    absolute = absolute_path(path)
    is_named = absolute.suffix.lower() == PROJECT_SUFFIX
    return absolute if is_named else absolute.with_name(absolute.name + PROJECT_SUFFIX)


class StemHome:
    """Where the folders of stems of one project lie: beside its file, or in a workspace until it is saved.

    Attributes
    ----------
    path : Path or None
        Of the project's file; None until it is saved for the first time.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self._workspace = new_workspace()
        self._workspace_lock: FileLock | None = None
        self._made: set[Path] = set()  # folders of stems that were begun here, finished or not
        self._copies: dict[Path, Path] = {}  # of what they are copies
        self._stems_of_files: dict[Path, Path | None] = {}  # for every project file that was read or written

    @property
    def folder(self) -> Path:
        """The folder in which new folders of stems are made."""
        return self._workspace if self.path is None else data_folder(self.path)

    def new_folder(self, input_key: str) -> Path:
        """Return where stems of this content key are written; no stems are there yet.

        Raises
        ------
        OutputError
            The state folder cannot be written.
        """
        if self.path is None:
            self._lock_workspace()
        folder = stem_folders.new_stem_folder(self.folder, input_key)
        self._made.add(folder)
        return folder

    def find(self, input_key: str) -> StemSet | None:
        """Find stems that were made of the same input before."""
        return stem_folders.find_stems(self.folder, input_key)

    def sweep(self, spared_key: str = "") -> None:
        """Remove what cancelled or killed separations have left half written, but for those of one content key."""
        stem_folders.sweep(self.folder, spared_key)

    def note_file(self, path: Path, project: Project | None) -> None:
        """Note which stems the file of a project names."""
        stem_set = None if project is None else project.stem_set
        self._stems_of_files[path] = None if stem_set is None else Path(stem_set.folder)

    def note_copy(self, folder: Path, copy: Path) -> None:
        """Take over a folder of stems that was copied into `folder`."""
        self._copies[copy] = folder

    def copy_target(self, project: Project) -> Path | None:
        """Return the folder into which the stems must still be copied to lie beside the saved project; None if none."""
        if self.path is None or project.stem_set is None:
            return None
        folder, home = Path(project.stem_set.folder), data_folder(self.path)
        is_elsewhere = folder.parent != home and folder.is_dir()
        return home if is_elsewhere and _is_to_be_kept_beside(folder) else None

    def is_stray(self, project: Project) -> bool:
        """Whether the stems of a saved project still lie where those of unsaved work do, and may be cleaned away."""
        return self.path is not None and workspace_of(project) is not None

    def put_beside(self, project: Project, target: Path) -> Project:
        """Give stems their place beside a file of the project, where that can be done at once."""
        stem_set = project.stem_set
        if stem_set is None:
            return project
        folder, home = Path(stem_set.folder), data_folder(target)
        if folder.parent == home or not folder.is_dir() or not _is_to_be_kept_beside(folder):
            return project
        is_named = folder in (stems for file, stems in self._stems_of_files.items() if file != target)
        is_to_move = folder.parent == self._workspace and not is_named
        place = (stem_folders.move_folder if is_to_move else stem_folders.share_folder)(folder, home)
        if place is None:
            return project
        self._made.add(place)
        return replace(project, stem_set=replace(stem_set, folder=str(place)))

    def begin(self, path: Path | None) -> None:
        """Let go of all stems and go on with the project that is kept at `path`."""
        self.close()
        self.path, self._workspace = path, new_workspace()
        for workspace in workspaces():
            tidy(workspace)

    def take_workspace_of(self, project: Project) -> None:
        """Go on in the workspace of recovered work."""
        workspace = workspace_of(project)
        if workspace is not None:
            self._workspace = workspace
            self._lock_workspace()

    def close(self) -> None:
        """Remove what was begun here and never finished: the work is saved, or not wanted."""
        for folder in self._made:
            stem_folders.sweep(folder.parent, name=folder.name)
        self._made.clear()
        named = set(self._stems_of_files.values())
        for copy, original in self._copies.items():  # moved to another disk: the file names the copy alone
            if copy in named and original not in named and original.parent == self._workspace:
                stem_folders.remove_copied(original, copy)
        self._copies.clear()
        self._stems_of_files.clear()
        if self._workspace_lock is not None:
            with contextlib.suppress(OSError):
                self._workspace_lock.release()
            self._workspace_lock = None
        tidy(self._workspace)

    def _lock_workspace(self) -> None:
        """Make the workspace, and tell other windows that it is in use."""
        if self._workspace_lock is None:
            with output_errors(self._workspace):
                self._workspace.mkdir(parents=True, exist_ok=True)
                self._workspace_lock = FileLock.try_lock(self._workspace / LOCK_NAME)


class ProjectStore:
    """The place of one project on disk, from being opened (or begun) to being closed.

    Attributes
    ----------
    stems : StemHome
    """

    def __init__(self) -> None:
        self.stems = StemHome()
        self._autosave = Autosave(None)
        self._recovered: RecoverableProject | None = None
        self._written_key: str | None = None  # of the project's file when we last read or wrote it

    @property
    def path(self) -> Path | None:
        """Where the project is kept; None until it is saved for the first time."""
        return self.stems.path

    # ------------------------------------------------------------------------------------------------------- opening

    def begin(self) -> None:
        """Let go of the present project and begin one that was never saved."""
        self._take(None)

    def take(self, path: Path, project: Project) -> None:
        """Let go of the present project and go on with one that was loaded from a file."""
        path = plain_path(path)
        self._take(path)
        self._note_file(path, project)
        remove_dead_parts(path)
        if recoverable(path):
            self._autosave = Autosave(None)  # what a crash has left keeps its place until somebody has decided on it
        else:
            remove_dead_parts(self._autosave.path)

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
            self._note_file(self.path)
        self.stems.take_workspace_of(loaded.project)
        return loaded

    def forget(self, work: RecoverableProject) -> None:
        """Remove what a crash has left; its stems are told of as ones that no project names."""
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
        with _saving_alone(target):
            self._refuse_to_replace_others_work(target)
            placed = self.stems.put_beside(project, target)
            try:
                save_project(placed, target)
            except BaseException:
                if placed is not project and project.stem_set is not None and placed.stem_set is not None:
                    stem_folders.take_back(Path(project.stem_set.folder), Path(placed.stem_set.folder))
                raise
        self._autosave.discard()
        self._forget_recovered()
        if target != self.path:
            self.stems.path, self._autosave = target, Autosave(target)
        self._note_file(target, placed)
        return placed

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
        """Remove the autosave, and what was begun here and never finished: the work is saved, or not wanted."""
        self._autosave.discard()
        self._forget_recovered()
        self.stems.close()

    def _take(self, path: Path | None) -> None:
        self.close()
        self.stems.begin(path)
        self._autosave, self._written_key = Autosave(path), None

    def _note_file(self, path: Path, project: Project | None = None) -> None:
        self._written_key = _key_of(path)
        self.stems.note_file(path, project)

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

    def _forget_recovered(self) -> None:
        if self._recovered is not None:
            forget(self._recovered)
            self._recovered = None


def load_whole(path: str, outside: Outside, progress: Progress) -> LoadedProject:
    """Open a project; runs in a worker where its recording must be looked through.

    Parameters
    ----------
    path : str
    outside : Outside
        What is done about files that lie outside of the project's folder.
    progress : Progress
    """
    return load_project(path, progress, outside)


def plain_path(path: Path) -> Path:
    """Return the absolute path of a file, without detours (``..``), so that what lies beside it is found beside it."""
    absolute = absolute_path(path)
    return Path(os.path.realpath(absolute.parent)) / absolute.name if ".." in absolute.parts else absolute


@contextlib.contextmanager
def _saving_alone(target: Path) -> Iterator[None]:
    """Let no other window save the same project at the same moment; where no lock can be had, there is none.

    Raises
    ------
    OutputError
        Another one is at it.
    """
    lock: FileLock | None = None
    place = state_folder() / "saving" / f"{combined_key(os.path.normcase(os.path.realpath(target)))[:24]}.lock"
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock.try_lock(place)
        if lock is None:
            raise OutputError(f"Another window is saving '{target}' just now; save again in a moment.")
    try:
        yield
    finally:
        if lock is not None:
            with contextlib.suppress(OSError):
                lock.release()


def _is_to_be_kept_beside(folder: Path) -> bool:
    """Whether stems are ours to give a place: not those that a person has made in a folder of their choice."""
    return folder.parent.parent == workspaces_folder() or stem_folders.belongs_to_a_project(folder)


def _key_of(path: Path) -> str | None:
    try:
        return content_key(path)
    except InputError:
        return None


def only_what_is_known() -> Progress:
    """Let only be done what takes no reading of whole files: work that has progress to report raises `Cancelled`."""
    return Progress(is_cancelled=lambda: True)


def workspaces_folder() -> Path:
    """Return the folder of all workspaces."""
    return state_folder() / "unsaved"


def new_workspace() -> Path:
    """Return a name for a workspace that nobody has taken; it is not made yet."""
    return workspaces_folder() / secrets.token_hex(8)


def workspaces() -> tuple[Path, ...]:
    """Return the workspaces that are there; links are none of them."""
    with contextlib.suppress(OSError):
        return tuple(sorted(p for p in workspaces_folder().iterdir() if _is_workspace(p)))
    return ()


def workspace_of(project: Project) -> Path | None:
    """Return the workspace in which the stems of a project lie; None where they lie elsewhere."""
    if project.stem_set is None:
        return None
    workspace = Path(project.stem_set.folder).parent
    return workspace if _is_workspace(workspace) else None


def is_in_use(workspace: Path) -> bool:
    """Whether a session that lives works there."""
    return is_locked(workspace / LOCK_NAME)


def tidy(workspace: Path) -> None:
    """Remove what is half written in a workspace that nobody uses, and itself where nothing is left in it."""
    if _is_workspace(workspace) and not is_in_use(workspace):
        remove_abandoned(workspace)
        remove_empty([workspace])


def _is_workspace(path: Path) -> bool:
    """Whether a path names a workspace itself, and neither a link nor a detour to one."""
    is_named = path.parent == workspaces_folder() and _NAME.fullmatch(path.name) is not None
    return is_named and path.is_dir() and not path.is_symlink()
