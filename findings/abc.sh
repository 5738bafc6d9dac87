#!/usr/bin/env bash
# ABC in the two libraries that a Python program would take first. Both read plain tunes without a word of warning, and
# wrongly: music21 lets an accidental hold for one note only and does not carry it over a tie; verovio leaves out a last
# bar that has no bar line behind it, and reads the voices of a tune one after the other. Whoever aligns, trains or
# counts on ABC through them (the Essen songs, O'Neill, Ryan's Mammoth) works with other notes than those written.
set -euo pipefail
home=$(mktemp -d); trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/env"
"$home/env/bin/pip" install -q music21==10.5.1 verovio==6.4.1
cat > "$home/try.py" <<'PY'
import warnings

import music21
import verovio
from music21 import converter

warnings.simplefilter("ignore")
HEAD = "X:1\nT:t\nM:4/4\nL:1/4\nK:C\n"


def by_music21(music):
    return [n.pitch.midi for n in converter.parseData(HEAD + music, format="abc").flatten().notes]


def by_verovio(music):
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.loadData(HEAD + music)
    toolkit.renderToMIDI()
    events = [e for e in toolkit.renderToTimemap() if e.get("on")]
    return [(e["qstamp"], toolkit.getMIDIValuesForElement(i)["pitch"]) for e in events for i in e["on"]]


print("music21", music21.__version__, "- verovio", verovio.toolkit().getVersion())
seen = {
    "music21, ^F F f F| F4| (expected F# to the bar line)": (by_music21("^F F f F|F4|]\n"), [66, 65, 77, 65, 65]),
    "music21, ^C4-|C4|C4| (expected C# C# C)": (by_music21("^C4-|C4|C4|\n"), [61, 60, 60]),
    "verovio, CDEF|GABc (expected 8 notes)": (len(by_verovio("CDEF|GABc\n")), 4),
    "verovio, onsets of two voices of one bar each (expected 0 and 0)": (
        sorted({q for q, p in by_verovio("[V:1] c4|\n[V:2] C4|\n")}), [0, 4]),
}
for what, (got, wrong) in seen.items():
    print(f"{what}: seen {got}" + ("" if got == wrong else "  <- has changed"))
raise SystemExit(any(got != wrong for got, wrong in seen.values()))
PY
"$home/env/bin/python" "$home/try.py"
