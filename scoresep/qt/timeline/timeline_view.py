"""The timeline as a widget: takes values, shows them along one time axis, and says with signals what a person wants.

It knows neither session nor project. Frames are those of the recording; in signals they are Python integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPalette, QShowEvent
from PySide6.QtWidgets import QGridLayout, QScrollBar, QWidget

from scoresep.model.alignment import Alignment
from scoresep.model.audio import SampleSource
from scoresep.model.peaks import PeakPyramid
from scoresep.model.project import PartSettings
from scoresep.model.quality import Unexplained
from scoresep.model.score import UnfoldedScore
from scoresep.model.segments import Activity, segments_of
from scoresep.qt.timeline.edge_editing import EdgeEditing
from scoresep.qt.timeline.editing import BlockEditing, Editing
from scoresep.qt.timeline.gestures import Gestures
from scoresep.qt.timeline.lane import StemWave
from scoresep.qt.timeline.note_marks import NoteMarks
from scoresep.qt.timeline.note_selecting import NoteSelecting
from scoresep.qt.timeline.score_layout import Difference, score_layout
from scoresep.qt.timeline.spectrogram_gestures import SpectrogramGestures
from scoresep.qt.timeline.spectrogram_picture import SpectrogramPicture
from scoresep.qt.timeline.time_axis import AxisScrollBar
from scoresep.qt.timeline.timeline_navigation import TimelineNavigation
from scoresep.qt.timeline.wave_data import WaveData
from scoresep.qt.widgets.theme import Theme


class Follow(StrEnum):
    """How the visible range follows the playhead while playing."""

    OFF = "off"
    PAGE = "page"
    CENTER = "center"


class TimelineView(TimelineNavigation):
    """Recording, notes, segments and stems along one time axis.

    Its signals and the ways to move about in it are those of `TimelineNavigation`.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._unfolded: UnfoldedScore | None = None
        self._alignment: Alignment | None = None
        self._pending: Alignment | None = None
        self._activities: tuple[Activity, ...] | None = None
        self._segment_frames = 0
        self._follow = Follow.PAGE
        self._own_theme: QPalette | None = None
        self._is_painted = False
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
        self.editing = Editing(self, self._show_preview)  # hears pointer and keys before the gestures do
        self.edges = EdgeEditing(self, self._show_activities)  # and before the points
        self.blocks = BlockEditing(self, self._show_preview)
        self.notes = NoteSelecting(self)  # hears the pointer before all others
        self.spectrogram_gestures = SpectrogramGestures(self)
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
        """Show a score at its aligned places; without an alignment at its marked tempo, and visibly so.

        Parameters
        ----------
        unfolded : UnfoldedScore or None
        alignment : Alignment or None
        parts : tuple of PartSettings
        """
        self._content.parts = parts
        # equal ones are common: every change of a project unfolds its score anew
        if unfolded != self._unfolded or alignment != self._alignment:
            is_first = self._unfolded is None and self._content.recording is None
            self._unfolded, self._alignment = unfolded, alignment
            self.editing.set_alignment(unfolded, alignment)
            self.edges.set_alignment(unfolded, alignment)
            self.blocks.set_alignment(unfolded, alignment)
            self.notes.set_score(unfolded)
            self._lay_score_out()
            self._content_changed(fit=is_first)
        else:
            self.canvas.rebuild()

    def set_pending(self, alignment: Alignment | None) -> None:
        """Show what an alignment that waits to be accepted would change; None when none waits."""
        if alignment != self._pending:
            self._pending = alignment
            self._lay_score_out()
            self.canvas.rebuild()

    @property
    def difference(self) -> Difference | None:
        """What the alignment that waits would change."""
        return self._content.difference

    def set_segments(self, activities: tuple[Activity, ...] | None, total_frames: int = 0) -> None:
        """Show the activity of every part and the segments that follow; None shows neither."""
        if activities is self._activities:
            return
        self._activities = activities
        self._segment_frames = total_frames
        self.edges.set_activities(activities)
        self._show_activities(None)

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

    def set_note_marks(self, marks: NoteMarks) -> None:
        """Show which notes are selected, and what was done to their sound."""
        self._content.note_marks = marks
        self.canvas.repaint_all()

    def set_silent_parts(self, parts: frozenset[int | None]) -> None:
        """Pale the parts (None: the residual) that are muted, or not among those soloed."""
        if parts != self._content.silent_parts:
            self._content.silent_parts = parts
            self.canvas.repaint_all()

    @property
    def spectrogram(self) -> SpectrogramPicture:
        """The spectrogram; who changes it has the canvas painted again."""
        return self._content.spectrogram

    def set_unexplained(self, unexplained: Unexplained | None) -> None:
        """Show what the stems leave of the recording; None where that is not known."""
        if unexplained is not self._content.unexplained:
            self._content.unexplained = unexplained
            self.canvas.rebuild()

    @property
    def shows_quality(self) -> bool:
        """Whether that has a lane, under the segments."""
        return self._content.shows_quality

    def show_quality(self, is_shown: bool) -> None:
        """Give it a lane, or not."""
        if is_shown != self._content.shows_quality:
            self._content.shows_quality = is_shown
            self.canvas.rebuild()

    def set_finished(self, stretches: tuple[tuple[int, int], ...] | None) -> None:
        """Show over the ruler which stretches of running work are done; None where none runs."""
        if stretches != self._content.finished:
            self._content.finished = stretches
            self.canvas.repaint_overlay()

    @property
    def shows_curves(self) -> bool:
        """Whether tempo and confidence are shown."""
        return self._content.shows_curves

    def show_curves(self, is_shown: bool) -> None:
        """Show tempo and confidence under the other lanes, or not."""
        if is_shown != self._content.shows_curves:
            self._content.shows_curves = is_shown
            self.canvas.rebuild()

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
        if (
            frame is not None
            and self._is_playing
            and was_visible
            and not any(d.is_dragging for d in (self._gestures, self.editing, self.edges, self.blocks))
        ):
            if self._follow is Follow.PAGE:
                self.canvas.set_axis(self.axis.paged(frame))
            elif self._follow is Follow.CENTER:
                self.canvas.set_axis(self.axis.centered(frame))

    @property
    def is_playing(self) -> bool:
        """Whether the playhead runs by itself."""
        return self._is_playing

    def set_playing(self, is_playing: bool) -> None:
        """Tell whether the playhead runs by itself; where it starts to, it is brought into sight."""
        if is_playing and not self._is_playing and self.playhead_frame is not None and self._follow is not Follow.OFF:
            self.canvas.set_axis(self.axis.containing(self.playhead_frame))
        self._is_playing = is_playing

    def set_follow(self, follow: Follow) -> None:
        """Choose how the visible range follows the playhead while playing."""
        self._follow = follow

    def set_loop(self, loop: tuple[int, int] | None) -> None:
        """Show which range is looped."""
        if loop != self.canvas.loop:
            self.canvas.loop = loop
            self.canvas.repaint_overlay()

    # -------------------------------------------------------------------------------------------- inside

    def _lay_score_out(self) -> None:
        self._content.layout = (
            score_layout(self._unfolded, self._alignment, self.sample_rate) if self._unfolded is not None else None
        )
        self._content.difference = None
        present = self._content.layout
        if present is not None and present.is_aligned and self._unfolded is not None and self._pending is not None:
            pending = score_layout(self._unfolded, self._pending, self.sample_rate)
            self._content.difference = Difference(present, pending, self.sample_rate) if pending.is_aligned else None

    def _show_preview(self, alignment: Alignment | None) -> None:
        """Show an alignment that is being made; None shows the present one again."""
        if self._unfolded is not None:
            self._content.layout = score_layout(self._unfolded, alignment or self._alignment, self.sample_rate)
            self.canvas.rebuild()

    def _show_activities(self, preview: tuple[Activity, ...] | None) -> None:
        """Show activities that are being made; None shows the present ones again."""
        activities = self._activities if preview is None else preview
        self._content.activities = activities
        frames = self._segment_frames or self.total_frames
        self._content.segments = segments_of(activities, frames) if activities else ()
        self.canvas.rebuild()

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

    def showEvent(self, event: QShowEvent) -> None:
        if not self._is_painted:
            # loading pyqtgraph takes a third of a second of CPU: the window, which opens without a timeline, goes first
            from scoresep.qt.timeline.scene import TimelineScene

            self._is_painted = True
            scene = TimelineScene(self.canvas)
            self.canvas.paint_with(scene)
            scene.show()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.ApplicationPaletteChange):
            self._apply_theme()
