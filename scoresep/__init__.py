"""ScoreSep: a recording and its score in, every instrument out."""

__version__ = "0.1.0"
