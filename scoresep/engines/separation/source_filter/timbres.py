"""What the parts sound like: the partials of every pitch, and what of every part has no pitch.

Notes of the same pitch share one sound, and it is drawn to those of neighbouring pitches, the more so the less the
pitch was heard. This regularity is what separates partials that fall together: sounds that are free in every note
explain the mixture better and separate it worse.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scoresep.engines.separation.activity import Pitches, pitches_of
from scoresep.engines.separation.stft import FrameGrid
from scoresep.model.alignment import SoundingNotes

TINY = 1e-9
BANDS = 40
NEIGHBOUR_SEMITONES = 3.0
FAR_SHARE = 0.1  # what a far pitch of the part counts for
_OTHER_STEM = 1e6


class PartTimbres:
    """The sounds of one recording, as they are learned.

    Parameters
    ----------
    notes : SoundingNotes
    partials : int
    grid : FrameGrid
    device : torch.device

    Attributes
    ----------
    pitches : Pitches
    of_note : ndarray [shape=(notes,)], int64
        The pitch of every note; -1 for unpitched notes.
    partials : Tensor [shape=(pitches, partials)], float32
        Adds up to 1 for every pitch.
    bands : Tensor [shape=(2 * stems, BANDS)], float32
        Loudness in bands of the attacks of every stem, then of what else of it has no pitch.
    bumps : Tensor [shape=(BANDS, bins)], float32
    """

    def __init__(self, notes: SoundingNotes, partials: int, grid: FrameGrid, device: torch.device) -> None:
        self.pitches, self.of_note = pitches_of(notes)
        count = len(self.pitches)
        first = 1.0 / torch.arange(1, partials + 1, device=device)
        self.partials = (first / first.sum()).repeat(count, 1)
        self.bumps = band_bumps(grid, BANDS, device)
        self.bands = torch.ones(2 * notes.stem_count, BANDS, device=device)
        self.bands /= (self.bands @ self.bumps).sum(1, keepdim=True)
        apart = np.abs(self.pitches.midi[:, None] - self.pitches.midi)
        near = np.exp(-0.5 * (apart / NEIGHBOUR_SEMITONES) ** 2) + FAR_SHARE
        near *= self.pitches.stem[:, None] == self.pitches.stem
        self._near = torch.from_numpy(near.astype(np.float32)).to(device)
        self._heard, self._exposed = torch.zeros_like(self.partials), torch.zeros_like(self.partials)

    def fit(self, heard: Tensor, exposed: Tensor, trust: Tensor) -> None:
        """Take one step towards what was heard, here and in stretches before.

        Parameters
        ----------
        heard, exposed : Tensor [shape=(pitches, partials)], float32
            What was heard, and what a sound of 1 would have given.
        trust : Tensor [shape=()]
            Loudness for which the opinion of neighbouring pitches counts.
        """
        heard, exposed = heard + self._heard, exposed + self._exposed
        shared = (self._near @ heard) / (self._near @ exposed + TINY)
        sound = (heard + trust * shared) / (exposed + trust + TINY)
        self.partials = sound / (sound.sum(1, keepdim=True) + TINY)

    def remember(self, heard: Tensor, exposed: Tensor) -> None:
        """Keep what was heard in a stretch that is done, for those that come after it."""
        self._heard += heard
        self._exposed += exposed

    def learn_bands(self, heard: Tensor, exposed: Tensor) -> None:
        """Take one step in the sounds without pitch; both of shape (2 * stems, BANDS)."""
        bands = self.bands * (heard + TINY) / (exposed + TINY)
        self.bands = bands / ((bands @ self.bumps).sum(1, keepdim=True) + TINY)

    def take(self, pitches: Pitches, partials: Tensor, bands: Tensor) -> None:
        """Take sounds that were learned before; a pitch that is new sounds as its nearest in the part."""
        self.bands = bands
        if not len(self.pitches) or not len(pitches):
            return
        apart = np.abs(self.pitches.midi[:, None] - pitches.midi)
        apart += _OTHER_STEM * (self.pitches.stem[:, None] != pitches.stem)
        nearest = apart.argmin(1)
        is_known = torch.from_numpy(apart[np.arange(len(nearest)), nearest] < _OTHER_STEM).to(partials.device)
        self.partials = torch.where(is_known[:, None], partials[torch.from_numpy(nearest)], self.partials)


def band_bumps(grid: FrameGrid, bands: int, device: torch.device) -> Tensor:
    """Return overlapping triangles, even on the mel scale, that add up to 1 in every bin; shape (bands, bins)."""
    mel = np.log1p(np.arange(grid.bins) * grid.bin_hz / 700.0)
    at = np.interp(mel, np.linspace(0.0, mel[-1], bands), np.arange(bands, dtype=np.float64))
    bumps = np.clip(1.0 - np.abs(at - np.arange(bands)[:, None]), 0.0, 1.0)
    return torch.from_numpy(bumps.astype(np.float32)).to(device)
