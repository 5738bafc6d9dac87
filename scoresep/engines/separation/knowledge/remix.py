"""Training mixtures: the score as it is, but every note sounds as another note of its part did.

The overlaps of partials are those of the real mixture, while the sounds that overlap come from other moments: what a
teacher got wrong at these moments is not to be found in the score of the new one, so that the network learns what
the moments have in common. This is the remixing of RemixIT, note by note.

References
----------
E. Tzinis, Y. Adi, V. K. Ithapu, B. Xu, P. Smaragdis, A. Kumar, "RemixIT: Continual self-training of speech enhancement
models via bootstrapped remixing", IEEE Journal of Selected Topics in Signal Processing 16(6), 2022,
doi:10.1109/JSTSP.2022.3200911.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.separation.knowledge.material import Stretch, sounding_alone
from scoresep.model.alignment import SoundingNotes

MOST_SEMITONES = 3.0  # that a sound is transposed
LIKELY_SEMITONES = 1.5
NOTE_GAIN_DB, PART_GAIN_DB = 2.0, 3.0
SELF_WEIGHT = 0.15  # how readily a note sounds as itself
ALONE_WEIGHT = 5.0  # how much rather a sound is taken that was heard alone
BEFORE_S, RING_S, FADE_S = 0.03, 0.25, 0.06


@dataclass(frozen=True)
class Scene:
    """A mixture whose parts are known.

    Attributes
    ----------
    stretch : Stretch
        The one whose notes sound.
    stems : ndarray [shape=(stems, frames)], float32
    rest : ndarray [shape=(frames,)], float32
    """

    stretch: Stretch
    stems: NDArray[np.float32]
    rest: NDArray[np.float32]


class Remixer:
    """Makes scenes from stretches.

    Parameters
    ----------
    stretches : list of Stretch
    notes : SoundingNotes
    sample_rate : int
    """

    def __init__(self, stretches: list[Stretch], notes: SoundingNotes, sample_rate: int) -> None:
        self._stretches, self._notes, self._rate = stretches, notes, sample_rate
        self._home = np.concatenate([np.full(len(s.notes), k) for k, s in enumerate(stretches)])
        self._note = np.concatenate([s.notes for s in stretches])
        self._stem, self._pitch = notes.stem_index[self._note], notes.pitch_midi[self._note]
        self._length = np.maximum(notes.offset_frame[self._note] - notes.onset_frame[self._note], 1)
        self._room = self._length + self._rings()
        self._alone = np.concatenate([self._share_alone(s) for s in stretches])

    def _rings(self) -> NDArray[np.int64]:
        """Return how long every note may ring until the next of its part begins, in frames."""
        rings = np.full(len(self._note), int(RING_S * self._rate))
        onset = self._notes.onset_frame[self._note]
        for stem in np.unique(self._stem):
            mine = np.flatnonzero(self._stem == stem)
            onsets = np.sort(onset[mine])
            following = np.searchsorted(onsets, onset[mine] + self._length[mine] // 2)
            following = np.append(onsets, np.iinfo(np.int64).max // 2)[following]
            rings[mine] = np.clip(following - onset[mine] - self._length[mine], 0, rings[mine])
        return rings

    def _share_alone(self, stretch: Stretch) -> NDArray[np.float64]:
        start, stop = stretch.start_frame, stretch.start_frame + stretch.frames
        alone: NDArray[np.bool_] = sounding_alone(self._notes, start, stop, self._rate).max(axis=0)
        per_frame = len(alone) / stretch.frames
        first = ((self._notes.onset_frame[stretch.notes] - start) * per_frame).astype(int).tolist()
        last = ((self._notes.offset_frame[stretch.notes] - start) * per_frame).astype(int).tolist()
        shares = [float(alone[a : max(b, a + 1)].mean()) for a, b in zip(first, last, strict=True)]
        return np.array(shares)

    def scene(self, rng: np.random.Generator) -> Scene:
        """Make one scene."""
        home = int(rng.integers(len(self._stretches)))
        stretch = self._stretches[home]
        stems = np.zeros_like(stretch.stems)
        for k in np.flatnonzero(self._home == home).tolist():
            self._play(stems, stretch, k, self._donor(k, rng), rng)
        gains = 10.0 ** (rng.uniform(-PART_GAIN_DB, PART_GAIN_DB, (len(stems), 1)) / 20.0)
        return Scene(stretch, stems * gains.astype(np.float32), stretch.rest)

    def _donor(self, k: int, rng: np.random.Generator) -> int:
        """Choose the note that the note `k` shall sound as."""
        apart = np.abs(self._pitch - self._pitch[k])
        if np.isnan(self._pitch[k]):
            apart = np.where(np.isnan(self._pitch), 0.0, np.inf)
        possible = (self._stem == self._stem[k]) & (apart <= MOST_SEMITONES)
        weight = np.exp(-0.5 * (np.where(possible, apart, 0.0) / LIKELY_SEMITONES) ** 2) * possible
        weight *= np.minimum(1.0, self._length / self._length[k]) ** 2 * (1.0 + ALONE_WEIGHT * self._alone)
        weight[k] *= SELF_WEIGHT
        return int(rng.choice(len(weight), p=weight / weight.sum()))

    def _play(self, stems: NDArray[np.float32], stretch: Stretch, k: int, donor: int, rng: np.random.Generator) -> None:
        """Add the sound of one note in the place of another, in its pitch."""
        from_stretch, stem = self._stretches[self._home[donor]], self._stem[k]
        semitones = self._pitch[k] - self._pitch[donor]
        speed = 1.0 if np.isnan(semitones) else 2.0 ** (semitones / 12.0)
        before = int(BEFORE_S * self._rate)
        start = self._notes.onset_frame[self._note[donor]] - from_stretch.start_frame
        length = int(min(self._room[donor] / speed, self._length[k] + int(RING_S * self._rate)))
        at = start + np.arange(-before, length) * speed
        low = max(0, int(at[0]))
        sound = from_stretch.stems[stem, low : int(at[-1]) + 2]
        played = np.interp(at - low, np.arange(len(sound)), sound, left=0.0, right=0.0)
        fade = min(int(FADE_S * self._rate), len(played) // 2)
        played[:before] *= np.linspace(0.0, 1.0, before)
        played[len(played) - fade :] *= np.linspace(1.0, 0.0, fade)
        played *= 10.0 ** (rng.uniform(-NOTE_GAIN_DB, NOTE_GAIN_DB) / 20.0)
        first = int(self._notes.onset_frame[self._note[k]]) - stretch.start_frame - before
        begin, end = max(first, 0), min(first + len(played), stems.shape[1])
        stems[stem, begin:end] += played[begin - first : end - first].astype(np.float32)
