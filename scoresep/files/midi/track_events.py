"""The bytes of one track to events, whatever stands between them.

Only what matters to a score is kept: notes, programs, banks, controllers that silence, system exclusive messages and
meta events. What has no sense is stepped over as players step over it: by its length. A running status holds on
through meta events and system exclusive messages, as FluidSynth and TiMidity have it, although the standard ends it
there.

References
----------
Standard MIDI Files 1.0 (RP-001), MIDI Manufacturers Association, 1988, rev. 1996.
MIDI 1.0 Detailed Specification, MIDI Manufacturers Association, 1996: system messages, running status.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from scoresep.files.midi.key_strokes import sensible_event_count

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
            self._keep(status, first, second)
        self.position = position

    def _keep(self, status: int, first: int, second: int) -> None:
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
                self._keep(*channel_message)
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
