"""Where the samples of an uncompressed file lie, also when its writer never came to tell their length.

Who writes to a pipe cannot go back to the header, and who is killed does not: the length there is 0 or a number that
stands for "unknown", and programs choose different ones. Such a file is whole, whereas one that is shorter than a
length that somebody meant is cut off. libsndfile and FFmpeg know some of these numbers and not others, so
the header is read here, and mended in the view that they get.

References
----------
Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991 (RIFF WAVE).
EBU Tech 3306, "RF64: An extended file format for audio", 2009; ITU-R BS.2088 (BW64), 2019.
Apple, "Audio Interchange File Format AIFF-C", 1991; "Apple Core Audio Format Specification 1.0", 2011.
Sonic Foundry, "Sony Wave64", 2003. Sun, "audio file format" (the man page of 4.1).
"""

from __future__ import annotations

import io
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

_LARGEST_HEAD_BYTES = 1 << 24  # what stands before the samples and is kept in memory
_MOST_CHUNKS = 10_000
_UNKNOWN_32 = 0xFFFFFFFF
# Numbers that stand for "unknown": all ones or the largest that fits (FFmpeg, arecord, LAME), SoX's 0x7FFFF000 (WAV)
# and 0x7F000000 (AIFF), each with or without the header and rounded to whole frames. Nobody can record a tebibyte.
_PLACEHOLDERS = (2**30, 0x7F000000, 0x7FFFF000, 2**31, 2**32)
_NEAR_BYTES = 4096
_LARGEST_MEANT_BYTES = 2**40
_SMALLEST_ROUND = 10**9
_SEARCHED_TAIL_BYTES = 1 << 20
# What programs write behind the samples; only these end them where their length is open.
_TAIL_CHUNK = re.compile(
    rb"LIST|id3 |ID3 |cue |smpl|inst|bext|iXML|axml|_PMX|PEAK|afsp|DISP|NAME|AUTH|ANNO|\(c\) |COMT|MARK"
)
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the other chunks, after their four letters


@dataclass(frozen=True)
class SampleSpan:
    """Where the samples of a file lie.

    Attributes
    ----------
    data_offset, stop_offset : int
        In bytes, within the file.
    stated_bytes : int
        How many bytes of samples the header tells.
    is_open : bool
        Whether the header does not tell the length; the samples go on to the end of the file then.
    head : bytes
        What to read in place of the bytes before `data_offset`; empty where the file is right as it is.
    following_bytes : int
        What stands behind the samples and is neither a chunk nor a tag.
    is_riff : bool
        Whether it is a plain WAV file.
    """

    data_offset: int
    stop_offset: int
    stated_bytes: int
    is_open: bool
    head: bytes = b""
    following_bytes: int = 0
    is_riff: bool = False

    @property
    def present_share(self) -> float:
        """How much of what the header tells is there, from 0 to 1; 1 where it does not tell."""
        if self.is_open or not self.stated_bytes:
            return 1.0
        return min((self.stop_offset - self.data_offset) / self.stated_bytes, 1.0)


@dataclass(frozen=True)
class _Header:
    """What a header says; offsets in bytes.

    `file_bytes` is the length of the whole that it tells, None where it tells none. `chunk_heads` says how chunks
    behind the samples begin: letters and size, of 8 bytes together; None where there are none.
    """

    data_offset: int
    stated_bytes: int
    file_bytes: int | None
    byte_order: str = "<"
    has_chunks: bool = True
    is_riff: bool = False
    head_bytes: int = 0

    def __post_init__(self) -> None:
        """Let the head reach to the samples unless told otherwise."""
        if not self.head_bytes:
            object.__setattr__(self, "head_bytes", self.data_offset)


def find_samples(path: Path) -> SampleSpan | None:
    """Read the header of a WAV, RF64, W64, AIFF, CAF or AU file; None for all others, and where it makes no sense.

    Raises
    ------
    OSError
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            found = _header_of(file)
            if found is None or not 0 < found.data_offset <= size:
                return None
            return _span(file, *_without_heads(file, size, found))
        except struct.error:  # the file ends inside its header
            return None


def open_samples(path: Path, span: SampleSpan | None = None) -> BinaryIO:
    """Open a file of sound for the libraries, with a header that is right.

    Raises
    ------
    OSError
    """
    span = span or find_samples(path)
    if span is None or not span.head:
        return path.open("rb")
    return io.BufferedReader(FileSlice(path, span.data_offset, span.stop_offset, span.head), 1 << 18)


class FileSlice(io.RawIOBase):
    """The bytes of [start, stop) of a file, behind a head that stands in no file.

    Parameters
    ----------
    path : Path
    start, stop : int
    head : bytes
    """

    def __init__(self, path: Path, start: int, stop: int, head: bytes = b"") -> None:
        self._file = path.open("rb")
        self.name = str(path)
        self._start, self._head, self._size = start, head, len(head) + stop - start
        self._position = 0

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read at any place: always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, as files do."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into `buffer`, and return how many bytes."""
        count = max(min(len(buffer), self._size - self._position), 0)
        of_head = self._head[self._position : self._position + count]
        if of_head:
            buffer[: len(of_head)] = of_head
            count = len(of_head)
        elif count:
            self._file.seek(self._start + self._position - len(self._head))
            count = self._file.readinto(memoryview(buffer)[:count])
        self._position += count
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def _header_of(file: BinaryIO) -> _Header | None:
    start = file.read(16)
    kind, form = start[:4], start[8:12]
    if kind in (b"RIFF", b"RIFX", b"RF64", b"BW64") and form == b"WAVE":
        return _riff_header(file, kind, ">" if kind == b"RIFX" else "<")
    if kind == b"FORM" and form in (b"AIFF", b"AIFC"):
        return _aiff_header(file)
    if start == _W64_RIFF:
        return _w64_header(file)
    if start[:6] == b"caff\0\1":
        return _caf_header(file)
    if kind in (b".snd", b"dns."):
        order = ">" if kind == b".snd" else "<"
        data_offset, stated = struct.unpack_from(order + "II", start, 4)
        return _Header(data_offset, stated, None, order, has_chunks=False)
    return None


def _chunks(file: BinaryIO, offset: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, offset of the content and size of the chunks from `offset` on."""
    for _ in range(_MOST_CHUNKS):
        file.seek(offset)
        name, size = struct.unpack(order + "4sI", file.read(8))
        yield name, offset + 8, size
        offset += 8 + size + size % 2


def _riff_header(file: BinaryIO, kind: bytes, order: str) -> _Header | None:
    file.seek(4)
    file_bytes = struct.unpack(order + "I", file.read(4))[0] + 8
    data_bytes_64 = 0
    for name, offset, size in _chunks(file, 12, order):
        if name == b"ds64":
            file.seek(offset)
            riff_bytes, data_bytes_64 = struct.unpack("<QQ", file.read(16))
            file_bytes = riff_bytes + 8 if file_bytes == _UNKNOWN_32 + 8 else file_bytes
        elif name == b"data":
            is_64 = kind in (b"RF64", b"BW64") and size == _UNKNOWN_32
            return _Header(offset, data_bytes_64 if is_64 else size, file_bytes, order, is_riff=kind[:3] == b"RIF")
    return None


def _aiff_header(file: BinaryIO) -> _Header | None:
    file.seek(4)
    file_bytes = struct.unpack(">I", file.read(4))[0] + 8
    for name, offset, size in _chunks(file, 12, ">"):
        if name == b"SSND":  # begins with two numbers, the first of them telling how many bytes to pass over
            file.seek(offset)
            passed = 8 + struct.unpack(">I", file.read(4))[0]
            return _Header(offset + passed, max(size - passed, 0), file_bytes, ">")
    return None


def _w64_header(file: BinaryIO) -> _Header | None:
    file.seek(16)
    file_bytes = struct.unpack("<Q", file.read(8))[0]
    offset = 40
    for _ in range(_MOST_CHUNKS):
        file.seek(offset)
        name, size = struct.unpack("<16sQ", file.read(24))
        if name == b"data" + _W64_TAIL:
            return _Header(offset + 24, max(size - 24, 0), file_bytes, has_chunks=False)
        offset += max(size + -size % 8, 24)
    return None


def _caf_header(file: BinaryIO) -> _Header | None:
    offset = 8
    for _ in range(_MOST_CHUNKS):
        file.seek(offset)
        name, size = struct.unpack(">4sQ", file.read(12))
        if name == b"data":
            return _Header(offset + 16, max(size - 4, 0), None, ">", has_chunks=False)
        offset += 12 + size
    return None


def _span(file: BinaryIO, size: int, found: _Header) -> SampleSpan:
    present, stated = size - found.data_offset, found.stated_bytes
    head = b""
    if stated > present:
        is_open = _is_placeholder(stated) or _contradicts(found)
        head = _mended_head(file, found, present)  # libsndfile 1.2.2 reads a CAF file that is cut off beyond its end
    elif stated == 0:
        is_open = present > 0 and not (found.has_chunks and _is_chunk(file, found.data_offset, size, found.byte_order))
    else:
        is_open = present - stated >= 2**32 and (present - stated) % 2**32 < _NEAR_BYTES  # 32 bits ran over
    if is_open:
        stop = _without_chunks(file, found, size)
        head = _mended_head(file, found, stop - found.data_offset)
        return SampleSpan(found.data_offset, stop, stated, True, head, is_riff=found.is_riff)
    stop = min(found.data_offset + stated, size)
    behind = stop + stated % 2
    following = 0
    if found.has_chunks and not _is_chunk(file, behind, size, found.byte_order):
        following = size - behind
    return SampleSpan(found.data_offset, stop, stated, False, head, max(following, 0), found.is_riff)


def _without_heads(file: BinaryIO, size: int, found: _Header) -> tuple[int, _Header]:
    """Pass over repeated heads, and return where the file ends before the last.

    libsndfile, and SoX through it, writes the head of CAF and W64 once more before the samples and once more at the end
    where it cannot go back.
    """
    head_bytes = found.data_offset
    if found.has_chunks or head_bytes > _LARGEST_HEAD_BYTES or size < 2 * head_bytes:
        return size, found
    file.seek(0)
    first, second = file.read(head_bytes), file.read(head_bytes)
    if not _is_same_head(first, second):
        return size, found
    file.seek(size - head_bytes)
    if size >= 3 * head_bytes and _is_same_head(first, file.read(head_bytes)):
        size -= head_bytes
    return size, replace(found, data_offset=2 * head_bytes, stated_bytes=0, head_bytes=head_bytes)


def _is_same_head(first: bytes, second: bytes) -> bool:
    return first[:16] == second[:16] and first[-24:-16] == second[-24:-16]  # the sizes may differ


def _without_chunks(file: BinaryIO, found: _Header, size: int) -> int:
    """Return where the samples of a WAV file with an open length end: before the chunks that end it, if any do."""
    if not found.has_chunks:
        return size
    first = max(found.data_offset, size - _SEARCHED_TAIL_BYTES)
    file.seek(first)
    tail = file.read()
    for match in _TAIL_CHUNK.finditer(tail):
        at = match.start()
        if (first + at - found.data_offset) % 2:
            continue
        while at + 8 <= len(tail) and _TAIL_CHUNK.match(tail, at):
            length = struct.unpack_from(found.byte_order + "I", tail, at + 4)[0]
            at += 8 + length + length % 2
        if 0 <= at - len(tail) <= 1:
            return first + match.start()
    return size


def _is_placeholder(stated_bytes: int) -> bool:
    is_round = stated_bytes >= _SMALLEST_ROUND and stated_bytes % 10**6 == 0
    return (
        is_round
        or stated_bytes >= _LARGEST_MEANT_BYTES
        or any(abs(stated_bytes - number) <= _NEAR_BYTES for number in _PLACEHOLDERS)
    )


def _contradicts(found: _Header) -> bool:
    """Whether the length of the whole that the header tells cannot hold the samples that it tells."""
    if found.file_bytes is None:
        return False
    return found.file_bytes < found.data_offset + found.stated_bytes or _is_placeholder(found.file_bytes)


def _is_chunk(file: BinaryIO, offset: int, size: int, order: str) -> bool:
    """Whether a chunk or a tag (four letters), zeros or nothing much stands at `offset`, rather than samples."""
    file.seek(offset)
    start = file.read(8)
    if len(start) < 8 or not any(start):
        return True
    if start.startswith((b"TAG", b"ID3", b"APETAGEX", b"LYRICS")):
        return True
    length = struct.unpack(order + "I", start[4:])[0]
    return all(0x20 <= byte < 0x7F for byte in start[:4]) and offset + 8 + length <= size + 1


def _mended_head(file: BinaryIO, found: _Header, present_bytes: int) -> bytes:
    """Return what stands before the samples, with their true length."""
    if found.head_bytes > _LARGEST_HEAD_BYTES:
        return b""
    file.seek(0)
    head = bytearray(file.read(found.head_bytes))
    whole = found.head_bytes + present_bytes
    order = found.byte_order
    if bytes(head[:4]) in (b".snd", b"dns."):
        struct.pack_into(order + "I", head, 8, min(present_bytes, _UNKNOWN_32))
    elif head[:4] == b"caff":
        struct.pack_into(">q", head, len(head) - 12, present_bytes + 4)
    elif head[:4] == b"FORM":
        return _mended_aiff(head, present_bytes)
    elif head.startswith(_W64_RIFF):
        struct.pack_into("<Q", head, 16, whole)
        struct.pack_into("<Q", head, len(head) - 8, present_bytes + 24)
    elif head[:4] == b"RIFX":
        struct.pack_into(">I", head, 4, min(whole - 8, _UNKNOWN_32))
        struct.pack_into(">I", head, len(head) - 4, min(present_bytes, _UNKNOWN_32))
    else:
        return _mended_wave(head, present_bytes)
    return bytes(head)


def _mended_wave(head: bytearray, present_bytes: int) -> bytes:
    """Write the head as one of RF64, which has room for any length."""
    chunks = b""
    offset = 12
    while offset + 8 < len(head):
        name, size = struct.unpack_from("<4sI", head, offset)
        if name == b"fmt ":
            chunks += head[offset : offset + 8 + size + size % 2]
        offset += 8 + size + size % 2
    whole = 12 + 36 + len(chunks) + 8 + present_bytes
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, whole - 8, present_bytes, 0, 0)
    return b"RF64\xff\xff\xff\xffWAVE" + sizes + chunks + b"data\xff\xff\xff\xff"


def _mended_aiff(head: bytearray, present_bytes: int) -> bytes:
    offset = 12
    while offset + 8 < len(head):
        name, size = struct.unpack_from(">4sI", head, offset)
        if name == b"COMM":
            channels, _, bits = struct.unpack_from(">HIH", head, offset + 8)
            frame_bytes = max(channels * -(-bits // 8), 1)
            struct.pack_into(">I", head, offset + 10, min(present_bytes // frame_bytes, _UNKNOWN_32))
        elif name == b"SSND":
            passed = len(head) - offset - 8
            struct.pack_into(">I", head, offset + 4, min(present_bytes + passed, _UNKNOWN_32))
            break
        offset += 8 + size + size % 2
    struct.pack_into(">I", head, 4, min(len(head) + present_bytes - 8, _UNKNOWN_32))
    return bytes(head)
