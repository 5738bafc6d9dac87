"""Who plays when: the activity of every part, and the segments of one set of parts that follow from them.

Activities are what is stored and edited, part by part; segments are derived and never stored. How sure a segment is
follows from how surely each part was heard there, which is stored with its activity, and from what a person has said.
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
class ActivityPosterior(ArrayEquality):
    """How surely a part is heard to sound, from one moment of the recording to the next.

    Attributes
    ----------
    from_frame : ndarray [shape=(moments,)], int64
        Rising, the first 0; each counts until the next.
    probability : ndarray [shape=(moments,)], float32
        That the part sounds, 0 to 1.
    """

    from_frame: NDArray[np.int64]
    probability: NDArray[np.float32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "from_frame", frozen(self.from_frame, np.int64))
        object.__setattr__(self, "probability", frozen(self.probability, np.float32))
        if len(self.from_frame) != len(self.probability) or not len(self.from_frame) or self.from_frame[0] != 0:
            raise ValueError("what is heard needs a probability for every moment from 0 on")
        if np.any(np.diff(self.from_frame) <= 0) or not np.all((self.probability >= 0) & (self.probability <= 1)):
            raise ValueError("moments must rise, and probabilities lie between 0 and 1")

    def means(self, borders: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the mean probability between neighbouring borders (rising frames), shape (borders - 1,)."""
        end = max(int(borders[-1]), int(self.from_frame[-1]) + 1)
        knots = np.append(self.from_frame, end)
        total = np.concatenate([[0.0], np.cumsum(np.diff(knots) * self.probability.astype(np.float64))])
        return np.asarray(np.diff(np.interp(borders, knots, total)) / np.diff(borders))


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
    heard : ActivityPosterior or None
        How surely the part was heard when the recording was listened to; None where it was not. Edits by hand leave it
        as it is.
    """

    part_index: int
    start_frame: NDArray[np.int64]
    end_frame: NDArray[np.int64]
    is_by_hand: NDArray[np.bool_] | None = None
    heard: ActivityPosterior | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "start_frame", frozen(self.start_frame, np.int64))
        object.__setattr__(self, "end_frame", frozen(self.end_frame, np.int64))
        by_hand = np.zeros(len(self.start_frame), np.bool_) if self.is_by_hand is None else self.is_by_hand
        object.__setattr__(self, "is_by_hand", frozen(by_hand, np.bool_))
        if np.any(self.end_frame <= self.start_frame) or np.any(self.start_frame[1:] <= self.end_frame[:-1]):
            raise ValueError("stretches of an activity must be sorted, non-empty and apart from each other")

    def sounds_at(self, frame: int) -> bool:
        """Tell whether the part sounds at a frame."""
        return bool(np.any((self.start_frame <= frame) & (frame < self.end_frame)))


@dataclass(frozen=True)
class Segment:
    """A stretch of the recording with one set of active parts.

    Attributes
    ----------
    start_frame, end_frame : int
        Half-open.
    part_indices : tuple of int
        The active parts, rising.
    confidence : float or None
        How likely just these parts sound (`model.quality`); None where the recording was not listened to.
    is_anonymous : bool
        There is no score: the "parts" are sets of instruments that sound alike, of one instrument or several.
    """

    start_frame: int
    end_frame: int
    part_indices: tuple[int, ...]
    confidence: float | None = None
    is_anonymous: bool = False

    @property
    def category(self) -> Category:
        """``silence``, ``single`` or ``mixed``; without a score what sounds is never claimed to be a single part."""
        if self.is_anonymous and self.part_indices:
            return "mixed"
        categories: tuple[Category, ...] = ("silence", "single", "mixed")
        return categories[min(len(self.part_indices), 2)]


def join_intervals(
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
        activities.append(Activity(part_index, *join_intervals(onset[mine], offset[mine], gap_frames)))
    return tuple(activities)


def segments_of(activities: tuple[Activity, ...], total_frames: int) -> tuple[Segment, ...]:
    """Divide the recording wherever the set of active parts changes.

    Returns
    -------
    segments : tuple of Segment
        Gapless from 0 to `total_frames`; neighbours have different sets. Empty for a recording of no length.
    """
    if total_frames <= 0:
        return ()
    edges = np.concatenate([np.zeros(0, np.int64), *(np.append(a.start_frame, a.end_frame) for a in activities)])
    borders = np.unique(np.concatenate([edges[(edges > 0) & (edges < total_frames)], [0, total_frames]]))
    active = np.zeros((len(activities), len(borders) - 1), np.bool_)
    for row, activity in zip(active, activities, strict=True):
        at = np.searchsorted(activity.start_frame, borders[:-1], side="right") - 1
        inside = at >= 0
        row[inside] = borders[:-1][inside] < activity.end_frame[at[inside]]
    is_new = np.append(True, (active[:, 1:] != active[:, :-1]).any(axis=0))
    borders, active = np.append(borders[:-1][is_new], total_frames), active[:, is_new]
    confidence = _confidence(activities, borders, active)
    return tuple(
        Segment(start, end, tuple(a.part_index for a, is_on in zip(activities, on, strict=True) if is_on), sure)
        for start, end, on, sure in zip(
            borders[:-1].tolist(), borders[1:].tolist(), active.T.tolist(), confidence, strict=True
        )
    )


def _confidence(
    activities: tuple[Activity, ...], borders: NDArray[np.int64], active: NDArray[np.bool_]
) -> list[float | None]:
    """Return how sure every stretch between borders is: all parts must be right; what is by hand is taken as right.

    Parameters
    ----------
    activities : tuple of Activity
    borders : ndarray [shape=(stretches + 1,)], int64
    active : ndarray [shape=(activities, stretches)], bool
    """
    if all(activity.heard is None for activity in activities):
        return [None] * (len(borders) - 1)
    least = np.ones(len(borders) - 1)
    for activity, is_on in zip(activities, active, strict=True):
        if activity.heard is not None:
            sounds = activity.heard.means(borders)
            right = np.where(_is_by_hand(activity, borders[:-1]), 1.0, np.where(is_on, sounds, 1 - sounds))
            least = np.minimum(least, right)
    return [float(value) for value in np.clip(least, 0.0, 1.0)]


def _is_by_hand(activity: Activity, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which frames lie in a stretch by hand, or in a gap that has one on either side."""
    hand = activity.is_by_hand
    assert hand is not None
    beside = np.concatenate([[False], hand, [False]])
    at = np.searchsorted(activity.start_frame, frames, side="right")
    ended = np.append(-1, activity.end_frame)[at] <= frames
    return np.asarray(np.where(ended, beside[at] | beside[at + 1], beside[at]))
