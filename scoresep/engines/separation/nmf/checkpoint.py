"""What was learned of a recording's sounds, as arrays: kept beside the stems, and taken again for notes that moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scoresep.engines.separation.base import Arrays
from scoresep.engines.separation.checkpoint import (
    covariances_from_array,
    covariances_shape,
    covariances_to_array,
)
from scoresep.engines.separation.nmf.dictionary import Dictionary, unit_sum
from scoresep.engines.separation.nmf.settings import NmfSettings
from scoresep.engines.separation.spatial import Covariances
from scoresep.engines.separation.stft import FrameGrid

_FAR = 1e6  # a pitch of another stem


@dataclass(frozen=True)
class NmfDictionaryState:
    """How the parts of a recording sound and, in stereo, where they stand.

    Attributes
    ----------
    stem : ndarray [shape=(pitches,)], int64
    midi : ndarray [shape=(pitches,)], float64
    partials : ndarray [shape=(pitches, partials)], float32
        Adds up to 1 for every pitch.
    bands : ndarray [shape=(2 * stems, bands)], float32
        Of attacks, then of what has no pitch.
    gains : ndarray [shape=(stems, channels, bands)], float32
    covariances : ndarray [shape=(4, stems + 1, bins)], float32
        Planes of `Covariances`; of size 0 where there are none.
    """

    stem: NDArray[np.int64]
    midi: NDArray[np.float64]
    partials: NDArray[np.float32]
    bands: NDArray[np.float32]
    gains: NDArray[np.float32]
    covariances: NDArray[np.float32]

    @classmethod
    def of(cls, dictionary: Dictionary, where: Covariances | None) -> NmfDictionaryState:
        """Take them from a dictionary that has learned."""
        pitches = dictionary.rows.pitches
        partials, bands, gains = (
            _numpy(tensor) for tensor in (dictionary.partials, dictionary.bands, dictionary.gains)
        )
        return cls(pitches.stem, pitches.midi, partials, bands, gains, covariances_to_array(where))

    def given_to(self, dictionary: Dictionary) -> tuple[Dictionary, Covariances | None]:
        """Give them to the dictionary of notes that may have changed since; a pitch that is new sounds as its nearest.

        Returns
        -------
        dictionary : Dictionary
            The same, changed in place.
        covariances : Covariances or None
        """
        pitches, device = dictionary.rows.pitches, dictionary.device
        if len(pitches) and len(self.midi):
            apart = np.abs(pitches.midi[:, None] - self.midi) + _FAR * (pitches.stem[:, None] != self.stem)
            nearest = apart.argmin(1)
            first = _numpy(dictionary.partials)
            count = min(first.shape[1], self.partials.shape[1])
            values = np.zeros_like(first)
            values[:, :count] = self.partials[nearest, :count]
            is_known = apart[np.arange(len(nearest)), nearest] < _FAR
            # partials above the range stay out, and those of a stem that was never heard stay as they begin
            values = np.where(is_known[:, None], values * (first > 0), first)
            dictionary.partials = unit_sum(torch.from_numpy(values).to(device))
        dictionary.bands = torch.from_numpy(self.bands).to(device)
        dictionary.gains = torch.from_numpy(self.gains).to(device)
        where = covariances_from_array(self.covariances)
        return dictionary, None if where is None else where.to(device)

    def to_arrays(self, grid: FrameGrid, settings: NmfSettings) -> dict[str, NDArray[Any]]:
        """Return all arrays, and for what they hold."""
        return {"holds_for": np.array(_holds_for(grid, settings)), **vars(self)}


def dictionary_state_of(
    checkpoint: Arrays | None, grid: FrameGrid, channels: int, stem_count: int, settings: NmfSettings
) -> NmfDictionaryState | None:
    """Return what was kept, or None where it is of something else or damaged."""
    if checkpoint is None or str(checkpoint.get("holds_for")) != _holds_for(grid, settings):
        return None
    try:
        sounds = NmfDictionaryState(
            **{name: np.asarray(checkpoint[name]) for name in NmfDictionaryState.__dataclass_fields__}
        )
    except KeyError:
        return None
    expected = {
        "stem": (len(sounds.midi),),
        "bands": (2 * stem_count, settings.attack_bands),
        "gains": (stem_count, channels, settings.gain_bands),
        "covariances": covariances_shape(channels, stem_count, grid.bins),
    }
    fits = all(getattr(sounds, name).shape == shape for name, shape in expected.items())
    return sounds if fits and len(sounds.partials) == len(sounds.midi) else None


def _holds_for(grid: FrameGrid, settings: NmfSettings) -> str:
    return f"{grid} {settings}"


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = tensor.cpu().numpy()
    return values
