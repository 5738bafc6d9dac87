"""Where the program keeps its own files, and the keys under which results are kept.

Three folders of the user: the cache (may be emptied at any time: decoded audio, parsed scores, peaks, features), the
configuration, and the state (autosaves, window layout). Each can be moved by an environment variable.

Also here: the log: what the program notes for itself, in a file of limited size in the user's state folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import time
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

from scoresep.errors import InputError
from scoresep.files.storage.paths import ESCAPED, absolute_path
from scoresep.progress import Progress

APP_NAME = "scoresep"
DEFAULT_LIMIT_BYTES = 8 * 2**30  # decoded sound of about five hours
IN_USE_S = 3600.0  # what was used within the last hour is not cleaned away: another window may be reading it
_READ_BYTES = 4 * 2**20
_KEY_BYTES = 20
# The kinds of things that are kept; all are called by a key, half written ones with a dot before it. Somebody may have
# named a folder of their own for the cache: whatever is called otherwise is theirs, and is neither counted nor removed.
_KINDS = ("audio", "engravings", "identities", "notes", "peaks", "scores", "spectrograms")
_OWN_NAME = re.compile(rf"\.?[0-9a-f]{{{2 * _KEY_BYTES}}}[.-].*", re.DOTALL)


def cache_folder() -> Path:
    """Return the folder of what can be computed again (``SCORESEP_CACHE_DIR``)."""
    return _folder("SCORESEP_CACHE_DIR", platformdirs.user_cache_path(APP_NAME, appauthor=False))


def config_folder() -> Path:
    """Return the folder of the settings (``SCORESEP_CONFIG_DIR``)."""
    return _folder("SCORESEP_CONFIG_DIR", platformdirs.user_config_path(APP_NAME, appauthor=False))


def state_folder() -> Path:
    """Return the folder of autosaves and of what the window remembers (``SCORESEP_STATE_DIR``)."""
    return _folder("SCORESEP_STATE_DIR", platformdirs.user_state_path(APP_NAME, appauthor=False))


def _folder(variable: str, default: Path) -> Path:
    chosen = os.environ.get(variable, "").strip()
    return absolute_path(chosen) if chosen else default


def content_key(path: str | Path, progress: Progress | None = None) -> str:
    """Hash the bytes of a file, block by block.

    Parameters
    ----------
    path : str or Path
    progress : Progress, optional

    Returns
    -------
    key : str
        40 hexadecimal digits (BLAKE2b of 160 bits).

    Raises
    ------
    InputError
        The file cannot be read.
    """
    progress = progress or Progress()
    digest = hashlib.blake2b(digest_size=_KEY_BYTES)
    try:
        with open(path, "rb") as file:
            total = max(os.fstat(file.fileno()).st_size, 1)
            done = 0
            while block := file.read(_READ_BYTES):
                digest.update(block)
                done += len(block)
                progress.update(done / total)
    except OSError as error:
        raise InputError(
            f"'{path}' cannot be read ({error.strerror or error}); check the file and its permissions."
        ) from error
    return digest.hexdigest()


def content_key_of(data: bytes) -> str:
    """Return what `content_key` returns for a file that holds these bytes."""
    return hashlib.blake2b(data, digest_size=_KEY_BYTES).hexdigest()


def combined_key(*pieces: str | bytes) -> str:
    """Hash several pieces into one key; no two different lists of pieces give the same."""
    digest = hashlib.blake2b(digest_size=_KEY_BYTES)
    for piece in pieces:
        data = piece.encode(errors=ESCAPED) if isinstance(piece, str) else piece
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def cached_path(kind: str, name: str) -> Path:
    """Return where the cache keeps `name` among things of one kind (``audio``, ``scores``, ``peaks``, ...).

    Parameters
    ----------
    kind : str
        One of those that `trim_cache` knows.
    name : str
        A key (`content_key`, `combined_key`), a dot or hyphen, and whatever else tells it apart.
    """
    if kind not in _KINDS:
        raise ValueError(f"things of the kind '{kind}' would never be cleaned away")
    return cache_folder() / kind / name


def mark_used(path: Path) -> None:
    """Note that a file of the cache was used now, so that it is cleaned away last."""
    with contextlib.suppress(OSError):
        os.utime(path)


def trim_cache(limit_bytes: int = DEFAULT_LIMIT_BYTES, in_use_s: float = IN_USE_S) -> int:
    """Remove what was not used for longest until the cache is within its limit; what others keep there stays.

    Parameters
    ----------
    limit_bytes : int
    in_use_s : float
        What was used within so many seconds stays, whatever the limit.

    Returns
    -------
    removed_bytes : int
    """
    entries: list[tuple[float, int, Path]] = []
    for path in _own_files():
        with contextlib.suppress(OSError):
            state = path.lstat()
            entries.append((state.st_mtime, state.st_size, path))
    now_s = time.time()
    excess = sum(size for _, size, _ in entries) - limit_bytes
    removed_bytes = 0
    for used_s, size, path in sorted(entries):
        age_s = now_s - used_s
        is_abandoned = path.suffix == ".part" and age_s > 24 * 3600
        if not is_abandoned and (removed_bytes >= excess or age_s < in_use_s):
            continue
        with contextlib.suppress(OSError):  # on Windows a file that is being read stays
            path.unlink()
            removed_bytes += size
    return removed_bytes


def _own_files() -> Iterator[Path]:
    """Find the files that `cached_path` has named, and those in folders that it has; no link is followed."""
    for folder in (cache_folder() / kind for kind in _KINDS):
        if folder.is_symlink():
            continue
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if _OWN_NAME.fullmatch(entry.name) is None:
                    continue
                if entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    yield from (Path(at, name) for at, _, names in os.walk(entry.path) for name in names)


MAX_BYTES = 1_000_000
LOGGERS = ("scoresep", "py.warnings")


def log_path() -> Path:
    """Return the file of the log."""
    return state_folder() / "scoresep.log"


def start_log() -> None:
    """Write what the program notes for itself to the log; without a place for it there is none."""
    path = log_path()
    if any(getattr(h, "baseFilename", "") == str(path) for h in logging.getLogger(LOGGERS[0]).handlers):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8", delay=True, errors=ESCAPED
        )
    except OSError:
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.handleError = lambda record: None  # type: ignore[method-assign]  # a full disk is no reason to speak of it
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
