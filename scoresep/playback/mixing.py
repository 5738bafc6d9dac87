"""Which gain every stem has, and the sum of them. Pure: the same settings and frames give the same samples.

With all settings at rest the sum is the sum of the stems, hence the recording: the pan law is a balance of unity at the
centre, and nothing is scaled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import AudioFileError
from scoresep.model.audio import SampleSource
from scoresep.model.project import ChannelStrip, Mixer

# A fader at its lower end is closed: no sound at all.
CLOSED_GAIN_DB = -60.0
MAX_GAIN_DB = 12.0

OUTPUT_CHANNELS = 2
TrackKey = int | Literal["residual", "recording"]


@dataclass(frozen=True)
class Track:
    """One sound that can be heard.

    Attributes
    ----------
    key : int or str
        Index of the part that owns the stem, ``residual``, or ``recording``.
    source : SampleSource
    """

    key: TrackKey
    source: SampleSource


@dataclass(frozen=True, eq=False)
class Levels:
    """How loud one block was, after gain, pan and mute.

    Attributes
    ----------
    keys : tuple of (int or str)
    peak, mean_square : ndarray [shape=(tracks + 1, 2)], float32
        Left and right of every track; the last row is the sum of all, the master.
    problem : str
        Why a track is silent that cannot be read any more, in a sentence; empty where all can.
    """

    keys: tuple[TrackKey, ...]
    peak: NDArray[np.float32]
    mean_square: NDArray[np.float32]
    problem: str = ""


class Material(Protocol):
    """What the read cursor reads: stereo samples by frame, with their levels."""

    @property
    def frames(self) -> int:
        """Length in frames."""

    @property
    def sample_rate(self) -> int:
        """Frames in a second."""

    def render(self, start_frame: int, stop_frame: int) -> tuple[NDArray[np.float32], Levels]:
        """Return samples [shape=(2, frames)] and their levels; silence outside the material."""


def gain_factor(gain_db: float) -> float:
    """Convert a gain in dB to a factor; 0 for a closed fader."""
    return 0.0 if gain_db <= CLOSED_GAIN_DB else float(10.0 ** (gain_db / 20.0))


def balance(pan: float) -> tuple[float, float]:
    """Return the factors of left and right: both 1 at the centre, one falling linearly to 0 at either end."""
    pan = min(max(pan, -1.0), 1.0)
    return min(1.0, 1.0 - pan), min(1.0, 1.0 + pan)


def find_strip(mixer: Mixer, key: TrackKey) -> ChannelStrip:
    """Return the strip of a track; one at rest for the recording and for parts the mixer does not know yet."""
    if key == "residual":
        return mixer.residual
    if isinstance(key, int) and key < len(mixer.strips):
        return mixer.strips[key]
    return ChannelStrip()


def set_strip(mixer: Mixer, key: TrackKey, strip: ChannelStrip) -> Mixer:
    """Return the mixer with another strip for one track, filling up with strips at rest where there are too few.

    Parameters
    ----------
    mixer : Mixer
    key : int or str
        Index of the part that owns the stem, or ``residual``.
    strip : ChannelStrip

    Raises
    ------
    ValueError
        For ``recording``, which has no strip.
    """
    if key == "residual":
        return replace(mixer, residual=strip)
    if not isinstance(key, int):
        raise ValueError("the recording has no strip")
    strips = list(mixer.strips) + [ChannelStrip()] * (key + 1 - len(mixer.strips))
    strips[key] = strip
    return replace(mixer, strips=tuple(strips))


def stereo_gains(mixer: Mixer, keys: tuple[TrackKey, ...]) -> NDArray[np.float32]:
    """Compute what is heard of every track.

    A muted track is silent, also when soloed; while any of the tracks is soloed, only soloed ones are heard. The
    recording itself knows the master level only.

    Parameters
    ----------
    mixer : Mixer
    keys : tuple of (int or str)
        The tracks there are; a solo of a part without a track counts for nothing.

    Returns
    -------
    gains : ndarray [shape=(tracks, 2)], float32
        Factors for left and right, master level included.
    """
    master = gain_factor(mixer.master_gain_db)
    strips = [find_strip(mixer, key) for key in keys]
    has_solo = any(s.is_soloed and not s.is_muted for s in strips)
    gains = np.zeros((len(keys), OUTPUT_CHANNELS), np.float32)
    for row, strip in zip(gains, strips, strict=True):
        if not strip.is_muted and (strip.is_soloed or not has_solo):
            row[:] = np.multiply(balance(strip.pan), gain_factor(strip.gain_db) * master)
    return gains


def is_minus_one(mixer: Mixer, key: TrackKey, keys: tuple[TrackKey, ...]) -> bool:
    """Tell whether everything but one track is heard.

    Parameters
    ----------
    mixer : Mixer
    key : int or str
        The track.
    keys : tuple of (int or str)
        The tracks there are.
    """
    strips = {k: find_strip(mixer, k) for k in keys}
    return key in strips and all(s.is_muted == (k == key) and not s.is_soloed for k, s in strips.items())


def toggle_minus_one(mixer: Mixer, key: TrackKey, keys: tuple[TrackKey, ...]) -> Mixer:
    """Let everything but one track be heard; asked again, let everything be heard. Levels and pans stay.

    Parameters
    ----------
    mixer : Mixer
    key : int or str
        The track.
    keys : tuple of (int or str)
        The tracks there are.
    """
    was_minus_one = is_minus_one(mixer, key, keys)
    for other in keys:
        strip = replace(find_strip(mixer, other), is_muted=other == key and not was_minus_one, is_soloed=False)
        mixer = set_strip(mixer, other, strip)
    return mixer


def fold_matrix(channels: int) -> NDArray[np.float32]:
    """Return how channels become left and right.

    Mono goes to both sides unchanged, stereo stays. More channels follow the usual orders (left, right, centre, low
    frequencies, surrounds) with the weights of ITU-R BS.775 for centre and surrounds, without the low-frequency
    channel, scaled so that a full-scale signal on all channels cannot clip.

    Parameters
    ----------
    channels : int

    Returns
    -------
    matrix : ndarray [shape=(2, channels)], float32

    References
    ----------
    ITU-R BS.775-4 (2022): Multichannel stereophonic sound system with and without accompanying picture, table 2.
    """
    if channels == 1:
        return np.ones((2, 1), np.float32)
    if channels == 2:
        return np.eye(2, dtype=np.float32)
    matrix = np.zeros((2, channels), np.float32)
    matrix[0, 0] = matrix[1, 1] = 1.0
    has_centre = channels in (3, 5) or channels >= 6
    low_frequency = 3 if channels >= 6 else None
    side = 0
    for channel in range(2, channels):
        if channel == 2 and has_centre:
            matrix[:, channel] = np.sqrt(0.5)
        elif channel != low_frequency:
            matrix[side, channel] = np.sqrt(0.5)
            side = 1 - side
    matrix /= matrix.sum(axis=1).max()
    return matrix


@dataclass(frozen=True, eq=False)
class Mix:
    """Tracks and what is heard of each. Immutable: another setting is another mix.

    Attributes
    ----------
    tracks : tuple of Track
        All of one length and rate, that of the recording.
    gains : ndarray [shape=(tracks, 2)], float32
    frames, sample_rate : int
    """

    tracks: tuple[Track, ...]
    gains: NDArray[np.float32]
    frames: int
    sample_rate: int

    def render(self, start_frame: int, stop_frame: int) -> tuple[NDArray[np.float32], Levels]:
        """Sum the tracks over [start_frame, stop_frame); silence before and after the material.

        Returns
        -------
        samples : ndarray [shape=(2, stop_frame - start_frame)], float32
        levels : Levels
        """
        total = np.zeros((OUTPUT_CHANNELS, stop_frame - start_frame), np.float32)
        peak = np.zeros((len(self.tracks) + 1, OUTPUT_CHANNELS), np.float32)
        square = np.zeros_like(peak)
        problem = ""
        low, high = max(start_frame, 0), min(stop_frame, self.frames)
        if high > low:
            for row, (track, gain) in enumerate(zip(self.tracks, self.gains, strict=True)):
                if not gain.any():
                    continue  # nothing is read for what is not heard
                try:
                    samples = track.source.read(low, high)
                except AudioFileError as error:
                    if len(self.tracks) == 1:
                        raise
                    problem = problem or str(error)
                    continue  # the others are heard on
                block = _stereo(samples) * gain[:, None]
                at = low - start_frame
                total[:, at : at + block.shape[1]] += block
                _measure(block, peak[row], square[row])
        _measure(total, peak[-1], square[-1])
        return total, Levels(tuple(t.key for t in self.tracks), peak, square, problem)


def make_mix(mixer: Mixer, tracks: tuple[Track, ...], frames: int, sample_rate: int) -> Mix:
    """Join tracks with the settings of the mixer.

    Parameters
    ----------
    mixer : Mixer
    tracks : tuple of Track
    frames, sample_rate : int
        Those of every track.
    """
    return Mix(tracks, stereo_gains(mixer, tuple(t.key for t in tracks)), frames, sample_rate)


def _stereo(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fold (channels, frames) to (2, frames)."""
    channels = samples.shape[0]
    if channels <= OUTPUT_CHANNELS:
        return samples  # one channel spreads over both when multiplied by two gains
    return fold_matrix(channels) @ samples


def _measure(block: NDArray[np.float32], peak: NDArray[np.float32], square: NDArray[np.float32]) -> None:
    """Write the peak and the mean square of both channels into the given rows."""
    if block.shape[1]:
        peak[:] = np.abs(block).max(axis=1)
        square[:] = np.einsum("cn,cn->c", block, block) / block.shape[1]


class ResampledMaterial:
    """Material at another rate, for a device that does not play that of the recording.

    Reads anywhere without memory of what was read before, so that jumps and loops are as exact as at the original rate:
    every read takes in enough frames on both sides for the filter to settle.

    Parameters
    ----------
    material : Material
    sample_rate : int
        The rate wanted.
    """

    # Longer than the impulse response of the resampler at this quality for any rate in use.
    CONTEXT_FRAMES = 2048

    def __init__(self, material: Material, sample_rate: int) -> None:
        common = int(np.gcd(material.sample_rate, sample_rate))
        self._material = material
        self._sample_rate = sample_rate
        # every `_step_out` frames at the new rate coincide with every `_step_in` frames at the old one
        self._step_in, self._step_out = material.sample_rate // common, sample_rate // common

    @property
    def frames(self) -> int:
        """Length in frames at the new rate."""
        return -(-self._material.frames * self._step_out // self._step_in)

    @property
    def sample_rate(self) -> int:
        """Frames in a second."""
        return self._sample_rate

    def render(self, start_frame: int, stop_frame: int) -> tuple[NDArray[np.float32], Levels]:
        """Return samples [shape=(2, frames)] of the new rate, and their levels."""
        import soxr  # only where a device needs it

        context_steps = -(-self.CONTEXT_FRAMES // self._step_in)
        first_step = start_frame // self._step_out - context_steps
        last_step = -(-stop_frame // self._step_out) + context_steps
        samples, levels = self._material.render(first_step * self._step_in, last_step * self._step_in)
        resampled = soxr.resample(samples.T, self._material.sample_rate, self._sample_rate, quality="HQ").T
        at = start_frame - first_step * self._step_out
        return np.ascontiguousarray(resampled[:, at : at + stop_frame - start_frame], np.float32), levels
