"""Decoding what cannot be read at any place exactly: MP3, OGG, Opus, AAC, WMA and the sound of video files.

Such files are decoded once, from start to end and block by block, to 32-bit float. Seeking in these formats is not
exact to the sample (python-soundfile 0.14 seeks after every read, which empties the bit reservoir of MP3; with
libsndfile 1.2.2 one of five places in an OGG file came out wrong), so that the same stretch would sound different
depending on how it was reached. One decoder reads them all, FFmpeg's; libsndfile only what FFmpeg does not know.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from scoresep.errors import AudioFileError
from scoresep.files.audio.ffmpeg_frames import BLOCK_FRAMES, Block, SoundDecoder
from scoresep.files.audio.sample_spans import FileSlice, find_samples, open_samples
from scoresep.files.audio.stream_lengths import ends_in_frame, find_links, lacks_end, read_stated_length
from scoresep.model.timebase import format_time

_MPEG_LEAD_FRAMES = 64 * 1152  # the bit reservoir of MP3 reaches 511 bytes back: ten frames of the smallest
_BARE_STREAMS = {"mp3", "ac3", "eac3"}  # by FFmpeg's names
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
        return _ffmpeg_stream(path)
    except AudioFileError:
        if (stream := _sndfile_stream(path)) is not None:
            return stream
        raise
    except OSError as error:
        raise AudioFileError(f"'{path}' cannot be read ({error.strerror or error}); copy it elsewhere.") from error


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

    def blocks() -> Iterator[Block]:
        done = 0
        with file:
            try:
                while True:
                    before = min(lead, done)
                    if lead:
                        file.seek(done - before)
                    block = file.read(before + BLOCK_FRAMES, dtype="float32", always_2d=True)[before:]
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
