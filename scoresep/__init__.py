"""ScoreSep: a recording and its score in, every instrument out.

    import scoresep

    piece = scoresep.open("quartet.wav", "quartet.musicxml")
    piece = scoresep.align(piece)
    piece = scoresep.segment(piece)
    piece = scoresep.separate(piece, "stems")
    scoresep.save(piece, "quartet.scoresep")

Every step takes a `Project`, an immutable value, and returns the next one. Importing this loads neither torch nor Qt
nor music21; each is loaded by the first call that needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scoresep.errors import Cancelled, InputError, OutputError, ScoreSepError
    from scoresep.model.project import Project, Recipe
    from scoresep.progress import Progress
    from scoresep.session.note_sounds import note_sound
    from scoresep.session.pipeline import align, segment, segments
    from scoresep.session.scripting import open, save, write_notes, write_segments
    from scoresep.session.separating import separate

__version__ = "0.1.0"

_HOMES = {
    "Cancelled": "errors",
    "InputError": "errors",
    "OutputError": "errors",
    "ScoreSepError": "errors",
    "Project": "model.project",
    "Recipe": "model.project",
    "Progress": "progress",
    "align": "session.pipeline",
    "segment": "session.pipeline",
    "segments": "session.pipeline",
    "separate": "session.separating",
    "note_sound": "session.note_sounds",
    "open": "session.scripting",
    "save": "session.scripting",
    "write_notes": "session.scripting",
    "write_segments": "session.scripting",
}

__all__ = [
    "Cancelled",
    "InputError",
    "OutputError",
    "Progress",
    "Project",
    "Recipe",
    "ScoreSepError",
    "__version__",
    "align",
    "note_sound",
    "open",
    "save",
    "segment",
    "segments",
    "separate",
    "write_notes",
    "write_segments",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'scoresep' has no attribute {name!r}")
    value = getattr(import_module(f"scoresep.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
