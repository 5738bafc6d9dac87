"""When every event of the score happens in the recording: from the coarse path, in rounds, to hundredths of seconds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.coarse_alignment import CoarseRun
from scoresep.engines.alignment.coarse_grid import expected_vectors
from scoresep.engines.alignment.note_times import (
    STEP_S,
    NoteGuess,
    event_evidence,
    grace_onsets_s,
    judge,
    single_onsets_s,
)
from scoresep.engines.alignment.onset_detection import (
    HALF_WIDTH,
    OnsetSpectrogram,
    PlacedNotes,
    harmonic_change,
    harmonic_flux,
)
from scoresep.engines.alignment.score_events import ScoreEvents, expected_spectra, harmonic_profiles
from scoresep.engines.alignment.tempo_hmm import Candidates, TempoModel, decode_onsets, expected_iois_s
from scoresep.engines.features import TONAL_SCALE
from scoresep.model.score import UnfoldedScore
from scoresep.progress import Progress

# From wide and rough to narrow and fine: half the width searched around every event, and the step, in seconds.
ROUGH_ROUNDS_S = ((0.8, 0.04), (0.4, 0.02), (0.16, 0.01))
NETWORK_ROUNDS = 2
# Evidence of a change of sound (in seconds of a certain match) and of a rise, weighed against the tempo.
CHANGE_WEIGHT = 25.0
ROUGH_TEMPO = TempoModel(break_cost=4.0)
RISE_WEIGHT = 2.0
# The same beside the network, which has heard most of it.
CHANGE_WEIGHT_BESIDE = 5.0
# Events this far beyond the ends of the recording are tried as well.
BEYOND_S = 0.5
# Near the ends of what was found the coarse path may be lost, and events may be missing.
LOST_S = 6.0
UNSURE_S = 8.0


@dataclass(frozen=True, eq=False)
class RefinementProblem:
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
        return np.asarray((event >= self.covered.start) & (event < self.covered.stop))

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


def first_moments(
    events: ScoreEvents, run: CoarseRun, earliest_s: float, latest_s: float
) -> tuple[slice, NDArray[np.float64]]:
    """Return which events a run may contain, and about when they happen, from `earliest_s` to `latest_s`.

    Parameters
    ----------
    events : ScoreEvents
    run : CoarseRun
        Of the coarse path.
    earliest_s, latest_s : float
        Between which the events are sought.
    """
    quarter, time_s = _entry_times(run)
    all_s = np.interp(events.quarter, quarter, time_s)
    inside = np.flatnonzero((all_s > earliest_s - BEYOND_S) & (all_s < latest_s + BEYOND_S))
    first = int(inside[0]) if run.starts_inside and len(inside) else 0
    last = int(inside[-1]) + 1 if run.ends_inside and len(inside) else len(events)
    return slice(first, max(last, first + 1)), rising(all_s[first : max(last, first + 1)])


def refine_onsets(
    at: RefinementProblem,
    event_s: NDArray[np.float64],
    tonal: NDArray[np.float32],
    levels: OnsetSpectrogram,
    progress: Progress,
) -> tuple[slice, NDArray[np.float64], NoteGuess]:
    """Find when the covered events happen, and when their single notes begin.

    Parameters
    ----------
    at : RefinementProblem
        Which events are covered, and between which moments.
    event_s : ndarray [shape=(covered events,)], float64
        About when they happen; rising.
    tonal : ndarray [shape=(frames, bins)], float32
        Spectra on the semitones of the recording's tuning.
    levels : OnsetSpectrogram
        In which the network sees onsets.
    progress : Progress

    Returns
    -------
    present : slice
        Those of the covered events that the recording contains.
    event_s : ndarray [shape=(covered events,)], float64
        Rising.
    guess : NoteGuess
        For all notes of the score; what is not covered is NaN.
    """
    expected = _expected_around(at)
    kept = _kept(at, event_s)
    members = np.flatnonzero(at.is_covered & ~at.unfolded.notes.is_grace)
    event_of = at.events.event_of_note[members] - at.covered.start
    size = np.maximum(np.bincount(event_of, minlength=len(at.quarter)), 1)
    for half_s, step_s in ROUGH_ROUNDS_S:
        candidate_s = _candidates(event_s, half_s, step_s)
        evidence = CHANGE_WEIGHT * harmonic_change(tonal, TONAL_SCALE.frame_rate_hz, expected, candidate_s)
        together = np.zeros_like(evidence)
        np.add.at(together, event_of, harmonic_flux(levels, at.sounding_midi[members], candidate_s[event_of]))
        evidence += RISE_WEIGHT * together / np.sqrt(size)[:, None].astype(np.float32)
        event_s, _ = _chosen(at, event_s, candidate_s, evidence, slice(0, len(event_s)), ROUGH_TEMPO)
    pitched = members[np.isfinite(at.sounding_midi[members])]
    event_of = at.events.event_of_note[pitched] - at.covered.start
    present = slice(0, len(event_s))
    for round_progress in progress.parts(NETWORK_ROUNDS):
        judged = judge(levels, _placed(at, event_s, pitched), round_progress)
        candidate_s = _candidates(event_s, HALF_WIDTH * STEP_S, STEP_S)
        evidence = event_evidence(judged, event_of, len(event_s))
        beside = harmonic_change(tonal, TONAL_SCALE.frame_rate_hz, expected, candidate_s)
        beside -= beside.mean(axis=1, keepdims=True)
        event_s, present = _chosen(
            at, event_s, candidate_s, evidence + CHANGE_WEIGHT_BESIDE * beside, kept, TempoModel()
        )
    onset_s, absence = np.full(len(at.is_covered), np.nan), np.full(len(at.is_covered), np.nan)
    onset_s[members] = event_s[at.events.event_of_note[members] - at.covered.start]
    onset_s[pitched], absence[pitched] = single_onsets_s(judged, event_s[event_of])
    main_s = np.full(len(onset_s), np.nan)
    main_s[at.is_covered] = event_s[at.events.event_of_note[at.is_covered] - at.covered.start]
    onset_s = grace_onsets_s(levels, at.unfolded.notes, at.sounding_midi, onset_s, main_s)
    present = slice(at.covered.start + present.start, at.covered.start + present.stop)
    return present, event_s, NoteGuess(onset_s, absence)


def _candidates(event_s: NDArray[np.float64], half_s: float, step_s: float) -> NDArray[np.float64]:
    """Return evenly spaced moments on either side of the present ones, on one grid."""
    steps = round(half_s / step_s)
    return np.asarray((np.rint(event_s / step_s)[:, None] + np.arange(-steps, steps + 1)) * step_s)


def _kept(at: RefinementProblem, event_s: NDArray[np.float64]) -> slice:
    """Return the events that are surely there: those not near the ends, and those between points placed by hand."""
    last = len(event_s) - 1
    start = min(int(np.searchsorted(event_s, max(event_s[0], 0.0) + UNSURE_S)), last // 2)
    stop = max(int(np.searchsorted(event_s, min(event_s[-1], at.duration_s) - UNSURE_S)), start + 1)
    for quarter, _ in at.fixed_s:
        near = int(np.argmin(np.abs(at.quarter - quarter)))
        start, stop = min(start, near), max(stop, near + 1)
    return slice(start, stop)


def _expected_around(at: RefinementProblem) -> NDArray[np.float32]:
    """Return what should be heard before the first covered event, after it, and so on to after the last."""
    profiles = harmonic_profiles(TONAL_SCALE, at.semitones)
    borders = at.events.borders_quarter[max(at.covered.start - 1, 0) : at.covered.stop + 1]
    expected = expected_vectors(expected_spectra(at.unfolded, borders, profiles))
    if at.covered.start:
        return expected
    silence = np.zeros((1, expected.shape[1]), np.float32)
    silence[0, -1] = 1
    return np.concatenate([silence, expected])


def _placed(at: RefinementProblem, event_s: NDArray[np.float64], which: NDArray[np.int64]) -> PlacedNotes:
    notes = at.unfolded.notes
    onset_s = event_s[at.events.event_of_note[which] - at.covered.start]
    end_quarter = (notes.onset_quarter + notes.duration_quarter)[which]
    slope = (event_s[-1] - event_s[0]) / max(at.quarter[-1] - at.quarter[0], 1e-9) if len(event_s) > 1 else 0.7
    end_s = np.interp(end_quarter, at.quarter, event_s) + np.maximum(end_quarter - at.quarter[-1], 0) * slope
    midi = np.clip(np.rint(at.sounding_midi[which]), 0, 127).astype(np.int64)
    return PlacedNotes(midi, onset_s, np.maximum(end_s, onset_s + 0.05))


def _chosen(
    at: RefinementProblem,
    event_s: NDArray[np.float64],
    candidate_s: NDArray[np.float64],
    evidence: NDArray[np.float32],
    kept: slice,
    tempo: TempoModel,
) -> tuple[NDArray[np.float64], slice]:
    """Choose the best candidate for every event, between the points placed by hand; return times and who is there."""
    for fixed_quarter, second in at.fixed_s:
        offset = at.quarter - fixed_quarter
        here, before, after = np.abs(offset) < 1e-3, offset <= -1e-3, offset >= 1e-3
        evidence[here] -= 1e3 * np.abs(candidate_s[here] - second).astype(np.float32)
        evidence[before] -= 1e4 * (candidate_s[before] >= second)
        evidence[after] -= 1e4 * (candidate_s[after] <= second)
    if len(event_s) < 2:
        return np.asarray(candidate_s[0, evidence.argmax(axis=1)]), slice(0, 1)
    step_s = float(candidate_s[0, 1] - candidate_s[0, 0])
    among = Candidates(np.rint(candidate_s[:, 0] / step_s).astype(np.int64), evidence, step_s)
    gap_s = expected_iois_s(event_s, at.nominal_s)
    choice, present = decode_onsets(among, gap_s, tempo, kept)
    chosen_s = candidate_s[np.arange(len(choice)), choice]
    # What is left out follows the tempo, and may come back in the next round.
    for j in range(present.start - 1, -1, -1):
        chosen_s[j] = chosen_s[j + 1] - gap_s[j]
    for j in range(present.stop, len(chosen_s)):
        chosen_s[j] = chosen_s[j - 1] + gap_s[j - 1]
    return rising(chosen_s), present


def _entry_times(path: CoarseRun) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return quarters, strictly rising, and the times at which the coarse path comes to them, also beyond its ends."""
    first = np.concatenate([[True], np.diff(path.quarter) > 0])
    quarter, time_s = path.quarter[first], path.time_s[first]
    if len(quarter) < 2:
        return np.append(quarter, quarter[-1] + 1), np.append(time_s, path.time_s[-1] + 1e-3)
    overall = (time_s[-1] - time_s[0]) / (quarter[-1] - quarter[0])
    slope_before, slope_after = overall, overall
    if path.ends_inside:
        quarter, time_s, slope_after = _steady_end(quarter, time_s)
    if path.starts_inside:
        back_quarter, back_s, slope_before = _steady_end(-quarter[::-1], -time_s[::-1])
        quarter, time_s = -back_quarter[::-1], -back_s[::-1]
    far = 1000.0
    return (
        np.concatenate([[quarter[0] - far], quarter, [quarter[-1] + far]]),
        np.concatenate([[time_s[0] - far * slope_before], time_s, [time_s[-1] + far * slope_after]]),
    )


def _steady_end(
    quarter: NDArray[np.float64], time_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Cut off the end of a path where it hurries or waits while nothing fits any more; return also its tempo there."""
    seconds_back = np.arange(0.0, min(LOST_S, (time_s[-1] - time_s[0]) / 3), 0.5)
    back_quarter = np.interp(time_s[-1] - seconds_back, time_s, quarter)
    before = np.interp(time_s[-1] - LOST_S - 12.0, time_s, quarter), max(time_s[-1] - LOST_S - 12.0, time_s[0])
    steady_s = time_s[-1] - (seconds_back[-1] if len(seconds_back) else 0.0)
    slope = (steady_s - before[1]) / max(float(np.interp(steady_s, time_s, quarter)) - before[0], 1e-6)
    cut_s = steady_s
    for k in range(len(back_quarter) - 3, -1, -1):
        pace = (back_quarter[k] - back_quarter[k + 2]) * slope / 1.0
        if not 0.6 < pace < 1.6:
            break
        cut_s = time_s[-1] - seconds_back[k]
    keep = time_s <= max(cut_s, time_s[1])
    return quarter[keep], time_s[keep], slope


def rising(time_s: NDArray[np.float64], least_s: float = 1e-3) -> NDArray[np.float64]:
    """Make times rise by at least `least_s`."""
    ramp = np.arange(len(time_s)) * least_s
    return np.asarray(np.maximum.accumulate(time_s - ramp) + ramp)
