"""The one clock: positions are sample frames of the recording, and this is where they become seconds and back.

Musical positions are quarter notes from the start of the first bar played; `timemap` joins the two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Two positions in the score closer than this are the same position (tuplets make them differ by rounding alone).
SAME_QUARTER = 1e-4


def seconds_to_frames(seconds: ArrayLike, sample_rate: int) -> NDArray[np.int64]:
    """Convert seconds to the nearest frames, halves to the even neighbour.

    Parameters
    ----------
    seconds : array_like
    sample_rate : int
        Frames in a second.

    Returns
    -------
    frames : ndarray, int64
        Of the shape of `seconds`.
    """
    return np.rint(np.asarray(seconds, np.float64) * sample_rate).astype(np.int64)


def second_to_frame(second: float, sample_rate: int) -> int:
    """Convert one time in seconds to the nearest frame."""
    return round(float(second) * sample_rate)


def frame_to_second(frame: float, sample_rate: int) -> float:
    """Convert one frame to its time in seconds."""
    return float(frame) / sample_rate


def format_time(seconds: float) -> str:
    """Write a time as a person reads it: `3:07.250`, with hours where there are any: `1:03:07.250`."""
    total_ms = round(abs(seconds) * 1000)
    minutes, ms = divmod(total_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if seconds < 0 and total_ms else ""
    rest = f"{ms // 1000:02d}.{ms % 1000:03d}"
    return f"{sign}{hours}:{minutes:02d}:{rest}" if hours else f"{sign}{minutes}:{rest}"
