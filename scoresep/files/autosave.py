"""Keeping unsaved work safe: autosaves, and finding those that a crash has left.

The autosave of a project stands beside it as ``.NAME.scoresep.autosave``; that of work which was never saved, or whose
folder cannot be written, in the program's state folder. A short record there says which autosaves exist. Whether the
session that wrote one still lives is told by a lock that ends with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from scoresep.errors import OutputError
from scoresep.files.atomic import output_errors, write_whole
from scoresep.files.cache import combined_key, state_folder
from scoresep.files.locks import FileLock
from scoresep.files.project_files import PROJECT_SUFFIX, LoadedProject, load_project, save_project
from scoresep.model.project import Project
from scoresep.progress import Progress

AUTOSAVE_SUFFIX = ".autosave"


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
    path = Path(project_path).expanduser().absolute()
    return path.with_name(f".{path.name}{AUTOSAVE_SUFFIX}")


class Autosave:
    """The autosave of one session's work on one project; make a new one when the project gets another name.

    Parameters
    ----------
    project_path : str or Path or None
        None while the project was never saved.
    """

    def __init__(self, project_path: str | Path | None) -> None:
        self._project_path = None if project_path is None else Path(project_path).expanduser().absolute()
        self._path = autosave_path(self._project_path)
        self._lock: FileLock | None = None
        self._has_written = False

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
            self._claim()
        self._has_written = True
        try:
            save_project(project, self._path)
        except OutputError:
            if self._path.parent == _records():
                raise
            self._move_to_state_folder()
            save_project(project, self._path)

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
        write_whole(_record_of(self._path), json.dumps({"autosave": str(self._path), "project": project}).encode())


def recoverable(project_path: str | Path | None = None) -> tuple[RecoverableProject, ...]:
    """Find the autosaves of sessions that ended without saving or discarding their work, the newest first.

    Records of autosaves that are gone, or older than the project as saved, are removed.

    Parameters
    ----------
    project_path : str or Path, optional
        Only those of this project, also where the record is lost, such as on another machine.
    """
    found: dict[Path, Path | None] = {}
    wanted = None if project_path is None else Path(project_path).expanduser().absolute()
    with contextlib.suppress(OSError):
        for record in sorted(_records().glob("*.json")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                entry = json.loads(record.read_bytes())
                project = None if entry["project"] is None else Path(entry["project"])
                if wanted is None or project == wanted:
                    found[Path(entry["autosave"])] = project
    if wanted is not None and autosave_path(wanted).exists():
        found.setdefault(autosave_path(wanted), wanted)
    left = [
        RecoverableProject(path, project, _written_s(path)) for path, project in found.items() if not _is_live(path)
    ]
    for work in left:
        if work.saved_s <= (0.0 if work.project_path is None else _written_s(work.project_path)):
            forget(work)
    return tuple(sorted((w for w in left if w.path.exists()), key=lambda w: -w.saved_s))


def recover(work: RecoverableProject, progress: Progress | None = None) -> LoadedProject:
    """Open what a crash has left. It stays until `forget` is called.

    Raises
    ------
    ProjectFileError
    """
    return load_project(work.path, progress)


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


def _is_live(autosave: Path) -> bool:
    lock_path = _lock_of(autosave)
    if not lock_path.exists():
        return False
    try:
        lock = FileLock.try_lock(lock_path)
    except OSError:
        return True  # not ours to touch
    if lock is None:
        return True
    lock.release()
    return False
