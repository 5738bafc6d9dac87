"""A stem that another program cuts short while the window plays it: it falls silent, and the window says so."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from pytestqt.qtbot import QtBot
from window_bench import FRAMES, Bench

from scoresep.files.audio.wav import HEADER_BYTES
from scoresep.model.audio import SampleSource
from scoresep.qt.timeline.wave_data import WaveData


def test_the_window_plays_on_and_says_which_stem_is_cut_short(qtbot: QtBot, tmp_path: Path) -> None:
    bench = Bench(qtbot, tmp_path)
    bench.open_all()
    playing = bench.window.playing
    playing.play_from(0)
    qtbot.waitUntil(lambda: playing.state().is_playing, timeout=60_000)
    os.truncate(tmp_path / "stems" / "01 Violin.wav", HEADER_BYTES + 400)
    qtbot.waitUntil(lambda: any("cut short" in m.text for m in bench.session.messages.shown), timeout=60_000)
    assert [m.text for m in bench.session.messages.shown if "cut short" in m.text] == [
        f"'{tmp_path / 'stems' / '01 Violin.wav'}' cannot be read any more (it was cut short); separate again."
    ]
    assert playing.state().output.problem == ""
    sources: dict[int | None, SampleSource] = playing.stems.sources
    wave = WaveData(sources[0], None)
    assert not wave.samples(FRAMES - 500, FRAMES).any(), "painting draws a line"
    assert np.abs(WaveData(sources[1], None).samples(FRAMES - 500, FRAMES)).max() > 0.1
