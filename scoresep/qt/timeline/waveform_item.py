"""Waveforms: peaks with their RMS inside, down to single samples joined by lines and marked by dots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from scoresep.model.peaks import Envelope
from scoresep.qt.timeline.content import TimelineContent
from scoresep.qt.timeline.lane import Hit, Lane
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.theme import blend, translucent
from scoresep.qt.timeline.wave_data import WaveData

# Parts of a pixel in which the edge of a waveform is smoothed.
STEPS = 32
DOT_FROM_PX = 6.0
CHANNEL_NAMES = {1: ("Mono",), 2: ("Left", "Right")}


@dataclass(frozen=True)
class WaveColors:
    """Colours of peaks, of the RMS inside them, and of the line of zero."""

    peak: QColor
    core: QColor
    zero: QColor


def wave_image(envelope: Envelope, channel: int, height_px: int, colors: WaveColors) -> QImage:
    """Draw one channel's outline, one column for a device pixel.

    Coverage is counted in whole `STEPS` of a pixel, so that a whole lane takes a few passes over small integers.
    """
    scale = np.float32(-0.5 * height_px * STEPS)

    def limits(low: NDArray[np.float32], high: NDArray[np.float32], least: int) -> tuple[NDArray, NDArray]:
        top = np.clip(np.nan_to_num(high) * scale - scale, 0, -2 * scale).astype(np.int32)
        bottom = np.clip(np.nan_to_num(low) * scale - scale, 0, -2 * scale).astype(np.int32)
        thin = np.maximum(least - (bottom - top), 0)
        top, bottom = top - thin // 2, bottom + (thin + 1) // 2
        return np.where(np.isnan(low), 32000, top).astype(np.int16), np.where(np.isnan(low), 0, bottom).astype(np.int16)

    low, high = _joined(envelope.low[channel], envelope.high[channel])
    rms = envelope.rms[channel]
    rows = (np.arange(height_px, dtype=np.int16) * STEPS)[:, None]
    levels = _coverage(rows, *limits(low, high, STEPS))
    levels += _coverage(rows, *limits(np.maximum(-rms, low), np.minimum(rms, high), 0))
    pixels = _shades(colors)[levels]
    image = QImage(pixels.data, pixels.shape[1], height_px, QImage.Format.Format_ARGB32_Premultiplied)
    return image.copy()  # the pixels belong to numpy, which lets them go on return


def _joined(low: NDArray[np.float32], high: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Let neighbouring columns touch, so that steep slopes show no gaps."""
    joined_low, joined_high = low.copy(), high.copy()
    joined_low[1:] = np.fmin(low[1:], high[:-1])
    joined_high[1:] = np.fmax(high[1:], low[:-1])
    unknown = np.isnan(low)
    joined_low[unknown] = joined_high[unknown] = np.nan
    return joined_low, joined_high


def _coverage(rows: NDArray[np.int16], top: NDArray[np.int16], bottom: NDArray[np.int16]) -> NDArray[np.int16]:
    covered = np.minimum(rows + np.int16(STEPS), bottom)
    covered -= np.maximum(rows, top)
    return np.clip(covered, 0, STEPS, out=covered)


def _shades(colors: WaveColors) -> NDArray[np.uint32]:
    """Return the colour for every coverage: none to full peak, then from peak to core."""
    shades = []
    for i in range(2 * STEPS + 1):
        if i <= STEPS:
            color, alpha = colors.peak, colors.peak.alphaF() * i / STEPS
        else:
            color, alpha = blend(colors.peak, colors.core, i / STEPS - 1), colors.core.alphaF()
        channels = [round(c * alpha * 255) for c in (color.redF(), color.greenF(), color.blueF())]
        shades.append(round(alpha * 255) << 24 | channels[0] << 16 | channels[1] << 8 | channels[2])
    return np.array(shades, np.uint32)


def paint_wave(ctx: PaintContext, data: WaveData, top: float, height: float, colors: WaveColors) -> bool:
    """Paint all channels of a waveform into a strip; False if nothing is known of it at this zoom yet."""
    channel_height = height / data.channels
    for channel in range(data.channels):
        ctx.horizontal(top + channel_height * (channel + 0.5), ctx.clip_left, ctx.clip_right, colors.zero)
    if ctx.axis.frames_per_px < 1.0 and data.source is not None:
        _paint_samples(ctx, data, top, channel_height, colors)
        return True
    ratio = ctx.pixel_ratio
    first_px, last_px = round(ctx.clip_left * ratio), round(ctx.clip_right * ratio)
    start_frame = ctx.axis.x_to_frame(first_px / ratio - ctx.left)
    envelope = data.envelope(start_frame, ctx.axis.frames_per_px / ratio, last_px - first_px)
    if envelope is None:
        return False
    for channel in range(data.channels):
        channel_top = round((top + channel * channel_height) * ratio)
        height_px = round((top + (channel + 1) * channel_height) * ratio) - channel_top
        image = wave_image(envelope, channel, max(height_px, 1), colors)
        image.setDevicePixelRatio(ratio)
        ctx.painter.drawImage(QPointF(first_px / ratio, channel_top / ratio), image)
    return True


def _paint_samples(ctx: PaintContext, data: WaveData, top: float, height: float, colors: WaveColors) -> None:
    """Paint samples that lie more than a pixel apart."""
    start, end = ctx.frame_range(8.0)
    first = max(int(np.floor(start)) - 1, 0)
    samples = data.samples(first, int(np.ceil(end)) + 2)
    if not samples.shape[1]:
        return
    xs = ctx.left + (first + np.arange(samples.shape[1]) - ctx.axis.start_frame) / ctx.axis.frames_per_px
    painter = ctx.painter
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    for channel in range(data.channels):
        middle = top + height * (channel + 0.5)
        ys = middle - np.clip(samples[channel], -1.05, 1.05) * height / 2
        points = [QPointF(x, y) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]
        painter.setPen(QPen(colors.core, 1.3))
        painter.drawPolyline(QPolygonF(points))
        if 1 / ctx.axis.frames_per_px >= DOT_FROM_PX:
            painter.setPen(QPen(colors.core, 5.0))
            painter.drawPoints(QPolygonF(points))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


class WaveformItem(Lane):
    """The recording."""

    title = "Recording"
    stretch = 1.0

    def __init__(self, content: TimelineContent) -> None:
        super().__init__(content)
        channels = content.recording.channels if content.recording is not None else 1
        self.least_height = 84.0 if channels == 1 else min(62.0 * channels, 280.0)

    def paint_ground(self, ctx: PaintContext, top: float, height: float) -> None:
        """See `Lane`."""
        data = self.content.recording
        if data is not None:
            for channel in range(1, data.channels):
                ctx.horizontal(top + height * channel / data.channels, ctx.clip_left, ctx.clip_right, ctx.theme.border)

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """See `Lane`."""
        data = self.content.recording
        if data is None:
            text = "No recording yet: open one, or drop it here."
        else:
            theme = ctx.theme
            colors = WaveColors(theme.wave, theme.wave_core, translucent(theme.wave_core, 0.35))
            text = "" if paint_wave(ctx, data, top + 2, height - 4, colors) else "Reading the recording …"
        if text:
            ctx.text(QRectF(ctx.left + 14, top, ctx.axis.width_px - 28, height), text, ctx.theme.faint_text)

    def paint_header(self, ctx: PaintContext, rect: QRectF) -> None:
        """Paint the name and the names of the channels."""
        data = self.content.recording
        names = CHANNEL_NAMES.get(data.channels, ()) if data is not None else ()
        if len(names) < 2:
            super().paint_header(ctx, rect)
            return
        each = rect.height() / len(names)
        for i, name in enumerate(names):
            row = QRectF(rect.left() + 10, rect.top() + i * each, rect.width() - 18, each)
            ctx.text(row, f"{self.title} {name[0]}" if i == 0 else name[0], ctx.theme.text)

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """See `Lane`; a waveform has nothing to grasp."""
        return None
