"""From strokes and releases of one key to notes.

Every stroke should have its release (MIDI 1.0), and if it does, the first release belongs to the first stroke. A stroke
whose release is missing is found by matching every release with the latest stroke before it: what is left over ends
with the next stroke of its key, as in players that sound a key once only, so that no note hangs on for another's
missing release.

References
----------
MIDI 1.0 Detailed Specification, MIDI Manufacturers Association, 1996: note on, note off, all notes off.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

RELEASE, STROKE, SILENCE = 0, 1, 2
# So many releases at one moment of keys that are not down are all-notes-off, as old programs write it.
PANIC_KEYS = 32

KeyEvent = tuple[int, int]  # tick and what happens


@dataclass
class KeyNotes:
    """Notes of one key or of several.

    Attributes
    ----------
    notes : list of (int, int, int)
        Start and end in ticks, and key.
    unreleased : list of (int, int)
        Start and key of those that nothing ends.
    struck_again : list of (int, int, int)
        Notes that end since their key is struck again without a release.
    strays : list of int
        Ticks of releases of a key that is not down.
    """

    notes: list[tuple[int, int, int]] = field(default_factory=list)
    unreleased: list[tuple[int, int]] = field(default_factory=list)
    struck_again: list[tuple[int, int, int]] = field(default_factory=list)
    strays: list[int] = field(default_factory=list)


def notes_of_keys(keys: dict[int, list[KeyEvent]], silences: Sequence[int]) -> KeyNotes:
    """Pair the strokes of all keys with what ends them.

    Parameters
    ----------
    keys : dict of int to list of (int, int)
        Of each key, in the order of the file.
    silences : sequence of int
        Ticks, rising, at which all keys are let go; what is struck at that moment sounds on.
    """
    found = _paired(keys, silences)
    panics = {tick for tick, count in Counter(found.strays).items() if count >= PANIC_KEYS}
    if panics:
        found = _paired(keys, sorted({*silences, *panics}), panics)
    return found


def _paired(keys: dict[int, list[KeyEvent]], silences: Sequence[int], panics: Iterable[int] = ()) -> KeyNotes:
    found, all_panics = KeyNotes(), frozenset(panics)
    for key, events in keys.items():
        if all_panics:
            events = [e for e in events if e[1] != RELEASE or e[0] not in all_panics]
        if silences:
            events = _with_silences(events, silences)
        if bytes([kind for _, kind in events]) == b"\1\0" * (len(events) // 2):  # the rule
            found.notes += [(start[0], end[0], key) for start, end in zip(events[::2], events[1::2], strict=True)]
            continue
        stretch: list[KeyEvent] = []
        for event in events:
            if event[1] == SILENCE:
                _pair_stretch(stretch, event[0], key, found)
                stretch = []
            else:
                stretch.append(event)
        _pair_stretch(stretch, None, key, found)
    return found


def _with_silences(events: list[KeyEvent], silences: Sequence[int]) -> list[KeyEvent]:
    """Put in those silences that come next after a stroke."""
    places = [bisect_right(silences, tick) for tick, kind in events if kind == STROKE]
    added = [(silences[i], SILENCE) for i in sorted(set(places)) if i < len(silences)]
    return sorted(added + events, key=lambda event: event[0])


def _pair_stretch(events: list[KeyEvent], silence: int | None, key: int, found: KeyNotes) -> None:
    """Pair the strokes between two silences; what nothing else ends is ended by the silence."""
    lost = _strokes_without_release(events, found.strays)
    waiting: deque[int] = deque()
    ends: dict[int, int] = {}  # of the last note that starts at a tick
    for i, (tick, kind) in enumerate(events):
        if kind == STROKE and i not in lost:
            waiting.append(tick)
        elif kind == RELEASE and waiting:
            start = waiting.popleft()
            ends[start] = tick
            found.notes.append((start, tick, key))
    later: int | None = None  # the next tick at which the key is struck
    last: int | None = None
    for i in range(len(events) - 1, -1, -1):
        tick, kind = events[i]
        if kind != STROKE:
            continue
        later = last if last is not None and tick < last else later
        last = tick
        if i not in lost:
            continue
        if later is not None:
            found.struck_again.append((tick, later, key))
        elif tick in ends or silence is not None:
            found.notes.append((tick, ends.get(tick, silence or 0), key))
        else:
            found.unreleased.append((tick, key))


def _strokes_without_release(events: list[KeyEvent], strays: list[int]) -> frozenset[int]:
    """Match every release with the latest stroke before it, and return the indices of the strokes left over.

    Of a stroke and a release at one moment, the release belongs to an earlier stroke if there is one: some programs
    write the new stroke first.
    """
    earlier: list[int] = []
    present: list[int] = []  # struck at this very tick
    now = -1
    for i, (tick, kind) in enumerate(events):
        if tick != now:
            earlier += present
            present, now = [], tick
        if kind == STROKE:
            present.append(i)
        elif earlier or present:
            (earlier or present).pop()
        else:
            strays.append(tick)
    return frozenset(earlier + present)


_LOOK_AHEAD = 6  # events


def sensible_event_count(data: bytes, position: int, limit: int, running: int, has_wait: bool) -> int:
    """Count the events, up to six, that make sense one after the other.

    Parameters
    ----------
    data : bytes
    position, limit : int
        Where they begin, and where the track ends; at its end all is well.
    running : int
        Status that runs on; 0 for none.
    has_wait : bool
        Whether the first one begins with its delta time.
    """
    for count in range(_LOOK_AHEAD):
        if position >= limit:
            return _LOOK_AHEAD
        try:
            if has_wait:
                position = _behind_number(data, position)
            status = data[position]
            position += status >> 7
            running = status if 0x80 <= status < 0xF0 else running
            position = _behind_event(data, position, status if status & 0x80 else running)
        except (IndexError, ValueError):
            return count
        if position > limit:
            return count
        has_wait = True
    return _LOOK_AHEAD


def _behind_event(data: bytes, position: int, status: int) -> int:
    """Return the position behind what belongs to a status; ValueError where it makes no sense."""
    if 0x80 <= status < 0xF0:
        for _ in range(1 if 0xC0 <= status < 0xE0 else 2):
            position += data[position] >= 0xF8  # one more of these bytes
            if data[position] > 0x7F:
                raise ValueError
            position += 1
        return position
    if status in (0xF0, 0xF7, 0xFF):
        start = position + (status == 0xFF)
        if data[position] > 0x7F:
            raise ValueError
        end = _behind_number(data, start)
        length = 0
        for byte in data[start:end]:
            length = length << 7 | byte & 0x7F
        return end + length
    if status < 0xF8:
        raise ValueError
    return position


def _behind_number(data: bytes, position: int) -> int:
    for end in range(position + 1, position + 5):
        if not data[end - 1] & 0x80:
            return end
    raise ValueError
