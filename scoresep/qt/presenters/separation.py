"""Separating, comparing with other stems, and going from one doubtful segment to the next."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMainWindow, QMenu, QWidget

from scoresep.edits import project as edits
from scoresep.edits import recipes
from scoresep.engines.separation.devices import DeviceState
from scoresep.model.project import Recipe, RecipeRule, StemSet, change_to
from scoresep.model.quality import judge_segments, next_doubtful
from scoresep.qt.dialogs.separation import SeparateDialog
from scoresep.qt.presenters.bridge import Bridge
from scoresep.qt.presenters.playback import MomentaryKey, PlaybackController
from scoresep.qt.timeline.edge_editing import MenuPlace
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.qt.widgets.buttons import add_choice, literal
from scoresep.qt.widgets.method_menu import add_method_menu, range_text, set_text
from scoresep.session import stem_folders
from scoresep.session.jobs import Worker
from scoresep.session.separation_job import devices_here
from scoresep.session.session import Changed
from scoresep.session.stem_folders import facts_of, unexplained_of

# What messages about a doubtful segment are filed under, so that something can be offered to be done about it.
DOUBT, NO_DOUBT = "doubt", "no doubt"


class QualityNavigation(QObject):
    """Goes from one doubtful segment to the next, and says what to do there.

    Parameters
    ----------
    bridge : Bridge
    playing : PlaybackController
        Says which of several sets of stems is heard: that one is judged.
    view : TimelineView
    parent : QObject
    """

    def __init__(self, bridge: Bridge, playing: PlaybackController, view: TimelineView, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._playing, self._view = bridge.session, playing, view

    def step(self, direction: int) -> None:
        """Select the next (or previous) doubtful segment, go there, and say what to do."""
        view = self._view
        for message in [m for m in self._session.messages.shown if m.key in (DOUBT, NO_DOUBT)]:
            self._session.messages.dismiss(message)
        here = view.playhead_frame or 0
        heard = self._playing.stems.stem_set
        qualities = judge_segments(self._session.project, None if heard is None else unexplained_of(heard))
        found = next_doubtful(qualities, here - (direction > 0 and here == 0), direction)
        if found is None:
            where = "after" if direction > 0 else "before"
            self._session.say("info", f"There is no doubtful segment {where} the playhead.", NO_DOUBT)
            return
        segment = found.segment
        view.seek(segment.start_frame)
        view.select(segment.start_frame, segment.end_frame)
        where = range_text(self._session.project, segment.start_frame, segment.end_frame)
        self._session.say("info", f"{where[:1].upper()}{where[1:]} ({found.figures}): {found.advice}", DOUBT)


TIP = "Hear other stems of this recording at the same place; hold B to compare for a moment"


class StemComparison(QObject):
    """Compares the stems of the project with others of the same recording.

    Parameters
    ----------
    bridge : Bridge
    playing : PlaybackController
    parent : QObject

    Attributes
    ----------
    key : MomentaryKey
        Switches between the two.
    """

    def __init__(self, bridge: Bridge, playing: PlaybackController, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge, self._playing = bridge, playing
        self._session = bridge.session
        self.key = MomentaryKey(self._switch)
        self._own = self._session.project.stem_set
        bridge.changed.connect(self._read_project)

    @property
    def tip(self) -> str:
        """What the switch between the two says: which are which."""
        own, other = self._session.project.stem_set, self._playing.stems.other
        if own is None or other is None:
            return TIP
        return f"A: {set_text(facts_of(own))}\nB: {set_text(facts_of(other))}\n{TIP}"

    def others(self) -> tuple[StemSet, ...]:
        """Return the stems of this recording that are there besides those of the project, the newest first."""
        project, home = self._session.project, self._session.storage.store.stems.folder
        if project.recording is None:
            return ()
        own = None if project.stem_set is None else project.stem_set.folder
        found = stem_folders.complete_sets(home, project.recording.content_key)
        return tuple(stem_set for stem_set in found if stem_set.folder != own)

    def _switch(self) -> bool:
        """Hear the others in place of those of the project, or these again. Returns whether there are others."""
        other = self._playing.stems.other or next(iter(self.others()), None)
        if other is None:
            text = "There are no other stems of this recording yet; separate again with another method or quality."
            self._session.say("info", text, "compare")
            return False
        self._playing.compare(other, not self._playing.stems.plays_other)
        return True

    def _read_project(self, changed: Changed) -> None:
        """Compare with the stems of before as soon as there are new ones."""
        before, self._own = self._own, self._session.project.stem_set
        if "recording" in changed.what or before == self._own:
            return
        is_move = before is not None and self._own is not None and before.input_key == self._own.input_key
        if before is not None and self._own is not None and not is_move:
            self._playing.compare(before, False)
        elif self._playing.stems.other is not None and self._own is None:
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
        group, now = QActionGroup(menu), self._playing.stems.other
        others = self.others()
        if now is not None and now.folder not in {other.folder for other in others}:
            others = (now, *others)
        if not others:
            menu.addAction("There are no other stems of this recording yet").setEnabled(False)
            return
        add_choice(menu, "&Nothing", now is None, lambda: self._playing.compare(None, False), group)
        for other in others:
            is_on, choose = now is not None and other.folder == now.folder, partial(self._playing.compare, other, True)
            add_choice(menu, literal(set_text(facts_of(other))), is_on, choose, group)
        if now is not None:
            menu.addSeparator()
            take = menu.addAction("&Take B in place of A")
            take.setToolTip("Take them as the stems of the project; this can be undone")
            take.triggered.connect(lambda: self._take(now))

    def _take(self, other: StemSet) -> None:
        project = self._session.project
        self._bridge.attempt(lambda: self._session.apply(change_to(project, "Take other stems", stem_set=other)))


class SeparationPresenter(QObject):
    """Separates as a person chooses; holds what compares and judges stems.

    Parameters
    ----------
    bridge : Bridge
    window : QMainWindow
    playing : PlaybackController
    view : TimelineView

    Attributes
    ----------
    comparison : StemComparison
    quality : QualityNavigation
    """

    def __init__(self, bridge: Bridge, window: QMainWindow, playing: PlaybackController, view: TimelineView) -> None:
        super().__init__(window)
        self.comparison = StemComparison(bridge, playing, self)
        self.quality = QualityNavigation(bridge, playing, view, self)
        self._bridge, self._window = bridge, window
        self._session = bridge.session
        self._states: tuple[DeviceState, ...] = ()
        self._dialog: SeparateDialog | None = None

    @property
    def is_possible(self) -> bool:
        """Whether separating can begin now."""
        session = self._session
        is_aligned = session.project.alignment is not None and session.recording.source is not None
        return is_aligned and session.jobs.get("separation") is None

    def ask(self) -> None:
        """Ask how to separate, and do it or keep it for later."""
        session = self._session
        session.jobs.runner.warm_up([Worker.TORCH])
        dialog = SeparateDialog(session.project, session.settings.device, self._states, self._window)
        dialog.chosen.connect(self._make)
        dialog.saved.connect(self._save)
        dialog.destroyed.connect(lambda: self._forget(dialog))
        self._dialog = dialog
        dialog.open()
        if not self._states and session.jobs.get("devices") is None:
            session.jobs.start("devices", "Look for graphics cards", devices_here, (), self._got, Worker.TORCH)

    def _got(self, states: tuple[DeviceState, ...]) -> None:
        self._states = states
        if self._dialog is not None:
            self._dialog.show_devices(states)

    def _forget(self, dialog: SeparateDialog) -> None:
        if self._dialog is dialog:
            self._dialog = None

    def _save(self, recipe: Recipe, device: str) -> None:
        self._session.set_settings(replace(self._session.settings, device=device))
        self._bridge.edit(lambda project: edits.set_recipe(project, recipe))

    def _make(self, recipe: Recipe, device: str) -> None:
        self._save(recipe, device)
        self._bridge.attempt(lambda: self._session.separation.start(device=device))

    # ---------------------------------------------------------------------------------------------------- exceptions

    def set_rule(self, rule: RecipeRule) -> None:
        """Have a part or stretch separated otherwise, as an edit that can be undone."""
        self._bridge.edit(lambda project: recipes.set_rule(project, rule))

    def remove_rule(self, rule: RecipeRule) -> None:
        """Have it separated like the rest again."""
        self._bridge.edit(lambda project: recipes.remove_rule(project, rule))

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
