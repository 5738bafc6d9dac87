"""Faders, knobs, meters and names, by mouse and keyboard."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from scoresep.model.project import ChannelStrip
from scoresep.qt.widgets.channel_row import (
    ChannelRow,
    Fader,
    GainField,
    Meter,
    PanKnob,
    RowContent,
    db_to_share,
    gain_text,
    share_to_db,
)


@given(st.floats(-59.9, 12))
def test_the_scale_of_the_fader_can_be_turned_round(gain_db: float) -> None:
    assert share_to_db(db_to_share(gain_db)) == pytest.approx(gain_db, abs=1e-6)


def test_the_scale_rises_from_end_to_end() -> None:
    shares = [db_to_share(db) for db in range(-60, 13)]
    assert shares[0] == 0 and shares[-1] == pytest.approx(1, abs=0.001)
    assert all(a < b for a, b in pairwise(shares))
    assert 0.6 < db_to_share(0) < 0.8


def test_gains_are_written_with_a_real_minus() -> None:
    assert [gain_text(g) for g in (-60, -3.2, 0, 0.04, -0.04, 6)] == ["−∞", "−3.2", "0.0", "0.0", "0.0", "+6.0"]


@pytest.fixture
def fader(qtbot: QtBot) -> Fader:
    fader = Fader("Level")
    qtbot.addWidget(fader)
    fader.resize(200, 24)
    fader.show()
    return fader


def test_a_click_goes_there_and_a_double_click_goes_home(qtbot: QtBot, fader: Fader) -> None:
    qtbot.mouseClick(fader, Qt.MouseButton.LeftButton, pos=QPoint(60, 12))
    assert fader.gain_db < -10
    qtbot.mouseDClick(fader, Qt.MouseButton.LeftButton, pos=QPoint(60, 12))
    assert fader.gain_db == 0


def test_arrow_keys_move_by_half_a_db(qtbot: QtBot, fader: Fader) -> None:
    fader.setFocus()
    qtbot.keyClick(fader, Qt.Key.Key_Left)
    assert fader.gain_db == -0.5
    qtbot.keyClick(fader, Qt.Key.Key_PageUp)
    assert fader.gain_db == 2.5


def test_showing_a_gain_tells_nobody(qtbot: QtBot, fader: Fader) -> None:
    with qtbot.assertNotEmitted(fader.valueChanged):
        fader.set_gain_db(-7)
    assert fader.gain_db == -7


def test_the_meter_rises_at_once_and_falls_evenly() -> None:
    meter = Meter()
    meter.advance(np.array([0.5, 0.1], np.float32), 0.033)
    assert meter.bars_db == pytest.approx([-6.02, -20], abs=0.01)
    meter.advance(None, 0.5)
    assert meter.bars_db[0] == pytest.approx(-6.02 - 13, abs=0.01)
    assert meter.peaks_db[0] == pytest.approx(-6.02, abs=0.01) and not meter.is_clipped
    meter.advance(np.array([1.2, 0.1], np.float32), 0.033)
    assert meter.is_clipped
    for _ in range(200):
        changed = meter.advance(None, 0.033)
    assert meter.bars_db == meter.peaks_db == [-60, -60] and not meter.is_clipped and not changed


@pytest.mark.parametrize(("typed", "gain"), [("-4,5", -4.5), ("-inf", -60), ("3 dB", 3), ("99", 12), ("x", 0)])
def test_a_gain_can_be_typed(qtbot: QtBot, typed: str, gain: float) -> None:
    field = GainField("Level")
    qtbot.addWidget(field)
    field.show()
    field.selectAll()
    qtbot.keyClicks(field, typed)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.value() == gain


def test_pan_by_keys_and_double_click(qtbot: QtBot) -> None:
    knob = PanKnob("Pan")
    qtbot.addWidget(knob)
    knob.show()
    with qtbot.waitSignal(knob.panned) as heard:
        qtbot.keyClick(knob, Qt.Key.Key_Left)
    assert heard.args == [-0.05] and "left" in knob.toolTip()
    qtbot.mouseDClick(knob, Qt.MouseButton.LeftButton)
    assert knob.value() == 0 and "centre" in knob.toolTip()


@pytest.fixture
def row(qtbot: QtBot) -> ChannelRow:
    row = ChannelRow(0)
    qtbot.addWidget(row)
    row.show_content(RowContent("Oboe", "#d55e00", ChannelStrip(), "Oboe"))
    row.resize(300, 60)
    row.show()
    return row


def test_a_row_tells_each_change_once(qtbot: QtBot, row: ChannelRow) -> None:
    heard: list[ChannelStrip] = []
    row.strip_changed.connect(heard.append)
    qtbot.mouseClick(row.mute, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(row.solo, Qt.MouseButton.LeftButton)
    row.fader.setValue(-30)
    row.pan.setValue(50)
    assert heard == [
        ChannelStrip(is_muted=True),
        ChannelStrip(is_muted=True, is_soloed=True),
        ChannelStrip(-3.0, is_muted=True, is_soloed=True),
        ChannelStrip(-3.0, 0.5, is_muted=True, is_soloed=True),
    ]
    assert row.gain.value() == -3.0


def test_showing_a_row_tells_nothing(qtbot: QtBot, row: ChannelRow) -> None:
    with qtbot.assertNotEmitted(row.strip_changed):
        row.show_content(RowContent("Oboe", "#d55e00", ChannelStrip(-6, 0.3, True, True), "Oboe"))
    assert row.mute.isChecked() and row.solo.isChecked() and row.gain.value() == -6


def test_a_name_is_taken_with_enter_and_left_with_escape(qtbot: QtBot, row: ChannelRow) -> None:
    heard: list[str] = []
    row.renamed.connect(heard.append)
    row.name.setFocus()
    row.name.selectAll()
    qtbot.keyClicks(row.name, "Cor anglais")
    qtbot.keyClick(row.name, Qt.Key.Key_Escape)
    assert row.name.text() == "Oboe" and heard == []
    row.name.setFocus()
    row.name.selectAll()
    qtbot.keyClicks(row.name, "Cor anglais")
    qtbot.keyClick(row.name, Qt.Key.Key_Return)
    assert heard == ["Cor anglais"]


def test_everything_in_a_row_has_a_name_for_those_who_cannot_see_it(row: ChannelRow) -> None:
    widgets = (row.mute, row.solo, row.minus, row.fader, row.gain, row.pan, row.chip, row.instrument, row.name)
    assert all(w.accessibleName() for w in widgets)
    assert all("Oboe" in w.accessibleName() for w in widgets if w is not row.name)
    assert not math.isnan(row.strip.gain_db)
