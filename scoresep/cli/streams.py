"""What reaches the terminal is what ScoreSep says, and a terminal that goes away does no harm to the work."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from scoresep.files.log_file import keep_log

STDERR_DESCRIPTOR = 2


@contextlib.contextmanager
def own_streams() -> Iterator[None]:
    """Keep both streams for ScoreSep while a command runs.

    Decoders written in C print remarks to the descriptor of the error stream; these go nowhere. What libraries in
    Python warn of and note goes to the log. Characters that the terminal lacks are escaped. Of streams that somebody
    else has put in place (a test, a notebook) only the last is true.
    """
    _fill_closed_descriptors()
    keep_log()
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


_log = logging.getLogger(__name__)
_NOBODY = logging.NullHandler()  # without any handler, logging prints to the error stream


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
