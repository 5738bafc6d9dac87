"""What is true of a case's notes, and how far what was found of them is right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SAME_QUARTER = 0.02
NEVER = np.inf


@dataclass(frozen=True, eq=False)
class FoundNotes:
    """What a program says of a score's notes, as columns of one length; graces and unpitched notes are left out.

    `stretch` counts the measures played; `confidence` is NaN where the program states none.
    """

    part_index: NDArray[np.int64]
    pitch_midi: NDArray[np.float64]
    onset_quarter: NDArray[np.float64]
    onset_s: NDArray[np.float64]
    offset_s: NDArray[np.float64]
    confidence: NDArray[np.float64]
    stretch: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.part_index)


@dataclass(frozen=True, eq=False)
class Truth:
    """The notes that were played, and how far their times may themselves be wrong."""

    notes: list[list[float]]
    accuracy_s: float


@dataclass(frozen=True, eq=False)
class Matched:
    """Found notes held against the truth.

    `true_error_s` has one error for each true note (infinite: missed), `error_s` and `offset_error_s` one for each
    found note (infinite: invented); offsets are signed, found minus true.
    """

    true_error_s: NDArray[np.float64]
    error_s: NDArray[np.float64]
    offset_error_s: NDArray[np.float64]

    @property
    def missed(self) -> int:
        return int(np.isinf(self.true_error_s).sum())

    @property
    def invented(self) -> int:
        return int(np.isinf(self.error_s).sum())

    def share_within(self, seconds: float) -> float:
        return float((self.true_error_s < seconds).mean())

    def f1(self, seconds: float) -> float:
        right = int((self.true_error_s < seconds).sum())
        return 2 * right / max(len(self.true_error_s) + len(self.error_s), 1)


def read_truth(case: Path) -> Truth:
    stored = json.loads((case / "truth.json").read_text(encoding="utf-8"))
    return Truth(stored["notes"], float(stored.get("accuracy_s", 0.0)))


def matched(found: FoundNotes, truth: Truth) -> Matched:
    """Give every true note the found one of its part, pitch and place in the score that lies nearest in time."""
    of_key: dict[tuple[int, int], list[int]] = {}
    for i, (part, pitch) in enumerate(zip(found.part_index.tolist(), found.pitch_midi.tolist(), strict=True)):
        of_key.setdefault((part, round(pitch)), []).append(i)
    true_error_s = np.full(len(truth.notes), NEVER)
    error_s, offset_error_s = np.full(len(found), NEVER), np.full(len(found), NEVER)
    for j, (part, pitch, quarter, _, onset_s, offset_s) in enumerate(truth.notes):
        free = of_key.get((int(part), round(pitch)), [])
        near = [i for i in free if abs(found.onset_quarter[i] - quarter) <= SAME_QUARTER]
        if near:
            best = min(near, key=lambda i: abs(found.onset_s[i] - onset_s))
            free.remove(best)
            true_error_s[j] = error_s[best] = abs(found.onset_s[best] - onset_s)
            offset_error_s[best] = found.offset_s[best] - offset_s
    return Matched(true_error_s, error_s, offset_error_s)
