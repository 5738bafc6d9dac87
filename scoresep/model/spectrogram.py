"""A spectrogram: how loud every third of a semitone is over time, kept so that it can be drawn at every zoom.

Levels are whole numbers of half decibels. High pitches are kept more densely in time than low ones, which sound too
slowly to gain by it; and all of it again for every fourth part of a density, down to a few hundred columns. What
computes the levels, where they are kept and how they are coloured is not known here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

# From A0, the lowest key of a piano, to G9: 27.5 Hz to 12.5 kHz.
LOWEST_MIDI = 21
HIGHEST_MIDI = 127
BINS_PER_SEMITONE = 3
BINS = (HIGHEST_MIDI - LOWEST_MIDI + 1) * BINS_PER_SEMITONE

# Level c stands for FLOOR_DB + c * STEP_DB, where 0 dB is a sine of amplitude 1; 0 is everything below.
FLOOR_DB = -121.0
STEP_DB = 0.5
# A column of the finest kind is about this long: a power of two in frames.
COLUMN_S = 0.0055
# Columns that are computed at once, and become known at once.
SLAB_COLUMNS = 768
# How many entries of one level make one of the next, and when they are few enough.
FACTOR = 4
FEW_COLUMNS = 256


@dataclass(frozen=True)
class Band:
    """Neighbouring pitches that are kept equally densely.

    Attributes
    ----------
    first_bin, bins : int
    stride : int
        How many of the finest columns one entry covers.
    """

    first_bin: int
    bins: int
    stride: int

    @property
    def rows(self) -> slice:
        """Where the band lies among all bins."""
        return slice(self.first_bin, self.first_bin + self.bins)


# Up to D4 and up to D6 (294 and 1175 Hz), and what is above.
BANDS = (Band(0, 126, 4), Band(126, 72, 2), Band(198, 123, 1))


def bin_to_midi(place: ArrayLike) -> NDArray[np.float64]:
    """Convert places among the bins (0 the middle of the lowest) to pitches."""
    return np.asarray(LOWEST_MIDI + (np.asarray(place, np.float64) - BINS_PER_SEMITONE // 2) / BINS_PER_SEMITONE)


def midi_to_bin(midi: ArrayLike) -> NDArray[np.float64]:
    """Convert pitches to places among the bins, not rounded."""
    return np.asarray((np.asarray(midi, np.float64) - LOWEST_MIDI) * BINS_PER_SEMITONE + BINS_PER_SEMITONE // 2)


def power_to_levels(power: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Round powers (1: a sine of amplitude 1) to levels."""
    decibels = 10.0 * np.log10(np.maximum(power, np.float32(1e-20)))
    return np.clip(np.rint((decibels - FLOOR_DB) / STEP_DB), 0, 255).astype(np.uint8)


def level_to_db(level: float) -> float:
    """Convert a level to decibels."""
    return FLOOR_DB + STEP_DB * level


def db_to_level(decibels: float) -> float:
    """Convert decibels to a level, not rounded and not clipped."""
    return (decibels - FLOOR_DB) / STEP_DB


POWER_OF_LEVEL: NDArray[np.float32] = (10.0 ** ((FLOOR_DB + STEP_DB * np.arange(256)) / 10)).astype(np.float32)
POWER_OF_LEVEL[0] = 0.0


@dataclass(frozen=True)
class SpectrogramShape:
    """How many entries a recording has at each density, and where in one table they lie.

    Attributes
    ----------
    frames, sample_rate : int
        Of the recording.
    """

    frames: int
    sample_rate: int

    @property
    def column_frames(self) -> int:
        """Frames in a column of the finest kind."""
        return 1 << max(round(math.log2(COLUMN_S * self.sample_rate)), 0)

    @property
    def slab_frames(self) -> int:
        """Frames that are computed at once."""
        return SLAB_COLUMNS * self.column_frames

    @property
    def slabs(self) -> int:
        """Number of slabs."""
        return max(-(-self.frames // self.slab_frames), 1)

    @cached_property
    def densities(self) -> int:
        """How many densities there are."""
        count, columns = 1, -(-self.frames // self.column_frames)
        while columns > FEW_COLUMNS:
            count, columns = count + 1, -(-columns // FACTOR)
        return count

    def entry_frames(self, density: int, band: Band) -> int:
        """Return how many frames an entry covers."""
        return int(self.column_frames * band.stride * FACTOR**density)

    def entries(self, density: int, band: Band) -> int:
        """Return how many entries there are."""
        return max(-(-self.frames // self.entry_frames(density, band)), 1)

    @cached_property
    def offsets(self) -> dict[tuple[int, int], int]:
        """Where in the table the entries of a density and band (by index) begin."""
        offsets, at = {}, 0
        for density in range(self.densities):
            for index, band in enumerate(BANDS):
                offsets[density, index] = at
                at += self.entries(density, band) * band.bins
        offsets[self.densities, 0] = at
        return offsets

    @property
    def size(self) -> int:
        """Number of levels in the table."""
        return self.offsets[self.densities, 0]

    def place(self, density: int, index: int) -> tuple[int, tuple[int, int]]:
        """Return where in the table the entries of a density and band begin, and their shape (entries, bins)."""
        return self.offsets[density, index], (self.entries(density, BANDS[index]), BANDS[index].bins)

    def part(self, table: NDArray[np.uint8], density: int, index: int) -> NDArray[np.uint8]:
        """Return the entries of a density and band, shape (entries, bins), as a view of the table.

        Parameters
        ----------
        table : ndarray [shape=(size,)], uint8
        density : int
            0 for the finest.
        index : int
            Of the band, in `BANDS`.
        """
        at, shape = self.place(density, index)
        return table[at : at + math.prod(shape)].reshape(shape)


class LevelTable(Protocol):
    """Levels in a file, of which ranges are read when they are asked for."""

    shape: tuple[int, ...]

    def part(self, start: int, shape: tuple[int, ...]) -> LevelTable:
        """Return levels that follow each other from an index on, in another shape."""

    def __len__(self) -> int:
        """Return the length of the first axis."""

    def __getitem__(self, key: slice, /) -> NDArray[Any]:
        """Return a range of the first axis."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all of it, in memory."""


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """The spectrogram of a recording or stem; it may still be growing.

    Attributes
    ----------
    shape : SpectrogramShape
    table : ndarray [shape=(shape.size,)], uint8
        Levels; commonly in a file that another process fills.
    ready : ndarray [shape=(shape.slabs,)], uint8
        1 for slabs that are in the table.
    """

    shape: SpectrogramShape
    table: NDArray[np.uint8] | LevelTable
    ready: NDArray[np.uint8] | LevelTable

    @property
    def is_complete(self) -> bool:
        """Whether everything is in the table."""
        return bool(np.asarray(self.ready).all())

    @property
    def ready_slabs(self) -> int:
        """How many slabs are in the table."""
        return int(np.count_nonzero(np.asarray(self.ready)))

    def known(self, first_column: int, frames_per_column: float, columns: int) -> NDArray[np.bool_]:
        """Return for columns, counted from the first frame on, whether their middle is known.

        Parameters
        ----------
        first_column : int
            Column c lies at the frames [c, c + 1) * `frames_per_column`; may be negative.
        frames_per_column : float
        columns : int

        Returns
        -------
        is_known : ndarray [shape=(columns,)], bool
        """
        middle = (np.arange(first_column, first_column + columns) + 0.5) * frames_per_column
        inside = (middle >= 0) & (middle < self.shape.frames)
        slab = np.clip(middle // self.shape.slab_frames, 0, self.shape.slabs - 1).astype(np.int64)
        return np.asarray(inside & (np.asarray(self.ready)[slab] != 0))

    def levels(self, first_column: int, frames_per_column: float, columns: int) -> NDArray[np.float32]:
        """Return the levels of columns, counted from the first frame on.

        Wide columns take in every entry that they touch; narrow ones lie on straight lines between entries.

        Parameters
        ----------
        first_column : int
            Column c lies at the frames [c, c + 1) * `frames_per_column`; may be negative.
        frames_per_column : float
        columns : int

        Returns
        -------
        levels : ndarray [shape=(BINS, columns)], float32
        """
        result = np.zeros((BINS, columns), np.float32)
        edges = frames_per_column * np.arange(first_column, first_column + columns + 1, dtype=np.float64)
        for index, band in enumerate(BANDS):
            density = 0
            while (
                density + 1 < self.shape.densities and self.shape.entry_frames(density + 1, band) <= frames_per_column
            ):
                density += 1
            entries = self._entries(density, index)
            at = edges / self.shape.entry_frames(density, band)
            read = _joined if frames_per_column < self.shape.entry_frames(density, band) else _averaged
            result[band.rows] = read(entries, at)
        return result

    def _entries(self, density: int, index: int) -> NDArray[np.uint8] | LevelTable:
        if isinstance(self.table, np.ndarray):
            return self.shape.part(self.table, density, index)
        return self.table.part(*self.shape.place(density, index))

    def loud_level(self, share: float = 0.998) -> float:
        """Return a level that the given share of what is known does not exceed, silence left out."""
        density = self.shape.densities - 1
        counts = np.zeros(256, np.int64)
        for index in range(len(BANDS)):
            counts += np.bincount(self._entries(density, index)[:].ravel(), minlength=256)
        counts[: int(db_to_level(-100.0))] = 0
        if not counts.any():
            return db_to_level(0.0)
        return float(np.searchsorted(np.cumsum(counts), share * counts.sum()))


def _joined(entries: NDArray[np.uint8] | LevelTable, at: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate entries, whose middles lie at their number + 0.5, at the middles between `at`."""
    middle = np.clip((at[:-1] + at[1:]) / 2 - 0.5, 0, len(entries) - 1)
    first = np.floor(middle).astype(np.int64)
    low, high = int(first[0]), min(int(first[-1]) + 2, len(entries))
    part = np.asarray(entries[low:high].T, np.float32)
    left = first - low
    right = np.minimum(left + 1, part.shape[1] - 1)
    share = (middle - first).astype(np.float32)
    before = part[:, left]
    return np.asarray(before + (part[:, right] - before) * share)


def _averaged(entries: NDArray[np.uint8] | LevelTable, at: NDArray[np.float64]) -> NDArray[np.float32]:
    """Average the entries that lie between neighbouring edges."""
    first = np.clip(np.floor(at[:-1] + 1e-9), 0, len(entries) - 1).astype(np.int64)
    last = np.clip(np.ceil(at[1:] - 1e-9), 1, len(entries)).astype(np.int64)
    last = np.maximum(last, first + 1)
    low, high = int(first[0]), int(last[-1])
    sums = np.zeros((high - low + 1, entries.shape[1]), np.int32)
    np.cumsum(entries[low:high], axis=0, dtype=np.int32, out=sums[1:])
    total = sums[last - low] - sums[first - low]
    return np.asarray((total / (last - first).astype(np.float32)[:, None]).T, np.float32)


class SpectrogramBuilder:
    """Fills a spectrogram, slab by slab in any order.

    Parameters
    ----------
    shape : SpectrogramShape
    table, ready : ndarray, uint8, optional
        Where to build, such as a memory map; made in memory by default.
    """

    def __init__(
        self,
        shape: SpectrogramShape,
        table: NDArray[np.uint8] | None = None,
        ready: NDArray[np.uint8] | None = None,
    ) -> None:
        self.shape = shape
        self._table = np.zeros(shape.size, np.uint8) if table is None else table
        self._ready = np.zeros(shape.slabs, np.uint8) if ready is None else ready

    @property
    def spectrogram(self) -> Spectrogram:
        """The spectrogram as far as it is filled; it shares its table with the builder."""
        return Spectrogram(self.shape, self._table, self._ready)

    def next_slab(self, wanted: int) -> int | None:
        """Return the first missing slab from `wanted` on, then from the start; None when nothing is missing."""
        missing = np.flatnonzero(np.asarray(self._ready) == 0)
        if not len(missing):
            return None
        return int(missing[np.searchsorted(missing, wanted) % len(missing)])

    def put(self, slab: int, levels: tuple[NDArray[np.uint8], ...]) -> None:
        """Take in a slab: for every band its levels, shape (SLAB_COLUMNS / stride, bins)."""
        for index, (band, part) in enumerate(zip(BANDS, levels, strict=True)):
            target = self.shape.part(self._table, 0, index)
            first = slab * (SLAB_COLUMNS // band.stride)
            count = max(min(len(part), len(target) - first), 0)
            target[first : first + count] = part[:count]
            self._thin_out(index, first, first + count)
        self._ready[slab] = 1

    def _thin_out(self, index: int, first: int, last: int) -> None:
        """Bring the coarser densities of a band up to date, as mean powers."""
        for density in range(1, self.shape.densities):
            if last <= first:
                return
            first, last = first // FACTOR, -(-last // FACTOR)
            source = self.shape.part(self._table, density - 1, index)[first * FACTOR : last * FACTOR]
            power = POWER_OF_LEVEL[source]
            counts = np.diff(np.append(np.arange(0, len(source), FACTOR), len(source))).astype(np.float32)
            sums = np.add.reduceat(power, np.arange(0, len(source), FACTOR), axis=0)
            target = self.shape.part(self._table, density, index)
            target[first : first + len(sums)] = power_to_levels(np.asarray(sums / counts[:, None], np.float32))
