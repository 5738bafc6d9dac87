"""Where the ruler has its marks: round times, and bar numbers thinned so that they do not touch. Values only, no Qt."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoresep.model.timebase import format_time
from scoresep.qt.timeline.score_layout import BarGrid
from scoresep.qt.timeline.time_axis import TimeAxis

# Distances of time marks in seconds, each with the number of small steps in it.
TIME_STEPS: tuple[tuple[float, int], ...] = (
    (0.0001, 5), (0.0002, 4), (0.0005, 5), (0.001, 5), (0.002, 4), (0.005, 5), (0.01, 5), (0.02, 4), (0.05, 5),
    (0.1, 5), (0.2, 4), (0.5, 5), (1, 5), (2, 4), (5, 5), (10, 5), (15, 3), (30, 6), (60, 6), (120, 4), (300, 5),
    (600, 5), (1200, 4), (1800, 6), (3600, 6), (7200, 4), (18000, 5), (36000, 5),
)  # fmt: skip
BAR_STRIDES = (1, 2, 4, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class Tick:
    """One mark: its frame, and its label where it is a large one."""

    frame: float
    label: str = ""


def time_ticks(axis: TimeAxis, label_px: float) -> list[Tick]:
    """Return the time marks of the visible range, labels at least `label_px` apart."""
    step_s, parts = next(((s, n) for s, n in TIME_STEPS if s * axis.px_per_second >= label_px), (TIME_STEPS[-1][0], 1))
    small_s = step_s / parts
    first = max(int(np.floor(axis.start_frame / axis.sample_rate / small_s)), 0)
    end_s = min(axis.end_frame, axis.total_frames) / axis.sample_rate
    ticks = []
    for i in range(first, int(np.floor(end_s / small_s + 1e-9)) + 1):
        second = i * small_s
        ticks.append(Tick(second * axis.sample_rate, time_label(second, step_s) if i % parts == 0 else ""))
    return ticks


def time_label(second: float, step_s: float) -> str:
    """Write a time with just the decimals that marks `step_s` apart need: `1:05`, `0:00.25`."""
    decimals = 0 if step_s >= 1 else min(int(np.ceil(-np.log10(step_s) - 1e-9)), 4)
    if decimals > 3:
        return f"{format_time(int(second * 1000 + 1e-6) / 1000)}{round(second * 1e4) % 10}"
    text = format_time(round(second, 3))
    return text[:-4] if decimals == 0 else text[: len(text) - 3 + decimals]


@dataclass(frozen=True)
class BarMarks:
    """Bar lines of the visible range.

    Attributes
    ----------
    labelled : tuple of int
        Steps of the path that show their number.
    lines : ndarray [shape=(lines,)], int64
        Steps of the path that show a bar line.
    strong : tuple of int
        Those of `lines` that stand out, chosen without regard to what is visible, so that scrolling changes no line.
    beats : tuple of Tick
        Beats inside the bars, labelled `bar.beat`; empty where there is no room for them.
    beat_px : float
        Typical distance of beats.
    """

    labelled: tuple[int, ...]
    lines: NDArray[np.int64]
    strong: tuple[int, ...]
    beats: tuple[Tick, ...]
    beat_px: float


def bar_marks(
    grid: BarGrid, axis: TimeAxis, label_px: float, least_beat_px: float = 14.0, least_bar_px: float = 7.0
) -> BarMarks:
    """Choose bar numbers at least `label_px` apart, and lines and beats where there is room."""
    first, last = grid.visible_steps(axis.start_frame - label_px * axis.frames_per_px, axis.end_frame)
    bar_px = grid.typical_bar_frames / axis.frames_per_px
    beat_px = bar_px / max(grid.typical_beats, 1)
    stride = next((s for s in BAR_STRIDES if s * bar_px >= label_px), BAR_STRIDES[-1])
    steps = np.arange(first, last)
    wanted = steps[(grid.number[steps] % stride == 0) | grid.is_jump[steps] | (steps == 0)]
    xs = (grid.start_frame / axis.frames_per_px).tolist()
    taken: list[int] = []
    taken_x = [-np.inf, np.inf]
    # where the path jumps the number says most, so it is placed first
    for step in sorted(wanted.tolist(), key=lambda s: (not grid.is_jump[s] and s != 0, s)):
        at = bisect(taken_x, xs[step])
        if xs[step] - taken_x[at - 1] >= label_px and taken_x[at] - xs[step] >= label_px:
            taken.append(step)
            taken_x.insert(at, xs[step])
    return BarMarks(
        labelled=tuple(sorted(taken)),
        lines=steps if bar_px >= least_bar_px else wanted,
        strong=tuple(wanted.tolist()),
        beats=tuple(Tick(f, t) for f, t in grid.beats(first, last)) if beat_px >= least_beat_px else (),
        beat_px=beat_px,
    )
