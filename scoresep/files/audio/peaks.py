"""Peaks are built once for every recording and stem, and then kept in the cache under its content key.

They can be drawn while they are built, and always be built again: a cache that cannot be written is no error.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scoresep.errors import OutputError
from scoresep.files.storage.atomic import whole_file
from scoresep.files.storage.cache import cached_path, mark_used
from scoresep.files.storage.file_arrays import FileArray
from scoresep.model.audio import SampleSource, blocks
from scoresep.model.peaks import PeakBuilder, PeakPyramid, table_shape
from scoresep.progress import Progress

# Raised when what is in the table changes.
TABLE_VERSION = 1
BLOCK_FRAMES = 1 << 18

logger = logging.getLogger(__name__)


def peak_path(content_key: str) -> Path:
    """Return where the peaks of a recording or stem are kept."""
    return cached_path("peaks", f"{content_key}.v{TABLE_VERSION}.npy")


def load_peaks(content_key: str, frames: int, channels: int) -> PeakPyramid | None:
    """Open peaks that were built before; ranges are read when they are drawn.

    Parameters
    ----------
    content_key : str
    frames, channels : int
        Of the recording; peaks of another shape are left aside.

    Returns
    -------
    pyramid : PeakPyramid or None
        None where there are none, or damaged ones.
    """
    path = peak_path(content_key)
    try:
        table = _opened_table(path, table_shape(frames, channels))
    except (OSError, ValueError, EOFError):
        return None
    if table is None:
        return None
    mark_used(path)
    return PeakPyramid(frames, table, frames)


def _opened_table(path: Path, shape: tuple[int, int, int]) -> FileArray | None:
    """Open a table that `numpy.save` wrote; None where it is another, or cut short."""
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        *found, dtype = np.lib.format.read_array_header_1_0(file)
        offset, length = file.tell(), file.seek(0, os.SEEK_END)
    if found != [shape, False] or dtype != np.float16 or length != offset + math.prod(shape) * 2:
        return None
    return FileArray(path, np.float16, offset, shape)


def build_peaks(
    source: SampleSource,
    content_key: str,
    progress: Progress | None = None,
    on_growth: Callable[[PeakPyramid], None] | None = None,
) -> PeakPyramid:
    """Read a source once from start to end, and keep its peaks in the cache.

    Parameters
    ----------
    source : SampleSource
    content_key : str
    progress : Progress, optional
    on_growth : callable taking PeakPyramid, optional
        Called after every block, from the thread that works, with the peaks so far; they share one table.

    Returns
    -------
    pyramid : PeakPyramid
        Read from the cache as it is drawn, or in memory where the cache cannot be written.

    Raises
    ------
    Cancelled
        Nothing is kept then.
    """
    progress = progress or Progress()
    builder = PeakBuilder(source.frames, source.channels)
    for block in blocks(source, BLOCK_FRAMES):
        builder.append(block)
        progress.update(builder.pyramid.ready_frames / max(source.frames, 1), "Drawing the waveform")
        if on_growth is not None:
            on_growth(builder.pyramid)
    pyramid = builder.pyramid
    try:
        with whole_file(peak_path(content_key)) as temporary, open(temporary, "wb") as file:
            np.save(file, pyramid.table, allow_pickle=False)
    except OutputError as error:
        logger.warning("Peaks are not kept: %s", error)
        return pyramid
    return load_peaks(content_key, source.frames, source.channels) or pyramid


def peaks_of(
    source: SampleSource,
    content_key: str,
    progress: Progress | None = None,
    on_growth: Callable[[PeakPyramid], None] | None = None,
) -> PeakPyramid:
    """Return the peaks of a source: those kept before, else built now; parameters are those of `build_peaks`.

    Parameters
    ----------
    source : SampleSource
    content_key : str
        Of what the source reads.
    progress : Progress, optional
    on_growth : callable taking PeakPyramid, optional
    """
    return load_peaks(content_key, source.frames, source.channels) or build_peaks(
        source, content_key, progress, on_growth
    )
