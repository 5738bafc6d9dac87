"""Train the onset network of the aligner: render scores with known note times, cut patches, fit, write the weights.

    python packaging/onset_training.py render FOLDER --pieces 300
    python packaging/onset_training.py fit FOLDER -o resources/alignment/onset_network.npz

Pieces are scores of music21's corpus, without the works that the benchmark uses. Each part is played by fluidsynth and
the FluidR3 sound font (MIT) or by additive synthesis of our own, with free tempo, notes that are not quite together,
passages left out, rooms and noise. Needs fluidsynth, fluid-soundfont-gm and the development environment. No recording
of players is used. The weights that are shipped came from 150 pieces and 6 epochs of a forerunner of this script, which
drew from more composers and programs and also from random scores: another run gives similar weights, not the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mido
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import fftconvolve

from scoresep.engines.alignment.onset_detection import (
    CHANNELS,
    DILATIONS,
    FRAMES,
    HALF_WIDTH,
    TAPS,
    PlacedNotes,
    onset_spectrogram,
    patches,
)
from scoresep.engines.features import ONSET_SCALE, TONAL_SCALE, estimate_tuning_cents, pitch_spectra
from scoresep.model.audio import ArraySource

RATE = 44100
LENGTH_S = 55.0
WIDTH = 32
SOUND_FONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
COMPOSERS = (
    "bach",
    "palestrina",
    "monteverdi",
    "beethoven",
    "haydn",
    "mozart",
    "corelli",
    "handel",
    "joplin",
    "schubert",
)
BENCHMARK = ("bwv269", "bwv347", "bwv40.8", "bwv84.5", "bwv281", "bwv255", "opus74no1", "k80", "madrigal.4.3")
PROGRAMS = (0, 6, 19, 24, 32, 40, 41, 42, 45, 48, 52, 53, 56, 57, 58, 60, 65, 66, 68, 70, 71, 73)


@dataclass(frozen=True)
class Note:
    """A note as played; `is_there` is False for one that only the score has."""

    part: int
    midi: int
    quarter: float
    start_s: float
    end_s: float
    is_there: bool


def corpus_scores() -> list[Path]:
    """Return the scores to learn from."""
    from music21 import corpus

    paths = [Path(str(p)) for composer in COMPOSERS for p in corpus.getComposer(composer)]
    return sorted(p for p in paths if not any(name in str(p) for name in BENCHMARK))


def played(path: Path, rng: np.random.Generator) -> list[Note]:
    """Read a score and decide when everything is played."""
    from scoresep.files.scores import read_score
    from scoresep.model.path import performance_path, unfold

    score = read_score(path)
    notes = unfold(score, performance_path(score)[0]).notes
    quarters_s = 60 / np.exp(rng.uniform(np.log(45), np.log(150)))
    drift = gaussian_filter1d(np.cumsum(rng.normal(0, 0.05, int(notes.onset_quarter.max()) + 64)), 2.0)
    beat_s = np.concatenate([[0.0], np.cumsum(quarters_s * np.exp(np.clip(drift - drift.mean(), -0.4, 0.4)))])
    together_s = np.exp(rng.uniform(np.log(0.004), np.log(0.035)))
    leaves = 0.1 if rng.random() < 0.5 else 0.0
    absent = rng.random((int(notes.part_index.max()) + 1, len(beat_s) // 4 + 1)) < leaves
    rows = []
    for part, onset, length, pitch in zip(
        notes.part_index.tolist(), notes.onset_quarter, notes.duration_quarter, notes.pitch_midi, strict=True
    ):
        start_s, end_s = np.interp([onset, onset + length], np.arange(len(beat_s)), beat_s) + 1.0
        if length > 0 and np.isfinite(pitch) and 21 <= pitch <= 108 and start_s < LENGTH_S:
            start_s += rng.normal(0, together_s)
            end_s = max(end_s - 0.01 - 0.04 * rng.random(), start_s + 0.06)
            there = not absent[part, int(onset) // 4]
            rows.append(Note(part, round(float(pitch)), float(onset), float(start_s), float(end_s), there))
    return rows


def through_fluidsynth(notes: list[Note], program: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Play one part with a sound font."""
    file = mido.MidiFile(ticks_per_beat=960)
    track = mido.MidiTrack()
    file.tracks.append(track)
    events = [(n.start_s, 1, n.midi) for n in notes] + [(n.end_s, 0, n.midi) for n in notes]
    track.append(mido.Message("program_change", program=program, time=0))
    last = 0
    for second, is_on, midi in sorted(events):
        tick = round(second * 1920)
        kind = "note_on" if is_on else "note_off"
        track.append(mido.Message(kind, note=midi, velocity=int(rng.integers(57, 108)), time=tick - last))
        last = tick
    with tempfile.TemporaryDirectory() as folder:
        midi_file, wav = f"{folder}/a.mid", f"{folder}/a.wav"
        file.save(midi_file)
        command = ["fluidsynth", "-ni", "-q", "-g", "0.6", "-r", str(RATE), "-O", "float", "-T", "wav", "-F", wav]
        subprocess.run(
            [*command, SOUND_FONT, midi_file], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return np.asarray(soundfile.read(wav, dtype="float32", always_2d=True)[0].mean(axis=1))


def through_addition(notes: list[Note], rng: np.random.Generator) -> NDArray[np.float32]:
    """Play one part by additive synthesis with a random tone: attack, decay, brightness, vibrato."""
    samples = np.zeros(round((max(n.end_s for n in notes) + 1.5) * RATE), np.float32)
    attack_s, release_s = np.exp(rng.uniform(np.log([0.004, 0.02]), np.log([0.16, 0.3])))
    decay_s = rng.uniform(0.2, 6.0) if rng.random() < 0.4 else 1e9
    size = np.arange(1, 25.0) ** -rng.uniform(0.5, 2.2) * np.exp(rng.normal(0, 0.6, 24))
    depth = rng.uniform(0, 0.5) if rng.random() < 0.5 else 0.0
    for note in notes:
        time_s = np.arange(round((note.end_s - note.start_s + 4 * release_s) * RATE)) / RATE
        bend = depth * np.sin(2 * np.pi * 5.7 * time_s) * np.clip((time_s - 0.15) / 0.3, 0, 1)
        hz = 440 * 2 ** ((note.midi - 69 + bend) / 12)
        phase = 2 * np.pi * np.cumsum(hz) / RATE
        count = int(min(len(size), 14000 // hz[0]))
        wave = sum(size[k] * np.sin((k + 1) * phase) for k in range(count))
        after_s = np.maximum(time_s - (note.end_s - note.start_s), 0)
        shape = np.clip(time_s / attack_s, 0, 1) * np.exp(-time_s / decay_s - after_s / release_s)
        at = max(round(note.start_s * RATE), 0)
        part = np.asarray(wave * shape, np.float32)[: len(samples) - at]
        samples[at : at + len(part)] += part
    return samples


def render(folder: Path, pieces: int) -> None:
    """Render pieces and keep their spectra and notes."""
    folder.mkdir(parents=True, exist_ok=True)
    scores = corpus_scores()
    for seed in range(pieces):
        rng = np.random.default_rng(seed)
        target = folder / f"{seed:05d}.npz"
        if target.exists():
            continue
        try:
            notes = played(scores[int(rng.integers(len(scores)))], rng)
        except Exception as error:  # a score that cannot be read is left out
            print(seed, error, file=sys.stderr)
            continue
        mix = np.zeros(round((LENGTH_S + 12) * RATE), np.float32)
        for part in sorted({n.part for n in notes if n.is_there}):
            mine = [n for n in notes if n.part == part and n.is_there]
            own = rng.random() < 0.3
            sound = through_addition(mine, rng) if own else through_fluidsynth(mine, int(rng.choice(PROGRAMS)), rng)
            sound = sound[: len(mix)]
            mix[: len(sound)] += sound / (np.sqrt((sound**2).mean()) + 1e-9) * 10 ** (rng.normal(0, 4) / 20)
        source = ArraySource(in_a_room(mix, rng)[None], RATE)
        tonal, onset = pitch_spectra(source, (TONAL_SCALE, ONSET_SCALE), estimate_tuning_cents(source))
        rows = np.array([(n.midi, n.quarter, n.start_s, n.end_s, n.is_there) for n in notes])
        np.savez(target, tonal=tonal.astype(np.float32), onset=onset.astype(np.float32), notes=rows)


def in_a_room(mix: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Add reverberation and noise to some pieces."""
    if rng.random() < 0.55:
        decay_s = np.exp(rng.uniform(np.log(0.2), np.log(2.2)))
        tail = rng.normal(size=round(RATE * decay_s)) * 10 ** (-3 * np.linspace(0, 1, round(RATE * decay_s)))
        tail /= np.sqrt((tail**2).sum())
        mix = np.asarray(mix + rng.uniform(0.1, 0.6) * fftconvolve(mix, tail)[: len(mix)], np.float32)
    mix = np.asarray(mix / np.sqrt((mix**2).mean()) * 0.1, np.float32)
    if rng.random() < 0.5:
        mix = np.asarray(mix + rng.normal(0, 0.1 * 10 ** (rng.uniform(-60, -30) / 20), len(mix)), np.float32)
    return np.asarray(mix, np.float32)


def examples(path: Path, rng: np.random.Generator) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Cut patches around places that are wrong as a first alignment is; where the onsets lie (NaN: absent)."""
    with np.load(path) as piece:
        observed, notes = onset_spectrogram(piece["onset"], piece["tonal"]), piece["notes"]
    quarter, event = np.unique(np.round(notes[:, 1], 3), return_inverse=True)
    event_s = np.bincount(event, notes[:, 2]) / np.bincount(event)
    drift = gaussian_filter1d(rng.normal(0, 1, len(quarter)), 4)
    wrong_s = drift * rng.uniform(0, 0.06) / (drift.std() + 1e-9) + rng.normal(
        0, rng.uniform(0.005, 0.035), len(quarter)
    )
    placed_s = np.maximum.accumulate(event_s + wrong_s)[event]
    end_s = np.maximum(placed_s + notes[:, 3] - notes[:, 2], placed_s + 0.05)
    count = len(notes)
    shift_s = np.where(rng.random(count) < 0.5, rng.uniform(-0.33, 0.33, count), rng.normal(0, 0.05, count))
    placed = PlacedNotes(notes[:, 0].astype(np.int64), placed_s, end_s)
    order = np.argsort(placed_s)
    cut = np.empty((count, FRAMES, CHANNELS), np.float16)
    for which in np.array_split(order, max(count // 200, 1)):
        cut[which] = patches(observed, placed, which, shift_s[which])
    rate = ONSET_SCALE.frame_rate_hz
    target = notes[:, 2] * rate - np.rint((placed_s + shift_s) * rate) + HALF_WIDTH
    target[notes[:, 4] == 0] = np.nan
    usable = np.isnan(target) | ((target > 3) & (target < FRAMES - 4))
    return cut[usable], target[usable].astype(np.float32)


class Network(torch.nn.Module):
    """The network of `onset_network`, as torch trains it."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.layers = torch.nn.ModuleList(
            torch.nn.Conv1d(WIDTH if i else CHANNELS, WIDTH, TAPS, padding=TAPS // 2 * d, dilation=d)
            for i, d in enumerate(DILATIONS)
        )
        self.o1, self.o2 = torch.nn.Conv1d(WIDTH, WIDTH, 1), torch.nn.Conv1d(WIDTH, 1, 1)
        self.n1, self.n2 = torch.nn.Linear(2 * WIDTH, 16), torch.nn.Linear(16, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return scores (notes, FRAMES + 1) of patches (notes, FRAMES, CHANNELS)."""
        hidden = ((x - self.mean) * self.scale).transpose(1, 2)
        for i, layer in enumerate(self.layers):
            hidden = torch.relu(layer(hidden)) + (hidden if i else 0)
        gated = torch.relu(self.o1(hidden))
        frames = self.o2(gated)[:, 0]
        pooled = torch.cat([(gated * frames.softmax(1)[:, None]).sum(2), gated.mean(2)], 1)
        return torch.cat([frames, self.n2(torch.relu(self.n1(pooled)))], 1)

    def arrays(self) -> dict[str, Any]:
        """Return the weights under the names that `onset_network` reads."""
        found = {"mean": self.mean.numpy(), "scale": self.scale.numpy()}
        weights = self.state_dict()
        for i in range(len(DILATIONS)):
            found[f"kernel{i}"] = weights[f"layers.{i}.weight"].numpy().transpose(2, 1, 0)
            found[f"bias{i}"] = weights[f"layers.{i}.bias"].numpy()
        for name in ("o1", "o2", "n1", "n2"):
            head = getattr(self, name)
            found[name] = head.weight.detach().numpy().reshape(head.weight.shape[:2]).T
            found[name + "b"] = head.bias.detach().numpy()
        return found


def fit(folder: Path, target: Path, epochs: int) -> None:
    """Train on all rendered pieces and write the weights."""
    torch.manual_seed(0)
    pieces = [examples(path, np.random.default_rng(i)) for i, path in enumerate(sorted(folder.glob("*.npz")))]
    cut = torch.from_numpy(np.concatenate([piece[0] for piece in pieces]))
    place = torch.from_numpy(np.concatenate([piece[1] for piece in pieces]))
    some = cut[::7].float()
    network = Network(some.mean((0, 1)), 1 / some.std((0, 1)).clamp(min=0.05))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
    batches = max(len(cut) // 256, 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * batches)
    for epoch in range(epochs):
        total = 0.0
        for index in torch.randperm(len(cut)).chunk(batches):
            x = cut[index].float()
            x[..., :24] += torch.randn(len(x), 1, 1) * 0.3 + torch.randn(len(x), 1, 24) * 0.15  # level and colour
            near = torch.exp(-0.5 * ((torch.arange(FRAMES) - place[index, None]) / 0.8) ** 2)
            is_absent = place[index].isnan()
            near = torch.where(is_absent[:, None], 0.0, near / near.sum(1, keepdim=True))
            wanted = torch.cat([near, is_absent[:, None].float()], 1)
            loss = -(wanted * network(x).log_softmax(1)).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        print(f"epoch {epoch}: {total / batches:.4f} over {len(cut)} notes")
    np.savez(target, **network.arrays())


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("render", "fit"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pieces", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("-o", "--output", type=Path, default=Path("resources/alignment/onset_network.npz"))
    given = parser.parse_args()
    if given.step == "render":
        render(given.folder, given.pieces)
    else:
        fit(given.folder, given.output, given.epochs)


if __name__ == "__main__":
    main()
