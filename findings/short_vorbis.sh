#!/usr/bin/env bash
# An Ogg Vorbis file whose sound fits into one page has another length for every decoder: a tenth of a second of noise, or
# five seconds of silence. libsndfile writes 1024, 3000 or (silent) 250,000 frames and reads as many; FFmpeg (PyAV) makes
# 896, 3072 and 249,872 of them: it starts after the first block, and does not cut the end by the granule position of the
# page. From two pages on both agree. Single notes, drum samples and rests are that short.
# A good guess: the granule position of the last page makes Vorbis exact to the frame, whatever the length.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check soundfile==0.14.0 av==18.1.0 numpy
"$folder/venv/bin/python" -W ignore - "$folder/x.ogg" <<'PY'
import sys
import av, numpy as np, soundfile

lengths, path = (256, 1024, 3000, 44100, 250_000), sys.argv[1]
by_libsndfile, by_ffmpeg = [], []
for frames in lengths:
    loudness = 0.3 if frames < 100_000 else 0.0
    noise = np.random.default_rng(0).uniform(-loudness, loudness, (frames, 2))
    soundfile.write(path, noise, 44100, format="OGG", subtype="VORBIS")
    by_libsndfile.append(len(soundfile.read(path)[0]))
    with av.open(path) as file:
        by_ffmpeg.append(sum(frame.samples for frame in file.decode(audio=0)))
print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__, "PyAV", av.__version__)
print("expected: both", list(lengths))
print("seen:     libsndfile", by_libsndfile, "FFmpeg", by_ffmpeg)
is_as_seen = by_libsndfile == list(lengths) and by_ffmpeg == [128, 896, 3072, 44100, 249_872]
sys.exit(0 if is_as_seen else 1)
PY
