#!/usr/bin/env bash
# A MIDI file may count ticks of film frames (SMPTE division) instead of parts of a quarter note. mido reads the
# division as a negative number of ticks per beat and goes on counting with it: seconds come out negative, and tempo
# events, which say nothing there, change them. Programs that take note times from mido (pretty_midi among them) fail
# on such files or read them backwards. It matters wherever scores and performances meet film, which is where these
# files come from. A good guess: two notes of half a second at 25 frames of 40 ticks last 1 s.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check mido==1.3.3
"$folder/venv/bin/python" - "$folder/film.mid" <<'PY'
import importlib.metadata, struct, sys
import mido

events = b"".join(bytes([0, 0x90, key, 80, 0x83, 0x74, 0x80, key, 0]) for key in (60, 62)) + b"\0\xff\x2f\0"
file = b"MThd" + struct.pack(">IHHbB", 6, 0, 1, -25, 40) + b"MTrk" + struct.pack(">I", len(events)) + events
with open(sys.argv[1], "wb") as out:
    out.write(file)
midi = mido.MidiFile(sys.argv[1])
print("mido", importlib.metadata.version("mido"))
print("expected: 1.0 s (1000 ticks at 25 frames of 40 ticks)")
print(f"seen:     {midi.length:.4f} s, ticks_per_beat {midi.ticks_per_beat}")
sys.exit(0 if midi.length < 0 else 1)
PY
