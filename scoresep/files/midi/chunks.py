"""The tracks of a MIDI file: found by their marks where the lengths and counts of the file are wrong.

Tracks are looked for up to the end of the file, however many the header counts. The length of a track is believed where
another chunk, or the end of the file, follows on it; else the track reaches to its end-of-track event, and if that is
missing too, to the next track.

References
----------
Standard MIDI Files 1.0 (RP-001), MIDI Manufacturers Association, 1988, rev. 1996.
RIFF MIDI (RMID), Microsoft Multimedia Programming Interface and Data Specifications 1.0, 1991.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass, field

from scoresep.errors import ScoreFileError
from scoresep.files.midi.track_events import (
    BROKEN_EVENT,
    LONGEST_WAIT_QUARTERS,
    TRACK_ID,
    TooManyEventsError,
    TrackEvents,
    read_track,
)

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
HEADER_ID = b"MThd"
MAX_MIDI_BYTES = 32 * 2**20
MAX_TRACKS = 0xFFFF  # as many as the header can count
MAX_EVENTS = 2_000_000  # of those that are kept; the longest operas have a tenth
MAC_BINARY_HEADER = 128
_JUNK_BEFORE = 64 * 1024  # the header is looked for in so many bytes
_HEADER_START = b"MThd\0\0"  # its length is never longer than two bytes tell
_TRACK_OR_HEADER = re.compile(rb"MTrk|MThd\0\0")
_PADDING = bytes(16)  # what is left of a download that was broken off
USUAL_DIVISION = 480
DROP_FRAME = 29  # stands for 30000 / 1001 frames in a second
SEQUENCES = 2  # the format whose tracks are pieces of their own


@dataclass
class MidiFile:
    """The tracks of a file and how their ticks count.

    Attributes
    ----------
    file_format : int
        0, 1 or 2.
    ticks_per_quarter : float
        Where the file counts film frames, of half a second.
    ticks_per_second : float or None
        Where the file counts film frames.
    tracks : list of TrackEvents
    warnings : list of str
    event_count : int
        Of all tracks.
    """

    file_format: int
    ticks_per_quarter: float
    ticks_per_second: float | None
    tracks: list[TrackEvents] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    event_count: int = 0


def is_midi(data: bytes) -> bool:
    """Whether a file begins as MIDI does, wrapped in RIFF or MacBinary or not."""
    is_riff = data[:4] == b"RIFF" and (data[8:12] == b"RMID" or HEADER_ID in data[:64])
    is_mac = data[:1] == b"\0" and data.startswith(HEADER_ID, MAC_BINARY_HEADER)
    return data[:4] == HEADER_ID or is_riff or is_mac


def holds_midi(data: bytes) -> bool:
    """Whether there is a MIDI file behind something else; ask only where nothing else fits."""
    return is_midi(data) or _HEADER_START in data[:_JUNK_BEFORE]


def read_chunks(data: bytes, name: str) -> MidiFile:
    """Find the tracks and read their events.

    Parameters
    ----------
    data : bytes
    name : str
        Of the file, for messages.

    Raises
    ------
    ScoreFileError
        There is no header, or there is more than any score holds.
    """
    data = _unwrapped(data)
    if len(data) > MAX_MIDI_BYTES:
        raise ScoreFileError(f"'{name}' is too large for a MIDI file of a score; export it again.")
    if not data.startswith(HEADER_ID) or TRACK_ID not in data:
        raise ScoreFileError(f"'{name}' is not a MIDI file or is damaged; export it again.")
    position = 8 + int.from_bytes(data[4:8], "big")
    if position < 14 or not _is_chunk(data, position):
        position = _found_chunk(data, 8)
    header = data[8 : position if position >= 0 else 14][:6].ljust(6, b"\0")
    file_format, counted, division = (int.from_bytes(header[i : i + 2], "big") for i in (0, 2, 4))
    file = _empty_file(file_format, division, name)
    try:
        while position >= 0 and not data.startswith(HEADER_ID, position):
            position = _next_chunk(data, _read_chunk(data, position, file, name))
    except TooManyEventsError as error:
        raise ScoreFileError(f"'{name}' holds more than any score; choose another file or export it again.") from error
    if position >= 0:
        file.warnings.append(f"'{name}' holds several MIDI files, one behind the other; the first is read.")
    if len(file.tracks) < counted:
        found = f"{len(file.tracks)} of the {counted} tracks that it counts"
        file.warnings.append(f"'{name}' holds {found}; if parts are missing, export it again.")
    return file


def _empty_file(file_format: int, division: int, name: str) -> MidiFile:
    warnings: list[str] = []
    ticks_per_second = None
    if division & 0x8000:
        frames = 256 - (division >> 8)
        ticks_per_second = (30000 / 1001 if frames == DROP_FRAME else frames) * (division & 0xFF)
    if not division or ticks_per_second == 0:
        warnings.append(f"'{name}' does not tell how long a tick lasts; a quarter is taken for {USUAL_DIVISION}.")
        division, ticks_per_second = USUAL_DIVISION, None
    ticks_per_quarter = ticks_per_second / 2 if ticks_per_second else float(division)
    return MidiFile(file_format, ticks_per_quarter, ticks_per_second, warnings=warnings)


def _read_chunk(data: bytes, position: int, file: MidiFile, name: str) -> int:
    """Read a chunk and return the position behind it; chunks of unknown kinds are passed over."""
    declared = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
    if not data.startswith(TRACK_ID, position):
        return declared
    start = position + 8
    is_believed = _is_boundary(data, declared)
    following = -1 if is_believed else _found_chunk(data, start)
    limit = declared if is_believed else following if following >= 0 else len(data)
    longest_wait = LONGEST_WAIT_QUARTERS * file.ticks_per_quarter
    track = read_track(data, start, max(limit, start), longest_wait, MAX_EVENTS - file.event_count)
    file.tracks.append(track)
    file.event_count += len(track.events)
    if len(file.tracks) > MAX_TRACKS:
        raise TooManyEventsError
    where = f"track {len(file.tracks)} of '{name}'"
    is_open = declared > len(data) or track.is_broken or data.endswith(_PADDING)
    track.is_cut_off = not track.is_ended and limit >= len(data) and is_open
    if track.is_cut_off:
        file.warnings.append(f"'{name}' is cut off in track {len(file.tracks)}; what is there is read.")
    elif track.is_broken:
        track.faults.append((track.end_tick, BROKEN_EVENT))
    if not track.is_ended or not is_believed or data.startswith((TRACK_ID, HEADER_ID), track.end):
        return track.end
    if re.search(rb"[\x90-\x9f]", data[track.end : declared]):
        file.warnings.append(f"What stands behind the end of {where} is not played; it is passed over.")
    return declared


def _next_chunk(data: bytes, position: int) -> int:
    """Return where the next chunk begins, at or behind a position; -1 where there is none."""
    return position if _is_chunk(data, position) else _found_chunk(data, position)


def _found_chunk(data: bytes, position: int) -> int:
    """Look for the mark of a track or of another file; -1 where there is none."""
    found = _TRACK_OR_HEADER.search(data, position)
    return found.start() if found else -1


def _is_chunk(data: bytes, position: int) -> bool:
    """Whether a chunk begins here: of a known kind, or of an unknown one that lies whole in the file."""
    kind = data[position : position + 4]
    if kind in (TRACK_ID, HEADER_ID):
        return True
    end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
    is_named = len(kind) == 4 and kind.isalnum() and kind[:1].isalpha()
    return is_named and position + 8 <= len(data) and end <= len(data)


def _is_boundary(data: bytes, position: int) -> bool:
    return position == len(data) or _is_chunk(data, position)


def _unwrapped(data: bytes) -> bytes:
    """Take a MIDI file out of RIFF or MacBinary, or from behind what does not belong to it."""
    if data[:4] == b"RIFF":
        position = 12
        while position + 8 <= len(data):
            length = int.from_bytes(data[position + 4 : position + 8], "little")
            if data.startswith(HEADER_ID, position + 8):
                is_whole = length and position + 8 + length <= len(data)
                return data[position + 8 : position + 8 + length if is_whole else None]
            position += 8 + length + length % 2
    if data[:1] == b"\0" and data.startswith(HEADER_ID, MAC_BINARY_HEADER):
        length = int.from_bytes(data[83:87], "big")
        is_whole = length > 14 and MAC_BINARY_HEADER + length <= len(data)
        return data[MAC_BINARY_HEADER : MAC_BINARY_HEADER + length if is_whole else None]
    start = data.find(_HEADER_START)
    return data if data[:4] == HEADER_ID or start < 0 else data[start:]


# Katakana, hiragana and the ideographs that are in use, as wide letters.
_JAPANESE = re.compile(r"[\u3005\u3040-\u30ff\u4e00-\u9fff\uff10-\uff5a]{2,}")
# Cyrillic words of at least three letters, with capitals where words have them.
_CYRILLIC = re.compile(
    r"[\u0401\u0410-\u042f][\u0430-\u044f\u0451]{2,}|[\u0430-\u044f\u0451]{4,}|[\u0401\u0410-\u042f]{4,}"
)
_NO_LETTERS = re.compile(r"[\s0-9_!-/:-@\[-`{-~\u3000-\u3002\u30fb\uff00-\uff0f]+")


def decoded_text(data: bytes) -> str:
    """Decode the text of a meta event, white space and control characters made single spaces."""
    text = "".join(" " if unicodedata.category(c) == "Cc" else c for c in _decoded(data))
    return " ".join(text.split())


def _decoded(data: bytes) -> str:
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    for code, letters in (("cp932", _JAPANESE), ("cp1251", _CYRILLIC)):
        text = _decoded_as(data, code)
        words = [w for w in _NO_LETTERS.split(text) if not w.isascii()]
        if words and all(letters.fullmatch(w) for w in words):
            return text
    return "".join(_decoded_as(data[i : i + 1], "cp1252") or chr(data[i]) for i in range(len(data)))


def _decoded_as(data: bytes, code: str) -> str:
    try:
        return data.decode(code)
    except UnicodeDecodeError:
        return ""
