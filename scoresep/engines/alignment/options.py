"""What can be chosen for an alignment."""

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
    default_quarters_per_minute : float
        Taken where the score marks no tempo; half to twice of it is common, anything is possible.
    """

    fixed_points: tuple[tuple[float, int], ...] = ()
    finds_transposition: bool = True
    highest_transposition_semitones: int = 6
    default_quarters_per_minute: float = 90.0
