"""The spectrogram that is looked at: for every third of a semitone a filter of its own, narrow low down, quick high up.

One long Fourier transform is cut into the bands of all filters, and each band is brought back to time at just the rate
that it needs. Ours, because `librosa.vqt` makes such a picture for six times the CPU (2.7 s instead of 0.5 s for a
minute of stereo) and passes over what happens from one column to the next. Arrays in, levels out; what is done with
them is told in `model.spectrogram` and by the callers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from scoresep.model.audio import SampleSource
from scoresep.model.spectrogram import BANDS, SLAB_COLUMNS, Band, bin_to_midi, power_to_levels

# Standard deviation of a filter: this share of its frequency, and so much more, so that bass notes keep their onsets.
WIDTH_SHARE = 0.0135
WIDTH_HZ = 1.0
# How far a filter reaches to either side, in standard deviations: -70 dB.
REACH = 4.0
# Columns on either side of a slab that are heard and not used, and over how many of them the sound is faded in.
MARGIN_COLUMNS = 128
FADE_COLUMNS = 32


@dataclass(frozen=True, eq=False)
class _Filters:
    """Neighbouring filters of one band that are brought back to time at one rate.

    Attributes
    ----------
    band_index : int
    bins : slice
        Where they lie in the band.
    points : int
        Length of the transform back.
    first : tuple of int
        From which frequency of the long transform each reaches on.
    weights : tuple of ndarray, complex64
    """

    band_index: int
    bins: slice
    points: int
    first: tuple[int, ...]
    weights: tuple[NDArray[np.complex64], ...]

    def power(self, spectrum: NDArray[np.complex64], columns: int) -> NDArray[np.float32]:
        """Return the power, averaged over each of `columns`, shape (bins, columns)."""
        bands = np.zeros((len(self.first), self.points), np.complex64)
        for row, first, weights in zip(bands, self.first, self.weights, strict=True):
            np.multiply(spectrum[first : first + len(weights)], weights, out=row[: len(weights)])
        tones = scipy.fft.ifft(bands, axis=1, overwrite_x=True)
        parts = tones.view(np.float32)
        np.multiply(parts, parts, out=parts)
        return np.asarray(parts.reshape(len(self.first), columns, -1).sum(axis=2) / np.float32(self.points // columns))


class SlabTransform:
    """Computes slabs of a spectrogram; the same samples give the same levels wherever the slab lies.

    Parameters
    ----------
    sample_rate : int
    column_frames : int
        Frames in a column of the finest kind.

    References
    ----------
    G. A. Velasco, N. Holighaus, M. Dörfler, T. Grill, "Constructing an invertible constant-Q transform with
    nonstationary Gabor frames", DAFx 2011; widths with an offset: C. Schörkhuber, A. Klapuri, N. Holighaus,
    M. Dörfler, "A Matlab toolbox for efficient perfect reconstruction time-frequency transforms with log-frequency
    resolution", AES 53rd Conference on Semantic Audio, 2014. The filters here are Gaussian.
    """

    def __init__(self, sample_rate: int, column_frames: int) -> None:
        self._columns = SLAB_COLUMNS + 2 * MARGIN_COLUMNS
        self.margin_frames = MARGIN_COLUMNS * column_frames
        self.frames = self._columns * column_frames
        fade = np.sin(np.linspace(0, np.pi / 2, FADE_COLUMNS * column_frames, endpoint=False)) ** 2
        self._window = np.ones(self.frames, np.float32)
        self._window[: len(fade)], self._window[-len(fade) :] = fade, fade[::-1]
        self._filters = [
            filters
            for index, band in enumerate(BANDS)
            for filters in _filters_of(index, band, sample_rate, self.frames, self._columns // band.stride)
        ]

    def levels_at(self, source: SampleSource, start_frame: int) -> tuple[NDArray[np.uint8], ...]:
        """Compute the slab that starts at a frame of a source, beyond whose ends there is silence; see `levels`."""
        first = start_frame - self.margin_frames
        samples = source.read(max(first, 0), min(first + self.frames, source.frames))
        before = max(-first, 0)
        return self.levels(np.pad(samples, ((0, 0), (before, self.frames - before - samples.shape[1]))))

    def levels(self, samples: NDArray[np.float32]) -> tuple[NDArray[np.uint8], ...]:
        """Compute one slab.

        Parameters
        ----------
        samples : ndarray [shape=(channels, frames)], float32
            With `margin_frames` before and after the slab. Channels are averaged as power, so that what is out of
            phase between them is not lost.

        Returns
        -------
        levels : tuple of ndarray [shape=(SLAB_COLUMNS / stride, bins)], uint8
            For every band.
        """
        power = [np.zeros((band.bins, self._columns // band.stride), np.float32) for band in BANDS]
        for channel in samples:
            if not channel.any():
                continue
            spectrum = scipy.fft.rfft(np.nan_to_num(channel) * self._window)
            for filters in self._filters:
                target = power[filters.band_index]
                target[filters.bins] += filters.power(spectrum, target.shape[1])
        levels = []
        for band, each in zip(BANDS, power, strict=True):
            margin = MARGIN_COLUMNS // band.stride
            levels.append(power_to_levels(each[:, margin:-margin].T / np.float32(len(samples))))
        return tuple(levels)


def _filters_of(index: int, band: Band, sample_rate: int, frames: int, columns: int) -> list[_Filters]:
    """Make the filters of a band, in groups of equal rate; those beyond half the sample rate are left out."""
    hz = 440.0 * 2.0 ** ((bin_to_midi(np.arange(band.first_bin, band.first_bin + band.bins)) - 69) / 12)
    width_hz = WIDTH_SHARE * hz + WIDTH_HZ
    spacing_hz = sample_rate / frames
    low = np.maximum(np.ceil((hz - REACH * width_hz) / spacing_hz), 1).astype(np.int64)
    high = np.minimum(np.floor((hz + REACH * width_hz) / spacing_hz), frames // 2).astype(np.int64) + 1
    usable = hz < sample_rate / 2
    reach = 2 * REACH * width_hz / spacing_hz + 2  # also beyond half the sample rate, so that it only grows
    points = np.maximum(2 ** np.ceil(np.log2(reach)).astype(np.int64), columns)
    groups = []
    for length in np.unique(points[usable]).tolist():
        rows = np.flatnonzero(usable & (points == length))
        weights = []
        for row in rows.tolist():
            k = np.arange(low[row], high[row])
            size = np.exp(-0.5 * ((k * spacing_hz - hz[row]) / width_hz[row]) ** 2) * 2 * length / frames
            # half a point later, so that a column is heard around its middle
            weights.append((size * np.exp(1j * np.pi * k / length)).astype(np.complex64))
        bins = slice(int(rows[0]), int(rows[-1]) + 1)
        groups.append(_Filters(index, bins, length, tuple(low[rows].tolist()), tuple(weights)))
    return groups
