"""What the engines hear: spectra on the semitones of a recording's own tuning, for recordings of any length.

Everything here takes arrays and sample sources and returns arrays; what the spectra mean for a score is told elsewhere.
librosa transforms and soxr resamples, block by block. librosa loads what it needs, numba too, when it is first called:
about 1.4 s of CPU, which the workers have behind them when their first job comes.

Semitones are summed from windows of three lengths, not taken from `librosa.vqt`: with its usual filters the aligner
finds 62 % instead of 81 % of the notes of rendered ensembles within 25 ms, and 32 % instead of 64 % of an orchestra's
within 50 ms (24 recordings; with narrower or mixed filters no better).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import joblib
import librosa
import numpy as np
import scipy.fft
import soxr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

A4_HZ = 440.0
# Recordings are brought to these rates, at which every frame rate has a whole number of samples from frame to frame.
# What lies above 11 kHz tells nothing that a score knows of; low semitones are cut from less, which halves the CPU.
RATE_HZ = 22_000
LOW_RATE_HZ = 5_500
BLOCK_S = 20
MARGIN_S = 1  # whole seconds, so that blocks begin at a sample whatever the rate
THREADS = min(4, joblib.cpu_count())
Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


def one_blas_thread(work: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
    """Keep the matrix products of a function in the thread that asks for them.

    BLAS' own threads wait busily for each other: the whole alignment of a quartet cost 3.0 s of CPU instead of 1.5 s.
    """
    limited: Callable[Parameters, Answer] = threadpool_limits.wrap(limits=1, user_api="blas")(work)
    return limited


@dataclass(frozen=True)
class PitchScale:
    """How a spectrum is divided into semitones.

    Attributes
    ----------
    frame_rate_hz : int
        Spectra in a second; frame k is centred on k / frame_rate_hz.
    lowest_midi, highest_midi : int
        First and last semitone.
    windows : tuple of (int, int, int)
        From which semitone on, at which rate in Hz, and how many samples long windows are, from low to high. Long ones
        tell close pitches apart, short ones tell when something happened.
    """

    frame_rate_hz: int
    lowest_midi: int = 24
    highest_midi: int = 120
    windows: tuple[tuple[int, int, int], ...] = ((0, LOW_RATE_HZ, 1024), (60, LOW_RATE_HZ, 512), (80, RATE_HZ, 1024))

    @property
    def bins(self) -> int:
        """Number of semitones."""
        return self.highest_midi - self.lowest_midi + 1

    def frames_in(self, source: SampleSource) -> int:
        """Return how many spectra a recording gives."""
        return int(np.ceil(source.frames / source.sample_rate * self.frame_rate_hz)) + 1


# Pitches told apart where that is possible, and moments told apart where that is possible.
TONAL_SCALE = PitchScale(50)
ONSET_SCALE = PitchScale(100, windows=((0, LOW_RATE_HZ, 512), (67, RATE_HZ, 1024)))


@one_blas_thread
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
    banks = [bank for index, scale in enumerate(scales) for bank in _filter_banks(index, scale, tuning_cents)]
    spectra = tuple(np.zeros((scale.frames_in(source), scale.bins), np.float32) for scale in scales)

    def blocks() -> Iterator[tuple[int, NDArray[np.float32]]]:
        for start_s in range(0, int(source.frames / source.sample_rate) + 1, BLOCK_S):
            progress.update(start_s * source.sample_rate / max(source.frames, 1))
            yield start_s, _read_padded(source, start_s - MARGIN_S, start_s + BLOCK_S + MARGIN_S)

    def analyse(start_s: int, samples: NDArray[np.float32]) -> None:
        for rate_hz in {bank.rate_hz for bank in banks}:
            resampled = soxr.resample(samples.T, source.sample_rate, rate_hz).T
            for n_fft in {bank.n_fft for bank in banks if bank.rate_hz == rate_hz}:
                alike = [bank for bank in banks if (bank.rate_hz, bank.n_fft) == (rate_hz, n_fft)]
                frame_rate_hz = int(np.lcm.reduce([bank.frame_rate_hz for bank in alike]))
                hop, first = rate_hz // frame_rate_hz, MARGIN_S * rate_hz - n_fft // 2
                power = _stft_power(resampled[:, first : first + BLOCK_S * rate_hz - hop + n_fft], n_fft, hop)
                for bank in alike:
                    rows = spectra[bank.scale_index][start_s * bank.frame_rate_hz :][: BLOCK_S * bank.frame_rate_hz]
                    every = power[:, :: frame_rate_hz // bank.frame_rate_hz]
                    rows[:, bank.bins] = (bank.weights @ every).T[: len(rows)]

    joblib.Parallel(THREADS, backend="threading", batch_size=1)(joblib.delayed(analyse)(*block) for block in blocks())
    return spectra


@dataclass(frozen=True, eq=False)
class _FilterBank:
    """The semitones of a scale that are seen through one window."""

    scale_index: int
    frame_rate_hz: int
    rate_hz: int
    n_fft: int
    bins: slice
    weights: NDArray[np.float32]  # (semitones, frequencies of the FFT)


def _filter_banks(scale_index: int, scale: PitchScale, tuning_cents: float) -> Iterator[_FilterBank]:
    """Make the filter banks of a scale: triangles a semitone wide to either side, or wider for short windows."""
    edges = [*(from_midi for from_midi, _, _ in scale.windows[1:]), scale.highest_midi + 1]
    for (from_midi, rate_hz, n_fft), to_midi in zip(scale.windows, edges, strict=True):
        low, high = max(from_midi, scale.lowest_midi), min(to_midi, scale.highest_midi + 1)
        centres_hz = librosa.midi_to_hz(np.arange(low, high) + tuning_cents / 100)[:, None]
        spacing_hz = rate_hz / n_fft
        width_hz = np.maximum(centres_hz * (2 ** (1 / 12) - 1), spacing_hz)
        weights = np.maximum(0.0, 1 - np.abs(np.arange(n_fft // 2 + 1) * spacing_hz - centres_hz) / width_hz)
        weights[:, 0] = 0
        # A sine of amplitude 1 has power 1 in all its bins together; the squares of a Hann window add up to 3/8 n.
        weights *= 4 / (3 / 8 * n_fft**2)
        bins = slice(low - scale.lowest_midi, high - scale.lowest_midi)
        yield _FilterBank(scale_index, scale.frame_rate_hz, rate_hz, n_fft, bins, weights.astype(np.float32))


def _stft_power(samples: NDArray[np.float32], n_fft: int, hop: int) -> NDArray[np.float32]:
    """Return the power of all channels together, shape (frequencies, frames); the first window starts at the start."""
    spectra = (librosa.stft(channel, n_fft=n_fft, hop_length=hop, center=False) for channel in samples)
    return np.asarray(np.sum([librosa.util.abs2(spectrum) for spectrum in spectra], axis=0), np.float32)


def _read_padded(source: SampleSource, start_s: int, stop_s: int) -> NDArray[np.float32]:
    """Read a stretch of a source, silence beyond its ends; shape (channels, frames)."""
    start, stop = start_s * source.sample_rate, stop_s * source.sample_rate
    samples = source.read(max(start, 0), min(stop, source.frames))
    before = max(-start, 0)
    return np.pad(samples, ((0, 0), (before, stop - start - before - samples.shape[1])))


TUNING_WINDOWS = 150
TUNING_WINDOW_S = 0.37


def estimate_tuning_cents(source: SampleSource) -> float:
    """Estimate how far a recording lies above A4 = 440 Hz, from the spectral peaks of windows spread over all of it.

    Ours, because `librosa.piptrack` finds the same peaks (0.2 cents apart on 24 recordings) for 0.8 s of CPU more, and
    the commonest deviation, which `librosa.pitch_tuning` takes, was 3 to 15 cents off where singers and winds drift.

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
    n_fft = scipy.fft.next_fast_len(2 * n, real=True)
    bin_hz = source.sample_rate / n_fft
    window = np.hanning(n + 1)[:-1].astype(np.float32)
    turns = 0j
    for start in np.linspace(0, source.frames - n, min(TUNING_WINDOWS, source.frames // n + 1)).astype(int).tolist():
        samples = source.read(start, start + n)
        size = np.abs(scipy.fft.rfft(samples[int(np.argmax((samples**2).sum(axis=1)))] * window, n_fft))
        low, high = int(100 / bin_hz), min(int(2000 / bin_hz), len(size) - 1)
        is_peak = (size[low:high] > size[low - 1 : high - 1]) & (size[low:high] >= size[low + 1 : high + 1])
        peaks = low + np.flatnonzero(is_peak & (size[low:high] >= 0.05 * size.max() + 1e-9))
        left, mid, right = (np.log(size[peaks + k] + 1e-12) for k in (-1, 0, 1))
        peak_hz = (peaks + 0.5 * (left - right) / np.minimum(left - 2 * mid + right, -1e-9)) * bin_hz
        turns += np.sum(np.sqrt(size[peaks]) * np.exp(2j * np.pi * 12 * np.log2(peak_hz / A4_HZ)))
    return float(np.angle(turns) / (2 * np.pi) * 100)


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

    Parameters
    ----------
    spectrum : ndarray [shape=(..., bins)], float32
        Power.
    reference : float
        Power that counts as loud.
    gamma : float
        How strongly levels are pressed together.

    References
    ----------
    M. Müller, "Fundamentals of Music Processing", Springer 2015, section 3.1.2.1, doi:10.1007/978-3-319-21945-5
    """
    return np.asarray(np.log1p(spectrum * np.float32(gamma / max(reference, 1e-30))), np.float32)
