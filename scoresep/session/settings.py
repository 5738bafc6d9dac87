"""What a person has set for all projects: declared once with defaults, kept as one JSON file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from scoresep.files.cache import config_folder

MAX_RECENT = 12


@dataclass(frozen=True)
class Settings:
    """Settings of the program.

    Attributes
    ----------
    theme : str
        ``system``, ``light`` or ``dark``.
    device : str
        Where stems are computed: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    output_device : str
        Name of the sound device; empty for the system's.
    aligns_on_open : bool
        Align as soon as recording and score are both there.
    follows_playhead : bool
    autosave_interval_s : float
    recent : tuple of str
        Projects and recordings opened last, newest first.
    last_folder : str
        Where the last file was opened.
    export_folder, export_format, export_template : str
        As chosen in the last export.
    """

    theme: str = "system"
    device: str = "auto"
    output_device: str = ""
    aligns_on_open: bool = True
    follows_playhead: bool = True
    autosave_interval_s: float = 60.0
    recent: tuple[str, ...] = ()
    last_folder: str = ""
    export_folder: str = ""
    export_format: str = ""
    export_template: str = ""

    def with_recent(self, path: str) -> Settings:
        """Return the settings with `path` as the newest of the recent files."""
        rest = tuple(p for p in self.recent if p != path)
        return replace(self, recent=(path, *rest)[:MAX_RECENT], last_folder=str(Path(path).parent))


def load_settings() -> Settings:
    """Read the settings; whatever cannot be read or has the wrong type stands at its default."""
    try:
        stored: Any = json.loads(_settings_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Settings()
    return _settings_from(stored if isinstance(stored, dict) else {})


def save_settings(settings: Settings) -> None:
    """Write the settings, whole or not at all; a folder that cannot be written costs the settings only."""
    path = _settings_path()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(asdict(settings), indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)


def _settings_path() -> Path:
    return config_folder() / "settings.json"


def _settings_from(stored: dict[str, Any]) -> Settings:
    values: dict[str, Any] = {}
    for declared in fields(Settings):
        value, default = stored.get(declared.name), declared.default
        if isinstance(default, tuple) and isinstance(value, list):
            values[declared.name] = tuple(v for v in value if isinstance(v, str))
        elif isinstance(default, float) and isinstance(value, int | float) and not isinstance(value, bool):
            values[declared.name] = float(value)
        elif type(value) is type(default):
            values[declared.name] = value
    return Settings(**values)
