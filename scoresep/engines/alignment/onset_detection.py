"""A first guess of where notes begin: a rise of power in their harmonics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.alignment.score_events import harmonic_profiles
from scoresep.engines.features import ONSET_SCALE, TONAL_SCALE, reference_power
from scoresep.resources import resource_path

FLUX_HARMONICS = 8


def harmonic_flux(
    observed: OnsetSpectrogram, pitch_midi: NDArray[np.float64], candidate_s: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Say how much every candidate looks like the beginning of a note.

    Parameters
    ----------
    observed : OnsetSpectrogram
    pitch_midi : ndarray [shape=(notes,)], float64
        As they sound in the recording; NaN for unpitched notes, whose beginning is a rise of everything.
    candidate_s : ndarray [shape=(notes, candidates)], float64

    Returns
    -------
    evidence : ndarray [shape=(notes, candidates)], float32
        About 0 to 4.
    """
    scale, last = ONSET_SCALE, len(observed.onset) - 2
    frame = np.clip(np.rint(candidate_s * scale.frame_rate_hz), 1, max(last, 1)).astype(np.int64)
    before, after = np.maximum(frame - 1, 0), np.minimum(frame + 1, last + 1)
    is_pitched = np.isfinite(pitch_midi)
    midi = np.where(is_pitched, pitch_midi, scale.lowest_midi)
    evidence, weight_sum = np.zeros(frame.shape, np.float32), np.zeros((len(frame), 1), np.float32)
    for number in range(1, FLUX_HARMONICS + 1):
        bins = np.rint(midi + 12 * np.log2(number)).astype(np.int64) - scale.lowest_midi
        inside = (bins >= 0) & (bins < scale.bins) & is_pitched
        bins = np.clip(bins, 0, scale.bins - 1)[:, None]
        weight = np.where(inside, 1 / np.sqrt(number), 0.0).astype(np.float32)[:, None]
        floor = np.float16(-1.5)  # 30 dB below the loud passages: noise rises and falls all the time
        rise = np.maximum(observed.onset[after, bins], floor) - np.maximum(observed.onset[before, bins], floor)
        evidence += weight * np.clip(rise * np.float32(10), 0, 4)
        weight_sum += weight
    evidence /= np.maximum(weight_sum, 1e-6)
    evidence[~is_pitched] = np.minimum(observed.overall[:, 1][frame[~is_pitched]] * 20, 4)
    return evidence


def harmonic_change(
    observed: NDArray[np.float32],
    observed_rate_hz: float,
    expected: NDArray[np.float32],
    candidate_s: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Say for every event how well each candidate divides what is expected before from what is expected after it.

    Parameters
    ----------
    observed : ndarray [shape=(frames, columns)], float32
        Unit vectors, frame k at k / observed_rate_hz.
    observed_rate_hz : float
        Frames of `observed` in a second.
    expected : ndarray [shape=(events + 1, columns)], float32
        Before the first event, after the first, ..., after the last.
    candidate_s : ndarray [shape=(events, candidates)], float64
        Evenly spaced in every row.

    Returns
    -------
    evidence : ndarray [shape=(events, candidates)], float32
        In seconds of a certain match.
    """
    events, candidates = candidate_s.shape
    evidence = np.empty((events, candidates), np.float32)
    step_s = float(candidate_s[0, 1] - candidate_s[0, 0])
    block = max(1, 4_000_000 // (candidates * observed.shape[1]))
    for first in range(0, events, block):
        rows = slice(first, min(first + block, events))
        position = np.clip(candidate_s[rows] * observed_rate_hz, 0, len(observed) - 1)
        low = np.minimum(position.astype(np.int64), len(observed) - 2)
        difference = (expected[:-1] - expected[1:])[rows]
        before_after = [np.einsum("ecb,eb->ec", observed[low + k], difference) for k in (0, 1)]
        part = (position - low).astype(np.float32)
        density = before_after[0] * (1 - part) + before_after[1] * part
        middle = (density[:, 1:] + density[:, :-1]) / 2
        evidence[rows, 0] = 0
        np.cumsum(middle * np.float32(step_s), axis=1, out=evidence[rows, 1:])
    return evidence


HALF_WIDTH = 50  # frames of ONSET_SCALE on either side of the middle of a patch
FRAMES = 2 * HALF_WIDTH + 1
HARMONICS = 8
CHANNELS = 4 * HARMONICS + 4
FLOOR_DB = -70.0
DB_SCALE = 20.0


@dataclass(frozen=True, eq=False)
class OnsetSpectrogram:
    """Levels of a recording in dB relative to its loud passages, divided by `DB_SCALE`.

    Attributes
    ----------
    onset : ndarray [shape=(frames, bins)], float16
        On `ONSET_SCALE`.
    tonal : ndarray [shape=(frames, bins)], float16
        On `TONAL_SCALE`.
    overall : ndarray [shape=(frames, 2)], float32
        On `ONSET_SCALE`: the level of everything, and how much everything rises.
    """

    onset: NDArray[np.float16]
    tonal: NDArray[np.float16]
    overall: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PlacedNotes:
    """Notes as they lie at present.

    Attributes
    ----------
    pitch_midi : ndarray [shape=(notes,)], int64
        As they sound in the recording, 0 to 127.
    onset_s, end_s : ndarray [shape=(notes,)], float64
    """

    pitch_midi: NDArray[np.int64]
    onset_s: NDArray[np.float64]
    end_s: NDArray[np.float64]


def onset_spectrogram(onset: NDArray[np.float32], tonal: NDArray[np.float32]) -> OnsetSpectrogram:
    """Convert power spectra on `ONSET_SCALE` and `TONAL_SCALE` to levels."""
    onset_level, tonal_level = _levels(onset), _levels(tonal)
    overall = np.empty((len(onset), 2), np.float32)
    total = 10 * np.log10(onset.sum(axis=1) / max(reference_power(onset) * onset.shape[1], 1e-30) + 1e-12)
    overall[:, 0] = np.maximum(total, FLOOR_DB) / DB_SCALE
    overall[:, 1] = 0
    for first in range(1, len(onset) - 1, 20_000):
        rows = slice(first, min(first + 20_000, len(onset) - 1))
        after = onset_level[first + 1 : rows.stop + 1].astype(np.float32)
        overall[rows, 1] = np.maximum(after - onset_level[first - 1 : rows.stop - 1], 0).mean(axis=1)
    return OnsetSpectrogram(onset_level, tonal_level, overall)


def _levels(power: NDArray[np.float32]) -> NDArray[np.float16]:
    reference = max(reference_power(power), 1e-30)
    levels = np.empty(power.shape, np.float16)
    for first in range(0, len(power), 20_000):
        rows = slice(first, first + 20_000)
        levels[rows] = np.maximum(10 * np.log10(power[rows] / reference + 1e-12), FLOOR_DB) / DB_SCALE
    return levels


def patches(
    observed: OnsetSpectrogram, notes: PlacedNotes, which: NDArray[np.int64], shift_s: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float32]:
    """Cut the patches of some notes, in the middle of which lie their present onsets.

    Parameters
    ----------
    observed : OnsetSpectrogram
    notes : PlacedNotes
        All notes of the score.
    which : ndarray [shape=(n,)], int64
        Those whose patches are wanted; they should lie close together in time.
    shift_s : float or ndarray [shape=(n,)], float64
        How far the middle of a patch lies behind the present onset.

    Returns
    -------
    patches : ndarray [shape=(n, FRAMES, CHANNELS)], float32
    """
    rate = ONSET_SCALE.frame_rate_hz
    centre = np.rint((notes.onset_s[which] + shift_s) * rate).astype(np.int64)
    wanted = centre[:, None] + np.arange(-HALF_WIDTH, HALF_WIDTH + 1)
    last = len(observed.onset) - 1
    frame = np.clip(wanted, 0, last)
    tonal_frame = np.minimum(
        np.rint(frame * TONAL_SCALE.frame_rate_hz / rate).astype(np.int64), len(observed.tonal) - 1
    )
    number = np.arange(1, HARMONICS + 1)
    bins = notes.pitch_midi[which, None] + np.rint(12 * np.log2(number)).astype(np.int64) - ONSET_SCALE.lowest_midi
    inside = ((bins >= 0) & (bins < ONSET_SCALE.bins))[:, None, :]
    bins = np.clip(bins, 0, ONSET_SCALE.bins - 1)[:, None, :]
    below, above = np.maximum(bins - 2, 0), np.minimum(bins + 2, ONSET_SCALE.bins - 1)
    out = np.empty((len(which), FRAMES, CHANNELS), np.float32)
    floor = np.float32(FLOOR_DB / DB_SCALE)
    out[..., :HARMONICS] = np.where(inside, observed.onset[frame[..., None], bins], floor)
    out[..., HARMONICS : 2 * HARMONICS] = np.where(inside, observed.tonal[tonal_frame[..., None], bins], floor)
    around = np.maximum(observed.onset[frame[..., None], below], observed.onset[frame[..., None], above])
    out[..., 2 * HARMONICS : 3 * HARMONICS] = np.where(inside, around, floor)
    others = _others(notes, which, centre, bins)
    out[..., 3 * HARMONICS : 4 * HARMONICS] = np.where(inside, others, 0)
    out[..., -4:-2] = observed.overall[frame]
    out[..., -2] = (notes.pitch_midi[which, None] - 60) / 24
    out[..., -1] = np.log2(np.maximum(notes.end_s - notes.onset_s, 0.03))[which, None] / 3
    beyond = (wanted < 0) | (wanted > last)
    out[..., : 3 * HARMONICS][beyond] = floor
    out[..., -4][beyond], out[..., -3][beyond] = floor, 0
    return out


def _others(
    notes: PlacedNotes, which: NDArray[np.int64], centre: NDArray[np.int64], bins: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return what the other notes should sound like in the bins (n, 1, HARMONICS), shape (n, FRAMES, HARMONICS)."""
    first, last = int(centre.min()) - HALF_WIDTH, int(centre.max()) + HALF_WIDTH + 1
    start = np.rint(notes.onset_s * ONSET_SCALE.frame_rate_hz).astype(np.int64)
    stop = np.maximum(np.rint(notes.end_s * ONSET_SCALE.frame_rate_hz).astype(np.int64), start + 1)
    near = np.flatnonzero((stop > first) & (start < last))
    changes = np.zeros((last - first + 1, 128), np.float32)
    np.add.at(changes, (np.maximum(start[near] - first, 0), notes.pitch_midi[near]), 1)
    np.add.at(changes, (np.minimum(stop[near], last) - first, notes.pitch_midi[near]), -1)
    profiles = harmonic_profiles(ONSET_SCALE).astype(np.float32)
    power = np.cumsum(changes, axis=0)[:-1] @ profiles
    frame = centre[:, None] - first + np.arange(-HALF_WIDTH, HALF_WIDTH + 1)
    is_own = (frame >= (start[which] - first)[:, None]) & (frame < (stop[which] - first)[:, None])
    own = profiles[notes.pitch_midi[which, None, None], bins] * is_own[..., None]
    return np.asarray(np.log1p(10 * np.maximum(power[frame[..., None], bins] - own, 0)), np.float32)


WEIGHTS_FILE = "alignment/onset_network.npz"
DILATIONS = (1, 2, 4, 8)
TAPS = 5
BLOCK_NOTES = 64  # what a processor keeps at hand


@dataclass(frozen=True, eq=False)
class OnsetNetwork:
    """The weights of the network.

    Attributes
    ----------
    mean, scale : ndarray [shape=(channels,)], float32
        A patch is brought to (patch - mean) * scale first.
    kernels : tuple of ndarray [shape=(taps, channels in, channels out)], float32
        Of each convolution, with `biases` [shape=(channels out,)].
    heads : dict of str to ndarray
        ``o1``, ``o2``: from the last layer to one value a frame; ``n1``, ``n2``: to the value of "no onset here". Each
        with a bias under its name and ``b``.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    kernels: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    heads: dict[str, NDArray[np.float32]]

    def log_probability(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logarithm of the probability of an onset in every frame, and in none.

        Parameters
        ----------
        patches : ndarray [shape=(notes, FRAMES, CHANNELS)], float32

        Returns
        -------
        log_probability : ndarray [shape=(notes, FRAMES + 1)], float32
            The last column is "no onset here". The exponentials of every row add up to 1.
        """
        rows = [self._scores(patches[i : i + BLOCK_NOTES]) for i in range(0, len(patches), BLOCK_NOTES)]
        score = np.concatenate(rows) if rows else np.zeros((0, FRAMES + 1), np.float32)
        score = score - score.max(axis=1, keepdims=True)
        return np.asarray(score - np.log(np.exp(score).sum(axis=1, keepdims=True)), np.float32)

    def _scores(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        hidden = (patches - self.mean) * self.scale
        for depth, (kernel, bias, dilation) in enumerate(zip(self.kernels, self.biases, DILATIONS, strict=True)):
            out = np.maximum(_convolved(hidden, kernel, dilation) + bias, 0)
            hidden = hidden + out if depth else out
        gated = np.maximum(hidden @ self.heads["o1"] + self.heads["o1b"], 0)
        frame_score = (gated @ self.heads["o2"] + self.heads["o2b"])[..., 0]
        attention = np.exp(frame_score - frame_score.max(axis=1, keepdims=True))
        attention /= attention.sum(axis=1, keepdims=True)
        pooled = np.concatenate([(gated * attention[..., None]).sum(axis=1), gated.mean(axis=1)], axis=1)
        none_score = np.maximum(pooled @ self.heads["n1"] + self.heads["n1b"], 0) @ self.heads["n2"] + self.heads["n2b"]
        return np.concatenate([frame_score, none_score], axis=1)


def _convolved(hidden: NDArray[np.float32], kernel: NDArray[np.float32], dilation: int) -> NDArray[np.float32]:
    """Convolve along time, silence beyond the ends; shape (notes, FRAMES, channels out)."""
    reach = TAPS // 2 * dilation
    padded = np.pad(hidden, ((0, 0), (reach, reach), (0, 0)))
    out = padded[:, :FRAMES] @ kernel[0]
    for tap in range(1, TAPS):
        out += padded[:, tap * dilation : tap * dilation + FRAMES] @ kernel[tap]
    return np.asarray(out)


@cache
def onset_network() -> OnsetNetwork:
    """Load the network that comes with the program."""
    with np.load(resource_path(WEIGHTS_FILE)) as stored:
        arrays = {name: stored[name].astype(np.float32) for name in stored.files}
    layers = range(len(DILATIONS))
    return OnsetNetwork(
        arrays["mean"],
        arrays["scale"],
        tuple(arrays[f"kernel{i}"] for i in layers),
        tuple(arrays[f"bias{i}"] for i in layers),
        {name: arrays[name] for name in ("o1", "o1b", "o2", "o2b", "n1", "n1b", "n2", "n2b")},
    )
