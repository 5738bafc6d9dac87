"""The engine `source-network`: a network, trained on this recording alone, that hears how every voice is produced.

Pitch is found as in the engine `source-filter`. An encoder listens to the mixture, and a decoder, one for all parts,
gives for every note and moment a source (partials, roll-off), a filter (all-pole) and noise; what they add up to is
held against the mixture.

What the `source-network` engine may be told, and what each budget means.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from scoresep.engines.separation.base import EngineSettings
from scoresep.engines.separation.source_filter import SourceFilterSettings, for_moving

SHAPE = SourceFilterSettings(partials=40, solve_rounds=0, learn_rounds=0)  # the network learns sounds and loudnesses


@dataclass(frozen=True)
class NeuralSourceFilterSettings(EngineSettings):
    """How the network looks, and how long it is trained.

    Attributes
    ----------
    shape : SourceFilterSettings
        How pitch is followed, how partials lie on the grid, and how masks are made of them.
    steps_per_s : float
        Steps of training for every second of the recording.
    least_steps, most_steps : int
    excerpt_windows : int
        Length of what is looked at in one step.
    pool_excerpts : int
        How many stretches of the recording, evenly spread, are learned from at most.
    bands : int
        Of the log spectrum that the encoder hears.
    width : int
        Hidden units of encoder and decoder.
    code : int
        Values by which the encoder describes a moment of the mixture.
    part_code : int
        Values by which a part is told from the others.
    heard_partials : int
        At how many multiples of its pitch the decoder is told the mixture's level.
    order : int
        Of the all-pole filter; even.
    learning_rate : float
    log_weight : float
        What errors in the logarithm count beside the divergence.
    settle_rounds : int
        In which, after the network has spoken, loudnesses are brought in line with the mixture.
    """

    shape: SourceFilterSettings = SHAPE
    steps_per_s: float = 20.0
    least_steps: int = 150
    most_steps: int = 3000
    excerpt_windows: int = 96
    pool_excerpts: int = 32
    bands: int = 64
    width: int = 96
    code: int = 32
    part_code: int = 12
    heard_partials: int = 24
    order: int = 16
    learning_rate: float = 12e-3
    log_weight: float = 0.1
    settle_rounds: int = 12

    by_budget: ClassVar = {
        "preview": {"shape": replace(SHAPE, track_rounds=1), "steps_per_s": 1.0, "least_steps": 60, "most_steps": 200},
        "best": {"steps_per_s": 60.0, "least_steps": 600, "most_steps": 12_000},
    }

    def steps_for(self, seconds: float) -> int:
        """Return how many steps of training a recording of so many seconds gets."""
        return int(min(max(self.steps_per_s * seconds, self.least_steps), self.most_steps))

    def shape_for(self, moves: bool) -> SourceFilterSettings:
        """Return how partials lie on the grid where pitches move much, or not."""
        return for_moving(self.shape) if moves else self.shape
