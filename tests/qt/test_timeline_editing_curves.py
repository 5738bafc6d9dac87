"""The curves of tempo and confidence say what the alignment says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QRectF, Qt
from pytestqt.qtbot import QtBot
from small_scores import even_alignment
from timeline_scenes import FRAMES, QUARTER, RATE, START, full_view, pixels, point, repeated_piece
from window_bench import Bench

from scoresep.model.timemap import TimeMap
from scoresep.qt.timeline.curve_item import TempoCurve, confidence_curve, tempo_curve
from scoresep.qt.timeline.note_item import NoteItem
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.points import tempo_text
from scoresep.qt.timeline.score_layout import beat_text, score_layout
from scoresep.qt.timeline.time_axis import TimeAxis

PIECE = repeated_piece()
AXIS = TimeAxis(FRAMES, RATE, 900.0).fitted()


@given(st.lists(st.integers(4000, 60_000), min_size=32, max_size=32))
def test_the_tempo_is_that_of_the_map_between_beats(lengths: list[int]) -> None:
    frames = np.concatenate([[START], START + np.cumsum(lengths)])
    alignment = replace(even_alignment(PIECE), time_map=TimeMap(np.arange(33.0), frames, np.zeros(33, bool)))
    axis = TimeAxis(int(frames[-1]) + 100, RATE, 2000.0).fitted()
    curve = tempo_curve(score_layout(PIECE, alignment, RATE), axis)
    shown = np.isin(curve.edge_frame, frames)
    assert shown.all() and curve.edge_frame[0] == START and curve.edge_frame[-1] == frames[-1]
    quarters = np.searchsorted(frames, curve.edge_frame)
    assert curve.quarters_per_minute == pytest.approx(60 * RATE * np.diff(quarters) / np.diff(curve.edge_frame))


@pytest.mark.parametrize("width", [2000.0, 300.0, 60.0, 12.0])
def test_a_steady_tempo_is_steady_at_any_zoom(width: float) -> None:
    layout = score_layout(PIECE, even_alignment(PIECE, QUARTER, START), RATE)
    curve = tempo_curve(layout, TimeAxis(FRAMES, RATE, width).fitted())
    assert len(curve.quarters_per_minute) >= 1
    assert curve.quarters_per_minute == pytest.approx(60 * RATE / QUARTER, rel=1e-3)


@given(st.lists(st.floats(0, 1, width=32), min_size=64, max_size=64))
def test_confidence_is_the_mean_of_the_notes_of_a_bar(values: list[float]) -> None:
    alignment = even_alignment(PIECE, QUARTER, START)
    times = replace(alignment.note_times, confidence=np.array(values, np.float32))
    layout = score_layout(PIECE, replace(alignment, note_times=times), RATE)
    _, mean = confidence_curve(layout, PIECE.step_start_quarter)
    expected = [np.mean(times.confidence[PIECE.notes.step_index == s]) for s in range(8)]
    assert mean == pytest.approx(expected, abs=1e-5)


def test_curves_are_lanes_that_can_be_shown_and_hidden(bench: Bench, qtbot: QtBot) -> None:
    bench.open_recording()
    bench.open_score()
    bench.align()
    view = bench.window.timeline
    view.setFocus()
    plain = pixels(view)
    qtbot.keyClick(view.canvas, Qt.Key.Key_C)
    assert [p.lane.title for p in view.canvas.placed][-2:] == ["Tempo", "Confidence"]
    assert bench.window.commands["curves"].isChecked()
    qtbot.keyClick(view.canvas, Qt.Key.Key_C)
    assert np.array_equal(pixels(view), plain)


def test_the_pointer_reads_the_curves(qtbot: QtBot) -> None:
    view = full_view(qtbot)
    view.show_curves(True)
    for title, expected in (("Tempo", "♩ = 120.0"), ("Confidence", "confidence of the bar 100%")):
        placed = next(p for p in view.canvas.placed if p.lane.title == title)
        y = view.canvas.lanes_offset + placed.top + placed.height / 2
        hit = view.canvas.hit_at(point(view, START + 5.5 * QUARTER, y).toPointF())
        assert hit is not None and hit[1].text == expected


def test_a_drag_tells_the_tempo_before_and_after_the_place() -> None:
    curve = TempoCurve(np.array([0, 100, 200]), np.array([96.2, 71.7]))
    assert tempo_text(curve, 100) == "Tempo   ♩ = 96 before   ♩ = 72 after"
    assert tempo_text(curve, 0) == "Tempo   ♩ = 96 after"
    assert tempo_text(curve, 200) == "Tempo   ♩ = 72 before"
    assert tempo_text(TempoCurve(np.zeros(0, np.int64), np.zeros(0)), 5) == "Tempo"


def test_a_beat_is_never_rounded_up_into_the_next_bar() -> None:
    assert [beat_text(b) for b in (1.0, 2.5, 4.999, 4.9999999)] == ["1.00", "2.50", "4.99", "5.00"]


def test_names_of_octaves_stay_whole_at_the_edge_of_the_lane(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    view = full_view(qtbot)
    rooms: list[QRectF] = []
    names: list[tuple[QRectF, QRectF]] = []
    header, text = NoteItem.paint_header, PaintContext.text

    def paint_header(item: NoteItem, ctx: PaintContext, rect: QRectF) -> None:
        rooms.append(QRectF(rect))
        header(item, ctx, rect)
        rooms.pop()

    def write(ctx: PaintContext, rect: QRectF, words: str, *rest: object, **named: object) -> None:
        if rooms and words[:1] == "C" and words[1:].isdigit():
            names.append((QRectF(rect), QRectF(rooms[-1])))
        text(ctx, rect, words, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(NoteItem, "paint_header", paint_header)
    monkeypatch.setattr(PaintContext, "text", write)
    for height in (260, 330, 400, 700):
        view.resize(900, height)
        view.grab()
    assert len(names) >= 4
    assert all(room.top() <= name.top() and name.bottom() <= room.bottom() for name, room in names)
