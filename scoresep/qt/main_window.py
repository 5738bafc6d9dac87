"""The window: puts bar, panel, timeline and status together, and shows the session in them."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

from PySide6.QtCore import QEvent, QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import QLabel, QMainWindow, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from scoresep.model.project import Loop, Project
from scoresep.playback.checking import Check
from scoresep.playback.outputs import SILENT_DEVICE
from scoresep.playback.player import Player, PlayerState
from scoresep.qt.actions import fill_menu_bar
from scoresep.qt.advice import next_step, sentences_of
from scoresep.qt.bridge import Bridge
from scoresep.qt.check_menu import balance_menu
from scoresep.qt.commands import Commands, Stage
from scoresep.qt.documents import Documents
from scoresep.qt.job_strip import JobStrip
from scoresep.qt.message_bar import MessageBar
from scoresep.qt.parts_panel import PartsPanel
from scoresep.qt.playing import Playing
from scoresep.qt.scene import Scene
from scoresep.qt.score_feed import ScoreFeed
from scoresep.qt.score_view.placement import Mode
from scoresep.qt.score_view.score_strip import ScoreStrip
from scoresep.qt.separating import Separating
from scoresep.qt.spectrogram_feed import SpectrogramFeed
from scoresep.qt.spectrogram_menu import spectrogram_menu
from scoresep.qt.theme import Appearance, digits_font, em
from scoresep.qt.timeline.score_layout import beat_text
from scoresep.qt.timeline.timeline_view import Follow, TimelineView
from scoresep.qt.timeline_feed import TimelineFeed
from scoresep.qt.transport_bar import TransportBar
from scoresep.qt.welcome import Welcome
from scoresep.qt.window_menus import appearance_menu, output_menu, recent_menu
from scoresep.qt.window_state import restore_layout, save_layout
from scoresep.session.jobs import Worker
from scoresep.session.session import Changed, Message, Session

WARM_UP_AFTER_MS = 400
CHECK_TEXTS = {Check.CLICKS: "Clicks at notes", Check.SCORE: "Recording left, score right"}
EVERYTHING = frozenset(Project.__dataclass_fields__) | {
    "source",
    "peaks",
    "jobs",
    "undo",
    "file",
    "messages",
    "settings",
}


class MainWindow(QMainWindow):
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
        self._output_problem = ""
        self.bridge = Bridge(session, self)
        self.playing = Playing(session, player, self)
        self.documents = Documents(self.bridge, self)
        self.timeline = TimelineView()
        self.parts = PartsPanel()
        self.feed = TimelineFeed(session, self.timeline)
        self.separating = Separating(session, self.playing, self.feed)
        self.spectrogram = SpectrogramFeed(self.bridge, self.timeline, self.playing)
        self.score_strip = ScoreStrip()
        self.score_feed = ScoreFeed(session, self.score_strip)
        self._slots = Commands(
            Stage(
                *(self, self.bridge, self.documents, self.playing, self.timeline, self.parts),
                *(self.show_panel, self.show_score, self.show_systems, self.spectrogram),
            )
        )
        self.commands = self._slots.actions
        self._slots.notes.show_in(self.score_strip)
        self.transport = TransportBar(self.commands)
        self.messages = MessageBar()
        self.welcome = Welcome()
        self.job_strip = JobStrip()
        self._readout = QLabel()
        self._sound = QLabel()
        self._lay_out()
        self._connect()
        hidden = restore_layout(self, {"splitter": self.splitter, "scene": self.scene})
        self.show_panel("panel" not in hidden)
        self.show_score("score_strip" not in hidden)
        self.show_systems("score_systems" not in hidden)
        self._show_changes(Changed(EVERYTHING))

    # ------------------------------------------------------------------------------------------------------ building

    def _lay_out(self) -> None:
        self.setWindowTitle("ScoreSep[*]")
        self.setAcceptDrops(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        submenus = {
            "recent": recent_menu(self, self.session, self.documents.open_recent),
            "appearance": appearance_menu(self, self.session),
            "output": output_menu(self, self.session),
            "check_balance": balance_menu(self, self.playing),
            "compare": self._slots.comparing.menu(self),
            "spectrogram_sounds": spectrogram_menu(self, self.spectrogram),
        }
        fill_menu_bar(self.menuBar(), self.commands, submenus)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self.scene = Scene(self.score_strip, self.timeline)
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
        self._readout.setFont(digits_font(self.font(), 0.95))
        self._readout.setContentsMargins(em(self, 0.5), 0, 0, 0)
        self._sound.setEnabled(False)
        self._sound.setContentsMargins(em(self, 0.5), 0, em(self, 0.5), 0)
        status.addWidget(self._readout)
        status.addPermanentWidget(self.job_strip)
        status.addPermanentWidget(self._sound)
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
        self.score_strip.mode_changed.connect(lambda mode: self.show_systems(mode is Mode.SYSTEMS))
        self.playing.original_changed.connect(lambda _: self._slots.refresh())
        self.playing.compared.connect(self._show_compared)
        self.playing.loop_changed.connect(lambda _: self._slots.refresh())
        self.parts.mixer_changed.connect(lambda mixer: session.set_mixer(mixer, by=self.parts))
        self.parts.part_chosen.connect(self.spectrogram.choose_part)
        self.parts.part_changed.connect(self._slots.change_part)
        self.messages.dismissed.connect(self._dismiss)
        self.messages.focus_left.connect(lambda: self.pages.currentWidget().setFocus())
        self.job_strip.cancel_asked.connect(lambda: session.cancel(session.jobs[0] if session.jobs else None))
        self.welcome.recording_asked.connect(documents.open_recording)
        self.welcome.score_asked.connect(documents.open_score)
        self.welcome.project_asked.connect(documents.ask_for_project)
        self.welcome.demo_asked.connect(documents.open_demo)
        self.welcome.recent_asked.connect(documents.open_recent)
        view.seek_requested.connect(self.playing.seek)
        view.selection_changed.connect(lambda _: self._slots.refresh())
        view.loop_requested.connect(lambda loop: self.playing.set_loop(None if loop is None else Loop(*loop)))
        view.readout_changed.connect(lambda readout: self._readout.setText("" if readout is None else readout.text))
        QTimer.singleShot(WARM_UP_AFTER_MS, self, lambda: session.runner.warm_up([Worker.LIGHT]))

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
            self.parts.show_project(self.session.project, self.playing.keys)
        if "mixer" in what:
            self.feed.show_heard(self.playing.keys)
            self.score_feed.show_heard(self.playing.keys)
        if "settings" in what:
            self._show_settings()
        if what - {"mixer", "file"}:
            self._show_state()
        if what & {"file", "recording", "score"}:
            self._show_title()
            self.commands["save"].setEnabled(self.session.is_modified)

    def _show_state(self) -> None:
        project = self.session.project
        is_empty = project.recording is None and project.score is None
        page = self.welcome if is_empty else self.scene
        if page is not self.pages.currentWidget() or self.focusWidget() is None:
            self.pages.setCurrentWidget(page)
            page.setFocus()
        offers = {name: action.trigger for name, action in self.commands.items()}
        offers["find_recording"] = self.documents.find_recording
        offers["show_export"] = self.documents.show_export
        offers["no_sound"] = self._play_without_sound
        difference = self.timeline.difference.text if self.timeline.difference is not None else ""
        self.messages.show_sentences(sentences_of(self.session, offers, difference))
        self.transport.set_next_step(next_step(self.session))
        self.separating.show_making(self.parts.stem_line)
        self._slots.refresh()

    def _show_settings(self) -> None:
        settings = self.session.settings
        self._appearance.choose(settings.theme)
        self.timeline.set_follow(Follow.PAGE if settings.follows_playhead else Follow.OFF)
        self.playing.choose_device(settings.output_device)
        self.welcome.show_recent(settings.recent)

    def _show_tracks(self) -> None:
        self.parts.show_project(self.session.project, self.playing.keys)
        self.separating.waves.show()
        self.feed.show_heard(self.playing.keys)
        self.score_feed.show_heard(self.playing.keys)
        self._slots.refresh()

    def _show_compared(self) -> None:
        self.transport.show_compare(self.playing.other is not None)
        self.separating.show_making(self.parts.stem_line)

    def _show_title(self) -> None:
        path, recording, score = self.session.path, self.session.project.recording, self.session.project.score_file
        name = "Untitled"
        if path is not None:
            name = path.stem
        elif recording is not None:
            name = recording.path.replace("\\", "/").rsplit("/", 1)[-1]
        elif score is not None:
            name = score.path.replace("\\", "/").rsplit("/", 1)[-1]
        is_empty = recording is None and self.session.project.score is None
        self.setWindowTitle("ScoreSep[*]" if is_empty else f"{name}[*] – ScoreSep")
        self.setWindowModified(self.session.is_modified)

    def _set_shown(self, widget: QWidget, is_shown: bool) -> None:
        """Show or hide a piece of the window; the keyboard goes to the page, not to whatever comes next in it."""
        focus: QWidget | None = self.focusWidget()
        if not is_shown and focus is not None and (focus is widget or widget.isAncestorOf(focus)):
            self.pages.currentWidget().setFocus()
        widget.setVisible(is_shown)

    def show_panel(self, is_shown: bool) -> None:
        """Show or hide parts and mixer."""
        self._set_shown(self.parts, is_shown)
        self.commands["panel"].setChecked(is_shown)

    def show_score(self, is_shown: bool) -> None:
        """Show or hide the engraved score."""
        self._set_shown(self.score_strip, is_shown)
        self.commands["score_strip"].setChecked(is_shown)

    def show_systems(self, is_below: bool) -> None:
        """Show the systems of the score below each other, or in one line."""
        self.score_strip.set_mode(Mode.SYSTEMS if is_below else Mode.LINE)
        self.commands["score_systems"].setChecked(is_below)

    def _dismiss(self, origin: object) -> None:
        if isinstance(origin, Message):
            self.session.dismiss(origin)

    # ----------------------------------------------------------------------------------------------- thirty times a s

    def _tick(self) -> None:
        now_s = monotonic()
        elapsed_s, self._last_tick_s = now_s - self._last_tick_s, now_s
        state = self.playing.state()
        self._show_position(state)
        self.separating.tick(state)
        self.transport.show_playing(state.is_playing)
        self.commands["play"].setText("S&top" if state.is_playing else "&Play")
        self.parts.show_levels(state.levels if state.is_playing else None, elapsed_s)
        self.job_strip.show_jobs(tuple((job.title, job.progress) for job in self.session.jobs))
        self.welcome.field.set_busy(self.job_strip.text.text() if self.session.jobs else "")
        self._show_output(state)

    def _show_position(self, state: PlayerState) -> None:
        recording = self.session.project.recording
        self.timeline.set_playing(state.is_playing)
        self.score_strip.set_playing(state.is_playing)
        self.score_strip.set_playhead(None if recording is None else state.frame)
        if recording is None:
            self.transport.position.show_position(0.0, None, "", "")
            return
        if self.timeline.playhead_frame != state.frame:
            self.timeline.set_playhead(state.frame)
        bar, beat = self._bar_and_beat(state.frame, state.is_playing)
        position_s = state.frame / recording.sample_rate
        self.transport.position.show_position(position_s, recording.duration_s, bar, beat)

    def _bar_and_beat(self, frame: int, is_playing: bool) -> tuple[str, str]:
        unfolded, alignment = self.session.project.unfolded, self.session.project.alignment
        if unfolded is None or alignment is None:
            return "", ""
        quarter = alignment.time_map.frame_to_quarter(frame)
        if not 0 <= quarter + 1e-4 < unfolded.end_quarter:
            return "–", "–"
        step, beat = unfolded.quarter_to_beat(quarter)
        number = unfolded.score.measures[step.measure_index].number
        bar = number if step.occurrence == 1 else f"{number} ({step.occurrence})"
        return bar, str(int(beat + 1e-3)) if is_playing else beat_text(beat).rstrip("0").rstrip(".")

    def _show_output(self, state: PlayerState) -> None:
        if state.output.problem != self._output_problem:
            self._output_problem = state.output.problem
            for message in [m for m in self.session.messages if m.key == "output"]:
                self.session.dismiss(message)
            if state.output.problem:
                self.session.say("warning", state.output.problem, "output")
        text = CHECK_TEXTS.get(self.playing.check, "")
        if state.output.device:
            is_silent = self.session.settings.output_device == SILENT_DEVICE
            device = "No sound device" if is_silent else f"{state.output.sample_rate / 1000:g} kHz"
            text = f"{text}  ·  {device}" if text else device
            if state.underruns:
                text += f"  ·  {state.underruns} interruption{'s' if state.underruns > 1 else ''}"
        if text != self._sound.text():
            self._sound.setText(text)
            self._sound.setToolTip(state.output.device)

    def _play_without_sound(self) -> None:
        self.session.set_settings(replace(self.session.settings, output_device=SILENT_DEVICE))
        if not self.playing.state().is_playing:
            self.playing.toggle()

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
            self._slots.let_go_of_original()
        elif event.key() == Qt.Key.Key_B and not event.isAutoRepeat():
            self._slots.comparing.let_go()
        super().keyReleaseEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange and hasattr(self, "commands"):
            self.commands["full_screen"].setChecked(self.isFullScreen())

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._is_settled or self.documents.is_settled:
            self._let_go()
            event.accept()
            return
        event.ignore()
        self.documents.when_settled(self._close_settled)

    def _close_settled(self) -> None:
        self._is_settled = True
        self.close()

    def _let_go(self) -> None:
        shown = {name: self.commands[name].isChecked() for name in ("panel", "score_strip", "score_systems")}
        scene = {"scene": self.scene} if self.scene.is_by_hand else {}
        save_layout(self, {"splitter": self.splitter, **scene}, shown)
        self.bridge.close()
        self.timeline.set_stems({})
        self.playing.close()
        self.session.close()
