"""What pyqtgraph's own items would add to a frame of ten linked view boxes: why the timeline paints them itself.

    python tests/benchmarks/pyqtgraph_items.py

Prints CPU time of the thread that paints, in milliseconds: the median frame of bare boxes, and what each kind of item
adds to it, scrolled by a hundredth of what is in sight, and zoomed.
"""

from __future__ import annotations

import os
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QApplication

RATE = 44100
HOUR = 3600 * RATE
LANES, NOTES, FRAMES = 10, 20_000, 120
KINDS = ("axis", "points", "bar lines", "region", "curves", "image")


def add(kind: str, layout: pg.GraphicsLayout, boxes: list[pg.ViewBox]) -> None:
    """Put items of a kind into the boxes."""
    rng = np.random.default_rng(0)
    if kind == "axis":
        axis = pg.AxisItem("top")
        layout.addItem(axis, row=0, col=1)
        axis.linkToView(boxes[0])
    elif kind == "points":
        for frame in np.linspace(0, HOUR / 6, 60):
            boxes[0].addItem(pg.InfiniteLine(pos=frame, angle=90, movable=True), ignoreBounds=True)
    elif kind == "bar lines":
        for frame in np.arange(300) * 2 * RATE:
            for box in boxes:
                box.addItem(pg.InfiniteLine(pos=frame, angle=90), ignoreBounds=True)
    elif kind == "region":
        for box in boxes:
            region = pg.LinearRegionItem((100 * RATE, 105 * RATE), movable=box is boxes[0])
            box.addItem(region, ignoreBounds=True)
    elif kind == "curves":
        x, y = np.sort(rng.uniform(0, HOUR, NOTES)), rng.uniform(0, 1, NOTES)
        for box in boxes[:2]:
            curve = pg.PlotDataItem(x, y, pen="b")
            box.addItem(curve)
            curve.setClipToView(True)
            curve.setDownsampling(auto=True, method="peak")
    elif kind == "image":
        image = pg.ImageItem(rng.integers(0, 255, (8192, 240), dtype=np.uint8))
        image.setColorMap(pg.colormap.get("viridis"))
        boxes[0].addItem(image)
        image.setRect(QRectF(0, 0, HOUR / 6, 1))


def frame_ms(app: QApplication, kind: str, span_s: float, zooms: bool = False) -> float:
    """Return the CPU time of the median frame."""
    view = pg.GraphicsView(background="w")
    view.resize(1600, 1000)
    layout = pg.GraphicsLayout()
    view.setCentralItem(layout)
    boxes: list[pg.ViewBox] = []
    for row in range(LANES):
        box = layout.addViewBox(row=row + 1, col=1, enableMenu=False)
        box.disableAutoRange()
        box.setYRange(0, 1, padding=0)
        if boxes:
            box.setXLink(boxes[0])
        boxes.append(box)
    add(kind, layout, boxes)
    view.show()
    app.processEvents()
    spent = []
    for i in range(FRAMES):
        start, wide = (95 + i * span_s / 100) * RATE, span_s * RATE * (1.02 ** (i % 60) if zooms else 1)
        before = time.thread_time()
        boxes[0].setXRange(start, start + wide, padding=0)
        app.processEvents()
        view.viewport().repaint()
        spent.append(time.thread_time() - before)
    view.close()
    return 1000 * float(np.median(spent[10:]))


def main() -> None:
    """Print the table."""
    app = QApplication([])
    for title, span_s, zooms in (("scroll at 10 s", 10, False), ("scroll at 60 s", 60, False), ("zoom", 60, True)):
        bare = frame_ms(app, "", span_s, zooms)
        added = [f"{kind} +{frame_ms(app, kind, span_s, zooms) - bare:.1f}" for kind in KINDS]
        print(f"{title}: bare {bare:.1f} ms, {', '.join(added)}", flush=True)


if __name__ == "__main__":
    main()
