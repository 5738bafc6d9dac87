"""Writing WAV block by block, and reading the samples of a WAV file at any place.

soundfile (0.14, libsndfile 1.2.2) writes no faster (0.05 s of CPU for five minutes of stereo, as here) and stays out:
its WAV of floats holds the time of day (chunk ``PEAK``), so that the same stems would never be the same bytes; its RF64
holds none, but is RF64 at any length, which many readers of WAV refuse (Python's ``wave`` among them) and only
``sf_command`` could change, which soundfile does not offer; and on a full disk its error tells no reason. Files over
4 GiB become RF64 here at the end, in place: the header keeps room for the 64-bit sizes from the start.

References
----------
Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991 (RIFF WAVE).
EBU Tech 3306, "RF64: An extended file format for audio", 2009.
"""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from scoresep.errors import AudioFileError
from scoresep.files.storage.file_arrays import FileArray

WavEncoding = Literal["float32", "pcm24", "pcm16"]

RIFF_LIMIT_BYTES = 2**32 - 1  # above this a file becomes RF64
HEADER_BYTES = 128  # where the samples start: aligned data are read faster
_BITS = {"float32": 32, "pcm24": 24, "pcm16": 16}
_TAG_PCM, _TAG_FLOAT, _TAG_EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of the sub-format, after its two bytes of tag
_UNKNOWN_32 = 0xFFFFFFFF


class WavWriter:
    """Writes one WAV file from its first frame to its last.

    Parameters
    ----------
    path : Path
        Made or overwritten; use with `atomic.whole_file`.
    channels, sample_rate : int
    encoding : {'float32', 'pcm24', 'pcm16'}

    Raises
    ------
    OSError
        From all methods, with the system's reason.
    """

    def __init__(self, path: Path, channels: int, sample_rate: int, encoding: WavEncoding = "float32") -> None:
        self._channels, self._sample_rate, self._encoding = channels, sample_rate, encoding
        self.frames = 0
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by close()
        self._write(bytes(HEADER_BYTES))

    def write(self, samples: NDArray[np.float32] | NDArray[np.int32]) -> None:
        """Append frames.

        Parameters
        ----------
        samples : ndarray [shape=(channels, frames)], float32, or int32 for the whole-number encodings
            Whole numbers have the range of the encoding and are not clipped here.
        """
        if samples.ndim != 2 or samples.shape[0] != self._channels:
            raise ValueError(f"expected ({self._channels}, frames), not {samples.shape}")
        interleaved = samples.T
        if self._encoding == "float32":
            data = np.ascontiguousarray(interleaved, "<f4").reshape(-1).view(np.uint8).data
        elif self._encoding == "pcm16":
            data = np.ascontiguousarray(interleaved, "<i2").reshape(-1).view(np.uint8).data
        else:
            whole = np.ascontiguousarray(interleaved, "<i4")
            data = memoryview(whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
        self._write(data)
        self.frames += samples.shape[1]

    def close(self) -> None:
        """Write the header with the final sizes, and close."""
        if self._file.closed:
            return
        try:
            data_bytes = self.frames * self._channels * _BITS[self._encoding] // 8
            if data_bytes % 2:
                self._write(b"\0")
            self._file.seek(0)
            self._write(self._header(data_bytes))
        finally:
            self._file.close()

    def discard(self) -> None:
        """Close without a header; the file is worth nothing then. Harmless after `close`."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:  # an unbuffered file may take only part of a block
            view = view[self._file.write(view) or 0 :]

    def _header(self, data_bytes: int) -> bytes:
        riff_bytes = HEADER_BYTES - 8 + data_bytes + data_bytes % 2
        is_rf64 = riff_bytes > RIFF_LIMIT_BYTES
        bits = _BITS[self._encoding]
        is_float = self._encoding == "float32"
        sizes_64 = struct.pack("<QQQI", riff_bytes, data_bytes, self.frames, 0)
        chunks = _chunk(b"ds64", sizes_64) if is_rf64 else _chunk(b"JUNK", bytes(len(sizes_64)))
        chunks += _chunk(b"fmt ", self._format_fields(bits, _TAG_FLOAT if is_float else _TAG_PCM))
        if is_float:
            chunks += _chunk(b"fact", struct.pack("<I", _UNKNOWN_32 if is_rf64 else self.frames))
        chunks += _chunk(b"JUNK", bytes(HEADER_BYTES - 12 - len(chunks) - 8 - 8))
        head = struct.pack("<4sI4s", b"RF64" if is_rf64 else b"RIFF", _UNKNOWN_32 if is_rf64 else riff_bytes, b"WAVE")
        return head + chunks + struct.pack("<4sI", b"data", _UNKNOWN_32 if is_rf64 else data_bytes)

    def _format_fields(self, bits: int, tag: int) -> bytes:
        frame_bytes = self._channels * bits // 8
        # more than two channels ask for the extensible form; one and two are read by more programs in the plain one
        written_tag = tag if self._channels <= 2 else _TAG_EXTENSIBLE
        fields = struct.pack(
            "<HHIIHH",
            written_tag,
            self._channels,
            self._sample_rate,
            self._sample_rate * frame_bytes,
            frame_bytes,
            bits,
        )
        if written_tag == _TAG_EXTENSIBLE:
            return fields + struct.pack("<HHIH", 22, bits, 0, tag) + _GUID_TAIL
        return fields if tag == _TAG_PCM else fields + struct.pack("<H", 0)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content


def reserve_wav(path: Path, frames: int, channels: int, sample_rate: int) -> None:
    """Make a 32-bit float WAV file of silence; where the disk can, it takes no room until samples are written.

    Parameters
    ----------
    path : Path
        Made or overwritten.
    frames, channels, sample_rate : int

    Raises
    ------
    OSError
    """
    writer = WavWriter(path, channels, sample_rate)
    writer.frames = frames
    writer.close()
    os.truncate(path, HEADER_BYTES + frames * channels * 4)


class WavFiller:
    """Writes samples anywhere into a 32-bit float WAV file that `reserve_wav` has made.

    Parameters
    ----------
    path : Path

    Raises
    ------
    AudioFileError
        It is no such file.
    OSError
        From the other methods, with the system's reason.
    """

    def __init__(self, path: Path) -> None:
        self.layout = read_wav_layout(path)
        self._file = open(path, "r+b", buffering=0)  # noqa: SIM115 - closed by close()

    def write(self, start_frame: int, samples: NDArray[np.float32]) -> None:
        """Write frames from `start_frame`, shape (channels, frames), inside the file."""
        channels, frames = samples.shape
        if channels != self.layout.channels or not 0 <= start_frame <= start_frame + frames <= self.layout.frames:
            raise ValueError(f"{samples.shape} at {start_frame} does not fit into {self.layout}")
        end = self.layout.data_offset + self.layout.frames * channels * 4
        if os.fstat(self._file.fileno()).st_size < end:  # writing on would leave a hole where sound was
            raise OSError(errno.EIO, "another program has cut it short")
        self._file.seek(self.layout.data_offset + start_frame * channels * 4)
        view = memoryview(np.ascontiguousarray(samples.T, "<f4").tobytes())
        while view:  # an unbuffered file may take only part of a block
            view = view[self._file.write(view) or 0 :]

    def sync(self) -> None:
        """Wait until all that was written is on the disk itself."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file. Harmless when it is closed."""
        self._file.close()


@dataclass(frozen=True)
class WavLayout:
    """Where the samples of a WAV file lie.

    Attributes
    ----------
    data_offset : int
        In bytes.
    frames, channels, sample_rate, bits : int
    is_float : bool
    """

    data_offset: int
    frames: int
    channels: int
    sample_rate: int
    bits: int
    is_float: bool


def read_wav_layout(path: Path) -> WavLayout:
    """Read the header of a RIFF or RF64 WAVE file.

    Raises
    ------
    AudioFileError
        The file is missing or not such a file.
    """
    try:
        with open(path, "rb") as file:
            file_bytes = os.fstat(file.fileno()).st_size
            kind, _, form = struct.unpack("<4sI4s", file.read(12))
            if kind not in (b"RIFF", b"RF64") or form != b"WAVE":
                raise AudioFileError(f"'{path}' is not a WAV file; separate again.")
            format_fields, data_bytes_64 = b"", 0
            while True:
                name, size = struct.unpack("<4sI", file.read(8))
                if name == b"data":
                    data_offset = file.tell()
                    data_bytes = data_bytes_64 if size == _UNKNOWN_32 and kind == b"RF64" else size
                    break
                next_chunk = file.tell() + size + size % 2
                content = file.read(min(size, 64)) if name in (b"ds64", b"fmt ") else b""
                file.seek(next_chunk)
                if name == b"ds64":
                    data_bytes_64 = struct.unpack_from("<Q", content, 8)[0]
                elif name == b"fmt ":
                    format_fields = content
        tag, channels, sample_rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", format_fields)
        if tag == _TAG_EXTENSIBLE:
            tag = struct.unpack_from("<H", format_fields, 24)[0]
        if not channels or frame_bytes * 8 != channels * bits:
            raise struct.error("the sizes of a frame contradict each other")
        frames = max(min(data_bytes, file_bytes - data_offset), 0) // frame_bytes
    except (OSError, struct.error) as error:
        raise AudioFileError(f"'{path}' is missing or damaged; separate again.") from error
    return WavLayout(data_offset, frames, channels, sample_rate, bits, tag == _TAG_FLOAT)


class WavSamples:
    """The samples of a 32-bit float WAV file, read when they are asked for; threads may share it.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    shape : tuple of int
        Channels and frames.
    sample_rate : int

    Raises
    ------
    AudioFileError
        The file is missing, damaged or holds something else.
    """

    def __init__(self, path: Path) -> None:
        layout = read_wav_layout(path)
        if not layout.is_float or layout.bits != 32:
            raise AudioFileError(f"'{path}' does not hold 32-bit float samples; separate again.")
        self.shape = (layout.channels, layout.frames)
        self.sample_rate = layout.sample_rate
        try:
            self._values = FileArray(path, "<f4", layout.data_offset, (layout.frames, layout.channels))
        except OSError as error:  # gone meanwhile, or too many files are open
            raise AudioFileError(f"'{path}' cannot be read ({error}); try again, or separate once more.") from error

    def read(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return the frames of [start_frame, stop_frame), clipped to the file, shape (channels, frames).

        Raises
        ------
        AudioFileError
            They are not there any more: the file was cut short since, or its disk has gone.
        """
        channels, frames = self.shape
        start = min(max(start_frame, 0), frames)
        count = max(min(stop_frame, frames) - start, 0)
        try:
            values = self._values.read(start * channels, count * channels)
        except OSError as error:
            reason = error.strerror or str(error)
            raise AudioFileError(
                f"'{self._values.path}' cannot be read any more ({reason}); separate again."
            ) from error
        return np.array(values.reshape(count, channels).T, np.float32, order="C")

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[np.float32]:
        """Return a range of frames, ``[:, start:stop]``, as an array in memory has it."""
        start, stop, _ = key[1].indices(self.shape[1])
        return self.read(start, stop)[key[0]]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[np.float32]:
        """Return all samples, in memory."""
        return self.read(0, self.shape[1])
