"""What the timeline is shown of a session: each of its values when it has changed, and only then."""

from __future__ import annotations

from collections.abc import Mapping

from scoresep.model.audio import SampleSource
from scoresep.model.peaks import PeakPyramid
from scoresep.model.project import Loop
from scoresep.model.quality import Unexplained
from scoresep.playback.mixing import TrackKey, stereo_gains
from scoresep.qt.timeline.content import StemWave
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.session.session import Changed, Session

SCORE_FIELDS = frozenset({"score", "path", "alignment", "parts", "recording"})


class TimelineFeed:
    """Shows a session in a timeline.

    Parameters
    ----------
    session : Session
    view : TimelineView
    """

    def __init__(self, session: Session, view: TimelineView) -> None:
        self._session = session
        self._view = view

    def show(self, changed: Changed) -> None:
        """Take over what has changed."""
        session, view, what = self._session, self._view, changed.what
        project = session.project
        if what & {"recording", "source"}:
            view.set_recording(session.source, session.pyramid)
            view.set_selection(None)
        elif "peaks" in what:
            view.set_pyramid(session.pyramid)
        if what & SCORE_FIELDS:
            view.set_score(project.unfolded, project.alignment, project.parts)
        if what & (SCORE_FIELDS | {"pending_alignment"}):
            view.set_pending(project.pending_alignment)
        if what & {"activities", "recording"}:
            view.set_segments(project.activities, project.recording.frames if project.recording is not None else 0)

    def show_stems(self, sources: Mapping[int | None, SampleSource], peaks: Mapping[int | None, PeakPyramid]) -> None:
        """Show the waveforms of the stems."""
        self._view.set_stems({part: StemWave(source, peaks.get(part)) for part, source in sources.items()})

    def redraw_stems(self) -> None:
        """Draw the waveforms anew, after their overviews have grown."""
        self._view.canvas.repaint_all()

    def show_unexplained(self, unexplained: Unexplained | None) -> None:
        """Show what the stems leave of the recording."""
        self._view.set_unexplained(unexplained)

    def show_finished(self, stretches: tuple[tuple[int, int], ...] | None) -> None:
        """Show which stretches of the stems are made already; None where none are being made."""
        self._view.set_finished(stretches)

    def show_heard(self, keys: tuple[TrackKey, ...]) -> None:
        """Pale what is not heard now."""
        gains = stereo_gains(self._session.project.mixer, keys)
        silent = {key for key, gain in zip(keys, gains, strict=True) if not gain.any()}
        self._view.set_silent_parts(frozenset(key if isinstance(key, int) else None for key in silent))

    def show_loop(self, loop: Loop | None) -> None:
        """Show what is repeated."""
        self._view.set_loop(None if loop is None else (loop.start_frame, loop.end_frame))
