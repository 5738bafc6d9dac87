"""The network: an encoder that hears the mixture, and a decoder, shared by all parts, that says how notes are produced.

References
----------
K. Schulze-Forster, G. Richard, L. Kelley, C. S. J. Doire, R. Badeau, "Unsupervised music source separation using
differentiable parametric source models", IEEE/ACM Transactions on Audio, Speech, and Language Processing 31, 2023,
arXiv:2201.09592. Here the decoder is also told which part a note is of, and how loud the mixture is at the multiples
of its pitch, so that a few hundred steps are enough; filters are evaluated at the partials, not run over samples.
F. Itakura, "Line spectrum representation of linear predictor coefficients of speech signals", Journal of the Acoustical
Society of America 57(S1), 1975 (magnitude of the filter from its line spectral frequencies).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scoresep.engines.separation.neural_source_filter import NeuralSourceFilterSettings
from scoresep.engines.separation.source_filter.fitting import BANDS

MODEL_TOP_HZ = 8000.0  # the filter's last frequency; above it only the roll-off goes on
WARP = 0.576  # of the frequency axis, about that of hearing at 16 kHz
ROLL_OFF_HZ = 200.0
MOST_ROLL_OFF = 4.0  # as an exponent of frequency: 24 dB per octave
LEAST_GAP = 0.1  # of lines, as a share of their mean distance: how sharp a resonance may be
MOST_LOUDER = 6.0  # as a logarithm, than the first guess
RESIDUAL_BANDS = 24
NOISE_INPUTS = 2
REGISTERS_MIDI = tuple(range(21, 112, 3))  # in which partials may be of different loudness
REGISTER_SEMITONES = 2.0
TABLE_RATE = 8.0  # how much faster tables are learned than layers
CELL_INPUTS = 4


@dataclass(frozen=True)
class CellInputs:
    """What the decoder is told of the cells of a stretch.

    Attributes
    ----------
    window, stem : Tensor [shape=(cells,)], int64
    plain : Tensor [shape=(cells, CELL_INPUTS)], float32
        Pitch, nearness and time since the onset.
    levels, alone : Tensor [shape=(cells, heard_partials)], float32
        Logarithm of the mixture's level at the partials, and how little other notes have a share in it.
    guess : Tensor [shape=(cells,)], float32
        Logarithm of a loudness that would explain all of it.
    hz : Tensor [shape=(cells, partials)], float32
    exists : Tensor [shape=(cells, partials)], float32
    """

    window: Tensor
    stem: Tensor
    plain: Tensor
    levels: Tensor
    alone: Tensor
    guess: Tensor
    hz: Tensor
    exists: Tensor


class SourceNetwork(nn.Module):
    """Encoder and decoder.

    Parameters
    ----------
    stems : int
    partials : int
    exponent : float
        Power of magnitudes that all loudnesses are given in.
    settings : NeuralSourceFilterSettings
    """

    def __init__(self, stems: int, partials: int, exponent: float, settings: NeuralSourceFilterSettings) -> None:
        super().__init__()
        width, code, part = settings.width, settings.code, settings.part_code
        self._exponent, self._order = exponent, settings.order
        self.scale = nn.Parameter(torch.ones(settings.bands))
        self.shift = nn.Parameter(torch.zeros(settings.bands))
        self.gru = nn.GRU(settings.bands, width // 2, batch_first=True, bidirectional=True)
        self.to_code = nn.Linear(width + settings.bands, code)
        self.parts = nn.Parameter(0.3 * torch.randn(max(stems, 1), part))
        told = code + part + CELL_INPUTS + 2 * min(settings.heard_partials, partials)
        self.trunk = nn.Sequential(_layer(told, width), _layer(width, width))
        self.heads = nn.Linear(width, 2 + settings.order + 1)
        self.partials = nn.Parameter(torch.zeros(max(stems, 1), partials))
        self.registers = nn.Parameter(torch.zeros(max(stems, 1) * len(REGISTERS_MIDI), partials))
        self.noise_trunk = _layer(code + part + NOISE_INPUTS, width)
        self.noise_heads = nn.Linear(width, 2)
        self.noise_bands = nn.Parameter(torch.zeros(2 * stems, BANDS))
        self.residual = nn.Linear(code, RESIDUAL_BANDS)
        with torch.no_grad():
            self.heads.weight *= 0.1
            self.heads.bias.zero_()
            self.residual.weight *= 0.1
            self.residual.bias.fill_(-6.0)
            self.noise_heads.bias.fill_(-3.0)

    def encode(self, observed: Tensor) -> Tensor:
        """Describe every window of a stretch: log spectra of shape (windows, bands) to (windows, code)."""
        observed = observed * self.scale + self.shift
        context = self.gru(observed[None])[0][0]
        code: Tensor = torch.tanh(self.to_code(torch.cat([context, observed], 1)))
        return code

    def decode(self, code: Tensor, cells: CellInputs) -> tuple[Tensor, Tensor]:
        """Return how loud every cell is, shape (cells,), and its sound, shape (cells, partials), adding up to 1."""
        told = torch.cat([code[cells.window], self.parts[cells.stem], cells.plain, cells.levels, cells.alone], 1)
        heads = self.heads(self.trunk(told))
        louder = MOST_LOUDER * torch.tanh((heads[:, 0] - 1.0) / MOST_LOUDER)
        roll_off = MOST_ROLL_OFF * torch.sigmoid(heads[:, 1] - 1.0)
        lines = line_frequencies(heads[:, 2:])
        log_sound = -roll_off[:, None] * torch.log((cells.hz / ROLL_OFF_HZ).clamp(min=1.0))
        log_sound = log_sound + all_pole_log_gain(lines, warped(cells.hz)) + self._timbre(cells)
        nothing = torch.full_like(log_sound, -1e4)
        sound = torch.where(cells.exists > 0, self._exponent * log_sound, nothing).softmax(1) * cells.exists
        return torch.exp(cells.guess + louder), sound

    def _timbre(self, cells: CellInputs) -> Tensor:
        """Return what tells a part's partials from a smooth filter's, in this register: shape (cells, partials)."""
        centres = torch.tensor(REGISTERS_MIDI, device=cells.plain.device)
        midi = 12.0 * cells.plain[:, :1] + 60.0
        near = torch.softmax(-0.5 * ((midi - centres) / REGISTER_SEMITONES).square(), 1)
        here = nn.functional.one_hot(cells.stem, len(self.partials)).to(near.dtype)
        both = (here[:, :, None] * near[:, None]).flatten(1)
        return TABLE_RATE * (here @ self.partials + both @ self.registers)

    def noise(self, code: Tensor, near: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Return loudnesses, shape (windows, 2 * stems), of attacks and breath, and their bands (2 * stems, BANDS).

        Parameters
        ----------
        code : Tensor [shape=(windows, code)], float32
        near : Tensor [shape=(windows, 2 * stems)], float32
            0 where they must be silent.
        level : Tensor [shape=(windows,)], float32
            Of the mixture.
        """
        stems = near.shape[1] // 2
        told = [
            torch.cat([code, self.parts[stem].expand(len(code), -1), near[:, [stem, stems + stem]]], 1)
            for stem in range(stems)
        ]
        if not told:
            return near, self.noise_bands.exp()
        gains = torch.exp(self.noise_heads(self.noise_trunk(torch.stack(told, 1))).clamp(max=0.0))
        return near * torch.cat([gains[..., 0], gains[..., 1]], 1) * level[:, None], self.noise_bands.exp()

    def leftover(self, code: Tensor, level: Tensor) -> Tensor:
        """Return loudnesses of what belongs to nobody, shape (windows, RESIDUAL_BANDS)."""
        return torch.exp(self.residual(code).clamp(max=0.0)) * level[:, None]


def line_frequencies(values: Tensor) -> Tensor:
    """Return line spectral frequencies, ascending between 0 and pi: shape (..., order + 1) to (..., order).

    Their distances are positive, so that the filter is stable whatever the values are.
    """
    count = values.shape[-1]
    gaps = values.softmax(-1) * (1.0 - LEAST_GAP) + LEAST_GAP / count
    return torch.pi * gaps.cumsum(-1)[..., :-1]


def warped(hz: Tensor) -> Tensor:
    """Return frequencies as angles on the filter's axis, which is warped towards that of hearing by an all-pass."""
    angle = torch.pi * (hz / MODEL_TOP_HZ).clamp(max=1.0)
    return angle + 2.0 * torch.atan2(WARP * torch.sin(angle), 1.0 - WARP * torch.cos(angle))


def all_pole_log_gain(lines: Tensor, angle: Tensor) -> Tensor:
    """Return the logarithm of an all-pole filter's magnitude.

    Parameters
    ----------
    lines : Tensor [shape=(cells, order)], float32
        Line spectral frequencies, ascending; an even number of them.
    angle : Tensor [shape=(cells, partials)], float32
        Where the filter is evaluated, from 0 to pi.

    Returns
    -------
    log_gain : Tensor [shape=(cells, partials)], float32
    """
    apart = 2.0 * (torch.cos(angle)[..., None] - torch.cos(lines)[:, None])
    odd, even = (apart[..., start::2].square().prod(-1) for start in (0, 1))
    half = 0.5 * angle
    power = torch.cos(half).square() * odd + torch.sin(half).square() * even
    return -0.5 * torch.log(power + math.exp(-30.0))


def _layer(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.LeakyReLU())
