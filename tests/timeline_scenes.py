"""A timeline with something in it, its pixels, and the pointer over it: what the tests of the timeline share."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from small_scores import even_alignment, scale_score

from scoresep.model.audio import ArraySource
from scoresep.model.colors import default_part_colors
from scoresep.model.path import unfold
from scoresep.model.peaks import PeakBuilder, PeakPyramid
from scoresep.model.project import PartSettings
from scoresep.model.score import PerformancePath, UnfoldedScore
from scoresep.model.segments import Activity, activities_from_notes
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.qt.widgets.theme import light_palette

RATE = 44100
QUARTER = 22050
START = 10_000
FRAMES = START + 32 * QUARTER + 20_000
PARTS = tuple(PartSettings(n, c) for n, c in zip(("Violin", "Cello"), default_part_colors(2), strict=True))
NO_KEY = Qt.KeyboardModifier.NoModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


def sound(frames: int = FRAMES, channels: int = 2) -> ArraySource:
    t = np.arange(frames) / RATE
    wave = 0.5 * np.sin(2 * np.pi * 220 * t) * (1 + np.sin(2 * np.pi * 0.7 * t))
    return ArraySource(np.stack([wave * (1 - 0.3 * c) for c in range(channels)]).astype(np.float32), RATE)


def peaks(source: ArraySource) -> PeakPyramid:
    builder = PeakBuilder(source.frames, source.channels)
    builder.append(source.read(0, source.frames))
    return builder.pyramid


def repeated_piece() -> UnfoldedScore:
    """Eight bars of the path: four, repeated."""
    return unfold(scale_score(4), PerformancePath((0, 1, 2, 3, 0, 1, 2, 3)))


def activities(piece: UnfoldedScore) -> tuple[Activity, ...]:
    return activities_from_notes(piece.notes, even_alignment(piece, QUARTER, START).note_times, 2, FRAMES, RATE)


def full_view(qtbot: QtBot) -> TimelineView:
    """A visible timeline with recording, aligned score and segments."""
    view, piece, source = TimelineView(), repeated_piece(), sound()
    qtbot.addWidget(view)
    view.set_theme(light_palette())
    view.resize(900, 620)
    view.set_recording(source, peaks(source))
    view.set_score(piece, even_alignment(piece, QUARTER, START), PARTS)
    view.set_segments(activities(piece))
    view.show()
    qtbot.waitExposed(view)
    return view


def pixels(view: TimelineView) -> np.ndarray:
    image = view.canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.width()).copy()


def point(view: TimelineView, frame: float, y: float) -> QPoint:
    return QPointF(view.canvas.x_of(frame), y).toPoint()


def note_point(view: TimelineView, place: int) -> QPoint:
    lane = next(p for p in view.canvas.placed if p.lane.title == "Notes")
    layout = view.canvas.content.layout
    assert layout is not None
    places = np.array([place])
    top = lane.lane.note_tops(layout, places, lane.height)[0]  # type: ignore[attr-defined]
    middle = (int(layout.onset_frame[place]) + int(layout.offset_frame[place])) / 2
    return point(view, middle, view.canvas.lanes_offset + lane.top + top + 3)


def turn_wheel(view: TimelineView, at: QPoint, notches: float, modifiers: Qt.KeyboardModifier = NO_KEY) -> None:
    event = QWheelEvent(
        QPointF(at),
        QPointF(view.canvas.mapToGlobal(at)),
        QPoint(),
        QPoint(0, round(120 * notches)),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.canvas, event)


def drag(view: TimelineView, qtbot: QtBot, start: QPoint, end: QPoint, button: Qt.MouseButton = LEFT) -> None:
    qtbot.mousePress(view.canvas, button, NO_KEY, start)
    for share in (0.3, 0.7, 1.0):
        qtbot.mouseMove(view.canvas, start + (end - start) * share)
    qtbot.mouseRelease(view.canvas, button, NO_KEY, end)
