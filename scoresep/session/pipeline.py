"""The main job, step by step: open, align, segment, for the window's workers, the command line and scripts.

Two kinds of function: those on frozen inputs, which run in a worker process as well as in place (`load_recording`,
`align_recording` ...), and those from project to project, for scripts (`align`, `segment` ...). The last step is in
`separation_job`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from scoresep.edits import project as edits
from scoresep.edits import segments as segment_edits
from scoresep.errors import InputError, ScoreSepError, UsageError
from scoresep.files.audio.overviews import build_peaks
from scoresep.files.audio.recordings import check_samples, check_unchanged, open_recording, open_source
from scoresep.files.scores import open_score
from scoresep.files.tables.notes import write_notes_csv
from scoresep.files.tables.segments import write_segments_csv
from scoresep.model.alignment import Alignment, NoteTimes
from scoresep.model.audio import Recording
from scoresep.model.path import PathChoices, jump_sites, performance_path, repeat_sites, takes_repeats_again, unfold
from scoresep.model.project import Project, ScoreFile, apply_change
from scoresep.model.repeats import JUMP_MARKS
from scoresep.model.score import Score, UnfoldedScore
from scoresep.model.segments import Activity, Segment, segments_of
from scoresep.model.timemap import SyncPoint
from scoresep.progress import Progress

MOST_SETS = 26


@dataclass(frozen=True)
class LoadedRecording:
    """A recording that was opened and looked through, and what is doubtful about it."""

    recording: Recording
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class LoadedScore:
    """A score that was read."""

    score_file: ScoreFile
    score: Score

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful about it, badly formed repeats among it; one sentence each."""
        return (*self.score.warnings, *performance_path(self.score)[1])


@dataclass(frozen=True)
class AlignmentRequest:
    """All that an alignment depends on; `open_choices` unfolded the score, where the recording may tell better."""

    recording: Recording
    unfolded: UnfoldedScore
    hand_points: tuple[SyncPoint, ...] = ()
    open_choices: PathChoices | None = None


@dataclass(frozen=True)
class AlignmentAnswer:
    """An alignment, who plays when by it, and, where this was open, which repeats were played."""

    alignment: Alignment
    activities: tuple[Activity, ...]
    choices: PathChoices | None = None


@dataclass(frozen=True)
class SegmentationRequest:
    """All that a segmentation depends on; `absent_parts` never sound."""

    recording: Recording
    unfolded: UnfoldedScore
    alignment: Alignment
    absent_parts: frozenset[int] = frozenset()


@dataclass(frozen=True)
class SetsRequest:
    """All that a segmentation without a score depends on; `sets` is how many there are, None for what is heard."""

    recording: Recording
    sets: int | None


def load_recording(path: str, progress: Progress) -> LoadedRecording:
    """Open a recording and look through its samples once.

    Raises
    ------
    AudioFileError
        If it cannot be read, or holds nothing but silence.
    """
    warnings: list[str] = []
    recording = open_recording(path, progress.part(0.0, 0.7), warnings.append)
    name = f"What can be read of '{recording.path}'" if warnings else f"'{recording.path}'"
    with open_source(recording) as source:
        check_samples(source, progress.part(0.7, 1.0), name)
    return LoadedRecording(recording, tuple(warnings))


def find_peaks(recording: Recording, progress: Progress) -> str:
    """Build the overview of a recording's waveform into the cache; returns the recording's content key."""
    with open_source(recording) as source:
        build_peaks(source, recording.content_key, progress)
    return recording.content_key


def decode_again(recording: Recording, progress: Progress) -> str:
    """Decode a recording whose decoded form was cleaned away; returns the recording's content key."""
    open_source(recording, progress).close()
    return recording.content_key


def load_score(path: str, progress: Progress) -> LoadedScore:
    """Read a score, from the cache when it was read before.

    Raises
    ------
    ScoreFileError
    """
    progress.update(0.0, "Reading the score")
    return LoadedScore(*open_score(path, progress))


def align_recording(request: AlignmentRequest, progress: Progress) -> tuple[Alignment, PathChoices | None]:
    """Align a recording and an unfolded score, through all points placed by hand, or as its repeats were played."""
    from scoresep.engines.alignment import AlignmentOptions
    from scoresep.engines.alignment.align import align as align_engine
    from scoresep.engines.alignment.align import align_as_played

    unfolded = request.unfolded
    with open_source(request.recording) as source:
        if request.open_choices is not None:
            choices, alignment = align_as_played(source, unfolded, request.open_choices, AlignmentOptions(), progress)
            check_unchanged(request.recording)
            return alignment, choices
        points = [
            (unfolded.beat_to_quarter(p.measure_index, p.occurrence, p.beat), p.frame) for p in request.hand_points
        ]
        options = AlignmentOptions(fixed_points=tuple((q, f) for q, f in points if q is not None))
        alignment = align_engine(source, unfolded, options, progress)
        check_unchanged(request.recording)
        return alignment, None


def segment_recording(request: SegmentationRequest, progress: Progress) -> tuple[Activity, ...]:
    """Find the stretches in which every part sounds; one activity for each part."""
    from scoresep.engines.segmentation.segment import segment as segment_engine

    alignment = edits.remove_parts(request.alignment, request.unfolded, request.absent_parts)
    with open_source(request.recording) as source:
        activities = segment_engine(source, request.unfolded, alignment, progress)
        check_unchanged(request.recording)
        return activities


def segment_without_score(request: SetsRequest, progress: Progress) -> tuple[Activity, ...]:
    """Find the stretches in which every set of instruments sounds; one activity for each set."""
    from scoresep.engines.segmentation.without_score import segment_without_score as segment_engine

    with open_source(request.recording) as source:
        activities = segment_engine(source, request.sets, progress)
        check_unchanged(request.recording)
        return activities


def align_and_segment(request: AlignmentRequest, absent_parts: frozenset[int], progress: Progress) -> AlignmentAnswer:
    """Align, and find who plays when by the alignment.

    Parameters
    ----------
    request : AlignmentRequest
    absent_parts : frozenset of int
        Parts that do not play, by index.
    progress : Progress
    """
    alignment, choices = align_recording(request, progress.part(0.0, 0.7))
    unfolded = request.unfolded
    if choices not in (None, request.open_choices):
        unfolded = unfold(unfolded.score, performance_path(unfolded.score, choices)[0])
    to_segment = SegmentationRequest(request.recording, unfolded, alignment, absent_parts)
    return AlignmentAnswer(alignment, segment_recording(to_segment, progress.part(0.7, 1.0)), choices)


def alignment_request(project: Project) -> AlignmentRequest:
    """Gather what an alignment of the project depends on.

    Raises
    ------
    InputError
        If recording or score is missing.
    """
    if project.recording is None:
        raise InputError("Open a recording first.")
    if project.unfolded is None:
        raise InputError("Open a score first.")
    choices = project.path_choices
    is_open = project.alignment is None and not project.hand_points and not choices.is_by_hand
    return AlignmentRequest(project.recording, project.unfolded, project.hand_points, choices if is_open else None)


def segmentation_request(project: Project) -> SegmentationRequest:
    """Gather what a segmentation of the project depends on.

    Raises
    ------
    InputError
        If the project is not aligned.
    """
    return SegmentationRequest(*aligned(project), edits.absent_parts(project))


def sets_request(project: Project, sets: int | Literal["auto"]) -> SetsRequest:
    """Gather what a segmentation without a score depends on.

    Raises
    ------
    UsageError
        If there is a score, or the number is none of 1 to `MOST_SETS`.
    InputError
        If there is no recording.
    """
    if project.score is not None:
        raise UsageError("This project has a score, which tells who plays; leave the number of sets out.")
    if project.recording is None:
        raise InputError("Open a recording first.")
    check_sets(sets)
    return SetsRequest(project.recording, None if sets == "auto" else sets)


def check_sets(sets: int | Literal["auto"]) -> None:
    """Refuse a number of sets that is not from 1 to `MOST_SETS`.

    Raises
    ------
    UsageError
    """
    if sets != "auto" and not 1 <= sets <= MOST_SETS:
        raise UsageError(f"{sets} is not a number of sets; choose 1 to {MOST_SETS}, or auto.")


def aligned(project: Project) -> tuple[Recording, UnfoldedScore, Alignment]:
    """Return what every step after the alignment needs, or say which step comes first."""
    if project.recording is None or project.unfolded is None:
        raise InputError("Open a recording and its score first.")
    if project.alignment is None:
        raise InputError("Align the recording and its score first.")
    return project.recording, project.unfolded, project.alignment


def open_files(
    audio: str | Path, score: str | Path | None = None, progress: Progress | None = None
) -> tuple[Project, tuple[str, ...]]:
    """Open a recording and, where given, its score.

    Parameters
    ----------
    audio : str or Path
    score : str or Path, optional
    progress : Progress, optional

    Returns
    -------
    project : Project
    warnings : tuple of str
        What is doubtful about the files, one sentence each.

    Raises
    ------
    AudioFileError, ScoreFileError
    """
    progress = progress or Progress()
    project = Project()
    warnings: tuple[str, ...] = ()
    if score is not None:
        loaded_score = load_score(str(score), progress.part(0.0, 0.5))
        project = apply_change(project, edits.set_score(project, loaded_score.score_file, loaded_score.score))
        warnings += loaded_score.warnings
    loaded = load_recording(str(audio), progress.part(0.5, 1.0))
    return apply_change(project, edits.set_recording(project, loaded.recording)), warnings + loaded.warnings


def align(project: Project, progress: Progress | None = None) -> Project:
    """Return the project with its recording and score aligned, and the activities that follow.

    Which repeats were played is found from the recording, unless a person has said so (`edits.choose_path`).
    """
    alignment, choices = align_recording(alignment_request(project), progress or Progress())
    if choices is not None:
        project = apply_change(project, edits.find_path(project, choices))
    return with_alignment(project, alignment)


def with_alignment(project: Project, alignment: Alignment) -> Project:
    """Return the project with this alignment and the activities that follow."""
    activities = edits.derive_activities(project, alignment)
    return apply_change(project, edits.set_alignment(project, alignment, activities))


def with_note_times(project: Project, times: NoteTimes) -> Project:
    """Return the project aligned by given times of its notes instead of by listening."""
    from scoresep.model.timemap import rising_time_map

    unfolded = project.unfolded
    if unfolded is None:
        raise InputError("Open a score first.")
    notes, here = unfolded.notes, np.flatnonzero(times.is_present)
    if not len(here):
        raise InputError("The table of notes holds none that is in this recording; check that it belongs to it.")
    ends_quarter = notes.onset_quarter[here] + notes.duration_quarter[here]
    last = here[np.argmax(ends_quarter)]
    quarters = np.append(notes.onset_quarter[here], ends_quarter.max())
    frames = np.append(times.onset_frame[here], times.offset_frame[last])
    astray = InputError(
        "The times in the table of notes do not rise as the score goes on; check that it belongs to this score."
    )
    try:
        time_map = rising_time_map(quarters, frames)
    except ValueError as error:
        raise astray from error
    if len(time_map.quarter) <= len(np.unique(notes.onset_quarter[here])) / 2:
        raise astray
    return with_alignment(project, Alignment(time_map, times, *sounding_pitch_of(project, times)))


def sounding_pitch_of(project: Project, times: NoteTimes) -> tuple[float, int]:
    """Return tuning and key of the recording, which given times do not tell; as written where it is missing."""
    from scoresep.engines.alignment.align import sounding_pitch

    if project.recording is None or project.unfolded is None:
        return 0.0, 0
    try:
        with open_source(project.recording) as source:
            return sounding_pitch(source, project.unfolded.notes, times)
    except ScoreSepError:
        return 0.0, 0


def segment(
    project: Project, progress: Progress | None = None, *, sets: int | Literal["auto"] | None = None
) -> Project:
    """Return the project with the activity of every part found; it is aligned first where it is not yet.

    Parameters
    ----------
    project : Project
    progress : Progress, optional
    sets : int or 'auto', optional
        For a project without a score: how many sets of instruments to tell apart by their sound, 1 to `MOST_SETS`,
        silence not counted; ``auto`` for as many as are heard. Its parts are then these sets, A, B, ...

    Raises
    ------
    InputError, UsageError
    """
    progress = progress or Progress()
    if sets is not None:
        activities = segment_without_score(sets_request(project, sets), progress)
        return apply_change(project, segment_edits.set_sets(project, activities))
    if project.alignment is None:
        project = align(project, progress.part(0.0, 0.7))
        progress = progress.part(0.7, 1.0)
    activities = segment_recording(segmentation_request(project), progress)
    return apply_change(project, edits.set_activities(project, activities))


def segments(project: Project) -> tuple[Segment, ...]:
    """Return the segments of a segmented project, gapless from the first frame to the last."""
    if project.recording is None or project.activities is None:
        raise UsageError("Segment the project first.")
    found = segments_of(sounding_activities(project), project.recording.frames)
    return found if project.score is not None else tuple(replace(s, is_anonymous=True) for s in found)


def sounding_activities(project: Project) -> tuple[Activity, ...]:
    """Return the activities of the parts that this recording has."""
    return tuple(a for a, p in zip(project.activities or (), project.parts, strict=False) if not p.is_absent)


def write_notes(project: Project, path: str | Path) -> None:
    """Write the table of notes (``notes.csv``) of an aligned project; notes outside the recording are left out.

    Raises
    ------
    InputError
        If the project is not aligned.
    OutputError
    """
    if project.recording is None or project.unfolded is None or project.alignment is None:
        raise InputError("Align the recording and its score first.")
    times = project.alignment.note_times
    is_inside = (times.onset_frame >= 0) & (times.onset_frame < project.recording.frames)  # bars move, placed by hand
    inside = replace(project.alignment, note_times=replace(times, is_present=times.is_present & is_inside))
    write_notes_csv(path, project.unfolded, inside, project.recording.sample_rate)


def write_segments(project: Project, path: str | Path) -> None:
    """Write the table of segments (``segments.csv``) of a segmented project.

    Raises
    ------
    UsageError
        If the project is not segmented.
    OutputError
    """
    found = segments(project)
    assert project.recording is not None
    write_segments_csv(path, found, tuple(p.name for p in project.parts), project.recording.sample_rate)


MOST_NAMED = 4


def choices_named(repeats: str, score: Score) -> PathChoices | None:
    """Return the choices that a name means; None for ``auto``, which leaves them to the recording.

    Parameters
    ----------
    repeats : str
        ``auto``, ``written`` (as the file says; none again after da capo unless it says so), ``none`` or ``all``
        (again after da capo). The last two follow the signs of the score even where the file writes an order out.
    score : Score
    """
    if repeats == "auto":
        return None
    if repeats == "written":
        return PathChoices()
    sites = repeat_sites(score)
    follows_stated_order = not sites and not jump_sites(score)
    if repeats == "none":
        skipped = frozenset(site.closing_measure for site in sites)
        return PathChoices(skipped_repeats=skipped, follows_stated_order=follows_stated_order)
    return PathChoices(repeats_after_jump=True, follows_stated_order=follows_stated_order)


def played_otherwise(project: Project) -> tuple[str, ...]:
    """Say in what the performance departs from the score as written; nothing of what a person chose."""
    score, choices, usual = project.score, project.path_choices, PathChoices()
    if score is None or choices.is_by_hand:
        return ()
    if score.stated_order and choices.follows_stated_order:
        return ()
    sites = repeat_sites(score)
    skipped = [site.label.split(",")[0] for site in sites if site.closing_measure in choices.skipped_repeats]
    told = ["The order of playing that the file states was not followed."] if score.stated_order else []
    if skipped and len(skipped) == len(sites) > 1:
        told.append("None of the repeats was played.")
    elif len(skipped) > MOST_NAMED:
        told.append(f"{len(skipped)} of {len(sites)} repeats were not played: {', '.join(skipped)}.")
    else:
        told.extend(f"The repeat of {bars} was not played." for bars in skipped)
    has_jumps = any(JUMP_MARKS.intersection(m.marks) for m in score.measures)
    if has_jumps and choices.takes_jumps != usual.takes_jumps:
        told.append("The da capo or dal segno was not followed.")
    elif has_jumps:
        skipped_jumps = choices.skipped_jumps
        left = [site.label for site in jump_sites(score) if (site.measure_index, site.mark) in skipped_jumps]
        told.extend(f"{label}: not followed." for label in left)
        again = takes_repeats_again(score, choices)
        if again != takes_repeats_again(score):
            told.append(f"After the da capo or dal segno the repeats were {'' if again else 'not '}played again.")
    if choices.keeps_bars_together != usual.keeps_bars_together:
        told.append("The parts disagree about the lengths of bars; they were played with every bar together.")
    return tuple(told)
