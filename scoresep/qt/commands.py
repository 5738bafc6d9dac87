"""What every action of the window does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMainWindow

import scoresep
from scoresep.model.note_edits import NoteKey
from scoresep.model.path import PathChoices
from scoresep.model.project import Change, Loop, Project
from scoresep.playback.checking import Check
from scoresep.qt.actions import make_actions
from scoresep.qt.bridge import Bridge
from scoresep.qt.choosing import Choosing
from scoresep.qt.correcting import Correcting
from scoresep.qt.dialogs import (
    AboutDialog,
    GoToBarDialog,
    RepeatsDialog,
    ShortcutsDialog,
    path_text,
)
from scoresep.qt.documents import Documents
from scoresep.qt.export_dialog import ExportDialog, format_key
from scoresep.qt.note_editing import NoteEditing
from scoresep.qt.note_export_dialog import NoteExportDialog
from scoresep.qt.parts_panel import PartsPanel
from scoresep.qt.playing import Playing
from scoresep.qt.spectrogram_feed import SpectrogramFeed
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.session import edits
from scoresep.session.exporting import ExportChoices

# Held longer than this, the key of the original compares for a moment; shorter, it switches.
HOLD_S = 0.35


@dataclass(frozen=True)
class Stage:
    """The pieces of the window that actions act on."""

    window: QMainWindow
    bridge: Bridge
    documents: Documents
    playing: Playing
    timeline: TimelineView
    parts: PartsPanel
    show_panel: Callable[[bool], None]
    show_score: Callable[[bool], None]
    show_systems: Callable[[bool], None]
    spectrogram: SpectrogramFeed


class Commands(QObject):
    """The actions of the window, and what each does.

    Parameters
    ----------
    stage : Stage

    Attributes
    ----------
    actions : dict of QAction
        By the ids of `actions.ACTIONS`.
    """

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.window)
        self._stage = stage
        self._session = stage.bridge.session
        self._switched_at_s = 0.0
        self.notes = NoteEditing(stage.bridge, stage.playing, stage.timeline, lambda: stage.parts.chosen, stage.window)
        self._exported_to: dict[str, str] = {}  # folder of the last export by the key of its recording
        self._choosing = Choosing(stage.bridge, stage.window, stage.playing, stage.timeline)
        self.comparing = self._choosing.comparing
        self._correcting = Correcting(
            stage.bridge, stage.playing, stage.timeline, lambda: stage.parts.chosen, self, self._choosing.add_menus
        )
        self.actions = make_actions(
            stage.window, self.notes.slots() | self._slots() | self._correcting.slots() | self._choosing.slots()
        )
        stage.playing.compared.connect(self.refresh)
        stage.parts.rule_set.connect(self._choosing.set_rule)
        stage.parts.rule_removed.connect(self._choosing.remove_rule)
        stage.parts.stem_line.pressed.connect(self._choosing.ask)
        self.notes.join(self.actions, self.export_notes)
        stage.timeline.notes.changed.connect(self.refresh)
        stage.timeline.editing.selected.connect(self.refresh)
        stage.playing.check_changed.connect(self.refresh)
        stage.spectrogram.changed.connect(self.refresh)

    def _slots(self) -> dict[str, Callable[[], object]]:
        """Return what each action does, by its id."""
        stage, window = self._stage, self._stage.window
        documents, playing, view, parts = stage.documents, stage.playing, stage.timeline, stage.parts
        attempt = stage.bridge.attempt
        return {
            "new": documents.new,
            "open_recording": documents.open_recording,
            "open_score": documents.open_score,
            "open_project": documents.ask_for_project,
            "open_demo": documents.open_demo,
            "save": documents.save,
            "save_as": documents.save_as,
            "import_alignment": documents.import_alignment,
            "export": self.export,
            "quit": window.close,
            "undo": lambda: attempt(self._session.undo),
            "redo": lambda: attempt(self._session.redo),
            "select_all": view.select_all,
            "select_nothing": view.select_nothing,
            "repeats": self.choose_repeats,
            "zoom_in": view.zoom_in,
            "zoom_out": view.zoom_out,
            "zoom_fit": view.zoom_to_fit,
            "zoom_selection": view.zoom_to_selection,
            "go_to_bar": self.go_to_bar,
            "panel": lambda: stage.show_panel(self.actions["panel"].isChecked()),
            "score_strip": lambda: stage.show_score(self.actions["score_strip"].isChecked()),
            "curves": lambda: view.show_curves(not view.shows_curves),
            "spectrogram": stage.spectrogram.toggle,
            "spectrogram_in_place": stage.spectrogram.toggle_in_place,
            "spectrogram_notes": stage.spectrogram.toggle_notes,
            "spectrogram_overtones": stage.spectrogram.toggle_overtones,
            "spectrogram_next": stage.spectrogram.step,
            "spectrogram_over": stage.spectrogram.toggle_over,
            "score_systems": lambda: stage.show_systems(self.actions["score_systems"].isChecked()),
            "full_screen": self.toggle_full_screen,
            "play": playing.toggle,
            "play_selection": self.play_selection,
            "to_start": view.go_to_start,
            "to_end": view.go_to_end,
            "loop": self.toggle_loop,
            "follow": lambda: self._set_settings(follows_playhead=self.actions["follow"].isChecked()),
            "original": self.switch_original,
            "mute": lambda: parts.toggle("mute"),
            "solo": lambda: parts.toggle("solo"),
            "minus": lambda: parts.toggle("minus"),
            "next_part": lambda: parts.choose_next(1),
            "previous_part": lambda: parts.choose_next(-1),
            "part_menu": parts.open_menu,
            "reset_mixer": parts.reset,
            "align": lambda: attempt(self._session.start_alignment),
            "accept": lambda: attempt(self._session.accept_alignment),
            "reject": lambda: self._edit(edits.reject_alignment),
            "segment": lambda: attempt(self._session.start_segmentation),
            "aligns_on_open": lambda: self._set_settings(aligns_on_open=self.actions["aligns_on_open"].isChecked()),
            "cancel": self._session.cancel,
            "shortcuts": lambda: ShortcutsDialog(window).open(),
            "about": lambda: AboutDialog(scoresep.__version__, window).open(),
        }

    def refresh(self) -> None:
        """Let the actions show what can be done now."""
        session, stage = self._session, self._stage
        project = session.project
        has_recording, has_score = project.recording is not None, project.score is not None
        has_sound = has_recording and session.source is not None
        can = {
            "save": (has_recording or has_score) and (session.is_modified or session.path is None),
            "save_as": has_recording or has_score,
            "export": (project.stem_set is not None or project.alignment is not None) and has_sound,
            "import_alignment": has_sound and has_score,
            "undo": bool(session.undo_text),
            "redo": bool(session.redo_text),
            "repeats": has_score,
            "align": has_sound and has_score and session.job("alignment") is None,
            "segment": project.alignment is not None,
            "accept": project.pending_alignment is not None,
            "reject": project.pending_alignment is not None,
            "cancel": bool(session.jobs),
            "original": bool(stage.playing.keys),
            "go_to_bar": has_score,
        }
        can |= dict.fromkeys(("play", "play_selection", "to_start", "to_end"), has_sound)
        can |= dict.fromkeys(("select_all", "zoom_fit", "zoom_in", "zoom_out"), has_sound or has_score)
        shows_spectrogram = session.settings.shows_spectrogram and has_sound
        can |= dict.fromkeys(("spectrogram_notes", "spectrogram_overtones"), shows_spectrogram)
        can |= dict.fromkeys(("spectrogram_next", "spectrogram_over"), shows_spectrogram and bool(stage.playing.keys))
        can["loop"] = has_sound and (stage.timeline.selection is not None or stage.playing.loop is not None)
        can |= dict.fromkeys(("select_nothing", "zoom_selection"), stage.timeline.selection is not None)
        can |= dict.fromkeys(("mute", "solo", "minus"), bool(stage.playing.keys))
        can |= dict.fromkeys(("next_part", "previous_part", "part_menu", "reset_mixer"), has_score)
        can |= self.notes.possible() | self._correcting.possible() | self._choosing.possible()
        for name, is_possible in can.items():
            self.actions[name].setEnabled(is_possible)
        for name, verb, text in (("undo", "&Undo", session.undo_text), ("redo", "&Redo", session.redo_text)):
            self.actions[name].setText(f"{verb} “{text[0].lower()}{text[1:]}”" if text else verb)
        checked = {
            "curves": stage.timeline.shows_curves,
            "quality": stage.timeline.shows_quality,
            "spectrogram": session.settings.shows_spectrogram,
            "spectrogram_in_place": session.settings.spectrogram_in_place,
            "spectrogram_notes": session.settings.spectrogram_notes,
            "spectrogram_overtones": session.settings.spectrogram_overtones,
            "spectrogram_over": stage.spectrogram.choice.is_over,
            "check_clicks": stage.playing.check is Check.CLICKS,
            "check_score": stage.playing.check is Check.SCORE,
            "correct": stage.timeline.editing.is_correcting,
            "loop": stage.playing.loop is not None,
            "original": stage.playing.is_original,
            "other_stems": stage.playing.hears_other,
            "follow": session.settings.follows_playhead,
            "aligns_on_open": session.settings.aligns_on_open,
            "full_screen": stage.window.isFullScreen(),
        }
        for name, is_checked in checked.items():
            self.actions[name].setChecked(is_checked)
        self.actions["other_stems"].setToolTip(self.comparing.tip)

    # --------------------------------------------------------------------------------------------------- playing

    def play_selection(self) -> None:
        """Play from where the selection starts, else from the playhead."""
        selection = self._stage.timeline.selection
        if selection is not None:
            self._stage.playing.play_from(selection[0])
        else:
            self._stage.playing.play_from(self._stage.timeline.playhead_frame or 0)

    def toggle_loop(self) -> None:
        """Repeat the selection; or stop repeating, where it is repeated already or nothing is selected."""
        selection, loop = self._stage.timeline.selection, self._stage.playing.loop
        is_same = loop is not None and selection in (None, (loop.start_frame, loop.end_frame))
        self._stage.playing.set_loop(None if selection is None or is_same else Loop(*selection))
        self.refresh()

    def switch_original(self) -> None:
        """Hear the original in place of the stems, or the stems again."""
        self._switched_at_s = monotonic()
        self._stage.playing.set_original(not self._stage.playing.is_original)
        self.refresh()

    def let_go_of_original(self) -> None:
        """Go back to what was heard before, if the key of the original was held and not just tapped."""
        if self._switched_at_s and monotonic() - self._switched_at_s > HOLD_S:
            self.switch_original()
        self._switched_at_s = 0.0

    def go_to_bar(self) -> None:
        """Ask for a bar, and move the playhead there."""
        score, path = self._session.project.score, self._session.project.path
        if score is not None and path is not None:
            GoToBarDialog(self._stage.timeline.go_to_bar, path_text(score, path), self._stage.window).open()

    # ------------------------------------------------------------------------------------------------------ work

    def choose_repeats(self) -> None:
        """Ask which repeats are played."""
        project = self._session.project
        if project.score is not None:
            dialog = RepeatsDialog(project.score, project.path_choices, self._stage.window)
            dialog.chosen.connect(self._take_choices)
            dialog.open()

    def _take_choices(self, choices: PathChoices) -> None:
        before = self._session.project.path
        self._edit(lambda project: edits.choose_path(project, choices))
        project = self._session.project
        if project.path != before and project.recording is not None and self._session.settings.aligns_on_open:
            self._stage.bridge.attempt(self._session.start_alignment)

    def export(self) -> None:
        """Ask what to write and where, and write it."""
        project, selection = self._session.project, self._stage.timeline.selection
        folder = self._exported_to.get(project.recording.content_key, "") if project.recording is not None else ""
        dialog = ExportDialog(project, self._session.settings, selection, folder, self._stage.window)
        dialog.chosen.connect(self._export)
        dialog.open()

    def export_notes(self, keys: tuple[NoteKey, ...]) -> None:
        """Ask where selected notes are to be written, and write them."""
        project, settings = self._session.project, self._session.settings
        folder = self._exported_to.get(project.recording.content_key, "") if project.recording is not None else ""
        dialog = NoteExportDialog(project, settings, keys, folder, self._stage.window)
        dialog.chosen.connect(self._export)
        dialog.open()

    def _export(self, choices: ExportChoices) -> None:
        recording = self._session.project.recording
        if recording is not None:
            self._exported_to[recording.content_key] = choices.folder
        self._set_settings(
            export_folder=choices.folder, export_format=format_key(choices), export_template=choices.template
        )
        self._stage.bridge.attempt(lambda: self._session.start_export(choices))

    def change_part(self, part_index: int, text: str, values: dict[str, Any]) -> None:
        """Change something about a part, as an edit that can be undone."""
        self._edit(lambda project: edits.set_part(project, part_index, text, **values))

    def _edit(self, make: Callable[[Project], Change]) -> None:
        self._stage.bridge.attempt(lambda: self._session.apply(make(self._session.project)))

    # ---------------------------------------------------------------------------------------------------- window

    def toggle_full_screen(self) -> None:
        """Fill the screen, or not."""
        if self._stage.window.isFullScreen():
            self._stage.window.showNormal()
        else:
            self._stage.window.showFullScreen()

    def _set_settings(self, **values: Any) -> None:
        self._session.set_settings(replace(self._session.settings, **values))
