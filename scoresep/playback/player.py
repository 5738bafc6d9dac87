"""Playing: the reader thread that keeps the ring filled, and what its owner asks of it.

The owner (the window) calls methods that return at once, and polls `Player.state` some thirty times a second. The
reader thread does all that may take time: opening devices, reading files, mixing. The audio callback pulls from the
ring.

A change (another gain, stems in place of the recording, a seek) does not wait until the ring has run down: what was
read ahead is replaced from a few hundredths of a second after the present moment on, faded over.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from time import perf_counter, sleep

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import ScoreSepError
from scoresep.model.project import Loop
from scoresep.playback.mixing import Levels, Material, ResampledMaterial
from scoresep.playback.outputs import DEVICE_LOST, OpenOutput, Output, OutputState, open_output
from scoresep.playback.reader import BLOCK_FRAMES, Gate, Head, ReadAhead, Ring, start_from_silence

logger = logging.getLogger(__name__)

RING_S = 0.4
PREFILL_BLOCKS = 4
WAIT_S = 0.01
IDLE_CLOSE_S = 4.0
LOST_AFTER_S = 2.0


@dataclass(frozen=True)
class PlayerState:
    """What can be seen of the player at one moment.

    Attributes
    ----------
    is_playing : bool
    frame : int
        What is heard now, in frames of the recording.
    underruns : int
        How often the sound was interrupted since the device was opened.
    levels : Levels or None
        The loudest since the last time of asking; None while nothing is heard.
    output : OutputState
    """

    is_playing: bool = False
    frame: int = 0
    underruns: int = 0
    levels: Levels | None = None
    output: OutputState = field(default_factory=OutputState)


@dataclass(frozen=True, eq=False)
class _Playing:
    """What there is only while it plays, replaced whole.

    Attributes
    ----------
    material : Material
        At the rate of the recording.
    output : Output
    ring : Ring
    ahead : ReadAhead
    shown_from : int
        Position of the ring where the last jump is heard; until then its target is shown already.
    """

    material: Material
    output: Output
    ring: Ring
    ahead: ReadAhead
    shown_from: int

    @property
    def rate(self) -> float:
        """Frames of the device for every frame of the recording."""
        return self.output.sample_rate / self.material.sample_rate

    @property
    def device_material(self) -> Material:
        """The material at the rate of the device."""
        return _at_rate(self.material, self.output.sample_rate)

    def audible_position(self) -> float:
        """Return the position of the ring that is heard now: what was pulled, less the latency of the device."""
        start, when_s = self.ring.clock
        now = start + (perf_counter() - when_s - self.output.latency_s) * self.output.sample_rate
        return min(now, float(self.ring.pulled))

    def frame(self) -> int:
        """Return the frame of the recording that is heard now."""
        frame = self.ahead.frame_at(max(self.audible_position(), self.shown_from))
        return min(round(frame / self.rate), self.material.frames)


class Player:
    """Plays material to a device.

    Parameters
    ----------
    opener : callable, optional
        Opens the device; sound devices by default.
    device : str, optional
        Name of the device; the system's default if left out.
    """

    def __init__(self, opener: OpenOutput = open_output, device: str | None = None) -> None:
        self._opener = opener
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        # the owner's
        self._asked = 0
        self._asked_frame = 0
        self._asked_playing = False
        self._seen = 0.0
        # the reader's; what the owner reads of it is replaced whole
        self._done = 0
        self._is_closing = False
        self._device = device
        self._output: Output | None = None
        self._output_state = OutputState()
        self._ring: Ring | None = None
        self._playing: _Playing | None = None
        self._material: Material | None = None
        self._loop: Loop | None = None
        self._rest_frame = 0
        self._last_pull = (0, 0.0)
        self._idle_since_s = perf_counter()

    # ------------------------------------------------------------------------------------------ asked by the owner

    def set_material(self, material: Material | None) -> None:
        """Exchange what is heard. While playing it goes on at the same frame; another length or rate stops it."""
        self._post(lambda: self._exchange(material))

    def set_loop(self, loop: Loop | None) -> None:
        """Repeat a stretch from now on, or nothing."""
        self._post(lambda: self._change_loop(loop))

    def play(self, frame: int | None = None) -> None:
        """Play from a frame of the recording, or from where it stands."""
        self._asked_playing = True
        if frame is not None:
            self._asked_frame = frame
        self._post(lambda: self._start(frame))

    def stop(self) -> None:
        """Stop where it is."""
        self._asked_frame, self._asked_playing = self.state().frame, False
        self._post(self._stop)

    def seek(self, frame: int) -> None:
        """Go to a frame of the recording; while playing it goes on from there."""
        self._asked_frame = max(frame, 0)
        self._post(lambda: self._seek(max(frame, 0)))

    def choose_device(self, name: str | None) -> None:
        """Play to another device from now on; None for the system's default."""
        self._post(lambda: self._change_device(name))

    def close(self) -> None:
        """Stop and free the device; the player cannot be used afterwards."""
        if self._thread is not None:
            self._post(self._end)
            self._thread.join(timeout=5.0)

    def state(self) -> PlayerState:
        """Tell what is heard now."""
        if self._done < self._asked:  # on its way: what was asked for is shown, so that nothing flickers
            return PlayerState(self._asked_playing, self._asked_frame, self._underruns(), None, self._output_state)
        playing, frame, levels = self._playing, self._rest_frame, None
        if playing is not None:
            heard = playing.audible_position()
            frame = playing.frame()
            levels = playing.ahead.levels_between(min(self._seen, heard), heard)
            self._seen = heard
        is_playing = playing is not None
        self._asked_frame, self._asked_playing = frame, is_playing
        return PlayerState(is_playing, frame, self._underruns(), levels, self._output_state)

    def _post(self, order: Callable[[], None]) -> None:
        self._asked += 1
        self._orders.put(order)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="playback reader", daemon=True)
            self._thread.start()

    def _underruns(self) -> int:
        ring, output = self._ring, self._output
        return (ring.underruns if ring is not None else 0) + (output.underruns if output is not None else 0)

    # ------------------------------------------------------------------------------------------- the reader thread

    def _run(self) -> None:
        while not self._is_closing:
            order = self._next_order()
            try:
                if order is not None:
                    order()
                elif self._playing is not None and not self._playing.ahead.is_full:
                    self._playing.ahead.fill(min(self._seen, self._playing.audible_position()) - BLOCK_FRAMES)
                self._watch()
            except ScoreSepError as error:
                self._fail(str(error))
            except Exception as error:
                logger.exception("playing failed")
                self._fail(f"Playing has stopped, since the sound cannot be read: {error}")
            if order is not None:
                self._done += 1

    def _next_order(self) -> Callable[[], None] | None:
        """Return the next order; wait for one only where there is nothing to read."""
        try:
            if self._playing is None:
                return self._orders.get(timeout=IDLE_CLOSE_S / 4 if self._output is not None else None)
            if self._playing.ahead.is_full:
                return self._orders.get(timeout=WAIT_S)
            return self._orders.get_nowait()
        except Empty:
            return None

    def _pull(self, out: NDArray[np.float32]) -> None:
        """Runs in the audio callback."""
        ring = self._ring
        if ring is None:
            out.fill(0.0)
        else:
            ring.pull(out)

    def _watch(self) -> None:
        """Notice the end of the material, a device that has gone, and one that is no longer needed."""
        now_s, playing = perf_counter(), self._playing
        if playing is None:
            if self._output is not None and now_s - self._idle_since_s > IDLE_CLOSE_S:
                self._close_output()
            return
        if playing.ring.pulled != self._last_pull[0]:
            self._last_pull = (playing.ring.pulled, now_s)
        elif not playing.output.is_running or now_s - self._last_pull[1] > LOST_AFTER_S:
            self._fail(DEVICE_LOST)
            return
        if playing.frame() >= playing.material.frames:
            self._stop()

    def _fail(self, sentence: str) -> None:
        """Stop, close the device, and say why."""
        self._stop()
        self._close_output()
        self._output_state = OutputState(problem=sentence)

    def _exchange(self, material: Material | None) -> None:
        old, playing = self._material, self._playing
        if old is not None and material is not None and _shape(old) == _shape(material):
            self._material = material
            if playing is not None:
                self._playing = replace(playing, material=material)
                ahead = self._playing.device_material
                playing.ahead.replace(lambda head: head.changed(ahead, loop=head.loop))
            return
        self._stop()
        self._close_output()
        self._material, self._loop, self._rest_frame = material, None, 0

    def _change_loop(self, loop: Loop | None) -> None:
        self._loop = loop
        if self._playing is None:
            return
        ahead = _device_loop(loop, self._playing.rate)

        def looped(head: Head) -> Head:
            if ahead is None or ahead.start_frame <= head.frame < ahead.end_frame:
                return head.changed(loop=ahead)
            return head.changed(frame=ahead.start_frame, loop=ahead)

        self._playing.ahead.replace(looped)

    def _seek(self, frame: int) -> None:
        playing = self._playing
        if playing is None:
            self._rest_frame = min(frame, self._material.frames) if self._material is not None else frame
            return
        target, loop = round(frame * playing.rate), _device_loop(self._loop, playing.rate)
        position = playing.ahead.replace(lambda head: head.changed(frame=target, loop=loop))
        self._playing = replace(playing, shown_from=position)

    def _start(self, frame: int | None) -> None:
        material = self._material
        if material is None:
            return
        if self._playing is not None:
            if frame is not None:
                self._seek(frame)
            return
        start = self._rest_frame if frame is None else frame
        if start >= material.frames:
            start = 0
        if self._loop is not None and not self._loop.start_frame <= start < self._loop.end_frame:
            start = self._loop.start_frame
        self._rest_frame = start
        output, ring = self._open(material.sample_rate)
        rate = output.sample_rate / material.sample_rate
        head = start_from_silence(
            _at_rate(material, output.sample_rate), round(start * rate), _device_loop(self._loop, rate)
        )
        ahead = ReadAhead(ring, head)
        for _ in range(PREFILL_BLOCKS):
            ahead.fill(oldest_needed=0.0)
        self._seen = float(ring.pulled)
        self._last_pull = (-1, perf_counter())
        ring.open()
        output.start()
        self._playing = _Playing(material, output, ring, ahead, shown_from=ring.pulled)

    def _stop(self) -> None:
        playing = self._playing
        if playing is None:
            return
        self._rest_frame = playing.frame()
        self._playing = None
        playing.ring.close()
        self._idle_since_s = perf_counter()

    def _change_device(self, name: str | None) -> None:
        was_playing = self._playing is not None
        self._stop()
        self._close_output()
        self._device = name
        self._output_state = OutputState()
        if was_playing:
            self._start(None)

    def _end(self) -> None:
        self._stop()
        self._close_output()
        self._is_closing = True

    def _open(self, sample_rate: int) -> tuple[Output, Ring]:
        """Return a device that is open, and its ring at rest."""
        output, ring = self._output, self._ring
        if output is None or ring is None:
            output = self._opener(self._device, sample_rate, self._pull)
            capacity = BLOCK_FRAMES * -(-round(RING_S * output.sample_rate) // BLOCK_FRAMES)
            ring = Ring(capacity, output.channels)
            self._output, self._ring = output, ring
            self._output_state = OutputState("", output.name, output.sample_rate, output.latency_s)
        waited_s = 0.0
        while ring.gate is not Gate.CLOSED and waited_s < 0.2:  # the last sound is still fading out
            sleep(0.002)
            waited_s += 0.002
        ring.gate = Gate.CLOSED
        return output, ring

    def _close_output(self) -> None:
        output, self._output, self._ring = self._output, None, None
        if output is not None:
            output.close()


def _shape(material: Material) -> tuple[int, int]:
    return material.frames, material.sample_rate


def _at_rate(material: Material, sample_rate: int) -> Material:
    return material if material.sample_rate == sample_rate else ResampledMaterial(material, sample_rate)


def _device_loop(loop: Loop | None, rate: float) -> Loop | None:
    """Convert a loop to frames of the device."""
    if loop is None or loop.end_frame <= loop.start_frame:
        return None
    start = round(loop.start_frame * rate)
    return Loop(start, max(round(loop.end_frame * rate), start + 1))
