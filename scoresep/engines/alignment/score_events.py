"""The score as an aligner sees it: the moments at which notes begin, and what should be heard from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment import AlignmentOptions
from scoresep.engines.features import PitchScale
from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import SAME_QUARTER

HARMONICS = 10
# Power of each harmonic relative to the one below it: between a flute's and a reed's, and only a first guess.
HARMONIC_DECAY = 0.5


@dataclass(frozen=True, eq=False)
class ScoreEvents:
    """The moments at which notes begin, in the order of playing.

    Attributes
    ----------
    quarter : ndarray [shape=(events,)], float64
        Rising.
    end_quarter : float
        Where the last note ends.
    nominal_s : ndarray [shape=(events + 1,)], float64
        When the events, and the end, come if the marked tempi are kept.
    event_of_note : ndarray [shape=(notes,)], int64
        The event with which each note of the unfolded score begins (grace notes: that of their main note).
    """

    quarter: NDArray[np.float64]
    end_quarter: float
    nominal_s: NDArray[np.float64]
    event_of_note: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.quarter)

    @property
    def borders_quarter(self) -> NDArray[np.float64]:
        """The events and the end, shape (events + 1,)."""
        return np.append(self.quarter, self.end_quarter)


def score_events(unfolded: UnfoldedScore, options: AlignmentOptions) -> ScoreEvents:
    """Gather the notes' beginnings; notes that begin closer together than `SAME_QUARTER` share one event."""
    notes = unfolded.notes
    onset = notes.onset_quarter
    order = np.argsort(onset, kind="stable")
    is_first = np.concatenate([[True], np.diff(onset[order]) > SAME_QUARTER])
    event_of_note = np.empty(len(onset), np.int64)
    event_of_note[order] = np.cumsum(is_first) - 1
    quarter = onset[order][is_first]
    end_quarter = max(float((onset + notes.duration_quarter).max()), float(quarter[-1]) + 0.25)
    nominal_s = nominal_seconds(unfolded, np.append(quarter, end_quarter), options.default_quarters_per_minute)
    return ScoreEvents(quarter, end_quarter, nominal_s, event_of_note)


def nominal_seconds(
    unfolded: UnfoldedScore, quarters: NDArray[np.float64], default_quarters_per_minute: float
) -> NDArray[np.float64]:
    """Return when positions of the path come if the marked tempi are kept.

    Parameters
    ----------
    unfolded : UnfoldedScore
    quarters : ndarray [shape=(positions,)], float64
    default_quarters_per_minute : float
        Where the score marks no tempo.
    """
    tempo = unfolded.tempo_at_steps
    tempo = np.where(np.isfinite(tempo) & (tempo > 0), tempo, default_quarters_per_minute)
    starts = unfolded.step_start_quarter
    start_s = np.concatenate([[0.0], np.cumsum(np.diff(starts) * 60 / tempo)])
    return np.asarray(np.interp(quarters, starts, start_s) + np.maximum(quarters - starts[-1], 0) * 60 / tempo[-1])


@lru_cache(maxsize=32)
def harmonic_profiles(scale: PitchScale, transposition_semitones: float = 0.0) -> NDArray[np.float64]:
    """Return the power in every semitone of a tone of each MIDI pitch, shape (128, bins).

    A tone whose harmonics all lie outside the scale is empty.
    """
    number = np.arange(1, HARMONICS + 1)
    offset = np.rint(12 * np.log2(number)).astype(np.int64)
    profiles = np.zeros((128, scale.bins))
    for midi in range(128):
        bins = midi + round(transposition_semitones) + offset - scale.lowest_midi
        inside = (bins >= 0) & (bins < scale.bins)
        np.add.at(profiles[midi], bins[inside], HARMONIC_DECAY ** (number[inside] - 1))
    profiles.setflags(write=False)  # it is shared
    return profiles


def sounding_shares(
    unfolded: UnfoldedScore, borders_quarter: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Tell which notes sound in which stretches of the score, and for what share of the stretch.

    Parameters
    ----------
    unfolded : UnfoldedScore
    borders_quarter : ndarray [shape=(stretches + 1,)], float64
        Rising.

    Returns
    -------
    stretch, note : ndarray [shape=(pairs,)], int64
    share : ndarray [shape=(pairs,)], float64
    """
    notes = unfolded.notes
    pitched = np.flatnonzero(~notes.is_grace & np.isfinite(notes.pitch_midi))
    start, end = notes.onset_quarter[pitched], (notes.onset_quarter + notes.duration_quarter)[pitched]
    first = np.maximum(np.searchsorted(borders_quarter, start + SAME_QUARTER, side="right") - 1, 0)
    last = np.minimum(np.searchsorted(borders_quarter, end - SAME_QUARTER), len(borders_quarter) - 1)
    count = np.maximum(last - first, 0)
    row = np.repeat(np.arange(len(pitched)), count)
    stretch = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    overlap = np.minimum(end[row], borders_quarter[stretch + 1]) - np.maximum(start[row], borders_quarter[stretch])
    share = np.clip(overlap / np.diff(borders_quarter)[stretch], 0.0, 1.0)
    return stretch, pitched[row], share


def expected_spectra(
    unfolded: UnfoldedScore, borders_quarter: NDArray[np.float64], profiles: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the power expected in every semitone in stretches of the score, shape (stretches, bins); 0 in rests.

    Parameters
    ----------
    unfolded : UnfoldedScore
    borders_quarter : ndarray [shape=(stretches + 1,)], float64
        Where each begins, and the last ends.
    profiles : ndarray [shape=(128, bins)], float64
        Power of a note of each MIDI pitch in every semitone.
    """
    stretch, note, share = sounding_shares(unfolded, borders_quarter)
    midi = np.clip(np.rint(unfolded.notes.pitch_midi[note]), 0, 127).astype(np.int64)
    pitch_power = np.zeros((len(borders_quarter) - 1, 128), np.float32)
    np.add.at(pitch_power, (stretch, midi), share)
    return np.asarray(pitch_power @ profiles.astype(np.float32))
