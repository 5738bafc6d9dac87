"""Which of several takes counts, where a recording holds a passage more than once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
