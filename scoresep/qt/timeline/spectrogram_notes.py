"""The score over the spectrogram: every note a thin frame at its pitch and time, overtones as thin lines above it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from scoresep.model.colors import make_legible
from scoresep.qt.timeline.content import TimelineContent
from scoresep.qt.timeline.difference import DOUBTFUL
from scoresep.qt.timeline.note_item import MOST_SINGLE_NOTES, covered_pixels
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.score_layout import ScoreLayout
from scoresep.qt.widgets.theme import blend, premultiplied, translucent

# Notes are never flatter than this, so that they can be seen and grasped.
LEAST_NOTE_PX = 5.0
DARK_CONTRAST, LIGHT_CONTRAST = 5.5, 3.0
RIM_OPACITY = 0.72
OVERTONES = 16
LINE_PX = 1.5
MOST_WITH_OVERTONES = 4
# Overtones nearer to each other than this hide what they lie over; numbers want more room.
LEAST_GAP_PX = 4.0
LABEL_FROM_PX = 11.0
# What sounds n times as high lies so many semitones above.
OVERTONE_SEMITONES = 12 * np.log2(np.arange(1, OVERTONES + 1))


@dataclass(frozen=True)
class PitchRoom:
    """Where pitches lie in a lane.

    Attributes
    ----------
    top, height : float
    low, high : float
        The pitches at the lower and the upper edge.
    """

    top: float
    height: float
    low: float
    high: float

    @property
    def semitone_px(self) -> float:
        """Height of a semitone."""
        return self.height / (self.high - self.low)

    def y(self, pitch_midi: float) -> float:
        """Convert a pitch to the widget's y."""
        return self.top + (self.high - pitch_midi) * self.semitone_px

    def pitch(self, y: float) -> float:
        """Convert the widget's y to a pitch."""
        return self.high - (y - self.top) / self.semitone_px


def note_rects(ctx: PaintContext, layout: ScoreLayout, places: NDArray[np.int64], room: PitchRoom) -> list[QRectF]:
    """Return the frames of notes at device pixels; all must have a pitch."""
    ratio, tall = ctx.pixel_ratio, max(room.semitone_px, LEAST_NOTE_PX)
    left, right = ctx.xs(layout.onset_frame[places]), ctx.xs(layout.offset_frame[places])
    right = np.minimum(np.maximum(right, left + 3.0), ctx.clip_right + 400)
    middle = room.top + (room.high - layout.pitch_midi[places]) * room.semitone_px
    upper = np.rint((middle - tall / 2) * ratio) / ratio
    columns = (left, upper, right - left, np.full(len(places), np.rint(tall * ratio) / ratio))
    return [QRectF(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def paint_notes(ctx: PaintContext, content: TimelineContent, room: PitchRoom) -> None:
    """Paint the frames of all notes in sight; where they are too many, a line for each."""
    layout = content.layout
    if layout is None:
        return
    places = _pitched(layout, layout.visible(*ctx.frame_range(4.0)))
    if len(layout.visible(*ctx.sight)) > MOST_SINGLE_NOTES:
        _paint_lines(ctx, content, layout, places, room)
        return
    rects = note_rects(ctx, layout, places, room)
    parts = layout.part_index[places]
    is_sure = (layout.confidence[places] >= DOUBTFUL) & layout.is_aligned
    for part in np.unique(parts).tolist():
        color = part_color(ctx, content, part)
        for sure in (True, False):
            mine = [rects[i] for i in np.flatnonzero((parts == part) & (is_sure == sure)).tolist()]
            _paint_frames(ctx, mine, color, is_sure=sure)


def _pitched(layout: ScoreLayout, places: NDArray[np.int64]) -> NDArray[np.int64]:
    return places[~np.isnan(layout.pitch_midi[places])]


def part_color(ctx: PaintContext, content: TimelineContent, part: int) -> QColor:
    """Return the colour of a part, clearer than in other lanes since it lies over colours; pale where not heard."""
    least = DARK_CONTRAST if ctx.theme.is_dark else LIGHT_CONTRAST
    color = ctx.theme.part_color(make_legible(content.part_color(part), ctx.theme.ground.name(), least))
    return blend(color, ctx.theme.ground, 0.5) if part in content.silent_parts else color


def _paint_frames(ctx: PaintContext, rects: list[QRectF], color: QColor, is_sure: bool, width: float = 1.0) -> None:
    """Paint frames with a rim of the ground's colour, so that they show on quiet and on loud places alike.

    The start, which is what is corrected, is the strongest line.
    """
    hair, painter = width * ctx.hair, ctx.painter
    rim = translucent(ctx.theme.ground, RIM_OPACITY)
    dash = [] if is_sure else [3.0, 2.0]
    half, outer = hair / 2, ctx.hair / 2
    frames = [r.adjusted(half, half, -half, -half) for r in rects]
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(rim, ctx.hair))
    painter.drawRects([r.adjusted(-outer, -outer, outer, outer) for r in rects])
    pen = QPen(color, hair)
    if dash:
        pen.setDashPattern(dash)
    painter.setPen(pen)
    painter.drawRects(frames)
    for rect in rects:
        painter.fillRect(QRectF(rect.left(), rect.top(), 2 * hair, rect.height()), color)


def _paint_lines(
    ctx: PaintContext, content: TimelineContent, layout: ScoreLayout, places: NDArray[np.int64], room: PitchRoom
) -> None:
    """Paint a thin line for each note; a note costs some additions, however many there are."""
    first_px, last_px = ctx.columns_px
    columns, first = last_px - first_px, first_px - ctx.origin_px
    left = np.floor(layout.onset_frame[places] / ctx.frames_per_column).astype(np.int64) - first
    right = np.ceil(layout.offset_frame[places] / ctx.frames_per_column).astype(np.int64) - first
    left, right = np.clip(left, 0, columns), np.clip(np.maximum(right, left + 1), 0, columns)
    row = np.rint((room.y(0.0) - room.top - layout.pitch_midi[places] * room.semitone_px) * ctx.pixel_ratio)
    rows, lines = np.unique(row.astype(np.int64), return_inverse=True)
    thick, height_px = max(round(LINE_PX * ctx.pixel_ratio), 1), round(room.height * ctx.pixel_ratio)
    pixels = np.zeros((height_px, columns), np.uint32)
    for part in np.unique(layout.part_index[places]).tolist():
        mine = layout.part_index[places] == part
        covered = covered_pixels(lines[mine], left[mine], right[mine], (len(rows), columns))
        color = np.uint32(premultiplied(part_color(ctx, content, part), 0.85))
        for line in np.unique(lines[mine]).tolist():
            first_row = int(rows[line]) - thick // 2
            pixels[max(first_row, 0) : max(first_row + thick, 0), covered[line]] = color
    ctx.pixels(pixels, first_px, round(room.top * ctx.pixel_ratio))


def paint_overtones(
    ctx: PaintContext, content: TimelineContent, places: NDArray[np.int64], room: PitchRoom, is_strong: bool = False
) -> None:
    """Paint the overtones of some notes, the higher the fainter.

    Parameters
    ----------
    ctx : PaintContext
    content : TimelineContent
    places : ndarray [shape=(notes,)], int64
        In the layout.
    room : PitchRoom
    is_strong : bool
        For a few notes that are looked at: clearer, with their numbers.
    """
    layout = content.layout
    if layout is None or not len(places):
        return
    places = _pitched(layout, places)
    left, right = ctx.xs(layout.onset_frame[places]), ctx.xs(layout.offset_frame[places])
    pitch, parts = layout.pitch_midi[places], layout.part_index[places]
    ctx.painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    rim = translucent(ctx.theme.ground, 0.5 if is_strong else 0.35)
    for number in range(2, OVERTONES + 1):
        above = pitch + OVERTONE_SEMITONES[number - 1]
        gap_px = (OVERTONE_SEMITONES[number - 1] - OVERTONE_SEMITONES[number - 2]) * room.semitone_px
        inside = np.flatnonzero(above < room.high)
        if not len(inside) or gap_px < LEAST_GAP_PX:
            break
        y = np.array([ctx.snap(room.y(p)) for p in above[inside].tolist()]) + ctx.hair / 2
        lines = [QLineF(*row) for row in zip(left[inside], y, right[inside], y, strict=True)]
        strength = (0.95 if is_strong else 0.72) * (1 - 0.5 * (number - 2) / OVERTONES)
        ctx.painter.setPen(QPen(rim, 3 * ctx.hair))
        ctx.painter.drawLines(lines)
        for part in np.unique(parts[inside]).tolist():
            color = translucent(part_color(ctx, content, part), strength)
            ctx.painter.setPen(QPen(color, ctx.hair))
            ctx.painter.drawLines([line for line, p in zip(lines, parts[inside].tolist(), strict=True) if p == part])
        if is_strong and gap_px >= LABEL_FROM_PX:
            for line in lines:
                x = max(line.x1(), ctx.left) - 20
                if line.x2() > ctx.left:
                    _paint_number(ctx, number, x if x > ctx.left else line.x2() + 4, line.y1())


def _paint_number(ctx: PaintContext, number: int, x: float, y: float) -> None:
    rect = QRectF(x, y - 7, 17, 14)
    ctx.painter.fillRect(rect, translucent(ctx.theme.ground, 0.66))
    ctx.text(rect, str(number), ctx.theme.text, Qt.AlignmentFlag.AlignHCenter)


def paint_strong(
    ctx: PaintContext, content: TimelineContent, places: NDArray[np.int64], touched: int | None, room: PitchRoom
) -> None:
    """Paint notes that are selected and the one that is touched; the latter, and a few selected, with overtones."""
    layout = content.layout
    if layout is None:
        return
    if touched is not None:
        places = np.union1d(places, [touched]).astype(np.int64)
    chosen = content.note_marks.selected
    for place in places.tolist():
        if place == touched or (len(chosen) <= MOST_WITH_OVERTONES and int(layout.row[place]) in chosen):
            paint_overtones(ctx, content, np.array([place]), room, is_strong=True)
    places = _pitched(layout, places)
    for place, rect in zip(places.tolist(), note_rects(ctx, layout, places, room), strict=True):
        color = part_color(ctx, content, int(layout.part_index[place]))
        _paint_frames(ctx, [rect.adjusted(-1, -1, 1, 1)], color, is_sure=True, width=2.0)
        ctx.painter.setPen(QPen(ctx.theme.text, ctx.hair))
        ctx.painter.drawRect(rect.adjusted(-2, -2, 2, 2))
