"""Going from one doubtful segment to the next, with what to do there in words."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from scoresep.model.quality import next_doubtful
from scoresep.qt.bridge import Bridge
from scoresep.qt.method_texts import range_text
from scoresep.qt.timeline.timeline_view import TimelineView

# What messages about a doubtful segment are filed under, so that something can be offered to be done about it.
DOUBT, NO_DOUBT = "doubt", "no doubt"


class Doubting(QObject):
    """What the actions about doubtful segments do.

    Parameters
    ----------
    bridge : Bridge
    view : TimelineView
    parent : QObject
    """

    def __init__(self, bridge: Bridge, view: TimelineView, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._view = bridge.session, view

    def slots(self) -> dict[str, Callable[[], object]]:
        """Return what each action does, by its id."""
        view = self._view
        return {
            "quality": lambda: view.show_quality(not view.shows_quality),
            "next_doubtful": lambda: self.step(1),
            "previous_doubtful": lambda: self.step(-1),
        }

    def possible(self) -> dict[str, bool]:
        """Return which actions can be taken now."""
        has_segments = bool(self._view.canvas.content.segments)
        return dict.fromkeys(("next_doubtful", "previous_doubtful"), has_segments)

    def step(self, direction: int) -> None:
        """Select the next (or previous) doubtful segment, go there, and say what to do."""
        view = self._view
        for message in [m for m in self._session.messages if m.key in (DOUBT, NO_DOUBT)]:
            self._session.dismiss(message)
        here = view.playhead_frame or 0
        found = next_doubtful(view.canvas.content.qualities, here - (direction > 0 and here == 0), direction)
        if found is None:
            where = "after" if direction > 0 else "before"
            self._session.say("info", f"There is no doubtful segment {where} the playhead.", NO_DOUBT)
            return
        segment = found.segment
        view.seek(segment.start_frame)
        view.select(segment.start_frame, segment.end_frame)
        where = range_text(self._session.project, segment.start_frame, segment.end_frame)
        self._session.say("info", f"{where[:1].upper()}{where[1:]} ({found.figures}): {found.advice}", DOUBT)
