"""Colours of the spectrogram: from the ground on, equal steps of level are equal steps of lightness."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QColor

from scoresep.qt.timeline.spectrogram_picture import COLOR_MAPS, SHARES, color_map, share_map

GROUNDS = ("#1b1d21", "#ffffff", "#2b2b2b", "#f4f0e0")


def lightness(pixels: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return CIE L* of pixels."""
    rgb = np.stack([pixels >> 16 & 255, pixels >> 8 & 255, pixels & 255]) / 255.0
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = np.tensordot([0.2126, 0.7152, 0.0722], linear, 1)
    return np.asarray(116 * np.where(y > 0.008856, np.cbrt(y), 7.787 * y + 16 / 116) - 16)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("name", COLOR_MAPS)
def test_lightness_rises_evenly_from_the_ground(name: str, ground: str) -> None:
    pixels = color_map(name, ground)
    assert len(pixels) == 256 and (pixels >> 24 == 255).all()
    assert pixels[0] == QColor(ground).rgb()
    steps = np.diff(lightness(pixels)[::16])
    is_rising = QColor(ground).lightnessF() < 0.5
    assert (steps > 0).all() if is_rising else (steps < 0).all()
    assert np.abs(steps).max() < 2.5 * np.abs(steps).min(), "no step is hidden and none is glaring"
    assert abs(lightness(pixels)[-1] - lightness(pixels)[0]) > 65


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("color", ["#0072b2", "#d55e00", "#8c8c8c"])
def test_the_share_of_a_stem_is_its_colour(color: str, ground: str) -> None:
    pixels = share_map(color, ground)
    assert pixels.shape == (SHARES + 1, 256) and (pixels[:, 0] == QColor(ground).rgb()).all()
    rgb = np.stack([pixels >> 16 & 255, pixels >> 8 & 255, pixels & 255]).astype(np.int64)
    colourful = (rgb.max(0) - rgb.min(0))[:, 150]
    assert colourful[0] < 12, "what is not the stem's is grey"
    assert colourful[-1] > 60 and (np.diff(colourful) > -4).all()
