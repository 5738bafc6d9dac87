"""The sound of one file as FFmpeg's libraries (PyAV) decode it, strictly in order, as blocks on a gapless time line.

FFmpeg itself leaves out what the encoder put before the start (LAME's tag, edit lists, Opus' pre-skip) and, but for AAC
in MP4, behind the end.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import AudioFileError
from scoresep.files.audio.stream_lengths import (
    find_tags,
    is_behind_end,
    is_short_of_bytes,
    read_film_rate,
    tells_length,
)
from scoresep.model.timebase import format_time

BLOCK_FRAMES = 1 << 16
# Containers whose header tells the length; elsewhere FFmpeg guesses it from the bit rate.
_FORMATS_WITH_LENGTH = {"matroska", "mov", "asf", "avi", "flv"}
# Containers that hold time stamps; elsewhere FFmpeg makes them by counting, and a jump tells nothing.
_STAMPED_FORMATS = {"matroska", "mov", "asf", "avi", "mpegts", "mpeg", "flv", "ogg", "rm", "mxf", "nut", "wtv"}
_PLAIN_FORMATS = {"wav", "aiff", "w64", "caf", "au"}  # blocks of one length, of which the last may be a rest
_PADDED_CODECS = {"aac", "opus", "libopus"}
_LARGEST_CHANGE = 25  # of the rate, inside a file: from 8 to 192 kHz; a file must not become a thousand times its size
_AFTER_TAG = 4096  # bytes in which FFmpeg finds its place again
_TRUE_SHARE = 0.97  # of the length told: header and stamps are rounded, pictures may last longer
_START_TOLERANCE_S = 0.0015  # Matroska's stamps are whole milliseconds
_LARGEST_PADDING = 8192  # frames: four blocks of AAC with SBR, which doubles the rate
# What reads other files, addresses or devices that the file names (play lists wait for them, even where none may be
# opened), and what is no file of sound or film.
_REFERRING_FORMATS = {
    "hls",
    "concat",
    "dash",
    "imf",
    "sdp",
    "rtsp",
    "rtp",
    "sap",
    "lavfi",
    "image2",
    "webm_dash_manifest",
}
_READ_BYTES = 1 << 18
_ITUNES_LENGTH = re.compile(r"\s*[0-9A-Fa-f]+\s+([0-9A-Fa-f]+)\s+([0-9A-Fa-f]+)\s+([0-9A-Fa-f]{8,16})\b")

Block = NDArray[np.float32]
Channels = Sequence[NDArray[np.float32]] | NDArray[np.float32]  # some frames of sound, channel by channel


class SoundDecoder:
    """Decodes the first stream of sound of an open file; close it after use, or use it in a ``with`` statement.

    Parameters
    ----------
    path : Path
        For the sentences.
    open_file : callable
        Opens what is to be read, anew at each call.

    Raises
    ------
    AudioFileError
        No sound, or no such file at all.
    """

    def __init__(self, path: Path, open_file: Callable[[], BinaryIO]) -> None:
        self._path, self._open_file = path, open_file
        self._file = open_file()
        self._stack = contextlib.ExitStack()
        self._stack.callback(self._file.close)
        try:
            self._container = _open_container(path, self._file)
            self._stack.callback(self._container.close)
            self._stream = _stream_of_sound(path, self._container)
            self._faults: list[tuple[int, int]] = []  # place and size of packets, in bytes
            self._last_place: int | None = None
            self._ends_in_packet = False
            self._end_of_packets: int | None = None  # in the stream's time base, as the next
            self._last_frame: tuple[int, int, int] | None = None  # stamp, frames, rate
            self._last_s = 0.0  # of all streams, pictures included
            self._frames = self._decode()
            self._first = self._first_frame()
        except BaseException:
            self._stack.close()
            raise

    @property
    def channels(self) -> int:
        """Number of channels of the first frame."""
        return int(self._first.layout.nb_channels)

    @property
    def layout(self) -> Any:
        """Channel layout of the first frame, as PyAV has it."""
        return self._first.layout

    @property
    def sample_rate(self) -> int:
        """Frames in a second; only the first frame tells it (HE-AAC doubles what the header says)."""
        return int(self._first.sample_rate)

    @property
    def expected_frames(self) -> int:
        """How many frames about to expect; 0 where unknown."""
        return int((self._container.duration or 0) / 1e6 * self.sample_rate)

    @property
    def container_name(self) -> str:
        """FFmpeg's short name of the container, such as ``mp3``."""
        return str(self._container.format.name)

    @property
    def _containers(self) -> set[str]:
        return set(self.container_name.split(","))

    @property
    def format(self) -> str:
        """Container and codec in words."""
        container, codec = self._container.format, self._stream.codec_context.name.upper()
        streams = self._container.streams.audio
        which = f", stream {streams.index(self._stream) + 1} of {len(streams)}" if len(streams) > 1 else ""
        return f"{container.long_name or container.name} {codec}".strip() + which

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def blocks(self, target: tuple[Any, int] | None, warn: Callable[[str], None]) -> Iterator[Block]:
        """Decode all, with silence in the gaps and without the encoder's padding at the end.

        Parameters
        ----------
        target : tuple of layout and int, optional
            Channel layout and rate to bring the sound to; that of the first frame unless given.
        warn : callable taking str

        Yields
        ------
        block : ndarray [shape=(channels, frames)], float32
            All but the last of `BLOCK_FRAMES` frames, in memory frame after frame.
        """
        layout, rate = target or (self._first.layout, self.sample_rate)
        converter = _Converter(layout, rate)
        # numbers are taken out of PyAV's objects once: making fractions for each frame costs as much as decoding
        ticks, per_s = self._stream.time_base.as_integer_ratio()
        first_rate, start_s = self.sample_rate, self._start_s()
        gaps = StampGaps(self.sample_rate, start_s, self._count_packets)
        blocks = _Blocks(layout.nb_channels)
        is_start, is_stamped = True, bool(self._containers & _STAMPED_FORMATS)
        for frame in self._all_frames():
            pts, samples, own_rate = frame.pts, frame.samples, frame.sample_rate
            stamp_s = None if pts is None or not is_stamped else pts * ticks / per_s
            # frames of another rate than the first count as long as they last
            frames = samples if own_rate == first_rate else round(samples * first_rate / own_rate)
            if pts is not None:
                self._last_frame = (pts, samples, own_rate)
            at = gaps.place
            silence = gaps.silence_before(stamp_s, frames, _START_TOLERANCE_S if is_start else TOLERANCE_S)
            if silence:
                if not is_start:
                    warn(f"'{self._path.name}' lacks sound at {_time(at, self.sample_rate)}; silence stands there.")
                yield from blocks.push([*converter.rest(), *_silence(layout, round(silence * rate / self.sample_rate))])
            is_start = False
            yield from blocks.push(converter.convert(frame, samples, own_rate))
        yield from blocks.push(converter.rest())
        yield from blocks.rest(self._padding(gaps.sound_frames) if rate == self.sample_rate else 0)
        self._warn_of_faults(gaps, warn)

    def _all_frames(self) -> Iterator[Any]:
        yield self._first
        yield from self._frames

    def _start_s(self) -> float:
        """Return the stamp at which the recording begins: that of the picture where it is shown earlier."""
        if self._first.pts is None:
            return 0.0
        own_s = float(self._first.pts * self._stream.time_base)
        starts_s = [float(s.start_time * s.time_base) for s in _pictures(self._container) if s.start_time is not None]
        return min([own_s, *starts_s])

    def _count_packets(self) -> PacketCounts:
        sound = pictures = 0
        with self._open_file() as file, _open_container(self._path, file) as container:
            shown = {stream.index for stream in _pictures(container)}
            for packet in _packets(container, lambda: None):
                sound += packet.stream_index == self._stream.index and packet.size > 0
                pictures += packet.stream_index in shown and packet.size > 0
        return PacketCounts(sound, pictures)

    def _warn_of_faults(self, gaps: StampGaps, warn: Callable[[str], None]) -> None:
        rate, name = self.sample_rate, self._path.name
        if gaps.left_out_frames:
            left_out = _time(gaps.left_out_frames, rate)
            warn(f"The time stamps of '{name}' leave {left_out} without sound, which is too long to be true; left out.")
        is_short = self._last_s < _TRUE_SHARE * self._promised_s() or is_short_of_bytes(self._path, self._containers)
        if is_short or self._lacks_pages(gaps.place) or self._has_faults(gaps.place):
            warn(f"'{name}' is damaged or cut off; {_time(gaps.place, rate)} of it could be read.")

    def _lacks_pages(self, frames: int) -> bool:
        """Whether pages of Ogg were damaged, which FFmpeg drops: fewer frames than the last page counts."""
        if self._containers != {"ogg"} or not self._stream.duration:
            return False
        return float(self._stream.duration * self._stream.time_base) - frames / self.sample_rate > TOLERANCE_S

    def _promised_s(self) -> float:
        names = self._containers
        if not names & _FORMATS_WITH_LENGTH or not tells_length(self._path, names):
            return 0.0
        if "asf" in names:  # FFmpeg adds to a stream that begins late the length of the whole
            lengths = [float(s.duration * s.time_base) for s in self._container.streams if s.duration is not None]
            return max(lengths, default=0.0)
        return float((self._container.duration or 0) / 1e6)

    def _first_frame(self) -> Any:
        frame = next(self._frames, None)
        if frame is None or not frame.sample_rate or not frame.layout.nb_channels:
            raise AudioFileError(f"'{self._path}' holds no sound that can be decoded; convert it to WAV or FLAC.")
        return frame

    def _padding(self, sound_frames: int) -> int:
        """How many frames at the end are padding that FFmpeg leaves: that of AAC and Opus in MP4.

        iTunes' note tells the length in samples; MP4 tells the end by the duration of the last packet or by its edit
        list. The latter may be rounded to the film's clock and is then only believed where it differs by more.
        """
        stream = self._stream
        if stream.codec_context.name not in _PADDED_CODECS:
            return 0
        noted = _itunes_length(self._container)
        if noted is not None and 0 <= sound_frames - noted < _LARGEST_PADDING:
            return sound_frames - noted
        to_frames = stream.time_base * self.sample_rate
        if "mov" not in self._containers or to_frames > 2:  # coarser stamps tell no end
            return 0
        padding = 0
        if self._end_of_packets is not None and self._last_frame is not None:
            pts, samples, rate = self._last_frame
            told = round((pts + Fraction(samples, rate) / stream.time_base - self._end_of_packets) * to_frames)
            padding = told if 0 <= told < _LARGEST_PADDING else 0
        if stream.duration is not None:
            told = sound_frames - round(stream.duration * to_frames)
            film_rate = read_film_rate(self._path)
            is_exact = film_rate is not None and film_rate % self.sample_rate == 0
            least = 0 if is_exact else self.sample_rate // 500
            padding = told if 0 <= told < _LARGEST_PADDING and abs(told - padding) > least else padding
        return padding

    def _decode(self) -> Iterator[Any]:
        import av

        clocks: dict[int, tuple[int, int]] = {}
        for packet in _packets(self._container, self._note_end):
            index = packet.stream.index  # packet.stream_index is 0 for the one that flushes
            is_own = index == self._stream.index
            if packet.pts is not None and packet.duration and (index in clocks or packet.time_base):
                end = packet.pts + packet.duration
                if index not in clocks:
                    clocks[index] = packet.time_base.as_integer_ratio()
                ticks, per_s = clocks[index]
                self._last_s = max(self._last_s, end * ticks / per_s)
                if is_own:
                    self._end_of_packets = end
            if is_own:
                if packet.size:
                    self._last_place = packet.pos
                try:
                    yield from packet.decode()
                except av.error.FFmpegError:
                    self._faults.append((packet.pos or 0, packet.size))

    def _note_end(self) -> None:
        self._ends_in_packet = True

    def _has_faults(self, frames: int) -> bool:
        """Whether something is damaged in a file of so many frames.

        Tags between joined files of MP3, what stands behind the end that its header tells, and a rest of a block are no
        damage.
        """
        faults = self._faults
        if self.container_name == "mp3" and faults:
            tags = find_tags(self._path)
            faults = [f for f in faults if not any(start < sum(f) and f[0] < stop + _AFTER_TAG for start, stop in tags)]
            faults = [f for f in faults if not is_behind_end(self._path, f, frames)]
        if self.container_name in _PLAIN_FORMATS:
            faults = [f for f in faults if f[0] != self._last_place]
        return bool(faults) or self._ends_in_packet

    def __enter__(self) -> SoundDecoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Converter:
    """Turns frames of any sample format into blocks; rate and layout are changed only where a file changes its own."""

    def __init__(self, layout: Any, rate: int) -> None:
        self._layout, self._channels, self._rate = layout, layout.nb_channels, rate
        self._resampler: Any = None
        self._source: tuple[str, int] | None = None  # what the resampler takes

    def convert(self, frame: Any, frames: int, rate: int) -> list[Channels]:
        """Return the `frames` frames of a frame of FFmpeg's, whose rate is `rate`."""
        if rate == self._rate and frame.layout.nb_channels == self._channels:
            pieces = self.rest() if self._resampler is not None else []
            pieces.append(_to_float(frame, frames))
            return pieces
        import av

        if not 1 / _LARGEST_CHANGE <= self._rate / rate <= _LARGEST_CHANGE:
            raise AudioFileError(
                f"A file changes its rate from {self._rate} to {rate} in the middle, which cannot be; "
                "use another copy, or convert it to WAV."
            )
        pieces = []
        if self._source != (frame.layout.name, rate):
            pieces = self.rest()
            self._resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
            self._source = (frame.layout.name, rate)
        frame.pts = None
        return pieces + [piece.to_ndarray() for piece in self._resampler.resample(frame)]

    def rest(self) -> list[Channels]:
        """Give what a resampler still holds."""
        if self._resampler is None:
            return []
        pieces: list[Channels] = [piece.to_ndarray() for piece in self._resampler.resample(None)]
        self._resampler = self._source = None
        return pieces


def _to_float(frame: Any, frames: int) -> Channels:
    if frame.format.name == "fltp":  # PyAV's to_ndarray would stack them, and cost as much as decoding
        return [np.frombuffer(plane, np.float32, frames) for plane in frame.planes]
    samples: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - np.float32(128)) / np.float32(128)
    if samples.dtype.kind == "i":
        scale = 2.0 ** -(8 * samples.dtype.itemsize - 1)
        wide = samples if samples.dtype.itemsize > 2 else samples.astype(np.float32)  # of the latter all fits
        return (wide * scale).astype(np.float32, copy=False)
    return samples.astype(np.float32, copy=False)


def _open_container(path: Path, file: BinaryIO) -> Any:
    import av

    try:
        # a file of Python's in place of a name, and no protocol beside it: nothing else can be opened
        options = {"protocol_whitelist": "none", "format_whitelist": _format_whitelist()}
        return av.open(file, "r", options=options, metadata_errors="replace", buffer_size=_READ_BYTES)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise AudioFileError(
            f"'{path}' is not a sound file that ScoreSep can read, or it is damaged; convert it to WAV or FLAC."
        ) from error


@functools.cache
def _format_whitelist() -> str:
    import av

    return ",".join(sorted(av.formats_available - _REFERRING_FORMATS))


def _stream_of_sound(path: Path, container: Any) -> Any:
    """Return the first stream of sound that is marked to be played, or the first of all."""
    streams = container.streams.audio
    if not streams:
        has_picture = any(s.type == "video" for s in container.streams)
        what = "holds pictures but no sound" if has_picture else "holds no sound"
        raise AudioFileError(f"'{path}' {what}; choose a file with sound.")
    return next((s for s in streams if "default" in _dispositions(s)), streams[0])


def _pictures(container: Any) -> list[Any]:
    """Return the streams of moving pictures; the cover of an album is none."""
    return [s for s in container.streams.video if not {"attached_pic", "still_image"} & _dispositions(s)]


def _dispositions(stream: Any) -> set[str]:
    return {flag.name for flag in stream.disposition}


def _packets(container: Any, note_fault: Callable[[], None]) -> Iterator[Any]:
    import av

    packets = container.demux()
    while True:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError):  # the file ends in the middle of a packet
            note_fault()
            return
        if packet is None:
            return
        yield packet


def _itunes_length(container: Any) -> int | None:
    """Return the length that iTunes and others note beside AAC (priming, padding, samples), in frames."""
    for name, value in container.metadata.items():
        if name.lower() == "itunsmpb" and (found := _ITUNES_LENGTH.match(value)):
            return int(found[3], 16) or None
    return None


def _silence(layout: Any, frames: int) -> Iterator[Channels]:
    for start in range(0, frames, BLOCK_FRAMES):
        yield np.zeros((layout.nb_channels, min(BLOCK_FRAMES, frames - start)), np.float32)


class _Blocks:
    """Gathers sound into blocks, and holds the last frames back, since they may be padding."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._full: NDArray[np.float32] | None = None  # the block before the present one
        self._filling, self._count = self._empty(), 0

    def _empty(self) -> NDArray[np.float32]:
        return np.empty((BLOCK_FRAMES, self._channels), np.float32)

    def push(self, pieces: Iterable[Channels]) -> Iterator[Block]:
        """Take pieces of sound, and give the blocks that cannot be padding, since enough stands behind them."""
        for piece in pieces:
            frames, taken = len(piece[0]), 0
            while taken < frames:
                now = min(frames - taken, BLOCK_FRAMES - self._count)
                into = self._filling[self._count : self._count + now]
                for channel, samples in enumerate(piece):
                    into[:, channel] = samples[taken : taken + now]
                taken += now
                self._count += now
                if self._count == BLOCK_FRAMES:
                    if self._full is not None:
                        yield self._full.T
                    self._full = self._filling
                    self._filling, self._count = self._empty(), 0

    def rest(self, padding: int) -> Iterator[Block]:
        """Give what is left but for `padding` frames (at most `BLOCK_FRAMES`) at the end."""
        left = self._count - padding
        if self._full is not None:
            yield self._full[: BLOCK_FRAMES + min(left, 0)].T
        if left > 0:
            yield self._filling[:left].T


def _time(frames: int, rate: int) -> str:
    return format_time(frames / rate)


# All silence together is at most as long as the sound (half of what comes out), and beyond that at most so long as
# pictures are shown meanwhile, of which each counts for at most a second.
LONGEST_BY_PICTURES_S = 600.0
TOLERANCE_S = 0.03  # stamps are rounded (Matroska counts in milliseconds)


@dataclass(frozen=True)
class PacketCounts:
    """How many packets of the stream of sound and how many pictures a file really holds."""

    sound: int
    pictures: int


class StampGaps:
    """Follows the time stamps of one stream and tells how much silence belongs before each of its frames.

    Parameters
    ----------
    sample_rate : int
    start_s : float
        The stamp that the first frame would have if it followed without a gap.
    count_packets : callable
        Counts the packets of the file; called at the first gap, since that reads the file once more.
    """

    def __init__(self, sample_rate: int, start_s: float, count_packets: Callable[[], PacketCounts]) -> None:
        self._rate, self._origin_s, self._count_packets = sample_rate, start_s, count_packets
        self._counts: PacketCounts | None = None
        self.sound_frames = self._silent_frames = self._frames_seen = 0
        self._next_s = start_s  # where the next frame would begin by the stamps of the last
        self.left_out_frames = 0

    @property
    def place(self) -> int:
        """Frames so far, sound and silence."""
        return self.sound_frames + self._silent_frames

    def silence_before(self, stamp_s: float | None, frames: int, least_s: float = TOLERANCE_S) -> int:
        """Return how many frames of silence stand before a block of `frames` frames that is stamped `stamp_s`.

        A gap is where the stamp jumps, not where stamps drift slowly away from the count of samples.

        Parameters
        ----------
        stamp_s : float or None
        frames : int
            Of the block.
        least_s : float
            Shorter gaps are none.
        """
        silence = 0
        if stamp_s is not None:
            gap_s = stamp_s - self._origin_s - self.place / self._rate
            jump_s = stamp_s - self._next_s
            if min(gap_s, jump_s) > least_s:
                silence = self._allowed(round(gap_s * self._rate), frames)
            elif jump_s < -1.0:  # the clock starts anew
                self._origin_s += gap_s
            self._next_s = stamp_s + frames / self._rate
        else:
            self._next_s += frames / self._rate
        self._silent_frames += silence
        self.sound_frames += frames
        self._frames_seen += 1
        return silence

    def _allowed(self, gap: int, frames: int) -> int:
        if self._counts is None:
            self._counts = self._count_packets()
        mean = (self.sound_frames + frames) / (self._frames_seen + 1)
        by_pictures_s = min(float(self._counts.pictures), LONGEST_BY_PICTURES_S)
        most = round(self._counts.sound * mean + by_pictures_s * self._rate)
        if self._silent_frames + gap <= most:
            return gap
        self.left_out_frames += gap
        self._origin_s += gap / self._rate
        return 0
