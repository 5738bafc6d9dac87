"""What another alignment would change: which notes and bars it moves, and where it is doubtful. Values, no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scoresep.model.quality import DOUBTFUL_CONFIDENCE
from scoresep.qt.timeline.score_layout import ScoreLayout

# Less than this is neither heard nor seen as another place.
MOVED_S = 0.02
DOUBTFUL = DOUBTFUL_CONFIDENCE  # a note is drawn so


@dataclass(frozen=True, eq=False)
class Difference:
    """An alignment that waits, held against the present one.

    Attributes
    ----------
    present, pending : ScoreLayout
        Of the same unfolded score.
    sample_rate : int
    """

    present: ScoreLayout
    pending: ScoreLayout
    sample_rate: int

    @cached_property
    def present_onset_frame(self) -> NDArray[np.float64]:
        """Where the notes of `pending` (in its order) start at present; NaN for those that are not there now."""
        onset = np.full(len(self.present.unfolded.notes), np.nan)
        onset[self.present.row] = self.present.onset_frame
        return onset[self.pending.row]

    @cached_property
    def is_changed(self) -> NDArray[np.bool_]:
        """Which notes of `pending` (in its order) lie elsewhere than now, or are not there now."""
        shift = np.abs(self.pending.onset_frame - self.present_onset_frame)
        return np.isnan(shift) | (shift > MOVED_S * self.sample_rate)

    @cached_property
    def is_bar_moved(self) -> NDArray[np.bool_]:
        """Which bar lines (the end of the last bar included) are moved."""
        shift = np.abs(self.pending.grid.start_frame - self.present.grid.start_frame)
        return shift > MOVED_S * self.sample_rate

    @cached_property
    def is_doubtful(self) -> NDArray[np.bool_]:
        """Which notes of `pending` have a doubtful place."""
        return self.pending.confidence < DOUBTFUL

    @cached_property
    def gone_count(self) -> int:
        """How many notes are there now and would not be."""
        return len(np.setdiff1d(self.present.row, self.pending.row, assume_unique=True))

    def shift_frames(self, frames: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far what lies at these frames now would move; 0 outside the score."""
        quarters = self.present.grid.time_map.frames_to_quarters(frames)
        moved = self.pending.grid.time_map.quarters_to_frames(quarters) - frames
        lines = self.present.grid.start_frame
        return np.where((frames >= lines[0]) & (frames <= lines[-1]), moved, 0.0)

    @property
    def text(self) -> str:
        """The difference in one sentence."""
        moved = self.is_changed & ~np.isnan(self.present_onset_frame)
        shift_s = np.abs(self.pending.onset_frame - self.present_onset_frame)[moved] / self.sample_rate
        parts = [f"moves {_notes(int(moved.sum()))} by up to {shift_s.max():.2f} s" if moved.any() else "moves no note"]
        new_count = int(np.isnan(self.present_onset_frame).sum())
        if new_count:
            parts.append(f"finds {_notes(new_count)} more")
        if self.gone_count:
            parts.append(f"no longer finds {_notes(self.gone_count)}")
        if self.is_doubtful.any():
            parts.append(f"leaves {_notes(int(self.is_doubtful.sum()))} doubtful")
        return "It " + (f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]) + "."


def _notes(count: int) -> str:
    return "1 note" if count == 1 else f"{count} notes"
