#!/usr/bin/env bash
# A repeat sign in the middle of a bar (MusicXML: <barline location="middle"><repeat/>), as music with upbeats has it in
# nearly every edition, is passed over by the two usual readers of symbolic scores when they write out repeats, without a
# warning: the passage before it is played once. The same goes for notes that are marked for one pass of a repeat only
# (<note time-only="1">): they sound in every pass. Whoever aligns a recording with such a score lacks whole passages, or
# has notes that nobody plays. Both are plain MusicXML 4.0 (elements barline and note).
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" -q install verovio==6.4.1 music21==10.5.1 mido==1.3.3
"$folder/env/bin/python" - <<'PYTHON'
import base64, io, sys, warnings
warnings.simplefilter("ignore")
import mido, music21, verovio

def note(midi, quarters, only=""):
    step, alter = {60: ("C", 0), 62: ("D", 0), 64: ("E", 0), 65: ("F", 0)}[midi]
    mark = f' time-only="{only}"' if only else ""
    return f"<note{mark}><pitch><step>{step}</step><octave>4</octave></pitch><duration>{quarters}</duration><voice>1</voice></note>"

def score(*measures):
    time = "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
    body = "".join(f'<measure number="{i + 1}">{time if i == 0 else ""}{m}</measure>' for i, m in enumerate(measures))
    return ('<?xml version="1.0"?><score-partwise version="4.0"><part-list><score-part id="P1"><part-name>P</part-name>'
            f'</score-part></part-list><part id="P1">{body}</part></score-partwise>')

def back(location):
    return f'<barline location="{location}"><bar-style>light-heavy</bar-style><repeat direction="backward"/></barline>'

def by_verovio(text):
    toolkit = verovio.toolkit()
    toolkit.loadData(text)
    file = mido.MidiFile(file=io.BytesIO(base64.b64decode(toolkit.renderToMIDI())))
    return sorted((m.note for t in file.tracks for m in t if m.type == "note_on" and m.velocity))

def by_music21(text):
    part = music21.converter.parseData(text, format="musicxml").parts[0]
    return sorted(int(n.pitch.ps) for n in part.expandRepeats().recurse().notes)

cases = {
    "repeat sign after the third quarter of bar 2": (
        score(note(60, 4), note(62, 3) + back("middle") + note(64, 1), note(65, 4)), [60, 60, 62, 62, 64, 65]),
    "60 in the first pass only, 64 in the second only": (
        score(note(60, 4, "1") + "<backup><duration>4</duration></backup>" + note(64, 4, "2") + back("right"), note(65, 4)),
        [60, 64, 65]),
}
is_changed = False
print("verovio", verovio.toolkit(False).getVersion(), "music21", music21.__version__)
for name, (text, right) in cases.items():
    print(f"{name}: a good guess (and MusicXML) is {right}")
    for program, play in (("verovio", by_verovio), ("music21", by_music21)):
        seen = play(text)
        print(f"  {program}: {seen}")
        is_changed |= seen == right
sys.exit(1 if is_changed else 0)
PYTHON
