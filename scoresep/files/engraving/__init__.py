"""Engraving: from a score file to the drawings of its systems. The only place that knows verovio.

Runs in a worker process. Every head of a note carries the row of the note in `Score.notes`, so that who shows the
drawing can light what sounds.
"""

from scoresep.files.engraving.engrave import EngravingRequest, engrave_score

__all__ = ["EngravingRequest", "engrave_score"]
