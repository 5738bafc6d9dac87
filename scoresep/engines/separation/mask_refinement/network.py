"""How loud the partials of every part are, by pitch: the means of what was heard, from which the network starts.

A partial counts for what is the part's own of it, so that what was shared with others says little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scoresep.engines.separation.mask_refinement import MaskRefinerSettings
from scoresep.engines.separation.mask_refinement.voices import Tracks

SEMITONES = 128
LIKE_SEMITONES = 3.0  # pitches so near sound alike
FAR_WEIGHT = 0.03  # how much those further away are listened to
FLOOR = -2.5  # of a profile, in levels


class ProfileSum:
    """Gathers profiles from stems.

    Parameters
    ----------
    stems, harmonics : int
    """

    def __init__(self, stems: int, harmonics: int) -> None:
        self._observed = np.zeros((stems, SEMITONES, harmonics))
        self._weight = np.full((stems, SEMITONES, harmonics), 1e-9)

    def add(self, stem: int, f0_hz: Tensor, level: Tensor, own: Tensor) -> None:
        """Add a voice.

        Parameters
        ----------
        stem : int
        f0_hz : Tensor [shape=(windows,)], float32
            0 where it is silent.
        level : Tensor [shape=(windows, harmonics)], float32
            Of its partials, against that of all of them together.
        own : Tensor [shape=(windows, harmonics)], float32
            How much of the mixture's power at a partial is the part's, 0 to 1.
        """
        on = f0_hz > 0
        key = nearest_semitone(f0_hz[on]).cpu().numpy()
        weight = own[on].cpu().double().numpy() ** 2
        np.add.at(self._observed[stem], key, weight * level[on].cpu().double().clamp(min=FLOOR).numpy())
        np.add.at(self._weight[stem], key, weight)

    def profiles(self) -> NDArray[np.float32]:
        """Return levels of partials for every stem and semitone, shape (stems, SEMITONES, harmonics)."""
        apart = np.abs(np.arange(SEMITONES)[:, None] - np.arange(SEMITONES))
        like = np.exp(-0.5 * (apart / LIKE_SEMITONES) ** 2) + FAR_WEIGHT * np.exp(-apart / 12.0)
        observed = np.einsum("ab,sbh->sah", like, self._observed)
        weight = np.einsum("ab,sbh->sah", like, self._weight)
        # where nothing was heard, partials fall with their number
        number = np.arange(1, self._observed.shape[2] + 1)
        guess = np.maximum(-0.5 * np.log(number), FLOOR)
        result: NDArray[np.float32] = ((observed + 0.1 * guess) / (weight + 0.1)).astype(np.float32)
        return result


def nearest_semitone(f0_hz: Tensor) -> Tensor:
    """Return the MIDI number of the nearest semitone."""
    midi = 69.0 + 12.0 * torch.log2(f0_hz.clamp(min=1.0) / 440.0)
    return midi.round().long().clamp(0, SEMITONES - 1)


LEVELS = 4.0  # powers of e in a step of 1 of the level
NEAR_BINS = 1.2  # how far another part's partial is felt
ON_FRAME = 5  # numbers that a tile says about a voice at a moment
ON_PARTIAL = 5  # and about a partial
ON_BIN = 2  # and about a bin: how loud the recording is, and how near another part's partial


@dataclass(frozen=True)
class TileShape:
    """Which part of the spectrum tiles cover.

    Attributes
    ----------
    harmonics, reach : int
        Partials, and bins on either side of each.
    bins : int
        Bins from 0 Hz that are covered at all.
    bin_hz : float
    """

    harmonics: int
    reach: int
    bins: int
    bin_hz: float

    @property
    def across(self) -> int:
        """Bins at each partial."""
        return 2 * self.reach + 1


@dataclass(frozen=True)
class Tiles:
    """The tiles of all voices in some windows.

    Attributes
    ----------
    seen : Tensor [shape=(voices, windows, harmonics, ON_BIN * across + ON_PARTIAL)], float32
    base : Tensor [shape=(voices, windows, harmonics, across)], float32
        How loud it would be, as a logarithm of power, by the profile of its part and its partials that are free.
    checkpoint : Tensor [shape=(voices, windows, ON_FRAME)], float32
        Frame-wise knowledge from the score.
    place : Tensor [shape=(voices, windows, bins)], int64
        Where in a tile (partials times bins) every bin of the spectrum is.
    inside : Tensor [shape=(voices, windows, bins)], bool
        Whether it is in the tile at all.
    stem : Tensor [shape=(voices,)], int64
    """

    seen: Tensor
    base: Tensor
    known: Tensor
    place: Tensor
    inside: Tensor
    stem: Tensor


def make_tiles(level: Tensor, tracks: Tracks, stem: Tensor, profiles: Tensor, shape: TileShape) -> Tiles:
    """Lay out tiles.

    Parameters
    ----------
    level : Tensor [shape=(windows, bins)], float32
        Log-magnitudes of the mixture, about 0 where it is of mean loudness.
    tracks : Tracks
        Of the same windows.
    stem : Tensor [shape=(voices,)], int64
    profiles : Tensor [shape=(stems, SEMITONES, harmonics)], float32
    shape : TileShape
    """
    f0 = tracks.f0_hz
    on = f0 > 0
    safe = f0.clamp(min=1.0)
    number = torch.arange(1, shape.harmonics + 1, device=f0.device, dtype=torch.float32)
    centre = f0[..., None] * number / shape.bin_hz
    middle = centre.round().long()
    bins = middle[..., None] + torch.arange(-shape.reach, shape.reach + 1, device=f0.device)
    exists = (bins >= 1) & (bins < shape.bins) & on[..., None, None]
    bins = bins.clamp(0, shape.bins - 1)
    flat = bins.flatten(2)
    loud = level.expand(len(stem), *level.shape).gather(2, flat).view(bins.shape)
    near = _others_partials(f0, stem, shape).index_select(0, stem).gather(2, flat).view(bins.shape)
    observed = on[..., None].float()
    offset = bins - centre[..., None]
    profile = profiles[stem[:, None], nearest_semitone(safe)]
    excess, loudness = _against_profile(loud, near, offset, profile, exists)
    base = LEVELS * (profile + loudness[..., None])[..., None] + _lobe(offset)
    at_partial = [
        (centre - middle) * observed,
        torch.log(centre.clamp(min=1.0) * (shape.bin_hz / 500.0)) * observed,
        number.log() * observed,
        profile * observed,
        excess * observed,
    ]
    seen = torch.cat([loud * exists, near * exists, torch.stack(at_partial, -1)], -1)
    place, inside = _places(safe, on, middle, shape)
    return Tiles(seen, base, _frame_knowledge(tracks, on, safe), place, inside, stem)


def _against_profile(
    loud: Tensor, near: Tensor, offset: Tensor, profile: Tensor, exists: Tensor
) -> tuple[Tensor, Tensor]:
    """Return by how much every partial is louder than its profile lets expect, and how loud the voice is.

    Partials that no other part is near to say most.
    """
    middle = loud.shape[-1] // 2
    peak = loud[..., middle - 1 : middle + 2].amax(-1)
    free = 1.0 - 0.95 * near[..., middle - 1 : middle + 2].amax(-1)
    above = peak - profile
    weight = torch.exp(LEVELS * profile.clamp(min=-1.5)) * free**2 * exists[..., middle] + 1e-9
    loudness = (above * weight).sum(-1) / weight.sum(-1)
    return above - loudness[..., None], loudness


def _lobe(offset: Tensor) -> Tensor:
    """Return the logarithm of the power of a Hann window's spectrum `offset` bins from a partial."""
    value = (torch.sinc(offset) / (1.0 - offset**2 + 1e-6)).abs()
    return 2.0 * torch.log(value.clamp(min=0.02, max=1.0))


def _frame_knowledge(tracks: Tracks, on: Tensor, safe_hz: Tensor) -> Tensor:
    sounding = on.float()
    attack = torch.exp(-tracks.since_s.clamp(min=0.0) / 0.1) * sounding
    height = torch.log(safe_hz / 200.0) * sounding
    since, until = tracks.since_s.clamp(-0.1, 2.0), tracks.until_s.clamp(-0.4, 2.0)
    return torch.stack([sounding, since, until, attack, height], -1)


def _others_partials(f0: Tensor, stem: Tensor, shape: TileShape) -> Tensor:
    """Return how near every bin is to a partial of another part, shape (stems, windows, bins), 1 on it."""
    stems = int(stem.max()) + 1
    hz = torch.arange(shape.bins, device=f0.device) * shape.bin_hz
    near = f0.new_zeros(stems, f0.shape[1], shape.bins)
    for voice in range(len(stem)):
        pitch = f0[voice, :, None]
        number = (hz / pitch.clamp(min=1.0)).round()
        away = (hz - number * pitch) / (shape.bin_hz * NEAR_BINS)
        comb = torch.exp(-0.5 * away**2) * ((number >= 1) & (pitch > 0))
        of_others = torch.arange(stems, device=f0.device) != stem[voice]
        near = torch.where(of_others[:, None, None], torch.maximum(near, comb), near)
    return near


def _places(safe_hz: Tensor, on: Tensor, middle: Tensor, shape: TileShape) -> tuple[Tensor, Tensor]:
    bins = torch.arange(shape.bins, device=safe_hz.device)
    number = (bins * shape.bin_hz / safe_hz[..., None]).round().long() - 1
    known = number.clamp(0, shape.harmonics - 1)
    across = bins - middle.gather(2, known) + shape.reach
    inside = (number == known) & on[..., None] & (across >= 0) & (across < shape.across)
    return known * shape.across + across.clamp(0, shape.across - 1), inside


TIME_TAPS, PARTIAL_TAPS = 5, 3
NOTHING = -1e4  # the logarithm of no loudness


class TileNetwork(nn.Module):
    """Convolutions over time and partials.

    Parameters
    ----------
    stems : int
    settings : MaskRefinerSettings
    """

    def __init__(self, stems: int, settings: MaskRefinerSettings) -> None:
        super().__init__()
        width, across = settings.width, 2 * settings.reach_bins + 1
        self.see = nn.Linear(ON_BIN * across + ON_PARTIAL, width)
        self.know = nn.Linear(ON_FRAME, width)
        self.part = nn.Parameter(torch.zeros(stems, width))
        self.layers = nn.ModuleList(_layer(width, dilation) for dilation in settings.dilations)
        self.tell = nn.Linear(width, across)
        nn.init.zeros_(self.tell.weight)
        nn.init.zeros_(self.tell.bias)

    def forward(self, tiles: Tiles) -> Tensor:
        """Return how loud every voice is in its tile, as logarithms; shape (voices, windows, harmonics * across)."""
        seen = self.see(tiles.seen) + self.know(tiles.known)[:, :, None] + self.part[tiles.stem][:, None, None]
        state = torch.relu(seen).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            value, gate = layer(state).chunk(2, 1)
            state = state + torch.relu(value) * torch.sigmoid(gate)
        told: Tensor = (self.tell(state.permute(0, 2, 3, 1)) + tiles.base).flatten(2)
        return told


def reach_windows(settings: MaskRefinerSettings) -> int:
    """Return how many windows before and after one the network looks at, the refining of its pitch included."""
    return sum(TIME_TAPS // 2 * dilation for dilation in settings.dilations) + 2


def shares_of(network: TileNetwork, tiles: Tiles, stems: int) -> tuple[Tensor, Tensor]:
    """Divide every bin among the parts that have a partial there.

    Parameters
    ----------
    network : TileNetwork
    tiles : Tiles
        Time and frequency around every note.
    stems : int
        How many there are, the residual not counted.

    Returns
    -------
    shares : Tensor [shape=(stems, windows, bins)], float32
        Add up to 1 over the parts inside.
    inside : Tensor [shape=(stems, windows, bins)], bool
    """
    loud = network(tiles).gather(2, tiles.place).masked_fill(~tiles.inside, NOTHING)
    silent = loud.new_full(loud.shape[1:], NOTHING)
    of_stem = [loud[tiles.stem == stem] for stem in range(stems)]
    # the voices of one part add up; a loop over parts, because adding up by index is not repeatable on a GPU
    loudness = torch.stack([torch.logsumexp(one, 0) if len(one) else silent for one in of_stem])
    inside = loudness > 0.5 * NOTHING
    return loudness.softmax(0) * inside, inside


def _layer(width: int, dilation: int) -> nn.Conv2d:
    padding = (TIME_TAPS // 2 * dilation, PARTIAL_TAPS // 2)
    return nn.Conv2d(width, 2 * width, (TIME_TAPS, PARTIAL_TAPS), padding=padding, dilation=(dilation, 1))
