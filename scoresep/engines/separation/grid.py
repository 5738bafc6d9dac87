"""The grid of the short-time Fourier transform, read from a recording and turned back into samples as one stream.

Every frame of the grid is computed from the recording itself and added to one running sum, however the frames are
divided into blocks; so there is no seam between blocks. What is done with the spectra lies elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.model.audio import SampleSource

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
    """Return a grid with windows of about `window_s`, the same in seconds at every rate."""
    return FrameGrid(sample_rate, frames, next_fast_size(max(2, round(window_s * sample_rate / OVERLAP))))


def next_fast_size(size: int) -> int:
    """Return the least even number from `size` that has no prime factor above 5."""
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and size % 2 == 0:
            return size
        size += 1


def read_spectra(source: SampleSource, grid: FrameGrid, first: int, last: int, device: torch.device) -> Tensor:
    """Return the spectra of the windows [first, last).

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
