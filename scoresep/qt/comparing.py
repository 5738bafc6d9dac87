"""Comparing two sets of stems of one recording: A, those of the project, and B, others, at one key while it plays."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from PySide6.QtCore import QObject
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from scoresep.model.project import StemSet, change_to
from scoresep.qt.bridge import Bridge
from scoresep.qt.method_texts import set_text
from scoresep.qt.part_menu import literal
from scoresep.qt.playing import Playing
from scoresep.session import stem_folders
from scoresep.session.session import Changed
from scoresep.session.stem_facts import facts_of

# Held longer than this, the key compares for a moment; shorter, it switches.
HOLD_S = 0.35
TIP = "Hear other stems of this recording at the same place; hold B to compare for a moment"


class Comparing(QObject):
    """What the actions about other stems do.

    Parameters
    ----------
    bridge : Bridge
    playing : Playing
    parent : QObject
    """

    def __init__(self, bridge: Bridge, playing: Playing, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge, self._playing = bridge, playing
        self._session = bridge.session
        self._switched_at_s = 0.0
        self._own = self._session.project.stem_set
        bridge.changed.connect(self._read_project)

    def slots(self) -> dict[str, Callable[[], object]]:
        """Return what each action does, by its id."""
        return {"other_stems": self.switch}

    def possible(self) -> dict[str, bool]:
        """Return which actions can be taken now."""
        return {"other_stems": bool(self._playing.keys)}

    @property
    def tip(self) -> str:
        """What the switch between the two says: which are which."""
        own, other = self._session.project.stem_set, self._playing.other
        if own is None or other is None:
            return TIP
        return f"A: {set_text(facts_of(own))}\nB: {set_text(facts_of(other))}\n{TIP}"

    def others(self) -> tuple[StemSet, ...]:
        """Return the stems of this recording that are there besides those of the project, the newest first."""
        project, home = self._session.project, self._session.store.stem_home
        if project.recording is None:
            return ()
        own = None if project.stem_set is None else project.stem_set.folder
        found = stem_folders.complete_sets(home, project.recording.content_key)
        return tuple(stem_set for stem_set in found if stem_set.folder != own)

    def switch(self) -> None:
        """Hear the others in place of those of the project, or these again."""
        other = self._playing.other or next(iter(self.others()), None)
        if other is None:
            text = "There are no other stems of this recording yet; separate again with another method or quality."
            self._session.say("info", text, "compare")
            return
        self._switched_at_s = monotonic()
        self._playing.compare(other, not self._playing.hears_other)

    def let_go(self) -> None:
        """Hear again what was heard before, if the key was held and not just tapped."""
        if self._switched_at_s and monotonic() - self._switched_at_s > HOLD_S:
            self.switch()
        self._switched_at_s = 0.0

    def _read_project(self, changed: Changed) -> None:
        """Compare with the stems of before as soon as there are new ones."""
        before, self._own = self._own, self._session.project.stem_set
        if "recording" in changed.what or before == self._own:
            return
        is_move = before is not None and self._own is not None and before.input_key == self._own.input_key
        if before is not None and self._own is not None and not is_move:
            self._playing.compare(before, False)
        elif self._playing.other is not None and self._own is None:
            self._playing.compare(None, False)

    # --------------------------------------------------------------------------------------------------------- menu

    def menu(self, owner: QWidget) -> QMenu:
        """Make the menu of the stems to compare with; it is filled when it opens."""
        menu = QMenu(owner)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(lambda: self._fill(menu))
        return menu

    def _fill(self, menu: QMenu) -> None:
        menu.clear()
        group, now = QActionGroup(menu), self._playing.other
        others = self.others()
        if now is not None and now.folder not in {other.folder for other in others}:
            others = (now, *others)
        if not others:
            menu.addAction("There are no other stems of this recording yet").setEnabled(False)
            return
        nothing = menu.addAction("&Nothing")
        for action, other in ((nothing, None), *((menu.addAction(_text(other)), other) for other in others)):
            action.setCheckable(True)
            action.setChecked((None if other is None else other.folder) == (None if now is None else now.folder))
            group.addAction(action)
            action.triggered.connect(lambda _=False, other=other: self._playing.compare(other, other is not None))
        if now is not None:
            menu.addSeparator()
            take = menu.addAction("&Take B in place of A")
            take.setToolTip("Make them the stems of the project; this can be undone")
            take.triggered.connect(lambda: self._take(now))

    def _take(self, other: StemSet) -> None:
        project = self._session.project
        self._bridge.attempt(lambda: self._session.apply(change_to(project, "Take other stems", stem_set=other)))


def _text(stem_set: StemSet) -> str:
    return literal(set_text(facts_of(stem_set)))
