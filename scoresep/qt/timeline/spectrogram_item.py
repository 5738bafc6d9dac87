"""The lane of the spectrogram: its pixels, the score over them, and the keys of a piano beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF

from scoresep.model.spectrogram import level_to_db
from scoresep.qt.timeline.content import TimelineContent
from scoresep.qt.timeline.lane import Hit, Lane
from scoresep.qt.timeline.note_item import BLACK_KEYS, hit_text
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.score_layout import pitch_name
from scoresep.qt.timeline.spectrogram_notes import (
    LEAST_NOTE_PX,
    PitchRoom,
    paint_notes,
    paint_overtones,
    paint_strong,
)
from scoresep.qt.timeline.spectrogram_picture import TILE_COLUMNS, PitchRange, range_for
from scoresep.qt.widgets.theme import blend, translucent

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
        """Paint over everything the notes that are selected, and the one under the pointer with its overtones."""
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
