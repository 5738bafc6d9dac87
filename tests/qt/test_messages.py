"""The bar of messages and the strip of jobs: what is said, in which words."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from scoresep.progress import ProgressState
from scoresep.qt.widgets import message_bar
from scoresep.qt.widgets.message_bar import (
    MAX_SHOWN,
    JobStrip,
    MessageBar,
    Offer,
    Sentence,
    progress_text,
    remaining_text,
)


@pytest.mark.parametrize(
    ("remaining_s", "text"),
    [
        (None, ""),
        (3.0, "a few seconds left"),
        (33.0, "35 s left"),
        (100.0, "2 min left"),
        (3900.0, "1 h 05 min left"),
    ],
)
def test_time_left_is_said_as_roughly_as_it_is_known(remaining_s: float | None, text: str) -> None:
    assert remaining_text(remaining_s) == text


def test_a_job_is_one_line() -> None:
    assert (
        progress_text("Separate", ProgressState(0.431, "Learning", 20.0, 100.0)) == "Learning  ·  43 %  ·  2 min left"
    )
    assert progress_text("Separate", ProgressState()) == "Separate  ·  0 %"


def test_the_strip_shows_jobs_only_while_there_are_any(qtbot: QtBot) -> None:
    strip = JobStrip()
    qtbot.addWidget(strip)
    assert not strip.isVisible()
    strip.show_jobs((("Align", ProgressState(0.5)), ("Separate", ProgressState())))
    assert strip.isVisible() and strip.text.text().endswith("(+1)")
    with qtbot.waitSignal(strip.cancel_asked):
        qtbot.mouseClick(strip.cancel, Qt.MouseButton.LeftButton)
    assert "Align" in strip.cancel.accessibleName()
    strip.show_jobs(())
    assert not strip.isVisible()


@pytest.fixture
def bar(qtbot: QtBot) -> MessageBar:
    bar = MessageBar()
    qtbot.addWidget(bar)
    return bar


def test_the_newest_is_on_top_and_there_is_room_for_few(bar: MessageBar) -> None:
    bar.show_sentences(tuple(Sentence("warning", f"{i}") for i in range(7)))
    assert [line.sentence.text for line in bar.lines] == ["6", "5", "4", "3"] and len(bar.lines) == MAX_SHOWN


def test_lines_that_stay_are_left_alone(bar: MessageBar) -> None:
    said = (Sentence("error", "a"),)
    bar.show_sentences(said)
    line = bar.lines[0]
    bar.show_sentences((Sentence("error", "a"),))
    assert bar.lines[0] is line


def test_offers_are_done_and_hints_cannot_be_dismissed(qtbot: QtBot, bar: MessageBar) -> None:
    done: list[str] = []
    bar.show_sentences((Sentence("hint", "Do it.", (Offer("Do", lambda: done.append("done")),)),))
    assert bar.lines[0].close_button is None
    qtbot.mouseClick(bar.lines[0].buttons[0], Qt.MouseButton.LeftButton)
    assert done == ["done"]


def test_good_news_goes_by_itself(qtbot: QtBot, bar: MessageBar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_bar, "INFO_STAYS_MS", 20)
    origin = object()
    with qtbot.waitSignal(bar.dismissed, timeout=60_000) as heard:
        bar.show_sentences((Sentence("info", "Done.", (), origin),))
    assert heard.args == [origin]
