"""Peaks: what a waveform looks like at every zoom, without reading its samples again.

A pyramid holds lowest value, highest value and root mean square (RMS) of every 32 frames, of every 128, and so on.
It is filled block by block, can be drawn while it is filled, and is exact: no sample lies outside its peaks. Where
pyramids are kept, and how they are drawn, is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

# Frames of the finest level: the screen asks for samples themselves only where it shows less than a second or two.
BASE_FRAMES = 32
# How many entries of one level make one of the next.
FACTOR = 4
LOW, HIGH, RMS = 0, 1, 2
# Largest amplitude that half precision holds.
LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Envelope:
    """Outline of a waveform, column by column.

    Attributes
    ----------
    low, high, rms : ndarray [shape=(channels, columns)], float32
        NaN in columns that lie outside the recording or are not known yet.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    rms: NDArray[np.float32]


def level_sizes(frames: int) -> tuple[int, ...]:
    """Return the number of entries of every level for a recording of `frames`, finest first, down to one entry."""
    sizes = [max(-(-frames // BASE_FRAMES), 1)]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // FACTOR))
    return tuple(sizes)


class PeakTable(Protocol):
    """A table in a file, of which ranges are read when they are asked for."""

    shape: tuple[int, ...]

    def __getitem__(self, key: tuple[Any, ...], /) -> NDArray[Any]:
        """Return a range."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all of it, in memory."""


@dataclass(frozen=True, eq=False)
class PeakPyramid:
    """Peaks of one recording or stem.

    Attributes
    ----------
    frames : int
        Length of the recording.
    table : ndarray [shape=(channels, 3, entries)], float16
        Lowest, highest and RMS, all levels one after the other, finest first. Half precision halves what is kept;
        values are rounded outwards, so that peaks stay peaks. May lie in a file.
    ready_frames : int
        How many frames from the start are in the table so far.
    """

    frames: int
    table: NDArray[np.float16] | PeakTable
    ready_frames: int

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.table.shape[0])

    @property
    def is_complete(self) -> bool:
        """Whether all frames are in the table."""
        return self.ready_frames >= self.frames

    @property
    def peak(self) -> float:
        """Largest amplitude so far."""
        top = self.table[:, LOW : HIGH + 1, -1] if self.is_complete else self.table[:, LOW : HIGH + 1]
        return float(np.abs(np.asarray(top, np.float32)).max(initial=0.0))

    def envelope(self, first_column: int, frames_per_column: float, columns: int) -> Envelope:
        """Return the outline of `columns` columns, each `frames_per_column` wide, counted from the first frame on.

        A column takes in every entry that it touches; columns narrower than `BASE_FRAMES` share entries. Columns are
        counted, so that one looks the same whichever range it is asked for with.

        Parameters
        ----------
        first_column : int
            Column c lies at the frames [c, c + 1) * `frames_per_column`; may be negative.
        frames_per_column : float
        columns : int
        """
        sizes = level_sizes(self.frames)
        level = 0
        while level + 1 < len(sizes) and BASE_FRAMES * FACTOR ** (level + 1) * 2 <= frames_per_column:
            level += 1
        entry_frames = BASE_FRAMES * FACTOR**level
        edges = frames_per_column * np.arange(first_column, first_column + columns + 1, dtype=np.float64)
        ready = sizes[level] if self.is_complete else self.ready_frames // entry_frames
        first = np.clip(np.floor(edges[:-1] / entry_frames), 0, ready).astype(np.int64)
        last = np.clip(np.ceil(edges[1:] / entry_frames), 0, ready).astype(np.int64)
        known = (last > first) & (edges[:-1] < self.frames)
        offset = sum(sizes[:level])
        low_entry, high_entry = (int(first[known][0]), int(last[known][-1])) if known.any() else (0, 0)
        part = np.asarray(self.table[:, :, offset + low_entry : offset + high_entry], np.float32)
        return _reduced(part[:, LOW], part[:, HIGH], part[:, RMS] ** 2, first - low_entry, last - low_entry, known)


def envelope_of_samples(
    samples: NDArray[np.float32], samples_start: int, first_column: int, frames_per_column: float, columns: int
) -> Envelope:
    """Return the same as `PeakPyramid.envelope` from samples, for zooms finer than a pyramid.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)], float32
    samples_start : int
        Frame of the recording at which `samples` starts.
    first_column : int
    frames_per_column : float
    columns : int
    """
    edges = frames_per_column * np.arange(first_column, first_column + columns + 1, dtype=np.float64)
    count = samples.shape[1]
    begin = np.floor(edges[:-1]).astype(np.int64)
    first = np.clip(begin - samples_start, 0, count)
    last = np.clip(np.maximum(np.ceil(edges[1:]).astype(np.int64), begin + 1) - samples_start, 0, count)
    known = (last > first) & (edges[1:] > samples_start)
    return _reduced(samples, samples, samples.astype(np.float32) ** 2, first, last, known)


def envelope_of_line(
    samples: NDArray[np.float32], samples_start: int, first_column: int, frames_per_column: float, columns: int
) -> Envelope:
    """Return the outline of the straight lines that join samples, for zooms at which a column is less than a frame.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)], float32
    samples_start : int
        Frame of the recording at which `samples` starts.
    first_column : int
    frames_per_column : float
    columns : int

    Returns
    -------
    envelope : Envelope
        RMS is 0: a line has no inside.
    """
    low = np.full((samples.shape[0], columns), np.nan, np.float32)
    high = low.copy()
    count = samples.shape[1]
    frames = samples_start + np.arange(count)
    edges = frames_per_column * np.arange(first_column, first_column + columns + 1, dtype=np.float64)
    known = (edges[1:] > samples_start) & (edges[:-1] < samples_start + count - 1)
    at = np.floor(frames / frames_per_column).astype(np.int64) - first_column
    inside = (at >= 0) & (at < columns)
    for channel in range(samples.shape[0] if count else 0):
        values = np.interp(edges, frames, samples[channel])
        low[channel, known] = np.minimum(values[:-1], values[1:])[known]
        high[channel, known] = np.maximum(values[:-1], values[1:])[known]
        low[channel, at[inside]] = np.fmin(low[channel, at[inside]], samples[channel, inside])
        high[channel, at[inside]] = np.fmax(high[channel, at[inside]], samples[channel, inside])
    return Envelope(low, high, np.where(np.isnan(low), np.nan, np.float32(0)))


def _reduced(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    square: NDArray[np.float32],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    known: NDArray[np.bool_],
) -> Envelope:
    """Reduce entries [first, last) to columns; columns that are not `known` become NaN."""
    result = [np.full((low.shape[0], len(first)), np.nan, np.float32) for _ in range(3)]
    if known.any():
        limits = np.stack([first[known], last[known]], axis=1).ravel()
        counts = (last[known] - first[known]).astype(np.float32)
        # reduceat wants every limit inside: one entry more at the end, which no column takes in
        beyond = np.zeros((low.shape[0], 1), np.float32)
        low, high, square = (np.concatenate([x, beyond], axis=1) for x in (low, high, square))
        result[0][:, known] = np.minimum.reduceat(low, limits, axis=1)[:, ::2]
        result[1][:, known] = np.maximum.reduceat(high, limits, axis=1)[:, ::2]
        result[2][:, known] = np.sqrt(np.add.reduceat(square, limits, axis=1)[:, ::2] / counts)
    return Envelope(*result)


class PeakBuilder:
    """Fills a pyramid block by block.

    Parameters
    ----------
    frames, channels : int
        Of the recording.
    table : ndarray [shape=(channels, 3, entries)], float16, optional
        Where to build, such as a memory map; made in memory by default.
    """

    def __init__(self, frames: int, channels: int, table: NDArray[np.float16] | None = None) -> None:
        self._sizes = level_sizes(frames)
        self._frames = frames
        shape = table_shape(frames, channels)
        if table is not None and table.shape != shape:
            raise ValueError(
                f"a table for {frames} frames and {channels} channels has the shape {shape}, not {table.shape}"
            )
        self._table = np.zeros(shape, np.float16) if table is None else table
        self._ready_frames = 0
        self._rest: NDArray[np.float32] = np.zeros((channels, 0), np.float32)

    @classmethod
    def over(cls, pyramid: PeakPyramid | None, frames: int, channels: int) -> PeakBuilder:
        """Return a builder that begins with a copy of a whole pyramid (of silence, without one) and replaces parts.

        Parameters
        ----------
        pyramid : PeakPyramid or None
            Not used unless it is complete and of the same frames and channels.
        frames, channels : int
        """
        fits = pyramid is not None and pyramid.is_complete and (pyramid.frames, pyramid.channels) == (frames, channels)
        builder = cls(frames, channels, np.array(pyramid.table) if fits and pyramid is not None else None)
        builder._ready_frames = frames
        return builder

    @property
    def pyramid(self) -> PeakPyramid:
        """The pyramid as far as it is filled; it shares its table with the builder."""
        return PeakPyramid(self._frames, self._table, self._ready_frames)

    def append(self, samples: NDArray[np.float32]) -> None:
        """Take in the next block, shape (channels, frames), of any length."""
        joined = np.concatenate([self._rest, samples], axis=1) if self._rest.shape[1] else samples
        start = self._ready_frames
        whole = joined.shape[1] // BASE_FRAMES * BASE_FRAMES
        if start + joined.shape[1] >= self._frames:
            whole = self._frames - start
        self._rest = np.array(joined[:, whole:], np.float32)
        if whole:
            self._write_base(start // BASE_FRAMES, _finite(joined[:, :whole]))
            self._ready_frames = start + whole
            self._write_levels(start // BASE_FRAMES, -(-self._ready_frames // BASE_FRAMES))

    def replace(self, start_frame: int, samples: NDArray[np.float32]) -> None:
        """Take in other samples for frames that are filled, from a multiple of `BASE_FRAMES` to such a one or the end.

        Parameters
        ----------
        start_frame : int
        samples : ndarray [shape=(channels, frames)], float32
        """
        stop_frame = start_frame + samples.shape[1]
        is_whole = stop_frame % BASE_FRAMES == 0 or stop_frame == self._frames
        if start_frame % BASE_FRAMES or not is_whole or stop_frame > self._ready_frames:
            raise ValueError(f"[{start_frame}, {stop_frame}) cannot be replaced in {self._ready_frames} frames")
        if stop_frame > start_frame:
            self._write_base(start_frame // BASE_FRAMES, _finite(samples))
            self._write_levels(start_frame // BASE_FRAMES, -(-stop_frame // BASE_FRAMES))

    def _write_base(self, first: int, samples: NDArray[np.float32]) -> None:
        count = -(-samples.shape[1] // BASE_FRAMES)
        # the last entry may be short: filled up with its last sample, peaks stay what they are and RMS all but so
        missing = count * BASE_FRAMES - samples.shape[1]
        if missing:
            samples = np.pad(samples, ((0, 0), (0, missing)), mode="edge")
        boxes = samples.reshape(samples.shape[0], count, BASE_FRAMES)
        target = self._table[:, :, first : first + count]
        target[:, LOW] = _half_towards(boxes.min(2), -np.inf)
        target[:, HIGH] = _half_towards(boxes.max(2), np.inf)
        target[:, RMS] = np.sqrt(np.mean(boxes * boxes, axis=2))

    def _write_levels(self, first: int, done: int) -> None:
        """Bring the coarser levels up to date from entry `first` of the finest on to (without) `done`."""
        offset, ready = 0, -(-self._ready_frames // BASE_FRAMES)
        for size, next_size in zip(self._sizes[:-1], self._sizes[1:], strict=True):
            first, next_done = first // FACTOR, -(-done // FACTOR)
            done = min(next_done * FACTOR, ready)
            source = self._table[:, :, offset + first * FACTOR : offset + done].astype(np.float32)
            missing = (next_done - first) * FACTOR - source.shape[2]
            if missing:
                source = np.pad(source, ((0, 0), (0, 0), (0, missing)), mode="edge")
            boxes = source.reshape(*source.shape[:2], next_done - first, FACTOR)
            target = self._table[:, :, offset + size + first : offset + size + next_done]
            target[:, LOW] = boxes[:, LOW].min(2)
            target[:, HIGH] = boxes[:, HIGH].max(2)
            target[:, RMS] = np.sqrt(np.mean(boxes[:, RMS] ** 2, axis=2))
            offset, done, ready = offset + size, next_done, -(-ready // FACTOR)
            assert done <= next_size


def table_shape(frames: int, channels: int) -> tuple[int, int, int]:
    """Return the shape of a pyramid's table."""
    return channels, 3, sum(level_sizes(frames))


def _finite(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return samples within the range of half precision, 0 for what is not a number."""
    finite: NDArray[np.float32] = np.clip(samples, -LARGEST, LARGEST, dtype=np.float32)
    finite[np.isnan(finite)] = 0.0
    return finite


def _half_towards(values: NDArray[np.float32], direction: float) -> NDArray[np.float16]:
    """Round to half precision, never to the inner side of `direction`."""
    half = values.astype(np.float16)
    inner = half > values if direction < 0 else half < values
    np.nextafter(half, np.float16(direction), out=half, where=inner)
    return half


# What comes after is held against what was before over this time: longer than a period of most notes.
WINDOW_S = 0.012
# By how much the sound has to grow within it to count as an attack.
LEAST_RISE_DB = 6.0
# Sounds this far below the loudest nearby are nothing.
FLOOR_DB = -50.0


def find_attack(samples: NDArray[np.float32], sample_rate: int, place: int, radius: int) -> int | None:
    """Return where the sound rises most within `radius` of `place`; None where it does not rise enough.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        To be at least `WINDOW_S` longer on both sides than what is searched.
    sample_rate : int
    place, radius : int
        In frames of `samples`.
    """
    window = max(round(WINDOW_S * sample_rate), 2)
    # the difference of samples counts high frequencies more, in which attacks stand out
    power = np.square(np.diff(samples.astype(np.float64), axis=1)).sum(axis=0)
    first, last = max(place - radius, window), min(place + radius, len(power) - window)
    if last < first or not len(power):
        return None
    total = np.concatenate([[0.0], np.cumsum(power)])
    at = np.arange(first, last + 1)
    before, after = total[at] - total[at - window], total[at + window] - total[at]
    floor = max(float(after.max()), float(before.max())) * 10 ** (FLOOR_DB / 10) + 1e-30
    rise_db = 10 * np.log10((after + floor) / (before + floor))
    best = int(np.argmax(rise_db))
    return int(at[best]) if rise_db[best] >= LEAST_RISE_DB else None
