"""A new alignment over the present one: seen, accepted or rejected by keys and buttons, and taken back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from small_scores import even_alignment
from timeline_scenes import QUARTER, RATE, START, full_view, pixels, repeated_piece
from window_bench import Bench

from scoresep.edits import project as edits
from scoresep.model.alignment import Alignment
from scoresep.qt.timeline.score_layout import MOVED_S, Difference, score_layout

SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
PIECE = repeated_piece()


def present() -> Alignment:
    return even_alignment(PIECE, QUARTER, START)


def changed(moved: dict[int, int], absent: set[int] = frozenset(), doubtful: set[int] = frozenset()) -> Alignment:  # type: ignore[assignment]
    """Return the alignment with rows moved by frames, left out, or doubtful."""
    alignment = present()
    times = alignment.note_times
    shift = np.zeros(len(times), np.int64)
    there, confidence = np.ones(len(times), bool), np.ones(len(times), np.float32)
    for row, frames in moved.items():
        shift[row] = frames
    there[list(absent)] = False
    confidence[list(doubtful)] = 0.2
    times = replace(
        times,
        onset_frame=times.onset_frame + shift,
        offset_frame=times.offset_frame + shift,
        is_present=there,
        confidence=confidence,
    )
    return replace(alignment, note_times=times)


def difference(pending: Alignment, now: Alignment | None = None) -> Difference:
    return Difference(score_layout(PIECE, now or present(), RATE), score_layout(PIECE, pending, RATE), RATE)


rows = st.integers(0, len(PIECE.notes) - 1)


@given(st.dictionaries(rows, st.integers(-8000, 8000), max_size=9), st.sets(rows, max_size=5), st.sets(rows))
def test_the_difference_counts_what_was_changed(moved: dict[int, int], absent: set[int], doubtful: set[int]) -> None:
    found = difference(changed(moved, absent, doubtful))
    far = {r for r, f in moved.items() if abs(f) > MOVED_S * RATE} - absent
    assert set(found.pending.row[found.is_changed].tolist()) == far
    assert found.gone_count == len(absent)
    assert set(found.pending.row[found.is_doubtful].tolist()) == doubtful - absent
    back = difference(present(), changed(moved, absent, doubtful))
    assert set(back.pending.row[back.is_changed].tolist()) == far | absent


def test_the_difference_of_an_alignment_to_itself_is_nothing() -> None:
    same = difference(present())
    assert not same.is_changed.any() and not same.is_bar_moved.any() and same.text == "It moves no note."
    assert not same.shift_frames(np.arange(0, 800_000, 1000.0)).any()


def test_the_difference_in_words() -> None:
    text = difference(changed({3: 4410, 5: -2205}, {7}, {9, 10})).text
    assert text == "It moves 2 notes by up to 0.10 s, no longer finds 1 note and leaves 2 notes doubtful."


def test_what_waits_is_seen_and_gone_when_decided(qtbot: QtBot) -> None:
    view = full_view(qtbot)
    before = pixels(view)
    view.set_pending(even_alignment(PIECE, QUARTER, START + 9000))
    ghostly = pixels(view) != before
    notes = next(p for p in view.canvas.placed if p.lane.title == "Notes")
    top = round(view.canvas.lanes_offset + notes.top)
    assert ghostly[top : top + round(notes.height)].any() and ghostly[: round(view.canvas.ruler_height)].any()
    view.set_pending(None)
    assert np.array_equal(pixels(view), before)


def waiting(bench: Bench) -> Alignment:
    bench.open_recording()
    bench.open_score()
    bench.align()
    project = bench.session.project
    assert project.unfolded is not None
    new = replace(even_alignment(project.unfolded, 2000, 1400), confidence=0.8)
    bench.session.apply(edits.propose_alignment(project, new))
    bench.window.timeline.setFocus()
    return new


@pytest.mark.parametrize(("modifier", "is_taken"), [(Qt.KeyboardModifier.NoModifier, True), (SHIFT, False)])
def test_keys_accept_and_reject_and_both_can_be_undone(
    bench: Bench, qtbot: QtBot, modifier: Qt.KeyboardModifier, is_taken: bool
) -> None:
    new = waiting(bench)
    before = bench.session.project
    assert bench.window.timeline.difference is not None
    line = bench.window.messages.lines[0].sentence.text
    assert "by up to 0.05 s" in line and "80 %" in line
    qtbot.keyClick(bench.window.timeline.canvas, Qt.Key.Key_A, modifier)
    after = bench.session.project
    assert (after.alignment == new) is is_taken and after.pending_alignment is None
    assert bench.window.timeline.difference is None
    qtbot.keyClick(bench.window, Qt.Key.Key_Z, CTRL)
    assert bench.session.project == before and bench.window.timeline.difference is not None
