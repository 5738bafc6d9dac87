"""The formats of exported sound, and how samples become the numbers that they hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from scoresep.errors import UsageError
from scoresep.files.audio.wav import WavWriter

MAX_FLAC_CHANNELS = 8
MAX_FLAC_RATE = 655_350
_KNOWN = (("wav", 16), ("wav", 24), ("wav", 32), ("flac", 16), ("flac", 24))


@dataclass(frozen=True)
class ExportFormat:
    """Container and width of samples.

    Attributes
    ----------
    container : {'wav', 'flac'}
    bits : int
        16 or 24, in WAV also 32, which is float: unscaled, and nothing clips.

    Raises
    ------
    UsageError
        There is no such format.
    """

    container: Literal["wav", "flac"] = "wav"
    bits: int = 32

    def __post_init__(self) -> None:
        if (self.container, self.bits) not in _KNOWN:
            raise UsageError("Sound is exported as WAV of 16, 24 or 32 bits (float), or as FLAC of 16 or 24 bits.")

    @property
    def is_float(self) -> bool:
        """Whether samples beyond full scale are kept."""
        return self.bits == 32

    @property
    def suffix(self) -> str:
        """Ending of the file name, with its dot."""
        return f".{self.container}"

    @property
    def text(self) -> str:
        """For people: ``WAV 32 bit float``."""
        return f"{self.container.upper()} {self.bits} bit{' float' if self.is_float else ''}"


FLOAT_WAV = ExportFormat()
EXPORT_FORMATS = tuple(ExportFormat(container, bits) for container, bits in _KNOWN)  # type: ignore[arg-type]


def check_fits(file_format: ExportFormat, channels: int, sample_rate: int) -> None:
    """Refuse what a format cannot hold.

    Parameters
    ----------
    file_format : ExportFormat
    channels, sample_rate : int

    Raises
    ------
    UsageError
    """
    if file_format.container == "flac" and (channels > MAX_FLAC_CHANNELS or sample_rate > MAX_FLAC_RATE):
        raise UsageError(f"FLAC cannot hold {channels} channels at {sample_rate} Hz; choose WAV.")


def whole_numbers(
    samples: NDArray[np.float32], bits: int, dither: np.random.Generator | None = None
) -> NDArray[np.int32]:
    """Round samples to whole numbers of `bits` bits.

    Samples of a block that are whole numbers already (digital silence among them) are left as they are, so that 16 bits
    through the program are the same 16 bits.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)], float32
        Full scale is 1; beyond it is clipped.
    bits : int
    dither : Generator, optional
        Where the noise that takes the place of distortion by rounding comes from: triangular, of two steps in all.

    References
    ----------
    S. P. Lipshitz, R. A. Wannamaker, J. Vanderkooy: Quantization and dither: a theoretical survey. Journal of the
    Audio Engineering Society 40 (5), 1992, 355-375.
    """
    scaled = samples.astype(np.float64) * 2.0 ** (bits - 1)
    rounded = np.rint(scaled)
    if dither is not None and not np.array_equal(rounded, scaled):
        noise = dither.random(scaled.shape) - dither.random(scaled.shape)
        rounded = np.where(scaled == 0.0, 0.0, np.rint(scaled + noise))
    return np.clip(rounded, -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1).astype(np.int32)


class SampleWriter(Protocol):
    """Writes one file of sound block by block."""

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append frames, shape (channels, frames)."""

    def close(self) -> None:
        """Finish the file."""

    def discard(self) -> None:
        """Close what is worth nothing. Harmless after `close`."""


def sample_writer(
    path: Path, file_format: ExportFormat, channels: int, sample_rate: int, seed: int = 0
) -> SampleWriter:
    """Open a file for writing.

    Parameters
    ----------
    path : Path
        Made or overwritten.
    file_format : ExportFormat
    channels, sample_rate : int
    seed : int
        Of the dither of whole numbers.

    Raises
    ------
    OSError
        From all methods as well.
    """
    if file_format.is_float:
        return WavWriter(path, channels, sample_rate)
    if file_format.container == "flac":
        numbers: WavWriter | _FlacNumbers = _FlacNumbers(path, file_format.bits, channels, sample_rate)
    else:
        numbers = WavWriter(path, channels, sample_rate, "pcm16" if file_format.bits == 16 else "pcm24")
    return _Rounding(numbers, file_format.bits, seed)


class _Rounding:
    """Rounds samples for a writer of whole numbers."""

    def __init__(self, numbers: WavWriter | _FlacNumbers, bits: int, seed: int) -> None:
        self._numbers, self._bits = numbers, bits
        self._dither = np.random.default_rng(seed) if bits == 16 else None  # rounding to 24 bits is below any noise

    def write(self, samples: NDArray[np.float32]) -> None:
        self._numbers.write(whole_numbers(samples, self._bits, self._dither))

    def close(self) -> None:
        self._numbers.close()

    def discard(self) -> None:
        self._numbers.discard()


class _FlacNumbers:
    """Writes whole numbers as FLAC."""

    def __init__(self, path: Path, bits: int, channels: int, sample_rate: int) -> None:
        self._guard = _GuardedFile(path)
        self._shift = 32 - bits  # libsndfile takes the upper bits of whole numbers
        self._file = soundfile.SoundFile(self._guard, "w", sample_rate, channels, f"PCM_{bits}", format="FLAC")

    def write(self, samples: NDArray[np.int32]) -> None:
        self._file.write(np.ascontiguousarray(samples.T) << self._shift)
        self._guard.check()

    def close(self) -> None:
        self.discard()
        self._guard.check()

    def discard(self) -> None:
        if not self._file.closed:
            self._file.close()
        self._guard.close()


class _GuardedFile:
    """A file for libsndfile to write to that remembers why writing failed; libsndfile itself loses the reason."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "w+b")  # noqa: SIM115 - closed by close()
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        if self._error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self._error = error
        return len(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence) if self._error is None else 0

    def tell(self) -> int:
        return self._file.tell()

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or error
