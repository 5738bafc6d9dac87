"""Scores: MusicXML and MIDI read directly, what else there is by music21, and a cache of it all.

`open_score` is the entry. Importing this package loads no reader; music21 is only imported for formats
that need it.
"""

from scoresep.files.scores.reader import is_score_name, open_score, parse_score, read_score

__all__ = ["is_score_name", "open_score", "parse_score", "read_score"]
