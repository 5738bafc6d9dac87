"""Voices: every part as melodies of one note at a time, and where in the spectrum each of them is at every moment.

A part that plays chords has several voices. A voice is all the network looks at: its pitch, how long its note has been
sounding and how long it will.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoresep.engines.separation.stft import FrameGrid
from scoresep.model.alignment import SoundingNotes

EARLY_S = 0.08  # a note may sound so long before its onset
RING_S = 0.35  # and so long after its end
MOST_VOICES = 2  # of a part that plays more at a time, the teacher knows more than the network
OVERLAP_SHARE = 0.5  # notes of one melody that overlap by less of the shorter one are played one after the other
REFINED_PARTIALS = 10
RANGE_CENTS, STEP_CENTS = 70, 10


@dataclass(frozen=True)
class Voices:
    """Which notes follow each other.

    Attributes
    ----------
    stem : ndarray [shape=(voices,)], int64
    notes : tuple of ndarray
        For every voice its notes in the order of their onsets.
    """

    stem: NDArray[np.int64]
    notes: tuple[NDArray[np.int64], ...]

    def __len__(self) -> int:
        return len(self.stem)


@dataclass(frozen=True)
class Tracks:
    """Where voices are in the windows [first, last).

    Attributes
    ----------
    f0_hz : Tensor [shape=(voices, windows)], float32
        0 where a voice is silent.
    since_s, until_s : Tensor [shape=(voices, windows)], float32
        From the onset of the note, and to its end; negative before and after.
    """

    f0_hz: Tensor
    since_s: Tensor
    until_s: Tensor


def voices_of(notes: SoundingNotes) -> Voices:
    """Lay the pitched notes of every part out as melodies; after every rest of a part its first voice goes on."""
    stems: list[int] = []
    melodies: list[NDArray[np.int64]] = []
    for stem in range(notes.stem_count):
        mine = np.flatnonzero((notes.stem_index == stem) & ~np.isnan(notes.pitch_midi))
        mine = mine[np.lexsort((notes.pitch_midi[mine], notes.onset_frame[mine]))]
        for melody in _melodies(mine.tolist(), notes):
            stems.append(stem)
            melodies.append(np.array(melody, np.int64))
    return Voices(np.array(stems, np.int64), tuple(melodies))


def _melodies(indices: list[int], notes: SoundingNotes) -> list[list[int]]:
    melodies: list[list[int]] = []
    for i in indices:
        for melody in melodies:
            if _follows(melody[-1], i, notes):
                melody.append(i)
                break
        else:
            melodies.append([i])
    return melodies


def _follows(before: int, after: int, notes: SoundingNotes) -> bool:
    onset, offset = notes.onset_frame, notes.offset_frame
    overlap = int(offset[before] - onset[after])
    shorter = int(min(offset[before] - onset[before], offset[after] - onset[after]))
    return overlap <= OVERLAP_SHARE * shorter and int(onset[after] - onset[before]) > 0.3 * shorter


def tracks_of(
    voices: Voices, notes: SoundingNotes, grid: FrameGrid, first: int, last: int, start_frame: int = 0
) -> Tracks:
    """Return where the voices are by the score, in the windows [first, last) of a grid that begins at `start_frame`.

    Parameters
    ----------
    voices : Voices
    notes : SoundingNotes
    grid : FrameGrid
    first, last : int
        Windows [first, last) of the grid.
    start_frame : int
        Where the grid begins, in frames of the recording.
    """
    at_s = (start_frame + grid.centre_frame(0) + np.arange(first, last) * grid.hop_frames) / grid.sample_rate
    planes = np.zeros((3, len(voices), last - first), np.float32)
    for voice, melody in enumerate(voices.notes):
        _paint(planes[:, voice], melody, notes, at_s, grid.sample_rate)
    f0, since, until = torch.from_numpy(planes)
    return Tracks(f0, since, until)


def _paint(
    planes: NDArray[np.float32], melody: NDArray[np.int64], notes: SoundingNotes, at_s: NDArray[np.float64], rate: int
) -> None:
    onset_s, offset_s = notes.onset_frame[melody] / rate, notes.offset_frame[melody] / rate
    low = onset_s - EARLY_S
    high = offset_s + RING_S
    # the next note takes over at its onset, or a little earlier when the one before has ended
    taken_over = np.where(offset_s[:-1] < onset_s[1:], np.maximum(offset_s[:-1], low[1:]), onset_s[1:] - 0.02)
    low[1:], high[:-1] = taken_over, np.minimum(high[:-1], np.maximum(taken_over, low[:-1]))
    from_window, to_window = np.searchsorted(at_s, low), np.searchsorted(at_s, high)
    f0_hz = 440.0 * 2.0 ** ((notes.pitch_midi[melody] - 69.0) / 12.0)
    for k in np.flatnonzero(to_window > from_window).tolist():
        here = slice(from_window[k], to_window[k])
        planes[0, here] = f0_hz[k]
        planes[1, here] = at_s[here] - onset_s[k]
        planes[2, here] = offset_s[k] - at_s[here]


def refined(f0_hz: Tensor, amplitude: Tensor, stems: Sequence[int], bin_hz: float) -> Tensor:
    """Move pitches to where the parts really sound: the strongest comb within `RANGE_CENTS`.

    Parameters
    ----------
    f0_hz : Tensor [shape=(voices, windows)], float32
    amplitude : Tensor [shape=(stems, windows, bins)], float32
        What is known of the magnitudes of the parts.
    stems : sequence of int
        The stem of every voice.
    bin_hz : float

    Returns
    -------
    f0_hz : Tensor [shape=(voices, windows)], float32
        Depends on a window and its two neighbours only.
    """
    shifts = torch.arange(-RANGE_CENTS, RANGE_CENTS + 1, STEP_CENTS, dtype=torch.float32, device=f0_hz.device)
    factors = torch.arange(1, REFINED_PARTIALS + 1, device=f0_hz.device)[:, None] * 2.0 ** (shifts / 1200.0)
    result = f0_hz.clone()
    top = amplitude.shape[2] - 2
    for voice, stem in enumerate(stems):
        at = f0_hz[voice, :, None, None] * factors / bin_hz
        inside = at < top
        at = at.clamp(max=top).flatten(1)
        low = at.floor()
        root = amplitude[stem].sqrt()
        value = torch.lerp(root.gather(1, low.long()), root.gather(1, low.long() + 1), at - low)
        salience = (value.view(inside.shape) * inside).sum(1)
        smooth = torch.nn.functional.avg_pool1d(salience.T[None], 3, 1, 1)[0].T
        likely = smooth - 0.02 * smooth.amax(1, keepdim=True) * shifts.abs() / RANGE_CENTS
        result[voice] *= 2.0 ** (shifts[likely.argmax(1)] / 1200.0)
    return result
