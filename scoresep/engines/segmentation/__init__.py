"""Who plays when (`segment`, `without_score`), and what can be chosen for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SegmentationOptions:
    """What can be chosen when a recording is segmented.

    Attributes
    ----------
    listens : bool
        False takes the score's notes as they were aligned.
    rounds : int
        How often, at most, the models of the sets are learned anew.
    early_s, held_s : float
        How long before its entry, and after its last note, a part is listened for.
    shortest_left_out_s : float
        Where a part is not heard for less than this, against the score, it counts as playing on: one note that is
        covered by others is no rest.
    largest_group : int
        Parts whose sets are told apart jointly; scores of more parts are divided into groups of neighbours.
    """

    listens: bool = True
    rounds: int = 8
    early_s: float = 1.0
    held_s: float = 3.0
    shortest_left_out_s: float = 1.2
    largest_group: int = 5
