"""The alignment of a recording with its score, from the samples to the times of all notes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.coarse_path import Search, find_coarse_path, find_transposition
from scoresep.engines.alignment.confidence import NoteEvidence, belonging, note_confidence, unsteadiness
from scoresep.engines.alignment.event_moments import Situation, event_moments, first_moments
from scoresep.engines.alignment.note_patches import HeardLevels, heard_levels
from scoresep.engines.alignment.note_times import NoteGuess, offsets_s
from scoresep.engines.alignment.options import AlignmentOptions
from scoresep.engines.alignment.presence import absent_notes
from scoresep.engines.alignment.score_events import score_events
from scoresep.engines.alignment.similarity import heard_vectors
from scoresep.engines.alignment.structure import find_choices, has_choices
from scoresep.engines.features import ONSET_SCALE, TONAL_SCALE, estimate_tuning_cents, pitch_spectra, reference_power
from scoresep.errors import AlignmentError
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.audio import SampleSource
from scoresep.model.confidence import DOUBTFUL_CONFIDENCE
from scoresep.model.path import PathChoices, performance_path, unfold
from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import frame_to_second, second_to_frame, seconds_to_frames
from scoresep.model.timemap import TimeMap, rising_time_map
from scoresep.progress import Progress

MISMATCH = "The score hardly fits the recording; check that they belong together."


@dataclass(frozen=True, eq=False)
class Heard:
    """What the aligner keeps of a recording.

    Attributes
    ----------
    tonal : ndarray [shape=(frames, bins + 1)], float32
        Unit vectors on `TONAL_SCALE`.
    levels : HeardLevels
    duration_s : float
    """

    tonal: NDArray[np.float32]
    levels: HeardLevels
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
    tuning_cents = estimate_tuning_cents(source)
    heard = listen(source, tuning_cents, progress.part(0.02, 0.4))
    progress.update(0.4, "Finding the score in the recording")
    events = score_events(unfolded, options)
    fixed_s = tuple((q, frame_to_second(f, source.sample_rate)) for q, f in options.fixed_points)
    search, semitones = Search(unfolded, events, heard.tonal, TONAL_SCALE), 0
    if options.finds_transposition:
        highest = options.highest_transposition_semitones
        semitones, _ = find_transposition(search, highest)
    path = find_coarse_path(search, semitones, fixed_s, progress.part(0.5, 0.6))
    choices = given or PathChoices()
    if given is not None and has_choices(unfolded.score):
        choices = find_choices(search, semitones, path, given, options)
        if choices != given:
            unfolded = unfold(unfolded.score, performance_path(unfolded.score, choices)[0])
            events = score_events(unfolded, options)
            path = find_coarse_path(replace(search, unfolded=unfolded, events=events), semitones, (), Progress())
    progress.update(0.6, "Finding every note")
    covered, event_s = first_moments(events, path, heard.duration_s)
    at = Situation(unfolded, events, covered, semitones, fixed_s, heard.duration_s)
    present, event_s, guess = event_moments(at, event_s, heard.tonal, heard.levels, progress.part(0.6, 1.0))
    event_s = event_s[present.start - covered.start : present.stop - covered.start]
    found = Found(event_s, guess, path.fit, tuning_cents)
    return choices, _result(source, replace(at, covered=present), found)


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
    return Heard(heard_vectors(tonal), heard_levels(onset, tonal), source.frames / source.sample_rate)


@dataclass(frozen=True, eq=False)
class Found:
    """What was found, before it is put together.

    Attributes
    ----------
    event_s : ndarray [shape=(covered events,)], float64
    guess : NoteGuess
    fit : float
        Of the coarse path.
    tuning_cents : float
    """

    event_s: NDArray[np.float64]
    guess: NoteGuess
    fit: float
    tuning_cents: float


def _result(source: SampleSource, at: Situation, found: Found) -> Alignment:
    """Put everything together."""
    notes, rate = at.unfolded.notes, source.sample_rate
    time_map = _time_map(at, seconds_to_frames(found.event_s, rate), rate)
    note_s = time_map.quarters_to_frames(notes.onset_quarter) / rate
    end_s = time_map.quarters_to_frames(notes.onset_quarter + notes.duration_quarter) / rate
    onset_s = np.where(at.is_covered, found.guess.onset_s, note_s)
    is_fixed = np.zeros(len(notes), np.bool_)
    for quarter, second in at.fixed_s:
        here = np.abs(notes.onset_quarter - quarter) < 1e-3
        onset_s[here] = second
        is_fixed |= here
    is_inside = at.is_covered & (onset_s >= 0) & (onset_s < at.duration_s)
    left_out = _left_out(at, found.guess)
    is_present = is_inside & (is_fixed | (left_out <= 0.5))
    offset_s = np.minimum(offsets_s(notes, onset_s, note_s, end_s), np.maximum(onset_s, at.duration_s))
    confidence = np.zeros(len(notes))
    covered = at.is_covered
    overall = belonging(found.fit)
    at_note = at.events.event_of_note[covered] - at.covered.start
    unsteady = unsteadiness(found.event_s, at.nominal_s, at.quarter)[at_note]
    evidence = NoteEvidence(
        notes.part_index[covered], onset_s[covered], found.guess.absence[covered], left_out[covered], unsteady
    )
    confidence[covered] = note_confidence(evidence, overall)
    confidence = np.where(is_fixed, 1.0, np.where(is_present, confidence, 0.0))
    warnings = (MISMATCH,) if overall < DOUBTFUL_CONFIDENCE else ()
    onset_frame = seconds_to_frames(onset_s, rate)
    offset_frame = np.maximum(seconds_to_frames(offset_s, rate), onset_frame)
    note_times = NoteTimes(onset_frame, offset_frame, confidence.astype(np.float32), is_present)
    return Alignment(time_map, note_times, found.tuning_cents, at.semitones, overall, warnings)


def _left_out(at: Situation, guess: NoteGuess) -> NDArray[np.float64]:
    """Return how likely every note was not played, shape (notes,)."""
    notes = at.unfolded.notes
    sought = np.flatnonzero(at.is_covered & ~notes.is_grace)
    left_out = np.zeros(len(notes))
    left_out[sought] = absent_notes(notes.part_index[sought], at.events.event_of_note[sought], guess.absence[sought])
    return left_out


def _time_map(at: Situation, frame: NDArray[np.int64], rate: int) -> TimeMap:
    """Join events, the end of the last note and the points by hand."""
    quarter = at.events.quarter[at.covered]
    next_quarter = float(at.events.borders_quarter[at.covered.stop])
    quarter_s = 60 / 90
    if len(quarter) > 1:
        quarter_s = float(np.median(np.diff(frame) / np.diff(quarter))) / rate
    end_frame = frame[-1] + max(second_to_frame(quarter_s * (next_quarter - quarter[-1]), rate), 1)
    hand_quarter = np.array([q for q, _ in at.fixed_s])
    hand_frame = np.array([second_to_frame(s, rate) for _, s in at.fixed_s], np.int64)
    return rising_time_map(
        np.concatenate([quarter, [next_quarter], hand_quarter]),
        np.concatenate([frame, [end_frame], hand_frame]),
        np.arange(len(quarter) + 1 + len(hand_quarter)) > len(quarter),
    )
