"""The engine `nmf`: score-informed non-negative matrix factorisation.

What the `nmf` engine may be told, and what each budget means.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from scoresep.engines.separation.activity import Tolerances
from scoresep.engines.separation.base import EngineSettings


def cents(most: int, step: int) -> tuple[float, ...]:
    """Return shifts from -`most` to `most` cents."""
    return tuple(float(shift) for shift in range(-most, most + 1, step))


@dataclass(frozen=True)
class NmfSettings(EngineSettings):
    """How the dictionary is made, learned and used.

    Attributes
    ----------
    window_s : float
        Length of a window.
    shifts_cents : tuple of float
        Pitches beside that of the score at which a note may sound, moment by moment: tuning, vibrato, glides.
    full_resolution_hz : float
        Up to here the fit sees every frequency; above, bands.
    learn_iterations, solve_iterations : int
        Rounds in which sounds are learned together with loudnesses, and loudnesses with the sounds as learned.
    learn_s : float
        Sounds are learned from at most so many seconds of the recording.
    block_windows : int or None
        Windows that are worked on together; None: as many as suit the device and its free memory.
    magnitude_exponent, mask_exponent : float
        Power of the recording's magnitudes that is fitted, and of the model's magnitudes in the masks; 2 is Wiener's.
    far_cost : float
        What sounding at the limit of its tolerance costs a note, as a share of its loudness.
    residual_cost : float
        What the residual costs everywhere.
    sharing_first, sharing : float
        How many windows of mean loudness the opinion of neighbouring pitches counts for, at first and in the end.
    envelope_share : float
        How much of that opinion is about the same frequency; the rest is about the partial of the same number.
    attack_bands, residual_bands, gain_bands : int
        Bands of attacks and unpitched notes, of the residual, and of a part's gains in the channels.
    tolerances : Tolerances
    """

    window_s: float = 0.186
    shifts_cents: tuple[float, ...] = cents(70, 10)
    full_resolution_hz: float = 700.0
    learn_iterations: int = 30
    solve_iterations: int = 20
    learn_s: float = 600.0
    block_windows: int | None = None
    magnitude_exponent: float = 0.8
    mask_exponent: float = 1.5
    far_cost: float = 1.0
    residual_cost: float = 0.3
    sharing_first: float = 200.0
    sharing: float = 0.2
    envelope_share: float = 0.5
    attack_bands: int = 40
    residual_bands: int = 24
    gain_bands: int = 12
    tolerances: Tolerances = field(default_factory=Tolerances)

    by_budget: ClassVar = {
        "preview": {"shifts_cents": cents(60, 15), "learn_iterations": 16, "solve_iterations": 10, "learn_s": 180.0},
        "best": {"shifts_cents": cents(100, 10), "learn_iterations": 40, "solve_iterations": 30, "learn_s": 1800.0},
    }
