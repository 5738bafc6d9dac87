"""The tracks of a MIDI file: found by their marks where lengths and counts are wrong, and their bytes as events.

Tracks are looked for up to the end of the file, however many the header counts. The length of a track is believed where
another chunk, or the end of the file, follows on it; else the track reaches to its end-of-track event, and if that is
missing too, to the next track.

Of the events only what matters to a score is kept: notes, programs, banks, controllers that silence, system exclusive
messages and meta events. What has no sense is stepped over as players step over it: by its length. A running status
holds on through meta events and system exclusive messages, as FluidSynth and TiMidity have it, although the standard
ends it there.

References
----------
Standard MIDI Files 1.0 (RP-001), MIDI Manufacturers Association, 1988, rev. 1996.
RIFF MIDI (RMID), Microsoft Multimedia Programming Interface and Data Specifications 1.0, 1991.
MIDI 1.0 Detailed Specification, MIDI Manufacturers Association, 1996: system messages, running status.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from scoresep.errors import ScoreFileError
from scoresep.files.midi.key_strokes import sensible_event_count

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


# Tick, status, and two data bytes; of meta events (status 0xFF) the type and the data, of system exclusive messages
# (0xF0) the data.
Event = tuple[int, int, int, int | bytes]

TRACK_ID = b"MTrk"
LONGEST_WAIT_QUARTERS = 20_000  # between two events: nearly three hours
MAX_EXCLUSIVE_BYTES = 256  # longer ones are sounds or settings, not what this program asks for

META, EXCLUSIVE, ESCAPE = 0xFF, 0xF0, 0xF7
END_OF_TRACK = 0x2F
BANK_MSB, BANK_LSB, ALL_SOUND_OFF, ALL_NOTES_OFF = 0, 32, 120, 123
# All-notes-off also comes with the changes of mode (omni, mono, poly).
_KEPT_CONTROLLERS = frozenset((BANK_MSB, BANK_LSB, ALL_SOUND_OFF, *range(ALL_NOTES_OFF, 128)))
_REAL_TIME = 0xF8  # and above
_MOST_LOOKS_AHEAD = 10_000
_COMMON_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}
_META_LENGTHS = {0x00: 2, 0x20: 1, 0x21: 1, END_OF_TRACK: 0, 0x51: 3, 0x54: 5, 0x58: 4, 0x59: 2}
_MOST_NUMBER = 0x0FFFFFFF  # of variable length

_CHANNEL_STATUS = re.compile(rb"[\x80-\xef]")

LOST_STATUS = "data without a message are passed over, the track is damaged there"
NO_SUCH_KEY = "notes on keys that MIDI does not have are passed over, the track is damaged there"
ENDLESS_WAIT = f"a wait of more than {LONGEST_WAIT_QUARTERS} quarters is passed over, the track is damaged there"
BROKEN_EVENT = "the track breaks off within an event, what followed is lost"


class TooManyEventsError(Exception):
    """A file holds more events or tracks than any music."""


@dataclass
class TrackEvents:
    """What one track holds.

    Attributes
    ----------
    events : list of Event
    faults : list of (int, str)
        Tick, and what is done there, for a warning.
    end_tick : int
    end : int
        Position behind the last byte that was read.
    is_ended : bool
        The end-of-track event is there.
    is_broken : bool
        The last event is incomplete.
    is_cut_off : bool
        The file ends before the track does.
    """

    events: list[Event] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    end_tick: int = 0
    end: int = 0
    is_ended: bool = False
    is_broken: bool = False
    is_cut_off: bool = False


def begins_track(data: bytes, position: int) -> bool:
    """Whether a track's chunk that the data hold whole begins here."""
    length = int.from_bytes(data[position + 4 : position + 8], "big")
    return data.startswith(TRACK_ID, position) and position + 8 + length <= len(data)


def read_track(data: bytes, start: int, limit: int, longest_wait: float, most_events: int) -> TrackEvents:
    """Read events up to the end-of-track event, or to the limit where there is none.

    Parameters
    ----------
    data : bytes
        The whole file.
    start, limit : int
        Where the track may lie in it.
    longest_wait : float
        Ticks; longer waits are damage.
    most_events : int

    Raises
    ------
    TooManyEventsError
    """
    reader = _TrackReader(data, start, limit, longest_wait, most_events)
    try:
        reader.read()
    except (IndexError, _BrokenError):
        reader.track.is_ended = data[limit - 2 : limit] == b"\xff\x2f"  # only the length 0 is missing
        reader.track.is_broken = not reader.track.is_ended
        reader.position = limit
    reader.track.end_tick, reader.track.end = reader.tick, min(reader.position, limit)
    return reader.track


class _BrokenError(Exception):
    """An event reaches beyond its track."""


class _TrackReader:
    """Where reading stands; positions beyond the data raise IndexError."""

    def __init__(self, data: bytes, start: int, limit: int, longest_wait: float, most_events: int) -> None:
        self.data, self.position, self.limit = data, start, limit
        self.longest_wait, self.most_events = longest_wait, most_events
        self.tick = 0
        self.track = TrackEvents()
        self.looks_ahead = 0
        self.packets: bytes | None = None  # of a system exclusive message that goes on in the next packet

    def read(self) -> None:
        """Read all events; the loop holds what is frequent, the methods what is rare."""
        data, limit, position, running = self.data, self.limit, self.position, 0
        events, most_events = self.track.events, self.most_events
        while position < limit:
            byte = data[position]
            if byte == 0x4D and begins_track(data, position):
                break  # the end of this track is missing
            if byte & 0x80:
                wait, position = self._number(position)
                self.tick += self._sensible(wait)
            else:
                self.tick += byte
                position += 1
            status = data[position]
            if status & 0x80:
                position += 1
            else:
                status, position = (running, position) if running else self._next_status(position)
            if status >= 0xF0:
                self.position = position
                status = self._read_system(status, running)
                position = self.position
                limit = position if self.track.is_ended else limit
                if not status:
                    continue
            running = status
            first, second = data[position], 0
            position += 1
            if not 0xC0 <= status < 0xE0:
                second = data[position]
                position += 1
            if position > limit or len(events) >= most_events:
                raise _BrokenError if position > limit else TooManyEventsError
            if status < 0xA0 and first < 0x80 and second < 0x80:
                events.append((self.tick, status, first, second))
                continue
            if max(first, second) >= _REAL_TIME:
                first, second, position = self._without_real_time(status, first, second, position)
            self._collect(status, first, second)
        self.position = position

    def _collect(self, status: int, first: int, second: int) -> None:
        """Take a channel message if it matters; a velocity beyond 127 is still a stroke, a key is none."""
        kind = status & 0xF0
        if kind <= 0x90 and first > 0x7F:
            if kind == 0x90 and second:
                self._fault(NO_SUCH_KEY)
        elif kind <= 0x90 or (kind == 0xB0 and first in _KEPT_CONTROLLERS) or (kind == 0xC0 and first <= 0x7F):
            self._append((self.tick, status, first, second))

    def _append(self, event: Event) -> None:
        if len(self.track.events) >= self.most_events:
            raise TooManyEventsError
        self.track.events.append(event)

    def _fault(self, what: str) -> None:
        if len(self.track.faults) < 1000:
            self.track.faults.append((self.tick, what))

    def _number(self, position: int) -> tuple[int, int]:
        """Return a number of variable length and the position behind it; more than four bytes are damage."""
        value = 0
        while True:
            byte = self.data[position]
            position += 1
            value = min((value << 7) | (byte & 0x7F), _MOST_NUMBER)
            if not byte & 0x80:
                return value, position

    def _sensible(self, wait: int) -> int:
        if wait > self.longest_wait:
            self._fault(ENDLESS_WAIT)
            return 0
        return wait

    def _next_status(self, position: int) -> tuple[int, int]:
        """Return the next status and the position behind it, there being none yet that could run on."""
        while position < self.limit and not self.data[position] & 0x80:
            position += 1
        if position >= self.limit:
            raise _BrokenError
        self._fault(LOST_STATUS)
        return self.data[position], position + 1

    def _read_system(self, status: int, running: int) -> int:
        """Read what is no channel message; return the status of one that follows without a delta time, else 0."""
        while _REAL_TIME <= status < META:  # these do not belong here: devices send them at any moment
            if not self._goes_on_without_wait(running):
                return 0
            status = self.data[self.position]
            self.position += 1
        if status < EXCLUSIVE:
            return status
        if status == META:
            self._read_meta()
        elif status in (EXCLUSIVE, ESCAPE):
            self._read_exclusive(status)
        else:  # nor do these
            self.position += _COMMON_DATA.get(status, 0)
        return 0

    def _goes_on_without_wait(self, running: int) -> bool:
        """Whether what follows on a real-time byte is a status, not a delta time."""
        position, limit = self.position, self.limit
        if position >= limit or not self.data[position] & 0x80:
            return False
        if self.data[position] >= _REAL_TIME:  # as a delta time it would be endless
            return True
        if not self._may_look_ahead():
            return False
        with_wait, without = (sensible_event_count(self.data, position, limit, running, w) for w in (True, False))
        return without > with_wait

    def _without_real_time(self, status: int, first: int, second: int, position: int) -> tuple[int, int, int]:
        """Take out a real-time byte that stands amid a message, unless it is but a value beyond its range.

        Returns the two data bytes and the position behind them.
        """
        following = self.data[position] if position < self.limit else META
        if following > 0x7F or not self._may_look_ahead():
            return first, second, position
        if 0xC0 <= status < 0xE0:
            return following, 0, position + 1
        if first >= _REAL_TIME and second < 0x80:
            return second, following, position + 1
        as_value, amid = (sensible_event_count(self.data, position + i, self.limit, status, True) for i in (0, 1))
        return (first, following, position + 1) if first < 0x80 and amid > as_value else (first, second, position)

    def _may_look_ahead(self) -> bool:
        """Whether reading twice is still worth its time: in a track full of such bytes it is not."""
        self.looks_ahead += 1
        return self.looks_ahead <= _MOST_LOOKS_AHEAD

    def _read_meta(self) -> None:
        kind = self.data[self.position]
        length, position = self._number(self.position + 1)
        if position + length > self.limit:  # a wrong length: that of the standard is tried
            length = _META_LENGTHS.get(kind, length)
            if position + length > self.limit:
                raise _BrokenError
        self.position = position + length
        if kind == END_OF_TRACK:
            self.track.is_ended = True
        else:
            self._append((self.tick, META, kind, self.data[position : self.position]))

    def _read_exclusive(self, status: int) -> None:
        """Read a message, or one packet of it; some programs leave out the length, and then its end tells."""
        start = self.position
        length, position = self._number(start)
        end = position + length
        if end > self.limit or (status == EXCLUSIVE and self._goes_on(position, end)):
            position, end = start, self.data.find(ESCAPE, start, self.limit) + 1
            if end == 0:
                raise _BrokenError
        content = self.data[position:end]
        self.position = end
        if status == ESCAPE and self.packets is None:
            for channel_message in _escaped(content):
                self._collect(*channel_message)
            return
        content = (self.packets or b"")[: MAX_EXCLUSIVE_BYTES + 1] + content if status == ESCAPE else content
        self.packets = None if content.endswith(b"\xf7") else content
        for message in content.split(b"\xf7\xf0") if self.packets is None else ():  # several may share one event
            if len(message) <= MAX_EXCLUSIVE_BYTES:
                self._append((self.tick, EXCLUSIVE, 0, message))

    def _goes_on(self, position: int, end: int) -> bool:
        """Whether notes and the like follow on the end of an exclusive message: then its length is none."""
        last = self.data.find(ESCAPE, position, end)
        return (
            0 <= last < end - 1 and self.data[end - 1] != ESCAPE and bool(_CHANNEL_STATUS.search(self.data, last, end))
        )


def _escaped(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the channel messages that are sent as they stand."""
    position, running = 0, 0
    while position < len(content):
        byte = content[position]
        position += bool(byte & 0x80)
        status = running = byte if byte & 0x80 else running
        if not 0x80 <= status < 0xF0:
            return
        count = 1 if 0xC0 <= status < 0xE0 else 2
        found = content[position : position + count]
        position += count
        if len(found) == count and max(found) < 0x80:
            yield status, found[0], found[-1] if count == 2 else 0
