"""What there is to learn from: stretches of the recording with the parts as they are known so far.

Where only one part sounds, by the notes, the recording itself is that part: free material without an error. Elsewhere a
teacher's estimates stand in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.separation.protocol import Learned
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import SampleSource
from scoresep.progress import Progress

STEP_S = 0.01
EARLY_S, RING_S = 0.05, 0.4  # a part may be heard so long before and after its notes
FADE_S = 0.02


@dataclass(frozen=True)
class Stretch:
    """A stretch of the recording, one channel.

    Attributes
    ----------
    start_frame : int
    stems : ndarray [shape=(stems, frames)], float32
    rest : ndarray [shape=(frames,)], float32
        What no stem has.
    notes : ndarray [shape=(notes,)], int64
        The notes that lie wholly inside.
    """

    start_frame: int
    stems: NDArray[np.float32]
    rest: NDArray[np.float32]
    notes: NDArray[np.int64]

    @property
    def frames(self) -> int:
        """Length."""
        return int(self.stems.shape[1])


def sounding_alone(notes: SoundingNotes, start_frame: int, stop_frame: int, sample_rate: int) -> NDArray[np.bool_]:
    """Say where a part sounds and no other does, ringing included, in steps of `STEP_S`; shape (stems, steps)."""
    step = max(1, int(STEP_S * sample_rate))
    steps = -(-(stop_frame - start_frame) // step)
    sure = np.zeros((notes.stem_count, steps), bool)
    possible = np.zeros_like(sure)
    onset, offset = notes.onset_frame - start_frame, notes.offset_frame - start_frame
    early, ring = int(EARLY_S * sample_rate), int(RING_S * sample_rate)
    for stem, a, b in zip(notes.stem_index.tolist(), onset.tolist(), offset.tolist(), strict=True):
        if b + ring <= 0 or a - early >= steps * step:
            continue
        sure[stem, max(a, 0) // step : max(b, 0) // step] = True
        possible[stem, max(a - early, 0) // step : -(-max(b + ring, 0) // step)] = True
    alone: NDArray[np.bool_] = possible & (possible.sum(0) == 1) & sure.any(0)
    return alone


def gather(
    source: SampleSource,
    notes: SoundingNotes,
    teacher: Learned,
    scene_s: float,
    pool_s: float,
    progress: Progress,
) -> list[Stretch]:
    """Read stretches from all over the recording, at most `pool_s` in all, and take them apart."""
    stretches = []
    bounds = stretch_bounds(source.frames, source.sample_rate, scene_s, pool_s)
    for i, (start, stop) in enumerate(bounds):
        part = progress.part(i / len(bounds), (i + 1) / len(bounds))
        stems = teacher.stems(source, notes, start, stop, part).mean(1)
        recording = source.read(start, stop).mean(0)
        _take_what_is_alone(
            stems, recording, sounding_alone(notes, start, stop, source.sample_rate), source.sample_rate
        )
        inside = (notes.onset_frame >= start) & (notes.offset_frame <= stop)
        rest = (recording - stems.sum(0)).astype(np.float32)
        stretches.append(Stretch(start, stems.astype(np.float32), rest, np.flatnonzero(inside)))
    return [stretch for stretch in stretches if len(stretch.notes)]


def stretch_bounds(frames: int, sample_rate: int, scene_s: float, pool_s: float) -> list[tuple[int, int]]:
    """Return where the stretches lie: all of the recording, or of a long one an even selection."""
    count = max(1, round(frames / (scene_s * sample_rate)))
    edges: list[int] = np.linspace(0, frames, count + 1).astype(int).tolist()
    most = max(1, int(pool_s / scene_s))
    chosen = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
    return [(edges[k], edges[k + 1]) for k in chosen.tolist()]


def _take_what_is_alone(
    stems: NDArray[np.float32], recording: NDArray[np.float32], alone: NDArray[np.bool_], sample_rate: int
) -> None:
    """Where one part sounds alone give it the recording, and the others nothing; in place."""
    anyone = alone.any(0)
    if not anyone.any():
        return
    step = max(1, int(STEP_S * sample_rate))
    at = np.arange(stems.shape[1])
    fade = np.ones(2 * max(1, int(FADE_S / STEP_S)) + 1)
    for stem in range(len(stems)):
        own = np.convolve(alone[stem], fade / len(fade), "same")
        others = np.convolve(anyone & ~alone[stem], fade / len(fade), "same")
        middles = (np.arange(alone.shape[1]) + 0.5) * step
        take, leave = (np.interp(at, middles, weight).astype(np.float32) for weight in (own, others))
        stems[stem] = stems[stem] * (1.0 - take - leave) + recording * take
