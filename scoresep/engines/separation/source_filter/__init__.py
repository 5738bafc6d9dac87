"""The engine `source-filter`: every note is a series of partials whose pitch is followed through the mixture.

Pitch is found first, for all parts together, in the mixture itself (`pitch`); the loudness of every partial is then
that of the note times the sound of its part (`fitting`), and masks divide the recording (`separator`).

What the `source-filter` engine may be told, and what each budget means.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from scoresep.engines.separation.base import EngineSettings


@dataclass(frozen=True)
class SourceFilterSettings(EngineSettings):
    """How pitch is followed, and how sounds are learned and used.

    Attributes
    ----------
    track_window_s : float
        Length of the windows in which pitch is followed: short enough for vibrato.
    window_s : float
        Length of the windows of the masks.
    moving_cents_per_s : float or None
        From this median speed, pitches count as moving, and `for_moving` says what differs; None: never.
    reach_cents, step_cents : int
        How far from the score's pitch, and how finely, pitch is sought.
    track_rounds : int
        How often pitches are sought again with the other parts' sounds taken into account.
    partials : int
    track_partials : int
        Partials of a note; those that are used for finding its pitch.
    top_hz : float
        Highest partial.
    learn_rounds, solve_rounds : int
        Rounds in which sounds are learned together with loudnesses, and loudnesses with the sounds as learned.
    early_s, ring_s : float
        How long before its onset and after its end a note may sound.
    far_cost : float
        What sounding at the limit of that costs a note, as a share of its loudness.
    floor : float
        Share of the local energy that no note has to explain: noise, reverberation.
    sharing_first, sharing : float
        How many windows of mean loudness the opinion of neighbouring pitches counts for, at first and in the end.
    shifts_cents : tuple of float
        Pitches at which a note may sound at once, beside the one that was found; the first is 0.
    magnitude_exponent : float
        Power of the mixture's magnitudes that is fitted.
    filter_trust : float
        How many times what is heard in one window counts that the sound there is that of the pitch on the whole; 0: it
        always is.
    mask_exponent : float
        Power of the magnitudes in the masks; 2 is Wiener's.
    block_cells : int
        Notes times windows that are worked on together.
    """

    track_window_s: float = 0.093
    window_s: float = 0.186
    moving_cents_per_s: float | None = 150.0
    reach_cents: int = 100
    step_cents: int = 10
    track_rounds: int = 3
    partials: int = 60
    track_partials: int = 24
    top_hz: float = 12_000.0
    learn_rounds: int = 50
    solve_rounds: int = 25
    early_s: float = 0.08
    ring_s: float = 0.35
    far_cost: float = 1.0
    floor: float = 0.03
    sharing_first: float = 200.0
    sharing: float = 0.2
    shifts_cents: tuple[float, ...] = (0.0, -20.0, 20.0)
    magnitude_exponent: float = 0.8
    filter_trust: float = 10.0
    mask_exponent: float = 1.6
    block_cells: int = 8_000

    by_budget: ClassVar = {
        "preview": {"track_rounds": 1, "partials": 40, "learn_rounds": 20, "solve_rounds": 12},
        "best": {"track_rounds": 4, "partials": 90, "learn_rounds": 60, "solve_rounds": 40},
    }


def for_moving(settings: SourceFilterSettings) -> SourceFilterSettings:
    """Return settings for pitches that move, as those of singers do, whose vowels change the sound too."""
    return replace(settings, window_s=0.12, floor=0.1, sharing=2.0, magnitude_exponent=0.6, filter_trust=1.0)
