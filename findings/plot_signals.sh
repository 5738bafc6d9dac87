#!/usr/bin/env bash
# Two things of pyqtgraph that an editor of sound meets on its first day.
# 1. PlotDataItem(autoDownsample=True) is switched off again by addItem, without a word: a waveform of an hour is then drawn
#    with all its points, and the option that was asked for reads False. Set it after addItem.
# 2. LinearRegionItem emits sigRegionChangeFinished when the *program* calls setRegion, though the signal stands for the end
#    of a drag; InfiniteLine, moved by setValue, emits no sigPositionChangeFinished. Whoever stores an edit on "finished"
#    stores one for every undo and redraw, with regions and not with lines, and the two cannot share one handler.
# A good guess: options given stay; "finished" comes from the hand, in both classes or in neither.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pyqtgraph==0.14.0 PySide6-Essentials==6.11.0 numpy==2.4.6
QT_QPA_PLATFORM=offscreen "$folder/venv/bin/python" -W ignore - <<'PY'
import sys
import numpy as np
import pyqtgraph as pg
from PySide6 import __version__ as pyside

application = pg.mkQApp()
plot, curve = pg.PlotWidget(), pg.PlotDataItem(np.zeros(10), autoDownsample=True)
before = curve.opts["autoDownsample"]
plot.addItem(curve)
after = curve.opts["autoDownsample"]

heard = []
region, line = pg.LinearRegionItem([0, 1]), pg.InfiniteLine(0, movable=True)
region.sigRegionChangeFinished.connect(lambda *_: heard.append("region finished"))
line.sigPositionChangeFinished.connect(lambda *_: heard.append("line finished"))
region.setRegion([2, 3])
line.setValue(5)
print("pyqtgraph", pg.__version__, "PySide6", pyside)
print("expected: autoDownsample True, then True; no 'finished' for what the program moves")
print(f"seen:     autoDownsample {before}, then {after}; {heard}")
sys.exit(0 if (before, after, heard) == (True, False, ["region finished"]) else 1)
PY
