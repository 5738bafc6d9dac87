"""Who plays when: the strip of segments, and a lane for every part with its activity and, once there is one, its stem.

The three categories differ in form, not only in colour: silence is a line, one part a solid block with its name,
several parts a hatched block with their number. Where segments are narrower than some pixels they are drawn as one
image, whose cost does not grow with their number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QFontMetricsF

from scoresep.model.colors import RESIDUAL_COLOR
from scoresep.model.quality import DOUBTFUL_CONFIDENCE
from scoresep.model.segments import Activity, Segment
from scoresep.qt.timeline.lane import Hit, Lane, TimelineContent
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.waveform_item import LEAST_CHANNEL_PX, Strip, WaveColors, paint_wave
from scoresep.qt.widgets.theme import Theme, blend, ink_on, premultiplied, translucent

STEM_LANE_PX = 54.0
SINGLE_FROM_PX = 5.0
LEAST_NAME_PX = 20.0


class SegmentItem(Lane):
    """The strip of segments that follow from all activities."""

    title = "Segments"
    least_height = 26.0

    def __init__(self, content: TimelineContent) -> None:
        super().__init__(content)
        self._start = np.array([s.start_frame for s in content.segments], np.int64)
        self._end = np.array([s.end_frame for s in content.segments], np.int64)
        self._parts = np.array([len(s.part_indices) for s in content.segments], np.int64)
        self._pixels_theme: Theme | None = None
        self._pixels = np.zeros(0, np.uint32)

    def _mixed_color(self, theme: Theme) -> QColor:
        return blend(theme.ground, theme.text, 0.45)

    def _pixels_of_segments(self, theme: Theme) -> NDArray[np.uint32]:
        """Return the pixel that stands for every segment where it is narrow."""
        if self._pixels_theme is not theme:
            mixed = premultiplied(self._mixed_color(theme), 0.42)
            one = {i: premultiplied(theme.part_color(p.color)) for i, p in enumerate(self.content.parts)}
            segments = self.content.segments
            self._pixels = np.array(
                [mixed if len(s.part_indices) > 1 else one.get(sum(s.part_indices), mixed) for s in segments], np.uint32
            )
            self._pixels_theme = theme
        return self._pixels

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint narrow segments together, wide ones with hatching and text."""
        if not len(self._start):
            return
        top, height = ctx.snap(top + 4), ctx.snap(height - 8)
        is_wide = (self._end - self._start) >= SINGLE_FROM_PX * ctx.axis.frames_per_px
        self._paint_narrow(ctx, is_wide, top, height)
        start, end = ctx.frame_range(2.0)
        first = max(int(np.searchsorted(self._start, start, side="right")) - 1, 0)
        last = int(np.searchsorted(self._start, end, side="right"))
        metrics = QFontMetricsF(ctx.painter.font())
        blocks: list[tuple[Segment, QRectF]] = []
        for index in (first + np.flatnonzero(is_wide[first:last])).tolist():
            segment = self.content.segments[index]
            left, right = ctx.x(segment.start_frame), ctx.x(segment.end_frame)
            if segment.category == "silence":
                self._paint_silence(ctx, left, right, top + height / 2)
            else:
                blocks.append((segment, QRectF(left, top, right - left - ctx.hair, height)))
        self._paint_blocks(ctx, blocks)
        for segment, rect in blocks:
            self._paint_name(ctx, segment, rect, metrics)

    def _paint_narrow(self, ctx: PaintContext, is_wide: NDArray[np.bool_], top: float, height: float) -> None:
        frames = ctx.frames_of_columns(0.5)
        at = np.clip(np.searchsorted(self._start, frames, side="right") - 1, 0, None)
        shown = (frames >= 0) & (frames < self._end[at]) & ~is_wide[at]
        if not shown.any():
            return
        row = np.where(shown & (self._parts[at] > 0), self._pixels_of_segments(ctx.theme)[at], np.uint32(0))
        rows = max(round(height * ctx.pixel_ratio), 1)
        block = np.repeat(row[None], rows, axis=0)
        silent = shown & (self._parts[at] == 0)
        block[rows // 2, silent] = premultiplied(ctx.theme.faint_text)
        ctx.pixels(block, ctx.columns_px[0], round(top * ctx.pixel_ratio))

    def _paint_silence(self, ctx: PaintContext, left: float, right: float, y: float) -> None:
        left, right = max(left, ctx.clip_left - 8), min(right, ctx.clip_right + 8)
        ctx.horizontal(y, left, right, ctx.theme.faint_text)
        for x in (left, right - 2 * ctx.hair):
            ctx.vertical(x, y - 2, y + 2 + ctx.hair, ctx.theme.faint_text)

    def _paint_blocks(self, ctx: PaintContext, blocks: list[tuple[Segment, QRectF]]) -> None:
        """Paint single parts solid, several hatched with a border."""
        theme, painter, hair = ctx.theme, ctx.painter, ctx.hair
        color = self._mixed_color(theme)
        fill, border = translucent(color, 0.2), translucent(color, 0.7)
        mixed = [rect for segment, rect in blocks if segment.category == "mixed"]
        for segment, rect in blocks:
            if segment.category == "single":
                painter.fillRect(rect, theme.part_color(self.content.part_color(segment.part_indices[0])))
        for rect in mixed:
            painter.fillRect(rect, fill)
        ctx.hatch(mixed, translucent(color, 0.5))
        for rect in mixed:
            for y in (rect.top(), rect.bottom() - hair):
                painter.fillRect(QRectF(rect.left(), y, rect.width(), hair), border)
            for x in (rect.left(), rect.right() - hair):
                painter.fillRect(QRectF(x, rect.top() + hair, hair, rect.height() - 2 * hair), border)

    def _paint_name(self, ctx: PaintContext, segment: Segment, rect: QRectF, metrics: QFontMetricsF) -> None:
        """Write the longest name of the segment that has room."""
        if rect.width() < LEAST_NAME_PX:
            return
        count = len(segment.part_indices)
        names = (self._names(segment), f"{count} parts", str(count)) if count > 1 else (self._names(segment),)
        for name in names:
            width = metrics.horizontalAdvance(name)
            if width + 14 >= rect.width():
                continue
            plate = QRectF(rect.left() + 4, rect.top() + 1, width + 6, rect.height() - 2)
            if count > 1:
                ctx.painter.fillRect(plate, translucent(ctx.theme.ground, 0.88))
                ink = ctx.theme.text
            else:
                ink = ink_on(ctx.theme.part_color(self.content.part_color(segment.part_indices[0])))
            ctx.text(plate.adjusted(3, 0, 4, 0), name, ink)
            return

    def paint_pinned(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the name of the segment that began long before the left edge."""
        at = int(np.searchsorted(self._start, ctx.axis.start_frame, side="right")) - 1
        if at < 0 or not self.content.segments[at].part_indices:
            return
        segment, metrics = self.content.segments[at], QFontMetricsF(ctx.painter.font())
        if ctx.x(segment.start_frame) + 14 + metrics.horizontalAdvance(self._names(segment)) < ctx.left:
            right = min(ctx.x(segment.end_frame), ctx.clip_right)
            rect = QRectF(ctx.left, ctx.snap(top + 4), right - ctx.left, ctx.snap(height - 8))
            self._paint_name(ctx, segment, rect, metrics)

    def _names(self, segment: Segment) -> str:
        return " + ".join(self.content.part_name(p) for p in segment.part_indices)

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """Return the segment at a frame."""
        at = int(np.searchsorted(self._start, frame, side="right")) - 1
        if at < 0 or frame >= self._end[at]:
            return None
        segment = self.content.segments[at]
        category = "set" if self.content.layout is None else segment.category  # no score: players unknown
        text = f"{category}: {self._names(segment)}" if segment.part_indices else "silence"
        if segment.confidence is not None:
            doubt = "doubtful, " if segment.confidence < DOUBTFUL_CONFIDENCE else ""
            text += f" ({doubt}confidence {segment.confidence:.0%})"
        quality = self.content.qualities[at]
        text = "  ·  ".join(words for words in (text, quality.figures) if words)
        return Hit(segment.start_frame, segment.end_frame, text, detail=quality.advice)


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
        self.can_stretch = has_stem = part_index in content.stems
        self.least_height = STEM_LANE_PX if has_stem else 22.0
        self.stretch = 0.8 if has_stem else 0.0
        self._activity: Activity | None = next(
            (a for a in content.activities or () if part_index is not None and a.part_index == part_index), None
        )

    def _color(self, theme: Theme) -> QColor:
        color = RESIDUAL_COLOR if self.part_index is None else self.content.part_color(self.part_index)
        return theme.part_color(color, self._is_silent)

    @property
    def _is_silent(self) -> bool:
        return self.part_index in self.content.silent_parts

    def paint_ground(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the activity behind a stem."""
        if self.part_index in self.content.stems:
            self._paint_activity(ctx, top + 1, height - 2, 0.13, line_px=0.0)

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the stem, or the activity where there is none."""
        stem = self.content.stems.get(self.part_index)
        if stem is None:
            self._paint_activity(ctx, top + 4, height - 8, 0.5)
            self._paint_made_by_hand(ctx, top, height)
            return
        self._paint_activity(ctx, top + 1, 2.0, 1.0)
        color = self._color(ctx.theme)
        colors = WaveColors(blend(color, ctx.theme.ground, 0.42), color, translucent(color, 0.3))
        is_folded = height / stem.channels < LEAST_CHANNEL_PX
        paint_wave(ctx, stem, Strip(top + 4, height - 6, self.content.wave_gain, is_folded), colors)
        self._paint_made_by_hand(ctx, top, height)

    def notice(self, frames_per_column: float) -> str:
        """Say why nothing is to be seen."""
        stem = self.content.stems.get(self.part_index)
        return "Reading the stem …" if stem is not None and not stem.is_drawable(frames_per_column) else ""

    def _paint_activity(
        self, ctx: PaintContext, top: float, height: float, opacity: float, line_px: float = 2.0
    ) -> None:
        """Paint all stretches as one image: a line on top, and a tint below it."""
        activity = self._activity
        if activity is None or not len(activity.start_frame):
            return
        color = self._color(ctx.theme)
        left = ctx.frames_of_columns()
        at = np.searchsorted(activity.end_frame, left, side="right")
        starts = np.append(activity.start_frame, np.iinfo(np.int64).max)[at]
        is_active = starts < left + ctx.frames_per_column
        pixels = np.zeros((max(round(height * ctx.pixel_ratio), 1), len(left)), np.uint32)
        pixels[:, is_active] = premultiplied(color, opacity)
        pixels[: round(line_px * ctx.pixel_ratio), is_active] = premultiplied(color)
        ctx.pixels(pixels, ctx.columns_px[0], round(top * ctx.pixel_ratio))

    def _paint_made_by_hand(self, ctx: PaintContext, top: float, height: float) -> None:
        """Underline the stretches that a person has made or moved, with a foot at either end."""
        activity = self._activity
        if activity is None or activity.is_by_hand is None:
            return
        for at in np.flatnonzero(activity.is_by_hand).tolist():
            left, right = ctx.x(float(activity.start_frame[at])), ctx.x(float(activity.end_frame[at]))
            if right >= ctx.clip_left - 2 and left <= ctx.clip_right + 2:
                ctx.fill(left, top + height - 3, max(right - left, 2.0), 2.0, ctx.theme.accent)
                for x in (left, right - 2.0):
                    ctx.fill(x, top + height - 8, 2.0, 7.0, ctx.theme.accent)

    def paint_header(self, ctx: PaintContext, rect: QRectF) -> None:
        """Paint the name with the part's colour."""
        self._header_with_swatch(ctx, rect, self._color(ctx.theme), self._is_silent)

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """Return the stretch of activity at a frame."""
        activity = self._activity
        if activity is None:
            return None
        at = int(np.searchsorted(activity.start_frame, frame, side="right")) - 1
        if at < 0 or frame >= activity.end_frame[at]:
            return None
        by_hand = ", placed by hand" if activity.is_by_hand is not None and activity.is_by_hand[at] else ""
        text = f"{self.title} plays{by_hand}"
        return Hit(int(activity.start_frame[at]), int(activity.end_frame[at]), text, self.part_index)
