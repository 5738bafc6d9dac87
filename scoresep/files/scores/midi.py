"""MIDI files to raw parts: one part for every track and channel, as written in ticks, nothing rounded.

What the file holds is read by `scoresep.files.midi`; here it is laid out in bars, and parts get their names.

References
----------
Standard MIDI Files 1.0 (RP-001), MIDI Manufacturers Association, 1988, rev. 1996.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

from scoresep.errors import ScoreFileError
from scoresep.files.midi import DEFAULT_METRE, Performance, Voice, read_midi_performance
from scoresep.files.scores.instruments import program_of_name
from scoresep.files.scores.raw import (
    FASTEST_QPM,
    SLOWEST_QPM,
    PassedOver,
    RawMeasure,
    RawNote,
    RawPart,
    RawScore,
    RawTempo,
)
from scoresep.model.general_midi import part_name
from scoresep.model.score import Instrument
from scoresep.progress import Progress

NAN = float("nan")
MAX_MEASURES = 100_000
MAX_PART_MEASURES = 2_000_000  # of all parts together


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
        If it holds no notes, or more than any score.
    """
    progress.update(0.0, "Reading the score")
    performance = read_midi_performance(data, name)
    progress.update(0.5)
    return _raw_score(performance, name)


def _raw_score(performance: Performance, name: str) -> RawScore:
    voices = performance.voices
    ticks_per_quarter = performance.ticks_per_quarter
    end_tick = max(max(end, start + 1) for v in voices for start, end, _ in v.notes)
    measures, starts = _measures(performance, end_tick, name)
    if len(measures) * len(voices) > MAX_PART_MEASURES:
        raise ScoreFileError(f"'{name}' has too many parts and bars for a score: it is damaged; export it again.")
    is_titled = 0 not in {v.track for v in voices} or len({v.track for v in voices}) < len(voices)
    raw = RawScore(performance.track_names[0] if is_titled else "", warnings=performance.warnings)
    voices_in_track = Counter(v.track for v in voices)
    for voice in voices:
        part = RawPart(*_name_and_instrument(voice, voices_in_track[voice.track] > 1, len(raw.parts)))
        part.measures = [RawMeasure(m.number, m.metre, m.content_quarter) for m in measures]
        place = 0
        for start, end, key in voice.notes:
            while place + 1 < len(starts) and starts[place + 1] <= start:
                place += 1
            offset = (start - starts[place]) / ticks_per_quarter
            duration = max(end - start, 1) / ticks_per_quarter
            part.notes.append(RawNote(place, offset, duration, NAN if voice.plays_drums else float(key)))
            part.measures[place].note_count += 1
        raw.parts.append(part)
    raw.parts[0].tempi = _tempi(performance, starts, end_tick)
    raw.parts[0].passed_over = [PassedOver(*p) for p in sorted({(_place(t, starts), w) for t, w in performance.faults})]
    return raw


def _place(tick: int, starts: list[float]) -> int:
    """Return the index of the measure that a tick lies in, the first or last one where it lies in none."""
    return max(bisect_right(starts, tick) - 1, 0)


def _name_and_instrument(voice: Voice, is_shared: bool, index: int) -> tuple[str, str, Instrument]:
    own_name = voice.name if voice.names_channel or not is_shared else ""
    if voice.plays_drums:
        return own_name or "Drums", "", Instrument("Drums", None, True)
    program = voice.program
    by_name = program_of_name(own_name)
    if by_name is None and own_name:
        by_name = program_of_name(voice.instrument_name)
    if not program and by_name is not None:
        program = by_name  # many programs write 0 (piano) for every part
    by_program = part_name(program) if program is not None else ""
    name = own_name or by_program or voice.name or f"Part {index + 1}"
    return name, "", Instrument(by_program, program)


def _measures(performance: Performance, end_tick: int, name: str) -> tuple[list[RawMeasure], list[float]]:
    """Lay out measures by the time signatures up to the last note, and the ticks at which they start."""
    ticks_per_quarter = performance.ticks_per_quarter
    changes = sorted(performance.metres.items())
    if not changes or changes[0][0] > 0:
        changes.insert(0, (0, DEFAULT_METRE))
    measures: list[RawMeasure] = []
    starts: list[float] = []
    for i, (tick, metre) in enumerate(changes):
        until = min(changes[i + 1][0] if i + 1 < len(changes) else end_tick, end_tick)
        bar = metre[0] * 4.0 / metre[1] * ticks_per_quarter
        is_last = i + 1 == len(changes) or changes[i + 1][0] >= end_tick
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


def _tempi(performance: Performance, starts: list[float], end_tick: int) -> list[RawTempo]:
    tempi = []
    for tick, tempo_us in sorted(performance.tempi_us.items()):
        if tick <= end_tick and SLOWEST_QPM <= 6e7 / tempo_us <= FASTEST_QPM:
            place = _place(tick, starts)
            offset = (tick - starts[place]) / performance.ticks_per_quarter
            tempi.append(RawTempo(place, offset, 6e7 / tempo_us))
    return tempi
