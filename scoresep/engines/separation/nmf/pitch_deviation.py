"""How much the pitches of a recording wander within notes: singers' vibrato and glides want other settings.

A voice that moves by half a semitone five times a second blurs in windows that suit a clarinet, and leaves the bends
that are allowed to it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scoresep.engines.separation.nmf.dictionary import Dictionary
from scoresep.engines.separation.nmf.fitting import Block
from scoresep.engines.separation.nmf.settings import NmfSettings, cents

# Cents from window to window of 186 ms, a quarter of it apart. Measured on 25 s each: four singers 8 to 10, players of
# strings, winds and brass, and sampled voices without vibrato, up to 5.4.
VIBRATO_CENTS = 6.5
WINDOW_S = 0.128
REACH_CENTS = 100


def pitch_deviation_cents(dictionary: Dictionary, heard: list[tuple[int, int, Block]]) -> float:
    """Return by how much pitches change from window to window, weighted by loudness, as a mean over the stems."""
    rows = dictionary.rows
    shift_cents = np.asarray(dictionary.settings.shifts_cents)
    moved, loud = np.zeros(rows.stem_count), np.zeros(rows.stem_count)
    for _, _, block in heard:
        index, loudness = block.rows.cpu().numpy(), block.loudness.cpu().numpy()
        is_pitched = index < rows.pitched.stop
        # all shifts of a pitch are in a block, or none
        each = loudness[:, is_pitched].reshape(len(loudness), -1, rows.shifts)
        stem = rows.pitches.stem[index[is_pitched][:: rows.shifts] // rows.shifts]
        total = each.sum(2)
        centre = (each @ shift_cents) / (total + 1e-12)
        weight = np.minimum(total[1:], total[:-1])
        np.add.at(moved, stem, (np.abs(np.diff(centre, axis=0)) * weight).sum(0))
        np.add.at(loud, stem, weight.sum(0))
    return float((moved[loud > 0] / loud[loud > 0]).mean()) if loud.any() else 0.0


def vibrato_settings(settings: NmfSettings) -> NmfSettings:
    """Return settings for pitches that wander: shorter windows, bends as far as they go, and sounds held together more.

    Bends that may go anywhere leave much to be explained at will; fewer rounds of learning and more sharing between
    pitches keep parts from taking each other's partials. Soft beginnings are heard before the note is said to begin.
    """
    step = round(settings.shifts_cents[1] - settings.shifts_cents[0]) if len(settings.shifts_cents) > 1 else 10
    return replace(
        settings,
        window_s=WINDOW_S,
        shifts_cents=cents(REACH_CENTS // step * step, step),
        full_resolution_hz=1500.0,
        learn_iterations=max(settings.learn_iterations // 2, 8),
        magnitude_exponent=0.65,
        mask_exponent=1.8,
        far_cost=0.5,
        sharing=3.0,
        tolerances=replace(settings.tolerances, early_s=0.15),
    )
