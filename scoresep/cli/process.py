"""The process that a command runs in: whether it has a screen, the signals that stop it, and its two streams."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import TextIO

from scoresep.files.storage.cache import start_log

_log = logging.getLogger(__name__)
_NOBODY = logging.NullHandler()  # without any handler, logging prints to the error stream
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def screen_problem() -> str:
    """Say in one sentence why no window can open here and what to do; nothing where one can."""
    if importlib.util.find_spec("PySide6") is None:
        return "PySide6, which draws the window, is not installed; install it with: pip install PySide6-Essentials"
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in _SCREENS):
        return "There is no screen here to open the window on; use the commands that “scoresep -h” lists."
    return ""


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


STDERR_DESCRIPTOR = 2


@contextlib.contextmanager
def own_streams() -> Iterator[None]:
    """Keep both streams for ScoreSep while a command runs.

    Decoders written in C print remarks to the descriptor of the error stream; these go nowhere. What libraries in
    Python warn of and note goes to the log. Characters that the terminal lacks are escaped. Of streams that somebody
    else has put in place (a test, a notebook) only the last is true.
    """
    _fill_closed_descriptors()
    start_log()
    logging.getLogger().addHandler(_NOBODY)
    logging.captureWarnings(True)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _error_stream_apart() if _is_real(sys.stderr) else contextlib.nullcontext():
            yield
    finally:
        _let_go(sys.stdout)
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(_NOBODY)


def drop(stream: TextIO | None) -> None:
    """Give up a stream that nobody reads any more, so that the end of the program does not complain of it either."""
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _let_go(stream: TextIO | None) -> None:
    """Print what is left; what cannot be printed now is not tried again at the end of the program."""
    try:
        if stream is not None:
            stream.flush()
    except OSError:
        drop(stream)


def _note_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Log an error that could not be raised, such as an interruption while a library in C calls back."""
    _log.info("ignored in %r", unraisable.object, exc_info=unraisable.exc_value)


def _is_real(stream: TextIO | None) -> bool:
    real = sys.__stderr__
    if real is None or stream is not real:
        return False
    with contextlib.suppress(OSError, ValueError):
        return real.fileno() == STDERR_DESCRIPTOR
    return False


def _fill_closed_descriptors() -> None:
    """Open what was closed at the start, lest the next file take its number and with it what is printed there."""
    for number in range(STDERR_DESCRIPTOR + 1):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    if sys.stderr is None:  # Python's way to say that it was closed
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (stays open to the end)


@contextlib.contextmanager
def _error_stream_apart() -> Iterator[None]:
    """Give `sys.stderr` a descriptor of its own; what is printed to the usual one goes nowhere."""
    former = sys.stderr
    former.flush()
    ours = os.dup(STDERR_DESCRIPTOR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDERR_DESCRIPTOR)
    os.close(nowhere)
    sys.stderr = open(  # noqa: SIM115 (closed below)
        ours, "w", encoding=former.encoding, errors="backslashreplace", buffering=1, closefd=False
    )
    sys.unraisablehook = _note_unraisable
    try:
        yield
    finally:
        sys.unraisablehook = sys.__unraisablehook__
        with contextlib.suppress(OSError):
            sys.stderr.close()
        sys.stderr = former
        os.dup2(ours, STDERR_DESCRIPTOR)
        os.close(ours)
