"""A performance as MIDI: its notes in seconds, by the tempo map of the file.

References
----------
Standard MIDI Files 1.0, MIDI Manufacturers Association, 1988.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import InputError
from scoresep.files.export_midi import DRUM_CHANNEL

DEFAULT_TEMPO_US = 500_000


@dataclass(frozen=True)
class PerformedNotes:
    """Notes in time.

    Attributes
    ----------
    voice : ndarray [shape=(notes,)], int64
        Which track and channel, counted from 0.
    key : ndarray [shape=(notes,)], int64
        MIDI pitch; -1 for drums.
    onset_s, offset_s : ndarray [shape=(notes,)], float64
    quarter : ndarray [shape=(notes,)], float64
        Where they begin on the beats of the file; NaN where it has none.
    voice_names : tuple of str
        Name of the track of each voice.
    """

    voice: NDArray[np.int64]
    key: NDArray[np.int64]
    onset_s: NDArray[np.float64]
    offset_s: NDArray[np.float64]
    quarter: NDArray[np.float64]
    voice_names: tuple[str, ...]


def is_midi(data: bytes) -> bool:
    """Whether a file begins as MIDI does, wrapped in RIFF or not."""
    return data[:4] == b"MThd" or (data[:4] == b"RIFF" and data[8:12] == b"RMID")


def read_performance(path: str | Path, data: bytes) -> PerformedNotes:
    """Read the notes of a MIDI file.

    Raises
    ------
    InputError
        It is damaged, or holds no notes.
    """
    import mido

    try:
        midi = mido.MidiFile(file=io.BytesIO(data[max(data.find(b"MThd"), 0) :]), clip=True)
    except Exception as error:  # mido raises many kinds for damaged files
        raise InputError(f"'{path}' is a damaged or truncated MIDI file; export it again.") from error
    rows: list[tuple[int, int, int, int]] = []  # voice, key, start and end in ticks
    names: list[str] = []
    tempi: dict[int, int] = {}
    for track in midi.tracks:
        _read_track(track, rows, names, tempi)
    if not rows:
        raise InputError(f"'{path}' holds no notes; choose a MIDI file with the notes of the performance.")
    rows.sort(key=lambda row: (row[2], row[0], row[1]))
    voice, key, start, end = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    seconds = _seconds(np.stack([start, end]), tempi, midi.ticks_per_beat)
    has_beats = 0 < midi.ticks_per_beat < 0x8000
    quarter = start / midi.ticks_per_beat if has_beats else np.full(len(start), np.nan)
    return PerformedNotes(voice, key, seconds[0], seconds[1], quarter, tuple(names))


def _read_track(track: Any, rows: list[tuple[int, int, int, int]], names: list[str], tempi: dict[int, int]) -> None:
    tick, name = 0, ""
    voices: dict[int, int] = {}
    down: dict[tuple[int, int], list[int]] = {}
    for message in track:
        tick += message.time
        kind = message.type
        if kind == "set_tempo":
            tempi[tick] = max(message.tempo, 1)
        elif kind == "track_name" and not name:
            name = _utf8(message.name)
        elif kind == "note_on" and message.velocity > 0:
            if message.channel not in voices:
                voices[message.channel] = len(names)
                names.append(name)
            down.setdefault((message.channel, message.note), []).append(tick)
        elif kind in ("note_on", "note_off") and down.get((message.channel, message.note)):
            start = down[message.channel, message.note].pop(0)
            rows.append((voices[message.channel], _key(message.channel, message.note), start, tick))
    for (channel, note), starts in down.items():
        rows += [(voices[channel], _key(channel, note), start, tick) for start in starts]
    for voice in voices.values():
        names[voice] = name


def _key(channel: int, note: int) -> int:
    return -1 if channel == DRUM_CHANNEL else note


def _utf8(text: str) -> str:
    """Undo that mido takes all names for Latin 1."""
    with contextlib.suppress(UnicodeError):
        text = text.encode("latin-1").decode()
    return " ".join(text.split())


def _seconds(ticks: NDArray[np.int64], tempi: dict[int, int], division: int) -> NDArray[np.float64]:
    if division & 0x8000:  # frames of film in a second, and ticks in each
        per_second = (256 - ((division >> 8) & 0xFF)) * (division & 0xFF)
        return ticks / max(per_second, 1)
    at = np.array(sorted({0: DEFAULT_TEMPO_US} | tempi), np.int64)
    tempo = np.array([({0: DEFAULT_TEMPO_US} | tempi)[int(t)] for t in at], np.float64)
    us = np.concatenate([[0.0], np.cumsum(np.diff(at) * tempo[:-1])]) / max(division, 1)
    place = np.searchsorted(at, ticks, side="right") - 1
    return (us[place] + (ticks - at[place]) * tempo[place] / max(division, 1)) / 1e6
