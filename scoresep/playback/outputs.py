"""Sound devices: which there are, opening one, and saying in one sentence why there is none.

The only module that knows sounddevice, which is imported when a device is first asked for: it starts PortAudio, which
may be slow or missing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import DeviceError
from scoresep.playback.mixing import OUTPUT_CHANNELS

logger = logging.getLogger(__name__)

# Chosen by name like any device: keeps time without a sound, for machines that have no device.
SILENT_DEVICE = "silent"

NO_PORTAUDIO = (
    "There is no sound: the PortAudio library is missing. Install it "
    "(Debian and Ubuntu: sudo apt install libportaudio2) and start ScoreSep again."
)
NO_DEVICE = "There is no sound: this machine has no sound device. Everything else works."
DEVICE_LOST = "The sound device has gone. Connect it again, or choose another one in the Playback menu."

Pull = Callable[[NDArray[np.float32]], None]


@dataclass(frozen=True)
class OutputDevice:
    """One device that can play.

    Attributes
    ----------
    name : str
        As people know it, and as it is chosen: with the name of the sound system where several have it.
    is_default : bool
    """

    name: str
    is_default: bool


@dataclass(frozen=True)
class OutputState:
    """Whether sound can come out.

    Attributes
    ----------
    problem : str
        One sentence that says why there is no sound; empty when all is well or nothing was tried yet.
    device : str
        Name of the open device; empty while none is open.
    sample_rate : int
    latency_s : float
        From pulling a frame to hearing it.
    """

    problem: str = ""
    device: str = ""
    sample_rate: int = 0
    latency_s: float = 0.0


class Output(Protocol):
    """A device that has been opened; it pulls what it plays."""

    @property
    def name(self) -> str:
        """The device's name."""

    @property
    def sample_rate(self) -> int:
        """Frames in a second; may differ from what was asked for."""

    @property
    def channels(self) -> int:
        """1 or 2."""

    @property
    def latency_s(self) -> float:
        """From pulling a frame to hearing it."""

    @property
    def underruns(self) -> int:
        """How often the device itself ran dry."""

    @property
    def is_running(self) -> bool:
        """Whether frames are being pulled."""

    def start(self) -> None:
        """Start pulling."""

    def close(self) -> None:
        """Stop pulling and free the device."""


# Device name (None: the system's default), rate wanted, and the function to pull from.
OpenOutput = Callable[[str | None, int, Pull], Output]


def _sounddevice() -> Any:
    """Import sounddevice, which starts PortAudio.

    Raises
    ------
    DeviceError
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise DeviceError(NO_PORTAUDIO) from error
    return sounddevice


def output_devices() -> tuple[OutputDevice, ...]:
    """List the devices that can play.

    Raises
    ------
    DeviceError
        If PortAudio is missing or does not answer.
    """
    return tuple(OutputDevice(name, is_default) for name, is_default, _ in _entries(_sounddevice()))


def _entries(sounddevice: Any) -> list[tuple[str, bool, dict[str, Any]]]:
    """Return name, whether it is the default, and PortAudio's own description of every device that can play."""
    try:
        hosts = sounddevice.query_hostapis()
        found = [d for d in sounddevice.query_devices() if d["max_output_channels"] > 0]
        default = sounddevice.default.device[1]
    except sounddevice.PortAudioError as error:
        raise DeviceError(NO_DEVICE) from error
    entries = []
    for device in found:
        name = str(device["name"])
        if sum(d["name"] == device["name"] for d in found) > 1:
            name += f" ({hosts[device['hostapi']]['name']})"
        entries.append((name, device["index"] == default, device))
    return entries


def open_output(name: str | None, sample_rate: int, pull: Pull) -> Output:
    """Open a sound device at a rate, or at its own rate where it refuses.

    Parameters
    ----------
    name : str or None
        As listed, `SILENT_DEVICE`, or None for the system's default.
    sample_rate : int
    pull : callable
        Called by the device's thread with an array [shape=(frames, channels)], float32 to fill.

    Raises
    ------
    DeviceError
    """
    if name == SILENT_DEVICE:
        return SilentOutput(name, sample_rate, pull)
    sounddevice = _sounddevice()
    entries = _entries(sounddevice)
    if not entries:
        raise DeviceError(NO_DEVICE)
    if name is not None and all(name != entry[0] for entry in entries):
        raise DeviceError(
            f"The sound device '{name}' is not there. Connect it, or choose another one in the Playback menu."
        )
    chosen = next((e for e in entries if (e[1] if name is None else e[0] == name)), entries[0])
    return _SoundDevice(sounddevice, chosen[0], chosen[2], sample_rate, pull)


class _SoundDevice:
    """A PortAudio stream."""

    def __init__(self, sounddevice: Any, name: str, device: dict[str, Any], sample_rate: int, pull: Pull) -> None:
        self.name = name
        self.channels = min(OUTPUT_CHANNELS, int(device["max_output_channels"]))
        self.underruns = 0
        self._pull = pull
        settings = {"device": device["index"], "channels": self.channels, "dtype": "float32"}
        try:
            sounddevice.check_output_settings(samplerate=sample_rate, **settings)
        except (sounddevice.PortAudioError, ValueError):
            logger.info("%s does not play at %d Hz", name, sample_rate)
            sample_rate = int(device["default_samplerate"])
        try:
            self._stream = sounddevice.OutputStream(
                samplerate=sample_rate, latency="high", callback=self._call_back, **settings
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            raise DeviceError(
                f"The sound device '{name}' cannot be opened. Close other programs that use it, or choose another "
                "one in the Playback menu."
            ) from error
        self._error = sounddevice.PortAudioError
        self.sample_rate = int(self._stream.samplerate)
        self.latency_s = float(self._stream.latency)

    def _call_back(self, out: NDArray[np.float32], frames: int, time: Any, status: Any) -> None:
        """Runs in PortAudio's thread."""
        self._pull(out)
        if status:
            self.underruns += 1

    @property
    def is_running(self) -> bool:
        return bool(self._stream.active)

    def start(self) -> None:
        if self._stream.active:
            return
        try:
            self._stream.stop()
            self._stream.start()
        except self._error as error:
            raise DeviceError(DEVICE_LOST) from error

    def close(self) -> None:
        try:
            self._stream.close()
        except self._error:
            logger.info("closing %s failed", self.name, exc_info=True)


class SilentOutput:
    """Keeps time and makes no sound.

    Parameters
    ----------
    name : str
    sample_rate : int
    pull : callable
    """

    BLOCK_FRAMES = 512
    LATENCY_S = 0.02

    def __init__(self, name: str, sample_rate: int, pull: Pull) -> None:
        self.name = name
        self.sample_rate = sample_rate
        self.channels = OUTPUT_CHANNELS
        self.latency_s = self.LATENCY_S
        self.underruns = 0
        self._pull = pull
        self._is_closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether frames are being pulled."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start keeping time."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="silent output", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        block = np.zeros((self.BLOCK_FRAMES, self.channels), np.float32)
        due_s = perf_counter()
        while not self._is_closing.wait(max(due_s - perf_counter(), 0.0)):
            self._pull(block)
            self.take(block)
            due_s += self.BLOCK_FRAMES / self.sample_rate

    def take(self, block: NDArray[np.float32]) -> None:
        """Do with the sound what a device would do; here nothing."""

    def close(self) -> None:
        """Stop keeping time."""
        self._is_closing.set()
        if self._thread is not None:
            self._thread.join()
