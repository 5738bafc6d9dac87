"""Whether there is a screen that a window could open on."""

from __future__ import annotations

import importlib.util
import os
import sys

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def screen_problem() -> str:
    """Say in one sentence why no window can open here and what to do; nothing where one can."""
    if importlib.util.find_spec("PySide6") is None:
        return "PySide6, which draws the window, is not installed; install it with: pip install PySide6-Essentials"
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in _SCREENS):
        return "There is no screen here to open the window on; use the commands that “scoresep -h” lists."
    return ""
