"""Moving about in the timeline: zoom, scroll, playhead, bars, selection and what lies under the pointer.

All of it by plain calls; which gesture or key makes them is told in `gestures`, what is shown in `timeline_view`.

Also here: what is said about one place of the timeline: time, bar and beat, and what lies there.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, Signal
from PySide6.QtWidgets import QWidget

from scoresep.model.timebase import format_time
from scoresep.qt.timeline.lane import HEADER_PX, TimelineContent
from scoresep.qt.timeline.time_axis import TimeAxis
from scoresep.qt.timeline.timeline_canvas import TimelineCanvas


@dataclass(frozen=True)
class Readout:
    """A place in words.

    Attributes
    ----------
    frame : int
    time : str
        ``1:03.250``.
    bar : str
        ``bar 5 (2), beat 2.50``; empty outside the score.
    item : str
        ``Violin, A4``; empty where nothing lies.
    """

    frame: int
    time: str
    bar: str = ""
    item: str = ""

    @property
    def text(self) -> str:
        """All of it in one line."""
        return "   ".join(t for t in (self.time, self.bar, self.item) if t)


def readout_at(content: TimelineContent, sample_rate: int, frame: int, item: str = "") -> Readout:
    """Say what is at a frame.

    Parameters
    ----------
    content : TimelineContent
    sample_rate : int
        Frames in a second.
    frame : int
        Of the recording.
    item : str
        What lies there, in words.
    """
    bar = content.layout.grid.position_text(frame) if content.layout is not None else ""
    return Readout(frame, format_time(frame / sample_rate), bar, item)


# Without a recording frames are counted at this rate.
SCORE_ONLY_RATE = 44100
SMALL_STEP_PX = 8.0


class TimelineNavigation(QWidget):
    """A canvas that can be moved about in.

    Signals
    -------
    seek_requested(int)
        The person wants the playhead at this frame. The view moves it only when `set_playhead` is called.
    selection_changed(object)
        ``(start_frame, end_frame)`` or None; by gesture, key or `set_selection`.
    loop_requested(object)
        ``(start_frame, end_frame)`` to be looped, or None to stop looping. Shown when `set_loop` is called.
    visible_range_changed(int, int)
        Frames at the left and right edge.
    readout_changed(object)
        A `Readout` of what lies under the pointer; None when it has left.
    """

    seek_requested = Signal(object)
    selection_changed = Signal(object)
    loop_requested = Signal(object)
    visible_range_changed = Signal(object, object)
    readout_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._content = TimelineContent()
        self._is_playing = False
        self.canvas = TimelineCanvas(self._content, self)

    # ------------------------------------------------------------------------------------------ questions

    @property
    def axis(self) -> TimeAxis:
        """The visible range and zoom."""
        return self.canvas.axis

    @property
    def total_frames(self) -> int:
        """Length of what is shown."""
        recording, layout = self._content.recording, self._content.layout
        if recording is None:
            return layout.end_frame if layout is not None else 0
        beyond = layout.end_frame if layout is not None and not layout.is_aligned else 0
        return max(recording.frames, beyond)

    @property
    def sample_rate(self) -> int:
        """Frames in a second."""
        recording = self._content.recording
        if recording is not None and recording.source is not None:
            return recording.source.sample_rate
        return SCORE_ONLY_RATE

    @property
    def selection(self) -> tuple[int, int] | None:
        """The selected range."""
        return self.canvas.selection

    @property
    def loop(self) -> tuple[int, int] | None:
        """The looped range."""
        return self.canvas.loop

    @property
    def playhead_frame(self) -> int | None:
        """Where the playhead is."""
        return self.canvas.playhead_frame

    def readout(self, frame: int) -> Readout:
        """Say which time, bar and beat a frame is."""
        return readout_at(self._content, self.sample_rate, frame)

    # ------------------------------------------------------------------------------------ zoom and scroll

    def zoom(self, factor: float, x: float | None = None) -> None:
        """Magnify by `factor`; what lies at pixel `x` of the axis stays there (default: the middle)."""
        self.canvas.set_axis(self.axis.zoomed(factor, x))

    def zoom_in(self) -> None:
        """Show half as much, around the playhead if it is visible."""
        self.zoom(2.0, self._playhead_x())

    def zoom_out(self) -> None:
        """Show twice as much."""
        self.zoom(0.5, self._playhead_x())

    def _playhead_x(self) -> float | None:
        x = self.axis.frame_to_x(self.playhead_frame) if self.playhead_frame is not None else -1.0
        return x if 0 <= x <= self.axis.width_px else None

    def zoom_to_fit(self) -> None:
        """Show everything."""
        self.canvas.set_axis(self.axis.fitted())

    def zoom_to_selection(self) -> None:
        """Show just the selection, if there is one."""
        if self.selection is not None:
            self.canvas.set_axis(self.axis.showing(*self.selection))

    def show_range(self, start_frame: int, end_frame: int) -> None:
        """Show just a range."""
        self.canvas.set_axis(self.axis.showing(start_frame, end_frame))

    def scroll_px(self, px: float) -> None:
        """Scroll in time by pixels; positive shows what comes later."""
        self.canvas.set_axis(self.axis.scrolled(px))

    def turn_page(self, direction: int) -> None:
        """Scroll by nine tenths of the visible range."""
        self.scroll_px(direction * 0.9 * self.axis.width_px)

    # -------------------------------------------------------------------------------- playhead and bars

    def seek(self, frame: int) -> None:
        """Ask for the playhead at a frame and bring it into sight."""
        frame = min(max(frame, 0), self.total_frames)
        self.canvas.set_axis(self.axis.containing(frame))
        self.canvas.setAccessibleDescription(f"Playhead at {self.readout(frame).text}")
        self.seek_requested.emit(frame)

    def step_playhead(self, direction: int) -> None:
        """Move the playhead by some pixels, at least by one frame."""
        step = max(round(SMALL_STEP_PX * self.axis.frames_per_px), 1)
        self.seek((self.playhead_frame or 0) + direction * step)

    def step_bar(self, direction: int) -> None:
        """Move the playhead to the next or previous bar line."""
        self.seek(self._bar_line(self.playhead_frame or 0, direction))

    def _bar_line(self, frame: int, direction: int) -> int:
        layout = self._content.layout
        if layout is None or not layout.grid.count:
            return frame + direction * self.sample_rate
        lines = layout.grid.start_frame
        # coming back, a little after a bar line counts as on it, so that the key can be pressed while playing
        reached = frame - (0.25 * self.sample_rate if self._is_playing else 0)
        if direction > 0:
            return int(next((f for f in lines.tolist() if f > frame), self.total_frames))
        return int(next((f for f in lines.tolist()[::-1] if f < reached), 0))

    def go_to_bar(self, number: str, occurrence: int = 1) -> bool:
        """Ask for the playhead at the start of a bar by its printed number; False if it is not played."""
        layout = self._content.layout
        step = layout.grid.find(str(number).strip(), occurrence) if layout is not None else None
        if layout is None or step is None:
            return False
        self.seek(int(layout.grid.start_frame[step]))
        return True

    def go_to_start(self) -> None:
        """Ask for the playhead at the start."""
        self.seek(0)

    def go_to_end(self) -> None:
        """Ask for the playhead at the end."""
        self.seek(self.total_frames)

    def whole_bars(self, start_frame: int, end_frame: int) -> tuple[int, int]:
        """Widen a range to bar lines; everything where there is no score."""
        layout = self._content.layout
        if layout is None or not layout.grid.count:
            return 0, self.total_frames
        lines, first = layout.grid.start_frame, layout.grid.step_at(start_frame)
        return int(lines[first]), int(lines[layout.grid.step_at(max(end_frame - 1, start_frame)) + 1])

    # ------------------------------------------------------------------------------ selection and loop

    def set_selection(self, selection: tuple[int, int] | None) -> None:
        """Select a range of frames, or nothing."""
        if selection is not None:
            low, high = min(selection), max(selection)
            selection = (max(low, 0), min(high, self.total_frames))
            if selection[0] >= selection[1]:
                selection = None
        if selection != self.canvas.selection:
            self.canvas.selection = selection
            self.canvas.repaint_overlay()
            self.selection_changed.emit(selection)

    def select(self, start_frame: int, end_frame: int) -> None:
        """Select a range."""
        self.set_selection((start_frame, end_frame))

    def select_all(self) -> None:
        """Select everything."""
        self.set_selection((0, self.total_frames))

    def select_nothing(self) -> None:
        """Take the selection away."""
        self.set_selection(None)

    def extend_selection(self, direction: int, by_bar: bool = False) -> None:
        """Move the end of the selection, which starts at the playhead where there is none."""
        start, end = self.selection or (self.playhead_frame or 0, self.playhead_frame or 0)
        step = max(round(SMALL_STEP_PX * self.axis.frames_per_px), 1)
        self.select(start, max(self._bar_line(end, direction) if by_bar else end + direction * step, start))

    def toggle_loop(self) -> None:
        """Ask to loop the selection; where that is looped already, or nothing is selected, ask to stop."""
        self.loop_requested.emit(self.selection if self.selection != self.loop else None)

    # -------------------------------------------------------------------------------------- the pointer

    def hover(self, position: QPointF | None) -> None:
        """Tell what lies under the pointer, and show it as touched."""
        found = self.canvas.hit_at(position) if position is not None else None
        if found != self.canvas.touched:
            self.canvas.touched = found
            self.canvas.repaint_overlay()
        if position is None or position.x() < HEADER_PX:
            self.readout_changed.emit(None)
            return
        item = found[1].text if found is not None else ""
        frame = self.canvas.frame_at(position.x())
        placed = self.canvas.lane_at(position.y())
        if placed is not None:
            y = position.y() - self.canvas.lanes_offset - placed.top
            item = "   ".join(t for t in (item, placed.lane.place_text(frame, y, placed.height)) if t)
        self.readout_changed.emit(readout_at(self._content, self.sample_rate, frame, item))

    def tool_tip_at(self, position: QPointF) -> str:
        """Return what a tool tip says at a point of the canvas."""
        if position.x() < HEADER_PX:
            placed = self.canvas.lane_at(position.y())
            return placed.lane.title if placed is not None else ""
        found = self.canvas.hit_at(position)
        if found is None:
            return ""
        text = readout_at(self._content, self.sample_rate, found[1].start_frame, found[1].text).text
        return "\n".join(part for part in (text, found[1].detail) if part)
