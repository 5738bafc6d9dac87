"""The folders of stems that a session makes: found again, moved beside a project, shared, copied and cleaned away.

A folder is named after the content key of what its stems were made of and is never written into again, so that stems
that are being heard never change under the player.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from scoresep.edits.recipes import recipe_of_stems
from scoresep.errors import InputError
from scoresep.files.audio.stems import (
    LEARNED_NAME,
    MANIFEST_NAME,
    content_key_in,
    is_of_this_version,
    load_learned,
    read_manifest,
    read_stem_set,
)
from scoresep.files.project.project_files import DATA_SUFFIX, PROJECT_SUFFIX
from scoresep.files.storage.atomic import output_errors, remove_empty
from scoresep.files.storage.part_folders import PartFolder, remove_abandoned
from scoresep.model.project import Recipe, StemSet
from scoresep.model.quality import Unexplained
from scoresep.progress import Progress

PREFIX = "stems-"
_COPY_BYTES = 4 * 2**20


def new_stem_folder(home: Path, input_key: str) -> Path:
    """Return a name in `home` that nobody has taken, for stems of this content key."""
    return home / f"{PREFIX}{input_key[:12]}-{secrets.token_hex(3)}"


def find_stems(home: Path, input_key: str) -> StemSet | None:
    """Find stems that this version of the program has made of the same input before; None where there are none."""
    for folder in sorted(home.glob(f"{PREFIX}{input_key[:12]}*")) if home.is_dir() else ():
        with contextlib.suppress(InputError):
            found = read_stem_set(folder)
            if found.input_key == input_key and is_of_this_version(read_manifest(folder)):
                return found
    return None


def complete_sets(home: Path, content_key: str) -> tuple[StemSet, ...]:
    """Return all stems of a recording that lie in `home`, the newest first."""
    found: list[tuple[float, StemSet]] = []
    for folder in home.glob(f"{PREFIX}*") if home.is_dir() else ():
        with contextlib.suppress(InputError, OSError):
            if content_key_in(read_manifest(folder)) == content_key:
                found.append(((folder / MANIFEST_NAME).stat().st_mtime, read_stem_set(folder)))
    return tuple(stem_set for _, stem_set in sorted(found, key=lambda each: each[0], reverse=True))


def sweep(home: Path, spared_key: str = "", name: str = "") -> None:
    """Remove what killed processes have left half written in `home`, and that as well where nothing is left in it.

    Parameters
    ----------
    home : Path
        Nothing is removed where it is a link to somewhere else.
    spared_key : str, optional
        What has this key stays: it is gone on from.
    name : str, optional
        Only what was to become the folder of this name.
    """
    if home.is_symlink():
        return
    with contextlib.suppress(OSError):
        remove_abandoned(home, name, spared_key)
    remove_empty([home])


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
    shared: list[Path] = []
    try:
        target.mkdir(parents=True)
    except OSError:
        remove_empty([home])
        return None
    try:
        for file in _files_of(folder):
            os.link(file, target / file.name)
            shared.append(target / file.name)
    except (OSError, InputError, NotImplementedError):
        _unshare(shared, target)
        return None
    return target


def take_back(folder: Path, now: Path) -> None:
    """Undo `move_folder` or `share_folder`, which have put `folder` to stand at `now`."""
    with contextlib.suppress(OSError):
        if not folder.exists():
            now.rename(folder)
            remove_empty([now.parent])
        elif now != folder:
            _unshare([file for file in now.iterdir() if _is_same(file, folder / file.name)], now)


def remove_copied(folder: Path, copy: Path) -> None:
    """Remove the files of a folder of stems that stand whole in a copy of it; whatever else is in it stays."""
    with contextlib.suppress(OSError, InputError):
        files = _files_of(folder)
        if all((copy / file.name).stat().st_size == file.stat().st_size for file in files):
            _unshare(files, folder)


def _unshare(files: list[Path], target: Path) -> None:
    """Remove names of files that stand elsewhere too, and their folder."""
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink()
    remove_empty([target, target.parent])


def _is_same(file: Path, other: Path) -> bool:
    try:
        return file.samefile(other)
    except OSError:
        return False


def copy_stems(stem_set: StemSet, home: str, progress: Progress) -> StemSet:
    """Copy stems into `home`, whole or not at all; runs in a worker.

    Parameters
    ----------
    stem_set : StemSet
    home : str
        A folder that is not there yet.
    progress : Progress

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
                _copy_time(file, part.path / file.name)
            part.publish([file.name for file in files])
        except BaseException:
            part.abort()
            raise
    return read_stem_set(target)


def _copy_time(file: Path, copy: Path) -> None:
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


def unexplained_of(stem_set: StemSet) -> Unexplained | None:
    """Return what is left unexplained by stems; None where that was not kept."""
    return _read(stem_set.folder, stem_set.input_key)


@lru_cache(maxsize=16)
def _read(folder: str, input_key: str) -> Unexplained | None:
    kept = load_learned(Path(folder), "levels/")
    try:
        power, block_frames = kept["levels/power"], int(kept["levels/block_frames"])
    except (KeyError, ValueError, TypeError):
        return None
    if power.ndim != 2 or len(power) < 2 or block_frames < 1 or not np.isfinite(power).all():
        return None
    return Unexplained(block_frames, power[0].astype(np.float64), power[-1].astype(np.float64))


@dataclass(frozen=True)
class StemFacts:
    """The making of stems.

    Attributes
    ----------
    engine, device : str
        What made them in the end.
    recipe : Recipe or None
        What was asked for; None where that is not known.
    made_at : str
        Time of day on this computer, with the date where that is not today; empty where it is not known.
    """

    engine: str
    device: str
    recipe: Recipe | None
    made_at: str


def facts_of(stem_set: StemSet) -> StemFacts:
    """Return what is known of the making of stems."""
    manifest = Path(stem_set.folder) / MANIFEST_NAME
    try:
        made_s = manifest.stat().st_mtime
    except OSError:
        return StemFacts(stem_set.engine, stem_set.device, None, "")
    made, today = time.localtime(made_s), time.localtime()
    is_today = made[:3] == today[:3]
    made_at = time.strftime("%H:%M" if is_today else "%Y-%m-%d, %H:%M", made)
    return StemFacts(stem_set.engine, stem_set.device, _recipe(stem_set.folder, made_s), made_at)


@lru_cache(maxsize=64)
def _recipe(folder: str, made_s: float) -> Recipe | None:
    return recipe_of_stems(folder)
