"""Listening while a separation runs: what is finished is heard and seen, and what is listened to comes first."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from slow_stems import LEVEL, STRETCHES, let_go, separate_slowly
from window_bench import FRAMES, Bench

from scoresep.edits.recipes import set_rule
from scoresep.files.audio.stems import StemSource
from scoresep.model.audio import Patch
from scoresep.model.project import Loop, RecipeRule
from scoresep.session import separation as separations

QUARTER = FRAMES // STRETCHES


@pytest.fixture
def running(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A window in which a separation has begun and waits before its first stretch."""
    monkeypatch.setattr(separations, "separate_recording", separate_slowly)
    bench.open_recording()
    bench.open_score()
    bench.align()
    bench.session.separation.start()
    return bench


def finish(qtbot: QtBot, bench: Bench, *stretches: int) -> None:
    """Let stretches be made, and wait until the window knows of the last."""
    recording = bench.session.project.recording
    assert recording is not None
    for stretch in stretches:
        let_go(recording.path, stretch)
        if stretch == STRETCHES:
            qtbot.waitUntil(lambda: bench.session.jobs.get("separation") is None, timeout=60_000)
        else:
            wanted = stretch + 1
            qtbot.waitUntil(lambda wanted=wanted: len(finished(bench)) == wanted, timeout=60_000)


def finished(bench: Bench) -> tuple[tuple[int, int], ...]:
    return bench.window.timeline.canvas.content.finished or ()


def heard(bench: Bench, key: int | None) -> np.ndarray:
    return bench.window.playing.stems.sources[key].read(0, FRAMES)[0]


def test_what_is_finished_is_heard_and_seen_while_the_rest_plays_the_recording(qtbot: QtBot, running: Bench) -> None:
    window = running.window
    assert window.playing.stems.keys == () and window.timeline.canvas.content.finished is None
    finish(qtbot, running, 0)
    assert window.playing.stems.keys == (0, 1, "residual") and window.parts.row(0).solo.isEnabled()
    assert "1 of 4 stretches" in window.job_strip.text.text()
    violin, cello, rest = (heard(running, key) for key in (0, 1, None))
    assert violin[: QUARTER - 200] == pytest.approx(LEVEL) and not violin[QUARTER:].any()
    recording = running.session.recording.source
    assert recording is not None
    np.testing.assert_allclose(violin + cello + rest, recording.read(0, FRAMES)[0], atol=1e-6)
    content = window.timeline.canvas.content
    qtbot.waitUntil(lambda: (content.stems[0].peak or 0.0) >= LEVEL)
    window.timeline.canvas.grab()


def test_the_stretch_under_the_playhead_comes_first_also_when_it_moves(
    qtbot: QtBot, running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, prioritise = [], running.session.jobs.prioritise
    monkeypatch.setattr(running.session.jobs, "prioritise", lambda frame: (prioritise(frame), asked.append(frame)))
    running.window.timeline.seek(2 * QUARTER + 50)
    qtbot.waitUntil(lambda: asked[-1:] == [2 * QUARTER + 50])
    finish(qtbot, running, 0)
    assert finished(running)[0][0] == pytest.approx(2 * QUARTER, abs=4)
    running.window.timeline.seek(QUARTER + 50)
    qtbot.waitUntil(lambda: asked[-1:] == [QUARTER + 50])
    finish(qtbot, running, 1)
    assert finished(running)[0][0] == pytest.approx(QUARTER, abs=4)


def test_the_whole_stems_take_over_while_it_plays(
    qtbot: QtBot, running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, mixes, exchange = running.window, [], running.player.set_material
    monkeypatch.setattr(running.player, "set_material", lambda mix: (mixes.append(mix), exchange(mix)))
    window.playing.set_loop(Loop(0, FRAMES))  # the workers may take longer to start than the recording to play
    window.playing.play_from(0)
    qtbot.waitUntil(lambda: running.player.state().frame > 100)
    finish(qtbot, running, *range(STRETCHES + 1))
    stem_set = running.session.project.stem_set
    assert stem_set is not None and running.session.undo_text == "Separate"
    assert all(isinstance(source, StemSource) for source in window.playing.stems.sources.values())
    assert heard(running, 1) == pytest.approx(2 * LEVEL)
    qtbot.waitUntil(lambda: window.timeline.canvas.content.finished is None)
    state = running.player.state()
    assert state.is_playing and state.underruns == 0 and state.output.problem == ""
    pyramid = window.timeline.canvas.content.stems[0].pyramid
    assert pyramid is not None and pyramid.peak == pytest.approx(LEVEL, rel=1e-3), "no lane goes blank in between"
    recording = running.session.recording.source
    assert recording is not None and len(mixes) > STRETCHES
    for mix in mixes:  # with the mixer at rest nothing of all this is heard
        np.testing.assert_allclose(mix.render(0, FRAMES)[0][0], recording.read(0, FRAMES)[0], atol=1e-5)


def test_cancelling_falls_back_to_what_was_there_before(qtbot: QtBot, running: Bench) -> None:
    window = running.window
    finish(qtbot, running, 0)
    window.commands["cancel"].trigger()
    qtbot.waitUntil(lambda: window.playing.stems.keys == ())
    qtbot.waitUntil(lambda: window.timeline.canvas.content.finished is None)
    assert window.timeline.canvas.content.stems == {} and not window.parts.row(0).solo.isEnabled()


def test_earlier_stems_are_heard_where_the_new_ones_are_not_finished(qtbot: QtBot, running: Bench) -> None:
    running.separate()  # stems of another making, as from an earlier session
    earlier = heard(running, 0)
    finish(qtbot, running, 0)
    now = heard(running, 0)
    np.testing.assert_array_equal(now[QUARTER:], earlier[QUARTER:])
    assert now[: QUARTER - 200] == pytest.approx(LEVEL)
    running.window.commands["cancel"].trigger()
    qtbot.waitUntil(lambda: running.window.playing.stems.so_far is None)
    np.testing.assert_array_equal(heard(running, 0), earlier)


def test_edits_of_notes_stay_where_the_stems_of_before_are_heard(
    qtbot: QtBot, running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch = Patch(0, np.full((1, FRAMES), 0.25, np.float32), 1.0)
    monkeypatch.setattr(running.session.notes, "patches", lambda tried=None: {0: (patch,)})
    heard_mixes = []
    exchange = running.player.set_material
    monkeypatch.setattr(running.player, "set_material", lambda mix: (heard_mixes.append(mix), exchange(mix)))
    running.separate()
    earlier = heard(running, 0)
    finish(qtbot, running, 0)
    violin = next(track for track in heard_mixes[-1].tracks if track.key == 0).source.read(0, FRAMES)[0]
    np.testing.assert_allclose(violin[QUARTER:], earlier[QUARTER:] + 0.25, atol=1e-6)
    assert violin[: QUARTER - 200] == pytest.approx(LEVEL)


def test_what_is_chosen_while_it_runs_stays_and_makes_the_stems_old(qtbot: QtBot, running: Bench) -> None:
    finish(qtbot, running, 0)
    rule = RecipeRule("nmf", "best", 1)
    running.session.apply(set_rule(running.session.project, rule))
    finish(qtbot, running, *range(1, STRETCHES + 1))
    assert running.session.project.stem_set is not None
    assert running.session.project.recipe.rules == (rule,) and running.session.separation.has_stale_stems
