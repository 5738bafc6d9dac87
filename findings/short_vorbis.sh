#!/usr/bin/env bash
# An Ogg Vorbis file that is shorter than about a tenth of a second has another length for every decoder. libsndfile
# writes 1024 or 3000 frames and reads as many; FFmpeg (PyAV) makes 896 and 3072 of them: it starts after the first block
# and does not cut the end where all of the sound lies in the first page, whose granule position says where it ends. From
# two pages on both agree. Single notes and drum samples are that short.
# A good guess: the granule position of the last page makes Vorbis exact to the frame, whatever the length.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check soundfile==0.14.0 av==18.1.0 numpy
"$folder/venv/bin/python" -W ignore - "$folder/x.ogg" <<'PY'
import sys
import av, numpy as np, soundfile

lengths, path = (256, 1024, 3000, 44100), sys.argv[1]
by_libsndfile, by_ffmpeg = [], []
for frames in lengths:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (frames, 2))
    soundfile.write(path, noise, 44100, format="OGG", subtype="VORBIS")
    by_libsndfile.append(len(soundfile.read(path)[0]))
    with av.open(path) as file:
        by_ffmpeg.append(sum(frame.samples for frame in file.decode(audio=0)))
print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__, "PyAV", av.__version__)
print("expected: both", list(lengths))
print("seen:     libsndfile", by_libsndfile, "FFmpeg", by_ffmpeg)
sys.exit(0 if by_libsndfile == list(lengths) and by_ffmpeg[:3] != list(lengths)[:3] and by_ffmpeg[3] == 44100 else 1)
PY
