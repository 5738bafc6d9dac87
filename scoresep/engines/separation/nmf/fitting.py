"""Fits the dictionary to a recording: how loud every row is at every moment, and what the rows sound like.

Multiplicative updates for the Kullback-Leibler divergence (Lee and Seung 2001), with a cost on what the score makes
unlikely. Given the dictionary, every window is fitted for itself, so the result does not depend on how windows are
grouped in blocks.

From loudnesses to stems: how much of every bin of the recording belongs to which stem.

Every channel has its own Wiener mask, from the model's magnitudes and the gains of the stems in that channel.
What hears two channels at once is in `spatial`.

References
----------
D. D. Lee, H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2001.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.nmf.dictionary import TINY, Dictionary, SufficientStatistics
from scoresep.engines.separation.stft import read_spectra
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

FIXED_ROUNDS = 2  # rounds in which loudnesses settle before sounds are learned
STRETCH_WINDOWS = 256  # length of the stretches that are picked from a long recording; whatever the size of a block
FAINTEST = 1e-12  # below any recording; denormal numbers would make the processor slow


@dataclass
class Block:
    """Windows that are worked on together.

    Attributes
    ----------
    rows : Tensor [shape=(active,)], int64
        The rows that may sound in it, ascending.
    stems : ndarray [shape=(active,)], int64
        Their stems.
    magnitude : Tensor [shape=(channels, windows, axis)], float32
    loudness : Tensor [shape=(windows, active)], float32
    cost : Tensor [shape=(windows, active)], float32
    """

    rows: Tensor
    stems: NDArray[np.int64]
    magnitude: Tensor
    loudness: Tensor
    cost: Tensor


def make_block(dictionary: Dictionary, spectra: Tensor, first: int) -> Block:
    """Prepare the fit of the windows from `first`, given their spectra, shape (channels, windows, bins).

    Parameters
    ----------
    dictionary : Dictionary
    spectra : Tensor [shape=(channels, windows, bins)], complex64
    first : int
        The block's first window.
    """
    rows, near = dictionary.rows.activation_prior(first, first + spectra.shape[1])
    settings, device = dictionary.settings, dictionary.device
    cost = (1.0 - near) * settings.far_cost
    cost[:, rows >= dictionary.rows.residual.start] += settings.residual_cost
    magnitude = dictionary.axis.reduce(spectra.abs() ** settings.magnitude_exponent)
    activation_prior = torch.from_numpy(near).to(device)
    level = magnitude.sum((0, 2))[:, None] / magnitude.shape[0]
    return Block(
        torch.from_numpy(rows).to(device),
        dictionary.rows.stem[rows],
        magnitude,
        activation_prior * level / (activation_prior > 0).sum(1, keepdim=True),
        torch.from_numpy(cost.astype(np.float32)).to(device),
    )


class ComponentSpectra:
    """The spectra and gains of a dictionary as it stands, computed once for many blocks."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._spectra, self._gains = dictionary.reduced_spectra(), dictionary.reduced_gains()
        self._stem = dictionary.stem

    def of(self, rows: Tensor) -> Tensor:
        """Return the spectra of rows as every channel has them, shape (channels, rows, axis)."""
        spectra = self._spectra[rows]
        if self._gains.shape[1] == 1:
            return spectra[None]
        gains = self._gains[self._stem[rows]]
        return torch.stack([spectra * gains[:, channel] for channel in range(gains.shape[1])])


def update_activations(block: Block, spectra: Tensor, rounds: int, check: Callable[[], None]) -> None:
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
            above.addmm_(_ratio(magnitude, block.loudness, spectrum), spectrum.T)
        block.loudness *= above.div_(below)
        block.loudness.masked_fill_(block.loudness < FAINTEST, 0.0)


def accumulate(dictionary: Dictionary, block: Block, spectra: Tensor, seen: SufficientStatistics) -> None:
    """Add what a block says about the dictionary.

    Parameters
    ----------
    dictionary : Dictionary
    block : Block
    spectra : Tensor [shape=(channels, windows, bins)], complex64
    seen : SufficientStatistics
        Added to.
    """
    ratio = [
        block.loudness.T @ _ratio(magnitude, block.loudness, spectrum)
        for magnitude, spectrum in zip(block.magnitude, spectra, strict=True)
    ]
    dictionary.observe(seen, block.rows, spectra, block.loudness, torch.stack(ratio))


def _ratio(magnitude: Tensor, loudness: Tensor, spectrum: Tensor) -> Tensor:
    """Return recording / model, shape (windows, axis)."""
    model = (loudness @ spectrum).add_(TINY)
    return torch.div(magnitude, model, out=model)


def fit(
    source: SampleSource, dictionary: Dictionary, block_windows: int, progress: Progress
) -> list[tuple[int, int, Block]]:
    """Learn the dictionary from a recording, or from even parts of a long one.

    Parameters
    ----------
    source : SampleSource
    dictionary : Dictionary
        Changed in place.
    block_windows : int
    progress : Progress

    Returns
    -------
    observed : list of (int, int, Block)
        The first window, the window after the last, and the fit of what was learned from.
    """
    settings = dictionary.settings
    ranges = learning_ranges(dictionary, block_windows)
    blocks = []
    for i, (first, last) in enumerate(ranges):
        progress.update(0.1 * i / len(ranges), "Listening to the recording")
        spectra = read_spectra(source, dictionary.grid, first, last, dictionary.device)
        blocks.append(make_block(dictionary, spectra, first))
    for turn in range(settings.learn_iterations):
        seen, table = dictionary.nothing_seen(), ComponentSpectra(dictionary)
        for i, block in enumerate(blocks):
            done = (turn + i / len(blocks)) / settings.learn_iterations
            progress.update(0.1 + 0.9 * done, "Learning the sounds of the parts")
            spectra = table.of(block.rows)
            update_activations(block, spectra, 1, progress.check)
            if turn >= FIXED_ROUNDS:
                accumulate(dictionary, block, spectra, seen)
        if turn >= FIXED_ROUNDS:
            ease = turn / max(settings.learn_iterations - 1, 1)
            dictionary.fit(seen, settings.sharing_first ** (1 - ease) * settings.sharing**ease)
    return [(first, last, block) for (first, last), block in zip(ranges, blocks, strict=True)]


def learning_ranges(dictionary: Dictionary, block_windows: int) -> list[tuple[int, int]]:
    """Return the windows [first, last) of the blocks to learn from: all, or of a long recording an even selection."""
    grid, settings = dictionary.grid, dictionary.settings
    stretches = -(-grid.windows // STRETCH_WINDOWS)
    most = max(1, int(settings.learn_s * grid.sample_rate / grid.hop_frames / STRETCH_WINDOWS))
    chosen = np.unique(np.linspace(0, stretches - 1, min(most, stretches)).round().astype(int))
    ranges = []
    for stretch in chosen.tolist():
        start, stop = stretch * STRETCH_WINDOWS, min((stretch + 1) * STRETCH_WINDOWS, grid.windows)
        ranges += [(a, min(a + block_windows, stop)) for a in range(start, stop, block_windows)]
    return ranges


def stem_powers(dictionary: Dictionary, block: Block, exponent: float, check: Callable[[], None]) -> Tensor:
    """Return the model's magnitudes of every stem and the residual, raised to `exponent`, before gains.

    Parameters
    ----------
    dictionary : Dictionary
    block : Block
    exponent : float
        Power of the magnitudes.
    check : callable
        Called now and then; raises when the work is to stop.

    Returns
    -------
    powers : Tensor [shape=(stems + 1, windows, bins)], float32
    """
    spectra = dictionary.spectra(block.rows)
    result = spectra.new_zeros(dictionary.rows.stem_count + 1, block.loudness.shape[0], spectra.shape[1])
    for stem in np.unique(block.stems).tolist():
        check()
        mine = torch.from_numpy(np.flatnonzero(block.stems == stem)).to(spectra.device)
        result[stem] = block.loudness[:, mine] @ spectra[mine]
    return result ** (exponent / dictionary.settings.magnitude_exponent)


def masked(dictionary: Dictionary, block: Block, spectra: Tensor, check: Callable[[], None]) -> Tensor:
    """Divide the spectra of the recording among the stems, channel by channel.

    Parameters
    ----------
    dictionary : Dictionary
    block : Block
    spectra : Tensor [shape=(channels, windows, bins)], complex64
    check : callable
        Called now and then; raises when the work is to stop.

    Returns
    -------
    stems : Tensor [shape=(stems, channels, windows, bins)], complex64
        Without the residual, which is what they leave.
    """
    exponent = dictionary.settings.mask_exponent
    gains = dictionary.stem_gains() ** (exponent / dictionary.settings.magnitude_exponent)
    powers = stem_powers(dictionary, block, exponent, check)
    result = spectra.new_empty(dictionary.rows.stem_count, *spectra.shape)
    for channel in range(spectra.shape[0]):
        share = powers * gains[:, channel, None]
        total = share.sum(0) + TINY**2
        for stem in range(len(result)):
            check()
            result[stem, channel] = share[stem] / total * spectra[channel]
    return result
