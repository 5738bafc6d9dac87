"""How the network hears a recording: its notes as voices, its grid, and how loud it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.mask_refinement.dataset import Excerpt
from scoresep.engines.separation.mask_refinement.network import LEVELS, ProfileSum, Tiles, TileShape, make_tiles
from scoresep.engines.separation.mask_refinement.settings import MaskRefinerSettings
from scoresep.engines.separation.mask_refinement.voices import Tracks, Voices, refined, tracks_of, voices_of
from scoresep.engines.separation.stft import FrameGrid, make_grid, read_spectra
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import ArraySource, SampleSource
from scoresep.progress import Progress


@dataclass(frozen=True)
class RecordingStatistics:
    """What is measured before the training.

    Attributes
    ----------
    mean_power : float
        Of the bins that the network sees.
    profiles : ndarray [shape=(stems, SEMITONES, harmonics)], float32
        Levels of partials; see `profiles`.
    blend : float
        Share of the network's division in the stems, as far as known.
    """

    mean_power: float
    profiles: NDArray[np.float32]
    blend: float = 0.3


@dataclass(frozen=True)
class NetworkInputs:
    """What is the same for all moments of a recording.

    Attributes
    ----------
    notes : SoundingNotes
    voices : Voices
        Of these notes.
    grid : FrameGrid
    settings : MaskRefinerSettings
    mean_power : float
        Of the bins that the network sees.
    profiles : ndarray [shape=(stems, SEMITONES, harmonics)], float32
        Levels of partials; see `profiles`.
    """

    notes: SoundingNotes
    voices: Voices
    grid: FrameGrid
    settings: MaskRefinerSettings
    mean_power: float
    profiles: NDArray[np.float32]

    @staticmethod
    def of(
        source: SampleSource, notes: SoundingNotes, settings: MaskRefinerSettings, heard: RecordingStatistics
    ) -> NetworkInputs:
        """Return how a recording is heard."""
        grid = make_grid(source.frames, source.sample_rate, settings.window_s)
        return NetworkInputs(notes, voices_of(notes), grid, settings, heard.mean_power, heard.profiles)

    @property
    def shape(self) -> TileShape:
        """The shape of tiles."""
        bins = min(self.grid.bins, max(2, int(self.settings.limit_hz / self.grid.bin_hz)))
        return TileShape(self.settings.harmonics, self.settings.reach_bins, bins, self.grid.bin_hz)

    def stem(self, device: torch.device) -> Tensor:
        """Return the stem of every voice, shape (voices,)."""
        return torch.from_numpy(self.voices.stem).to(device)

    def spectra(self, samples: NDArray[np.float32], device: torch.device) -> Tensor:
        """Return spectra of a stretch on a grid that begins with it, shape (rows, windows, bins of a tile).

        Parameters
        ----------
        samples : ndarray [shape=(rows, frames)], float32
        device : torch.device
        """
        grid = FrameGrid(self.grid.sample_rate, samples.shape[1], self.grid.hop_frames)
        rows = []
        for row in samples:  # one by one: all of their bins at once would need much memory
            source = ArraySource(row[None], grid.sample_rate)
            rows.append(read_spectra(source, grid, 0, grid.windows, device)[0, :, : self.shape.bins])
        return torch.stack(rows)

    def tracks(self, amplitude: Tensor, first: int, last: int, start_frame: int = 0) -> Tracks:
        """Return where the voices are in the windows [first, last) of a grid that begins at `start_frame`.

        Parameters
        ----------
        amplitude : Tensor [shape=(stems, windows, bins)], float32
            What is known of the magnitudes of the parts; pitches follow it.
        first, last : int
        start_frame : int
        """
        device = amplitude.device
        planes = tracks_of(self.voices, self.notes, self.grid, first, last, start_frame)
        f0 = refined(planes.f0_hz.to(device), amplitude, self.voices.stem.tolist(), self.grid.bin_hz)
        return Tracks(f0, planes.since_s.to(device), planes.until_s.to(device))

    def level(self, power: Tensor) -> Tensor:
        """Return log-magnitudes of about unit size."""
        return torch.log(power / self.mean_power + 1e-5) / LEVELS

    def tiles(self, level: Tensor, tracks: Tracks) -> Tiles:
        """Return the tiles of windows whose levels and tracks are given."""
        return make_tiles(
            level, tracks, self.stem(level.device), torch.from_numpy(self.profiles).to(level.device), self.shape
        )

    def add_to(self, profiles: ProfileSum, stems: Tensor, mixture: Tensor, tracks: Tracks) -> None:
        """Add what stems say of the profiles of their parts.

        Parameters
        ----------
        profiles : ProfileSum
        stems : Tensor [shape=(stems, windows, bins)], complex64
        mixture : Tensor [shape=(windows, bins)], complex64
        tracks : Tracks
            Of the same windows.
        """
        shape = self.shape
        power, whole = stems.abs().square(), mixture.abs().square()
        number = torch.arange(1, shape.harmonics + 1, device=power.device)
        for voice, stem in enumerate(self.voices.stem.tolist()):
            f0 = tracks.f0_hz[voice]
            middle = (f0[:, None] * number / shape.bin_hz).round().long()
            exists = middle < shape.bins - 1
            middle = middle.clamp(1, shape.bins - 2)
            peaks = torch.stack([power[stem].gather(1, middle + k) for k in (-1, 0, 1)])
            around = torch.stack([whole.gather(1, middle + k) for k in (-1, 0, 1)])
            own = (peaks.sum(0) / (around.sum(0) + 1e-12)).clamp(max=1.0)
            peak = peaks.amax(0) * exists
            level = self.level(peak) - self.level(peak.sum(1, keepdim=True))
            profiles.add(stem, f0, level, own * exists)


def measure_statistics(stretches: list[Excerpt], hearing: NetworkInputs, progress: Progress) -> RecordingStatistics:
    """Listen to stretches whose parts are known.

    Parameters
    ----------
    stretches : list of Excerpt
    hearing : NetworkInputs
        Its `mean_power` and profiles do not matter.
    progress : Progress
    """
    powers = []
    total = ProfileSum(hearing.notes.stem_count, hearing.settings.harmonics)
    for i, stretch in enumerate(stretches):
        progress.update(i / len(stretches), "Listening to the parts")
        mixture = (stretch.stems.sum(0) + stretch.rest)[None]
        spectra = hearing.spectra(np.concatenate([stretch.stems, mixture]), torch.device("cpu"))
        powers.append(float((spectra[-1].abs() ** 2).mean()))
        tracks = hearing.tracks(spectra[:-1].abs(), 0, spectra.shape[1], stretch.start_frame)
        scaled = spectra / max(powers[-1], 1e-12) ** 0.5
        hearing.add_to(total, scaled[:-1], scaled[-1], tracks)
    return RecordingStatistics(max(float(np.mean(powers)), 1e-12), total.profiles())
