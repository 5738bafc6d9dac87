"""What a person has set for all projects: declared once with defaults, kept as one JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from scoresep.errors import OutputError
from scoresep.files.storage.atomic import write_whole
from scoresep.files.storage.cache import config_folder

MAX_RECENT = 12
THEMES = ("system", "light", "dark")
SPECTROGRAM_COLORS = ("heat", "grey")
DEVICES = ("auto", "cpu", "cuda", "mps")


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
    shows_spectrogram, spectrogram_in_place : bool
        Whether the timeline has one, and whether it stands in place of the waveform.
    spectrogram_height_px : float
        0 for the room that there is.
    spectrogram_gain_db, spectrogram_contrast_db : float
        Added to what the sound suggests.
    spectrogram_colors : str
        ``heat`` or ``grey``.
    spectrogram_notes, spectrogram_overtones : bool
        What lies over it.
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
    shows_spectrogram: bool = False
    spectrogram_in_place: bool = False
    spectrogram_height_px: float = 0.0
    spectrogram_gain_db: float = 0.0
    spectrogram_contrast_db: float = 0.0
    spectrogram_colors: str = "heat"
    spectrogram_notes: bool = True
    spectrogram_overtones: bool = False

    def with_recent(self, path: str) -> Settings:
        """Return the settings with `path` as the newest of the recent files."""
        rest = tuple(p for p in self.recent if p != path)
        return replace(self, recent=(path, *rest)[:MAX_RECENT], last_folder=str(Path(path).parent))


def load_settings() -> Settings:
    """Read the settings; whatever cannot be read or makes no sense stands at its default."""
    try:
        stored: Any = json.loads(settings_path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Settings()
    return _settings_from(stored if isinstance(stored, dict) else {})


def save_settings(settings: Settings, before: Settings | None = None) -> None:
    """Write the settings, whole or not at all; a folder that cannot be written costs the settings only.

    Parameters
    ----------
    settings : Settings
    before : Settings, optional
        Where given, only what differs from these is written over what is stored: another window may have set the rest.
    """
    if before is not None:
        changed = {f.name: getattr(settings, f.name) for f in fields(Settings)}
        changed = {name: value for name, value in changed.items() if value != getattr(before, name)}
        stored = load_settings()
        if "recent" in changed and set(before.recent) <= set(settings.recent):  # not cleared: those of others stay
            others = tuple(p for p in stored.recent if p not in settings.recent)
            changed["recent"] = (*settings.recent, *others)[:MAX_RECENT]
        settings = replace(stored, **changed)
    try:
        write_whole(settings_path(), json.dumps(asdict(settings), indent=1).encode())
    except OutputError:
        return


def settings_path() -> Path:
    """Return where the settings are kept."""
    return config_folder() / "settings.json"


def _settings_from(stored: dict[str, Any]) -> Settings:
    values: dict[str, Any] = {}
    for declared in fields(Settings):
        value, default = stored.get(declared.name), declared.default
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(dict.fromkeys(v for v in value if isinstance(v, str)))[:MAX_RECENT]
        elif isinstance(default, float) and type(value) is int and abs(value) < 2**53:
            value = float(value)
        if type(value) is type(default) and _CHECKS.get(declared.name, lambda _: True)(value):
            values[declared.name] = value
    return Settings(**values)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "theme": lambda value: value in THEMES,
    "device": lambda value: value in DEVICES,
    "spectrogram_colors": lambda value: value in SPECTROGRAM_COLORS,
    "spectrogram_height_px": lambda value: value == 0.0 or 40.0 <= value <= 8000.0,
    "spectrogram_gain_db": lambda value: -60.0 <= value <= 60.0,
    "spectrogram_contrast_db": lambda value: -60.0 <= value <= 60.0,
    "autosave_interval_s": lambda value: math.isfinite(value) and 1.0 <= value <= 86_400.0,
}
