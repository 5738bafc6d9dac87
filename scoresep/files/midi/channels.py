"""What the channels of a MIDI file are set to: programs, drum kits, and when they fall silent.

Channel 10 plays drums. Other channels do where a bank of drum kits is chosen (General MIDI 2: 120; XG: 126, 127; a bank
counts from the next program change on) or a system exclusive message says so (GS: "use for rhythm part"; XG: "part
mode"). In GS, banks 126 and 127 are ordinary sounds. Channel 10 leaves its drums for the melodic bank of General MIDI 2
or XG only where the file switches that system on, since many programs write a bank to all channels alike.

References
----------
General MIDI System Level 1 (RP-003), 1991, and Level 2 (RP-024), MIDI Manufacturers Association, 1999, rev. 2003.
XG Specifications 1.26, Yamaha, 1999: bank select, multi part parameter 07 (part mode).
SC-88 Owner's Manual, Roland, 1994: patch parameter 40 1x 15 (use for rhythm part), reset 40 00 7F.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from scoresep.files.midi.track_events import BANK_LSB, BANK_MSB, EXCLUSIVE

DRUM_CHANNEL = 9
CHANNELS = 16
_GM2_DRUMS, _GM2_MELODIES = 120, 121
_XG_DRUMS = (126, 127)
_ROLAND, _YAMAHA, _UNIVERSAL = 0x41, 0x43, 0x7E


@dataclass(frozen=True)
class Setting:
    """An event that sets a channel, or by system exclusive all of them.

    Attributes
    ----------
    tick, track : int
    status, first : int
        Status and first data byte.
    second : int or bytes
        Second data byte, or the system exclusive message.
    """

    tick: int
    track: int
    status: int
    first: int
    second: int | bytes


@dataclass
class Channel:
    """One channel over time.

    Attributes
    ----------
    programs : list of (int, int)
        Tick and General MIDI program.
    drums : list of (int, bool)
        Tick, and whether the channel plays drums from there on.
    silences : list of int
        Ticks at which all keys are let go.
    """

    programs: list[tuple[int, int]] = field(default_factory=list)
    drums: list[tuple[int, bool]] = field(default_factory=list)
    silences: list[int] = field(default_factory=list)

    def plays_drums_at(self, tick: int) -> bool:
        """Whether what is struck at this tick is a drum; what is set at the same tick counts."""
        return self.drums[bisect_right(self.drums, (tick, True)) - 1][1]

    def program_at(self, tick: int) -> int | None:
        """Return the program at a tick; the first one where none stands before it."""
        place = bisect_right(self.programs, (tick, 128)) - 1
        return self.programs[max(place, 0)][1] if self.programs else None


@dataclass
class _Bank:
    """The bank of a channel: what is chosen, and what counts."""

    msb: int = -1
    lsb: int = 0
    waiting_since: int | None = None


@dataclass
class _Port:
    """All channels that one port plays."""

    system: str = ""
    channels: list[Channel] = field(default_factory=list)
    banks: list[_Bank] = field(default_factory=lambda: [_Bank() for _ in range(CHANNELS)])
    is_rhythm: list[bool] = field(default_factory=lambda: [i == DRUM_CHANNEL for i in range(CHANNELS)])


def channels_of(settings: list[Setting]) -> list[Channel]:
    """Follow what sets the channels of one port.

    Parameters
    ----------
    settings : list of Setting
        Those of all tracks; of one moment, in the order of the tracks.
    """
    port = _Port(channels=[Channel(drums=[(-1, i == DRUM_CHANNEL)]) for i in range(CHANNELS)])
    for setting in sorted(settings, key=lambda s: (s.tick, s.track)):
        if setting.status == EXCLUSIVE:
            _apply_exclusive(port, setting.tick, bytes(setting.second) if setting.second else b"")
            continue
        index, value = setting.status & 0x0F, int(setting.second)
        bank = port.banks[index]
        if setting.status & 0xF0 == 0xC0:
            port.channels[index].programs.append((setting.tick, setting.first))
            if bank.waiting_since is not None:
                _choose_bank(port, index, setting.tick)
        elif setting.first == BANK_MSB:
            bank.msb, bank.waiting_since = value, setting.tick
        elif setting.first == BANK_LSB:
            bank.lsb = value
        else:  # all sound off, all notes off
            port.channels[index].silences.append(setting.tick)
    for index, bank in enumerate(port.banks):
        if bank.waiting_since is not None and not port.channels[index].programs:
            _choose_bank(port, index, bank.waiting_since)  # no program will ever make it count
            port.channels[index].drums.sort(key=lambda change: change[0])
    return port.channels


def _choose_bank(port: _Port, index: int, tick: int) -> None:
    bank = port.banks[index]
    bank.waiting_since = None
    if port.system == "GS":
        return
    plays_drums = port.is_rhythm[index]
    if bank.msb == _GM2_DRUMS or bank.msb in _XG_DRUMS:
        plays_drums = True
    elif bank.msb == _GM2_MELODIES:
        plays_drums = plays_drums and port.system != "GM2"
    elif port.system == "XG":
        plays_drums = index == DRUM_CHANNEL and bank.lsb == 127
    _set_drums(port, index, tick, plays_drums)


def _set_drums(port: _Port, index: int, tick: int, plays_drums: bool) -> None:
    if port.channels[index].drums[-1][1] != plays_drums:
        port.channels[index].drums.append((tick, plays_drums))


def _apply_exclusive(port: _Port, tick: int, message: bytes) -> None:
    """Follow the few system exclusive messages that tell what a channel plays; a wrong checksum is forgiven."""
    body = message.removesuffix(b"\xf7")
    maker = body[0] if body else -1
    if maker == _UNIVERSAL and body[2:3] == b"\x09":
        system = {b"\x01": "GM", b"\x03": "GM2"}.get(body[3:4], "")
        _reset(port, tick, system)
    elif maker == _ROLAND and body[2:4] == b"\x42\x12" and len(body) >= 8:
        block, part, offset, values = body[4], body[5], body[6], body[7:-1] or body[7:8]
        if body[4:7] in (b"\x40\0\x7f", b"\0\0\x7f"):
            _reset(port, tick, "GS")
        elif block == 0x40 and part & 0xF0 == 0x10 and offset <= 0x15 < offset + len(values):
            number = part & 0x0F  # 0 is the tenth part, 1 to 9 those before it
            index = DRUM_CHANNEL if number == 0 else number - 1 if number < 10 else number
            _use_for_rhythm(port, index, tick, values[0x15 - offset] > 0)
    elif maker == _YAMAHA and body[1:2] and body[1] & 0xF0 == 0x10 and body[2:3] == b"\x4c" and len(body) >= 7:
        high, part, offset, values = body[3], body[4], body[5], body[6:]
        if body[3:5] == b"\0\0" and offset in (0x7E, 0x7F):
            _reset(port, tick, "XG")
        elif high == 0x08 and part < CHANNELS and offset <= 0x07 < offset + len(values):
            _use_for_rhythm(port, part, tick, values[0x07 - offset] > 0)


def _use_for_rhythm(port: _Port, index: int, tick: int, is_rhythm: bool) -> None:
    port.is_rhythm[index] = is_rhythm
    _set_drums(port, index, tick, is_rhythm)


def _reset(port: _Port, tick: int, system: str) -> None:
    """Set all channels as they are when an instrument is switched on, and let all keys go."""
    port.system = system
    for index, channel in enumerate(port.channels):
        port.banks[index] = _Bank()
        channel.silences.append(tick)
        _use_for_rhythm(port, index, tick, index == DRUM_CHANNEL)
