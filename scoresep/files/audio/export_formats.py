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
Container = Literal["wav", "flac", "mp3", "ogg", "opus", "aac"]
_KNOWN: tuple[tuple[Container, int], ...] = (
    ("wav", 16),
    ("wav", 24),
    ("wav", 32),
    ("flac", 16),
    ("flac", 24),
    ("mp3", 0),
    ("ogg", 0),
    ("opus", 0),
    ("aac", 0),
)


@dataclass(frozen=True)
class _Codec:
    """How compressed sound is encoded.

    Attributes
    ----------
    text : str
        For people.
    suffix : str
        Ending of the file name.
    most_channels : int
    muxer, encoder : str
        As FFmpeg calls them; empty for Vorbis, which PyAV's wheels only decode: libsndfile encodes it.
    bits_per_s : int
        Of two channels.
    """

    text: str
    suffix: str
    most_channels: int
    muxer: str = ""
    encoder: str = ""
    bits_per_s: int = 256_000


_CODECS = {
    "mp3": _Codec("MP3, 256 kbit/s", ".mp3", 2, "mp3", "libmp3lame"),
    "ogg": _Codec("OGG Vorbis", ".ogg", 8),
    "opus": _Codec("Opus, 192 kbit/s", ".opus", 8, "opus", "libopus", 192_000),
    "aac": _Codec("AAC, 256 kbit/s", ".m4a", 2, "ipod", "aac"),
}
COMPRESSED = tuple(_CODECS)
LEAST_COMPRESSED_FRAMES = 5_000  # of fewer encoders make nothing or too much, and decoders disagree how long they are
# libsndfile's scale runs from 0, the largest files, to 1; about 260 kbit/s for two channels.
_VORBIS_COMPRESSION = 0.2


@dataclass(frozen=True)
class ExportFormat:
    """Container and width of samples.

    Attributes
    ----------
    container : {'wav', 'flac', 'mp3', 'ogg', 'opus', 'aac'}
    bits : int
        16 or 24, in WAV also 32, which is float: unscaled, and nothing clips. 0 for compressed sound.

    Raises
    ------
    UsageError
        There is no such format.
    """

    container: Container = "wav"
    bits: int = 32

    def __post_init__(self) -> None:
        if (self.container, self.bits) not in _KNOWN:
            raise UsageError(
                "Sound is exported as WAV of 16, 24 or 32 bits (float), as FLAC of 16 or 24 bits, or as MP3, OGG, Opus"
                " or AAC."
            )

    @property
    def is_float(self) -> bool:
        """Whether samples beyond full scale are kept."""
        return self.bits == 32

    @property
    def is_compressed(self) -> bool:
        """Whether sound is not given back sample by sample."""
        return self.container in _CODECS

    @property
    def suffix(self) -> str:
        """Ending of the file name, with its dot."""
        return _CODECS[self.container].suffix if self.is_compressed else f".{self.container}"

    @property
    def text(self) -> str:
        """For people: ``WAV 32 bit float``."""
        if self.is_compressed:
            return _CODECS[self.container].text
        return f"{self.container.upper()} {self.bits} bit{' float' if self.is_float else ''}"


FLOAT_WAV = ExportFormat()
EXPORT_FORMATS = tuple(ExportFormat(container, bits) for container, bits in _KNOWN)


def check_fits(file_format: ExportFormat, channels: int, sample_rate: int, frames: int) -> None:
    """Refuse what a format cannot hold.

    Parameters
    ----------
    file_format : ExportFormat
    channels, sample_rate, frames : int

    Raises
    ------
    UsageError
    """
    if file_format.container == "flac" and (channels > MAX_FLAC_CHANNELS or sample_rate > MAX_FLAC_RATE):
        raise UsageError(f"FLAC cannot hold {channels} channels at {sample_rate} Hz; choose WAV.")
    codec = _CODECS.get(file_format.container)
    if codec is None:
        return
    name = codec.text.split(",")[0]
    if channels > codec.most_channels:
        raise UsageError(f"{name} cannot hold {channels} channels; choose WAV, FLAC or OGG.")
    if frames < LEAST_COMPRESSED_FRAMES:
        raise UsageError(f"{frames} frames are too short for {name}; choose WAV or FLAC, or a longer stretch.")


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
    path: Path, file_format: ExportFormat, channels: int, sample_rate: int, seed: int = 0, title: str = ""
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
    title : str
        What a player shows; in compressed files only.

    Raises
    ------
    OSError
        From all methods as well.
    """
    if file_format.is_float:
        return WavWriter(path, channels, sample_rate)
    if file_format.container == "ogg":
        return _VorbisWriter(path, channels, sample_rate, title)
    if file_format.is_compressed:
        return _CompressedWriter(path, _CODECS[file_format.container], channels, sample_rate, title)
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


class _VorbisWriter:
    """Writes Vorbis in Ogg, by libsndfile."""

    def __init__(self, path: Path, channels: int, sample_rate: int, title: str) -> None:
        self._guard = _GuardedFile(path)
        self._file = soundfile.SoundFile(
            self._guard, "w", sample_rate, channels, "VORBIS", format="OGG", compression_level=_VORBIS_COMPRESSION
        )
        if title:
            self._file.title = title

    def write(self, samples: NDArray[np.float32]) -> None:
        self._file.write(np.ascontiguousarray(samples.T))
        self._guard.check()

    def close(self) -> None:
        self.discard()
        self._guard.check()

    def discard(self) -> None:
        if not self._file.closed:
            self._file.close()
        self._guard.close()


class _CompressedWriter:
    """Writes MP3, Opus or AAC by FFmpeg's encoders (PyAV), with what tells players where the sound begins and ends.

    A rate that the codec does not know is brought to the highest of its own up to 48 kHz.
    """

    def __init__(self, path: Path, codec: _Codec, channels: int, sample_rate: int, title: str) -> None:
        import av  # takes a tenth of a second

        self._guard = _GuardedFile(path)
        self._frame_type = av.AudioFrame
        # without the names of its makers, so that the same sound gives the same file
        self._file = av.open(self._guard, "w", format=codec.muxer, options={"fflags": "+bitexact"})
        self._file.metadata["title"] = title
        rates = av.codec.Codec(codec.encoder, "w").audio_rates or [sample_rate]
        rate = sample_rate if sample_rate in rates else max(rate for rate in rates if rate <= 48_000)
        self._layout, self._rate, self._position = _LAYOUTS[channels], sample_rate, 0
        stream = self._file.add_stream(codec.encoder, rate=rate, layout=self._layout)
        assert isinstance(stream, av.AudioStream)
        self._stream = stream
        self._stream.bit_rate = codec.bits_per_s * max(channels, 2) // 2
        context = stream.codec_context
        context.flags |= av.codec.context.Flags.bitexact
        context.open()
        self._resampler = av.AudioResampler(context.format, self._layout, rate, context.frame_size or None)

    def write(self, samples: NDArray[np.float32]) -> None:
        frame = self._frame_type.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=self._layout)
        frame.sample_rate, frame.pts = self._rate, self._position
        self._position += samples.shape[1]
        self._encode(frame)

    def _encode(self, frame: Any) -> None:
        for piece in self._resampler.resample(frame):
            self._file.mux(self._stream.encode(piece))
        self._guard.check()

    def close(self) -> None:
        if not self._guard.is_closed:
            self._encode(None)
            self._file.mux(self._stream.encode(None))
        self.discard()
        self._guard.check()

    def discard(self) -> None:
        if not self._guard.is_closed:
            self._file.close()
        self._guard.close()


_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


class _GuardedFile:
    """A file for libraries to write to that remembers why writing failed; they lose the reason themselves."""

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

    @property
    def is_closed(self) -> bool:
        return self._file.closed

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or error
