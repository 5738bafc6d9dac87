"""A window for every test that wants one, and widgets that live as long as their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from session_desk import SharedRunner
from window_bench import Bench


@pytest.fixture
def qtbot(qtbot: QtBot) -> Iterator[QtBot]:
    """Hold the widgets of a test until they are closed.

    pytest-qt only knows them weakly and handles events once more when the test function has returned: what nobody
    holds any more would then be collected while it is being painted, and the process die.
    """
    held: list[QWidget] = []
    add: Callable[..., None] = qtbot.addWidget

    def add_widget(widget: QWidget, **options: object) -> None:
        held.append(widget)
        add(widget, **options)

    qtbot.addWidget = add_widget  # type: ignore[method-assign]
    yield qtbot
    held.clear()


@pytest.fixture
def bench(qtbot: QtBot, tmp_path: Path, shared_runner: SharedRunner) -> Iterator[Bench]:
    bench = Bench(qtbot, tmp_path, shared_runner)
    yield bench
    bench.settle()
    bench.window.close()
