"""Hints where to look: how much of the sound no part explains, and which segments are doubtful."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt

from scoresep.qt.timeline.content import TimelineContent
from scoresep.qt.timeline.lane import Hit, Lane
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.widgets.theme import blend, premultiplied, translucent

# The whole height of the lane; more than that is as bad as can be.
FULL_SHARE = 0.5
MARK_PX = 4.0


class QualityItem(Lane):
    """How much of the sound stays unexplained, and which segments are doubtful."""

    title = "Unexplained"
    least_height = 30.0

    def __init__(self, content: TimelineContent) -> None:
        super().__init__(content)
        self._edges = np.array([s.start_frame for s in content.segments], np.int64)

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint a mark over every doubtful segment, and the share under it, what is much of it in another colour."""
        unexplained = self.content.unexplained
        for quality in self.content.qualities:
            left, right = ctx.x(quality.segment.start_frame), ctx.x(quality.segment.end_frame)
            if quality.is_doubtful and right >= ctx.clip_left and left <= ctx.clip_right:
                wide = max(right - left - ctx.hair, 2.0)
                ctx.fill(left, top + 1, wide, height - 2, translucent(ctx.theme.warning, 0.16))
                ctx.fill(left, top + 1, wide, MARK_PX, ctx.theme.warning)
        if unexplained is None or not len(unexplained.share):
            return
        room = max(round((height - MARK_PX - 4) * ctx.pixel_ratio), 1)
        shown = self._shares(ctx, unexplained.share, unexplained.block_frames)
        rows = np.minimum(np.rint(shown / FULL_SHARE * room), room)
        rows = np.where((shown > 0) & (rows < 1), 1, rows)
        usual = premultiplied(blend(ctx.theme.ground, ctx.theme.wave, 0.85))
        colors = np.where(shown >= unexplained.limit, premultiplied(ctx.theme.warning), usual).astype(np.uint32)
        is_filled = np.arange(room)[::-1, None] < rows[None]
        pixels = np.where(is_filled, colors[None], np.uint32(0)).astype(np.uint32)
        ctx.pixels(pixels, ctx.columns_px[0], round((top + MARK_PX + 3) * ctx.pixel_ratio))

    def _shares(self, ctx: PaintContext, share: NDArray[np.float64], block_frames: int) -> NDArray[np.float64]:
        """Return the largest share of all blocks that a pixel column holds."""
        left = ctx.frames_of_columns()
        first = np.clip(np.floor(left / block_frames).astype(np.int64), 0, len(share) - 1)
        last = np.floor((left + ctx.frames_per_column) / block_frames).astype(np.int64)
        last = np.clip(last, first + 1, len(share))
        padded = np.append(share, 0.0)
        found = np.maximum.reduceat(padded, np.stack([first, last], 1).ravel())[::2] if len(left) else np.zeros(0)
        is_outside = (left + ctx.frames_per_column <= 0) | (left >= len(share) * block_frames)
        return np.where(is_outside, 0.0, found)

    def paint_header(self, ctx: PaintContext, rect: QRectF) -> None:
        """Paint the name, and the share of the whole recording."""
        super().paint_header(ctx, rect)
        if self.content.unexplained is not None:
            text = f"{100 * self.content.unexplained.total:.0f} %"
            ctx.text(self._title_rect(rect), text, ctx.theme.faint_text, Qt.AlignmentFlag.AlignRight)

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """Return the segment at a frame with what is known of it."""
        at = int(np.searchsorted(self._edges, frame, side="right")) - 1
        if at < 0 or frame >= self.content.segments[at].end_frame:
            return None
        quality = self.content.qualities[at]
        segment = quality.segment
        return Hit(segment.start_frame, segment.end_frame, quality.figures, detail=quality.advice)
