"""Small recordings with known stems for tests of separation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoresep.engines.separation import SeparationOptions, SeparationReport
from scoresep.engines.separation.nmf import NmfSettings
from scoresep.engines.separation.nmf.separator import NmfSeparator
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import ArraySource
from scoresep.progress import Progress

RATE = 16000
QUICK = NmfSettings(learn_iterations=6, solve_iterations=4)


def separate(
    samples: NDArray[np.float32],
    rate: int,
    notes: SoundingNotes,
    settings: NmfSettings | None = None,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float32], SeparationReport]:
    """Return stems and residual, shape (stems + 1, channels, frames), and the report."""
    source, progress = ArraySource(samples, rate), progress or Progress()
    learned = NmfSeparator(settings).fit(source, notes, SeparationOptions(device="cpu"), progress.part(0.0, 0.6))
    stems = learned.separate(source, notes, 0, source.frames, progress.part(0.6, 1.0))
    return np.concatenate([stems, (samples - stems.sum(0))[None]]), learned.report()


def notes_of(rows: list[tuple[int, float, float, float]], stem_count: int, rate: int = RATE) -> SoundingNotes:
    """Make notes from rows of stem, pitch, onset and offset in seconds."""
    table = np.array(rows, np.float64).reshape(-1, 4)
    return SoundingNotes(
        table[:, 0].astype(np.int32),
        table[:, 1],
        np.round(table[:, 2] * rate).astype(np.int64),
        np.round(table[:, 3] * rate).astype(np.int64),
        np.ones(len(table), np.float32),
        stem_count,
        (None,) * stem_count,
    )


def played(notes: SoundingNotes, frames: int, timbres: list[list[float]], rate: int = RATE) -> NDArray[np.float32]:
    """Play notes with one list of partials for every stem, shape (stems, frames)."""
    stems = np.zeros((notes.stem_count, frames))
    for stem, midi, start, stop in zip(
        notes.stem_index, notes.pitch_midi, notes.onset_frame, notes.offset_frame, strict=True
    ):
        time_s = np.arange(stop - start) / rate
        f0_hz = 440.0 * 2 ** ((midi - 69) / 12)
        tone = sum(
            a * np.sin(2 * np.pi * f0_hz * (h + 1) * time_s + h)
            for h, a in enumerate(timbres[stem])
            if f0_hz * (h + 1) < rate / 2
        )
        edge = np.minimum(time_s, time_s[::-1]) / 0.02
        stems[stem, start:stop] += tone * np.minimum(edge, 1.0)
    return (0.1 * stems).astype(np.float32)


def duet() -> tuple[SoundingNotes, NDArray[np.float32]]:
    """Return a high and a low melody of different timbre, and their stems, shape (2, frames)."""
    high = [(0, 72.0 + step, 0.3 + 0.4 * i, 0.65 + 0.4 * i) for i, step in enumerate((0, 4, 7, 5, 2, 4, 0, 7, 9, 5))]
    low = [(1, 48.0 + step, 0.3 + 0.8 * i, 1.05 + 0.8 * i) for i, step in enumerate((0, 7, 5, -1, 2))]
    notes = notes_of(high + low, 2)
    return notes, played(notes, int(4.8 * RATE), [[1.0, 0.3, 0.1], [1.0, 0.8, 0.6, 0.4, 0.3]])
