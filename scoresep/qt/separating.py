"""A separation that runs: it is told where the person listens, and what it has finished is heard and seen."""

from __future__ import annotations

from scoresep.playback.player import PlayerState
from scoresep.qt.playing import Playing
from scoresep.qt.stem_waves import StemWaves
from scoresep.qt.timeline_feed import TimelineFeed
from scoresep.session.session import Session


class Separating:
    """Follows a separation, some thirty times a second.

    Parameters
    ----------
    session : Session
    playing : Playing
    feed : TimelineFeed
    """

    def __init__(self, session: Session, playing: Playing, feed: TimelineFeed) -> None:
        self._session, self._playing, self._feed = session, playing, feed
        self.waves = StemWaves(session, playing, feed)

    def tick(self, state: PlayerState) -> None:
        """Go on: tell the session where the playhead is, and take over what has been finished."""
        if self._session.job("separation") is not None:
            self._session.wish(state.frame)
        self._playing.follow_making()
        self.waves.draw()
        so_far = self._session.stems_so_far
        self._feed.show_finished(None if so_far is None else so_far.finished)
