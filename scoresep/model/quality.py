"""What stated confidences mean, in one place for all that state, show or act on them.

The confidence of a note is the probability that it is where it is said to be; that of a stretch or a segment, the share
that is right; that of an alignment, the probability that score and recording belong together. How they are reached is
told by the engines that state them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scoresep.model.project import Project
from scoresep.model.segments import Segment, segments_of

# Below this, wrong is as likely as right: a note or place is doubtful, is shown so, and is where
# "next doubtful place" leads; a score is rather not that of the recording.
DOUBTFUL_CONFIDENCE = 0.5


# Soft passages count as if they were this much softer than loud ones, so that hiss and echoes are no alarm.
FLOOR_DB = -25.0
# Well separated recordings leave one to three hundredths unexplained, places where the notes are wrong a quarter.
LEAST_LIMIT, MOST_LIMIT = 0.15, 0.6
LIMIT_OVER_MEDIAN = 4.0
LEAST_S = 0.5  # of a segment that is worth a look


@dataclass(frozen=True, eq=False)
class Unexplained:
    """What separation has left in the residual, block by block.

    Attributes
    ----------
    block_frames : int
        Length of a block.
    recording, residual : ndarray [shape=(blocks,)], float64
        Mean power.
    """

    block_frames: int
    recording: NDArray[np.float64]
    residual: NDArray[np.float64]

    @cached_property
    def _floor(self) -> float:
        if not len(self.recording):
            return 1.0
        return max(float(np.percentile(self.recording, 95)) * 10 ** (FLOOR_DB / 10), 1e-20)

    @cached_property
    def share(self) -> NDArray[np.float64]:
        """Share of every block's energy that no part explains, 0 to 1."""
        return np.clip(self.residual / np.maximum(self.recording, self._floor), 0.0, 1.0)

    @cached_property
    def limit(self) -> float:
        """From this share on there is much that no part explains, seen beside the rest of the recording."""
        loud = self.share[self.recording >= self._floor]
        usual = float(np.median(loud)) if len(loud) else 0.0
        return min(max(LIMIT_OVER_MEDIAN * usual, LEAST_LIMIT), MOST_LIMIT)

    @property
    def total(self) -> float:
        """Share of the whole recording's energy."""
        return float(self.residual.sum() / max(self.recording.sum(), 1e-20))

    def between(self, edge_frame: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the share between frames and the next ones.

        Parameters
        ----------
        edge_frame : ndarray [shape=(stretches + 1,)], int64
            Rising.

        Returns
        -------
        share : ndarray [shape=(stretches,)], float64
        """
        edges = np.arange(len(self.recording) + 1) * self.block_frames
        whole, left = (
            np.diff(np.interp(edge_frame, edges, np.concatenate([[0.0], np.cumsum(power) * self.block_frames])))
            for power in (self.recording, self.residual)
        )
        least = np.maximum(self._floor * np.diff(edge_frame), 1e-20)
        share: NDArray[np.float64] = np.clip(left / np.maximum(whole, least), 0.0, 1.0)
        return share


@dataclass(frozen=True)
class SegmentQuality:
    """How much a segment is to be trusted.

    Attributes
    ----------
    segment : Segment
    unexplained : float or None
        Share of its sound that no part explains; None where there are no stems.
    confidence : float or None
        Mean of the notes that sound in it, by how long they do; None where none does.
    is_much_unexplained : bool
        Whether that is more than usual in this recording.
    is_long : bool
        Whether it is long enough to be worth a look; what is amiss at an edge shows in its neighbours as well.
    """

    segment: Segment
    unexplained: float | None
    confidence: float | None
    is_much_unexplained: bool
    is_long: bool = True

    @property
    def is_doubtful(self) -> bool:
        """Whether a person should look here."""
        return bool(self.advice)

    @property
    def figures(self) -> str:
        """Both figures: ``27 % unexplained, confidence 45 %``."""
        words = []
        if self.unexplained is not None:
            words.append(f"{100 * self.unexplained:.0f} % unexplained")
        if self.confidence is not None:
            words.append(f"confidence {100 * self.confidence:.0f} %")
        return ", ".join(words)

    @property
    def advice(self) -> str:
        """What to do about it, in a sentence; empty where nothing is amiss."""
        if not self.is_long:
            return ""
        is_doubtful = self.confidence is not None and self.confidence < DOUBTFUL_CONFIDENCE
        if self.is_much_unexplained and not self.segment.part_indices:
            return "There is sound here although no part plays: check who plays here."
        if self.is_much_unexplained and is_doubtful:
            return "Much sound here that no part explains, and the notes are doubtful: correct the alignment."
        if self.is_much_unexplained:
            return "Much sound here that no part explains: check the alignment, and whether a part is missing."
        if is_doubtful:
            return "The notes here are doubtful: listen with clicks, and put the bar lines where they sound."
        if self.segment.confidence is not None and self.segment.confidence < DOUBTFUL_CONFIDENCE:
            return "It is doubtful who plays here: listen, and say with the right button who does."
        return ""


def confidence_between(
    onset_frame: NDArray[np.int64],
    offset_frame: NDArray[np.int64],
    confidence: NDArray[np.floating],
    edge_frame: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the mean confidence of the notes that sound between frames and the next ones, by how long they do.

    Parameters
    ----------
    onset_frame, offset_frame : ndarray [shape=(notes,)], int64
    confidence : ndarray [shape=(notes,)], float
    edge_frame : ndarray [shape=(stretches + 1,)], int64
        Rising.

    Returns
    -------
    confidence : ndarray [shape=(stretches,)], float64
        NaN where no note sounds.
    """
    weights = np.stack([np.asarray(confidence, np.float64), np.ones(len(confidence))])
    at = np.concatenate([onset_frame, np.maximum(offset_frame, onset_frame)])
    order = np.argsort(at, kind="stable")
    at = at[order]
    # what sounds grows at onsets and shrinks at offsets; its sum over time is a line between these
    sounding = np.cumsum(np.concatenate([weights, -weights], axis=1)[:, order], axis=1)
    if not len(at):
        return np.full(max(len(edge_frame) - 1, 0), np.nan)
    sums = np.concatenate([np.zeros((2, 1)), np.cumsum(sounding[:, :-1] * np.diff(at), axis=1)], axis=1)
    told, sounded = (np.diff(np.interp(edge_frame, at, row)) for row in sums)
    return np.where(sounded > 0.5, told / np.maximum(sounded, 0.5), np.nan)


def segment_qualities(
    segments: Sequence[Segment],
    unexplained: Unexplained | None,
    confidence: NDArray[np.float64],
    least_frames: float = 0.0,
) -> tuple[SegmentQuality, ...]:
    """Judge the segments of a recording.

    Parameters
    ----------
    segments : sequence of Segment
        Gapless.
    unexplained : Unexplained or None
        None where there are no stems.
    confidence : ndarray [shape=(segments,)], float64
        As from `confidence_between`.
    least_frames : float
        Shorter segments are never doubtful.
    """
    shares: list[float | None] = [None] * len(segments)
    if unexplained is not None and segments:
        shares = list(unexplained.between(edges_of(segments)).tolist())
    limit = 1.0 if unexplained is None else unexplained.limit
    found = []
    for segment, share, sure in zip(segments, shares, confidence.tolist(), strict=True):
        is_long = segment.end_frame - segment.start_frame >= least_frames
        is_much = share is not None and share >= limit
        found.append(SegmentQuality(segment, share, None if np.isnan(sure) else float(sure), is_much, is_long))
    return tuple(found)


def judge_segments(project: Project, unexplained: Unexplained | None) -> tuple[SegmentQuality, ...]:
    """Judge the segments of a project, as far as its alignment and its stems tell.

    Parameters
    ----------
    project : Project
    unexplained : Unexplained or None
        What its stems leave of the recording; None where there are none.

    Returns
    -------
    qualities : tuple of SegmentQuality
        One for every segment; empty where there are no activities yet.
    """
    recording, unfolded, alignment = project.recording, project.unfolded, project.alignment
    if recording is None or not project.activities:
        return ()
    segments = segments_of(project.activities, recording.frames)
    confidence = np.full(len(segments), np.nan)
    if unfolded is not None and alignment is not None and len(alignment.note_times) == len(unfolded.notes):
        times, here = alignment.note_times, alignment.note_times.is_present
        notes = times.onset_frame[here], times.offset_frame[here], times.confidence[here]
        confidence = confidence_between(*notes, edges_of(segments))
    return segment_qualities(segments, unexplained, confidence, LEAST_S * recording.sample_rate)


def edges_of(segments: Sequence[Segment]) -> NDArray[np.int64]:
    """Return where segments begin, and where the last ends."""
    return np.array([*(s.start_frame for s in segments), *(s.end_frame for s in segments[-1:])], np.int64)


def next_doubtful(qualities: Iterable[SegmentQuality], frame: int, direction: int) -> SegmentQuality | None:
    """Return the doubtful segment that begins next after a frame, or last before it; None where there is none.

    Parameters
    ----------
    qualities : iterable of SegmentQuality
        In any order.
    frame : int
    direction : int
        1 for the next, -1 for the last before.
    """
    doubtful = [q for q in qualities if q.is_doubtful and (q.segment.start_frame - frame) * direction > 0]
    if not doubtful:
        return None
    return min(doubtful, key=lambda q: abs(q.segment.start_frame - frame))
