#!/usr/bin/env bash
# librosa.stft is a Fourier transform by NumPy, and yet the first call in an installation takes a quarter of a minute of
# CPU: its utilities hold a few functions that numba compiles when they are imported, whatever is called. The result is
# kept in __pycache__ beside librosa, so that the second process is quick; where several start at once, each compiles, and
# where that folder cannot be written (or an image of a container is started anew), every one does. Later processes still
# pay two seconds of CPU for imports alone, most of it scipy.signal and with it scipy.stats.
# A good guess: stft costs what its FFTs cost, and only functions that are called are compiled.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check librosa==0.11.0 numba==0.68.1 numpy==2.4.6 scipy==1.17.1
cat > "$folder/first.py" <<'PY'
import sys, time

start_s = time.process_time()
import librosa
import numpy as np

samples = np.zeros(4096, np.float32)
librosa.stft(samples)
first_s = time.process_time() - start_s
start_s = time.process_time()
librosa.stft(samples)
print(f"{first_s:.2f} {time.process_time() - start_s:.4f} {'scipy.stats' in sys.modules}")
PY
seen() { "$folder/venv/bin/python" -W ignore "$folder/first.py"; }
one=$(seen) two=$(seen)
echo "librosa 0.11.0: CPU seconds of import and first call, of the second call, whether scipy.stats was loaded"
echo "expected: the same in every process, hundredths of a second, False"
echo "seen:     first process $one, second process $two"
"$folder/venv/bin/python" - "$one" "$two" <<'PY'
import sys

(first, call, stats), (second, _, _) = (line.split() for line in sys.argv[1:])
is_as_seen = float(first) > 2 * float(second) and float(second) > 20 * float(call) and stats == "True"
sys.exit(0 if is_as_seen else 1)
PY
