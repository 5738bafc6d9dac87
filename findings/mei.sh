#!/usr/bin/env bash
# verovio is the reference engraver of MEI, yet its MIDI and the MEI that it writes back change what valid files sound:
#   1. a dot written as <dot/> inside a note (the Guidelines allow both ways) is dropped, so all that follows is early;
#   2. notes in <graceGrp grace="acc"> take time in the bar, which shifts what follows;
#   3. bars under <mRpt2/> and halves under <halfmRpt/> are silent, and so is <mRpt/> in a second layer;
#   4. a file with a key signature but without accid.ges plays in C major.
# Who takes notes for an alignment from verovio's MIDI or from getMEI() gets wrong times and pitches without an error.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" >/dev/null
"$folder/venv/bin/pip" install -q verovio==6.4.1 mido==1.3.3
cat > "$folder/check.py" <<'PY'
import base64, io, sys
import mido, verovio

verovio.enableLog(verovio.LOG_OFF)
print("verovio", verovio.toolkit().getVersion())


def note(name, dur, inside=""):
    return f'<note pname="{name[0]}" oct="{name[1]}" dur="{dur}">{inside}</note>'


def sounding(*bars, score=""):
    measures = "".join(f'<measure n="{i}"><staff n="1">{bar}</staff></measure>' for i, bar in enumerate(bars, 1))
    text = (
        '<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.1"><meiHead><fileDesc><titleStmt><title/>'
        "</titleStmt><pubStmt/></fileDesc></meiHead><music><body><mdiv><score>"
        f'<scoreDef meter.count="4" meter.unit="4" {score}><staffGrp><staffDef n="1" lines="5" clef.shape="G" '
        f'clef.line="2"/></staffGrp></scoreDef><section>{measures}</section></score></mdiv></body></music></mei>'
    )
    toolkit = verovio.toolkit()
    toolkit.setOptions({"breaks": "none"})
    assert toolkit.loadData(text)
    midi = mido.MidiFile(file=io.BytesIO(base64.b64decode(toolkit.renderToMIDI())))
    found = []
    for track in midi.tracks:
        at = 0
        for event in track:
            at += event.time
            if event.type == "note_on" and event.velocity:
                found.append((round(at / midi.ticks_per_beat, 2), event.note))
    return sorted(found)


def layer(inside, n=1):
    return f'<layer n="{n}">{inside}</layer>'


whole = note("c4", 1)
grace = '<graceGrp grace="acc">' + note("e4", 8) + "</graceGrp>"
cases = [
    ("a dotted quarter written with <dot/>, then a half and an eighth",
     sounding(layer(note("c4", 4, "<dot/>") + note("d4", 2) + note("e4", 8))),
     [(0, 60), (1.5, 62), (3.5, 64)], [(0, 60), (1, 62), (3, 64)]),
    ("a half, a grace note in <graceGrp>, a half (the half on beat 3)",
     [n for n in sounding(layer(note("c4", 2) + grace + note("d4", 2))) if n[1] != 64],
     [(0, 60), (2, 62)], [(0, 60), (3, 62)]),
    ("a half repeated by <halfmRpt/>", sounding(layer(note("c4", 2) + "<halfmRpt/>"), layer(whole)),
     [(0, 60), (2, 60), (4, 60)], [(0, 60), (4, 60)]),
    ("two bars repeated by <mRpt2/>",
     sounding(layer(whole), layer(note("d4", 1)), layer("<mRpt2/>"), layer("<mSpace/>")),
     [(0, 60), (4, 62), (8, 60), (12, 62)], [(0, 60), (4, 62)]),
    ("<mRpt/> in both layers", sounding(layer(whole) + layer(note("e4", 1), 2), layer("<mRpt/>") + layer("<mRpt/>", 2)),
     [(0, 60), (0, 64), (4, 60), (4, 64)], [(0, 60), (0, 64)]),
    ("f in D major", sounding(layer(note("f4", 1)), score='key.sig="2s"'), [(0, 66)], [(0, 65)]),
]
changed = False
for name, got, guess, known in cases:
    print(f"{name}\n  a good guess {guess}\n  seen         {got}")
    if got != known:
        changed = True
        print("  (this is new)")
sys.exit(changed)
PY
"$folder/venv/bin/python" "$folder/check.py"
