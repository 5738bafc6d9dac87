"""The alignment of a recording with its score (`align`), and what can be chosen for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AlignmentOptions:
    """What can be chosen for an alignment.

    Attributes
    ----------
    fixed_points : tuple of (float, int)
        Sync points placed by hand, as (quarter, frame), rising in both; they are kept exactly.
    finds_transposition : bool
        Whether the recording may be in another key than the score.
    highest_transposition_semitones : int
        How far, either way.
    finds_departures : bool
        Whether the recording may hold something else than the score, leave bars out, or belong to another score. Where
        a stretch between two fixed points is aligned again, it may not.
    tuning_cents : float, optional
        How far the recording lies above A4 = 440 Hz, where that is known.
    default_quarters_per_minute : float
        Taken where the score marks no tempo; half to twice of it is common, anything is possible.
    """

    fixed_points: tuple[tuple[float, int], ...] = ()
    finds_transposition: bool = True
    highest_transposition_semitones: int = 6
    finds_departures: bool = True
    tuning_cents: float | None = None
    default_quarters_per_minute: float = 90.0
