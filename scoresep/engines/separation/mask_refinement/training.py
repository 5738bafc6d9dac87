"""Trains the network on scenes made from the recording.

The loss is how far the division of a scene is from the truth, part by part and in decibels, in the bins that have a
partial; the weights that are kept are a running mean of those that were trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scoresep.engines.separation.mask_refinement import MaskRefinerSettings
from scoresep.engines.separation.mask_refinement.dataset import NetworkInputs, Remixer, TrainingMixture
from scoresep.engines.separation.mask_refinement.network import TileNetwork, shares_of
from scoresep.engines.separation.mask_refinement.voices import Tracks
from scoresep.progress import Progress

SCENE_WINDOWS = 300  # about
SCENES_BYTES = 400 << 20
WARM_STEPS = 10
KEEP_EVERY_STEPS = 200
MEAN_DECAY = 0.98  # of the running mean of the weights
FLOOR = 1e-3  # of the mixture: quieter parts are not learned from


@dataclass
class State:
    """How far the learning is.

    Attributes
    ----------
    network, mean : TileNetwork
        As trained, and the running mean that is used.
    optimizer : torch.optim.Adam
    steps : int
    """

    network: TileNetwork
    mean: TileNetwork
    optimizer: torch.optim.Adam
    steps: int = 0

    @staticmethod
    def fresh(stems: int, settings: MaskRefinerSettings, seed: int, device: torch.device) -> State:
        """Return a network that knows nothing; the same for the same seed.

        Parameters
        ----------
        stems : int
            How many there are, the residual not counted.
        settings : MaskRefinerSettings
        seed : int
        device : torch.device
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network, mean = TileNetwork(stems, settings), TileNetwork(stems, settings)
        mean.load_state_dict(network.state_dict())
        network, mean = network.to(device), mean.to(device)
        return State(network, mean, torch.optim.Adam(network.parameters(), settings.learning_rate))


@dataclass(frozen=True)
class Prepared:
    """A scene as the training sees it.

    Attributes
    ----------
    mixture : Tensor [shape=(windows, bins)], complex64
    stems : Tensor [shape=(stems, windows, bins)], complex64
    level : Tensor [shape=(windows, bins)], float32
    tracks : Tracks
    """

    mixture: Tensor
    stems: Tensor
    level: Tensor
    tracks: Tracks


class Trainer:
    """Trains on scenes.

    Parameters
    ----------
    remixer : Remixer
    inputs : NetworkInputs
    """

    def __init__(self, remixer: Remixer, inputs: NetworkInputs) -> None:
        self._remixer, self._inputs, self._settings = remixer, inputs, inputs.settings

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
        device = next(state.network.parameters()).device
        scenes: list[Prepared] = []
        rng = np.random.default_rng([seed, state.steps])
        begun = state.steps
        while state.steps < steps:
            progress.update((state.steps - begun) / max(steps - begun, 1), "Training on this recording")
            self._refresh(scenes, state.steps, rng, device)
            scene = scenes[int(rng.integers(len(scenes)))]
            self._step(state, scene, self._rate(state.steps, steps), rng)
            if state.steps % KEEP_EVERY_STEPS == 0 and state.steps < steps:
                on_checkpoint()
                # as it would go on if it had been stopped here
                scenes, rng = [], np.random.default_rng([seed, state.steps])

    def _refresh(self, scenes: list[Prepared], step: int, rng: np.random.Generator, device: torch.device) -> None:
        """Fill up the scenes; now and then one gives way to a fresh one."""
        bytes_each = 8 * (self._inputs.notes.stem_count + 1) * self._inputs.shape.bins * SCENE_WINDOWS
        if len(scenes) >= min(self._settings.scenes, max(1, SCENES_BYTES // bytes_each)):
            if step % self._settings.fresh_every_steps:
                return
            scenes.pop(0)
        scenes.append(self._prepared(self._remixer.scene(rng), device))

    def _rate(self, step: int, steps: int) -> float:
        warm = min(1.0, (step + 1) / WARM_STEPS)
        return self._settings.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / steps) + 0.02)

    def _prepared(self, scene: TrainingMixture, device: torch.device) -> Prepared:
        inputs, stretch = self._inputs, scene.stretch
        spectra = inputs.spectra(np.concatenate([scene.stems, (scene.stems.sum(0) + scene.rest)[None]]), device)
        stems, mixture = spectra[:-1], spectra[-1]
        tracks = inputs.tracks(stems.abs(), 0, spectra.shape[1], stretch.start_frame)
        return Prepared(mixture, stems, inputs.level(mixture.abs() ** 2), tracks)

    def _step(self, state: State, scene: Prepared, rate: float, rng: np.random.Generator) -> None:
        crop = max(16, self._settings.crop_rows // max(len(self._inputs.voices), 1))
        windows = scene.mixture.shape[0]
        first = int(rng.integers(max(1, windows - crop + 1)))
        here = slice(first, min(first + crop, windows))
        tracks = scene.tracks
        cut = Tracks(tracks.f0_hz[:, here], tracks.since_s[:, here], tracks.until_s[:, here])
        tiles = self._inputs.tiles(scene.level[here], cut)
        shares, inside = shares_of(state.network, tiles, len(scene.stems))
        loss = division_loss(shares, inside, scene.mixture[here], scene.stems[:, here])
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        state.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
        state.optimizer.step()
        state.steps += 1
        decay = min(MEAN_DECAY, state.steps / (state.steps + 9))
        with torch.no_grad():
            for mean, value in zip(state.mean.parameters(), state.network.parameters(), strict=True):
                mean.lerp_(value, 1.0 - decay)


def division_loss(shares: Tensor, inside: Tensor, mixture: Tensor, stems: Tensor) -> Tensor:
    """Return the mean over parts of error / energy in the bins with a partial, as a logarithm.

    Parameters
    ----------
    shares : Tensor [shape=(stems, windows, bins)], float32
        As the network divides.
    inside : Tensor [shape=(stems, windows, bins)], bool
        Where a part has a partial.
    mixture : Tensor [shape=(windows, bins)], float32
        Magnitudes.
    stems : Tensor [shape=(stems, windows, bins)], float32
        Magnitudes of the true ones.
    """
    shared = inside.sum(0) > 1
    truth = stems * inside
    together = truth.sum(0)
    # the parts with a partial in a bin divide what is theirs together; the rest of the bin is not theirs to have
    theirs = ((together * mixture.conj()).real / (mixture.abs() ** 2 + 1e-12)).clamp(0.0, 1.0) * mixture
    error = ((shares * theirs - truth).abs() ** 2 * shared).sum((1, 2))
    energy = (truth.abs() ** 2).sum((1, 2))
    floor = FLOOR * (mixture.abs() ** 2).sum() + 1e-9
    observed = (energy > floor).float()
    each = torch.log(error + floor) - torch.log(energy + floor)
    return (each * observed).sum() / observed.sum().clamp(min=1.0)
