#!/usr/bin/env bash
# What surprises who takes notes for playing from MusicXML by libraries of this field, on valid files:
# 1. verovio gives notes on a tablature staff that have a <pitch> but no string and fret MIDI key 0, so that a guitar part
#    hums below hearing; who renders references of guitar music by it trains or measures on that.
# 2. verovio keeps the first <transpose> of a part where a later one changes it: a clarinettist who takes the other
#    instrument sounds wrong from there on.
# 3. music21 counts 10080 divisions to a quarter until the file tells them, where other readers look ahead: the first bar
#    of some Noteflight files lasts some hundredths of a quarter.
# Exit 1 if any of this has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet verovio==6.4.1 music21==10.5.1 mido==1.3.3 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
import base64
import io
import sys

import mido
import music21
import verovio

NOTE = "<note><pitch><step>{}</step><octave>{}</octave></pitch><duration>{}</duration><voice>1</voice><type>{}</type></note>"


def document(*measures):
    bars = "".join(f'<measure number="{i + 1}">{m}</measure>' for i, m in enumerate(measures))
    listed = '<part-list><score-part id="P1"><part-name>Guitar</part-name></score-part></part-list>'
    return f'<score-partwise version="4.0">{listed}<part id="P1">{bars}</part></score-partwise>'


def keys(text):
    toolkit = verovio.toolkit()
    assert toolkit.loadData(text)
    tracks = mido.MidiFile(file=io.BytesIO(base64.b64decode(toolkit.renderToMIDI()))).tracks
    return [m.note for t in tracks for m in t if m.type == "note_on" and m.velocity]


METRE = "<time><beats>4</beats><beat-type>4</beat-type></time>"
TAB = f"<attributes><divisions>1</divisions>{METRE}<clef><sign>TAB</sign><line>5</line></clef></attributes>"
DOWN = "<attributes><divisions>1</divisions>" + METRE + "<transpose><chromatic>-2</chromatic></transpose></attributes>"
LOWER = "<attributes><transpose><chromatic>-3</chromatic></transpose></attributes>"
LATE = "<attributes><divisions>64</divisions></attributes>"

print("verovio", verovio.toolkit().getVersion(), "music21", music21.__version__)
tab = keys(document(TAB + NOTE.format("E", 3, 4, "whole")))
print("1. E3 on a tablature staff: expected key [52], seen", tab)
moved = keys(document(DOWN + NOTE.format("C", 5, 4, "whole"), LOWER + NOTE.format("C", 5, 4, "whole")))
print("2. written C5 at -2, then at -3 semitones: expected keys [70, 69], seen", moved)
late = document(f"<attributes>{METRE}</attributes>" + NOTE.format("E", 4, 256, "whole"), LATE + NOTE.format("C", 4, 256, "whole"))
lengths = [float(n.quarterLength) for n in music21.converter.parse(late, format="musicxml").flatten().notes]
print("3. two whole notes, divisions told in the second bar: expected quarters [4.0, 4.0], seen", lengths)
same = tab == [0] and moved == [70, 70] and lengths[1] == 4.0 and lengths[0] < 0.1
sys.exit(0 if same else 1)
PYTHON
