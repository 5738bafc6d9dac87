"""What is said about one place of the timeline: time, bar and beat, and what lies there."""

from __future__ import annotations

from dataclasses import dataclass

from scoresep.model.timebase import format_time
from scoresep.qt.timeline.content import TimelineContent


@dataclass(frozen=True)
class Readout:
    """A place in words.

    Attributes
    ----------
    frame : int
    time : str
        ``1:03.250``.
    bar : str
        ``bar 5 (2), beat 2.50``; empty outside the score.
    item : str
        ``Violin, A4``; empty where nothing lies.
    """

    frame: int
    time: str
    bar: str = ""
    item: str = ""

    @property
    def text(self) -> str:
        """All of it in one line."""
        return "   ".join(t for t in (self.time, self.bar, self.item) if t)


def readout_at(content: TimelineContent, sample_rate: int, frame: int, item: str = "") -> Readout:
    """Say what is at a frame."""
    bar = content.layout.grid.position_text(frame) if content.layout is not None else ""
    return Readout(frame, format_time(frame / sample_rate), bar, item)
