"""A score as engraved: its systems as drawings, and where measures and notes lie in them. Made by `files.engraving`."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property

STAFF_SPACE_UNITS = 180.0
INK = "#010203"  # the colour of drawings: one that nothing else has, so that it can be replaced by any other


@dataclass(frozen=True)
class MeasureBox:
    """Where a measure lies in the drawing of its system: the staves from the highest to the lowest line.

    Attributes
    ----------
    measure_index : int
    left, top, right, bottom : float
        In units of the drawing.
    """

    measure_index: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Piece:
    """A part of the drawing of a system that can be drawn by itself, so that a large system need not be drawn at once.

    Attributes
    ----------
    svg_deflated : bytes
        SVG that QSvgRenderer can draw, `INK` on nothing, as large as the whole system; compressed by zlib.
    notes : tuple of int
        Rows of `Score.notes` whose heads are in this piece; the head of row 12 has the id ``n12``.
    """

    svg_deflated: bytes
    notes: tuple[int, ...] = ()

    def svg(self, ink: str) -> bytes:
        """Return the drawing in a colour, ``#rrggbb``."""
        return zlib.decompress(self.svg_deflated).replace(INK.encode(), ink.encode())


@dataclass(frozen=True)
class EngravedSystem:
    """One system (a line of music in all parts) as a drawing.

    Attributes
    ----------
    width, height : float
        In units of the drawing, of which a staff space has `STAFF_SPACE_UNITS`.
    pieces : tuple of Piece
        What stands around the measures, then the measures; drawn over each other they are the system.
    measures : tuple of MeasureBox
        From left to right.
    """

    width: float
    height: float
    pieces: tuple[Piece, ...]
    measures: tuple[MeasureBox, ...]


@dataclass(frozen=True)
class Engraving:
    """A score engraved for one width of paper.

    Attributes
    ----------
    content_key : str
        Of the score file.
    width_units : int
        Width of all systems.
    systems : tuple of EngravedSystem
    fonts : tuple of bytes
        Font files that the texts of the drawings are set in, and their musical signs (the note of a metronome mark).
    problem : str
        One sentence that says why there are no systems; empty where there are.
    """

    content_key: str
    width_units: int
    systems: tuple[EngravedSystem, ...] = ()
    fonts: tuple[bytes, ...] = ()
    problem: str = ""

    @cached_property
    def system_of_measure(self) -> dict[int, int]:
        """The system that holds each measure, by the index of the measure."""
        return {box.measure_index: i for i, system in enumerate(self.systems) for box in system.measures}

    @cached_property
    def system_of_note(self) -> dict[int, int]:
        """The system that holds each note, by its row in `Score.notes`."""
        return {row: i for i, s in enumerate(self.systems) for piece in s.pieces for row in piece.notes}

    def place_of_measure(self, measure_index: int) -> tuple[int, MeasureBox] | None:
        """Return system and box of a measure.

        One that has no place of its own (it is part of a rest of many bars) has that of the measure before it.
        """
        for index in range(measure_index, -1, -1):
            system = self.system_of_measure.get(index)
            if system is not None:
                return system, next(b for b in self.systems[system].measures if b.measure_index == index)
        return None
