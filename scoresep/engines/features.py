"""What the engines hear: spectra on the semitones of a recording's own tuning, for recordings of any length.

Everything here takes arrays and sample sources and returns arrays; what the spectra mean for a score is told elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from scoresep.engines.side_by_side import product, side_by_side
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

A4_HZ = 440.0
A4_MIDI = 69
BLOCK_S = 30.0
# What lies above 10 kHz tells nothing that a score knows of; recordings are brought down to a rate not below this.
LOWEST_RATE_HZ = 20_000
# Windows for low semitones are cut from less: the rate is halved while it stays above so much of their highest.
LEAST_RATE = 6.0
FFT_SAMPLES = 2**17  # taken together: what a processor keeps at hand


@dataclass(frozen=True)
class PitchScale:
    """How a spectrum is divided into semitones.

    Attributes
    ----------
    frame_rate_hz : float
        Spectra in a second; frame k is centred on k / frame_rate_hz.
    lowest_midi, highest_midi : int
        First and last semitone.
    windows : tuple of (int, float)
        From which semitone on which length of window (in seconds) is used, from low to high. Long windows tell close
        pitches apart, short ones tell when something happened.
    """

    frame_rate_hz: float
    lowest_midi: int = 24
    highest_midi: int = 120
    windows: tuple[tuple[int, float], ...] = ((0, 0.186), (60, 0.093), (80, 0.046))

    @property
    def bins(self) -> int:
        """Number of semitones."""
        return self.highest_midi - self.lowest_midi + 1

    def frames_in(self, source: SampleSource) -> int:
        """Return how many spectra a recording gives."""
        return int(np.ceil(source.frames / source.sample_rate * self.frame_rate_hz)) + 1


# Pitches told apart where that is possible, and moments told apart where that is possible.
TONAL_SCALE = PitchScale(50.0)
ONSET_SCALE = PitchScale(100.0, windows=((0, 0.093), (67, 0.046)))


def midi_to_hz(midi: ArrayLike, tuning_cents: float = 0.0) -> NDArray[np.float64]:
    """Convert pitches in semitones to Hz in equal temperament, `tuning_cents` above A4 = 440 Hz."""
    exponent = (np.asarray(midi, np.float64) - A4_MIDI + tuning_cents / 100) / 12
    return np.asarray(A4_HZ * 2.0**exponent)


def pitch_spectra(
    source: SampleSource, scales: tuple[PitchScale, ...], tuning_cents: float, progress: Progress | None = None
) -> tuple[NDArray[np.float32], ...]:
    """Compute the power in every semitone over time, in one pass through the recording, block by block.

    Channels are added as power, so that what is out of phase between them is not lost.

    Parameters
    ----------
    source : SampleSource
    scales : tuple of PitchScale
    tuning_cents : float
        How far the recording lies above A4 = 440 Hz.
    progress : Progress, optional

    Returns
    -------
    spectra : tuple of ndarray [shape=(frames, bins)], float32
        For every scale its power spectra; 1 is the power of a sine of amplitude 1.
    """
    progress = progress or Progress()
    factor = max(1, source.sample_rate // LOWEST_RATE_HZ)
    rate_hz = source.sample_rate / factor
    banks = [bank for k, scale in enumerate(scales) for bank in _window_banks(k, scale, rate_hz, tuning_cents)]
    # Blocks begin where there is a frame at every rate, so that no spectrum depends on the block it falls in.
    most_halvings = max(bank.halvings for bank in banks)
    unit = factor * 2**most_halvings
    margin = unit * max((len(bank.window) + 64) >> (most_halvings - bank.halvings) for bank in banks)
    spectra = tuple(np.zeros((scale.frames_in(source), scale.bins), np.float32) for scale in scales)

    def stretches() -> Iterator[tuple[float, int, NDArray[np.float32]]]:
        for first_s in np.arange(0.0, source.frames / source.sample_rate + BLOCK_S, BLOCK_S).tolist():
            progress.update(min(first_s * source.sample_rate / max(source.frames, 1), 1.0))
            start = round(first_s * source.sample_rate / unit) * unit - margin
            yield first_s, start, _padded(source, start, round((first_s + BLOCK_S) * source.sample_rate) + margin)

    def hear(stretch: tuple[float, int, NDArray[np.float32]]) -> None:
        first_s, start, samples = stretch
        reduced = _reduced(samples, factor)
        for halvings in range(most_halvings + 1):
            reduced = _reduced(reduced, 2) if halvings else reduced
            block = _Block(reduced, start / source.sample_rate, rate_hz / 2**halvings)
            here = [bank for bank in banks if bank.halvings == halvings]
            for length in sorted({len(bank.window) for bank in here}):
                alike = [bank for bank in here if len(bank.window) == length]
                rows = [_rows_between(scales[bank.scale], spectra[bank.scale], first_s) for bank in alike]
                block.write(alike, rows, spectra)

    for _ in side_by_side(hear, stretches()):
        pass
    return spectra


@dataclass(frozen=True, eq=False)
class _WindowBank:
    """The semitones that are seen through one window."""

    scale: int
    frame_rate_hz: float
    halvings: int  # how often the rate is halved before
    window: NDArray[np.float32]
    bins: slice
    weights: NDArray[np.float32]  # (frequencies of the FFT, semitones)


@dataclass(frozen=True, eq=False)
class _Block:
    """A stretch of the recording at one rate; windows centred on its frames lie inside it."""

    samples: NDArray[np.float32]  # (channels, frames)
    start_s: float
    rate_hz: float

    def write(self, banks: list[_WindowBank], rows: list[slice], spectra: tuple[NDArray[np.float32], ...]) -> None:
        """Write rows of spectra as banks with one and the same window see them; what they share is computed once."""
        first = round(self.start_s * self.rate_hz)
        centres = [
            np.rint(np.arange(row.start, row.stop) / bank.frame_rate_hz * self.rate_hz).astype(np.int64) - first
            for bank, row in zip(banks, rows, strict=True)
        ]
        every = np.unique(np.concatenate(centres))
        if not len(every):
            return
        n, used = len(banks[0].window), max(len(bank.weights) for bank in banks)
        windows = np.lib.stride_tricks.sliding_window_view(self.samples, n, axis=1)
        step = max(1, FFT_SAMPLES // (n * len(self.samples)))
        power = np.empty((len(every), used), np.float32)
        for at in range(0, len(every), step):
            cut = windows[:, every[at : at + step] - n // 2] * banks[0].window
            size = np.abs(scipy.fft.rfft(cut, axis=2, overwrite_x=True)[..., :used])
            np.einsum("cfb,cfb->fb", size, size, out=power[at : at + step])
        for bank, row, mine in zip(banks, rows, centres, strict=True):
            seen = power if len(mine) == len(every) else power[np.searchsorted(every, mine)]
            spectra[bank.scale][row, bank.bins] = product(seen[:, : len(bank.weights)], bank.weights)


def _rows_between(scale: PitchScale, spectrum: NDArray[np.float32], first_s: float) -> slice:
    """Return the spectra that are centred in the block that begins at `first_s`."""
    low, high = (int(np.ceil(t * scale.frame_rate_hz - 1e-6)) for t in (first_s, first_s + BLOCK_S))
    return slice(low, max(low, min(high, len(spectrum))))


def _window_banks(scale_index: int, scale: PitchScale, rate_hz: float, tuning_cents: float) -> list[_WindowBank]:
    """Make the filter banks of a scale: triangles a semitone wide to either side, or wider for short windows."""
    banks = []
    edges = [*(from_midi for from_midi, _ in scale.windows[1:]), scale.highest_midi + 1]
    for (from_midi, length_s), to_midi in zip(scale.windows, edges, strict=True):
        low, high = max(from_midi, scale.lowest_midi), min(to_midi, scale.highest_midi + 1)
        if high <= low:
            continue
        halvings, bank_rate_hz = 0, rate_hz
        while bank_rate_hz / 2 > LEAST_RATE * float(midi_to_hz(high, tuning_cents)):
            halvings, bank_rate_hz = halvings + 1, bank_rate_hz / 2
        # As long as at the full rate: the onset network has learned from windows of these lengths.
        n_full = scipy.fft.next_fast_len(round(length_s * rate_hz), real=True)
        n = scipy.fft.next_fast_len(round(n_full / 2**halvings), real=True)
        window = _hann(n)
        centres_hz = midi_to_hz(np.arange(low, high), tuning_cents)
        frequencies_hz = np.arange(1, n // 2 + 1) * bank_rate_hz / n
        width_hz = np.maximum(centres_hz * (2 ** (1 / 12) - 1), bank_rate_hz / n)
        weights = np.maximum(0.0, 1 - np.abs(frequencies_hz[:, None] - centres_hz) / width_hz)
        weights = np.concatenate([np.zeros((1, high - low)), weights])  # nothing from 0 Hz
        used = int(np.flatnonzero(weights.any(axis=1))[-1]) + 1 if weights.any() else 1
        # A sine of amplitude 1 has power 1 in all its bins together.
        scaled = (window * 2 / np.sqrt((window**2).sum() * n)).astype(np.float32)
        bins = slice(low - scale.lowest_midi, high - scale.lowest_midi)
        used_weights = weights[:used].astype(np.float32)
        banks.append(_WindowBank(scale_index, scale.frame_rate_hz, halvings, scaled, bins, used_weights))
    return banks


def _hann(n: int) -> NDArray[np.float64]:
    """Return a Hann window of which the period is its length."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n), np.float64)


def _padded(source: SampleSource, start: int, stop: int) -> NDArray[np.float32]:
    """Read frames [start, stop) with silence beyond the ends of the recording."""
    samples = source.read(max(start, 0), min(stop, source.frames))
    before, after = max(-start, 0), max(stop - max(source.frames, start), 0)
    missing = stop - start - before - after - samples.shape[1]
    return np.pad(samples, ((0, 0), (before, after + missing)))


def _reduced(samples: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Bring samples (channels, frames) to a rate lower by a whole factor, frame k to frame k * factor."""
    if factor == 1:
        return samples
    channels, frames = samples.shape
    first, second = _low_pass(factor)
    row, reach = len(first), len(second) // 2
    rows = -(-frames // row) + 1
    padded = np.zeros((channels, rows * row), np.float32)
    padded[:, reach : reach + frames] = samples[:, : rows * row - reach]
    out = np.empty((channels, (rows - 1) * first.shape[1]), np.float32)
    for channel, lower in zip(padded.reshape(channels, rows, row), out, strict=True):
        lower[:] = (product(channel[:-1], first) + product(channel[1:, : len(second)], second)).ravel()
    return out[:, : -(-frames // factor)]


@lru_cache(maxsize=8)
def _low_pass(factor: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a low-pass filter that keeps every `factor`-th frame, as matrices that turn rows of frames into rows.

    It is a sinc in a Kaiser window (beta 5), flat within 0.02 dB up to 0.83 of half the lower rate and 50 dB down from
    1.17 of it on. The first matrix is for the row itself, the second for what of the next row reaches into it.
    """
    reach, outputs = 10 * factor, 32
    taps = np.sinc(np.arange(-reach, reach + 1) / factor) * np.kaiser(2 * reach + 1, 5.0)
    taps /= taps.sum()
    matrix = np.zeros((outputs * factor + 2 * reach, outputs), np.float32)
    for k in range(outputs):
        matrix[k * factor : k * factor + 2 * reach + 1, k] = taps[: len(matrix) - k * factor]
    first, second = matrix[: outputs * factor], matrix[outputs * factor :]
    return np.ascontiguousarray(first), np.ascontiguousarray(second)


TUNING_WINDOWS = 150
TUNING_WINDOW_S = 0.37


def estimate_tuning_cents(source: SampleSource) -> float:
    """Estimate how far a recording lies above A4 = 440 Hz, from the spectral peaks of windows spread over all of it.

    Parameters
    ----------
    source : SampleSource

    Returns
    -------
    tuning_cents : float
        From -50 to 50; a recording 60 cents too high is one of another key, 40 cents too low.

    References
    ----------
    Peaks by parabolic interpolation: J. O. Smith, X. Serra, "PARSHL", ICMC 1987. The mean of deviations on the circle
    of a semitone: K. Dressler, S. Streich, "Tuning frequency estimation using circular statistics", ISMIR 2007.
    """
    n = round(TUNING_WINDOW_S * source.sample_rate)
    if source.frames < n:
        return 0.0
    starts = np.linspace(0, source.frames - n, min(TUNING_WINDOWS, source.frames // n + 1)).astype(np.int64)
    window = _hann(n).astype(np.float32)
    deviation, weight = [np.zeros(0)], [np.zeros(0)]
    for start in starts.tolist():
        samples = source.read(start, start + n)
        channel = samples[int(np.argmax((samples**2).sum(axis=1)))]
        size = np.abs(scipy.fft.rfft(channel * window, scipy.fft.next_fast_len(2 * n, real=True)))
        bin_hz = source.sample_rate / scipy.fft.next_fast_len(2 * n, real=True)
        low, high = int(100 / bin_hz), min(int(2000 / bin_hz), len(size) - 1)
        is_peak = (size[low:high] > size[low - 1 : high - 1]) & (size[low:high] >= size[low + 1 : high + 1])
        peaks = low + np.flatnonzero(is_peak & (size[low:high] >= 0.05 * size.max() + 1e-9))
        if not len(peaks):
            continue
        left, mid, right = (np.log(size[peaks + k] + 1e-12) for k in (-1, 0, 1))
        hz = (peaks + 0.5 * (left - right) / np.minimum(left - 2 * mid + right, -1e-9)) * bin_hz
        midi = A4_MIDI + 12 * np.log2(hz / A4_HZ)
        deviation.append(midi - np.rint(midi))
        weight.append(np.sqrt(size[peaks]))
    turns = np.sum(np.concatenate(weight) * np.exp(2j * np.pi * np.concatenate(deviation)))
    return float(np.angle(turns) / (2 * np.pi) * 100) if turns != 0 else 0.0


def levels_db(spectrum: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the level of every frame in dB, relative to the mean of the louder frames, at least -100."""
    power = spectrum.sum(axis=1, dtype=np.float64)
    reference = max(reference_power(spectrum) * spectrum.shape[1], 1e-30)
    return np.asarray(10 * np.log10(np.maximum(power / reference, 1e-10)), np.float32)


def reference_power(spectrum: NDArray[np.float32]) -> float:
    """Return the mean power of a bin in those frames that are not far (40 dB) below the loudest; 0 for silence."""
    power = spectrum.mean(axis=1, dtype=np.float64)
    loud = power > 1e-4 * power.max(initial=0.0)
    return float(power[loud].mean()) if loud.any() else 0.0


def compressed(spectrum: NDArray[np.float32], reference: float, gamma: float = 100.0) -> NDArray[np.float32]:
    """Compress power logarithmically, log(1 + gamma * power / reference), so that soft harmonics count as well.

    References
    ----------
    M. Müller, "Fundamentals of Music Processing", Springer 2015, section 3.1.2.1, doi:10.1007/978-3-319-21945-5
    """
    return np.asarray(np.log1p(spectrum * np.float32(gamma / max(reference, 1e-30))), np.float32)
