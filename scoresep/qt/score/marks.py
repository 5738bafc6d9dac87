"""What is marked in the engraved score: the bar and heads that sound, the line that moves along, and single notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from scoresep.model.alignment import Alignment
from scoresep.model.engraving import STAFF_SPACE_UNITS, Engraving, MeasureBox
from scoresep.model.project import PartSettings
from scoresep.model.score import UnfoldedScore
from scoresep.model.timebase import SAME_QUARTER
from scoresep.model.timemap import TimeMap
from scoresep.qt.score.system_drawing import Drawings, Placement
from scoresep.qt.timeline.note_marks import NoteMarks
from scoresep.qt.timeline.score_layout import BarGrid, marked_time_map
from scoresep.qt.widgets.theme import Theme, blend, translucent

# Short notes (grace notes have no length at all) are lit for at least this long, or nobody would see it.
LEAST_LIT_S = 0.09


@dataclass(frozen=True)
class Position:
    """A moment in the score: the bar of the path, its measure, and how far into it, in quarters."""

    step_index: int
    measure_index: int
    offset_quarter: float


class SoundingScore:
    """A score along its path, in time with a recording.

    Parameters
    ----------
    unfolded : UnfoldedScore
    alignment : Alignment or None
        Without one (or with one that was made for another path) the score runs at its marked tempo.
    sample_rate : int
    """

    def __init__(self, unfolded: UnfoldedScore, alignment: Alignment | None, sample_rate: int) -> None:
        self.unfolded = unfolded
        self.sample_rate = sample_rate
        fits = alignment is not None and len(alignment.note_times) == len(unfolded.notes)
        self._alignment = alignment if fits else None
        self._time_map: TimeMap = (
            self._alignment.time_map if self._alignment is not None else marked_time_map(unfolded, sample_rate)
        )
        self.grid = BarGrid(unfolded, self._time_map)
        self._measures = np.array(unfolded.path.measure_indices, np.int64)
        self._intervals()

    def _intervals(self) -> None:
        """Find from when to when each written note is lit, every time that it is played."""
        notes, written = self.unfolded.notes, self.unfolded.score.notes
        ends_quarter = notes.onset_quarter + notes.duration_quarter
        if self._alignment is not None:
            times = self._alignment.note_times
            start, end, keep = times.onset_frame, times.offset_frame, times.is_present
        else:
            start = self._time_map.quarters_to_frames(notes.onset_quarter)
            end, keep = self._time_map.quarters_to_frames(ends_quarter), np.ones(len(notes), np.bool_)
        rows, starts, stops, steps = [notes.written_index], [start.copy()], [end.copy()], [notes.step_index]
        kept = [keep]
        extra: list[tuple[int, int, int, int, int]] = []
        for i in np.flatnonzero(written.tied_to_next[notes.written_index] & keep).tolist():
            chain = self._tied(int(notes.written_index[i]), int(notes.step_index[i]))
            bounds = [int(self._time_map.quarters_to_frames([q])[0]) for _, _, q in chain]
            bounds = [min(max(b, int(start[i])), int(end[i])) for b in bounds]
            if not bounds:
                continue
            stops[0][i] = bounds[0]
            for (row, step, _), begin, finish in zip(chain, bounds, [*bounds[1:], int(end[i])], strict=True):
                extra.append((row, begin, finish, step, i))
        if extra:
            table = np.array(extra, np.int64)
            rows.append(table[:, 0].astype(np.int32))
            starts.append(table[:, 1])
            stops.append(table[:, 2])
            steps.append(table[:, 3].astype(np.int32))
            kept.append(np.ones(len(extra), np.bool_))
        place = np.flatnonzero(np.concatenate(kept))
        begins = np.concatenate(starts)[place]
        order = np.argsort(begins, kind="stable")
        least = round(LEAST_LIT_S * self.sample_rate)
        self.start_frame: NDArray[np.int64] = begins[order]
        self.end_frame = np.maximum(np.concatenate(stops)[place][order], self.start_frame + least)
        self.row: NDArray[np.int64] = np.concatenate(rows)[place][order].astype(np.int64)
        self.step: NDArray[np.int64] = np.concatenate(steps)[place][order].astype(np.int64)
        self._latest_end = np.maximum.accumulate(self.end_frame) if len(order) else self.end_frame

    def _tied(self, row: int, step: int) -> list[tuple[int, int, float]]:
        """Follow ties from a note: row, bar of the path and onset in quarters of each note that goes on with it."""
        written, starts = self.unfolded.score.notes, self.unfolded.step_start_quarter
        chain: list[tuple[int, int, float]] = []
        while written.tied_to_next[row] and len(chain) < 1000:
            end = float(written.offset_quarter[row] + written.duration_quarter[row])
            if end >= float(starts[step + 1] - starts[step]) - 0.05:
                step, end = step + 1, 0.0
            if step >= len(self._measures):
                break
            key = (int(self._measures[step]), int(written.part_index[row]), float(written.pitch_midi[row]))
            found = [r for r in self._continuations.get(key, ()) if abs(written.offset_quarter[r] - end) < 0.05]
            if not found or found[0] == row:
                break
            row = found[0]
            chain.append((row, step, float(starts[step]) + end))
        return chain

    @cached_property
    def _continuations(self) -> dict[tuple[int, int, float], list[int]]:
        notes = self.unfolded.score.notes
        found: dict[tuple[int, int, float], list[int]] = {}
        for r in np.flatnonzero(notes.tied_from_previous).tolist():
            key = (int(notes.measure_index[r]), int(notes.part_index[r]), float(notes.pitch_midi[r]))
            found.setdefault(key, []).append(r)
        return found

    # ------------------------------------------------------------------------------------------------------ asking

    def sounding(self, frame: int) -> frozenset[int]:
        """Return the rows of `Score.notes` that sound at a frame."""
        first = int(np.searchsorted(self._latest_end, frame, side="right"))
        last = int(np.searchsorted(self.start_frame, frame, side="right"))
        if last <= first:
            return frozenset()
        return frozenset(self.row[first:last][self.end_frame[first:last] > frame].tolist())

    def position(self, frame: int) -> Position | None:
        """Return where in the score a frame is; None before its first bar and after its last."""
        starts = self.grid.start_frame
        if not self.grid.count or not starts[0] <= frame < starts[-1]:
            return None
        step = self.grid.step_at(frame)
        quarter = float(self._time_map.frame_to_quarter(frame))
        offset = max(quarter - float(self.unfolded.step_start_quarter[step]), 0.0)
        return Position(step, int(self._measures[step]), offset + SAME_QUARTER)

    def step_near(self, frame: int) -> int:
        """Return the bar of the path at a frame; the first or last one outside of it."""
        return self.grid.step_at(frame)

    def step_of_measure(self, measure_index: int, near_step: int) -> int | None:
        """Return the time a measure is played that lies nearest to a bar of the path; None where it never is."""
        steps = np.flatnonzero(self._measures == measure_index)
        if not len(steps):
            return None
        return int(steps[np.argmin(np.abs(steps - near_step))])

    def start_of_note(self, row: int, near_step: int) -> int | None:
        """Return the frame where a written note begins, the time it is played nearest to a bar of the path."""
        places = np.flatnonzero(self.row == row)
        if not len(places):
            return None
        return int(self.start_frame[places[np.argmin(np.abs(self.step[places] - near_step))]])

    def start_of_step(self, step_index: int) -> int:
        """Return the frame where a bar of the path begins, clipped to the path."""
        return int(self.grid.start_frame[min(max(step_index, 0), max(self.grid.count - 1, 0))])


# In staff spaces: how far the marked bar reaches beyond its staves, and the glow beyond a head.
BAR_MARGIN_SPACES, GLOW_SPACES = 1.6, 0.55
# How much of the ink's own lightness the colours of parts take on where the ground is dark.
DARK_TINT = 0.4


@dataclass(frozen=True)
class Marks:
    """What is marked.

    Attributes
    ----------
    measure_index : int or None
    rows : frozenset of int
        Rows of `Score.notes` that sound.
    system : int or None
        That the moving line is in.
    line_units : float
        Its place from the left of the system.
    """

    measure_index: int | None = None
    rows: frozenset[int] = frozenset()
    system: int | None = None
    line_units: float = 0.0


class Marker:
    """Finds what is to be marked, and paints it.

    Parameters
    ----------
    sounding : SoundingScore
    drawings : Drawings
    """

    def __init__(self, sounding: SoundingScore, drawings: Drawings) -> None:
        self._sounding = sounding
        self._drawings = drawings
        self._engraving = drawings.engraving
        self._written = sounding.unfolded.score.notes
        self._bounds = np.searchsorted(
            self._written.measure_index, np.arange(len(sounding.unfolded.score.measures) + 1), side="left"
        )
        self._track = lru_cache(maxsize=256)(self._made_track)

    def marks_at(self, frame: int) -> Marks:
        """Find what is marked at a frame."""
        position = self._sounding.position(frame)
        rows = self._sounding.sounding(frame)
        place = self._engraving.place_of_measure(position.measure_index) if position is not None else None
        if position is None or place is None:
            return Marks(None, rows)
        return Marks(position.measure_index, rows, place[0], self._line_units(position, *place))

    def _line_units(self, position: Position, system: int, box: MeasureBox) -> float:
        offsets, units = self._track(position.measure_index, system, box)
        return float(np.interp(position.offset_quarter, offsets, units))

    def _made_track(self, measure_index: int, system: int, box: MeasureBox) -> tuple[list[float], list[float]]:
        """Return offsets in a measure, rising, and where the line stands at each: in the middle of the first head."""
        first, last = int(self._bounds[measure_index]), int(self._bounds[measure_index + 1])
        drawing = self._drawings.system(system)
        places: dict[float, float] = {}
        for row in range(first, last):
            head = drawing.head_box(row) if not self._written.is_grace[row] else None
            if head is not None:
                offset = round(float(self._written.offset_quarter[row]), 4)
                places[offset] = min(places.get(offset, box.right), head.center().x())
        if 0.0 not in places:
            places[0.0] = min([box.left + STAFF_SPACE_UNITS, *places.values()])
        end = self._sounding.unfolded.score.measures[measure_index].duration_quarter
        offsets = sorted(o for o in places if o < end - 1e-3)
        units = np.maximum.accumulate([places[o] for o in offsets]).tolist()
        return [*offsets, max(end, offsets[-1] + 1e-3)], [*units, max(box.right, units[-1])]

    # ---------------------------------------------------------------------------------------------------- painting

    def boxes(self, marks: Marks, placement: Placement) -> list[QRectF]:
        """Return where in the plane something is painted for marks, so that just this is painted anew."""
        rects = []
        place = self._engraving.place_of_measure(marks.measure_index) if marks.measure_index is not None else None
        if place is not None:
            rects.append(bar_rect(placement, *place).adjusted(-2, -2, 2, 2))
        for row in marks.rows:
            system = self._engraving.system_of_note.get(row)
            if system is not None and system in self._drawings.kept:
                glow = self._glow_rect(row, system, placement)
                if glow is not None:
                    rects.append(glow.adjusted(-3, -3, 3, 3))
        return rects

    def line_boxes(self, marks: Marks, placement: Placement) -> list[QRectF]:
        """Return where in the plane the moving line is painted."""
        return [self._line_rect(marks, placement).adjusted(-2, -2, 2, 2)] if marks.system is not None else []

    def paint_under(
        self, painter: QPainter, marks: Marks, system: int, placement: Placement, colors: Mapping[int, QColor]
    ) -> None:
        """Paint what lies behind the ink of a system: the glow of what sounds.

        Parameters
        ----------
        painter : QPainter
            In the plane of the strip.
        marks : Marks
        system : int
        placement : Placement
        colors : mapping of int to QColor
            By part.
        """
        painter.setPen(Qt.PenStyle.NoPen)
        for row in self._rows_in(marks, system):
            glow = self._glow_rect(row, system, placement)
            if glow is not None:
                painter.setBrush(translucent(colors[int(self._written.part_index[row])], 0.42))
                painter.drawRoundedRect(glow, glow.height() / 2, glow.height() / 2)

    def paint_over(
        self, painter: QPainter, marks: Marks, system: int, placement: Placement, colors: Mapping[int, QColor]
    ) -> None:
        """Paint what lies over the ink of a system: the heads in the colours of their parts.

        Parameters
        ----------
        painter : QPainter
            In the plane of the strip.
        marks : Marks
        system : int
        placement : Placement
        colors : mapping of int to QColor
            By part.
        """
        corner = QPointF(placement.left[system], placement.top[system])
        for row in self._rows_in(marks, system):
            head = self._drawings.head(system, row, colors[int(self._written.part_index[row])])
            if head is not None:
                painter.drawPixmap(corner + head[0], head[1])

    def paint_line(self, painter: QPainter, marks: Marks, placement: Placement, color: QColor) -> None:
        """Paint the line that moves along.

        Parameters
        ----------
        painter : QPainter
            In the plane of the strip.
        marks : Marks
        placement : Placement
        color : QColor
        """
        if marks.system is not None:
            painter.fillRect(self._line_rect(marks, placement), color)

    def _rows_in(self, marks: Marks, system: int) -> list[int]:
        return [row for row in marks.rows if self._engraving.system_of_note.get(row) == system]

    def _glow_rect(self, row: int, system: int, placement: Placement) -> QRectF | None:
        head = self._drawings.system(system).head_box(row)
        if head is None:
            return None
        more = GLOW_SPACES * STAFF_SPACE_UNITS
        return map_to_plane(placement, system, head.adjusted(-more, -more, more, more))

    def _line_rect(self, marks: Marks, placement: Placement) -> QRectF:
        place = self._engraving.place_of_measure(marks.measure_index or 0)
        if marks.system is None or place is None:
            return QRectF()
        bar = bar_rect(placement, *place)
        x = placement.left[marks.system] + marks.line_units * placement.scale
        return QRectF(round(x * 2) / 2 - 0.75, bar.top(), 1.5, bar.height())


def map_to_plane(placement: Placement, system: int, units: QRectF) -> QRectF:
    """Convert a box of a drawing to the plane of the strip.

    Parameters
    ----------
    placement : Placement
    system : int
    units : QRectF
        In units of the system's drawing.

    Returns
    -------
    box : QRectF
        In pixels.
    """
    scale = placement.scale
    left, top = placement.left[system], placement.top[system]
    return QRectF(left + units.x() * scale, top + units.y() * scale, units.width() * scale, units.height() * scale)


def bar_rect(placement: Placement, system: int, box: MeasureBox) -> QRectF:
    """Return where a bar is marked, in the plane of the strip.

    Parameters
    ----------
    placement : Placement
    system : int
    box : MeasureBox
        Of the bar, in units of the system's drawing.
    """
    margin = BAR_MARGIN_SPACES * STAFF_SPACE_UNITS
    return map_to_plane(
        placement, system, QRectF(box.left, box.top - margin, box.right - box.left, box.bottom - box.top + 2 * margin)
    )


def part_colors(
    parts: tuple[PartSettings, ...], silent: frozenset[int | None], count: int, theme: Theme
) -> dict[int, QColor]:
    """Return the colour in which the notes of each part are lit; parts that are not heard are pale.

    On dark they are lightened: beside heads that are nearly white a deep colour would look put out, not lit.

    Parameters
    ----------
    parts : tuple of PartSettings
    silent : frozenset of (int or None)
        Parts that are not heard.
    count : int
        Number of parts; those without settings are grey.
    theme : Theme
    """
    known = [p.color for p in parts] + ["#8c8c8c"] * max(count - len(parts), 0)
    colors = {i: theme.part_color(color, i in silent) for i, color in enumerate(known)}
    if not theme.is_dark:
        return colors
    return {i: color if i in silent else blend(color, theme.text, DARK_TINT) for i, color in colors.items()}


FRAME_SPACES = 0.35
Look = tuple[Theme, Mapping[int, QColor]]


def find_nearest_row(unfolded: UnfoldedScore, written_row: int, step: int) -> int | None:
    """Return the row of the path that plays a written note nearest to a bar of the path; None where none does.

    Parameters
    ----------
    unfolded : UnfoldedScore
    written_row : int
        Row of `Score.notes`.
    step : int
        Bar of the path, counted in the order played from 0.

    Returns
    -------
    row : int or None
        Row of `UnfoldedScore.notes`.
    """
    notes = unfolded.notes
    found = [i for i, w in enumerate(notes.written_index.tolist()) if w == written_row]
    return min(found, key=lambda i: abs(int(notes.step_index[i]) - step)) if found else None


class NoteHeads:
    """Paints marks of notes on their heads; a note that is played several times is marked when one of these is.

    Parameters
    ----------
    marks : NoteMarks
        By row of `UnfoldedScore.notes`.
    unfolded : UnfoldedScore
    """

    def __init__(self, marks: NoteMarks, unfolded: UnfoldedScore) -> None:
        self._marks = _written_marks(marks, unfolded)
        self._part_of = unfolded.score.notes.part_index
        self._known: tuple[Engraving, dict[int, list[int]]] | None = None

    def _rows_in(self, system: int, engraving: Engraving) -> list[int]:
        if self._known is None or self._known[0] is not engraving:
            found: dict[int, list[int]] = {}
            for row in self._marks.rows.tolist():
                found.setdefault(engraving.system_of_note.get(row, -1), []).append(row)
            self._known = engraving, found
        return self._known[1].get(system, [])

    def paint(self, painter: QPainter, system: int, placement: Placement, drawings: Drawings, look: Look) -> None:
        """Paint the marks of one system over its ink.

        Parameters
        ----------
        painter : QPainter
            In the plane of the strip.
        system : int
        placement : Placement
        drawings : Drawings
        look : tuple of (Theme, mapping of int to QColor)
            The theme, and the colours of the parts.
        """
        theme, colors = look
        marks, more = self._marks, FRAME_SPACES * STAFF_SPACE_UNITS
        for row in self._rows_in(system, drawings.engraving):
            box = drawings.system(system).head_box(row)
            if box is None:
                continue
            rect = map_to_plane(placement, system, box.adjusted(-more, -more, more, more))
            color = colors.get(int(self._part_of[row]), theme.text)
            if row in marks.muted or row in marks.removed:
                painter.setPen(QPen(color, 1.4))
                painter.setBrush(translucent(theme.ground, 0.8))
                painter.drawEllipse(rect)
                painter.drawLine(rect.bottomLeft(), rect.topRight())
            elif row in marks.gains_db:
                _paint_wedge(painter, rect, color, marks.gains_db[row])
            if row in marks.selected:
                painter.setPen(QPen(theme.accent, 1.6))
                painter.setBrush(translucent(theme.accent, 0.18))
                painter.drawRoundedRect(rect, 3, 3)


def _written_marks(marks: NoteMarks, unfolded: UnfoldedScore) -> NoteMarks:
    """Return the marks by row of `Score.notes`, in the place of rows of the path."""
    written = unfolded.notes.written_index.tolist()

    def rows(some: frozenset[int]) -> frozenset[int]:
        return frozenset(written[row] for row in some if row < len(written))

    gains = {written[row]: gain for row, gain in marks.gains_db.items() if row < len(written)}
    return NoteMarks(rows(marks.selected), rows(marks.muted), rows(marks.removed), gains)


def _paint_wedge(painter: QPainter, rect: QRectF, color: QColor, gain_db: float) -> None:
    """Paint a small wedge beside a head: upwards for louder."""
    size = rect.height() * 0.5
    left, middle = rect.right() + 1, rect.center().y()
    place = QRectF(left, middle - size / 2, size, size)
    ends = (place.bottomLeft(), place.bottomRight()) if gain_db > 0 else (place.topLeft(), place.topRight())
    tip = place.center()
    tip.setY(place.top() if gain_db > 0 else place.bottom())
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawPolygon([*ends, tip])
