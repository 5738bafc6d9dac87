"""Keeping unsaved work safe: autosaves, and finding those that a crash has left.

The autosave of a project stands beside it as ``.NAME.scoresep.autosave``; that of work which was never saved, or whose
folder cannot be written, in the program's state folder. A short record there says which autosaves exist. Whether the
session that wrote one still lives is told by a lock that ends with it.

An autosave is this user's own work only if the record here and the file bear the same mark, which is drawn by chance.
Whatever else bears such a name (a project that somebody has passed on may bring one along) is neither offered, nor
opened, nor written over, nor removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from scoresep.errors import OutputError, ProjectFileError
from scoresep.files.project.archive import read_archive_text
from scoresep.files.project.links import Outside
from scoresep.files.project.project_files import PROJECT_SUFFIX, LoadedProject, load_project, save_project
from scoresep.files.storage.atomic import FileLock, is_locked, output_errors, write_whole
from scoresep.files.storage.cache import combined_key, state_folder
from scoresep.files.storage.paths import absolute_path, read_limited
from scoresep.model.project import Project
from scoresep.progress import Progress

AUTOSAVE_SUFFIX = ".autosave"
_MARK = "autosave_mark"  # in the text of the autosave, and in its record
_MAX_RECORD_BYTES = 2**16


@dataclass(frozen=True)
class RecoverableProject:
    """Work that a crash has left behind.

    Attributes
    ----------
    path : Path
        The autosave.
    project_path : Path or None
        The project it belongs to; None when it was never saved.
    saved_s : float
        When it was written, in seconds since 1970.
    """

    path: Path
    project_path: Path | None
    saved_s: float


def autosave_path(project_path: str | Path | None) -> Path:
    """Return where the autosave of a project stands; for work that was never saved a new name at every call."""
    if project_path is None:
        return _records() / f"untitled-{secrets.token_hex(6)}{PROJECT_SUFFIX}"
    path = absolute_path(project_path)
    return path.with_name(f".{path.name}{AUTOSAVE_SUFFIX}")


class Autosave:
    """The autosave of one session's work on one project; make a new one when the project gets another name.

    Parameters
    ----------
    project_path : str or Path or None
        None while the project was never saved.
    """

    def __init__(self, project_path: str | Path | None) -> None:
        self._project_path = None if project_path is None else absolute_path(project_path)
        self._path = autosave_path(self._project_path)
        self._lock: FileLock | None = None
        self._has_written = False
        self._mark = secrets.token_hex(16)

    @property
    def path(self) -> Path:
        """Where the autosave stands."""
        return self._path

    def write(self, project: Project) -> None:
        """Keep the present state.

        Raises
        ------
        OutputError
            Neither the project's folder nor the state folder can be written.
        """
        if self._lock is None:
            if os.path.lexists(self._path) and not _is_own(self._path):
                self._path = autosave_path(None)  # what somebody else has left there stays
            self._claim()
        self._has_written = True
        marked = {_MARK: self._mark}
        try:
            save_project(project, self._path, marked)
        except OutputError:
            if self._path.parent == _records():
                raise
            self._move_to_state_folder()
            save_project(project, self._path, marked)

    def discard(self) -> None:
        """Remove the autosave: the work is saved, or the person does not want it. A later `write` makes it again."""
        if self._has_written:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                _record_of(self._path).unlink(missing_ok=True)
        self._has_written = False
        if self._lock is not None:
            with contextlib.suppress(OSError):
                self._lock.release()
            self._lock = None

    def _claim(self) -> None:
        with output_errors(_records()):
            _records().mkdir(parents=True, exist_ok=True)
            self._lock = FileLock.try_lock(_lock_of(self._path))
        if self._lock is None:  # another window works on the same project: it keeps that name
            self._path = autosave_path(None)
            with output_errors(_records()):
                self._lock = FileLock.try_lock(_lock_of(self._path))
        self._write_record()

    def _move_to_state_folder(self) -> None:
        self.discard()
        self._path = autosave_path(None)
        self._claim()
        self._has_written = True

    def _write_record(self) -> None:
        project = None if self._project_path is None else str(self._project_path)
        record = {"autosave": str(self._path), "project": project, "mark": self._mark}
        write_whole(_record_of(self._path), json.dumps(record).encode())


def recoverable(project_path: str | Path | None = None) -> tuple[RecoverableProject, ...]:
    """Find the autosaves of sessions that ended without saving or discarding their work, the newest first.

    Records of autosaves that are gone, or older than the project as saved, are removed.

    Parameters
    ----------
    project_path : str or Path, optional
        Only those of this project.
    """
    wanted = None if project_path is None else absolute_path(project_path)
    left = [
        RecoverableProject(path, project, _written_s(path))
        for path, project in _recorded().items()
        if (wanted is None or project == wanted) and not is_locked(_lock_of(path)) and _is_own(path)
    ]
    for work in left:
        if work.saved_s <= (0.0 if work.project_path is None else _written_s(work.project_path)):
            forget(work)
    return tuple(sorted((w for w in left if w.path.exists()), key=lambda w: -w.saved_s))


def autosaves() -> tuple[Path, ...]:
    """Return all autosaves of this user's sessions, also of those that live."""
    return tuple(path for path in _recorded() if path.exists())


def foreign_autosave(project_path: str | Path) -> Path | None:
    """Return what bears the name of a project's autosave and was not written by this user here; None where nothing."""
    path = autosave_path(project_path)
    return path if os.path.lexists(path) and not _is_own(path) else None


def _recorded() -> dict[Path, Path | None]:
    """Return the autosaves that the state folder knows, and the project of each."""
    found: dict[Path, Path | None] = {}
    with contextlib.suppress(OSError):
        for record in sorted(_records().glob("*.json")):
            entry = _read_record(record)
            if entry is not None and _record_of(Path(str(entry["autosave"]))) == record:
                project = entry["project"]
                found[Path(str(entry["autosave"]))] = None if project is None else Path(project)
    return found


def _read_record(path: Path) -> dict[str, str | None] | None:
    try:
        entry = json.loads(read_limited(path, _MAX_RECORD_BYTES))
        known = {"mark": entry.get("mark"), "project": entry["project"], "autosave": entry["autosave"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    is_sound = all(value is None or isinstance(value, str) for value in known.values()) and known["autosave"]
    return known if is_sound and _is_autosave_name(Path(str(known["autosave"]))) else None


def _is_autosave_name(path: Path) -> bool:
    return path.name.endswith(f"{PROJECT_SUFFIX}{AUTOSAVE_SUFFIX}") or path.parent == _records()


def _is_own(autosave: Path) -> bool:
    """Whether an autosave bears the mark of its record here; a damaged one, or one that is gone, takes none away."""
    entry = _read_record(_record_of(autosave))
    if entry is None or entry["autosave"] != str(autosave) or autosave.is_symlink():
        return False
    if entry["mark"] is None or not autosave.exists():  # written by an earlier version, which had no marks
        return True
    try:
        return bool(read_archive_text(autosave).get(_MARK) == entry["mark"])
    except ProjectFileError:
        return autosave.is_file()


def recover(work: RecoverableProject, progress: Progress | None = None) -> LoadedProject:
    """Open what a crash has left. It stays until `forget` is called.

    Raises
    ------
    ProjectFileError
    """
    return load_project(work.path, progress, Outside.OPEN)  # it is this user's own


def forget(work: RecoverableProject) -> None:
    """Remove what a crash has left: it was recovered and saved, or the person does not want it."""
    for path in (work.path, _record_of(work.path)):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _records() -> Path:
    return state_folder() / "autosaves"


def _record_of(autosave: Path) -> Path:
    return _records() / f"{combined_key(str(autosave))[:24]}.json"


def _lock_of(autosave: Path) -> Path:
    return _record_of(autosave).with_suffix(".lock")


def _written_s(path: Path) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
