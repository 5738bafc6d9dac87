"""Decoding what cannot be read at any place exactly: MP3, OGG, Opus, AAC, WMA and the sound of video files.

Such files are decoded once, from start to end and block by block, to 32-bit float. Seeking in these formats is not
exact to the sample (python-soundfile 0.14 seeks after every read, which empties the bit reservoir of MP3; with
libsndfile 1.2.2 one of five places in an OGG file came out wrong), so that the same stretch would sound different
depending on how it was reached. One decoder reads them all, FFmpeg's; libsndfile only what FFmpeg does not know.

Also here: decoded sound in the cache: samples of 32 bit, and notes that tell when they are damaged.

A cache lies for months on disks that fail, fill up and are cleaned by other programs. Each block of samples has a
checksum, which is compared when the block is first read from an open file: opening five hours of sound costs no more
than opening five seconds, and no sample is believed unseen.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from scoresep.errors import AudioFileError
from scoresep.files.audio.ffmpeg_frames import BLOCK_FRAMES, Block, SoundDecoder
from scoresep.files.audio.sample_spans import FileSlice, find_samples, open_samples
from scoresep.files.audio.stream_lengths import ends_in_frame, find_links, lacks_end, read_stated_length
from scoresep.files.audio.wav import HEADER_BYTES, WavWriter
from scoresep.files.storage.atomic import whole_file, write_whole
from scoresep.files.storage.cache import cached_path, mark_used
from scoresep.model.timebase import format_time

_MPEG_LEAD_FRAMES = 64 * 1152  # the bit reservoir of MP3 reaches 511 bytes back: ten frames of the smallest
_BARE_STREAMS = {"mp3", "ac3", "eac3"}  # by FFmpeg's names
# Where all sound lies in one page of Ogg (255 packets at most), FFmpeg is not exact (findings/short_vorbis.sh).
SHORT_VORBIS_FRAMES = 1 << 18
_TRUE_SHARE = 0.99  # of a length told in whole frames of MPEG, padding among them


@dataclass
class DecodedStream:
    """Sound while it is being decoded; close it after use.

    Attributes
    ----------
    channels, sample_rate : int
    format : str
        In words.
    blocks : iterator of ndarray [shape=(channels, frames)], float32
        Of any length.
    expected_frames : int
        For the progress; 0 where unknown.
    warnings : list of str
        Filled while `blocks` is read.
    close : callable
        Lets the file go.
    """

    channels: int
    sample_rate: int
    format: str
    blocks: Iterator[Block]
    expected_frames: int = 0
    warnings: list[str] = field(default_factory=list)
    close: Callable[[], None] = lambda: None


def decoded_stream(path: Path) -> DecodedStream:
    """Decode the sound of a file, video files included, strictly from its start to its end.

    Raises
    ------
    AudioFileError
        The file holds no sound, or is not a file of sound or video at all.
    """
    try:
        links = find_links(path)
        if len(links) > 1:
            return _chained_stream(path, links)
        if links and _is_short_vorbis(path) and (stream := _sndfile_stream(path)) is not None:
            return stream
        return _ffmpeg_stream(path)
    except AudioFileError:
        if (stream := _sndfile_stream(path)) is not None:
            return stream
        raise
    except OSError as error:
        raise AudioFileError(f"'{path}' cannot be read ({error.strerror or error}); copy it elsewhere.") from error


def _is_short_vorbis(path: Path) -> bool:
    """Whether a whole file of Vorbis is too short for FFmpeg, which loses its first block and does not cut its end."""
    try:
        with soundfile.SoundFile(str(path)) as file:
            return file.subtype == "VORBIS" and file.frames < SHORT_VORBIS_FRAMES and not lacks_end(path)
    except (soundfile.LibsndfileError, TypeError):
        return False


def _ffmpeg_stream(path: Path) -> DecodedStream:
    span = find_samples(path)
    decoder = SoundDecoder(path, lambda: open_samples(path, span))
    decoded = DecodedStream(
        decoder.channels, decoder.sample_rate, decoder.format, iter(()), decoder.expected_frames, close=decoder.close
    )
    decoded.blocks = _decoded_blocks(path, decoder, decoded)
    return decoded


def _decoded_blocks(path: Path, decoder: SoundDecoder, decoded: DecodedStream) -> Iterator[Block]:
    done = 0
    with decoder:
        for block in decoder.blocks(None, decoded.warnings.append):
            done += block.shape[1]
            yield block
    if not decoded.warnings and (lacks_end(path) or _lacks_frames(path, decoder.container_name, done)):
        length = format_time(done / decoder.sample_rate)
        decoded.warnings.append(f"'{path.name}' is cut off: {length} of it is there, which is used.")


def _lacks_frames(path: Path, container: str, frames: int) -> bool:
    """Whether an MP3 file, or a WAV file of coded samples, ends before what its header tells, or inside a frame.

    A tag that promises more frames, but no more bytes than there are, is wrong; the file is whole.
    """
    span = find_samples(path)
    if span is not None:
        return span.present_share < _TRUE_SHARE
    if container in _BARE_STREAMS and ends_in_frame(path):
        return True
    stated = read_stated_length(path) if container == "mp3" else None
    if stated is None or frames >= _TRUE_SHARE * stated.frames:
        return False
    return not stated.size_bytes or path.stat().st_size - stated.offset < _TRUE_SHARE * stated.size_bytes


def _chained_stream(path: Path, links: list[tuple[int, int]]) -> DecodedStream:
    """Decode the links of an Ogg file one behind the other, each as a file of its own."""

    def open_link(start: int, stop: int) -> SoundDecoder | None:
        try:
            return SoundDecoder(path, lambda: io.BufferedReader(FileSlice(path, start, stop)))
        except AudioFileError:  # a link without sound, or a rest of one
            return None

    at, first = next(((i, d) for i, link in enumerate(links) if (d := open_link(*link)) is not None), (0, None))
    if first is None:
        raise AudioFileError(f"'{path}' holds no sound that can be decoded; convert it to WAV or FLAC.")
    form = f"{first.format}, {len(links)} links"
    decoded = DecodedStream(first.channels, first.sample_rate, form, iter(()), close=first.close)
    target = (first.layout, first.sample_rate)

    def blocks() -> Iterator[Block]:
        done = left_out = 0
        for number, link in enumerate(links):
            decoder = first if number == at else open_link(*link)
            if decoder is None:
                left_out += 1
                continue
            with decoder:
                for block in decoder.blocks(target, decoded.warnings.append):
                    done += block.shape[1]
                    yield block
        if left_out:
            decoded.warnings.append(f"{left_out} of {len(links)} pieces of '{path.name}' hold no sound; left out.")
        if lacks_end(path):
            length = format_time(done / first.sample_rate)
            decoded.warnings.append(f"'{path.name}' is cut off: {length} of it is there, which is used.")

    decoded.blocks = blocks()
    return decoded


def _sndfile_stream(path: Path) -> DecodedStream | None:
    """Decode with libsndfile; None where it does not know the format either.

    The iterator raises `AudioFileError` where the file is damaged.
    """
    try:
        file = soundfile.SoundFile(str(path))
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a name like x.raw, for which a format must be given
        return None
    # MP3 of free format, which FFmpeg does not know. What a place needs of the frames before it is read as well.
    lead = _MPEG_LEAD_FRAMES if file.format in ("MPEG", "MP3") else 0
    expected = file.frames if file.frames < 2**62 else 0
    warnings: list[str] = []
    # in one go, since python-soundfile seeks between two reads
    block_frames = SHORT_VORBIS_FRAMES if file.subtype == "VORBIS" else BLOCK_FRAMES

    def blocks() -> Iterator[Block]:
        done = 0
        with file:
            try:
                while True:
                    before = min(lead, done)
                    if lead:
                        file.seek(done - before)
                    block = file.read(before + block_frames, dtype="float32", always_2d=True)[before:]
                    if not len(block):
                        break
                    done += len(block)
                    yield np.ascontiguousarray(block.T)
            except soundfile.LibsndfileError as error:
                at = format_time(done / file.samplerate)
                raise AudioFileError(f"'{path}' is damaged at {at}; use another copy, or convert it to WAV.") from error
        if done < _TRUE_SHARE * expected:
            warnings.append(f"'{path.name}' is cut off: {done / expected:.0%} of it is there, which is used.")

    return DecodedStream(file.channels, file.samplerate, file.format_info, blocks(), expected, warnings, file.close)


DECODER_VERSION = 2  # what another version has decoded is not used
CHECKSUM_FRAMES = 1 << 16  # of one checksum
_SAMPLE = np.dtype("<f4")


class DamagedCacheError(Exception):
    """Decoded sound in the cache is not what was written there."""


@dataclass(frozen=True)
class SoundFacts:
    """What opening a file tells of it."""

    frames: int
    channels: int
    sample_rate: int
    format: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecodedNotes:
    """What is noted beside decoded sound: the facts, and the CRC-32 of each block of `CHECKSUM_FRAMES` frames."""

    facts: SoundFacts
    checksums: tuple[int, ...]


def decoded_path(content_key: str) -> Path:
    """Return where the cache keeps the decoded sound of a file."""
    return cached_path("audio", f"{content_key}.v{DECODER_VERSION}.wav")


def load_notes(content_key: str) -> DecodedNotes | None:
    """Read the notes on decoded sound; None where it is not there, or visibly not what was written."""
    path = decoded_path(content_key)
    try:
        size = path.stat().st_size
        text = json.loads(path.with_suffix(".json").read_bytes())
        if text.pop("digest") != _digest(text):
            return None
        facts = SoundFacts(**{**text["facts"], "warnings": tuple(text["facts"]["warnings"])})
        notes = DecodedNotes(facts, tuple(text["checksums"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    data_bytes = facts.frames * facts.channels * _SAMPLE.itemsize
    if size != HEADER_BYTES + data_bytes or len(notes.checksums) != -(-facts.frames // CHECKSUM_FRAMES):
        return None
    mark_used(path)
    return notes


def forget_decoded(content_key: str) -> None:
    """Take decoded sound out of the cache, as far as the system lets us: first the notes, without which it is none."""
    path = decoded_path(content_key)
    for file in (path.with_suffix(".json"), path):
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def store_decoded(
    content_key: str,
    channels: int,
    sample_rate: int,
    blocks: Iterator[Block],
    facts_of: Callable[[int], SoundFacts],
    on_frames: Callable[[int], None],
) -> SoundFacts:
    """Write decoded sound into the cache, with notes.

    Parameters
    ----------
    content_key : str
    channels, sample_rate : int
    blocks : iterator of ndarray [shape=(channels, frames)], float32
    facts_of : callable
        Gets the number of frames at the end.
    on_frames : callable
        Gets the number of frames so far.

    Raises
    ------
    OutputError
        The cache cannot take it.
    """
    path = decoded_path(content_key)
    checksums = []
    forget_decoded(content_key)  # the notes on an earlier file must not stand beside the new one
    with whole_file(path) as temporary, WavWriter(temporary, channels, sample_rate) as writer:
        for block in _of_equal_length(blocks):
            interleaved = np.ascontiguousarray(block.T, _SAMPLE)
            writer.write(interleaved.T)
            checksums.append(zlib.crc32(interleaved.data))
            on_frames(writer.frames)
    facts = facts_of(writer.frames)
    text = {"facts": asdict(facts), "checksums": checksums}
    write_whole(path.with_suffix(".json"), json.dumps({**text, "digest": _digest(text)}).encode())
    return facts


def _of_equal_length(blocks: Iterator[Block]) -> Iterator[Block]:
    held: list[Block] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += block.shape[1]
        if count >= CHECKSUM_FRAMES:
            joined = held[0] if len(held) == 1 else np.concatenate(held, axis=1)
            whole = count // CHECKSUM_FRAMES * CHECKSUM_FRAMES
            for start in range(0, whole, CHECKSUM_FRAMES):
                yield joined[:, start : start + CHECKSUM_FRAMES]
            held, count = [joined[:, whole:]] if count > whole else [], count - whole
    if count:
        yield np.concatenate(held, axis=1)


def _digest(text: object) -> str:
    return hashlib.blake2b(json.dumps(text, sort_keys=True).encode(), digest_size=16).hexdigest()


class DecodedReader:
    """Reads decoded sound at any place; not made for several threads at once.

    Parameters
    ----------
    content_key : str
    notes : DecodedNotes

    Raises
    ------
    DamagedCacheError
        The file is not there any more.
    """

    def __init__(self, content_key: str, notes: DecodedNotes) -> None:
        self._notes, self._is_checked = notes, [False] * len(notes.checksums)
        try:
            self._file = open(decoded_path(content_key), "rb", buffering=0)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise DamagedCacheError from error

    def read(self, start_frame: int, frames: int) -> NDArray[np.float32]:
        """Return `frames` frames from `start_frame`, which must be inside the sound.

        Returns
        -------
        samples : ndarray [shape=(frames, channels)], float32

        Raises
        ------
        DamagedCacheError
        """
        stop_frame = start_frame + frames
        samples = np.empty((frames, self._notes.facts.channels), _SAMPLE)
        at = start_frame
        while at < stop_frame:
            block = at // CHECKSUM_FRAMES
            first = block * CHECKSUM_FRAMES
            stop = min(first + CHECKSUM_FRAMES, stop_frame)
            into = samples[at - start_frame : stop - start_frame]
            if self._is_checked[block]:
                self._read_into(into, at)
            else:
                into[:] = self._checked_block(block)[at - first : stop - first]
            at = stop
        return samples.astype(np.float32, copy=False)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _checked_block(self, block: int) -> NDArray[np.float32]:
        facts = self._notes.facts
        first = block * CHECKSUM_FRAMES
        samples = np.empty((min(CHECKSUM_FRAMES, facts.frames - first), facts.channels), _SAMPLE)
        self._read_into(samples, first)
        if zlib.crc32(samples.data) != self._notes.checksums[block]:
            raise DamagedCacheError
        self._is_checked[block] = True
        return samples

    def _read_into(self, samples: NDArray[np.float32], start_frame: int) -> None:
        view = samples.data.cast("B")
        try:
            self._file.seek(HEADER_BYTES + start_frame * self._notes.facts.channels * _SAMPLE.itemsize, os.SEEK_SET)
            while view:
                count = self._file.readinto(view)
                if not count:
                    raise DamagedCacheError
                view = view[count:]
        except OSError as error:
            raise DamagedCacheError from error
