"""The alignment of a recording with its score, from the samples to the times of all notes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from scoresep.engines.alignment import AlignmentOptions
from scoresep.engines.alignment.coarse_alignment import Key, find_coarse_path, find_key
from scoresep.engines.alignment.coarse_grid import Search, audio_vectors
from scoresep.engines.alignment.confidence import NoteEvidence, absent_notes, note_confidence, unsteadiness
from scoresep.engines.alignment.note_times import NoteGuess, last_sound_end_s, offsets_s
from scoresep.engines.alignment.onset_detection import OnsetSpectrogram, onset_spectrogram
from scoresep.engines.alignment.performed_sections import (
    Deviation,
    PerformedSections,
    RunFrames,
    SectionProblem,
    find_deviations,
    find_performed_sections,
    note_ends_s,
    played_time_map,
    run_frames,
)
from scoresep.engines.alignment.score_events import ScoreEvents, score_events
from scoresep.engines.alignment.structure import CLEARLY_S, find_choices, has_choices, within_score
from scoresep.engines.features import (
    ONSET_SCALE,
    TONAL_SCALE,
    compressed,
    estimate_tuning_cents,
    one_blas_thread,
    pitch_spectra,
    reference_power,
)
from scoresep.errors import AlignmentError
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.audio import SampleSource
from scoresep.model.path import PathChoices, performance_path, unfold
from scoresep.model.quality import DOUBTFUL_CONFIDENCE
from scoresep.model.score import PathNotes, UnfoldedScore
from scoresep.model.timebase import SAME_QUARTER, frame_to_second, second_to_frame, seconds_to_frames
from scoresep.progress import Progress

MISMATCH = "The score hardly fits the recording; check that they belong together."


@dataclass(frozen=True, eq=False)
class AudioFeatures:
    """What the aligner keeps of a recording.

    Attributes
    ----------
    tonal : ndarray [shape=(frames, bins + 1)], float32
        Unit vectors on `TONAL_SCALE`.
    levels : OnsetSpectrogram
    duration_s : float
    """

    tonal: NDArray[np.float32]
    levels: OnsetSpectrogram
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
    return _aligned(source, unfolded, None, options, progress)[1]


def align_as_played(
    source: SampleSource, unfolded: UnfoldedScore, given: PathChoices, options: AlignmentOptions, progress: Progress
) -> tuple[PathChoices, Alignment]:
    """Find which repeats of a score were played, and where every note then lies in the recording.

    Parameters
    ----------
    source : SampleSource
    unfolded : UnfoldedScore
        The score unfolded by `given`.
    given : PathChoices
        What is kept unless the recording clearly says otherwise.
    options : AlignmentOptions
        Without fixed points.
    progress : Progress

    Returns
    -------
    choices : PathChoices
    alignment : Alignment
        Of the score unfolded by `choices`.

    Raises
    ------
    AlignmentError
        If the score holds no notes or the recording no sound.
    """
    return _aligned(source, unfolded, given, options, progress)


@one_blas_thread
def _aligned(
    source: SampleSource,
    unfolded: UnfoldedScore,
    given: PathChoices | None,
    options: AlignmentOptions,
    progress: Progress,
) -> tuple[PathChoices, Alignment]:
    if not len(unfolded.notes):
        raise AlignmentError("The score holds no notes that could be aligned; choose another score.")
    progress.update(0.0, "Listening to the recording")
    tuning_cents = estimate_tuning_cents(source) if options.tuning_cents is None else options.tuning_cents
    observed = extract_features(source, tuning_cents, progress.part(0.02, 0.4))
    progress.update(0.4, "Finding the score in the recording")
    events = score_events(unfolded, options)
    fixed_s = tuple((q, frame_to_second(f, source.sample_rate)) for q, f in options.fixed_points)
    search = Search(unfolded, events, observed.tonal, TONAL_SCALE)
    key = Key(0, _pace_between(events, fixed_s))
    if options.finds_departures:
        key = find_key(search, options.highest_transposition_semitones if options.finds_transposition else 0)
    path = find_coarse_path(search, key, fixed_s, progress.part(0.5, 0.6), options.finds_departures)
    choices = given or PathChoices()
    if given is not None and has_choices(unfolded.score):
        others = find_choices(within_score(search, path), key.semitones, path, given, options)
        if others != given:
            unfolded_so = unfold(unfolded.score, performance_path(unfolded.score, others)[0])
            events_so = score_events(unfolded_so, options)
            path_so = find_coarse_path(replace(search, unfolded=unfolded_so, events=events_so), key, (), Progress())
            # Bars may have been left out for another reason than that a repeat was not played.
            if path_so.value > path.value + CLEARLY_S:
                choices, unfolded, events, path = others, unfolded_so, events_so, path_so
    progress.update(0.6, "Finding every note")
    task = SectionProblem(unfolded, events, key.semitones, fixed_s, observed.duration_s)
    played = find_performed_sections(task, path, observed.tonal, observed.levels, progress.part(0.6, 1.0))
    sure = (
        match_probability(path.fit, key.lead_s / max(path.length_s, 1.0), path.length_s)
        if options.finds_departures
        else 1.0
    )
    alignment, frames = _result(source, task, AlignmentParts(played, observed.levels, sure, tuning_cents))
    if options.finds_departures and sure >= DOUBTFUL_CONFIDENCE:
        beside = Deviation(observed.tonal[:, -1], source.sample_rate)
        alignment = replace(alignment, warnings=find_deviations(task, path, played, frames, beside))
    return choices, alignment


def _pace_between(events: ScoreEvents, fixed_s: tuple[tuple[float, float], ...]) -> float:
    """Return the pace from the first to the last of the points by hand, within a factor of two; 1 without them."""
    if len(fixed_s) < 2 or fixed_s[-1][1] - fixed_s[0][1] < 1:
        return 1.0
    nominal_s = np.interp([fixed_s[0][0], fixed_s[-1][0]], events.borders_quarter, events.nominal_s)
    return float(np.clip((nominal_s[1] - nominal_s[0]) / (fixed_s[-1][1] - fixed_s[0][1]), 0.5, 2.0))


def extract_features(source: SampleSource, tuning_cents: float, progress: Progress) -> AudioFeatures:
    """Compute what the aligner needs of a recording, block by block.

    Parameters
    ----------
    source : SampleSource
    tuning_cents : float
        Of the recording, above A = 440 Hz.
    progress : Progress

    Raises
    ------
    AlignmentError
        If there is no sound.
    """
    tonal, onset = pitch_spectra(source, (TONAL_SCALE, ONSET_SCALE), tuning_cents, progress)
    if reference_power(tonal) <= 1e-14:
        raise AlignmentError("The recording holds no sound that could be aligned; choose another recording.")
    return AudioFeatures(audio_vectors(tonal), onset_spectrogram(onset, tonal), source.frames / source.sample_rate)


@dataclass(frozen=True, eq=False)
class AlignmentParts:
    """What was found, before it is put together.

    Attributes
    ----------
    played : PerformedSections
    levels : OnsetSpectrogram
    match_probability : float
        That score and recording belong together.
    tuning_cents : float
    """

    played: PerformedSections
    levels: OnsetSpectrogram
    match_probability: float
    tuning_cents: float


def _result(
    source: SampleSource, task: SectionProblem, found: AlignmentParts
) -> tuple[Alignment, tuple[RunFrames, ...]]:
    """Put everything together; return also where the runs lie."""
    notes, rate, guess = task.unfolded.notes, source.sample_rate, found.played.guess
    frames = _until_silence(task, found, run_frames(task, found.played, rate), rate)
    time_map = played_time_map(task, frames, rate)
    run = found.played.run_of_note(task.events.event_of_note)
    covered = run >= 0
    note_s = time_map.quarters_to_frames(notes.onset_quarter) / rate
    end_s = note_ends_s(task, frames, time_map, run, rate)
    onset_s = np.where(covered, guess.onset_s, note_s)
    is_fixed = np.zeros(len(notes), np.bool_)
    for quarter, second in task.fixed_s:
        here = np.abs(notes.onset_quarter - quarter) < 1e-3
        onset_s[here] = second
        is_fixed |= here
    is_inside = covered & (onset_s >= 0) & (onset_s < task.duration_s)
    left_out = _left_out(task, covered, guess)
    is_present = is_inside & (is_fixed | (left_out <= 0.5))
    offset_s = np.minimum(offsets_s(notes, onset_s, note_s, end_s), np.maximum(onset_s, task.duration_s))
    confidence = np.zeros(len(notes))
    overall = found.match_probability
    unsteady = _unsteadiness(task, found.played)[task.events.event_of_note[covered]]
    evidence = NoteEvidence(
        notes.part_index[covered], onset_s[covered], guess.absence[covered], left_out[covered], unsteady
    )
    confidence[covered] = note_confidence(evidence, overall)
    confidence = np.where(is_fixed, 1.0, np.where(is_present, confidence, 0.0))
    warnings = (MISMATCH,) if overall < DOUBTFUL_CONFIDENCE else ()
    onset_frame = seconds_to_frames(onset_s, rate)
    offset_frame = np.maximum(seconds_to_frames(offset_s, rate), onset_frame)
    note_times = NoteTimes(onset_frame, offset_frame, confidence.astype(np.float32), is_present)
    return Alignment(time_map, note_times, found.tuning_cents, task.semitones, overall, warnings), frames


def _until_silence(
    task: SectionProblem, found: AlignmentParts, runs: tuple[RunFrames, ...], rate: int
) -> tuple[RunFrames, ...]:
    """Let the last chord end where it falls silent, unless a person has said where it ends."""
    last, onset_s = runs[-1], float(found.played.runs[-1].event_s[-1])
    if any(quarter > last.quarter[-1] + SAME_QUARTER for quarter, _ in task.fixed_s):
        return runs
    end_s = last_sound_end_s(found.levels, onset_s, last.end_frame / rate)
    if end_s is None:
        return runs
    end_frame = max(second_to_frame(end_s, rate), int(last.frame[-1]) + 1)
    return (*runs[:-1], replace(last, end_frame=end_frame))


def _unsteadiness(task: SectionProblem, played: PerformedSections) -> NDArray[np.float64]:
    """Return how far the tempo at every event is from that around it in its run, shape (events,)."""
    unsteady = np.zeros(len(task.events))
    for run in played.runs:
        at = run.events
        unsteady[at] = unsteadiness(run.event_s, task.events.nominal_s[:-1][at], task.events.quarter[at])
    return unsteady


def _left_out(task: SectionProblem, covered: NDArray[np.bool_], guess: NoteGuess) -> NDArray[np.float64]:
    """Return how likely every note was not played, shape (notes,)."""
    notes = task.unfolded.notes
    sought = np.flatnonzero(covered & ~notes.is_grace)
    left_out = np.zeros(len(notes))
    event_of_note = task.events.event_of_note[sought]
    left_out[sought] = absent_notes(notes.part_index[sought], event_of_note, guess.absence[sought])
    return left_out


HIGHEST_SEMITONES = 6
# What partials count, by semitones above the pitch: a key an octave or a fifth away must not do as well.
PARTIAL_WEIGHTS = {0: 1.0, 12: 0.5, 19: 0.3}
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
    observed = compressed(power, reference_power(power))
    observed = observed - observed.mean(axis=1, keepdims=True)
    summed = np.concatenate([np.zeros((1, observed.shape[1])), np.cumsum(observed, axis=0, dtype=np.float64)])
    per_frame = TONAL_SCALE.frame_rate_hz / source.sample_rate
    first = np.clip((times.onset_frame[rows] * per_frame).astype(int), 0, len(observed) - 1)
    last = np.clip((times.offset_frame[rows] * per_frame).astype(int), first + 1, len(observed))
    mean = (summed[last] - summed[first]) / (last - first)[:, None]
    pitch = np.rint(notes.pitch_midi[rows]).astype(int) - TONAL_SCALE.lowest_midi
    weight = np.minimum(times.offset_frame[rows] - times.onset_frame[rows], source.sample_rate).astype(np.float64)
    shifts = np.arange(-HIGHEST_SEMITONES, HIGHEST_SEMITONES + 1)
    values = np.zeros(len(shifts))
    for above, share in PARTIAL_WEIGHTS.items():
        at = pitch[:, None] + above + shifts
        inside = (at >= 0) & (at < observed.shape[1])
        found = np.take_along_axis(mean, np.clip(at, 0, observed.shape[1] - 1), axis=1)
        values += share * (weight[:, None] * np.where(inside, found, 0.0)).sum(0) / weight.sum()
    best = int(np.argmax(values))
    stands_out = values[best] - np.median(values)
    is_sure = values[best] - values[HIGHEST_SEMITONES] > MARGIN * stands_out
    return tuning_cents, int(shifts[best]) if is_sure else 0


@dataclass(frozen=True)
class MatchModel:
    """A logistic regression of whether score and recording belong together.

    Fitted to the first 3, 6, 12, 30 and 60 seconds of recordings beside their own and beside strangers' scores, and to
    cut and patched ones; `tests/benchmarks/structure.py` measures it.

    Attributes
    ----------
    fit_weight, lead_weight, log_length_weight, intercept : float
    fit_range, length_range_s : tuple of float
        Beyond these limits more does not tell more.
    """

    fit_weight: float = 14.0
    lead_weight: float = 77.0
    log_length_weight: float = 1.63
    intercept: float = -11.2
    fit_range: tuple[float, float] = (-0.1, 0.3)
    length_range_s: tuple[float, float] = (1.0, 30.0)


MATCH = MatchModel()


def match_probability(fit: float, lead: float, length_s: float) -> float:
    """Return how sure it is that score and recording belong together, 0 to 1.

    Parameters
    ----------
    fit : float
        Of the coarse path.
    lead : float
        How much better the recording fits in its key than in any other, as a share of a certain match.
    length_s : float
        For how long the score is heard.
    """
    score = MATCH.fit_weight * np.clip(fit, *MATCH.fit_range) + MATCH.lead_weight * lead
    score += MATCH.log_length_weight * np.log(np.clip(length_s, *MATCH.length_range_s)) + MATCH.intercept
    return float(expit(score))
