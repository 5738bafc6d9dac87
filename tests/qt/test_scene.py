"""Score over timeline: they share the height without lying on top of each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from musicxml_text import document, note, part
from pytestqt.qtbot import QtBot
from small_scores import even_alignment

from scoresep.files.engraving import EngravingRequest, engrave_score
from scoresep.files.scores import open_score
from scoresep.model.colors import contrast, default_part_colors
from scoresep.model.path import performance_path, unfold
from scoresep.model.project import PartSettings
from scoresep.progress import Progress
from scoresep.qt.score.marks import part_colors
from scoresep.qt.score.strip import ScoreStrip
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.qt.widgets.theme import Theme, dark_palette, light_palette
from scoresep.qt.window.main_window import MOST_SHARE, ScoreTimelineSplitter

PARTS = (PartSettings("Violin", "#0072b2"), PartSettings("Cello", "#d55e00"))
BARS = ["".join(note(pitch, 2, "<type>quarter</type>") for pitch in (60, 64, 67, 72))] * 6


@pytest.fixture
def scene(qtbot: QtBot, tmp_path: Path) -> ScoreTimelineSplitter:
    path = tmp_path / "score.musicxml"
    path.write_bytes(document(part(*BARS), part(*BARS), names=("Violin", "Cello")))
    score_file, score = open_score(path)
    unfolded = unfold(score, performance_path(score)[0])
    strip = ScoreStrip()
    strip.engraving_wanted.connect(
        lambda width: strip.set_engraving(engrave_score(EngravingRequest(score_file, width), Progress()))
    )
    scene = ScoreTimelineSplitter(strip, TimelineView())
    qtbot.addWidget(scene)
    scene.resize(700, 400)
    scene.show()
    qtbot.waitExposed(scene)
    strip.zoom(2.5)  # too high for the share that it may have
    strip.set_score(unfolded, even_alignment(unfolded, 11025, 5000), PARTS, 44100)
    qtbot.waitUntil(lambda: strip.engraving is not None, timeout=60_000)
    return scene


def assert_apart(scene: ScoreTimelineSplitter) -> None:
    strip, timeline = scene.widget(0).geometry(), scene.widget(1).geometry()
    assert strip.bottom() < timeline.top()
    assert timeline.bottom() < scene.height()


@pytest.mark.parametrize("height", [340, 500, 900, 1400])
def test_another_size_of_the_window_leaves_bars_and_times_in_sight(
    qtbot: QtBot, scene: ScoreTimelineSplitter, height: int
) -> None:
    for height_px in (400, height, 600, height):
        scene.resize(700, height_px)
        qtbot.wait(20)
        assert_apart(scene)
    strip = scene.widget(0)
    wanted_px = min(scene._wanted_height_px, MOST_SHARE * sum(scene.sizes()))
    assert strip.height() == pytest.approx(max(wanted_px, strip.minimumSizeHint().height()), abs=2)


def test_the_score_larger_and_smaller_never_lies_over_the_timeline(qtbot: QtBot, scene: ScoreTimelineSplitter) -> None:
    for factor in (0.3, 4.0, 0.5, 2.0):
        scene.widget(0).zoom(factor)  # type: ignore[attr-defined]
        qtbot.wait(20)
        assert_apart(scene)


def test_who_divides_the_room_keeps_it_so(qtbot: QtBot, scene: ScoreTimelineSplitter) -> None:
    scene.resize(700, 900)
    qtbot.wait(20)
    scene.setSizes([150, 740])
    scene._moved()
    scene.widget(0).zoom(0.5)  # type: ignore[attr-defined]
    scene.resize(700, 800)
    qtbot.wait(20)
    assert scene.widget(0).height() < 200
    assert_apart(scene)


def test_another_lay_out_with_fewer_systems_marks_the_same_place(qtbot: QtBot, scene: ScoreTimelineSplitter) -> None:
    strip = scene.widget(0)
    assert isinstance(strip, ScoreStrip)
    strip.set_playhead(5000 + 23 * 11025)  # in the last bar
    marks = strip.marks
    assert marks.system is not None and marks.system > 0
    for factor in (0.3, 4.0):
        strip.zoom(factor)  # the strip asks for another engraving, which is there at once
        assert strip.marks.rows == marks.rows and strip.marks.measure_index == marks.measure_index


def test_what_sounds_looks_lit_on_dark_too() -> None:
    parts = tuple(PartSettings(f"Part {i}", color) for i, color in enumerate(default_part_colors(8)))
    dark, light = Theme.from_palette(dark_palette()), Theme.from_palette(light_palette())
    for color in part_colors(parts, frozenset(), 8, dark).values():
        assert contrast(color.name(), dark.ground.name()) >= 5
    assert part_colors(parts, frozenset(), 8, light)[0] == light.part_color(parts[0].color, False)
