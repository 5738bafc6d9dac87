"""The program's version, in the one place that every layer may import."""

__version__ = "0.1.0"
