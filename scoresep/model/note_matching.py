"""Which note of a score each note of a performance is, where some are left out, added or played together otherwise.

Notes of one part and pitch are met in their order; where their numbers differ, the longest common order of all notes
says about when each is to be expected, and the nearest are met.

References
----------
D. S. Hirschberg, "A linear space algorithm for computing maximal common subsequences", Communications of the ACM 18(6),
1975, doi:10.1145/360825.360861.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.model.timemap import TimeMap, rising_time_map

# Notes that begin within this time are together: their order says nothing.
TOGETHER_S = 0.03
# A note may be this far from where it is expected, at first and when more is known.
REACHES_S = (0.6, 0.35)
# Where the beats of a performance are those of the score: how far a note may be from its beat, what share of the notes
# must be nearer than a quarter of one, and what share of those met by time must be met again.
BEAT_REACH, NEAR_BEAT = 0.45, 0.25
LEAST_NEAR, LEAST_AGAIN = 0.9, 0.98
WHOLE_TABLE = 4_000_000
TICKS_PER_S = 1_000_000

Ints = NDArray[np.int64]


def matched_notes(
    quarter: NDArray[np.float64], symbol: Ints, performed_s: NDArray[np.float64], performed_symbol: Ints
) -> Ints:
    """Match the notes of a score with those of a performance.

    Parameters
    ----------
    quarter : ndarray [shape=(notes,)], float64
        Where the notes of the score begin.
    symbol : ndarray [shape=(notes,)], int64
        What only equal notes share: pitch, or part and pitch.
    performed_s : ndarray [shape=(performed,)], float64
    performed_symbol : ndarray [shape=(performed,)], int64

    Returns
    -------
    match : ndarray [shape=(notes,)], int64
        The performed note of each; -1 for none. No performed note is given twice.
    """
    score_order = np.lexsort((symbol, quarter))
    groups = np.zeros(len(performed_s), np.int64)
    order = np.argsort(performed_s, kind="stable")
    groups[order] = np.cumsum(np.diff(performed_s[order], prepend=-np.inf) > TOGETHER_S)
    performed_order = np.lexsort((performed_s, performed_symbol, groups))
    match, are_all = _in_order(quarter, symbol, performed_s, performed_symbol)
    if are_all:
        return match
    pairs = common_subsequence(symbol[score_order], performed_symbol[performed_order])
    match = np.full(len(quarter), -1, np.int64)
    match[score_order[pairs[:, 0]]] = performed_order[pairs[:, 1]]
    for reach_s in REACHES_S:
        expected = _expected(quarter, performed_s, match)
        if expected is None:
            break
        match = _nearest(expected, symbol, performed_s, performed_symbol, reach_s)
    return match


def matched_by_beat(
    quarter: NDArray[np.float64],
    symbol: Ints,
    performed_quarter: NDArray[np.float64],
    performed_symbol: Ints,
    match: Ints,
) -> Ints:
    """Match again by beats, where the performance has those of the score: they tell apart what sounds the same.

    Parameters
    ----------
    quarter, symbol, performed_symbol
        As for `matched_notes`.
    performed_quarter : ndarray [shape=(performed,)], float64
        Where the performed notes lie on the beats of their file, whose first may be any of the score's.
    match : ndarray [shape=(notes,)], int64
        As it was found without beats; returned where the beats are others.
    """
    met = np.flatnonzero(match >= 0)
    if not len(met) or not np.all(np.isfinite(performed_quarter)):
        return match
    expected = quarter + np.median(performed_quarter[match[met]] - quarter[met])
    again = _nearest(expected, symbol, performed_quarter, performed_symbol, BEAT_REACH)
    found = np.flatnonzero(again >= 0)
    is_near = np.abs(performed_quarter[again[found]] - expected[found]) < NEAR_BEAT
    if len(found) < LEAST_AGAIN * len(met) or is_near.mean() < LEAST_NEAR:
        return match
    is_left = (again < 0) & (match >= 0) & ~np.isin(match, again[found])  # such as grace notes, long before their beat
    return np.where(is_left, match, again)


def _in_order(
    quarter: NDArray[np.float64], symbol: Ints, performed_s: NDArray[np.float64], performed_symbol: Ints
) -> tuple[Ints, bool]:
    """Match symbol by symbol in order; tells whether the numbers of all are the same."""
    match = np.full(len(quarter), -1, np.int64)
    if len(quarter) != len(performed_s) or np.any(np.sort(symbol) != np.sort(performed_symbol)):
        return match, False
    match[np.lexsort((quarter, symbol))] = np.lexsort((performed_s, performed_symbol))
    return match, True


def _expected(
    quarter: NDArray[np.float64], performed_s: NDArray[np.float64], match: Ints
) -> NDArray[np.float64] | None:
    """Return when each note of the score is to be expected, by those that are matched."""
    met = np.flatnonzero(match >= 0)
    try:
        time_map: TimeMap = rising_time_map(quarter[met], performed_s[match[met]] * TICKS_PER_S)
    except ValueError:
        return None
    return time_map.quarters_to_frames(quarter) / TICKS_PER_S


def _nearest(
    expected: NDArray[np.float64],
    symbol: Ints,
    performed: NDArray[np.float64],
    performed_symbol: Ints,
    reach: float,
) -> Ints:
    """Give every note the nearest performed one of its symbol, the surest first."""
    rows: list[Ints] = []
    columns: list[Ints] = []
    for each in np.unique(symbol):
        here, there = np.flatnonzero(symbol == each), np.flatnonzero(performed_symbol == each)
        there = there[np.argsort(performed[there], kind="stable")]
        low = np.searchsorted(performed[there], expected[here] - reach)
        high = np.searchsorted(performed[there], expected[here] + reach, side="right")
        for i, first, last in zip(here.tolist(), low.tolist(), high.tolist(), strict=True):
            rows.append(np.full(last - first, i))
            columns.append(there[first:last])
    match = np.full(len(expected), -1, np.int64)
    if not rows:
        return match
    row, column = np.concatenate(rows), np.concatenate(columns)
    is_taken = np.zeros(len(performed), np.bool_)
    for k in np.argsort(np.abs(performed[column] - expected[row]), kind="stable").tolist():
        if match[row[k]] < 0 and not is_taken[column[k]]:
            match[row[k]] = column[k]
            is_taken[column[k]] = True
    return match


def common_subsequence(first: Ints, second: Ints) -> Ints:
    """Find a longest common subsequence.

    Returns
    -------
    pairs : ndarray [shape=(length, 2)], int64
        Places in either sequence, rising.
    """
    if not len(first) or not len(second):
        return np.zeros((0, 2), np.int64)
    if len(first) == 1 or len(first) * len(second) <= WHOLE_TABLE:
        return _traced(first, second)
    half = len(first) // 2
    before = _lengths(first[:half], second)
    after = _lengths(first[half:][::-1], second[::-1])[::-1]
    cut = int(np.argmax(before + after))
    left = common_subsequence(first[:half], second[:cut])
    right = common_subsequence(first[half:], second[cut:])
    return np.concatenate([left, right + np.array([half, cut])])


def _next_row(row: NDArray[np.int32], is_same: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the lengths with one symbol more, for every beginning of the second sequence."""
    longer = np.maximum(row[1:], row[:-1] + is_same)
    return np.concatenate([row[:1], np.maximum.accumulate(longer)]).astype(np.int32)


def _lengths(first: Ints, second: Ints) -> NDArray[np.int32]:
    row = np.zeros(len(second) + 1, np.int32)
    for symbol in first.tolist():
        row = _next_row(row, second == symbol)
    return row


def _traced(first: Ints, second: Ints) -> Ints:
    table = np.zeros((len(first) + 1, len(second) + 1), np.int32)
    for i, symbol in enumerate(first.tolist()):
        table[i + 1] = _next_row(table[i], second == symbol)
    pairs = []
    i, j = len(first), len(second)
    while i and j:
        if first[i - 1] == second[j - 1] and table[i, j] == table[i - 1, j - 1] + 1:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif table[i - 1, j] >= table[i, j - 1]:
            i -= 1
        else:
            j -= 1
    return np.array(pairs[::-1], np.int64).reshape(-1, 2)
