"""Thousands of frames of the timeline, without a crash and without losing a reference."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot
from timeline_scenes import (
    full_view,
    peaks,
    sound,
)

from scoresep.qt.timeline.lane import StemWave
from scoresep.qt.timeline.timeline_view import TimelineView


@pytest.fixture
def view(qtbot: QtBot) -> TimelineView:
    return full_view(qtbot)


def test_thousands_of_frames_lose_no_reference(view: TimelineView) -> None:
    """Some versions of PySide6 lose a reference to None in every painting, and abort when none is left."""
    source = sound()
    view.set_stems({0: StemWave(source, peaks(source)), 1: StemWave(source, None)})
    view.resize(420, 300)
    view.set_selection((100_000, 200_000))
    moves: list[Callable[[int], None]] = [
        lambda i: view.scroll_px(23 if i % 400 < 200 else -23),
        lambda i: view.set_playhead(i * 250),
        lambda i: view.zoom(1.3 if i % 100 < 50 else 1 / 1.3, 140.0),
    ]

    def run(first: int, last: int) -> None:
        for i in range(first, last):
            moves[2 if i % 10 == 0 else i % 2](i)
            view.canvas.grab()

    view.show_range(0, 300_000)
    run(0, 150)  # caches fill
    gc.collect()  # what earlier tests have left would go in between
    before = sys.getrefcount(None)
    run(150, 3150)
    gc.collect()
    assert before - sys.getrefcount(None) < 500  # one-sided: pyqtgraph leaves some more behind in every frame
