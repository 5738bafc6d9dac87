"""How the demo piece is performed: when every note sounds and how strongly, as players would do it.

The tempo breathes with the phrases and gives way at the cadences, no two players attack at quite the same time,
dynamics follow the marks of the score, and phrases rise and fall. Everything random comes from one seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from demo_piece import (
    PARTS,
    QUARTERS_PER_MINUTE,
    PlayedNote,
    performance_path,
    played_notes,
    read_parts,
    starts_quarter,
)
from numpy.typing import NDArray

Curve = NDArray[np.float64]

LEAD_S = 1.0  # silence before the first note
GRID_PER_QUARTER = 16
JITTER_S = 0.010  # standard deviation of an onset
WANDER = 0.015  # standard deviation of the slow drift of tempo
PHRASE_MEASURES = (1, 5, 9, 13, 17, 22, 26, 30)
VELOCITIES = {"p": 56, "mp": 66, "mf": 78, "f": 92}
HAIRPIN_VELOCITY = 13
# (measure, time played, beat, tempo as a share of the basic one); straight lines between
TEMPO_SHAPE = (
    (0, 1, 1.0, 0.90),
    (1, 1, 2.0, 1.00),
    (8, 1, 1.0, 1.00),
    (8, 1, 3.0, 0.95),
    (1, 2, 2.0, 1.00),
    (11, 1, 1.0, 1.00),
    (12, 1, 2.0, 0.92),
    (13, 1, 2.0, 0.98),
    (18, 1, 2.0, 1.03),
    (19, 1, 2.0, 0.93),
    (20, 1, 1.0, 0.82),
    (21, 1, 3.0, 0.86),
    (22, 1, 3.0, 1.00),
    (25, 1, 2.0, 1.03),
    (28, 1, 1.0, 1.00),
    (29, 1, 1.0, 0.92),
    (30, 1, 1.0, 0.84),
    (30, 1, 3.0, 0.74),
    (31, 1, 1.0, 0.74),
    (31, 1, 3.0, 0.58),
    (32, 1, 1.0, 0.48),
)


@dataclass(frozen=True)
class PerformedNote:
    """One note as it was played. Quarters count from the pick-up, seconds from the start of the recording."""

    part_index: int
    midi: int
    onset_quarter: float
    end_quarter: float
    onset_s: float
    end_s: float
    velocity: int
    fade: float  # share of its strength that is left at its end, or more than 1 where it grows


def phrase_edges() -> Curve:
    """Starts of the phrases in quarter notes as played, a beat before the bar as the tune has it, and the end."""
    path = performance_path()
    starts = starts_quarter(path)
    edges = [start - 1.0 for measure, start in zip(path, starts, strict=True) if measure in PHRASE_MEASURES]
    return np.array([*edges, starts[-1] + 3.0])


def phrase_arch(quarter: Curve) -> Curve:
    """0 at both ends of a phrase, 1 in its middle."""
    edges = phrase_edges()
    phrase = np.clip(np.searchsorted(edges, quarter, side="right") - 1, 0, len(edges) - 2)
    return np.asarray(np.sin(np.pi * (quarter - edges[phrase]) / np.diff(edges)[phrase]))


def tempo_curve(rng: np.random.Generator) -> tuple[Curve, Curve]:
    """Quarters on a fine grid and the second at which each is reached."""
    path = performance_path()
    starts = starts_quarter(path)
    quarter = np.arange(0, (starts[-1] + 6) * GRID_PER_QUARTER + 1) / GRID_PER_QUARTER
    seen: dict[tuple[int, int], float] = {}
    for index, (measure, start) in enumerate(zip(path, starts, strict=True)):
        seen[measure, 1 + path[:index].count(measure)] = start
    at = [seen[measure, time] + beat - 1 for measure, time, beat, _ in TEMPO_SHAPE]
    rate = np.interp(quarter, at, [shape[3] for shape in TEMPO_SHAPE])
    kernel = np.exp(-0.5 * (np.arange(-96, 97) / (2.5 * GRID_PER_QUARTER)) ** 2)
    drift = np.convolve(rng.normal(size=len(quarter) + 192), kernel / np.sqrt((kernel**2).sum()), "valid")
    rate = rate * np.exp(WANDER * drift + 0.04 * (phrase_arch(quarter) - 0.6))
    step_s = 60 / (QUARTERS_PER_MINUTE * rate * GRID_PER_QUARTER)
    return quarter, LEAD_S + np.concatenate([[0.0], np.cumsum(step_s[:-1])])


def dynamics(part_index: int) -> tuple[list[float], list[float]]:
    """Velocity that the marks of a part ask for: break points in quarter notes, and values."""
    path, bars = performance_path(), read_parts()[part_index]
    quarters, values, slope = [0.0], [float(VELOCITIES["mf"])], 0
    for measure, start in zip(path, starts_quarter(path), strict=True):
        for item in bars[measure]:
            if not item.mark:
                continue
            quarters.append(start + item.beat_quarter)
            values.append(values[-1])
            if item.mark in VELOCITIES:
                quarters.append(quarters[-1])
                values.append(float(VELOCITIES[item.mark]))
            elif item.mark == "/":
                values[-1] += slope * HAIRPIN_VELOCITY
            else:
                slope = 1 if item.mark == "<" else -1
    return quarters, values


def velocity_of(note: PlayedNote, marked: float, centre_midi: float, rng: np.random.Generator) -> int:
    """Velocity of a note: the mark, the phrase, the place in the bar, the line of the tune, and chance."""
    beat = (note.onset_quarter - 1.0) % 3.0  # the pick-up is one quarter long
    accent = 3.0 if beat == 0.0 else (-4.0 if beat % 1.0 else 0.0)
    arch = float(phrase_arch(np.array([note.onset_quarter]))[0])
    value = marked + accent + 6.0 * (arch - 0.6) + 0.4 * (note.midi - centre_midi) + rng.normal(0, 1.5)
    return int(np.clip(round(value), 30, 120))


def perform(seed: int) -> list[PerformedNote]:
    """Every note of the piece as played, part by part."""
    rng = np.random.default_rng(seed)
    quarter_grid, second_grid = tempo_curve(rng)
    played: list[PerformedNote] = []
    for index in range(len(PARTS)):
        own = [note for note in played_notes() if note.part_index == index]
        onsets = np.array([note.onset_quarter for note in own])
        onset_s = np.interp(onsets, quarter_grid, second_grid) + np.clip(
            rng.normal(0, JITTER_S, len(own)), -0.022, 0.022
        )
        marked = np.interp(onsets, *dynamics(index))
        marked_end = np.interp([note.end_quarter - 1e-6 for note in own], *dynamics(index))
        centre_midi = float(np.mean([note.midi for note in own]))
        for i, note in enumerate(own):
            gap_s = -0.015 if note.is_slurred else 0.03 + 0.04 * rng.random()
            end_s = float(np.interp(note.end_quarter, quarter_grid, second_grid)) - gap_s
            if i + 1 < len(own) and own[i + 1].midi == note.midi:
                end_s = min(end_s, float(onset_s[i + 1]) - 0.02)  # else the end of one would stop the other
            played.append(
                PerformedNote(
                    index,
                    note.midi,
                    note.onset_quarter,
                    note.end_quarter,
                    float(onset_s[i]),
                    max(end_s, float(onset_s[i]) + 0.06),
                    velocity_of(note, float(marked[i]), centre_midi, rng),
                    float(marked_end[i] / marked[i]),
                )
            )
    return played
