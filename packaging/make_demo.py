"""Make the built-in demo piece: its score and its recording.

``python packaging/make_demo.py`` writes ``resources/demo/demo.musicxml`` and the recording beside it;
``--score-only`` leaves the recording as it is. ``--truth DIR`` also writes what is only known because the piece is
rendered: the true stems, the mix before compression, and the true times of all notes.

The recording needs the program ``fluidsynth`` and the sound font FluidR3_GM (Debian: ``fluid-soundfont-gm``, MIT
licence). It is the same on every run with the same versions of these.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import mido
import numpy as np
import soundfile
from demo_musicxml import score_xml
from demo_performance import PerformedNote, perform
from demo_piece import PARTS
from numpy.typing import NDArray

Samples = NDArray[np.float64]

DEMO_FOLDER = Path(__file__).resolve().parent.parent / "resources" / "demo"
SCORE_NAME = "demo.musicxml"
RECORDING_NAME = "demo.ogg"
SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
RATE_HZ = 44100
TICKS_PER_S = 10000
TAIL_S = 3.0
PEAK = 0.8
EXPRESSION = 100  # MIDI controller 11 where nothing swells
VORBIS_COMPRESSION = 0.0  # 0 is best, 1 is smallest
BLOCK_FRAMES = 65536
SEED = 1802


@dataclass(frozen=True)
class Seat:
    """Where a player sits and how strongly the part goes into the mix."""

    pan: float  # -1 is left, 1 is right
    gain_db: float


SEATS = (Seat(-0.35, 0.0), Seat(-0.1, 0.0), Seat(0.15, 0.0), Seat(0.4, 0.0))


@dataclass(frozen=True)
class Room:
    """A small room: a few early reflections, then an even decay. Dark at the top as rooms are."""

    decay_s: float = 0.9  # to -60 dB
    predelay_s: float = 0.018
    tail_gain: float = 0.20
    reflections: int = 5
    reflection_gain: float = 0.22
    cutoff_hz: float = 4500.0


def midi_file(notes: list[PerformedNote], program: int) -> mido.MidiFile:
    """One part as MIDI. Inside a note the strength follows the score's hairpin; long notes bloom a little."""
    timed: list[tuple[float, int, mido.Message]] = [(0.0, 0, mido.Message("program_change", program=program))]
    for note in notes:
        timed.append((note.onset_s, 2, mido.Message("note_on", note=note.midi, velocity=note.velocity)))
        timed.append((note.end_s, 0, mido.Message("note_off", note=note.midi)))
        length_s = note.end_s - note.onset_s
        bloom = 0.07 if length_s > 0.9 else 0.0
        for x in np.linspace(0, 1, max(2, int(length_s / 0.03))):
            value = round(EXPRESSION * (1 + (note.fade - 1) * x + bloom * np.sin(np.pi * x)))
            message = mido.Message("control_change", control=11, value=min(127, value))
            timed.append((note.onset_s + x * length_s * 0.98, 1, message))
    track, last_tick = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)]), 0
    for time_s, _, message in sorted(timed, key=lambda entry: entry[:2]):
        tick = round(time_s * TICKS_PER_S)
        track.append(message.copy(time=tick - last_tick))
        last_tick = tick
    return mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_S, tracks=[track])


def evened(notes: list[PerformedNote], program: int, sound_font: Path) -> list[PerformedNote]:
    """Take out the differences in level between the samples of a sound font: up to 7 dB from one note to the next.

    Every pitch is played alone at one velocity and its level compared with the mean. In General MIDI the amplitude
    goes with the square of the velocity.
    """
    pitches = sorted({note.midi for note in notes})
    scale = [PerformedNote(0, midi, 0.0, 0.0, 2.0 * i, 2.0 * i + 1.2, 80, 1.0) for i, midi in enumerate(pitches)]
    tones = play(midi_file(scale, program), sound_font, 2 * RATE_HZ * len(pitches)).reshape(len(pitches), -1)
    level = np.sqrt((tones[:, RATE_HZ // 10 : RATE_HZ] ** 2).mean(axis=1))
    factor = dict(zip(pitches, np.sqrt(np.exp(np.log(level).mean()) / level), strict=True))
    return [replace(note, velocity=min(127, round(note.velocity * factor[note.midi]))) for note in notes]


def play(midi: mido.MidiFile, sound_font: Path, frames: int) -> Samples:
    """Render a part with fluidsynth, dry, one channel of ``frames`` samples."""
    with tempfile.TemporaryDirectory() as folder:
        midi_path, audio_path = f"{folder}/part.mid", f"{folder}/part.wav"
        midi.save(midi_path)
        command = ["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-g", "0.6", "-r", str(RATE_HZ)]
        command += ["-O", "float", "-T", "wav", "-F", audio_path, str(sound_font), midi_path]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        rendered = soundfile.read(audio_path, always_2d=True)[0].mean(axis=1)
    dry = np.zeros(frames)
    dry[: min(frames, len(rendered))] = rendered[:frames]
    return dry


def room_response(room: Room, pan: float, rng: np.random.Generator) -> Samples:
    """Impulse responses from one seat to both channels [shape=(2, frames)]: direct sound, reflections, decay."""
    frames = int(RATE_HZ * (room.predelay_s + room.decay_s * 1.2))
    time_s = np.arange(frames) / RATE_HZ
    frequency_hz = np.fft.rfftfreq(frames, 1 / RATE_HZ)
    colour = (frequency_hz / 150) ** 2 / (1 + (frequency_hz / 150) ** 2) / (1 + (frequency_hz / room.cutoff_hz) ** 2)
    response = np.zeros((2, frames))
    for channel, angle in enumerate((0.0, np.pi / 2)):
        tail = np.fft.irfft(np.fft.rfft(rng.normal(size=frames)) * colour, frames)
        tail *= 10 ** (-3 * time_s / room.decay_s) * np.clip((time_s - room.predelay_s) / 0.015, 0, 1)
        response[channel] = tail * room.tail_gain / np.sqrt((tail**2).sum())
        for delay_s in rng.uniform(0.007, 0.035, room.reflections):
            response[channel, int(delay_s * RATE_HZ)] += (
                rng.choice([-1, 1]) * room.reflection_gain * 0.012 / (0.012 + delay_s)
            )
        response[channel, 0] = np.cos((pan + 1) * np.pi / 4 - angle)
    return response


def in_room(dry: Samples, response: Samples) -> Samples:
    """Convolve a dry part with the responses of its seat; the answer is (2, frames) like the dry part."""
    size = 1 << (len(dry) + response.shape[1]).bit_length()
    spectrum = np.fft.rfft(dry, size)
    return np.stack([np.fft.irfft(spectrum * np.fft.rfft(one, size), size)[: len(dry)] for one in response])


def render(notes: list[PerformedNote], sound_font: Path) -> Samples:
    """All stems [shape=(parts, 2, frames)], scaled so that their sum peaks at ``PEAK``."""
    frames = int(RATE_HZ * (max(note.end_s for note in notes) + TAIL_S))
    rng, stems = np.random.default_rng(SEED), []
    for index, (part, seat) in enumerate(zip(PARTS, SEATS, strict=True)):
        own = [note for note in notes if note.part_index == index]
        own = evened(own, part.midi_program, sound_font)
        dry = play(midi_file(own, part.midi_program), sound_font, frames)
        stems.append(in_room(dry * 10 ** (seat.gain_db / 20), room_response(Room(), seat.pan, rng)))
    fade = np.clip(np.arange(frames, 0, -1) / (0.5 * RATE_HZ), 0, 1)
    scaled = np.stack(stems) * fade
    return np.asarray(scaled * PEAK / np.abs(scaled.sum(axis=0)).max())


def write_recording(path: Path, mix: Samples) -> None:
    """Write the mix as Ogg Vorbis, block by block: libsndfile overflows the stack on one large block."""
    with soundfile.SoundFile(
        path, "w", RATE_HZ, 2, format="OGG", subtype="VORBIS", compression_level=VORBIS_COMPRESSION
    ) as file:
        for start in range(0, mix.shape[1], BLOCK_FRAMES):
            file.write(mix[:, start : start + BLOCK_FRAMES].T)


def write_truth(folder: Path, notes: list[PerformedNote], stems: Samples) -> None:
    """Write the true stems, their sum, the score, and the true times of the notes."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, stem in enumerate(stems):
        soundfile.write(folder / f"stem{index}.wav", stem.T, RATE_HZ, subtype="FLOAT")
    soundfile.write(folder / "mix.wav", stems.sum(axis=0).T, RATE_HZ, subtype="FLOAT")
    (folder / "score.musicxml").write_bytes(score_xml())
    rows = [[n.part_index, n.midi, n.onset_quarter, n.end_quarter, n.onset_s, n.end_s] for n in notes]
    names, programs = [part.name for part in PARTS], [part.midi_program for part in PARTS]
    truth = {"work": "The Ash Grove", "parts": names, "programs": programs, "notes": rows}
    (folder / "truth.json").write_text(json.dumps(truth))


def main() -> None:
    """Write the score, and unless told otherwise the recording."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description="Make the built-in demo piece.")
    parser.add_argument("--out", type=Path, default=DEMO_FOLDER, help="folder for score and recording")
    parser.add_argument("--score-only", action="store_true", help="write the score, leave the recording as it is")
    parser.add_argument("--truth", type=Path, metavar="DIR", help="write true stems and note times there as well")
    parser.add_argument("--sound-font", type=Path, default=SOUND_FONT, help="General MIDI sound font (SF2)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / SCORE_NAME).write_bytes(score_xml())
    if options.score_only:
        return
    notes = perform(SEED)
    stems = render(notes, options.sound_font)
    write_recording(options.out / RECORDING_NAME, stems.sum(axis=0))
    if options.truth:
        write_truth(options.truth, notes, stems)
    print(f"{len(notes)} notes, {stems.shape[2] / RATE_HZ:.1f} s, in {options.out}")


if __name__ == "__main__":
    main()
