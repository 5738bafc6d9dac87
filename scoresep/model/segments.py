"""Who plays when: the activity of every part, and the segments of one set of parts that follow from them.

Activities are what is stored and edited, part by part; segments are derived and never stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scoresep.model.alignment import NoteTimes
from scoresep.model.arrays import ArrayEquality, frozen
from scoresep.model.score import PathNotes
from scoresep.model.timebase import second_to_frame

Category = Literal["silence", "single", "mixed"]

# Gaps between two notes of a part up to this long do not end its activity (design: words).
BRIDGED_GAP_S = 0.15


@dataclass(frozen=True, eq=False)
class Activity(ArrayEquality):
    """The stretches in which one part sounds.

    Attributes
    ----------
    part_index : int
    start_frame, end_frame : ndarray [shape=(stretches,)], int64
        Half-open, sorted, not touching each other.
    is_by_hand : ndarray [shape=(stretches,)], bool
        Stretches that a person has made or moved.
    """

    part_index: int
    start_frame: NDArray[np.int64]
    end_frame: NDArray[np.int64]
    is_by_hand: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "start_frame", frozen(self.start_frame, np.int64))
        object.__setattr__(self, "end_frame", frozen(self.end_frame, np.int64))
        by_hand = np.zeros(len(self.start_frame), np.bool_) if self.is_by_hand is None else self.is_by_hand
        object.__setattr__(self, "is_by_hand", frozen(by_hand, np.bool_))
        if np.any(self.end_frame <= self.start_frame) or np.any(self.start_frame[1:] <= self.end_frame[:-1]):
            raise ValueError("stretches of an activity must be sorted, non-empty and apart from each other")


@dataclass(frozen=True)
class Segment:
    """A stretch of the recording with one set of active parts.

    Attributes
    ----------
    start_frame, end_frame : int
        Half-open.
    part_indices : tuple of int
        The active parts, rising.
    """

    start_frame: int
    end_frame: int
    part_indices: tuple[int, ...]

    @property
    def category(self) -> Category:
        """``silence``, ``single`` or ``mixed``."""
        categories: tuple[Category, ...] = ("silence", "single", "mixed")
        return categories[min(len(self.part_indices), 2)]


def joined_intervals(
    start_frame: NDArray[np.int64], end_frame: NDArray[np.int64], gap_frames: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Join intervals that overlap, touch or leave gaps of at most `gap_frames`.

    Parameters
    ----------
    start_frame, end_frame : ndarray [shape=(n,)], int64
        In any order; empty ones are dropped.
    gap_frames : int

    Returns
    -------
    start_frame, end_frame : ndarray [shape=(m,)], int64
        Sorted and apart.
    """
    keep = end_frame > start_frame
    order = np.argsort(start_frame[keep], kind="stable")
    starts, ends = start_frame[keep][order], np.maximum.accumulate(end_frame[keep][order])
    if not len(starts):
        return starts, ends
    first = np.concatenate([[True], starts[1:] > ends[:-1] + gap_frames])
    last = np.concatenate([first[1:], [True]])
    return starts[first], ends[last]


def activities_from_notes(
    notes: PathNotes, times: NoteTimes, part_count: int, total_frames: int, sample_rate: int
) -> tuple[Activity, ...]:
    """Derive the activity of every part from its notes in the recording.

    Parameters
    ----------
    notes : PathNotes
    times : NoteTimes
    part_count, total_frames, sample_rate : int

    Returns
    -------
    activities : tuple of Activity
        One for each part, in the order of the parts, inside [0, total_frames].
    """
    gap_frames = second_to_frame(BRIDGED_GAP_S, sample_rate)
    onset = np.clip(times.onset_frame, 0, total_frames)
    offset = np.clip(times.offset_frame, 0, total_frames)
    activities = []
    for part_index in range(part_count):
        mine = (notes.part_index == part_index) & times.is_present
        activities.append(Activity(part_index, *joined_intervals(onset[mine], offset[mine], gap_frames)))
    return tuple(activities)


def segments_of(activities: tuple[Activity, ...], total_frames: int) -> tuple[Segment, ...]:
    """Divide the recording wherever the set of active parts changes.

    Returns
    -------
    segments : tuple of Segment
        Gapless from 0 to `total_frames`; neighbours have different sets. Empty for a recording of no length.
    """
    edges = {0, total_frames}
    for activity in activities:
        edges.update(int(f) for f in activity.start_frame if 0 < f < total_frames)
        edges.update(int(f) for f in activity.end_frame if 0 < f < total_frames)
    borders = np.array(sorted(edges), np.int64)
    starts = borders[:-1]
    if total_frames <= 0:
        return ()
    active = np.zeros((len(activities), len(starts)), np.bool_)
    for row, activity in zip(active, activities, strict=True):
        at = np.searchsorted(activity.start_frame, starts, side="right") - 1
        inside = at >= 0
        row[inside] = starts[inside] < activity.end_frame[at[inside]]
    segments: list[Segment] = []
    for i, start in enumerate(starts.tolist()):
        parts = tuple(a.part_index for a, row in zip(activities, active, strict=True) if row[i])
        if segments and segments[-1].part_indices == parts:
            segments[-1] = Segment(segments[-1].start_frame, int(borders[i + 1]), parts)
        else:
            segments.append(Segment(start, int(borders[i + 1]), parts))
    return tuple(segments)
