"""What a frame of the timeline costs: an hour of stereo, eight parts with their stems, 20,000 notes.

    python tests/benchmarks/timeline.py CHECKOUT [OTHER_CHECKOUT] [--rounds N] [--width PX --height PX]

Every checkout is measured in processes of its own, in turn with the other; the ratios are the first one's to the
other's. Times are CPU time of the thread that paints, in milliseconds: the median frame, and the mean of all frames,
which counts what is put off to a later one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

HOUR_S, RATE = 3600, 44100
PARTS, BARS, NOTES_PER_BAR = 8, 625, 4
SPANS_S = (10, 60)
FRAMES = 160
SETTLING_ROUNDS = 40


class RepeatedSource:
    """An hour of sound that takes the room of a minute."""

    frames, channels, sample_rate = HOUR_S * RATE, 2, RATE

    def __init__(self) -> None:
        t = np.arange(60 * RATE) / RATE
        wave = 0.5 * np.sin(2 * np.pi * 220 * t) * (1 + np.sin(2 * np.pi * 0.7 * t)) * np.exp(-3 * (t % 0.8))
        noise = np.random.default_rng(0).normal(0, 0.03, len(t))
        self._minute = np.stack([wave + noise, 0.7 * wave - noise]).astype(np.float32)

    def read(self, start_frame: int, stop_frame: int) -> np.ndarray:
        """Return the samples of a range."""
        return self._minute[:, np.arange(start_frame, stop_frame) % self._minute.shape[1]]


def measure_frames(settle: Callable[[], None], move: Callable[[int], None]) -> tuple[float, float]:
    """Return the CPU time of a frame in ms: the median, and the mean with all that was put off."""
    for i in range(20):
        move(i)
        settle()
    spent = []
    for i in range(FRAMES):
        before = time.thread_time()
        move(i)
        settle()
        spent.append(time.thread_time() - before)
    before = time.thread_time()
    for _ in range(SETTLING_ROUNDS):
        settle()
        time.sleep(0.01)
    put_off = time.thread_time() - before
    return 1000 * float(np.median(spent)), 1000 * (sum(spent) + put_off) / FRAMES


def measure(width: int, height: int) -> dict[str, float]:
    """Return the figures of the package that is on the path."""
    sys.path.insert(0, str(Path(os.environ["PYTHONPATH"].split(os.pathsep)[0]) / "tests"))
    from PySide6.QtWidgets import QApplication
    from small_scores import even_alignment, scale_score, straight

    from scoresep.model.colors import default_part_colors
    from scoresep.model.peaks import PeakBuilder
    from scoresep.model.project import PartSettings
    from scoresep.model.segments import activities_from_notes

    app = QApplication.instance() or QApplication([])
    source = RepeatedSource()
    builder = PeakBuilder(source.frames, source.channels)
    for start in range(0, source.frames, 60 * RATE):
        builder.append(source.read(start, start + 60 * RATE))
    names = [f"Part {i + 1}" for i in range(PARTS)]
    piece = straight(scale_score(BARS, names))
    alignment = even_alignment(piece, HOUR_S * RATE // (BARS * NOTES_PER_BAR), 0)
    parts = tuple(PartSettings(n, c) for n, c in zip(names, default_part_colors(PARTS), strict=True))
    activities = activities_from_notes(piece.notes, alignment.note_times, PARTS, source.frames, RATE)

    started = time.process_time()
    from scoresep.qt.timeline import timeline_view

    stems = {i: timeline_view.StemWave(RepeatedSource(), builder.pyramid) for i in range(PARTS)}
    view = timeline_view.TimelineView()
    view.resize(width, height)
    view.set_recording(source, builder.pyramid)  # type: ignore[arg-type]
    view.set_score(piece, alignment, parts)
    view.set_segments(activities, source.frames)
    view.set_stems(stems)
    view.show()
    while not view.canvas.isVisible():
        app.processEvents()
    app.processEvents()
    figures = {"window visible": 1000 * (time.process_time() - started)}

    def frames(name: str, move: Callable[[int], None]) -> None:
        figures[name], figures[name + ", mean"] = measure_frames(app.processEvents, move)

    for span_s in SPANS_S:
        view.show_range(600 * RATE, (600 + span_s) * RATE)
        frames(f"scroll at {span_s} s", lambda i: view.scroll_px(13))
    view.show_range(600 * RATE, 620 * RATE)
    frames("zoom", lambda i: view.zoom(1.1 if i // 20 % 2 else 1 / 1.103, 500.0))
    view.show_range(600 * RATE, 610 * RATE)
    frames("playhead", lambda i: view.set_playhead(600 * RATE + i * 735))
    return figures


def main() -> None:
    """Measure one checkout, or two beside each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs="*")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--height", type=int, default=1000)
    options = parser.parse_args()
    size = options.width, options.height
    if not options.checkouts:
        print(json.dumps(measure(*size)))
        return
    found: dict[str, list[dict[str, float]]] = {c: [] for c in options.checkouts}
    for _ in range(options.rounds):
        for checkout in options.checkouts:
            command = [sys.executable, __file__, "--width", str(size[0]), "--height", str(size[1])]
            environment = os.environ | {"PYTHONPATH": checkout, "QT_QPA_PLATFORM": "offscreen"}
            answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            found[checkout].append(json.loads(answer.stdout.splitlines()[-1]))
    print("| ms of CPU | " + " | ".join(options.checkouts) + " | ratio |")
    print("|---|" + "---|" * (len(options.checkouts) + 1))
    for name in next(iter(found.values()))[0]:
        values = [float(np.median([f[name] for f in found[c]])) for c in options.checkouts]
        print(f"| {name} | " + " | ".join(f"{v:.2f}" for v in values) + f" | {values[0] / values[-1]:.2f} |")


if __name__ == "__main__":
    main()
