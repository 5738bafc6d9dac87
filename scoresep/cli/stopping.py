"""Ctrl+C, and the signals by which a system asks a program to end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

SIGNAL_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # SIGHUP: the terminal was closed; SIGBREAK: Windows


class Interruption(KeyboardInterrupt):
    """What a signal raises. Python ends a program by SIGINT where its own class has passed through code in C."""


@dataclass
class Stop:
    """Whether the person has asked the work to stop.

    Attributes
    ----------
    is_asked : bool
    is_over : bool
        All is done but for a last sentence; no signal may change how it ends any more.
    """

    is_asked: bool = False
    is_over: bool = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Stop at once, by `Interruption`.

        Only the first time: what is being cleaned up must not be broken off. A library that swallows the interruption
        does not save the work from ending, since its progress asks for `is_asked`.
        """
        if not self.is_asked and not self.is_over:
            self.is_asked = True
            raise Interruption


@contextlib.contextmanager
def stoppable(ends_program: bool) -> Iterator[Stop]:
    """Let all signals that ask for an end do the same while a command runs; what was ignored (nohup) stays ignored.

    Parameters
    ----------
    ends_program : bool
        Whether nothing follows, so that signals are ignored from then on.
    """
    stop = Stop()
    former = {n: h for n in _numbers() if (h := signal.getsignal(n)) not in (signal.SIG_IGN, None)}
    for number in former:
        signal.signal(number, stop.ask)
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, signal.SIG_IGN if ends_program and stop.is_over else handler)


def _numbers() -> tuple[signal.Signals, ...]:
    """Return the signals that exist here; none in a thread, which may not handle any."""
    if threading.current_thread() is not threading.main_thread():
        return ()
    return tuple(getattr(signal, name) for name in SIGNAL_NAMES if hasattr(signal, name))
