"""The one time axis of the timeline: which frame lies at which pixel, and how zooming and scrolling change that.

The axis is a value: every movement returns a new one. Also here: its scroll bar. Qt's scroll bars count in 32 bits, so
it has steps of its own and not frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollBar, QWidget

# Widest a single sample is ever shown.
MAX_PX_PER_FRAME = 48.0
# Empty space before the first and after the last frame, so that both can be seen and grasped.
MARGIN_PX = 10.0


@dataclass(frozen=True)
class TimeAxis:
    """Frames of the recording laid out over a width in pixels.

    Attributes
    ----------
    total_frames : int
        Length of what is shown.
    sample_rate : int
    width_px : float
        Visible width in logical pixels.
    start_frame : float
        Frame at the left edge; may lie before 0 by `MARGIN_PX`.
    frames_per_px : float
    """

    total_frames: int = 0
    sample_rate: int = 44100
    width_px: float = 1.0
    start_frame: float = 0.0
    frames_per_px: float = 1.0

    @property
    def end_frame(self) -> float:
        """Frame at the right edge."""
        return self.start_frame + self.width_px * self.frames_per_px

    @property
    def px_per_second(self) -> float:
        """Pixels that one second takes."""
        return self.sample_rate / self.frames_per_px

    @property
    def fitting_frames_per_px(self) -> float:
        """The zoom at which everything is visible."""
        return max(self.total_frames, 1) / max(self.width_px - 2 * MARGIN_PX, 1.0)

    @property
    def is_fitted(self) -> bool:
        """Whether everything is visible."""
        return self.frames_per_px >= self.fitting_frames_per_px * (1 - 1e-9)

    def frame_to_x(self, frame: float) -> float:
        """Convert a frame to pixels from the left edge."""
        return (frame - self.start_frame) / self.frames_per_px

    def x_to_frame(self, x: float) -> float:
        """Convert pixels from the left edge to a frame, not rounded and not clipped."""
        return self.start_frame + x * self.frames_per_px

    def x_to_whole_frame(self, x: float) -> int:
        """Convert pixels from the left edge to a frame of the recording, from 0 to its length."""
        return min(max(round(self.x_to_frame(x)), 0), self.total_frames)

    def clamped(self) -> TimeAxis:
        """Return the axis brought back to where there is something to see."""
        widest = max(self.fitting_frames_per_px, 1 / MAX_PX_PER_FRAME)
        zoom = min(max(self.frames_per_px, 1 / MAX_PX_PER_FRAME), widest)
        margin = MARGIN_PX * zoom
        latest = self.total_frames + margin - self.width_px * zoom
        return replace(self, frames_per_px=zoom, start_frame=max(min(self.start_frame, latest), -margin))

    def snapped(self, step_px: float) -> TimeAxis:
        """Return the axis with its start on a multiple of `step_px`, so that columns stay the same while scrolling."""
        step = step_px * self.frames_per_px
        return replace(self, start_frame=round(self.start_frame / step) * step)

    def resized(self, width_px: float) -> TimeAxis:
        """Return the axis for another width; what was fitted stays fitted, else zoom and left edge stay."""
        was_fitted = self.is_fitted
        other = replace(self, width_px=max(width_px, 1.0))
        return other.fitted() if was_fitted else other.clamped()

    def zoomed(self, factor: float, x: float | None = None) -> TimeAxis:
        """Return the axis magnified by `factor`; the frame at pixel `x` (default: the middle) stays where it is."""
        x = self.width_px / 2 if x is None else x
        anchor = self.x_to_frame(x)
        zoom = replace(self, frames_per_px=self.frames_per_px / factor).clamped().frames_per_px
        return replace(self, frames_per_px=zoom, start_frame=anchor - x * zoom).clamped()

    def scrolled(self, px: float) -> TimeAxis:
        """Return the axis moved by pixels; positive shows what comes later."""
        return replace(self, start_frame=self.start_frame + px * self.frames_per_px).clamped()

    def moved_to(self, start_frame: float) -> TimeAxis:
        """Return the axis with another left edge."""
        return replace(self, start_frame=start_frame).clamped()

    def fitted(self) -> TimeAxis:
        """Return the axis that shows everything."""
        zoom = self.fitting_frames_per_px
        return replace(self, frames_per_px=zoom, start_frame=-MARGIN_PX * zoom).clamped()

    def showing(self, start_frame: float, end_frame: float) -> TimeAxis:
        """Return the axis that shows just the range, with a margin."""
        zoom = max(end_frame - start_frame, 1.0) / max(self.width_px - 2 * MARGIN_PX, 1.0)
        return replace(self, frames_per_px=zoom, start_frame=start_frame - MARGIN_PX * zoom).clamped()

    def containing(self, frame: float, margin_px: float = 24.0) -> TimeAxis:
        """Return the axis moved so that `frame` is visible; unchanged if it is, else with the frame near the left."""
        if margin_px <= self.frame_to_x(frame) <= self.width_px - margin_px:
            return self
        return self.moved_to(frame - 0.1 * self.width_px * self.frames_per_px)

    def paged(self, frame: float) -> TimeAxis:
        """Return the axis turned to the page that holds `frame`, for following the playhead."""
        if 0 <= self.frame_to_x(frame) <= self.width_px * 0.95:
            return self
        return self.moved_to(frame - 0.05 * self.width_px * self.frames_per_px)

    def centered(self, frame: float) -> TimeAxis:
        """Return the axis with `frame` in its middle, as far as the ends allow."""
        return self.moved_to(frame - 0.5 * self.width_px * self.frames_per_px)


STEPS = 1_000_000


class AxisScrollBar(QScrollBar):
    """Shows which part of everything is visible, and moves it.

    Signals
    -------
    start_moved(float)
        The frame that a person wants at the left edge.
    """

    start_moved = Signal(float)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setAccessibleName("Scroll in time")
        self._axis = TimeAxis()
        self.valueChanged.connect(self._moved)

    def show_axis(self, axis: TimeAxis) -> None:
        """Take over range and zoom without telling about it."""
        self._axis = axis
        page = max(round(STEPS * axis.width_px * axis.frames_per_px / self._room), 1)
        self.blockSignals(True)
        self.setRange(0, max(STEPS - page, 0))
        self.setPageStep(page)
        self.setSingleStep(max(page // 10, 1))
        self.setValue(round((axis.start_frame + MARGIN_PX * axis.frames_per_px) / self._room * STEPS))
        self.blockSignals(False)
        self.setEnabled(page < STEPS)

    @property
    def _room(self) -> float:
        """Frames from the leftmost to the rightmost edge that can be scrolled to."""
        return max(self._axis.total_frames + 2 * MARGIN_PX * self._axis.frames_per_px, 1.0)

    def _moved(self, value: int) -> None:
        self.start_moved.emit(value / STEPS * self._room - MARGIN_PX * self._axis.frames_per_px)
