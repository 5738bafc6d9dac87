"""Small audio for tests of engines: scores played by additive synthesis, with true onsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.model.audio import ArraySource
from scoresep.model.score import UnfoldedScore

RATE = 22050


@dataclass(frozen=True)
class PlaybackController:
    """How a score is played."""

    lead_s: float = 0.5
    tail_s: float = 1.0
    quarter_s: float = 0.5
    cents: float = 0.0
    semitones: int = 0
    stop_s: float = 1e9  # nothing begins after this, and the sound ends soon after


def melody_rows(seed: int, parts: int, measures: int) -> list[tuple[int, int, float, float, float]]:
    """Make rows for `small_scores.score_of`: parts that walk about in quarters and eighths."""
    rng = np.random.default_rng(seed)
    rows = []
    for part in range(parts):
        pitch, offset = 72 - 10 * part, 0.0
        while offset < 4 * measures:
            duration = float(rng.choice([0.5, 1.0, 1.0]))
            duration = min(duration, 4 - offset % 4)
            pitch = int(np.clip(pitch + rng.choice([-4, -3, -2, -1, 1, 2, 3, 4]), 62 - 10 * part, 82 - 10 * part))
            rows.append((part, int(offset // 4), offset % 4, duration, float(pitch)))
            offset += duration
    return rows


def play(
    unfolded: UnfoldedScore, how: PlaybackController = PlaybackController()
) -> tuple[ArraySource, NDArray[np.float64]]:
    """Play a score; return the recording and when every note begins, in seconds."""
    notes = unfolded.notes
    onset_s = how.lead_s + notes.onset_quarter * how.quarter_s
    end_s = min(float((onset_s + notes.duration_quarter * how.quarter_s).max()), how.stop_s)
    samples = np.zeros(round((end_s + how.tail_s) * RATE), np.float32)
    for start_s, duration, pitch in zip(onset_s, notes.duration_quarter * how.quarter_s, notes.pitch_midi, strict=True):
        if start_s < how.stop_s:
            tone = _tone(float(pitch) + how.semitones + how.cents / 100, float(duration))
            at = round(float(start_s) * RATE)
            tone = tone[: len(samples) - at]
            samples[at : at + len(tone)] += tone
    return ArraySource(samples[None], RATE), onset_s


def play_tones(tones: Sequence[tuple[float, float, float]], tail_s: float = 1.0) -> ArraySource:
    """Play tones (onset and duration in seconds, MIDI pitch)."""
    samples = np.zeros(
        round((max(onset_s + duration_s for onset_s, duration_s, _ in tones) + tail_s) * RATE), np.float32
    )
    for onset_s, duration_s, pitch in tones:
        tone = _tone(pitch, duration_s)
        at = round(onset_s * RATE)
        samples[at : at + len(tone)] += tone[: len(samples) - at]
    return ArraySource(samples[None], RATE)


def _tone(midi: float, duration_s: float) -> NDArray[np.float32]:
    time_s = np.arange(round((duration_s + 0.1) * RATE)) / RATE
    hz = 440 * 2 ** ((midi - 69) / 12)
    wave = sum(0.6**k * np.sin(2 * np.pi * hz * (k + 1) * time_s) for k in range(6))
    shape = np.minimum(time_s / 0.012, 1) * np.exp(-1.5 * time_s) * np.clip((duration_s + 0.1 - time_s) / 0.1, 0, 1)
    return np.asarray(0.1 * wave * shape, np.float32)
