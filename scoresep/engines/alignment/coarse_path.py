"""The first, coarse way through recording and score: which part of the score is heard when, nothing known before.

A hidden Markov model walks through the score while the recording goes by. It may start and end anywhere in both, at a
price, so that silence, noise and speech at either end and a recording of a part of the score do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.score_events import ScoreEvents, expected_spectra, harmonic_profiles
from scoresep.engines.alignment.similarity import averaged, expected_vectors
from scoresep.engines.features import PitchScale
from scoresep.model.score import UnfoldedScore
from scoresep.progress import Progress

# How much better a match must be than the average of all places in the score, to count for and not against a place.
MARGIN = 0.04
# Cost of advancing 0, 1, ... cells of the score within one frame, in seconds of a certain match.
ADVANCE_COST_S = (0.03, 0.0, 0.02, 0.06, 0.10)
# Cost of starting or ending inside the score, in seconds of a certain match.
INNER_END_COST_S = 2.0
# Loud frames that no part of the score explains count as much against a path as a mismatch of this size.
UNEXPLAINED = 0.03
# The same where ways of unfolding the score are compared.
LEFT_OUT_COST_S = 3.0
MOST_CELLS = 40_000_000
MOST_CELLS_TRANSPOSING = 1_000_000


@dataclass(frozen=True, eq=False)
class CoarsePath:
    """A way through the score while the recording goes by.

    Attributes
    ----------
    time_s, quarter : ndarray [shape=(frames,)], float64
        Both rise, `quarter` not always strictly.
    fit : float
        How much better the recording fits than at any other place of the score, averaged over the path: about 0.2 where
        they belong together, about 0 where they do not.
    starts_inside, ends_inside : bool
        Whether the recording leaves out the beginning or the end of the score.
    """

    time_s: NDArray[np.float64]
    quarter: NDArray[np.float64]
    fit: float
    starts_inside: bool
    ends_inside: bool


@dataclass(frozen=True, eq=False)
class _Grid:
    """What is heard in every frame and expected in every cell, both as unit vectors, at one rate."""

    heard: NDArray[np.float32]
    expected: NDArray[np.float32]
    cell_quarter: NDArray[np.float64]  # start of each cell and the end of the last
    frame_s: float
    allowed: NDArray[np.int64]  # (frames, 2): first and one after the last cell a frame may lie in
    usual: NDArray[np.float32] | None = None  # what matches are compared with, in place of the mean of all cells

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return how much for or against each cell the frames [start, stop) speak, in seconds of a certain match."""
        match = self.heard[start:stop] @ self.expected.T
        if self.usual is None:
            usual = match.mean(axis=1, keepdims=True)
        else:
            usual = self.heard[start:stop] @ self.usual[:, None]
        evidence = (match - usual - np.float32(MARGIN)) * np.float32(self.frame_s)
        cells = np.arange(match.shape[1])
        low, high = self.allowed[start:stop, :1], self.allowed[start:stop, 1:]
        if (low > 0).any() or (high < len(cells)).any():
            evidence[(cells < low) | (cells >= high)] = -1e6
        return np.asarray(evidence, np.float32)


@dataclass(frozen=True, eq=False)
class Search:
    """A score and what is heard of a recording.

    Attributes
    ----------
    unfolded : UnfoldedScore
    events : ScoreEvents
    heard : ndarray [shape=(frames, bins + 1)], float32
        From `heard_vectors`, at the rate of `scale`.
    scale : PitchScale
    """

    unfolded: UnfoldedScore
    events: ScoreEvents
    heard: NDArray[np.float32]
    scale: PitchScale


def find_transposition(search: Search, highest: int) -> tuple[int, NDArray[np.float64]]:
    """Find by how many semitones the recording sounds above the score.

    Returns
    -------
    semitones : int
    values : ndarray [shape=(2 * highest + 1,)], float64
        The value of the best path for every transposition from -highest on.
    """
    shifts = np.arange(-highest, highest + 1)
    grids = (_grid(search, int(k), (), MOST_CELLS_TRANSPOSING) for k in shifts)
    values = np.array([_walk(grid, Progress())[1] for grid in grids])
    return int(shifts[np.argmax(values - 1e-3 * np.abs(shifts))]), values


def find_coarse_path(
    search: Search, semitones: int, fixed_points_s: tuple[tuple[float, float], ...], progress: Progress
) -> CoarsePath:
    """Find the best way through the whole recording and the whole score.

    Parameters
    ----------
    search : Search
    semitones : int
        How far the recording sounds above the score.
    fixed_points_s : tuple of (quarter, second)
        Through which the path must lead.
    progress : Progress
    """
    grid = _grid(search, semitones, fixed_points_s, MOST_CELLS)
    return _walk_back(grid, *_walk(grid, progress))


def path_value(search: Search, semitones: int, pace: float, usual: NDArray[np.float32], factor: int) -> float:
    """Return how well a score explains a recording, so that ways of unfolding one score can be compared.

    What is heard and not explained counts against it, and so does what is in the score and must be hurried through or
    left out. A measure is divided alike wherever it stands, so that what two ways have in common counts the same.

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
        Number of frames of `search.heard` that are taken together; the same for all ways.

    Returns
    -------
    value : float
        In seconds of a certain match.
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
    heard = averaged(search.heard, factor)
    grid = _Grid(heard, expected, cell_quarter, frame_s, _allowed(len(heard), cell_quarter, frame_s, ()), usual)
    return _value(grid)


def _value(grid: _Grid) -> float:
    """Return the value of the best path, as `_walk` does, with what is left out of the score at either end dearer."""
    frames, cells = len(grid.heard), len(grid.expected)
    start, end = np.full(cells, -LEFT_OUT_COST_S, np.float32), np.full(cells, -LEFT_OUT_COST_S, np.float32)
    start[0] = end[-1] = 0
    outside = np.concatenate([[0.0], np.cumsum(_unexplained(grid))])
    value, best = np.full(cells, -1e9, np.float32), -np.inf
    block = max(1, 4_000_000 // cells)
    for first in range(0, frames, block):
        for frame, row in enumerate(grid.rows(first, min(first + block, frames)), first):
            before, value = value, np.maximum(value - np.float32(ADVANCE_COST_S[0]), start + np.float32(outside[frame]))
            for k, cost in enumerate(ADVANCE_COST_S[1:], 1):
                np.maximum(value[k:], before[:-k] - np.float32(cost), out=value[k:])
            value += row
            best = max(best, float((value + end).max()) + outside[-1] - outside[frame + 1])
    return float(best)


def usual_vector(search: Search, semitones: int) -> NDArray[np.float32]:
    """Return the mean of what is expected over a score, shape (bins + 1,)."""
    return np.asarray(_cells(search, semitones, 0.5)[1].mean(axis=0), np.float32)


def _cells(search: Search, semitones: int, cell_s: float) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Divide the score evenly in nominal time; return the borders of the cells and what is expected in each."""
    events = search.events
    first_s, last_s = float(events.nominal_s[0]), float(events.nominal_s[-1])
    cells = max(int(np.ceil((last_s - first_s) / cell_s)), 2)
    cell_quarter = np.interp(np.linspace(first_s, last_s, cells + 1), events.nominal_s, events.borders_quarter)
    profiles = harmonic_profiles(search.scale, semitones)
    return cell_quarter, expected_vectors(expected_spectra(search.unfolded, cell_quarter, profiles))


def _grid(search: Search, semitones: int, fixed_points_s: tuple[tuple[float, float], ...], most_cells: int) -> _Grid:
    events, scale = search.events, search.scale
    first_s, last_s = float(events.nominal_s[0]), float(events.nominal_s[-1])
    factor = 5
    while (len(search.heard) / factor) * ((last_s - first_s) * scale.frame_rate_hz / factor) > most_cells:
        factor *= 2
    frame_s = factor / scale.frame_rate_hz
    cell_quarter, expected = _cells(search, semitones, frame_s)
    coarse = averaged(search.heard, factor)
    return _Grid(coarse, expected, cell_quarter, frame_s, _allowed(len(coarse), cell_quarter, frame_s, fixed_points_s))


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


def _unexplained(grid: _Grid) -> NDArray[np.float64]:
    """Return what frames count while no part of the score is heard, shape (frames,): less than 0 unless silent."""
    return -UNEXPLAINED * grid.frame_s * (1 - grid.heard[:, -1].astype(np.float64) ** 2)


def _ends(grid: _Grid) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cost of starting and of ending at every cell."""
    start = np.full(len(grid.expected), -INNER_END_COST_S, np.float32)
    end = start.copy()
    start[0] = end[-1] = 0
    return start, end


def _walk(grid: _Grid, progress: Progress) -> tuple[NDArray[np.uint8], float, int, int]:
    """Walk through all frames; return the step back from everywhere, and value and place of the best end."""
    frames, cells = len(grid.heard), len(grid.expected)
    backward = np.empty((frames, cells), np.uint8)
    start_cost, end_cost = _ends(grid)
    outside = np.concatenate([[0.0], np.cumsum(_unexplained(grid))])
    value = np.full(cells, -1e9, np.float32)
    best, best_frame, best_cell = -np.inf, 0, 0
    block = max(1, 4_000_000 // cells)
    for first in range(0, frames, block):
        progress.update(first / frames)
        for frame, row in enumerate(grid.rows(first, min(first + block, frames)), first):
            came, value = _step(value, start_cost + np.float32(outside[frame]))
            backward[frame] = came
            value += row
            at = int(np.argmax(value + end_cost))
            total = float(value[at] + end_cost[at]) + outside[-1] - outside[frame + 1]
            if total > best:
                best, best_frame, best_cell = total, frame, at
    return backward, best, best_frame, best_cell


def _step(value: NDArray[np.float32], fresh: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """One step in time: for every cell the best way to come there (255: the path starts here) and its value."""
    came = np.zeros(len(value), np.uint8)
    best = value - np.float32(ADVANCE_COST_S[0])
    for k, cost in enumerate(ADVANCE_COST_S[1:], 1):
        if k < len(value):
            other = value[:-k] - np.float32(cost)
            better = other > best[k:]
            np.copyto(best[k:], other, where=better)
            came[k:][better] = k
    better = fresh > best
    np.copyto(best, fresh, where=better)
    came[better] = 255
    return came, best


def _walk_back(grid: _Grid, backward: NDArray[np.uint8], total: float, frame: int, cell: int) -> CoarsePath:
    frames, cells = [frame], [cell]
    while backward[frame, cell] != 255 and frame > 0:
        cell -= int(backward[frame, cell])
        frame -= 1
        frames.append(frame)
        cells.append(cell)
    path_frames, path_cells = np.array(frames[::-1]), np.array(cells[::-1])
    middle = (grid.cell_quarter[:-1] + grid.cell_quarter[1:]) / 2
    near_end = max(2, round(1.0 / grid.frame_s))
    return CoarsePath(
        (path_frames + 0.5) * grid.frame_s,
        middle[path_cells],
        _fit(grid, path_frames, total),
        bool(path_cells[0] > near_end),
        bool(path_cells[-1] < len(grid.expected) - 1 - near_end),
    )


def _fit(grid: _Grid, frames: NDArray[np.int64], total: float) -> float:
    """Average the value of a path over its length; a path much shorter than it could be counts for less."""
    outside = _unexplained(grid)
    value = total - outside[: frames[0]].sum() - outside[frames[-1] + 1 :].sum()
    possible = min(len(grid.heard), len(grid.expected))
    return float(value / (max(len(frames), 0.3 * possible) * grid.frame_s))
