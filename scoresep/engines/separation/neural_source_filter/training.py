"""Trains the network to give back the mixture of this recording."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scoresep.engines.separation.neural_source_filter import NeuralSourceFilterSettings
from scoresep.engines.separation.neural_source_filter.conditioning import (
    QUIET,
    BandFeatures,
    ModelFit,
    ScoreConditioning,
)
from scoresep.engines.separation.neural_source_filter.network import CellInputs, SourceNetwork
from scoresep.engines.separation.source_filter.fitting import TINY
from scoresep.progress import Progress

WARM_STEPS = 10
KEEP_EVERY_STEPS = 200
MOST_GRADIENT = 1.0
SCALES = (4, 16)  # bins over which the logarithms are compared
EXCERPT_CELLS = 1500
POOL_BYTES = 400 << 20
BYTES_OF_A_LINE = 15 * 12
BYTES_OF_A_BIN = 16


@dataclass
class State:
    """How far the training is.

    Attributes
    ----------
    network : SourceNetwork
    optimizer : torch.optim.Adam
    steps : int
    """

    network: SourceNetwork
    optimizer: torch.optim.Adam
    steps: int = 0

    @staticmethod
    def fresh(
        stems: int,
        partials: int,
        exponent: float,
        settings: NeuralSourceFilterSettings,
        seed: int,
        device: torch.device,
    ) -> State:
        """Return a network that knows nothing; the same for the same seed.

        Parameters
        ----------
        stems : int
            How many there are, the residual not counted.
        partials : int
            How many a note has.
        exponent : float
            Power of the magnitudes.
        settings : NeuralSourceFilterSettings
        seed : int
        device : torch.device
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = SourceNetwork(stems, partials, exponent, settings)
        network = network.to(device)
        return State(network, torch.optim.Adam(network.parameters(), settings.learning_rate))


@dataclass(frozen=True)
class Excerpt:
    """A stretch that is learned from.

    Attributes
    ----------
    scene : ModelFit
    told : CellInputs
    observed : Tensor [shape=(windows, bands)], float32
    """

    scene: ModelFit
    told: CellInputs
    observed: Tensor


def pool_of(conditioning: ScoreConditioning, most_windows: int) -> list[tuple[int, int]]:
    """Return stretches of the recording to learn from, as windows [first, last): evenly spread, as memory allows."""
    settings, grid = conditioning.settings, conditioning.grid
    blocks = conditioning.blocks(0, grid.windows, min(settings.excerpt_windows, most_windows), EXCERPT_CELLS)
    bytes_each = EXCERPT_CELLS * conditioning.shape.partials * BYTES_OF_A_LINE
    bytes_each += BYTES_OF_A_BIN * settings.excerpt_windows * grid.bins
    most = max(min(settings.pool_excerpts, POOL_BYTES // bytes_each), 1)
    if len(blocks) <= most:
        return blocks
    return [blocks[int((k + 0.5) * len(blocks) / most)] for k in range(most)]


def mean_level(conditioning: ScoreConditioning, pool: list[tuple[int, int]], check: Callable[[], None]) -> float:
    """Return the mean of the magnitudes that are fitted.

    Parameters
    ----------
    conditioning : ScoreConditioning
        On the recording.
    pool : list of (int, int)
        Windows [first, last) that are looked at.
    check : callable
        Called now and then; raises when the work is to stop.
    """
    total, count = 0.0, 0
    for first, last in pool:
        check()
        magnitude = conditioning.magnitude(first, last)
        total, count = total + float(magnitude.double().sum()), count + magnitude.numel()
    return total / max(count, 1)


class Trainer:
    """Trains on stretches of a recording.

    Parameters
    ----------
    conditioning : ScoreConditioning
    features : BandFeatures
    pool : list of tuple
        Windows [first, last) of the stretches.
    """

    def __init__(self, conditioning: ScoreConditioning, features: BandFeatures, pool: list[tuple[int, int]]) -> None:
        self._conditioning, self._features, self._pool = conditioning, features, pool
        self._sounds = conditioning.sounds()
        self._ready: dict[int, Excerpt] = {}

    def train(self, state: State, steps: int, seed: int, progress: Progress, on_checkpoint: Callable[[], None]) -> None:
        """Train until `steps` were made in all.

        Parameters
        ----------
        state : State
            Written to.
        steps : int
            To be made in all, those before counted.
        seed : int
        progress : Progress
        on_checkpoint : callable
            Called now and then, to keep the state.
        """
        begun, count = state.steps, len(self._pool)
        while state.steps < steps:
            progress.update((state.steps - begun) / (steps - begun), "Training on this recording")
            order = np.random.default_rng([seed, state.steps // count]).permutation(count)
            excerpt = self._excerpt(int(order[state.steps % count]))
            for group in state.optimizer.param_groups:
                group["lr"] = _rate(state.steps, steps, self._conditioning.settings.learning_rate)
            self._step(state, excerpt)
            if state.steps % KEEP_EVERY_STEPS == 0 and state.steps < steps:
                on_checkpoint()

    def _excerpt(self, which: int) -> Excerpt:
        if which not in self._ready:
            first, last = self._pool[which]
            spectra = self._conditioning.spectra(first, last)
            scene, told = self._conditioning.scene(spectra, first, self._sounds, self._features, (0.0,))
            self._ready[which] = Excerpt(scene, told, self._features.band_levels(scene.magnitude))
        return self._ready[which]

    def _step(self, state: State, excerpt: Excerpt) -> None:
        network, scene = state.network, excerpt.scene
        model = scene.rendered(network, network.encode(excerpt.observed), excerpt.told)
        loss = difference(scene.magnitude, model, self._features.level, self._conditioning.settings.log_weight)
        state.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), MOST_GRADIENT)
        state.optimizer.step()
        state.steps += 1


def difference(magnitude: Tensor, model: Tensor, level: float, log_weight: float) -> Tensor:
    """Return how far a model, shape (windows, bins), is from the mixture: one number.

    The Kullback-Leibler divergence bin by bin, where loud partials count, and the logarithms of what lies in a few
    bins together, where soft ones do too.

    Parameters
    ----------
    magnitude : Tensor [shape=(windows, bins)], float32
        Of the mixture, raised to the exponent of the fit.
    model : Tensor [shape=(windows, bins)], float32
    level : float
        Mean of the magnitudes.
    log_weight : float
        How much the logarithms count beside the divergence.
    """
    unit = level + TINY
    ratio = torch.log((magnitude + TINY) / (model + TINY))
    total = (magnitude * ratio - magnitude + model).mean() / unit
    for size in SCALES:
        if magnitude.shape[1] >= size:
            a, b = (torch.nn.functional.avg_pool1d(x[:, None], size) for x in (magnitude, model))
            total = total + log_weight * (torch.log(a + QUIET * unit) - torch.log(b + QUIET * unit)).abs().mean()
    return total


def _rate(step: int, steps: int, most: float) -> float:
    warm = min(1.0, (step + 1) / WARM_STEPS)
    return most * warm * (0.5 + 0.5 * math.cos(math.pi * step / steps) + 0.02)
