"""The first, coarse way through recording and score: which part of the score is heard when, nothing known before.

A hidden Markov model walks through the score while the recording goes by. It may start and end anywhere in both, at a
price. At a price it also steps outside: the recording goes by while no part of the score is heard, and the score goes
on where it was left, or further on. So talk, applause and silence before, between and after the music, bars left out,
and a recording of a part of the score do no harm.

Also here: which of several takes counts, where a recording holds a passage more than once.

References
----------
Jumps in the score: C. Fremerey, M. Müller, M. Clausen, "Handling repeats and jumps in score-performance
synchronization", ISMIR 2010. States outside the score: T. Nakamura, E. Nakamura, S. Sagayama, "Real-time audio-to-score
alignment of music performances containing errors and arbitrary repeats and skips", IEEE/ACM TASLP 24(2), 2016,
doi:10.1109/TASLP.2015.2507862.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.coarse_grid import Grid, Search, coarse_grid, paced_grid
from scoresep.progress import Progress

# Of two takes that fit about alike the later one counts, by so many seconds of a certain match.
LATER_S = 0.5


@dataclass(frozen=True, eq=False)
class MatchedSection:
    """A stretch of the recording in which the score goes by.

    Attributes
    ----------
    frames, cells : ndarray [shape=(n,)], int64
        Places in the recording and in the score, both rising.
    evidence : ndarray [shape=(n,)], float64
        How well they fit, in seconds of a certain match.
    """

    frames: NDArray[np.int64]
    cells: NDArray[np.int64]
    evidence: NDArray[np.float64]

    def part(self, start: int, stop: int) -> MatchedSection:
        """Return a part of the take."""
        return MatchedSection(self.frames[start:stop], self.cells[start:stop], self.evidence[start:stop])


def best_monotonic_sections(takes: list[MatchedSection]) -> tuple[list[MatchedSection], list[MatchedSection]]:
    """Choose of takes, in the order of the recording, what fits best and rises through the score.

    Returns
    -------
    kept : list of MatchedSection
        At least one; the end of a take may be cut off where the next one begins, or the beginning of the next.
    others : list of MatchedSection
        What is not kept, in the order of the recording.
    """
    # For every take: the best value of a choice that ends with it, the take before, and where both are cut.
    best: list[tuple[float, int, int, int]] = []
    for k, take in enumerate(takes):
        choices = [(float(take.evidence.sum()), -1, 0, 0)]
        for j, before in enumerate(takes[:k]):
            begins = best[j][3] if best[j][1] >= 0 else 0
            cut_before = max(int(np.searchsorted(before.cells, take.cells[0])), begins)
            cut_after = int(np.searchsorted(take.cells, before.cells[-1], side="right"))
            if cut_before > begins:
                lost = float(before.evidence[cut_before:].sum())
                choices.append((best[j][0] - lost + float(take.evidence.sum()), j, cut_before, 0))
            if cut_after < len(take.cells):
                value = best[j][0] + float(take.evidence[cut_after:].sum())
                value -= LATER_S if cut_after else 0.0
                choices.append((value, j, len(before.cells), cut_after))
        best.append(max(choices))
    kept: list[MatchedSection] = []
    last = int(np.argmax([b[0] for b in best]))
    others = takes[last + 1 :]
    at, stop = last, len(takes[last].cells)
    while at >= 0:
        _, previous, cut_before, start = best[at]
        kept.append(takes[at].part(start, stop))
        others += [takes[at].part(0, start), takes[at].part(stop, len(takes[at].cells)), *takes[previous + 1 : at]]
        at, stop = previous, cut_before
    return kept[::-1], sorted((t for t in others if len(t.frames)), key=lambda t: int(t.frames[0]))


@dataclass(frozen=True)
class PathCosts:
    """What a way through score and recording costs, in seconds of a certain match.

    Attributes
    ----------
    advance_s : tuple of float
        Of advancing 0, 1, ... cells of the score within one frame.
    inner_end_s, inner_end_leaving_s : float
        Of starting or ending inside the score; the second where bars may be left out anyway.
    inner_end_share : float
        But no more than this for each second of the recording: who hears little cannot tell much.
    left_out_s : float
        Of the same where ways of unfolding the score are compared.
    outside_s, jump_into_bar_s, jump_s, back_s : float
        Of leaving the score inside for a while; of coming back further on, at the beginning of a bar and elsewhere; and
        of coming back to an earlier place besides.
    """

    advance_s: tuple[float, ...] = (0.03, 0.0, 0.02, 0.06, 0.10)
    inner_end_s: float = 2.0
    inner_end_leaving_s: float = 1.0
    inner_end_share: float = 0.1
    left_out_s: float = 3.0
    outside_s: float = 0.8
    jump_into_bar_s: float = 0.4
    jump_s: float = 0.8
    back_s: float = 0.8


COSTS = PathCosts()
# Paces that are tried: nominal seconds of the score in a second of the recording.
SLOWER_PACES = (0.7, 0.5)
FASTER_PACES = (1.4, 2.0)
# How much better another pace than the marked one must be, as a share and in seconds of a certain match.
PACE_MARGIN = 0.05
PACE_MARGIN_S = 0.2
# Keys that are tried at least: how much worse they fit tells how surely score and recording belong together.
OTHER_KEYS = 6
LIKELY_KEYS = 4  # how many of them are tried again at another pace
# Runs closer together than this, in score and recording, are one.
SHORT_GAP_S = 0.5
# A passage is played again where it fits at least this share as well as the rest does, for so long.
AS_GOOD = 0.6
LEAST_AGAIN_S = 1.5
MOST_CELLS = 40_000_000
MOST_CELLS_TRANSPOSING = 1_000_000

# How a place is reached, in the order in which it is tried: by an advance of 0 to 4 cells; freshly; from outside, left
# at the same cell, the one before, any before, any after. Beside it: whether being outside begins here, and whether no
# cell before (after) is better to be outside at.
_STARTS, _RESUMES, _RESUMES_NEXT, _JUMPS, _JUMPS_BACK = 5, 6, 7, 8, 9
_HOW, _LEAVES, _HIGHEST_UP_TO, _HIGHEST_FROM = 15, 16, 32, 64


@dataclass(frozen=True, eq=False)
class CoarseRun:
    """A stretch of the recording in which the score goes by without a leap.

    Attributes
    ----------
    time_s, quarter : ndarray [shape=(frames,)], float64
        Both rise, `quarter` not always strictly.
    starts_inside, ends_inside : bool
        Whether score or recording leave out something before it, or after it.
    """

    time_s: NDArray[np.float64]
    quarter: NDArray[np.float64]
    starts_inside: bool
    ends_inside: bool


@dataclass(frozen=True, eq=False)
class CoarsePath:
    """A way through the score while the recording goes by.

    Attributes
    ----------
    runs : tuple of CoarseRun
        At least one; both recording and score rise from one to the next.
    again : tuple of CoarseRun
        Stretches of the recording in which something is played that is played once more in `runs`.
    fit : float
        How much better the recording fits than at any other place of the score, averaged over the path: about 0.2 where
        they belong together, about 0 where they do not.
    length_s : float
        For how long the score is heard, `again` included.
    value : float
        Of the whole path, all its costs taken off, in seconds of a certain match.
    """

    runs: tuple[CoarseRun, ...]
    again: tuple[CoarseRun, ...]
    fit: float
    length_s: float
    value: float


@dataclass(frozen=True, eq=False)
class Key:
    """How a recording as a whole differs from its score.

    Attributes
    ----------
    semitones : int
        How far it sounds above the score.
    pace : float
        Nominal seconds of the score in a second of the recording, roughly.
    lead_s : float
        How much better the recording fits in this key than in any other, in seconds of a certain match.
    """

    semitones: int
    pace: float = 1.0
    lead_s: float = 0.0


def find_key(search: Search, highest: int) -> Key:
    """Find by how many semitones, up to `highest`, a recording sounds above the score, and how fast it is roughly."""
    reach = max(highest, OTHER_KEYS)
    shifts = np.arange(-reach, reach + 1)
    dear = 1e-3 * np.abs(shifts) + np.where(np.abs(shifts) > highest, np.inf, 0.0)
    values = np.array([_rough_value(search, int(k), 1.0) for k in shifts])
    best = int(np.argmax(values - dear))
    pace = _best_pace(search, int(shifts[best]), float(values[best]))
    if pace != 1.0:
        likely = np.union1d(np.argsort(values)[-LIKELY_KEYS:], np.argsort(values - dear)[-LIKELY_KEYS:])
        shifts, dear = shifts[likely], dear[likely]
        values = np.array([_rough_value(search, int(k), pace) for k in shifts])
        best = int(np.argmax(values - dear))
    return Key(int(shifts[best]), pace, float(values[best] - np.delete(values, best).max()))


def _best_pace(search: Search, semitones: int, value: float) -> float:
    """Return the pace that fits clearly better than the marked one, of which the value is given; 1 where none does."""
    best, best_pace = value + PACE_MARGIN_S + PACE_MARGIN * abs(value), 1.0
    for paces in (SLOWER_PACES, FASTER_PACES):
        before = value
        for pace in paces:
            here = _rough_value(search, semitones, pace)
            if here > best:
                best, best_pace = here, pace
            if here < before:
                break
            before = here
    return best_pace


def _rough_value(search: Search, semitones: int, pace: float) -> float:
    grid = coarse_grid(search, semitones, (), MOST_CELLS_TRANSPOSING, pace)
    return _value(grid, _inner_end_cost_s(grid, COSTS.inner_end_s))


def find_coarse_path(
    search: Search,
    key: Key,
    fixed_points_s: tuple[tuple[float, float], ...],
    progress: Progress,
    leaves_score: bool = True,
) -> CoarsePath:
    """Find the best way through the whole recording and the whole score.

    Parameters
    ----------
    search : Search
    key : Key
    fixed_points_s : tuple of (quarter, second)
        Through which the path must lead.
    progress : Progress
    leaves_score : bool
        Whether the recording may hold something else in between, or leave bars out.
    """
    # Where bars are left out, a way that hurries may have seemed faster than the marked tempo.
    paces = [key.pace, 1.0] if key.pace > 1.0 and leaves_score else [key.pace]
    walks: list[tuple[Grid, _Walk]] = []
    for pace, part in zip(paces, progress.parts(len(paces)), strict=True):
        grid = coarse_grid(search, key.semitones, fixed_points_s, MOST_CELLS, pace)
        grid = grid.with_strange() if leaves_score else grid
        walks.append((grid, _walk(grid, _jump_costs(search, grid) if leaves_score else None, part)))
    grid, walk = max(walks, key=lambda found: found[1].value)
    return _as_path(grid, walk)


def path_value(search: Search, semitones: int, pace: float, usual: NDArray[np.float32], factor: int) -> float:
    """Return how well a score explains a recording, so that ways of unfolding one score can be compared.

    What is heard and not explained counts against it, and so does what is in the score and must be hurried through or
    left out. A measure is divided alike wherever it stands, so that what two ways have in common counts the same.

    Parameters
    ----------
    search, semitones, pace, usual, factor
        As for `paced_grid`.

    Returns
    -------
    value : float
        In seconds of a certain match.
    """
    return _value(paced_grid(search, semitones, pace, usual, factor), COSTS.left_out_s)


def _value(grid: Grid, inner_end_cost_s: float) -> float:
    """Return the value of the best path that does not leave the score in between."""
    frames, cells = len(grid.observed), len(grid.expected)
    start, end = _ends(cells, inner_end_cost_s)
    outside = np.concatenate([[0.0], np.cumsum(grid.unexplained())])
    value, best = np.full(cells, -1e9, np.float32), -np.inf
    block = max(1, 4_000_000 // cells)
    for first in range(0, frames, block):
        for frame, row in enumerate(grid.rows(first, min(first + block, frames)), first):
            before, value = (
                value,
                np.maximum(value - np.float32(COSTS.advance_s[0]), start + np.float32(outside[frame])),
            )
            for k, cost in enumerate(COSTS.advance_s[1:], 1):
                np.maximum(value[k:], before[:-k] - np.float32(cost), out=value[k:])
            value += row
            best = max(best, float((value + end).max()) + outside[-1] - outside[frame + 1])
    return float(best)


def _jump_costs(search: Search, grid: Grid) -> NDArray[np.float32]:
    """Return the cost of coming back to each cell after something was left out."""
    cost = np.full(len(grid.expected), COSTS.jump_s, np.float32)
    bars = np.searchsorted(grid.cell_quarter, search.unfolded.step_start_quarter[:-1])
    cost[np.clip(bars, 0, len(cost) - 1)] = COSTS.jump_into_bar_s
    cost[np.clip(bars - 1, 0, len(cost) - 1)] = COSTS.jump_into_bar_s
    return cost


def _inner_end_cost_s(grid: Grid, most_s: float) -> float:
    return min(most_s, COSTS.inner_end_share * len(grid.observed) * grid.frame_s)


def _ends(cells: int, inner_end_cost_s: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cost of starting and of ending at every cell."""
    start = np.full(cells, -inner_end_cost_s, np.float32)
    end = start.copy()
    start[0] = end[-1] = 0
    return start, end


@dataclass(frozen=True, eq=False)
class _Walk:
    """How every place is reached best, and where the best path ends."""

    backward: NDArray[np.uint8]  # (frames, cells)
    value: float
    frame: int
    cell: int


def _walk(grid: Grid, jump_cost: NDArray[np.float32] | None, progress: Progress) -> _Walk:
    """Walk through all frames; without `jump_cost` the score is never left in between."""
    frames, cells = len(grid.observed), len(grid.expected)
    backward = np.empty((frames, cells), np.uint8)
    most_s = COSTS.inner_end_s if jump_cost is None else COSTS.inner_end_leaving_s
    start_cost, end_cost = _ends(cells, _inner_end_cost_s(grid, most_s))
    unexplained, pinned = grid.unexplained(), grid.pinned()
    outside = np.concatenate([[0.0], np.cumsum(unexplained)])
    value, left = np.full(cells, -1e9, np.float32), np.full(cells, -1e9, np.float32)
    best, best_frame, best_cell = -np.inf, 0, 0
    block = max(1, 4_000_000 // cells)
    for first in range(0, frames, block):
        progress.update(first / frames)
        for frame, row in enumerate(grid.rows(first, min(first + block, frames)), first):
            came, after = _step(value, start_cost + np.float32(outside[frame]))
            if jump_cost is not None:
                left = _step_outside(value, left, after, came, jump_cost)
                left += np.float32(-1e6 if pinned[frame] else unexplained[frame])
            backward[frame] = came
            value = after + row
            at = int(np.argmax(value + end_cost))
            total = float(value[at] + end_cost[at]) + outside[-1] - outside[frame + 1]
            if total > best:
                best, best_frame, best_cell = total, frame, at
    return _Walk(backward, best, best_frame, best_cell)


def _step(value: NDArray[np.float32], fresh: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """One step in time: for every cell the best way to come there and its value."""
    came = np.zeros(len(value), np.uint8)
    best = value - np.float32(COSTS.advance_s[0])
    for k, cost in enumerate(COSTS.advance_s[1:], 1):
        if k < len(value):
            _take_better(best[k:], came[k:], value[:-k] - np.float32(cost), k)
    _take_better(best, came, fresh, _STARTS)
    return came, best


def _step_outside(
    value: NDArray[np.float32],
    left: NDArray[np.float32],
    after: NDArray[np.float32],
    came: NDArray[np.uint8],
    jump_cost: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Leave the score or come back to it, where that is better: changes `after` and `came`; returns who is outside."""
    leaving = value - np.float32(COSTS.outside_s)
    leaves = leaving > left
    gate = np.maximum(leaving, left)
    up_to, onward = np.maximum.accumulate(gate), np.maximum.accumulate(gate[::-1])[::-1]
    _take_better(after, came, gate, _RESUMES)
    _take_better(after[1:], came[1:], gate[:-1], _RESUMES_NEXT)
    _take_better(after[1:], came[1:], up_to[:-1] - jump_cost[1:], _JUMPS)
    _take_better(after[:-1], came[:-1], onward[1:] - jump_cost[:-1] - np.float32(COSTS.back_s), _JUMPS_BACK)
    for is_so, mark in ((leaves, _LEAVES), (gate == up_to, _HIGHEST_UP_TO), (gate == onward, _HIGHEST_FROM)):
        came |= is_so.view(np.uint8) * np.uint8(mark)
    return np.asarray(gate, np.float32)


def _take_better(best: NDArray[np.float32], came: NDArray[np.uint8], other: NDArray[np.float32], how: int) -> None:
    """Take what is better; ways are tried in rising order, so that the highest that was better counts."""
    better = (other > best).view(np.uint8)
    np.maximum(best, other, out=best)
    np.maximum(came, better * np.uint8(how), out=came)


def _walk_back(walk: _Walk) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Return the frames and the cells of every run of the best path."""
    backward, frame, cell = walk.backward, walk.frame, walk.cell
    runs: list[list[tuple[int, int]]] = [[(frame, cell)]]
    while frame > 0:
        how = int(backward[frame, cell]) & _HOW
        if how == _STARTS:
            break
        if how < _STARTS:
            frame, cell = frame - 1, cell - how
        else:
            frame, cell = _where_left(backward, frame, cell, how)
            runs.append([])
        runs[-1].append((frame, cell))
    pairs = [np.array(run[::-1], np.int64) for run in reversed(runs)]
    return [p[:, 0] for p in pairs], [p[:, 1] for p in pairs]


def _where_left(backward: NDArray[np.uint8], frame: int, cell: int, how: int) -> tuple[int, int]:
    """Return the last frame and cell before being outside, from where the score is come back to."""
    cell += {_RESUMES_NEXT: -1, _JUMPS: -1, _JUMPS_BACK: 1}.get(how, 0)
    if how == _JUMPS:
        while not backward[frame, cell] & _HIGHEST_UP_TO:
            cell -= 1
    elif how == _JUMPS_BACK:
        while not backward[frame, cell] & _HIGHEST_FROM:
            cell += 1
    while not backward[frame, cell] & _LEAVES:
        frame -= 1
    return frame - 1, cell


def _as_path(grid: Grid, walk: _Walk) -> CoarsePath:
    frames, cells = _without_short_gaps(grid, *_walk_back(walk))
    fit, length_s = _fit(grid, frames, cells), sum(map(len, frames)) * grid.frame_s
    kept, others = best_monotonic_sections(
        [MatchedSection(f, c, grid.evidence_at(f, c)) for f, c in zip(frames, cells, strict=True)]
    )
    # What is heard beside the score may fit it somewhere by chance, but not nearly as well as the score itself.
    usual = sum(t.evidence.sum() for t in kept) / sum(len(t.frames) for t in kept)
    again = [t for t in others if t.evidence.mean() > AS_GOOD * usual and len(t.frames) * grid.frame_s > LEAST_AGAIN_S]
    near_end, last = max(2, round(1.0 / grid.frame_s)), len(grid.expected) - 1
    runs = []
    for k, take in enumerate(kept):
        starts_inside = bool(k > 0 or take.cells[0] > near_end)
        ends_inside = bool(k < len(kept) - 1 or take.cells[-1] < last - near_end)
        runs.append(_run(grid, take, starts_inside, ends_inside))
    return CoarsePath(tuple(runs), tuple(_run(grid, take, True, True) for take in again), fit, length_s, walk.value)


def _run(grid: Grid, take: MatchedSection, starts_inside: bool, ends_inside: bool) -> CoarseRun:
    middle = np.asarray((grid.cell_quarter[:-1] + grid.cell_quarter[1:]) / 2, np.float64)
    time_s = np.asarray((take.frames + 0.5) * grid.frame_s, np.float64)
    return CoarseRun(time_s, middle[take.cells], starts_inside, ends_inside)


def _without_short_gaps(
    grid: Grid, frames: list[NDArray[np.int64]], cells: list[NDArray[np.int64]]
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Join runs between which next to nothing is left out of score and recording."""
    near = SHORT_GAP_S / grid.frame_s
    joined_frames, joined_cells = [frames[0]], [cells[0]]
    for f, c in zip(frames[1:], cells[1:], strict=True):
        if f[0] - joined_frames[-1][-1] <= near and 0 <= c[0] - joined_cells[-1][-1] <= near:
            joined_frames[-1] = np.concatenate([joined_frames[-1], f])
            joined_cells[-1] = np.concatenate([joined_cells[-1], c])
        else:
            joined_frames.append(f)
            joined_cells.append(c)
    return joined_frames, joined_cells


def _fit(grid: Grid, frames: list[NDArray[np.int64]], cells: list[NDArray[np.int64]]) -> float:
    """Average the value of a path over its length; a path much shorter than it could be counts for less."""
    advance = np.array(COSTS.advance_s)
    value = float(grid.evidence_at(np.concatenate(frames), np.concatenate(cells)).sum())
    value -= sum(float(advance[np.clip(np.diff(c), 0, len(advance) - 1)].sum()) for c in cells)
    value -= (len(frames) - 1) * (COSTS.outside_s + COSTS.jump_into_bar_s)
    possible = min(len(grid.observed), len(grid.expected))
    return value / (max(sum(map(len, frames)), 0.3 * possible) * grid.frame_s)
