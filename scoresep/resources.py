"""Where the files that travel with the program lie: the demo piece, icons, fonts.

What is in them is not known here. This module stands at the bottom of the layers and imports nothing but the
standard library.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

# A wheel carries the folder inside the package; in a checkout it lies beside it. The wheel's place comes
# first, since a "resources" beside an installed package would be a stranger's.
_FOLDERS = (_PACKAGE / "_resources", _PACKAGE.parent / "resources")


def resource_path(name: str) -> Path:
    """Return the path of a file or folder of ``resources/``.

    Parameters
    ----------
    name : str
        Relative to ``resources/``, with forward slashes: ``"demo/demo.musicxml"``.

    Raises
    ------
    FileNotFoundError
        The installation lacks it.
    """
    for folder in _FOLDERS:
        path = folder / name
        if path.exists():
            return path
    raise FileNotFoundError(f"ScoreSep's own file '{name}' is missing; install ScoreSep again.")
