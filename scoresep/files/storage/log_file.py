"""The log: what the program notes for itself, in a file of limited size in the user's state folder."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from scoresep.files.storage.cache import state_folder
from scoresep.files.storage.file_names import ESCAPED

MAX_BYTES = 1_000_000
LOGGERS = ("scoresep", "py.warnings")


def log_path() -> Path:
    """Return the file of the log."""
    return state_folder() / "scoresep.log"


def keep_log() -> None:
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
