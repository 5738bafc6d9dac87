"""What the spectrogram's lane shows and how: which sound, which pitches, how bright; and its pixels, tile by tile.

Tiles are counted from the first frame on and kept as long as there is room, so that scrolling and repainting copy
pixels and compute only what comes into sight.

Colours: equal steps of level are equal steps of lightness, from the lane's ground on.

On a dark ground loud is bright, on a light one dark, so that silence is always the ground itself.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from scoresep.model.spectrogram import (
    BINS,
    HIGHEST_MIDI,
    LOWEST_MIDI,
    STEP_DB,
    Spectrogram,
    db_to_level,
    midi_to_bin,
)
from scoresep.qt.timeline.score_layout import ScoreLayout

HEAT, GREY = "heat", "grey"
COLOR_MAPS = (HEAT, GREY)
# A stem over the recording: how many shades from nothing of what is heard to all of it, and how many dB lie between.
SHARES = 24
SHARE_RANGE_DB = 12.0

# Hue in degrees and chroma along a map, in the OKLCh space, from silence to the loudest.
_HEAT_DARK = ((262.0, 0.02), (285.0, 0.11), (318.0, 0.17), (360.0, 0.19), (405.0, 0.17), (440.0, 0.15), (462.0, 0.08))
_HEAT_LIGHT = ((462.0, 0.00), (445.0, 0.11), (415.0, 0.16), (375.0, 0.19), (335.0, 0.19), (300.0, 0.16), (285.0, 0.08))
_BRIGHTEST, _DARKEST = 0.97, 0.17
_LEAST_CHROMA, _GREY_HUE = 0.13, 195.0


def color_map(name: str, ground: str) -> NDArray[np.uint32]:
    """Return 256 pixels (ARGB), from silence to the loudest.

    Parameters
    ----------
    name : str
        One of `COLOR_MAPS`.
    ground : str
        The colour of silence, ``#rrggbb``.
    """
    return _color_map(name, ground)


@lru_cache(maxsize=16)
def _color_map(name: str, ground: str) -> NDArray[np.uint32]:
    start, lightness, is_dark = _ramp(ground)
    if name == GREY:
        hue, chroma = np.full(256, start[2]), np.linspace(start[1], 0.0, 256)
    else:
        stops = np.array(_HEAT_DARK if is_dark else _HEAT_LIGHT)
        at, own = np.linspace(0, 1, 256), np.linspace(0, 1, len(stops))
        hue, chroma = np.interp(at, own, stops[:, 0]), np.interp(at, own, stops[:, 1])
        near = np.clip(1 - at / 0.08, 0, 1)  # the first steps lead away from the ground, whatever its tint
        chroma = chroma * (1 - near) + start[1] * near
    pixels = _pixels(lightness, chroma, hue)
    pixels[0] = np.uint32(0xFF000000 | int(ground[1:], 16))
    return pixels


def share_map(color: str, ground: str) -> NDArray[np.uint32]:
    """Return pixels for a stem over the recording: as light as the recording is loud, as colourful as the stem's share.

    Parameters
    ----------
    color : str
        Of the stem, ``#rrggbb``.
    ground : str

    Returns
    -------
    pixels : ndarray [shape=(SHARES + 1, 256)], uint32
        By share, from -`SHARE_RANGE_DB` to all of it, and by level.
    """
    return _share_map(color, ground)


@lru_cache(maxsize=64)
def _share_map(color: str, ground: str) -> NDArray[np.uint32]:
    _, lightness, is_dark = _ramp(ground)
    own = _to_lch(color)
    hue = own[2] if own[1] > 0.03 else _GREY_HUE
    most = max(own[1], _LEAST_CHROMA)
    # the ends of the ramp have no room for colour
    rise = np.clip(np.linspace(0, 1, 256) / 0.25, 0, 1) * (1.0 if is_dark else 1.15)
    share = np.linspace(0, 1, SHARES + 1)[:, None]
    chroma = share**0.8 * (most * rise)[None]
    # what is the stem's own is never so light or dark that its colour is lost
    middle = 0.72 if is_dark else 0.55
    lightness = lightness[None] + share * 0.45 * (middle - lightness[None]) * np.linspace(0, 1, 256)[None] ** 1.5
    pixels = _pixels(lightness.ravel(), chroma.ravel(), np.full(chroma.size, hue)).reshape(chroma.shape)
    pixels[:, 0] = np.uint32(0xFF000000 | int(ground[1:], 16))
    return pixels


def _ramp(ground: str) -> tuple[tuple[float, float, float], NDArray[np.float64], bool]:
    start = _to_lch(ground)
    is_dark = start[0] < 0.6
    return start, np.linspace(start[0], _BRIGHTEST if is_dark else _DARKEST, 256), is_dark


# ------------------------------------------------------------------------------------------------------- the space

# B. Ottosson, "A perceptual color space for image processing", 2020, https://bottosson.github.io/posts/oklab/
_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _to_lch(color: str) -> tuple[float, float, float]:
    """Convert ``#rrggbb`` to lightness (0 to 1), chroma and hue in degrees."""
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lightness, a, b = _LAB @ np.cbrt(_LMS @ linear)
    return float(lightness), float(np.hypot(a, b)), float(np.degrees(np.arctan2(b, a)) % 360)


def _to_linear(lightness: NDArray, chroma: NDArray, hue: NDArray) -> NDArray:
    lab = np.stack([lightness, chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))])
    return np.linalg.inv(_LMS) @ (np.linalg.inv(_LAB) @ lab) ** 3


def _pixels(lightness: NDArray, chroma: NDArray, hue: NDArray) -> NDArray[np.uint32]:
    """Convert colours to pixels; what no screen can show is made paler until one can."""
    low, high = np.zeros_like(chroma), np.array(chroma)
    for _ in range(12):
        middle = (low + high) / 2
        linear = _to_linear(lightness, middle, hue)
        is_inside = ((linear > -1e-4) & (linear < 1.0001)).all(axis=0)
        low, high = np.where(is_inside, middle, low), np.where(is_inside, high, middle)
    linear = np.clip(_to_linear(lightness, low, hue), 0, 1)
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = np.rint(rgb * 255).astype(np.uint32)
    return np.asarray(np.uint32(0xFF000000) | red << 16 | green << 8 | blue, np.uint32)


TILE_COLUMNS = 256
MOST_TILE_BYTES = 96 * 2**20
# The lowest and highest edges that can be shown, and the fewest semitones.
LOWEST_EDGE, HIGHEST_EDGE = LOWEST_MIDI - 0.5, HIGHEST_MIDI + 0.5
LEAST_SEMITONES = 6.0
# Beside the notes of a score: room below, and above for the first overtones.
BELOW_SCORE, ABOVE_SCORE = 4.0, 29.0
# How many dB the colours cover where the data does not say otherwise.
LEAST_RANGE_DB, MOST_RANGE_DB = 66.0, 84.0
# The loudest moments are brighter than what is commonly loud.
HEADROOM_DB = 8.0
ROWS_AT_ONCE = 32


@dataclass(frozen=True)
class Look:
    """How a spectrogram is shown.

    Attributes
    ----------
    gain_db, contrast_db : float
        How much brighter, and by how much fewer dB the colours cover, than the data suggests.
    colors : str
        One of `COLOR_MAPS`.
    with_notes, with_overtones : bool
        Whether the notes of the score lie over it, and the overtones of the chosen part.
    """

    gain_db: float = 0.0
    contrast_db: float = 0.0
    colors: str = HEAT
    with_notes: bool = True
    with_overtones: bool = False


@dataclass(frozen=True)
class PitchRange:
    """The pitches in sight, from lower to upper edge, as MIDI numbers."""

    low: float = LOWEST_EDGE
    high: float = HIGHEST_EDGE

    @property
    def semitones(self) -> float:
        """How many semitones are in sight."""
        return self.high - self.low

    def zoomed(self, factor: float, at: float) -> PitchRange:
        """Return the range magnified, with the pitch `at` where it is."""
        span = min(max(self.semitones / factor, LEAST_SEMITONES), HIGHEST_EDGE - LOWEST_EDGE)
        low = at - (at - self.low) / self.semitones * span
        return PitchRange(low, low + span).moved(0.0)

    def moved(self, semitones: float) -> PitchRange:
        """Return the range moved, as far as there is something."""
        low = min(max(self.low + semitones, LOWEST_EDGE), HIGHEST_EDGE - self.semitones)
        return PitchRange(low, low + self.semitones)


def range_for(layout: ScoreLayout | None) -> PitchRange:
    """Return the pitches that a score needs, with room for overtones; all where there is none."""
    if layout is None or np.isnan(layout.pitch_midi).all():
        return PitchRange()
    low, high = float(np.nanmin(layout.pitch_midi)) - BELOW_SCORE, float(np.nanmax(layout.pitch_midi)) + ABOVE_SCORE
    return PitchRange(max(low, LOWEST_EDGE), min(max(high, low + LEAST_SEMITONES), HIGHEST_EDGE))


@dataclass(frozen=True, eq=False)
class Shown:
    """The sound whose spectrogram is shown.

    Attributes
    ----------
    title : str
        What it is, in words: ``Recording``, ``Violin``.
    spectrogram : Spectrogram or None
        None until some of it is known.
    ground : Spectrogram or None
        That of the recording, where a stem is shown over it.
    color : str
        The stem's, for that.
    reference : Spectrogram or None
        What brightness is measured by, so that stems compare with the recording; its own by default.
    notice : str
        What a person should know.
    """

    title: str = "Recording"
    spectrogram: Spectrogram | None = None
    ground: Spectrogram | None = None
    color: str = "#8c8c8c"
    reference: Spectrogram | None = None
    notice: str = ""


class SpectrogramPicture:
    """The spectrogram of the timeline.

    Attributes
    ----------
    is_shown : bool
    is_in_place : bool
        Whether it stands in place of the waveform.
    height_px : float
        As a person has set it; 0 to take the room that there is.
    look : Look
    shown : Shown
    chosen_part : int or None
        Whose overtones are shown.
    pitches : PitchRange or None
        None for those that the score needs.
    """

    def __init__(self) -> None:
        self.is_shown = False
        self.is_in_place = False
        self.height_px = 0.0
        self.look = Look()
        self.shown = Shown()
        self.chosen_part: int | None = None
        self.pitches: PitchRange | None = None
        self._tiles: OrderedDict[tuple[object, ...], NDArray[np.uint32]] = OrderedDict()
        self._tile_bytes = 0
        self._rows: tuple[object, NDArray[np.float32]] = ((), np.zeros((0, BINS), np.float32))
        self._limits: tuple[object, tuple[float, float]] = ((), (0.0, 255.0))

    def put(self, shown: Shown) -> None:
        """Show another sound."""
        old, new = self.shown, shown
        if (old.spectrogram, old.ground, old.reference) != (new.spectrogram, new.ground, new.reference):
            self._forget()
        self.shown = shown

    def _forget(self) -> None:
        self._tiles.clear()
        self._tile_bytes = 0

    @property
    def limits(self) -> tuple[float, float]:
        """The levels that the darkest and the brightest colour stand for."""
        reference = self.shown.reference or self.shown.ground or self.shown.spectrogram
        if reference is None:
            return db_to_level(-90.0), db_to_level(-20.0)
        # while it grows it is measured now and then, so that brightness does not flicker
        key = (reference, reference.ready_slabs.bit_length(), reference.is_complete)
        if self._limits[0] != key:
            top, floor = reference.loud_level(0.998) + HEADROOM_DB / STEP_DB, reference.loud_level(0.2)
            span = min(max(top - floor, LEAST_RANGE_DB / STEP_DB), MOST_RANGE_DB / STEP_DB)
            self._limits = key, (top - span, top)
        low, high = self._limits[1]
        high -= self.look.gain_db / STEP_DB
        low = min(low - (self.look.gain_db - self.look.contrast_db) / STEP_DB, high - 20.0)
        return low, high

    def tile(self, number: int, frames_per_column: float, rows: int, pitches: PitchRange, ground: str) -> NDArray:
        """Return the pixels of a tile, shape (rows, TILE_COLUMNS); what is not known yet lets the ground through.

        Parameters
        ----------
        number : int
            Counted from frame 0.
        frames_per_column : float
        rows : int
            Height in pixels.
        pitches : PitchRange
            Lowest and highest MIDI pitch.
        ground : str
        """
        shown, limits = self.shown, self.limits
        if shown.spectrogram is None:
            return np.zeros((rows, TILE_COLUMNS), np.uint32)
        first = number * TILE_COLUMNS
        known = self._known(first, frames_per_column)
        key = (number, frames_per_column, rows, pitches, ground, self.look.colors, shown.color, limits, known.tobytes())
        found = self._tiles.get(key)
        if found is not None:
            self._tiles.move_to_end(key)
            return found
        weights = self._row_weights(rows, pitches)
        levels = _resampled(weights, shown.spectrogram.levels(first, frames_per_column, TILE_COLUMNS))
        if shown.ground is None:
            pixels = np.take(color_map(self.look.colors, ground), _scaled(levels, limits))
        else:
            below = _resampled(weights, shown.ground.levels(first, frames_per_column, TILE_COLUMNS))
            share = np.clip((levels - below) * (STEP_DB * SHARES / SHARE_RANGE_DB) + SHARES, 0, SHARES)
            # a stem may be louder than the recording where others take away from it
            place = share.astype(np.uint16) << 8 | _scaled(np.maximum(below, levels), limits)
            pixels = np.take(share_map(shown.color, ground).ravel(), place)
        pixels[:, ~known] = 0
        self._tiles[key] = pixels
        self._tile_bytes += pixels.nbytes
        while self._tile_bytes > MOST_TILE_BYTES and len(self._tiles) > 1:
            self._tile_bytes -= self._tiles.popitem(last=False)[1].nbytes
        return pixels

    def known(self, first_column: int, frames_per_column: float, columns: int) -> NDArray[np.bool_]:
        """Return which columns are known.

        Parameters
        ----------
        first_column : int
            Counted from frame 0.
        frames_per_column : float
        columns : int
            How many.
        """
        spectrogram, ground = self.shown.spectrogram, self.shown.ground
        if spectrogram is None:
            return np.zeros(columns, np.bool_)
        known = spectrogram.known(first_column, frames_per_column, columns)
        return known if ground is None else known & ground.known(first_column, frames_per_column, columns)

    def _known(self, first_column: int, frames_per_column: float) -> NDArray[np.bool_]:
        return self.known(first_column, frames_per_column, TILE_COLUMNS)

    def level_at(self, frame: float, pitch_midi: float) -> float | None:
        """Return the level at a place; None where it is not known."""
        spectrogram = self.shown.spectrogram
        place = round(float(midi_to_bin(pitch_midi)))
        if spectrogram is None or not 0 <= place < BINS:
            return None
        column_frames = spectrogram.shape.column_frames
        column = int(frame // column_frames)
        if not spectrogram.known(column, column_frames, 1)[0]:
            return None
        return float(spectrogram.levels(column, column_frames, 1)[place, 0])

    def _row_weights(self, rows: int, pitches: PitchRange) -> NDArray[np.float32]:
        key = (rows, pitches)
        if self._rows[0] != key:
            self._rows = key, row_weights(rows, pitches)
        return self._rows[1]

    def set_look(self, **values: object) -> None:
        """Show it otherwise."""
        self.look = replace(self.look, **values)  # type: ignore[arg-type]


def row_weights(rows: int, pitches: PitchRange) -> NDArray[np.float32]:
    """Return how much of every bin each row of pixels takes, shape (rows, BINS), from the highest pitch down.

    Magnified bins are joined by smooth curves (E. Catmull, R. Rom, "A class of local interpolating splines", 1974),
    reduced ones are averaged.
    """
    pitch = pitches.high - (np.arange(rows) + 0.5) * pitches.semitones / rows
    bins_per_row = 3.0 * pitches.semitones / rows
    away = np.abs(np.arange(BINS)[None] - np.clip(midi_to_bin(pitch), 0, BINS - 1)[:, None])
    if bins_per_row < 1:
        inner = 1.5 * away**3 - 2.5 * away**2 + 1
        outer = -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
        weights = np.where(away < 1, inner, np.where(away < 2, outer, 0.0))
    else:
        weights = np.maximum(1 - away / bins_per_row, 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _resampled(weights: NDArray[np.float32], levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring bins to rows of pixels; few rows at a time need few bins."""
    result = np.empty((len(weights), levels.shape[1]), np.float32)
    for first in range(0, len(weights), ROWS_AT_ONCE):
        part = weights[first : first + ROWS_AT_ONCE]
        used = np.flatnonzero(part.any(axis=0))
        low, high = int(used[0]), int(used[-1]) + 1
        np.matmul(part[:, low:high], levels[low:high], out=result[first : first + ROWS_AT_ONCE])
    return result


def _scaled(levels: NDArray[np.float32], limits: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = limits
    scale = np.float32(255.0 / (high - low))
    scaled = levels * scale
    scaled -= np.float32(low) * scale
    return np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)
