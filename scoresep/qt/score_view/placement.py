"""Where systems lie in the strip: one below the other, or side by side in one line. In pixels of the widget; no Qt."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log

from scoresep.model.engraving import STAFF_SPACE_UNITS, Engraving

# Widths that scores are engraved for grow by this factor, so that not every pixel of the window's width is a new one.
_WIDTH_STEP = 1.16
_WIDTH_BASE_UNITS = 24_000
LEAST_WIDTH_UNITS, MOST_WIDTH_UNITS = 9_000, 96_000


class Mode(StrEnum):
    """How systems lie."""

    SYSTEMS = "systems"
    LINE = "line"


def engraving_width(room_px: float, space_px: float) -> int:
    """Return the width to engrave a score for: the room, in units, at about the size of staves that is asked for.

    Parameters
    ----------
    room_px : float
        Width of the strip.
    space_px : float
        Wanted size of a staff space.
    """
    units = max(room_px, 1.0) / max(space_px, 0.1) * STAFF_SPACE_UNITS
    units = min(max(units, LEAST_WIDTH_UNITS), MOST_WIDTH_UNITS)
    step = round(log(units / _WIDTH_BASE_UNITS) / log(_WIDTH_STEP))
    return round(_WIDTH_BASE_UNITS * exp(step * log(_WIDTH_STEP)) / 100) * 100


@dataclass(frozen=True)
class Placement:
    """Systems in a plane of pixels that the strip shows a part of.

    Attributes
    ----------
    mode : Mode
    scale : float
        Pixels for one unit of the drawings.
    left, top : tuple of float
        Of every system.
    widths, heights : tuple of float
    width, height : float
        Of the whole plane.
    """

    mode: Mode
    scale: float
    left: tuple[float, ...]
    top: tuple[float, ...]
    widths: tuple[float, ...]
    heights: tuple[float, ...]
    width: float
    height: float

    def systems_between(self, start: float, end: float) -> range:
        """Return the systems that touch a stretch of the plane along the direction in which they follow each other."""
        edges = self.top if self.mode is Mode.SYSTEMS else self.left
        first = max(bisect_right(edges, start) - 1, 0)
        return range(first, max(bisect_right(edges, end), first))

    def system_at(self, x: float, y: float) -> int | None:
        """Return the system at a point of the plane; None where there is none."""
        at = y if self.mode is Mode.SYSTEMS else x
        for i in self.systems_between(at, at):
            if self.left[i] <= x < self.left[i] + self.widths[i] and self.top[i] <= y < self.top[i] + self.heights[i]:
                return i
        return None


def placed(engraving: Engraving, mode: Mode, room: tuple[float, float], space_px: float) -> Placement:
    """Place the systems of an engraving.

    Parameters
    ----------
    engraving : Engraving
    mode : Mode
    room : tuple of (float, float)
        Width and height of the strip.
    space_px : float
        Size of a staff space in a line; one below the other, systems are as wide as the room.
    """
    systems = engraving.systems
    if mode is Mode.SYSTEMS:
        scale = max(room[0], 50.0) / engraving.width_units
        heights = tuple(s.height * scale for s in systems)
        gap = 0.8 * STAFF_SPACE_UNITS * scale
        tops, y = [], gap
        for height in heights:
            tops.append(float(round(y)))
            y += height + gap
        lefts = (0.0,) * len(systems)
        return Placement(mode, scale, lefts, tuple(tops), tuple(s.width * scale for s in systems), heights, room[0], y)
    scale = space_px / STAFF_SPACE_UNITS
    widths, heights = tuple(s.width * scale for s in systems), tuple(s.height * scale for s in systems)
    # the first staff lines of all systems are on one height, so that the music goes straight on
    first_lines = [min((b.top for b in s.measures), default=0.0) * scale for s in systems]
    line = max(first_lines, default=0.0)
    height = max((line - first + h for first, h in zip(first_lines, heights, strict=True)), default=0.0)
    above = max((room[1] - height) / 2, 0.0)
    lefts_in_line, x = [], 0.0
    for width in widths:
        lefts_in_line.append(float(round(x)))
        x += width
    tops = [float(round(above + line - first)) for first in first_lines]
    return Placement(mode, scale, tuple(lefts_in_line), tuple(tops), widths, heights, x, max(height, room[1]))
