"""In which tuning and key a recording is, where the times of its notes are known already, as from a table."""

from __future__ import annotations

import numpy as np

from scoresep.engines.features import (
    TONAL_SCALE,
    compressed,
    estimate_tuning_cents,
    pitch_spectra,
    reference_power,
)
from scoresep.model.alignment import NoteTimes
from scoresep.model.audio import SampleSource
from scoresep.model.score import PathNotes
from scoresep.progress import Progress

HIGHEST_SEMITONES = 6
# What the second partial counts beside the first: a key an octave or a fifth away must not do as well.
SECOND_PARTIAL, THIRD_PARTIAL = 0.5, 0.3
# How much better another key must be, as a share of how much the best one stands out.
MARGIN = 0.15


def sounding_pitch(
    source: SampleSource, notes: PathNotes, times: NoteTimes, progress: Progress | None = None
) -> tuple[float, int]:
    """Find how far a recording lies above A4 = 440 Hz, and in which key it is.

    Parameters
    ----------
    source : SampleSource
    notes : PathNotes
    times : NoteTimes
        Row by row as `notes`.
    progress : Progress, optional

    Returns
    -------
    tuning_cents : float
        From -50 to 50.
    transposition_semitones : int
        How far it sounds above the score; 0 where that is in doubt.
    """
    tuning_cents = estimate_tuning_cents(source)
    rows = np.flatnonzero(times.is_present & np.isfinite(notes.pitch_midi) & (times.offset_frame > times.onset_frame))
    if not len(rows):
        return tuning_cents, 0
    (power,) = pitch_spectra(source, (TONAL_SCALE,), tuning_cents, progress)
    heard = compressed(power, reference_power(power))
    heard = heard - heard.mean(axis=1, keepdims=True)
    summed = np.concatenate([np.zeros((1, heard.shape[1])), np.cumsum(heard, axis=0, dtype=np.float64)])
    per_frame = TONAL_SCALE.frame_rate_hz / source.sample_rate
    first = np.clip((times.onset_frame[rows] * per_frame).astype(int), 0, len(heard) - 1)
    last = np.clip((times.offset_frame[rows] * per_frame).astype(int), first + 1, len(heard))
    mean = (summed[last] - summed[first]) / (last - first)[:, None]
    pitch = np.rint(notes.pitch_midi[rows]).astype(int) - TONAL_SCALE.lowest_midi
    weight = np.minimum(times.offset_frame[rows] - times.onset_frame[rows], source.sample_rate).astype(np.float64)
    shifts = np.arange(-HIGHEST_SEMITONES, HIGHEST_SEMITONES + 1)
    values = np.zeros(len(shifts))
    for above, share in ((0, 1.0), (12, SECOND_PARTIAL), (19, THIRD_PARTIAL)):
        at = pitch[:, None] + above + shifts
        inside = (at >= 0) & (at < heard.shape[1])
        found = np.take_along_axis(mean, np.clip(at, 0, heard.shape[1] - 1), axis=1)
        values += share * (weight[:, None] * np.where(inside, found, 0.0)).sum(0) / weight.sum()
    best = int(np.argmax(values))
    stands_out = values[best] - np.median(values)
    is_sure = values[best] - values[HIGHEST_SEMITONES] > MARGIN * stands_out
    return tuning_cents, int(shifts[best]) if is_sure else 0
