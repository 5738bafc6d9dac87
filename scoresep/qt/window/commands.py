"""The actions of a window: made, put into menus and kept at what can be done now, all as loops over the table."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar

from scoresep.qt.timeline.edge_editing import MenuPlace
from scoresep.qt.window.actions import ACTIONS
from scoresep.qt.window.actions.action import MENUS, Action, Window


class Commands(QObject):
    """The actions of the window.

    Parameters
    ----------
    window : Window
        What they act on.

    Attributes
    ----------
    actions : dict of QAction
        By the ids of the table; those that are submenus are not among them.
    """

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        self._table = {action.id: action for action in ACTIONS if action.submenu is None}
        self.actions = {action.id: self._make(action) for action in self._table.values()}
        window.notes.menu_opening.connect(self._fill_note_menu)
        window.alignment.menu_opening.connect(self._fill_place_menu)
        window.alignment.menu_opening.connect(window.separation.add_menus)
        for changed in (
            window.timeline.selection_changed,
            window.timeline.notes.changed,
            window.timeline.editing.selected,
            window.playing.original_changed,
            window.playing.loop_changed,
            window.playing.check_changed,
            window.playing.compared,
            window.spectrogram.changed,
        ):
            changed.connect(lambda *_: self.refresh())

    def _make(self, action: Action) -> QAction:
        shown = QAction(action.text, self._window)
        shown.setObjectName(action.id)
        shown.setShortcuts([QKeySequence(key) for key in action.keys])
        shown.setToolTip(action.tip)
        shown.setStatusTip(action.tip)
        shown.setCheckable(action.checked is not None)
        shown.setAutoRepeat(action.repeats)
        shown.setMenuRole(QAction.MenuRole.NoRole)
        shown.triggered.connect(lambda: self.run(action.id))
        self._window.addAction(shown)
        return shown

    def run(self, name: str) -> None:
        """Do what an action does, and show what is on afterwards."""
        action = self._table[name]
        assert action.run is not None
        action.run(self._window)
        self.show(name)

    def refresh(self) -> None:
        """Let all actions show what can be done now."""
        for name in self._table:
            self.show(name)

    def show(self, name: str) -> None:
        """Let one action show whether it can be done now, whether it is on, and what it is called."""
        action, shown, window = self._table[name], self.actions[name], self._window
        shown.setEnabled(action.enabled(window))
        if action.checked is not None:
            shown.setChecked(action.checked(window))
        if action.text_now is not None:
            shown.setText(action.text_now(window))
        if action.tip_now is not None:
            shown.setToolTip(action.tip_now(window))

    # ----------------------------------------------------------------------------------------------------- menus

    def fill_menu_bar(self, bar: QMenuBar) -> None:
        """Put all actions into their menus."""
        menus = {title: bar.addMenu(title) for title in MENUS}
        for action in ACTIONS:
            menu = menus[action.menu]
            if action.starts_group:
                menu.addSeparator()
            if action.submenu is None:
                menu.addAction(self.actions[action.id])
            else:
                submenu = action.submenu(self._window)
                submenu.setTitle(action.text)
                menu.addMenu(submenu)

    def _fill_note_menu(self, menu: QMenu) -> None:
        for action in ACTIONS:
            if action.is_for_notes:
                if action.starts_group:
                    menu.addSeparator()
                menu.addAction(self.actions[action.id])

    def _fill_place_menu(self, menu: QMenu, place: MenuPlace) -> None:
        """Add what can be done at a place of the timeline where a part lies."""
        if place.part_index is None:
            return
        menu.addSeparator()
        for action in ACTIONS:
            if action.run_at is not None:
                run_at = action.run_at
                entry = menu.addAction(action.text)
                entry.setEnabled(action.enabled(self._window))
                entry.triggered.connect(lambda _=False, run_at=run_at: run_at(self._window, place))
