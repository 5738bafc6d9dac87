"""The waveforms of the stems in the timeline: from the cache, and those that are being made as far as they are."""

from __future__ import annotations

from collections import deque

from scoresep.files.growing_stems import FADE_S
from scoresep.model.peaks import BASE_FRAMES, PeakBuilder, PeakPyramid, table_shape
from scoresep.qt.playing import Playing
from scoresep.qt.timeline_feed import TimelineFeed
from scoresep.session.session import Session
from scoresep.session.stem_making import StemsSoFar
from scoresep.session.stem_peaks import build_stem_peaks, load_stem_peaks

# Stems of longer recordings get their waveforms when they are finished.
MOST_BYTES = 192 * 2**20

Peaks = dict[int | None, PeakPyramid]


class StemWaves:
    """Shows the stems that are heard.

    Parameters
    ----------
    session : Session
    playing : Playing
    feed : TimelineFeed
    """

    def __init__(self, session: Session, playing: Playing, feed: TimelineFeed) -> None:
        self._session, self._playing, self._feed = session, playing, feed
        self._growing_in = ""
        self._drawn: set[tuple[int, int]] = set()
        self._builders: dict[int | None, PeakBuilder] = {}
        self._waiting: deque[tuple[int | None, int, int]] = deque()

    def show(self) -> None:
        """Show the stems; where their overviews were not built yet, have that done first."""
        so_far = self._playing.so_far
        if so_far is not None:
            self._show_growing(so_far)
            return
        self._waiting.clear()
        stem_set, sources = self._playing.heard_set, self._playing.sources
        peaks = load_stem_peaks(stem_set, sources) if stem_set is not None and sources else {}
        is_drawn = stem_set is not None and stem_set.folder == self._growing_in
        if peaks is not None or not is_drawn:
            self._forget()
        self._feed.show_stems(sources, self._pyramids() if peaks is None else peaks)
        if peaks is None:
            job = ("stem peaks", "Draw stems", build_stem_peaks, (stem_set,))
            self._session.start_job(*job, lambda _: self.show())

    def draw(self) -> None:
        """Draw one piece of what was finished lately; takes some milliseconds."""
        if not self._waiting:
            return
        part, start, stop = self._waiting.popleft()
        source, builder = self._playing.sources.get(part), self._builders.get(part)
        if source is None or builder is None or self._playing.so_far is None:
            self._waiting.clear()
            return
        fade = round(FADE_S * source.sample_rate) + 1  # where neighbours were not finished it was faded
        start = max(start - fade, 0) // BASE_FRAMES * BASE_FRAMES
        stop = min(-(-(stop + fade) // BASE_FRAMES) * BASE_FRAMES, source.frames)
        builder.replace(start, source.read(start, stop))
        self._feed.redraw_stems()

    def _show_growing(self, so_far: StemsSoFar) -> None:
        if self._growing_in != so_far.final_folder:
            self._begin(so_far)
        for stretch in so_far.finished:
            if stretch not in self._drawn:
                self._drawn.add(stretch)
                self._waiting.extend((part, *stretch) for part in self._builders)
        self._feed.show_stems(self._playing.sources, self._pyramids())

    def _begin(self, so_far: StemsSoFar) -> None:
        self._forget()
        self._growing_in = so_far.final_folder
        sources, before = self._playing.sources, self._session.project.stem_set
        bytes_in_all = 0
        for source in sources.values():
            channels, kinds, entries = table_shape(source.frames, source.channels)
            bytes_in_all += 2 * channels * kinds * entries
        if bytes_in_all > MOST_BYTES:
            return
        earlier: Peaks = {}
        if before is not None and {stem.part_index for stem in before.stems} == set(sources):
            earlier = load_stem_peaks(before, sources) or {}
        elif self._session.pyramid is not None:
            earlier = {None: self._session.pyramid}
        for part, source in sources.items():
            self._builders[part] = PeakBuilder.over(earlier.get(part), source.frames, source.channels)

    def _pyramids(self) -> Peaks:
        return {part: builder.pyramid for part, builder in self._builders.items()}

    def _forget(self) -> None:
        self._growing_in = ""
        self._drawn.clear()
        self._builders.clear()
        self._waiting.clear()
