"""What all lanes of the timeline have in common."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from scoresep.qt.timeline.content import TimelineContent
from scoresep.qt.timeline.painting import PaintContext

# Width of the names at the left.
HEADER_PX = 128.0
SWATCH_PX = 9.0
# Lanes up to this height have their name in the middle.
FLAT_PX = 30.0
# Lanes that have nothing to show but a notice.
EMPTY_LANE_PX = 44.0


@dataclass(frozen=True)
class Hit:
    """What lies under the pointer.

    Attributes
    ----------
    start_frame, end_frame : int
        Its range.
    text : str
        What it is, in words: ``Violin, A4``.
    part_index : int or None
    place : int or None
        For a note its place in the layout, so that it can be shown as touched.
    detail : str
        A sentence about it that only its tool tip has room for.
    """

    start_frame: int
    end_frame: int
    text: str
    part_index: int | None = None
    place: int | None = None
    detail: str = ""


class Lane:
    """A horizontal strip of the timeline with a name at its left.

    Attributes
    ----------
    title : str
    least_height : float
        In logical pixels.
    stretch : float
        Share of the spare height that it takes.
    can_stretch : bool
        Whether zooming may show it stretched for a moment: it is costly to paint, and has no words.
    """

    title = ""
    least_height = 20.0
    stretch = 0.0
    can_stretch = False

    def __init__(self, content: TimelineContent) -> None:
        self.content = content

    def paint_ground(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint what lies behind bar lines."""

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the content over the bar lines."""

    def paint_pinned(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint, over everything and at every frame, the names of long items whose start is out of sight."""

    def notice(self, frames_per_column: float) -> str:
        """Return what the person should know about this lane at this zoom; commonly nothing."""
        return ""

    def paint_header(self, ctx: PaintContext, rect: QRectF) -> None:
        """Paint the name at the left: in the middle of flat lanes, at the top of others."""
        ctx.text(self._title_rect(rect), self.title, ctx.theme.text)

    def _title_rect(self, rect: QRectF) -> QRectF:
        row = QRectF(rect.left() + 10, rect.top(), rect.width() - 18, min(rect.height(), FLAT_PX))
        return row if rect.height() <= FLAT_PX else row.translated(0, 2)

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """Return what lies at a frame and at `y` from the lane's top."""
        return None

    def place_text(self, frame: float, y: float, height: float) -> str:
        """Say what a place of the lane stands for, whatever lies there."""
        return ""

    def _header_with_swatch(self, ctx: PaintContext, rect: QRectF, color: QColor, is_silent: bool) -> None:
        row = self._title_rect(rect)
        swatch = QRectF(row.left(), ctx.snap(row.center().y() - SWATCH_PX / 2), SWATCH_PX, SWATCH_PX)
        if is_silent:
            ctx.painter.setPen(color)
            ctx.painter.drawRect(swatch.adjusted(0.5, 0.5, -0.5, -0.5))
        else:
            ctx.painter.fillRect(swatch, color)
        text_color = ctx.theme.faint_text if is_silent else ctx.theme.text
        ctx.text(row.adjusted(SWATCH_PX + 7, 0, 0, 0), self.title, text_color)


@dataclass(frozen=True)
class PlacedLane:
    """A lane with its place, counted from the top of all lanes (below the ruler, before scrolling)."""

    lane: Lane
    top: float
    height: float
