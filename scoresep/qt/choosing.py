"""Choosing how stems are made, for all or for one part or stretch, and having them made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMainWindow, QMenu

from scoresep.engines.separation.devices import DeviceState
from scoresep.model.project import Change, Project, Recipe, RecipeRule
from scoresep.qt.bridge import Bridge
from scoresep.qt.comparing import Comparing
from scoresep.qt.doubting import Doubting
from scoresep.qt.method_menu import add_method_menu
from scoresep.qt.part_menu import literal
from scoresep.qt.playing import Playing
from scoresep.qt.separation_dialog import SeparateDialog
from scoresep.qt.timeline.edge_editing import MenuPlace
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.session import edits, recipes
from scoresep.session.jobs import Worker
from scoresep.session.separating import devices_here


class Choosing(QObject):
    """What the actions about making stems do, and those that compare and judge them.

    Parameters
    ----------
    bridge : Bridge
    window : QMainWindow
    playing : Playing
    view : TimelineView

    Attributes
    ----------
    comparing : Comparing
    """

    def __init__(self, bridge: Bridge, window: QMainWindow, playing: Playing, view: TimelineView) -> None:
        super().__init__(window)
        self.comparing = Comparing(bridge, playing, self)
        self._doubting = Doubting(bridge, view, self)
        self._bridge, self._window = bridge, window
        self._session = bridge.session
        self._states: tuple[DeviceState, ...] = ()
        self._dialog: SeparateDialog | None = None

    def slots(self) -> dict[str, Callable[[], object]]:
        """Return what each action does, by its id."""
        making: dict[str, Callable[[], object]] = {
            "separate": self.ask,
            "separate_again": lambda: self._bridge.attempt(self._session.start_separation),
        }
        return making | self.comparing.slots() | self._doubting.slots()

    def possible(self) -> dict[str, bool]:
        """Return which actions can be taken now."""
        session = self._session
        can = session.project.alignment is not None and session.source is not None
        can = can and session.job("separation") is None
        making = {"separate": can, "separate_again": can and session.has_stale_stems}
        return making | self.comparing.possible() | self._doubting.possible()

    def ask(self) -> None:
        """Ask how to separate, and do it or keep it for later."""
        session = self._session
        session.runner.warm_up([Worker.TORCH])
        dialog = SeparateDialog(session.project, session.settings.device, self._states, self._window)
        dialog.chosen.connect(self._make)
        dialog.kept.connect(self._keep)
        dialog.destroyed.connect(lambda: self._forget(dialog))
        self._dialog = dialog
        dialog.open()
        if not self._states and session.job("devices") is None:
            session.start_job("devices", "Look for graphics cards", devices_here, (), self._got, Worker.TORCH)

    def _got(self, states: tuple[DeviceState, ...]) -> None:
        self._states = states
        if self._dialog is not None:
            self._dialog.show_devices(states)

    def _forget(self, dialog: SeparateDialog) -> None:
        if self._dialog is dialog:
            self._dialog = None

    def _keep(self, recipe: Recipe, device: str) -> None:
        self._session.set_settings(replace(self._session.settings, device=device))
        self._edit(lambda project: edits.set_recipe(project, recipe))

    def _make(self, recipe: Recipe, device: str) -> None:
        self._keep(recipe, device)
        self._bridge.attempt(lambda: self._session.start_separation(device=device))

    # ---------------------------------------------------------------------------------------------------- exceptions

    def set_rule(self, rule: RecipeRule) -> None:
        """Have a part or stretch made otherwise, as an edit that can be undone."""
        self._edit(lambda project: recipes.set_rule(project, rule))

    def remove_rule(self, rule: RecipeRule) -> None:
        """Have it made like the rest again."""
        self._edit(lambda project: recipes.remove_rule(project, rule))

    def add_menus(self, menu: QMenu, place: MenuPlace) -> None:
        """Offer other methods for a place of the timeline."""
        project = self._session.project
        if project.alignment is None:
            return
        menu.addSeparator()
        here = RecipeRule("", "", None, place.start_frame, place.end_frame)
        rules = (self.set_rule, self.remove_rule)
        owners = [p for p in project.stem_owners if place.part_index in (None, p)]
        if len(project.stem_owners) > 1 and owners:
            parts = menu if place.part_index is not None else menu.addMenu("Method for one part here")
            for part in owners:
                name = literal(project.parts[part].name)
                title = name if parts is not menu else f"Method for {name} here"
                add_method_menu(parts, title, project.recipe, replace(here, part_index=part), *rules)
        add_method_menu(menu, "Method for all parts here", project.recipe, here, *rules)

    def _edit(self, make: Callable[[Project], Change]) -> None:
        self._bridge.attempt(lambda: self._session.apply(make(self._session.project)))
