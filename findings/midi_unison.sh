#!/usr/bin/env bash
# Two voices on one staff often play one key together: a whole note and a quarter, written as two note-ons and two
# note-offs of the same key and channel, as MIDI 1.0 asks for. pretty_midi ends both notes at the first release, so the
# long one loses three quarters of its length without a word. It matters for everything that is learned from or scored
# against note lengths (transcription, segmentation, stems). A good guess: one note of 1 s, one of 4 s.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check mido==1.3.3 pretty_midi==0.2.11
"$folder/venv/bin/python" -W ignore - "$folder/unison.mid" <<'PY'
import importlib.metadata, sys
import mido, pretty_midi

track = mido.MidiTrack([mido.Message("note_on", note=60, velocity=80), mido.Message("note_on", note=60, velocity=80),
                        mido.Message("note_off", note=60, time=960), mido.Message("note_off", note=60, time=2880)])
mido.MidiFile(type=0, ticks_per_beat=480, tracks=[track]).save(sys.argv[1])
notes = [n for i in pretty_midi.PrettyMIDI(sys.argv[1]).instruments for n in i.notes]
lengths = sorted(round(float(n.end - n.start), 3) for n in notes)
print("pretty_midi", importlib.metadata.version("pretty_midi"))
print("expected: lengths [1.0, 4.0] s")
print(f"seen:     lengths {lengths} s")
sys.exit(0 if lengths == [1.0, 1.0] else 1)
PY
