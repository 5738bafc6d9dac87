"""Hearing whether an alignment is right: clicks over the recording, or the recording left and its score right.

The score is synthesised note by note, block by block, as it is read: the same frames give the same samples wherever
reading begins, and another alignment is just another material.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from scoresep.model.alignment import Alignment
from scoresep.model.audio import SampleSource
from scoresep.model.score import UnfoldedScore
from scoresep.playback.mixing import Levels, balance, fold_matrix

HARMONICS = 6
# Power of the harmonics falls as of a soft reed: heard well, and not like any instrument of the recording.
HARMONIC_SLOPE = 1.3
NOTE_GAIN = 0.16
ATTACK_S, RELEASE_S, DECAY_S = 0.004, 0.03, 0.9
CLICK_S, CLICK_DECAY_S, CLICK_GAIN = 0.04, 0.006, 0.5
CLICK_HZ, BAR_CLICK_HZ = 1800.0, 2700.0
DRUM_HZ, DRUM_DECAY_S, DRUM_S = 1100.0, 0.02, 0.12


class AuditionMode(StrEnum):
    """What is heard besides the recording."""

    NONE = "none"
    CLICKS = "clicks"
    SCORE = "score"


@dataclass(frozen=True, eq=False)
class Tones:
    """Decaying tones at places of the recording, rising in `start_frame`.

    Attributes
    ----------
    start_frame, end_frame : ndarray [shape=(tones,)], int64
    frequency_hz, gain, decay_s : ndarray [shape=(tones,)], float64
    harmonics : int
    sample_rate : int
    """

    start_frame: NDArray[np.int64]
    end_frame: NDArray[np.int64]
    frequency_hz: NDArray[np.float64]
    gain: NDArray[np.float64]
    decay_s: NDArray[np.float64]
    harmonics: int
    sample_rate: int

    def render(self, start_frame: int, stop_frame: int) -> NDArray[np.float32]:
        """Return the sum of the tones over a range, one channel, never beyond full scale."""
        total = np.zeros(max(stop_frame - start_frame, 0))
        last = int(np.searchsorted(self.start_frame, stop_frame))
        for i in np.flatnonzero(self.end_frame[:last] > start_frame).tolist():
            begin, end = int(self.start_frame[i]), int(self.end_frame[i])
            low, high = max(begin, start_frame), min(end, stop_frame)
            total[low - start_frame : high - start_frame] += self._tone(i, low - begin, high - begin, end - begin)
        return np.tanh(total).astype(np.float32)

    def _tone(self, index: int, low: int, high: int, length: int) -> NDArray[np.float64]:
        """Return the frames [low, high) of one tone that is `length` frames long."""
        frames = np.arange(low, high)
        second = frames / self.sample_rate
        frequency = float(self.frequency_hz[index])
        angle = 2 * np.pi * frequency * second
        # sin(k x) = 2 cos(x) sin((k - 1) x) - sin((k - 2) x)
        before, present, twice_cos = np.zeros(len(angle)), np.sin(angle), 2 * np.cos(angle)
        wave = present.copy()
        for k in range(2, self.harmonics + 1):
            if k * frequency >= 0.45 * self.sample_rate:
                break
            before, present = present, twice_cos * present - before
            wave += present * k**-HARMONIC_SLOPE
        shape = np.minimum(second / ATTACK_S, 1.0) * np.exp(-second / self.decay_s[index])
        shape *= np.clip((length - frames) / (RELEASE_S * self.sample_rate), 0.0, 1.0)
        return np.asarray(float(self.gain[index]) * wave * shape)


def synthesize_score(unfolded: UnfoldedScore, alignment: Alignment, sample_rate: int) -> Tones:
    """Return the notes that the recording contains, at the pitch at which it sounds; unpitched ones as short knocks.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment
    sample_rate : int
        Frames in a second of what is to be heard.
    """
    notes, times = unfolded.notes, alignment.note_times
    rows = np.flatnonzero(times.is_present)
    rows = rows[np.argsort(times.onset_frame[rows], kind="stable")]
    pitch = notes.pitch_midi[rows] + alignment.transposition_semitones + alignment.tuning_cents / 100
    is_drum = np.isnan(pitch)
    onset = times.onset_frame[rows]
    least = round((ATTACK_S + RELEASE_S) * sample_rate)
    end = np.maximum(times.offset_frame[rows] + round(RELEASE_S * sample_rate), onset + least)
    return Tones(
        onset,
        np.where(is_drum, onset + round(DRUM_S * sample_rate), end),
        np.where(is_drum, DRUM_HZ, 440.0 * 2.0 ** ((np.nan_to_num(pitch, nan=69.0) - 69) / 12)),
        np.full(len(rows), NOTE_GAIN),
        np.where(is_drum, DRUM_DECAY_S, DECAY_S),
        HARMONICS,
        sample_rate,
    )


def synthesize_clicks(unfolded: UnfoldedScore, alignment: Alignment, sample_rate: int) -> Tones:
    """Return a click wherever notes begin, and a higher one at bar lines.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment
    sample_rate : int
        Frames in a second of what is to be heard.
    """
    times = alignment.note_times
    bars = alignment.time_map.quarters_to_frames(unfolded.step_start_quarter[:-1])
    onsets = np.setdiff1d(times.onset_frame[times.is_present], bars)
    start = np.concatenate([bars, onsets])
    order = np.argsort(start, kind="stable")
    frequency = np.concatenate([np.full(len(bars), BAR_CLICK_HZ), np.full(len(onsets), CLICK_HZ)])
    same = np.ones(len(start))
    end = start[order] + round(CLICK_S * sample_rate)
    return Tones(start[order], end, frequency[order], CLICK_GAIN * same, CLICK_DECAY_S * same, 1, sample_rate)


@dataclass(frozen=True, eq=False)
class AuditionMix:
    """The recording together with what was made of the score: a material for the player.

    Attributes
    ----------
    source : SampleSource
        The recording.
    tones : Tones
    is_split : bool
        The recording on the left only and the score on the right only; otherwise both on both sides.
    share : float
        From -1, the recording alone, to 1, the score alone.
    master_gain : float
    """

    source: SampleSource
    tones: Tones
    is_split: bool
    share: float = 0.0
    master_gain: float = 1.0

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self.source.frames

    @property
    def sample_rate(self) -> int:
        """Frames in a second."""
        return self.source.sample_rate

    def render(self, start_frame: int, stop_frame: int) -> tuple[NDArray[np.float32], Levels]:
        """Return samples [shape=(2, frames)] and their level; silence outside the recording."""
        total = np.zeros((2, stop_frame - start_frame), np.float32)
        low, high = max(start_frame, 0), min(stop_frame, self.frames)
        recording_gain, score_gain = (np.float32(g * self.master_gain) for g in balance(self.share))
        if high > low:
            inside = slice(low - start_frame, high - start_frame)
            heard = fold_matrix(self.source.channels) @ self.source.read(low, high)
            score = self.tones.render(low, high)
            if self.is_split:
                total[0, inside] = heard.mean(axis=0) * recording_gain
                total[1, inside] = score * score_gain
            else:
                total[:, inside] = heard * recording_gain + score * score_gain
        levels = np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)
        if total.shape[1]:
            levels[0][:] = np.abs(total).max(axis=1)
            levels[1][:] = np.mean(total**2, axis=1)
        return total, Levels(("recording",), *levels)


def make_audition_mix(
    source: SampleSource,
    unfolded: UnfoldedScore,
    alignment: Alignment,
    check: AuditionMode,
    share: float,
    master_gain: float,
) -> AuditionMix:
    """Make the material by which a person checks the alignment; `check` is not `AuditionMode.NONE`.

    Parameters
    ----------
    source : SampleSource
        The recording.
    unfolded : UnfoldedScore
    alignment : Alignment
    check : AuditionMode
    share : float
        From -1, the recording alone, to 1, the score alone.
    master_gain : float
        Factor for all of it.
    """
    make = synthesize_score if check is AuditionMode.SCORE else synthesize_clicks
    tones = make(unfolded, alignment, source.sample_rate)
    return AuditionMix(source, tones, check is AuditionMode.SCORE, share, master_gain)
