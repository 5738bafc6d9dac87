"""All that the tracks of a MIDI file tell together: who plays which notes, metres, tempi and names.

A voice is what one track plays on one channel; what the same channel plays on drums is a voice of its own. Channels are
those of the port that the track names (FF 21); what one track sets holds for the others. The tracks of format 2 are
pieces of their own, which follow each other. A pedal does not make notes longer: their ends are those of the keys.

References
----------
Standard MIDI Files 1.0 (RP-001), MIDI Manufacturers Association, 1988, rev. 1996.
MIDI Port Prefix (FF 21): in common use, not part of the standard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from scoresep.errors import ScoreFileError
from scoresep.files.midi.channels import Channel, Setting, channels_of
from scoresep.files.midi.chunks import SEQUENCES, MidiFile, decoded_text, read_chunks
from scoresep.files.midi.key_strokes import RELEASE, STROKE, KeyEvent, notes_of_keys
from scoresep.files.midi.track_events import EXCLUSIVE, META, TrackEvents

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
