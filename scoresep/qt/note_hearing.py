"""Hearing single notes alone, once, and then what was heard before, at the same place."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer

from scoresep.model.patches import Patch
from scoresep.qt.playing import Playing

LOOK_MS = 25
# The sound of a note reaches a little over it on both sides; this much of that need not be heard.
EARLY_S, LATE_S = 0.1, 0.2


class NoteHearing(QObject):
    """Plays notes alone.

    Parameters
    ----------
    playing : Playing
    """

    def __init__(self, playing: Playing, parent: QObject) -> None:
        super().__init__(parent)
        self._playing = playing
        self._stretch = (0, 0)
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
        self._stretch = (start, max(stop, start + 1))
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
        state, (start, stop) = self._playing.state(), self._stretch
        if not self._playing.hears_alone:
            self._timer.stop()  # something else was asked for
        elif not state.is_playing or state.frame >= stop:
            self.end()
        elif state.frame < start - 1:  # the person has gone elsewhere
            self._timer.stop()
            self._playing.hear_alone(())
