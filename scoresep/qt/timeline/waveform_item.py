"""Waveforms: peaks with their RMS inside, down to single samples joined by lines and marked by dots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from scoresep.model.peaks import Envelope
from scoresep.qt.timeline.lane import EMPTY_LANE_PX, Lane, TimelineContent
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.wave_data import WaveData
from scoresep.qt.widgets.theme import blend, premultiplied, translucent

# Parts of a pixel in which the edge of a waveform is smoothed.
STEPS = 32
DOT_FROM_PX = 6.0
LINE_PX = 1.25
# RMS says little of pixels shorter than a period: between these lengths peaks take on its colour.
CORE_FROM_FRAMES = (48.0, 400.0)
# Stems whose channels would be flatter than this show all channels as one.
LEAST_CHANNEL_PX = 40.0
CHANNEL_NAMES = {2: ("Left", "Right")}


@dataclass(frozen=True)
class WaveColors:
    """Colours of peaks, of the RMS inside them, and of the line of zero."""

    peak: QColor
    core: QColor
    zero: QColor


def wave_pixels(
    envelope: Envelope, channel: int, height_px: int, shades: NDArray[np.uint32], line_px: float = 1.0
) -> NDArray[np.uint32]:
    """Draw one channel's outline, one column for a device pixel.

    Coverage is counted in whole `STEPS` of a pixel, so that a lane takes a few passes over small integers.

    Parameters
    ----------
    envelope : Envelope
    channel, height_px : int
    shades : ndarray [shape=(2 * STEPS + 1,)], uint32
        From nothing to all peak, then to all core.
    line_px : float
        Least thickness.

    Returns
    -------
    pixels : ndarray [shape=(height_px, columns)], uint32
    """
    low, high, rms = envelope.low[channel], envelope.high[channel], envelope.rms[channel]
    unknown = np.isnan(low)
    low, high, rms = (np.where(unknown, np.float32(0), x) for x in (low, high, rms))
    whole = np.dtype(np.int16 if height_px * STEPS < 30000 else np.int32)
    top, bottom = _steps(high, height_px, whole), _steps(low, height_px, whole)
    # neighbouring columns touch, so that steep slopes show no gaps
    top[1:], bottom[1:] = np.minimum(top[1:], bottom[:-1]), np.maximum(bottom[1:], top[:-1])
    thin = np.maximum(whole.type(line_px * STEPS) - (bottom - top), 0)
    top, bottom = top - thin // 2, bottom + (thin + 1) // 2
    bottom[unknown] = top[unknown]
    rows = (np.arange(height_px, dtype=whole) * whole.type(STEPS))[:, None]
    levels = _coverage(rows, top, bottom)
    if rms.any():
        core_top = np.maximum(_steps(np.minimum(rms, high), height_px, whole), top)
        core_bottom = np.minimum(_steps(np.maximum(-rms, low), height_px, whole), bottom)
        levels += _coverage(rows, core_top, core_bottom)
    return np.take(shades, levels)


def _steps(values: NDArray[np.float32], height_px: int, whole: np.dtype) -> NDArray:
    """Convert amplitudes to steps from the top of the lane."""
    half = np.float32(0.5 * height_px * STEPS)
    return np.clip(half - values * half, 0, 2 * half).astype(whole)


def _coverage(rows: NDArray, top: NDArray, bottom: NDArray) -> NDArray:
    covered = np.minimum(rows + rows.dtype.type(STEPS), bottom)
    covered -= np.maximum(rows, top)
    return np.clip(covered, 0, STEPS, out=covered)


@lru_cache(maxsize=128)
def _shades(peak: int, core: int) -> NDArray[np.uint32]:
    """Return the pixel of every coverage for two colours given as ARGB."""
    peak_color, core_color = QColor.fromRgba(peak), QColor.fromRgba(core)
    rising = [premultiplied(peak_color, i / STEPS) for i in range(STEPS)]
    onward = [premultiplied(blend(peak_color, core_color, i / STEPS)) for i in range(STEPS + 1)]
    return np.array(rising + onward, np.uint32)


@dataclass(frozen=True)
class Strip:
    """Where and how a waveform is painted.

    Attributes
    ----------
    top, height : float
    gain : float
        What amplitudes are multiplied by.
    is_folded : bool
        All channels as one: their outermost peaks.
    """

    top: float
    height: float
    gain: float = 1.0
    is_folded: bool = False


def paint_wave(ctx: PaintContext, data: WaveData, strip: Strip, colors: WaveColors) -> None:
    """Paint a waveform, as far as it is known at this zoom.

    Parameters
    ----------
    ctx : PaintContext
        With the range of time that is painted.
    data : WaveData
    strip : Strip
        Where it is painted.
    colors : WaveColors
    """
    top, height = strip.top, strip.height
    lanes = 1 if strip.is_folded else data.channels
    for lane in range(lanes):
        ctx.horizontal(top + height * (lane + 0.5) / lanes, ctx.clip_left, ctx.clip_right, colors.zero)
    first_px, last_px = ctx.columns_px
    frames_per_column = ctx.frames_per_column
    # one column more on the left, which the first one joins on to
    envelope = data.envelope(first_px - ctx.origin_px - 1, frames_per_column, last_px - first_px + 1)
    if envelope is None:
        return
    low, high, rms = envelope.low, envelope.high, envelope.rms
    if strip.is_folded and data.channels > 1:
        low, high, rms = low.min(0)[None], high.max(0)[None], np.sqrt(np.mean(rms**2, axis=0))[None]
    gain = np.float32(strip.gain)
    envelope = Envelope(low * gain, high * gain, rms * gain)
    is_line = frames_per_column < 1.0 and data.source is not None
    inner, outer = CORE_FROM_FRAMES
    depth = min(max((ctx.axis.frames_per_px - inner) / (outer - inner), 0.0), 1.0)
    shades = _shades(blend(colors.core, colors.peak, depth).rgba(), colors.core.rgba())
    line_px = LINE_PX * ctx.pixel_ratio if is_line else 1.0
    for lane in range(lanes):
        top_px = round((top + lane * height / lanes) * ctx.pixel_ratio)
        height_px = max(round((top + (lane + 1) * height / lanes) * ctx.pixel_ratio) - top_px, 1)
        ctx.pixels(wave_pixels(envelope, lane, height_px, shades, line_px)[:, 1:], first_px, top_px)
    if 1 / ctx.axis.frames_per_px >= DOT_FROM_PX and lanes == data.channels:
        _paint_dots(ctx, data, strip, colors.core)


def _paint_dots(ctx: PaintContext, data: WaveData, strip: Strip, color: QColor) -> None:
    """Paint single samples."""
    height = strip.height / data.channels
    start, end = ctx.frame_range(8.0)
    first = max(int(np.floor(start)), 0)
    samples = data.samples(first, int(np.ceil(end)) + 1)
    xs = ctx.left + (first + np.arange(samples.shape[1]) - ctx.axis.start_frame) / ctx.axis.frames_per_px
    painter = ctx.painter
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    pen = QPen(color, 4.5)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    for channel in range(data.channels):
        ys = strip.top + height * (channel + 0.5 - np.clip(samples[channel] * strip.gain, -1, 1) / 2)
        painter.drawPoints(QPolygonF([QPointF(x, y) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


class WaveformItem(Lane):
    """The recording."""

    title = "Recording"
    stretch = 1.0
    can_stretch = True

    def __init__(self, content: TimelineContent) -> None:
        super().__init__(content)
        if content.recording is None:
            self.least_height, self.stretch = EMPTY_LANE_PX, 0.0
            return
        channels = content.recording.channels
        self.least_height = 84.0 if channels == 1 else min(62.0 * channels, 280.0)

    def paint_ground(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the lines between channels."""
        data = self.content.recording
        for channel in range(1, data.channels if data is not None else 1):
            y = top + height * channel / (data.channels if data is not None else 1)
            ctx.horizontal(y, ctx.clip_left, ctx.clip_right, ctx.theme.beat_line)

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the waveform."""
        data, theme = self.content.recording, ctx.theme
        if data is not None:
            colors = WaveColors(theme.wave, theme.wave_core, translucent(theme.wave_core, 0.35))
            paint_wave(ctx, data, Strip(top + 2, height - 4, self.content.wave_gain), colors)

    def notice(self, frames_per_column: float) -> str:
        """Say why nothing is to be seen."""
        data = self.content.recording
        if data is None:
            return "No recording yet: open one, or drop it here"
        return "" if data.is_drawable(frames_per_column) else "Reading the recording …"

    def paint_header(self, ctx: PaintContext, rect: QRectF) -> None:
        """Paint the name and the names of the channels."""
        data = self.content.recording
        channels = data.channels if data is not None else 1
        names = CHANNEL_NAMES.get(channels, tuple(str(i + 1) for i in range(channels))) if channels > 1 else ()
        right = Qt.AlignmentFlag.AlignRight
        for i, name in enumerate(names):
            middle = rect.top() + (i + 0.5) * rect.height() / channels
            row = QRectF(rect.left() + 10, middle - 9, rect.width() - 18, 18)
            ctx.text(row, name, ctx.theme.faint_text, right)
        super().paint_header(ctx, rect)
