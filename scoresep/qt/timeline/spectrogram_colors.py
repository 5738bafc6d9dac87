"""How levels become colours: equal steps of level are equal steps of lightness, from the lane's ground on.

On a dark ground loud is bright, on a light one dark, so that silence is always the ground itself.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

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
