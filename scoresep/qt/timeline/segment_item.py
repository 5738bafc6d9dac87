"""Who plays when: the strip of segments, and a lane for every part with its activity and, once there is one, its stem.

The three categories differ in form, not only in colour: silence is a line, one part a solid block with its name,
several parts a hatched block with their number.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QPen

from scoresep.model.segments import Activity, Segment
from scoresep.qt.timeline.content import TimelineContent
from scoresep.qt.timeline.lane import Hit, Lane
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.theme import blend, translucent
from scoresep.qt.timeline.waveform_item import WaveColors, paint_wave

STEM_LANE_PX = 54.0


class SegmentItem(Lane):
    """The strip of segments that follow from all activities."""

    title = "Segments"
    least_height = 24.0

    def __init__(self, content: TimelineContent) -> None:
        super().__init__(content)
        self._starts = [s.start_frame for s in content.segments]

    def _visible(self, start_frame: float, end_frame: float) -> tuple[Segment, ...]:
        first = max(bisect_right(self._starts, start_frame) - 1, 0)
        return self.content.segments[first : bisect_right(self._starts, end_frame)]

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """See `Lane`."""
        metrics = QFontMetricsF(ctx.painter.font())
        last_px = -1
        for segment in self._visible(*ctx.frame_range(2.0)):
            left, right = ctx.x(segment.start_frame), ctx.x(segment.end_frame)
            if right - left < 1.0:  # of those that share a pixel the first one stands for all
                if int(left) == last_px:
                    continue
                last_px = int(left)
            self._paint_segment(ctx, segment, QRectF(left, top + 3, right - left, height - 6), metrics)

    def _paint_segment(self, ctx: PaintContext, segment: Segment, rect: QRectF, metrics: QFontMetricsF) -> None:
        theme, painter = ctx.theme, ctx.painter
        if segment.category == "silence":
            painter.setPen(QPen(theme.faint_text, 1.0, Qt.PenStyle.DotLine))
            y = ctx.snap(rect.center().y()) + 0.5
            left, right = max(rect.left(), ctx.clip_left - 8), min(rect.right(), ctx.clip_right + 8)
            painter.drawLine(round(left), round(y), round(right), round(y))
            return
        left, right = ctx.snap(rect.left()), ctx.snap(rect.right())
        gap = ctx.hair if right - left >= 4 else 0.0
        body = QRectF(left, ctx.snap(rect.top()), max(right - left - gap, ctx.hair), ctx.snap(rect.height()))
        if segment.category == "single":
            part = segment.part_indices[0]
            color = theme.part_color(self.content.part_color(part))
            painter.fillRect(body, color)
            name, ink = self.content.part_name(part), QColor("#ffffff" if color.lightnessF() < 0.55 else "#16181b")
        else:
            color = blend(theme.ground, theme.text, 0.42)
            painter.fillRect(body, translucent(color, 0.28))
            if body.width() >= 4:
                painter.fillRect(body, QBrush(translucent(color, 0.55), Qt.BrushStyle.BDiagPattern))
            ctx.horizontal(body.top(), body.left(), body.right(), color)
            ctx.horizontal(body.bottom() - ctx.hair, body.left(), body.right(), color)
            name, ink = str(len(segment.part_indices)), theme.text
        width = metrics.horizontalAdvance(name)
        if width + 10 < body.width():
            if segment.category == "mixed":
                plate = QRectF(body.left() + 4, body.top() + 2, width + 6, body.height() - 4)
                painter.fillRect(plate, translucent(theme.ground, 0.85))
                ctx.text(plate.adjusted(3, 0, 2, 0), name, ink)
            else:
                ctx.text(body.adjusted(5, 0, -2, 0), name, ink)

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """Return the segment at a frame."""
        for segment in self._visible(frame, frame):
            if segment.start_frame <= frame < segment.end_frame:
                names = " + ".join(self.content.part_name(p) for p in segment.part_indices)
                text = f"{segment.category}: {names}" if names else "silence"
                return Hit(segment.start_frame, segment.end_frame, text)
        return None


class PartItem(Lane):
    """One part: when it sounds, and the waveform of its stem.

    Parameters
    ----------
    content : TimelineContent
    part_index : int or None
        None for the residual.
    """

    def __init__(self, content: TimelineContent, part_index: int | None) -> None:
        super().__init__(content)
        self.part_index = part_index
        self.title = "Residual" if part_index is None else content.part_name(part_index)
        has_stem = part_index in content.stems
        self.least_height = STEM_LANE_PX if has_stem else 22.0
        self.stretch = 0.8 if has_stem else 0.0

    def _color(self, ctx: PaintContext) -> QColor:
        color = "#8c8c8c" if self.part_index is None else self.content.part_color(self.part_index)
        return ctx.theme.part_color(color)

    @property
    def _is_silent(self) -> bool:
        return self.part_index in self.content.silent_parts

    def _activity(self) -> Activity | None:
        for activity in self.content.activities or ():
            if activity.part_index == self.part_index:
                return activity
        return None

    def paint_ground(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the activity behind a stem."""
        ctx.horizontal(top, ctx.clip_left, ctx.clip_right, ctx.theme.beat_line)
        if self.part_index in self.content.stems:
            self._paint_activity(ctx, top + 1, height - 2, behind_stem=True)

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the stem, or the activity where there is none."""
        color = blend(self._color(ctx), ctx.theme.ground, 0.6 if self._is_silent else 0.0)
        if self.part_index not in self.content.stems:
            self._paint_activity(ctx, top + 4, height - 8, behind_stem=False)
            return
        colors = WaveColors(blend(color, ctx.theme.ground, 0.42), color, translucent(color, 0.3))
        if not paint_wave(ctx, self.content.stems[self.part_index], top + 2, height - 4, colors):
            rect = QRectF(ctx.left + 14, top, ctx.axis.width_px - 28, height)
            ctx.text(rect, "Reading the stem …", ctx.theme.faint_text)

    def _paint_activity(self, ctx: PaintContext, top: float, height: float, behind_stem: bool) -> None:
        activity = self._activity()
        if activity is None:
            return
        color = blend(self._color(ctx), ctx.theme.ground, 0.6 if self._is_silent else 0.0)
        start, end = ctx.frame_range(2.0)
        first = int(np.searchsorted(activity.end_frame, start))
        last = int(np.searchsorted(activity.start_frame, end))
        px = ctx.pixel_ratio / ctx.axis.frames_per_px
        lefts = np.rint((activity.start_frame[first:last] - ctx.axis.start_frame) * px + ctx.left * ctx.pixel_ratio)
        rights = np.rint((activity.end_frame[first:last] - ctx.axis.start_frame) * px + ctx.left * ctx.pixel_ratio)
        rights = np.maximum(rights, lefts + 1)
        # stretches that touch on the screen are painted as one
        begins = np.concatenate([[True], lefts[1:] > rights[:-1]]) if last > first else np.zeros(0, np.bool_)
        ends = np.concatenate([begins[1:], [True]]) if last > first else begins
        fill = translucent(color, 0.13 if behind_stem else 0.5)
        for left, right in zip(
            (lefts[begins] / ctx.pixel_ratio).tolist(), (rights[ends] / ctx.pixel_ratio).tolist(), strict=True
        ):
            left, right = max(left, ctx.clip_left - 4), min(right, ctx.clip_right + 4)
            ctx.fill(left, top, right - left, height, fill)
            ctx.fill(left, top, right - left, 2.0, color)

    def paint_header(self, ctx: PaintContext, rect: QRectF) -> None:
        """See `Lane`."""
        self._header_with_swatch(ctx, rect, self._color(ctx), self._is_silent)

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """Return the stretch of activity at a frame."""
        activity = self._activity()
        if activity is None:
            return None
        at = int(np.searchsorted(activity.start_frame, frame, side="right")) - 1
        if at < 0 or frame >= activity.end_frame[at]:
            return None
        text = f"{self.title} plays" + (
            ", placed by hand" if activity.is_by_hand is not None and activity.is_by_hand[at] else ""
        )
        return Hit(int(activity.start_frame[at]), int(activity.end_frame[at]), text, self.part_index)
