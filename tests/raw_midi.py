"""MIDI files byte by byte, since libraries that write them refuse to write what people have."""

from __future__ import annotations

from collections.abc import Iterable

TICKS = 480
END = b"\x00\xff\x2f\x00"


def varying(value: int) -> bytes:
    """Encode a number of variable length."""
    data = [value & 0x7F]
    while value := value >> 7:
        data.append(value & 0x7F | 0x80)
    return bytes(reversed(data))


def header(tracks: int = 1, midi_format: int = 1, division: int = TICKS, more: bytes = b"") -> bytes:
    numbers = b"".join(n.to_bytes(2, "big") for n in (midi_format, tracks, division)) + more
    return chunk(b"MThd", numbers)


def chunk(kind: bytes, data: bytes, declared: int | None = None) -> bytes:
    """Write a chunk, with its length or another one."""
    return kind + (len(data) if declared is None else declared).to_bytes(4, "big") + data


def track(*events: bytes, end: bytes = END, declared: int | None = None) -> bytes:
    return chunk(b"MTrk", b"".join(events) + end, declared)


def midi(*tracks: bytes, midi_format: int = 1, division: int = TICKS) -> bytes:
    return header(len(tracks), midi_format, division) + b"".join(tracks)


def meta(kind: int, data: bytes = b"", wait: int = 0, declared: int | None = None) -> bytes:
    return varying(wait) + bytes([0xFF, kind]) + varying(len(data) if declared is None else declared) + data


def message(*data: int, wait: int = 0) -> bytes:
    return varying(wait) + bytes(data)


def exclusive(*data: int, wait: int = 0) -> bytes:
    return varying(wait) + b"\xf0" + varying(len(data)) + bytes(data)


def strike(key: int, wait: int = 0, channel: int = 0) -> bytes:
    return message(0x90 | channel, key, 80, wait=wait)


def release(key: int, wait: int = TICKS, channel: int = 0) -> bytes:
    return message(0x80 | channel, key, 64, wait=wait)


def scale(keys: Iterable[int] = (60, 62, 64, 65), channel: int = 0) -> bytes:
    """Write quarter notes, one after the other."""
    return b"".join(strike(key, 0, channel) + release(key, TICKS, channel) for key in keys)
