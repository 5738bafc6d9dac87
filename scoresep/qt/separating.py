"""A separation that runs: it is told where the person listens, and what it has finished is heard and seen."""

from __future__ import annotations

from scoresep.playback.player import PlayerState
from scoresep.qt.method_texts import stems_text, stems_tip
from scoresep.qt.playing import Playing
from scoresep.qt.stem_line import StemLine
from scoresep.qt.stem_waves import StemWaves
from scoresep.qt.timeline_feed import TimelineFeed
from scoresep.session.quality import unexplained_of
from scoresep.session.session import Session
from scoresep.session.stem_facts import facts_of


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

    def show_making(self, line: StemLine) -> None:
        """Show what made the stems that are heard."""
        session, stem_set = self._session, self._playing.heard_set
        if stem_set is None:
            line.show_text("", "")
            return
        facts = facts_of(stem_set)
        text, tip = stems_text(facts), stems_tip(session.project, facts)
        if stem_set == session.project.stem_set and session.has_stale_stems:
            text, tip = f"{text}  ·  out of date", f"{tip}\nMade before the last changes"
        if self._playing.other is not None:
            text = f"{'B' if self._playing.hears_other else 'A'}:  {text}"
        line.show_text(text, f"{tip}\nPress to choose how stems are made")

    def tick(self, state: PlayerState) -> None:
        """Go on: tell the session where the playhead is, and take over what has been finished."""
        if self._session.job("separation") is not None:
            self._session.wish(state.frame)
        self._playing.follow_making()
        self.waves.draw()
        heard = self._playing.heard_set
        self._feed.show_unexplained(None if heard is None else unexplained_of(heard))
        so_far = self._session.stems_so_far
        self._feed.show_finished(None if so_far is None else so_far.finished)
