"""What is marked in the engraved score at one moment: the bar, the heads that sound, and the line that moves along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from scoresep.model.engraving import STAFF_SPACE_UNITS, MeasureBox
from scoresep.model.project import PartSettings
from scoresep.qt.score_view.placement import Placement
from scoresep.qt.score_view.sounding import Position, SoundingScore
from scoresep.qt.score_view.system_drawing import Drawings
from scoresep.qt.timeline.theme import Theme, blend, translucent

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
        """Paint what lies behind the ink of a system: the glow of what sounds."""
        painter.setPen(Qt.PenStyle.NoPen)
        for row in self._rows_in(marks, system):
            glow = self._glow_rect(row, system, placement)
            if glow is not None:
                painter.setBrush(translucent(colors[int(self._written.part_index[row])], 0.42))
                painter.drawRoundedRect(glow, glow.height() / 2, glow.height() / 2)

    def paint_over(
        self, painter: QPainter, marks: Marks, system: int, placement: Placement, colors: Mapping[int, QColor]
    ) -> None:
        """Paint what lies over the ink of a system: the heads in the colours of their parts."""
        corner = QPointF(placement.left[system], placement.top[system])
        for row in self._rows_in(marks, system):
            head = self._drawings.head(system, row, colors[int(self._written.part_index[row])])
            if head is not None:
                painter.drawPixmap(corner + head[0], head[1])

    def paint_line(self, painter: QPainter, marks: Marks, placement: Placement, color: QColor) -> None:
        """Paint the line that moves along."""
        if marks.system is not None:
            painter.fillRect(self._line_rect(marks, placement), color)

    def _rows_in(self, marks: Marks, system: int) -> list[int]:
        return [row for row in marks.rows if self._engraving.system_of_note.get(row) == system]

    def _glow_rect(self, row: int, system: int, placement: Placement) -> QRectF | None:
        head = self._drawings.system(system).head_box(row)
        if head is None:
            return None
        more = GLOW_SPACES * STAFF_SPACE_UNITS
        return in_plane(placement, system, head.adjusted(-more, -more, more, more))

    def _line_rect(self, marks: Marks, placement: Placement) -> QRectF:
        place = self._engraving.place_of_measure(marks.measure_index or 0)
        if marks.system is None or place is None:
            return QRectF()
        bar = bar_rect(placement, *place)
        x = placement.left[marks.system] + marks.line_units * placement.scale
        return QRectF(round(x * 2) / 2 - 0.75, bar.top(), 1.5, bar.height())


def in_plane(placement: Placement, system: int, units: QRectF) -> QRectF:
    """Convert a box of a drawing to the plane of the strip."""
    scale = placement.scale
    left, top = placement.left[system], placement.top[system]
    return QRectF(left + units.x() * scale, top + units.y() * scale, units.width() * scale, units.height() * scale)


def bar_rect(placement: Placement, system: int, box: MeasureBox) -> QRectF:
    """Return where a bar is marked, in the plane of the strip."""
    margin = BAR_MARGIN_SPACES * STAFF_SPACE_UNITS
    return in_plane(
        placement, system, QRectF(box.left, box.top - margin, box.right - box.left, box.bottom - box.top + 2 * margin)
    )


def part_colors(
    parts: tuple[PartSettings, ...], silent: frozenset[int | None], count: int, theme: Theme
) -> dict[int, QColor]:
    """Return the colour in which the notes of each part are lit; parts that are not heard are pale.

    On dark they are lightened: beside heads that are nearly white a deep colour would look put out, not lit.
    """
    known = [p.color for p in parts] + ["#8c8c8c"] * max(count - len(parts), 0)
    colors = {i: theme.part_color(color, i in silent) for i, color in enumerate(known)}
    if not theme.is_dark:
        return colors
    return {i: color if i in silent else blend(color, theme.text, DARK_TINT) for i, color in colors.items()}
