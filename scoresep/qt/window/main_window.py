"""The window: its pieces, how they are laid out and joined, and what it shows when the session has changed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from PySide6.QtCore import QByteArray, QEvent, QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QMainWindow, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from scoresep.edits import project as edits
from scoresep.files.storage.cache import state_folder
from scoresep.model.project import Loop, Project
from scoresep.playback.player import Player
from scoresep.qt.presenters.alignment import AlignmentPresenter
from scoresep.qt.presenters.bridge import Bridge
from scoresep.qt.presenters.notes import NotePresenter, common_part
from scoresep.qt.presenters.playback import OutputPresenter, PlaybackController, PlayheadPresenter
from scoresep.qt.presenters.separation import SeparationPresenter
from scoresep.qt.presenters.spectrogram import SpectrogramPresenter
from scoresep.qt.presenters.timeline import ScorePresenter, SeparationProgress, TimelinePresenter
from scoresep.qt.score.strip import ScoreStrip
from scoresep.qt.score.system_drawing import Mode
from scoresep.qt.timeline.timeline_view import Follow, TimelineView
from scoresep.qt.widgets.message_bar import JobStrip, MessageBar
from scoresep.qt.widgets.parts_panel import PartsPanel
from scoresep.qt.widgets.theme import Appearance, digits_font, em
from scoresep.qt.widgets.transport_bar import TransportBar
from scoresep.qt.widgets.welcome import Welcome
from scoresep.qt.window.actions.action import Window
from scoresep.qt.window.commands import Commands
from scoresep.qt.window.documents import Documents, Exporting, Saving
from scoresep.qt.window.status_messages import next_step, sentences_of
from scoresep.session.jobs import Worker
from scoresep.session.session import Changed, Message, Session


def state_path() -> Path:
    """Return where the layout is kept."""
    return state_folder() / "window.json"


def save_layout(window: QMainWindow, splitters: Mapping[str, QSplitter], shown: Mapping[str, bool]) -> None:
    """Keep where the window stands, how it is divided, and which of its pieces are shown.

    Parameters
    ----------
    window : QMainWindow
    splitters : mapping of str to QSplitter
        By the name under which they are restored.
    shown : mapping of str to bool
        Which pieces are shown.
    """
    divided = {name: _text(splitter.saveState()) for name, splitter in splitters.items()}
    values = {"geometry": _text(window.saveGeometry()), **divided, **shown}
    path = state_path()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):  # a layout that cannot be kept is no reason to keep a person from closing
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(values), encoding="utf-8")
        os.replace(beside, path)


def restore_layout(window: QMainWindow, splitters: Mapping[str, QSplitter]) -> frozenset[str]:
    """Put the window where it stood. Returns the pieces that were hidden."""
    try:
        values: Any = json.loads(state_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return frozenset()
    if not isinstance(values, dict):
        return frozenset()
    restores = {name: splitter.restoreState for name, splitter in splitters.items()}
    for key, restore in {"geometry": window.restoreGeometry, **restores}.items():
        if isinstance(values.get(key), str):
            restore(QByteArray.fromBase64(values[key].encode()))
    return frozenset(str(key) for key, value in values.items() if value is False)


def _text(data: QByteArray) -> str:
    return bytes(data.toBase64().data()).decode()


# More than this share of the height is the score's only where a person draws it so.
MOST_SHARE = 0.42


class ScoreTimelineSplitter(QSplitter):
    """Score strip and timeline.

    Parameters
    ----------
    strip : ScoreStrip
    timeline : QWidget

    Attributes
    ----------
    is_by_hand : bool
        Whether a person has divided the room.
    """

    def __init__(self, strip: ScoreStrip, timeline: QWidget) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self.is_by_hand = False
        self._wanted_height_px = 0
        # The strip says what it wants while the splitter lays it out; dividing anew in the midst of that would leave
        # strip and timeline on top of each other.
        self._dividing = QTimer(self, singleShot=True, interval=0)
        self._dividing.timeout.connect(self._divide)
        for place, widget in enumerate((strip, timeline)):
            self.addWidget(widget)
            self.setCollapsible(place, False)
            self.setStretchFactor(place, place)
        self.setHandleWidth(max(em(self, 0.25), 3))
        self.setFocusProxy(timeline)
        self.splitterMoved.connect(self._moved)
        strip.height_wanted.connect(self._give_height)

    def restoreState(self, state: QByteArray | bytes | bytearray | memoryview) -> bool:
        self.is_by_hand = True
        return super().restoreState(state)

    def _moved(self) -> None:
        self.is_by_hand = True

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._dividing.start()

    def _give_height(self, height_px: int) -> None:
        self._wanted_height_px = height_px
        self._dividing.start()

    def _divide(self) -> None:
        """Give the strip what it wants, or its share of the present height."""
        sizes, strip = self.sizes(), self.widget(0)
        total = sum(sizes)
        is_shown = strip is not None and strip.isVisible()
        if not self.is_by_hand and self._wanted_height_px and is_shown and total > 0:
            height_px = min(self._wanted_height_px, round(MOST_SHARE * total))
            if height_px != sizes[0]:
                self.setSizes([height_px, total - height_px])


WARM_UP_AFTER_MS = 400
EVERYTHING = frozenset(Project.__dataclass_fields__) | {
    "source",
    "peaks",
    "jobs",
    "undo",
    "file",
    "messages",
    "settings",
}


class MainWindow(Window):
    """The window.

    Parameters
    ----------
    session : Session
    player : Player
    appearance : Appearance
    """

    def __init__(self, session: Session, player: Player, appearance: Appearance) -> None:
        super().__init__()
        self.session = session
        self._appearance = appearance
        self._is_settled = False
        self._last_tick_s = monotonic()
        self.bridge = Bridge(session, self)
        self.playing = PlaybackController(session, player, self)
        self.saving = Saving(self.bridge, self)
        self.exporting = Exporting(self.bridge, self)
        self.documents = Documents(self.bridge, self.saving, self)
        self.timeline = TimelineView()
        self.parts = PartsPanel()
        self.feed = TimelinePresenter(session, self.timeline)
        self.separating = SeparationProgress(session, self.playing, self.feed)
        self.spectrogram = SpectrogramPresenter(self.bridge, self.timeline, self.playing)
        self.score_strip = ScoreStrip()
        self.score_feed = ScorePresenter(session, self.score_strip)
        self.separation = SeparationPresenter(self.bridge, self, self.playing, self.timeline)
        self.notes = NotePresenter(self.bridge, self.playing, self.timeline, lambda: self.parts.chosen, self)
        self.notes.show_in(self.score_strip)
        self.alignment = AlignmentPresenter(self.bridge, self.playing, self.timeline, lambda: self.parts.chosen, self)
        self._commands = Commands(self)
        self.commands = self._commands.actions
        self.transport = TransportBar(self.commands)
        self.messages = MessageBar()
        self.welcome = Welcome()
        self.job_strip = JobStrip()
        self.readout = QLabel()
        self.output = QLabel()
        self._playhead = PlayheadPresenter(session, self.transport.position, self.timeline, self.score_strip)
        self._output = OutputPresenter(self.bridge, self.playing, self.output)
        self._lay_out()
        self._connect()
        hidden = restore_layout(self, {"splitter": self.splitter, "scene": self.scene})
        self.show_piece(self.parts, "panel" not in hidden)
        self.show_piece(self.score_strip, "score_strip" not in hidden)
        self.score_strip.set_mode(Mode.LINE if "score_systems" in hidden else Mode.SYSTEMS)
        self._show_changes(Changed(EVERYTHING))

    # ------------------------------------------------------------------------------------------------------ building

    def _lay_out(self) -> None:
        self.setWindowTitle("ScoreSep[*]")
        self.setAcceptDrops(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self._commands.fill_menu_bar(self.menuBar())
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self.scene = ScoreTimelineSplitter(self.score_strip, self.timeline)
        self.pages.addWidget(self.scene)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self.parts)
        self.splitter.addWidget(self.pages)
        self.splitter.setStretchFactor(0, 0)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setCollapsible(0, False)
        self.splitter.setCollapsible(1, False)
        self.splitter.setHandleWidth(max(em(self, 0.25), 3))
        self.splitter.setSizes([self.parts.sizeHint().width(), 4 * self.parts.sizeHint().width()])
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self.transport, self.messages):
            column.addWidget(widget)
        column.addWidget(self.splitter, 1)
        self.setCentralWidget(centre)
        status = self.statusBar()
        status.setSizeGripEnabled(False)
        self.readout.setFont(digits_font(self.font(), 0.95))
        self.readout.setContentsMargins(em(self, 0.5), 0, 0, 0)
        self.output.setEnabled(False)
        self.output.setContentsMargins(em(self, 0.5), 0, em(self, 0.5), 0)
        status.addWidget(self.readout)
        status.addPermanentWidget(self.job_strip)
        status.addPermanentWidget(self.output)
        self.resize(self.sizeHint())

    def sizeHint(self) -> QSize:
        """Return a size that leaves some of the screen free and does not sprawl on a large one."""
        room = self.screen().availableSize()
        return QSize(min(em(self, 104), round(room.width() * 0.94)), min(em(self, 64), round(room.height() * 0.88)))

    def _connect(self) -> None:
        session, documents, view = self.session, self.documents, self.timeline
        self.bridge.changed.connect(self._show_changes)
        self.bridge.ticked.connect(self._tick)
        self.playing.tracks_changed.connect(self._show_tracks)
        self.playing.loop_changed.connect(self.feed.show_loop)
        self.score_strip.seek_requested.connect(self.playing.seek)
        self.score_strip.play_requested.connect(self.playing.play_from)
        self.score_strip.mode_changed.connect(lambda _: self._commands.show("score_systems"))
        self.playing.compared.connect(self._show_compared)
        self.parts.mixer_changed.connect(lambda mixer: session.set_mixer(mixer, by=self.parts))
        self.parts.part_chosen.connect(self.spectrogram.choose_part)
        # keys go to the part whose notes are selected
        self.timeline.notes.changed.connect(lambda: self.parts.choose(common_part(self.notes.keys)))
        self.parts.part_changed.connect(
            lambda part, text, values: self.bridge.edit(lambda project: edits.set_part(project, part, text, **values))
        )
        self.parts.rule_set.connect(self.separation.set_rule)
        self.parts.rule_removed.connect(self.separation.remove_rule)
        self.parts.stem_line.pressed.connect(self.separation.ask)
        self.messages.dismissed.connect(
            lambda origin: session.messages.dismiss(origin) if isinstance(origin, Message) else None
        )
        self.messages.focus_left.connect(lambda: self.pages.currentWidget().setFocus())
        self.job_strip.cancel_asked.connect(lambda: session.jobs.cancel(next(iter(session.jobs.all), None)))
        self.welcome.recording_asked.connect(documents.open_recording)
        self.welcome.score_asked.connect(documents.open_score)
        self.welcome.project_asked.connect(documents.ask_for_project)
        self.welcome.demo_asked.connect(documents.open_demo)
        self.welcome.recent_asked.connect(documents.open_recent)
        view.seek_requested.connect(self.playing.seek)
        view.loop_requested.connect(lambda loop: self.playing.set_loop(None if loop is None else Loop(*loop)))
        view.readout_changed.connect(lambda readout: self.readout.setText("" if readout is None else readout.text))
        QTimer.singleShot(WARM_UP_AFTER_MS, self, lambda: session.jobs.runner.warm_up([Worker.LIGHT]))

    # ------------------------------------------------------------------------------------------------------- showing

    def _show_changes(self, changed: Changed) -> None:
        what = changed.what
        self.playing.read_project(changed)
        self.feed.show(changed)
        self.spectrogram.show(changed)
        self.score_feed.show(changed)
        if (
            what & {"parts", "mixer", "score", "recording", "recipe", "stem_set", "source"}
            and changed.by is not self.parts
        ) or "mixer" in what:
            self.parts.show_project(self.session.project, self.playing.stems.keys)
        if "mixer" in what:
            self.feed.show_audible(self.playing.stems.keys)
            self.score_feed.show_audible(self.playing.stems.keys)
        if "settings" in what:
            self._show_settings()
        if what - {"mixer", "file"}:
            self._show_state()
        if what & {"file", "recording", "score"}:
            self._show_title()
            self._commands.show("save")

    def _show_state(self) -> None:
        project = self.session.project
        is_empty = project.recording is None and project.score is None
        page = self.welcome if is_empty else self.scene
        if page is not self.pages.currentWidget() or self.focusWidget() is None:
            self.pages.setCurrentWidget(page)
            page.setFocus()
        offers = {name: action.trigger for name, action in self.commands.items()}
        offers["find_recording"] = self.documents.find_recording
        offers["show_export"] = self.exporting.show_folder
        offers["no_sound"] = self._output.play_without_sound
        difference = self.timeline.difference.text if self.timeline.difference is not None else ""
        self.messages.show_sentences(sentences_of(self.session, offers, difference))
        self.transport.set_next_step(next_step(self.session))
        self.separating.show_making(self.parts.stem_line)
        self._commands.refresh()

    def _show_settings(self) -> None:
        settings = self.session.settings
        self._appearance.choose(settings.theme)
        self.timeline.set_follow(Follow.PAGE if settings.follows_playhead else Follow.OFF)
        self.playing.choose_device(settings.output_device)
        self.welcome.show_recent(settings.recent)

    def _show_tracks(self) -> None:
        self.parts.show_project(self.session.project, self.playing.stems.keys)
        self.separating.waves.show()
        self.feed.show_audible(self.playing.stems.keys)
        self.score_feed.show_audible(self.playing.stems.keys)
        self._commands.refresh()

    def _show_compared(self) -> None:
        self.transport.show_compare(self.playing.stems.other is not None)
        self.separating.show_making(self.parts.stem_line)

    def _show_title(self) -> None:
        project, path = self.session.project, self.session.storage.path
        recording, score = project.recording, project.score_file
        name = "Untitled"
        if path is not None:
            name = path.stem
        elif recording is not None:
            name = recording.path.replace("\\", "/").rsplit("/", 1)[-1]
        elif score is not None:
            name = score.path.replace("\\", "/").rsplit("/", 1)[-1]
        is_empty = recording is None and self.session.project.score is None
        self.setWindowTitle("ScoreSep[*]" if is_empty else f"{name}[*] – ScoreSep")
        self.setWindowModified(self.session.storage.is_modified)

    # ----------------------------------------------------------------------------------------------- thirty times a s

    def _tick(self) -> None:
        now_s = monotonic()
        elapsed_s, self._last_tick_s = now_s - self._last_tick_s, now_s
        state = self.playing.state()
        self._playhead.show(state)
        self.separating.tick(state)
        self.transport.show_playing(state.is_playing)
        self._commands.show("play")
        self.parts.show_levels(state.levels if state.is_playing else None, elapsed_s)
        self.job_strip.show_jobs(tuple((job.title, job.progress) for job in self.session.jobs.all))
        self.welcome.field.set_busy(self.job_strip.text.text() if self.session.jobs.all else "")
        self._output.show(state)

    # ------------------------------------------------------------------------------------------------ what Qt calls

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            self.welcome.field.set_over(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.welcome.field.set_over(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.welcome.field.set_over(False)
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.documents.open_paths(paths)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_X and not event.isAutoRepeat():
            self.playing.original_key.release()
        elif event.key() == Qt.Key.Key_B and not event.isAutoRepeat():
            self.separation.comparison.key.release()
        super().keyReleaseEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange and hasattr(self, "_commands"):
            self._commands.show("full_screen")

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._is_settled or self.saving.is_settled:
            self._let_go()
            event.accept()
            return
        event.ignore()
        self.saving.when_settled(self._close_settled)

    def _close_settled(self) -> None:
        self._is_settled = True
        self.close()

    def _let_go(self) -> None:
        shown = {
            "panel": not self.parts.isHidden(),
            "score_strip": not self.score_strip.isHidden(),
            "score_systems": self.score_strip.mode is Mode.SYSTEMS,
        }
        scene = {"scene": self.scene} if self.scene.is_by_hand else {}
        save_layout(self, {"splitter": self.splitter, **scene}, shown)
        self.bridge.close()
        self.timeline.set_stems({})
        self.playing.close()
        self.session.close()
