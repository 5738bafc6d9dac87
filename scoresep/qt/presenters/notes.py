"""The gain of selected notes: a slider that is heard while it moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import monotonic

from PySide6.QtCore import QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSlider, QWidget

from scoresep.edits import notes as note_edits
from scoresep.edits.notes import LEAST_GAIN_DB, MOST_GAIN_DB
from scoresep.errors import UsageError
from scoresep.model.audio import Patch
from scoresep.model.note_edits import NoteKey, NoteNames
from scoresep.model.project import Change, Project
from scoresep.qt.dialogs.common import OpenDialog
from scoresep.qt.presenters.bridge import Bridge
from scoresep.qt.presenters.playback import PlaybackController
from scoresep.qt.score.strip import ScoreStrip
from scoresep.qt.timeline.note_marks import NoteMarks, gain_text
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.qt.widgets.theme import digits_font, em
from scoresep.session.jobs import Worker
from scoresep.session.session import Changed

STEPS_PER_DB = 2


class NoteGainDialog(OpenDialog):
    """The dialog.

    Parameters
    ----------
    count : int
        Of notes.
    gain_db : float
        What they have now.

    Signals
    -------
    tried(float)
        A gain is to be heard, but not taken yet.
    audition_asked()
    chosen(float)
    """

    tried = Signal(float)
    audition_asked = Signal()
    chosen = Signal(float)

    def __init__(self, count: int, gain_db: float, parent: QWidget | None = None) -> None:
        what = "the selected note" if count == 1 else f"the {count} selected notes"
        super().__init__("Gain of notes", f"How much louder or softer {what} should be:", "Apply", parent)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(round(LEAST_GAIN_DB * STEPS_PER_DB), round(MOST_GAIN_DB * STEPS_PER_DB))
        self.slider.setPageStep(3 * STEPS_PER_DB)
        self.slider.setValue(round(min(max(gain_db, LEAST_GAIN_DB), MOST_GAIN_DB) * STEPS_PER_DB))
        self.slider.setMinimumWidth(em(self, 18))
        self.slider.setAccessibleName("Gain")
        self.value = QLabel()
        self.value.setFont(digits_font(self.font(), 1.0))
        self.value.setMinimumWidth(em(self, 5))
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout()
        row.addWidget(self.slider, 1)
        row.addWidget(self.value)
        self.column.addLayout(row)
        buttons = QHBoxLayout()
        for text, tip, slot in (
            ("As &played", "Back to 0 dB", lambda: self.slider.setValue(0)),
            ("&Hear", "Hear the notes alone", self.audition_asked.emit),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.column.addLayout(buttons)
        self.slider.valueChanged.connect(self._moved)
        self.finish()
        self._show()
        self.slider.setFocus()

    @property
    def gain_db(self) -> float:
        """Where the slider stands."""
        return self.slider.value() / STEPS_PER_DB

    def _show(self) -> None:
        self.value.setText(gain_text(self.gain_db))

    def _moved(self) -> None:
        self._show()
        self.tried.emit(self.gain_db)

    def accept(self) -> None:
        self.chosen.emit(self.gain_db)
        super().accept()


LOOK_MS = 25
# The sound of a note reaches a little over it on both sides; this much of that need not be heard.
EARLY_S, LATE_S = 0.1, 0.2
JUMP_S = 0.25


class NotePreview(QObject):
    """Plays notes alone.

    Parameters
    ----------
    playing : PlaybackController
    """

    def __init__(self, playing: PlaybackController, parent: QObject) -> None:
        super().__init__(parent)
        self._playing = playing
        self._stop_frame, self._sample_rate = 0, 1
        self._seen = (0, 0.0)  # the frame that was heard last, and when
        self._goes_back_to: tuple[int, bool] = (0, False)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    @property
    def is_auditioning(self) -> bool:
        """Whether notes are heard alone just now."""
        return self._timer.isActive()

    def audition(self, patches: Sequence[Patch], sample_rate: int) -> None:
        """Play notes alone, from the first to the last."""
        if not patches:
            return
        if not self.is_auditioning:
            state = self._playing.state()
            self._goes_back_to = (state.frame, state.is_playing)
        start = min(patch.start_frame for patch in patches) + round(EARLY_S * sample_rate)
        stop = max(patch.stop_frame for patch in patches) - round(LATE_S * sample_rate)
        self._stop_frame, self._sample_rate = max(stop, start + 1), sample_rate
        self._seen = (start, monotonic())
        self._playing.play_alone(tuple(patches))
        self._playing.play_from(start)
        self._timer.start()

    def end(self) -> None:
        """Go back to what was played before."""
        if not self.is_auditioning:
            return
        self._timer.stop()
        frame, was_playing = self._goes_back_to
        self._playing.play_alone(())
        if was_playing:
            self._playing.play_from(frame)
        else:
            self._playing.stop()
            self._playing.seek(frame)

    def _look(self) -> None:
        state = self._playing.state()
        if not self._playing.plays_alone:
            self._timer.stop()  # something else was asked for
        elif state.is_playing and self._has_jumped(state.frame):
            self._timer.stop()  # the person has gone elsewhere
            self._playing.play_alone(())
        elif not state.is_playing or state.frame >= self._stop_frame:
            self.end()

    def _has_jumped(self, frame: int) -> bool:
        """Whether the playhead is where time alone has not brought it."""
        (before, then_s), now_s = self._seen, monotonic()
        self._seen = (frame, now_s)
        spare = JUMP_S * self._sample_rate
        return not -spare < frame - before < (now_s - then_s) * self._sample_rate + spare


def common_part(keys: Iterable[NoteKey]) -> int | None:
    """Return the part that all notes are of; None where there is none."""
    parts = {key.part_index for key in keys}
    return parts.pop() if len(parts) == 1 else None


class NotePresenter(QObject):
    """Edits of single notes.

    Parameters
    ----------
    bridge : Bridge
    playing : PlaybackController
    view : TimelineView
    chosen_part : callable
        Returns the index of the chosen part, or something else where none is.
    window : QWidget
        Parent of what opens.

    Signals
    -------
    menu_opening(QMenu)
        The menu of the selected notes opens; who hears this fills it.
    """

    menu_opening = Signal(object)

    def __init__(
        self,
        bridge: Bridge,
        playing: PlaybackController,
        view: TimelineView,
        chosen_part: Callable[[], object],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._bridge, self._session, self._playing, self._view = bridge, bridge.session, playing, view
        self._chosen_part, self._window = chosen_part, window
        self._strip: ScoreStrip | None = None
        self._names: NoteNames | None = None
        self._keys_are_of: tuple[NoteNames | None, tuple[int, ...]] = (None, ())
        self._keys: tuple[NoteKey, ...] = ()
        self._key_set: frozenset[NoteKey] = frozenset()
        self.preview = NotePreview(playing, self)
        self.menu: QMenu | None = None
        view.notes.changed.connect(self._show)
        view.notes.menu_asked.connect(self.open_menu)
        bridge.changed.connect(self._on_changed)

    def show_in(self, strip: ScoreStrip) -> None:
        """Show marks in the engraved score, and hear what is selected there."""
        self._strip = strip
        strip.note_toggled.connect(self._view.notes.toggle)
        strip.note_menu_asked.connect(self._menu_in_strip)

    @property
    def can_edit(self) -> bool:
        """Whether notes are selected that have sounds of their own."""
        return bool(self.keys) and self._session.project.stem_set is not None

    @property
    def can_restore(self) -> bool:
        """Whether anything was done to the selected notes."""
        self._find_keys()
        return any(edit.key in self._key_set and not edit.does_nothing for edit in self._session.project.note_edits)

    @property
    def is_muted(self) -> bool:
        """Whether all selected notes are muted."""
        self._find_keys()
        muted = {edit.key for edit in self._session.project.note_edits if edit.is_muted}
        return bool(self._keys) and self._key_set <= muted

    @property
    def count_text(self) -> str:
        """The selected notes in the text of an action, with a mnemonic: ``2 &notes``."""
        count = len(self.keys)
        return "&notes" if count == 0 else ("&note" if count == 1 else f"{count} &notes")

    @property
    def part(self) -> int | None:
        """The chosen part; None where none is."""
        part = self._chosen_part()
        return part if isinstance(part, int) else None

    # --------------------------------------------------------------------------------------------------- what is done

    @property
    def keys(self) -> tuple[NoteKey, ...]:
        """The selected notes by name."""
        self._find_keys()
        return self._keys

    def _find_keys(self) -> None:
        """Name the selected notes, once for every selection: actions ask often, and all notes may be selected."""
        names, rows = self._names_now(), self._view.notes.rows
        if self._keys_are_of[0] is not names or self._keys_are_of[1] is not rows:
            self._keys_are_of = (names, rows)
            self._keys = () if names is None else names.keys_of(r for r in rows if r < len(names.unfolded.notes))
            self._key_set = frozenset(self._keys)

    def audition(self) -> None:
        """Play the selected notes alone; while they play, end that.

        Raises
        ------
        UsageError
            No notes are selected, or they have no stem.
        """
        if self.preview.is_auditioning:
            self.preview.end()
            return
        keys, recording = self._selected(), self._session.project.recording
        rate = recording.sample_rate if recording is not None else 1
        self._session.notes.want(keys, lambda: self.preview.audition(self._session.notes.alone(keys), rate))

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
        dialog.audition_asked.connect(lambda: self._bridge.attempt(self.audition))
        dialog.chosen.connect(lambda gain_db: self.edit(lambda p, k: note_edits.set_gain(p, k, gain_db)))
        dialog.finished.connect(lambda _: self._playing.try_note_edits(None))
        dialog.open()

    def _try(self, keys: tuple[NoteKey, ...], gain_db: float) -> None:
        self._playing.try_note_edits(note_edits.add_gain(self._session.project, keys, gain_db))

    def _selected(self) -> tuple[NoteKey, ...]:
        keys = self.keys
        if not keys:
            raise UsageError("Select notes first: click them, or select a stretch and press N.")
        return keys

    def edit(self, make: Callable[[Project, tuple[NoteKey, ...]], Change]) -> None:
        """Change the selected notes, as an edit that can be undone."""
        self._bridge.edit(lambda project: make(project, self.keys))

    # ---------------------------------------------------------------------------------------------------- what is shown

    def _on_changed(self, changed: Changed) -> None:
        if changed.what & {"note_edits", "score", "path", "alignment"}:
            self._show()

    def _show(self) -> None:
        """Mark selected and edited notes."""
        marks = self._marks()
        self._view.set_note_marks(marks)
        if self._strip is not None:
            self._strip.set_note_marks(marks)
        if marks.selected and self._session.project.stem_set is not None:
            self._session.jobs.runner.warm_up([Worker.NOTES])

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
        self.menu_opening.emit(menu)
        menu.popup(position)

    def _menu_in_strip(self, row: int, position: QPoint) -> None:
        if row not in self._view.notes.rows:
            self._view.notes.select([row])
        self.open_menu(position)
