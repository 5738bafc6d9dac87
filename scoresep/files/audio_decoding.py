"""Decoding what cannot be read at any place exactly: MP3, OGG, Opus, AAC, WMA and the sound of video files.

Such files are decoded once, from start to end and block by block, to 32-bit float. Seeking in these formats is not
exact to the sample (with libsndfile 1.2.2 one of five places in an OGG file came out wrong), so that the same stretch
would sound different depending on how it was reached.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from scoresep.errors import AudioFileError
from scoresep.model.timebase import format_time

BLOCK_FRAMES = 1 << 16
# A hole in the time stamps up to this long is filled with silence, so that what follows keeps its place; a longer
# one is a fault of the stamps. Differences below the tolerance are rounding (Matroska counts in milliseconds).
MAX_HOLE_S = 600.0
HOLE_TOLERANCE_S = 0.03
# Containers whose header tells the length; elsewhere FFmpeg guesses it from the bit rate.
_FORMATS_WITH_LENGTH = {"matroska", "mov", "asf", "avi"}

# An Ogg page (RFC 3533): its mark, at most so many bytes, and the flag that it is the last.
_OGG_MARK, _OGG_MAX_BYTES, _OGG_LAST = b"OggS", 65_307, 0x04

Block = NDArray[np.float32]


@dataclass
class DecodedStream:
    """Sound while it is being decoded.

    Attributes
    ----------
    channels, sample_rate : int
    format : str
        In words.
    blocks : iterator of ndarray [shape=(channels, frames)], float32
    expected_frames : int
        For the progress; 0 where unknown.
    warnings : list of str
        Filled while `blocks` is read.
    """

    channels: int
    sample_rate: int
    format: str
    blocks: Iterator[Block]
    expected_frames: int = 0
    warnings: list[str] = field(default_factory=list)


def sndfile_stream(path: Path) -> DecodedStream | None:
    """Decode with libsndfile; None where it does not know the format.

    The iterator raises `soundfile.LibsndfileError` where the file is damaged.
    """
    try:
        file = soundfile.SoundFile(str(path))
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a name like x.raw, for which a format must be given
        return None
    expected = file.frames if file.frames < 2**62 else 0
    warnings: list[str] = []

    def blocks() -> Iterator[Block]:
        done = 0
        with file:
            while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
                done += len(block)
                yield np.ascontiguousarray(block.T)
        if done < 0.99 * expected:
            warnings.append(f"'{path.name}' is cut off: {done / expected:.0%} of it is there, which is used.")

    return DecodedStream(file.channels, file.samplerate, file.format_info, blocks(), expected, warnings)


def ffmpeg_stream(path: Path) -> DecodedStream:
    """Decode the first sound stream with FFmpeg's libraries (PyAV), video files included.

    Raises
    ------
    AudioFileError
        The file holds no sound, or is not a file of sound or video at all.
    """
    import av

    try:
        container = av.open(str(path), "r", metadata_errors="replace")
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise AudioFileError(
            f"'{path}' is not a sound file that ScoreSep can read, or it is damaged; convert it to WAV or FLAC."
        ) from error
    with contextlib.ExitStack() as stack:
        stack.callback(container.close)
        if not container.streams.audio:
            has_picture = any(s.type == "video" for s in container.streams)
            what = "holds pictures but no sound" if has_picture else "holds no sound"
            raise AudioFileError(f"'{path}' {what}; choose a file with sound.")
        stream = container.streams.audio[0]
        decoder = _FrameDecoder(path, container, stream)
        first = decoder.first_frame()
        name = f"{container.format.long_name or container.format.name} {stream.codec_context.name.upper()}".strip()
        seconds = (container.duration or 0) / 1e6
        decoded = DecodedStream(
            first.layout.nb_channels, first.sample_rate, name, iter(()), int(seconds * first.sample_rate)
        )
        decoded.blocks = _closing(decoder.blocks(first, decoded.warnings.append), stack.pop_all())
        return decoded


def lacks_ogg_end(path: Path) -> bool:
    """Whether a file is in the Ogg format (Vorbis, Opus) without its last page, which nothing else would tell."""
    with path.open("rb") as file:
        if file.read(len(_OGG_MARK)) != _OGG_MARK:
            return False
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 2 * _OGG_MAX_BYTES, 0))
        tail = file.read()
    page = tail[max(tail.rfind(_OGG_MARK), 0) :]
    head_bytes = 27 + page[26] if len(page) > 26 else 27
    return len(page) < head_bytes + sum(page[27:head_bytes]) or not page[5] & _OGG_LAST


def _closing(blocks: Iterator[Block], resources: contextlib.ExitStack) -> Iterator[Block]:
    with resources:
        yield from blocks


class _FrameDecoder:
    """Turns the packets of one stream into blocks on a gapless time line."""

    def __init__(self, path: Path, container: Any, stream: Any) -> None:
        self._path, self._stream = path, stream
        self._end_of_packets: int | None = None  # in the stream's time base
        self._last_s = 0.0  # of all streams, pictures included
        knows_length = set(container.format.name.split(",")) & _FORMATS_WITH_LENGTH
        self._promised_s = (container.duration or 0) / 1e6 if knows_length else 0.0
        self._has_faults = False
        self._frames = self._decode(container)

    def first_frame(self) -> Any:
        """Decode up to the first frame: only it tells the true rate (HE-AAC doubles the one in the header)."""
        frame = next(self._frames, None)
        if frame is None or not frame.sample_rate or not frame.layout.nb_channels:
            raise AudioFileError(f"'{self._path}' holds no sound that can be decoded; convert it to WAV or FLAC.")
        return frame

    def blocks(self, first: Any, warn: Callable[[str], None]) -> Iterator[Block]:
        """Decode all, filling holes and cutting the encoder's padding at the end."""
        import av

        rate, time_base = first.sample_rate, self._stream.time_base
        resampler = av.AudioResampler(format="fltp", layout=first.layout, rate=rate)
        start = first.pts
        written = 0
        held: Block | None = None  # one frame is held back, since the end of the last one may be padding
        for frame in _chain(first, self._frames):
            if start is not None and frame.pts is not None:
                hole = round(float((frame.pts - start) * time_base) * rate) - written
                if HOLE_TOLERANCE_S * rate < hole < MAX_HOLE_S * rate:
                    warn(f"'{self._path.name}' lacks sound at {format_time(written / rate)}; silence stands there.")
                    yield from _held(held)
                    held = None
                    yield from _silence(first.layout.nb_channels, hole)
                    written += hole
            try:
                pieces = resampler.resample(frame)
            except ValueError:  # rate or channels change in the middle
                resampler = av.AudioResampler(format="fltp", layout=first.layout, rate=rate)
                pieces = resampler.resample(frame)
            for piece in pieces:
                yield from _held(held)
                held = piece.to_ndarray().astype(np.float32, copy=False)
                written += held.shape[1]
        if held is not None:
            padding = written - self._true_length(written, start, rate)
            yield from _held(held[:, : max(held.shape[1] - padding, 0)])
        if self._has_faults or self._last_s < 0.97 * self._promised_s:
            warn(f"'{self._path.name}' is damaged or cut off; {format_time(written / rate)} of it could be read.")

    def _true_length(self, decoded_frames: int, start: int | None, rate: int) -> int:
        """Length without the padding that AAC's encoders put after the end.

        FFmpeg removes the padding at the start, and for other codecs at the end as well. MP4 tells the end by the
        duration of the last packet or by its edit list; the latter may be rounded to milliseconds and is only believed
        where it differs by more.
        """
        stream = self._stream
        if stream.codec_context.name != "aac" or start is None or stream.time_base * rate != 1:
            return decoded_frames
        length = decoded_frames
        if self._end_of_packets is not None and 0 <= length - (self._end_of_packets - start) < 2048:
            length = self._end_of_packets - start
        if stream.duration is not None and rate // 500 < length - stream.duration < 4096:
            length = stream.duration
        return length

    def _decode(self, container: Any) -> Iterator[Any]:
        import av

        packets = container.demux()
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError):  # the file ends in the middle of a packet
                self._has_faults = True
                packet = None
            if packet is None:
                return
            if packet.pts is not None and packet.duration and packet.time_base:
                end = packet.pts + packet.duration
                self._last_s = max(self._last_s, float(end * packet.time_base))
                if packet.stream_index == self._stream.index:
                    self._end_of_packets = end
            if packet.stream_index != self._stream.index:
                continue
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                self._has_faults = True


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _held(block: Block | None) -> Iterator[Block]:
    if block is not None and block.shape[1]:
        yield block


def _silence(channels: int, frames: int) -> Iterator[Block]:
    while frames > 0:
        now = min(frames, BLOCK_FRAMES)
        yield np.zeros((channels, now), np.float32)
        frames -= now
