"""All that the tracks of a MIDI file tell together: who plays which notes, metres, tempi and names.

A voice is what one track plays on one channel; what the same channel plays on drums is a voice of its own. Channels are
those of the port that the track names (FF 21); what one track sets holds for the others. The tracks of format 2 are
pieces of their own, which follow each other. A pedal does not make notes longer: their ends are those of the keys.

Also here: what the channels of a MIDI file are set to: programs, drum kits, and when they fall silent.

Channel 10 plays drums. Other channels do where a bank of drum kits is chosen (General MIDI 2: 120; XG: 126, 127; a bank
counts from the next program change on) or a system exclusive message says so (GS: "use for rhythm part"; XG: "part
mode"). In GS, banks 126 and 127 are ordinary sounds. Channel 10 leaves its drums for the melodic bank of General MIDI 2
or XG only where the file switches that system on, since many programs write a bank to all channels alike.

References
----------
Standard MIDI Files 1.0 (RP-001), MIDI Manufacturers Association, 1988, rev. 1996.
MIDI Port Prefix (FF 21): in common use, not part of the standard.
General MIDI System Level 1 (RP-003), 1991, and Level 2 (RP-024), MIDI Manufacturers Association, 1999, rev. 2003.
XG Specifications 1.26, Yamaha, 1999: bank select, multi part parameter 07 (part mode).
SC-88 Owner's Manual, Roland, 1994: patch parameter 40 1x 15 (use for rhythm part), reset 40 00 7F.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from scoresep.errors import ScoreFileError
from scoresep.files.midi.key_strokes import RELEASE, STROKE, KeyEvent, notes_of_keys
from scoresep.files.midi.tracks import (
    BANK_LSB,
    BANK_MSB,
    EXCLUSIVE,
    META,
    SEQUENCES,
    MidiFile,
    TrackEvents,
    decoded_text,
    read_chunks,
)

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


DEFAULT_TEMPO_US = 500_000
DEFAULT_METRE = (4, 4)
MOST_BEATS, MOST_BEAT_TYPE_POWER = 99, 6  # 64ths
DRUM_STROKE_QUARTERS = 1.0  # a drum that is never released sounds no longer than this
_TRACK_NAME, _INSTRUMENT_NAME, _PROGRAM_NAME, _CHANNEL_PREFIX, _PORT = 0x03, 0x04, 0x08, 0x20, 0x21
_TEMPO, _METRE = 0x51, 0x58

UNRELEASED = "notes that are never released are held to the end of their track"
STRUCK_AGAIN = "notes whose key is struck again before it is released end there"


@dataclass
class Voice:
    """What one track plays on one channel.

    Attributes
    ----------
    track, port, channel : int
    plays_drums : bool
    name : str
        Of the track, or of its instrument where that has none.
    names_channel : bool
        The name is meant for this channel, not for all that the track plays.
    instrument_name : str
        As the file has it; empty where it does not say.
    program : int or None
        General MIDI program, counted from 0.
    notes : list of (int, int, int)
        Start and end in ticks, and key, sorted.
    """

    track: int
    port: int
    channel: int
    plays_drums: bool = False
    name: str = ""
    names_channel: bool = False
    instrument_name: str = ""
    program: int | None = None
    notes: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass
class Performance:
    """What a file tells.

    Attributes
    ----------
    ticks_per_quarter : float
        Where the file counts film frames, of half a second.
    ticks_per_second : float or None
        Where the file counts film frames; then it has no tempi.
    voices : list of Voice
        Those with notes, by track and channel.
    metres : dict of int to (int, int)
        By tick.
    tempi_us : dict of int to int
        Microseconds of a quarter, by tick.
    track_names : list of str
    faults : list of (int, str)
        Tick, and what is passed over or guessed there.
    warnings : list of str
        Of the file as a whole.
    """

    ticks_per_quarter: float
    ticks_per_second: float | None
    voices: list[Voice] = field(default_factory=list)
    metres: dict[int, tuple[int, int]] = field(default_factory=dict)
    tempi_us: dict[int, int] = field(default_factory=dict)
    track_names: list[str] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class _Track:
    """What one track tells, before what the others tell is known."""

    index: int
    keys: dict[tuple[int, int], dict[int, list[KeyEvent]]] = field(default_factory=dict)  # by port and channel
    programs: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    names: dict[tuple[int, int], str] = field(default_factory=dict)  # by type of text and channel, -1 for all


def read_midi_performance(data: bytes, name: str) -> Performance:
    """Read a MIDI file.

    Parameters
    ----------
    data : bytes
    name : str
        Of the file, for messages.

    Raises
    ------
    ScoreFileError
        There is nothing to read, or it holds no notes.
    """
    file = read_chunks(data, name)
    performance = Performance(file.ticks_per_quarter, file.ticks_per_second, warnings=file.warnings)
    is_sequence = file.file_format == SEQUENCES and len(file.tracks) > 1
    if is_sequence:
        file.warnings.append(
            f"The {len(file.tracks)} tracks of '{name}' are read one after the other, as format 2 wants."
        )
        _put_in_sequence(file, performance)
    settings: dict[tuple[int, int], list[Setting]] = defaultdict(list)  # by sequence and port
    tracks = []
    for index, events in enumerate(file.tracks):
        tracks.append(_gathered(index, events, performance, settings, index if is_sequence else 0))
        performance.faults += events.faults
    if file.ticks_per_second:
        performance.tempi_us.clear()
    channels = {key: channels_of(found) for key, found in settings.items()}
    for track, events in zip(tracks, file.tracks, strict=True):
        sequence = track.index if is_sequence else 0
        for (port, channel), keys in sorted(track.keys.items()):
            state = channels.get((sequence, port)) or channels_of([])
            channels[sequence, port] = state
            _add_voices(Voice(track.index, port, channel), keys, track, state[channel], events, performance)
    _name_voices(tracks, performance)
    if not performance.voices:
        is_damaged = bool(performance.faults) or any(t.is_cut_off for t in file.tracks)
        what = "is a damaged or truncated MIDI file without notes" if is_damaged else "holds no notes"
        raise ScoreFileError(f"'{name}' {what}; choose a score or MIDI file with notes.")
    return performance


def _put_in_sequence(file: MidiFile, performance: Performance) -> None:
    """Let every track begin where the one before it ends, in the default metre and tempo."""
    begin = 0
    for i, track in enumerate(file.tracks):
        performance.metres[begin], performance.tempi_us[begin] = DEFAULT_METRE, DEFAULT_TEMPO_US
        file.tracks[i] = replace(
            track,
            events=[(begin + tick, *event) for tick, *event in track.events],  # type: ignore[misc]
            faults=[(begin + tick, what) for tick, what in track.faults],
            end_tick=begin + track.end_tick,
        )
        begin += track.end_tick


def _gathered(
    index: int,
    events: TrackEvents,
    performance: Performance,
    settings: dict[tuple[int, int], list[Setting]],
    sequence: int,
) -> _Track:
    """Sort the events of a track by what they tell."""
    track = _Track(index)
    port, prefix = 0, -1
    by_channel: dict[int, dict[int, list[KeyEvent]]] = {}
    for tick, status, first, second in events.events:
        if status < 0xA0:
            keys = by_channel.get(status & 0x0F)
            if keys is None:
                keys = by_channel[status & 0x0F] = track.keys.setdefault((port, status & 0x0F), defaultdict(list))
            keys[first].append((tick, STROKE if status >= 0x90 and second else RELEASE))
            prefix = -1
        elif status == META:
            content = bytes(second) if isinstance(second, bytes) else b""
            if first == _PORT and content:
                port, by_channel = content[0], {}
            elif first == _CHANNEL_PREFIX and content:
                prefix = content[0] & 0x0F
            else:
                _read_meta(tick, first, content, prefix, track, performance)
        else:
            settings[sequence, port].append(Setting(tick, index, status, first, second))
            if status != EXCLUSIVE:
                prefix = -1
            if status & 0xF0 == 0xC0:
                track.programs[port, status & 0x0F].append((tick, first))
    performance.track_names.append(track.names.get((_TRACK_NAME, -1), ""))
    return track


def _read_meta(tick: int, kind: int, content: bytes, prefix: int, track: _Track, performance: Performance) -> None:
    """Take names, metres and tempi; what is too short or has no sense is as if it were not there."""
    if kind in (_TRACK_NAME, _INSTRUMENT_NAME, _PROGRAM_NAME):
        text = decoded_text(content)
        if text:
            track.names.setdefault((kind, prefix), text)
    elif kind == _METRE and len(content) >= 2:
        if 0 < content[0] <= MOST_BEATS and content[1] <= MOST_BEAT_TYPE_POWER:
            performance.metres[tick] = (content[0], 2 ** content[1])
    elif kind == _TEMPO and len(content) >= 3:
        tempo = int.from_bytes(content[:3], "big")
        if tempo:
            performance.tempi_us[tick] = tempo


def _add_voices(
    voice: Voice,
    keys: dict[int, list[KeyEvent]],
    track: _Track,
    channel: Channel,
    events: TrackEvents,
    performance: Performance,
) -> None:
    """Add what a track plays on a channel: melodies, drums, or first one and then the other."""
    found = notes_of_keys(keys, channel.silences)
    longest = DRUM_STROKE_QUARTERS * performance.ticks_per_quarter
    melodies: list[tuple[int, int, int]] = []
    drums: list[tuple[int, int, int]] = []
    is_constant = len(channel.drums) == 1
    for start, end, key in found.notes:
        plays_drums = channel.drums[0][1] if is_constant else channel.plays_drums_at(start)
        (drums if plays_drums else melodies).append((start, end, key))
    for start, end, key in found.struck_again:
        if channel.plays_drums_at(start):
            drums.append((start, min(end, start + round(longest)), key))
        else:
            melodies.append((start, end, key))
            performance.faults.append((start, STRUCK_AGAIN))
    for start, key in found.unreleased:
        if channel.plays_drums_at(start):
            drums.append((start, min(max(events.end_tick, start), start + round(longest)), key))
        else:
            melodies.append((start, max(events.end_tick, start), key))
            if not events.is_cut_off:
                performance.faults.append((start, UNRELEASED))
    programs = track.programs.get((voice.port, voice.channel))
    own = Channel(programs) if programs else channel
    for notes, plays_drums in ((melodies, False), (drums, True)):
        if notes:
            notes.sort()
            program = own.program_at(notes[0][0])
            performance.voices.append(replace(voice, plays_drums=plays_drums, program=program, notes=notes))


def _name_voices(tracks: Iterable[_Track], performance: Performance) -> None:
    """Give every voice the name of its channel, else of its track, else of its instrument."""
    voices_of: dict[int, list[Voice]] = defaultdict(list)
    for voice in performance.voices:
        voices_of[voice.track].append(voice)
    for track in tracks:
        voices = voices_of[track.index]
        played = {v.channel for v in voices}
        for voice in voices:
            own, of_all = (
                [track.names.get((kind, c), "") for kind in (_TRACK_NAME, _INSTRUMENT_NAME, _PROGRAM_NAME)]
                for c in (voice.channel, -1)
            )
            strangers = (text for (_, c), text in track.names.items() if c >= 0 and c not in played)
            own_name = next(filter(None, own), "")
            voice.names_channel = bool(own_name)
            voice.name = own_name or next(filter(None, [*of_all, *strangers]), "")
            voice.instrument_name = next(filter(None, [*own[1:], *of_all[1:]]), "")
