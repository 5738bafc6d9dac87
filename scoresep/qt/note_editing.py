"""What the menu of notes does: single notes are selected, heard, muted, made louder, taken out and exported."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QPoint
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from scoresep.errors import UsageError
from scoresep.model.note_edits import NoteKey, NoteNames
from scoresep.model.project import Change, Project
from scoresep.qt.bridge import Bridge
from scoresep.qt.note_gain import NoteGainDialog
from scoresep.qt.note_hearing import NoteHearing
from scoresep.qt.playing import Playing
from scoresep.qt.score_view.score_strip import ScoreStrip
from scoresep.qt.timeline.note_marks import NoteMarks
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.session import note_edits
from scoresep.session.jobs import Worker
from scoresep.session.session import Changed

MENU = ("hear_notes", "", "mute_notes", "gain_notes", "remove_notes", "restore_notes", "", "export_notes")
EDITS = ("mute_notes", "gain_notes", "remove_notes")


class NoteEditing(QObject):
    """Edits of single notes.

    Parameters
    ----------
    bridge : Bridge
    playing : Playing
    view : TimelineView
    chosen_part : callable
        Returns the index of the chosen part, or something else where none is.
    window : QWidget
        Parent of what opens.
    """

    def __init__(
        self, bridge: Bridge, playing: Playing, view: TimelineView, chosen_part: Callable[[], object], window: QWidget
    ) -> None:
        super().__init__(window)
        self._bridge, self._session, self._playing, self._view = bridge, bridge.session, playing, view
        self._chosen_part, self._window = chosen_part, window
        self._strip: ScoreStrip | None = None
        self._actions: dict[str, QAction] = {}
        self._export: Callable[[tuple[NoteKey, ...]], None] = lambda _: None
        self._names: NoteNames | None = None
        self.hearing = NoteHearing(playing, self)
        self.menu: QMenu | None = None
        view.notes.changed.connect(self._show)
        view.notes.menu_asked.connect(self.open_menu)
        bridge.changed.connect(self._hear)

    def join(self, actions: dict[str, QAction], export: Callable[[tuple[NoteKey, ...]], None]) -> None:
        """Take the actions of the window, and what asks where notes are to be exported."""
        self._actions, self._export = actions, export

    def show_in(self, strip: ScoreStrip) -> None:
        """Show marks in the engraved score, and hear what is selected there."""
        self._strip = strip
        strip.note_toggled.connect(self._view.notes.toggle)
        strip.note_menu_asked.connect(self._menu_in_strip)

    def slots(self) -> dict[str, Callable[[], object]]:
        """Return what each action does, by its id."""
        notes = self._view.notes
        return {
            "select_notes": lambda: notes.select_between(self._view.selection, self._part()),
            "select_all_notes": lambda: notes.select_between(self._view.selection, None),
            "next_note": lambda: notes.step(1, self._part()),
            "previous_note": lambda: notes.step(-1, self._part()),
            "add_next_note": lambda: notes.step(1, self._part(), adds=True),
            "add_previous_note": lambda: notes.step(-1, self._part(), adds=True),
            "hear_notes": lambda: self._bridge.attempt(self.hear),
            "mute_notes": lambda: self._edit(note_edits.mute),
            "gain_notes": lambda: self._bridge.attempt(self.ask_gain),
            "remove_notes": lambda: self._edit(note_edits.remove),
            "restore_notes": lambda: self._edit(note_edits.restore),
            "export_notes": lambda: self._export(self.keys),
        }

    def possible(self) -> dict[str, bool]:
        """Return which actions can be taken now."""
        project, keys = self._session.project, self.keys
        has_score, has_stems = project.score is not None, project.stem_set is not None
        can = dict.fromkeys(self.slots(), has_score)
        can |= dict.fromkeys(("hear_notes", *EDITS, "export_notes"), bool(keys) and has_stems)
        can["restore_notes"] = any(not edit.does_nothing for edit in note_edits.edits_of(project, keys))
        return can

    # --------------------------------------------------------------------------------------------------- what is done

    @property
    def keys(self) -> tuple[NoteKey, ...]:
        """The selected notes by name."""
        unfolded = self._session.project.unfolded
        rows = [row for row in self._view.notes.rows if unfolded is not None and row < len(unfolded.notes)]
        names = self._names_now()
        return () if names is None else names.keys_of(rows)

    def hear(self) -> None:
        """Hear the selected notes alone; while they are heard, end that.

        Raises
        ------
        UsageError
            No notes are selected, or they have no stem.
        """
        if self.hearing.is_hearing:
            self.hearing.end()
            return
        keys, recording = self._selected(), self._session.project.recording
        rate = recording.sample_rate if recording is not None else 1
        self._session.notes.want(keys, lambda: self.hearing.hear(self._session.notes.alone(keys), rate))

    def ask_gain(self) -> None:
        """Ask how loud the selected notes should be, and let it be heard at once.

        Raises
        ------
        UsageError
            No notes are selected, or they have no stem.
        """
        keys, session = self._selected(), self._session
        session.notes.want(keys, lambda: None)
        first = note_edits.edits_of(session.project, keys)[0]
        dialog = NoteGainDialog(len(keys), 0.0 if first.factor == 0.0 else first.gain_db, self._window)
        dialog.tried.connect(lambda gain_db: self._try(keys, gain_db))
        dialog.hear_asked.connect(lambda: self._bridge.attempt(self.hear))
        dialog.chosen.connect(lambda gain_db: self._edit(lambda p, k: note_edits.set_gain(p, k, gain_db)))
        dialog.finished.connect(lambda _: self._playing.try_note_edits(None))
        dialog.open()

    def _try(self, keys: tuple[NoteKey, ...], gain_db: float) -> None:
        self._playing.try_note_edits(note_edits.with_gain(self._session.project, keys, gain_db))

    def _selected(self) -> tuple[NoteKey, ...]:
        keys = self.keys
        if not keys:
            raise UsageError("Select notes first: click them, or select a stretch and press N.")
        return keys

    def _edit(self, make: Callable[[Project, tuple[NoteKey, ...]], Change]) -> None:
        keys = self.keys
        self._bridge.attempt(lambda: self._session.apply(make(self._session.project, keys)))

    def _part(self) -> int | None:
        part = self._chosen_part()
        return part if isinstance(part, int) else None

    # ---------------------------------------------------------------------------------------------------- what is shown

    def _hear(self, changed: Changed) -> None:
        if changed.what & {"note_edits", "score", "path", "alignment"}:
            self._show()

    def _show(self) -> None:
        """Mark selected and edited notes, and let the actions say how many there are."""
        marks = self._marks()
        self._view.set_note_marks(marks)
        if self._strip is not None:
            self._strip.set_note_marks(marks)
        if marks.selected and self._session.project.stem_set is not None:
            self._session.runner.warm_up([Worker.NOTES])
        keys = self.keys
        count = "&notes" if len(keys) == 0 else ("&note" if len(keys) == 1 else f"{len(keys)} &notes")
        is_muted = bool(keys) and all(edit.is_muted for edit in note_edits.edits_of(self._session.project, keys))
        for name, text in (("hear_notes", "Hear {} alone"), ("mute_notes", "Unmute {}" if is_muted else "Mute {}")):
            if name in self._actions:
                self._actions[name].setText(text.format(count))

    def _marks(self) -> NoteMarks:
        names, project = self._names_now(), self._session.project
        if names is None:
            return NoteMarks()
        muted, removed, gains = set[int](), set[int](), dict[int, float]()
        for edit in project.note_edits:
            for row in names.rows_of(edit.key):
                if edit.is_removed:
                    removed.add(row)
                elif edit.is_muted:
                    muted.add(row)
                else:
                    gains[row] = edit.gain_db
        return NoteMarks(frozenset(self._view.notes.rows), frozenset(muted), frozenset(removed), gains)

    def _names_now(self) -> NoteNames | None:
        unfolded = self._session.project.unfolded
        if unfolded is None:
            self._names = None
        elif self._names is None or self._names.unfolded is not unfolded:
            self._names = NoteNames(unfolded)
        return self._names

    def open_menu(self, position: QPoint) -> None:
        """Offer what can be done to the selected notes."""
        if self.menu is not None:
            self.menu.deleteLater()
        self.menu = menu = QMenu(self._window)
        for name in MENU:
            if name:
                menu.addAction(self._actions[name])
            else:
                menu.addSeparator()
        menu.popup(position)

    def _menu_in_strip(self, row: int, position: QPoint) -> None:
        if row not in self._view.notes.rows:
            self._view.notes.select([row])
        self.open_menu(position)
