"""Hearing the alignment: keys switch clicks and score on and off, and a correction is heard at once."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSlider
from pytestqt.qtbot import QtBot
from window_bench import QUARTER, START, Bench

from scoresep.edits import project as edits
from scoresep.model.time_warping import WarpExtent
from scoresep.model.timemap import SyncPoint
from scoresep.playback.audition import AuditionMix, AuditionMode
from scoresep.playback.mixing import Mix
from scoresep.playback.player import Player

SHIFT = Qt.KeyboardModifier.ShiftModifier


def listened(bench: Bench) -> list[object]:
    """Return the list that every material given to the player goes to as well."""
    given: list[object] = []
    take = Player.set_material

    def taken(material: object) -> None:
        given.append(material)
        take(bench.player, material)  # type: ignore[arg-type]

    bench.player.set_material = taken  # type: ignore[method-assign, assignment]
    return given


def test_clicks_and_score_are_switched_by_keys(bench: Bench, qtbot: QtBot) -> None:
    bench.open_all()
    window, canvas = bench.window, bench.window.timeline.canvas
    window.timeline.setFocus()
    qtbot.waitUntil(canvas.hasFocus)
    given = listened(bench)
    qtbot.keyClick(canvas, Qt.Key.Key_K)
    assert isinstance(given[-1], AuditionMix) and not given[-1].is_split and window.commands["check_clicks"].isChecked()
    qtbot.keyClick(canvas, Qt.Key.Key_K, SHIFT)
    assert isinstance(given[-1], AuditionMix) and given[-1].is_split and not window.commands["check_clicks"].isChecked()
    qtbot.keyClick(canvas, Qt.Key.Key_K, SHIFT)
    assert isinstance(given[-1], Mix) and window.playing.check is AuditionMode.NONE


def test_a_correction_and_the_balance_are_heard_at_once(bench: Bench, qtbot: QtBot) -> None:
    bench.open_all()
    given = listened(bench)
    bench.window.commands["check_score"].trigger()
    frame = START + 4 * QUARTER + 300
    bench.session.apply(edits.place_bar(bench.session.project, SyncPoint(1, 1, 1.0, frame), WarpExtent.NEAR))
    material = given[-1]
    assert isinstance(material, AuditionMix) and frame in material.tones.start_frame
    slider = bench.window.findChild(QSlider, "check_balance")
    assert slider is not None
    slider.setValue(slider.maximum())
    assert isinstance(given[-1], AuditionMix) and given[-1].share == 1.0
    bench.session.undo()
    assert isinstance(given[-1], AuditionMix) and frame not in given[-1].tones.start_frame


def test_what_is_heard_besides_and_correcting_are_seen_and_switched_in_the_bar(bench: Bench, qtbot: QtBot) -> None:
    window, left = bench.window, Qt.MouseButton.LeftButton
    assert not window.transport.clicks.isEnabled() and not window.transport.correct.isEnabled()
    bench.open_all()
    window.timeline.setFocus()
    qtbot.waitUntil(window.timeline.canvas.hasFocus)
    qtbot.mouseClick(window.transport.clicks, left)
    assert window.playing.check is AuditionMode.CLICKS and window.transport.clicks.isChecked()
    qtbot.waitUntil(lambda: "Clicks" in window.output.text())
    window.commands["check_score"].trigger()
    assert not window.transport.clicks.isChecked()
    qtbot.waitUntil(lambda: "score right" in window.output.text())
    window.commands["check_score"].trigger()
    qtbot.waitUntil(lambda: "score" not in window.output.text())
    qtbot.mouseClick(window.transport.correct, left)
    assert window.timeline.editing.is_correcting and window.transport.correct.isChecked()
    qtbot.keyClick(window.timeline.canvas, Qt.Key.Key_E)  # the focus has stayed where it was
    assert not window.timeline.editing.is_correcting and not window.transport.correct.isChecked()
