"""The player with a device that a test pulls by hand: what comes out is compared with what should."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from scoresep.errors import DeviceError
from scoresep.model.audio import ArraySource
from scoresep.model.project import Loop, Mixer
from scoresep.playback.mixing import Mix, Track, make_mix
from scoresep.playback.outputs import SILENT_DEVICE, Pull
from scoresep.playback.player import Player
from scoresep.playback.reader import FADE_FRAMES, MARGIN_FRAMES, Gate, Ring

RATE = 8000
FRAMES = 40_000
PULL = 256


class HandOutput:
    """A device that pulls when it is told to."""

    name, channels, latency_s, underruns, is_running = "hand", 2, 0.0, 0, True

    def __init__(self, sample_rate: int, pull: Pull) -> None:
        self.sample_rate = sample_rate
        self.pull = pull

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass


def wait_until(condition: Callable[[], bool]) -> None:
    """Look again and again; so often that only what never comes fails, also on a busy machine."""
    for _ in range(50_000):
        if condition():
            return
        time.sleep(0.001)
    pytest.fail("it never came")


class Bench:
    def __init__(self, device_rate: int | None = None) -> None:
        self.outputs: list[HandOutput] = []
        self.device_rate = device_rate
        self.player = Player(self.open)

    def open(self, name: str | None, rate: int, pull: Pull) -> HandOutput:
        self.outputs.append(HandOutput(self.device_rate or rate, pull))
        return self.outputs[-1]

    def wait(self, condition: Callable[[], bool]) -> None:
        wait_until(condition)

    def settle(self) -> None:
        """Wait until all orders are done and the ring is full."""
        player = self.player
        self.wait(lambda: player._done == player._asked)
        self.wait(lambda: player._playing is None or player._playing.ahead.is_full)

    def heard(self, frames: int) -> np.ndarray:
        pieces = []
        for _ in range(-(-frames // PULL)):
            self.settle()
            block = np.full((PULL, 2), 9.0, np.float32)
            self.outputs[-1].pull(block)
            pieces.append(block)
        return np.concatenate(pieces)[:, 0]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.player.close()


def ramp(sign: float = 1.0) -> Mix:
    samples = (sign * np.arange(FRAMES, dtype=np.float32) / FRAMES)[None]
    return make_mix(Mixer(), (Track("recording", ArraySource(samples, RATE)),), FRAMES, RATE)


def expected(start: int, stop: int) -> np.ndarray:
    return np.arange(start, stop, dtype=np.float32) / FRAMES


def test_it_plays_what_the_material_holds(bench: Bench) -> None:
    bench.player.set_material(ramp())
    bench.player.play(1000)
    bench.settle()
    heard = bench.heard(5 * RATE // 2)
    np.testing.assert_allclose(heard[FADE_FRAMES:], expected(1000 + FADE_FRAMES, 1000 + len(heard)), rtol=1e-6)
    assert bench.player.state().underruns == 0


def test_the_position_is_what_is_heard(bench: Bench) -> None:
    bench.player.set_material(ramp())
    bench.player.play(1000)
    bench.settle()
    bench.heard(PULL * 20)
    bench.outputs[-1].latency_s = 1000 / RATE
    frame = bench.player.state().frame
    assert 1000 + PULL * 19 - 1000 <= frame <= 1000 + PULL * 20 - 1000 + RATE // 4


def test_an_exchange_is_heard_soon_and_at_the_same_frame(bench: Bench) -> None:
    bench.player.set_material(ramp())
    bench.player.play(0)
    bench.settle()
    before = bench.heard(PULL * 10)
    bench.player.set_material(ramp(-1.0))
    bench.settle()
    after = bench.heard(PULL * 60)
    both = np.concatenate([before, after])
    change = int(np.flatnonzero(both < 0)[0])
    assert len(before) <= change <= len(before) + MARGIN_FRAMES + 1024 + FADE_FRAMES
    np.testing.assert_allclose(
        np.abs(both[change + FADE_FRAMES :]), expected(change + FADE_FRAMES, len(both)), rtol=1e-6
    )
    assert np.abs(np.diff(both)).max() < 2 * both.max() / FADE_FRAMES + 1e-4


def test_a_seek_goes_there_soon(bench: Bench) -> None:
    bench.player.set_material(ramp())
    bench.player.play(0)
    bench.settle()
    bench.heard(PULL * 4)
    bench.player.seek(30_000)
    assert bench.player.state().frame == 30_000
    bench.settle()
    assert bench.player.state().frame == 30_000  # shown at once, heard a moment later
    heard = bench.heard(PULL * 30)
    assert heard[-1] == pytest.approx((30_000 + len(heard)) / FRAMES, abs=0.15)


def test_a_loop_goes_round_and_can_be_left(bench: Bench) -> None:
    bench.player.set_material(ramp())
    bench.player.set_loop(Loop(8000, 12_000))
    bench.player.play(0)  # outside: it starts at the loop's start
    bench.settle()
    heard = bench.heard(16_000)
    assert np.all(heard[FADE_FRAMES:] >= 8000 / FRAMES - 1e-6) and heard.max() < (12_000 + FADE_FRAMES) / FRAMES
    np.testing.assert_allclose(heard[5000:7000], heard[9000:11_000])
    bench.player.set_loop(None)
    bench.settle()
    assert bench.heard(8000)[-1] > 12_500 / FRAMES


def test_it_stops_at_the_end_and_starts_again_from_the_beginning(bench: Bench) -> None:
    bench.player.set_material(ramp())
    bench.player.play(FRAMES - 2000)
    bench.settle()
    bench.heard(4000)
    bench.wait(lambda: not bench.player.state().is_playing)
    assert bench.player.state().frame == FRAMES
    bench.player.play()
    bench.settle()
    assert bench.player.state().frame < 2000


def test_stop_fades_out_and_keeps_the_place(bench: Bench) -> None:
    bench.player.set_material(ramp())
    bench.player.play(20_000)
    bench.settle()
    bench.heard(PULL * 8)
    bench.player.stop()
    bench.settle()
    frame = bench.player.state().frame
    heard = bench.heard(PULL * 4)
    assert np.abs(np.diff(heard)).max() < 0.02 and not heard[-PULL:].any()
    bench.heard(PULL * 4)
    assert bench.player.state().frame == frame and not bench.player.state().is_playing


def test_a_device_of_another_rate_hears_the_same(bench: Bench) -> None:
    bench.device_rate = 11_025
    tone = np.sin(2 * np.pi * 200 * np.arange(FRAMES) / RATE)[None].astype(np.float32)
    bench.player.set_material(make_mix(Mixer(), (Track("recording", ArraySource(tone, RATE)),), FRAMES, RATE))
    bench.player.play(4000)
    bench.settle()
    heard = bench.heard(11_025)
    start = round(4000 * 11_025 / RATE)
    wanted = np.sin(2 * np.pi * 200 * (start + np.arange(len(heard))) / 11_025)
    np.testing.assert_allclose(heard[FADE_FRAMES:], wanted[FADE_FRAMES:], atol=5e-3)


def test_no_device_is_a_sentence_and_the_player_lives_on() -> None:
    def refuse(name: str | None, rate: int, pull: Pull) -> HandOutput:
        raise DeviceError("There is no sound here.")

    player = Player(refuse)
    player.set_material(ramp())
    player.play(500)
    wait_until(lambda: bool(player.state().output.problem))
    assert player.state().output.problem == "There is no sound here."
    assert not player.state().is_playing and player.state().frame == 500
    player.close()


def test_a_device_that_goes_away_is_noticed(bench: Bench) -> None:
    bench.player.set_material(ramp())
    bench.player.play(0)
    bench.settle()
    bench.heard(PULL * 4)
    bench.outputs[-1].is_running = False
    bench.wait(lambda: bool(bench.player.state().output.problem))
    assert not bench.player.state().is_playing


def test_material_that_cannot_be_read_stops_with_a_sentence(bench: Bench) -> None:
    class Gone(ArraySource):
        def read(self, start_frame: int, stop_frame: int) -> np.ndarray:
            raise OSError("the disk has gone")

    tracks = (Track("recording", Gone(np.zeros((1, FRAMES), np.float32), RATE)),)
    bench.player.set_material(make_mix(Mixer(), tracks, FRAMES, RATE))
    bench.player.play(0)
    bench.wait(lambda: "the disk has gone" in bench.player.state().output.problem)


def test_the_silent_device_plays_on_to_the_end_and_no_further() -> None:
    player = Player(device=SILENT_DEVICE)
    player.set_material(ramp())
    player.play(FRAMES - RATE)
    peaks, frames = [], []

    def has_ended() -> bool:
        state = player.state()
        frames.append(state.frame)
        if state.levels is not None:
            assert state.levels.keys == ("recording",)
            peaks.append(state.levels.peak[0, 0])
        return not state.is_playing

    wait_until(has_ended)
    player.close()
    assert min(frames) >= FRAMES - RATE and max(frames) == frames[-1] == FRAMES
    assert max(peaks) > (FRAMES - RATE) / FRAMES


def test_an_underrun_is_counted_and_nothing_is_skipped() -> None:
    ring = Ring(1024, 1)
    ring.write(0, np.arange(1, 301, dtype=np.float32)[:, None])
    ring.open()
    out = np.zeros((200, 1), np.float32)
    ring.pull(out)
    ring.pull(out)
    assert out[99, 0] == 300 and not out[100:].any() and ring.underruns == 1
    ring.write(300, np.full((500, 1), 7.0, np.float32))
    ring.pull(out)
    assert out.min() == 7.0 and ring.pulled == 500


def test_a_closing_gate_fades_and_then_gives_nothing() -> None:
    ring = Ring(1024, 2)
    ring.write(0, np.ones((1000, 2), np.float32))
    ring.open()
    ring.close()
    out = np.empty((100, 2), np.float32)
    pieces = []
    for _ in range(5):
        ring.pull(out)
        pieces.append(out[:, 0].copy())
    heard = np.concatenate(pieces)
    assert np.all(np.diff(heard) <= 0) and heard[0] == 1.0 and not heard[FADE_FRAMES:].any()
    assert ring.gate is Gate.CLOSED and ring.underruns == 0
