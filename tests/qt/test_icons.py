"""The pictures of the window: every file can be drawn, in the colour that is asked for and as large as fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from scoresep.qt.widgets.theme import draw_icon
from scoresep.resources import resource_path

FILES = sorted(resource_path("icons").glob("*.svg"))


@pytest.mark.parametrize("side", [14, 64])
@pytest.mark.parametrize("path", [path for path in FILES if path.stem != "app"], ids=lambda path: path.stem)
def test_a_picture_has_the_colour_asked_for_and_stays_in_its_square(qapp: object, path: Path, side: int) -> None:
    image = QImage(2 * side, side, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    with QPainter(image) as painter:
        draw_icon(painter, path.stem, QRectF(image.rect()), QColor("#ff0000"))
    pixels = [(x, image.pixelColor(x, y)) for x in range(image.width()) for y in range(side)]
    inked = [(x, color) for x, color in pixels if color.alpha() > 40]
    assert len(inked) > 0.05 * side * side
    assert all(side / 2 - 1 <= x < 3 * side / 2 + 1 for x, _ in inked)
    assert all(color.red() > 200 and color.green() < 60 and color.blue() < 60 for _, color in inked)
