"""Everything that the window can do, as one table: menus, shortcuts, states and the page of keys are loops over it."""

from __future__ import annotations

from PySide6.QtGui import QKeySequence

import scoresep
from scoresep.qt.dialogs.common import AboutDialog, KeyGroup, ShortcutsDialog
from scoresep.qt.timeline.gestures import SHORTCUTS
from scoresep.qt.timeline.spectrogram_gestures import SHORTCUTS as SPECTROGRAM_SHORTCUTS
from scoresep.qt.window.actions.action import HELP, MENUS, Action
from scoresep.qt.window.actions.corrections import CORRECTIONS_ACTIONS
from scoresep.qt.window.actions.project import PROJECT_ACTIONS
from scoresep.qt.window.actions.sound import SOUND_ACTIONS
from scoresep.qt.window.actions.view import VIEW_ACTIONS

HELP_ACTIONS: tuple[Action, ...] = (
    Action(
        "shortcuts",
        HELP,
        "&Shortcuts",
        ("F1", "?"),
        "All keys on one page",
        lambda w: ShortcutsDialog(key_groups(), w).open(),
    ),
    Action(
        "about",
        HELP,
        "&About ScoreSep",
        (),
        "Version and licence",
        lambda w: AboutDialog(scoresep.__version__, w).open(),
    ),
)

ACTIONS = (*PROJECT_ACTIONS, *VIEW_ACTIONS, *SOUND_ACTIONS, *CORRECTIONS_ACTIONS, *HELP_ACTIONS)


def key_groups() -> list[KeyGroup]:
    """Return what the page of keys shows: those of every menu, then what mouse and keyboard do in the timeline."""
    groups = []
    for menu in MENUS:
        lines = [(keys_text(a), a.tip or a.name) for a in ACTIONS if a.menu == menu and a.keys]
        groups.append((menu.replace("&", ""), lines))
    known = {QKeySequence(key).toString() for action in ACTIONS for key in action.keys}
    more = [line for line in (*SHORTCUTS, *SPECTROGRAM_SHORTCUTS) if not _are_known(line[0], known)]
    return [*groups, ("Timeline", [*more, ("Enter", "Press the button that has the ring around it")])]


def keys_text(action: Action) -> str:
    """Write the keys of an action as they stand on this system's keyboards."""
    native = QKeySequence.SequenceFormat.NativeText
    return " or ".join(QKeySequence(key).toString(native) for key in action.keys)


def _are_known(keys: str, known: set[str]) -> bool:
    """Tell whether a line about these keys would only repeat what the menus say."""
    return {QKeySequence(key.replace(" ", "")).toString() for key in keys.split(" / ")} <= known
