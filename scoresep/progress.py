"""How long work tells how far it is and learns that it should stop.

One small object is handed down into the work. The work calls `update` between its pieces; the call raises `Cancelled`
when the person has cancelled. Who shows the progress (terminal, window, nobody) is not known here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scoresep.errors import Cancelled

MIN_ELAPSED_FOR_ESTIMATE_S = 1.0


@dataclass(frozen=True)
class ProgressState:
    """What is known about running work at one moment.

    Attributes
    ----------
    fraction : float
        Share of the work done, 0 to 1.
    text : str
        What is being done, in words for people.
    elapsed_s : float
        Seconds since the work began.
    remaining_s : float or None
        Estimated seconds to the end; None while too little is done to say.
    finished : object
        What of the work can be used already, as the work itself describes it; None while nothing can.
    """

    fraction: float = 0.0
    text: str = ""
    elapsed_s: float = 0.0
    remaining_s: float | None = None
    finished: object = None


class Progress:
    """Progress of one piece of work, nested to any depth with `part`.

    Parameters
    ----------
    report : callable taking ProgressState, optional
        Called at every update, from the thread that works.
    is_cancelled : callable returning bool, optional
        Asked at every update.
    priority : callable returning int, optional
        Where the person is just now: a frame of the recording, or -1.
    """

    def __init__(
        self,
        report: Callable[[ProgressState], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        priority: Callable[[], int] | None = None,
    ) -> None:
        self._report = report
        self._is_cancelled = is_cancelled
        self._priority = priority
        self._start_s = time.monotonic()
        self._low = 0.0
        self._high = 1.0
        self._root: Progress = self
        self._last_text = ""
        self._finished: object = None

    def update(self, fraction: float, text: str = "") -> None:
        """Tell how far the work is.

        Parameters
        ----------
        fraction : float
            Share of this (part of the) work that is done, 0 to 1.
        text : str, optional
            What is being done; the last text stays when empty.

        Raises
        ------
        Cancelled
            If the person has cancelled the work.
        """
        self.check()
        root = self._root
        root._last_text = text or root._last_text
        if root._report is None:
            return
        done = self._low + (self._high - self._low) * min(max(fraction, 0.0), 1.0)
        elapsed_s = time.monotonic() - root._start_s
        remaining_s = None
        if done > 0.01 and elapsed_s > MIN_ELAPSED_FOR_ESTIMATE_S:
            remaining_s = elapsed_s * (1.0 - done) / done
        root._report(ProgressState(done, root._last_text, elapsed_s, remaining_s, root._finished))

    def finished(self, what: object) -> None:
        """Tell with the next update what can be used already: a small frozen value."""
        self._root._finished = what

    @property
    def priority_frame(self) -> int:
        """The frame of the recording that the person wants next; -1 where that is not known."""
        return -1 if self._root._priority is None else self._root._priority()

    def check(self) -> None:
        """Raise `Cancelled` if the person has cancelled the work."""
        if self._root._is_cancelled is not None and self._root._is_cancelled():
            raise Cancelled()

    def part(self, low: float, high: float) -> Progress:
        """Give the stretch from `low` to `high` of this work to a piece of it, which sees it as 0 to 1."""
        inner = Progress()
        inner._root = self._root
        width = self._high - self._low
        inner._low, inner._high = self._low + low * width, self._low + high * width
        return inner

    def parts(self, count: int) -> Iterator[Progress]:
        """Divide this work evenly into `count` pieces, one after the other."""
        for i in range(count):
            yield self.part(i / count, (i + 1) / count)
