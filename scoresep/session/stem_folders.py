"""The folders of stems that a session makes: found again, moved beside a project, shared, copied and cleaned away.

A folder is named after the content key of what its stems were made of and is never written into again, so that stems
that are being heard never change under the player.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from pathlib import Path

from scoresep.errors import InputError
from scoresep.files.atomic import output_errors, remove_empty, remove_folder
from scoresep.files.learned_files import LEARNED_NAME
from scoresep.files.part_folders import PartFolder, remove_abandoned
from scoresep.files.project_files import DATA_SUFFIX, PROJECT_SUFFIX
from scoresep.files.stem_files import MANIFEST_NAME, content_key_in, is_of_this_version, read_manifest, read_stem_set
from scoresep.model.project import StemSet
from scoresep.progress import Progress

_PREFIX = "stems-"
_COPY_BYTES = 4 * 2**20


def new_stem_folder(home: Path, input_key: str) -> Path:
    """Return a name in `home` that nobody has taken, for stems of this content key."""
    return home / f"{_PREFIX}{input_key[:12]}-{secrets.token_hex(3)}"


def find_stems(home: Path, input_key: str) -> StemSet | None:
    """Find stems that this version of the program has made of the same input before; None where there are none."""
    for folder in sorted(home.glob(f"{_PREFIX}{input_key[:12]}*")) if home.is_dir() else ():
        with contextlib.suppress(InputError):
            found = read_stem_set(folder)
            if found.input_key == input_key and is_of_this_version(read_manifest(folder)):
                return found
    return None


def complete_sets(home: Path, content_key: str) -> tuple[StemSet, ...]:
    """Return all stems of a recording that lie in `home`, the newest first."""
    found: list[tuple[float, StemSet]] = []
    for folder in home.glob(f"{_PREFIX}*") if home.is_dir() else ():
        with contextlib.suppress(InputError, OSError):
            if content_key_in(read_manifest(folder)) == content_key:
                found.append(((folder / MANIFEST_NAME).stat().st_mtime, read_stem_set(folder)))
    return tuple(stem_set for _, stem_set in sorted(found, key=lambda each: each[0], reverse=True))


def sweep(home: Path, spared_key: str = "") -> None:
    """Remove what killed processes have left half written in `home`, and that as well where nothing is left in it.

    What has the key that is spared stays: it is gone on from.
    """
    with contextlib.suppress(OSError):
        remove_abandoned(home, spared_key=spared_key)
    remove_empty([home])


def remove_orphans(home: Path, kept: Path | None, older_than_s: float) -> None:
    """Remove stems of earlier sessions that no project speaks of, where nothing was done to them for so long."""
    limit_s = time.time() - older_than_s
    for folder in list(home.glob(f"{_PREFIX}*")) if home.is_dir() else ():
        with contextlib.suppress(InputError, OSError):
            is_ours = folder.name.startswith(f"{_PREFIX}{read_stem_set(folder).input_key[:12]}-")
            if is_ours and folder != kept and folder.stat().st_mtime < limit_s:
                remove_stems(folder)


def belongs_to_a_project(folder: Path) -> bool:
    """Whether a folder of stems lies beside some project and is kept by that one."""
    return folder.parent.name.endswith(PROJECT_SUFFIX + DATA_SUFFIX)


def move_folder(folder: Path, home: Path) -> Path | None:
    """Move a folder of stems into `home` at once; None where it cannot be, such as to another disk."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        target = _free_name(folder, home)
        os.rename(folder, target)
    except OSError:
        with contextlib.suppress(OSError):
            home.rmdir()
        return None
    return target


def share_folder(folder: Path, home: Path) -> Path | None:
    """Let the files of a folder of stems stand in `home` as well, without copying; None where the disk cannot."""
    target = _free_name(folder, home)
    try:
        target.mkdir(parents=True)
        for file in _files_of(folder):
            os.link(file, target / file.name)
    except (OSError, InputError, NotImplementedError):
        remove_folder(target)
        remove_empty([home])
        return None
    return target


def copy_stems(stem_set: StemSet, home: str, progress: Progress) -> StemSet:
    """Copy stems into `home`, whole or not at all; runs in a worker.

    Raises
    ------
    InputError
        They are not there any more.
    OutputError, Cancelled
    """
    folder = Path(stem_set.folder)
    files = _files_of(folder)
    target = _free_name(folder, Path(home))
    with output_errors(target):
        total_bytes = sum(file.stat().st_size for file in files)
        part = PartFolder(target, total_bytes)
        try:
            done_bytes = 0
            for file in files:
                with open(file, "rb") as source, open(part.path / file.name, "wb") as copy:
                    while block := source.read(_COPY_BYTES):
                        copy.write(block)
                        done_bytes += len(block)
                        progress.update(done_bytes / max(total_bytes, 1), "Copying the stems beside the project")
                _keep_time(file, part.path / file.name)
            part.publish([file.name for file in files])
        except BaseException:
            part.abort()
            raise
    return read_stem_set(target)


def remove_stems(folder: Path) -> None:
    """Remove a folder of stems, and the one that holds it where nothing else is there; files in use may stay."""
    shutil.rmtree(folder, ignore_errors=True)
    remove_empty([folder.parent])


def _keep_time(file: Path, copy: Path) -> None:
    """Let a copy be as old as its original, so that what is cached of that one serves, and the making has its time."""
    with contextlib.suppress(OSError):
        state = file.stat()
        os.utime(copy, ns=(state.st_atime_ns, state.st_mtime_ns))


def _files_of(folder: Path) -> list[Path]:
    """Return the files of a folder of stems; the manifest, which says that the others are whole, is the last."""
    learned = [folder / LEARNED_NAME] if (folder / LEARNED_NAME).is_file() else []
    return [*learned, *(folder / stem.file for stem in read_stem_set(folder).stems), folder / MANIFEST_NAME]


def _free_name(folder: Path, home: Path) -> Path:
    target, number = home / folder.name, 2
    while target.exists():
        target = home / f"{folder.name} {number}"
        number += 1
    return target
