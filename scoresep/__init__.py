"""ScoreSep: a recording and its score in, every instrument out.

    import scoresep

    piece = scoresep.open("quartet.wav", "quartet.musicxml")
    piece = scoresep.align(piece)
    piece = scoresep.segment(piece)
    piece = scoresep.separate(piece, "stems")
    scoresep.save(piece, "quartet.scoresep")

Every step takes a `Project`, an immutable value, and returns the next one; `scoresep.api` describes them. Importing
this loads neither torch nor Qt nor music21; each is loaded by the first call that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scoresep.version import __version__

if TYPE_CHECKING:
    from scoresep.api import (
        Cancelled,
        InputError,
        OutputError,
        Progress,
        Project,
        Recipe,
        ScoreSepError,
        align,
        note_sound,
        open,
        save,
        segment,
        segments,
        separate,
        write_notes,
        write_segments,
    )

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
    if name not in __all__:
        raise AttributeError(f"module 'scoresep' has no attribute {name!r}")
    from scoresep import api  # not before it is needed: with numpy and the readers of files it takes a while

    value = globals()[name] = getattr(api, name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
