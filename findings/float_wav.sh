#!/usr/bin/env bash
# The same samples written twice as 32-bit float WAV by soundfile are not the same file: libsndfile adds a PEAK chunk with
# the time of writing, in whole seconds. Content hashes, caches, duplicate finders and tests that compare bytes see two
# files. RF64 of the same samples has no such chunk and stays the same, 24-bit WAV too; AIFF with float samples changes.
# A good guess: equal samples and settings give equal bytes, or all float containers behave alike.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check soundfile==0.14.0
"$folder/venv/bin/python" -W ignore - <<'PY'
import io, sys, time
import numpy as np, soundfile

samples = np.sin(np.arange(1000) / 10).astype(np.float32)


def written(container, subtype):
    stream = io.BytesIO()
    soundfile.write(stream, samples, 48000, format=container, subtype=subtype)
    return stream.getvalue()


kinds = [("WAV", "FLOAT"), ("AIFF", "FLOAT"), ("RF64", "FLOAT"), ("WAV", "PCM_24")]
first = [written(*kind) for kind in kinds]
time.sleep(1.5)
second = [written(*kind) for kind in kinds]
same = [a == b for a, b in zip(first, second)]
peaks = [b"PEAK" in a for a in first]
print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
print("expected: equal bytes for", kinds)
print("seen:     equal", same, "with a PEAK chunk", peaks)
sys.exit(0 if same == [False, False, True, True] and peaks == [True, True, False, False] else 1)
PY
