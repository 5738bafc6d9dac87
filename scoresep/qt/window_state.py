"""Where the window stood when it was closed: size, place, panel. A file of it that is damaged is ignored."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray
from PySide6.QtWidgets import QMainWindow, QSplitter

from scoresep.files.cache import state_folder


def state_path() -> Path:
    """Return where the layout is kept."""
    return state_folder() / "window.json"


def save_layout(window: QMainWindow, splitter: QSplitter, is_panel_shown: bool) -> None:
    """Keep where the window stands."""
    values = {
        "geometry": _text(window.saveGeometry()),
        "splitter": _text(splitter.saveState()),
        "panel": is_panel_shown,
    }
    path = state_path()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):  # a layout that cannot be kept is no reason to keep a person from closing
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(values), encoding="utf-8")
        os.replace(beside, path)


def restore_layout(window: QMainWindow, splitter: QSplitter) -> bool:
    """Put the window where it stood. Returns whether the panel was shown."""
    try:
        values: Any = json.loads(state_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    if not isinstance(values, dict):
        return True
    for key, restore in (("geometry", window.restoreGeometry), ("splitter", splitter.restoreState)):
        if isinstance(values.get(key), str):
            restore(QByteArray.fromBase64(values[key].encode()))
    return values.get("panel") is not False


def _text(data: QByteArray) -> str:
    return bytes(data.toBase64().data()).decode()
