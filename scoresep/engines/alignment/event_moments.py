"""When every event of the score happens in the recording: from the coarse path, in rounds, to hundredths of a second."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.coarse_path import CoarsePath
from scoresep.engines.alignment.event_path import change_evidence
from scoresep.engines.alignment.note_onsets import CANDIDATE_OFFSETS_S, STEP_S, event_evidence, judge, single_onsets_s
from scoresep.engines.alignment.note_patches import HeardLevels, PlacedNotes
from scoresep.engines.alignment.note_times import NoteGuess
from scoresep.engines.alignment.rises import onset_rises
from scoresep.engines.alignment.score_events import ScoreEvents, expected_spectra, harmonic_profiles
from scoresep.engines.alignment.similarity import expected_vectors
from scoresep.engines.alignment.tempo_path import TempoModel, best_moments, flowing_gaps_s
from scoresep.engines.features import TONAL_SCALE
from scoresep.model.score import UnfoldedScore
from scoresep.progress import Progress

# From wide and rough to narrow and fine: half the width searched around every event, and the step, in seconds.
ROUGH_ROUNDS_S = ((0.8, 0.04), (0.4, 0.02), (0.16, 0.01))
NETWORK_ROUNDS = 2
# Evidence of a change of sound (in seconds of a certain match) and of a rise, weighed against the tempo.
CHANGE_WEIGHT = 25.0
RISE_WEIGHT = 2.0
# The same beside the network, which has heard most of it.
CHANGE_WEIGHT_BESIDE = 5.0
GRACE_S = 0.07


@dataclass(frozen=True, eq=False)
class Situation:
    """What is sought where.

    Attributes
    ----------
    unfolded : UnfoldedScore
    events : ScoreEvents
    covered : slice
        The events that the recording contains.
    semitones : int
        How far the recording sounds above the score.
    fixed_s : tuple of (quarter, second)
        Points placed by hand.
    duration_s : float
        Length of the recording.
    """

    unfolded: UnfoldedScore
    events: ScoreEvents
    covered: slice
    semitones: int
    fixed_s: tuple[tuple[float, float], ...]
    duration_s: float

    @cached_property
    def is_covered(self) -> NDArray[np.bool_]:
        """Which notes begin with a covered event, shape (notes,)."""
        event = self.events.event_of_note
        return (event >= self.covered.start) & (event < self.covered.stop)

    @cached_property
    def sounding_midi(self) -> NDArray[np.float64]:
        """Pitches as they sound in the recording, shape (notes,)."""
        return np.asarray(self.unfolded.notes.pitch_midi + self.semitones)

    @cached_property
    def quarter(self) -> NDArray[np.float64]:
        """Positions of the covered events."""
        return self.events.quarter[self.covered]

    @cached_property
    def nominal_s(self) -> NDArray[np.float64]:
        """When the covered events come at the marked tempo."""
        return self.events.nominal_s[:-1][self.covered]


def covered_events(events: ScoreEvents, path: CoarsePath) -> slice:
    """Return which events the coarse path passes."""
    first = int(np.searchsorted(events.quarter, path.quarter[0] - 0.25)) if path.starts_inside else 0
    last = int(np.searchsorted(events.quarter, path.quarter[-1] + 0.25)) if path.ends_inside else len(events)
    first = min(first, len(events) - 1)
    return slice(first, max(last, first + 1))


def event_moments(
    at: Situation, tonal: NDArray[np.float32], levels: HeardLevels, path: CoarsePath, progress: Progress
) -> tuple[NDArray[np.float64], NoteGuess]:
    """Find when the covered events happen, and when their single notes begin.

    Returns
    -------
    event_s : ndarray [shape=(covered events,)], float64
        Rising.
    guess : NoteGuess
        For all notes of the score; what is not covered is NaN.
    """
    expected = _expected_around(at)
    event_s = rising(np.interp(at.quarter, *_entry_times(path)))
    members = np.flatnonzero(at.is_covered & ~at.unfolded.notes.is_grace)
    event_of = at.events.event_of_note[members] - at.covered.start
    size = np.maximum(np.bincount(event_of, minlength=len(at.quarter)), 1)
    for half_s, step_s in ROUGH_ROUNDS_S:
        candidate_s = event_s[:, None] + np.arange(-round(half_s / step_s), round(half_s / step_s) + 1) * step_s
        evidence = CHANGE_WEIGHT * change_evidence(tonal, TONAL_SCALE.frame_rate_hz, expected, candidate_s)
        together = np.zeros_like(evidence)
        np.add.at(together, event_of, onset_rises(levels, at.sounding_midi[members], candidate_s[event_of]))
        evidence += RISE_WEIGHT * together / np.sqrt(size)[:, None].astype(np.float32)
        event_s = _chosen(at, event_s, candidate_s, evidence)
    pitched = members[np.isfinite(at.sounding_midi[members])]
    event_of = at.events.event_of_note[pitched] - at.covered.start
    onset_s, absence = np.full(len(at.is_covered), np.nan), np.full(len(at.is_covered), np.nan)
    for round_progress in progress.parts(NETWORK_ROUNDS):
        placed = _placed(at, event_s, pitched)
        judged = judge(levels, placed, round_progress)
        candidate_s = (np.rint(event_s / STEP_S) * STEP_S)[:, None] + CANDIDATE_OFFSETS_S
        evidence = event_evidence(judged, event_of, len(event_s))
        beside = change_evidence(tonal, TONAL_SCALE.frame_rate_hz, expected, candidate_s)
        event_s = _chosen(at, event_s, candidate_s, evidence + CHANGE_WEIGHT_BESIDE * beside)
    onset_s[members] = event_s[at.events.event_of_note[members] - at.covered.start]
    onset_s[pitched] = single_onsets_s(judged, event_s[event_of])
    absence[pitched] = judged.absence
    grace = np.flatnonzero(at.is_covered & at.unfolded.notes.is_grace)
    onset_s[grace] = event_s[at.events.event_of_note[grace] - at.covered.start] - GRACE_S
    return event_s, NoteGuess(onset_s, absence)


def _expected_around(at: Situation) -> NDArray[np.float32]:
    """Return what should be heard before the first covered event, after it, and so on to after the last."""
    profiles = harmonic_profiles(TONAL_SCALE, at.semitones)
    expected = expected_vectors(expected_spectra(at.unfolded, at.events.borders_quarter, profiles))
    silence = np.zeros((1, expected.shape[1]), np.float32)
    silence[0, -1] = 1
    return np.concatenate([silence, expected])[at.covered.start : at.covered.stop + 1]


def _placed(at: Situation, event_s: NDArray[np.float64], which: NDArray[np.int64]) -> PlacedNotes:
    notes = at.unfolded.notes
    onset_s = event_s[at.events.event_of_note[which] - at.covered.start]
    end_quarter = (notes.onset_quarter + notes.duration_quarter)[which]
    slope = (event_s[-1] - event_s[0]) / max(at.quarter[-1] - at.quarter[0], 1e-9) if len(event_s) > 1 else 0.7
    end_s = np.interp(end_quarter, at.quarter, event_s) + np.maximum(end_quarter - at.quarter[-1], 0) * slope
    midi = np.clip(np.rint(at.sounding_midi[which]), 0, 127).astype(np.int64)
    return PlacedNotes(midi, onset_s, np.maximum(end_s, onset_s + 0.05))


def _chosen(
    at: Situation, event_s: NDArray[np.float64], candidate_s: NDArray[np.float64], evidence: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Choose the best candidate for every event, between the points placed by hand."""
    evidence[(candidate_s < 0) | (candidate_s > at.duration_s)] -= 1e3
    for fixed_quarter, second in at.fixed_s:
        offset = at.quarter - fixed_quarter
        here, before, after = np.abs(offset) < 1e-3, offset <= -1e-3, offset >= 1e-3
        evidence[here] -= 1e3 * np.abs(candidate_s[here] - second).astype(np.float32)
        evidence[before] -= 1e4 * (candidate_s[before] >= second)
        evidence[after] -= 1e4 * (candidate_s[after] <= second)
    if len(event_s) < 2:
        return np.asarray(candidate_s[0, evidence.argmax(axis=1)])
    step_s = float(candidate_s[0, 1] - candidate_s[0, 0])
    first_step = np.rint(candidate_s[:, 0] / step_s).astype(np.int64)
    choice = best_moments(first_step, evidence, flowing_gaps_s(event_s, at.nominal_s) / step_s, TempoModel(), step_s)
    return rising(candidate_s[np.arange(len(choice)), choice])


def _entry_times(path: CoarsePath) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return quarters, strictly rising, and the times at which the coarse path comes to them."""
    first = np.concatenate([[True], np.diff(path.quarter) > 0])
    quarter, time_s = path.quarter[first], path.time_s[first]
    if len(quarter) < 2:
        return np.append(quarter, quarter[-1] + 1), np.append(time_s, path.time_s[-1] + 1e-3)
    slope = (path.time_s[-1] - time_s[0]) / (quarter[-1] - quarter[0])
    return (
        np.concatenate([[quarter[0] - 8], quarter, [quarter[-1] + 8]]),
        np.concatenate([[time_s[0] - 8 * slope], time_s, [time_s[-1] + 8 * slope]]),
    )


def rising(time_s: NDArray[np.float64], least_s: float = 1e-3) -> NDArray[np.float64]:
    """Make times rise by at least `least_s`."""
    ramp = np.arange(len(time_s)) * least_s
    return np.asarray(np.maximum.accumulate(time_s - ramp) + ramp)
