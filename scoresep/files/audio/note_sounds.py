"""The sounds of single notes in the cache: small WAV files under the content key of their stem and its notes.

They can be made again at any time, so that a damaged or missing one is only one that is not there yet.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import AudioFileError
from scoresep.files.audio.wav import WavSamples, WavWriter
from scoresep.files.storage.atomic import output_errors, part_path
from scoresep.files.storage.cache import cached_path, mark_used

# Raised when the sounds of the same notes come out otherwise.
VERSION = 1
_KIND = "notes"
_log = logging.getLogger(__name__)


def notes_folder(key: str) -> Path:
    """Return where the sounds of a stem's notes are kept; the key is that of the stem and its notes."""
    return cached_path(_KIND, f"{key}.v{VERSION}")


def note_path(folder: Path, index: int) -> Path:
    """Return where the sound of a note is kept: that of the note `index` of a stem."""
    return folder / f"{index}.wav"


def save_note(path: Path, samples: NDArray[np.float32], sample_rate: int) -> None:
    """Keep the sound of a note, shape (channels, frames).

    Parameters
    ----------
    path : Path
    samples : ndarray [shape=(channels, frames)], float32
    sample_rate : int

    Raises
    ------
    OutputError
        The cache cannot take it.
    """
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = part_path(path)
        with WavWriter(temporary, len(samples), sample_rate) as writer:
            writer.write(samples)
        _put(temporary, path)


def _put(temporary: Path, path: Path) -> None:
    """Give a file its name, without waiting for the disk: what is lost with the power is made again."""
    try:
        os.replace(temporary, path)
    except PermissionError:
        if not path.exists():
            raise
        temporary.unlink(missing_ok=True)  # on Windows, where another window has just made the very same and plays it


def load_note(path: Path, channels: int, frames: int) -> WavSamples | None:
    """Open the sound of a note, shape (channels, frames); None where it is not there or damaged.

    Parameters
    ----------
    path : Path
    channels, frames : int
        What the sound must have.
    """
    try:
        samples = WavSamples(path)
    except AudioFileError:
        return None
    if samples.shape != (channels, frames):
        return None
    mark_used(path)
    return samples


def tones_path(folder: Path) -> Path:
    """Return where it is kept what the notes of a stem sound like."""
    return folder / "tones.npz"


def save_tones(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep what was learned of a stem.

    Raises
    ------
    OutputError
    """
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = part_path(path)
        with open(temporary, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        _put(temporary, path)


def load_tones(path: Path) -> dict[str, NDArray[Any]]:
    """Read what was kept; nothing where it is missing or damaged."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        return {}
    except Exception as error:  # readers of archives raise a dozen kinds, and all of them mean: learn again
        _log.info("'%s' is damaged: %r", path, error)
        return {}
