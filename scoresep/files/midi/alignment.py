"""A performance as MIDI: its notes in seconds, by the tempo map of the file.

References
----------
Standard MIDI Files 1.0 (RP-001), MIDI Manufacturers Association, 1988, rev. 1996.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoresep.files.midi import DEFAULT_TEMPO_US, Performance, read_midi_performance

DRUM_KEY = -1


@dataclass(frozen=True)
class PerformedNotes:
    """Notes in time.

    Attributes
    ----------
    voice : ndarray [shape=(notes,)], int64
        Which track and channel, counted from 0 in the order of the parts that the same file has as a score.
    key : ndarray [shape=(notes,)], int64
        MIDI pitch; -1 for drums.
    onset_s, offset_s : ndarray [shape=(notes,)], float64
    quarter : ndarray [shape=(notes,)], float64
        Where they begin on the beats of the file; NaN where it has none.
    voice_names : tuple of str
        Name of each voice: of its track, or of its channel or instrument.
    warnings : tuple of str
        What could not be read as it stands.
    """

    voice: NDArray[np.int64]
    key: NDArray[np.int64]
    onset_s: NDArray[np.float64]
    offset_s: NDArray[np.float64]
    quarter: NDArray[np.float64]
    voice_names: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def read_performance(path: str | Path, data: bytes) -> PerformedNotes:
    """Read the notes of a MIDI file.

    Raises
    ------
    InputError
        It is damaged, or holds no notes.
    """
    performance = read_midi_performance(data, str(path))
    rows = [
        (i, DRUM_KEY if voice.plays_drums else key, start, end)
        for i, voice in enumerate(performance.voices)
        for start, end, key in voice.notes
    ]
    rows.sort(key=lambda row: (row[2], row[0], row[1]))
    voice, key, start, end = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    faults = sorted(performance.faults)
    places = np.array([tick for tick, _ in faults], np.int64)
    seconds = _seconds(np.concatenate([start, end, places]), performance)
    has_beats = performance.ticks_per_second is None
    quarter = start / performance.ticks_per_quarter if has_beats else np.full(len(start), np.nan)
    names = tuple(v.name for v in performance.voices)
    warnings = (*performance.warnings, *_fault_warnings([w for _, w in faults], seconds[2 * len(start) :], path))
    return PerformedNotes(
        voice, key, seconds[: len(start)], seconds[len(start) : 2 * len(start)], quarter, names, warnings
    )


def _fault_warnings(faults: list[str], at_s: NDArray[np.float64], path: str | Path) -> list[str]:
    """Tell in one sentence for each kind how often it happens, and where first."""
    warnings = []
    for what in dict.fromkeys(faults):
        places = at_s[[fault == what for fault in faults]]
        more = f" and at {len(places) - 1} more places" if len(places) > 1 else ""
        warnings.append(f"At {places[0]:.1f} s of '{path}'{more}: {what}.")
    return warnings


def _seconds(ticks: NDArray[np.int64], performance: Performance) -> NDArray[np.float64]:
    if performance.ticks_per_second is not None:
        return ticks / performance.ticks_per_second
    tempi = {0: DEFAULT_TEMPO_US} | performance.tempi_us
    at = np.array(sorted(tempi), np.int64)
    tempo = np.array([tempi[int(tick)] for tick in at], np.float64)
    us = np.concatenate([[0.0], np.cumsum(np.diff(at) * tempo[:-1])]) / performance.ticks_per_quarter
    place = np.searchsorted(at, ticks, side="right") - 1
    return np.asarray((us[place] + (ticks - at[place]) * tempo[place] / performance.ticks_per_quarter) / 1e6)
