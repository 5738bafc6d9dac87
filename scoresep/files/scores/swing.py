"""Swing: notes off the beat are read where they are played, as late as the score says.

Works on raw parts. A beat that is divided otherwise than into two (triplets, shorter notes) is left as it is written.

References
----------
MusicXML 4.0, W3C Music Notation Community Group, 2021: element ``swing``, whose two numbers are the ratio of the notes
on and off the beat, https://www.w3.org/2021/06/musicxml40/
A. Friberg and A. Sundström, "Swing Ratios and Ensemble Timing in Jazz Performance", Music Perception 19(3), 2002,
doi:10.1525/mp.2002.19.3.333 (players do more and less than 2 to 1, by tempo).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from scoresep.files.scores.musicxml_attributes import StaffTimeline
from scoresep.files.scores.raw import RawNote, RawPart, notes_by_measure

_EPS = 1e-6
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Swing:
    """How two equal notes are played unequally.

    Attributes
    ----------
    first, second : float
        The ratio of their lengths; 1 and 1 for straight notes.
    unit_quarter : float
        Written length of each, 0.5 for eighths.
    """

    first: float = 1.0
    second: float = 1.0
    unit_quarter: float = 0.5

    @property
    def off_beat_quarter(self) -> float:
        """Where in its beat the second note is played."""
        return 2 * self.unit_quarter * self.first / (self.first + self.second)


STRAIGHT = Swing()


def swing_part(part: RawPart, timeline: StaffTimeline[Swing]) -> None:
    """Move the notes off the beat to where swing has them.

    The score asks for it and nothing is passed over, so that it is no warning; the log tells.

    Parameters
    ----------
    part : RawPart
    timeline : StaffTimeline of Swing
        Swing of staff 0, which stands for all.
    """
    if not any(s != STRAIGHT for s in timeline.values()):
        return
    for index, notes in notes_by_measure(part).items():
        measure = part.measures[index]
        beats, beat_type = measure.metre or (4, 4)
        if beat_type >= 8 and beats % 3 == 0:
            continue  # its beats are of three
        missing = beats * 4.0 / beat_type - measure.content_quarter
        lead = missing if index == 0 and missing > 0 else 0.0  # a pick-up begins inside its bar
        _swing_measure(notes, index, lead, timeline)
    _log.info("Notes of '%s' off the beat are read as swung, as the score asks for.", part.name)


def _swing_measure(notes: list[RawNote], index: int, lead: float, timeline: StaffTimeline[Swing]) -> None:
    places = {_beat_of(n.offset_quarter, lead, timeline.at(index, n.offset_quarter, 0)) for n in notes}
    divided = {(beat, swing) for beat, within, swing in places if min(within, abs(within - swing.unit_quarter)) > _EPS}
    for note in notes:
        end = note.offset_quarter + note.duration_quarter
        swing = timeline.at(index, note.offset_quarter, 0)
        onset = _swung(note.offset_quarter, lead, swing, divided)
        swung_end = _swung(end, lead, timeline.at(index, max(end - _EPS, 0.0), 0), divided)
        note.offset_quarter = onset
        if not note.is_grace:
            note.duration_quarter = max(swung_end - onset, 0.0)


def _beat_of(offset: float, lead: float, swing: Swing) -> tuple[int, float, Swing]:
    """Which beat of two notes a place is in, and how far."""
    length = 2 * swing.unit_quarter
    beat = int((offset + lead + _EPS) // length)
    return beat, max(offset + lead - beat * length, 0.0), swing


def _swung(offset: float, lead: float, swing: Swing, divided: set[tuple[int, Swing]]) -> float:
    beat, within, _ = _beat_of(offset, lead, swing)
    if abs(within - swing.unit_quarter) > _EPS or (beat, swing) in divided:
        return offset
    return beat * 2 * swing.unit_quarter - lead + swing.off_beat_quarter
