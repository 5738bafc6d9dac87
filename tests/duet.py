"""A duet made of nothing: two synthetic instruments, their score as MusicXML, and what is true about both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 22050
BEAT_S = 0.5
LEAD_S = 0.6
HIGH = (76, 77, 79, 81, 79, 77, 76, 74)
LOW = (48, 53, 55, 52, 53, 50, 55, 48)
STEPS = ("C", "C", "D", "D", "E", "F", "F", "G", "G", "A", "A", "B")
SHARPS = (1, 3, 6, 8, 10)


@dataclass(frozen=True)
class Duet:
    """The files of the duet and the truth.

    Attributes
    ----------
    audio, score : Path
    stems : tuple of ndarray [shape=(2, frames)], float32
    onsets_s : tuple of float
        When the notes of either part begin.
    """

    audio: Path
    score: Path
    stems: tuple[NDArray[np.float32], ...]
    onsets_s: tuple[float, ...]


def make_duet(folder: Path) -> Duet:
    """Write the duet into a folder: four bars of 4/4, stereo; in the third bar the high part plays alone."""
    frames = round((LEAD_S + 16 * BEAT_S + 1.0) * RATE)
    high, low = np.zeros((2, frames), np.float32), np.zeros((2, frames), np.float32)
    for beat in range(16):
        start_s = LEAD_S + beat * BEAT_S
        _add(high, start_s, HIGH[beat % 8], (1.0, 0.5, 0.3, 0.1), (0.9, 0.5))
        if not 8 <= beat < 12:
            _add(low, start_s, LOW[beat % 8], (1.0, 0.2, 0.6, 0.1, 0.3), (0.4, 0.9))
    audio, score = folder / "duet.wav", folder / "duet.musicxml"
    soundfile.write(audio, (high + low).T, RATE, subtype="FLOAT")
    score.write_text(_musicxml(), encoding="utf-8")
    return Duet(audio, score, (high, low), tuple(LEAD_S + b * BEAT_S for b in range(16)))


def _add(
    stem: NDArray[np.float32], start_s: float, pitch: int, harmonics: tuple[float, ...], sides: tuple[float, float]
) -> None:
    seconds = np.arange(round(BEAT_S * 0.95 * RATE)) / RATE
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    tone = sum(a * np.sin(2 * np.pi * frequency * (k + 1) * seconds) for k, a in enumerate(harmonics))
    shape = np.minimum(1.0, seconds / 0.01) * np.minimum(1.0, (seconds[-1] - seconds) / 0.03) * np.exp(-2 * seconds)
    at = round(start_s * RATE)
    stem[:, at : at + len(seconds)] += np.outer(sides, 0.2 * tone * shape).astype(np.float32)


def _musicxml() -> str:
    parts = "".join(f'<part id="P{i + 1}">{"".join(_measure(i, m) for m in range(4))}</part>' for i in range(2))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><score-partwise version="4.0"><part-list>'
        '<score-part id="P1"><part-name>Flute</part-name></score-part>'
        '<score-part id="P2"><part-name>Cello</part-name></score-part></part-list>' + parts + "</score-partwise>"
    )


def _measure(part: int, measure: int) -> str:
    attributes = (
        "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
        if measure == 0
        else ""
    )
    if part == 1 and measure == 2:
        notes = "<note><rest/><duration>4</duration></note>"
    else:
        pitches = HIGH if part == 0 else LOW
        notes = "".join(_note(pitches[(4 * measure + beat) % 8]) for beat in range(4))
    return f'<measure number="{measure + 1}">{attributes}{notes}</measure>'


def _note(pitch: int) -> str:
    step = STEPS[pitch % 12]
    alter = "<alter>1</alter>" if pitch % 12 in SHARPS else ""
    return (
        f"<note><pitch><step>{step}</step>{alter}<octave>{pitch // 12 - 1}</octave></pitch>"
        "<duration>1</duration><type>quarter</type></note>"
    )
