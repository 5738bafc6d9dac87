"""A window on a real session with a small recording, its score and its stems, all made here without any worker."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from small_scores import even_alignment, scale_score

from scoresep.edits import project as edits
from scoresep.files.audio.recordings import open_recording
from scoresep.files.audio.stems import StemFolderWriter
from scoresep.model.project import ScoreFile
from scoresep.playback.outputs import SILENT_DEVICE, Output, Pull, SilentOutput, open_output
from scoresep.playback.player import Player
from scoresep.progress import Progress
from scoresep.qt.widgets.theme import Appearance
from scoresep.qt.window import main_window
from scoresep.qt.window.main_window import MainWindow
from scoresep.session import pipeline
from scoresep.session.jobs import JobRunner
from scoresep.session.separation_job import separation_request
from scoresep.session.session import Session
from scoresep.session.settings import Settings
from scoresep.session.spectrograms import build_stem_peaks

RATE = 8000
QUARTER = 2000
START = 1000
PARTS = ("Violin", "Cello")
FRAMES = START + 16 * QUARTER + 3000


def tone(frequency: float) -> NDArray[np.float32]:
    """Return a tone of the length of the recording."""
    return (0.2 * np.sin(2 * np.pi * frequency * np.arange(FRAMES) / RATE)).astype(np.float32)


def write_recording(folder: Path) -> Path:
    """Write the recording: a high tone (violin) and a low one (cello)."""
    path = folder / "duet.wav"
    soundfile.write(path, tone(660) + tone(110), RATE, subtype="FLOAT")
    return path


def write_midi_duet(path: Path) -> None:
    """Write the score of the recording: two long notes."""
    import mido

    file = mido.MidiFile(ticks_per_beat=480)
    for name, program, pitch in (("Violin", 40, 76), ("Cello", 42, 45)):
        track = mido.MidiTrack()
        file.tracks.append(track)
        track.append(mido.MetaMessage("track_name", name=name))
        track.append(mido.Message("program_change", program=program, channel=program - 40))
        for _ in range(4):
            track.append(mido.Message("note_on", note=pitch, channel=program - 40))
            track.append(mido.Message("note_off", note=pitch, channel=program - 40, time=4 * 480))
    file.save(path)


class PacedOutput(SilentOutput):
    """A silent device whose time goes on with the events of the window: what a busy machine delays waits together."""

    BLOCK_FRAMES = 256
    tick = threading.Event()

    def _run(self) -> None:
        block = np.zeros((self.BLOCK_FRAMES, self.channels), np.float32)
        while not self._is_closing.is_set():
            if self.tick.wait(0.02):
                self.tick.clear()
                self._pull(block)


def open_paced(name: str | None, sample_rate: int, pull: Pull) -> Output:
    """Open a device as the program does; the silent one is paced by the window."""
    if name != SILENT_DEVICE:
        return open_output(name, sample_rate, pull)
    return PacedOutput(name, sample_rate, pull)


class Bench:
    """The window, and what a test does to its session.

    Parameters
    ----------
    qtbot : QtBot
    folder : Path
    runner : JobRunner, optional
        Workers that stay warm; the window's own if left out.
    **settings
        Fields of `Settings` that differ from those of tests.
    """

    def __init__(self, qtbot: QtBot, folder: Path, runner: JobRunner | None = None, **settings: object) -> None:
        main_window.WARM_UP_AFTER_MS = 10**8  # no worker process unless a test starts a job
        self.folder = folder
        values = {"output_device": "silent", "aligns_on_open": False, "theme": "light"} | settings
        self.session = Session(Settings(**values), runner)  # type: ignore[arg-type]
        self.player = Player(open_paced, SILENT_DEVICE)
        self._pace = QTimer(interval=1000 * PacedOutput.BLOCK_FRAMES // RATE)
        self._pace.timeout.connect(PacedOutput.tick.set)
        self._pace.start()
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self.window = MainWindow(self.session, self.player, Appearance(application))
        self.window.show_piece(self.window.score_strip, False)  # engraving needs a worker process
        qtbot.addWidget(self.window, before_close_func=lambda _: self.settle())
        self.window.show()
        qtbot.waitExposed(self.window)
        self.window.activateWindow()

    def settle(self) -> None:
        """Let the window close without asking."""
        self.window._is_settled = True

    def open_recording(self) -> None:
        recording = open_recording(write_recording(self.folder))
        pipeline.find_peaks(recording, Progress())
        self.session.apply(edits.set_recording(self.session.project, recording))

    def open_score(self, measures: int = 4, **values: object) -> None:
        score = scale_score(measures, PARTS, **values)
        self.session.apply(edits.set_score(self.session.project, ScoreFile(str(self.folder / "s.xml"), "key"), score))

    def align(self, confidence: float = 0.9) -> None:
        from dataclasses import replace

        unfolded = self.session.project.unfolded
        assert unfolded is not None
        alignment = replace(even_alignment(unfolded, QUARTER, START), confidence=confidence)
        activities = edits.derive_activities(self.session.project, alignment)
        self.session.apply(edits.set_alignment(self.session.project, alignment, activities))

    def separate(self) -> None:
        project = self.session.project
        assert project.recording is not None
        folder = self.folder / "stems"
        request = separation_request(project, str(folder))
        writer = StemFolderWriter(folder, project.recording, tuple(enumerate(PARTS)))
        writer.write(np.stack([tone(660), tone(110), np.zeros(FRAMES, np.float32)])[:, None])
        stem_set = writer.finish("test", "cpu", request.input_key)
        build_stem_peaks(stem_set, Progress())
        self.session.apply(edits.set_stems(project, stem_set))

    def open_all(self) -> None:
        """Open, align and separate."""
        self.open_recording()
        self.open_score()
        self.align()
        self.separate()
