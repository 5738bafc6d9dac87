"""The timeline as a widget: takes values, shows them along one time axis, and says with signals what a person wants.

It knows neither session nor project. Frames are those of the recording; in signals they are Python integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QGridLayout, QScrollBar, QWidget

from scoresep.model.alignment import Alignment
from scoresep.model.audio import SampleSource
from scoresep.model.peaks import PeakPyramid
from scoresep.model.project import PartSettings
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import Activity, segments_of
from scoresep.qt.timeline.axis_scroll_bar import AxisScrollBar
from scoresep.qt.timeline.content import StemWave, TimelineContent
from scoresep.qt.timeline.gestures import Gestures
from scoresep.qt.timeline.readout import Readout, readout_at
from scoresep.qt.timeline.score_layout import score_layout
from scoresep.qt.timeline.theme import Theme
from scoresep.qt.timeline.time_axis import TimeAxis
from scoresep.qt.timeline.timeline_canvas import HEADER_PX, TimelineCanvas
from scoresep.qt.timeline.wave_data import WaveData

# Without a recording frames are counted at this rate.
SCORE_ONLY_RATE = 44100
SMALL_STEP_PX = 8.0


class Follow(StrEnum):
    """How the visible range follows the playhead while playing."""

    OFF = "off"
    PAGE = "page"
    CENTER = "center"


class TimelineView(QWidget):
    """Recording, notes, segments and stems along one time axis.

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
        self._unfolded: UnfoldedScore | None = None
        self._alignment: Alignment | None = None
        self._follow = Follow.PAGE
        self._is_playing = False
        self._own_theme: QPalette | None = None
        self.canvas = TimelineCanvas(self._content, self)
        self._across = AxisScrollBar(self)
        self._down = QScrollBar(Qt.Orientation.Vertical, self)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.canvas, 0, 0)
        layout.addWidget(self._down, 0, 1)
        layout.addWidget(self._across, 1, 0)
        self.canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFocusProxy(self.canvas)
        self.canvas.setAccessibleName("Timeline")
        self.canvas.setAccessibleDescription(
            "Waveform, notes and segments of the recording; arrow keys move the playhead"
        )
        self._down.setAccessibleName("Scroll the lanes")
        self._gestures = Gestures(self)
        self._across.start_moved.connect(self._scrolled_across)
        self._down.valueChanged.connect(self._scrolled_down)
        self.canvas.axis_changed.connect(self._axis_changed)
        self.canvas.lanes_changed.connect(self._show_vertical_position)
        self._show_vertical_position()
        self._apply_theme()

    # ------------------------------------------------------------------------------------- what is shown

    def set_recording(self, source: SampleSource | None, pyramid: PeakPyramid | None = None) -> None:
        """Show a recording, or none; another one than before is shown whole. Its peaks may come later."""
        before = self._content.recording
        if source is not None and before is not None and before.source is source:
            self.set_pyramid(pyramid)
            return
        self._content.recording = None if source is None else WaveData(source, pyramid)
        self._lay_score_out()
        self._content_changed(fit=True)

    def set_pyramid(self, pyramid: PeakPyramid | None) -> None:
        """Give the recording its peaks, or more of them than before."""
        if self._content.recording is not None:
            self._content.recording.pyramid = pyramid
            self.canvas.repaint_all()

    def set_score(
        self, unfolded: UnfoldedScore | None, alignment: Alignment | None, parts: tuple[PartSettings, ...] = ()
    ) -> None:
        """Show a score at its aligned places; without an alignment at its marked tempo, and visibly so."""
        self._content.parts = parts
        # equal ones are common: every change of a project unfolds its score anew
        if unfolded != self._unfolded or alignment != self._alignment:
            is_first = self._unfolded is None and self._content.recording is None
            self._unfolded, self._alignment = unfolded, alignment
            self._lay_score_out()
            self._content_changed(fit=is_first)
        else:
            self.canvas.rebuild()

    def set_segments(self, activities: tuple[Activity, ...] | None, total_frames: int = 0) -> None:
        """Show the activity of every part and the segments that follow; None shows neither."""
        if activities is self._content.activities:
            return
        self._content.activities = activities
        self._content.segments = segments_of(activities, total_frames or self.total_frames) if activities else ()
        self.canvas.rebuild()

    def set_stems(self, stems: Mapping[int | None, StemWave]) -> None:
        """Show the waveforms of stems by part index (None: the residual); the same ones keep what was read."""
        before = self._content.stems
        self._content.stems = {}
        for part, stem in stems.items():
            data = before.get(part)
            if data is None or data.source is not stem.source:
                data = WaveData(stem.source, stem.pyramid)
            data.pyramid = stem.pyramid
            self._content.stems[part] = data
        self.canvas.rebuild()

    def set_silent_parts(self, parts: frozenset[int | None]) -> None:
        """Pale the parts (None: the residual) that are muted, or not among those soloed."""
        if parts != self._content.silent_parts:
            self._content.silent_parts = parts
            self.canvas.repaint_all()

    def set_theme(self, palette: QPalette | None) -> None:
        """Draw in the colours of a palette; None (at first) follows the window's own."""
        self._own_theme = palette
        self._apply_theme()

    def set_playhead(self, frame: int | None) -> None:
        """Move the playhead. While playing the visible range follows, as `set_follow` says.

        Who scrolls the playhead out of sight is left alone until it is seen again.
        """
        was_visible = self._playhead_x() is not None
        self.canvas.set_playhead(frame)
        if frame is not None and self._is_playing and was_visible and not self._gestures.is_dragging:
            if self._follow is Follow.PAGE:
                self.canvas.set_axis(self.axis.paged(frame))
            elif self._follow is Follow.CENTER:
                self.canvas.set_axis(self.axis.centered(frame))

    def set_playing(self, is_playing: bool) -> None:
        """Tell whether the playhead runs by itself; where it starts to, it is brought into sight."""
        if is_playing and not self._is_playing and self.playhead_frame is not None and self._follow is not Follow.OFF:
            self.canvas.set_axis(self.axis.containing(self.playhead_frame))
        self._is_playing = is_playing

    def set_follow(self, follow: Follow) -> None:
        """Choose how the visible range follows the playhead while playing."""
        self._follow = follow

    def set_selection(self, selection: tuple[int, int] | None) -> None:
        """Select a range of frames, or nothing."""
        if selection is not None:
            low, high = min(selection), max(selection)
            selection = (max(low, 0), min(high, self.total_frames))
            if selection[0] >= selection[1]:
                selection = None
        if selection != self.canvas.selection:
            self.canvas.selection = selection
            self.canvas.update()
            self.selection_changed.emit(selection)

    def set_loop(self, loop: tuple[int, int] | None) -> None:
        """Show which range is looped."""
        if loop != self.canvas.loop:
            self.canvas.loop = loop
            self.canvas.update()

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
            self.canvas.update()
        if position is None or position.x() < HEADER_PX:
            self.readout_changed.emit(None)
            return
        item = found[1].text if found is not None else ""
        frame = self.canvas.frame_at(position.x())
        self.readout_changed.emit(readout_at(self._content, self.sample_rate, frame, item))

    def tool_tip_at(self, position: QPointF) -> str:
        """Return what a tool tip says at a point of the canvas."""
        if position.x() < HEADER_PX:
            placed = self.canvas.lane_at(position.y())
            return placed.lane.title if placed is not None else ""
        found = self.canvas.hit_at(position)
        return readout_at(self._content, self.sample_rate, found[1].start_frame, found[1].text).text if found else ""

    # -------------------------------------------------------------------------------------------- inside

    def _lay_score_out(self) -> None:
        self._content.layout = (
            score_layout(self._unfolded, self._alignment, self.sample_rate) if self._unfolded is not None else None
        )

    def _content_changed(self, fit: bool) -> None:
        self.canvas.rebuild()
        axis = replace(self.axis, total_frames=self.total_frames, sample_rate=self.sample_rate)
        was_fitted = self.axis.is_fitted
        self.canvas.set_axis(axis.fitted() if fit or was_fitted else axis.clamped())

    def _axis_changed(self) -> None:
        self._across.show_axis(self.axis)
        self.visible_range_changed.emit(self.axis.x_to_whole_frame(0), self.axis.x_to_whole_frame(self.axis.width_px))

    def _scrolled_across(self, start_frame: float) -> None:
        self.canvas.set_axis(self.axis.moved_to(start_frame))

    def _scrolled_down(self, value: int) -> None:
        self.canvas.set_scroll_y(float(value))

    def _show_vertical_position(self) -> None:
        hidden = max(round(self.canvas.lanes_height - self.canvas.visible_lanes_height), 0)
        self._down.blockSignals(True)
        self._down.setRange(0, hidden)
        self._down.setPageStep(round(self.canvas.visible_lanes_height))
        self._down.setSingleStep(20)
        self._down.setValue(round(self.canvas.scroll_y))
        self._down.blockSignals(False)
        self._down.setVisible(hidden > 0)

    def _apply_theme(self) -> None:
        self.canvas.set_theme(Theme.from_palette(self._own_theme or self.palette()))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.ApplicationPaletteChange):
            self._apply_theme()
