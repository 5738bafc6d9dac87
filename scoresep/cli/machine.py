"""What this machine can do: `scoresep engines` and `scoresep doctor`."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import platform
import shutil
from typing import Any

from scoresep.cli.process import screen_problem
from scoresep.cli.terminal import Terminal
from scoresep.engines.separation import AUTO, AUTO_TEXT, ENGINES
from scoresep.engines.separation.devices import device_states
from scoresep.errors import DeviceError
from scoresep.version import __version__

# By the names of the packages: what is loaded to try them. Whether sounddevice finds PortAudio is told by its devices.
PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "torch": "torch",
    "soundfile": "soundfile",
    "av": "av",
    "music21": "music21",
    "PySide6_Essentials": "PySide6.QtWidgets",
    "verovio": "verovio",
    "sounddevice": "",
}


def engines(options: argparse.Namespace, terminal: Terminal) -> int:
    """List the engines and the devices they can run on, and say why not where one cannot."""
    methods = [{"name": name, "text": text} for name, text in {AUTO: AUTO_TEXT, **ENGINES}.items()]
    devices = [{"name": d.name, "is_usable": d.is_usable, "text": d.text} for d in device_states()]
    for method in methods:
        terminal.say(f"{method['name']:<15} {method['text']}")
    terminal.say("")
    for device in devices:
        terminal.say(f"{device['name']:<15} {'yes' if device['is_usable'] else 'no ':<4} {device['text']}")
    terminal.result({"engines": methods, "devices": devices})
    return 0


def doctor(options: argparse.Namespace, terminal: Terminal) -> int:
    """Tell what is here and what is missing, with what to do about it."""
    rows = [
        _row("scoresep", True, f"{__version__} on Python {platform.python_version()}, {platform.platform()}"),
        *(_package(name, module) for name, module in PACKAGES.items()),
        *_compute_devices(),
        _sound(),
        _window(),
        _disk(),
    ]
    for row in rows:
        terminal.say(f"{'ok' if row['is_ok'] else '--':<3} {row['what']:<20} {row['text']}")
    terminal.result({"checks": rows})
    return 0


def _row(what: str, is_ok: bool, text: str) -> dict[str, Any]:
    return {"what": what, "is_ok": is_ok, "text": text}


def _package(name: str, module: str) -> dict[str, Any]:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return _row(name, False, f"is not installed; install it with: pip install {name.replace('_', '-')}")
    try:
        if module:
            importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: a library in C that belongs to it is missing
        reason = " ".join(str(error).split())
        return _row(
            name, False, f"{version} cannot be loaded ({reason}); install what is missing, or the package again"
        )
    return _row(name, True, version)


def _compute_devices() -> list[dict[str, Any]]:
    try:
        return [_row(f"device {d.name}", d.is_usable, d.text) for d in device_states()]
    except (ImportError, OSError):
        return [_row("devices", False, "torch cannot be loaded, so that nothing can be separated")]


def _sound() -> dict[str, Any]:
    from scoresep.playback.outputs import NO_DEVICE, output_devices

    try:
        names = [device.name for device in output_devices()]
    except DeviceError as error:
        return _row("sound", False, str(error))
    return _row("sound", bool(names), ", ".join(names) or NO_DEVICE)


def _window() -> dict[str, Any]:
    problem = screen_problem()
    return _row("window", not problem, problem or "can open")


def _disk() -> dict[str, Any]:
    from scoresep.files.storage.cache import cache_folder

    folder = cache_folder()
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    return _row("disk", free_gb > 2, f"{free_gb:.1f} GB free for the cache in {folder}")
