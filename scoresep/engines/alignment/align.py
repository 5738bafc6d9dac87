"""The alignment of a recording with its score, from the samples to the times of all notes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.coarse_path import CoarsePath, find_coarse_path, find_transposition
from scoresep.engines.alignment.confidence import belonging, note_confidence
from scoresep.engines.alignment.event_path import TempoModel, best_moments, change_evidence, expected_gaps_s
from scoresep.engines.alignment.note_onsets import onset_evidence, rises
from scoresep.engines.alignment.note_times import offsets_s, single_onsets_s
from scoresep.engines.alignment.options import AlignmentOptions
from scoresep.engines.alignment.score_events import ScoreEvents, expected_spectra, harmonic_profiles, score_events
from scoresep.engines.alignment.similarity import expected_vectors, heard_vectors
from scoresep.engines.features import ONSET_SCALE, TONAL_SCALE, estimate_tuning_cents, pitch_spectra, reference_power
from scoresep.errors import AlignmentError
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.audio import SampleSource
from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import frame_to_second, second_to_frame, seconds_to_frames
from scoresep.model.timemap import TimeMap, rising_time_map
from scoresep.progress import Progress

# From wide and rough to narrow and fine: half the width searched around every event, and the step, in seconds.
ROUNDS_S = ((0.8, 0.04), (0.4, 0.02), (0.16, 0.01), (0.12, 0.01))
# Evidence of a change of sound (in seconds of a certain match) and of an onset, weighed against the tempo.
CHANGE_WEIGHT = 25.0
ONSET_WEIGHT = 2.0
LOW_CONFIDENCE = 0.5


@dataclass(frozen=True, eq=False)
class Heard:
    """What the aligner keeps of a recording.

    Attributes
    ----------
    tonal : ndarray [shape=(frames, bins + 1)], float32
        Unit vectors on `TONAL_SCALE`.
    rise : ndarray [shape=(frames, bins)], float32
        On `ONSET_SCALE`.
    duration_s : float
    """

    tonal: NDArray[np.float32]
    rise: NDArray[np.float32]
    duration_s: float


def align(source: SampleSource, unfolded: UnfoldedScore, options: AlignmentOptions, progress: Progress) -> Alignment:
    """Find where every note of a score lies in a recording.

    Parameters
    ----------
    source : SampleSource
    unfolded : UnfoldedScore
        The score in the order of playing.
    options : AlignmentOptions
    progress : Progress

    Returns
    -------
    alignment : Alignment

    Raises
    ------
    AlignmentError
        If the score holds no notes or the recording no sound.
    """
    if not len(unfolded.notes):
        raise AlignmentError("The score holds no notes that could be aligned; choose another score.")
    progress.update(0.0, "Listening to the recording")
    tuning_cents = estimate_tuning_cents(source)
    heard = listen(source, tuning_cents, progress.part(0.02, 0.5))
    progress.update(0.5, "Finding the score in the recording")
    events = score_events(unfolded, options)
    fixed_s = tuple((q, frame_to_second(f, source.sample_rate)) for q, f in options.fixed_points)
    semitones = 0
    if options.finds_transposition:
        highest = options.highest_transposition_semitones
        semitones, _ = find_transposition(unfolded, events, heard.tonal, TONAL_SCALE, highest)
    progress.update(0.65)
    path = find_coarse_path(unfolded, events, heard.tonal, TONAL_SCALE, semitones, fixed_s, progress.part(0.65, 0.8))
    progress.update(0.8, "Finding every note")
    return _fine(unfolded, events, heard, path, _Pitch(tuning_cents, semitones), fixed_s, source)


@dataclass(frozen=True)
class _Pitch:
    tuning_cents: float
    semitones: int


def listen(source: SampleSource, tuning_cents: float, progress: Progress) -> Heard:
    """Compute what the aligner needs of a recording, block by block.

    Raises
    ------
    AlignmentError
        If there is no sound.
    """
    tonal, onset = pitch_spectra(source, (TONAL_SCALE, ONSET_SCALE), tuning_cents, progress)
    if reference_power(tonal) <= 1e-14:
        raise AlignmentError("The recording holds no sound that could be aligned; choose another recording.")
    return Heard(heard_vectors(tonal), rises(onset), source.frames / source.sample_rate)


def _fine(  # noqa: PLR0913
    unfolded: UnfoldedScore,
    events: ScoreEvents,
    heard: Heard,
    path: CoarsePath,
    pitch: _Pitch,
    fixed_s: tuple[tuple[float, float], ...],
    source: SampleSource,
) -> Alignment:
    notes, rate = unfolded.notes, source.sample_rate
    covered = _covered(events, path)
    sounding_midi = notes.pitch_midi + pitch.semitones
    event_s = _event_moments(unfolded, events, heard, path, covered, sounding_midi, fixed_s)
    frame = seconds_to_frames(event_s, rate)
    time_map = _time_map(events, covered, frame, fixed_s, rate, path)
    note_s = frame_seconds(time_map, notes.onset_quarter, rate)
    is_in = (events.event_of_note >= covered.start) & (events.event_of_note < covered.stop)
    onset_s = single_onsets_s(heard.rise, ONSET_SCALE, sounding_midi, note_s, notes.is_grace)
    is_fixed = np.zeros(len(notes), np.bool_)
    for quarter, second in fixed_s:
        here = np.abs(notes.onset_quarter - quarter) < 1e-3
        onset_s[here], is_fixed = second, is_fixed | here
    onset_s = np.where(is_in, onset_s, note_s)
    is_present = is_in & (onset_s >= 0) & (onset_s < heard.duration_s)
    end_s = frame_seconds(time_map, notes.onset_quarter + notes.duration_quarter, rate)
    offset_s = offsets_s(notes, onset_s, note_s, end_s)
    confidence = note_confidence(unfolded, events, heard.tonal, TONAL_SCALE, pitch.semitones, onset_s)
    confidence = np.where(is_fixed, 1.0, np.where(is_present, confidence, 0.0))
    overall = belonging(confidence[is_present])
    warnings = []
    if overall < LOW_CONFIDENCE:
        warnings.append("The score hardly fits the recording; check that they belong together.")
    return Alignment(
        time_map,
        NoteTimes(
            seconds_to_frames(onset_s, rate),
            np.maximum(seconds_to_frames(offset_s, rate), seconds_to_frames(onset_s, rate)),
            confidence.astype(np.float32),
            is_present,
        ),
        pitch.tuning_cents,
        pitch.semitones,
        overall,
        tuple(warnings),
    )


def frame_seconds(time_map: TimeMap, quarters: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Convert quarters to seconds through a time map."""
    return np.asarray(time_map.quarters_to_frames(quarters) / rate)


def _covered(events: ScoreEvents, path: CoarsePath) -> slice:
    """Return which events the coarse path passes."""
    first = int(np.searchsorted(events.quarter, path.quarter[0] - 0.25)) if path.starts_inside else 0
    last = int(np.searchsorted(events.quarter, path.quarter[-1] + 0.25)) if path.ends_inside else len(events)
    first = min(first, len(events) - 1)
    return slice(first, max(last, first + 1))


def _event_moments(  # noqa: PLR0913
    unfolded: UnfoldedScore,
    events: ScoreEvents,
    heard: Heard,
    path: CoarsePath,
    covered: slice,
    sounding_midi: NDArray[np.float64],
    fixed_s: tuple[tuple[float, float], ...],
) -> NDArray[np.float64]:
    """Find when the covered events happen, shape (covered events,)."""
    quarter = events.quarter[covered]
    semitones = float(np.nan_to_num(sounding_midi - unfolded.notes.pitch_midi).max(initial=0.0))
    low = float(np.nan_to_num(sounding_midi - unfolded.notes.pitch_midi).min(initial=0.0))
    shift = semitones if semitones else low
    profiles = harmonic_profiles(TONAL_SCALE, shift)
    expected = expected_vectors(expected_spectra(unfolded, events.borders_quarter, profiles))
    silence = np.zeros((1, expected.shape[1]), np.float32)
    silence[0, -1] = 1
    before = expected[covered.start - 1 : covered.start] if covered.start else silence
    expected = np.concatenate([before, expected[covered]])
    event_s = _rising(np.interp(quarter, *_entry_times(path)))
    in_covered = (events.event_of_note >= covered.start) & (events.event_of_note < covered.stop)
    members = np.flatnonzero(in_covered & ~unfolded.notes.is_grace)
    event_of_member = events.event_of_note[members] - covered.start
    size = np.maximum(np.bincount(event_of_member, minlength=len(quarter)), 1)
    for half_s, step_s in ROUNDS_S:
        steps = round(half_s / step_s)
        candidate_s = event_s[:, None] + np.arange(-steps, steps + 1) * step_s
        evidence = CHANGE_WEIGHT * change_evidence(heard.tonal, TONAL_SCALE.frame_rate_hz, expected, candidate_s)
        single = onset_evidence(heard.rise, ONSET_SCALE, sounding_midi[members], candidate_s[event_of_member])
        together = np.zeros_like(evidence)
        np.add.at(together, event_of_member, single)
        evidence += ONSET_WEIGHT * together / np.sqrt(size)[:, None].astype(np.float32)
        evidence[(candidate_s < 0) | (candidate_s > heard.duration_s)] -= 1e3
        for fixed_quarter, second in fixed_s:
            here = np.abs(quarter - fixed_quarter) < 1e-3
            evidence[here] -= 1e3 * np.abs(candidate_s[here] - second).astype(np.float32)
            evidence[quarter < fixed_quarter - 1e-3] -= 1e4 * (candidate_s[quarter < fixed_quarter - 1e-3] >= second)
            evidence[quarter > fixed_quarter + 1e-3] -= 1e4 * (candidate_s[quarter > fixed_quarter + 1e-3] <= second)
        gap_s = expected_gaps_s(event_s, events.nominal_s[:-1][covered]) if len(event_s) > 1 else np.zeros(0)
        choice = best_moments(candidate_s, evidence, gap_s, TempoModel())
        event_s = _rising(candidate_s[np.arange(len(choice)), choice])
    return event_s


def _entry_times(path: CoarsePath) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return quarters, strictly rising, and the times at which the coarse path comes to them."""
    first = np.concatenate([[True], np.diff(path.quarter) > 0])
    quarter, time_s = path.quarter[first], path.time_s[first]
    if len(quarter) < 2:
        return np.append(quarter, quarter[-1] + 1), np.append(time_s, path.time_s[-1] + 1e-3)
    slope = (path.time_s[-1] - time_s[0]) / (quarter[-1] - quarter[0])
    before, after = quarter[0] - 8, quarter[-1] + 8
    return (
        np.concatenate([[before], quarter, [after]]),
        np.concatenate([[time_s[0] - 8 * slope], time_s, [time_s[-1] + 8 * slope]]),
    )


def _rising(time_s: NDArray[np.float64], least_s: float = 1e-3) -> NDArray[np.float64]:
    """Make times rise by at least `least_s`."""
    ramp = np.arange(len(time_s)) * least_s
    return np.asarray(np.maximum.accumulate(time_s - ramp) + ramp)


def _time_map(  # noqa: PLR0913
    events: ScoreEvents,
    covered: slice,
    frame: NDArray[np.int64],
    fixed_s: tuple[tuple[float, float], ...],
    rate: int,
    path: CoarsePath,
) -> TimeMap:
    """Join events, the end of the last note and the points by hand."""
    quarter = events.quarter[covered]
    next_quarter = events.borders_quarter[covered.stop]
    tail_s = 60 / 90
    if len(quarter) > 1:
        tail_s = float(np.median(np.diff(frame) / np.diff(quarter))) / rate * (next_quarter - quarter[-1])
    end_frame = frame[-1] + max(second_to_frame(tail_s, rate), 1)
    hand_quarter = np.array([q for q, _ in fixed_s])
    hand_frame = np.array([second_to_frame(s, rate) for _, s in fixed_s], np.int64)
    return rising_time_map(
        np.concatenate([quarter, [next_quarter], hand_quarter]),
        np.concatenate([frame, [end_frame], hand_frame]),
        np.concatenate([np.zeros(len(quarter) + 1, np.bool_), np.ones(len(hand_quarter), np.bool_)]),
    )
