"""Recordings that do not hold just their score from the first to the last bar, made by editing others at known times.

Talk, applause, tuning, noise and silence are put in; bars are cut out or played again; the beginning or the end is
missing; another piece stands before and after. What is true about every note is known from the recording edited.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile
from numpy.typing import NDArray

FADE_S = 0.01
# A bar is cut this long before its first note, as an editor would.
BEFORE_BAR_S = 0.04


@dataclass(frozen=True, eq=False)
class Original:
    """A recording whose notes are known.

    Attributes
    ----------
    samples : ndarray [shape=(frames,)], float32
    rate : int
    score : Path
    notes : list of (part, midi, onset_quarter, end_quarter, onset_s, end_s)
    bar_quarter : ndarray [shape=(bars,)], float64
        Where the bars begin in the order of playing.
    """

    name: str
    samples: NDArray[np.float32]
    rate: int
    score: Path
    notes: list[list[float]]
    bar_quarter: NDArray[np.float64]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate

    def bar_s(self, share: float) -> float:
        """Return where the bar begins that is nearest to a share of the music, just before its first note."""
        onset_s, quarter = (np.array([n[k] for n in self.notes]) for k in (4, 2))
        bars_s = [onset_s[(quarter >= q - 1e-3) & (quarter < q + 0.26)].min(initial=np.inf) for q in self.bar_quarter]
        candidates = np.array([b for b in bars_s if np.isfinite(b)])
        wanted = onset_s.min() + share * (onset_s.max() - onset_s.min())
        return max(float(candidates[np.argmin(np.abs(candidates - wanted))]) - BEFORE_BAR_S, 0.0)


@dataclass(frozen=True)
class Music:
    """What is kept of the original, from second to second."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Extra:
    """What is put in: ``speech``, ``applause``, ``tuning``, ``noise``, ``silence`` or ``other`` (another piece)."""

    kind: str
    length_s: float


@dataclass(frozen=True, eq=False)
class Edited:
    """An edited recording and what is true about it.

    Attributes
    ----------
    samples : ndarray [shape=(frames,)], float32
    onsets_s : list of tuple of float
        For every note of the original when it begins; once, twice or not at all.
    extra_s : list of (float, float)
        Stretches that are not of the score, or of the score for the second time.
    tempo : float
        By how much the score's marking is changed.
    """

    samples: NDArray[np.float32]
    rate: int
    onsets_s: list[tuple[float, ...]]
    extra_s: list[tuple[float, float]]
    tempo: float = 1.0


Piece = Music | Extra


def edited(
    original: Original, pieces: list[Piece], seed: int, other: Original | None = None, tempo: float = 1.0
) -> Edited:
    """Put pieces together; music that was heard before counts as both, notes and extra."""
    rng = np.random.default_rng(seed)
    level = float(np.sqrt((original.samples**2).mean()))
    parts: list[NDArray[np.float32]] = []
    onsets: list[list[float]] = [[] for _ in original.notes]
    extra_s, at = [], 0
    for piece in pieces:
        if isinstance(piece, Music):
            first, last = round(piece.start_s * original.rate), round(piece.end_s * original.rate)
            samples = original.samples[max(first, 0) : last].copy()
            for k, note in enumerate(original.notes):
                if piece.start_s <= note[4] < piece.end_s - 0.03:
                    onsets[k].append(at / original.rate + note[4] - max(first, 0) / original.rate)
        else:
            samples = _extra(piece, original.rate, level, rng, other)
            extra_s.append((at / original.rate, (at + len(samples)) / original.rate))
        fade = min(round(FADE_S * original.rate), len(samples) // 2)
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        samples[:fade] *= ramp
        samples[len(samples) - fade :] *= ramp[::-1]
        parts.append(samples)
        at += len(samples)
    return Edited(np.concatenate(parts), original.rate, [tuple(o) for o in onsets], extra_s, tempo)


def _between(original: Original, kind: str, length_s: float) -> list[Piece]:
    middle = original.bar_s(0.5)
    return [Music(0, middle), Extra(kind, length_s), Music(middle, original.duration_s)]


def _cut(original: Original, start: float, end: float) -> list[Piece]:
    return [Music(0, original.bar_s(start)), Music(original.bar_s(end), original.duration_s)]


def _retake(original: Original, stop: float, again: float, talk_s: float, offset_s: float) -> list[Piece]:
    stop_s = original.bar_s(stop) + offset_s
    talk: list[Piece] = [Extra("speech", talk_s)] if talk_s else []
    return [Music(0, stop_s), *talk, Music(original.bar_s(again), original.duration_s)]


def _all(o: Original) -> Music:
    return Music(0, o.duration_s)


EDITS: dict[str, Callable[[Original], list[Piece]]] = {
    "plain": lambda o: [_all(o)],
    "speech before": lambda o: [Extra("speech", 20), _all(o)],
    "tuning before": lambda o: [Extra("tuning", 15), Extra("silence", 2), _all(o)],
    "applause after": lambda o: [_all(o), Extra("applause", 25)],
    "speech between": lambda o: _between(o, "speech", 12),
    "applause between": lambda o: _between(o, "applause", 20),
    "silence between": lambda o: _between(o, "silence", 25),
    "tuning between": lambda o: _between(o, "tuning", 20),
    "noise between": lambda o: _between(o, "noise", 6),
    "short silence": lambda o: _between(o, "silence", 3),
    "bars cut": lambda o: _cut(o, 0.4, 0.6),
    "few bars cut": lambda o: _cut(o, 0.5, 0.6),
    "two cuts": lambda o: [
        Music(0, o.bar_s(0.25)),
        Music(o.bar_s(0.4), o.bar_s(0.65)),
        Music(o.bar_s(0.8), o.duration_s),
    ],
    "starts late": lambda o: [Music(o.bar_s(0.35), o.duration_s)],
    "ends early": lambda o: [Music(0, o.bar_s(0.65))],
    "excerpt": lambda o: [Music(o.bar_s(0.3), o.bar_s(0.7))],
    "played twice": lambda o: _retake(o, 0.6, 0.4, 0, 0),
    "retake": lambda o: _retake(o, 0.5, 0.35, 4, 0.9),
    "movement of a work": lambda o: [Extra("other", 45), Extra("silence", 3), _all(o), Extra("other", 30)],
    "all together": lambda o: [
        Extra("speech", 10),
        Music(o.bar_s(0.1), o.bar_s(0.4)),
        Extra("applause", 12),
        Music(o.bar_s(0.4), o.bar_s(0.6)),
        Music(o.bar_s(0.75), o.duration_s),
        Extra("silence", 8),
    ],
}
# The same with a score whose marking is twice or half as fast.
TEMPI = {"half the tempo, speech between": (2.0, "speech between"), "twice the tempo, bars cut": (0.5, "bars cut")}
NAMES = (*EDITS, *TEMPI)


def make(original: Original, name: str, other: Original | None = None) -> Edited:
    """Make one of the edits `NAMES`."""
    tempo, edit = TEMPI.get(name, (1.0, name))
    return edited(original, EDITS[edit](original), sum(map(ord, original.name + name)), other, tempo)


def load(case: Path, bar_quarter: NDArray[np.float64], score: Path) -> Original:
    """Load a folder with mix.*, score.* and truth.json."""
    mix = next(p for p in sorted(case.iterdir()) if p.stem == "mix")
    samples, rate = soundfile.read(mix, dtype="float32", always_2d=True)
    notes = json.loads((case / "truth.json").read_text(encoding="utf-8"))["notes"]
    return Original(case.name, samples.mean(axis=1), rate, score, notes, bar_quarter)


def _extra(
    piece: Extra, rate: int, level: float, rng: np.random.Generator, other: Original | None
) -> NDArray[np.float32]:
    frames = round(piece.length_s * rate)
    if piece.kind == "silence":
        return rng.normal(0, level * 1e-3, frames).astype(np.float32)
    if piece.kind == "other":
        assert other is not None
        samples = scipy.signal.resample_poly(other.samples, rate, other.rate) if other.rate != rate else other.samples
        start = min(round(2 * rate), max(len(samples) - frames, 0))
        return np.resize(samples[start:], frames).astype(np.float32)
    make_sound = {"speech": speech, "applause": applause, "tuning": tuning, "noise": noise}[piece.kind]
    sound = make_sound(frames, rate, rng)
    return np.asarray(sound * (0.8 * level / np.sqrt((sound**2).mean())), np.float32)


def speech(frames: int, rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Make something like talk: syllables of a gliding voice through wandering formants, hisses, pauses."""
    out = np.zeros(frames)
    at = 0
    while at < frames:
        length = round(rng.uniform(0.12, 0.28) * rate)
        t = np.arange(length) / rate
        shape = np.hanning(length)
        hz = rng.uniform(95, 210) * (1 + rng.uniform(-0.25, 0.25) * t / t[-1])
        phase = np.cumsum(hz) / rate
        voice = scipy.signal.sawtooth(2 * np.pi * phase) + 0.05 * rng.normal(size=length)
        sound = np.zeros(length)
        for formant, gain in zip(rng.uniform((250, 800, 2200), (800, 2200, 3000)), (1, 0.6, 0.3), strict=True):
            b, a = scipy.signal.iirpeak(min(formant, rate * 0.45), 6, fs=rate)
            sound += gain * scipy.signal.lfilter(b, a, voice)
        if rng.random() < 0.4:
            hiss = rng.normal(size=length) * np.hanning(length) * 0.3
            sound += scipy.signal.lfilter(*scipy.signal.butter(2, min(3500 / (rate / 2), 0.9), "high"), hiss)
        stop = min(at + length, frames)
        out[at:stop] += (sound * shape)[: stop - at]
        at += round(length * rng.uniform(0.7, 1.0)) + (
            round(rng.uniform(0.2, 0.8) * rate) if rng.random() < 0.15 else 0
        )
    return out + 1e-4 * rng.normal(size=frames)


def applause(frames: int, rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Make something like applause: hundreds of claps a second, each a short burst of its own colour."""
    out = np.zeros(frames + rate)
    for _ in range(round(200 * frames / rate)):
        length = round(0.03 * rate)
        burst = rng.normal(size=length) * np.exp(-np.arange(length) / (0.006 * rate)) * rng.uniform(0.2, 1)
        at = int(rng.integers(0, frames))
        out[at : at + length] += burst
    band = scipy.signal.butter(2, (500, min(4000, 0.45 * rate)), "band", fs=rate)
    swell = np.minimum(1, np.arange(frames) / (1.5 * rate)) * np.minimum(1, np.arange(frames)[::-1] / (3 * rate))
    return np.asarray(scipy.signal.lfilter(*band, out)[:frames] * (0.05 + swell))


def tuning(frames: int, rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Make something like an ensemble that tunes: an A, and then fifths and fragments that come and go."""
    out = np.zeros(frames)
    for k in range(max(6, round(2.5 * frames / rate))):
        start = 0 if k == 0 else int(rng.integers(0, frames))
        length = min(round(rng.uniform(0.4, 4) * rate), frames - start)
        if length < 100:
            continue
        midi = 69 if k == 0 else rng.choice([55, 62, 69, 69, 76, 57, 50, 74]) + rng.normal(0, 0.15)
        t = np.arange(length) / rate
        hz = 440 * 2 ** ((midi - 69) / 12) * (1 + 0.01 * np.exp(-t))
        wave = np.add.reduce([0.6**h * np.sin(2 * np.pi * (h + 1) * np.cumsum(hz) / rate) for h in range(6)])
        out[start : start + length] += wave * np.minimum(1, t / 0.1) * np.minimum(1, t[::-1] / 0.1)
    return out + 0.02 * rng.normal(size=frames)


def noise(frames: int, rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Make something like a hall: chairs, coughs, pages."""
    out = 0.05 * rng.normal(size=frames)
    for _ in range(max(2, round(1.5 * frames / rate))):
        start = int(rng.integers(0, frames))
        length = min(round(rng.uniform(0.05, 0.6) * rate), frames - start)
        low = rng.uniform(100, 1500)
        band = scipy.signal.butter(1, (low, min(low * 4, 0.45 * rate)), "band", fs=rate)
        burst = scipy.signal.lfilter(*band, rng.normal(size=length)) * np.exp(-np.arange(length) / (0.2 * rate))
        out[start : start + length] += 2 * burst
    return out
