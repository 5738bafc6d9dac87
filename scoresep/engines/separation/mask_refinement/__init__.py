"""The engine `knowledge`: a small network that learns one recording from its score. Loads no torch by itself.

What the `knowledge` engine may be told, and what each budget means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scoresep.engines.separation.base import EngineSettings


@dataclass(frozen=True)
class MaskRefinerSettings(EngineSettings):
    """How the network is built, trained and used.

    Attributes
    ----------
    window_s : float
        Length of a window.
    limit_hz : float
        Up to here the network divides the recording; above, the teacher's division stays.
    harmonics, reach_bins : int
        Partials of a note that the network sees, and how many bins on either side of each.
    width : int
        Channels of the network.
    dilations : tuple of int
        Steps in time of its layers, one for each.
    scene_s, scenes : float, int
        Length of a training mixture, and how many are kept at a time.
    fresh_every_steps : int
        A scene gives way to a fresh one after so many steps.
    pool_s : float
        Most of the recording that training mixtures are made from.
    crop_rows : int
        Voices times windows of one step of training.
    learning_rate : float
        At its highest.
    steps_per_s, least_steps, most_steps : float, int, int
        Steps of training for every second of the recording, and their limits.
    trust, most_blend : float
        The network's division is taken by so much of what fits fresh mixtures, and at most by so much; the rest is the
        teacher's.
    claim : float
        Share of what the teacher gave to nobody, in a bin with a partial, that the parts with this partial get.
    """

    window_s: float = 0.186
    limit_hz: float = 4000.0
    harmonics: int = 24
    reach_bins: int = 3
    width: int = 24
    dilations: tuple[int, ...] = (1, 2, 4)
    scene_s: float = 12.0
    scenes: int = 8
    fresh_every_steps: int = 8
    pool_s: float = 300.0
    crop_rows: int = 384
    learning_rate: float = 3e-3
    steps_per_s: float = 6.0
    least_steps: int = 150
    most_steps: int = 1000
    trust: float = 0.6
    most_blend: float = 0.35
    claim: float = 0.0

    by_budget: ClassVar = {
        "preview": {"steps_per_s": 2.0, "least_steps": 60, "most_steps": 300, "pool_s": 120.0},
        "best": {"steps_per_s": 20.0, "least_steps": 500, "most_steps": 3000, "pool_s": 900.0, "scenes": 16},
    }

    def steps_for(self, duration_s: float) -> int:
        """Return how many steps of training a recording gets."""
        return int(min(max(self.steps_per_s * duration_s, self.least_steps), self.most_steps))
