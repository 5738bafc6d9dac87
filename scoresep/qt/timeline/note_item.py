"""The piano roll: the notes of every part at their places in the recording, in the part's colour.

Up to some hundreds of visible notes are drawn one by one, with name, outline and how sure their place is; more are
drawn as one image, whose cost does not grow with their number.

Also here: a new alignment over the present one: where notes and bar lines would go, drawn as ghosts until it is decided
on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from scoresep.qt.timeline.lane import EMPTY_LANE_PX, Hit, Lane, TimelineContent
from scoresep.qt.timeline.note_marks import MarkedNote, paint_many_marks, paint_note_marks
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.score_layout import DOUBTFUL, MOVED_S, Difference, ScoreLayout, pitch_name
from scoresep.qt.widgets.theme import ink_on, premultiplied, translucent

STRIP_PX = 3.0
LEAST_BAR_PX = 7.0
LEAST_ARROW_PX = 3.0
MOST_GHOSTS = 400


def ghosts_in(ctx: PaintContext, difference: Difference) -> NDArray[np.int64]:
    """Return the places (in the pending layout) of the ghosts to be painted; none where they would be too many."""
    pending = difference.pending
    places = pending.visible(*ctx.frame_range(60.0))
    places = places[difference.is_changed[places]]
    shown = pending.visible(*ctx.sight)
    return places if difference.is_changed[shown].sum() <= MOST_GHOSTS else places[:0]


def paint_ghost_notes(
    ctx: PaintContext, content: TimelineContent, places: NDArray[np.int64], rects: list[QRectF]
) -> None:
    """Paint notes where the pending alignment has them, each joined with its present place.

    Parameters
    ----------
    ctx : PaintContext
    content : TimelineContent
    places : ndarray of int
        As `ghosts_in` returns them.
    rects : list of QRectF
        Where they lie.
    """
    difference = content.difference
    assert difference is not None
    painter, theme, pending = ctx.painter, ctx.theme, difference.pending
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    for place, rect in zip(places.tolist(), rects, strict=True):
        color = theme.part_color(content.part_color(int(pending.part_index[place])))
        doubtful = bool(difference.is_doubtful[place])
        pen = QPen(theme.warning if doubtful else theme.text, 1.3)
        pen.setDashPattern([2.0, 2.0] if doubtful else [4.0, 2.0])
        painter.setPen(pen)
        painter.setBrush(translucent(color, 0.12))
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 2.5, 2.5)
        before = float(difference.present_onset_frame[place])
        if not np.isnan(before):
            _paint_arrow(ctx, ctx.x(before), rect.left(), rect.bottom() - 2.0, theme.text)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _paint_arrow(ctx: PaintContext, start: float, end: float, y: float, color: QColor) -> None:
    """Join two places of one note."""
    if abs(end - start) < LEAST_ARROW_PX:
        return
    painter, way = ctx.painter, 1.0 if end > start else -1.0
    painter.setPen(QPen(color, 1.0))
    painter.drawLine(QPointF(start, y), QPointF(end, y))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    size = min(4.0, abs(end - start))
    tip = QPointF(end, y)
    painter.drawPolygon(
        QPolygonF([tip, tip + QPointF(-way * size, -size / 1.6), tip + QPointF(-way * size, size / 1.6)])
    )


def paint_pending_lines(ctx: PaintContext, difference: Difference, top: float, bottom: float) -> None:
    """Paint dashed bar lines where those that move would go, if there is room for them.

    Parameters
    ----------
    ctx : PaintContext
        With the range of time that is painted.
    difference : Difference
        What the pending alignment would change.
    top, bottom : float
        In logical pixels.
    """
    lines = difference.pending.grid.start_frame
    if len(lines) < 2 or np.median(np.diff(lines)) / ctx.axis.frames_per_px < LEAST_BAR_PX:
        return
    low, high = ctx.frame_range(2.0)
    shown = np.flatnonzero(difference.is_bar_moved & (lines >= low) & (lines <= high))
    pen = QPen(ctx.theme.accent, max(ctx.hair, 1.0))
    pen.setDashPattern([5.0, 4.0])
    ctx.painter.setPen(pen)
    for step in shown.tolist():
        x = ctx.x(float(lines[step])) + ctx.hair / 2
        ctx.painter.drawLine(QPointF(x, top), QPointF(x, bottom))


def paint_pending_strip(ctx: PaintContext, difference: Difference, bottom: float) -> None:
    """Paint, at any zoom, a line over the stretches that would move, and under it one over what is doubtful.

    Parameters
    ----------
    ctx : PaintContext
        With the range of time that is painted.
    difference : Difference
        What the pending alignment would change.
    bottom : float
        In logical pixels.
    """
    frames = ctx.frames_of_columns(0.5)
    if not len(frames):
        return
    rows = max(round(STRIP_PX * ctx.pixel_ratio), 1)
    pixels = np.zeros((2 * rows, len(frames)), np.uint32)
    moved = np.abs(difference.shift_frames(frames)) > MOVED_S * difference.sample_rate
    pixels[:rows, moved] = premultiplied(ctx.theme.accent)
    pixels[rows:, _doubtful_columns(ctx, difference, len(frames))] = premultiplied(ctx.theme.warning)
    ctx.pixels(pixels, ctx.columns_px[0], round((bottom - 2 * STRIP_PX - ctx.hair) * ctx.pixel_ratio))


def _doubtful_columns(ctx: PaintContext, difference: Difference, columns: int) -> NDArray[np.bool_]:
    """Return over which device pixels a note with a doubtful place sounds."""
    pending = difference.pending
    places = np.flatnonzero(difference.is_doubtful)
    first = ctx.columns_px[0] - ctx.origin_px
    left = np.floor(pending.onset_frame[places] / ctx.frames_per_column).astype(np.int64) - first
    right = np.ceil(pending.offset_frame[places] / ctx.frames_per_column).astype(np.int64) - first
    right = np.maximum(right, left + 1)
    left, right = np.clip(left, 0, columns), np.clip(right, 0, columns)
    steps = np.bincount(left, minlength=columns + 1) - np.bincount(right, minlength=columns + 1)
    return np.cumsum(steps)[:columns] > 0


MOST_SINGLE_NOTES = 280
LEAST_NOTE_PX = 3.0
FAR_PX = 16000.0
BLACK_KEYS = (1, 3, 6, 8, 10)
UNPITCHED_ROW_PX = 14.0
NAME_FLAGS = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine)


class NoteItem(Lane):
    """The piano roll."""

    title = "Notes"
    stretch = 3.0

    def __init__(self, content: TimelineContent) -> None:
        super().__init__(content)
        layout = content.layout
        low, high = layout.pitch_range if layout is not None else (48, 72)
        self._low, self._rows = low, high - low + 1
        self._unpitched = layout.unpitched_parts if layout is not None else ()
        if layout is None:
            self.least_height, self.stretch = EMPTY_LANE_PX, 0.0
            return
        self.least_height = min(max(self._rows * 4.0, 110.0), 260.0) + len(self._unpitched) * UNPITCHED_ROW_PX

    def _pitched_height(self, height: float) -> float:
        return height - len(self._unpitched) * UNPITCHED_ROW_PX

    def _row_px(self, height: float) -> float:
        return self._pitched_height(height) / self._rows

    def note_tops(self, layout: ScoreLayout, places: NDArray[np.int64], height: float) -> NDArray[np.float64]:
        """Return how far below the lane's top the given notes lie.

        Parameters
        ----------
        layout : ScoreLayout
        places : ndarray [shape=(notes,)], int64
            In the layout.
        height : float
            Of the lane, in logical pixels.
        """
        pitch, row_px = layout.pitch_midi[places], self._row_px(height)
        line = np.searchsorted(np.array(self._unpitched, np.int64), layout.part_index[places])
        unpitched = self._pitched_height(height) + line * UNPITCHED_ROW_PX
        return np.where(np.isnan(pitch), unpitched, (self._low + self._rows - 1 - np.nan_to_num(pitch)) * row_px)

    def note_heights(self, layout: ScoreLayout, places: NDArray[np.int64], height: float) -> NDArray[np.float64]:
        """Return the heights of the given notes.

        Parameters
        ----------
        layout : ScoreLayout
        places : ndarray [shape=(notes,)], int64
            In the layout.
        height : float
            Of the lane, in logical pixels.
        """
        return np.where(np.isnan(layout.pitch_midi[places]), UNPITCHED_ROW_PX, self._row_px(height))

    def paint_ground(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the rows of the black keys and the lines between octaves."""
        if self.content.layout is None:
            return
        row_px, theme = self._row_px(height), ctx.theme
        for row in range(self._rows):
            pitch = self._low + self._rows - 1 - row
            y = top + row * row_px
            if pitch % 12 in BLACK_KEYS and row_px >= 3:
                ctx.fill(ctx.clip_left, y, ctx.clip_right - ctx.clip_left, row_px, theme.alternate)
            if pitch % 12 == 0:
                ctx.horizontal(y + row_px, ctx.clip_left, ctx.clip_right, theme.beat_line)
        for line in range(len(self._unpitched)):
            y = top + self._pitched_height(height) + line * UNPITCHED_ROW_PX
            ctx.horizontal(y, ctx.clip_left, ctx.clip_right, theme.bar_line)

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """See `Lane`."""
        layout = self.content.layout
        if layout is None:
            return
        places = layout.visible(*ctx.frame_range(4.0))
        if len(layout.visible(*ctx.sight)) > MOST_SINGLE_NOTES:
            self._paint_dense(ctx, layout, places, top, height)
        else:
            self._paint_single(ctx, layout, places, top, height)
        self._paint_marks(ctx, layout, places, top, height)
        if self.content.difference is not None:
            ghosts = ghosts_in(ctx, self.content.difference)
            rects = self._note_rects(ctx, self.content.difference.pending, ghosts, top, height)
            paint_ghost_notes(ctx, self.content, ghosts, rects)

    def _paint_marks(
        self, ctx: PaintContext, layout: ScoreLayout, places: NDArray[np.int64], top: float, height: float
    ) -> None:
        marks = self.content.note_marks
        places = places[np.isin(layout.row[places], marks.rows)]
        if not len(places):
            return
        rects = self._note_rects(ctx, layout, places, top, height)
        if len(places) > MOST_SINGLE_NOTES:
            paint_many_marks(ctx, marks, layout.row[places].tolist(), rects)
            return
        silent = self.content.silent_parts
        colors = [
            ctx.theme.part_color(self.content.part_color(part), part in silent)
            for part in layout.part_index[places].tolist()
        ]
        names = ["" if np.isnan(pitch) else pitch_name(pitch) for pitch in layout.pitch_midi[places].tolist()]
        notes = [MarkedNote(*note) for note in zip(layout.row[places].tolist(), rects, colors, names, strict=True)]
        paint_note_marks(ctx, marks, notes)

    def _paint_single(
        self, ctx: PaintContext, layout: ScoreLayout, places: NDArray[np.int64], top: float, height: float
    ) -> None:
        painter = ctx.painter
        rects = self._note_rects(ctx, layout, places, top, height)
        is_sure = (layout.confidence[places] >= DOUBTFUL) & layout.is_aligned
        parts = layout.part_index[places]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        metrics = QFontMetricsF(painter.font())
        names: list[tuple[QRectF, int, QColor]] = []
        # parts one after the other, so that pens and brushes are set once for each
        for part, sure in sorted({(int(p), bool(s)) for p, s in zip(parts, is_sure, strict=True)}):
            color = ctx.theme.part_color(self.content.part_color(part), part in self.content.silent_parts)
            ink = ink_on(color) if sure else ctx.theme.text
            self._set_style(ctx, layout, color, sure)
            mine = np.flatnonzero((parts == part) & (is_sure == sure)).tolist()
            for i in mine:
                rect = rects[i] if sure else rects[i].adjusted(0.5, 0.5, -0.5, -0.5)
                radius = min(2.5, rect.height() / 3, rect.width() / 3)
                painter.drawRoundedRect(rect, radius, radius)
                if rect.width() > 24 and rect.height() >= metrics.height() * 0.72:
                    names.append((rect, int(places[i]), ink))
            if layout.is_aligned and not sure:
                ctx.hatch([rects[i].adjusted(1.5, 1.5, -1.5, -1.5) for i in mine], translucent(color, 0.7))
                painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for rect, place, ink in names:
            name = pitch_name(float(layout.pitch_midi[place])) if not np.isnan(layout.pitch_midi[place]) else ""
            if metrics.horizontalAdvance(name) + 8 < rect.width():
                painter.setPen(ink)
                painter.drawText(rect.adjusted(5, 0, 0, 0), NAME_FLAGS, name)

    def _note_rects(
        self, ctx: PaintContext, layout: ScoreLayout, places: NDArray[np.int64], top: float, height: float
    ) -> list[QRectF]:
        """Return where notes are, at device pixels, a hair apart; what is far out of sight is cut off."""
        ratio, hair = ctx.pixel_ratio, ctx.hair
        left, right = ctx.xs(layout.onset_frame[places]), ctx.xs(layout.offset_frame[places])
        right = np.minimum(np.maximum(right - hair, left + LEAST_NOTE_PX), ctx.clip_right + FAR_PX)
        left = np.maximum(left, ctx.clip_left - FAR_PX)
        tops, heights = self.note_tops(layout, places, height), self.note_heights(layout, places, height)
        upper = np.rint((top + tops) * ratio) / ratio
        lower = np.rint((top + tops + heights) * ratio) / ratio - np.where(heights >= 5, hair, 0.0)
        columns = (left, upper, right - left, np.maximum(lower - upper, 2.0))
        return [QRectF(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]

    def paint_pinned(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the names of notes that began long before the left edge."""
        layout = self.content.layout
        metrics = QFontMetricsF(ctx.painter.font())
        if layout is None or self._row_px(height) < metrics.height() * 0.8:
            return
        places = layout.visible(ctx.axis.start_frame, ctx.axis.start_frame)
        places = places[~np.isnan(layout.pitch_midi[places])]
        for place, y in zip(places.tolist(), self.note_tops(layout, places, height).tolist(), strict=True):
            name, part = pitch_name(float(layout.pitch_midi[place])), int(layout.part_index[place])
            width = metrics.horizontalAdvance(name)
            is_free = ctx.x(float(layout.onset_frame[place])) + 5 + width < ctx.left
            if is_free and ctx.x(float(layout.offset_frame[place])) > ctx.left + width + 10:
                color = ctx.theme.part_color(self.content.part_color(part), part in self.content.silent_parts)
                is_sure = layout.is_aligned and layout.confidence[place] >= DOUBTFUL
                ctx.painter.setPen(ink_on(color) if is_sure else ctx.theme.text)
                rect = QRectF(ctx.left + 5, top + y, width + 4, self._row_px(height))
                ctx.painter.drawText(rect, NAME_FLAGS, name)

    def _set_style(self, ctx: PaintContext, layout: ScoreLayout, color: QColor, is_sure: bool) -> None:
        """Sure notes are solid; doubtful ones dashed and hatched; those of a score not aligned yet are hollow."""
        painter = ctx.painter
        if is_sure:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(translucent(color, 0.94))
        elif layout.is_aligned:
            painter.setPen(QPen(color, 1.0, Qt.PenStyle.DashLine))
            painter.setBrush(translucent(color, 0.16))
        else:
            painter.setPen(QPen(color, 1.0))
            painter.setBrush(translucent(color, 0.2))

    def _paint_dense(
        self, ctx: PaintContext, layout: ScoreLayout, places: NDArray[np.int64], top: float, height: float
    ) -> None:
        ratio, row_px = ctx.pixel_ratio, self._row_px(height)
        first_px = round(ctx.clip_left * ratio)
        columns = round(ctx.clip_right * ratio) - first_px
        lines = self._rows + len(self._unpitched)
        pixels = self._dense_pixels(ctx, layout, places, (lines, columns), first_px)
        for first, count, y, line_px in (
            (0, self._rows, 0.0, row_px),
            (self._rows, len(self._unpitched), self._pitched_height(height), UNPITCHED_ROW_PX),
        ):
            if not count:
                continue
            edges = np.rint((top + y + np.arange(count + 1) * line_px) * ratio).astype(np.int64)
            tall = np.repeat(pixels[first : first + count], np.diff(edges), axis=0)
            if line_px >= 5:  # a hair between rows, as between single notes
                tall[edges[1:] - edges[0] - 1] = 0
            ctx.pixels(tall, first_px, int(edges[0]))

    def _dense_pixels(
        self,
        ctx: PaintContext,
        layout: ScoreLayout,
        places: NDArray[np.int64],
        shape: tuple[int, int],
        first_px: int,
    ) -> NDArray[np.uint32]:
        """Draw notes into an image with one line for every pitch: for each part, count where notes begin and end."""
        lines, columns = shape
        first = first_px - ctx.origin_px
        left = np.floor(layout.onset_frame[places] / ctx.frames_per_column).astype(np.int64) - first
        right = np.ceil(layout.offset_frame[places] / ctx.frames_per_column).astype(np.int64) - first
        right = np.maximum(right, left + 1)
        pitch = layout.pitch_midi[places]
        unpitched = self._rows + np.searchsorted(np.array(self._unpitched, np.int64), layout.part_index[places])
        line = np.where(np.isnan(pitch), unpitched, self._low + self._rows - 1 - np.rint(np.nan_to_num(pitch)))
        line = np.clip(line.astype(np.int64), 0, lines - 1)
        left, right = np.clip(left, 0, columns), np.clip(right, 0, columns)
        doubtful = (layout.confidence[places] < DOUBTFUL) | (not layout.is_aligned)
        pixels = np.zeros(shape, np.uint32)
        parts = layout.part_index[places]
        for part in np.unique(parts).tolist():
            color = ctx.theme.part_color(self.content.part_color(part), part in self.content.silent_parts)
            for is_doubtful, alpha in ((True, 0.4), (False, 0.94)):
                mine = (parts == part) & (doubtful == is_doubtful)
                if mine.any():
                    low, high = int(line[mine].min()), int(line[mine].max()) + 1
                    covered = covered_pixels(line[mine] - low, left[mine], right[mine], (high - low, columns))
                    pixels[low:high][covered] = premultiplied(color, alpha)
        return pixels

    def notice(self, frames_per_column: float) -> str:
        """Say that there is no score, or that its places in time are only those of the marked tempo."""
        layout = self.content.layout
        if layout is None:
            return "No score yet: open one, or drop it here"
        if layout.is_aligned or self.content.recording is None:
            return ""
        return "Not aligned yet: shown at the marked tempo"

    def paint_header(self, ctx: PaintContext, rect: QRectF) -> None:
        """Paint the name, and the names of the octaves at the edge."""
        row_px = self._row_px(rect.height())
        right = Qt.AlignmentFlag.AlignRight
        for row in range(self._rows):
            pitch = self._low + self._rows - 1 - row
            if pitch % 12 == 0 and self.content.layout is not None:
                y = rect.top() + (row + 0.5) * row_px
                y = min(max(y, rect.top() + 8), rect.bottom() - 8)  # a name at the edge stays whole
                ctx.text(QRectF(rect.right() - 44, y - 8, 38, 16), pitch_name(pitch), ctx.theme.faint_text, right)
        for line in range(len(self._unpitched)):
            y = rect.top() + self._pitched_height(rect.height()) + line * UNPITCHED_ROW_PX
            name = self.content.part_name(self._unpitched[line])
            ctx.text(
                QRectF(rect.left() + 10, y, rect.width() - 16, UNPITCHED_ROW_PX), name, ctx.theme.faint_text, right
            )
        super().paint_header(ctx, rect)

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """Return the note at a place; of several the one that started last."""
        layout = self.content.layout
        if layout is None:
            return None
        places = layout.visible(frame - tolerance_frames, frame + tolerance_frames)
        tops, heights = self.note_tops(layout, places, height), self.note_heights(layout, places, height)
        touched = places[(tops <= y) & (y < tops + heights)]
        if not len(touched):
            return None
        place = int(touched[-1])
        text, part = hit_text(self.content, layout, place), int(layout.part_index[place])
        return Hit(int(layout.onset_frame[place]), int(layout.offset_frame[place]), text, part, place)


def hit_text(content: TimelineContent, layout: ScoreLayout, place: int) -> str:
    """Say what a note is: ``Violin, A4``.

    Parameters
    ----------
    content : TimelineContent
    layout : ScoreLayout
    place : int
        Of the note in the layout.
    """
    text = f"{content.part_name(int(layout.part_index[place]))}, {pitch_name(float(layout.pitch_midi[place]))}"
    if layout.is_aligned and layout.confidence[place] < DOUBTFUL:
        text += f" (doubtful, {layout.confidence[place]:.0%})"
    edited = content.note_marks.text_of(int(layout.row[place]))
    if edited:
        text += f" ({edited})"
    return text


def covered_pixels(
    line: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return which pixels are covered by stretches [left, right) of lines: more have begun than ended.

    Parameters
    ----------
    line : ndarray [shape=(stretches,)], int64
        Row of each stretch.
    left, right : ndarray [shape=(stretches,)], int64
        First column, and the one behind the last.
    shape : (int, int)
        Rows and columns.
    """
    lines, columns = shape
    at, size = line * (columns + 1), lines * (columns + 1)
    steps = np.bincount(at + left, minlength=size) - np.bincount(at + right, minlength=size)
    return np.cumsum(steps.reshape(lines, columns + 1), axis=1)[:, :-1] > 0
