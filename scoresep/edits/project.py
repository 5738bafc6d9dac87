"""Every edit as a pure function from the present project to the `Change` that makes it; nothing here has effects.

Undo is the inverse of the change, so an edit has only to say which fields differ.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from scoresep.edits.notes import carry_note_edits_over
from scoresep.edits.recipes import carry_recipe_over
from scoresep.errors import UsageError
from scoresep.model.alignment import Alignment
from scoresep.model.audio import Recording
from scoresep.model.colors import default_part_colors
from scoresep.model.path import PathChoices, performance_path, unfold
from scoresep.model.project import (
    Change,
    ChannelStrip,
    PartSettings,
    Project,
    Recipe,
    ScoreFile,
    StemSet,
    apply_change,
    change_to,
)
from scoresep.model.score import Measure, Score, UnfoldedScore
from scoresep.model.segments import Activity, activities_from_notes, join_intervals
from scoresep.model.time_warping import WarpExtent, move_activities, warp_alignment
from scoresep.model.timemap import SyncPoint


def set_recording(project: Project, recording: Recording) -> Change:
    """Take a recording into the project. What was heard in another recording (alignment, stems) goes with that one."""
    if project.recording is not None and project.recording.content_key == recording.content_key:
        return change_to(project, "Open recording", recording=recording)
    return change_to(
        project,
        "Open recording",
        recording=recording,
        alignment=None,
        pending_alignment=None,
        hand_points=(),
        activities=None,
        parts=project.parts if project.score is not None else (),  # sets were heard in the other recording
        recipe=replace(project.recipe, rules=()),
        stem_set=None,
    )


def set_score(project: Project, score_file: ScoreFile, score: Score) -> Change:
    """Take a score into the project, or a corrected one in the place of the present one.

    The very same score at another place keeps everything. Names, colours and other settings of parts stay with the
    parts of the same name (else of the same place); sync points placed by hand stay where their bars still fit, and so
    do stretches of activity made by hand.

    Parameters
    ----------
    project : Project
    score_file : ScoreFile
        Where the score was read from.
    score : Score
    """
    old = project.score
    if score == old:
        return change_to(project, "Open score", score_file=score_file)
    source_of = _same_parts(old, score) if old is not None else (None,) * len(score.parts)
    parts = _settings_after(project, score, source_of)
    strips = project.mixer.strips
    kept_strips = tuple(ChannelStrip() if s is None or s >= len(strips) else strips[s] for s in source_of)
    choices = project.path_choices if old is not None and _same_bars(old, score) else PathChoices()
    path = performance_path(score, choices)[0]
    bars = range(len(old.measures)) if old is not None else ()
    kept_measures = frozenset(i for i in bars if old is not None and _bar_fits(old, score, i))
    fitting = tuple(p for p in project.hand_points if p.measure_index in kept_measures)
    return change_to(
        project,
        "Open score" if old is None else "Replace score",
        score_file=score_file,
        score=score,
        path_choices=choices,
        path=path,
        alignment=None,
        pending_alignment=None,
        hand_points=_playable(fitting, unfold(score, path)),
        activities=_activities_after(project, source_of) if old is not None else None,
        parts=parts,
        mixer=replace(project.mixer, strips=kept_strips),
        recipe=carry_recipe_over(project.recipe, source_of),
        note_edits=carry_note_edits_over(project.note_edits, source_of, kept_measures),
        stem_set=project.stem_set if source_of == tuple(range(len(project.parts))) else None,
    )


def choose_path(project: Project, choices: PathChoices) -> Change:
    """Take or leave repeats and jumps, as a person says.

    The alignment is to be made anew; what was placed by hand stays where played.
    """
    return find_path(project, replace(choices, is_by_hand=True))


def find_path(project: Project, choices: PathChoices) -> Change:
    """Take or leave repeats and jumps, as an alignment found; everything else is as for `choose_path`."""
    score = _score(project)
    path = performance_path(score, choices)[0]
    if path == project.path:
        return change_to(project, "Choose repeats", path_choices=choices)
    return change_to(
        project,
        "Choose repeats",
        path_choices=choices,
        path=path,
        alignment=None,
        pending_alignment=None,
        hand_points=_playable(project.hand_points, unfold(score, path)),
        activities=_only_by_hand(project.activities),
    )


def set_first_alignment(
    project: Project, choices: PathChoices | None, alignment: Alignment, activities: tuple[Activity, ...] | None
) -> Change:
    """Take an alignment together with the repeats that it found, as one edit.

    Parameters
    ----------
    project : Project
    choices : PathChoices or None
        What was found; None where the path stays as it is.
    alignment : Alignment
    activities : tuple of Activity or None
        What follows from it; None to derive them here.
    """
    found = project if choices is None else apply_change(project, find_path(project, choices))
    if activities is None:
        activities = derive_activities(found, alignment)
    found = apply_change(found, set_alignment(found, alignment, activities))
    fields = ("path_choices", "path", "alignment", "pending_alignment", "hand_points", "activities")
    return change_to(project, "Align", **{name: getattr(found, name) for name in fields})


def set_alignment(project: Project, alignment: Alignment, activities: tuple[Activity, ...]) -> Change:
    """Put an alignment in the place of the present one, and the activities that follow from it (those by hand stay).

    Parameters
    ----------
    project : Project
    alignment : Alignment
    activities : tuple of Activity
        One for every part of the score.
    """
    return change_to(
        project,
        "Align",
        alignment=alignment,
        pending_alignment=None,
        activities=merge_hand_made(activities, project.activities),
    )


def propose_alignment(project: Project, alignment: Alignment) -> Change:
    """Lay a new alignment beside the present one, to be accepted or rejected."""
    return change_to(project, "Propose alignment", pending_alignment=alignment)


def accept_alignment(project: Project, activities: tuple[Activity, ...] | None = None) -> Change:
    """Take the pending alignment, and the activities that were found by it (those of its notes where none are known).

    Raises
    ------
    UsageError
        If there is none.
    """
    if project.pending_alignment is None:
        raise UsageError("There is no new alignment to accept; align first.")
    if activities is None:
        activities = derive_activities(project, project.pending_alignment)
    return replace(set_alignment(project, project.pending_alignment, activities), text="Accept alignment")


def reject_alignment(project: Project) -> Change:
    """Drop the pending alignment."""
    return change_to(project, "Reject alignment", pending_alignment=None)


def set_activities(project: Project, activities: tuple[Activity, ...]) -> Change:
    """Put newly found activities in the place of the present ones; stretches made by hand stay."""
    return change_to(project, "Segment", activities=merge_hand_made(activities, project.activities))


def place_bar(project: Project, point: SyncPoint, reach: WarpExtent = WarpExtent.NEIGHBOURS) -> Change:
    """Place one position of the score on a frame by hand; what is around follows as far as `reach` says.

    Edges of activity that lie on notes go with them.

    An alignment that waits to be accepted knows nothing of the point, and is dropped.

    Parameters
    ----------
    project : Project
    point : SyncPoint
        The position, and the frame that it is put on.
    reach : WarpExtent

    Raises
    ------
    UsageError
        If there is no alignment yet, the point is not played or lies outside the recording, or it would come before
        or after a neighbour by hand.
    """
    unfolded, alignment = project.unfolded, project.alignment
    if unfolded is None or alignment is None or project.recording is None:
        raise UsageError("Align the recording and its score first.")
    if not 0 <= point.frame <= project.recording.frames:
        raise UsageError("A bar cannot be placed outside the recording; choose a place within it.")
    quarter = unfolded.beat_to_quarter(point.measure_index, point.occurrence, point.beat)
    if quarter is None:
        raise UsageError("This bar is not played on the chosen path.")
    others = tuple(p for p in project.hand_points if _place(p) != _place(point))
    points = tuple(sorted((*others, replace(point, is_by_hand=True)), key=lambda p: p.frame))
    quarters = [unfolded.beat_to_quarter(p.measure_index, p.occurrence, p.beat) for p in points]
    if any(a is None or b is None or a >= b for a, b in pairwise(quarters)):
        raise UsageError("A point cannot be placed beyond its neighbour; move or remove that one first.")
    moved = warp_alignment(alignment, unfolded, quarter, point.frame, reach)
    return change_to(
        project,
        f"Place {position_text(unfolded, point)}",
        alignment=moved,
        pending_alignment=None,
        hand_points=points,
        activities=move_along(project, moved),
    )


def move_along(project: Project, moved: Alignment) -> tuple[Activity, ...] | None:
    """Return the activities after the notes of the present alignment have moved: edges that lie on notes follow."""
    if project.activities is None or project.alignment is None or project.unfolded is None or project.recording is None:
        return project.activities
    before, notes = project.alignment.note_times, project.unfolded.notes
    return move_activities(project.activities, notes, before, moved.note_times, project.recording.frames)


def position_text(unfolded: UnfoldedScore, point: SyncPoint) -> str:
    """Write a position of the score: ``bar 12``, ``bar 12, beat 3``."""
    number = unfolded.score.measures[point.measure_index].number
    return f"bar {number}" if abs(point.beat - 1) < 1e-3 else f"bar {number}, beat {point.beat:.3g}"


def set_part(project: Project, part_index: int, text: str, **values: Any) -> Change:
    """Give one part other settings (fields of `PartSettings`).

    Parameters
    ----------
    project : Project
    part_index : int
    text : str
        What undo calls the change.
    **values
        New values of fields of `PartSettings`.

    Raises
    ------
    UsageError
        If a part would be joined to itself or to one that is itself joined or absent.
    """
    parts = list(project.parts)
    parts[part_index] = replace(parts[part_index], **values)
    target = parts[part_index].joined_to
    if target is not None:
        joins_back = any(p.joined_to == part_index for p in parts)
        if target == part_index or parts[target].joined_to is not None or parts[target].is_absent or joins_back:
            raise UsageError("A part can only be joined to one that has a stem of its own; separate that one first.")
    for i, part in enumerate(parts):  # a part that goes away lets those go that were joined to it
        if part.joined_to is not None and parts[part.joined_to].is_absent:
            parts[i] = replace(part, joined_to=None)
    new = replace(project, parts=tuple(parts))
    activities = project.activities
    if project.alignment is not None and activities is not None and "is_absent" in values:
        own = derive_activities(new, project.alignment)[part_index]
        found = tuple(own if a.part_index == part_index else a for a in activities)
        activities = merge_hand_made(found, activities)
    return change_to(project, text, parts=new.parts, activities=activities)


def set_recipe(project: Project, recipe: Recipe) -> Change:
    """Choose how stems are made."""
    return change_to(project, "Choose engine", recipe=recipe)


def set_stems(project: Project, stem_set: StemSet) -> Change:
    """Take freshly made stems."""
    return change_to(project, "Separate", stem_set=stem_set)


def derive_activities(project: Project, alignment: Alignment) -> tuple[Activity, ...]:
    """Derive the activities that follow from the notes of an alignment; absent parts never sound."""
    unfolded, recording = project.unfolded, project.recording
    if unfolded is None or recording is None:
        raise UsageError("Open a recording and its score first.")
    times = remove_parts(alignment, unfolded, absent_parts(project)).note_times
    return activities_from_notes(unfolded.notes, times, len(project.parts), recording.frames, recording.sample_rate)


def absent_parts(project: Project) -> frozenset[int]:
    """Return the parts that the recording does not have."""
    return frozenset(i for i, p in enumerate(project.parts) if p.is_absent)


def remove_parts(alignment: Alignment, unfolded: UnfoldedScore, part_indices: frozenset[int]) -> Alignment:
    """Return the alignment with no note of these parts in the recording.

    Parameters
    ----------
    alignment : Alignment
    unfolded : UnfoldedScore
    part_indices : frozenset of int
    """
    if not part_indices:
        return alignment
    times = alignment.note_times
    is_there = times.is_present & ~np.isin(unfolded.notes.part_index, list(part_indices))
    return replace(alignment, note_times=replace(times, is_present=is_there))


def merge_hand_made(found: tuple[Activity, ...], present: tuple[Activity, ...] | None) -> tuple[Activity, ...]:
    """Lay the stretches made by hand over newly found ones: what overlaps them gives way."""
    if present is None or not any(a.is_by_hand is not None and a.is_by_hand.any() for a in present):
        return found
    merged = []
    for new, old in zip(found, present, strict=True):
        hand = old.is_by_hand
        if hand is None or not hand.any():
            merged.append(new)
            continue
        starts, ends = old.start_frame[hand], old.end_frame[hand]
        free = np.array(
            [not np.any((s <= ends) & (e >= starts)) for s, e in zip(new.start_frame, new.end_frame, strict=True)],
            np.bool_,
        )
        all_starts = np.concatenate([new.start_frame[free], starts])
        all_ends = np.concatenate([new.end_frame[free], ends])
        joined_starts, joined_ends = join_intervals(all_starts, all_ends)
        by_hand = np.isin(joined_starts, starts)
        merged.append(Activity(new.part_index, joined_starts, joined_ends, by_hand, new.heard))
    return tuple(merged)


def default_parts(score: Score) -> tuple[PartSettings, ...]:
    """Return the settings that the parts of a score start with."""
    colors = default_part_colors(len(score.parts))
    return tuple(PartSettings(p.name, color, p.instrument) for p, color in zip(score.parts, colors, strict=True))


def _score(project: Project) -> Score:
    if project.score is None:
        raise UsageError("Open a score first.")
    return project.score


def _place(point: SyncPoint) -> tuple[int, int, float]:
    return point.measure_index, point.occurrence, round(point.beat, 4)


def _same_parts(old: Score, new: Score) -> tuple[int | None, ...]:
    """For every new part the old one that it continues: of the same name, else of the same place when all are there."""
    by_name: dict[str, list[int]] = {}
    for part in old.parts:
        by_name.setdefault(part.name, []).append(part.index)
    found: list[int | None] = [(by_name.get(p.name) or [None]).pop(0) for p in new.parts]  # type: ignore[list-item]
    if len(old.parts) == len(new.parts):
        taken = {i for i in found if i is not None}
        found = [i if s is None and i not in taken else s for i, s in enumerate(found)]
    return tuple(found)


def _settings_after(project: Project, score: Score, source_of: tuple[int | None, ...]) -> tuple[PartSettings, ...]:
    fresh = default_parts(score)
    place = {old: new for new, old in enumerate(source_of) if old is not None}
    settings = []
    for part, source in zip(fresh, source_of, strict=True):
        if source is None or source >= len(project.parts):
            settings.append(part)
            continue
        old = project.parts[source]
        settings.append(replace(old, joined_to=None if old.joined_to is None else place.get(old.joined_to)))
    return tuple(settings)


def _same_bars(old: Score, new: Score) -> bool:
    return len(old.measures) == len(new.measures) and all(
        a.repeat_passes == b.repeat_passes and a.endings == b.endings and a.marks == b.marks
        for a, b in zip(old.measures, new.measures, strict=True)
    )


def _bar_fits(old: Score, new: Score, measure_index: int) -> bool:
    """Whether the bar at this place is still the same bar: same number, metre and length."""
    if measure_index >= len(new.measures):
        return False

    def nature(measure: Measure) -> tuple[object, ...]:
        return measure.number, measure.beats, measure.beat_type, round(measure.duration_quarter, 4)

    return nature(old.measures[measure_index]) == nature(new.measures[measure_index])


def _playable(points: tuple[SyncPoint, ...], unfolded: UnfoldedScore) -> tuple[SyncPoint, ...]:
    """Keep the points that are played on this path, and in the order in which it plays them."""
    kept: list[SyncPoint] = []
    last_quarter = -np.inf
    for point in sorted(points, key=lambda p: p.frame):
        quarter = unfolded.beat_to_quarter(point.measure_index, point.occurrence, point.beat)
        if quarter is not None and quarter > last_quarter:
            kept.append(point)
            last_quarter = quarter
    return tuple(kept)


def _only_by_hand(activities: tuple[Activity, ...] | None) -> tuple[Activity, ...] | None:
    """Keep what a person has made of the activities; None where that is nothing."""
    if activities is None:
        return None
    kept = []
    for activity in activities:
        hand = activity.is_by_hand
        assert hand is not None
        kept.append(Activity(activity.part_index, activity.start_frame[hand], activity.end_frame[hand], hand[hand]))
    return tuple(kept) if any(len(a.start_frame) for a in kept) else None


def _activities_after(project: Project, source_of: tuple[int | None, ...]) -> tuple[Activity, ...] | None:
    kept = _only_by_hand(project.activities)
    if kept is None:
        return None
    none = np.zeros(0, np.int64)
    return tuple(
        Activity(new, none, none) if old is None else replace(kept[old], part_index=new)
        for new, old in enumerate(source_of)
    )
