"""What the timeline is shown of a session: each of its values when it has changed, and only then.

What the score strip is shown of a session, and the engraving that is made for it in the background.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping

from scoresep.errors import AudioFileError
from scoresep.files.audio.stems import FADE_S
from scoresep.model.audio import SampleSource
from scoresep.model.engraving import Engraving
from scoresep.model.peaks import BASE_FRAMES, PeakBuilder, PeakPyramid, table_shape
from scoresep.model.project import Loop
from scoresep.model.quality import Unexplained
from scoresep.playback.mixing import TrackKey, stereo_gains
from scoresep.playback.player import PlayerState
from scoresep.qt.presenters.playback import PlaybackController
from scoresep.qt.score.strip import ScoreStrip
from scoresep.qt.timeline.lane import StemWave
from scoresep.qt.timeline.timeline_view import TimelineView
from scoresep.qt.widgets.method_menu import stems_text, stems_tip
from scoresep.qt.widgets.parts_panel import StemLine
from scoresep.session.jobs import Worker
from scoresep.session.separation_job import StemsSoFar
from scoresep.session.session import Changed, Session
from scoresep.session.spectrograms import build_stem_peaks, load_stem_peaks
from scoresep.session.stem_folders import facts_of, unexplained_of

SCORE_FIELDS = frozenset({"score", "path", "alignment", "parts", "recording"})


class TimelinePresenter:
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
            view.set_recording(session.recording.source, session.recording.pyramid)
            view.set_selection(None)
        elif "peaks" in what:
            view.set_pyramid(session.recording.pyramid)
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

    def show_audible(self, keys: tuple[TrackKey, ...]) -> None:
        """Pale what is not heard now."""
        gains = stereo_gains(self._session.project.mixer, keys)
        silent = {key for key, gain in zip(keys, gains, strict=True) if not gain.any()}
        self._view.set_silent_parts(frozenset(key if isinstance(key, int) else None for key in silent))

    def show_loop(self, loop: Loop | None) -> None:
        """Show what is repeated."""
        self._view.set_loop(None if loop is None else (loop.start_frame, loop.end_frame))


# Stems of longer recordings get their waveforms when they are finished.
MOST_BYTES = 192 * 2**20

Peaks = dict[int | None, PeakPyramid]
_log = logging.getLogger(__name__)


class StemWaves:
    """Shows the stems that are heard.

    Parameters
    ----------
    session : Session
    playing : PlaybackController
    feed : TimelinePresenter
    """

    def __init__(self, session: Session, playing: PlaybackController, feed: TimelinePresenter) -> None:
        self._session, self._playing, self._feed = session, playing, feed
        self._growing_in = ""
        self._drawn: set[tuple[int, int]] = set()
        self._builders: dict[int | None, PeakBuilder] = {}
        self._waiting: deque[tuple[int | None, int, int]] = deque()

    def show(self) -> None:
        """Show the stems; where their overviews were not built yet, have that done first."""
        so_far = self._playing.stems.so_far
        if so_far is not None:
            self._show_growing(so_far)
            return
        self._waiting.clear()
        stem_set, sources = self._playing.stems.stem_set, self._playing.stems.sources
        peaks = load_stem_peaks(stem_set, sources) if stem_set is not None and sources else {}
        is_drawn = stem_set is not None and stem_set.folder == self._growing_in
        if peaks is not None or not is_drawn:
            self._forget()
        self._feed.show_stems(sources, self._pyramids() if peaks is None else peaks)
        if peaks is None:
            job = ("stem peaks", "Draw stems", build_stem_peaks, (stem_set,))
            self._session.jobs.start(*job, lambda _: self.show())

    def draw(self) -> None:
        """Draw one piece of what was finished lately; takes some milliseconds."""
        if not self._waiting:
            return
        part, start, stop = self._waiting.popleft()
        source, builder = self._playing.stems.sources.get(part), self._builders.get(part)
        if source is None or builder is None or self._playing.stems.so_far is None:
            self._waiting.clear()
            return
        fade = round(FADE_S * source.sample_rate) + 1  # where neighbours were not finished it was faded
        start = max(start - fade, 0) // BASE_FRAMES * BASE_FRAMES
        stop = min(-(-(stop + fade) // BASE_FRAMES) * BASE_FRAMES, source.frames)
        try:
            builder.replace(start, source.read(start, stop))
        except AudioFileError as error:  # said where it is played
            _log.warning("%s", error)
        self._feed.redraw_stems()

    def _show_growing(self, so_far: StemsSoFar) -> None:
        if self._growing_in != so_far.final_folder:
            self._begin(so_far)
        for stretch in so_far.finished:
            if stretch not in self._drawn:
                self._drawn.add(stretch)
                self._waiting.extend((part, *stretch) for part in self._builders)
        self._feed.show_stems(self._playing.stems.sources, self._pyramids())

    def _begin(self, so_far: StemsSoFar) -> None:
        self._forget()
        self._growing_in = so_far.final_folder
        sources, before = self._playing.stems.sources, self._session.project.stem_set
        bytes_in_all = 0
        for source in sources.values():
            channels, kinds, entries = table_shape(source.frames, source.channels)
            bytes_in_all += 2 * channels * kinds * entries
        if bytes_in_all > MOST_BYTES:
            return
        earlier: Peaks = {}
        if before is not None and {stem.part_index for stem in before.stems} == set(sources):
            earlier = load_stem_peaks(before, sources) or {}
        elif self._session.recording.pyramid is not None:
            earlier = {None: self._session.recording.pyramid}
        for part, source in sources.items():
            self._builders[part] = PeakBuilder.over(earlier.get(part), source.frames, source.channels)

    def _pyramids(self) -> Peaks:
        return {part: builder.pyramid for part, builder in self._builders.items()}

    def _forget(self) -> None:
        self._growing_in = ""
        self._drawn.clear()
        self._builders.clear()
        self._waiting.clear()


class SeparationProgress:
    """Follows a separation, some thirty times a second.

    Parameters
    ----------
    session : Session
    playing : PlaybackController
    feed : TimelinePresenter
    """

    def __init__(self, session: Session, playing: PlaybackController, feed: TimelinePresenter) -> None:
        self._session, self._playing, self._feed = session, playing, feed
        self.waves = StemWaves(session, playing, feed)

    def show_making(self, line: StemLine) -> None:
        """Show what made the stems that are heard."""
        session, stem_set = self._session, self._playing.stems.stem_set
        if stem_set is None:
            line.show_text("", "")
            return
        facts = facts_of(stem_set)
        text, tip = stems_text(facts), stems_tip(session.project, facts)
        if stem_set == session.project.stem_set and session.separation.has_stale_stems:
            text, tip = f"{text}  ·  out of date", f"{tip}\nSeparated before the last changes"
        if self._playing.stems.other is not None:
            text = f"{'B' if self._playing.stems.plays_other else 'A'}:  {text}"
        line.show_text(text, f"{tip}\nPress to choose how to separate")

    def tick(self, state: PlayerState) -> None:
        """Go on: tell the session where the playhead is, and take over what has been finished."""
        if self._session.jobs.get("separation") is not None:
            self._session.jobs.prioritise(state.frame)
        self._playing.follow_making()
        self.waves.draw()
        heard = self._playing.stems.stem_set
        self._feed.show_unexplained(None if heard is None else unexplained_of(heard))
        so_far = self._session.separation.stems_so_far
        self._feed.show_finished(None if so_far is None else so_far.finished)


JOB = "engraving"
NOT_ENGRAVED = "The score was not engraved; hide the score strip and show it again to try anew."
UNKNOWN_RATE = 44100


class ScorePresenter:
    """Shows a session in a score strip.

    Parameters
    ----------
    session : Session
    strip : ScoreStrip
    """

    def __init__(self, session: Session, strip: ScoreStrip) -> None:
        self._session = session
        self._strip = strip
        self._awaits = False
        strip.engraving_wanted.connect(self._engrave)

    def show(self, changed: Changed) -> None:
        """Take over what has changed."""
        project = self._session.project
        if changed.what & SCORE_FIELDS:
            rate = project.recording.sample_rate if project.recording is not None else UNKNOWN_RATE
            self._strip.set_score(project.unfolded, project.alignment, project.parts, rate)
        if "jobs" in changed.what and self._awaits and self._session.jobs.get(JOB) is None:
            self._awaits = False  # cancelled, or failed, which the session has said
            self._strip.set_failure(NOT_ENGRAVED)

    def show_audible(self, keys: tuple[TrackKey, ...]) -> None:
        """Pale what is not heard now."""
        gains = stereo_gains(self._session.project.mixer, keys)
        silent = {key for key, gain in zip(keys, gains, strict=True) if not gain.any()}
        self._strip.set_silent_parts(frozenset(key if isinstance(key, int) else None for key in silent))

    def _engrave(self, width_units: int) -> None:
        score_file = self._session.project.score_file
        if score_file is None:
            return
        from scoresep.files.engraving import EngravingRequest, engrave_score  # the window opens without it

        def got(engraving: Engraving) -> None:
            self._awaits = False
            if self._session.project.score_file == score_file:
                self._strip.set_engraving(engraving)

        self._awaits = True
        request = EngravingRequest(score_file, width_units)
        self._session.jobs.start(JOB, "Engrave the score", engrave_score, (request,), got, Worker.ENGRAVING)
