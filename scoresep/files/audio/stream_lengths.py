"""What bare streams of frames tell of their length: the tags of Xing, LAME and Fraunhofer, and the last frame.

FFmpeg's decoder keeps to the tag's gapless figures; this here only tells a file that is cut off from one that was
written or joined with a tag that is wrong.

References
----------
ISO/IEC 11172-3, "Coding of moving pictures and associated audio - Part 3: Audio", 1993, section 2.4.1.3.
ETSI TS 102 366, "Digital Audio Compression (AC-3, Enhanced AC-3) Standard", 2017, sections 5.4.1, 5.4.4 and E.1.
ID3 tag version 2.4.0, "Main Structure", id3.org, 2000.
ISO/IEC 13818-1, "Generic coding of moving pictures and associated audio information: Systems", 2.4 and 2.5.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_SEARCHED_BYTES = 1 << 16
_HAS_FRAMES, _HAS_BYTES = 0x1, 0x2
_TAG = re.compile(rb"ID3[\x02-\x04]\x00|TAG|APETAGEX")
_LARGEST_FRAME_BYTES, _LEAST_CHAIN = 4096, 3
_AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_MPEG_KBPS = {
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_MPEG_2_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MOST_PADDING_FRAMES = 4 * 1152  # that of the encoder, at the start and the end
_SAMPLES_IN_FRAME = {True: 1152, False: 576}  # of layer III, by whether it is MPEG 1


@dataclass(frozen=True)
class StatedLength:
    """What a tag tells.

    Attributes
    ----------
    frames : int
        Frames of sound (samples of each channel), the encoder's padding among them.
    size_bytes : int
        Of all that begins with the tag; 0 where it does not tell.
    offset : int
        Where the tag's own frame lies in the file, in bytes.
    """

    frames: int
    size_bytes: int
    offset: int


def read_stated_length(path: Path) -> StatedLength | None:
    """Read the tag in the first frame of an MP3 file; None where there is none.

    Raises
    ------
    OSError
    """
    with path.open("rb") as file:
        offset = 0
        while (head := file.read(10))[:3] == b"ID3" and len(head) == 10:
            offset += 10 + _seven_bit_size(head[6:]) + (10 if head[5] & 0x10 else 0)
            file.seek(offset)
        file.seek(offset)
        start = file.read(_SEARCHED_BYTES)
    sync = next((i for i in range(len(start) - 4) if start[i] == 0xFF and start[i + 1] & 0xE6 == 0xE2), -1)
    if sync < 0:
        return None
    try:
        return _tag_in(start[sync:], offset + sync)
    except struct.error:
        return None


def is_behind_end(path: Path, packet: tuple[int, int], frames: int) -> bool:
    """Whether a packet (place and size) of an MP3 file with so many frames stands behind the end of its sound.

    Zeros, tags of unknown kind and other rests behind a file that is whole are no damage: what lies behind the end that
    the header tells, or, where it tells none, a short rest that does not begin as a frame.

    Parameters
    ----------
    path : Path
    packet : tuple of (int, int)
        Place and size, in bytes.
    frames : int
        Of the sound that was decoded.

    Raises
    ------
    OSError
    """
    stated, place = read_stated_length(path), sum(packet)
    if stated is None:
        with path.open("rb") as file:
            file.seek(packet[0])
            rest = file.read(_LARGEST_FRAME_BYTES)
        return len(rest) < _LARGEST_FRAME_BYTES and not _frame_bytes(rest[:6].ljust(6, b"\0"))
    if not stated.size_bytes or place <= stated.offset + stated.size_bytes:
        return False
    return abs(frames - stated.frames) <= _MOST_PADDING_FRAMES


def find_tags(path: Path) -> list[tuple[int, int]]:
    """Return where the tags of ID3 and APE in an MP3 file start and stop, in bytes, also between joined files.

    Raises
    ------
    OSError
    """
    places = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for found in _TAG.finditer(content):
            start = found.start()
            head = content[start : start + 16]
            if head.startswith(b"ID3"):
                size = 10 + _seven_bit_size(head[6:10])
            else:
                size = 128 if head.startswith(b"TAG") else 32 + int.from_bytes(head[12:16], "little")
            places.append((start, start + size))
    return places


def ends_in_frame(path: Path) -> bool:
    """Whether a bare stream of MPEG layer II or III, AC-3 or E-AC-3 ends inside its last frame.

    Only a chain of frames that leads to the end tells: what is no frame there (a tag, zeros) ends none.

    Raises
    ------
    OSError
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _SEARCHED_BYTES, 0))
        tail = file.read()
    for start in range(min(len(tail), _LARGEST_FRAME_BYTES)):
        at, count = start, 0
        while at + 6 <= len(tail) and (frame_bytes := _frame_bytes(tail[at : at + 6])):
            at, count = at + frame_bytes, count + 1
        if at > len(tail) and count > _LEAST_CHAIN:
            return True
        if count > _LEAST_CHAIN:
            return 0 < len(tail) - at < 6 and tail[at : at + 2] == tail[start : start + 2]
    return False


def _frame_bytes(head: bytes) -> int:
    """Return the length of the frame that begins so; 0 where none does, or one of free format."""
    if head.startswith(b"\x0b\x77"):
        if head[5] >> 3 > 10:
            return 2 * (((head[2] & 0x07) << 8 | head[3]) + 1)
        rate, code = head[4] >> 6, head[4] & 0x3F
        if rate == 3 or code >= 2 * len(_AC3_KBPS):
            return 0
        kbps = _AC3_KBPS[code // 2]
        return (4 * kbps, 2 * (320 * kbps // 147 + code % 2), 6 * kbps)[rate]
    layer = 4 - (head[1] >> 1 & 3)
    version, kbps_code, rate_code = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if (
        head[0] != 0xFF
        or head[1] < 0xE0
        or version == 1
        or layer not in (2, 3)
        or kbps_code in (0, 15)
        or rate_code == 3
    ):
        return 0
    is_mpeg_1 = version == 3
    kbps = (_MPEG_KBPS[layer] if is_mpeg_1 else _MPEG_2_KBPS)[kbps_code - 1]
    rate = (44_100, 48_000, 32_000)[rate_code] >> {3: 0, 2: 1, 0: 2}[version]
    of_eight_bits = 144 if layer == 2 or is_mpeg_1 else 72
    return of_eight_bits * 1000 * kbps // rate + (head[2] >> 1 & 1)


def _seven_bit_size(size: bytes) -> int:
    return sum((byte & 0x7F) << shift for byte, shift in zip(size, (21, 14, 7, 0), strict=False))


def _tag_in(frame: bytes, offset: int) -> StatedLength | None:
    is_mpeg_1 = frame[1] & 0x18 == 0x18
    is_mono = frame[3] & 0xC0 == 0xC0
    side_bytes = (17 if is_mono else 32) if is_mpeg_1 else (9 if is_mono else 17)
    samples = _SAMPLES_IN_FRAME[is_mpeg_1]
    at = 4 + side_bytes
    if frame[at : at + 4] in (b"Xing", b"Info"):
        flags = struct.unpack_from(">I", frame, at + 4)[0]
        numbers = struct.unpack_from(">II", frame, at + 8)
        if not flags & _HAS_FRAMES:
            return None
        return StatedLength(numbers[0] * samples, numbers[1] if flags & _HAS_BYTES else 0, offset)
    if frame[36:40] == b"VBRI":
        size_bytes, frames = struct.unpack_from(">II", frame, 46)
        return StatedLength(frames * samples, size_bytes, offset)
    return None


_MARK, _HEAD_BYTES, _LARGEST_PAGE_BYTES = b"OggS", 27, 65_307
_FIRST, _LAST = 0x02, 0x04  # flags of a page: the first and the last of its stream


def find_links(path: Path) -> list[tuple[int, int]]:
    """Return where the links of an Ogg file start and stop, in bytes; empty for other files.

    Raises
    ------
    OSError
    """
    with path.open("rb", buffering=1 << 16) as file:
        if (offset := _start(file)) is None:
            return []
        size = os.fstat(file.fileno()).st_size
        starts: list[int] = []
        was_first = False
        while (page := _page_at(file, offset)) is not None:
            flags, page_bytes = page
            is_first = bool(flags & _FIRST)
            if is_first and not was_first:  # the streams of one link (sound, picture) all begin before anything else
                starts.append(offset)
            was_first = is_first
            offset += page_bytes
    return list(zip(starts, [*starts[1:], size], strict=True))


def lacks_end(path: Path) -> bool:
    """Whether a file is in the Ogg format without its last page, which nothing else would tell.

    Raises
    ------
    OSError
    """
    with path.open("rb") as file:
        if _start(file) is None:
            return False
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 2 * _LARGEST_PAGE_BYTES, 0))
        tail = file.read()
    page = tail[max(tail.rfind(_MARK), 0) :]
    head_bytes = _HEAD_BYTES + page[26] if len(page) > 26 else _HEAD_BYTES
    return len(page) < head_bytes + sum(page[_HEAD_BYTES:head_bytes]) or not page[5] & _LAST


def _start(file: BinaryIO) -> int | None:
    """Return where the first page lies, behind tags of ID3 that some taggers put in front; None in other files."""
    offset = 0
    while True:
        file.seek(offset)
        head = file.read(10)
        if head.startswith(_MARK):
            return offset
        if not head.startswith(b"ID3") or len(head) < 10:
            return None
        offset += 10 + _seven_bit_size(head[6:])


def _page_at(file: BinaryIO, offset: int) -> tuple[int, int] | None:
    """Return flags and length of the page at `offset`, or of the next one behind damage; None at the end.

    The length counts from `offset`.
    """
    file.seek(offset)
    head = file.read(_HEAD_BYTES)
    passed = 0
    while not head.startswith(_MARK):
        passed += 1
        rest = head[1:] + file.read(_LARGEST_PAGE_BYTES)
        if len(rest) < _HEAD_BYTES:
            return None
        at = rest.find(_MARK)
        passed += at if at >= 0 else len(rest) - len(_MARK)
        file.seek(offset + passed)
        head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES:
        return None
    sizes = file.read(head[26])
    return head[5], passed + _HEAD_BYTES + len(sizes) + sum(sizes)


_UNKNOWN_BYTES = 0x7FFF0000  # above this it is a placeholder, or a file that its writer could not close
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the File Properties Object
_ASF_FLAGS_OFFSET, _ASF_BROADCAST = 88, 1
_SEARCHED_HEAD_BYTES = 1 << 16


def tells_length(path: Path, containers: set[str]) -> bool:
    """Whether the header of an AVI or ASF file holds a length; True for all others.

    Raises
    ------
    OSError
    """
    if not containers & {"avi", "asf"}:
        return True
    with path.open("rb") as file:
        start = file.read(_SEARCHED_HEAD_BYTES)
    if "avi" in containers:
        return len(start) >= 8 and 0 < struct.unpack_from("<I", start, 4)[0] < _UNKNOWN_BYTES
    at = start.find(_ASF_FILE) + _ASF_FLAGS_OFFSET
    return at < _ASF_FLAGS_OFFSET or len(start) <= at or not start[at] & _ASF_BROADCAST


def is_short_of_bytes(path: Path, containers: set[str]) -> bool:
    """Whether a file of film ends before what it tells of its own lists, boxes or packets; False for all others.

    Raises
    ------
    OSError
    """
    ends_early = next((test for name, test in _ENDS_EARLY.items() if name in containers), None)
    if ends_early is None or not tells_length(path, containers):
        return False
    with path.open("rb") as file:
        return ends_early(file, os.fstat(file.fileno()).st_size)


def read_film_rate(path: Path) -> int | None:
    """Return how many ticks of the film's clock of an MP4 file last a second; None where the file does not tell.

    Raises
    ------
    OSError
    """
    with path.open("rb") as file:
        for name, start, stop in _boxes(file, 0, os.fstat(file.fileno()).st_size):
            if name == b"moov":
                for inner, at, _ in _boxes(file, start, stop):
                    if inner == b"mvhd":
                        file.seek(at)
                        content = file.read(24)
                        offset = 20 if content[:1] == b"\x01" else 12
                        return int.from_bytes(content[offset : offset + 4], "big") or None
    return None


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name and place (start and stop of the content) of the boxes in [start, stop); the last may end beyond."""
    for _ in range(_MOST_BOXES):
        file.seek(start)
        head = file.read(16)
        if start + 8 > stop or len(head) < 8:
            return
        size, name = struct.unpack_from(">I4s", head)
        head_bytes = 8
        if size == 1 and len(head) == 16:
            size, head_bytes = struct.unpack_from(">Q", head, 8)[0], 16
        if size == 0:  # up to the end
            size = stop - start
        if size < head_bytes:
            return
        yield name, start + head_bytes, start + size
        start += size


def _ends_in_list(file: BinaryIO, size: int) -> bool:
    """AVI: what is longer than a gibibyte has several lists."""
    offset = 0
    while offset + 12 <= size:
        file.seek(offset)
        name, length = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF" or length >= _UNKNOWN_BYTES:
            return False
        offset += 8 + length + length % 2
    return offset > size + 1


def _ends_in_box(file: BinaryIO, size: int) -> bool:
    """MP4 and QuickTime: other rests behind the last box than one of these are no loss of sound."""
    last = next(reversed(list(_boxes(file, 0, size))), (b"", 0, 0))
    return last[2] > size and last[0] in (b"mdat", b"moof", b"moov")


def _ends_in_transport_packet(file: BinaryIO, size: int) -> bool:
    """MPEG-TS: packets of 188 bytes, behind a time of four bytes where a disc or a camera wrote them."""
    start = file.read(4 * _TRANSPORT_BYTES)
    for lead in (0, 4):
        marks = start[lead :: _TRANSPORT_BYTES + lead][:3]
        if marks == b"\x47" * 3:
            rest = size % (_TRANSPORT_BYTES + lead)
            file.seek(size - rest + lead)
            return rest > 0 and file.read(1) in (b"\x47", b"")
    return False


def _ends_in_program_packet(file: BinaryIO, size: int) -> bool:
    """MPEG-PS: pictures hold no start codes of the system, so that the last in the file is that of a packet."""
    start = max(size - 2 * _LARGEST_PROGRAM_BYTES, 0)
    file.seek(start)
    tail = file.read()
    last = next(reversed(list(_PROGRAM_PACKET.finditer(tail))), None)
    return last is not None and last.start() + 6 + int.from_bytes(last[1], "big") > len(tail)


_TRANSPORT_BYTES, _LARGEST_PROGRAM_BYTES, _MOST_BOXES = 188, 1 << 16, 100_000
_PROGRAM_PACKET = re.compile(rb"\x00\x00\x01[\xbd-\xef](..)", re.DOTALL)
_ENDS_EARLY: dict[str, Callable[[BinaryIO, int], bool]] = {
    "avi": _ends_in_list,
    "mov": _ends_in_box,
    "mpegts": _ends_in_transport_packet,
    "mpeg": _ends_in_program_packet,
}
