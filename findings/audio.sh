#!/usr/bin/env bash
# Reading an MP3 block by block with python-soundfile gives other samples than reading it in one go, and decoding a chained
# Ogg file with PyAV in one go gives other samples than each of its pieces alone.
#
# Both are read block by block by everybody who does not hold an hour of music in memory, and nobody is told:
# 1. SoundFile.read() seeks to its own new position after every read. A seek empties the bit reservoir of MP3 (frames hold
#    bits of later ones), so the frames behind each block's end are decoded without a part of their bits.
# 2. Radio recorders and joiners write Ogg files of several streams one behind the other (RFC 3533 calls them chained).
#    FFmpeg keeps what Vorbis' decoder gives before it is in swing at each later stream, and ends with an error
#    where the sample rate changes; libsndfile stops at the end of the first stream.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install numpy==2.2.6 soundfile==0.14.0 av==18.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from pathlib import Path

import av
import numpy as np
import soundfile as sf

RATE = 44_100
changed = False


def strokes(frames, channels=1, seed=1):
    """Noise in strokes with rests between; the rests fill the reservoir."""
    rng, at = np.random.default_rng(seed), np.arange(frames)
    shape = np.exp(-(at % 8_820) / 1500) * ((at // 8_820) % 2 == 0)
    return (0.6 * rng.uniform(-1, 1, (frames, channels)) * shape[:, None]).astype(np.float32)


print(f"python-soundfile {sf.__version__}, {sf.__libsndfile_version__}; PyAV {av.__version__}")

sf.write("strokes.mp3", strokes(6 * RATE), RATE, format="MP3", bitrate_mode="VARIABLE", compression_level=0.4)
whole = sf.read("strokes.mp3", dtype="float32")[0]
with sf.SoundFile("strokes.mp3") as file:
    blocks = [file.read(5_000, dtype="float32") for _ in range(-(-file.frames // 5_000))]
blocks = np.concatenate(blocks)
off = float(np.abs(blocks - whole).max()) if len(blocks) == len(whole) else float("inf")
print(f"1. MP3 in blocks of 5000 frames. Good guess: as in one go. Seen: up to {off:.3f} off (full scale is 1).")
changed |= off < 0.01


def decoded(path):
    with av.open(path) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


for name, rate, seed in (("a.ogg", RATE, 1), ("b.ogg", RATE, 2), ("c.ogg", 48_000, 3)):
    sf.write(name, strokes(2 * rate + 777, 2, seed), rate, format="OGG", subtype="VORBIS")
Path("ab.ogg").write_bytes(Path("a.ogg").read_bytes() + Path("b.ogg").read_bytes())
Path("ac.ogg").write_bytes(Path("a.ogg").read_bytes() + Path("c.ogg").read_bytes())
alone = decoded("a.ogg").shape[1] + decoded("b.ogg").shape[1]
chained, first = decoded("ab.ogg").shape[1], sf.info("ab.ogg").frames
print(f"2. Two streams of {alone} frames together. Good guess: so many when chained. Seen: PyAV {chained}, libsndfile {first}.")
try:
    seen = f"{decoded('ac.ogg').shape[1]} frames"
    failed = False
except av.error.FFmpegError as error:
    seen, failed = type(error).__name__, True
print(f"   The second at another rate. Good guess: decoded. Seen: {seen}.")
changed |= chained == alone or first == alone or not failed
sys.exit(changed)
PYTHON
