"""The scroll bar in time. Qt's scroll bars count in 32 bits, so it has steps of its own and not frames."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollBar, QWidget

from scoresep.qt.timeline.time_axis import MARGIN_PX, TimeAxis

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
