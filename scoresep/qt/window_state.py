"""Where the window stood when it was closed: size, place, panel. A file of it that is damaged is ignored."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray
from PySide6.QtWidgets import QMainWindow, QSplitter

from scoresep.files.cache import state_folder


def state_path() -> Path:
    """Return where the layout is kept."""
    return state_folder() / "window.json"


def save_layout(window: QMainWindow, splitters: Mapping[str, QSplitter], shown: Mapping[str, bool]) -> None:
    """Keep where the window stands, how it is divided, and which of its pieces are shown."""
    divided = {name: _text(splitter.saveState()) for name, splitter in splitters.items()}
    values = {"geometry": _text(window.saveGeometry()), **divided, **shown}
    path = state_path()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):  # a layout that cannot be kept is no reason to keep a person from closing
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(values), encoding="utf-8")
        os.replace(beside, path)


def restore_layout(window: QMainWindow, splitters: Mapping[str, QSplitter]) -> frozenset[str]:
    """Put the window where it stood. Returns the pieces that were hidden."""
    try:
        values: Any = json.loads(state_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return frozenset()
    if not isinstance(values, dict):
        return frozenset()
    restores = {name: splitter.restoreState for name, splitter in splitters.items()}
    for key, restore in {"geometry": window.restoreGeometry, **restores}.items():
        if isinstance(values.get(key), str):
            restore(QByteArray.fromBase64(values[key].encode()))
    return frozenset(str(key) for key, value in values.items() if value is False)


def _text(data: QByteArray) -> str:
    return bytes(data.toBase64().data()).decode()
