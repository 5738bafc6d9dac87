"""How much of every part is heard at every moment: the evidence from which sets of parts are told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.features import PitchScale, pitch_spectra
from scoresep.engines.segmentation.tone_models import (
    FIT_AGAIN,
    ToneTable,
    divergence_with_at_least,
    explained_by,
    first_spectra,
    fitted_gains,
    learned_spectra,
)
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

EVIDENCE_SCALE = PitchScale(50)
LEARNING_ROUNDS = 3
FIRST_FIT, NEXT_FIT = 15, 8
LOWEST_DB = -40.0
# No part is believed to play so much softer than the others; what is that soft is not there.
SOFTEST_DB = 6.0
# A sounding part reaches at least a level so far below its usual one.
LEAST_BELOW_DB = 8.0
# Divergence at which a part half tells whether it is there.
DISTINCT = 5.0


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is heard of every part.

    Attributes
    ----------
    level_db : ndarray [shape=(frames, parts)], float32
        Level of the part's tones, relative to where it usually is when the part sounds.
    need : ndarray [shape=(frames, parts)], float32
        How much worse what is heard is explained without the part than with it; negative where the part is in the way,
        near 0 where it would hardly be noticed. Compressed (area hyperbolic sine of a divergence).
    distinctness : ndarray [shape=(frames, parts)], float32
        How far what is heard tells whether the part sounds, 0 to 1: little where others can sound just the same,
        nothing where the part was not listened for.
    is_expected : ndarray [shape=(frames, parts)], bool
        Whether the part was listened for; elsewhere the others are without meaning.
    """

    level_db: NDArray[np.float32]
    likelihood_gain: NDArray[np.float32]
    distinctness: NDArray[np.float32]
    is_expected: NDArray[np.bool_]


class PartEvidence:
    """Hears how much of every part is in a recording, the better the more is known of who sounds.

    Parameters
    ----------
    observed : ndarray [shape=(frames, bins)], float32
        From `measure_evidence`.
    table : ToneTable
    parts : int
    """

    def __init__(self, observed: NDArray[np.float32], table: ToneTable, parts: int) -> None:
        self._observed, self._table, self._parts = observed, table, parts
        self._own = [table.is_of_part(part) for part in range(parts)]
        self._guess = self._spectra = first_spectra(table, EVIDENCE_SCALE)
        self._gains, self._divergence = fitted_gains(observed, self._spectra, table.kind, FIRST_FIT)

    def evidence(self, sounding: NDArray[np.float64]) -> Evidence:
        """Learn what the tones sound like anew, and find how much of every part is heard.

        Parameters
        ----------
        sounding : ndarray [shape=(frames, parts)], float64
            How surely every part sounds, as far as it is known.
        """
        table, parts = self._table, self._parts
        weight = np.zeros(table.kind.shape, np.float32)
        for part, own in enumerate(self._own):
            weight += (own & table.is_written) * sounding[:, part : part + 1].astype(np.float32)
        for _ in range(LEARNING_ROUNDS):
            self._spectra = learned_spectra(self._observed, self._spectra, table, self._gains, weight, self._guess)
            start = 0.9 * self._gains + 0.1 * self._gains.mean() * (table.kind < len(self._spectra) - 1)
            self._gains, self._divergence = fitted_gains(
                self._observed, self._spectra, table.kind, NEXT_FIT, start.astype(np.float32)
            )
        gains = np.stack([np.where(own, self._gains, 0).sum(axis=1) for own in self._own], axis=1)
        usual = _usual_gains(gains, sounding)
        level = np.maximum(20 * np.log10(np.maximum(gains / usual, 1e-9)), LOWEST_DB)
        likelihood_gain = np.zeros((len(gains), parts), np.float32)
        distinctness = np.zeros((len(gains), parts), np.float32)
        expected = np.zeros((len(gains), parts), np.bool_)
        for part in range(parts):
            rows = np.flatnonzero(self._own[part].any(axis=1))
            expected[rows, part] = True
            if len(rows):
                likelihood_gain[rows, part] = self._need(part, rows, float(usual[part]) * 10 ** (-LEAST_BELOW_DB / 20))
                distinctness[rows, part] = self._distinctness(part, rows, float(usual[part]))
        return Evidence(level.astype(np.float32), likelihood_gain, distinctness, expected)

    def part_level_db(self, part: int, first: int, last: int) -> NDArray[np.float64]:
        """Return the level of a part in frames [first, last); very low where it is not sought.

        Parameters
        ----------
        part : int
            Its index.
        first, last : int
            Frames of the features, half-open.
        """
        gains = np.where(self._own[part][first:last], self._gains[first:last], 0).sum(axis=1)
        return np.asarray(20 * np.log10(np.maximum(gains, 1e-4)), np.float64)

    def _need(self, part: int, rows: NDArray[np.int64], least: float) -> NDArray[np.float32]:
        observed, kind, own, gains = (
            self._observed[rows],
            self._table.kind[rows],
            self._own[part][rows],
            self._gains[rows],
        )
        _, without = fitted_gains(observed, self._spectra, kind, FIT_AGAIN, np.where(own, np.float32(0), gains))
        present = divergence_with_at_least(observed, self._spectra, kind, gains, own, least)
        return np.asarray(np.arcsinh(without - present), np.float32)

    def _distinctness(self, part: int, rows: NDArray[np.int64], usual: float) -> NDArray[np.float32]:
        """Tell how badly the others would explain that the part sounds at its usual level beside them."""
        kind, own = self._table.kind[rows], self._own[part][rows]
        others = np.where(own, np.float32(0), self._gains[rows])
        with_part = others + own * np.float32(usual) / own.sum(axis=1, keepdims=True)
        imagined = explained_by(with_part.astype(np.float32), self._spectra, kind)
        _, divergence = fitted_gains(imagined, self._spectra, kind, FIT_AGAIN, others)
        return np.asarray(divergence / (divergence + DISTINCT), np.float32)


def measure_evidence(source: SampleSource, tuning_cents: float, progress: Progress) -> NDArray[np.float32]:
    """Compute the spectra in which parts are listened for, as sizes whose mean square is 1; shape (frames, bins).

    Parameters
    ----------
    source : SampleSource
    tuning_cents : float
        Of the recording, above A = 440 Hz.
    progress : Progress
    """
    (power,) = pitch_spectra(source, (EVIDENCE_SCALE,), tuning_cents, progress)
    power /= max(float(power.mean(dtype=np.float64)), 1e-20)
    return np.asarray(np.sqrt(power, out=power))


def _usual_gains(gains: NDArray[np.float32], sounding: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gain that every part usually has when it sounds, shape (parts,)."""
    usual = np.full(gains.shape[1], np.nan)
    for part in range(gains.shape[1]):
        sure = sounding[:, part] > 0.5
        if sure.any():
            usual[part] = np.median(gains[sure, part])
    known = usual[np.isfinite(usual)]
    common = float(np.quantile(known, 0.6)) if len(known) else 1.0
    return np.asarray(np.maximum(np.nan_to_num(usual, nan=common), max(common, 1e-6) * 10 ** (-SOFTEST_DB / 20)))
