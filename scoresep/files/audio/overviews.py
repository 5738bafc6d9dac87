"""Overviews in the cache, under the content key of their sound: the peaks of a waveform, and spectrograms.

Peaks are built once for every recording and stem. They can be drawn while they are built, and always be built again: a
cache that cannot be written is no error.

A spectrogram is one file, which one process fills slab by slab while another draws what is there. It stands under its
name from the start and says itself which slabs are in it, so that work that was cancelled goes on where it ended. It
also holds which slab is wanted first; whoever draws writes that, whoever computes reads it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoresep.errors import OutputError
from scoresep.files.storage.atomic import whole_file
from scoresep.files.storage.cache import cache_folder, cached_path, mark_used, trim_cache
from scoresep.files.storage.file_arrays import FileArray
from scoresep.model.audio import SampleSource, blocks
from scoresep.model.peaks import PeakBuilder, PeakPyramid, table_shape
from scoresep.model.spectrogram import Spectrogram, SpectrogramBuilder, SpectrogramShape
from scoresep.progress import Progress

# Raised when what is in the table changes.
PEAKS_VERSION = 1
BLOCK_FRAMES = 1 << 18

logger = logging.getLogger(__name__)


def peak_path(content_key: str) -> Path:
    """Return where the peaks of a recording or stem are kept."""
    return cached_path("peaks", f"{content_key}.v{PEAKS_VERSION}.npy")


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


# Raised when what is in the file, or how it is computed, changes.
SPECTROGRAM_VERSION = 1
# Magic, frames and sample rate; then the slab that is wanted first; the flags of the slabs begin after that.
_HEADER = struct.Struct("<8sqq")
_MAGIC = b"SCSPEC\r\n"
_WANTED_AT = 32
_FLAGS_AT = 64
_ZEROS = bytes(1 << 20)


def spectrogram_path(content_key: str) -> Path:
    """Return where the spectrogram of a recording or stem is kept."""
    return cached_path("spectrograms", f"{content_key}.v{SPECTROGRAM_VERSION}.bin")


def load_spectrogram(content_key: str, frames: int, sample_rate: int) -> Spectrogram | None:
    """Open a spectrogram, as far as it was computed, with what is added to it meanwhile.

    Parameters
    ----------
    content_key : str
    frames, sample_rate : int
        Of the recording; a spectrogram of another shape is left aside.

    Returns
    -------
    spectrogram : Spectrogram or None
        None where there is none, or a damaged one.
    """
    shape, path = SpectrogramShape(frames, sample_rate), spectrogram_path(content_key)
    if not _is_sound(path, shape):
        return None
    try:
        whole = FileArray(path, np.uint8, 0, (_length(shape),))
    except OSError:
        return None
    mark_used(path)
    table, ready = whole.part(_FLAGS_AT + shape.slabs, (shape.size,)), whole.part(_FLAGS_AT, (shape.slabs,))
    return Spectrogram(shape, table, ready)


def want_slab(content_key: str, slab: int) -> None:
    """Ask whoever computes a spectrogram to do this slab next, and those after it."""
    with contextlib.suppress(OSError), open(spectrogram_path(content_key), "r+b") as file:
        file.seek(_WANTED_AT)
        file.write(struct.pack("<q", max(slab, 0)))


class SpectrogramFile:
    """A spectrogram that is being computed.

    Attributes
    ----------
    builder : SpectrogramBuilder
        Fills the file.

    Parameters
    ----------
    content_key : str
    shape : SpectrogramShape

    Raises
    ------
    OutputError
        The cache cannot take it.
    """

    def __init__(self, content_key: str, shape: SpectrogramShape) -> None:
        path = spectrogram_path(content_key)
        if not _is_sound(path, shape):
            trim_cache()
            _write_empty(path, shape)
        try:
            ready, table = _maps(path, shape)
            self._wanted: NDArray[np.int64] = np.memmap(path, np.int64, "r", _WANTED_AT, (1,))
        except (OSError, ValueError) as error:
            raise _refused(error) from error
        mark_used(path)
        self.builder = SpectrogramBuilder(shape, table, ready)

    @property
    def wanted_slab(self) -> int:
        """The slab that is wanted first."""
        return int(self._wanted[0])


def _pieces(size: int) -> Iterator[bytes]:
    for at in range(0, size, len(_ZEROS)):
        yield _ZEROS[: size - at]


def _write_empty(path: Path, shape: SpectrogramShape) -> None:
    """Write a file without slabs. All of it is written, so that a disk that is full says so now."""
    header = _HEADER.pack(_MAGIC, shape.frames, shape.sample_rate)
    try:
        with whole_file(path) as temporary, open(temporary, "wb") as file:
            file.write(header.ljust(_FLAGS_AT, b"\0"))
            for piece in _pieces(_length(shape) - _FLAGS_AT):
                file.write(piece)
    except OutputError as error:
        raise _refused(error.__cause__) from error


def _refused(error: BaseException | None) -> OutputError:
    reason = getattr(error, "strerror", None) or "for unknown reasons"
    return OutputError(
        f"The spectrogram cannot be kept in '{cache_folder()}' ({reason}); free some space there, or name another "
        "folder in the environment variable SCORESEP_CACHE_DIR."
    )


def _length(shape: SpectrogramShape) -> int:
    return _FLAGS_AT + shape.slabs + shape.size


def _is_sound(path: Path, shape: SpectrogramShape) -> bool:
    try:
        with open(path, "rb") as file:
            header = file.read(_HEADER.size)
            length = file.seek(0, 2)
    except OSError:
        return False
    return header == _HEADER.pack(_MAGIC, shape.frames, shape.sample_rate) and length == _length(shape)


def _maps(path: Path, shape: SpectrogramShape) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Map flags and table, to be written; only in a worker, which a file that is cut short may end."""
    whole = np.memmap(path, np.uint8, "r+", 0, (_length(shape),))
    flags_end = _FLAGS_AT + shape.slabs
    return whole[_FLAGS_AT:flags_end].view(np.ndarray), whole[flags_end:].view(np.ndarray)
