"""MIDI files to raw parts: one part for every track and channel, as written in ticks, nothing rounded.

References
----------
Standard MIDI Files 1.0, MIDI Manufacturers Association, 1988.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from scoresep.errors import ScoreFileError
from scoresep.files.score_files.instruments import program_of_name
from scoresep.files.score_files.raw import FASTEST_QPM, SLOWEST_QPM, RawMeasure, RawNote, RawPart, RawScore, RawTempo
from scoresep.model.score import Instrument
from scoresep.progress import Progress

NAN = float("nan")
DRUM_CHANNEL = 9
MAX_MEASURES = 100_000

# General MIDI Level 1 sound set.
_FAMILIES = (
    "Piano", "Chromatic percussion", "Organ", "Guitar", "Bass", "Strings", "Ensemble", "Brass",
    "Reed", "Pipe", "Synth lead", "Synth pad", "Synth effects", "Ethnic", "Percussive", "Sound effects",
)  # fmt: skip
_PROGRAM_NAMES = {
    0: "Piano", 6: "Harpsichord", 8: "Celesta", 9: "Glockenspiel", 11: "Vibraphone", 12: "Marimba", 13: "Xylophone",
    19: "Organ", 21: "Accordion", 24: "Guitar", 25: "Guitar", 32: "Acoustic bass", 33: "Electric bass", 40: "Violin",
    41: "Viola", 42: "Cello", 43: "Contrabass", 45: "Pizzicato strings", 46: "Harp", 47: "Timpani", 48: "Strings",
    52: "Choir", 53: "Voice", 56: "Trumpet", 57: "Trombone", 58: "Tuba", 60: "Horn", 61: "Brass",
    64: "Soprano saxophone", 65: "Alto saxophone", 66: "Tenor saxophone", 67: "Baritone saxophone",
    68: "Oboe", 69: "English horn", 70: "Bassoon", 71: "Clarinet", 72: "Piccolo", 73: "Flute", 74: "Recorder",
}  # fmt: skip


@dataclass
class _Voice:
    """What one track plays on one channel."""

    track: int
    channel: int
    track_name: str
    program: int | None = None
    notes: list[tuple[int, int, int]] = field(default_factory=list)  # start and end in ticks, key
    sounding: dict[int, list[int]] = field(default_factory=dict)  # starts of the notes that are down, by key


@dataclass
class _Events:
    """What all tracks together tell."""

    voices: dict[tuple[int, int], _Voice] = field(default_factory=dict)
    programs: dict[int, int] = field(default_factory=dict)  # by channel: the first one, wherever it stands
    metres: dict[int, tuple[int, int]] = field(default_factory=dict)  # by tick
    tempi: dict[int, float] = field(default_factory=dict)  # quarters per minute by tick
    track_names: list[str] = field(default_factory=list)
    end_tick: int = 0


def read_midi(data: bytes, name: str, progress: Progress) -> RawScore:
    """Read a MIDI file.

    Parameters
    ----------
    data : bytes
    name : str
        Of the file, for messages.
    progress : Progress

    Raises
    ------
    ScoreFileError
        If it is damaged.
    """
    import mido

    progress.update(0.0, "Reading the score")
    start = data.find(b"MThd")  # a RIFF file (.rmi) holds it further inside
    try:
        midi = mido.MidiFile(file=io.BytesIO(data[max(start, 0) :]), clip=True)
    except Exception as error:  # mido raises many kinds for damaged files
        raise ScoreFileError(f"'{name}' is a damaged or truncated MIDI file; export it again.") from error
    ticks_per_quarter = _ticks_per_quarter(midi.ticks_per_beat)
    events = _Events()
    for i, (track, inner) in enumerate(zip(midi.tracks, progress.parts(max(len(midi.tracks), 1)), strict=False)):
        inner.update(0.0)
        _read_track(i, track, events)
    return _raw_score(events, ticks_per_quarter, name)


def _ticks_per_quarter(division: int) -> float:
    """Ticks of a quarter; where the file counts film frames instead, of half a second."""
    if division & 0x8000:
        frames_per_second = 256 - ((division >> 8) & 0xFF)
        return max(frames_per_second * (division & 0xFF) / 2.0, 1.0)
    return float(max(division, 1))


def _read_track(index: int, track: Any, events: _Events) -> None:
    tick = 0
    track_name = ""
    for message in track:
        tick += message.time
        kind = message.type
        if kind in ("note_on", "note_off", "program_change"):
            voice = events.voices.get((index, message.channel))
            if voice is None:
                voice = events.voices[index, message.channel] = _Voice(index, message.channel, track_name)
            if kind == "program_change":
                events.programs.setdefault(message.channel, message.program)
                if voice.program is None or not voice.notes:
                    voice.program = message.program
            elif kind == "note_on" and message.velocity > 0:
                voice.sounding.setdefault(message.note, []).append(tick)
            elif voice.sounding.get(message.note):
                voice.notes.append((voice.sounding[message.note].pop(0), tick, message.note))
        elif kind == "time_signature":
            is_metre = 0 < message.numerator < 100 and message.denominator <= 64
            events.metres[tick] = (message.numerator, message.denominator) if is_metre else (4, 4)
        elif kind == "set_tempo" and SLOWEST_QPM <= 6e7 / max(message.tempo, 1) <= FASTEST_QPM:
            events.tempi[tick] = 6e7 / message.tempo
        elif kind == "track_name" and not track_name:
            track_name = " ".join(str(message.name).split())
    for voice in (v for v in events.voices.values() if v.track == index):
        voice.track_name = track_name
        voice.notes += [(start, tick, key) for key, starts in voice.sounding.items() for start in starts]
    events.track_names.append(track_name)


def _raw_score(events: _Events, ticks_per_quarter: float, name: str) -> RawScore:
    voices = [v for _, v in sorted(events.voices.items()) if v.notes]
    if not voices:
        raise ScoreFileError(f"'{name}' holds no notes; choose a score or MIDI file with notes.")
    events.end_tick = max(end for v in voices for _, end, _ in v.notes)
    measures, starts = _measures(events, ticks_per_quarter, name)
    is_titled = 0 not in {v.track for v in voices} or len({v.track for v in voices}) < len(voices)
    raw = RawScore(events.track_names[0] if is_titled and events.track_names else "")
    for voice in voices:
        siblings = [v for v in voices if v.track == voice.track]
        part = RawPart(*_name_and_instrument(voice, len(siblings) > 1, events, len(raw.parts)))
        part.measures = [RawMeasure(m.number, m.metre, m.content_quarter) for m in measures]
        place = 0
        for start, end, key in sorted(voice.notes):
            while place + 1 < len(starts) and starts[place + 1] <= start:
                place += 1
            offset = (start - starts[place]) / ticks_per_quarter
            duration = max(end - start, 1) / ticks_per_quarter
            pitch = NAN if part.instrument.is_percussion else float(key)
            part.notes.append(RawNote(place, offset, duration, pitch))
            part.measures[place].note_count += 1
        raw.parts.append(part)
    raw.parts[0].tempi = _tempi(events, starts, ticks_per_quarter)
    return raw


def _name_and_instrument(voice: _Voice, is_shared: bool, events: _Events, index: int) -> tuple[str, str, Instrument]:
    program = voice.program if voice.program is not None else events.programs.get(voice.channel)
    if voice.channel == DRUM_CHANNEL:
        name = voice.track_name if voice.track_name and not is_shared else "Drums"
        return name, "", Instrument("Drums", None, True)
    by_name = program_of_name(voice.track_name)
    if not program and by_name is not None and not is_shared:
        program = by_name  # many programs write 0 (piano) for every part
    by_program = _PROGRAM_NAMES.get(program, _FAMILIES[program // 8]) if program is not None else ""
    name = voice.track_name if voice.track_name and not is_shared else by_program
    return name or voice.track_name or f"Part {index + 1}", "", Instrument(by_program, program)


def _measures(events: _Events, ticks_per_quarter: float, name: str) -> tuple[list[RawMeasure], list[float]]:
    """Lay out measures by the time signatures up to the last note, and the ticks at which they start."""
    changes = sorted(events.metres.items()) or [(0, (4, 4))]
    if changes[0][0] > 0:
        changes.insert(0, (0, (4, 4)))
    measures: list[RawMeasure] = []
    starts: list[float] = []
    for i, (tick, metre) in enumerate(changes):
        until = min(changes[i + 1][0] if i + 1 < len(changes) else events.end_tick, events.end_tick)
        bar = metre[0] * 4.0 / metre[1] * ticks_per_quarter
        is_last = i + 1 == len(changes) or changes[i + 1][0] >= events.end_tick
        position = float(tick)
        while position < until - 0.5:
            length = bar if is_last else min(bar, until - position)  # a new metre may come before the bar is full
            starts.append(position)
            measures.append(RawMeasure(str(len(measures) + 1), metre, length / ticks_per_quarter))
            position += length
            if len(measures) > MAX_MEASURES:
                raise ScoreFileError(
                    f"'{name}' lasts for more than {MAX_MEASURES} bars: it is damaged; export it again."
                )
    return measures, starts


def _tempi(events: _Events, starts: list[float], ticks_per_quarter: float) -> list[RawTempo]:
    tempi = []
    place = 0
    for tick, tempo in sorted(events.tempi.items()):
        while place + 1 < len(starts) and starts[place + 1] <= tick:
            place += 1
        if tick <= events.end_tick:
            tempi.append(RawTempo(place, (tick - starts[place]) / ticks_per_quarter, tempo))
    return tempi
