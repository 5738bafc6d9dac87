"""In which pieces a recording is separated: about segment by segment, and what a person waits for first.

An engine gives the same samples however the recording is divided, so that this only decides in which order results
arrive, how much memory they take, and how soon cancelling is heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

LEAST_S = 4.0  # shorter pieces would spend much of their time on their margins
MOST_S = 15.0
MOST_BYTES = 128 * 2**20  # of the stems of one piece


@dataclass(frozen=True, order=True)
class Stretch:
    """The frames [start_frame, stop_frame)."""

    start_frame: int
    stop_frame: int


def plan_chunks(
    frames: int, sample_rate: int, channels: int, stem_count: int, edges: Iterable[int] = ()
) -> tuple[Stretch, ...]:
    """Divide a recording, at the edges of its segments where these are neither too near nor too far.

    Parameters
    ----------
    frames, sample_rate, channels : int
        Of the recording.
    stem_count : int
    edges : iterable of int
        Frames at which segments meet.

    Returns
    -------
    stretches : tuple of Stretch
        Gapless from 0 to `frames`.
    """
    most = min(int(MOST_S * sample_rate), MOST_BYTES // (4 * channels * (stem_count + 1)))
    most = max(most, sample_rate // 4, 1)
    least = min(int(LEAST_S * sample_rate), most)
    borders = [0]
    for edge in [*sorted(e for e in set(edges) if 0 < e < frames), frames]:
        while edge - borders[-1] > most:
            borders.append(borders[-1] + min(most, max(least, (edge - borders[-1]) // 2)))
        if edge - borders[-1] >= least or (edge == frames and edge > borders[-1]):
            borders.append(edge)
    return tuple(Stretch(a, b) for a, b in pairwise(borders))


def next_chunk(left: Sequence[Stretch], wanted_frame: int) -> Stretch:
    """Return which of the stretches that are left comes first: where a person listens, then what comes after it."""
    return min(left, key=lambda s: (s.stop_frame <= wanted_frame, s.start_frame))
