"""How well single notes are told apart, where it is known what every one of them sounds like.

    python tests/benchmarks/notes.py CASE ... [--engine nmf] [--budget preview] [--jitter 0.015] [--seconds 24]

A CASE folder holds truth.json. Its notes are played anew by fluidsynth, each by itself and without reverberation, and
added up to stems and to a recording, which is separated. Onsets and ends are told to the program with an error of
`--jitter` seconds (standard deviation). Printed as Markdown: the median over all notes of the scale-invariant SDR in
dB, taken out of the true stems and out of the separated ones, each beside cutting the stem at the note's times; and
the mean SI-SDR of the separated stems, which bounds what can be reached there.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from performances import RATE, rendered
from stem_metrics import si_sdr_db

from scoresep.engines.separation import BUDGETS, SeparationOptions, make_engine
from scoresep.engines.separation.note_sounds import learn_tones, note_sounds
from scoresep.model.alignment import SoundingNotes
from scoresep.model.audio import ArraySource
from scoresep.progress import Progress

APART_S = 1.6  # notes that lie so far apart are played in one go
EARLY_S, RING_S = 0.05, 1.4
FADE_S = 0.01

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """Notes (part, pitch, onset and end in seconds) with the sound of each, and where it begins."""

    notes: NDArray[np.float64]
    starts: list[int]
    sounds: list[Samples]
    frames: int

    @property
    def parts(self) -> int:
        return int(self.notes[:, 0].max()) + 1

    @property
    def stems(self) -> Samples:
        """The sums of the notes, shape (parts, frames)."""
        stems = np.zeros((self.parts, self.frames), np.float32)
        for note, start, sound in zip(self.notes, self.starts, self.sounds, strict=True):
            stems[int(note[0]), start : start + len(sound)] += sound
        return stems


def made(folder: Path, seconds: float) -> Case:
    """Play the notes of a case."""
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    rows = [[n[0], n[1], n[4], n[5]] for n in truth["notes"] if n[5] < seconds - 2.0]
    notes, starts, sounds, rng = [], [], [], np.random.default_rng(0)
    for part in sorted({int(row[0]) for row in rows}):
        for lane in _apart(sorted((row for row in rows if row[0] == part), key=lambda row: row[2])):
            played = [(int(pitch), onset, end) for _, pitch, onset, end in lane]
            samples = rendered(played, truth["programs"][part], seconds, rng, is_dry=True)
            for row in lane:
                start, stop = max(round((row[2] - EARLY_S) * RATE), 0), round((row[3] + RING_S) * RATE)
                notes.append(row)
                starts.append(start)
                sounds.append(samples[start:stop])
    case = Case(np.array(notes, np.float64), starts, sounds, round(seconds * RATE))
    gain = 0.5 / np.abs(case.stems.sum(0)).max()
    return Case(case.notes, starts, [np.float32(gain) * sound for sound in sounds], case.frames)


def _apart(rows: list[list[float]]) -> list[list[list[float]]]:
    lanes: list[list[list[float]]] = []
    for row in rows:
        lane = next((lane for lane in lanes if row[2] - lane[-1][3] > APART_S), None)
        if lane is None:
            lanes.append(lane := [])
        lane.append(row)
    return lanes


def told(case: Case, jitter_s: float) -> SoundingNotes:
    """Return the notes as the program is told of them."""
    errors = np.random.default_rng(1).normal(0.0, jitter_s, (2, len(case.notes)))
    onset = np.round((case.notes[:, 2] + errors[0]) * RATE).astype(np.int64)
    offset = np.maximum(np.round((case.notes[:, 3] + errors[1]) * RATE).astype(np.int64), onset + RATE // 20)
    columns = (case.notes[:, 0].astype(np.int32), case.notes[:, 1], onset, offset)
    return SoundingNotes(*columns, np.ones(len(onset), np.float32), case.parts, (None,) * case.parts)


def per_note(case: Case, notes: SoundingNotes, stems: Samples, is_gated: bool) -> list[float]:
    """Take every note out of its stem, and hold it against the truth."""
    figures = []
    for part, stem in enumerate(stems):
        mine = np.flatnonzero(notes.stem_index == part)
        own = SoundingNotes(
            np.zeros(len(mine), np.int32),
            *(c[mine] for c in (notes.pitch_midi, notes.onset_frame, notes.offset_frame, notes.confidence)),
            1,
        )
        found = _gated(stem, own) if is_gated else _taken_out(stem, own)
        for index, (start, samples) in enumerate(found):
            true = case.sounds[mine[index]]
            estimate, shift = np.zeros_like(true), start - case.starts[mine[index]]
            low, high = max(shift, 0), min(shift + len(samples), len(true))
            estimate[low:high] = samples[low - shift : high - shift]
            figures.append(si_sdr_db(estimate, true))
    return figures


def _taken_out(stem: Samples, notes: SoundingNotes) -> list[tuple[int, Samples]]:
    source = ArraySource(stem[None], RATE)
    tones = learn_tones(source, notes, Progress())
    made = {s.index: s for s in note_sounds(source, notes, range(len(notes)), tones, Progress())}
    return [(made[i].start_frame, made[i].samples[0]) for i in range(len(notes))]


def _gated(stem: Samples, notes: SoundingNotes) -> list[tuple[int, Samples]]:
    fade, found = round(FADE_S * RATE), []
    for onset, offset in zip(notes.onset_frame.tolist(), notes.offset_frame.tolist(), strict=True):
        start = max(onset, 0)
        samples = stem[start:offset].copy()
        count = min(fade, len(samples) // 2)
        samples[:count] *= np.linspace(0.0, 1.0, count, dtype=np.float32)
        samples[len(samples) - count :] *= np.linspace(1.0, 0.0, count, dtype=np.float32)
        found.append((start, samples))
    return found


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", type=Path, metavar="CASE")
    parser.add_argument("--engine", default="nmf")
    parser.add_argument("--budget", default="preview", choices=BUDGETS)
    parser.add_argument("--jitter", type=float, default=0.015)
    parser.add_argument("--seconds", type=float, default=24.0)
    options = parser.parse_args()
    heads = ("notes", "true stems: by time", "true stems", "stems, mean", "separated: by time", "separated", "s / stem")
    print("| case | " + " | ".join(heads) + " |\n|---" + "|---" * len(heads) + "|", flush=True)
    everything: list[tuple[list[float], ...]] = []
    for folder in options.cases:
        case = made(folder, options.seconds)
        notes, truth = told(case, options.jitter), case.stems
        source = ArraySource(truth.sum(0)[None], RATE)
        engine_options = SeparationOptions("cpu", options.budget)
        learned = make_engine(options.engine).fit(source, notes, engine_options, Progress())
        separated = learned.separate(source, notes, 0, source.frames, Progress())[:, 0]
        began_s = time.process_time()
        of_true = per_note(case, notes, truth, False)
        spent_s = (time.process_time() - began_s) / case.parts
        of_separated = per_note(case, notes, separated, False)
        row = (per_note(case, notes, truth, True), of_true, per_note(case, notes, separated, True), of_separated)
        everything.append(row)
        whole = np.mean([si_sdr_db(a, b) for a, b in zip(separated, truth, strict=True)])
        medians = [f"{np.median(figures):.1f}" for figures in row]
        cells = (str(len(case.notes)), *medians[:2], f"{whole:.1f}", *medians[2:], f"{spent_s:.2f}")
        print(f"| {folder.name} | " + " | ".join(cells) + " |", flush=True)
    all_notes = [f"{np.median(np.concatenate([row[i] for row in everything])):.1f}" for i in range(4)]
    count = sum(len(row[0]) for row in everything)
    print(f"| all | {count} | {all_notes[0]} | {all_notes[1]} | | {all_notes[2]} | {all_notes[3]} | |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
