"""Fits the dictionary to a recording: how loud every row is at every moment, and what the rows sound like.

Multiplicative updates for the Kullback-Leibler divergence (Lee and Seung 2001), with a cost on what the score makes
unlikely. Given the dictionary, every window is fitted for itself, so the result does not depend on how windows are
grouped in blocks.

References
----------
D. D. Lee, H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2001.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scoresep.engines.separation.dictionary import TINY, Dictionary, Statistics
from scoresep.engines.separation.grid import read_spectra
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

FIXED_ROUNDS = 2  # rounds in which loudnesses settle before sounds are learned


@dataclass
class Block:
    """Windows that are worked on together.

    Attributes
    ----------
    rows : Tensor [shape=(active,)], int64
        The rows that may sound in it, ascending.
    magnitude : Tensor [shape=(channels, windows, axis)], float32
    loudness : Tensor [shape=(windows, active)], float32
    cost : Tensor [shape=(windows, active)], float32
    """

    rows: Tensor
    magnitude: Tensor
    loudness: Tensor
    cost: Tensor


def make_block(dictionary: Dictionary, spectra: Tensor, first: int) -> Block:
    """Prepare the fit of the windows from `first`, given their spectra, shape (channels, windows, bins)."""
    rows, near = dictionary.rows.nearness(first, first + spectra.shape[1])
    settings, device = dictionary.settings, dictionary.device
    cost = (1.0 - near) * settings.far_cost
    cost[:, rows >= dictionary.rows.residual.start] += settings.residual_cost
    magnitude = dictionary.axis.reduce(spectra.abs())
    nearness = torch.from_numpy(near).to(device)
    level = magnitude.sum((0, 2))[:, None] / magnitude.shape[0]
    return Block(
        torch.from_numpy(rows).to(device),
        magnitude,
        nearness * level / (nearness > 0).sum(1, keepdim=True),
        torch.from_numpy(cost.astype(np.float32)).to(device),
    )


def active_spectra(dictionary: Dictionary, rows: Tensor, spectra: Tensor, gains: Tensor) -> Tensor:
    """Return the spectra of rows as every channel has them, shape (channels, rows, axis)."""
    return (spectra[:, None] * gains[dictionary.stem[rows]]).transpose(0, 1).contiguous()


def fit_loudness(block: Block, spectra: Tensor, rounds: int, check: Callable[[], None]) -> None:
    """Improve the loudnesses of a block, in place.

    Parameters
    ----------
    block : Block
    spectra : Tensor [shape=(channels, active, axis)], float32
    rounds : int
    check : callable
        Called between rounds; raises when the work is to stop.
    """
    below = spectra.sum((0, 2)) + block.cost * spectra.shape[0] + TINY
    for _ in range(rounds):
        check()
        above = torch.zeros_like(block.loudness)
        for magnitude, spectrum in zip(block.magnitude, spectra, strict=True):
            above += (magnitude / (block.loudness @ spectrum + TINY)) @ spectrum.T
        block.loudness *= above / below
        block.loudness.clamp_(max=1e30).masked_fill_(block.loudness < 1e-12, 0.0)  # denormal numbers are slow


def collect(block: Block, spectra: Tensor, seen: Statistics) -> None:
    """Add what a block says about the dictionary."""
    for channel, (magnitude, spectrum) in enumerate(zip(block.magnitude, spectra, strict=True)):
        seen.ratio[channel, block.rows] += block.loudness.T @ (magnitude / (block.loudness @ spectrum + TINY))
    seen.loudness[block.rows] += block.loudness.sum(0)
    seen.windows += block.loudness.shape[0]


def learn(source: SampleSource, dictionary: Dictionary, block_windows: int, progress: Progress) -> None:
    """Learn the dictionary from a recording, or from even parts of a long one.

    Parameters
    ----------
    source : SampleSource
    dictionary : Dictionary
        Changed in place.
    block_windows : int
    progress : Progress
    """
    settings = dictionary.settings
    starts = learning_starts(dictionary, block_windows)
    blocks = []
    for i, first in enumerate(starts):
        progress.update(0.1 * i / len(starts), "Listening to the recording")
        last = min(first + block_windows, dictionary.grid.windows)
        spectra = read_spectra(source, dictionary.grid, first, last, dictionary.device)
        blocks.append(make_block(dictionary, spectra, first))
    everything = torch.arange(len(dictionary.rows), device=dictionary.device)
    for turn in range(settings.learn_iterations):
        spectra, gains = dictionary.reduced_spectra(everything), dictionary.reduced_gains()
        seen = dictionary.empty_statistics()
        for i, block in enumerate(blocks):
            done = (turn + i / len(blocks)) / settings.learn_iterations
            progress.update(0.1 + 0.9 * done, "Learning the sounds of the parts")
            active = active_spectra(dictionary, block.rows, spectra[block.rows], gains)
            fit_loudness(block, active, 1, progress.check)
            collect(block, active, seen)
        if turn >= FIXED_ROUNDS:
            ease = turn / max(settings.learn_iterations - 1, 1)
            dictionary.learn(seen, settings.sharing_first ** (1 - ease) * settings.sharing**ease)


def learning_starts(dictionary: Dictionary, block_windows: int) -> list[int]:
    """Return the first windows of the blocks to learn from: all of them, or of a long recording an even selection."""
    grid = dictionary.grid
    starts = list(range(0, grid.windows, block_windows))
    most = int(dictionary.settings.learn_s * grid.sample_rate / grid.hop_frames / block_windows) + 1
    if len(starts) <= most:
        return starts
    return [starts[i] for i in np.linspace(0, len(starts) - 1, most).round().astype(int)]
