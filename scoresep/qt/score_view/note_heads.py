"""Marks of single notes in the engraved score: a frame around what is selected, and what was done to its sound."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from scoresep.model.engraving import STAFF_SPACE_UNITS, Engraving
from scoresep.model.score import UnfoldedScore
from scoresep.qt.score_view.marks import in_plane
from scoresep.qt.score_view.placement import Placement
from scoresep.qt.score_view.system_drawing import Drawings
from scoresep.qt.timeline.note_marks import NoteMarks
from scoresep.qt.timeline.theme import Theme, translucent

FRAME_SPACES = 0.35
Look = tuple[Theme, Mapping[int, QColor]]


def row_nearest(unfolded: UnfoldedScore, written_row: int, step: int) -> int | None:
    """Return the row of the path that plays a written note nearest to a bar of the path; None where none does."""
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
        """Paint the marks of one system over its ink; `look` is the theme and the colours of the parts."""
        theme, colors = look
        marks, more = self._marks, FRAME_SPACES * STAFF_SPACE_UNITS
        for row in self._rows_in(system, drawings.engraving):
            box = drawings.system(system).head_box(row)
            if box is None:
                continue
            rect = in_plane(placement, system, box.adjusted(-more, -more, more, more))
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
