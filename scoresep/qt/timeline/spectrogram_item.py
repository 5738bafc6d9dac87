"""The lane of the spectrogram: its pixels, the score over them, and the keys of a piano beside them.

The score over it: every note a thin frame at its pitch and time, overtones as thin lines above it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from scoresep.model.colors import make_legible
from scoresep.model.spectrogram import level_to_db
from scoresep.qt.timeline.lane import Hit, Lane, TimelineContent
from scoresep.qt.timeline.note_item import BLACK_KEYS, MOST_SINGLE_NOTES, covered_pixels, hit_text
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.score_layout import DOUBTFUL, ScoreLayout, pitch_name
from scoresep.qt.timeline.spectrogram_picture import TILE_COLUMNS, PitchRange, range_for
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
    """Return the frames of notes at device pixels; all must have a pitch.

    Parameters
    ----------
    ctx : PaintContext
        With the range of time that is painted.
    layout : ScoreLayout
    places : ndarray [shape=(notes,)], int64
        In the layout.
    room : PitchRoom
        The lane.
    """
    ratio, tall = ctx.pixel_ratio, max(room.semitone_px, LEAST_NOTE_PX)
    left, right = ctx.xs(layout.onset_frame[places]), ctx.xs(layout.offset_frame[places])
    right = np.minimum(np.maximum(right, left + 3.0), ctx.clip_right + 400)
    middle = room.top + (room.high - layout.pitch_midi[places]) * room.semitone_px
    upper = np.rint((middle - tall / 2) * ratio) / ratio
    columns = (left, upper, right - left, np.full(len(places), np.rint(tall * ratio) / ratio))
    return [QRectF(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def paint_notes(ctx: PaintContext, content: TimelineContent, room: PitchRoom) -> None:
    """Paint the frames of all notes in sight; where they are too many, a line for each.

    Parameters
    ----------
    ctx : PaintContext
        With the range of time that is painted.
    content : TimelineContent
    room : PitchRoom
        The lane.
    """
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
    """Return the colour of a part, clearer than in other lanes since it lies over colours; pale where not heard.

    Parameters
    ----------
    ctx : PaintContext
        With the range of time that is painted.
    content : TimelineContent
    part : int
        Its index.
    """
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
    """Paint notes that are selected and the one that is touched; the latter, and a few selected, with overtones.

    Parameters
    ----------
    ctx : PaintContext
        With the range of time that is painted.
    content : TimelineContent
    places : ndarray [shape=(notes,)], int64
        Notes that are shown strongly.
    touched : int or None
        Place of the note under the pointer.
    room : PitchRoom
        The lane.
    """
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


LEAST_LANE_PX = 190.0
KEYS_PX = 15.0
MOST_OVERTONE_NOTES = 120
# Names of keys beside this many pixels for a semitone; below, those of the octaves alone.
NAMES_FROM_PX = 15.0
OCTAVE_NAMES_FROM_PX = 14.0


class SpectrogramItem(Lane):
    """The spectrogram of the recording or of a stem."""

    title = "Spectrogram"

    def __init__(self, content: TimelineContent) -> None:
        super().__init__(content)
        picture = content.spectrogram
        self.least_height = picture.height_px or LEAST_LANE_PX
        self.stretch = 0.0 if picture.height_px else 5.0

    @property
    def pitches(self) -> PitchRange:
        """The pitches in sight."""
        return self.content.spectrogram.pitches or range_for(self.content.layout)

    def room(self, top: float, height: float) -> PitchRoom:
        """Return where pitches lie."""
        return PitchRoom(top, height, self.pitches.low, self.pitches.high)

    def paint_ground(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the spectrogram; bar lines go over it."""
        picture = self.content.spectrogram
        top_px, bottom_px = round(top * ctx.pixel_ratio), round((top + height) * ctx.pixel_ratio)
        first_px, last_px = ctx.columns_px
        first, last = (first_px - ctx.origin_px) // TILE_COLUMNS, (last_px - 1 - ctx.origin_px) // TILE_COLUMNS
        ground, pitches = ctx.theme.ground.name(), self.pitches
        ctx.painter.save()
        ctx.painter.setClipRect(QRectF(ctx.clip_left, top, ctx.clip_right, height), Qt.ClipOperation.IntersectClip)
        for number in range(first, last + 1):
            pixels = picture.tile(number, ctx.frames_per_column, bottom_px - top_px, pitches, ground)
            ctx.pixels(pixels, number * TILE_COLUMNS + ctx.origin_px, top_px)
        self._paint_unknown(ctx, top, height)
        ctx.painter.restore()

    def _paint_unknown(self, ctx: PaintContext, top: float, height: float) -> None:
        """Hatch what is not computed yet."""
        first_px, last_px = ctx.columns_px
        first, columns = first_px - ctx.origin_px, last_px - first_px
        known = self.content.spectrogram.known(first, ctx.frames_per_column, columns)
        inside = ctx.frames_of_columns(0.5)
        recording = self.content.recording
        frames = recording.frames if recording is not None else 0
        missing = ~known & (inside >= 0) & (inside < frames)
        if not missing.any():
            return
        edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(np.int8), [0]])))
        rects = [
            QRectF((first_px + a) / ctx.pixel_ratio, top, (b - a) / ctx.pixel_ratio, height)
            for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        ]
        ctx.hatch(rects, translucent(ctx.theme.faint_text, 0.28), 14.0)

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the score over it."""
        look, room, layout = self.content.spectrogram.look, self.room(top, height), self.content.layout
        if layout is None:
            return
        if look.with_overtones and not self._has_too_many(ctx):
            places = layout.visible(*ctx.frame_range(4.0))
            part = self.content.spectrogram.chosen_part
            paint_overtones(ctx, self.content, places[layout.part_index[places] == part], room)
        if look.with_notes:
            paint_notes(ctx, self.content, room)

    def _has_too_many(self, ctx: PaintContext) -> bool:
        """Whether so many notes of the chosen part are in sight that their overtones would cover everything."""
        layout, part = self.content.layout, self.content.spectrogram.chosen_part
        if layout is None:
            return False
        in_sight = layout.visible(*ctx.sight)
        return bool((layout.part_index[in_sight] == part).sum() > MOST_OVERTONE_NOTES)

    def paint_pinned(self, ctx: PaintContext, top: float, height: float) -> None:
        """Say where overtones are asked for and cannot be shown."""
        if self.content.spectrogram.look.with_overtones and self._has_too_many(ctx):
            text = "Overtones show from nearer by"
            width = QFontMetricsF(ctx.painter.font()).horizontalAdvance(text) + 16
            plate = QRectF(ctx.left + ctx.axis.width_px - width - 8, top + 8, width, 20)
            ctx.painter.fillRect(plate, translucent(ctx.theme.ground, 0.85))
            ctx.text(plate, text, ctx.theme.text, Qt.AlignmentFlag.AlignHCenter)

    def paint_touched(
        self, ctx: PaintContext, top: float, height: float, selected: NDArray[np.int64], touched: int | None
    ) -> None:
        """Paint over everything the notes that are selected, and the one under the pointer with its overtones.

        Parameters
        ----------
        ctx : PaintContext
            With the range of time that is painted.
        top, height : float
            In logical pixels.
        selected : ndarray [shape=(notes,)], int64
            Places of notes in the layout.
        touched : int or None
            Place of the note under the pointer.
        """
        if not self.content.spectrogram.look.with_notes or (touched is None and not len(selected)):
            return
        ctx.painter.save()
        ctx.painter.setClipRect(QRectF(ctx.left, top, ctx.clip_right, height), Qt.ClipOperation.IntersectClip)
        paint_strong(ctx, self.content, selected, touched, self.room(top, height))
        ctx.painter.restore()

    def notice(self, frames_per_column: float) -> str:
        """Say why nothing is to be seen."""
        return self.content.spectrogram.shown.notice

    # ------------------------------------------------------------------------------------------ the keys beside it

    def paint_header(self, ctx: PaintContext, rect: QRectF) -> None:
        """Paint names, and the keys of a piano at the edge."""
        super().paint_header(ctx, rect)
        shown = self.content.spectrogram.shown
        line = self._title_rect(rect).translated(0, 17)
        ctx.text(line.adjusted(0, 0, -40, 0), shown.title, ctx.theme.faint_text)
        room, keys = self.room(rect.top(), rect.height()), QRectF(rect.right() - KEYS_PX, rect.top(), KEYS_PX, 0)
        white, black = self._key_colors(ctx)
        ctx.fill(keys.left(), rect.top(), KEYS_PX, rect.height(), white)
        for pitch in range(int(np.floor(room.low)), int(np.ceil(room.high)) + 1):
            y, tall = room.y(pitch + 0.5), room.semitone_px
            if pitch % 12 in BLACK_KEYS and tall >= 2:
                ctx.fill(keys.left(), y, KEYS_PX * 0.62, tall, black)
            elif pitch % 12 in (0, 5) and tall >= 2:  # B and C, E and F lie side by side
                ctx.horizontal(room.y(pitch - 0.5), keys.left(), rect.right(), translucent(black, 0.45))
            self._paint_key_name(ctx, room, keys, pitch)
        ctx.vertical(keys.left() - ctx.hair, rect.top(), rect.bottom(), ctx.theme.border)

    def _key_colors(self, ctx: PaintContext) -> tuple[QColor, QColor]:
        theme = ctx.theme
        if theme.is_dark:
            return blend(theme.ground, theme.text, 0.72), blend(theme.ground, theme.text, 0.06)
        return theme.ground, blend(theme.ground, theme.text, 0.8)

    def _paint_key_name(self, ctx: PaintContext, room: PitchRoom, keys: QRectF, pitch: int) -> None:
        is_octave = pitch % 12 == 0
        if not (is_octave and 12 * room.semitone_px >= OCTAVE_NAMES_FROM_PX) and room.semitone_px < NAMES_FROM_PX:
            return
        y = room.y(pitch)
        if not room.top + 7 <= y <= room.top + room.height - 7 or (y < room.top + 44 and not is_octave):
            return
        color = ctx.theme.text if is_octave and room.semitone_px >= NAMES_FROM_PX else ctx.theme.faint_text
        right = Qt.AlignmentFlag.AlignRight
        ctx.text(QRectF(keys.left() - 44, y - 8, 40, 16), pitch_name(pitch), color, right)

    # --------------------------------------------------------------------------------------------- what lies there

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """Return the note at a place; of several the nearest in pitch."""
        layout = self.content.layout
        if layout is None or not self.content.spectrogram.look.with_notes:
            return None
        room = self.room(0.0, height)
        places = layout.visible(frame - tolerance_frames, frame + tolerance_frames)
        away_px = np.abs(layout.pitch_midi[places] - room.pitch(y)) * room.semitone_px
        near = np.flatnonzero(away_px <= max(room.semitone_px, LEAST_NOTE_PX + 3) / 2)
        if not len(near):
            return None
        place = int(places[near[np.argmin(away_px[near])]])
        text = hit_text(self.content, layout, place)
        part = int(layout.part_index[place])
        return Hit(int(layout.onset_frame[place]), int(layout.offset_frame[place]), text, part, place)

    def place_text(self, frame: float, y: float, height: float) -> str:
        """Say which pitch and frequency lie at a place, and how loud it is there."""
        pitch = self.room(0.0, height).pitch(y)
        nearest = round(pitch)
        cents = round((pitch - nearest) * 100)
        name = f"{pitch_name(nearest)} {cents:+d} ct" if cents else pitch_name(nearest)
        hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
        frequency = f"{hz:.1f} Hz" if hz < 1000 else f"{hz / 1000:.3f} kHz"
        level = self.content.spectrogram.level_at(frame, pitch)
        loudness = "" if level is None else f"   {level_to_db(level):.0f} dB" if level >= 1 else "   silent"
        return f"{name}   {frequency}{loudness}"
