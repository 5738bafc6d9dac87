"""When exactly a part stops and starts: edges from the level of the tone in question, frame by frame.

Which tones sound at all is decided elsewhere. A tone that ends is held, and then fades into silence or into its own
reverberation; where the fading begins, the tone ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.segmentation.evidence import EVIDENCE_SCALE

RATE_HZ = EVIDENCE_SCALE.frame_rate_hz
# The steepest slope of a tone while it is held (a plucked string fades all the time), and slopes after it was let go
# or before it began, in dB per second.
STEEPEST_DB_PER_S, FADING_DB_PER_S, RISING_DB_PER_S = -30.0, (-45.0, -120.0, -400.0), (150.0, 400.0)
RANGE_DB = 25.0
DEVIATION_DB = 4.0
# Neighbouring frames see nearly the same samples.
INDEPENDENCE = 0.3
BEFORE_S, SETTLED_S = 0.12, 0.4
# How unlikely it is that a note is held on, for every second; and that it is let go early.
HELD_PER_S, EARLY_PER_S = 1.5, 4.0
# An entry is only believed to be where the aligner has not put it when it is so far off and so much likelier.
DISPLACED_S, DISPLACED_GAIN = 0.3, 8.0


@dataclass(frozen=True, eq=False)
class Tone:
    """The tone at an edge of a stretch.

    Attributes
    ----------
    level_db : ndarray [shape=(frames,)], float64
        Of the tone, over all of the recording or from `first_frame` on.
    certainty : ndarray [shape=(frames,)], float64
        How far the level can be trusted, 0 to 1.
    first_frame : int
    onset_s, offset_s : float
        As aligned.
    pitch_midi : int
    """

    level_db: NDArray[np.float64]
    certainty: NDArray[np.float64]
    first_frame: int
    onset_s: float
    offset_s: float
    pitch_midi: int

    def window_frames(self) -> int:
        """Return the length of the window through which the tone was heard."""
        seconds = [n / hz for from_midi, hz, n in EVIDENCE_SCALE.windows if from_midi <= self.pitch_midi][-1]
        return max(round(seconds * RATE_HZ), 1)


def end_s(tone: Tone, latest_s: float) -> float:
    """Find when a tone ends.

    Parameters
    ----------
    tone : Tone
    latest_s : float
        To which the tone is listened for.
    """
    earliest_s = max(tone.offset_s - BEFORE_S, tone.onset_s + 0.3 * (tone.offset_s - tone.onset_s))
    rows = _rows(tone, tone.onset_s + 0.05, latest_s + SETTLED_S)
    places = np.arange(np.ceil(earliest_s * RATE_HZ), np.floor(latest_s * RATE_HZ) + 1).astype(np.int64)
    if len(rows) < 5 or not len(places):
        return tone.offset_s
    late_s = places / RATE_HZ - tone.offset_s
    cost = np.where(late_s > 0, HELD_PER_S * late_s, -EARLY_PER_S * late_s)
    gain = _likelihood(tone, rows, places, FADING_DB_PER_S) - cost
    now = int(np.argmin(np.abs(late_s)))
    best = int(np.argmax(gain))
    is_found = 0 < best < len(places) - 1 and gain[best] - gain[now] > 0.5
    return _between(gain, best, places) if is_found else tone.offset_s


def start_s(tone: Tone, earliest_s: float) -> float:
    """Find when a tone begins: where the aligner has it, unless it is clearly heard to enter elsewhere.

    Parameters
    ----------
    tone : Tone
    earliest_s : float
        From which the tone is listened for.
    """
    latest_s = tone.onset_s + 0.7 * (tone.offset_s - tone.onset_s)
    rows = _rows(tone, earliest_s - 0.1, tone.offset_s - 0.05)
    places = np.arange(np.ceil(earliest_s * RATE_HZ), np.floor(latest_s * RATE_HZ) + 1).astype(np.int64)
    if len(rows) < 5 or not len(places):
        return tone.onset_s
    gain = _likelihood(tone, rows, places, RISING_DB_PER_S)
    gain -= HELD_PER_S * np.abs(places / RATE_HZ - tone.onset_s)
    now, best = int(np.argmin(np.abs(places / RATE_HZ - tone.onset_s))), int(np.argmax(gain))
    found_s = _between(gain, best, places)
    is_found = 0 < best < len(places) - 1 and gain[best] - gain[now] > DISPLACED_GAIN
    return found_s if is_found and abs(found_s - tone.onset_s) > DISPLACED_S else tone.onset_s


def _rows(tone: Tone, first_s: float, last_s: float) -> NDArray[np.int64]:
    low = max(int(np.ceil(first_s * RATE_HZ)), tone.first_frame)
    return np.arange(low, min(int(last_s * RATE_HZ), tone.first_frame + len(tone.level_db)))


def _likelihood(
    tone: Tone, rows: NDArray[np.int64], places: NDArray[np.int64], slopes: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return the logarithm of how well an edge at every place explains the level, shape (places,).

    Parameters
    ----------
    tone : Tone
    rows : ndarray [shape=(n,)], int64
        Frames whose level is looked at.
    places : ndarray [shape=(places,)], int64
    slopes : tuple of float
        In dB per second beyond the edge: falling for the end of a tone, rising for its beginning.
    """
    level, weight = tone.level_db[rows - tone.first_frame], tone.certainty[rows - tone.first_frame]
    held = _held_line(tone, rows)
    lowest = float(np.median(held)) - RANGE_DB
    level, held = np.maximum(level, lowest), np.maximum(held, lowest)
    beyond = rows[None, :] - places[:, None]
    best = np.full(len(places), -np.inf)
    for slope in slopes:
        expected = np.maximum(held + _shape(beyond, slope, tone.window_frames()), lowest)
        error = np.minimum(((level - expected) / DEVIATION_DB) ** 2, 9.0)
        best = np.maximum(best, -0.5 * INDEPENDENCE * (weight * error).sum(axis=1))
    return best


def _held_line(tone: Tone, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the level that the tone would have at some frames if it were held on as in its middle."""
    length_s = tone.offset_s - tone.onset_s
    body = _rows(tone, tone.onset_s + min(0.1, 0.3 * length_s), tone.offset_s - min(0.08, 0.2 * length_s))
    if not len(body):
        return np.full(len(rows), float(tone.level_db.max(initial=-60.0)))
    level, second = tone.level_db[body - tone.first_frame], body / RATE_HZ
    loud = level > np.median(level) - RANGE_DB / 2
    slope = 0.0
    if loud.sum() > 15:
        slope = float(np.clip(np.polyfit(second[loud], level[loud], 1)[0], STEEPEST_DB_PER_S, 0.0))
    centre = float(np.median(level - slope * second))
    return np.asarray(centre + slope * rows / RATE_HZ)


def _shape(beyond: NDArray[np.int64], slope: float, window: int) -> NDArray[np.float64]:
    """Return the level around an edge as it is seen through a window, in dB, for frames after the edge."""
    reach = int(max(np.abs(beyond).max(initial=0), 1)) + window
    frame = np.arange(-reach, reach + 1)
    line = np.minimum(slope * frame / RATE_HZ, 0.0)
    blur = np.hanning(window + 2)[1:-1]
    seen = np.convolve(10 ** (np.maximum(line, -60) / 20), blur / blur.sum(), "same")
    return np.asarray(20 * np.log10(np.maximum(seen, 1e-3))[beyond + reach])


def _between(gain: NDArray[np.float64], best: int, places: NDArray[np.int64]) -> float:
    """Return the place of a maximum, in seconds, between the frames by a parabola."""
    shift = 0.0
    if 0 < best < len(gain) - 1:
        left, mid, right = gain[best - 1 : best + 2]
        bend = left - 2 * mid + right
        shift = float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < -1e-9 else 0.0
    return (float(places[best]) + shift) / RATE_HZ
