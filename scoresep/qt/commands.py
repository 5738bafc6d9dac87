"""What every action of the window does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

import scoresep
from scoresep.model.path import PathChoices
from scoresep.model.project import Change, Loop, Project, Recipe
from scoresep.qt.dialogs import AboutDialog, GoToBarDialog, RepeatsDialog, SeparateDialog, ShortcutsDialog
from scoresep.qt.export_dialog import ExportDialog
from scoresep.session import edits
from scoresep.session.exporting import ExportChoices
from scoresep.session.jobs import Worker

if TYPE_CHECKING:
    from scoresep.qt.main_window import MainWindow

# Held longer than this, the key of the original compares for a moment; shorter, it switches.
HOLD_S = 0.35


class Commands(QObject):
    """The slots of the actions.

    Parameters
    ----------
    window : MainWindow
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._session = window.session
        self._switched_at_s = 0.0

    def slots(self) -> dict[str, Callable[[], None]]:
        """Return what each action does, by its id."""
        window = self._window
        documents, playing, view, parts = window.documents, window.playing, window.timeline, window.parts
        attempt = window.bridge.attempt
        return {
            "new": documents.new,
            "open_recording": documents.open_recording,
            "open_score": documents.open_score,
            "open_project": documents.ask_for_project,
            "open_demo": documents.open_demo,
            "save": documents.save,
            "save_as": documents.save_as,
            "export": self.export,
            "quit": lambda: (window.close(), None)[1],
            "undo": lambda: (attempt(self._session.undo), None)[1],
            "redo": lambda: (attempt(self._session.redo), None)[1],
            "select_all": view.select_all,
            "select_nothing": view.select_nothing,
            "repeats": self.choose_repeats,
            "zoom_in": view.zoom_in,
            "zoom_out": view.zoom_out,
            "zoom_fit": view.zoom_to_fit,
            "zoom_selection": view.zoom_to_selection,
            "go_to_bar": lambda: GoToBarDialog(view.go_to_bar, window).open(),
            "panel": lambda: window.show_panel(window.commands["panel"].isChecked()),
            "full_screen": self.toggle_full_screen,
            "play": playing.toggle,
            "play_selection": self.play_selection,
            "to_start": view.go_to_start,
            "to_end": view.go_to_end,
            "loop": self.toggle_loop,
            "follow": lambda: self._set_settings(follows_playhead=window.commands["follow"].isChecked()),
            "original": self.switch_original,
            "mute": lambda: parts.toggle("mute"),
            "solo": lambda: parts.toggle("solo"),
            "minus": lambda: parts.toggle("minus"),
            "next_part": lambda: parts.choose_next(1),
            "previous_part": lambda: parts.choose_next(-1),
            "part_menu": parts.open_menu,
            "reset_mixer": parts.reset,
            "align": lambda: (attempt(self._session.start_alignment), None)[1],
            "accept": lambda: self._edit(edits.accept_alignment),
            "reject": lambda: self._edit(edits.reject_alignment),
            "segment": self.segment,
            "separate": self.separate,
            "aligns_on_open": lambda: self._set_settings(aligns_on_open=window.commands["aligns_on_open"].isChecked()),
            "cancel": self._session.cancel,
            "shortcuts": lambda: ShortcutsDialog(window).open(),
            "about": lambda: AboutDialog(scoresep.__version__, window).open(),
        }

    def refresh(self) -> None:
        """Let the actions show what can be done now."""
        session, commands, window = self._session, self._window.commands, self._window
        project = session.project
        has_recording, has_score = project.recording is not None, project.score is not None
        has_sound = has_recording and session.source is not None
        can = {
            "save": (has_recording or has_score) and (session.is_modified or session.path is None),
            "save_as": has_recording or has_score,
            "export": project.stem_set is not None and has_sound,
            "undo": bool(session.undo_text),
            "redo": bool(session.redo_text),
            "repeats": has_score,
            "align": has_sound and has_score,
            "segment": project.alignment is not None,
            "separate": project.alignment is not None and has_sound,
            "accept": project.pending_alignment is not None,
            "reject": project.pending_alignment is not None,
            "cancel": bool(session.jobs),
            "original": bool(window.playing.keys),
            "go_to_bar": has_score,
        }
        can |= dict.fromkeys(("play", "play_selection", "to_start", "to_end"), has_sound)
        can |= dict.fromkeys(("select_all", "zoom_fit", "zoom_in", "zoom_out"), has_sound or has_score)
        can["loop"] = has_sound and (window.timeline.selection is not None or window.playing.loop is not None)
        can |= dict.fromkeys(("select_nothing", "zoom_selection"), window.timeline.selection is not None)
        can |= dict.fromkeys(("mute", "solo", "minus"), bool(window.playing.keys))
        can |= dict.fromkeys(("next_part", "previous_part", "part_menu", "reset_mixer"), has_score)
        for name, is_possible in can.items():
            commands[name].setEnabled(is_possible)
        for name, verb, text in (("undo", "&Undo", session.undo_text), ("redo", "&Redo", session.redo_text)):
            commands[name].setText(f"{verb} “{text[0].lower()}{text[1:]}”" if text else verb)
        checked = {
            "loop": window.playing.loop is not None,
            "original": window.playing.is_original,
            "follow": session.settings.follows_playhead,
            "aligns_on_open": session.settings.aligns_on_open,
            "full_screen": window.isFullScreen(),
        }
        for name, is_checked in checked.items():
            commands[name].setChecked(is_checked)

    # --------------------------------------------------------------------------------------------------- playing

    def play_selection(self) -> None:
        """Play from where the selection starts, else from the playhead."""
        selection = self._window.timeline.selection
        if selection is not None:
            self._window.playing.play_from(selection[0])
        else:
            self._window.playing.play_from(self._window.timeline.playhead_frame or 0)

    def toggle_loop(self) -> None:
        """Repeat the selection; or stop repeating, where it is repeated already or nothing is selected."""
        selection, loop = self._window.timeline.selection, self._window.playing.loop
        is_same = loop is not None and selection in (None, (loop.start_frame, loop.end_frame))
        self._window.playing.set_loop(None if selection is None or is_same else Loop(*selection))
        self.refresh()

    def switch_original(self) -> None:
        """Hear the original in place of the stems, or the stems again."""
        self._switched_at_s = monotonic()
        self._window.playing.set_original(not self._window.playing.is_original)
        self.refresh()

    def let_go_of_original(self) -> None:
        """Go back to what was heard before, if the key of the original was held and not just tapped."""
        if self._switched_at_s and monotonic() - self._switched_at_s > HOLD_S:
            self.switch_original()
        self._switched_at_s = 0.0

    # ------------------------------------------------------------------------------------------------------ work

    def choose_repeats(self) -> None:
        """Ask which repeats are played."""
        project = self._session.project
        if project.score is not None:
            dialog = RepeatsDialog(project.score, project.path_choices, self._window)
            dialog.chosen.connect(self._take_choices)
            dialog.open()

    def _take_choices(self, choices: PathChoices) -> None:
        before = self._session.project.path
        self._edit(lambda project: edits.choose_path(project, choices))
        project = self._session.project
        if project.path != before and project.recording is not None and self._session.settings.aligns_on_open:
            self._window.bridge.attempt(self._session.start_alignment)

    def segment(self) -> None:
        """Find again which parts sound when."""
        alignment = self._session.project.alignment
        if alignment is not None:
            self._edit(lambda p: edits.set_activities(p, edits.derived_activities(p, alignment)))

    def separate(self) -> None:
        """Ask how to separate, and do it."""
        self._session.runner.warm_up([Worker.TORCH])
        dialog = SeparateDialog(self._session.project.recipe, self._session.settings.device, self._window)

        def go(recipe: Recipe, device: str) -> None:
            self._set_settings(device=device)
            self._window.bridge.attempt(lambda: self._session.start_separation(recipe, device))

        dialog.chosen.connect(go)
        dialog.open()

    def export(self) -> None:
        """Ask what to write and where, and write it."""
        project, selection = self._session.project, self._window.timeline.selection
        dialog = ExportDialog(project, self._session.settings, selection, self._window)
        dialog.chosen.connect(self._export)
        dialog.open()

    def _export(self, choices: ExportChoices) -> None:
        key = f"{choices.container}-{'32f' if choices.bits == 32 else choices.bits}"
        self._set_settings(export_folder=choices.folder, export_format=key, export_template=choices.template)
        self._window.bridge.attempt(lambda: self._session.start_export(choices))

    def change_part(self, part_index: int, text: str, values: dict[str, Any]) -> None:
        """Change something about a part, as an edit that can be undone."""
        self._edit(lambda project: edits.set_part(project, part_index, text, **values))

    def _edit(self, make: Callable[[Project], Change]) -> None:
        self._window.bridge.attempt(lambda: self._session.apply(make(self._session.project)))

    # ---------------------------------------------------------------------------------------------------- window

    def toggle_full_screen(self) -> None:
        """Fill the screen, or not."""
        if self._window.isFullScreen():
            self._window.showNormal()
        else:
            self._window.showFullScreen()

    def _set_settings(self, **values: Any) -> None:
        self._session.set_settings(replace(self._session.settings, **values))
