"""Hearing single notes alone, once, and then what was heard before, at the same place."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from PySide6.QtCore import QObject, QTimer

from scoresep.model.patches import Patch
from scoresep.qt.playing import Playing

LOOK_MS = 25
# The sound of a note reaches a little over it on both sides; this much of that need not be heard.
EARLY_S, LATE_S = 0.1, 0.2
JUMP_S = 0.25


class NoteHearing(QObject):
    """Plays notes alone.

    Parameters
    ----------
    playing : Playing
    """

    def __init__(self, playing: Playing, parent: QObject) -> None:
        super().__init__(parent)
        self._playing = playing
        self._stop_frame, self._sample_rate = 0, 1
        self._seen = (0, 0.0)  # the frame that was heard last, and when
        self._goes_back_to: tuple[int, bool] = (0, False)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    @property
    def is_hearing(self) -> bool:
        """Whether notes are heard alone just now."""
        return self._timer.isActive()

    def hear(self, patches: Sequence[Patch], sample_rate: int) -> None:
        """Play notes alone, from the first to the last."""
        if not patches:
            return
        if not self.is_hearing:
            state = self._playing.state()
            self._goes_back_to = (state.frame, state.is_playing)
        start = min(patch.start_frame for patch in patches) + round(EARLY_S * sample_rate)
        stop = max(patch.stop_frame for patch in patches) - round(LATE_S * sample_rate)
        self._stop_frame, self._sample_rate = max(stop, start + 1), sample_rate
        self._seen = (start, monotonic())
        self._playing.hear_alone(tuple(patches))
        self._playing.play_from(start)
        self._timer.start()

    def end(self) -> None:
        """Hear again what was heard before."""
        if not self.is_hearing:
            return
        self._timer.stop()
        frame, was_playing = self._goes_back_to
        self._playing.hear_alone(())
        if was_playing:
            self._playing.play_from(frame)
        else:
            self._playing.stop()
            self._playing.seek(frame)

    def _look(self) -> None:
        state = self._playing.state()
        if not self._playing.hears_alone:
            self._timer.stop()  # something else was asked for
        elif state.is_playing and self._has_jumped(state.frame):
            self._timer.stop()  # the person has gone elsewhere
            self._playing.hear_alone(())
        elif not state.is_playing or state.frame >= self._stop_frame:
            self.end()

    def _has_jumped(self, frame: int) -> bool:
        """Whether the playhead is where time alone has not brought it."""
        (before, then_s), now_s = self._seen, monotonic()
        self._seen = (frame, now_s)
        spare = JUMP_S * self._sample_rate
        return not -spare < frame - before < (now_s - then_s) * self._sample_rate + spare
