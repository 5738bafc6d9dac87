"""Performances that depart from their score, rendered with a sound font, and what is true about them.

Scores come from the corpus of music21; fluidsynth plays them. A performance may leave out bars of a part, hold notes on
into a rest, enter late or early, or lack a part altogether. The score file says nothing of it.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 44_100
TAIL_S = 3.0
LEAD_S = 1.0
SOUND_FONTS = ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/soundfonts/FluidR3_GM.sf2")


@dataclass(frozen=True)
class Case:
    """One performance to be made.

    Attributes
    ----------
    work : str
        Name in the corpus of music21.
    programs : tuple of int
        General MIDI program of every part.
    quarters_per_minute : float
    length_s : float
        After which no note begins.
    left_out, held, late, early : float
        How often a bar is left out; a note before a rest is held on; an entry after a rest is late, or early.
    missing : tuple of int
        Parts that the recording lacks.
    block_bars : int
        Every so many bars another set of parts rests, in the score as well; 0 for the score as it is.
    """

    work: str
    programs: tuple[int, ...]
    quarters_per_minute: float
    length_s: float = 70.0
    left_out: float = 0.0
    held: float = 0.0
    late: float = 0.0
    early: float = 0.0
    missing: tuple[int, ...] = ()
    block_bars: int = 0


STRINGS, WINDS, VOICES = (40, 40, 41, 42), (73, 68, 71, 70), (52, 52, 52, 52, 52)
MIXED, BRASS = (40, 71, 65, 70), (56, 60, 57, 58)
CASES = {
    "follows_strings": Case("mozart/k155/movement2", STRINGS, 70),
    "follows_winds": Case("bach/bwv269", WINDS, 80, block_bars=2),
    "left_out_strings": Case("beethoven/opus18no1/movement2", STRINGS, 110, left_out=0.12),
    "left_out_mixed": Case("bach/bwv255", MIXED, 76, left_out=0.15, block_bars=3),
    "left_out_voices": Case("palestrina/kyrie_2", VOICES, 90, left_out=0.12),
    "held_winds": Case("bach/bwv281", WINDS, 76, held=0.7, block_bars=2),
    "held_strings": Case("mozart/k155/movement2", STRINGS, 70, held=0.5),
    "late_early_mixed": Case("bach/bwv347", MIXED, 76, late=0.4, early=0.4, block_bars=2),
    "late_early_strings": Case("haydn/opus74no1/movement3", STRINGS, 60, late=0.4, early=0.3),
    "missing_brass": Case("bach/bwv86.6", BRASS, 76, missing=(2,)),
    "missing_voices": Case("palestrina/kyrie_2", VOICES, 90, missing=(1,)),
    "missing_strings": Case("haydn/opus74no1/movement3", STRINGS, 60, missing=(0,)),
    "all_winds": Case("bach/bwv40.8", WINDS, 72, left_out=0.1, held=0.4, late=0.3, early=0.2, block_bars=2),
    "all_strings": Case("beethoven/opus18no4", STRINGS, 120, left_out=0.1, held=0.4, late=0.3, early=0.2),
}


def make(name: str, folder: Path, case: Case | None = None) -> Path:
    """Render a case into ``folder/name``: mix.wav, score.musicxml, truth.json; returns that folder.

    truth.json: ``{"parts": [names], "notes": [[part, midi, onset_quarter, end_quarter, onset_s, end_s], ...]}``.
    """
    from music21 import converter, corpus

    case = case or CASES[name]
    target = folder / name
    if (target / "truth.json").exists():
        return target
    target.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(sum(map(ord, name)))
    found: Any = corpus.getWork(case.work)
    score: Any = converter.parse(str(found[0] if isinstance(found, list) else found), forceSource=True)
    if hasattr(score, "scores"):
        score = score.scores[0]
    _without_repeats(score)
    if case.block_bars:
        _rest_in_blocks(score, case.block_bars, rng)
    score.write("musicxml", target / "score.musicxml")
    parts = [p.stripTies() for p in converter.parse(target / "score.musicxml", forceSource=True).parts]
    at = _tempo(max(float(p.highestTime) for p in parts), case.quarters_per_minute, rng)
    played = [_performance(part, case, at, rng) for part in parts]
    notes = [
        [i, midi, q0, q1, t0, t1]
        for i, part in enumerate(played)
        if i not in case.missing
        for midi, q0, q1, t0, t1 in part
    ]
    total_s = max(n[5] for n in notes) + TAIL_S
    mix = np.zeros(round(total_s * RATE), np.float32)
    for i, program in zip(range(len(parts)), case.programs * len(parts), strict=False):
        mine = [(n[1], n[4], n[5]) for n in notes if n[0] == i]
        if mine:
            mix += rendered(mine, program, total_s, rng)
    soundfile.write(target / "mix.wav", mix * (0.7 / np.abs(mix).max()), RATE, subtype="FLOAT")
    names = [p.partName or f"part {i}" for i, p in enumerate(parts)]
    (target / "truth.json").write_text(json.dumps({"parts": names, "notes": notes}), encoding="utf-8")
    return target


def _without_repeats(score: Any) -> None:
    for mark in list(score.recurse().getElementsByClass("RepeatMark")):
        mark.activeSite.remove(mark)
    for measure in score.recurse().getElementsByClass("Measure"):
        for side in ("leftBarline", "rightBarline"):
            if "Repeat" in type(getattr(measure, side)).__name__:
                setattr(measure, side, None)


def _rest_in_blocks(score: Any, bars: int, rng: np.random.Generator) -> None:
    """Let a random set of parts rest in every block of bars."""
    from music21 import note

    parts = [list(p.getElementsByClass("Measure")) for p in score.parts]
    for element in score.recurse().notes:
        element.tie = None
    for first in range(0, len(parts[0]), bars):
        kept = rng.permutation(len(parts))[: int(rng.choice([1, 2, 3, len(parts)]))]
        for i, measures in enumerate(parts):
            for measure in measures[first : first + bars] if i not in kept else []:
                for element in list(measure.recurse().notes):
                    if element.duration.isGrace:
                        element.activeSite.remove(element)
                    else:
                        element.activeSite.replace(element, note.Rest(quarterLength=element.quarterLength))


def _tempo(quarters: float, quarters_per_minute: float, rng: np.random.Generator) -> Any:
    """Return the function from quarters to seconds of a tempo that wanders."""
    count = int(np.ceil(quarters)) + 2
    wander = np.convolve(rng.normal(0, 0.1, count + 8), np.ones(9) / 9, "valid")
    rate = quarters_per_minute * np.exp(np.clip(np.cumsum(wander), -0.3, 0.3))
    rate[-4:] *= np.linspace(0.95, 0.6, 4)
    seconds = LEAD_S + np.concatenate([[0], np.cumsum(60 / rate)])
    return lambda q: float(np.interp(q, np.arange(count + 1), seconds))


def _performance(
    part: Any, case: Case, at: Any, rng: np.random.Generator
) -> list[tuple[int, float, float, float, float]]:
    """Play one part: (pitch, onset and end in quarters, onset and end in seconds) of its notes."""
    left_out = [
        (float(m.offset), float(m.offset + m.duration.quarterLength))
        for m in part.getElementsByClass("Measure")
        if rng.random() < case.left_out
    ]
    elements = [n for n in part.flatten().notes if n.quarterLength > 0 and hasattr(n, "pitches")]
    starts = np.array([float(n.offset) for n in elements])
    ends = starts + np.array([float(n.quarterLength) for n in elements])
    notes = []
    for i, n in enumerate(elements):
        q0, q1 = starts[i], ends[i]
        if at(q0) > case.length_s or any(a <= q0 < b for a, b in left_out):
            continue
        t0, t1 = at(q0) + rng.normal(0, 0.015), at(q1) - 0.01 - 0.04 * rng.random()
        rest_before_s = at(q0) - at(ends[:i].max(initial=-1e9)) if i else 0.0
        rest_after_s = at(starts[i + 1]) - at(q1) if i + 1 < len(starts) else TAIL_S
        if rest_after_s > 1.0 and rng.random() < case.held:
            t1 += min(rng.uniform(0.3, 2.0), 0.7 * rest_after_s)
        if rest_before_s > 1.0:
            chance = rng.random()
            if chance < case.late:
                t0 += rng.uniform(0.3, 0.6) * (t1 - t0)
            elif chance < case.late + case.early:
                t0 -= min(rng.uniform(0.2, 1.0), 0.5 * rest_before_s)
        for pitch in n.pitches:
            notes.append((int(pitch.midi), float(q0), float(q1), float(t0), float(max(t1, t0 + 0.06))))
    return _let_go_in_time(notes)


def _let_go_in_time(
    notes: list[tuple[int, float, float, float, float]],
) -> list[tuple[int, float, float, float, float]]:
    """End notes before the same pitch is struck again: the later end would silence the new note."""
    next_s: dict[int, float] = {}
    out = []
    for pitch, q0, q1, t0, t1 in sorted(notes, key=lambda n: n[3], reverse=True):
        out.append((pitch, q0, q1, t0, min(t1, next_s.get(pitch, np.inf) - 0.01)))
        next_s[pitch] = t0
    return sorted((n for n in out if n[4] > n[3]), key=lambda n: n[3])


def rendered(
    notes: list[tuple[int, float, float]],
    program: int,
    total_s: float,
    rng: np.random.Generator,
    is_dry: bool = False,
) -> NDArray[np.float32]:
    """Play notes (pitch, onset, end in seconds) with fluidsynth, in its room or without one; mono."""
    import mido

    font = next((p for p in SOUND_FONTS if Path(p).exists()), None)
    if font is None:
        raise FileNotFoundError("The sound font FluidR3_GM is missing; install fluid-soundfont-gm.")
    events = [(t0, 1, "note_on", p, int(rng.integers(60, 105))) for p, t0, _ in notes]
    events += [(t1, 0, "note_off", p, 0) for p, _, t1 in notes]
    track = mido.MidiTrack([mido.Message("program_change", program=program)])
    ticks = 0
    for second, _, kind, pitch, velocity in sorted(events):
        now = round(second * 1000)
        track.append(mido.Message(kind, note=pitch, velocity=velocity, time=now - ticks))
        ticks = now
    with tempfile.TemporaryDirectory() as work:
        midi, wav = Path(work) / "part.mid", Path(work) / "part.wav"
        # One tick is a millisecond: 1000 ticks to a quarter of one second.
        tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
        mido.MidiFile(tracks=[tempo, track], ticks_per_beat=1000).save(midi)
        command = ["fluidsynth", "-ni", "-q", "-g", "0.6", "-r", str(RATE), "-O", "float", "-T", "wav", "-F", str(wav)]
        room = ["-R", "0", "-C", "0"] if is_dry else []
        subprocess.run([*command, *room, font, str(midi)], check=True, capture_output=True)
        samples, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    out = np.zeros(round(total_s * RATE), np.float32)
    length = min(len(samples), len(out))
    out[:length] = samples[:length].mean(axis=1)
    return out
