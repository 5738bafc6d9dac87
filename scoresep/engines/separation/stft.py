"""The frequency axis on which templates are fitted: every bin below a limit, bands above it.

Partials of different notes lie apart in the lower part of the spectrum, and that is where most of the energy is. Above
it, bands are enough to find how loud a note is, and make the fit several times faster. Masks are still made for every
bin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.model.audio import SampleSource


@dataclass(frozen=True)
class FitAxis:
    """Bins that are kept and bands of bins that are added up.

    Attributes
    ----------
    kept : int
        The lowest bins, taken as they are.
    in_band : Tensor [shape=(bins - kept, bands)], float32
        1 where a further bin lies in a band. As a matrix, because adding up by index is not repeatable on a GPU.
    of_bin : Tensor [shape=(bins,)], int64
        Where every bin stands on the axis.
    """

    kept: int
    in_band: Tensor
    of_bin: Tensor

    @property
    def size(self) -> int:
        """Number of values on the axis."""
        return self.kept + self.in_band.shape[1]

    @property
    def widths(self) -> Tensor:
        """How many bins every value stands for, shape (size,)."""
        return torch.cat([self.in_band.new_ones(self.kept), self.in_band.sum(0)])

    def reduce(self, values: Tensor) -> Tensor:
        """Add up what lies in one band; shape (..., bins) to (..., size)."""
        return torch.cat([values[..., : self.kept], values[..., self.kept :] @ self.in_band], -1)

    def expand(self, values: Tensor) -> Tensor:
        """Give every bin the value of its band; shape (..., size) to (..., bins)."""
        return values[..., self.of_bin]


def fit_axis(bins: int, bin_hz: float, limit_hz: float, device: torch.device) -> FitAxis:
    """Return an axis with every bin up to `limit_hz`, and bands above that are as wide in proportion.

    Parameters
    ----------
    bins : int
        Frequencies of a spectrum.
    bin_hz : float
        From one bin to the next.
    limit_hz : float
        Above, bins are joined in bands.
    device : torch.device
    """
    kept = min(bins, max(1, round(limit_hz / bin_hz)))
    above = np.arange(kept, bins)
    band = np.floor(np.log(above / kept) / np.log1p(1.0 / kept)).astype(np.int64)
    used, index = np.unique(band, return_inverse=True)
    in_band = (index[:, None] == np.arange(len(used))).astype(np.float32)
    of_bin = np.concatenate([np.arange(kept), kept + index])
    return FitAxis(kept, torch.from_numpy(in_band).to(device), torch.from_numpy(of_bin).to(device))


OVERLAP = 4  # windows over every sample: the least at which a Hann window twice (there and back) adds up to a constant


@dataclass(frozen=True)
class FrameGrid:
    """Where the windows lie: the first one ends one hop after the start of the recording.

    Attributes
    ----------
    sample_rate : int
    frames : int
        Length of the recording.
    hop_frames : int
        Distance between windows.
    """

    sample_rate: int
    frames: int
    hop_frames: int

    @property
    def window_frames(self) -> int:
        """Length of a window."""
        return OVERLAP * self.hop_frames

    @property
    def bins(self) -> int:
        """Number of frequencies."""
        return self.window_frames // 2 + 1

    @property
    def bin_hz(self) -> float:
        """Distance between frequencies."""
        return self.sample_rate / self.window_frames

    @property
    def windows(self) -> int:
        """Number of windows; they cover every frame of the recording `OVERLAP` times."""
        return (self.frames + self.window_frames - self.hop_frames - 1) // self.hop_frames + 1

    def start_frame(self, window: int) -> int:
        """Return the frame of the recording at which a window starts."""
        return (window - OVERLAP + 1) * self.hop_frames

    def centre_frame(self, window: int) -> int:
        """Return the frame of the recording at the middle of a window."""
        return self.start_frame(window) + self.window_frames // 2

    def window_at(self, frame: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the windows, with fractions, that are centred at frames of the recording."""
        return (frame - self.centre_frame(0)) / self.hop_frames

    def windows_of(self, start_frame: int, stop_frame: int) -> tuple[int, int]:
        """Return the windows [first, last) that touch the frames [start_frame, stop_frame) of the recording."""
        first = (start_frame - self.window_frames) // self.hop_frames + OVERLAP
        last = -(-stop_frame // self.hop_frames) + OVERLAP - 1
        return max(first, 0), min(last, self.windows)

    def hann(self, device: torch.device) -> Tensor:
        """Return the periodic Hann window, shape (window_frames,)."""
        return torch.hann_window(self.window_frames, device=device)


def make_grid(frames: int, sample_rate: int, window_s: float) -> FrameGrid:
    """Return a grid with windows of about `window_s`, the same in seconds at every rate.

    Parameters
    ----------
    frames : int
        Length of the recording.
    sample_rate : int
        Frames in a second.
    window_s : float
        About the length of a window.
    """
    return FrameGrid(sample_rate, frames, next_fast_size(max(2, round(window_s * sample_rate / OVERLAP))))


def next_fast_size(size: int) -> int:
    """Return the least even number from `size` that has no prime factor above 5."""
    return 2 * int(scipy.fft.next_fast_len(-(-size // 2), real=True))


def read_spectra(source: SampleSource, grid: FrameGrid, first: int, last: int, device: torch.device) -> Tensor:
    """Return the spectra of the windows [first, last).

    Parameters
    ----------
    source : SampleSource
    grid : FrameGrid
    first, last : int
        Windows [first, last) of the grid.
    device : torch.device

    Returns
    -------
    spectra : Tensor [shape=(channels, windows, bins)], complex64
        The recording is taken to be silent before its start and after its end.
    """
    start, stop = grid.start_frame(first), grid.start_frame(last - 1) + grid.window_frames
    samples = np.zeros((source.channels, stop - start), np.float32)
    low, high = max(start, 0), min(stop, grid.frames)
    if high > low:
        samples[:, low - start : high - start] = source.read(low, high)
    windows = torch.from_numpy(samples).to(device).unfold(1, grid.window_frames, grid.hop_frames)
    spectra: Tensor = torch.fft.rfft(windows * grid.hann(device))
    return spectra


class OverlapAdd:
    """Adds windows to a stream of samples, block after block, over a stretch of the recording.

    Parameters
    ----------
    grid : FrameGrid
    stems, channels : int
    device : torch.device
    start_frame, stop_frame : int, optional
        The stretch; all of the recording by default.

    Attributes
    ----------
    first, last : int
        The windows [first, last) that have a part in the stretch: `add` wants all of them, in order.
    """

    def __init__(
        self,
        grid: FrameGrid,
        stems: int,
        channels: int,
        device: torch.device,
        start_frame: int = 0,
        stop_frame: int | None = None,
    ) -> None:
        self._grid = grid
        self._tail = torch.zeros(stems, channels, grid.window_frames - grid.hop_frames, device=device)
        self._start, self._stop = start_frame, grid.frames if stop_frame is None else stop_frame
        self.first, self.last = grid.windows_of(self._start, self._stop)
        self._position = grid.start_frame(self.first)

    def move_to(self, device: torch.device) -> None:
        """Go on on another device."""
        self._tail = self._tail.to(device)

    def add(self, spectra: Tensor) -> NDArray[np.float32]:
        """Add the next windows and return the samples that no later window touches.

        Parameters
        ----------
        spectra : Tensor [shape=(stems, channels, windows, bins)], complex64

        Returns
        -------
        samples : ndarray [shape=(stems, channels, frames)], float32
        """
        hop, size = self._grid.hop_frames, self._grid.window_frames
        stems, channels, count, _ = spectra.shape
        # a Hann window there and back, four times over, adds up to 3/2
        gain = self._grid.hann(spectra.device) * (2.0 / 3.0)
        windows = spectra.new_zeros(stems, channels, count, size, dtype=gain.dtype)
        if stems:  # MKL refuses to transform nothing
            torch.mul(torch.fft.irfft(spectra, n=size), gain, out=windows)
        total = windows.new_zeros(stems, channels, count + OVERLAP - 1, hop)
        for k in range(OVERLAP):
            total[:, :, k : k + count] += windows[..., k * hop : (k + 1) * hop]
        flat = total.flatten(2)
        flat[:, :, : self._tail.shape[2]] += self._tail
        self._tail = flat[:, :, count * hop :].clone()
        start, self._position = self._position, self._position + count * hop
        done = count * hop
        low, high = (min(max(edge - start, 0), done) for edge in (self._start, self._stop))
        samples: NDArray[np.float32] = flat[:, :, low:high].cpu().numpy()
        return samples
