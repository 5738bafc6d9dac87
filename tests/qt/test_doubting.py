"""Hints where to look: the lane under the segments, tool tips, and going from one doubtful segment to the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot
from window_bench import FRAMES, QUARTER, START, Bench

from scoresep.edits import segments as segment_edits
from scoresep.files.audio.stems import save_learned
from scoresep.model.quality import judge_segments
from scoresep.qt.timeline.curve_item import QualityItem
from scoresep.session import stem_folders as quality
from scoresep.session.stem_folders import unexplained_of

CTRL = Qt.KeyboardModifier.ControlModifier
BLOCK = 500
BAD = (START + 8 * QUARTER, START + 12 * QUARTER)


@pytest.fixture
def doubtful(bench: Bench) -> Bench:
    """A window with three segments, in the second of which half of the sound stays unexplained."""
    bench.open_all()
    stem_set = bench.session.project.stem_set
    assert stem_set is not None
    blocks = -(-FRAMES // BLOCK)
    power = np.tile(np.array([[1.0], [0.5], [0.48], [0.02]]), blocks)
    power[3, BAD[0] // BLOCK : BAD[1] // BLOCK] = 0.5
    power[:, (START + 16 * QUARTER) // BLOCK :] = power[:, : START // BLOCK] = 1e-5
    learned = {"levels/power": power.astype(np.float32), "levels/block_frames": np.array(BLOCK)}
    save_learned(Path(stem_set.folder), learned)
    quality._read.cache_clear()
    bench.session.apply(segment_edits.set_sounding(bench.session.project, 1, *BAD, False))
    return bench


def lane(bench: Bench) -> QualityItem | None:
    return next((p.lane for p in bench.window.timeline.canvas.placed if isinstance(p.lane, QualityItem)), None)


def test_what_is_shown_is_what_the_model_says(qtbot: QtBot, doubtful: Bench) -> None:
    content = doubtful.window.timeline.canvas.content
    qtbot.waitUntil(lambda: content.unexplained is not None)
    judged = judge_segments(doubtful.session.project, content.unexplained)
    assert content.qualities == judged and [q.is_doubtful for q in judged].count(True) == 1


def test_the_lane_comes_with_stems_that_tell_and_goes_at_a_key(qtbot: QtBot, doubtful: Bench) -> None:
    window, canvas = doubtful.window, doubtful.window.timeline.canvas
    qtbot.waitUntil(lambda: lane(doubtful) is not None)
    warning, placed = canvas.theme.warning, next(p for p in canvas.placed if isinstance(p.lane, QualityItem))
    image, ratio = canvas.grab().toImage(), canvas.devicePixelRatioF()

    def color(frame: int) -> str:
        y = placed.top + canvas.lanes_offset + placed.height - 4
        return image.pixelColor(round(canvas.x_of(frame) * ratio), round(y * ratio)).name()

    assert color((BAD[0] + BAD[1]) // 2) == warning.name() != color(START + QUARTER)
    canvas.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_Q)
    assert lane(doubtful) is None and not window.commands["quality"].isChecked()
    qtbot.keyClick(canvas, Qt.Key.Key_Q)
    assert lane(doubtful) is not None


def test_one_goes_to_the_doubtful_segment_and_is_told_what_to_do(
    qtbot: QtBot, doubtful: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, canvas = doubtful.window, doubtful.window.timeline.canvas
    qtbot.waitUntil(lambda: lane(doubtful) is not None)
    canvas.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_U, CTRL)
    start, end = window.timeline.selection or (0, 0)
    assert (start, end) == (pytest.approx(BAD[0], abs=200), pytest.approx(BAD[1], abs=200))
    qtbot.waitUntil(lambda: window.playing.state().frame == start)
    text = window.messages.lines[0].sentence.text
    assert text.startswith("Bar 3 (50 % unexplained") and "check the alignment" in text
    qtbot.waitUntil(lambda: window.timeline.playhead_frame == start)
    align, following = window.messages.lines[0].buttons
    asked: list[bool] = []
    monkeypatch.setattr(doubtful.window.alignment, "align_stretch", lambda: asked.append(True))
    qtbot.mouseClick(align, Qt.MouseButton.LeftButton)
    assert asked == [True]
    qtbot.mouseClick(following, Qt.MouseButton.LeftButton)
    (line,) = window.messages.lines
    assert "no doubtful segment after" in line.sentence.text


def test_tool_tips_tell_figures_and_advice(qtbot: QtBot, doubtful: Bench) -> None:
    view, canvas = doubtful.window.timeline, doubtful.window.timeline.canvas
    qtbot.waitUntil(lambda: lane(doubtful) is not None)
    for title in ("Segments", "Unexplained"):
        placed = next(p for p in canvas.placed if p.lane.title == title)
        y = placed.top + canvas.lanes_offset + placed.height / 2
        tip = view.tool_tip_at(QPointF(canvas.x_of(sum(BAD) // 2), y))
        assert "50 % unexplained" in tip and tip.endswith("whether a part is missing.")
        assert "\n" not in view.tool_tip_at(QPointF(canvas.x_of(START + QUARTER), y))


def test_stems_that_do_not_tell_have_no_lane(bench: Bench) -> None:
    bench.open_all()
    bench.window._tick()
    assert lane(bench) is None
    bench.window.commands["next_doubtful"].trigger()
    assert "no doubtful segment" in bench.window.messages.lines[0].sentence.text


@pytest.mark.parametrize("power", [np.zeros((1, 3)), np.full((3, 3), np.nan), np.zeros(3)])
def test_levels_that_make_no_sense_are_no_levels(bench: Bench, power: np.ndarray) -> None:
    bench.open_all()
    stem_set = bench.session.project.stem_set
    assert stem_set is not None
    save_learned(Path(stem_set.folder), {"levels/power": power, "levels/block_frames": np.array(BLOCK)})
    quality._read.cache_clear()
    assert unexplained_of(stem_set) is None
