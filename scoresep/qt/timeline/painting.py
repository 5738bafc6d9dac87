"""What every lane paints with: the painter together with time axis, theme and the pixels of the screen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPen

from scoresep.qt.timeline.time_axis import TimeAxis
from scoresep.qt.widgets.theme import Theme

# Distance of hatching lines, from left to right.
HATCH_PX = 7.0


@dataclass(frozen=True)
class PaintContext:
    """A painter in the widget's logical coordinates.

    Attributes
    ----------
    painter : QPainter
    axis : TimeAxis
    theme : Theme
    pixel_ratio : float
        Device pixels in a logical one.
    left : float
        Where the time axis starts in the widget.
    clip_left, clip_right : float
        What has to be painted; beyond it painting has no effect.
    sight : tuple of float
        First and last frame in sight, of which a tile is only a part.
    """

    painter: QPainter
    axis: TimeAxis
    theme: Theme
    pixel_ratio: float
    left: float
    clip_left: float
    clip_right: float
    sight: tuple[float, float]

    @property
    def hair(self) -> float:
        """Width of the thinnest line: a whole number of device pixels, about one logical pixel."""
        return max(round(self.pixel_ratio), 1) / self.pixel_ratio

    def snap(self, value: float) -> float:
        """Move a coordinate to the edge of a device pixel."""
        return round(value * self.pixel_ratio) / self.pixel_ratio

    @property
    def frames_per_column(self) -> float:
        """Frames in a device pixel."""
        return self.axis.frames_per_px / self.pixel_ratio

    @property
    def origin_px(self) -> int:
        """The device pixel of frame 0, far outside the widget as it may be."""
        return round(self.left * self.pixel_ratio) - round(self.axis.start_frame / self.frames_per_column)

    def x(self, frame: float) -> float:
        """Convert a frame to the widget's x, at a device pixel.

        It is counted from frame 0 on, so that rounding is the same wherever the view is scrolled to.
        """
        return (round(frame / self.frames_per_column) + self.origin_px) / self.pixel_ratio

    def xs(self, frames: NDArray[np.int64]) -> NDArray[np.float64]:
        """Convert many frames as `x` does."""
        return (np.rint(frames / self.frames_per_column) + self.origin_px) / self.pixel_ratio

    def frame_range(self, margin_px: float = 0.0) -> tuple[float, float]:
        """Return the frames to be painted, with a margin on either side."""
        return (
            self.axis.x_to_frame(self.clip_left - self.left - margin_px),
            self.axis.x_to_frame(self.clip_right - self.left + margin_px),
        )

    def fill(self, x: float, y: float, width: float, height: float, color: QColor) -> None:
        """Fill a rectangle whose edges are moved to device pixels; never thinner than a hair.

        Parameters
        ----------
        x, y, width, height : float
            In logical pixels.
        color : QColor
        """
        left, top = self.snap(x), self.snap(y)
        right, bottom = max(self.snap(x + width), left + self.hair), max(self.snap(y + height), top + self.hair)
        self.painter.fillRect(QRectF(left, top, right - left, bottom - top), color)

    def pixels(self, pixels: NDArray[np.uint32], left_px: int, top_px: int) -> None:
        """Draw an image of premultiplied ARGB, one value for a device pixel, shape (rows, columns).

        Parameters
        ----------
        pixels : ndarray [shape=(rows, columns)], uint32
        left_px, top_px : int
            In device pixels.
        """
        rows, columns = pixels.shape
        if not rows or not columns:
            return
        pixels = np.ascontiguousarray(pixels)
        image = QImage(pixels.data, columns, rows, 4 * columns, QImage.Format.Format_ARGB32_Premultiplied)
        image.setDevicePixelRatio(self.pixel_ratio)
        self.painter.drawImage(QPointF(left_px / self.pixel_ratio, top_px / self.pixel_ratio), image)

    @property
    def columns_px(self) -> tuple[int, int]:
        """First device pixel to be painted, and the one after the last."""
        return round(self.clip_left * self.pixel_ratio), round(self.clip_right * self.pixel_ratio)

    def frames_of_columns(self, offset: float = 0.0) -> NDArray[np.float64]:
        """Return the frame at every device pixel to be painted; `offset` 0.5 for their middles."""
        first, last = self.columns_px
        columns = np.arange(first - self.origin_px, last - self.origin_px, dtype=np.float64)
        return (columns + offset) * self.frames_per_column

    def vertical(self, x: float, top: float, bottom: float, color: QColor) -> None:
        """Draw a vertical hairline.

        Parameters
        ----------
        x, top, bottom : float
            In logical pixels.
        color : QColor
        """
        self.painter.fillRect(QRectF(self.snap(x), top, self.hair, bottom - top), color)

    def verticals(self, frames: NDArray[np.int64], top: float, bottom: float, color: QColor) -> None:
        """Draw vertical hairlines at frames, as far as they are to be seen.

        Parameters
        ----------
        frames : ndarray [shape=(lines,)], float64
            Of the recording.
        top, bottom : float
            In logical pixels.
        color : QColor
        """
        xs = self.xs(frames)
        xs = xs[(xs >= self.clip_left - 2) & (xs <= self.clip_right + 2)]
        self.painter.setPen(Qt.PenStyle.NoPen)
        self.painter.setBrush(color)
        self.painter.drawRects([QRectF(x, top, self.hair, bottom - top) for x in xs.tolist()])

    def horizontal(self, y: float, left: float, right: float, color: QColor) -> None:
        """Draw a horizontal hairline.

        Parameters
        ----------
        y, left, right : float
            In logical pixels.
        color : QColor
        """
        self.painter.fillRect(QRectF(left, self.snap(y), right - left, self.hair), color)

    def hatch(self, rects: list[QRectF], color: QColor, spacing: float = HATCH_PX) -> None:
        """Draw diagonals into rectangles. They are anchored in time, so that scrolling moves them with the rest.

        Parameters
        ----------
        rects : list of QRectF
        color : QColor
        spacing : float
            Between the lines, in logical pixels.
        """
        anchor = self.origin_px / self.pixel_ratio
        lines = []
        for rect in rects:
            top, bottom = rect.top(), rect.bottom()
            left, right = max(rect.left(), self.clip_left - spacing), min(rect.right(), self.clip_right + spacing)
            at = anchor + spacing * math.ceil((left + top - anchor) / spacing)
            while right > left and at < right + bottom:
                x1, x2 = max(left, at - bottom), min(right, at - top)
                lines.append(QLineF(x1, at - x1, x2, at - x2))
                at += spacing
        self.painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        self.painter.setPen(QPen(color, 1.0))
        self.painter.drawLines(lines)
        self.painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def text(self, rect: QRectF, text: str, color: QColor, align: Qt.AlignmentFlag | None = None) -> None:
        """Write one line, elided to the rectangle, vertically centred and left unless said otherwise.

        Parameters
        ----------
        rect : QRectF
        text : str
        color : QColor
        align : Qt.AlignmentFlag or None
            Left when left out.
        """
        align = Qt.AlignmentFlag.AlignLeft if align is None else align
        elided = QFontMetricsF(self.painter.font()).elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        self.painter.setPen(color)
        self.painter.drawText(rect, int(align | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine), elided)
