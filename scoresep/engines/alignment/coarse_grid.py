"""How well what is heard fits what should be heard."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from scoresep.engines.alignment.score_events import ScoreEvents, expected_spectra, harmonic_profiles
from scoresep.engines.features import PitchScale, compressed, levels_db, reference_power
from scoresep.model.score import UnfoldedScore

# Below this level (dB relative to the mean of the louder frames) a frame counts more and more as silence.
QUIET_DB = -35.0
SILENT_DB = -50.0


def audio_vectors(spectrum: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn power spectra into unit vectors that can be compared with `expected_vectors`.

    Parameters
    ----------
    spectrum : ndarray [shape=(frames, bins)], float32

    Returns
    -------
    vectors : ndarray [shape=(frames, bins + 1)], float32
        Compressed power, what is even in it taken off; the last column is silence.
    """
    silence = np.clip((QUIET_DB - levels_db(spectrum)) / (QUIET_DB - SILENT_DB), 0.0, 1.0)
    return _with_silence(_peaky(compressed(spectrum, reference_power(spectrum))), silence)


def expected_vectors(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn expected power spectra into unit vectors, shape (stretches, bins + 1); rests are silence."""
    is_rest = power.max(axis=1, initial=0.0) <= 0.02
    return _with_silence(_peaky(compressed(power, 1.0, 30.0)), is_rest.astype(np.float32))


def _peaky(values: NDArray[np.float32], width: int = 9) -> NDArray[np.float32]:
    """Take off the mean over the neighbouring semitones and what is then below zero: noise goes, tones stay."""
    sums = np.cumsum(np.pad(values, ((0, 0), (width // 2 + 1, width // 2)), mode="edge"), axis=1, dtype=np.float32)
    return np.maximum(values - (sums[:, width:] - sums[:, :-width]) / width, 0)


def _with_silence(values: NDArray[np.float32], silence: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.sqrt((values**2).sum(axis=1, keepdims=True))
    unit = values / np.maximum(length, 1e-9) * np.sqrt(1 - silence[:, None] ** 2)
    return np.concatenate([unit, silence[:, None]], axis=1).astype(np.float32)


def averaged(vectors: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Average `factor` neighbouring frames to unit vectors, shape (ceil(frames / factor), columns)."""
    if factor == 1:
        return vectors
    padded = np.pad(vectors, ((0, -len(vectors) % factor), (0, 0)), mode="edge")
    mean = padded.reshape(-1, factor, vectors.shape[1]).mean(axis=1)
    return np.asarray(mean / np.maximum(np.sqrt((mean**2).sum(axis=1, keepdims=True)), 1e-9), np.float32)


# How much better a match must be than the average of all places in the score, to count for and not against a place.
MARGIN = 0.04
# Loud frames that no part of the score explains count as much against a path as a mismatch of this size.
UNEXPLAINED = 0.03
# Rests and pauses fit together anywhere: silence tells little of the place.
SILENCE_WEIGHT = 0.3
# Stretches that fit no place of the score as well as most of the recording does count against all places: by how much
# for each share that they fit less than this share of what is usual, looked at over so many seconds.
STRANGE_BELOW = 0.8
STRANGE_WEIGHT = 0.5
STRANGE_OVER_S = 1.0


@dataclass(frozen=True, eq=False)
class Search:
    """A score and what is heard of a recording.

    Attributes
    ----------
    unfolded : UnfoldedScore
    events : ScoreEvents
    observed : ndarray [shape=(frames, bins + 1)], float32
        From `audio_vectors`, at the rate of `scale`.
    scale : PitchScale
    """

    unfolded: UnfoldedScore
    events: ScoreEvents
    observed: NDArray[np.float32]
    scale: PitchScale


@dataclass(frozen=True, eq=False)
class Grid:
    """What is heard in every frame and expected in every cell, both as unit vectors, at one rate.

    Attributes
    ----------
    observed : ndarray [shape=(frames, columns)], float32
    expected : ndarray [shape=(cells, columns)], float32
    cell_quarter : ndarray [shape=(cells + 1,)], float64
        Start of each cell and the end of the last.
    frame_s : float
    allowed : ndarray [shape=(frames, 2)], int64
        First and one after the last cell a frame may lie in.
    usual : ndarray [shape=(columns,)], float32, optional
        What matches are compared with, in place of the mean of all cells.
    strange : ndarray [shape=(frames,)], float32, optional
        What counts against all cells.
    """

    observed: NDArray[np.float32]
    expected: NDArray[np.float32]
    cell_quarter: NDArray[np.float64]
    frame_s: float
    allowed: NDArray[np.int64]
    usual: NDArray[np.float32] | None = None
    strange: NDArray[np.float32] | None = None

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return how much for or against each cell the frames [start, stop) speak, in seconds of a certain match."""
        match = self.observed[start:stop] @ self.expected.T
        if self.usual is None:
            usual = match.mean(axis=1, keepdims=True)
        else:
            usual = np.einsum("ij,j->i", self.observed[start:stop], self.usual)[:, None]
        if self.strange is not None:
            usual = usual + self.strange[start:stop, None]
        evidence = (match - usual - np.float32(MARGIN)) * np.float32(self.frame_s)
        cells = np.arange(match.shape[1])
        low, high = self.allowed[start:stop, :1], self.allowed[start:stop, 1:]
        if (low > 0).any() or (high < len(cells)).any():
            evidence[(cells < low) | (cells >= high)] = -1e6
        return np.asarray(evidence, np.float32)

    def evidence_at(self, frames: NDArray[np.int64], cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much frames speak for or against one cell each, in seconds of a certain match."""
        usual = self.expected.mean(axis=0) if self.usual is None else self.usual
        match = np.einsum("ij,ij->i", self.observed[frames], self.expected[cells])
        strange = 0.0 if self.strange is None else self.strange[frames]
        return np.asarray((match - self.observed[frames] @ usual - strange - MARGIN) * self.frame_s, np.float64)

    def with_strange(self) -> Grid:
        """Return the grid with `strange` learned from the recording."""
        best = np.empty(len(self.observed))
        block = max(1, 4_000_000 // len(self.expected))
        for first in range(0, len(self.observed), block):
            match = self.observed[first : first + block] @ self.expected.T
            best[first : first + block] = match.max(axis=1) - match.mean(axis=1)
        sounds = 1 - self.observed[:, -1].astype(np.float64) ** 2
        width = STRANGE_OVER_S / self.frame_s
        around = gaussian_filter1d(best * sounds, width / 2) / np.maximum(gaussian_filter1d(sounds, width / 2), 1e-3)
        loud = sounds > 0.5
        if not loud.any():
            return self
        common = float(np.quantile(around[loud], 0.8))
        strange = STRANGE_WEIGHT * np.maximum(STRANGE_BELOW * common - around, 0) * sounds
        return replace(self, strange=strange.astype(np.float32))

    def unexplained(self) -> NDArray[np.float64]:
        """Return what frames count while no part of the score is heard, shape (frames,): less than 0 unless silent."""
        return -UNEXPLAINED * self.frame_s * (1 - self.observed[:, -1].astype(np.float64) ** 2)

    def pinned(self) -> NDArray[np.bool_]:
        """Return the frames that must lie in one certain cell, shape (frames,)."""
        return np.asarray((self.allowed[:, 1] - self.allowed[:, 0] == 1) & (len(self.expected) > 1))


def coarse_grid(
    search: Search,
    semitones: int,
    fixed_points_s: tuple[tuple[float, float], ...],
    most_cells: int,
    pace: float = 1.0,
) -> Grid:
    """Lay out a grid of at most `most_cells` pairs of a frame and a cell, tenths of a second apart or more.

    Parameters
    ----------
    search : Search
    semitones : int
        How far the recording sounds above the score.
    fixed_points_s : tuple of (quarter, second)
        Through which every path must lead.
    most_cells : int
    pace : float
        Nominal seconds of the score in a second of the recording.
    """
    events, scale = search.events, search.scale
    paced_s = float(events.nominal_s[-1] - events.nominal_s[0]) / pace
    factor = 5
    while (len(search.observed) / factor) * (paced_s * scale.frame_rate_hz / factor) > most_cells:
        factor *= 2
    frame_s = factor / scale.frame_rate_hz
    cell_quarter, expected = even_cells(search, semitones, frame_s * pace)
    expected[:, -1] *= SILENCE_WEIGHT
    coarse = averaged(search.observed, factor)
    return Grid(coarse, expected, cell_quarter, frame_s, _allowed(len(coarse), cell_quarter, frame_s, fixed_points_s))


def even_cells(search: Search, semitones: int, cell_s: float) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Divide the score evenly in nominal time; return the borders of the cells and what is expected in each.

    Parameters
    ----------
    search : Search
        The score and what is known of the recording.
    semitones : int
        Of transposition, added to every pitch.
    cell_s : float
        Length of a cell in nominal time.
    """
    events = search.events
    first_s, last_s = float(events.nominal_s[0]), float(events.nominal_s[-1])
    cells = max(int(np.ceil((last_s - first_s) / cell_s)), 2)
    cell_quarter = np.interp(np.linspace(first_s, last_s, cells + 1), events.nominal_s, events.borders_quarter)
    profiles = harmonic_profiles(search.scale, semitones)
    return cell_quarter, expected_vectors(expected_spectra(search.unfolded, cell_quarter, profiles))


def paced_grid(search: Search, semitones: int, pace: float, usual: NDArray[np.float32], factor: int) -> Grid:
    """Lay out a grid in which a measure is divided alike wherever it stands, to compare ways of unfolding a score.

    Parameters
    ----------
    search : Search
    semitones : int
        How far the recording sounds above the score.
    pace : float
        Nominal seconds of the score in a second of the recording.
    usual : ndarray [shape=(bins + 1,)], float32
        What matches are compared with; the same for all ways.
    factor : int
        Number of frames of `search.observed` that are taken together; the same for all ways.
    """
    frame_s = factor / search.scale.frame_rate_hz
    starts = search.unfolded.step_start_quarter
    steps_s = np.diff(np.interp(starts, search.events.borders_quarter, search.events.nominal_s))
    counts = np.maximum(np.rint(steps_s / (frame_s * pace)).astype(np.int64), 1)
    counts[np.diff(starts) <= 0] = 0
    first_cell = np.concatenate([[0], np.cumsum(counts)])
    cell_quarter = np.interp(np.arange(first_cell[-1] + 1), first_cell, starts)
    profiles = harmonic_profiles(search.scale, semitones)
    expected = expected_vectors(expected_spectra(search.unfolded, cell_quarter, profiles))
    observed = averaged(search.observed, factor)
    return Grid(observed, expected, cell_quarter, frame_s, _allowed(len(observed), cell_quarter, frame_s, ()), usual)


def usual_vector(search: Search, semitones: int) -> NDArray[np.float32]:
    """Return the mean of what is expected over a score, shape (bins + 1,)."""
    return np.asarray(even_cells(search, semitones, 0.5)[1].mean(axis=0), np.float32)


def _allowed(
    frames: int, cell_quarter: NDArray[np.float64], frame_s: float, fixed_points_s: tuple[tuple[float, float], ...]
) -> NDArray[np.int64]:
    """Before a fixed point a path may not be beyond it, after it not before it."""
    cells = len(cell_quarter) - 1
    allowed = np.tile(np.array([0, cells]), (frames, 1))
    for quarter, second in fixed_points_s:
        frame = int(np.clip(second / frame_s, 0, frames - 1))
        cell = int(np.clip(np.searchsorted(cell_quarter, quarter, side="right") - 1, 0, cells - 1))
        allowed[:frame, 1] = np.minimum(allowed[:frame, 1], cell + 1)
        allowed[frame + 1 :, 0] = np.maximum(allowed[frame + 1 :, 0], cell)
        allowed[frame] = cell, cell + 1
    return allowed
