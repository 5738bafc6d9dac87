"""What all lanes of the timeline have in common, and what they show.

What is shown is gathered in one frozen value for all lanes, with nothing that is not given from outside.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from scoresep.model.audio import SampleSource
from scoresep.model.peaks import PeakPyramid
from scoresep.model.project import PartSettings
from scoresep.model.quality import (
    LEAST_S,
    SegmentQuality,
    Unexplained,
    confidence_between,
    edges_of,
    segment_qualities,
)
from scoresep.model.segments import Activity, Segment
from scoresep.qt.timeline.note_marks import NoteMarks
from scoresep.qt.timeline.painting import PaintContext
from scoresep.qt.timeline.score_layout import Difference, ScoreLayout
from scoresep.qt.timeline.spectrogram_picture import SpectrogramPicture
from scoresep.qt.timeline.wave_data import WaveData

# Quieter recordings are shown as quiet: hiss should not look like music.
MOST_WAVE_GAIN = 16.0


@dataclass(frozen=True)
class StemWave:
    """The sound of one stem: its samples, its peaks, or both; peaks may come later."""

    source: SampleSource | None
    pyramid: PeakPyramid | None


@dataclass
class TimelineContent:
    """Everything that lanes draw.

    Attributes
    ----------
    recording : WaveData or None
    layout : ScoreLayout or None
    difference : Difference or None
        What an alignment that waits to be accepted would change.
    parts : tuple of PartSettings
    activities : tuple of Activity or None
    segments : tuple of Segment
    stems : dict of WaveData
        By part index; None stands for the residual.
    shows_curves : bool
        Whether tempo and confidence have lanes.
    silent_parts : frozenset of (int or None)
        Parts that are not heard now; None stands for the residual.
    spectrogram : SpectrogramPicture
    note_marks : NoteMarks
        Which notes are selected, and what was done to their sound.
    finished : tuple of (int, int) or None
        Stretches of stems that are being made which are done; None where none are made.
    unexplained : Unexplained or None
        What the stems that are heard leave of the recording.
    shows_quality : bool
        Whether that has a lane.
    """

    recording: WaveData | None = None
    layout: ScoreLayout | None = None
    difference: Difference | None = None
    parts: tuple[PartSettings, ...] = ()
    activities: tuple[Activity, ...] | None = None
    segments: tuple[Segment, ...] = ()
    stems: dict[int | None, WaveData] = field(default_factory=dict)
    shows_curves: bool = False
    silent_parts: frozenset[int | None] = frozenset()
    spectrogram: SpectrogramPicture = field(default_factory=SpectrogramPicture)
    note_marks: NoteMarks = field(default_factory=NoteMarks)
    finished: tuple[tuple[int, int], ...] | None = None
    unexplained: Unexplained | None = None
    shows_quality: bool = True
    _known_qualities: tuple[tuple[object, ...], tuple[SegmentQuality, ...]] | None = None

    @property
    def has_spectrogram(self) -> bool:
        """Whether a spectrogram has a lane."""
        return self.spectrogram.is_shown and self.recording is not None

    @property
    def qualities(self) -> tuple[SegmentQuality, ...]:
        """How much every segment is to be trusted; computed when something of it is another."""
        of, known = (self.segments, self.unexplained, self.layout), self._known_qualities
        if known is None or any(a is not b for a, b in zip(known[0], of, strict=True)):
            confidence = np.full(len(self.segments), np.nan)
            layout = self.layout
            if layout is not None and layout.is_aligned and self.segments:
                notes = (layout.onset_frame, layout.offset_frame, layout.confidence)
                confidence = confidence_between(*notes, edges_of(self.segments))
            source = self.recording.source if self.recording is not None else None
            least_frames = LEAST_S * source.sample_rate if source is not None else 0.0
            qualities = segment_qualities(self.segments, self.unexplained, confidence, least_frames)
            self._known_qualities = known = of, qualities
        return known[1]

    @property
    def wave_gain(self) -> float:
        """What all waveforms are multiplied by, so that a quiet recording fills its lane and stems compare with it."""
        peak = self.recording.peak if self.recording is not None else None
        return min(1.0 / peak, MOST_WAVE_GAIN) if peak else 1.0

    def part_name(self, part_index: int) -> str:
        """Return the name of a part, as the person or else the score says."""
        if part_index < len(self.parts) and self.parts[part_index].name:
            return self.parts[part_index].name
        return f"Part {part_index + 1}"

    def part_color(self, part_index: int) -> str:
        """Return the colour of a part, ``#rrggbb``; grey for one that nothing is known of."""
        return self.parts[part_index].color if part_index < len(self.parts) else "#8c8c8c"


# Width of the names at the left.
HEADER_PX = 128.0
SWATCH_PX = 9.0
# Lanes up to this height have their name in the middle.
FLAT_PX = 30.0
# Lanes that have nothing to show but a notice.
EMPTY_LANE_PX = 44.0


@dataclass(frozen=True)
class Hit:
    """What lies under the pointer.

    Attributes
    ----------
    start_frame, end_frame : int
        Its range.
    text : str
        What it is, in words: ``Violin, A4``.
    part_index : int or None
    place : int or None
        For a note its place in the layout, so that it can be shown as touched.
    detail : str
        A sentence about it that only its tool tip has room for.
    """

    start_frame: int
    end_frame: int
    text: str
    part_index: int | None = None
    place: int | None = None
    detail: str = ""


class Lane:
    """A horizontal strip of the timeline with a name at its left.

    Attributes
    ----------
    title : str
    least_height : float
        In logical pixels.
    stretch : float
        Share of the spare height that it takes.
    can_stretch : bool
        Whether zooming may show it stretched for a moment: it is costly to paint, and has no words.
    """

    title = ""
    least_height = 20.0
    stretch = 0.0
    can_stretch = False

    def __init__(self, content: TimelineContent) -> None:
        self.content = content

    def paint_ground(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint what lies behind bar lines.

        Parameters
        ----------
        ctx : PaintContext
            With the range of time that is painted.
        top, height : float
            In logical pixels.
        """

    def paint(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint the content over the bar lines.

        Parameters
        ----------
        ctx : PaintContext
            With the range of time that is painted.
        top, height : float
            In logical pixels.
        """

    def paint_pinned(self, ctx: PaintContext, top: float, height: float) -> None:
        """Paint, over everything and at every frame, the names of long items whose start is out of sight.

        Parameters
        ----------
        ctx : PaintContext
            With the range of time that is painted.
        top, height : float
            In logical pixels.
        """

    def notice(self, frames_per_column: float) -> str:
        """Return what the person should know about this lane at this zoom; commonly nothing."""
        return ""

    def paint_header(self, ctx: PaintContext, rect: QRectF) -> None:
        """Paint the name at the left: in the middle of flat lanes, at the top of others."""
        ctx.text(self._title_rect(rect), self.title, ctx.theme.text)

    def _title_rect(self, rect: QRectF) -> QRectF:
        row = QRectF(rect.left() + 10, rect.top(), rect.width() - 18, min(rect.height(), FLAT_PX))
        return row if rect.height() <= FLAT_PX else row.translated(0, 2)

    def hit(self, frame: float, y: float, height: float, tolerance_frames: float) -> Hit | None:
        """Return what lies at a frame and at `y` from the lane's top.

        Parameters
        ----------
        frame : float
            Of the recording.
        y : float
            From the lane's top, in logical pixels.
        height : float
            Of the lane, in logical pixels.
        tolerance_frames : float
            What lies no further away counts as hit.
        """
        return None

    def place_text(self, frame: float, y: float, height: float) -> str:
        """Say what a place of the lane stands for, whatever lies there.

        Parameters
        ----------
        frame : float
            Of the recording.
        y : float
            From the lane's top, in logical pixels.
        height : float
            Of the lane, in logical pixels.
        """
        return ""

    def _header_with_swatch(self, ctx: PaintContext, rect: QRectF, color: QColor, is_silent: bool) -> None:
        row = self._title_rect(rect)
        swatch = QRectF(row.left(), ctx.snap(row.center().y() - SWATCH_PX / 2), SWATCH_PX, SWATCH_PX)
        if is_silent:
            ctx.painter.setPen(color)
            ctx.painter.drawRect(swatch.adjusted(0.5, 0.5, -0.5, -0.5))
        else:
            ctx.painter.fillRect(swatch, color)
        text_color = ctx.theme.faint_text if is_silent else ctx.theme.text
        ctx.text(row.adjusted(SWATCH_PX + 7, 0, 0, 0), self.title, text_color)


@dataclass(frozen=True)
class PlacedLane:
    """A lane with its place, counted from the top of all lanes (below the ruler, before scrolling)."""

    lane: Lane
    top: float
    height: float
