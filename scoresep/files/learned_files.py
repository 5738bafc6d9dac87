"""What was learned for a folder of stems, kept beside them: arrays under names, in one file that is whole or not there.

It is a cache: whoever finds it missing or damaged learns again.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoresep.files.atomic import whole_file

LEARNED_NAME = "learned.npz"


def save_learned(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write all arrays into ``learned.npz`` of a folder, in the place of what is there.

    Raises
    ------
    OutputError
    """
    with whole_file(folder / LEARNED_NAME) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load_learned(folder: Path, beginning: str = "") -> dict[str, NDArray[Any]]:
    """Read all arrays whose names begin so; none where the file is missing or damaged."""
    try:
        with np.load(folder / LEARNED_NAME, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if name.startswith(beginning)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
